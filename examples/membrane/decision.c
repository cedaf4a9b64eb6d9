// SPDX-License-Identifier: MIT
#include "decision.h"

#include <string.h>

static void cell_local(cli_text *t, cli_json item) {
    cli_json local = json_get(item, "local");
    if (local.at) text_str(t, json_is_true(local) ? "yes" : "no");
}

// The main list goes without saying.
static void cell_list(cli_text *t, cli_json item) {
    cli_text list = {0};
    json_put(&list, json_get(item, "list"));
    if (list.data && strcmp(list.data, "main") != 0) text_str(t, list.data);
    text_free(&list);
}

static void cell_cost(cli_text *t, cli_json item) {
    cli_json cost = json_get(item, "cost_usd_micros");
    if (cost.at && *cost.at == 'n')
        text_str(t, "unknown");
    else
        put_cost(t, json_int(cost, -1));
}

static void cell_expected(cli_text *t, cli_json item) { put_ms(t, json_int(json_get(item, "expected_ms"), -1)); }
static void cell_ready(cli_text *t, cli_json item) { put_ms(t, json_int(json_get(item, "ready_in_ms"), -1)); }

static void cell_why(cli_text *t, cli_json item) {
    json_put(t, json_get(item, "why"));
    json_put(t, json_get(item, "passed_over")); // of a target that was not weighed
}

bool out_decision(const cli_app *app, cli_json decision) {
    static const cli_column columns[] = {{"TARGET", "", put_target, false},   {"ENGINE", "engine", NULL, false},
                                         {"LOCAL", "", cell_local, false},    {"LIST", "", cell_list, false},
                                         {"VERDICT", "verdict", NULL, false}, {"COST", "", cell_cost, true},
                                         {"WINDOW", "window", NULL, true},    {"EXPECTED", "", cell_expected, true},
                                         {"BUSY", "in_flight", NULL, true},   {"WEIGHT", "weight", NULL, true},
                                         {"READY IN", "", cell_ready, true},  {"BREAKER", "breaker", NULL, false},
                                         {"WHY", "", cell_why, false},        {"URL", "url", NULL, false}};
    cli_json candidates = json_get(decision, "candidates"), because = json_get(decision, "chosen_because");
    if (!json_count(candidates)) candidates = json_get(decision, "targets");
    bool has_some = json_count(candidates) > 0;
    cli_text t = {0};
    if (has_some) {
        out_known(app, candidates, columns, sizeof columns / sizeof *columns);
        int64_t more = json_int(json_get(decision, "candidates_left_out"), 0);
        if (more > 0) text_format(&t, "and %lld more\n", (long long)more);
        text_str(&t, "\n");
    }
    text_str(&t, "chosen because: ");
    json_put(&t, because);
    text_str(&t, "\n");
    if (t.data && (has_some || json_is_text(because))) out_text(app, t.data, t.len);
    text_free(&t);
    return has_some || json_is_text(because);
}
