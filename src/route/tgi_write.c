// SPDX-License-Identifier: MIT
// Canonical requests for Text Generation Inference's own API: one text in, one text out. A conversation is written down
// as plain text, with a warning, since the model's template is known to the server's other API only.
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "route/tgi.h"
#include "route/write.h"

typedef struct writer {
    const mb_ask *ask;
    mb_jw w;
    membrane_error **err;
    mb_buf text; // the conversation
} writer;

// ---- a conversation as text ----------------------------------------------------------------------------------------

static bool is(const mb_json *part, const char *type) { return mb_json_str_is(mb_json_get(part, "type"), type); }

// Models that see take images in the text, as Markdown has them.
static void put_image(mb_buf *out, const mb_json *part) {
    const char *data = mb_json_get_str(part, "data"), *url = mb_json_str(mb_json_path(part, "image_url.url"));
    mb_buf_puts(out, "![](");
    if (data) {
        mb_buf_putf(out, "data:%s;base64,", mb_json_get_str(part, "media_type"));
        mb_buf_puts(out, data);
    } else {
        mb_buf_puts(out, url ? url : "");
    }
    mb_buf_putc(out, ')');
}

static void put_content(mb_buf *out, const mb_json *content) {
    for (uint32_t i = 0; mb_json_is(content, MB_JSON_ARRAY) && i < content->count; i++)
        if (is(&content->children[i], "image") || is(&content->children[i], "image_url"))
            put_image(out, &content->children[i]);
    mb_content_put_text(out, content);
}

static void begin(mb_buf *out, const char *who) {
    if (out->len) mb_buf_putc(out, '\n');
    mb_buf_puts(out, who);
}

static void put_calls(mb_buf *out, const mb_json *calls) {
    for (uint32_t i = 0; calls && i < calls->count; i++) {
        begin(out, "Call of ");
        mb_buf_puts(out, mb_call_name(&calls->children[i]));
        mb_buf_puts(out, ": ");
        mb_jw w = mb_jw_to(out);
        mb_write_call_arguments(&w, &calls->children[i], false);
    }
}

static void put_result(mb_buf *out, const mb_json *message, const mb_json *call) {
    begin(out, "Result of ");
    mb_buf_puts(out, mb_call_name(call));
    mb_buf_puts(out, ": ");
    if (message)
        put_content(out, mb_json_get(message, "content"));
    else
        mb_buf_puts(out, "none, the call was not run");
}

static int put_message(void *user, const mb_json *message, const mb_json *call) {
    writer *o = user;
    if (call) {
        put_result(&o->text, message, call);
        return 0;
    }
    const mb_json *role = mb_json_get(message, "role"), *content = mb_json_get(message, "content");
    int status = mb_write_check_plain(o->ask, content, o->err);
    if (status == 0 && mb_json_get(message, "name"))
        status = mb_write_unsupported(o->ask, o->err, "messages.name", "a conversation is plain text there");
    begin(&o->text, mb_json_str_is(role, "user") ? "User: " : mb_json_str_is(role, "assistant") ? "Assistant: " : "");
    put_content(&o->text, content);
    put_calls(&o->text, mb_json_get(message, "tool_calls"));
    return status;
}

static int put_conversation(writer *o) {
    int status = mb_history_each(o->ask, put_message, o);
    begin(&o->text, "Assistant:");
    if (status != 0 || !o->ask->warnings) return status;
    if (o->ask->warnings->len) mb_buf_putc(o->ask->warnings, ',');
    mb_buf_puts(o->ask->warnings, "\"the conversation was sent as plain text, without the model's own template: the "
                                  "same server has chat under /v1, for the kind openai-compatible\"");
    return 0;
}

// The one text: a prompt, the text whose tokens are to be counted, or a conversation.
static int put_inputs(writer *o) {
    const mb_json *request = o->ask->request, *text = mb_json_get(request, "prompt");
    int status = 0;
    if (!text) text = mb_json_get(request, "input");
    if (mb_json_is(text, MB_JSON_ARRAY))
        status = mb_error_set(o->err, MEMBRANE_EUNSUPPORTED, "%s (%s) counts the tokens of one text only",
                              o->ask->provider, o->ask->quirks->kind);
    else if (mb_json_is(text, MB_JSON_STRING))
        mb_buf_put(&o->text, text->str, text->len);
    else
        status = put_conversation(o);
    if (mb_write_has_extra(o->ask, "inputs")) return status;
    mb_jw_key(&o->w, "inputs");
    mb_jw_strn(&o->w, mb_buf_text(&o->text), o->text.len);
    if (!mb_buf_ok(&o->text)) o->w.out->failed = o->text.failed;
    return status;
}

// ---- parameters ----------------------------------------------------------------------------------------------------

static const mb_json *extra_parameters(const writer *o) {
    const mb_json *extra = mb_json_path(mb_json_get(o->ask->request, "extra_body"), "parameters");
    return mb_json_is(extra, MB_JSON_OBJECT) ? extra : NULL;
}

static void put(writer *o, const char *key, const mb_json *v) {
    if (!v || mb_json_get(extra_parameters(o), key)) return;
    mb_jw_key(&o->w, key);
    mb_jw_value(&o->w, v);
}

// It takes no 0 for a temperature and neither end for top_p; what they mean is what happens without them.
static int put_sampling(writer *o) {
    const mb_json *temperature = mb_write_get(o->ask, "temperature"), *top_p = mb_write_get(o->ask, "top_p");
    const mb_json *seed = mb_write_get(o->ask, "seed");
    int status = 0;
    if (mb_json_double(temperature, 0) > 0) put(o, "temperature", temperature);
    if (top_p && mb_json_double(top_p, 1) <= 0)
        status = mb_write_unsupported(o->ask, o->err, "top_p", "it must be more than 0");
    else if (mb_json_double(top_p, 1) < 1)
        put(o, "top_p", top_p);
    if (status == 0 && seed && mb_json_int(seed, 0) < 0)
        status = mb_write_unsupported(o->ask, o->err, "seed", "it must not be negative");
    else
        put(o, "seed", seed);
    return status;
}

static void put_stop(writer *o) {
    const mb_json *stop = mb_write_get(o->ask, "stop");
    if (!stop || mb_json_get(extra_parameters(o), "stop")) return;
    mb_jw_key(&o->w, "stop");
    if (stop->type == MB_JSON_STRING) mb_jw_array(&o->w);
    mb_jw_value(&o->w, stop);
    if (stop->type == MB_JSON_STRING) mb_jw_end_array(&o->w);
}

static int put_grammar(writer *o) {
    const mb_json *format = mb_write_get(o->ask, "response_format");
    const mb_json *schema = mb_json_path(format, "json_schema.schema");
    if (mb_json_str_is(mb_json_get(format, "type"), "json_object"))
        return mb_write_unsupported(o->ask, o->err, "response_format", "it makes JSON by a schema only");
    if (!schema || mb_json_get(extra_parameters(o), "grammar")) return 0;
    mb_jw_key(&o->w, "grammar");
    mb_jw_object(&o->w);
    mb_jw_kstr(&o->w, "type", "json");
    mb_jw_kvalue_if(&o->w, "value", schema);
    mb_jw_end_object(&o->w);
    return 0;
}

static int put_parameters(writer *o) {
    const mb_json *logprobs = mb_write_get(o->ask, "logprobs"), *extra = extra_parameters(o);
    if (mb_write_has_extra(o->ask, "parameters") && !extra) return 0;
    mb_jw_key(&o->w, "parameters");
    mb_jw_object(&o->w);
    if (!mb_json_get(extra, "details")) mb_jw_kbool(&o->w, "details", true); // the finish, and what was used
    put(o, "max_new_tokens", mb_write_get(o->ask, "max_tokens"));
    int status = put_sampling(o);
    put_stop(o);
    if (mb_json_is(logprobs, MB_JSON_INT) && mb_json_int(logprobs, 0) > 0) put(o, "top_n_tokens", logprobs);
    if (status == 0) status = put_grammar(o);
    for (uint32_t i = 0; extra && i < extra->count; i++) {
        mb_jw_key(&o->w, extra->children[i].key);
        mb_jw_value(&o->w, &extra->children[i]);
    }
    mb_jw_end_object(&o->w);
    return status;
}

// ---- kinds of request ----------------------------------------------------------------------------------------------

static int write_generation(writer *o, mb_wire *wire) {
    const mb_quirks *q = o->ask->quirks;
    const char *whole = o->ask->kind == MB_ASK_CHAT ? q->chat_path : q->completion_path;
    const char *path = wire->stream ? q->stream_path : whole;
    int status = mb_write_target(o->ask, wire, "POST", path, true, "completions", o->err);
    if (status == 0) status = put_inputs(o);
    if (status == 0) status = put_parameters(o);
    return status == 0 ? mb_write_thinking(&o->w, o->ask, o->err) : status;
}

static int write_tokenize(writer *o, mb_wire *wire) {
    int status =
        mb_write_target(o->ask, wire, "POST", o->ask->quirks->tokenize_path, true, "the tokens of a text", o->err);
    return status == 0 ? put_inputs(o) : status;
}

static int write_get(const mb_ask *ask, mb_wire *wire, membrane_error **err) {
    const mb_quirks *q = ask->quirks;
    switch (ask->kind) {
    case MB_ASK_MODELS:
    case MB_ASK_LOADED:
    case MB_ASK_SHOW:
    case MB_ASK_VERSION: return mb_write_target(ask, wire, "GET", q->models_path, true, "its model", err);
    case MB_ASK_HEALTH: return mb_write_target(ask, wire, "GET", q->health_path, true, "its health", err);
    case MB_ASK_METRICS: return mb_write_target(ask, wire, "GET", q->metrics_path, true, "metrics", err);
    case MB_ASK_EMBED: return mb_write_target(ask, wire, "POST", NULL, true, "embeddings", err);
    default: return mb_write_target(ask, wire, "GET", NULL, true, "this kind of request", err);
    }
}

int mb_tgi_write(const mb_ask *ask, mb_wire *wire, membrane_error **err) {
    bool generates = ask->kind == MB_ASK_CHAT || ask->kind == MB_ASK_COMPLETION;
    bool counts = ask->kind == MB_ASK_TOKENIZE || ask->kind == MB_ASK_COUNT_TOKENS;
    wire->stream = ask->stream && generates;
    int status = mb_write_check(ask, err);
    if (status == 0 && (generates || counts)) {
        writer o = {.ask = ask, .w = mb_jw_to(&wire->body), .err = err, .text = MB_BUF(MB_LIMIT_REQUEST)};
        mb_jw_object(&o.w);
        status = generates ? write_generation(&o, wire) : write_tokenize(&o, wire);
        mb_write_extra(&o.w, ask, generates && extra_parameters(&o) ? "parameters" : NULL);
        mb_jw_end_object(&o.w);
        mb_buf_free(&o.text);
    } else if (status == 0) {
        status = write_get(ask, wire, err);
    }
    return status ? status : mb_write_done(wire, err);
}
