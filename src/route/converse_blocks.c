// SPDX-License-Identifier: MIT
#include "route/converse_blocks.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "route/openai.h"

// ---- messages ------------------------------------------------------------------------------------------------------

void mb_converse_put_mark(mb_jw *w, const mb_json *mark) {
    mb_jw_object(w);
    mb_jw_key(w, "cachePoint");
    mb_jw_object(w);
    mb_jw_kstr(w, "type", "default");
    mb_jw_kstr_if(w, "ttl", mb_json_get_str(mark, "ttl"));
    mb_jw_end_object(w);
    mb_jw_end_object(w);
}

void mb_converse_mark(mb_converse_blocks *b, const mb_json *mark) {
    if (!mark || !mb_json_bool(mark, true) || !b->can_cache || !b->has_block || b->is_marked) return;
    mb_converse_put_mark(&b->w, mark);
    b->is_marked = true;
}

void mb_converse_end_message(mb_converse_blocks *b, const mb_json *mark) {
    if (b->role) {
        mb_converse_mark(b, mark);
        mb_jw_end_array(&b->w);
        mb_jw_end_object(&b->w);
    }
    b->role = NULL;
    b->has_block = b->is_marked = false;
}

static void begin_block(mb_converse_blocks *b, const char *role) {
    if (role && (!b->role || strcmp(b->role, role) != 0)) {
        mb_converse_end_message(b, NULL);
        mb_jw_object(&b->w);
        mb_jw_kstr(&b->w, "role", role);
        mb_jw_key(&b->w, "content");
        mb_jw_array(&b->w);
        b->role = role;
    }
    b->has_block = true;
    b->is_marked = false;
}

void mb_converse_text(mb_converse_blocks *b, const char *role, const char *text, size_t len) {
    if (len == 0) return;
    begin_block(b, role);
    mb_jw_object(&b->w);
    mb_jw_key(&b->w, "text");
    mb_jw_strn(&b->w, text, len);
    mb_jw_end_object(&b->w);
}

void mb_converse_raw(mb_converse_blocks *b, const char *role, const mb_json *block) {
    begin_block(b, role);
    mb_jw_value(&b->w, block);
    b->is_marked = mb_json_get(block, "cachePoint") != NULL;
}

// ---- images and documents ------------------------------------------------------------------------------------------

// Where the bytes of an image or document lie. data: base64; url: "data:" or "s3:" are understood.
typedef struct media {
    const char *format;
    const char *data, *url;
    size_t data_len;
} media;

static const char *format_of_image(const char *type, size_t len) {
    static const char *const FORMATS[][2] = {{"image/png", "png"},
                                             {"image/jpeg", "jpeg"},
                                             {"image/jpg", "jpeg"},
                                             {"image/gif", "gif"},
                                             {"image/webp", "webp"}};
    for (size_t i = 0; i < MB_COUNT(FORMATS); i++)
        if (strlen(FORMATS[i][0]) == len && strncasecmp(FORMATS[i][0], type, len) == 0) return FORMATS[i][1];
    return NULL;
}

static const char *format_of_document(const char *type) {
    static const char *const FORMATS[][2] = {
        {"application/pdf", "pdf"},
        {"text/plain", "txt"},
        {"text/markdown", "md"},
        {"text/html", "html"},
        {"text/csv", "csv"},
        {"application/msword", "doc"},
        {"application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"},
        {"application/vnd.ms-excel", "xls"},
        {"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"}};
    size_t len = type ? strcspn(type, "; ") : 0;
    for (size_t i = 0; len && i < MB_COUNT(FORMATS); i++)
        if (strlen(FORMATS[i][0]) == len && strncasecmp(FORMATS[i][0], type, len) == 0) return FORMATS[i][1];
    return NULL;
}

static const char *format_of_name(const char *name, const char *const *formats) {
    const char *dot = name ? strrchr(name, '.') : NULL;
    for (; dot && *formats; formats++)
        if (strcasecmp(dot + 1, *formats) == 0) return *formats;
    return NULL;
}

static void put_source(mb_jw *w, const media *m) {
    mb_jw_key(w, "source");
    mb_jw_object(w);
    if (m->data) {
        mb_jw_key(w, "bytes");
        mb_jw_strn(w, m->data, m->data_len);
    } else {
        mb_jw_key(w, "s3Location");
        mb_jw_object(w);
        mb_jw_kstr(w, "uri", m->url);
        mb_jw_end_object(w);
    }
    mb_jw_end_object(w);
}

static int unsupported(mb_converse_blocks *b, const char *field, const char *why) {
    return mb_write_unsupported(b->ask, b->err, field, why);
}

static bool is_s3(const char *url) { return url && strncmp(url, "s3://", 5) == 0; }

static media image_of(const mb_json *part) {
    static const char *const FORMATS[] = {"png", "jpeg", "gif", "webp", NULL};
    const mb_json *data = mb_json_get(part, "data");
    const char *type = mb_json_get_str(part, "media_type");
    media m = {.url = mb_json_get_str(mb_json_get(part, "image_url"), "url")};
    if (mb_json_is(data, MB_JSON_STRING)) {
        m.data = data->str;
        m.data_len = data->len;
        m.format = type ? format_of_image(type, strlen(type)) : NULL;
    } else if (m.url && strncmp(m.url, "data:", 5) == 0) {
        const char *comma = strstr(m.url, ";base64,");
        m.format = comma ? format_of_image(m.url + 5, (size_t)(comma - m.url - 5)) : NULL;
        m.data = comma ? comma + strlen(";base64,") : NULL;
        m.data_len = m.data ? strlen(m.data) : 0;
    } else if (is_s3(m.url)) {
        m.format = format_of_name(m.url, FORMATS);
        if (!m.format) m.format = "jpeg"; // the ending that has two spellings, or none
    }
    return m;
}

static int put_image(mb_converse_blocks *b, const char *role, const mb_json *part) {
    media m = image_of(part);
    if (!m.data && !is_s3(m.url))
        return unsupported(b, "image_url", "it takes images as data, or by an address that begins with s3://");
    if (!m.format) return unsupported(b, "content.image.media_type", "it takes PNG, JPEG, GIF and WebP");
    if (mb_json_path(part, "image_url.detail") && !mb_json_str_is(mb_json_path(part, "image_url.detail"), "auto")) {
        int status = unsupported(b, "image_url.detail", "it has no word for it");
        if (status != 0) return status;
    }
    if (role) begin_block(b, role);
    mb_jw_object(&b->w);
    mb_jw_key(&b->w, "image");
    mb_jw_object(&b->w);
    mb_jw_kstr(&b->w, "format", m.format);
    put_source(&b->w, &m);
    mb_jw_end_object(&b->w);
    mb_jw_end_object(&b->w);
    return 0;
}

// Letters, digits, single blanks, hyphens, parentheses and brackets: nothing else is taken in a document's name.
static void put_document_name(mb_converse_blocks *b, const char *name) {
    char clean[200];
    size_t n = 0;
    for (const char *p = name ? name : ""; *p && n + 1 < sizeof clean; p++) {
        unsigned char c = (unsigned char)*p;
        bool plain = (c < 0x80 && isalnum(c)) || strchr("-()[] ", c);
        if (c == ' ' && (n == 0 || clean[n - 1] == ' ')) continue;
        if ((c & 0xC0) != 0x80) clean[n++] = plain ? (char)c : '-'; // one for a character, not for each of its bytes
    }
    b->documents++;
    if (n == 0) n = (size_t)snprintf(clean, sizeof clean, "Document %d", b->documents);
    mb_jw_key(&b->w, "name");
    mb_jw_strn(&b->w, clean, n);
}

static int put_document(mb_converse_blocks *b, const char *role, const mb_json *part) {
    static const char *const FORMATS[] = {"pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md", NULL};
    const mb_json *data = mb_json_get(part, "data");
    const char *name = mb_json_get_str(part, "name"), *type = mb_json_get_str(part, "media_type");
    media m = {.url = mb_json_get_str(part, "url"), .format = format_of_document(type)};
    if (data) {
        m.data = data->str;
        m.data_len = data->len;
    } else if (!is_s3(m.url)) {
        return unsupported(b, "content.document.url",
                           "it takes documents as data, or by an address that begins with s3://");
    }
    if (!m.format && !type) m.format = format_of_name(m.url, FORMATS);
    if (!m.format && !type) m.format = format_of_name(name, FORMATS);
    if (!m.format)
        return unsupported(b, "content.document.media_type", "it takes PDF, text, Markdown, HTML, CSV, Word and Excel");
    if (role) begin_block(b, role);
    mb_jw_object(&b->w);
    mb_jw_key(&b->w, "document");
    mb_jw_object(&b->w);
    put_document_name(b, name);
    mb_jw_kstr(&b->w, "format", m.format);
    put_source(&b->w, &m);
    mb_jw_end_object(&b->w);
    mb_jw_end_object(&b->w);
    return 0;
}

// ---- content -------------------------------------------------------------------------------------------------------

static bool part_is(const mb_json *part, const char *type) { return mb_json_str_is(mb_json_get(part, "type"), type); }

// A document that is text goes as text: every model takes it, and of documents only five.
static void put_text_document(mb_converse_blocks *b, const char *role, const mb_json *part) {
    mb_buf text = MB_BUF(MB_LIMIT_REQUEST);
    mb_request_put_document(&text, part);
    mb_converse_text(b, role, mb_buf_text(&text), text.len);
    if (!mb_buf_ok(&text)) b->w.out->failed = text.failed;
    mb_buf_free(&text);
}

static int put_part(mb_converse_blocks *b, const char *role, const mb_json *part) {
    const mb_json *text = mb_json_get(part, "text");
    bool is_document = part_is(part, "document"), is_image = mb_json_get(part, "image_url") || part_is(part, "image");
    int status = 0;
    if (part_is(part, "thinking")) return 0; // what must go back is an echoed block
    if (part_is(part, "raw"))
        mb_converse_raw(b, role, mb_json_get(part, "raw"));
    else if (is_document && text)
        put_text_document(b, role, part);
    else if ((!role || strcmp(role, "user") != 0) && (is_document || is_image))
        status = unsupported(b, is_image ? "content.image" : "content.document", "only the user's messages hold any");
    else if (is_document)
        status = put_document(b, role, part);
    else if (is_image)
        status = put_image(b, role, part);
    else if (text)
        mb_converse_text(b, role, text->str, text->len);
    if (status == 0) mb_converse_mark(b, mb_json_get(part, "cache"));
    return status;
}

int mb_converse_content(mb_converse_blocks *b, const char *role, const mb_json *content) {
    int status = 0;
    if (mb_json_is(content, MB_JSON_STRING)) mb_converse_text(b, role, content->str, content->len);
    for (uint32_t i = 0; mb_json_is(content, MB_JSON_ARRAY) && i < content->count && status == 0; i++)
        status = put_part(b, role, &content->children[i]);
    return status;
}

// ---- calls and results ---------------------------------------------------------------------------------------------

enum { ID_MAX = 64, HASHED = 17 };

// Ids of other providers may be longer, or hold other characters, than [a-zA-Z0-9_.:-]{1,64}. The call and its result
// come to the same one.
static void put_id(mb_jw *w, const char *id) {
    static const char FITS[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:-";
    char clean[ID_MAX + 1];
    size_t len = id ? strlen(id) : 0;
    mb_jw_key(w, "toolUseId");
    if (len && len <= ID_MAX && strspn(id, FITS) == len) {
        mb_jw_strn(w, id, len);
        return;
    }
    uint64_t hash = 14695981039346656037u; // FNV-1a
    size_t n = 0;
    for (size_t i = 0; i < len; i++) hash = (hash ^ (unsigned char)id[i]) * 1099511628211u;
    for (size_t i = 0; i < len && n < ID_MAX - HASHED; i++) clean[n++] = strchr(FITS, id[i]) ? id[i] : '_';
    snprintf(clean + n, sizeof clean - n, "_%016llx", (unsigned long long)hash);
    mb_jw_str(w, clean);
}

void mb_converse_call(mb_converse_blocks *b, const mb_json *tools, const mb_json *call) {
    char name[MB_WIRE_NAME_MAX + 1];
    mb_jw *w = &b->w;
    mb_tool_wire_name(tools, mb_call_name(call), name);
    begin_block(b, "assistant");
    mb_jw_object(w);
    mb_jw_key(w, "toolUse");
    mb_jw_object(w);
    put_id(w, mb_json_get_str(call, "id"));
    mb_jw_kstr(w, "name", name);
    mb_jw_key(w, "input");
    mb_write_call_arguments(w, call, false);
    mb_jw_end_object(w);
    mb_jw_end_object(w);
}

static void put_result_text(mb_jw *w, const char *text, size_t len) {
    mb_jw_object(w);
    mb_jw_key(w, "text");
    mb_jw_strn(w, text, len);
    mb_jw_end_object(w);
}

static int put_result_part(mb_converse_blocks *b, const mb_json *part, bool *has_any) {
    const mb_json *text = mb_json_get(part, "text");
    bool is_document = part_is(part, "document");
    if (part_is(part, "thinking") || (text && !is_document && text->len == 0)) return 0;
    *has_any = true;
    if (part_is(part, "raw")) {
        mb_jw_value(&b->w, mb_json_get(part, "raw"));
    } else if (is_document && text) {
        mb_buf whole = MB_BUF(MB_LIMIT_REQUEST);
        mb_request_put_document(&whole, part);
        put_result_text(&b->w, mb_buf_text(&whole), whole.len);
        if (!mb_buf_ok(&whole)) b->w.out->failed = whole.failed;
        mb_buf_free(&whole);
    } else if (text) {
        put_result_text(&b->w, text->str, text->len);
    } else {
        return is_document ? put_document(b, NULL, part) : put_image(b, NULL, part);
    }
    return 0;
}

static int put_result_content(mb_converse_blocks *b, const mb_json *content) {
    bool has_any = false;
    int status = 0;
    mb_jw_key(&b->w, "content");
    mb_jw_array(&b->w);
    if (mb_json_is(content, MB_JSON_STRING) && content->len) {
        has_any = true;
        put_result_text(&b->w, content->str, content->len);
    }
    for (uint32_t i = 0; mb_json_is(content, MB_JSON_ARRAY) && i < content->count && status == 0; i++)
        status = put_result_part(b, &content->children[i], &has_any);
    if (!has_any) put_result_text(&b->w, "(empty)", 7); // a text that is blank is refused
    mb_jw_end_array(&b->w);
    return status;
}

static const mb_json *mark_in(const mb_json *content) {
    const mb_json *mark = NULL;
    for (uint32_t i = 0; mb_json_is(content, MB_JSON_ARRAY) && i < content->count; i++)
        if (mb_json_get(&content->children[i], "cache")) mark = mb_json_get(&content->children[i], "cache");
    return mark;
}

int mb_converse_result(mb_converse_blocks *b, const mb_json *message, const mb_json *call) {
    const mb_json *content = mb_json_get(message, "content");
    const mb_json *more = message ? mb_openai_extra_find(b->ask, message, NULL) : NULL;
    mb_jw *w = &b->w;
    int status = 0;
    begin_block(b, "user");
    mb_jw_object(w);
    mb_jw_key(w, "toolResult");
    mb_jw_object(w);
    put_id(w, mb_json_get_str(call, "id"));
    if (message) {
        status = put_result_content(b, content);
    } else {
        mb_jw_key(w, "content");
        mb_jw_array(w);
        put_result_text(w, MB_NO_RESULT, strlen(MB_NO_RESULT));
        mb_jw_end_array(w);
        mb_jw_kstr(w, "status", "error");
    }
    for (uint32_t i = 0; more && i < more->count; i++) {
        mb_jw_key(w, more->children[i].key);
        mb_jw_value(w, &more->children[i]);
    }
    mb_jw_end_object(w);
    mb_jw_end_object(w);
    mb_converse_mark(b, mark_in(content));
    return status;
}
