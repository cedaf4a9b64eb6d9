// SPDX-License-Identifier: MIT
// The verb logs: the call log, and following it.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "output.h"

static void cell_time(cli_text *t, cli_json item) { put_time(t, json_int(json_get(item, "ts_ms"), 0)); }

static void cell_outcome(cli_text *t, cli_json item) {
    json_put(t, json_get(item, "outcome"));
    if (json_is_text(json_get(item, "kind"))) text_str(t, " "), json_put(t, json_get(item, "kind"));
}

static void cell_latency(cli_text *t, cli_json item) { put_ms(t, json_int(json_get(item, "latency_ms"), -1)); }

static void cell_cost(cli_text *t, cli_json item) { put_cost(t, json_int(json_get(item, "cost_usd_micros"), -1)); }

static const cli_column columns[] = {
    {"TIME", "", cell_time, false},    {"OUTCOME", "", cell_outcome, false},   {"TARGET", "", put_target, false},
    {"IN", "usage.input", NULL, true}, {"OUT", "usage.output", NULL, true},    {"TOOK", "", cell_latency, true},
    {"COST", "", cell_cost, true},     {"REQUEST", "request_id", NULL, false}, {"SESSION", "session", NULL, false}};
enum { COLUMNS = sizeof columns / sizeof *columns };

static void put_filter(cli_text *t, const cli_app *app, option_id id, const char *name) {
    if (!app->args.value[id]) return;
    text_format(t, ",\"%s\":", name);
    text_json(t, app->args.value[id]);
}

// A row's target in the filter: "provider/model", or one of the two.
static void put_query(cli_app *app, cli_text *t, int64_t limit, int64_t since, int64_t after_id) {
    const char *model = app->args.value[OPT_MODEL], *slash = model ? strchr(model, '/') : NULL;
    text_format(t, "{\"limit\":%lld", (long long)limit);
    if (after_id >= 0) text_format(t, ",\"after_id\":%lld", (long long)after_id);
    if (since) text_format(t, ",\"since_ms\":%lld", (long long)since);
    put_filter(t, app, OPT_SESSION, "session");
    put_filter(t, app, OPT_OUTCOME, "outcome");
    put_filter(t, app, OPT_MATCH, "match");
    put_filter(t, app, OPT_REQUEST_ID, "request_id");
    if (slash) text_str(t, ",\"provider\":"), text_json_n(t, model, (size_t)(slash - model));
    if (model) text_str(t, ",\"model\":"), text_json(t, slash ? slash + 1 : model);
    text_str(t, "}");
}

// Following prints line by line, so that a reader at the other end of a pipe sees each row at once.
static void show_lines(cli_app *app, cli_json items, int64_t *last_id) {
    cli_json key = {0}, item = {0};
    while (json_next(items, &key, &item)) {
        *last_id = json_int(json_get(item, "id"), *last_id);
        if (app->json && app->args.given[OPT_FOLLOW]) out_json(item.at, item.len);
        if (app->json) continue;
        cli_text line = {0};
        for (size_t c = 0; c < COLUMNS; c++) {
            if (c) text_str(&line, "  ");
            if (columns[c].cell)
                columns[c].cell(&line, item);
            else
                json_put(&line, json_get(item, columns[c].path));
        }
        text_str(&line, "\n");
        if (line.data) out_text(app, line.data, line.len);
        text_free(&line);
    }
    fflush(stdout);
}

static int show_once(cli_app *app, membrane_t *m, const cli_text *query, int64_t *last_id) {
    membrane_result *result = NULL;
    membrane_error *err = NULL;
    size_t len = 0;
    if (membrane_log_calls(m, query->data, &result, &err) != 0) return fail_free(app, err);
    const char *str = membrane_result_json(result, &len);
    cli_json items = json_get(json_root(str, len), "items");
    if (app->args.given[OPT_FOLLOW])
        show_lines(app, items, last_id);
    else if (app->json)
        out_result(result);
    else
        out_table(app, items, columns, COLUMNS);
    membrane_result_free(result);
    return 0;
}

int logs_main(cli_app *app) {
    membrane_t *m = NULL;
    int64_t limit = 20, since = 0, last_id = 0;
    int code = check_words(app, 0);
    if (!code) code = args_int(app, OPT_LINES, 1, 100000, &limit);
    if (!code) code = args_since(app, OPT_SINCE, &since);
    if (!code) code = cli_open(app, &m);
    for (bool is_first = true; !code; is_first = false) {
        cli_text query = {0};
        put_query(app, &query, is_first ? limit : 1000, since, is_first ? -1 : last_id);
        code = query.failed ? fail(app, MEMBRANE_ENOMEM, NULL, "out of memory") : show_once(app, m, &query, &last_id);
        text_free(&query);
        if (!app->args.given[OPT_FOLLOW] || ferror(stdout)) break;
        usleep(250000); // other programs write the rows: SQLite has no wake-up across processes
    }
    membrane_close(m, 1000);
    return code;
}
