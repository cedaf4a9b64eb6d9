// SPDX-License-Identifier: MIT
// The names that models answer to: their own, their aliases, and what the optimizer adds. An optimizer is a proxy that
// is asked for PREFIX + NAME, makes a better request of it, and comes back for NAME:
//     caller -- moa-chat --> us -- moa-chat --> optimizer -- chat --> us -- the targets of chat
// It is told the hops so far, its own name among them, and hands them on: a target named there is passed over, so that
// no call goes round in a circle. Where it does not answer, the targets of NAME do.
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "runtime/config.h"
#include "runtime/config_check.h"

// Of 1 to 256 bytes, without control characters and these.
static bool is_name(const mb_json *text, const char *refused) {
    for (size_t i = 0; i < text->len; i++)
        if ((unsigned char)text->str[i] < 0x20 || text->str[i] == 0x7f || strchr(refused, text->str[i])) return false;
    return text->len > 0 && text->len <= MB_LIMIT_NAME;
}

// Names are put in once: whoever was first keeps his.
static int put_name(mb_config *config, const char *name, const mb_model *model, membrane_error **err) {
    if (mb_map_has(&config->names, name)) return 0;
    return mb_map_put(&config->names, name, (void *)(uintptr_t)model) ? 0 : mb_error_no_memory(err);
}

// ---- aliases -------------------------------------------------------------------------------------------------------

static int add_alias(mb_config *config, const mb_model *model, const mb_json *alias, membrane_error **err) {
    if (!is_name(alias, "/")) // a slash would hide provider/model
        return mb_config_error(config, err, alias,
                               "models.%s.aliases: \"%s\" is no alias: no slash, no control characters, 1 to %d bytes",
                               model->name, alias->str, MB_LIMIT_NAME);
    const mb_model *other = mb_config_model(config, alias->str);
    if (!other) return put_name(config, alias->str, model, err);
    if (strcmp(other->name, alias->str) == 0)
        return mb_config_error(config, err, alias, "models.%s.aliases: \"%s\" is a model itself", model->name,
                               alias->str);
    return mb_config_error(config, err, alias, "models.%s.aliases: \"%s\" is an alias of models.%s already",
                           model->name, alias->str, other->name);
}

static const mb_json *aliases_of(const mb_config *config, const mb_model *model) {
    const mb_json *tables = mb_json_get(config->tree, "models"); // in the order of the models
    return mb_json_get(&tables->children[model - config->models], "aliases");
}

static int add_names(mb_config *config, membrane_error **err) {
    int code = 0;
    for (size_t i = 0; code == 0 && i < config->model_count; i++)
        code = put_name(config, config->models[i].name, &config->models[i], err);
    for (size_t i = 0; code == 0 && i < config->model_count; i++) {
        const mb_json *aliases = aliases_of(config, &config->models[i]);
        for (uint32_t k = 0; code == 0 && aliases && k < aliases->count; k++)
            code = add_alias(config, &config->models[i], &aliases->children[k], err);
    }
    return code;
}

// ---- the optimizer -------------------------------------------------------------------------------------------------

static int read_optimizer(mb_config *config, const mb_json *table, membrane_error **err) {
    const mb_json *name = mb_json_get(table, "provider"), *prefix = mb_json_get(table, "prefix");
    const mb_provider *p = mb_config_provider(config, name->str, name->len);
    const mb_json *tells = mb_json_get(mb_json_get(mb_json_get(config->tree, "providers"), name->str), "tells_hops");
    if (!p) return mb_config_no_provider(config, name, "optimizer.provider", name->str, name->len, err);
    if (!p->base_url) return mb_config_error(config, err, name, "optimizer.provider: \"%s\" is no proxy", p->name);
    if (tells && !tells->boolean)
        return mb_config_error(config, err, tells,
                               "providers.%s.tells_hops: an optimizer that is not told them goes round in circles",
                               p->name);
    if (prefix && !is_name(prefix, "/"))
        return mb_config_error(config, err, prefix,
                               "optimizer.prefix: \"%s\" is no start of a name: no slash, no control characters, 1 to "
                               "%d bytes",
                               prefix->str, MB_LIMIT_NAME);
    config->optimizer = p;
    config->optimizer_prefix = prefix ? prefix->str : "moa-";
    config->providers[p - config->providers].tells_hops = true;
    return 0;
}

// The optimizer first, then the model's own targets as if each were a fallback. NULL: out of memory.
static const mb_model *add_optimized(mb_config *config, const mb_model *of, const char *name) {
    mb_target *targets = mb_arena_alloc(&config->arena, (of->target_count + 1) * sizeof *targets);
    if (!targets) return NULL;
    targets[0] = (mb_target){.provider = config->optimizer, .model = name, .group = MB_GROUP_MAIN, .weight = 1};
    targets[0].limits = mb_config_target_limits(config, config->optimizer, name);
    for (size_t i = 0; i < of->target_count; i++) {
        targets[i + 1] = of->targets[i];
        if (targets[i + 1].group == MB_GROUP_MAIN) targets[i + 1].group = MB_GROUP_ERROR;
    }
    mb_model *model = &config->models[config->model_count++];
    *model = (mb_model){.name = name, .targets = targets, .target_count = of->target_count + 1, .way = of->way};
    model->way.policy = MB_POLICY_ORDERED;
    return model;
}

// PREFIX + NAME for a model and its aliases. One that the configuration has under that name wins.
static int optimize(mb_config *config, const mb_model *of, membrane_error **err) {
    const char *prefix = config->optimizer_prefix;
    const mb_json *aliases = aliases_of(config, of);
    const char *name = mb_arena_printf(&config->arena, "%s%s", prefix, of->name);
    if (!name) return mb_error_no_memory(err);
    const mb_model *model = mb_config_model(config, name);
    if (!model) model = add_optimized(config, of, name);
    if (!model) return mb_error_no_memory(err);
    int code = put_name(config, name, model, err);
    for (uint32_t i = 0; code == 0 && aliases && i < aliases->count; i++) {
        name = mb_arena_printf(&config->arena, "%s%s", prefix, aliases->children[i].str);
        code = name ? put_name(config, name, model, err) : mb_error_no_memory(err);
    }
    return code;
}

static int add_optimizer(mb_config *config, membrane_error **err) {
    const mb_json *table = mb_json_get(config->tree, "optimizer");
    const size_t count = config->model_count; // of the tree
    int code = table ? read_optimizer(config, table, err) : 0;
    for (size_t i = 0; table && code == 0 && i < count; i++) {
        const char *name = config->models[i].name, *prefix = config->optimizer_prefix;
        bool is_one = strncmp(name, prefix, strlen(prefix)) == 0; // somebody's own moa-NAME
        if (!is_one) code = optimize(config, &config->models[i], err);
    }
    return code;
}

// ---- the hop -------------------------------------------------------------------------------------------------------

// It stands in lists with commas, beside names of providers.
static int read_hop(mb_config *config, membrane_error **err) {
    const mb_json *hop = mb_json_get(config->tree, "hop");
    if (!hop) return 0;
    if (!is_name(hop, "/, "))
        return mb_config_error(config, err, hop,
                               "hop: \"%s\" is no name for a hop: no slash, comma, blank or control character, 1 to "
                               "%d bytes",
                               hop->str, MB_LIMIT_NAME);
    if (mb_config_provider(config, hop->str, hop->len))
        return mb_config_error(config, err, hop, "hop: \"%s\" is a provider: a list of hops could mean either",
                               hop->str);
    config->hop = hop->str;
    return 0;
}

static int check_listed(const mb_config *config, membrane_error **err) {
    for (size_t i = 0; i < config->provider_count; i++) {
        const mb_provider *p = &config->providers[i];
        const mb_json *table = mb_json_get(mb_json_get(config->tree, "providers"), p->name);
        if (p->tells_hops && strchr(p->name, ','))
            return mb_config_error(config, err, table,
                                   "providers.%s: a name with a comma cannot stand in a list of hops", p->name);
    }
    return 0;
}

int mb_config_names(mb_config *config, membrane_error **err) {
    int code = add_names(config, err);
    if (code == 0) code = add_optimizer(config, err);
    if (code == 0) code = check_listed(config, err);
    return code ? code : read_hop(config, err);
}
