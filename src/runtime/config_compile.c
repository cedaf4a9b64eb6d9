// SPDX-License-Identifier: MIT
// The merged tree into what a call uses: providers (configured ones first, then every known kind by its usual address)
// and logical models with their targets.
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/limits.h"
#include "runtime/config.h"
#include "runtime/config_check.h"

static const mb_quirks builtin_quirks = {.kind = "builtin", .wire = "builtin", .local = true};

static void add_builtin(mb_config *config) {
    config->providers[config->provider_count++] =
        (mb_provider){.name = "builtin", .quirks = &builtin_quirks, .local = true, .implicit = true};
}

static int add_configured(mb_config *config, const mb_environment *env, const mb_json *tables, membrane_error **err) {
    for (uint32_t i = 0; tables && i < tables->count; i++) {
        const mb_json *table = &tables->children[i];
        if (strchr(table->key, '/') || !table->key[0] || table->key_len > MB_LIMIT_NAME)
            return mb_config_error(config, err, table, "\"%s\" is no name for a provider: no slash, 1 to 256 bytes",
                                   table->key);
        if (strcmp(table->key, "builtin") == 0)
            return mb_config_error(config, err, table, "the name \"builtin\" is taken by the library itself");
        if (mb_json_get(table, "limits"))
            mb_config_warn(config, "providers.%s.limits: rate limits are not kept by this version", table->key);
        int code =
            mb_config_make_provider(config, env, table->key, table, &config->providers[config->provider_count], err);
        if (code) return code;
        config->provider_count++;
    }
    return 0;
}

static int add_implicit(mb_config *config, const mb_environment *env, const char *const *kinds, membrane_error **err) {
    for (size_t i = 0; kinds[i]; i++) {
        membrane_error *cause = NULL;
        if (mb_config_provider(config, kinds[i], strlen(kinds[i]))) continue;
        int code =
            mb_config_make_provider(config, env, kinds[i], NULL, &config->providers[config->provider_count], &cause);
        if (code == 0) config->provider_count++;
        // A kind without a usual address is simply not there; what the environment says wrong is said.
        bool is_said = code == MEMBRANE_ENOMEM || strcmp(kinds[i], "ollama") == 0;
        if (code && is_said) {
            if (err)
                *err = cause;
            else
                membrane_error_free(cause);
            return code;
        }
        membrane_error_free(cause);
    }
    return 0;
}

static int make_providers(mb_config *config, const mb_environment *env, membrane_error **err) {
    const mb_json *tables = mb_json_get(config->tree, "providers");
    const char *const *kinds = mb_quirks_names(config->kinds, &config->arena);
    size_t room = 1 + (tables ? tables->count : 0);
    if (!kinds) return mb_error_no_memory(err);
    for (size_t i = 0; kinds[i]; i++) room++;
    config->providers = mb_arena_zalloc(&config->arena, room * sizeof *config->providers);
    if (!config->providers) return mb_error_no_memory(err);
    int code = add_configured(config, env, tables, err);
    if (code == 0) add_builtin(config);
    return code ? code : add_implicit(config, env, kinds, err);
}

static int compile_providers(mb_config *config, const mb_environment *env, membrane_error **err) {
    mb_arena table = {0};
    config->kinds = mb_quirks_table(&table, err);
    int code = config->kinds ? make_providers(config, env, err) : MEMBRANE_ENOMEM;
    config->kinds = NULL;
    mb_arena_free(&table);
    return code;
}

// ---- logical models
// ----------------------------------------------------------------------------------------------------

static int add_target(mb_config *config, mb_model *model, mb_target *targets, const mb_json *where, const char *text,
                      mb_group group, membrane_error **err) {
    const char *slash = strchr(text, '/');
    const mb_provider *provider = slash ? mb_config_provider(config, text, (size_t)(slash - text)) : NULL;
    if (!slash || !slash[1])
        return mb_config_error(config, err, where, "models.%s: \"%s\" is no target: it is written provider/model",
                               model->name, text);
    if (!provider) {
        const char **names = mb_arena_alloc(&config->arena, (config->provider_count + 1) * sizeof *names);
        const char *name = mb_arena_strndup(&config->arena, text, (size_t)(slash - text));
        if (!names || !name) return mb_error_no_memory(err);
        for (size_t i = 0; i < config->provider_count; i++) names[i] = config->providers[i].name;
        const char *nearest = mb_nearest(name, names, config->provider_count);
        return mb_config_error(config, err, where, "models.%s: there is no provider \"%s\"%s%s%s", model->name, name,
                               nearest ? " (did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?)" : "");
    }
    targets[model->target_count++] = (mb_target){.provider = provider, .model = slash + 1, .group = group, .weight = 1};
    return 0;
}

static int add_targets(mb_config *config, mb_model *model, mb_target *targets, const mb_json *list, mb_group group,
                       membrane_error **err) {
    for (uint32_t i = 0; list && i < list->count; i++) {
        const mb_json *one = &list->children[i];
        const char *text = one->type == MB_JSON_STRING ? one->str : mb_json_get_str(one, "target");
        if (mb_json_get(one, "weight"))
            mb_config_warn(config, "models.%s: weights are not kept by this version: targets go in their order",
                           model->name);
        int code = add_target(config, model, targets, one, text, group, err);
        if (code) return code;
    }
    return 0;
}

static int compile_model(mb_config *config, const mb_json *table, mb_model *model, membrane_error **err) {
    static const struct {
        const char *key;
        mb_group group;
    } lists[] = {
        {"error", MB_GROUP_ERROR}, {"context_overflow", MB_GROUP_CONTEXT}, {"content_policy", MB_GROUP_CONTENT}};
    const mb_json *main_list = mb_json_get(table, "targets"), *falls = mb_json_get(table, "fallbacks");
    const mb_json *policy = mb_json_get(table, "policy");
    size_t room = main_list->count;
    if (policy && !mb_json_str_is(policy, "ordered"))
        return mb_config_error(config, err, policy, "models.%s.policy: this version knows \"ordered\" only",
                               table->key);
    if (main_list->count == 0) return mb_config_error(config, err, main_list, "models.%s.targets is empty", table->key);
    static const char *const later[] = {"hedge", "sticky"};
    for (size_t i = 0; i < MB_COUNT(later); i++)
        if (mb_json_get(table, later[i]))
            mb_config_warn(config, "models.%s.%s is not kept by this version", table->key, later[i]);
    for (size_t i = 0; i < MB_COUNT(lists); i++) {
        const mb_json *list = mb_json_get(falls, lists[i].key);
        room += list ? list->count : 0;
    }
    mb_target *targets = mb_arena_alloc(&config->arena, room * sizeof *targets);
    if (!targets) return mb_error_no_memory(err);
    *model = (mb_model){.name = table->key, .targets = targets, .way = MB_WAY_DEFAULT};
    model->way.retries = (int)mb_json_int(mb_json_get(table, "retries"), MB_RETRIES);
    int code = add_targets(config, model, targets, main_list, MB_GROUP_MAIN, err);
    for (size_t i = 0; code == 0 && i < MB_COUNT(lists); i++)
        code = add_targets(config, model, targets, mb_json_get(falls, lists[i].key), lists[i].group, err);
    return code;
}

static int compile_models(mb_config *config, membrane_error **err) {
    const mb_json *tables = mb_json_get(config->tree, "models");
    if (!tables) return 0;
    config->models = mb_arena_zalloc(&config->arena, (tables->count + 1) * sizeof *config->models);
    if (!config->models) return mb_error_no_memory(err);
    for (uint32_t i = 0; i < tables->count; i++) {
        int code = compile_model(config, &tables->children[i], &config->models[i], err);
        if (code) return code;
        config->model_count++;
    }
    return 0;
}

// What would change what a call may do or cost, and is not there yet, is refused rather than passed over.
static int refuse_later_parts(const mb_config *config, membrane_error **err) {
    static const char *const parts[] = {"budgets", "tools", "policy", "context", "placement"};
    for (size_t i = 0; i < MB_COUNT(parts); i++) {
        const mb_json *part = mb_json_get(config->tree, parts[i]);
        if (part && part->type != MB_JSON_NULL &&
            !((part->type == MB_JSON_ARRAY || part->type == MB_JSON_OBJECT) && part->count == 0))
            return mb_config_error(config, err, part,
                                   "\"%s\" is not in this version of the library: remove it, or nothing would keep it",
                                   parts[i]);
    }
    return 0;
}

// The file of prices that is named, checked now; the whole table is made when somebody asks for it.
static int check_prices(mb_config *config, membrane_error **err) {
    const mb_json *path = mb_json_get(config->tree, "prices");
    const mb_prices *ignored;
    mb_arena trial = {0};
    if (!path) return 0;
    mb_buf text = MB_BUF(16 * MB_MIB);
    membrane_error *cause = NULL;
    int code = mb_file_read(path->str, &text, &cause);
    if (code == 0)
        code = mb_config_parse(&config->arena, path->str, mb_buf_text(&text), text.len, 0, &config->price_rows, &cause);
    if (code == 0) code = mb_prices_load(&trial, config->price_rows, &ignored, &cause);
    if (code == MEMBRANE_ENOMEM)
        mb_error_no_memory(err);
    else if (code)
        code = mb_config_error(config, err, path, "%s: %s", path->str, membrane_error_message(cause));
    membrane_error_free(cause);
    mb_arena_free(&trial);
    mb_buf_free(&text);
    return code;
}

int mb_config_compile(mb_config *config, const mb_environment *env, membrane_error **err) {
    int code = mb_config_check_shape(config, err);
    if (code == 0) code = refuse_later_parts(config, err);
    if (code == 0) code = compile_providers(config, env, err);
    mb_config_close_ring(config);
    config->passphrase = NULL;
    if (code == 0) code = compile_models(config, err);
    if (code == 0) code = check_prices(config, err);
    if (code) return code;
    const mb_json *log = mb_json_get(config->tree, "log");
    config->log_path = mb_json_get_str(log, "path");
    config->log_keep_days = (int)mb_json_int(mb_json_get(log, "keep_days"), 90);
    config->log_prompts = mb_json_bool(mb_json_get(log, "prompts"), false);
    const char *model = env->get(env->user, "MEMBRANE_MODEL");
    config->default_model = mb_arena_strdup(&config->arena, model);
    bool is_whole = mb_buf_ok(&config->warnings) && (config->default_model || !model);
    return is_whole ? 0 : mb_error_no_memory(err);
}
