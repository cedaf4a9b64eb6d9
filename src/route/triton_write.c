// SPDX-License-Identifier: MIT
// Canonical requests for Triton. The generate extension takes one text and whatever tensors and parameters the model
// has; how sampling is said is the backend's affair: fields of their own (TensorRT-LLM), or all of them as JSON text in
// one field (the row's sampling_key; vLLM). There is no chat template, no tool and no image: a conversation becomes
// plain text, with a warning. Embeddings are KServe's tensors.
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "route/triton.h"
#include "route/write.h"

typedef struct writer {
    const mb_ask *ask;
    mb_jw w;
    membrane_error **err;
    bool has_named_calls, has_named_images; // each is refused, or warned of, once
} writer;

// ---- where ---------------------------------------------------------------------------------------------------------

// "/versions/2" at the end of a model's name, as in the URL; NULL without.
static const char *version_of(const char *model) {
    static const char PART[] = "/versions/";
    const char *found = NULL;
    for (const char *at = model; at && (at = strstr(at, PART)) != NULL; at++) found = at;
    if (!found || found == model) return NULL;
    const char *number = found + sizeof PART - 1;
    return *number && strspn(number, "0123456789") == strlen(number) ? found : NULL;
}

static int write_target(const mb_ask *ask, mb_wire *wire, const char *method, const char *path, const char *what,
                        membrane_error **err) {
    const char *version = version_of(ask->model), *hole = path ? strstr(path, "{model}") : NULL;
    if (!version || !hole) return mb_write_target(ask, wire, method, path, true, what, err);
    mb_buf model = MB_BUF(65536), full = MB_BUF(65536);
    const size_t before = (size_t)(hole - path) + strlen("{model}");
    mb_buf_put(&model, ask->model, (size_t)(version - ask->model));
    mb_buf_put(&full, path, before);
    mb_buf_puts(&full, version);
    mb_buf_puts(&full, path + before);
    mb_ask plain = *ask;
    plain.model = mb_buf_text(&model);
    int status = mb_write_target(&plain, wire, method, mb_buf_text(&full), true, what, err);
    if (!mb_buf_ok(&model)) wire->url.failed = model.failed;
    if (!mb_buf_ok(&full)) wire->url.failed = full.failed;
    mb_buf_free(&model);
    mb_buf_free(&full);
    return status;
}

// ---- a conversation as text ----------------------------------------------------------------------------------------

static int check_message(writer *o, const mb_json *message) {
    const mb_json *calls = mb_json_get(message, "tool_calls"), *content = mb_json_get(message, "content");
    const bool is_result = mb_json_str_is(mb_json_get(message, "role"), "tool");
    int status = 0;
    if ((is_result || (calls && calls->count)) && !o->has_named_calls) {
        o->has_named_calls = true;
        status = mb_write_unsupported(o->ask, o->err, "tool_calls", "it knows no tools");
    }
    if (status == 0 && mb_content_has_image(content) && !o->has_named_images) {
        o->has_named_images = true;
        status = mb_write_unsupported(o->ask, o->err, "image", "it takes text only");
    }
    return status ? status : mb_write_check_plain(o->ask, content, o->err);
}

static void put_message(mb_buf *out, const mb_json *message) {
    const char *role = mb_json_get_str(message, "role");
    const mb_json *content = mb_json_get(message, "content");
    if (strcmp(role, "tool") == 0) return;
    if (out->len) mb_buf_puts(out, "\n\n");
    if (strcmp(role, "user") == 0) mb_buf_puts(out, "User: ");
    if (strcmp(role, "assistant") == 0) mb_buf_puts(out, "Assistant: ");
    mb_content_put_text(out, content);
}

// A lone question goes as it is; anything longer with the names of those who speak, open at the end for the answer.
static int put_conversation(writer *o) {
    const mb_json *messages = mb_json_get(o->ask->request, "messages");
    const mb_json *last = mb_json_at(messages, messages->count - 1);
    mb_buf text = MB_BUF(MB_LIMIT_REQUEST);
    int status = 0;
    for (uint32_t i = 0; i < messages->count && status == 0; i++) status = check_message(o, &messages->children[i]);
    if (messages->count == 1 && mb_json_str_is(mb_json_get(last, "role"), "user")) {
        mb_content_put_text(&text, mb_json_get(last, "content"));
    } else {
        for (uint32_t i = 0; i < messages->count; i++) put_message(&text, &messages->children[i]);
        if (!mb_json_str_is(mb_json_get(last, "role"), "assistant")) mb_buf_puts(&text, "\n\nAssistant:");
    }
    mb_jw_key(&o->w, "text_input");
    mb_jw_strn(&o->w, mb_buf_text(&text), text.len);
    if (!mb_buf_ok(&text)) o->w.out->failed = text.failed;
    mb_buf_free(&text);
    return status;
}

static void warn_of_template(const mb_ask *ask) {
    mb_buf text = MB_BUF(1024);
    if (!ask->warnings) return;
    mb_buf_putf(&text, "%s (%s) has no chat template: the messages were sent as plain text", ask->provider,
                ask->quirks->kind);
    if (ask->warnings->len) mb_buf_putc(ask->warnings, ',');
    mb_jw w = mb_jw_to(ask->warnings);
    mb_jw_strn(&w, mb_buf_text(&text), text.len);
    mb_buf_free(&text);
}

// ---- sampling ------------------------------------------------------------------------------------------------------

static void put_stop(mb_jw *w, const char *key, const mb_json *stop) {
    mb_jw_key(w, key);
    if (stop->type == MB_JSON_STRING) mb_jw_array(w);
    mb_jw_value(w, stop);
    if (stop->type == MB_JSON_STRING) mb_jw_end_array(w);
}

// The request's sampling but for what extra names already. seed and stop: what the backend calls them.
static void put_sampling(mb_jw *w, const mb_ask *ask, const mb_json *extra, const char *seed, const char *stop) {
    const mb_quirks *q = ask->quirks;
    const char *limit = q->max_tokens_key ? q->max_tokens_key : "max_tokens";
    const struct {
        const char *ours, *theirs;
    } NAMES[] = {{"max_tokens", limit}, {"temperature", "temperature"}, {"top_p", "top_p"}, {"seed", seed}};
    const mb_json *stops = mb_write_get(ask, "stop");
    for (size_t i = 0; i < MB_COUNT(NAMES); i++) {
        const mb_json *v = mb_write_get(ask, NAMES[i].ours);
        if (mb_json_get(extra, NAMES[i].theirs)) continue;
        if (v) {
            mb_jw_key(w, NAMES[i].theirs);
            mb_jw_value(w, v);
        } else if (i == 0 && q->default_max_tokens) { // TensorRT-LLM insists on a limit, vLLM's own is 16
            mb_jw_kint(w, NAMES[i].theirs, q->default_max_tokens);
        }
    }
    if (stops && !mb_json_get(extra, stop)) put_stop(w, stop, stops);
}

// All of it as JSON text in one field; the members that extra_body has there win, and a text there wins as it is.
static void put_sampling_text(writer *o, const char *key) {
    const mb_json *extra = mb_json_get(mb_json_get(o->ask->request, "extra_body"), key);
    mb_buf text = MB_BUF(MB_LIMIT_REQUEST);
    mb_jw w = mb_jw_to(&text);
    if (extra && extra->type != MB_JSON_OBJECT) {
        mb_jw_key(&o->w, key);
        mb_jw_value(&o->w, extra);
        return;
    }
    mb_jw_object(&w);
    put_sampling(&w, o->ask, extra, "seed", "stop");
    for (uint32_t i = 0; extra && i < extra->count; i++) {
        mb_jw_key(&w, extra->children[i].key);
        mb_jw_value(&w, &extra->children[i]);
    }
    mb_jw_end_object(&w);
    mb_jw_key(&o->w, key);
    mb_jw_strn(&o->w, mb_buf_text(&text), text.len);
    if (!mb_buf_ok(&text)) o->w.out->failed = text.failed;
    mb_buf_free(&text);
}

static void put_flag(writer *o, const char *key, bool value) {
    if (!mb_write_has_extra(o->ask, key)) mb_jw_kbool(&o->w, key, value);
}

// Both backends repeat the prompt in their answer unless told not to.
static int put_generation(writer *o) {
    const char *key = o->ask->quirks->sampling_key;
    if (key) {
        static const char *const WANTED[] = {"return_finish_reason", "return_num_input_tokens",
                                             "return_num_output_tokens"};
        put_sampling_text(o, key);
        for (size_t i = 0; i < MB_COUNT(WANTED); i++) put_flag(o, WANTED[i], true);
    } else {
        put_sampling(&o->w, o->ask, mb_json_get(o->ask->request, "extra_body"), "random_seed", "stop_words");
    }
    put_flag(o, "exclude_input_in_output", true);
    mb_jw_kbool(&o->w, "stream", o->ask->stream);
    return mb_write_thinking(&o->w, o->ask, o->err);
}

// ---- kinds of request ----------------------------------------------------------------------------------------------

static int write_generation(writer *o, mb_wire *wire) {
    const mb_ask *ask = o->ask;
    const mb_quirks *q = ask->quirks;
    const bool is_chat = ask->kind == MB_ASK_CHAT;
    const char *path = ask->stream && q->stream_path ? q->stream_path : is_chat ? q->chat_path : q->completion_path;
    int status = write_target(ask, wire, "POST", path, is_chat ? "chat" : "completions", o->err);
    if (status != 0) return status;
    if (!is_chat) {
        mb_write_copy(&o->w, ask, "prompt", "text_input");
    } else if (!mb_write_has_extra(ask, "text_input")) {
        status = put_conversation(o);
        if (status == 0) warn_of_template(ask);
    }
    return status ? status : put_generation(o);
}

static void put_texts(mb_jw *w, const mb_quirks *q, const mb_json *input) {
    const bool is_list = input->type == MB_JSON_ARRAY;
    mb_jw_object(w);
    mb_jw_kstr(w, "name", q->embed_input);
    mb_jw_key(w, "shape");
    mb_jw_array(w);
    mb_jw_int(w, is_list ? (int64_t)input->count : 1);
    if (q->embed_rows) mb_jw_int(w, 1);
    mb_jw_end_array(w);
    mb_jw_kstr(w, "datatype", "BYTES");
    mb_jw_key(w, "data");
    if (!is_list) mb_jw_array(w);
    mb_jw_value(w, input);
    if (!is_list) mb_jw_end_array(w);
    mb_jw_end_object(w);
}

static int write_embed(writer *o, mb_wire *wire) {
    const mb_quirks *q = o->ask->quirks;
    const mb_json *input = mb_json_get(o->ask->request, "input");
    int status = write_target(o->ask, wire, "POST", q->embed_input ? q->embed_path : NULL, "embeddings", o->err);
    if (status != 0) return status;
    if (!mb_write_has_extra(o->ask, "inputs")) {
        mb_jw_key(&o->w, "inputs");
        mb_jw_array(&o->w);
        put_texts(&o->w, q, input);
        mb_jw_end_array(&o->w);
    }
    if (q->embed_output && !mb_write_has_extra(o->ask, "outputs")) {
        mb_jw_key(&o->w, "outputs");
        mb_jw_array(&o->w);
        mb_jw_object(&o->w);
        mb_jw_kstr(&o->w, "name", q->embed_output);
        mb_jw_end_object(&o->w);
        mb_jw_end_array(&o->w);
    }
    return 0;
}

static int write_index(writer *o, mb_wire *wire) {
    const bool loaded = o->ask->kind == MB_ASK_LOADED;
    int status = write_target(o->ask, wire, "POST", o->ask->quirks->models_path,
                              loaded ? "its loaded models" : "its models", o->err);
    if (status == 0 && loaded) mb_jw_kbool(&o->w, "ready", true);
    return status;
}

static int write_load(writer *o, mb_wire *wire) {
    const mb_ask *ask = o->ask;
    const bool load = ask->kind == MB_ASK_LOAD;
    if (ask->keep_alive_ms > 0)
        return mb_error_set(o->err, MEMBRANE_EUNSUPPORTED, "%s (%s) keeps a model until it is unloaded: no keep_alive",
                            ask->provider, ask->quirks->kind);
    if (version_of(ask->model))
        return mb_error_set(o->err, MEMBRANE_EUNSUPPORTED,
                            "%s (%s) loads the versions of a model that its configuration names: leave %s out",
                            ask->provider, ask->quirks->kind, version_of(ask->model));
    return write_target(ask, wire, "POST", load ? ask->quirks->load_path : ask->quirks->unload_path,
                        load ? "loading a model" : "unloading a model", o->err);
}

static int write_get(const mb_ask *ask, mb_wire *wire, membrane_error **err) {
    const mb_quirks *q = ask->quirks;
    switch (ask->kind) {
    case MB_ASK_SHOW: return write_target(ask, wire, "GET", q->props_path, "a model", err);
    case MB_ASK_HEALTH: return write_target(ask, wire, "GET", q->health_path, "its health", err);
    case MB_ASK_VERSION: return write_target(ask, wire, "GET", q->version_path, "its version", err);
    default: return write_target(ask, wire, "GET", NULL, "this kind of request", err);
    }
}

static int (*body_writer(mb_ask_kind kind))(writer *, mb_wire *) {
    switch (kind) {
    case MB_ASK_CHAT:
    case MB_ASK_COMPLETION: return write_generation;
    case MB_ASK_EMBED: return write_embed;
    case MB_ASK_MODELS:
    case MB_ASK_LOADED: return write_index;
    case MB_ASK_LOAD:
    case MB_ASK_UNLOAD: return write_load;
    default: return NULL;
    }
}

int mb_triton_write(const mb_ask *ask, mb_wire *wire, membrane_error **err) {
    const bool generates = ask->kind == MB_ASK_CHAT || ask->kind == MB_ASK_COMPLETION;
    int (*write_body)(writer *, mb_wire *) = body_writer(ask->kind);
    wire->stream = ask->stream && generates;
    int status = mb_write_check(ask, err);
    if (status == 0 && write_body) {
        writer o = {.ask = ask, .w = mb_jw_to(&wire->body), .err = err};
        mb_jw_object(&o.w);
        status = write_body(&o, wire);
        mb_write_extra(&o.w, ask, generates ? ask->quirks->sampling_key : NULL); // that one is merged already
        mb_jw_end_object(&o.w);
    } else if (status == 0) {
        status = write_get(ask, wire, err);
    }
    return status ? status : mb_write_done(wire, err);
}
