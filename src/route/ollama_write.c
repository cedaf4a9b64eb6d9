// SPDX-License-Identifier: MIT
// Canonical requests as Ollama's own. Content is always a plain string, images stand beside it, arguments are objects,
// and a prompt that does not fit is refused ("truncate": false): by default Ollama would cut it without a word.
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "route/ollama.h"
#include "route/write.h"

typedef struct writer {
    const mb_ask *ask;
    mb_jw w;
    membrane_error **err;
} writer;

// ---- messages ------------------------------------------------------------------------------------------------------

// The base64 bytes of an image part; NULL: it lies behind a URL.
static const char *image_bytes(const mb_json *part) {
    const char *data = mb_json_get_str(part, "data"), *url = mb_json_get_str(mb_json_get(part, "image_url"), "url");
    if (data) return data;
    return mb_data_url_bytes(url);
}

static int put_images(writer *o, const mb_json *content) {
    int status = 0;
    if (!mb_content_has_image(content)) return 0;
    mb_jw_key(&o->w, "images");
    mb_jw_array(&o->w);
    for (uint32_t i = 0; i < content->count && status == 0; i++) {
        const mb_json *part = &content->children[i];
        const char *type = mb_json_get_str(part, "type"), *bytes = image_bytes(part);
        if (!type || strncmp(type, "image", 5) != 0) continue;
        if (bytes)
            mb_jw_str(&o->w, bytes);
        else
            status = mb_write_unsupported(o->ask, o->err, "image_url", "it takes images as data only, not by URL");
    }
    mb_jw_end_array(&o->w);
    return status;
}

static void put_calls(writer *o, const mb_json *calls) {
    mb_jw *w = &o->w;
    mb_jw_key(w, "tool_calls");
    mb_jw_array(w);
    for (uint32_t i = 0; i < calls->count; i++) {
        mb_jw_object(w);
        mb_jw_kstr_if(w, "id", mb_json_get_str(&calls->children[i], "id"));
        mb_jw_key(w, "function");
        mb_jw_object(w);
        mb_jw_kstr(w, "name", mb_call_name(&calls->children[i]));
        mb_jw_key(w, "arguments");
        mb_write_call_arguments(w, &calls->children[i], false);
        mb_jw_end_object(w);
        mb_jw_end_object(w);
    }
    mb_jw_end_array(w);
}

static void put_thinking(writer *o, const mb_json *content) {
    const char *key = o->ask->quirks->thinking_echo_key;
    mb_buf text = MB_BUF(MB_LIMIT_REQUEST);
    if (key) mb_content_put_thinking(&text, content);
    if (text.len) {
        mb_jw_key(&o->w, key);
        mb_jw_strn(&o->w, mb_buf_text(&text), text.len);
    }
    if (!mb_buf_ok(&text)) o->w.out->failed = text.failed;
    mb_buf_free(&text);
}

static void put_result(writer *o, const mb_json *message, const mb_json *call) {
    mb_jw *w = &o->w;
    mb_jw_object(w);
    mb_jw_kstr(w, "role", "tool");
    mb_jw_kstr(w, "tool_name", mb_call_name(call));
    mb_jw_kstr_if(w, "tool_call_id", mb_json_get_str(call, "id"));
    mb_write_result(w, message);
    mb_jw_end_object(w);
}

static int put_message(void *user, const mb_json *message, const mb_json *call) {
    writer *o = user;
    mb_jw *w = &o->w;
    if (call) {
        put_result(o, message, call);
        return 0;
    }
    const char *role = mb_json_get_str(message, "role");
    const mb_json *content = mb_json_get(message, "content"), *calls = mb_json_get(message, "tool_calls");
    mb_jw_object(w);
    mb_jw_kstr(w, "role", strcmp(role, "developer") == 0 ? "system" : role);
    mb_jw_key(w, "content");
    mb_write_text(w, content);
    if (strcmp(role, "assistant") == 0) put_thinking(o, content);
    if (calls && calls->count) put_calls(o, calls);
    int status = put_images(o, content);
    if (status == 0) status = mb_write_check_plain(o->ask, content, o->err);
    mb_jw_end_object(w);
    return status;
}

// ---- parameters ----------------------------------------------------------------------------------------------------

static void put_options(writer *o) {
    static const struct {
        const char *ours, *theirs;
    } NAMES[] = {{"max_tokens", "num_predict"}, {"temperature", "temperature"}, {"top_p", "top_p"}, {"seed", "seed"}};
    mb_jw *w = &o->w;
    const mb_json *extra = mb_json_path(mb_json_get(o->ask->request, "extra_body"), "options");
    const mb_json *stop = mb_write_get(o->ask, "stop");
    mb_jw_key(w, "options");
    mb_jw_object(w);
    for (size_t i = 0; i < MB_COUNT(NAMES); i++) {
        const mb_json *v = mb_write_get(o->ask, NAMES[i].ours);
        if (!v || mb_json_get(extra, NAMES[i].theirs)) continue;
        mb_jw_key(w, NAMES[i].theirs);
        mb_jw_value(w, v);
    }
    if (stop && !mb_json_get(extra, "stop")) {
        mb_jw_key(w, "stop");
        if (stop->type == MB_JSON_STRING) mb_jw_array(w);
        mb_jw_value(w, stop);
        if (stop->type == MB_JSON_STRING) mb_jw_end_array(w);
    }
    for (uint32_t i = 0; mb_json_is(extra, MB_JSON_OBJECT) && i < extra->count; i++) {
        mb_jw_key(w, extra->children[i].key);
        mb_jw_value(w, &extra->children[i]);
    }
    mb_jw_end_object(w);
}

static void put_tools(writer *o, const mb_json *tools) {
    mb_jw *w = &o->w;
    mb_jw_key(w, "tools");
    mb_jw_array(w);
    for (uint32_t i = 0; i < tools->count; i++) {
        const mb_json *raw = mb_json_get(&tools->children[i], "raw");
        if (raw) {
            mb_jw_value(w, raw);
            continue;
        }
        mb_jw_object(w);
        mb_jw_kstr(w, "type", "function");
        mb_jw_key(w, "function");
        mb_jw_value(w, mb_json_get(&tools->children[i], "function"));
        mb_jw_end_object(w);
    }
    mb_jw_end_array(w);
}

static void put_format(writer *o) {
    const mb_json *format = mb_write_get(o->ask, "response_format");
    if (!format || mb_write_has_extra(o->ask, "format")) return;
    const mb_json *schema = mb_json_path(format, "json_schema.schema");
    if (schema) {
        mb_jw_key(&o->w, "format");
        mb_jw_value(&o->w, schema);
    } else if (mb_json_str_is(mb_json_get(format, "type"), "json_object")) {
        mb_jw_kstr(&o->w, "format", "json");
    }
}

static void put_logprobs(writer *o) {
    const mb_json *v = mb_write_get(o->ask, "logprobs");
    if (!v || mb_write_has_extra(o->ask, "logprobs")) return;
    bool is_count = v->type != MB_JSON_BOOL;
    if (!is_count && !mb_json_bool(v, false)) return;
    mb_jw_kbool(&o->w, "logprobs", true);
    if (is_count && mb_json_int(v, 0) > 0) mb_jw_kint(&o->w, "top_logprobs", mb_json_int(v, 0));
}

static void put_model(writer *o) {
    if (!mb_write_has_extra(o->ask, "model")) mb_jw_kstr(&o->w, "model", o->ask->model);
}

static int put_generation(writer *o) {
    if (!mb_write_has_extra(o->ask, "truncate")) mb_jw_kbool(&o->w, "truncate", false);
    put_options(o);
    put_logprobs(o);
    int status = mb_write_thinking(&o->w, o->ask, o->err);
    mb_jw_kbool(&o->w, "stream", o->ask->stream); // it streams unless told not to
    return status;
}

// ---- kinds of request ----------------------------------------------------------------------------------------------

static int write_chat(writer *o, mb_wire *wire) {
    const mb_ask *ask = o->ask;
    int status = mb_write_target(ask, wire, "POST", ask->quirks->chat_path, true, "chat", o->err);
    if (status != 0) return status;
    put_model(o);
    if (!mb_write_has_extra(ask, "messages")) {
        mb_jw_key(&o->w, "messages");
        mb_jw_array(&o->w);
        status = mb_history_each(ask, put_message, o);
        mb_jw_end_array(&o->w);
    }
    const mb_json *tools = mb_write_get(ask, "tools");
    bool no_tools = mb_json_str_is(mb_json_get(ask->request, "tool_choice"), "none"); // the one choice that can be made
    if (tools && tools->count && !no_tools && !mb_write_has_extra(ask, "tools")) put_tools(o, tools);
    put_format(o);
    return status ? status : put_generation(o);
}

static int write_completion(writer *o, mb_wire *wire) {
    int status = mb_write_target(o->ask, wire, "POST", o->ask->quirks->completion_path, true, "completions", o->err);
    if (status != 0) return status;
    put_model(o);
    mb_write_copy(&o->w, o->ask, "prompt", "prompt");
    if (!mb_write_has_extra(o->ask, "raw")) mb_jw_kbool(&o->w, "raw", true); // a completion has no chat template
    return put_generation(o);
}

static int write_embed(writer *o, mb_wire *wire) {
    int status = mb_write_target(o->ask, wire, "POST", o->ask->quirks->embed_path, true, "embeddings", o->err);
    if (status != 0) return status;
    put_model(o);
    mb_write_copy(&o->w, o->ask, "input", "input");
    mb_write_copy(&o->w, o->ask, "dimensions", "dimensions");
    if (!mb_write_has_extra(o->ask, "truncate")) mb_jw_kbool(&o->w, "truncate", false);
    return 0;
}

static int write_load(writer *o, mb_wire *wire) {
    const mb_ask *ask = o->ask;
    bool load = ask->kind == MB_ASK_LOAD;
    int status = mb_write_target(ask, wire, "POST", load ? ask->quirks->load_path : ask->quirks->unload_path, true,
                                 load ? "loading a model" : "unloading a model", o->err);
    if (status != 0) return status;
    put_model(o);
    if (!load) {
        mb_jw_kint(&o->w, "keep_alive", 0);
    } else if (ask->keep_alive_ms < 0) {
        mb_jw_kint(&o->w, "keep_alive", -1);
    } else if (ask->keep_alive_ms > 0) {
        mb_buf duration = MB_BUF(32);
        mb_buf_put_int(&duration, ask->keep_alive_ms);
        mb_buf_puts(&duration, "ms");
        mb_jw_kstr(&o->w, "keep_alive", mb_buf_text(&duration));
        mb_buf_free(&duration);
    }
    mb_jw_kbool(&o->w, "stream", false);
    return 0;
}

static int write_show(writer *o, mb_wire *wire) {
    put_model(o);
    return mb_write_target(o->ask, wire, "POST", "/api/show", true, "a model", o->err);
}

static int write_get(const mb_ask *ask, mb_wire *wire, membrane_error **err) {
    const mb_quirks *q = ask->quirks;
    switch (ask->kind) {
    case MB_ASK_MODELS: return mb_write_target(ask, wire, "GET", q->models_path, true, "its models", err);
    case MB_ASK_LOADED: return mb_write_target(ask, wire, "GET", "/api/ps", true, "its loaded models", err);
    case MB_ASK_HEALTH: return mb_write_target(ask, wire, "GET", q->health_path, true, "its health", err);
    case MB_ASK_VERSION: return mb_write_target(ask, wire, "GET", q->version_path, true, "its version", err);
    default: return mb_write_target(ask, wire, "GET", NULL, true, "this kind of request", err);
    }
}

static int (*body_writer(mb_ask_kind kind))(writer *, mb_wire *) {
    switch (kind) {
    case MB_ASK_CHAT: return write_chat;
    case MB_ASK_COMPLETION: return write_completion;
    case MB_ASK_EMBED: return write_embed;
    case MB_ASK_SHOW: return write_show;
    case MB_ASK_LOAD:
    case MB_ASK_UNLOAD: return write_load;
    default: return NULL;
    }
}

int mb_ollama_write(const mb_ask *ask, mb_wire *wire, membrane_error **err) {
    wire->stream = ask->stream && (ask->kind == MB_ASK_CHAT || ask->kind == MB_ASK_COMPLETION);
    int (*write_body)(writer *, mb_wire *) = body_writer(ask->kind);
    int status = mb_write_check(ask, err);
    if (status == 0 && write_body) {
        writer o = {.ask = ask, .w = mb_jw_to(&wire->body), .err = err};
        bool options = ask->kind == MB_ASK_CHAT || ask->kind == MB_ASK_COMPLETION; // merged already
        mb_jw_object(&o.w);
        status = write_body(&o, wire);
        mb_write_extra(&o.w, ask, options ? "options" : NULL);
        mb_jw_end_object(&o.w);
    } else if (status == 0) {
        status = write_get(ask, wire, err);
    }
    return status ? status : mb_write_done(wire, err);
}
