// SPDX-License-Identifier: MIT
// Writers ask here whether a field can be said and where a request goes, so that each wire's own file holds only what
// is peculiar to it.
#include "route/write.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"

// ---- where ---------------------------------------------------------------------------------------------------------

static void put_escaped(mb_buf *out, const char *text) {
    static const char HEX[] = "0123456789ABCDEF";
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9');
        if (plain || strchr("-._~", *p)) {
            mb_buf_putc(out, (char)*p);
        } else {
            char hex[3] = {'%', HEX[*p >> 4], HEX[*p & 15]};
            mb_buf_put(out, hex, sizeof hex);
        }
    }
}

int mb_write_target(const mb_ask *ask, mb_wire *wire, const char *method, const char *path, bool from_root,
                    const char *what, membrane_error **err) {
    if (!path)
        return mb_error_set(err, MEMBRANE_EUNSUPPORTED, "%s (%s) cannot be asked for %s", ask->provider,
                            ask->quirks->kind, what);
    size_t len = strlen(ask->base_url);
    while (len && ask->base_url[len - 1] == '/') len--;
    if (from_root && len >= 3 && memcmp(ask->base_url + len - 3, "/v1", 3) == 0) len -= 3;
    wire->method = method;
    mb_buf_put(&wire->url, ask->base_url, len);
    const char *hole = strstr(path, "{model}");
    if (hole) {
        mb_buf_put(&wire->url, path, (size_t)(hole - path));
        put_escaped(&wire->url, ask->model ? ask->model : "");
        path = hole + strlen("{model}");
    }
    mb_buf_puts(&wire->url, path);
    return 0;
}

int mb_write_done(mb_wire *wire, membrane_error **err) {
    const mb_buf *bufs[] = {&wire->url, &wire->body, &wire->headers};
    for (size_t i = 0; i < MB_COUNT(bufs); i++) {
        if (mb_buf_ok(bufs[i])) continue;
        if (bufs[i]->failed == MEMBRANE_ENOMEM) return mb_error_no_memory(err);
        return mb_error_set(err, MEMBRANE_EINVAL, "the request is larger than %zu bytes", bufs[i]->max);
    }
    return 0;
}

// ---- fields --------------------------------------------------------------------------------------------------------

static bool is_in(const char *const *list, const char *key) {
    for (; *list; list++)
        if (strcmp(*list, key) == 0) return true;
    return false;
}

int mb_write_unsupported(const mb_ask *ask, membrane_error **err, const char *field, const char *why) {
    if (!mb_json_bool(mb_json_get(ask->request, "drop_unsupported"), false)) {
        mb_error_set(err, MEMBRANE_EUNSUPPORTED, "%s (%s) cannot do \"%s\": %s", ask->provider, ask->quirks->kind,
                     field, why);
        if (err) mb_error_hint(*err, "leave \"%s\" out, or set drop_unsupported", field);
        return MEMBRANE_EUNSUPPORTED;
    }
    if (ask->warnings) {
        if (ask->warnings->len) mb_buf_putc(ask->warnings, ',');
        mb_buf text = MB_BUF(1024);
        mb_buf_putf(&text, "%s was left out for %s (%s): %s", field, ask->provider, ask->quirks->kind, why);
        mb_jw w = mb_jw_to(ask->warnings);
        mb_jw_strn(&w, mb_buf_text(&text), text.len);
        mb_buf_free(&text);
    }
    return 0;
}

// Whether a value says what happens anyway, so that not being able to say it is no loss.
static bool is_neutral(const char *key, const mb_json *v) {
    if (strcmp(key, "tool_choice") == 0) return mb_json_str_is(v, "auto") || mb_json_str_is(v, "none");
    if (strcmp(key, "response_format") == 0) return mb_json_str_is(mb_json_get(v, "type"), "text");
    if (v->type == MB_JSON_ARRAY) return v->count == 0;
    return v->type == MB_JSON_BOOL && !v->boolean;
}

int mb_write_check(const mb_ask *ask, membrane_error **err) {
    int status = 0;
    for (const char *const *key = ask->quirks->unsupported; *key && status == 0; key++) {
        const mb_json *v = mb_json_get(ask->request, *key);
        if (v && !is_neutral(*key, v))
            status = mb_write_unsupported(ask, err, *key, "the server refuses or ignores it");
    }
    return status;
}

const mb_json *mb_write_get(const mb_ask *ask, const char *key) {
    if (is_in(ask->quirks->unsupported, key) || is_in(ask->quirks->drop, key)) return NULL;
    return mb_json_get(ask->request, key);
}

bool mb_write_has_extra(const mb_ask *ask, const char *key) {
    const mb_json *extra = mb_json_get(ask->request, "extra_body");
    return extra && mb_json_get(extra, key);
}

void mb_write_copy(mb_jw *w, const mb_ask *ask, const char *key, const char *as) {
    const mb_json *v = mb_write_get(ask, key);
    if (!v || mb_write_has_extra(ask, as)) return;
    mb_jw_key(w, as);
    mb_jw_value(w, v);
}

void mb_write_extra(mb_jw *w, const mb_ask *ask, const char *except) {
    const mb_json *extra = mb_json_get(ask->request, "extra_body");
    for (uint32_t i = 0; extra && i < extra->count; i++) {
        const mb_json *v = &extra->children[i];
        if (except && strcmp(v->key, except) == 0) continue;
        mb_jw_key(w, v->key);
        mb_jw_value(w, v);
    }
}

// ---- thinking ------------------------------------------------------------------------------------------------------

typedef struct thinking {
    bool on;
    const char *effort; // NULL: not said
    int64_t budget;     // 0: not said
} thinking;

static thinking thinking_of(const mb_json *v) {
    thinking t = {.on = true};
    if (v->type == MB_JSON_BOOL) t.on = v->boolean;
    if (v->type == MB_JSON_STRING) t.effort = v->str;
    if (v->type == MB_JSON_OBJECT) {
        t.on = mb_json_bool(mb_json_get(v, "enabled"), true);
        t.effort = mb_json_get_str(v, "effort");
        t.budget = mb_json_int(mb_json_get(v, "budget_tokens"), 0);
    }
    if (t.effort && strcmp(t.effort, "none") == 0) t.on = false;
    return t;
}

static const char *effort_of_three(const char *effort) { // for servers that know low, medium and high
    if (strcmp(effort, "minimal") == 0) return "low";
    return strcmp(effort, "max") == 0 ? "high" : effort;
}

static void put_reasoning_effort(mb_jw *w, const thinking *t) {
    const char *effort = t->effort ? t->effort : "medium";
    mb_jw_kstr(w, "reasoning_effort", !t->on ? "none" : strcmp(effort, "max") == 0 ? "high" : effort);
}

static void put_reasoning(mb_jw *w, const thinking *t) {
    mb_jw_key(w, "reasoning");
    mb_jw_object(w);
    if (!t->on)
        mb_jw_kbool(w, "enabled", false);
    else if (t->budget)
        mb_jw_kint(w, "max_tokens", t->budget);
    else if (t->effort)
        mb_jw_kstr(w, "effort", strcmp(t->effort, "max") == 0 ? "high" : t->effort);
    else
        mb_jw_kbool(w, "enabled", true);
    mb_jw_end_object(w);
}

static void put_thinking_type(mb_jw *w, const thinking *t) {
    mb_jw_key(w, "thinking");
    mb_jw_object(w);
    mb_jw_kstr(w, "type", t->on ? "enabled" : "disabled");
    mb_jw_end_object(w);
}

static void put_enable_thinking(mb_jw *w, const thinking *t) {
    mb_jw_kbool(w, "enable_thinking", t->on);
    if (t->on && t->budget) mb_jw_kint(w, "thinking_budget", t->budget);
}

static void put_template_arguments(mb_jw *w, const thinking *t) {
    mb_jw_key(w, "chat_template_kwargs");
    mb_jw_object(w);
    mb_jw_kbool(w, "enable_thinking", t->on);
    if (t->on && t->effort) mb_jw_kstr(w, "reasoning_effort", effort_of_three(t->effort));
    mb_jw_end_object(w);
}

static void put_think(mb_jw *w, const thinking *t) {
    if (t->on && t->effort)
        mb_jw_kstr(w, "think", effort_of_three(t->effort));
    else
        mb_jw_kbool(w, "think", t->on);
}

static const struct {
    const char *key;
    void (*put)(mb_jw *w, const thinking *t);
} THINKING_KEYS[] = {
    {"reasoning_effort", put_reasoning_effort},
    {"reasoning", put_reasoning},
    {"thinking", put_thinking_type},
    {"enable_thinking", put_enable_thinking},
    {"chat_template_kwargs", put_template_arguments},
    {"think", put_think},
};

int mb_write_thinking(mb_jw *w, const mb_ask *ask, membrane_error **err) {
    const mb_json *v = mb_write_get(ask, "thinking");
    if (!v) return 0;
    thinking t = thinking_of(v);
    const char *key = ask->quirks->thinking_key;
    for (size_t i = 0; key && i < MB_COUNT(THINKING_KEYS); i++) {
        if (strcmp(THINKING_KEYS[i].key, key) != 0) continue;
        if (!mb_write_has_extra(ask, key)) THINKING_KEYS[i].put(w, &t);
        return 0;
    }
    return t.on ? mb_write_unsupported(ask, err, "thinking", "the server has no field for it") : 0;
}

// ---- content -------------------------------------------------------------------------------------------------------

static bool part_is(const mb_json *part, const char *type) { return mb_json_str_is(mb_json_get(part, "type"), type); }

bool mb_content_has_image(const mb_json *content) {
    if (!mb_json_is(content, MB_JSON_ARRAY)) return false;
    for (uint32_t i = 0; i < content->count; i++)
        if (part_is(&content->children[i], "image") || part_is(&content->children[i], "image_url")) return true;
    return false;
}

int mb_write_check_plain(const mb_ask *ask, const mb_json *content, membrane_error **err) {
    int status = 0;
    for (uint32_t i = 0; mb_json_is(content, MB_JSON_ARRAY) && i < content->count && status == 0; i++) {
        const mb_json *part = &content->children[i];
        if (part_is(part, "raw"))
            status = mb_write_unsupported(ask, err, "content.raw", "it has no part of that kind");
        else if (part_is(part, "document") && !mb_json_get(part, "text"))
            status = mb_write_unsupported(ask, err, "content.document", "it takes documents as text only");
    }
    return status;
}

static void put_parts(mb_buf *out, const mb_json *content, const char *type, bool documents) {
    size_t start = out->len;
    for (uint32_t i = 0; i < content->count; i++) {
        const mb_json *part = &content->children[i], *text = mb_json_get(part, type);
        bool is_document = documents && part_is(part, "document");
        if (!is_document && !part_is(part, type)) continue;
        if (out->len > start && out->data[out->len - 1] != '\n') mb_buf_putc(out, '\n');
        if (is_document)
            mb_request_put_document(out, part);
        else if (mb_json_is(text, MB_JSON_STRING))
            mb_buf_put(out, text->str, text->len);
    }
}

void mb_content_put_text(mb_buf *out, const mb_json *content) {
    if (mb_json_is(content, MB_JSON_STRING))
        mb_buf_put(out, content->str, content->len);
    else if (mb_json_is(content, MB_JSON_ARRAY))
        put_parts(out, content, "text", true);
}

void mb_content_put_thinking(mb_buf *out, const mb_json *content) {
    if (mb_json_is(content, MB_JSON_ARRAY)) put_parts(out, content, "thinking", false);
}

static void put_buf(mb_jw *w, mb_buf *text) {
    mb_jw_strn(w, mb_buf_text(text), text->len);
    if (!mb_buf_ok(text)) w->out->failed = text->failed; // never half of what was to be said
    mb_buf_free(text);
}

void mb_write_part_text(mb_jw *w, const mb_json *part) {
    if (!part_is(part, "document")) {
        mb_jw_value(w, mb_json_get(part, "text"));
        return;
    }
    mb_buf text = MB_BUF(MB_LIMIT_REQUEST);
    mb_request_put_document(&text, part);
    put_buf(w, &text);
}

void mb_write_data_url(mb_jw *w, const mb_json *part) {
    const mb_json *data = mb_json_get(part, "data");
    mb_buf text = MB_BUF(MB_LIMIT_REQUEST);
    mb_buf_putf(&text, "data:%s;base64,", mb_json_get_str(part, "media_type"));
    mb_buf_put(&text, data->str, data->len);
    put_buf(w, &text);
}

const char *mb_data_url_bytes(const char *url) {
    const char *comma = url && strncmp(url, "data:", 5) == 0 ? strstr(url, ";base64,") : NULL;
    return comma ? comma + strlen(";base64,") : NULL;
}

void mb_write_text(mb_jw *w, const mb_json *content) {
    if (mb_json_is(content, MB_JSON_STRING)) {
        mb_jw_strn(w, content->str, content->len);
        return;
    }
    mb_buf text = MB_BUF(MB_LIMIT_REQUEST);
    mb_content_put_text(&text, content);
    put_buf(w, &text);
}

void mb_write_call_id(mb_jw *w, const mb_ask *ask, const char *key, const mb_json *call) {
    const mb_json *id = mb_json_get(call, "id");
    const mb_quirks *q = ask->quirks;
    bool at_home = q->base_url && strcmp(q->base_url, ask->base_url) == 0; // a gateway's ids are its own
    uint64_t hash = 14695981039346656037u;                                 // FNV-1a
    if (!at_home || q->call_id_max <= 0 || id->len <= (size_t)q->call_id_max) {
        mb_jw_kvalue_if(w, key, id);
        return;
    }
    for (size_t i = 0; i < id->len; i++) hash = (hash ^ (unsigned char)id->str[i]) * 1099511628211u;
    char text[32];
    snprintf(text, sizeof text, "call_%016llx", (unsigned long long)hash);
    mb_jw_kstr(w, key, text);
}

void mb_write_call_arguments(mb_jw *w, const mb_json *call, bool as_text) {
    const mb_json *arguments = mb_json_get(mb_json_get(call, "function"), "arguments"), *tree = NULL;
    mb_arena arena = {0};
    int status = mb_json_is(arguments, MB_JSON_STRING)
                     ? mb_json_parse(&arena, arguments->str, arguments->len, &tree, NULL)
                     : MEMBRANE_ERESPONSE;
    bool good = status == 0 && mb_json_is(tree, MB_JSON_OBJECT);
    if (status == MEMBRANE_ENOMEM) w->out->failed = MEMBRANE_ENOMEM;
    if (as_text)
        mb_jw_strn(w, good ? arguments->str : "{}", good ? arguments->len : 2);
    else if (good)
        mb_jw_value(w, tree);
    else
        mb_jw_raw(w, "{}", 2);
    mb_arena_free(&arena);
}

void mb_write_result(mb_jw *w, const mb_json *message) {
    mb_jw_key(w, "content");
    if (message)
        mb_write_text(w, mb_json_get(message, "content"));
    else
        mb_jw_str(w, MB_NO_RESULT);
}
