// SPDX-License-Identifier: MIT
// The verb usage: sums over the call log. The library sums a line; the total and what the lines have to do with each
// other (a bar at a terminal) is made here.
#include <langinfo.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "output.h"

enum { LEAST_BAR = 8, MOST_BAR = 40, TABLE_WIDTH = 72 };

static const char *const sums[] = {"calls",  "errors",    "input",           "cached",
                                   "output", "reasoning", "cost_usd_micros", "cost_unknown"};
enum { CALLS, INPUT = 2, OUTPUT = 4, COST = 6, COST_UNKNOWN = 7, SUMS = sizeof sums / sizeof *sums };

typedef struct totals {
    int64_t all[SUMS];
    int64_t largest; // of a line
    bool by_cost;    // what the bars compare
} totals;

static int64_t sum_of(cli_json item, int i) { return json_int(json_get(item, sums[i]), 0); }

static int64_t size_of(const totals *t, cli_json item) {
    return t->by_cost ? sum_of(item, COST) : sum_of(item, INPUT) + sum_of(item, OUTPUT);
}

static totals add_up(cli_json items) {
    totals t = {0};
    cli_json key = {0}, item = {0};
    while (json_next(items, &key, &item))
        for (int i = 0; i < SUMS; i++) t.all[i] += sum_of(item, i);
    t.by_cost = t.all[COST] > 0;
    for (key = (cli_json){0}, item = (cli_json){0}; json_next(items, &key, &item);)
        if (size_of(&t, item) > t.largest) t.largest = size_of(&t, item);
    return t;
}

// As wide as the terminal leaves it beside the figures.
static int bar_width(void) {
    struct winsize size = {0};
    int left = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col - TABLE_WIDTH : LEAST_BAR;
    return left < LEAST_BAR ? LEAST_BAR : left > MOST_BAR ? MOST_BAR : left;
}

// Blocks, the last one in eighths; signs where the terminal has no blocks.
static void put_bar(cli_text *t, int64_t value, int64_t largest, int width) {
    static const char *const parts[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    bool has_blocks = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    int eighths = largest > 0 ? (int)((double)value / (double)largest * width * 8 + 0.5) : 0;
    if (value > 0 && eighths == 0) eighths = 1;
    if (eighths == 0) text_str(t, " "); // and no dash
    for (int i = 0; i < eighths / 8; i++) text_str(t, has_blocks ? "█" : "#");
    if (eighths % 8) text_str(t, has_blocks ? parts[eighths % 8] : eighths % 8 >= 4 || eighths < 8 ? "#" : "");
}

static void put_total(cli_text *t, const totals *sum) {
    for (int i = 0; i < SUMS; i++) text_format(t, "%s\"%s\":%lld", i ? "," : "", sums[i], (long long)sum->all[i]);
}

// The lines as the table wants them: each with its bar, and the total as the last one.
static void put_lines(cli_text *t, cli_json items, const totals *sum, bool has_bars) {
    int width = has_bars ? bar_width() : 0;
    cli_json key = {0}, item = {0};
    text_str(t, "[");
    while (json_next(items, &key, &item)) {
        text_str(t, "{\"bar\":\"");
        if (has_bars) put_bar(t, size_of(sum, item), sum->largest, width);
        text_str(t, "\",");
        text_put(t, item.at + 1, item.len - 1);
        text_str(t, ",");
    }
    text_str(t, "{\"bar\":\" \",\"key\":\"total\",");
    put_total(t, sum);
    text_str(t, "}]");
}

static void cell_cost(cli_text *t, cli_json item) {
    int64_t unknown = sum_of(item, COST_UNKNOWN);
    if (unknown < sum_of(item, CALLS)) put_cost(t, sum_of(item, COST));
    if (unknown) text_format(t, "%s%lld unknown", t->len ? " + " : "", (long long)unknown);
}

static void show(cli_app *app, cli_json items, const char *by) {
    char title[16];
    size_t len = strlen(by);
    for (size_t i = 0; i <= len; i++) title[i] = by[i] >= 'a' && by[i] <= 'z' ? (char)(by[i] - 'a' + 'A') : by[i];
    const cli_column columns[] = {{title, "key", NULL, false},      {"CALLS", "calls", NULL, true},
                                  {"ERRORS", "errors", NULL, true}, {"IN", "input", NULL, true},
                                  {"CACHED", "cached", NULL, true}, {"OUT", "output", NULL, true},
                                  {"COST", "", cell_cost, true},    {"", "bar", NULL, false}};
    totals sum = add_up(items);
    bool has_bars = app->out_tty && sum.largest > 0 && json_count(items) > 1;
    cli_text lines = {0};
    put_lines(&lines, items, &sum, has_bars);
    if (!lines.failed)
        out_table(app, json_root(lines.data, lines.len), columns, sizeof columns / sizeof *columns - !has_bars);
    text_free(&lines);
    if (sum.all[COST_UNKNOWN])
        out_format(app, "\n%lld call%s of unknown cost %s not in the sum of costs.\n", (long long)sum.all[COST_UNKNOWN],
                   sum.all[COST_UNKNOWN] == 1 ? "" : "s", sum.all[COST_UNKNOWN] == 1 ? "is" : "are");
}

static void show_json(cli_json items) {
    totals sum = add_up(items);
    cli_text t = {0};
    text_str(&t, "{\"items\":");
    text_put(&t, items.at, items.len);
    text_str(&t, ",\"total\":{");
    put_total(&t, &sum);
    text_str(&t, "}}");
    if (!t.failed) out_json(t.data, t.len);
    text_free(&t);
}

int usage_main(cli_app *app) {
    membrane_t *m = NULL;
    membrane_result *result = NULL;
    membrane_error *err = NULL;
    const char *by = app->args.value[OPT_BY] ? app->args.value[OPT_BY] : "day";
    int64_t since = 0;
    size_t len = 0;
    int code = check_words(app, 0);
    if (!code) code = args_since(app, OPT_SINCE, &since);
    if (!code) code = cli_open(app, &m);
    if (!code && membrane_usage_sum(m, by, since, &result, &err) != 0) code = fail_free(app, err);
    if (!code) {
        const char *str = membrane_result_json(result, &len);
        cli_json items = json_get(json_root(str, len), "items");
        if (app->json)
            show_json(items);
        else
            show(app, items, by);
    }
    membrane_result_free(result);
    membrane_close(m, 1000);
    return code;
}
