// SPDX-License-Identifier: MIT
// JSON text straight into a bounded buffer. Strings go in runs: eight bytes at a time are looked at for anything that
// needs an escape, and what lies between is copied whole. Nothing here asks the locale.
#include "base/json.h"

#include <math.h>
#include <string.h>

#include "base/json_parts.h"
#include "base/utf8.h"

static void separate(mb_jw *w) {
    if (w->comma) mb_buf_putc(w->out, ',');
    w->comma = true;
}

static void open_with(mb_jw *w, char bracket) {
    separate(w);
    mb_buf_putc(w->out, bracket);
    w->comma = false;
}

static void close_with(mb_jw *w, char bracket) {
    mb_buf_putc(w->out, bracket);
    w->comma = true;
}

void mb_jw_object(mb_jw *w) { open_with(w, '{'); }
void mb_jw_end_object(mb_jw *w) { close_with(w, '}'); }
void mb_jw_array(mb_jw *w) { open_with(w, '['); }
void mb_jw_end_array(mb_jw *w) { close_with(w, ']'); }

// ---- strings -------------------------------------------------------------------------------------------------------

#define EACH_BYTE(value) (UINT64_C(0x0101010101010101) * (value))

// Non-zero where one of the eight bytes is below 0x20, a quote, a backslash or not ASCII. (A borrow may also mark a
// harmless byte above such a one; the caller looks at each byte then.)
static uint64_t special_bytes(uint64_t word) {
    uint64_t quote = word ^ EACH_BYTE('"'), backslash = word ^ EACH_BYTE('\\');
    return ((word - EACH_BYTE(0x20)) | (quote - EACH_BYTE(1)) | (backslash - EACH_BYTE(1)) | word) & EACH_BYTE(0x80);
}

// How many bytes from the start can be copied as they are.
static size_t plain_run(const char *text, size_t len) {
    size_t i = 0;
    for (uint64_t word; len - i >= sizeof word; i += sizeof word) {
        memcpy(&word, text + i, sizeof word);
        if (special_bytes(word)) break;
    }
    if (len - i < 8) { // the rest as one more word, filled up with what is plain
        uint64_t word = EACH_BYTE(' ');
        memcpy(&word, text + i, len - i);
        if (!special_bytes(word)) return len;
    }
    while (i < len && (unsigned char)text[i] >= 0x20 && (unsigned char)text[i] < 0x80 && text[i] != '"' &&
           text[i] != '\\')
        i++;
    return i;
}

// One ASCII byte that may not stand in a string as it is.
static void put_escape(mb_buf *out, unsigned char c) {
    static const char SHORT[0x20] = {['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    static const char HEX[] = "0123456789abcdef";
    char escape[] = {'\\', 'u', '0', '0', HEX[c >> 4], HEX[c & 15]};
    char letter = c < 0x20 ? SHORT[c] : (char)c;
    if (letter) escape[1] = letter;
    mb_buf_put(out, escape, letter ? 2 : sizeof escape);
}

static void put_string(mb_buf *out, const char *text, size_t len) {
    mb_buf_putc(out, '"');
    for (size_t from = 0, at = 0;;) {
        at += plain_run(text + at, len - at);
        int n = at < len && (text[at] & 0x80) ? mb_utf8_next(text + at, len - at) : 0;
        if (n > 0) {
            at += (size_t)n; // a good character continues the run
            continue;
        }
        mb_buf_put(out, text + from, at - from);
        if (at == len) break;
        if (n < 0)
            mb_buf_puts(out, "\xEF\xBF\xBD");
        else
            put_escape(out, (unsigned char)text[at]);
        at += n < 0 ? (size_t)-n : 1;
        from = at;
    }
    mb_buf_putc(out, '"');
}

// Most strings need no escape: they are written at once, with what stands before and behind them (after: 0 for
// nothing).
static bool put_plain(mb_jw *w, const char *text, size_t len, char after) {
    mb_buf *out = w->out;
    const size_t most = len + 4;
    if (plain_run(text, len) < len) return false;
    if ((out->cap - out->len < most && !mb_buf_grow(out, most)) || out->failed) return false;
    char *at = out->data + out->len;
    if (w->comma) *at++ = ',';
    *at++ = '"';
    memcpy(at, text, len);
    at += len;
    *at++ = '"';
    if (after) *at++ = after;
    *at = '\0';
    out->len = (size_t)(at - out->data);
    w->comma = after == 0;
    return true;
}

void mb_jw_strn(mb_jw *w, const char *text, size_t len) {
    if (put_plain(w, text, len, 0)) return;
    separate(w);
    put_string(w->out, text, len);
}

void mb_jw_str(mb_jw *w, const char *text) {
    if (text)
        mb_jw_strn(w, text, strlen(text));
    else
        mb_jw_null(w);
}

static void put_key(mb_jw *w, const char *key, size_t len) {
    if (put_plain(w, key, len, ':')) return;
    separate(w);
    put_string(w->out, key, len);
    mb_buf_putc(w->out, ':');
    w->comma = false;
}

void mb_jw_key(mb_jw *w, const char *key) { put_key(w, key, strlen(key)); }

// ---- other values --------------------------------------------------------------------------------------------------

void mb_jw_raw(mb_jw *w, const char *json, size_t len) {
    separate(w);
    mb_buf_put(w->out, json, len);
}

void mb_jw_int(mb_jw *w, int64_t n) {
    separate(w);
    mb_buf_put_int(w->out, n);
}

void mb_jw_uint(mb_jw *w, uint64_t n) {
    separate(w);
    if (n >= 10) mb_buf_put_int(w->out, (int64_t)(n / 10)); // a tenth fits the signed type
    mb_buf_putc(w->out, (char)('0' + n % 10));
}

void mb_jw_double(mb_jw *w, double n) {
    char text[32];
    if (isfinite(n))
        mb_jw_raw(w, text, mb_json_double_text(n, text));
    else
        mb_jw_null(w);
}

void mb_jw_bool(mb_jw *w, bool b) { mb_jw_raw(w, b ? "true" : "false", b ? 4 : 5); }

void mb_jw_null(mb_jw *w) { mb_jw_raw(w, "null", 4); }

static void write_children(mb_jw *w, const mb_json *v) {
    for (uint32_t i = 0; i < v->count; i++) {
        if (v->type == MB_JSON_OBJECT) put_key(w, v->children[i].key, v->children[i].key_len);
        mb_jw_value(w, &v->children[i]);
    }
}

// Recurses, as deep as trees are: MB_LIMIT_JSON_DEPTH.
void mb_jw_value(mb_jw *w, const mb_json *v) {
    switch (v ? v->type : MB_JSON_NULL) {
    case MB_JSON_BOOL: mb_jw_bool(w, v->boolean); break;
    case MB_JSON_INT: mb_jw_int(w, v->integer); break;
    case MB_JSON_UINT: mb_jw_uint(w, v->uinteger); break;
    case MB_JSON_DOUBLE: mb_jw_double(w, v->number); break;
    case MB_JSON_NUMTEXT: mb_jw_raw(w, v->str, v->len); break;
    case MB_JSON_STRING: mb_jw_strn(w, v->str, v->len); break;
    case MB_JSON_ARRAY:
        mb_jw_array(w);
        write_children(w, v);
        mb_jw_end_array(w);
        break;
    case MB_JSON_OBJECT:
        mb_jw_object(w);
        write_children(w, v);
        mb_jw_end_object(w);
        break;
    default: mb_jw_null(w);
    }
}

void mb_jw_kstr(mb_jw *w, const char *key, const char *text) {
    mb_jw_key(w, key);
    mb_jw_str(w, text);
}

void mb_jw_kstr_if(mb_jw *w, const char *key, const char *text) {
    if (text) mb_jw_kstr(w, key, text);
}

void mb_jw_kint(mb_jw *w, const char *key, int64_t n) {
    mb_jw_key(w, key);
    mb_jw_int(w, n);
}

void mb_jw_kbool(mb_jw *w, const char *key, bool b) {
    mb_jw_key(w, key);
    mb_jw_bool(w, b);
}

void mb_jw_kvalue_if(mb_jw *w, const char *key, const mb_json *v) {
    if (!v) return;
    mb_jw_key(w, key);
    mb_jw_value(w, v);
}
