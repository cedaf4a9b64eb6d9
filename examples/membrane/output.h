// SPDX-License-Identifier: MIT
// What reaches the person or the program: answers on stdout, all else on stderr, errors in one shape.
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include "cli.h"
#include "json.h"

// Sees what stdout and stderr are.
void output_init(cli_app *app);

// Text on stdout: as it is, but neutralised on a terminal. False when nobody reads any more.
bool out_text(const cli_app *app, const char *str, size_t len);
bool out_str(const cli_app *app, const char *str);
void out_format(const cli_app *app, const char *format, ...) __attribute__((format(printf, 2, 3)));
// One line of JSON on stdout, flushed.
bool out_json(const char *str, size_t len);
// The result's JSON as the one object of --json.
int out_result(const membrane_result *result);
// Flushes stdout; the exit code becomes 1, with a word on stderr, if that failed for another reason than a closed pipe.
int out_close(int code);

// A line on stderr unless --quiet; dim on a terminal.
void note(const cli_app *app, const char *format, ...) __attribute__((format(printf, 2, 3)));
// Further text on stderr, neutralised, in the colour of a note.
void note_text(const cli_app *app, const char *str, size_t len);

// Tells an error of the program's own (on stdout under --json) and returns what to exit with.
int fail(const cli_app *app, int status, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
// Tells the library's error and returns what to exit with. partial: the text that had come, or NULL.
int fail_error(const cli_app *app, const membrane_error *error, const char *partial);
// The same, and frees the error: for functions that gave one.
int fail_free(const cli_app *app, membrane_error *error);

// Appends str with control characters made harmless: ^X for C0 but \n and \t, U+FFFD for C1.
void put_neutral(cli_text *t, const char *str, size_t len);

// Columns that line up, by the items of a list. A path may be empty: then cell() alone makes the text.
typedef struct cli_column {
    const char *title;
    const char *path;
    void (*cell)(cli_text *t, cli_json item); // NULL: the member at path as it is
    bool is_number;                           // to the right
} cli_column;
void out_table(const cli_app *app, cli_json items, const cli_column *columns, size_t count);
// The same without the columns that no item has anything for.
void out_known(const cli_app *app, cli_json items, const cli_column *columns, size_t count);

// "1.2 s", "340 ms", "1.5 GiB", "2026-01-31 12:00:05", "$0.000123"; nothing for what is negative
void put_ms(cli_text *t, int64_t ms);
void put_bytes(cli_text *t, int64_t bytes);
void put_time(cli_text *t, int64_t ts_ms);
void put_cost(cli_text *t, int64_t usd_micros);
// "provider/model", of the members with these names.
void put_target(cli_text *t, cli_json item);

#endif
