// SPDX-License-Identifier: MIT
// LiteLLM's tree into deployments and logical models. Nothing in it is trusted to be of the type it should be: what is
// not, or means nothing here, is warned about with its line and passed over.
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/yaml.h"
#include "runtime/import.h"

void mb_import_warn(mb_import *im, uint32_t line, const char *format, ...) {
    char text[1024];
    va_list args;
    if (im->warning_count++ >= MB_IMPORT_WARNINGS) return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const char *kept = mb_arena_strdup(&im->arena, text);
    if (!kept) im->failed = true;
    int at = im->warning_count - 1; // in the order of the file, whoever came across them first
    for (; at > 0 && im->warnings[at - 1].line > line; at--) im->warnings[at] = im->warnings[at - 1];
    im->warnings[at] = (mb_import_warning){line, kept};
}

const char *mb_import_text(const mb_json *v) {
    if (!mb_json_is(v, MB_JSON_STRING) || v->len == 0 || strlen(v->str) != v->len) return NULL;
    return v->str;
}

// YAML 1.1's merge key is what LiteLLM's users keep their defaults with: a table, or a list of them.
const mb_json *mb_import_member(const mb_json *table, const char *key) {
    if (!mb_json_is(table, MB_JSON_OBJECT)) return NULL;
    const mb_json *own = mb_json_get(table, key), *merged = own ? NULL : mb_json_get(table, "<<");
    if (own || !merged || merged->type != MB_JSON_ARRAY) return own ? own : mb_import_member(merged, key);
    for (uint32_t i = 0; i < merged->count && !own; i++) own = mb_import_member(&merged->children[i], key);
    return own;
}

mb_import_model *mb_import_model_of(const mb_import *im, const char *name) {
    return mb_map_get(&im->model_names, name);
}

int64_t mb_import_seconds(mb_import *im, const mb_json *value, const char *what) {
    if (!value || value->type == MB_JSON_NULL) return 0;
    double seconds = mb_json_is_number(value) ? mb_json_double(value, -1) : -1;
    if (isfinite(seconds) && seconds > 0 && seconds <= 30 * 86400.0) return (int64_t)ceil(seconds * 1000);
    mb_import_warn(im, value->line, "%s is no number of seconds up to 30 days: left out", what);
    return 0;
}

int64_t mb_import_count(mb_import *im, const mb_json *value, const char *what, int64_t fallback) {
    if (!value || value->type == MB_JSON_NULL) return fallback;
    int64_t count = mb_json_is_number(value) ? mb_json_int(value, -1) : -1;
    if (count >= 0 && count <= INT64_C(1000000000000)) return count;
    mb_import_warn(im, value->line, "%s is no whole number: left out", what);
    return fallback;
}

static int64_t retries_of(mb_import *im, const mb_json *value, int64_t fallback) {
    int64_t retries = mb_import_count(im, value, "num_retries", fallback);
    return retries > 1000000 ? 1000000 : retries;
}

// ---- what means nothing here ---------------------------------------------------------------------------------------

typedef struct known { // a key; why NULL: it is read elsewhere
    const char *key, *why;
} known;

#define DEFAULT_OF_REQUESTS "a default of requests is not kept by a configuration: say it with each call"
#define PRICE               "prices stand in a file of their own (prices: FILE)"
#define HOST                "that is a matter of the program that serves others"
#define BREAKER             "when a target is left alone, and for how long, is decided by the router itself"

static const known PARAMS[] = {
    {"model", NULL},
    {"api_base", NULL},
    {"base_url", NULL},
    {"api_key", NULL},
    {"rpm", NULL},
    {"tpm", NULL},
    {"max_parallel_requests", NULL},
    {"weight", NULL},
    {"order", NULL},
    {"timeout", NULL},
    {"request_timeout", NULL},
    {"stream_timeout", NULL},
    {"max_retries", NULL},
    {"num_retries", NULL},
    {"organization", NULL},
    {"extra_headers", NULL},
    {"headers", NULL},
    {"custom_llm_provider", NULL},
    {"api_version", NULL},
    {"aws_region_name", NULL},
    {"region_name", NULL},
    {"aws_access_key_id", NULL},
    {"aws_secret_access_key", NULL},
    {"aws_session_token", NULL},
    {"vertex_project", NULL},
    {"vertex_location", NULL},
    {"vertex_ai_project", NULL},
    {"vertex_ai_location", NULL},
    {"drop_params", "what a model cannot do is an error, unless the request says drop_unsupported"},
    {"temperature", DEFAULT_OF_REQUESTS},
    {"top_p", DEFAULT_OF_REQUESTS},
    {"max_tokens", DEFAULT_OF_REQUESTS},
    {"max_completion_tokens", DEFAULT_OF_REQUESTS},
    {"seed", DEFAULT_OF_REQUESTS},
    {"stop", DEFAULT_OF_REQUESTS},
    {"stream", DEFAULT_OF_REQUESTS},
    {"presence_penalty", DEFAULT_OF_REQUESTS},
    {"frequency_penalty", DEFAULT_OF_REQUESTS},
    {"response_format", DEFAULT_OF_REQUESTS},
    {"tools", DEFAULT_OF_REQUESTS},
    {"tool_choice", DEFAULT_OF_REQUESTS},
    {"reasoning_effort", DEFAULT_OF_REQUESTS},
    {"thinking", DEFAULT_OF_REQUESTS},
    {"extra_body", DEFAULT_OF_REQUESTS},
    {"input_cost_per_token", PRICE},
    {"output_cost_per_token", PRICE},
    {"vertex_credentials", "Vertex is asked with a token: api_key, or GOOGLE_OAUTH_ACCESS_TOKEN"},
    {"litellm_credential_name", "write the key at the model itself"},
    {"max_budget", "set it by itself: membrane budgets set"},
    {"budget_duration", "set it by itself: membrane budgets set"},
    {0},
};

static const known MODEL_INFO[] = {
    {"id", NULL},
    {"mode", NULL},
    {"base_model", NULL},
    {"description", NULL},
    {"max_tokens", NULL},
    {"max_input_tokens", NULL},
    {"max_output_tokens", NULL},
    {"supports_vision", NULL},
    {"supports_function_calling", NULL},
    {"supports_parallel_function_calling", NULL},
    {"supports_response_schema", NULL},
    {"supports_reasoning", NULL},
    {"supports_prompt_caching", NULL},
    {"supports_system_messages", NULL},
    {"rpm", NULL},
    {"tpm", NULL},
    {"input_cost_per_token", PRICE},
    {"output_cost_per_token", PRICE},
    {0},
};

static const known ROUTER[] = {
    {"routing_strategy", NULL},
    {"num_retries", NULL},
    {"timeout", NULL},
    {"stream_timeout", NULL},
    {"default_max_parallel_requests", NULL},
    {"optional_pre_call_checks", NULL},
    {"deployment_affinity_ttl_seconds", NULL},
    {"model_group_alias", NULL},
    {"fallbacks", NULL},
    {"context_window_fallbacks", NULL},
    {"content_policy_fallbacks", NULL},
    {"default_fallbacks", NULL},
    {"allowed_fails", BREAKER},
    {"cooldown_time", BREAKER},
    {"disable_cooldowns", BREAKER},
    {"allowed_fails_policy", BREAKER},
    {"retry_policy", "retries are one number, whatever the failure"},
    {"model_group_retry_policy", "retries are one number, whatever the failure"},
    {"max_fallbacks", "all fallbacks are tried, as long as the call has time"},
    {"routing_strategy_args", "a policy has no settings of its own"},
    {"routing_groups", "a policy is said at each model"},
    {"default_litellm_params", DEFAULT_OF_REQUESTS},
    {"provider_budget_config", "budgets are not in this version"},
    {"enable_tag_filtering", "there are no tags"},
    {"tag_filtering_match_any", "there are no tags"},
    {"cache_responses", "answers are not kept for other callers"},
    {"caching_groups", "answers are not kept for other callers"},
    {"retry_after", "a server's Retry-After is kept, otherwise the wait grows with each attempt"},
    {"enable_pre_call_checks", "a prompt that is too long goes to fallbacks.context_overflow"},
    {"redis_host", "breakers and limits are each process's own"},
    {"redis_port", "breakers and limits are each process's own"},
    {"redis_password", "breakers and limits are each process's own"},
    {"redis_url", "breakers and limits are each process's own"},
    {"redis_db", "breakers and limits are each process's own"},
    {"cache_kwargs", "breakers and limits are each process's own"},
    {0},
};

static const known SETTINGS[] = {
    {"num_retries", NULL},
    {"request_timeout", NULL},
    {"fallbacks", NULL},
    {"context_window_fallbacks", NULL},
    {"content_policy_fallbacks", NULL},
    {"default_fallbacks", NULL},
    {"allowed_fails", BREAKER},
    {"cooldown_time", BREAKER},
    {"drop_params", "what a model cannot do is an error, unless the request says drop_unsupported"},
    {"cache", "answers are not kept for other callers"},
    {"cache_params", "answers are not kept for other callers"},
    {"callbacks", "the call log keeps every call"},
    {"success_callback", "the call log keeps every call"},
    {"failure_callback", "the call log keeps every call"},
    {0},
};

static const known ROOT[] = {
    {"model_list", NULL},
    {"router_settings", NULL},
    {"litellm_settings", NULL},
    {"general_settings", NULL},
    {"environment_variables", "set them where the program is started"},
    {"include", "import the files it names one by one"},
    {0},
};

static void warn_members(mb_import *im, const mb_json *table, const known *rows, const char *where, const char *why) {
    for (uint32_t i = 0; mb_json_is(table, MB_JSON_OBJECT) && i < table->count; i++) {
        const mb_json *member = &table->children[i];
        const known *row = rows;
        if (strcmp(member->key, "<<") == 0) { // where it is written, not where it is merged in
            warn_members(im, member, rows, where, why);
            continue;
        }
        while (row && row->key && strcmp(row->key, member->key) != 0) row++;
        if (row && row->key && !row->why) continue;
        mb_import_warn(im, member->line, "%s%.200s: %s", where, member->key, row && row->key ? row->why : why);
    }
}

// ---- deployments ---------------------------------------------------------------------------------------------------

static mb_import_model *model_for(mb_import *im, const char *name, uint32_t line) {
    mb_import_model *model = mb_import_model_of(im, name);
    if (model) return model;
    model = mb_arena_zalloc(&im->arena, sizeof *model);
    if (!model || !mb_map_put(&im->model_names, name, model)) return im->failed = true, NULL;
    model->name = name;
    model->line = line;
    model->retries = -1;
    im->models[im->model_count++] = model;
    return model;
}

static void add_target(mb_import *im, mb_import_model *model, mb_import_target target) {
    if (model->count == model->room) {
        size_t room = model->room ? model->room * 2 : 4;
        mb_import_target *more = mb_arena_alloc(&im->arena, room * sizeof *more);
        if (!more) {
            im->failed = true;
            return;
        }
        if (model->count) memcpy(more, model->targets, model->count * sizeof *more);
        model->targets = more;
        model->room = room;
    }
    size_t at = model->count++; // by rising order, and as they stand where that is the same
    for (; at > 0 && model->targets[at - 1].order > target.order; at--) model->targets[at] = model->targets[at - 1];
    model->targets[at] = target;
}

// Plain enough to be a key of YAML, which may not be longer than 1,024 characters.
static bool is_model_name(const char *name) { return name && strlen(name) <= 150; }

static void read_entry(mb_import *im, const mb_json *entry, uint32_t number) {
    const mb_json *params = mb_import_member(entry, "litellm_params"), *info = mb_import_member(entry, "model_info");
    const char *name = mb_import_text(mb_import_member(entry, "model_name")), *model_text = NULL;
    static const known keys[] = {
        {"model_name", NULL}, {"litellm_params", NULL}, {"model_info", NULL}, {"rpm", NULL}, {"tpm", NULL}, {0}};
    mb_import_target target = {0};
    if (!mb_json_is(params, MB_JSON_OBJECT) || !is_model_name(name)) {
        mb_import_warn(im, entry->line, "entry %u of model_list has no %s: left out", number,
                       is_model_name(name) ? "litellm_params" : "model_name that can be used");
        return;
    }
    warn_members(im, entry, keys, "", "this means nothing here");
    warn_members(im, params, PARAMS, "", "this means nothing here");
    warn_members(im, info, MODEL_INFO, "model_info.", "this means nothing here");
    mb_import_limits(im, entry, &target);
    const mb_import_provider *provider = mb_import_provider_of(im, params, name, &target.limits, &model_text);
    if (!provider) return;
    if (strchr(name, '*') || strchr(model_text, '*')) {
        mb_import_warn(im, entry->line, "model \"%s\": a pattern is no name; ask for %s/MODEL", name, provider->name);
        return;
    }
    mb_import_model *model = model_for(im, name, entry->line);
    if (!model) return;
    const mb_json *retries = mb_import_member(params, "num_retries");
    if (!retries) retries = mb_import_member(params, "max_retries");
    if (retries && model->retries < 0) model->retries = retries_of(im, retries, -1);
    target.provider = provider;
    target.model = model_text;
    target.order = mb_import_count(im, mb_import_member(params, "order"), "order", INT32_MAX);
    add_target(im, model, target);
}

static int read_list(mb_import *im, const mb_json *list, membrane_error **err) {
    if (list->count > MB_IMPORT_ENTRIES)
        return mb_error_set(err, MEMBRANE_ECONFIG, "%s:%u: model_list has more than %d entries", im->name, list->line,
                            MB_IMPORT_ENTRIES);
    for (uint32_t i = 0; i < list->count && !im->failed; i++) read_entry(im, &list->children[i], i + 1);
    return 0;
}

// ---- fallbacks and aliases -----------------------------------------------------------------------------------------

// A name, or {model: name, …} whose rest would be another request's.
static const char *fallback_name(mb_import *im, const mb_json *one) {
    const char *name = mb_import_text(one);
    if (!name && mb_json_is(one, MB_JSON_OBJECT)) {
        name = mb_import_text(mb_json_get(one, "model"));
        if (name && one->count > 1) mb_import_warn(im, one->line, "fallback \"%.150s\": only its model is kept", name);
    }
    if (name && mb_import_model_of(im, name)) return name;
    mb_import_warn(im, one->line, "fallback \"%.150s\": there is no such model: left out", name ? name : "?");
    return NULL;
}

static mb_import_list names_of(mb_import *im, const mb_json *list) {
    mb_import_list names = {0};
    mb_json alone;
    if (!mb_json_is(list, MB_JSON_ARRAY)) { // one name instead of a list of one
        alone = (mb_json){.type = MB_JSON_ARRAY, .line = list->line, .count = 1, .children = list};
        list = &alone;
    }
    size_t room = list->count < MB_IMPORT_TARGETS ? list->count : MB_IMPORT_TARGETS;
    if (list->count > room)
        mb_import_warn(im, list->line, "more than %d fallbacks: the rest is left out", MB_IMPORT_TARGETS);
    names.names = mb_arena_alloc(&im->arena, (room + 1) * sizeof *names.names);
    if (!names.names) im->failed = true;
    for (uint32_t i = 0; names.names && i < room; i++) {
        const char *name = fallback_name(im, &list->children[i]);
        if (name) names.names[names.count++] = name;
    }
    return names;
}

static void read_pairs(mb_import *im, const mb_json *table, int group, const char *key, mb_import_list *everyone) {
    for (uint32_t i = 0; i < table->count && !im->failed; i++) {
        const mb_json *pair = &table->children[i];
        const char *name = strlen(pair->key) == pair->key_len ? pair->key : "?";
        mb_import_model *model = mb_import_model_of(im, name);
        if (strcmp(name, "*") == 0)
            *everyone = names_of(im, pair);
        else if (!model)
            mb_import_warn(im, pair->line, "%s: there is no model \"%.150s\": left out", key, name);
        else
            model->falls[group] = names_of(im, pair);
    }
}

// [{a: [b, c]}, {"*": [d]}]; of router_settings or, where that says nothing, of litellm_settings.
static void read_fallbacks(mb_import *im, const mb_json *list, int group, const char *key, mb_import_list *everyone) {
    if (!list || list->type == MB_JSON_NULL) return;
    if (mb_json_is(list, MB_JSON_OBJECT)) {
        read_pairs(im, list, group, key, everyone);
        return;
    }
    for (uint32_t i = 0; mb_json_is(list, MB_JSON_ARRAY) && i < list->count && !im->failed; i++) {
        if (mb_json_is(&list->children[i], MB_JSON_OBJECT))
            read_pairs(im, &list->children[i], group, key, everyone);
        else
            mb_import_warn(im, list->children[i].line, "%s: that is no pair of a model and its fallbacks", key);
    }
    if (!mb_json_is(list, MB_JSON_ARRAY)) mb_import_warn(im, list->line, "%s is no list", key);
}

static void read_all_fallbacks(mb_import *im, const mb_json *router, const mb_json *settings) {
    static const char *const keys[MB_IMPORT_FALLBACKS] = {"fallbacks", "context_window_fallbacks",
                                                          "content_policy_fallbacks"};
    const mb_json *common = mb_import_member(settings, "default_fallbacks");
    if (!common) common = mb_import_member(router, "default_fallbacks");
    for (int group = 0; group < MB_IMPORT_FALLBACKS; group++) {
        mb_import_list everyone = {0};
        if (group == 0 && common && common->type != MB_JSON_NULL) everyone = names_of(im, common);
        read_fallbacks(im, mb_import_member(settings, keys[group]), group, keys[group], &everyone);
        read_fallbacks(im, mb_import_member(router, keys[group]), group, keys[group], &everyone);
        for (size_t i = 0; i < im->model_count; i++)
            if (!im->models[i]->falls[group].names) im->models[i]->falls[group] = everyone;
    }
}

static void read_alias(mb_import *im, const mb_json *alias) {
    const char *name = strlen(alias->key) == alias->key_len && alias->key_len ? alias->key : NULL;
    const char *of = mb_import_text(alias);
    if (!of && mb_json_is(alias, MB_JSON_OBJECT)) of = mb_import_text(mb_json_get(alias, "model"));
    mb_import_model *model = of ? mb_import_model_of(im, of) : NULL;
    if (model && model->same_as) model = model->same_as;
    if (!model || !is_model_name(name) || mb_import_model_of(im, name) || im->model_count >= 2 * MB_IMPORT_ENTRIES) {
        mb_import_warn(im, alias->line, "model_group_alias: %s: left out",
                       !model ? "there is no such model" : "its name is taken, or is none");
        return;
    }
    mb_import_model *fresh = model_for(im, name, alias->line);
    if (!fresh) return;
    fresh->same_as = model;
    if (!mb_import_is_alias(name)) return;
    mb_import_model **at = &model->aliases;
    while (*at) at = &(*at)->next;
    *at = fresh;
}

static void read_aliases(mb_import *im, const mb_json *aliases) {
    if (aliases && aliases->type != MB_JSON_NULL && aliases->type != MB_JSON_OBJECT)
        mb_import_warn(im, aliases->line, "model_group_alias is no table");
    for (uint32_t i = 0; mb_json_is(aliases, MB_JSON_OBJECT) && i < aliases->count; i++)
        read_alias(im, &aliases->children[i]);
}

// ---- all of it -----------------------------------------------------------------------------------------------------

static const mb_json *table_of(mb_import *im, const char *key) {
    const mb_json *table = mb_json_get(im->root, key);
    if (table && table->type != MB_JSON_OBJECT && table->type != MB_JSON_NULL)
        mb_import_warn(im, table->line, "%s is no table", key);
    return table;
}

static int read_root(mb_import *im, membrane_error **err) {
    const mb_json *list = mb_import_member(im->root, "model_list");
    if (!mb_json_is(list, MB_JSON_ARRAY))
        return mb_error_set(err, MEMBRANE_ECONFIG,
                            "%s: there is no model_list: is this a LiteLLM proxy's configuration?", im->name);
    const mb_json *router = table_of(im, "router_settings"), *settings = table_of(im, "litellm_settings");
    size_t room = list->count < MB_IMPORT_ENTRIES ? list->count : MB_IMPORT_ENTRIES;
    im->providers = mb_arena_alloc(&im->arena, (room + 1) * sizeof *im->providers);
    im->models = mb_arena_alloc(&im->arena, (room + 2 * MB_IMPORT_ENTRIES + 1) * sizeof *im->models);
    im->kind_names = mb_quirks_kinds(&im->arena);
    if (!im->providers || !im->models || !im->kind_names) return mb_error_no_memory(err);
    warn_members(im, im->root, ROOT, "", "this means nothing here");
    warn_members(im, router, ROUTER, "router_settings.", "this means nothing here");
    warn_members(im, settings, SETTINGS, "litellm_settings.", "this means nothing here");
    warn_members(im, table_of(im, "general_settings"), NULL, "general_settings.", HOST);
    im->retries = retries_of(im, mb_import_member(settings, "num_retries"), -1);
    im->retries = retries_of(im, mb_import_member(router, "num_retries"), im->retries);
    im->total_ms = mb_import_seconds(im, mb_import_member(settings, "request_timeout"), "request_timeout");
    int64_t other_ms = mb_import_seconds(im, mb_import_member(router, "timeout"), "timeout");
    if (other_ms) im->total_ms = other_ms;
    mb_import_router(im, router);
    int code = read_list(im, list, err);
    if (code) return code;
    read_all_fallbacks(im, router, settings);
    read_aliases(im, mb_import_member(router, "model_group_alias"));
    mb_import_route(im);
    return im->failed ? mb_error_no_memory(err) : 0;
}

int mb_import_make(mb_import *im, const char *text, size_t len, mb_buf *config, membrane_error **err) {
    im->warnings = mb_arena_alloc(&im->arena, MB_IMPORT_WARNINGS * sizeof *im->warnings);
    if (!im->warnings) return mb_error_no_memory(err);
    if (len > MB_LIMIT_CONFIG)
        return mb_error_set(err, MEMBRANE_ECONFIG, "%s is larger than the %zu bytes allowed here", im->name,
                            MB_LIMIT_CONFIG);
    int code = mb_yaml_parse(&im->arena, im->name, text, len, &im->root, err);
    if (code == 0) code = read_root(im, err);
    if (code) return code;
    mb_import_write(im, config);
    if (config->failed == MEMBRANE_EINVAL)
        return mb_error_set(err, MEMBRANE_ECONFIG, "%s becomes a configuration of more than %zu bytes", im->name,
                            config->max);
    return im->failed || config->failed ? mb_error_no_memory(err) : 0;
}

void mb_import_done(mb_import *im) {
    mb_map_free(&im->provider_names);
    mb_map_free(&im->model_names);
    mb_arena_forget(&im->arena); // keys stand in it
}
