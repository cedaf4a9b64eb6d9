// SPDX-License-Identifier: MIT
#include "read.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/pattern.h"
#include "differences.h"
#include "route/request.h"

static const struct {
    const char *wire;
    const wire_reader *readers;
} WIRES[] = {
    {"openai", READERS_OPENAI},       {"ollama", READERS_OLLAMA},
    {"bedrock", READERS_BEDROCK},     {"bedrock-invoke", READERS_BEDROCK_INVOKE},
    {"gemini", READERS_GEMINI},       {"openai-responses", READERS_RESPONSES},
    {"cohere", READERS_COHERE},       {"cohere-v1", READERS_COHERE_V1},
    {"anthropic", READERS_ANTHROPIC}, {"triton", READERS_TRITON},
};

const wire_reader *wire_reader_find(const char *wire, const char *api) {
    for (size_t i = 0; i < MB_COUNT(WIRES); i++) {
        if (strcmp(WIRES[i].wire, wire) != 0) continue;
        for (const wire_reader *r = WIRES[i].readers; r->api; r++)
            if (strcmp(r->api, api) == 0) return r;
    }
    return NULL;
}

// ---- what readers share --------------------------------------------------------------------------------------------

void read_model(const read_ask *ask, const char *text) { snprintf(ask->ret_model, 256, "%s", text ? text : ""); }

static bool is_in(const char *const *list, const char *key) {
    for (; list && *list; list++)
        if (strcmp(*list, key) == 0) return true;
    return false;
}

void read_extra(mb_jw *out, const mb_json *body, const char *const *known) {
    bool open = false;
    for (uint32_t i = 0; i < body->count; i++) {
        const mb_json *m = &body->children[i];
        if (is_in(known, m->key)) continue;
        if (!open) {
            mb_jw_key(out, "extra_body");
            mb_jw_object(out);
        }
        open = true;
        mb_jw_key(out, m->key);
        mb_jw_value(out, m);
    }
    if (open) mb_jw_end_object(out);
}

bool read_is_canonical(mb_ask_kind kind, const char *key, const mb_json *value) {
    static const char *const BASE[MB_ASK_KINDS] = {
        [MB_ASK_CHAT] = "\"kind\":\"chat\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]",
        [MB_ASK_COMPLETION] = "\"kind\":\"completion\",\"prompt\":\"x\"",
        [MB_ASK_EMBED] = "\"kind\":\"embed\",\"input\":\"x\"",
        [MB_ASK_RERANK] = "\"kind\":\"rerank\",\"query\":\"x\",\"documents\":[\"y\"]",
        [MB_ASK_COUNT_TOKENS] = "\"kind\":\"count_tokens\",\"input\":\"x\"",
    };
    mb_buf text = MB_BUF(1 << 24);
    mb_arena arena = {0};
    const mb_json *request = NULL;
    mb_ask_kind ignored;
    mb_buf_putf(&text, "{%s,", BASE[kind]);
    mb_jw w = mb_jw_to(&text);
    mb_jw_strn(&w, key, strlen(key));
    mb_buf_putc(&text, ':');
    w = mb_jw_to(&text);
    mb_jw_value(&w, value);
    mb_buf_putc(&text, '}');
    bool good = value && mb_json_parse(&arena, text.data, text.len, &request, NULL) == 0 &&
                mb_request_check(request, &ignored, NULL) == 0;
    mb_buf_free(&text);
    mb_arena_free(&arena);
    return good;
}

void read_copy(mb_jw *out, const mb_json *body, const char *theirs, const char *ours) {
    const mb_json *v = mb_json_get(body, theirs);
    if (!v || v->type == MB_JSON_NULL) return;
    mb_jw_key(out, ours);
    mb_jw_value(out, v);
}

// ---- differences ---------------------------------------------------------------------------------------------------

typedef struct comparison {
    const char *api, *provider;
    mb_buf *why;
    int refused;
    char place[1024];
} comparison;

static bool is_allowed(const comparison *c, int kind) {
    for (size_t i = 0; i < MB_COUNT(ALLOWED); i++) {
        const allowed_difference *a = &ALLOWED[i];
        if ((a->kinds & kind) && mb_pattern_glob(a->api, c->api) && mb_pattern_glob(a->provider, c->provider) &&
            mb_pattern_glob(a->place, c->place))
            return true;
    }
    return false;
}

static void put_short(mb_buf *out, const mb_json *v) {
    mb_buf text = MB_BUF(1 << 24);
    mb_jw w = mb_jw_to(&text);
    mb_jw_value(&w, v);
    mb_buf_put(out, mb_buf_text(&text), text.len < 120 ? text.len : 120);
    mb_buf_free(&text);
}

static void differ(comparison *c, int kind, const mb_json *want, const mb_json *ours) {
    if (is_allowed(c, kind)) return;
    c->refused++;
    mb_buf_putf(c->why, "%s ", c->place);
    if (kind == ADDED) mb_buf_puts(c->why, "was added: ");
    if (kind == LOST) mb_buf_puts(c->why, "was lost: ");
    if (ours) put_short(c->why, ours);
    if (kind == CHANGED) mb_buf_puts(c->why, ", not ");
    if (want) put_short(c->why, want);
    mb_buf_puts(c->why, "; ");
}

static bool is_blank(const mb_json *v) {
    if (!v || v->type == MB_JSON_NULL || (v->type == MB_JSON_STRING && v->len == 0)) return true;
    if (v->type == MB_JSON_BOOL) return !v->boolean;
    return v->type >= MB_JSON_ARRAY && v->count == 0;
}

// Whether a list of plain text parts says what the string says.
static bool is_joined(const mb_json *list, const mb_json *text) {
    if (!mb_json_is(list, MB_JSON_ARRAY) || !mb_json_is(text, MB_JSON_STRING)) return false;
    mb_buf joined = MB_BUF(1 << 24);
    bool plain = true;
    for (uint32_t i = 0; i < list->count && plain; i++) {
        const mb_json *part = &list->children[i], *t = mb_json_get(part, "text");
        const mb_json *type = mb_json_get(part, "type");
        plain = (mb_json_str_is(type, "text") || mb_json_str_is(type, "input_text")) && mb_json_is(t, MB_JSON_STRING);
        if (plain && joined.len && joined.data[joined.len - 1] != '\n') mb_buf_putc(&joined, '\n');
        if (plain) mb_buf_put(&joined, t->str, t->len);
    }
    bool same = plain && joined.len == text->len && memcmp(mb_buf_text(&joined), text->str, text->len) == 0;
    mb_buf_free(&joined);
    return same;
}

// A string as a list of one message.
static bool is_listed(const mb_json *text, const mb_json *list) {
    const mb_json *message = mb_json_is(list, MB_JSON_ARRAY) && list->count == 1 ? &list->children[0] : NULL;
    return mb_json_is(text, MB_JSON_STRING) && message && mb_json_str_is(mb_json_get(message, "role"), "user") &&
           message->count == 2 && mb_json_equal(mb_json_get(message, "content"), text);
}

// The same JSON text, but for white space and the order of members.
static bool is_same_text(const mb_json *a, const mb_json *b) {
    mb_arena arena = {0};
    const mb_json *x, *y;
    bool same = mb_json_is(a, MB_JSON_STRING) && mb_json_is(b, MB_JSON_STRING) &&
                mb_json_parse(&arena, a->str, a->len, &x, NULL) == 0 &&
                mb_json_parse(&arena, b->str, b->len, &y, NULL) == 0 && mb_json_equal(x, y);
    mb_arena_free(&arena);
    return same;
}

// A walk over the blocks of messages, one behind the other, whatever message they stand in.
typedef struct walk {
    const mb_json *messages;
    uint32_t message, block;
} walk;

// The next block, or a message that is one string; NULL at the end. *ret_role: whose it is.
static const mb_json *next_block(walk *at, const mb_json **ret_role) {
    for (; at->message < at->messages->count; at->message++, at->block = 0) {
        const mb_json *m = &at->messages->children[at->message], *list = mb_json_get(m, "content");
        if (!list) list = mb_json_get(m, "parts"); // Gemini's name
        *ret_role = mb_json_get(m, "role");
        if (at->block == 0 && mb_json_is(list, MB_JSON_STRING)) {
            at->block++;
            return list;
        }
        if (mb_json_is(list, MB_JSON_ARRAY) && at->block < list->count) return &list->children[at->block++];
    }
    return NULL;
}

static bool is_plain_message(const mb_json *m) {
    return mb_json_is(m, MB_JSON_OBJECT) && m->count == 2 && mb_json_get(m, "role") &&
           (mb_json_get(m, "content") || mb_json_get(m, "parts"));
}

static bool are_plain(const mb_json *messages) {
    for (uint32_t i = 0; i < messages->count; i++)
        if (!is_plain_message(&messages->children[i])) return false;
    return messages->count > 0;
}

// A string is a block of plain text.
static bool same_block(const mb_json *a, const mb_json *b) {
    if (a->type == b->type) return mb_json_equal(a, b);
    const mb_json *text = a->type == MB_JSON_STRING ? a : b, *block = a->type == MB_JSON_STRING ? b : a;
    return text->type == MB_JSON_STRING && mb_json_is(block, MB_JSON_OBJECT) && block->count == 2 &&
           mb_json_str_is(mb_json_get(block, "type"), "text") && mb_json_equal(mb_json_get(block, "text"), text);
}

// Whether the messages are the same once neighbours of one role are one message.
static bool is_merged(const mb_json *want, const mb_json *ours) {
    walk a = {.messages = want}, b = {.messages = ours};
    const mb_json *x, *y, *x_role = NULL, *y_role = NULL;
    if (!are_plain(want) || !are_plain(ours)) return false;
    do {
        x = next_block(&a, &x_role);
        y = next_block(&b, &y_role);
        if (x && y && (!mb_json_equal(x_role, y_role) || !same_block(x, y))) return false;
    } while (x && y);
    return !x && !y;
}

// Arguments that are no JSON object.
static bool is_repaired(const mb_json *want, const mb_json *ours) {
    mb_arena arena = {0};
    const mb_json *tree = NULL;
    bool is_bad = mb_json_is(want, MB_JSON_STRING) && mb_json_str_is(ours, "{}") &&
                  (mb_json_parse(&arena, want->str, want->len, &tree, NULL) != 0 || tree->type != MB_JSON_OBJECT);
    mb_arena_free(&arena);
    return is_bad;
}

static void compare(comparison *c, const mb_json *want, const mb_json *ours);

static void compare_at(comparison *c, const char *key, size_t index, const mb_json *want, const mb_json *ours) {
    size_t len = strlen(c->place);
    if (key)
        snprintf(c->place + len, sizeof c->place - len, "%s%s", len ? "." : "", key);
    else
        snprintf(c->place + len, sizeof c->place - len, "%s%zu", len ? "." : "", index);
    if (want && ours)
        compare(c, want, ours);
    else if (!is_blank(want ? want : ours) || !is_allowed(c, BLANK))
        differ(c, want ? LOST : ADDED, want, ours);
    c->place[len] = '\0';
}

static void compare_objects(comparison *c, const mb_json *want, const mb_json *ours) {
    for (uint32_t i = 0; i < want->count; i++)
        compare_at(c, want->children[i].key, 0, &want->children[i], mb_json_get(ours, want->children[i].key));
    for (uint32_t i = 0; i < ours->count; i++)
        if (!mb_json_get(want, ours->children[i].key))
            compare_at(c, ours->children[i].key, 0, NULL, &ours->children[i]);
}

static void compare(comparison *c, const mb_json *want, const mb_json *ours) {
    if (mb_json_equal(want, ours)) return;
    if (want->type == MB_JSON_ARRAY && ours->type == MB_JSON_ARRAY && is_allowed(c, MERGED) && is_merged(want, ours))
        return;
    if (want->type == MB_JSON_OBJECT && ours->type == MB_JSON_OBJECT) {
        compare_objects(c, want, ours);
    } else if (want->type == MB_JSON_ARRAY && ours->type == MB_JSON_ARRAY && want->count == ours->count) {
        for (uint32_t i = 0; i < want->count; i++) compare_at(c, NULL, i, &want->children[i], &ours->children[i]);
    } else if ((is_blank(want) && is_blank(ours) && is_allowed(c, BLANK)) ||
               ((is_joined(want, ours) || is_listed(want, ours)) && is_allowed(c, JOINED)) ||
               (is_repaired(want, ours) && is_allowed(c, REPAIRED)) ||
               (is_same_text(want, ours) && is_allowed(c, SPACED))) {
        return;
    } else {
        differ(c, CHANGED, want, ours);
    }
}

int wire_differences(const char *api, const char *provider, const mb_json *want, const mb_json *ours, mb_buf *why) {
    comparison c = {.api = api, .provider = provider, .why = why};
    compare(&c, want, ours);
    return c.refused;
}
