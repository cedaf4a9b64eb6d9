// SPDX-License-Identifier: MIT
// Requests of Ollama's chat, generate and embed.
#include <string.h>

#include "read.h"

static void put_call(mb_jw *w, const mb_json *call) {
    const mb_json *function = mb_json_get(call, "function");
    const char *id = mb_json_get_str(call, "id");
    mb_buf text = MB_BUF(1 << 20);
    mb_jw arguments = mb_jw_to(&text);
    mb_jw_value(&arguments, mb_json_get(function, "arguments"));
    mb_jw_object(w);
    mb_jw_kstr(w, "id", id ? id : mb_json_get_str(function, "name"));
    mb_jw_key(w, "function");
    mb_jw_object(w);
    mb_jw_kvalue_if(w, "name", mb_json_get(function, "name"));
    mb_jw_key(w, "arguments");
    mb_jw_strn(w, mb_buf_text(&text), text.len);
    mb_jw_end_object(w);
    mb_jw_end_object(w);
    mb_buf_free(&text);
}

static void put_message(mb_jw *w, const mb_json *m) {
    const mb_json *images = mb_json_get(m, "images"), *calls = mb_json_get(m, "tool_calls");
    mb_jw_object(w);
    mb_jw_kvalue_if(w, "role", mb_json_get(m, "role"));
    mb_jw_key(w, "content");
    mb_jw_array(w);
    if (mb_json_get(m, "thinking")) {
        mb_jw_object(w);
        mb_jw_kstr(w, "type", "thinking");
        mb_jw_kvalue_if(w, "thinking", mb_json_get(m, "thinking"));
        mb_jw_end_object(w);
    }
    mb_jw_object(w);
    mb_jw_kstr(w, "type", "text");
    mb_jw_kstr(w, "text", mb_json_get_str(m, "content") ? mb_json_get_str(m, "content") : "");
    mb_jw_end_object(w);
    for (uint32_t i = 0; mb_json_is(images, MB_JSON_ARRAY) && i < images->count; i++) {
        mb_jw_object(w);
        mb_jw_kstr(w, "type", "image");
        mb_jw_kvalue_if(w, "data", &images->children[i]);
        mb_jw_kstr(w, "media_type", "image/png");
        mb_jw_end_object(w);
    }
    mb_jw_end_array(w);
    if (mb_json_is(calls, MB_JSON_ARRAY)) {
        mb_jw_key(w, "tool_calls");
        mb_jw_array(w);
        for (uint32_t i = 0; i < calls->count; i++) put_call(w, &calls->children[i]);
        mb_jw_end_array(w);
    }
    if (mb_json_str_is(mb_json_get(m, "role"), "tool")) {
        const char *id = mb_json_get_str(m, "tool_call_id");
        mb_jw_kstr(w, "tool_call_id", id ? id : mb_json_get_str(m, "tool_name"));
    }
    mb_jw_end_object(w);
}

// num_predict and what else of the options we have a word for; the rest goes as extra_body.options.
static void read_options(mb_jw *out, const mb_json *options) {
    read_copy(out, options, "num_predict", "max_tokens");
    read_copy(out, options, "temperature", "temperature");
    read_copy(out, options, "top_p", "top_p");
    read_copy(out, options, "seed", "seed");
    read_copy(out, options, "stop", "stop");
}

static bool is_ours(const char *key) {
    static const char *const OURS[] = {"num_predict", "temperature", "top_p", "seed", "stop"};
    for (size_t i = 0; i < sizeof OURS / sizeof *OURS; i++)
        if (strcmp(OURS[i], key) == 0) return true;
    return false;
}

static void put_extra(mb_jw *out, const mb_json *body, const char *const *known, bool has_options) {
    mb_jw_key(out, "extra_body");
    mb_jw_object(out);
    for (uint32_t i = 0; i < body->count; i++) {
        const mb_json *m = &body->children[i];
        bool is_known = false;
        for (const char *const *k = known; *k; k++) is_known |= strcmp(*k, m->key) == 0;
        if (is_known) continue;
        mb_jw_key(out, m->key);
        if (!has_options || strcmp(m->key, "options") != 0) {
            mb_jw_value(out, m);
            continue;
        }
        mb_jw_object(out);
        for (uint32_t j = 0; j < m->count; j++) {
            if (is_ours(m->children[j].key)) continue;
            mb_jw_key(out, m->children[j].key);
            mb_jw_value(out, &m->children[j]);
        }
        mb_jw_end_object(out);
    }
    mb_jw_end_object(out);
}

static void read_common(const read_ask *ask, mb_jw *out) {
    *ask->ret_stream = mb_json_bool(mb_json_get(ask->body, "stream"), true);
    read_model(ask, mb_json_get_str(ask->body, "model"));
    read_options(out, mb_json_get(ask->body, "options"));
}

static bool read_chat(const read_ask *ask, mb_jw *out) {
    static const char *const KNOWN[] = {"model", "messages", "stream", "tools", NULL};
    const mb_json *messages = mb_json_get(ask->body, "messages");
    if (!mb_json_is(messages, MB_JSON_ARRAY)) return false;
    read_common(ask, out);
    mb_jw_key(out, "messages");
    mb_jw_array(out);
    for (uint32_t i = 0; i < messages->count; i++) put_message(out, &messages->children[i]);
    mb_jw_end_array(out);
    read_copy(out, ask->body, "tools", "tools");
    put_extra(out, ask->body, KNOWN, true);
    return true;
}

static bool read_generate(const read_ask *ask, mb_jw *out) {
    static const char *const KNOWN[] = {"model", "prompt", "stream", NULL};
    if (!mb_json_get_str(ask->body, "prompt")) return false;
    read_common(ask, out);
    read_copy(out, ask->body, "prompt", "prompt");
    put_extra(out, ask->body, KNOWN, true);
    return true;
}

static bool read_embed(const read_ask *ask, mb_jw *out) {
    static const char *const KNOWN[] = {"model", "input", "dimensions", NULL};
    read_model(ask, mb_json_get_str(ask->body, "model"));
    read_copy(out, ask->body, "input", "input");
    read_copy(out, ask->body, "dimensions", "dimensions");
    read_extra(out, ask->body, KNOWN);
    return mb_json_get(ask->body, "input") != NULL;
}

const wire_reader READERS_OLLAMA[] = {
    {"ollama.chat", read_chat, MB_ASK_CHAT},
    {"ollama.generate", read_generate, MB_ASK_COMPLETION},
    {"ollama.embed", read_embed, MB_ASK_EMBED},
    {0},
};
