// SPDX-License-Identifier: MIT
// Lists for people: columns that line up, numbers to the right, times and sizes in words.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "output.h"

enum { MOST_COLUMNS = 16 };

void put_ms(cli_text *t, int64_t ms) {
    if (ms < 0) return;
    if (ms < 1000)
        text_format(t, "%lld ms", (long long)ms);
    else if (ms < 60000)
        text_format(t, "%.1f s", (double)ms / 1000);
    else
        text_format(t, "%lld m %02lld s", (long long)(ms / 60000), (long long)(ms / 1000 % 60));
}

void put_bytes(cli_text *t, int64_t bytes) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;
    if (bytes < 0) return;
    for (; value >= 1024 && unit < 4; unit++) value /= 1024;
    text_format(t, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

void put_time(cli_text *t, int64_t ts_ms) {
    time_t seconds = (time_t)(ts_ms / 1000);
    struct tm parts;
    char str[32];
    if (ts_ms <= 0 || !localtime_r(&seconds, &parts)) return;
    if (strftime(str, sizeof str, "%Y-%m-%d %H:%M:%S", &parts)) text_str(t, str);
}

void put_cost(cli_text *t, int64_t usd_micros) {
    if (usd_micros >= 0) text_format(t, "$%.6f", (double)usd_micros / 1e6);
}

void put_target(cli_text *t, cli_json item) {
    cli_json provider = json_get(item, "provider");
    json_put(t, provider);
    if (json_is_text(provider)) text_str(t, "/");
    json_put(t, json_get(item, "model"));
}

// Characters, near enough for columns: bytes that begin one.
static size_t width_of(const char *str) {
    size_t width = 0;
    for (; *str; str++) width += (*str & 0xc0) != 0x80;
    return width;
}

static void put_cell(cli_text *t, cli_json item, const cli_column *column) {
    if (column->cell)
        column->cell(t, item);
    else
        json_put(t, json_get(item, column->path));
}

// The cell's text on one line, without control characters; never NULL.
static char *make_cell(cli_json item, const cli_column *column) {
    cli_text raw = {0}, neat = {0};
    text_put(&raw, "", 0);
    put_cell(&raw, item, column);
    for (size_t i = 0; i < raw.len; i++)
        if (raw.data[i] == '\n' || raw.data[i] == '\t') raw.data[i] = ' ';
    if (raw.len == 0) text_put(&raw, "-", 1);
    put_neutral(&neat, raw.data ? raw.data : "?", raw.data ? raw.len : 1);
    text_free(&raw);
    return neat.data;
}

static void put_row(cli_text *line, char *const *cells, const cli_column *columns, const size_t *widths, size_t count) {
    for (size_t c = 0; c < count; c++) {
        const char *str = cells[c] ? cells[c] : "?";
        size_t pad = widths[c] - width_of(str);
        if (columns[c].is_number) text_format(line, "%*s", (int)pad, "");
        text_str(line, str);
        if (c + 1 == count) break;
        text_format(line, "%*s", (int)(columns[c].is_number ? 2 : pad + 2), "");
    }
    while (line->len && line->data[line->len - 1] == ' ') line->len--;
    text_str(line, "\n");
}

void out_table(const cli_app *app, cli_json items, const cli_column *columns, size_t count) {
    size_t rows = json_count(items), row = 0, widths[MOST_COLUMNS] = {0};
    char **cells = calloc((rows + 1) * count, sizeof *cells);
    cli_json key = {0}, item = {0};
    cli_text lines = {0};
    if (!cells) return;
    for (size_t c = 0; c < count; c++) cells[c] = strdup(columns[c].title);
    while (row < rows && json_next(items, &key, &item)) {
        row++;
        for (size_t c = 0; c < count; c++) cells[row * count + c] = make_cell(item, &columns[c]);
    }
    for (size_t i = 0; i < (row + 1) * count; i++) {
        size_t width = width_of(cells[i] ? cells[i] : "?");
        if (width > widths[i % count]) widths[i % count] = width;
    }
    for (size_t r = 0; r <= row; r++) {
        size_t from = lines.len;
        put_row(&lines, cells + r * count, columns, widths, count);
        if (r == 0 && app->out_color) {
            char *title = strndup(lines.data + from, lines.len - from - 1);
            lines.len = from;
            text_format(&lines, "\033[1m%s\033[0m\n", title ? title : "");
            free(title);
        }
    }
    for (size_t i = 0; i < (row + 1) * count; i++) free(cells[i]);
    free(cells);
    if (lines.data) fwrite(lines.data, 1, lines.len, stdout);
    text_free(&lines);
}

static bool is_known(cli_json items, const cli_column *column) {
    cli_json key = {0}, item = {0};
    cli_text cell = {0};
    while (cell.len == 0 && json_next(items, &key, &item)) put_cell(&cell, item, column);
    bool has_text = cell.len > 0;
    text_free(&cell);
    return has_text;
}

void out_known(const cli_app *app, cli_json items, const cli_column *columns, size_t count) {
    cli_column known[MOST_COLUMNS];
    size_t kept = 0;
    for (size_t c = 0; c < count && kept < MOST_COLUMNS; c++)
        if (is_known(items, &columns[c])) known[kept++] = columns[c];
    out_table(app, items, known, kept);
}
