// SPDX-License-Identifier: MIT
// Canonical requests as OpenAI's: chat completions, legacy completions, embeddings, and what may be asked of a server.
// What one server leaves out or calls differently stands in its row of quirks.
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "route/openai.h"
#include "route/rerank.h"
#include "route/responses.h"
#include "route/write.h"

typedef struct writer {
    const mb_ask *ask;
    mb_jw w;
    const mb_json *tools;
    const mb_json *message; // the assistant message whose calls are being written
    membrane_error **err;
} writer;

// ---- content -------------------------------------------------------------------------------------------------------

static void put_image(mb_jw *w, const mb_json *part) {
    const mb_json *url = mb_json_get(part, "image_url");
    mb_jw_object(w);
    mb_jw_kstr(w, "type", "image_url");
    mb_jw_key(w, "image_url");
    if (url) {
        mb_jw_value(w, url);
    } else {
        mb_jw_object(w);
        mb_jw_key(w, "url");
        mb_write_data_url(w, part);
        mb_jw_end_object(w);
    }
    mb_jw_end_object(w);
}

static int put_file(writer *o, const mb_json *part) {
    const char *name = mb_json_get_str(part, "name");
    mb_jw *w = &o->w;
    if (!mb_json_get(part, "data"))
        return mb_write_unsupported(o->ask, o->err, "content.document.url", "it takes documents as data only");
    mb_jw_object(w);
    mb_jw_kstr(w, "type", "file");
    mb_jw_key(w, "file");
    mb_jw_object(w);
    mb_jw_kstr(w, "filename", name ? name : "document.pdf");
    mb_jw_key(w, "file_data");
    mb_write_data_url(w, part);
    mb_jw_end_object(w);
    mb_jw_end_object(w);
    return 0;
}

static void put_cache_mark(mb_jw *w, const mb_json *cache) {
    mb_jw_key(w, "cache_control");
    mb_jw_object(w);
    mb_jw_kstr(w, "type", "ephemeral");
    mb_jw_kstr_if(w, "ttl", mb_json_get_str(cache, "ttl"));
    mb_jw_end_object(w);
}

static bool has_cache_mark(const mb_ask *ask, const mb_json *part) {
    const mb_json *cache = ask->quirks->cache_parts ? mb_json_get(part, "cache") : NULL;
    return cache && mb_json_bool(cache, true);
}

static void put_text_part(writer *o, const mb_json *part) {
    mb_jw *w = &o->w;
    mb_jw_object(w);
    mb_jw_kstr(w, "type", "text");
    mb_jw_key(w, "text");
    mb_write_part_text(w, part);
    if (has_cache_mark(o->ask, part)) put_cache_mark(w, mb_json_get(part, "cache"));
    mb_jw_end_object(w);
}

static int put_part(writer *o, const mb_json *part) {
    const char *type = mb_json_get_str(part, "type");
    if (!type || strcmp(type, "thinking") == 0) return 0;
    if (strcmp(type, "document") == 0 && !mb_json_get(part, "text")) return put_file(o, part);
    if (strcmp(type, "raw") == 0)
        mb_jw_value(&o->w, mb_json_get(part, "raw"));
    else if (strncmp(type, "image", 5) == 0)
        put_image(&o->w, part);
    else
        put_text_part(o, part);
    return 0;
}

static bool needs_list(const mb_ask *ask, const mb_json *content) {
    if (mb_content_has_image(content)) return true;
    for (uint32_t i = 0; mb_json_is(content, MB_JSON_ARRAY) && i < content->count; i++) {
        const mb_json *part = &content->children[i];
        bool is_file = mb_json_str_is(mb_json_get(part, "type"), "document") && !mb_json_get(part, "text");
        if (is_file || mb_json_get(part, "raw") || has_cache_mark(ask, part)) return true;
    }
    return false;
}

// A string wherever plain text will do: many servers and templates know nothing else.
static int put_content(writer *o, const mb_json *content) {
    int status = 0;
    if (!needs_list(o->ask, content)) {
        mb_write_text(&o->w, content);
        return 0;
    }
    mb_jw_array(&o->w);
    for (uint32_t i = 0; i < content->count && status == 0; i++) status = put_part(o, &content->children[i]);
    mb_jw_end_array(&o->w);
    return status;
}

// ---- messages ------------------------------------------------------------------------------------------------------

static void put_members(mb_jw *w, const mb_json *object, const char *except) {
    for (uint32_t i = 0; object && i < object->count; i++) {
        if (except && strcmp(object->children[i].key, except) == 0) continue;
        mb_jw_key(w, object->children[i].key);
        mb_jw_value(w, &object->children[i]);
    }
}

static void put_call(writer *o, const mb_json *call) {
    mb_jw *w = &o->w;
    char name[MB_WIRE_NAME_MAX + 1];
    const mb_json *echo = mb_openai_extra_find(o->ask, o->message, call);
    const mb_json *input = mb_json_get(mb_json_get(call, "function"), "arguments");
    bool custom = mb_json_str_is(mb_json_get(echo, "type"), "custom");
    mb_tool_wire_name(o->tools, mb_call_name(call), name);
    mb_jw_object(w);
    mb_write_call_id(w, o->ask, "id", call);
    mb_jw_kstr(w, "type", custom ? "custom" : "function");
    mb_jw_key(w, custom ? "custom" : "function");
    mb_jw_object(w);
    mb_jw_kstr(w, "name", name);
    mb_jw_key(w, custom ? "input" : "arguments");
    if (!custom)
        mb_write_call_arguments(w, call, true);
    else if (input)
        mb_jw_value(w, input); // any text
    else
        mb_jw_str(w, "");
    mb_jw_end_object(w);
    put_members(w, echo, "type");
    mb_jw_end_object(w);
}

static void put_thinking_echo(writer *o, const mb_json *message) {
    const char *key = o->ask->quirks->thinking_echo_key;
    const mb_json *echo = mb_openai_extra_find(o->ask, message, NULL);
    if (!key || mb_json_get(echo, key)) return;
    mb_buf text = MB_BUF(MB_LIMIT_REQUEST);
    mb_content_put_thinking(&text, mb_json_get(message, "content"));
    if (text.len) {
        mb_jw_key(&o->w, key);
        mb_jw_strn(&o->w, mb_buf_text(&text), text.len);
    }
    if (!mb_buf_ok(&text)) o->w.out->failed = text.failed;
    mb_buf_free(&text);
}

static bool is_blank(const mb_json *content) {
    if (!content || content->type == MB_JSON_NULL) return true;
    if (content->type == MB_JSON_STRING) return content->len == 0;
    for (uint32_t i = 0; i < content->count; i++)
        if (!mb_json_str_is(mb_json_get(&content->children[i], "type"), "thinking")) return false;
    return true;
}

static int put_assistant(writer *o, const mb_json *message) {
    int status = 0;
    mb_jw *w = &o->w;
    const mb_json *content = mb_json_get(message, "content"), *calls = mb_json_get(message, "tool_calls");
    bool has_calls = calls && calls->count;
    mb_jw_key(w, "content");
    if (has_calls && is_blank(content) && o->ask->quirks->null_content_ok)
        mb_jw_null(w);
    else
        status = put_content(o, content);
    put_thinking_echo(o, message);
    if (has_calls) {
        o->message = message;
        mb_jw_key(w, "tool_calls");
        mb_jw_array(w);
        for (uint32_t i = 0; i < calls->count; i++) put_call(o, &calls->children[i]);
        mb_jw_end_array(w);
    }
    return status;
}

static int put_result(writer *o, const mb_json *message, const mb_json *call) {
    mb_jw *w = &o->w;
    int status = 0;
    mb_jw_object(w);
    mb_jw_kstr(w, "role", "tool");
    mb_write_call_id(w, o->ask, "tool_call_id", call);
    if (message) {
        mb_jw_kvalue_if(w, "name", mb_json_get(message, "name"));
        mb_jw_key(w, "content");
        status = put_content(o, mb_json_get(message, "content"));
        put_members(w, mb_openai_extra_find(o->ask, message, NULL), NULL);
    } else {
        mb_write_result(w, NULL);
    }
    mb_jw_end_object(w);
    return status;
}

static int put_message(void *user, const mb_json *message, const mb_json *call) {
    writer *o = user;
    if (call) return put_result(o, message, call);
    mb_jw *w = &o->w;
    const char *role = mb_json_get_str(message, "role");
    int status;
    mb_jw_object(w);
    mb_jw_kstr(w, "role", strcmp(role, "developer") == 0 ? "system" : role); // the word that every server knows
    mb_jw_kvalue_if(w, "name", mb_json_get(message, "name"));
    if (strcmp(role, "assistant") == 0) {
        status = put_assistant(o, message);
    } else {
        mb_jw_key(w, "content");
        status = put_content(o, mb_json_get(message, "content"));
    }
    put_members(w, mb_openai_extra_find(o->ask, message, NULL), NULL);
    mb_jw_end_object(w);
    return status;
}

// ---- tools and parameters ------------------------------------------------------------------------------------------

static void put_tool(writer *o, const mb_json *tool) {
    mb_jw *w = &o->w;
    const mb_json *function = mb_json_get(tool, "function"), *raw = mb_json_get(tool, "raw");
    if (raw) {
        mb_jw_value(w, raw);
        return;
    }
    char name[MB_WIRE_NAME_MAX + 1];
    mb_tool_wire_name(o->tools, mb_json_get_str(function, "name"), name);
    mb_jw_object(w);
    mb_jw_kstr(w, "type", "function");
    mb_jw_key(w, "function");
    mb_jw_object(w);
    for (uint32_t i = 0; i < function->count; i++) {
        const mb_json *m = &function->children[i];
        mb_jw_key(w, m->key);
        if (strcmp(m->key, "name") == 0)
            mb_jw_str(w, name);
        else
            mb_jw_value(w, m);
    }
    mb_jw_end_object(w);
    mb_jw_end_object(w);
}

static void put_tool_choice(writer *o, const mb_json *choice) {
    mb_jw *w = &o->w;
    if (!choice || mb_write_has_extra(o->ask, "tool_choice")) return;
    mb_jw_key(w, "tool_choice");
    const mb_json *name = mb_json_path(choice, "function.name");
    if (!name) {
        mb_jw_value(w, choice);
        return;
    }
    char wire_name[MB_WIRE_NAME_MAX + 1];
    mb_tool_wire_name(o->tools, name->str, wire_name);
    mb_jw_object(w);
    mb_jw_kstr(w, "type", "function");
    mb_jw_key(w, "function");
    mb_jw_object(w);
    mb_jw_kstr(w, "name", wire_name);
    mb_jw_end_object(w);
    mb_jw_end_object(w);
}

static void put_tools(writer *o) {
    const mb_ask *ask = o->ask;
    if (!o->tools || o->tools->count == 0) return;
    if (!mb_write_has_extra(ask, "tools")) {
        mb_jw_key(&o->w, "tools");
        mb_jw_array(&o->w);
        for (uint32_t i = 0; i < o->tools->count; i++) put_tool(o, &o->tools->children[i]);
        mb_jw_end_array(&o->w);
    }
    put_tool_choice(o, mb_write_get(ask, "tool_choice"));
    const mb_json *parallel = mb_write_get(ask, "parallel_tool_calls");
    if (mb_write_has_extra(ask, "parallel_tool_calls")) return;
    if (parallel)
        mb_jw_kbool(&o->w, "parallel_tool_calls", mb_json_bool(parallel, true));
    else if (ask->quirks->say_parallel)
        mb_jw_kbool(&o->w, "parallel_tool_calls", true);
}

static void put_logprobs(writer *o) {
    const mb_json *v = mb_write_get(o->ask, "logprobs");
    if (!v || mb_write_has_extra(o->ask, "logprobs")) return;
    bool is_count = v->type != MB_JSON_BOOL;
    int64_t count = is_count ? mb_json_int(v, 0) : 0;
    if (o->ask->kind == MB_ASK_COMPLETION) { // the old field is the number itself
        if (is_count || mb_json_bool(v, false)) mb_jw_kint(&o->w, "logprobs", count);
        return;
    }
    mb_jw_kbool(&o->w, "logprobs", is_count || mb_json_bool(v, false));
    if (count > 0) mb_jw_kint(&o->w, "top_logprobs", count);
}

static void put_stream(writer *o) {
    const mb_ask *ask = o->ask;
    if (!ask->stream) return;
    mb_jw_kbool(&o->w, "stream", true);
    if (!ask->quirks->include_usage || mb_write_has_extra(ask, "stream_options")) return;
    mb_jw_key(&o->w, "stream_options");
    mb_jw_object(&o->w);
    mb_jw_kbool(&o->w, "include_usage", true);
    mb_jw_end_object(&o->w);
}

// Some servers close the last message unless they are told that it is not whole; llama.cpp then goes on with it all the
// same, but begins its answer with it.
static void put_continues(writer *o) {
    const char *prefill = o->ask->quirks->prefill;
    if (!o->ask->continues || !prefill || strcmp(prefill, "continue_final_message") != 0) return;
    mb_jw_kbool(&o->w, "add_generation_prompt", false);
    mb_jw_kbool(&o->w, "continue_final_message", true);
}

static void put_sampling(writer *o) {
    static const char *const SAME[] = {"temperature", "top_p", "stop", "seed"};
    for (size_t i = 0; i < MB_COUNT(SAME); i++) mb_write_copy(&o->w, o->ask, SAME[i], SAME[i]);
    const char *key = o->ask->quirks->max_tokens_key;
    mb_write_copy(&o->w, o->ask, "max_tokens", key && o->ask->kind == MB_ASK_CHAT ? key : "max_tokens");
    put_logprobs(o);
}

static void put_model(writer *o) {
    const char *model = o->ask->model; // empty: the path says it
    if (model && *model && !mb_write_has_extra(o->ask, "model")) mb_jw_kstr(&o->w, "model", model);
}

// ---- kinds of request ----------------------------------------------------------------------------------------------

static int write_chat(writer *o, mb_wire *wire, membrane_error **err) {
    const mb_ask *ask = o->ask;
    int status = mb_write_target(ask, wire, "POST", ask->quirks->chat_path, false, "chat", err);
    if (status == 0) status = mb_tool_names_check(o->tools, err);
    if (status != 0) return status;
    put_model(o);
    if (!mb_write_has_extra(ask, "messages")) {
        mb_jw_key(&o->w, "messages");
        mb_jw_array(&o->w);
        status = mb_history_each(ask, put_message, o);
        mb_jw_end_array(&o->w);
    }
    put_tools(o);
    mb_write_copy(&o->w, ask, "response_format", "response_format");
    put_sampling(o);
    if (status == 0) status = mb_write_thinking(&o->w, ask, err);
    put_stream(o);
    put_continues(o);
    return status;
}

static int write_completion(writer *o, mb_wire *wire, membrane_error **err) {
    int status = mb_write_target(o->ask, wire, "POST", o->ask->quirks->completion_path, false, "completions", err);
    if (status != 0) return status;
    put_model(o);
    mb_write_copy(&o->w, o->ask, "prompt", "prompt");
    put_sampling(o);
    put_stream(o);
    mb_quirks plain = *o->ask->quirks; // a bare prompt has no template that could ask for it
    mb_ask ask = *o->ask;
    plain.thinking_key = NULL;
    ask.quirks = &plain;
    return mb_write_thinking(&o->w, &ask, err);
}

static int write_embed(writer *o, mb_wire *wire, membrane_error **err) {
    const char *encoding = o->ask->quirks->embed_encoding;
    int status = mb_write_target(o->ask, wire, "POST", o->ask->quirks->embed_path, false, "embeddings", err);
    if (status != 0) return status;
    put_model(o);
    mb_write_copy(&o->w, o->ask, "input", "input");
    mb_write_copy(&o->w, o->ask, "dimensions", "dimensions");
    if (encoding && !mb_write_has_extra(o->ask, "encoding_format")) mb_jw_kstr(&o->w, "encoding_format", encoding);
    return 0;
}

static int write_tokenize(writer *o, mb_wire *wire, membrane_error **err) {
    const mb_json *text = mb_json_get(o->ask->request, "input");
    const char *key = o->ask->quirks->tokenize_key;
    if (!text) text = mb_json_get(o->ask->request, "prompt");
    if (!mb_json_is(text, MB_JSON_STRING))
        return mb_error_set(err, MEMBRANE_EUNSUPPORTED, "%s (%s) counts the tokens of one text only", o->ask->provider,
                            o->ask->quirks->kind);
    int status =
        mb_write_target(o->ask, wire, "POST", o->ask->quirks->tokenize_path, true, "the tokens of a text", err);
    if (status != 0) return status;
    put_model(o);
    mb_jw_key(&o->w, key ? key : "content");
    mb_jw_value(&o->w, text);
    return 0;
}

static int write_load(writer *o, mb_wire *wire, membrane_error **err) {
    const mb_quirks *q = o->ask->quirks;
    bool load = o->ask->kind == MB_ASK_LOAD;
    int status = mb_write_target(o->ask, wire, "POST", load ? q->load_path : q->unload_path, true,
                                 load ? "loading a model" : "unloading a model", err);
    if (status == 0) put_model(o);
    return status;
}

static int write_get(const mb_ask *ask, mb_wire *wire, membrane_error **err) {
    const mb_quirks *q = ask->quirks;
    switch (ask->kind) {
    case MB_ASK_MODELS: return mb_write_target(ask, wire, "GET", q->models_path, false, "its models", err);
    case MB_ASK_SHOW:
        if (!q->props_path) return mb_write_target(ask, wire, "GET", q->models_path, false, "a model", err);
        return mb_write_target(ask, wire, "GET", q->props_path, true, "a model", err);
    case MB_ASK_LOADED:
        return mb_write_target(ask, wire, "GET", q->local ? q->models_path : NULL, false, "its loaded models", err);
    case MB_ASK_HEALTH:
        if (!q->health_path) return mb_write_target(ask, wire, "GET", q->models_path, false, "its health", err);
        return mb_write_target(ask, wire, "GET", q->health_path, true, "its health", err);
    case MB_ASK_VERSION: return mb_write_target(ask, wire, "GET", q->version_path, true, "its version", err);
    case MB_ASK_METRICS: return mb_write_target(ask, wire, "GET", q->metrics_path, true, "metrics", err);
    case MB_ASK_SLOTS: return mb_write_target(ask, wire, "GET", q->slots_path, true, "its slots", err);
    default: return mb_write_target(ask, wire, "GET", NULL, false, "this kind of request", err);
    }
}

static int (*body_writer(mb_ask_kind kind))(writer *, mb_wire *, membrane_error **) {
    switch (kind) {
    case MB_ASK_CHAT: return write_chat;
    case MB_ASK_COMPLETION: return write_completion;
    case MB_ASK_EMBED: return write_embed;
    case MB_ASK_TOKENIZE:
    case MB_ASK_COUNT_TOKENS: return write_tokenize;
    case MB_ASK_LOAD:
    case MB_ASK_UNLOAD: return write_load;
    default: return NULL;
    }
}

int mb_openai_write(const mb_ask *ask, mb_wire *wire, membrane_error **err) {
    wire->stream = ask->stream && (ask->kind == MB_ASK_CHAT || ask->kind == MB_ASK_COMPLETION);
    int (*write_body)(writer *, mb_wire *, membrane_error **) = body_writer(ask->kind);
    if (ask->kind == MB_ASK_RERANK) return mb_rerank_write(ask, wire, err);
    if (ask->kind == MB_ASK_COUNT_TOKENS && ask->quirks->count_path) return mb_responses_write(ask, wire, err);
    int status = mb_write_check(ask, err);
    if (status == 0 && write_body) {
        writer o = {.ask = ask, .w = mb_jw_to(&wire->body), .tools = mb_write_get(ask, "tools"), .err = err};
        mb_jw_object(&o.w);
        status = write_body(&o, wire, err);
        mb_write_extra(&o.w, ask, NULL);
        mb_jw_end_object(&o.w);
    } else if (status == 0) {
        status = write_get(ask, wire, err);
    }
    return status ? status : mb_write_done(wire, err);
}
