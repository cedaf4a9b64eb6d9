// SPDX-License-Identifier: MIT
// Canonical requests as Gemini's: system messages stand apart, an assistant is a "model", and all results of its calls
// come in one content of the user's, in the order of the calls, since calls may have no ids and are told apart by that.
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "route/echo.h"
#include "route/gemini.h"
#include "route/write.h"

typedef struct writer {
    const mb_ask *ask;
    mb_jw w;
    membrane_error **err;
    const mb_json *tools;
    bool has_system;      // system messages stand in systemInstruction
    const char *role;     // whose content is open, NULL without: neighbours of one role are one content
    size_t parts;         // written into the open content
    const mb_json *calls; // whose results are being gathered, NULL without
    const mb_json *results[MB_LIMIT_TOOL_CALLS];
} writer;

// What the third generation takes for the signature of a call that it did not make itself.
#define NO_SIGNATURE "skip_thought_signature_validator"

// ---- parts ---------------------------------------------------------------------------------------------------------

static void open_part(writer *o) {
    o->parts++;
    mb_jw_object(&o->w);
}

static void put_text(writer *o, const char *text, size_t len) {
    open_part(o);
    mb_jw_key(&o->w, "text");
    mb_jw_strn(&o->w, text, len);
    mb_jw_end_object(&o->w);
}

static void put_inline(writer *o, const char *type, size_t type_len, const char *data, size_t len) {
    mb_jw *w = &o->w;
    open_part(o);
    mb_jw_key(w, "inlineData");
    mb_jw_object(w);
    mb_jw_key(w, "mimeType");
    mb_jw_strn(w, type, type_len);
    mb_jw_key(w, "data");
    mb_jw_strn(w, data, len);
    mb_jw_end_object(w);
    mb_jw_end_object(w);
}

// Vertex AI wants to be told what lies behind an address.
static const char *type_of(const char *url) {
    static const char *const TYPES[][2] = {
        {".jpg", "image/jpeg"}, {".jpeg", "image/jpeg"}, {".png", "image/png"},    {".webp", "image/webp"},
        {".gif", "image/gif"},  {".heic", "image/heic"}, {".heif", "image/heif"},  {".pdf", "application/pdf"},
        {".txt", "text/plain"}, {".html", "text/html"},  {".md", "text/markdown"}, {".csv", "text/csv"},
        {".mp3", "audio/mpeg"}, {".wav", "audio/wav"},   {".mp4", "video/mp4"}};
    size_t len = strcspn(url, "?#");
    for (size_t i = 0; i < MB_COUNT(TYPES); i++) {
        size_t n = strlen(TYPES[i][0]);
        if (len > n && strncasecmp(url + len - n, TYPES[i][0], n) == 0) return TYPES[i][1];
    }
    return NULL;
}

static void put_file(writer *o, const char *type, const char *url) {
    mb_jw *w = &o->w;
    open_part(o);
    mb_jw_key(w, "fileData");
    mb_jw_object(w);
    mb_jw_kstr_if(w, "mimeType", type ? type : type_of(url));
    mb_jw_kstr(w, "fileUri", url);
    mb_jw_end_object(w);
    mb_jw_end_object(w);
}

static int put_image_url(writer *o, const mb_json *part) {
    const mb_json *image = mb_json_get(part, "image_url");
    const char *url = mb_json_get_str(image, "url"), *detail = mb_json_get_str(image, "detail");
    int status = 0;
    if (detail && strcmp(detail, "auto") != 0)
        status = mb_write_unsupported(o->ask, o->err, "image_url.detail", "it chooses the detail of an image itself");
    if (status != 0) return status;
    if (strncmp(url, "data:", 5) != 0) {
        put_file(o, NULL, url);
        return 0;
    }
    const char *comma = strstr(url, ";base64,"), *type = url + 5;
    if (!comma) return mb_write_unsupported(o->ask, o->err, "image_url", "a data: address must be in base64");
    size_t type_len = strcspn(type, ";,");
    put_inline(o, type_len ? type : "image/jpeg", type_len ? type_len : 10, comma + 8, strlen(comma + 8));
    return 0;
}

static void put_named(writer *o, const char *name) { // bytes have no place for their name
    mb_buf text = MB_BUF(MB_LIMIT_REQUEST);
    mb_buf_putf(&text, "Document: %s", name);
    put_text(o, mb_buf_text(&text), text.len);
    if (!mb_buf_ok(&text)) o->w.out->failed = text.failed;
    mb_buf_free(&text);
}

static void put_document(writer *o, const mb_json *part) {
    const char *type = mb_json_get_str(part, "media_type"), *url = mb_json_get_str(part, "url");
    const char *name = mb_json_get_str(part, "name");
    const mb_json *data = mb_json_get(part, "data");
    if (!data && !url) {
        mb_buf text = MB_BUF(MB_LIMIT_REQUEST);
        mb_request_put_document(&text, part);
        put_text(o, mb_buf_text(&text), text.len);
        if (!mb_buf_ok(&text)) o->w.out->failed = text.failed;
        mb_buf_free(&text);
        return;
    }
    if (name) put_named(o, name);
    if (data)
        put_inline(o, type, strlen(type), data->str, data->len);
    else
        put_file(o, type, url);
}

static int put_part(writer *o, const mb_json *part) {
    const char *type = mb_json_get_str(part, "type");
    const mb_json *text = mb_json_get(part, "text"), *data = mb_json_get(part, "data"), *raw = mb_json_get(part, "raw");
    if (strcmp(type, "text") == 0) {
        put_text(o, text->str, text->len);
    } else if (strcmp(type, "image_url") == 0) {
        return put_image_url(o, part);
    } else if (strcmp(type, "image") == 0) {
        const char *media = mb_json_get_str(part, "media_type");
        put_inline(o, media, strlen(media), data->str, data->len);
    } else if (strcmp(type, "document") == 0) {
        put_document(o, part);
    } else if (raw) {
        o->parts++;
        mb_jw_value(&o->w, raw);
    }
    return 0; // thinking is not told again
}

static int put_parts(writer *o, const mb_json *content) {
    int status = 0;
    if (mb_json_is(content, MB_JSON_STRING)) put_text(o, content->str, content->len);
    for (uint32_t i = 0; mb_json_is(content, MB_JSON_ARRAY) && i < content->count && status == 0; i++)
        status = put_part(o, &content->children[i]);
    return status;
}

static void open_content(writer *o, const char *role) {
    mb_jw_object(&o->w);
    mb_jw_kstr_if(&o->w, "role", role);
    mb_jw_key(&o->w, "parts");
    mb_jw_array(&o->w);
    o->parts = 0;
}

static void end_content(writer *o) {
    if (o->parts == 0) put_text(o, "", 0); // a content without parts is refused
    mb_jw_end_array(&o->w);
    mb_jw_end_object(&o->w);
    o->role = NULL;
}

static void turn_to(writer *o, const char *role) {
    if (o->role && strcmp(o->role, role) == 0) return;
    if (o->role) end_content(o);
    open_content(o, role);
    o->role = role;
}

// ---- calls and results ---------------------------------------------------------------------------------------------

// Whether we made the id for a call that came without one: nobody there knows it. Ours are the call's number, which is
// small; Vertex AI says "call_3257537".
static bool is_made(const char *id) {
    if (!id || strncmp(id, "call_", 5) != 0) return !id;
    size_t digits = strspn(id + 5, "0123456789");
    return digits >= 1 && digits <= 3 && id[5 + digits] == '\0';
}

static void put_id(writer *o, const mb_json *call) {
    const char *id = mb_json_get_str(call, "id");
    if (!is_made(id)) mb_jw_kstr(&o->w, "id", id);
}

static void put_name(writer *o, const mb_json *call) {
    char name[MB_WIRE_NAME_MAX + 1];
    mb_tool_wire_name(o->tools, mb_call_name(call), name);
    mb_jw_kstr(&o->w, "name", name);
}

static void put_with(mb_jw *w, const mb_json *with) {
    for (uint32_t i = 0; mb_json_is(with, MB_JSON_OBJECT) && i < with->count; i++) {
        mb_jw_key(w, with->children[i].key);
        mb_jw_value(w, &with->children[i]);
    }
}

static void put_call(writer *o, const mb_json *call, const mb_json *with, bool needs_signature) {
    mb_jw *w = &o->w;
    open_part(o);
    mb_jw_key(w, "functionCall");
    mb_jw_object(w);
    put_id(o, call);
    put_name(o, call);
    mb_jw_key(w, "args");
    mb_write_call_arguments(w, call, false);
    mb_jw_end_object(w);
    put_with(w, with);
    if (needs_signature) mb_jw_kstr(w, "thoughtSignature", NO_SIGNATURE);
    mb_jw_end_object(w);
}

// A result that is an object is one there too; anything else is its "output".
static void put_response(writer *o, const mb_json *message) {
    mb_jw *w = &o->w;
    mb_arena arena = {0};
    const mb_json *tree = NULL;
    mb_buf text = MB_BUF(MB_LIMIT_REQUEST);
    if (message) mb_content_put_text(&text, mb_json_get(message, "content"));
    const char *start = mb_buf_text(&text) + strspn(mb_buf_text(&text), " \t\r\n");
    int status = *start == '{' ? mb_json_parse(&arena, mb_buf_text(&text), text.len, &tree, NULL) : MEMBRANE_ERESPONSE;
    if (status == MEMBRANE_ENOMEM) w->out->failed = status;
    mb_jw_key(w, "response");
    if (status == 0 && mb_json_is(tree, MB_JSON_OBJECT)) {
        mb_jw_value(w, tree);
    } else {
        mb_jw_object(w);
        mb_jw_key(w, message ? "output" : "error");
        if (message)
            mb_jw_strn(w, mb_buf_text(&text), text.len);
        else
            mb_jw_str(w, "No result: the call was not run.");
        mb_jw_end_object(w);
    }
    if (!mb_buf_ok(&text)) w->out->failed = text.failed;
    mb_buf_free(&text);
    mb_arena_free(&arena);
}

static bool is_text(const mb_json *part) {
    const char *type = mb_json_get_str(part, "type");
    return strcmp(type, "text") == 0 || strcmp(type, "thinking") == 0 ||
           (strcmp(type, "document") == 0 && mb_json_get(part, "text"));
}

// Images and files of a result.
static int put_media(writer *o, const mb_json *content) {
    bool is_open = false;
    int status = 0;
    for (uint32_t i = 0; mb_json_is(content, MB_JSON_ARRAY) && i < content->count && status == 0; i++) {
        if (is_text(&content->children[i])) continue;
        if (!is_open) {
            mb_jw_key(&o->w, "parts");
            mb_jw_array(&o->w);
        }
        is_open = true;
        status = put_part(o, &content->children[i]);
    }
    if (is_open) mb_jw_end_array(&o->w);
    return status;
}

static int put_result(writer *o, const mb_json *call, const mb_json *message) {
    mb_jw *w = &o->w;
    open_part(o);
    mb_jw_key(w, "functionResponse");
    mb_jw_object(w);
    put_id(o, call);
    put_name(o, call);
    put_response(o, message);
    int status = put_media(o, mb_json_get(message, "content"));
    mb_jw_end_object(w);
    mb_jw_end_object(w);
    return status;
}

static int put_results(writer *o) {
    const mb_json *calls = o->calls;
    int status = 0;
    if (!calls) return 0;
    o->calls = NULL;
    if (o->role) end_content(o);
    open_content(o, "user");
    for (uint32_t i = 0; i < calls->count && status == 0; i++)
        status = put_result(o, &calls->children[i], o->results[i]);
    end_content(o);
    return status;
}

// ---- messages ------------------------------------------------------------------------------------------------------

static int put_block(void *user, const mb_echo_block *block) {
    writer *o = user;
    if (block->raw) {
        o->parts++;
        mb_jw_value(&o->w, block->raw);
    } else if (block->call) {
        put_call(o, block->call, block->with, false);
    } else {
        open_part(o);
        mb_jw_key(&o->w, "text");
        mb_jw_strn(&o->w, block->text, block->len);
        put_with(&o->w, block->with);
        mb_jw_end_object(&o->w);
    }
    return 0;
}

static int put_assistant(writer *o, const mb_json *message, const mb_json *calls) {
    const mb_json *content = mb_json_get(message, "content");
    bool is_blank = mb_json_is(content, MB_JSON_STRING) && content->len == 0;
    bool signs = mb_gemini_has_levels(o->ask->model ? o->ask->model : "");
    int status = mb_echo_each(o->ask, message, put_block, o);
    if (status != 1) return status;
    status = is_blank && calls ? 0 : put_parts(o, content);
    for (uint32_t i = 0; calls && i < calls->count; i++) put_call(o, &calls->children[i], NULL, signs && i == 0);
    return status;
}

static bool is_system(const mb_json *message) {
    const mb_json *role = mb_json_get(message, "role");
    return mb_json_str_is(role, "system") || mb_json_str_is(role, "developer");
}

static int put_message(void *user, const mb_json *message, const mb_json *call) {
    writer *o = user;
    if (call) {
        o->results[call - o->calls->children] = message;
        return 0;
    }
    int status = put_results(o);
    if (status != 0 || (o->has_system && is_system(message))) return status;
    const mb_json *calls = mb_json_get(message, "tool_calls");
    bool is_assistant = mb_json_str_is(mb_json_get(message, "role"), "assistant");
    if (!calls || calls->count == 0) calls = NULL;
    if (mb_json_get(message, "name"))
        status = mb_write_unsupported(o->ask, o->err, "messages.name", "it knows no names of those who speak");
    if (status != 0) return status;
    turn_to(o, is_assistant ? "model" : "user");
    status = is_assistant ? put_assistant(o, message, calls) : put_parts(o, mb_json_get(message, "content"));
    o->calls = calls;
    return status;
}

static int put_contents(writer *o) {
    const mb_json *input = mb_json_get(o->ask->request, "input");
    int status = 0;
    if (mb_write_has_extra(o->ask, "contents")) return 0;
    mb_jw_key(&o->w, "contents");
    mb_jw_array(&o->w);
    if (input) { // of a question for its tokens
        open_content(o, "user");
        status = put_parts(o, mb_json_is(input, MB_JSON_STRING) ? input : NULL);
        for (uint32_t i = 0; mb_json_is(input, MB_JSON_ARRAY) && i < input->count; i++)
            put_text(o, input->children[i].str, input->children[i].len);
        end_content(o);
    } else {
        status = mb_history_each(o->ask, put_message, o);
        if (status == 0) status = put_results(o);
        if (o->role) end_content(o);
    }
    mb_jw_end_array(&o->w);
    return status;
}

// All system messages together; a request that has nothing else says them as the user.
static int put_system(writer *o) {
    const mb_json *messages = mb_json_get(o->ask->request, "messages");
    uint32_t count = 0;
    int status = 0;
    for (uint32_t i = 0; messages && i < messages->count; i++) count += is_system(&messages->children[i]);
    o->has_system = count && count < messages->count;
    if (!o->has_system || mb_write_has_extra(o->ask, "systemInstruction")) return 0;
    mb_jw_key(&o->w, "systemInstruction");
    open_content(o, NULL);
    for (uint32_t i = 0; i < messages->count && status == 0; i++)
        if (is_system(&messages->children[i])) status = put_parts(o, mb_json_get(&messages->children[i], "content"));
    end_content(o);
    return status;
}

// ---- tools ---------------------------------------------------------------------------------------------------------

static void put_declaration(writer *o, const mb_json *function) {
    mb_jw *w = &o->w;
    char name[MB_WIRE_NAME_MAX + 1];
    mb_tool_wire_name(o->tools, mb_json_get_str(function, "name"), name);
    mb_jw_object(w);
    mb_jw_kstr(w, "name", name);
    mb_jw_kvalue_if(w, "description", mb_json_get(function, "description"));
    mb_jw_kvalue_if(w, "parametersJsonSchema", mb_json_get(function, "parameters"));
    mb_jw_end_object(w);
}

static void put_tools(writer *o) {
    mb_jw *w = &o->w;
    bool declared = false;
    if (!o->tools || o->tools->count == 0 || mb_write_has_extra(o->ask, "tools")) return;
    mb_jw_key(w, "tools");
    mb_jw_array(w);
    for (uint32_t i = 0; i < o->tools->count; i++) {
        const mb_json *raw = mb_json_get(&o->tools->children[i], "raw");
        if (raw) mb_jw_value(w, raw);
        if (raw || declared) continue;
        declared = true; // all functions in one
        mb_jw_object(w);
        mb_jw_key(w, "functionDeclarations");
        mb_jw_array(w);
        for (uint32_t j = i; j < o->tools->count; j++)
            if (!mb_json_get(&o->tools->children[j], "raw"))
                put_declaration(o, mb_json_get(&o->tools->children[j], "function"));
        mb_jw_end_array(w);
        mb_jw_end_object(w);
    }
    mb_jw_end_array(w);
}

// ---- kinds of request ----------------------------------------------------------------------------------------------

static void put_extra(writer *o) {
    static const char *const MERGED[] = {"generationConfig", "toolConfig"};
    const mb_json *extra = mb_json_get(o->ask->request, "extra_body");
    for (uint32_t i = 0; extra && i < extra->count; i++) {
        const mb_json *m = &extra->children[i];
        bool merged = false;
        for (size_t j = 0; j < MB_COUNT(MERGED); j++)
            merged |= m->type == MB_JSON_OBJECT && strcmp(m->key, MERGED[j]) == 0;
        if (merged) continue;
        mb_jw_key(&o->w, m->key);
        mb_jw_value(&o->w, m);
    }
}

static int put_talk(writer *o) {
    int status = mb_tool_names_check(o->tools, o->err);
    if (status == 0) status = put_system(o);
    if (status == 0) status = put_contents(o);
    put_tools(o);
    return status;
}

static int write_chat(writer *o, mb_wire *wire) {
    const mb_quirks *q = o->ask->quirks;
    int status =
        mb_gemini_target(o->ask, wire, wire->stream && q->stream_path ? q->stream_path : q->chat_path, "chat", o->err);
    if (status == 0) status = put_talk(o);
    if (status == 0) status = mb_gemini_put_config(o->ask, &o->w, o->tools && o->tools->count, o->err);
    put_extra(o);
    return status;
}

static void put_full_model(writer *o) {
    const char *model = o->ask->model ? o->ask->model : "";
    mb_buf name = MB_BUF(4096);
    if (!strchr(model, '/')) mb_buf_puts(&name, "models/");
    mb_buf_puts(&name, model);
    mb_jw_kstr(&o->w, "model", mb_buf_text(&name));
    if (!mb_buf_ok(&name)) o->w.out->failed = name.failed;
    mb_buf_free(&name);
}

// The Gemini API counts more than contents only as a whole request inside; Vertex AI takes the parts as they are.
static int write_count(writer *o, mb_wire *wire) {
    int status = mb_gemini_target(o->ask, wire, o->ask->quirks->count_path, "the tokens of a request", o->err);
    if (status != 0) return status;
    bool bare = !o->tools || o->tools->count == 0;
    const mb_json *messages = mb_json_get(o->ask->request, "messages");
    for (uint32_t i = 0; messages && i < messages->count; i++) bare = bare && !is_system(&messages->children[i]);
    bool inside = !bare && !mb_gemini_is_vertex(o->ask) && !mb_write_has_extra(o->ask, "generateContentRequest");
    if (inside) {
        mb_jw_key(&o->w, "generateContentRequest");
        mb_jw_object(&o->w);
        put_full_model(o);
    }
    if (!mb_write_has_extra(o->ask, "generateContentRequest")) status = put_talk(o);
    if (inside) mb_jw_end_object(&o->w);
    mb_write_extra(&o->w, o->ask, NULL);
    return status;
}

// ---- embeddings ----------------------------------------------------------------------------------------------------

static void put_embed_content(writer *o, const mb_json *text) {
    if (!mb_write_has_extra(o->ask, "content")) {
        mb_jw_key(&o->w, "content");
        open_content(o, NULL);
        put_text(o, text->str, text->len);
        end_content(o);
    }
    mb_write_copy(&o->w, o->ask, "dimensions", "outputDimensionality");
    mb_write_extra(&o->w, o->ask, NULL);
}

// What extra_body says of a text is said of each, unless it says all requests.
static void put_requests(writer *o, const mb_json *input) {
    bool is_list = input->type == MB_JSON_ARRAY;
    if (mb_write_has_extra(o->ask, "requests")) {
        mb_write_extra(&o->w, o->ask, NULL);
        return;
    }
    mb_jw_key(&o->w, "requests");
    mb_jw_array(&o->w);
    for (uint32_t i = 0; i < (is_list ? input->count : 1); i++) {
        mb_jw_object(&o->w);
        if (!mb_write_has_extra(o->ask, "model")) put_full_model(o);
        put_embed_content(o, is_list ? &input->children[i] : input);
        mb_jw_end_object(&o->w);
    }
    mb_jw_end_array(&o->w);
}

static void put_instances(writer *o, const mb_json *input) {
    mb_jw *w = &o->w;
    bool is_list = input->type == MB_JSON_ARRAY;
    const mb_json *parameters = mb_json_get(mb_json_get(o->ask->request, "extra_body"), "parameters");
    const mb_json *dimensions = mb_write_get(o->ask, "dimensions");
    mb_jw_key(w, "instances");
    mb_jw_array(w);
    for (uint32_t i = 0; i < (is_list ? input->count : 1); i++) {
        mb_jw_object(w);
        mb_jw_key(w, "content");
        mb_jw_value(w, is_list ? &input->children[i] : input);
        mb_write_extra(w, o->ask, "parameters");
        mb_jw_end_object(w);
    }
    mb_jw_end_array(w);
    if (!parameters && !dimensions) return;
    mb_jw_key(w, "parameters");
    mb_jw_object(w);
    if (dimensions && !mb_json_get(parameters, "outputDimensionality"))
        mb_jw_kvalue_if(w, "outputDimensionality", dimensions);
    put_with(w, parameters);
    mb_jw_end_object(w);
}

// Vertex AI's newer models embed one content at a time and know no predictions.
static bool embeds_contents(const char *model) {
    if (strstr(model, "maas")) return true;
    return strstr(model, "gemini") && !strstr(model, "gemini-embedding-001");
}

static int write_embed(writer *o, mb_wire *wire) {
    const mb_json *input = mb_json_get(o->ask->request, "input");
    bool vertex = mb_gemini_is_vertex(o->ask), one = vertex && embeds_contents(o->ask->model ? o->ask->model : "");
    const char *path = one ? "/models/{model}:embedContent" : o->ask->quirks->embed_path;
    int status = mb_gemini_target(o->ask, wire, path, "embeddings", o->err);
    if (status != 0) return status;
    if (one && input->type == MB_JSON_ARRAY && input->count > 1)
        return mb_error_set(o->err, MEMBRANE_EUNSUPPORTED, "%s (%s) embeds one text at a time with this model",
                            o->ask->provider, o->ask->quirks->kind);
    if (one)
        put_embed_content(o, input->type == MB_JSON_ARRAY ? &input->children[0] : input);
    else if (vertex)
        put_instances(o, input);
    else
        put_requests(o, input);
    return 0;
}

// ---- everything ----------------------------------------------------------------------------------------------------

static int (*body_writer(mb_ask_kind kind))(writer *, mb_wire *) {
    switch (kind) {
    case MB_ASK_CHAT: return write_chat;
    case MB_ASK_EMBED: return write_embed;
    case MB_ASK_COUNT_TOKENS: return write_count;
    default: return NULL;
    }
}

int mb_gemini_write(const mb_ask *ask, mb_wire *wire, membrane_error **err) {
    wire->stream = ask->stream && ask->kind == MB_ASK_CHAT;
    int (*write_body)(writer *, mb_wire *) = body_writer(ask->kind);
    int status = mb_write_check(ask, err);
    if (status == 0 && write_body) {
        writer o = {.ask = ask, .w = mb_jw_to(&wire->body), .err = err, .tools = mb_write_get(ask, "tools")};
        mb_jw_object(&o.w);
        status = write_body(&o, wire);
        mb_jw_end_object(&o.w);
    } else if (status == 0) {
        status = mb_gemini_write_get(ask, wire, err);
    }
    return status ? status : mb_write_done(wire, err);
}
