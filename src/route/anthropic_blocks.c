// SPDX-License-Identifier: MIT
#include "route/anthropic_blocks.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "route/write.h"

static bool type_is(const mb_json *v, const char *type) { return mb_json_str_is(mb_json_get(v, "type"), type); }

// ---- marks ---------------------------------------------------------------------------------------------------------

bool mb_blocks_is_mark(const mb_json *cache) { return cache && mb_json_bool(cache, true); }

void mb_blocks_put_mark(mb_jw *w, const mb_json *cache) {
    mb_jw_key(w, "cache_control");
    mb_jw_object(w);
    mb_jw_kstr(w, "type", "ephemeral");
    mb_jw_kstr_if(w, "ttl", mb_json_get_str(cache, "ttl"));
    mb_jw_end_object(w);
}

void mb_blocks_mark_last(mb_blocks *b, const mb_json *cache) {
    if (!b->in_block || !b->can_mark) return;
    mb_blocks_put_mark(&b->w, cache);
    b->can_mark = false;
}

// ---- messages and blocks -------------------------------------------------------------------------------------------

static void end_block(mb_blocks *b) {
    if (b->in_block) mb_jw_end_object(&b->w);
    b->in_block = false;
}

static void open_block(mb_blocks *b, const char *type) {
    end_block(b);
    mb_jw_object(&b->w);
    if (type) mb_jw_kstr(&b->w, "type", type);
    b->in_block = b->can_mark = true;
}

static void open_list(mb_blocks *b) {
    if (b->in_list) return;
    mb_jw_array(&b->w);
    b->in_list = true;
    if (!b->lone || b->lone->len == 0) return; // an empty block is refused
    open_block(b, "text");
    mb_jw_key(&b->w, "text");
    mb_jw_value(&b->w, b->lone);
}

static void begin_message(mb_blocks *b, const char *role) {
    if (b->role && strcmp(b->role, role) == 0) return;
    mb_blocks_end_message(b, NULL);
    b->role = role;
    if (strcmp(role, "system") == 0) {
        mb_jw_key(&b->w, "system");
        return;
    }
    mb_jw_object(&b->w);
    mb_jw_kstr(&b->w, "role", role);
    mb_jw_key(&b->w, "content");
}

void mb_blocks_end_message(mb_blocks *b, const mb_json *cache) {
    if (!b->role) return;
    if (mb_blocks_is_mark(cache) && (!b->lone || b->lone->len)) {
        open_list(b);
        mb_blocks_mark_last(b, cache);
    }
    if (b->in_list) {
        end_block(b);
        mb_jw_end_array(&b->w);
    } else {
        mb_jw_value(&b->w, b->lone);
    }
    if (strcmp(b->role, "system") != 0) mb_jw_end_object(&b->w);
    b->role = NULL;
    b->lone = NULL;
    b->in_list = false;
}

void mb_blocks_begin(mb_blocks *b, const char *role, const char *type) {
    begin_message(b, role);
    open_list(b);
    open_block(b, type);
}

void mb_blocks_say(mb_blocks *b, const char *role, const mb_json *text) {
    if (!b->role || strcmp(b->role, role) != 0) {
        begin_message(b, role);
        b->lone = text;
    } else if (text->len) {
        mb_blocks_begin(b, role, "text");
        mb_jw_key(&b->w, "text");
        mb_jw_value(&b->w, text);
    }
}

void mb_blocks_members(mb_jw *w, const mb_json *object, const char *const *except) {
    for (uint32_t i = 0; mb_json_is(object, MB_JSON_OBJECT) && i < object->count; i++) {
        bool skip = false;
        for (const char *const *key = except; key && *key; key++) skip |= strcmp(*key, object->children[i].key) == 0;
        if (skip) continue;
        mb_jw_key(w, object->children[i].key);
        mb_jw_value(w, &object->children[i]);
    }
}

// ---- parts ---------------------------------------------------------------------------------------------------------

typedef struct problem {
    const char *field, *why;
} problem;

static problem image_problem(const mb_json *part) {
    const mb_json *image = mb_json_get(part, "image_url");
    const char *url = mb_json_get_str(image, "url"), *detail = mb_json_get_str(image, "detail");
    if (url && strncmp(url, "data:", 5) == 0 && !mb_data_url_bytes(url))
        return (problem){"content.image_url.url", "it takes data URLs in base64 only"};
    if (detail && strcmp(detail, "auto") != 0)
        return (problem){"content.image_url.detail", "it looks at images in one way only"};
    return (problem){0};
}

static problem document_problem(const mb_json *part) {
    const char *media = mb_json_get_str(part, "media_type");
    if (media && !mb_json_get(part, "text") && strcmp(media, "application/pdf") != 0)
        return (problem){"content.document.media_type", "it reads documents as text, or as PDF"};
    return (problem){0};
}

static problem problem_of(const char *role, const mb_json *part) {
    bool is_text = type_is(part, "text") || type_is(part, "thinking") || type_is(part, "raw");
    if (strcmp(role, "user") != 0 && type_is(part, "document") && mb_json_get(part, "text")) is_text = true;
    if (strcmp(role, "user") != 0 && !is_text)
        return (problem){"content", "its system prompt and its assistant speak in text only"};
    if (type_is(part, "image_url")) return image_problem(part);
    return type_is(part, "document") ? document_problem(part) : (problem){0};
}

static void put_source(mb_jw *w, const char *type, const char *media, const char *key, const char *text, size_t len) {
    mb_jw_key(w, "source");
    mb_jw_object(w);
    mb_jw_kstr(w, "type", type);
    mb_jw_kstr_if(w, "media_type", media);
    mb_jw_key(w, key);
    mb_jw_strn(w, text, len);
    mb_jw_end_object(w);
}

static void put_image(mb_jw *w, const mb_json *part) {
    const mb_json *data = mb_json_get(part, "data"), *url = mb_json_path(part, "image_url.url");
    const char *bytes = mb_data_url_bytes(mb_json_str(url));
    if (data) {
        put_source(w, "base64", mb_json_get_str(part, "media_type"), "data", data->str, data->len);
    } else if (bytes) {
        char media[128]; // "image/png", or with parameters that nobody needs
        snprintf(media, sizeof media, "%.*s", (int)strcspn(url->str + 5, ";"), url->str + 5);
        put_source(w, "base64", media, "data", bytes, url->len - (size_t)(bytes - url->str));
    } else {
        put_source(w, "url", NULL, "url", url->str, url->len);
    }
}

static void put_document(mb_jw *w, const mb_json *part) {
    const mb_json *text = mb_json_get(part, "text"), *data = mb_json_get(part, "data"), *url = mb_json_get(part, "url");
    if (text)
        put_source(w, "text", "text/plain", "data", text->str, text->len);
    else if (data)
        put_source(w, "base64", "application/pdf", "data", data->str, data->len);
    else
        put_source(w, "url", NULL, "url", url->str, url->len);
    mb_jw_kstr_if(w, "title", mb_json_get_str(part, "name"));
}

static void put_text_document(mb_jw *w, const mb_json *part) {
    mb_jw_key(w, "text");
    mb_write_part_text(w, part);
}

// What the wire calls a part in that role; NULL: its own members say it.
static const char *wire_type(const char *role, const mb_json *part) {
    if (type_is(part, "raw")) return NULL;
    if (type_is(part, "image") || type_is(part, "image_url")) return "image";
    return type_is(part, "document") && strcmp(role, "user") == 0 ? "document" : "text";
}

static void put_members(mb_jw *w, const char *role, const mb_json *part) {
    const char *type = wire_type(role, part);
    if (!type)
        mb_blocks_members(w, mb_json_get(part, "raw"), NULL);
    else if (strcmp(type, "image") == 0)
        put_image(w, part);
    else if (strcmp(type, "document") == 0)
        put_document(w, part);
    else if (type_is(part, "document"))
        put_text_document(w, part);
    else
        mb_jw_kvalue_if(w, "text", mb_json_get(part, "text"));
    if (mb_blocks_is_mark(mb_json_get(part, "cache"))) mb_blocks_put_mark(w, mb_json_get(part, "cache"));
}

bool mb_blocks_is_white(const char *text, size_t len) {
    size_t n = 0;
    while (n < len && memchr(" \t\r\n", text[n], 4)) n++;
    return n == len;
}

// Whether the part says something to this wire: thinking goes back by the echo only, and empty text is refused. What a
// user says is left as it is.
static bool is_sayable(const char *role, const mb_json *part) {
    const mb_json *text = mb_json_get(part, "text");
    if (!type_is(part, "text")) return !type_is(part, "thinking");
    return strcmp(role, "user") == 0 ? text->len > 0 : !mb_blocks_is_white(text->str, text->len);
}

static int check_part(const mb_blocks *b, const char *role, const mb_json *part, bool *ret_skip) {
    problem p = problem_of(role, part);
    int status = p.field ? mb_write_unsupported(b->ask, b->err, p.field, p.why) : 0;
    bool only_detail = p.field && strcmp(p.field, "content.image_url.detail") == 0;
    *ret_skip = !is_sayable(role, part) || (p.field && !only_detail);
    return status;
}

int mb_blocks_part(mb_blocks *b, const char *role, const mb_json *part) {
    bool skip;
    int status = check_part(b, role, part, &skip);
    if (status != 0 || skip) return status;
    const mb_json *raw = mb_json_get(part, "raw");
    mb_blocks_begin(b, role, wire_type(role, part));
    put_members(&b->w, role, part);
    b->can_mark = !mb_blocks_is_mark(mb_json_get(part, "cache")) && !mb_json_get(raw, "cache_control");
    return 0;
}

int mb_blocks_content(mb_blocks *b, const char *role, const mb_json *content) {
    bool is_user = strcmp(role, "user") == 0;
    int status = 0;
    if (mb_json_is(content, MB_JSON_STRING) && (is_user || !mb_blocks_is_white(content->str, content->len)))
        mb_blocks_say(b, role, content);
    for (uint32_t i = 0; mb_json_is(content, MB_JSON_ARRAY) && i < content->count && status == 0; i++)
        status = mb_blocks_part(b, role, &content->children[i]);
    return status;
}

// ---- calls and results ---------------------------------------------------------------------------------------------

enum { ID_MAX = 64 };

static void plain_id(const char *id, char ret[ID_MAX + 1]) {
    size_t n = 0;
    for (; *id && n < ID_MAX; id++, n++) {
        bool fits = (*id >= 'a' && *id <= 'z') || (*id >= 'A' && *id <= 'Z') || (*id >= '0' && *id <= '9') ||
                    *id == '_' || *id == '-';
        ret[n] = fits ? *id : '_';
    }
    ret[n] = '\0';
}

// The id as the wire takes it, and no other call's.
static const char *wire_id(mb_blocks *b, const char *id) {
    char plain[ID_MAX + 1], text[ID_MAX + 1];
    plain_id(id, plain);
    strcpy(text, plain);
    if (b->next < mb_map_count(&b->ids)) b->next = mb_map_count(&b->ids);
    while (mb_map_has(&b->ids, text)) snprintf(text, sizeof text, "%.40s_%zu", plain, b->next++);
    const char *kept = mb_arena_strdup(&b->arena, text);
    return kept && mb_map_put(&b->ids, kept, b) ? kept : NULL;
}

int mb_blocks_take_calls(mb_blocks *b, const mb_json *calls) {
    b->calls = calls;
    if (!calls || calls->count == 0) return 0;
    b->wire_ids = mb_arena_alloc(&b->arena, calls->count * sizeof *b->wire_ids);
    for (uint32_t i = 0; b->wire_ids && i < calls->count; i++)
        if (!(b->wire_ids[i] = wire_id(b, mb_json_get_str(&calls->children[i], "id")))) return MEMBRANE_ENOMEM;
    return b->wire_ids ? 0 : MEMBRANE_ENOMEM;
}

static const char *id_of(const mb_blocks *b, const mb_json *call) { return b->wire_ids[call - b->calls->children]; }

void mb_blocks_call(mb_blocks *b, const mb_json *tools, const mb_json *call, const mb_json *with) {
    char name[MB_WIRE_NAME_MAX + 1];
    mb_tool_wire_name(tools, mb_call_name(call), name);
    mb_blocks_begin(b, "assistant", "tool_use");
    mb_jw_kstr(&b->w, "id", id_of(b, call));
    mb_jw_kstr(&b->w, "name", name);
    mb_jw_key(&b->w, "input");
    mb_write_call_arguments(&b->w, call, false);
    mb_blocks_members(&b->w, with, NULL);
}

// The members of provider_data that a message brings for this provider, as in {"message": {"is_error": true}}.
static const mb_json *members_for(const mb_ask *ask, const mb_json *message) {
    const mb_json *data = mb_json_get(message, "provider_data");
    if (!mb_json_str_is(mb_json_get(data, "provider"), ask->provider)) return NULL;
    return mb_json_path(data, "fields.message");
}

static int put_result_content(mb_blocks *b, const mb_json *content) {
    int status = 0;
    mb_jw_key(&b->w, "content");
    if (!mb_json_is(content, MB_JSON_ARRAY)) {
        mb_jw_value(&b->w, content);
        return 0;
    }
    mb_jw_array(&b->w);
    for (uint32_t i = 0; i < content->count && status == 0; i++) {
        const mb_json *part = &content->children[i];
        bool skip;
        status = check_part(b, "user", part, &skip);
        if (status != 0 || skip) continue;
        mb_jw_object(&b->w);
        mb_jw_kstr_if(&b->w, "type", wire_type("user", part));
        put_members(&b->w, "user", part);
        mb_jw_end_object(&b->w);
    }
    mb_jw_end_array(&b->w);
    return status;
}

int mb_blocks_result(mb_blocks *b, const mb_json *message, const mb_json *call) {
    static const char *const OURS[] = {"type", "tool_use_id", "content", NULL};
    mb_blocks_begin(b, "user", "tool_result");
    mb_jw_kstr(&b->w, "tool_use_id", id_of(b, call));
    if (!message) {
        mb_write_result(&b->w, NULL);
        mb_jw_kbool(&b->w, "is_error", true);
        return 0;
    }
    int status = put_result_content(b, mb_json_get(message, "content"));
    mb_blocks_members(&b->w, members_for(b->ask, message), OURS);
    return status;
}
