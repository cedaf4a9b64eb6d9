// SPDX-License-Identifier: MIT
// The verb explain: one call of the log, from what was asked to what it came to.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decision.h"

enum { SHOWN_IDS = 5, LOOKED_AT = 1000 };

// ---- which call ----------------------------------------------------------------------------------------------------

// The items of a question to the log, lent by *ret_result; key and value may be NULL: the newest call.
static int ask_log(cli_app *app, membrane_t *m, const char *key, const char *value, int limit,
                   membrane_result **ret_result, cli_json *ret_items) {
    cli_text query = {0};
    membrane_error *err = NULL;
    size_t len = 0;
    text_format(&query, "{\"limit\":%d", limit);
    if (key) text_format(&query, ",\"%s\":", key), text_json(&query, value);
    text_str(&query, limit == 1 ? ",\"decision\":true}" : "}");
    int code = query.failed ? fail(app, MEMBRANE_ENOMEM, NULL, "out of memory")
               : membrane_log_calls(m, query.data, ret_result, &err) != 0 ? fail_free(app, err)
                                                                          : 0;
    text_free(&query);
    if (code) return code;
    const char *str = membrane_result_json(*ret_result, &len);
    *ret_items = json_get(json_root(str, len), "items");
    return 0;
}

static int not_there(cli_app *app, const char *word) {
    if (strcmp(word, "last") == 0) return fail(app, MEMBRANE_ENOTFOUND, NULL, "the call log is empty");
    return fail(app, MEMBRANE_ENOTFOUND, "membrane logs", "no call of the log has a request id that begins with \"%s\"",
                word);
}

// One id of them all (a program may use an id again: then the newest call is meant), or the error that says why not.
static int only_id(cli_app *app, const char *word, cli_json items, char **ret_id) {
    cli_text ids = {0};
    cli_json key = {0}, item = {0};
    size_t count = 0;
    while (json_next(items, &key, &item)) {
        char *id = json_dup(item, "request_id");
        bool is_known = !id || (*ret_id && strcmp(*ret_id, id) == 0);
        if (!is_known && count++ < SHOWN_IDS) text_format(&ids, "%s%s", count > 1 ? ", " : "", id);
        if (is_known || *ret_id)
            free(id);
        else
            *ret_id = id;
    }
    int code = 0;
    if (count == 0) code = not_there(app, word);
    if (count > 1)
        code = fail(app, MEMBRANE_EINVAL, "write more of it", "several request ids begin with \"%s\": %s%s", word,
                    ids.data ? ids.data : "", count > SHOWN_IDS ? ", …" : "");
    text_free(&ids);
    return code;
}

// The row that is meant; *ret_result lends it.
static int find(cli_app *app, membrane_t *m, const char *word, membrane_result **ret_result, cli_json *ret_row) {
    cli_json items = {0}, key = {0};
    char *id = NULL;
    bool is_last = strcmp(word, "last") == 0;
    int code = ask_log(app, m, is_last ? NULL : "request_id", word, 1, ret_result, &items);
    if (!code && json_count(items) == 0 && !is_last) {
        membrane_result_free(*ret_result);
        *ret_result = NULL;
        code = ask_log(app, m, "prefix", word, LOOKED_AT, ret_result, &items);
        if (!code) code = only_id(app, word, items, &id);
        membrane_result_free(*ret_result);
        *ret_result = NULL;
        if (!code) code = ask_log(app, m, "request_id", id, 1, ret_result, &items);
        free(id);
    }
    if (!code && !json_next(items, &key, ret_row)) code = not_there(app, word);
    return code;
}

// ---- what is said of it --------------------------------------------------------------------------------------------

static void put_name(cli_text *t, const char *name) { text_format(t, "%-10s", name); }

static void put_line(cli_text *t, const char *name, cli_json value) {
    if (!value.at || *value.at == 'n') return;
    put_name(t, name);
    json_put(t, value);
    text_str(t, "\n");
}

static void put_number(cli_text *t, const char *before, cli_json value, const char *after) {
    if (value.at && *value.at != 'n') text_format(t, "%s%lld%s", before, (long long)json_int(value, 0), after);
}

// The model that was named, where the log knows; how long it was thought to be; by which rule it went.
static void put_asked(cli_text *t, cli_json row) {
    cli_text asked = {0};
    char *prompt = json_dup(row, "prompt"), *policy = json_dup(row, "decision.policy");
    char *model = json_dup(row, "decision.model");
    if (!model && prompt) model = json_dup(json_root(prompt, strlen(prompt)), "model");
    if (model) text_format(&asked, ", model %s", model);
    put_number(&asked, ", about ", json_get(row, "decision.input_tokens"), " tokens");
    if (policy) text_format(&asked, ", policy %s", policy);
    if (asked.len > 2) put_name(t, "asked"), text_format(t, "%s\n", asked.data + 2);
    text_free(&asked);
    free(prompt);
    free(policy);
    free(model);
}

static void show_question(cli_app *app, cli_json row) {
    cli_text t = {0};
    put_line(&t, "request", json_get(row, "request_id"));
    put_name(&t, "time");
    put_time(&t, json_int(json_get(row, "ts_ms"), 0));
    text_str(&t, "\n");
    put_line(&t, "session", json_get(row, "session"));
    put_asked(&t, row);
    text_str(&t, "\n");
    if (t.data) out_text(app, t.data, t.len);
    text_free(&t);
}

static void cell_ended(cli_text *t, cli_json item) {
    cli_json kind = json_get(item, "kind");
    text_str(t, json_is_text(kind) ? "" : "ok");
    json_put(t, kind);
    put_number(t, " ", json_get(item, "status"), "");
}

static void cell_started(cli_text *t, cli_json item) { put_ms(t, json_int(json_get(item, "started_ms"), -1)); }
static void cell_took(cli_text *t, cli_json item) { put_ms(t, json_int(json_get(item, "latency_ms"), -1)); }

static void cell_cost(cli_text *t, cli_json item) {
    cli_json cost = json_get(item, "cost_usd_micros");
    if (cost.at && *cost.at == 'n')
        text_str(t, "unknown");
    else
        put_cost(t, json_int(cost, -1));
}

static void show_attempts(cli_app *app, cli_json row) {
    static const cli_column columns[] = {{"TRY", "n", NULL, true},          {"TARGET", "", put_target, false},
                                         {"KEY", "key", NULL, true},        {"ENDED", "", cell_ended, false},
                                         {"AFTER", "", cell_started, true}, {"TOOK", "", cell_took, true},
                                         {"COST", "", cell_cost, true},     {"REASON", "reason", NULL, false}};
    cli_text numbered = {0};
    cli_json key = {0}, item = {0};
    int n = 0;
    text_str(&numbered, "[");
    while (json_next(json_get(row, "attempts"), &key, &item)) { // each gets its number as a first member
        text_format(&numbered, "%s{\"n\":%d%s", n ? "," : "", n + 1, json_count(item) ? "," : "");
        text_put(&numbered, item.at + 1, item.len - 1);
        n++;
    }
    text_str(&numbered, "]");
    if (n && !numbered.failed)
        out_known(app, json_root(numbered.data, numbered.len), columns, sizeof columns / sizeof *columns);
    if (n) out_str(app, "\n");
    text_free(&numbered);
}

static void put_tokens(cli_text *t, cli_json usage) {
    cli_text line = {0};
    put_number(&line, ", ", json_get(usage, "input"), " in");
    put_number(&line, " (", json_get(usage, "cached"), " cached)");
    put_number(&line, ", ", json_get(usage, "output"), " out");
    put_number(&line, " (", json_get(usage, "reasoning"), " reasoning)");
    if (line.len > 2) put_name(t, "tokens"), text_format(t, "%s\n", line.data + 2);
    text_free(&line);
}

static int64_t unknown_costs(cli_json attempts) {
    cli_json key = {0}, item = {0};
    int64_t count = 0;
    while (json_next(attempts, &key, &item)) {
        cli_json cost = json_get(item, "cost_usd_micros");
        count += cost.at && *cost.at == 'n';
    }
    return count;
}

static void show_outcome(cli_app *app, cli_json row) {
    cli_text t = {0};
    cli_json cost = json_get(row, "cost_usd_micros"), first = json_get(row, "first_token_ms");
    int64_t unknown = unknown_costs(json_get(row, "attempts"));
    put_name(&t, "outcome");
    json_put(&t, json_get(row, "outcome"));
    char *outcome = json_dup(row, "outcome");
    bool is_error = outcome && strcmp(outcome, "error") == 0; // else the kind says the same again
    if (is_error && json_is_text(json_get(row, "kind"))) text_str(&t, " "), json_put(&t, json_get(row, "kind"));
    free(outcome);
    text_str(&t, "\n");
    put_line(&t, "message", json_get(row, "message"));
    put_name(&t, "took");
    put_ms(&t, json_int(json_get(row, "latency_ms"), 0));
    if (json_int(first, -1) >= 0) text_str(&t, ", first after "), put_ms(&t, json_int(first, 0));
    text_str(&t, "\n");
    put_tokens(&t, json_get(row, "usage"));
    put_name(&t, "cost");
    if (json_int(cost, -1) >= 0)
        put_cost(&t, json_int(cost, 0));
    else
        text_str(&t, "unknown");
    if (json_int(cost, -1) >= 0 && unknown > 0)
        text_format(&t, ", and %lld attempt%s of unknown cost", (long long)unknown, unknown == 1 ? "" : "s");
    text_str(&t, "\n");
    if (t.data) out_text(app, t.data, t.len);
    text_free(&t);
}

static void show(cli_app *app, cli_json row) {
    show_question(app, row);
    if (out_decision(app, json_get(row, "decision"))) out_str(app, "\n");
    show_attempts(app, row);
    show_outcome(app, row);
}

int explain_main(cli_app *app) {
    membrane_t *m = NULL;
    membrane_result *result = NULL;
    cli_json row = {0};
    if (app->args.word_count != 1) // "explain" is a word that people begin prompts with
        return fail(app, MEMBRANE_EINVAL, "to ask a model: membrane run explain …",
                    "explain: one request id is needed, or last");
    int code = cli_open(app, &m);
    if (!code) code = find(app, m, app->args.words[0], &result, &row);
    if (!code && app->json)
        out_json(row.at, row.len);
    else if (!code)
        show(app, row);
    membrane_result_free(result);
    membrane_close(m, 1000);
    return code;
}
