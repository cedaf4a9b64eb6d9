// SPDX-License-Identifier: MIT
// From the model's name to the list of targets: a logical name of the configuration wins over provider/model, which is
// split at its first slash; a bare name that is neither is not found, unless the call says which provider has it.
// Without a name: MEMBRANE_MODEL, the logical model "default", the first logical model, the first configured provider;
// else what discovery finds.
#include <string.h>

#include "base/alloc.h"
#include "runtime/call.h"

int mb_resolve_provider(membrane_t *m, mb_config *config, mb_arena *arena, const char *name, size_t len,
                        const mb_provider **ret, membrane_error **err) {
    const mb_provider *provider = mb_config_provider(config, name, len);
    const mb_host_provider *host = !provider || provider->implicit ? mb_handle_host(m, name, len) : NULL;
    if (host) {
        static const mb_quirks host_quirks = {.kind = "host", .wire = "host", .local = true};
        mb_provider *made = mb_arena_zalloc(arena, sizeof *made);
        if (!made) return mb_error_no_memory(err);
        *made = (mb_provider){.name = host->name,
                              .quirks = &host_quirks,
                              .local = host->table.local,
                              .host = &host->table,
                              .host_user = host->user};
        provider = made;
    }
    *ret = provider;
    if (provider) return 0;
    const char *names[64];
    size_t count = 0;
    char wanted[MB_LIMIT_NAME + 1] = "";
    memcpy(wanted, name, len < MB_LIMIT_NAME ? len : MB_LIMIT_NAME);
    for (size_t i = 0; i < config->provider_count && count < MB_COUNT(names); i++)
        names[count++] = config->providers[i].name;
    const char *nearest = mb_nearest(wanted, names, count);
    int code = mb_error_set(err, MEMBRANE_ENOTFOUND, "there is no provider \"%s\"%s%s%s", wanted,
                            nearest ? " (did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?)" : "");
    if (err)
        mb_error_hint(*err, "name it under providers: in the configuration; membrane providers lists those there are");
    return code;
}

static bool is_asked_for(const membrane_call *call, const mb_target *t) {
    return !call->only_provider || strcmp(call->only_provider, t->provider->name) == 0;
}

static const char *why_passed_over(const membrane_call *call, const mb_target *t, bool is_first) {
    if (!is_asked_for(call, t)) return "another provider was asked for";
    if ((call->flags & MEMBRANE_CALL_LOCAL_ONLY) && !t->provider->local) return "not local";
    // The one that the policy takes is the only one; in an ordered list that is the first.
    const bool may_be_first = call->way.policy == MB_POLICY_ORDERED ? is_first : t->group == MB_GROUP_MAIN;
    if ((call->flags & MEMBRANE_CALL_NO_FALLBACK) && !may_be_first) return "no fallback wanted";
    size_t name_len = strlen(t->provider->name);
    for (const char *at = call->via; at && *at;) {
        at += strspn(at, " ,");
        size_t len = strcspn(at, ",");
        while (len && at[len - 1] == ' ') len--;
        if (len == name_len && memcmp(at, t->provider->name, len) == 0) return "named in via";
        at += strcspn(at, ",");
    }
    return NULL;
}

// What the call says of its way goes before what is configured.
static void apply_options(membrane_call *call) {
    mb_way *way = &call->way;
    if (call->retries != MEMBRANE_UNSET) way->retries = call->retries;
    if (call->policy >= 0) way->policy = (mb_policy)call->policy;
    if (call->max_wait_ms != MEMBRANE_UNSET) way->max_wait_ms = call->max_wait_ms;
    if (call->hedge_ms == MEMBRANE_HEDGE_P95)
        way->hedge = (mb_hedge){MB_HEDGE_P95, 0};
    else if (call->hedge_ms != MEMBRANE_UNSET)
        way->hedge = (mb_hedge){call->hedge_ms > 0 ? MB_HEDGE_DELAY : MB_HEDGE_OFF, call->hedge_ms};
    if (call->flags & MEMBRANE_CALL_CONTINUE) way->on_cut = MB_CUT_CONTINUE;
    if (call->flags & MEMBRANE_CALL_RESTART) way->on_cut = MB_CUT_RESTART;
}

int mb_resolve_set(membrane_call *call, const mb_target *targets, size_t count, const mb_way *way,
                   membrane_error **err) {
    call->way = *way;
    apply_options(call);
    mb_route_target *route = mb_arena_zalloc(&call->arena, count * sizeof *route);
    mb_route_memory *memory = mb_arena_zalloc(&call->arena, count * sizeof *memory);
    size_t keys = 0, first = 0; // that may be asked at all
    while (first < count && !is_asked_for(call, &targets[first])) first++;
    for (size_t i = 0; i < count; i++)
        keys += targets[i].provider->key_count ? (size_t)targets[i].provider->key_count : 1;
    int64_t *key_at_ms = mb_arena_zalloc(&call->arena, keys * sizeof *key_at_ms);
    uint32_t *free_room = mb_arena_alloc(&call->arena, count * sizeof *free_room);
    if (!route || !memory || !key_at_ms || !free_room) return mb_error_no_memory(err);
    for (size_t i = 0; i < count; i++) {
        const mb_provider *p = targets[i].provider;
        route[i] = (mb_route_target){.group = targets[i].group,
                                     .key_count = p->key_count ? p->key_count : 1,
                                     .passed_over = why_passed_over(call, &targets[i], i == first),
                                     .weight = targets[i].weight,
                                     .cost_usd_micros = -1};
        memory[i].key_at_ms = key_at_ms;
        key_at_ms += route[i].key_count;
    }
    call->targets = targets;
    call->route_targets = route;
    call->route = (mb_route){.targets = route,
                             .memory = memory,
                             .free = free_room,
                             .count = count,
                             .policy = call->way.policy,
                             .retries = call->way.retries,
                             .max_attempts = call->max_attempts,
                             .stream = call->stream,
                             .stays = call->flags & MEMBRANE_CALL_NO_FALLBACK,
                             .may_retry = true};
    return 0;
}

static int one_target(membrane_call *call, const mb_provider *provider, const char *model, const char *because,
                      membrane_error **err) {
    mb_target *target = mb_arena_alloc(&call->arena, sizeof *target);
    const char *copy = mb_arena_strdup(&call->arena, model);
    if (!target || !copy) return mb_error_no_memory(err);
    *target = (mb_target){.provider = provider, .model = copy, .group = MB_GROUP_MAIN, .weight = 1};
    target->limits = mb_config_target_limits(call->config, provider, copy);
    call->chosen_because = because;
    return mb_resolve_set(call, target, 1, &MB_WAY_DEFAULT, err);
}

static int logical(membrane_call *call, const mb_model *model, const char *because, membrane_error **err) {
    call->chosen_because = because;
    call->is_logical = true;
    call->model = model;
    call->model_name = model->name;
    return mb_resolve_set(call, model->targets, model->target_count, &model->way, err);
}

static int without_name(membrane_call *call, membrane_error **err) {
    const mb_config *config = call->config;
    const mb_model *model = mb_config_model(config, "default");
    if (model) return logical(call, model, "the logical model \"default\"", err);
    if (config->model_count)
        return logical(call, &config->models[0], "the first logical model of the configuration", err);
    for (size_t i = 0; i < config->provider_count; i++) {
        const mb_provider *p = &config->providers[i];
        if (p->implicit || !p->quirks->default_model) continue;
        return one_target(call, p, p->quirks->default_model, "the first configured provider and its usual model", err);
    }
    bool has_configured = config->provider_count && !config->providers[0].implicit;
    if (config->discovers || has_configured) {
        call->discovers = true; // asks the configured ones, or the usual ports, for a model
        return 0;
    }
    return one_target(call, mb_config_provider(config, "builtin", 7), "extractive", "nothing is configured", err);
}

// Of the provider that is asked for, and not only for prompts of one kind.
static bool has_target(const membrane_call *call, const mb_model *model) {
    for (size_t i = 0; model && i < model->target_count; i++)
        if (is_asked_for(call, &model->targets[i]) && model->targets[i].group <= MB_GROUP_ERROR) return true;
    return false;
}

// Of one provider, without a name: what would be used without a provider, where that is its own; else its usual model.
static int of_provider(membrane_call *call, const mb_provider *provider, membrane_error **err) {
    const mb_config *config = call->config;
    const char *said = config->default_model;
    const size_t len = strlen(provider->name);
    const mb_model *model = said ? mb_config_model(config, said) : NULL;
    if (has_target(call, model)) return logical(call, model, "MEMBRANE_MODEL", err);
    if (said && !model && strncmp(said, provider->name, len) == 0 && said[len] == '/' && said[len + 1])
        return one_target(call, provider, said + len + 1, "MEMBRANE_MODEL", err);
    model = mb_config_model(config, "default");
    if (has_target(call, model)) return logical(call, model, "the logical model \"default\"", err);
    for (size_t i = 0; i < config->model_count; i++)
        if (has_target(call, &config->models[i]))
            return logical(call, &config->models[i], "the first logical model with a target of the provider", err);
    if (strcmp(provider->name, "builtin") == 0 && !provider->host)
        return one_target(call, provider, "extractive", "the provider's only model", err);
    if (provider->quirks->default_model)
        return one_target(call, provider, provider->quirks->default_model, "the provider's usual model", err);
    if (provider->host)
        return mb_error_set(err, MEMBRANE_ENOTFOUND, "the provider \"%s\" has no usual model: name one",
                            provider->name);
    call->discovers = true; // asks the provider for one
    return 0;
}

static int no_model(const mb_config *config, const char *name, membrane_error **err) {
    const char *names[1024];
    void *ignored;
    size_t count = 0;
    for (size_t at = 0; count < MB_COUNT(names) && mb_map_each(&config->names, &at, &names[count], &ignored);) count++;
    const char *nearest = mb_nearest(name, names, count);
    int code = mb_error_set(err, MEMBRANE_ENOTFOUND, "there is no logical model \"%s\"%s%s%s", name,
                            nearest ? " (did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?)" : "");
    const bool is_provider = mb_config_provider(config, name, strlen(name));
    if (err && is_provider)
        mb_error_hint(*err, "%s is a provider: write %s/MODEL; membrane models list -p %s lists its models", name, name,
                      name);
    else if (err)
        mb_error_hint(*err, "write provider/model (ollama/%s), or name it under models: in the configuration", name);
    return code;
}

// provider/model. asked: the provider that the call names, NULL: none; a name that begins with no provider's is a model
// of that one.
static int by_target(membrane_call *call, const char *name, const mb_provider *asked, const char *because,
                     membrane_error **err) {
    const char *slash = strchr(name, '/'), *model = slash ? slash + 1 : "";
    const size_t len = slash ? (size_t)(slash - name) : 0;
    const bool is_split = len > 0 && model[0];
    const mb_provider *provider = asked;
    int code = 0;
    if (!is_split && !asked) return no_model(call->config, name, err);
    if (!asked || (is_split && (mb_config_provider(call->config, name, len) || mb_handle_host(call->m, name, len))))
        code = mb_resolve_provider(call->m, call->config, &call->arena, name, len, &provider, err);
    else
        model = name;
    if (code) return code;
    if (strcmp(provider->name, "builtin") == 0 && !provider->adapter && strcmp(model, "extractive") != 0)
        return mb_error_set(err, MEMBRANE_ENOTFOUND, "there is no model \"%s\": the built-in one is builtin/extractive",
                            name);
    return one_target(call, provider, model, because, err);
}

int mb_resolve(membrane_call *call, const char *name, membrane_error **err) {
    const char *because = name ? "named in the request" : "MEMBRANE_MODEL", *only = call->only_provider;
    const mb_provider *asked = NULL;
    int code = only ? mb_resolve_provider(call->m, call->config, &call->arena, only, strlen(only), &asked, err) : 0;
    if (code) return code;
    if (!name && asked) return of_provider(call, asked, err);
    if (!name) name = call->config->default_model;
    if (!name) return without_name(call, err);
    const mb_model *model = mb_config_model(call->config, name);
    return model ? logical(call, model, because, err) : by_target(call, name, asked, because, err);
}
