// SPDX-License-Identifier: MIT
// Why "key":" can be trusted to be that key wherever it stands: inside a string its quotes would be escaped, and a key
// that merely ends so has a backslash before it.
#include "route/repeat.h"

#include <stdio.h>
#include <string.h>

static const char *find(const char *chunk, size_t len, const char *what, size_t what_len) {
    return memmem(chunk, len, what, what_len);
}

static bool is_plain(const char *text, size_t len) {
    bool plain = true;
    for (size_t i = 0; i < len; i++) plain &= text[i] != '"' && text[i] != '\\' && (unsigned char)text[i] >= 0x20;
    return plain;
}

void mb_repeat_learn(mb_repeat *r, const char *chunk, size_t len, const char *key, const char *text, size_t text_len) {
    char member[64];
    r->head = 0;
    int n = snprintf(member, sizeof member, "\"%s\":\"", key);
    const char *at = find(chunk, len, member, (size_t)n);
    if (!at || at == chunk || at[-1] == '\\') return;
    const char *value = at + n, *end = chunk + len;
    if ((size_t)(end - value) <= text_len || memcmp(value, text, text_len) != 0 || value[text_len] != '"') return;
    if (!is_plain(text, text_len) || find(value, (size_t)(end - value), member, (size_t)n)) return;
    size_t head = (size_t)(value - chunk), tail = len - head - text_len;
    if (head + tail > sizeof r->bytes) return;
    memcpy(r->bytes, chunk, head);
    memcpy(r->bytes + head, value + text_len, tail);
    r->tail = tail;
    r->head = head;
}

bool mb_repeat_match(const mb_repeat *r, const char *chunk, size_t len, const char **ret_text, size_t *ret_len) {
    if (r->head == 0 || len < r->head + r->tail) return false;
    size_t text_len = len - r->head - r->tail;
    const char *text = chunk + r->head;
    if (memcmp(text + text_len, r->bytes + r->head, r->tail) != 0 || memcmp(chunk, r->bytes, r->head) != 0)
        return false;
    if (!is_plain(text, text_len)) return false;
    *ret_text = text;
    *ret_len = text_len;
    return true;
}
