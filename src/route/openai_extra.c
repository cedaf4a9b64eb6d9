// SPDX-License-Identifier: MIT
// What a server adds to an assistant message beyond OpenAI's fields (thought signatures, reasoning details) must go
// back to it unchanged. In a stream it arrives in pieces: the last value counts, but lists grow, and neighbours in a
// list that carry the same index are pieces of one item.
#include <string.h>

#include "base/alloc.h"
#include "route/openai.h"

#define KEYS_MAX 24 // of one message, call or merged item: nobody sends more, and looking up is linear

bool mb_openai_extra_keep(mb_openai_extras *all, mb_arena *arena, int64_t call, const mb_json *member) {
    mb_openai_extra *e = mb_arena_zalloc(arena, sizeof *e);
    if (!e) return false;
    e->call = call;
    e->key = mb_arena_strdup(arena, member->key);
    e->value = mb_json_copy(arena, member);
    if (!e->key || !e->value) return false;
    if (!all->last) all->last = &all->first;
    *all->last = e;
    all->last = &e->next;
    return true;
}

// ---- merging -------------------------------------------------------------------------------------------------------

typedef struct items {
    const mb_json **at;
    size_t count;
} items;

static bool is_same(const mb_openai_extra *a, const mb_openai_extra *b) {
    return !b->done && a->call == b->call && strcmp(a->key, b->key) == 0;
}

static bool is_piece_of(const mb_json *a, const mb_json *b) {
    const mb_json *index = mb_json_get(a, "index"), *type = mb_json_get(a, "type");
    return index && mb_json_equal(index, mb_json_get(b, "index")) && type &&
           mb_json_equal(type, mb_json_get(b, "type"));
}

static bool grows(const char *key) {
    return strcmp(key, "text") == 0 || strcmp(key, "summary") == 0 || strcmp(key, "arguments") == 0;
}

static bool is_blank(const mb_json *v) { return v->type == MB_JSON_NULL || (v->type == MB_JSON_STRING && v->len == 0); }

static void write_grown(mb_jw *w, const items *group, const char *key) {
    mb_buf text = MB_BUF(w->out->max);
    for (size_t i = 0; i < group->count; i++) {
        const mb_json *v = mb_json_get(group->at[i], key);
        if (mb_json_is(v, MB_JSON_STRING)) mb_buf_put(&text, v->str, v->len);
    }
    mb_jw_strn(w, mb_buf_text(&text), text.len);
    if (!mb_buf_ok(&text)) w->out->failed = text.failed;
    mb_buf_free(&text);
}

static void write_last(mb_jw *w, const items *group, const char *key) {
    const mb_json *last = NULL;
    for (size_t i = 0; i < group->count; i++) {
        const mb_json *v = mb_json_get(group->at[i], key);
        if (v && (!last || !is_blank(v))) last = v;
    }
    mb_jw_value(w, last);
}

static bool add_key(const char **keys, size_t *count, const char *key) {
    for (size_t i = 0; i < *count; i++)
        if (strcmp(keys[i], key) == 0) return false;
    if (*count == KEYS_MAX) return false;
    keys[(*count)++] = key;
    return true;
}

static void write_group(mb_jw *w, const items *group) {
    const char *keys[KEYS_MAX];
    size_t count = 0;
    mb_jw_object(w);
    for (size_t i = 0; i < group->count; i++) {
        for (uint32_t j = 0; j < group->at[i]->count; j++) {
            const mb_json *m = &group->at[i]->children[j];
            if (!add_key(keys, &count, m->key)) continue;
            mb_jw_key(w, m->key);
            if (m->type == MB_JSON_STRING && grows(m->key))
                write_grown(w, group, m->key);
            else
                write_last(w, group, m->key);
        }
    }
    mb_jw_end_object(w);
}

static void write_list(mb_jw *w, const items *list) {
    mb_jw_array(w);
    for (size_t i = 0; i < list->count;) {
        items group = {list->at + i, 1};
        while (i + group.count < list->count && is_piece_of(list->at[i], list->at[i + group.count])) group.count++;
        if (group.count == 1)
            mb_jw_value(w, list->at[i]);
        else
            write_group(w, &group);
        i += group.count;
    }
    mb_jw_end_array(w);
}

// All values under one key; marks them as done.
static void write_values(mb_jw *w, mb_openai_extra *first) {
    const mb_json *last = first->value;
    size_t count = 0;
    bool lists = true, alone = true;
    for (mb_openai_extra *e = first; e; e = e->next) {
        if (!is_same(first, e)) continue;
        alone &= e == first;
        lists &= e->value->type == MB_JSON_ARRAY;
        count += lists ? e->value->count : 0;
        last = e->value;
    }
    items list = {lists && !alone ? mb_calloc(count + 1, sizeof *list.at) : NULL, 0};
    if (lists && !alone && !list.at) w->out->failed = MEMBRANE_ENOMEM;
    for (mb_openai_extra *e = first; e; e = e->next) {
        if (!is_same(first, e)) continue;
        for (uint32_t i = 0; list.at && i < e->value->count; i++) list.at[list.count++] = &e->value->children[i];
        if (e != first) e->done = true;
    }
    first->done = true;
    if (list.at)
        write_list(w, &list);
    else
        mb_jw_value(w, last);
    mb_free(list.at);
}

static void write_of(mb_jw *w, mb_openai_extras *all, int64_t call) {
    size_t keys = 0;
    mb_jw_object(w);
    for (mb_openai_extra *e = all->first; e && keys < KEYS_MAX; e = e->next) {
        if (e->done || e->call != call) continue;
        keys++;
        mb_jw_key(w, e->key);
        write_values(w, e);
    }
    mb_jw_end_object(w);
}

static bool has_of(const mb_openai_extras *all, int64_t call) {
    for (const mb_openai_extra *e = all->first; e; e = e->next)
        if (!e->done && e->call == call) return true;
    return false;
}

int mb_openai_extra_write(mb_openai_extras *all, mb_turn *turn) {
    if (!all->first) return 0;
    mb_jw w = mb_jw_to(&turn->provider_data);
    bool calls_open = false;
    if (has_of(all, -1)) {
        mb_jw_key(&w, "message");
        write_of(&w, all, -1);
    }
    for (size_t i = 0; i < turn->call_count; i++) {
        if (!has_of(all, (int64_t)i) || !turn->calls[i].id) continue;
        if (!calls_open) {
            mb_jw_key(&w, "calls");
            mb_jw_object(&w);
        }
        calls_open = true;
        mb_jw_key(&w, turn->calls[i].id);
        write_of(&w, all, (int64_t)i);
    }
    if (calls_open) mb_jw_end_object(&w);
    all->first = NULL;
    if (mb_buf_ok(&turn->provider_data)) return 0;
    return turn->provider_data.failed == MEMBRANE_ENOMEM ? MEMBRANE_ENOMEM : MEMBRANE_EMALFORMED;
}

// ---- the echo ------------------------------------------------------------------------------------------------------

const mb_json *mb_openai_extra_find(const mb_ask *ask, const mb_json *message, const mb_json *call) {
    const mb_json *data = mb_json_get(message, "provider_data"), *fields = mb_json_get(data, "fields");
    if (!fields || !mb_json_str_is(mb_json_get(data, "provider"), ask->provider)) return NULL;
    const mb_json *found = mb_json_get(fields, call ? "calls" : "message");
    if (call) found = mb_json_get(found, mb_json_get_str(call, "id"));
    return mb_json_is(found, MB_JSON_OBJECT) ? found : NULL;
}
