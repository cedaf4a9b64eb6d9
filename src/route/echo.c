// SPDX-License-Identifier: MIT
#include "route/echo.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "route/write.h"

// ---- decoding ------------------------------------------------------------------------------------------------------

typedef enum { TEXT, CALL, RAW } block_type;

typedef struct block block;
struct block {
    block *next;
    block_type type;
    size_t number;      // TEXT: bytes; CALL: which of the turn's
    const mb_json *raw; // RAW
    const char *raw_text;
    size_t raw_len;
    const mb_json *with;
};

typedef struct list {
    block *first, *last;
} list;

static list *list_of(mb_decode *d) {
    if (!d->state[3]) d->state[3] = (int64_t)(intptr_t)mb_arena_zalloc(&d->turn->arena, sizeof(list));
    return (list *)(intptr_t)d->state[3];
}

static int add(mb_decode *d, const block *b) {
    list *all = list_of(d);
    block *copy = all ? mb_arena_alloc(&d->turn->arena, sizeof *copy) : NULL;
    if (!copy) return MEMBRANE_ENOMEM;
    *copy = *b;
    if (all->last)
        all->last->next = copy;
    else
        all->first = copy;
    all->last = copy;
    return 0;
}

static int copy_with(mb_decode *d, const mb_json *with, const mb_json **ret) {
    *ret = NULL;
    if (!mb_json_is(with, MB_JSON_OBJECT) || with->count == 0) return 0;
    *ret = mb_json_copy(&d->turn->arena, with);
    return *ret ? 0 : MEMBRANE_ENOMEM;
}

int mb_echo_text(mb_decode *d, size_t len, const mb_json *with) {
    list *all = list_of(d);
    block b = {.type = TEXT, .number = len};
    if (!all || copy_with(d, with, &b.with) != 0) return MEMBRANE_ENOMEM;
    if (!all->last || all->last->type != TEXT || all->last->with || b.with) return add(d, &b);
    all->last->number += len;
    return 0;
}

int mb_echo_call(mb_decode *d, size_t call, const mb_json *with) {
    block b = {.type = CALL, .number = call};
    return copy_with(d, with, &b.with) ? MEMBRANE_ENOMEM : add(d, &b);
}

int mb_echo_raw(mb_decode *d, const mb_json *raw) {
    block b = {.type = RAW, .raw = mb_json_copy(&d->turn->arena, raw)};
    return b.raw ? add(d, &b) : MEMBRANE_ENOMEM;
}

int mb_echo_raw_text(mb_decode *d, const char *json, size_t len) {
    block b = {.type = RAW, .raw_text = mb_arena_strndup(&d->turn->arena, json, len), .raw_len = len};
    return b.raw_text ? add(d, &b) : MEMBRANE_ENOMEM;
}

int mb_echo_with(mb_decode *d, const mb_json *with) {
    list *all = list_of(d);
    if (!all) return MEMBRANE_ENOMEM;
    return all->last ? copy_with(d, with, &all->last->with) : 0;
}

// What any wire writes of a canonical message: its text, then its calls.
static bool is_canonical(const list *all) {
    block_type stage = TEXT;
    for (const block *b = all->first; b; b = b->next) {
        if (b->type == RAW || b->with || b->type < stage || (b->type == TEXT && b != all->first)) return false;
        stage = b->type;
    }
    return true;
}

static void put_block(mb_jw *w, const mb_turn *turn, const block *b) {
    mb_jw_object(w);
    if (b->type == TEXT) {
        mb_jw_kint(w, "text", (int64_t)b->number);
    } else if (b->type == CALL) {
        mb_jw_kstr(w, "call", turn->calls[b->number].id);
    } else {
        mb_jw_key(w, "raw");
        if (b->raw)
            mb_jw_value(w, b->raw);
        else
            mb_jw_raw(w, b->raw_text, b->raw_len);
    }
    mb_jw_kvalue_if(w, "with", b->with);
    mb_jw_end_object(w);
}

// How deep JSON text nests; it is valid.
static size_t depth_of(const char *text, size_t len) {
    size_t depth = 0, deepest = 0;
    bool in_string = false;
    for (const char *p = text, *end = text + len; p < end; p++) {
        if (in_string && *p == '\\')
            p++;
        else if (*p == '"')
            in_string = !in_string;
        else if (!in_string && (*p == '{' || *p == '['))
            deepest = ++depth > deepest ? depth : deepest;
        else if (!in_string && (*p == '}' || *p == ']'))
            depth--;
    }
    return deepest;
}

// What nests so deep that no request could hold it is not kept.
static void drop_too_deep(mb_turn *turn, size_t from) {
    enum { AROUND = 8 }; // "messages", the message, provider_data, "fields" …
    if (depth_of(mb_buf_text(&turn->provider_data) + from, turn->provider_data.len - from) + AROUND <=
        MB_LIMIT_JSON_DEPTH)
        return;
    mb_buf_cut(&turn->provider_data, from);
    mb_turn_warn(turn, "the answer's blocks nest too deep to be sent back as they came");
}

int mb_echo_write(mb_decode *d) {
    list *all = (list *)(intptr_t)d->state[3];
    mb_turn *turn = d->turn;
    if (!all || is_canonical(all)) return 0;
    size_t from = turn->provider_data.len;
    mb_jw w = mb_jw_to(&turn->provider_data);
    mb_jw_key(&w, "blocks");
    mb_jw_array(&w);
    for (const block *b = all->first; b; b = b->next)
        if (b->type != CALL || (b->number < turn->call_count && turn->calls[b->number].id)) put_block(&w, turn, b);
    mb_jw_end_array(&w);
    all->first = all->last = NULL;
    if (mb_buf_ok(&turn->provider_data)) {
        drop_too_deep(turn, from);
        return 0;
    }
    return turn->provider_data.failed == MEMBRANE_ENOMEM ? MEMBRANE_ENOMEM : MEMBRANE_EMALFORMED;
}

// ---- writing -------------------------------------------------------------------------------------------------------

static const mb_json *call_with_id(const mb_json *calls, const mb_json *id) {
    for (uint32_t i = 0; calls && i < calls->count; i++)
        if (mb_json_equal(mb_json_get(&calls->children[i], "id"), id)) return &calls->children[i];
    return NULL;
}

// Whether the list says each byte of the text and each call once.
static bool fits(const mb_json *blocks, const mb_json *calls, size_t text_len) {
    size_t texts = 0;
    uint32_t seen = 0;
    for (uint32_t i = 0; i < blocks->count; i++) {
        const mb_json *b = &blocks->children[i], *text = mb_json_get(b, "text"), *id = mb_json_get(b, "call");
        int64_t len = text ? mb_json_int(text, -1) : 0;
        if (len < 0 || (uint64_t)len > text_len - texts) return false;
        texts += (size_t)len;
        if (id && !call_with_id(calls, id)) return false;
        seen += id != NULL;
        if (!id && !text && !mb_json_is(mb_json_get(b, "raw"), MB_JSON_OBJECT)) return false;
    }
    return texts == text_len && seen == (calls ? calls->count : 0);
}

static int each(const mb_json *blocks, const mb_json *calls, const char *text, mb_echo_fn fn, void *user) {
    int status = 0;
    for (uint32_t i = 0; i < blocks->count && status == 0; i++) {
        const mb_json *b = &blocks->children[i], *len = mb_json_get(b, "text"), *id = mb_json_get(b, "call");
        mb_echo_block out = {.with = mb_json_get(b, "with"), .raw = mb_json_get(b, "raw")};
        if (len) {
            out.text = text;
            out.len = (size_t)mb_json_int(len, 0);
            text += out.len;
        }
        if (id) out.call = call_with_id(calls, id);
        status = fn(user, &out);
    }
    return status;
}

int mb_echo_each(const mb_ask *ask, const mb_json *message, mb_echo_fn fn, void *user) {
    const mb_json *data = mb_json_get(message, "provider_data"), *calls = mb_json_get(message, "tool_calls");
    const mb_json *blocks = mb_json_get(mb_json_get(data, "fields"), "blocks");
    if (!mb_json_is(blocks, MB_JSON_ARRAY) || !mb_json_str_is(mb_json_get(data, "provider"), ask->provider)) return 1;
    mb_buf text = MB_BUF(MB_LIMIT_REQUEST);
    mb_content_put_text(&text, mb_json_get(message, "content"));
    int status = text.failed == MEMBRANE_ENOMEM ? MEMBRANE_ENOMEM : 1;
    if (mb_buf_ok(&text) && fits(blocks, calls, text.len)) status = each(blocks, calls, mb_buf_text(&text), fn, user);
    mb_buf_free(&text);
    return status;
}
