// SPDX-License-Identifier: MIT
// A scanner that knows where a value ends; all reading is built on that.
#include "json.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 200 };

static const char *skip_space(const char *p, const char *end) {
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r')) p++;
    return p;
}

static const char *skip_string(const char *p, const char *end) {
    for (p++; p < end && *p != '"'; p++) {
        if ((unsigned char)*p < 0x20) return NULL;
        if (*p == '\\' && ++p == end) return NULL;
    }
    return p < end ? p + 1 : NULL;
}

static const char *skip_plain(const char *p, const char *end) {
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < 3; i++) {
        size_t len = strlen(words[i]);
        if ((size_t)(end - p) >= len && memcmp(p, words[i], len) == 0) return p + len;
    }
    const char *from = p;
    while (p < end && *p && strchr("0123456789+-.eE", *p)) p++;
    return p > from ? p : NULL;
}

static const char *skip_value(const char *p, const char *end, int depth);

static const char *skip_container(const char *p, const char *end, int depth) {
    char close = *p == '{' ? '}' : ']';
    p = skip_space(p + 1, end);
    if (p < end && *p == close) return p + 1;
    while (p < end) {
        if (close == '}') {
            if (*p != '"' || !(p = skip_string(p, end))) return NULL;
            p = skip_space(p, end);
            if (p == end || *p != ':') return NULL;
            p = skip_space(p + 1, end);
        }
        if (!(p = skip_value(p, end, depth + 1))) return NULL;
        p = skip_space(p, end);
        if (p == end) return NULL;
        if (*p == close) return p + 1;
        if (*p != ',') return NULL;
        p = skip_space(p + 1, end);
    }
    return NULL;
}

static const char *skip_value(const char *p, const char *end, int depth) {
    if (p >= end || depth > MAX_DEPTH) return NULL;
    if (*p == '"') return skip_string(p, end);
    if (*p == '{' || *p == '[') return skip_container(p, end, depth);
    return skip_plain(p, end);
}

cli_json json_root(const char *str, size_t len) {
    if (!str) return (cli_json){0};
    const char *end = str + len, *from = skip_space(str, end), *to = skip_value(from, end, 0);
    return to ? (cli_json){from, (size_t)(to - from)} : (cli_json){0};
}

bool json_is_valid(const char *str, size_t len) {
    cli_json root = json_root(str, len);
    return root.at && skip_space(root.at + root.len, str + len) == str + len;
}

bool json_next(cli_json container, cli_json *key, cli_json *value) {
    if (!container.at || (*container.at != '{' && *container.at != '[')) return false;
    const char *end = container.at + container.len;
    const char *p = skip_space(value->at ? value->at + value->len : container.at + 1, end);
    if (value->at && p < end && *p == ',') p = skip_space(p + 1, end);
    *key = (cli_json){0};
    if (p >= end || *p == '}' || *p == ']') return false;
    if (*container.at == '{') {
        const char *to = skip_string(p, end);
        if (!to) return false;
        *key = (cli_json){p, (size_t)(to - p)};
        p = skip_space(to, end);
        p = skip_space(p + 1, end);
    }
    const char *to = skip_value(p, end, 0);
    if (!to) return false;
    *value = (cli_json){p, (size_t)(to - p)};
    return true;
}

cli_json json_get(cli_json object, const char *path) {
    while (object.at) {
        size_t len = strcspn(path, ".");
        cli_json key = {0}, value = {0}, found = {0};
        while (!found.at && json_next(object, &key, &value))
            if (key.at && key.len == len + 2 && memcmp(key.at + 1, path, len) == 0) found = value;
        object = found;
        if (!path[len]) break;
        path += len + 1;
    }
    return object;
}

size_t json_count(cli_json container) {
    cli_json key = {0}, value = {0};
    size_t count = 0;
    while (json_next(container, &key, &value)) count++;
    return count;
}

bool json_is_text(cli_json value) { return value.at && *value.at == '"'; }
bool json_is_true(cli_json value) { return value.at && *value.at == 't'; }

double json_real(cli_json value, double fallback) {
    if (!value.at || !strchr("-0123456789", *value.at)) return fallback;
    return strtod(value.at, NULL);
}

int64_t json_int(cli_json value, int64_t fallback) {
    if (!value.at || !strchr("-0123456789", *value.at)) return fallback;
    return strtoll(value.at, NULL, 10);
}

static void put_code(cli_text *t, unsigned code) {
    char out[4];
    size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = n; i-- > 1; code >>= 6) out[i] = (char)(0x80 | (code & 63));
    out[0] = (char)(n == 1 ? code : (0xf00u >> n & 0xffu) | code);
    text_put(t, out, n);
}

static unsigned hex4(const char *p) {
    char digits[5] = {p[0], p[1], p[2], p[3], 0};
    return (unsigned)strtoul(digits, NULL, 16);
}

// The escape at p (its backslash); returns the last byte that belongs to it.
static const char *put_escape(cli_text *t, const char *p, const char *end) {
    static const char letters[] = "bfnrt", bytes[] = "\b\f\n\r\t";
    const char *letter = strchr(letters, p[1]);
    if (p[1] != 'u' || end - p < 6) {
        text_put(t, letter && *letter ? &bytes[letter - letters] : p + 1, 1);
        return p + 1;
    }
    unsigned code = hex4(p + 2);
    if (code >= 0xd800 && code < 0xdc00 && end - p >= 12 && p[6] == '\\' && p[7] == 'u') {
        put_code(t, 0x10000 + ((code - 0xd800) << 10) + (hex4(p + 8) - 0xdc00));
        return p + 11;
    }
    put_code(t, code >= 0xd800 && code < 0xe000 ? 0xfffd : code);
    return p + 5;
}

void json_put(cli_text *t, cli_json value) {
    if (!value.at || *value.at == 'n') return;
    if (*value.at != '"') {
        text_put(t, value.at, value.len);
        return;
    }
    const char *end = value.at + value.len - 1;
    for (const char *p = value.at + 1; p < end; p++) {
        if (*p == '\\')
            p = put_escape(t, p, end);
        else
            text_put(t, p, 1);
    }
}

char *json_dup(cli_json object, const char *path) {
    cli_json value = json_get(object, path);
    cli_text t = {0};
    if (!value.at || *value.at == 'n') return NULL;
    text_put(&t, "", 0);
    json_put(&t, value);
    return t.data;
}

static void pretty(cli_text *t, cli_json value, int depth) {
    cli_json key = {0}, item = {0};
    bool is_first = true;
    if (!value.at) return;
    if ((*value.at != '{' && *value.at != '[') || !json_next(value, &key, &item)) {
        text_put(t, value.at, value.len);
        return;
    }
    text_put(t, value.at, 1);
    do {
        text_format(t, "%s\n%*s", is_first ? "" : ",", (depth + 1) * 2, "");
        is_first = false;
        if (key.at) text_put(t, key.at, key.len), text_str(t, ": ");
        pretty(t, item, depth + 1);
    } while (json_next(value, &key, &item));
    text_format(t, "\n%*s%c", depth * 2, "", *value.at == '{' ? '}' : ']');
}

void json_pretty(cli_text *t, cli_json value) { pretty(t, value, 0); }
