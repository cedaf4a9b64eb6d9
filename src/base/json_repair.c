// SPDX-License-Identifier: MIT
// The slow readers of JSON text: the one that mends what simdjson refuses although others send it, and the one that
// finds where a text stops being JSON.
#include "base/json_parts.h"

#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

size_t mb_json_string_end(const char *text, size_t len, size_t at) {
    for (at++; at < len && text[at] != '"'; at++)
        if (text[at] == '\\') at++;
    return at < len ? at + 1 : len;
}

size_t mb_json_number_end(const char *text, size_t len, size_t at) {
    while (at < len && (is_digit(text[at]) || (text[at] && strchr("+-.eE", text[at])))) at++;
    return at;
}

// The value of \uXXXX at text[at]; -1 if that is not there.
static int hex4(const char *text, size_t len, size_t at) {
    int value = 0;
    if (len - at < 6 || text[at] != '\\' || text[at + 1] != 'u') return -1;
    for (size_t i = at + 2; i < at + 6; i++) {
        char c = text[i], low = (char)(c | 0x20);
        if (is_digit(c))
            value = value * 16 + (c - '0');
        else if (low >= 'a' && low <= 'f')
            value = value * 16 + (low - 'a' + 10);
        else
            return -1;
    }
    return value;
}

int mb_json_escape(const char *text, size_t len, size_t at) {
    int first = hex4(text, len, at);
    if (first < 0) return 0;
    if (first < 0xD800 || first > 0xDFFF) return 6;
    if (first > 0xDBFF) return -6;
    int second = hex4(text, len, at + 6);
    return second >= 0xDC00 && second <= 0xDFFF ? 12 : -6;
}

// ---- mending -------------------------------------------------------------------------------------------------------

// Copies the string that starts at text[at]; returns where it ends.
static size_t mend_string(const char *text, size_t len, size_t at, mb_buf *out, bool *repaired) {
    size_t end = mb_json_string_end(text, len, at), from = at;
    for (int n; at < end; at += (size_t)n) {
        unsigned char c = (unsigned char)text[at];
        n = c == '\\' ? mb_json_escape(text, end, at) : c >= 0x80 ? mb_utf8_next(text + at, end - at) : 1;
        if (n == 0) n = at + 1 < end ? 2 : 1; // another escape: its second byte may be a quote or a backslash
        if (n > 0) continue;
        mb_buf_put(out, text + from, at - from);
        mb_buf_puts(out, c == '\\' ? "\\ufffd" : "\xEF\xBF\xBD");
        n = -n;
        from = at + (size_t)n;
        *repaired = true;
    }
    mb_buf_put(out, text + from, end - from);
    return end;
}

// Copies the number that starts at text[at], as a string if no type holds it; returns where it ends.
static size_t mend_number(const char *text, size_t len, size_t at, mb_buf *out, bool *is_text) {
    mb_json number;
    size_t end = mb_json_number_end(text, len, at);
    *is_text = mb_json_number(text + at, end - at, &number) && number.type == MB_JSON_NUMTEXT;
    if (*is_text) mb_buf_putc(out, '"');
    mb_buf_put(out, text + at, end - at);
    if (*is_text) mb_buf_putc(out, '"');
    return end;
}

bool mb_json_repair(const char *text, size_t len, mb_buf *out, mb_buf *marks) {
    size_t at = len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    bool repaired = at > 0, is_text;
    uint32_t strings = 0;
    while (at < len && mb_buf_ok(out)) {
        if (text[at] == '"') {
            at = mend_string(text, len, at, out, &repaired);
            strings++;
        } else if (text[at] == '-' || is_digit(text[at])) {
            at = mend_number(text, len, at, out, &is_text);
            if (!is_text) continue;
            mb_buf_put(marks, &strings, sizeof strings);
            strings++;
            repaired = true;
        } else {
            mb_buf_putc(out, text[at++]);
        }
    }
    return repaired;
}

// ---- finding the fault ---------------------------------------------------------------------------------------------
//
//   VALUE ──scalar──▶ AFTER ──','──▶ VALUE or KEY         AFTER ──the last bracket closes──▶ END
//     │ '['                  ──']' '}'──▶ AFTER
//     ├────▶ FIRST_VALUE ──']'──▶ AFTER
//     │ '{'
//     └────▶ FIRST_KEY ──'}'──▶ AFTER          FIRST_KEY, KEY ──string──▶ COLON ──':'──▶ VALUE
//
typedef enum {
    VALUE,       // a value must come
    FIRST_VALUE, // a value, or the end of the array that has just begun
    FIRST_KEY,   // a key, or the end of the object that has just begun
    KEY,         // a comma was read: a key must come
    COLON,       // a key was read
    AFTER,       // a value inside a container was read: a comma or the container's end
    END,         // the document is complete: only blanks may follow
} place;

typedef struct reader {
    const char *text;
    size_t len, at;
    const char *what; // the fault
    int depth;
    bool is_object[MB_LIMIT_JSON_DEPTH];
} reader;

static void read_string(reader *r) {
    for (r->at++; r->at < r->len && r->text[r->at] != '"';) {
        unsigned char c = (unsigned char)r->text[r->at];
        int n = 1;
        if (c < 0x20) r->what = "a control character inside a string (write it as \\n, \\t or \\u00..)";
        if (c >= 0x80 && (n = mb_utf8_next(r->text + r->at, r->len - r->at)) < 0) r->what = "bytes that are not UTF-8";
        if (c == '\\' && (n = mb_json_escape(r->text, r->len, r->at)) < 0) r->what = "half of a surrogate pair";
        if (n == 0) {
            n = 2;
            char escaped = r->at + 1 < r->len ? r->text[r->at + 1] : '\0';
            if (!escaped || !strchr("\"\\/bfnrt", escaped)) r->what = "an unknown escape in a string";
        }
        if (r->what) return;
        r->at += (size_t)n;
    }
    if (r->at >= r->len)
        r->what = "the end of the text inside a string";
    else
        r->at++;
}

static void read_scalar(reader *r) {
    static const char *const WORDS[] = {"true", "false", "null"};
    const char *text = r->text + r->at;
    size_t left = r->len - r->at;
    if (*text == '"') {
        read_string(r);
        return;
    }
    for (size_t i = 0; i < 3; i++) {
        size_t n = strlen(WORDS[i]);
        if (left < n || memcmp(text, WORDS[i], n) != 0) continue;
        r->at += n;
        return;
    }
    mb_json number;
    size_t n = mb_json_number_end(text, left, 0);
    if (n == 0)
        r->what = "a value was expected";
    else if (!mb_json_number(text, n, &number))
        r->what = "a number that JSON does not know";
    else if (number.type == MB_JSON_NUMTEXT)
        r->what = "a number too large for 64 bits";
    else
        r->at += n;
}

static place after_value(const reader *r) { return r->depth ? AFTER : END; }

static place open_container(reader *r) {
    if (r->depth == MB_LIMIT_JSON_DEPTH) {
        r->what = "more than 128 levels of nesting";
        return END;
    }
    bool is_object = r->text[r->at++] == '{';
    r->is_object[r->depth++] = is_object;
    return is_object ? FIRST_KEY : FIRST_VALUE;
}

static place close_container(reader *r) {
    r->at++;
    r->depth--;
    return after_value(r);
}

// One token at a place where a value, or what follows one, stands.
static place read_value(reader *r, place now) {
    char c = r->text[r->at];
    if (now == FIRST_VALUE && c == ']') return close_container(r);
    if (c == '[' || c == '{') return open_container(r);
    read_scalar(r);
    return after_value(r);
}

static place read_key(reader *r, place now) {
    char c = r->text[r->at];
    if (now == FIRST_KEY && c == '}') return close_container(r);
    if (c == '"')
        read_string(r);
    else
        r->what = "a key in double quotes was expected";
    return COLON;
}

static place read_after(reader *r) {
    char c = r->text[r->at];
    bool in_object = r->is_object[r->depth - 1];
    if (c == (in_object ? '}' : ']')) return close_container(r);
    if (c == ',')
        r->at++;
    else
        r->what = in_object ? "a comma or } was expected" : "a comma or ] was expected";
    return in_object ? KEY : VALUE;
}

size_t mb_json_fault(const char *text, size_t len, const char **ret_what) {
    reader r = {.text = text, .len = len};
    for (place now = VALUE; !r.what;) {
        while (r.at < len && is_blank(text[r.at])) r.at++;
        if (r.at == len) {
            if (now != END) r.what = len ? "the end of the text where more must come" : "an empty text";
            break;
        }
        switch (now) {
        case VALUE:
        case FIRST_VALUE: now = read_value(&r, now); break;
        case KEY:
        case FIRST_KEY: now = read_key(&r, now); break;
        case COLON:
            if (text[r.at] == ':')
                r.at++;
            else
                r.what = "a colon was expected";
            now = VALUE;
            break;
        case AFTER: now = read_after(&r); break;
        case END: r.what = "something behind the end of the document"; break;
        }
    }
    *ret_what = r.what;
    return r.at;
}
