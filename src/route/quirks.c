// SPDX-License-Identifier: MIT
// A row is the wire's defaults, then the kind's own keys (providers.json, built into the library), then the overrides
// of the configuration: the same keys, the last one wins. A kind that is asked by another wire than its own ("wire"
// among the overrides) keeps what is true of the server, and loses what was true of its own wire.
#include "route/quirks.h"

#include <stddef.h>
#include <string.h>

#include "base/alloc.h"
#include "route/nearest.h"

extern const char mb_providers_json[]; // providers.json, made a C file by the build (embed_json.sed)

typedef enum { TEXT, FLAG, NUMBER, LIST } field_type;

typedef struct field {
    const char *key;
    field_type type;
    size_t offset;
} field;

#define FIELD(type, name)                                                                                              \
    { #name, type, offsetof(mb_quirks, name) }

static const field FIELDS[] = {
    FIELD(TEXT, wire),
    FIELD(TEXT, base_url),
    FIELD(TEXT, key_env),
    FIELD(TEXT, key_env_also),
    FIELD(TEXT, auth_header),
    FIELD(TEXT, auth_prefix),
    FIELD(FLAG, key_needed),
    FIELD(FLAG, local),
    FIELD(TEXT, default_model),
    FIELD(TEXT, chat_path),
    FIELD(TEXT, completion_path),
    FIELD(TEXT, embed_path),
    FIELD(TEXT, models_path),
    FIELD(TEXT, stream_path),
    FIELD(TEXT, rerank_path),
    FIELD(TEXT, count_path),
    FIELD(TEXT, top_n_key),
    FIELD(TEXT, api_version),
    FIELD(TEXT, sign),
    FIELD(TEXT, health_path),
    FIELD(TEXT, props_path),
    FIELD(TEXT, slots_path),
    FIELD(TEXT, tokenize_path),
    FIELD(TEXT, metrics_path),
    FIELD(TEXT, version_path),
    FIELD(TEXT, load_path),
    FIELD(TEXT, unload_path),
    FIELD(FLAG, lists_all),
    FIELD(TEXT, default_tag),
    FIELD(TEXT, tokenize_key),
    FIELD(TEXT, embed_encoding),
    FIELD(TEXT, max_tokens_key),
    FIELD(TEXT, thinking_key),
    FIELD(TEXT, thinking_echo_key),
    FIELD(FLAG, include_usage),
    FIELD(FLAG, say_parallel),
    FIELD(FLAG, cache_parts),
    FIELD(TEXT, sampling_key),
    FIELD(TEXT, embed_input),
    FIELD(TEXT, embed_output),
    FIELD(FLAG, embed_rows),
    FIELD(TEXT, prefill),
    FIELD(FLAG, null_content_ok),
    FIELD(LIST, unsupported),
    FIELD(LIST, drop),
    FIELD(NUMBER, default_max_tokens),
    FIELD(NUMBER, call_id_max),
};

#define LIST_MAX (MB_COUNT(((mb_quirks *)0)->unsupported) - 1)

static int set_text(mb_arena *arena, const char **to, const mb_json *v, membrane_error **err) {
    if (v->type == MB_JSON_NULL) {
        *to = NULL;
        return 0;
    }
    if (v->type != MB_JSON_STRING)
        return mb_error_set(err, MEMBRANE_ECONFIG, "quirks.%s must be a string or null", v->key);
    *to = mb_arena_strdup(arena, v->str);
    return *to ? 0 : mb_error_no_memory(err);
}

static int set_list(mb_arena *arena, const char **to, const mb_json *v, membrane_error **err) {
    if (v->type != MB_JSON_ARRAY || v->count > LIST_MAX)
        return mb_error_set(err, MEMBRANE_ECONFIG, "quirks.%s must be a list of at most %zu names", v->key, LIST_MAX);
    for (uint32_t i = 0; i < v->count; i++) {
        if (v->children[i].type != MB_JSON_STRING)
            return mb_error_set(err, MEMBRANE_ECONFIG, "quirks.%s must be a list of names", v->key);
        to[i] = mb_arena_strdup(arena, v->children[i].str);
        if (!to[i]) return mb_error_no_memory(err);
    }
    to[v->count] = NULL;
    return 0;
}

static int set_flag(bool *to, const mb_json *v, membrane_error **err) {
    if (v->type != MB_JSON_BOOL) return mb_error_set(err, MEMBRANE_ECONFIG, "quirks.%s must be true or false", v->key);
    *to = v->boolean;
    return 0;
}

static int unknown_key(const char *key, membrane_error **err) {
    const char *known[MB_COUNT(FIELDS)];
    for (size_t i = 0; i < MB_COUNT(FIELDS); i++) known[i] = FIELDS[i].key;
    const char *nearest = mb_nearest(key, known, MB_COUNT(known));
    return nearest ? mb_error_set(err, MEMBRANE_ECONFIG, "quirks.%s: unknown key; did you mean \"%s\"?", key, nearest)
                   : mb_error_set(err, MEMBRANE_ECONFIG, "quirks.%s: unknown key", key);
}

static int set_number(int64_t *to, const mb_json *v, membrane_error **err) {
    int64_t n = mb_json_int(v, -1);
    if (n < 0) return mb_error_set(err, MEMBRANE_ECONFIG, "quirks.%s must be a whole number", v->key);
    *to = n;
    return 0;
}

static int set_field(mb_arena *arena, mb_quirks *q, const mb_json *v, membrane_error **err) {
    for (size_t i = 0; i < MB_COUNT(FIELDS); i++) {
        if (strcmp(FIELDS[i].key, v->key) != 0) continue;
        void *to = (char *)q + FIELDS[i].offset;
        switch (FIELDS[i].type) {
        case TEXT: return set_text(arena, to, v, err);
        case FLAG: return set_flag(to, v, err);
        case NUMBER: return set_number(to, v, err);
        case LIST: return set_list(arena, to, v, err);
        }
    }
    return unknown_key(v->key, err);
}

static int apply(mb_arena *arena, mb_quirks *q, const mb_json *row, membrane_error **err) {
    int status = 0;
    for (uint32_t i = 0; row && i < row->count && status == 0; i++)
        status = set_field(arena, q, &row->children[i], err);
    return status;
}

static int unknown_kind(const mb_json *kinds, const char *kind, membrane_error **err) {
    const char *known[64] = {0};
    for (uint32_t i = 0; i < kinds->count && i < MB_COUNT(known); i++) known[i] = kinds->children[i].key;
    const char *nearest = mb_nearest(kind, known, MB_COUNT(known));
    mb_error_set(err, MEMBRANE_ECONFIG, "unknown kind of provider \"%s\"", kind);
    if (err && nearest)
        mb_error_hint(*err, "did you mean \"%s\"?", nearest);
    else if (err)
        mb_error_hint(*err, "a server that speaks OpenAI's wire is of kind openai-compatible");
    return MEMBRANE_ECONFIG;
}

// What a row says of the way its own wire is spoken, not of the server.
static bool is_of_wire(const char *key) {
    static const char *const KEYS[] = {
        "chat_path",     "completion_path", "embed_path",     "stream_path",     "rerank_path",  "count_path",
        "top_n_key",     "api_version",     "embed_encoding", "max_tokens_key",  "thinking_key", "thinking_echo_key",
        "include_usage", "say_parallel",    "cache_parts",    "null_content_ok", "unsupported",  "drop",
        "sampling_key",  "prefill",         "embed_input",    "embed_output",    "embed_rows"};
    for (size_t i = 0; i < MB_COUNT(KEYS); i++)
        if (strcmp(KEYS[i], key) == 0) return true;
    return false;
}

static int apply_row(mb_arena *arena, mb_quirks *q, const mb_json *row, bool own_wire, membrane_error **err) {
    int status = 0;
    for (uint32_t i = 0; i < row->count && status == 0; i++)
        if (own_wire || !is_of_wire(row->children[i].key)) status = set_field(arena, q, &row->children[i], err);
    return status;
}

static int build(mb_arena *arena, const mb_json *all, const char *kind, const mb_json *overrides, mb_quirks *q,
                 membrane_error **err) {
    const mb_json *kinds = mb_json_get(all, "kinds"), *row = mb_json_get(kinds, kind);
    if (!row) return unknown_kind(kinds, kind, err);
    if (overrides && overrides->type != MB_JSON_OBJECT)
        return mb_error_set(err, MEMBRANE_ECONFIG, "quirks must be an object, not %s", mb_json_type_name(overrides));
    q->kind = mb_arena_strdup(arena, kind);
    if (!q->kind) return mb_error_no_memory(err);
    const char *own = mb_json_get_str(row, "wire"), *wire = mb_json_get_str(overrides, "wire");
    if (!wire) wire = own;
    int status = apply(arena, q, mb_json_get(mb_json_get(all, "wires"), wire), err);
    if (status == 0) status = apply_row(arena, q, row, strcmp(wire, own) == 0, err);
    if (status == 0) status = apply(arena, q, overrides, err);
    return status;
}

const mb_json *mb_quirks_table(mb_arena *arena, membrane_error **err) {
    const mb_json *table;
    return mb_json_parse(arena, mb_providers_json, strlen(mb_providers_json), &table, err) == 0 ? table : NULL;
}

int mb_quirks_load_from(const mb_json *table, mb_arena *arena, const char *kind, const mb_json *overrides,
                        const mb_quirks **ret, membrane_error **err) {
    mb_quirks *q = mb_arena_zalloc(arena, sizeof *q);
    if (!q) return mb_error_no_memory(err);
    int status = build(arena, table, kind ? kind : "", overrides, q, err);
    if (status == 0) *ret = q;
    return status;
}

int mb_quirks_load(mb_arena *arena, const char *kind, const mb_json *overrides, const mb_quirks **ret,
                   membrane_error **err) {
    mb_arena own = {0};
    const mb_json *table = mb_quirks_table(&own, err);
    int status = table ? mb_quirks_load_from(table, arena, kind, overrides, ret, err) : MEMBRANE_ENOMEM;
    mb_arena_free(&own);
    return status;
}

const char *const *mb_quirks_names(const mb_json *table, mb_arena *arena) {
    const mb_json *kinds = mb_json_get(table, "kinds");
    const char **names = kinds ? mb_arena_zalloc(arena, (kinds->count + 1) * sizeof *names) : NULL;
    for (uint32_t i = 0; names && i < kinds->count; i++)
        if (!(names[i] = mb_arena_strdup(arena, kinds->children[i].key))) names = NULL;
    return names;
}

const char *const *mb_quirks_kinds(mb_arena *arena) {
    mb_arena own = {0};
    const char *const *names = mb_quirks_names(mb_quirks_table(&own, NULL), arena);
    mb_arena_free(&own);
    return names;
}
