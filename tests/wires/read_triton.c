// SPDX-License-Identifier: MIT
// Requests of Triton: a text to go on with (a conversation was made one before it was sent), and texts as a tensor.
#include <string.h>

#include "base/alloc.h"
#include "read.h"

// "/v2/models/NAME/generate", "/v2/models/NAME/versions/2/infer"
static void read_path(const read_ask *ask) {
    static const char PART[] = "/models/";
    const char *at = ask->path ? strstr(ask->path, PART) : NULL, *end = at ? strrchr(at, '/') : NULL;
    char name[256] = "";
    if (at) at += sizeof PART - 1;
    if (at && end > at && (size_t)(end - at) < sizeof name) memcpy(name, at, (size_t)(end - at));
    read_model(ask, name);
    if (end && strncmp(end, "/generate_stream", 16) == 0) *ask->ret_stream = true;
}

static void read_sampling(mb_jw *out, const mb_json *from, const char *seed, const char *stop) {
    read_copy(out, from, "max_tokens", "max_tokens");
    read_copy(out, from, "temperature", "temperature");
    read_copy(out, from, "top_p", "top_p");
    read_copy(out, from, seed, "seed");
    read_copy(out, from, stop, "stop");
}

// Members of from that are neither known nor ours.
static void put_rest(mb_jw *out, const mb_json *from, const char *const *known) {
    for (uint32_t i = 0; mb_json_is(from, MB_JSON_OBJECT) && i < from->count; i++) {
        bool is_known = false;
        for (const char *const *k = known; *k; k++) is_known |= strcmp(*k, from->children[i].key) == 0;
        if (is_known) continue;
        mb_jw_key(out, from->children[i].key);
        mb_jw_value(out, &from->children[i]);
    }
}

static bool read_generate(const read_ask *ask, mb_jw *out) {
    static const char *const KNOWN[] = {"text_input",  "max_tokens", "temperature", "top_p",
                                        "random_seed", "stop_words", "stream",      NULL};
    if (!mb_json_get_str(ask->body, "text_input")) return false;
    read_path(ask);
    *ask->ret_stream |= mb_json_bool(mb_json_get(ask->body, "stream"), false);
    read_copy(out, ask->body, "text_input", "prompt");
    read_sampling(out, ask->body, "random_seed", "stop_words");
    read_extra(out, ask->body, KNOWN);
    return true;
}

// The form of vLLM's backend: sampling as JSON text in one field.
static bool read_generate_text(const read_ask *ask, mb_jw *out) {
    static const char *const KNOWN[] = {"text_input", "sampling_parameters", "stream", NULL};
    static const char *const SAMPLING[] = {"max_tokens", "temperature", "top_p", "seed", "stop", NULL};
    const mb_json *text = mb_json_get(ask->body, "sampling_parameters"), *sampling = NULL;
    mb_arena arena = {0};
    if (!mb_json_get_str(ask->body, "text_input") || !mb_json_is(text, MB_JSON_STRING)) return false;
    bool good = mb_json_parse(&arena, text->str, text->len, &sampling, NULL) == 0;
    if (good) {
        read_path(ask);
        *ask->ret_stream |= mb_json_bool(mb_json_get(ask->body, "stream"), false);
        read_copy(out, ask->body, "text_input", "prompt");
        read_sampling(out, sampling, "seed", "stop");
        mb_jw_key(out, "extra_body");
        mb_jw_object(out);
        mb_jw_key(out, "sampling_parameters");
        mb_jw_object(out);
        put_rest(out, sampling, SAMPLING);
        mb_jw_end_object(out);
        put_rest(out, ask->body, KNOWN);
        mb_jw_end_object(out);
    }
    mb_arena_free(&arena);
    return good;
}

static bool read_infer(const read_ask *ask, mb_jw *out) {
    static const char *const KNOWN[] = {"inputs", NULL};
    const mb_json *inputs = mb_json_get(ask->body, "inputs"), *data = mb_json_get(mb_json_at(inputs, 0), "data");
    if (!mb_json_is(data, MB_JSON_ARRAY)) return false;
    read_path(ask);
    mb_jw_key(out, "input");
    mb_jw_value(out, data);
    read_extra(out, ask->body, KNOWN);
    return true;
}

const wire_reader READERS_TRITON[] = {
    {"triton.generate", read_generate, MB_ASK_COMPLETION},
    {"triton.generate.text", read_generate_text, MB_ASK_COMPLETION},
    {"triton.infer", read_infer, MB_ASK_EMBED},
    {0},
};
