// SPDX-License-Identifier: MIT
// The verb providers: who is configured, who answers now, how the last call of each ended.
#include <stdlib.h>
#include <string.h>

#include "output.h"

static void cell_probe(cli_text *t, cli_json item) {
    cli_json probe = json_get(item, "probe");
    if (!probe.at) return;
    json_put(t, json_get(probe, "state"));
    if (json_is_text(json_get(probe, "kind")))
        text_str(t, " ("), json_put(t, json_get(probe, "kind")), text_str(t, ")");
}

static void cell_latency(cli_text *t, cli_json item) { put_ms(t, json_int(json_get(item, "probe.latency_ms"), -1)); }

static void cell_models(cli_text *t, cli_json item) {
    cli_json models = json_get(item, "probe.models");
    if (models.at && *models.at == '[')
        text_format(t, "%zu", json_count(models));
    else
        json_put(t, models);
}

static void cell_last(cli_text *t, cli_json item) {
    cli_json last = json_get(item, "last");
    if (!last.at || *last.at != '{') return;
    json_put(t, json_get(last, "outcome"));
    text_str(t, " ");
    put_time(t, json_int(json_get(last, "ts_ms"), 0));
}

// A server that fails says nothing against the key that it was asked with.
static bool is_of_key(cli_json attempt) {
    static const char *const kinds[] = {"auth", "permission", "insufficient_funds", "rate_limit"};
    char *kind = json_dup(attempt, "kind");
    bool is_found = false;
    for (size_t i = 0; kind && i < sizeof kinds / sizeof *kinds; i++) is_found |= strcmp(kind, kinds[i]) == 0;
    free(kind);
    return is_found;
}

// "set", or of several keys how many were taken when they were last used.
static void cell_keys(cli_text *t, cli_json item) {
    cli_json keys = json_get(item, "last.keys"), key = {0}, value = {0};
    int64_t all = json_int(json_get(item, "keys"), 0), used = 0, ok = 0;
    while (json_next(keys, &key, &value)) {
        if (json_int(json_get(value, "key"), 0) > all) continue; // there were more of them once
        used++;
        ok += !is_of_key(value);
    }
    if (all < 2 || used == 0) {
        json_put(t, json_get(item, "key"));
        if (all > 1) text_format(t, ", %lld keys", (long long)all);
        return;
    }
    text_format(t, "%lld of %lld keys ok", (long long)ok, (long long)all);
    if (used < all) text_format(t, ", %lld not used yet", (long long)(all - used));
}

static void show(cli_app *app, const membrane_result *result, bool was_probed) {
    static const cli_column columns[] = {{"PROVIDER", "name", NULL, false},
                                         {"KIND", "kind", NULL, false},
                                         {"KEY", "", cell_keys, false},
                                         {"LAST CALL", "", cell_last, false},
                                         {"URL", "base_url", NULL, false}};
    static const cli_column probed[] = {{"PROVIDER", "name", NULL, false}, {"KIND", "kind", NULL, false},
                                        {"STATE", "", cell_probe, false},  {"AFTER", "", cell_latency, true},
                                        {"MODELS", "", cell_models, true}, {"VERSION", "probe.version", NULL, false},
                                        {"KEY", "", cell_keys, false},     {"LAST CALL", "", cell_last, false},
                                        {"URL", "base_url", NULL, false}};
    size_t len = 0;
    const char *str = membrane_result_json(result, &len);
    cli_json items = json_get(json_root(str, len), "items"), key = {0}, item = {0};
    if (was_probed)
        out_table(app, items, probed, sizeof probed / sizeof *probed);
    else
        out_table(app, items, columns, sizeof columns / sizeof *columns);
    // Engines that are only looked for at their usual ports are not missed.
    while (was_probed && json_next(items, &key, &item)) {
        char *message = json_is_true(json_get(item, "configured")) ? json_dup(item, "probe.message") : NULL;
        if (message) note(app, "membrane: %s", message);
        free(message);
    }
}

int providers_main(cli_app *app) {
    membrane_t *m = NULL;
    membrane_result *result = NULL;
    membrane_error *err = NULL;
    int64_t timeout_ms = 0;
    bool probes = !app->args.given[OPT_NO_PROBE];
    int code = check_words(app, 0);
    if (!code) code = args_duration(app, OPT_TIMEOUT, &timeout_ms);
    if (!code) code = cli_open(app, &m);
    if (!code && membrane_provider_list(m, probes, timeout_ms, &result, &err) != 0) code = fail_free(app, err);
    if (result && app->json)
        out_result(result);
    else if (result)
        show(app, result, probes);
    membrane_result_free(result);
    membrane_close(m, 1000);
    return code;
}
