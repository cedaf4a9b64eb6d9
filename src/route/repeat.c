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

// The string that the member holds, from behind its quote; NULL: no member of that name with a string is there, or more
// than one. Some write a space behind the colon.
static const char *only_string(const char *chunk, size_t len, const char *member, size_t member_len) {
    const char *found = NULL, *end = chunk + len;
    for (const char *at = chunk; (at = find(at, (size_t)(end - at), member, member_len)) != NULL;) {
        const bool is_escaped = at == chunk || at[-1] == '\\';
        at += member_len;
        const char *value = at + (at < end && *at == ' ');
        if (value == end || *value != '"') continue;
        if (is_escaped || found) return NULL;
        found = value + 1;
    }
    return found;
}

void mb_repeat_learn(mb_repeat *r, const char *chunk, size_t len, const char *key, const char *text, size_t text_len) {
    char member[64];
    r->head = 0;
    int n = snprintf(member, sizeof member, "\"%s\":", key);
    const char *value = only_string(chunk, len, member, (size_t)n), *end = chunk + len;
    if (!value || (size_t)(end - value) <= text_len || memcmp(value, text, text_len) != 0 || value[text_len] != '"')
        return;
    if (!is_plain(text, text_len)) return;
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
