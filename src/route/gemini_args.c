// SPDX-License-Identifier: MIT
// The tree that pieces of arguments grow into. A child is found by a hash of its parent and its key, so that many
// pieces cost no more than their number; an array grows at its end only.
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "route/gemini.h"

#define NODES_MAX 16384 // of one call: more than a model writes, and bounded work
#define DEPTH_MAX (MB_LIMIT_JSON_DEPTH / 2)
#define BUCKETS   1024

typedef enum { UNSET, OBJECT, ARRAY, TEXT, VALUE } node_type;

typedef struct piece piece;
struct piece {
    piece *next;
    const char *text;
    size_t len;
};

typedef struct node node;
struct node {
    node_type type;
    const node *parent;
    const char *key; // of an object's member; NULL: an array's element
    size_t number;   // the key's length, or the element's index
    node *chain;     // in its bucket
    node *next;      // among its siblings
    node *first, *last;
    size_t count;
    piece *first_piece, *last_piece; // of a text
    bool is_open;                    // more of the text will come
    const mb_json *value;
};

struct mb_gemini_args {
    mb_arena *arena;
    node root;
    size_t nodes;
    node *buckets[BUCKETS];
};

mb_gemini_args *mb_gemini_args_new(mb_arena *arena) {
    mb_gemini_args *args = mb_arena_zalloc(arena, sizeof *args);
    if (!args) return NULL;
    args->arena = arena;
    args->root.type = OBJECT;
    return args;
}

// ---- places --------------------------------------------------------------------------------------------------------

static size_t bucket_of(const node *parent, const char *key, size_t number) {
    uint64_t hash = 14695981039346656037u ^ (uint64_t)(uintptr_t)parent >> 4; // FNV-1a
    for (size_t i = 0; key && i < number; i++) hash = (hash ^ (unsigned char)key[i]) * 1099511628211u;
    hash = (hash ^ (key ? 0 : number)) * 1099511628211u;
    return (size_t)(hash >> 32) % BUCKETS;
}

static node *find(const mb_gemini_args *args, size_t bucket, const node *parent, const char *key, size_t number) {
    for (node *n = args->buckets[bucket]; n; n = n->chain)
        if (n->parent == parent && n->number == number && (!key || memcmp(n->key, key, number) == 0)) return n;
    return NULL;
}

// The child of that key (NULL: of that index), made if it is not there.
static int child_of(mb_gemini_args *args, node *parent, const char *key, size_t number, node **ret) {
    node_type type = key ? OBJECT : ARRAY;
    if (parent->type == UNSET) parent->type = type;
    if (parent->type != type) return MEMBRANE_EMALFORMED;
    size_t bucket = bucket_of(parent, key, number);
    *ret = find(args, bucket, parent, key, number);
    if (*ret) return 0;
    if ((!key && number != parent->count) || args->nodes++ >= NODES_MAX) return MEMBRANE_EMALFORMED;
    node *n = mb_arena_zalloc(args->arena, sizeof *n);
    if (!n) return MEMBRANE_ENOMEM;
    *n = (node){.parent = parent, .number = number, .chain = args->buckets[bucket]};
    if (key && !(n->key = mb_arena_strndup(args->arena, key, number))) return MEMBRANE_ENOMEM;
    args->buckets[bucket] = n;
    if (parent->last)
        parent->last->next = n;
    else
        parent->first = n;
    parent->last = n;
    parent->count++;
    *ret = n;
    return 0;
}

// "[12]", "['a key']", "["a key"]": the step inside, *at moved behind it. False: none of these.
static bool bracket_step(const char **at, const char **ret_key, size_t *ret_number) {
    const char *p = *at + 1, *end;
    if (*p == '\'' || *p == '"') {
        end = strchr(p + 1, *p);
        if (!end || end[1] != ']') return false;
        *ret_key = p + 1;
        *ret_number = (size_t)(end - p - 1);
        *at = end + 2;
        return true;
    }
    size_t digits = strspn(p, "0123456789"), number = 0;
    if (digits == 0 || digits > 9 || p[digits] != ']') return false;
    for (size_t i = 0; i < digits; i++) number = 10 * number + (size_t)(p[i] - '0');
    *ret_key = NULL;
    *ret_number = number;
    *at = p + digits + 1;
    return true;
}

static int find_place(mb_gemini_args *args, const char *path, node **ret) {
    node *at = &args->root;
    int status = 0;
    if (*path == '$') path++;
    for (size_t depth = 0; *path && status == 0; depth++) {
        const char *key = path + (*path == '.');
        size_t number = strcspn(key, ".[");
        if (depth == DEPTH_MAX) return MEMBRANE_EMALFORMED;
        if (*path == '[') {
            if (!bracket_step(&path, &key, &number)) return MEMBRANE_EMALFORMED;
        } else {
            if (number == 0) return MEMBRANE_EMALFORMED;
            path = key + number;
        }
        status = child_of(args, at, key, number, &at);
    }
    *ret = at;
    return status == 0 && at == &args->root ? MEMBRANE_EMALFORMED : status;
}

// ---- values --------------------------------------------------------------------------------------------------------

static int add_text(mb_gemini_args *args, node *at, const mb_json *text, bool more) {
    if (at->type == TEXT && !at->is_open) at->first_piece = at->last_piece = NULL; // said anew
    if (at->type != UNSET && at->type != TEXT) return MEMBRANE_EMALFORMED;
    at->type = TEXT;
    at->is_open = more;
    if (text->len == 0) return 0;
    piece *p = mb_arena_alloc(args->arena, sizeof *p);
    if (!p) return MEMBRANE_ENOMEM;
    *p = (piece){.text = mb_arena_strndup(args->arena, text->str, text->len), .len = text->len};
    if (!p->text) return MEMBRANE_ENOMEM;
    if (at->last_piece)
        at->last_piece->next = p;
    else
        at->first_piece = p;
    at->last_piece = p;
    return 0;
}

static int set_value(mb_gemini_args *args, node *at, const mb_json *value) {
    if (at->type != UNSET && at->type != VALUE) return MEMBRANE_EMALFORMED;
    at->type = VALUE;
    at->value = mb_json_copy(args->arena, value);
    return at->value ? 0 : MEMBRANE_ENOMEM;
}

int mb_gemini_args_add(mb_gemini_args *args, const mb_json *said) {
    static const mb_json NOTHING = {.type = MB_JSON_NULL};
    static const char *const VALUES[] = {"numberValue", "boolValue"};
    const mb_json *path = mb_json_get(said, "jsonPath"), *text = mb_json_get(said, "stringValue"), *value = NULL;
    node *at;
    if (!mb_json_is(path, MB_JSON_STRING)) return MEMBRANE_EMALFORMED;
    int status = find_place(args, path->str, &at);
    if (status != 0) return status;
    if (mb_json_is(text, MB_JSON_STRING))
        return add_text(args, at, text, mb_json_bool(mb_json_get(said, "willContinue"), false));
    for (size_t i = 0; i < MB_COUNT(VALUES) && !value; i++) value = mb_json_get(said, VALUES[i]);
    if (value) return value->type >= MB_JSON_ARRAY ? MEMBRANE_EMALFORMED : set_value(args, at, value);
    return mb_json_get(said, "nullValue") ? set_value(args, at, &NOTHING) : 0;
}

// ---- writing -------------------------------------------------------------------------------------------------------

static void put_text(mb_jw *w, const node *n) {
    mb_buf text = MB_BUF(MB_LIMIT_STREAM_EVENT);
    for (const piece *p = n->first_piece; p; p = p->next) mb_buf_put(&text, p->text, p->len);
    mb_jw_strn(w, mb_buf_text(&text), text.len);
    if (!mb_buf_ok(&text)) w->out->failed = text.failed;
    mb_buf_free(&text);
}

static void put_node(mb_jw *w, const node *n) { // no deeper than DEPTH_MAX
    switch (n->type) {
    case UNSET: mb_jw_null(w); break;
    case TEXT: put_text(w, n); break;
    case VALUE: mb_jw_value(w, n->value); break;
    case OBJECT:
        mb_jw_object(w);
        for (const node *c = n->first; c; c = c->next) {
            mb_jw_key(w, c->key);
            put_node(w, c);
        }
        mb_jw_end_object(w);
        break;
    case ARRAY:
        mb_jw_array(w);
        for (const node *c = n->first; c; c = c->next) put_node(w, c);
        mb_jw_end_array(w);
        break;
    }
}

void mb_gemini_args_write(const mb_gemini_args *args, mb_jw *w) { put_node(w, &args->root); }
