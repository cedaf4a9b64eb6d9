// SPDX-License-Identifier: MIT
// Logical models: a name, its targets in order with weights and limits, and what is said of the way its calls go. The
// shape was checked before; what is left is whether the values mean something.
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "runtime/config.h"
#include "runtime/config_check.h"

enum { STICKY_MS = 10 * 60 * 1000 }; // what a provider keeps a prompt's prefix warm for, at least

mb_limits mb_config_limits(const mb_json *owner) {
    const mb_json *limits = mb_json_get(owner, "limits");
    return (mb_limits){.rpm = mb_json_int(mb_json_get(limits, "rpm"), 0),
                       .tpm = mb_json_int(mb_json_get(limits, "tpm"), 0),
                       .parallel = (int)mb_json_int(mb_json_get(limits, "parallel"), 0)};
}

// ---- limits of targets ---------------------------------------------------------------------------------------------

typedef struct stated { // what is said of one provider/model
    mb_limits limits;
    const mb_json *where;
} stated;

mb_limits mb_config_target_limits(const mb_config *config, const mb_provider *provider, const char *model) {
    char text[1024];
    if (mb_map_count(&config->limits) == 0) return (mb_limits){0};
    snprintf(text, sizeof text, "%s/%s", provider->name, model);
    const stated *found = mb_map_get(&config->limits, text);
    return found ? found->limits : (mb_limits){0};
}

// The limits of a target are those of its provider's model, wherever that is named: they are said once, or each time
// the same.
static int state_limits(mb_config *config, const char *text, const mb_json *where, membrane_error **err) {
    mb_limits limits = mb_config_limits(where);
    if (!limits.rpm && !limits.tpm && !limits.parallel) return 0;
    const stated *before = mb_map_get(&config->limits, text);
    if (before) {
        const mb_limits *b = &before->limits;
        const uint32_t line = before->where->line, file = MB_CONFIG_FILE_OF(line);
        if (b->rpm == limits.rpm && b->tpm == limits.tpm && b->parallel == limits.parallel) return 0;
        return mb_config_error(config, err, where, "%s has other limits at %s:%u", text,
                               file && file <= config->file_count ? config->files[file - 1].path : "line",
                               MB_CONFIG_LINE_OF(line));
    }
    stated *fresh = mb_arena_alloc(&config->arena, sizeof *fresh);
    if (!fresh) return mb_error_no_memory(err);
    *fresh = (stated){limits, where};
    return mb_map_put(&config->limits, text, fresh) ? 0 : mb_error_no_memory(err);
}

// Those that were said elsewhere too.
static void share_limits(mb_config *config) {
    for (size_t i = 0; i < config->model_count; i++) {
        mb_target *targets = (mb_target *)(uintptr_t)config->models[i].targets; // made here a moment ago
        for (size_t t = 0; t < config->models[i].target_count; t++)
            targets[t].limits = mb_config_target_limits(config, targets[t].provider, targets[t].model);
    }
}

// ---- targets -------------------------------------------------------------------------------------------------------

int mb_config_no_provider(mb_config *config, const mb_json *where, const char *path, const char *name, size_t len,
                          membrane_error **err) {
    const char **names = mb_arena_alloc(&config->arena, (config->provider_count + 1) * sizeof *names);
    const char *copy = mb_arena_strndup(&config->arena, name, len);
    if (!names || !copy) return mb_error_no_memory(err);
    for (size_t i = 0; i < config->provider_count; i++) names[i] = config->providers[i].name;
    const char *nearest = mb_nearest(copy, names, config->provider_count);
    return mb_config_error(config, err, where, "%s: there is no provider \"%s\"%s%s%s", path, copy,
                           nearest ? " (did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?)" : "");
}

static int add_target(mb_config *config, mb_model *model, mb_target *targets, const mb_json *where, const char *text,
                      mb_group group, membrane_error **err) {
    const char *slash = strchr(text, '/');
    const mb_provider *provider = slash ? mb_config_provider(config, text, (size_t)(slash - text)) : NULL;
    char path[MB_LIMIT_NAME + 16];
    if (!slash || !slash[1])
        return mb_config_error(config, err, where, "models.%s: \"%s\" is no target: it is written provider/model",
                               model->name, text);
    snprintf(path, sizeof path, "models.%.*s", MB_LIMIT_NAME, model->name);
    if (!provider) return mb_config_no_provider(config, where, path, text, (size_t)(slash - text), err);
    targets[model->target_count++] = (mb_target){.provider = provider,
                                                 .model = slash + 1,
                                                 .group = group,
                                                 .weight = mb_json_double(mb_json_get(where, "weight"), 1)};
    return state_limits(config, text, where, err);
}

static int add_targets(mb_config *config, mb_model *model, mb_target *targets, const mb_json *list, mb_group group,
                       membrane_error **err) {
    for (uint32_t i = 0; list && i < list->count; i++) {
        const mb_json *one = &list->children[i];
        const char *text = one->type == MB_JSON_STRING ? one->str : mb_json_get_str(one, "target");
        int code = add_target(config, model, targets, one, text, group, err);
        if (code) return code;
    }
    return 0;
}

static bool has_weight(const mb_model *model) {
    for (size_t i = 0; i < model->target_count; i++)
        if (model->targets[i].group == MB_GROUP_MAIN && model->targets[i].weight > 0) return true;
    return false;
}

// ---- the way -------------------------------------------------------------------------------------------------------

// A word of a model's table, if it is there.
static int read_choice(const mb_config *config, const mb_json *table, const char *key, const char *const *words,
                       size_t count, int *ret, membrane_error **err) {
    const mb_json *value = mb_json_get(table, key);
    char path[MB_LIMIT_NAME + 32];
    snprintf(path, sizeof path, "models.%.*s.%s", MB_LIMIT_NAME, table->key, key);
    return value ? mb_config_choice(config, value, path, words, count, ret, err) : 0;
}

static int read_policy(const mb_config *config, const mb_json *table, mb_way *way, membrane_error **err) {
    const char *words[MB_POLICY_COUNT];
    int policy = way->policy;
    for (int i = 0; i < MB_POLICY_COUNT; i++) words[i] = mb_policy_name((mb_policy)i);
    int code = read_choice(config, table, "policy", words, MB_COUNT(words), &policy, err);
    way->policy = (mb_policy)policy;
    return code;
}

static int read_on_cut(const mb_config *config, const mb_json *table, mb_way *way, membrane_error **err) {
    static const char *const words[] = {
        [MB_CUT_ERROR] = "error", [MB_CUT_RESTART] = "restart", [MB_CUT_CONTINUE] = "continue"};
    int on_cut = way->on_cut;
    int code = read_choice(config, table, "on_cut", words, MB_COUNT(words), &on_cut, err);
    way->on_cut = (mb_on_cut)on_cut;
    return code;
}

static int read_hedge(const mb_config *config, const mb_json *table, mb_hedge *hedge, membrane_error **err) {
    const mb_json *value = mb_json_get(table, "hedge");
    if (!value) return 0;
    if (mb_json_bool(value, false) || mb_json_str_is(value, "p95"))
        hedge->kind = MB_HEDGE_P95;
    else if (value->type != MB_JSON_BOOL && mb_config_duration(config, value, &hedge->delay_ms, NULL) != 0)
        return mb_config_error(config, err, value,
                               "models.%s.hedge must be true, false, \"p95\" or a time (milliseconds, or \"500ms\", "
                               "\"30s\", \"2m\")",
                               table->key);
    else
        hedge->kind = hedge->delay_ms > 0 ? MB_HEDGE_DELAY : MB_HEDGE_OFF;
    return 0;
}

static int read_way(const mb_config *config, const mb_json *table, mb_way *way, membrane_error **err) {
    const mb_json *sticky = mb_json_get(table, "sticky"), *wait = mb_json_get(table, "max_wait");
    way->retries = (int)mb_json_int(mb_json_get(table, "retries"), MB_RETRIES);
    way->min_tokens_per_s = mb_json_double(mb_json_get(table, "min_tokens_per_s"), 0);
    int code = read_policy(config, table, way, err);
    if (code == 0) code = read_on_cut(config, table, way, err);
    if (code == 0) code = read_hedge(config, table, &way->hedge, err);
    if (code == 0 && mb_json_is(sticky, MB_JSON_BOOL))
        way->sticky_ms = sticky->boolean ? STICKY_MS : 0;
    else if (code == 0 && sticky && mb_config_duration(config, sticky, &way->sticky_ms, NULL) != 0)
        code = mb_config_error(config, err, sticky,
                               "models.%s.sticky must be true, false or a time (milliseconds, or \"500ms\", \"30s\", "
                               "\"2m\")",
                               table->key);
    if (code == 0 && wait) code = mb_config_duration(config, wait, &way->max_wait_ms, err);
    return code;
}

// ---- models --------------------------------------------------------------------------------------------------------

static int compile_model(mb_config *config, const mb_json *table, mb_model *model, membrane_error **err) {
    static const struct {
        const char *key;
        mb_group group;
    } lists[] = {
        {"error", MB_GROUP_ERROR}, {"context_overflow", MB_GROUP_CONTEXT}, {"content_policy", MB_GROUP_CONTENT}};
    const mb_json *main_list = mb_json_get(table, "targets"), *falls = mb_json_get(table, "fallbacks");
    size_t room = main_list->count;
    if (main_list->count == 0) return mb_config_error(config, err, main_list, "models.%s.targets is empty", table->key);
    for (size_t i = 0; i < MB_COUNT(lists); i++) {
        const mb_json *list = mb_json_get(falls, lists[i].key);
        room += list ? list->count : 0;
    }
    mb_target *targets = mb_arena_alloc(&config->arena, room * sizeof *targets);
    if (!targets) return mb_error_no_memory(err);
    *model = (mb_model){.name = table->key, .targets = targets, .way = MB_WAY_DEFAULT};
    model->warm = mb_json_bool(mb_json_get(table, "warm"), false);
    int code = read_way(config, table, &model->way, err);
    if (code == 0) code = add_targets(config, model, targets, main_list, MB_GROUP_MAIN, err);
    for (size_t i = 0; code == 0 && i < MB_COUNT(lists); i++)
        code = add_targets(config, model, targets, mb_json_get(falls, lists[i].key), lists[i].group, err);
    if (code == 0 && model->way.policy == MB_POLICY_WEIGHTED && !has_weight(model))
        code = mb_config_error(config, err, main_list,
                               "models.%s.targets: with a weight of 0 for each there is none to choose", table->key);
    return code;
}

int mb_config_models(mb_config *config, membrane_error **err) {
    const mb_json *tables = mb_json_get(config->tree, "models");
    if (!tables) return 0;
    const size_t each = mb_json_get(config->tree, "optimizer") ? 2 : 1;
    config->models = mb_arena_zalloc(&config->arena, (each * tables->count + 1) * sizeof *config->models);
    if (!config->models) return mb_error_no_memory(err);
    for (uint32_t i = 0; i < tables->count; i++) {
        int code = compile_model(config, &tables->children[i], &config->models[i], err);
        if (code) return code;
        config->model_count++;
    }
    share_limits(config);
    return 0;
}
