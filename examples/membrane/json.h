// SPDX-License-Identifier: MIT
// Reading the JSON of results for display: a value is a slice of the text, nothing is copied or built.
// The text comes from the library and is well formed; what is not merely ends the search early.
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text.h"

typedef struct cli_json {
    const char *at; // the first byte of the value, NULL: there is none
    size_t len;
} cli_json;

cli_json json_root(const char *str, size_t len);
cli_json json_get(cli_json object, const char *path); // "target.provider"; members by name only
bool json_next(cli_json container, cli_json *ret_key,
               cli_json *ret_value); // start with both {0}; key.at is NULL in arrays
size_t json_count(cli_json container);
bool json_is_text(cli_json value);
bool json_is_true(cli_json value);
int64_t json_int(cli_json value, int64_t fallback);
double json_real(cli_json value, double fallback);
// The text of a string, unescaped; of others as it stands; nothing for null and none. Appended to t.
void json_put(cli_text *t, cli_json value);
// A whole number or text as a new string, NULL without; freed with free.
char *json_dup(cli_json object, const char *path);
// The value on several lines, two blanks a level.
void json_pretty(cli_text *t, cli_json value);
// Whether this is one whole JSON value and nothing else.
bool json_is_valid(const char *str, size_t len);

#endif
