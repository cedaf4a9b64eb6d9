// SPDX-License-Identifier: MIT
// Text that grows, and JSON written into it. A failure sticks and is asked for once, at the end.
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>

typedef struct cli_text {
    char *data; // NUL-terminated once something was put; text_str also when nothing was
    size_t len, cap;
    bool failed; // memory was out
} cli_text;

void text_put(cli_text *t, const char *data, size_t len);
void text_str(cli_text *t, const char *str);
void text_format(cli_text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
// A JSON string with its quotes; NULL becomes null.
void text_json(cli_text *t, const char *str);
void text_json_n(cli_text *t, const char *str, size_t len);
void text_base64(cli_text *t, const unsigned char *data, size_t len);
void text_free(cli_text *t);

// The length of the valid UTF-8 at the start; len if all of it is.
size_t utf8_prefix(const char *text, size_t len);

#endif
