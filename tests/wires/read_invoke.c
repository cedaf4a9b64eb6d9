// SPDX-License-Identifier: MIT
// Requests of InvokeModel: each maker's body in its own way, told by its members as its answers are.
#include <string.h>

#include "base/alloc.h"
#include "read_bedrock.h"

static void put_user_message(mb_jw *out, const mb_json *text) {
    mb_jw_key(out, "messages");
    mb_jw_array(out);
    mb_jw_object(out);
    mb_jw_kstr(out, "role", "user");
    mb_jw_kvalue_if(out, "content", text);
    mb_jw_end_object(out);
    mb_jw_end_array(out);
}

static bool is_in(const char *const *list, const char *key) {
    for (; *list; list++)
        if (strcmp(*list, key) == 0) return true;
    return false;
}

static void put_others(bedrock_extra *extra, const mb_json *body, const char *const *known) {
    for (uint32_t i = 0; i < body->count; i++)
        if (!is_in(known, body->children[i].key)) bedrock_extra_put(extra, &body->children[i]);
}

static bool read_titan(const read_ask *ask, mb_jw *out) {
    static const bedrock_names NAMES = {"maxTokenCount", "topP", "stopSequences"};
    static const char *const KNOWN[] = {"inputText", "textGenerationConfig", NULL};
    const mb_json *config = mb_json_get(ask->body, "textGenerationConfig");
    bedrock_extra extra = bedrock_extra_begin();
    put_user_message(out, mb_json_get(ask->body, "inputText"));
    if (config) bedrock_sampling(config, &NAMES, out, &extra);
    put_others(&extra, ask->body, KNOWN);
    bedrock_extra_end(&extra, out);
    return true;
}

static bool read_command(const read_ask *ask, mb_jw *out) {
    static const char *const KNOWN[] = {"prompt", "max_tokens", "temperature", "p", "stop_sequences", NULL};
    bedrock_extra extra = bedrock_extra_begin();
    put_user_message(out, mb_json_get(ask->body, "prompt"));
    read_copy(out, ask->body, "max_tokens", "max_tokens");
    read_copy(out, ask->body, "temperature", "temperature");
    read_copy(out, ask->body, "p", "top_p");
    read_copy(out, ask->body, "stop_sequences", "stop");
    put_others(&extra, ask->body, KNOWN);
    bedrock_extra_end(&extra, out);
    return true;
}

static bool read_nova(const read_ask *ask, mb_jw *out) {
    static const bedrock_names NAMES = {"max_new_tokens", "topP", "stopSequences"};
    bedrock_extra extra = bedrock_extra_begin();
    bool good = bedrock_body(ask, ask->body, &NAMES, out, &extra);
    bedrock_extra_end(&extra, out);
    return good;
}

static bool read_chat(const read_ask *ask, mb_jw *out) {
    const mb_json *body = ask->body;
    bool good = false;
    if (mb_json_get(body, "anthropic_version"))
        good = wire_reader_find("anthropic", "messages")->read(ask, out);
    bedrock_path(ask, "/invoke-with-response-stream");
    if (good) return true;
    if (mb_json_get(body, "inputText")) return read_titan(ask, out);
    if (mb_json_get(body, "prompt")) return read_command(ask, out);
    return read_nova(ask, out);
}

static bool read_embed(const read_ask *ask, mb_jw *out) {
    static const char *const KNOWN[] = {"inputText", "texts", "dimensions", "output_dimension", NULL};
    bedrock_extra extra = bedrock_extra_begin();
    bedrock_path(ask, "");
    read_copy(out, ask->body, "inputText", "input");
    read_copy(out, ask->body, "texts", "input");
    read_copy(out, ask->body, "dimensions", "dimensions");
    read_copy(out, ask->body, "output_dimension", "dimensions");
    put_others(&extra, ask->body, KNOWN);
    bedrock_extra_end(&extra, out);
    return true;
}

const wire_reader READERS_BEDROCK_INVOKE[] = {
    {"invoke", read_chat, MB_ASK_CHAT},
    {"invoke", read_embed, MB_ASK_EMBED},
    {0},
};
