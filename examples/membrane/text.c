// SPDX-License-Identifier: MIT
// Growth by doubling; every writer leaves a NUL behind so that the data is always a string.
#include "text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void text_put(cli_text *t, const char *data, size_t len) {
    if (t->failed) return;
    if (len >= SIZE_MAX / 4 - t->len) {
        t->failed = true;
        return;
    }
    if (t->len + len + 1 > t->cap) {
        size_t cap = t->cap ? t->cap : 256;
        while (cap < t->len + len + 1) cap *= 2;
        char *grown = realloc(t->data, cap);
        if (!grown) {
            t->failed = true;
            return;
        }
        t->data = grown;
        t->cap = cap;
    }
    if (len) memcpy(t->data + t->len, data, len);
    t->len += len;
    t->data[t->len] = '\0';
}

void text_str(cli_text *t, const char *str) { text_put(t, str, strlen(str)); }

void text_format(cli_text *t, const char *format, ...) {
    char *made = NULL;
    va_list args;
    va_start(args, format);
    int len = vasprintf(&made, format, args);
    va_end(args);
    if (len < 0) {
        t->failed = true;
        return;
    }
    text_put(t, made, (size_t)len);
    free(made);
}

void text_json_n(cli_text *t, const char *str, size_t len) {
    size_t from = 0;
    text_put(t, "\"", 1);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)str[i];
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) continue;
        text_put(t, str + from, i - from);
        from = i + 1;
        if (c == '\n')
            text_str(t, "\\n");
        else if (c == '\t')
            text_str(t, "\\t");
        else if (c == '"' || c == '\\')
            text_put(t, (char[]){'\\', (char)c}, 2);
        else
            text_format(t, "\\u%04x", c);
    }
    text_put(t, str + from, len - from);
    text_put(t, "\"", 1);
}

void text_json(cli_text *t, const char *str) {
    if (str)
        text_json_n(t, str, strlen(str));
    else
        text_str(t, "null");
}

void text_base64(cli_text *t, const unsigned char *data, size_t len) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < len; i += 3) {
        unsigned b = (unsigned)data[i] << 16;
        if (i + 1 < len) b |= (unsigned)data[i + 1] << 8;
        if (i + 2 < len) b |= data[i + 2];
        char out[4] = {digits[b >> 18], digits[b >> 12 & 63], i + 1 < len ? digits[b >> 6 & 63] : '=',
                       i + 2 < len ? digits[b & 63] : '='};
        text_put(t, out, 4);
    }
}

void text_free(cli_text *t) {
    free(t->data);
    *t = (cli_text){0};
}

// Bytes of the character at s (1..4), 0 if they are no UTF-8: overlong forms, surrogates and > U+10FFFF are not.
static size_t utf8_char(const unsigned char *s, size_t len) {
    static const unsigned least[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = s[0] < 0x80 ? 1 : s[0] >> 5 == 6 ? 2 : s[0] >> 4 == 14 ? 3 : s[0] >> 3 == 30 ? 4 : 0;
    if (n <= 1 || n > len) return n == 1;
    unsigned code = s[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if (s[i] >> 6 != 2) return 0;
        code = code << 6 | (s[i] & 63u);
    }
    return code < least[n] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? 0 : n;
}

size_t utf8_prefix(const char *str, size_t len) {
    size_t at = 0;
    while (at < len) {
        size_t n = utf8_char((const unsigned char *)str + at, len - at);
        if (!n) break;
        at += n;
    }
    return at;
}
