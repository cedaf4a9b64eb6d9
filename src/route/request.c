// SPDX-License-Identifier: MIT
// Checking is a walk over tables of keys. The path to where it stands is a list on the C stack, from the leaf up, and
// is written out only for an error.
#include "route/request.h"

#include <stdarg.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/map.h"
#include "route/nearest.h"

#define KIND(k)  (1u << (k))
#define CHAT     KIND(MB_ASK_CHAT)
#define COMPLETE KIND(MB_ASK_COMPLETION)
#define EMBED    KIND(MB_ASK_EMBED)
#define RERANK   KIND(MB_ASK_RERANK)
#define COUNT    KIND(MB_ASK_COUNT_TOKENS)
#define TALK     (CHAT | COMPLETE)
#define ANY      (~0u)

#define TYPE(t)  (1u << MB_JSON_##t)
#define T_STR    TYPE(STRING)
#define T_BOOL   TYPE(BOOL)
#define T_INT    (TYPE(INT) | TYPE(UINT))
#define T_NUMBER (T_INT | TYPE(DOUBLE))
#define T_ARRAY  TYPE(ARRAY)
#define T_OBJECT TYPE(OBJECT)
#define T_NULL   TYPE(NULL)

typedef struct place {
    const struct place *up;
    const char *key; // NULL: index
    size_t index;
} place;

typedef struct rule {
    const char *key;
    unsigned types, kinds;
    int (*check)(const place *at, const mb_json *v, membrane_error **err); // may be NULL
} rule;

// ---- saying what is wrong ------------------------------------------------------------------------------------------

static void put_place(mb_buf *out, const place *at) {
    if (at->up) {
        put_place(out, at->up);
        if (out->len) mb_buf_putc(out, '.');
    }
    if (at->key)
        mb_buf_puts(out, at->key);
    else
        mb_buf_put_int(out, (int64_t)at->index);
}

static int __attribute__((format(printf, 3, 4))) wrong(const place *at, membrane_error **err, const char *format, ...) {
    mb_buf text = MB_BUF(MB_LIMIT_ERROR_TEXT);
    put_place(&text, at);
    if (text.len) mb_buf_puts(&text, ": ");
    va_list args;
    va_start(args, format);
    mb_buf_vputf(&text, format, args);
    va_end(args);
    int status =
        mb_error_set(err, text.failed == MEMBRANE_ENOMEM ? MEMBRANE_ENOMEM : MEMBRANE_EINVAL, "%s", mb_buf_text(&text));
    mb_buf_free(&text);
    return status;
}

static int wrong_type(const place *at, const mb_json *v, unsigned types, membrane_error **err) {
    static const struct {
        unsigned type;
        const char *name;
    } NAMES[] = {{T_STR, "a string"},   {T_BOOL, "true or false"}, {T_NUMBER, "a number"}, {T_INT, "a whole number"},
                 {T_ARRAY, "an array"}, {T_OBJECT, "an object"},   {T_NULL, "null"}};
    mb_buf want = MB_BUF(256);
    for (size_t i = 0; i < MB_COUNT(NAMES); i++) {
        if ((types & NAMES[i].type) != NAMES[i].type) continue;
        if (want.len) mb_buf_puts(&want, " or ");
        mb_buf_puts(&want, NAMES[i].name);
        types &= ~NAMES[i].type;
    }
    int status = wrong(at, err, "must be %s, not %s", mb_buf_text(&want), mb_json_type_name(v));
    mb_buf_free(&want);
    return status;
}

static int unknown_key(const place *at, const rule *rules, size_t count, membrane_error **err) {
    const char *known[64] = {0};
    for (size_t i = 0; i < count && i < MB_COUNT(known); i++) known[i] = rules[i].key;
    const char *nearest = mb_nearest(at->key, known, MB_COUNT(known));
    return nearest ? wrong(at, err, "unknown key; did you mean \"%s\"?", nearest) : wrong(at, err, "unknown key");
}

// ---- the walk ------------------------------------------------------------------------------------------------------

static const char *const KIND_NAMES[MB_ASK_KINDS] = {
    [MB_ASK_CHAT] = "chat",     [MB_ASK_COMPLETION] = "completion",     [MB_ASK_EMBED] = "embed",
    [MB_ASK_RERANK] = "rerank", [MB_ASK_COUNT_TOKENS] = "count_tokens",
};

static int check_member(const place *up, const mb_json *member, const rule *rules, size_t count, mb_ask_kind kind,
                        membrane_error **err) {
    place at = {up, member->key, 0};
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rules[i].key, member->key) != 0) continue;
        if (!(rules[i].kinds & KIND(kind)))
            return wrong(&at, err, "not a key of a request of kind %s", KIND_NAMES[kind]);
        if (!(rules[i].types & (1u << member->type))) return wrong_type(&at, member, rules[i].types, err);
        return rules[i].check ? rules[i].check(&at, member, err) : 0;
    }
    return unknown_key(&at, rules, count, err);
}

static int check_object(const place *at, const mb_json *v, const rule *rules, size_t count, mb_ask_kind kind,
                        membrane_error **err) {
    int status = 0;
    for (uint32_t i = 0; i < v->count && status == 0; i++)
        status = check_member(at, &v->children[i], rules, count, kind, err);
    return status;
}
#define CHECK_OBJECT(at, v, rules, err) check_object(at, v, rules, MB_COUNT(rules), MB_ASK_CHAT, err)

// Each element has one of the types and passes the check (may be NULL).
static int check_each(const place *up, const mb_json *array, unsigned types,
                      int (*check)(const place *, const mb_json *, membrane_error **), membrane_error **err) {
    int status = 0;
    for (uint32_t i = 0; i < array->count && status == 0; i++) {
        place at = {up, NULL, i};
        const mb_json *v = &array->children[i];
        if (!(types & (1u << v->type))) return wrong_type(&at, v, types, err);
        if (check) status = check(&at, v, err);
    }
    return status;
}

static int check_word(const place *at, const mb_json *v, const char *const *words, size_t count, membrane_error **err) {
    for (size_t i = 0; i < count; i++)
        if (mb_json_str_is(v, words[i])) return 0;
    mb_buf list = MB_BUF(512);
    for (size_t i = 0; i < count; i++) mb_buf_putf(&list, "%s%s", i ? ", " : "", words[i]);
    int status = wrong(at, err, "must be one of %s", mb_buf_text(&list));
    mb_buf_free(&list);
    return status;
}
#define CHECK_WORD(at, v, err, ...)                                                                                    \
    check_word(at, v, (const char *const[]){__VA_ARGS__}, MB_COUNT(((const char *const[]){__VA_ARGS__})), err)

static int need(const place *at, const mb_json *object, const char *key, membrane_error **err) {
    if (mb_json_get(object, key)) return 0;
    place missing = {at, key, 0};
    return wrong(&missing, err, "is missing");
}

// ---- small checks --------------------------------------------------------------------------------------------------

static int check_name(const place *at, const mb_json *v, membrane_error **err) {
    if (v->len == 0) return wrong(at, err, "must not be empty");
    if (v->len > MB_LIMIT_NAME) return wrong(at, err, "is longer than %d bytes", MB_LIMIT_NAME);
    return strlen(v->str) == v->len ? 0 : wrong(at, err, "holds a NUL");
}

static int check_call_id(const place *at, const mb_json *v, membrane_error **err) {
    if (v->len == 0) return wrong(at, err, "must not be empty");
    if (v->len > MB_LIMIT_CALL_ID) return wrong(at, err, "is longer than %d bytes", (int)MB_LIMIT_CALL_ID);
    return strlen(v->str) == v->len ? 0 : wrong(at, err, "holds a NUL");
}

static int check_positive(const place *at, const mb_json *v, membrane_error **err) {
    return mb_json_int(v, 0) > 0 ? 0 : wrong(at, err, "must be 1 or more");
}

static int check_share(const place *at, const mb_json *v, membrane_error **err) {
    double d = mb_json_double(v, -1);
    return d >= 0 && d <= 1 ? 0 : wrong(at, err, "must be between 0 and 1");
}

static int check_temperature(const place *at, const mb_json *v, membrane_error **err) {
    double d = mb_json_double(v, -1);
    return d >= 0 && d <= 5 ? 0 : wrong(at, err, "must be between 0 and 5");
}

static int check_texts(const place *at, const mb_json *v, membrane_error **err) {
    if (v->type != MB_JSON_ARRAY) return 0;
    if (v->count == 0) return wrong(at, err, "must not be empty");
    return check_each(at, v, T_STR, NULL, err);
}

static int check_logprobs(const place *at, const mb_json *v, membrane_error **err) {
    if (v->type == MB_JSON_BOOL) return 0;
    int64_t n = mb_json_int(v, -1);
    return n >= 0 && n <= 20 ? 0 : wrong(at, err, "must be true, false or a number of alternatives from 0 to 20");
}

static int check_thinking(const place *at, const mb_json *v, membrane_error **err) {
    static const rule RULES[] = {
        {"effort", T_STR, ANY, NULL}, {"budget_tokens", T_INT, ANY, check_positive}, {"enabled", T_BOOL, ANY, NULL}};
    if (v->type == MB_JSON_STRING) return CHECK_WORD(at, v, err, "none", "minimal", "low", "medium", "high", "max");
    return v->type == MB_JSON_OBJECT ? CHECK_OBJECT(at, v, RULES, err) : 0;
}

static int check_cache(const place *at, const mb_json *v, membrane_error **err) {
    static const rule RULES[] = {{"ttl", T_STR, ANY, NULL}};
    return v->type == MB_JSON_OBJECT ? CHECK_OBJECT(at, v, RULES, err) : 0;
}

static int check_response_format(const place *at, const mb_json *v, membrane_error **err) {
    static const rule SCHEMA[] = {{"name", T_STR, ANY, NULL},
                                  {"description", T_STR, ANY, NULL},
                                  {"schema", T_OBJECT, ANY, NULL},
                                  {"strict", T_BOOL, ANY, NULL}};
    static const rule RULES[] = {{"type", T_STR, ANY, NULL}, {"json_schema", T_OBJECT, ANY, NULL}};
    int status = CHECK_OBJECT(at, v, RULES, err);
    if (status == 0) status = need(at, v, "type", err);
    if (status != 0) return status;
    place type_at = {at, "type", 0}, schema_at = {at, "json_schema", 0};
    const mb_json *type = mb_json_get(v, "type"), *schema = mb_json_get(v, "json_schema");
    status = CHECK_WORD(&type_at, type, err, "text", "json_object", "json_schema");
    if (status != 0 || !mb_json_str_is(type, "json_schema")) return status;
    if (!schema) return wrong(&schema_at, err, "is missing");
    status = CHECK_OBJECT(&schema_at, schema, SCHEMA, err);
    return status ? status : need(&schema_at, schema, "schema", err);
}

static int check_extra_body(const place *at, const mb_json *v, membrane_error **err) {
    if (!mb_json_get(v, "stream")) return 0;
    place stream = {at, "stream", 0};
    return wrong(&stream, err, "belongs into the request itself");
}

static bool is_header_name(const char *name) {
    return *name && strspn(name, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") ==
                        strlen(name);
}

static bool is_header_value(const mb_json *v) {
    for (size_t i = 0; i < v->len; i++)
        if ((unsigned char)v->str[i] < ' ' || v->str[i] == 0x7f) return false;
    return true;
}

static int check_extra_headers(const place *up, const mb_json *v, membrane_error **err) {
    for (uint32_t i = 0; i < v->count; i++) {
        const mb_json *m = &v->children[i];
        place at = {up, m->key, 0};
        if (!is_header_name(m->key) || strlen(m->key) != m->key_len) return wrong(&at, err, "is no name of a header");
        if (m->type != MB_JSON_STRING) return wrong_type(&at, m, T_STR, err);
        if (!is_header_value(m)) return wrong(&at, err, "holds a control character");
    }
    return 0;
}

// ---- tools ---------------------------------------------------------------------------------------------------------

static int check_type_function(const place *at, const mb_json *v, membrane_error **err) {
    return CHECK_WORD(at, v, err, "function");
}

static int check_tool_function(const place *at, const mb_json *v, membrane_error **err) {
    static const rule RULES[] = {{"name", T_STR, ANY, check_name},
                                 {"description", T_STR, ANY, NULL},
                                 {"parameters", T_OBJECT, ANY, NULL},
                                 {"strict", T_BOOL, ANY, NULL}};
    int status = CHECK_OBJECT(at, v, RULES, err);
    return status ? status : need(at, v, "name", err);
}

// A tool of the caller's, or one that the provider runs itself, in the provider's own words.
static int check_tool(const place *at, const mb_json *v, membrane_error **err) {
    static const rule RULES[] = {{"type", T_STR, ANY, NULL},
                                 {"function", T_OBJECT, ANY, check_tool_function},
                                 {"raw", T_OBJECT, ANY, NULL},
                                 {"cache", T_BOOL | T_OBJECT, ANY, check_cache}};
    const mb_json *type = mb_json_get(v, "type");
    place type_at = {at, "type", 0};
    int status = CHECK_OBJECT(at, v, RULES, err);
    if (status == 0 && type) status = CHECK_WORD(&type_at, type, err, "function", "raw");
    return status ? status : need(at, v, mb_json_str_is(type, "raw") ? "raw" : "function", err);
}

static int check_tools(const place *at, const mb_json *v, membrane_error **err) {
    mb_map names = {0};
    int status = check_each(at, v, T_OBJECT, check_tool, err);
    for (uint32_t i = 0; i < v->count && status == 0; i++) {
        const char *name = mb_json_get_str(mb_json_get(&v->children[i], "function"), "name");
        place tool = {at, NULL, i};
        if (!name) continue; // the provider's own
        if (mb_map_has(&names, name))
            status = wrong(&tool, err, "the name \"%s\" stands twice", name);
        else if (!mb_map_put(&names, name, (void *)v))
            status = mb_error_no_memory(err);
    }
    mb_map_free(&names);
    return status;
}

static int check_choice_function(const place *at, const mb_json *v, membrane_error **err) {
    static const rule RULES[] = {{"name", T_STR, ANY, check_name}};
    int status = CHECK_OBJECT(at, v, RULES, err);
    return status ? status : need(at, v, "name", err);
}

static int check_tool_choice(const place *at, const mb_json *v, membrane_error **err) {
    static const rule RULES[] = {{"type", T_STR, ANY, check_type_function},
                                 {"function", T_OBJECT, ANY, check_choice_function}};
    if (v->type == MB_JSON_STRING) return CHECK_WORD(at, v, err, "auto", "none", "required");
    int status = CHECK_OBJECT(at, v, RULES, err);
    return status ? status : need(at, v, "function", err);
}

// ---- messages ------------------------------------------------------------------------------------------------------

static int check_image_url(const place *at, const mb_json *v, membrane_error **err) {
    static const rule RULES[] = {{"url", T_STR, ANY, NULL}, {"detail", T_STR, ANY, NULL}};
    int status = CHECK_OBJECT(at, v, RULES, err);
    return status ? status : need(at, v, "url", err);
}

// Its text, its bytes or where it lies: one of the three.
static int check_document(const place *at, const mb_json *v, membrane_error **err) {
    const mb_json *text = mb_json_get(v, "text"), *data = mb_json_get(v, "data"), *url = mb_json_get(v, "url");
    int ways = (text != NULL) + (data != NULL) + (url != NULL);
    if (ways == 0) return need(at, v, "text", err);
    if (ways > 1) return wrong(at, err, "holds more than one of text, data and url");
    if (text) return need(at, v, "name", err);
    return data ? need(at, v, "media_type", err) : 0;
}

#define CACHE_MARK                                                                                                     \
    { "cache", T_BOOL | T_OBJECT, ANY, check_cache }

static int check_part(const place *at, const mb_json *v, membrane_error **err) {
    static const rule TEXT[] = {{"type", T_STR, ANY, NULL}, {"text", T_STR, ANY, NULL}, CACHE_MARK};
    static const rule URL[] = {{"type", T_STR, ANY, NULL}, {"image_url", T_OBJECT, ANY, check_image_url}, CACHE_MARK};
    static const rule IMAGE[] = {
        {"type", T_STR, ANY, NULL}, {"data", T_STR, ANY, NULL}, {"media_type", T_STR, ANY, NULL}, CACHE_MARK};
    static const rule DOCUMENT[] = {{"type", T_STR, ANY, NULL},
                                    {"name", T_STR, ANY, NULL},
                                    {"text", T_STR, ANY, NULL},
                                    {"data", T_STR, ANY, NULL},
                                    {"media_type", T_STR, ANY, NULL},
                                    {"url", T_STR, ANY, NULL},
                                    CACHE_MARK};
    static const rule THINKING[] = {
        {"type", T_STR, ANY, NULL}, {"thinking", T_STR, ANY, NULL}, {"signature", T_STR, ANY, NULL}};
    static const rule RAW[] = {{"type", T_STR, ANY, NULL}, {"raw", T_OBJECT, ANY, NULL}};
    static const struct {
        const char *type;
        const rule *rules;
        size_t count;
        const char *needs[2];
    } PARTS[] = {
        {"text", TEXT, MB_COUNT(TEXT), {"text", NULL}},
        {"image_url", URL, MB_COUNT(URL), {"image_url", NULL}},
        {"image", IMAGE, MB_COUNT(IMAGE), {"data", "media_type"}},
        {"document", DOCUMENT, MB_COUNT(DOCUMENT), {NULL, NULL}},
        {"thinking", THINKING, MB_COUNT(THINKING), {"thinking", NULL}},
        {"raw", RAW, MB_COUNT(RAW), {"raw", NULL}}, // in the provider's own words
    };
    int status = need(at, v, "type", err);
    if (status != 0) return status;
    for (size_t i = 0; i < MB_COUNT(PARTS); i++) {
        if (!mb_json_str_is(mb_json_get(v, "type"), PARTS[i].type)) continue;
        status = check_object(at, v, PARTS[i].rules, PARTS[i].count, MB_ASK_CHAT, err);
        for (size_t j = 0; j < 2 && PARTS[i].needs[j] && status == 0; j++) status = need(at, v, PARTS[i].needs[j], err);
        return status == 0 && PARTS[i].rules == DOCUMENT ? check_document(at, v, err) : status;
    }
    place type = {at, "type", 0};
    return CHECK_WORD(&type, mb_json_get(v, "type"), err, "text", "image_url", "image", "document", "thinking", "raw");
}

static int check_content(const place *at, const mb_json *v, membrane_error **err) {
    return v->type == MB_JSON_ARRAY ? check_each(at, v, T_OBJECT, check_part, err) : 0;
}

static int check_call_function(const place *at, const mb_json *v, membrane_error **err) {
    static const rule RULES[] = {{"name", T_STR, ANY, check_name}, {"arguments", T_STR, ANY, NULL}};
    int status = CHECK_OBJECT(at, v, RULES, err);
    return status ? status : need(at, v, "name", err);
}

static int check_call(const place *at, const mb_json *v, membrane_error **err) {
    static const rule RULES[] = {{"id", T_STR, ANY, check_call_id},
                                 {"type", T_STR, ANY, check_type_function},
                                 {"function", T_OBJECT, ANY, check_call_function}};
    int status = CHECK_OBJECT(at, v, RULES, err);
    if (status == 0) status = need(at, v, "id", err);
    return status ? status : need(at, v, "function", err);
}

static int check_calls(const place *at, const mb_json *v, membrane_error **err) {
    if (v->count > MB_LIMIT_TOOL_CALLS) return wrong(at, err, "more than %d calls", MB_LIMIT_TOOL_CALLS);
    return check_each(at, v, T_OBJECT, check_call, err);
}

static int check_provider_data(const place *at, const mb_json *v, membrane_error **err) {
    static const rule RULES[] = {{"provider", T_STR, ANY, NULL}, {"fields", T_OBJECT, ANY, NULL}};
    return CHECK_OBJECT(at, v, RULES, err);
}

static int check_role(const place *at, const mb_json *v, membrane_error **err) {
    return CHECK_WORD(at, v, err, "system", "developer", "user", "assistant", "tool");
}

static bool has_calls(const mb_json *message) {
    const mb_json *calls = mb_json_get(message, "tool_calls");
    return mb_json_is(calls, MB_JSON_ARRAY) && calls->count;
}

static int check_message(const place *at, const mb_json *v, membrane_error **err) {
    static const rule RULES[] = {{"role", T_STR, ANY, check_role},
                                 {"content", T_STR | T_ARRAY | T_NULL, ANY, check_content},
                                 {"name", T_STR, ANY, check_name},
                                 {"tool_calls", T_ARRAY, ANY, check_calls},
                                 {"tool_call_id", T_STR, ANY, check_call_id},
                                 {"provider_data", T_OBJECT, ANY, check_provider_data}};
    int status = CHECK_OBJECT(at, v, RULES, err);
    if (status == 0) status = need(at, v, "role", err);
    if (status != 0) return status;
    const char *role = mb_json_get_str(v, "role");
    const mb_json *content = mb_json_get(v, "content");
    bool is_assistant = strcmp(role, "assistant") == 0, is_tool = strcmp(role, "tool") == 0;
    place calls = {at, "tool_calls", 0}, id = {at, "tool_call_id", 0}, content_at = {at, "content", 0};
    if (mb_json_get(v, "tool_calls") && !is_assistant) return wrong(&calls, err, "only an assistant calls tools");
    if (mb_json_get(v, "tool_call_id") && !is_tool) return wrong(&id, err, "only a tool's message has one");
    if (is_tool && (status = need(at, v, "tool_call_id", err)) != 0) return status;
    if (is_assistant && has_calls(v)) return 0;
    if (!content) return wrong(&content_at, err, "is missing");
    return content->type == MB_JSON_NULL && !is_assistant ? wrong(&content_at, err, "must not be null") : 0;
}

static int check_messages(const place *at, const mb_json *v, membrane_error **err) {
    if (v->count == 0) return wrong(at, err, "must not be empty");
    return check_each(at, v, T_OBJECT, check_message, err);
}

// ---- the request ---------------------------------------------------------------------------------------------------

static const rule REQUEST[] = {
    {"kind", T_STR, ANY, NULL},
    {"model", T_STR, ANY, check_name},
    {"messages", T_ARRAY, CHAT | COUNT, check_messages},
    {"tools", T_ARRAY, CHAT | COUNT, check_tools},
    {"tool_choice", T_STR | T_OBJECT, CHAT, check_tool_choice},
    {"response_format", T_OBJECT, CHAT, check_response_format},
    {"prompt", T_STR, COMPLETE, NULL},
    {"input", T_STR | T_ARRAY, EMBED | COUNT, check_texts},
    {"dimensions", T_INT, EMBED, check_positive},
    {"query", T_STR, RERANK, NULL},
    {"documents", T_ARRAY, RERANK, check_texts},
    {"top_n", T_INT, RERANK, check_positive},
    {"temperature", T_NUMBER, TALK, check_temperature},
    {"top_p", T_NUMBER, TALK, check_share},
    {"max_tokens", T_INT, TALK, check_positive},
    {"stop", T_STR | T_ARRAY, TALK, check_texts},
    {"seed", T_INT, TALK, NULL},
    {"stream", T_BOOL, TALK, NULL},
    {"thinking", T_BOOL | T_STR | T_OBJECT, TALK, check_thinking},
    {"cache", T_BOOL | T_OBJECT, TALK, check_cache},
    {"logprobs", T_BOOL | T_INT, TALK, check_logprobs},
    {"parallel_tool_calls", T_BOOL, CHAT, NULL},
    {"drop_unsupported", T_BOOL, ANY, NULL},
    {"session", T_STR, ANY, check_name},
    {"via", T_STR | T_ARRAY, ANY, check_texts},
    {"request_id", T_STR, ANY, check_name},
    {"metadata", T_OBJECT, ANY, NULL},
    {"extra_body", T_OBJECT, ANY, check_extra_body},
    {"extra_headers", T_OBJECT, ANY, check_extra_headers},
};

static int find_kind(const place *at, const mb_json *request, mb_ask_kind *ret, membrane_error **err) {
    const mb_json *kind = mb_json_get(request, "kind");
    *ret = MB_ASK_CHAT;
    if (!kind) return 0;
    for (size_t i = 0; i < MB_ASK_KINDS; i++) {
        if (!KIND_NAMES[i] || !mb_json_str_is(kind, KIND_NAMES[i])) continue;
        *ret = (mb_ask_kind)i;
        return 0;
    }
    place kind_at = {at, "kind", 0};
    return CHECK_WORD(&kind_at, kind, err, "chat", "completion", "embed", "rerank", "count_tokens");
}

static int check_needs(const place *at, const mb_json *request, mb_ask_kind kind, membrane_error **err) {
    static const char *const NEEDS[MB_ASK_KINDS][2] = {
        [MB_ASK_CHAT] = {"messages"},
        [MB_ASK_COMPLETION] = {"prompt"},
        [MB_ASK_EMBED] = {"input"},
        [MB_ASK_RERANK] = {"query", "documents"},
    };
    int status = 0;
    for (size_t i = 0; i < 2 && NEEDS[kind][i] && status == 0; i++) status = need(at, request, NEEDS[kind][i], err);
    if (kind == MB_ASK_COUNT_TOKENS && !mb_json_get(request, "input")) status = need(at, request, "messages", err);
    return status;
}

int mb_request_check(const mb_json *request, mb_ask_kind *ret_kind, membrane_error **err) {
    place root = {NULL, "", 0};
    mb_ask_kind kind;
    if (!mb_json_is(request, MB_JSON_OBJECT))
        return mb_error_set(err, MEMBRANE_EINVAL, "the request must be an object, not %s", mb_json_type_name(request));
    int status = find_kind(&root, request, &kind, err);
    if (status == 0) status = check_object(&root, request, REQUEST, MB_COUNT(REQUEST), kind, err);
    if (status == 0) status = check_needs(&root, request, kind, err);
    if (status == 0) *ret_kind = kind;
    return status;
}

// ---- documents -----------------------------------------------------------------------------------------------------

// The longest run of backticks, so that no text can close its own fence.
static size_t longest_fence(const char *text, size_t len) {
    size_t run = 0, longest = 0;
    for (size_t i = 0; i < len; i++) {
        run = text[i] == '`' ? run + 1 : 0;
        if (run > longest) longest = run;
    }
    return longest;
}

void mb_request_put_document(mb_buf *out, const mb_json *part) {
    const char *name = mb_json_get_str(part, "name");
    const mb_json *text = mb_json_get(part, "text");
    if (!mb_json_is(text, MB_JSON_STRING)) return;
    size_t fence = longest_fence(text->str, text->len) + 1;
    if (fence < 3) fence = 3;
    mb_buf_puts(out, "Document: ");
    for (const char *p = name ? name : ""; *p; p++) mb_buf_putc(out, (unsigned char)*p < ' ' ? ' ' : *p);
    mb_buf_putc(out, '\n');
    for (size_t i = 0; i < fence; i++) mb_buf_putc(out, '`');
    mb_buf_putc(out, '\n');
    mb_buf_put(out, text->str, text->len);
    if (text->len && text->str[text->len - 1] != '\n') mb_buf_putc(out, '\n');
    for (size_t i = 0; i < fence; i++) mb_buf_putc(out, '`');
    mb_buf_putc(out, '\n');
}
