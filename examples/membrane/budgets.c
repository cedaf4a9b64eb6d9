// SPDX-License-Identifier: MIT
// The verb budgets: which there are and how it stands with each, setting one, removing one. Amounts are dollars.
#include <stdio.h>
#include <string.h>

#include "output.h"

// A budget as the command line names it: SCOPE [MATCH] PERIOD.
typedef struct budget_name {
    const char *scope, *match, *period;
} budget_name;

enum { MICROS = 1000000, MOST_DIGITS = 9 };

// ---- the list ------------------------------------------------------------------------------------------------------

// Exact: at least two places, at most six.
static void put_usd(cli_text *t, int64_t micros) {
    char str[40];
    int len = snprintf(str, sizeof str, "$%lld.%06lld", (long long)(micros / MICROS), (long long)(micros % MICROS));
    for (int cut = 0; cut < 4 && str[len - 1] == '0'; cut++) len--;
    text_put(t, str, (size_t)len);
}

static void cell_amount(cli_text *t, cli_json item) { put_usd(t, json_int(json_get(item, "usd_micros"), 0)); }
static void cell_settled(cli_text *t, cli_json item) { put_usd(t, json_int(json_get(item, "settled"), 0)); }
static void cell_unknown(cli_text *t, cli_json item) { put_usd(t, json_int(json_get(item, "unknown"), 0)); }
static void cell_reserved(cli_text *t, cli_json item) { put_usd(t, json_int(json_get(item, "reserved"), 0)); }
static void cell_left(cli_text *t, cli_json item) { put_usd(t, json_int(json_get(item, "left"), 0)); }

// Who is meant: all that match, one owner, or each.
static void cell_whom(cli_text *t, cli_json item) {
    cli_json match = json_get(item, "match"), owner = json_get(item, "owner");
    json_put(t, json_is_text(match) ? match : owner);
    if (t->len) return;
    cli_text scope = {0};
    json_put(&scope, json_get(item, "scope"));
    text_str(t, scope.data && strcmp(scope.data, "all") == 0 ? "everything" : "each");
    text_free(&scope);
}

static int list(cli_app *app, membrane_t *m) {
    static const cli_column columns[] = {
        {"SCOPE", "scope", NULL, false},       {"FOR", "", cell_whom, false},     {"PERIOD", "period", NULL, false},
        {"AMOUNT", "", cell_amount, true},     {"SPENT", "", cell_settled, true}, {"UNKNOWN", "", cell_unknown, true},
        {"RESERVED", "", cell_reserved, true}, {"LEFT", "", cell_left, true},     {"SOURCE", "source", NULL, false}};
    membrane_result *result = NULL;
    membrane_error *err = NULL;
    size_t len = 0;
    if (membrane_budget_list(m, &result, &err) != 0) return fail_free(app, err);
    const char *str = membrane_result_json(result, &len);
    cli_json items = json_get(json_root(str, len), "items");
    if (app->json)
        out_result(result);
    else if (json_count(items) == 0)
        note(app, "membrane: there are no budgets; membrane budgets set all day 5 sets one of five dollars a day");
    else
        out_table(app, items, columns, sizeof columns / sizeof *columns);
    membrane_result_free(result);
    return 0;
}

// ---- setting and removing ------------------------------------------------------------------------------------------

// "5", "$5", "0.25": dollars with at most six places. Read digit by digit: money is never a double.
static bool read_usd(const char *str, int64_t *ret_micros) {
    int64_t micros = 0;
    int digits = 0, places = -1;
    if (*str == '$') str++;
    for (; *str; str++) {
        if (*str == '.' && places < 0 && digits > 0) {
            places = 0;
            continue;
        }
        if (*str < '0' || *str > '9' || places == 6 || (places < 0 && digits == MOST_DIGITS)) return false;
        micros = micros * 10 + (*str - '0');
        digits++;
        if (places >= 0) places++;
    }
    if (digits == 0 || places == 0) return false;
    for (int at = places < 0 ? 0 : places; at < 6; at++) micros *= 10;
    *ret_micros = micros;
    return true;
}

static int read_name(cli_app *app, size_t further, budget_name *ret) {
    const cli_args *args = &app->args;
    size_t count = args->word_count - further;
    if (count != 3 && count != 4)
        return fail(app, MEMBRANE_EINVAL,
                    further ? "membrane budgets set key cloud day 5" : "membrane budgets remove key cloud day",
                    "budgets %s needs SCOPE [MATCH] PERIOD%s", args->words[0], further ? " AMOUNT" : "");
    *ret = (budget_name){args->words[1], count == 4 ? args->words[2] : NULL, args->words[count - 1]};
    return 0;
}

static void say_done(cli_app *app, const budget_name *b, int64_t micros) {
    cli_text t = {0};
    if (app->json) {
        text_str(&t, "{\"ok\":true,\"scope\":"), text_json(&t, b->scope);
        text_str(&t, ",\"match\":"), text_json(&t, b->match);
        text_str(&t, ",\"period\":"), text_json(&t, b->period);
        if (micros >= 0) text_format(&t, ",\"usd_micros\":%lld", (long long)micros);
        text_str(&t, "}");
        if (!t.failed) out_json(t.data, t.len);
    } else {
        text_format(&t, "%s%s%s %s: ", b->scope, b->match ? " " : "", b->match ? b->match : "", b->period);
        if (micros >= 0)
            put_usd(&t, micros);
        else
            text_str(&t, "removed");
        text_str(&t, "\n");
        if (!t.failed) out_text(app, t.data, t.len);
    }
    text_free(&t);
}

static int set(cli_app *app, membrane_t *m) {
    budget_name b;
    int64_t micros = 0;
    membrane_error *err = NULL;
    int code = read_name(app, 1, &b);
    if (code) return code;
    const char *str = app->args.words[app->args.word_count - 1];
    if (!read_usd(str, &micros))
        return fail(app, MEMBRANE_EINVAL, "5, 5.00 or 0.25", "budgets set: \"%s\" is no amount in dollars", str);
    if (membrane_budget_set(m, b.scope, b.match, b.period, micros, &err) != 0) return fail_free(app, err);
    say_done(app, &b, micros);
    return 0;
}

static int take_away(cli_app *app, membrane_t *m) {
    budget_name b;
    membrane_error *err = NULL;
    int code = read_name(app, 0, &b);
    if (code) return code;
    if (membrane_budget_remove(m, b.scope, b.match, b.period, &err) != 0) return fail_free(app, err);
    say_done(app, &b, -1);
    return 0;
}

int budgets_main(cli_app *app) {
    membrane_t *m = NULL;
    const char *action = app->args.word_count ? app->args.words[0] : "list";
    bool is_list = strcmp(action, "list") == 0, is_set = strcmp(action, "set") == 0;
    int code = check_action(app, is_list ? 1 : is_set ? 5 : 4);
    if (!code) code = cli_open(app, &m);
    if (!code) code = is_list ? list(app, m) : is_set ? set(app, m) : take_away(app, m);
    membrane_close(m, 1000);
    return code;
}
