// SPDX-License-Identifier: MIT
// The merged tree into what a call uses: providers (configured ones first, then every known kind by its usual address),
// then what config_models.c and config_names.c make of the models, then the rest.
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/limits.h"
#include "runtime/config.h"
#include "runtime/config_check.h"

enum { PROBE_MS = 15000, PROBE_MIN_MS = 1000 };

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

// What would change what a call may do or cost, and is not there yet, is refused rather than passed over.
static int refuse_later_parts(const mb_config *config, membrane_error **err) {
    static const char *const parts[] = {"tools", "policy", "context", "placement"};
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

// What a call may cost, and how often local targets are asked whether they are there.
static int read_cost_and_probes(mb_config *config, membrane_error **err) {
    static const char *const words[] = {"allow", "refuse"};
    const mb_json *cost = mb_json_get(config->tree, "cost"), *unknown = mb_json_get(cost, "unknown");
    const mb_json *interval = mb_json_get(mb_json_get(config->tree, "probes"), "interval");
    int refuses = 0, code = 0;
    config->max_cost_usd_micros = mb_json_int(mb_json_get(cost, "max_per_call_usd_micros"), 0);
    config->probe_ms = PROBE_MS;
    if (unknown) code = mb_config_choice(config, unknown, "cost.unknown", words, MB_COUNT(words), &refuses, err);
    config->refuses_unknown_cost = refuses;
    if (code == 0 && interval) code = mb_config_duration(config, interval, &config->probe_ms, err);
    if (code == 0 && config->probe_ms > 0 && config->probe_ms < PROBE_MIN_MS)
        code = mb_config_error(config, err, interval, "probes.interval must be 0 (never) or a second at least");
    return code;
}

int mb_config_compile(mb_config *config, const mb_environment *env, membrane_error **err) {
    int code = mb_config_check_shape(config, err);
    if (code == 0) code = refuse_later_parts(config, err);
    if (code == 0) code = compile_providers(config, env, err);
    mb_config_close_ring(config);
    config->passphrase = NULL;
    if (code == 0) code = mb_config_models(config, err);
    if (code == 0) code = mb_config_names(config, err);
    if (code == 0) code = mb_config_budgets(config, err);
    if (code == 0) code = read_cost_and_probes(config, err);
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
