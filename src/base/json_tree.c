// SPDX-License-Identifier: MIT
// Looking into a tree. Trees are read-only and at most MB_LIMIT_JSON_DEPTH deep, so the walkers here may recurse.
#include "base/json.h"

#include <math.h>
#include <string.h>

#include "base/json_parts.h"
#include "base/limits.h"

// ---- looking up ----------------------------------------------------------------------------------------------------

const mb_json *mb_json_get_n(const mb_json *object, const char *key, size_t len) {
    if (!mb_json_is(object, MB_JSON_OBJECT)) return NULL;
    for (uint32_t i = object->count; i-- > 0;) {
        const mb_json *m = &object->children[i];
        if (m->key_len == len && memcmp(m->key, key, len) == 0) return m;
    }
    return NULL;
}

const mb_json *mb_json_at(const mb_json *array, size_t index) {
    return mb_json_is(array, MB_JSON_ARRAY) && index < array->count ? &array->children[index] : NULL;
}

// An index as path text; false where it is none.
static bool read_index(const char *text, size_t len, size_t *ret) {
    size_t index = 0;
    if (len == 0 || len > 9) return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') return false;
        index = index * 10 + (size_t)(text[i] - '0');
    }
    *ret = index;
    return true;
}

const mb_json *mb_json_path(const mb_json *root, const char *path) {
    const mb_json *v = root;
    while (v && *path) {
        size_t len = strcspn(path, "."), index;
        if (v->type != MB_JSON_ARRAY)
            v = mb_json_get_n(v, path, len);
        else
            v = read_index(path, len, &index) ? mb_json_at(v, index) : NULL;
        path += len;
        if (*path == '.') path++;
    }
    return v;
}

const char *mb_json_str(const mb_json *v) { return mb_json_is(v, MB_JSON_STRING) ? v->str : NULL; }

const char *mb_json_get_str(const mb_json *object, const char *key) { return mb_json_str(mb_json_get(object, key)); }

bool mb_json_str_is(const mb_json *v, const char *text) {
    return mb_json_is(v, MB_JSON_STRING) && v->len == strlen(text) && memcmp(v->str, text, v->len) == 0;
}

int64_t mb_json_int(const mb_json *v, int64_t fallback) {
    if (!v) return fallback;
    switch (v->type) {
    case MB_JSON_INT: return v->integer;
    case MB_JSON_UINT: return v->uinteger > INT64_MAX ? INT64_MAX : (int64_t)v->uinteger;
    case MB_JSON_DOUBLE:
        if (v->number != floor(v->number)) return fallback; // NaN too
        if (v->number >= 0x1p63) return INT64_MAX;
        if (v->number < -0x1p63) return INT64_MIN;
        return (int64_t)v->number;
    default: return fallback;
    }
}

double mb_json_double(const mb_json *v, double fallback) {
    if (!v) return fallback;
    switch (v->type) {
    case MB_JSON_INT: return (double)v->integer;
    case MB_JSON_UINT: return (double)v->uinteger;
    case MB_JSON_DOUBLE: return v->number;
    default: return fallback;
    }
}

bool mb_json_bool(const mb_json *v, bool fallback) { return mb_json_is(v, MB_JSON_BOOL) ? v->boolean : fallback; }

const char *mb_json_type_name(const mb_json *v) {
    static const char *const NAMES[] = {
        [MB_JSON_NULL] = "null",     [MB_JSON_BOOL] = "boolean",  [MB_JSON_INT] = "integer",
        [MB_JSON_UINT] = "integer",  [MB_JSON_DOUBLE] = "number", [MB_JSON_NUMTEXT] = "number",
        [MB_JSON_STRING] = "string", [MB_JSON_ARRAY] = "array",   [MB_JSON_OBJECT] = "object",
    };
    return v ? NAMES[v->type] : "nothing";
}

// ---- comparing -----------------------------------------------------------------------------------------------------

static bool double_is_int(double d, int64_t i) {
    return d >= -0x1p63 && d < 0x1p63 && d == floor(d) && (int64_t)d == i;
}

static bool double_is_uint(double d, uint64_t u) { return d >= 0 && d < 0x1p64 && d == floor(d) && (uint64_t)d == u; }

static bool same_number(const mb_json *a, const mb_json *b) {
    if (a->type > b->type) return same_number(b, a);
    if (a->type == MB_JSON_INT && b->type == MB_JSON_INT) return a->integer == b->integer;
    if (a->type == MB_JSON_INT && b->type == MB_JSON_UINT)
        return a->integer >= 0 && (uint64_t)a->integer == b->uinteger;
    if (a->type == MB_JSON_INT) return double_is_int(b->number, a->integer);
    if (a->type == MB_JSON_UINT && b->type == MB_JSON_UINT) return a->uinteger == b->uinteger;
    if (a->type == MB_JSON_UINT) return double_is_uint(b->number, a->uinteger);
    return a->number == b->number;
}

// Quadratic in the members: for schemas and requests, which have few.
static bool same_object(const mb_json *a, const mb_json *b) {
    uint32_t in_a = 0, in_b = 0; // names, each counted once
    for (uint32_t i = 0; i < a->count; i++) {
        const mb_json *m = &a->children[i];
        if (mb_json_get_n(a, m->key, m->key_len) != m) continue; // a later one of the same name counts
        const mb_json *other = mb_json_get_n(b, m->key, m->key_len);
        if (!other || !mb_json_equal(m, other)) return false;
        in_a++;
    }
    for (const mb_json *m = b->children; m < b->children + b->count; m++)
        in_b += mb_json_get_n(b, m->key, m->key_len) == m;
    return in_a == in_b;
}

bool mb_json_equal(const mb_json *a, const mb_json *b) {
    if (!a || !b) return a == b;
    if (mb_json_is_number(a) && mb_json_is_number(b)) return same_number(a, b);
    if (a->type != b->type) return false;
    switch (a->type) {
    case MB_JSON_BOOL: return a->boolean == b->boolean;
    case MB_JSON_NUMTEXT:
    case MB_JSON_STRING: return a->len == b->len && memcmp(a->str, b->str, a->len) == 0;
    case MB_JSON_OBJECT: return same_object(a, b);
    case MB_JSON_ARRAY:
        if (a->count != b->count) return false;
        for (uint32_t i = 0; i < a->count; i++)
            if (!mb_json_equal(&a->children[i], &b->children[i])) return false;
        return true;
    default: return true; // null
    }
}

// ---- copying: two blocks, one of nodes and one of text -------------------------------------------------------------

typedef struct space {
    size_t nodes, bytes;
} space;

static bool holds_text(const mb_json *v) { return v->type == MB_JSON_STRING || v->type == MB_JSON_NUMTEXT; }

static bool holds_children(const mb_json *v) { return v->type == MB_JSON_ARRAY || v->type == MB_JSON_OBJECT; }

static void measure(const mb_json *v, space *s) {
    if (holds_text(v)) s->bytes += v->len + 1;
    if (!holds_children(v)) return;
    s->nodes += v->count;
    for (uint32_t i = 0; i < v->count; i++) {
        if (v->children[i].key) s->bytes += (size_t)v->children[i].key_len + 1;
        measure(&v->children[i], s);
    }
}

static const char *copy_text(char **free_bytes, const char *text, size_t len) {
    char *copy = *free_bytes;
    memcpy(copy, text, len);
    copy[len] = '\0';
    *free_bytes += len + 1;
    return copy;
}

static void copy_into(mb_json *to, const mb_json *from, mb_json **free_nodes, char **free_bytes) {
    *to = *from;
    if (holds_text(from)) to->str = copy_text(free_bytes, from->str, from->len);
    if (!holds_children(from)) return;
    mb_json *children = *free_nodes;
    *free_nodes += from->count;
    to->children = children;
    for (uint32_t i = 0; i < from->count; i++) {
        copy_into(&children[i], &from->children[i], free_nodes, free_bytes);
        if (from->children[i].key)
            children[i].key = copy_text(free_bytes, from->children[i].key, from->children[i].key_len);
    }
}

const mb_json *mb_json_copy(mb_arena *arena, const mb_json *v) {
    space s = {1, 0};
    if (!v) return NULL;
    measure(v, &s);
    mb_json *nodes = s.nodes > SIZE_MAX / sizeof *nodes ? NULL : mb_arena_alloc(arena, s.nodes * sizeof *nodes);
    char *bytes = mb_arena_alloc(arena, s.bytes);
    if (!nodes || !bytes) return NULL;
    mb_json *rest = nodes + 1;
    copy_into(nodes, v, &rest, &bytes);
    nodes->key = NULL;
    nodes->key_len = 0;
    return nodes;
}

// ---- lines ---------------------------------------------------------------------------------------------------------

typedef struct liner {
    const char *text;
    size_t len, at;
    uint32_t line;
} liner;

// On to the next token that is a value or a key; what lies between is blank, a comma, a colon or a closing bracket.
static void next_token(liner *l) {
    for (; l->at < l->len; l->at++) {
        if (l->text[l->at] == '\n')
            l->line++;
        else if (!strchr(" \t\r,:]}", l->text[l->at]))
            return;
    }
}

static void skip_token(liner *l) {
    char c = l->at < l->len ? l->text[l->at] : '\0';
    if (c == '"')
        l->at = mb_json_string_end(l->text, l->len, l->at); // holds no newline
    else if (c == '{' || c == '[')
        l->at++;
    else
        while (l->at < l->len && !strchr(" \t\r\n,:]}", l->text[l->at])) l->at++;
}

static void number_lines(liner *l, mb_json *v) {
    next_token(l);
    v->line = l->line;
    skip_token(l);
    if (!holds_children(v)) return;
    for (uint32_t i = 0; i < v->count; i++) {
        if (v->type == MB_JSON_OBJECT) {
            next_token(l);
            skip_token(l);
        }
        number_lines(l, (mb_json *)&v->children[i]); // ours: the parser has just made it
    }
}

void mb_json_number_lines(const mb_json *root, const char *text, size_t len) {
    liner l = {text, len, 0, 1};
    if (root) number_lines(&l, (mb_json *)root);
}
