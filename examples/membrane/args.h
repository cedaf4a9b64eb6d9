// SPDX-License-Identifier: MIT
// The command line taken apart by the table: options anywhere, words in order, the first word that is a verb is the
// verb.
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "table.h"

typedef struct args_value {
    option_id id;
    const char *text;
} args_value;

typedef struct cli_args {
    const char *value[OPT_COUNT]; // the last one given, NULL without
    bool given[OPT_COUNT];
    args_value *values; // all of them in order, for options that repeat
    size_t value_count;
    const char **words; // without the verb
    size_t word_count;
} cli_args;

struct cli_app;

// Fills app->verb, app->args and app->json. 0, or what to exit with (told already).
int args_parse(struct cli_app *app, int argc, char **argv);
void args_free(cli_args *args);

// At most this many words may stand after the verb; the first one must be an action of it. 0, or what to exit with.
int check_words(struct cli_app *app, size_t most);
int check_action(struct cli_app *app, size_t most);

// Numbers and times of options. 0, or what to exit with. Without the option *ret_value stays.
int args_int(struct cli_app *app, option_id id, int64_t min, int64_t max, int64_t *ret_value);
int args_real(struct cli_app *app, option_id id, double min, double max);
int args_duration(struct cli_app *app, option_id id, int64_t *ret_ms);
int args_cost(struct cli_app *app, option_id id, int64_t *ret_usd_micros);
// A moment, as Unix time in milliseconds: so long ago ("2h"), or a date with or without a time of day.
int args_since(struct cli_app *app, option_id id, int64_t *ret_ms);

// "1.5s", "500ms", "2m", "1h", "7d" in milliseconds; false for anything else.
bool duration_parse(const char *text, int64_t *ret_ms);

// The name of the list (each NUL-terminated, NULL at the end) nearest to a mistyped word; NULL if none is near.
const char *nearest_name(const char *word, const char *const *names);

#endif
