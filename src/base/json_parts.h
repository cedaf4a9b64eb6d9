// SPDX-License-Identifier: MIT
// What the files of base/json share among themselves and with yaml.c and schema_value.c; nobody else includes this.
#ifndef MB_BASE_JSON_PARTS_H
#define MB_BASE_JSON_PARTS_H

#include "base/json.h"

#ifdef __cplusplus
extern "C" {
#endif

// Reads a number by the grammar of RFC 8259 into type and value; false (ret untouched) where the text is none. What
// fits no type becomes MB_JSON_NUMTEXT with str pointing into text (so without a NUL).
bool mb_json_number(const char *text, size_t len, mb_json *ret);

// The shortest text that reads back as n, which is finite; never an integer's ("1.0"). Returns its length.
size_t mb_json_double_text(double n, char text[32]);

// The length of the string or number token at text[at], as far as it can be one: for a string, to behind its closing
// quote (or to len), for a number, over every byte that occurs in numbers.
size_t mb_json_string_end(const char *text, size_t len, size_t at);
size_t mb_json_number_end(const char *text, size_t len, size_t at);

// A \u escape at text[at]: the surrogate rules. 6 or 12: this many bytes are a right escape; -6: a surrogate that has
// lost its twin; 0: no \uXXXX at all.
int mb_json_escape(const char *text, size_t len, size_t at);

// Where the text stops being JSON, and why; *ret_what is NULL if it is JSON. Slow and exact, for messages and tests.
size_t mb_json_fault(const char *text, size_t len, const char **ret_what);

// A copy with what may be repaired repaired: see mb_json_parse_lenient. The numbers that fit no type become strings,
// and marks (uint32_t one after another) says the how many-eth string of the text each is, keys counted too. Failure
// is the buffers'. Returns whether anything was repaired.
bool mb_json_repair(const char *text, size_t len, mb_buf *out, mb_buf *marks);

#ifdef __cplusplus
}
#endif
#endif
