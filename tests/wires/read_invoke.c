// SPDX-License-Identifier: MIT
// Requests of InvokeModel: each maker's body in its own way, told by its members as its answers are.
#include <string.h>

#include "base/alloc.h"
#include "read_bedrock.h"
#include "route/converse.h"

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

// A name that says nothing: whose body it is must show in the maker's own words.
static bool is_unnamed(const read_ask *ask) { return mb_model_family_of(ask->ret_model) == MB_MODEL_OTHER; }

// A prompt as it is; each maker has other names for the rest.
static bool read_completion(const read_ask *ask, mb_jw *out) {
    static const char *const NAMES[][2] = {{"max_tokens", "max_tokens"},
                                           {"max_tokens_to_sample", "max_tokens"},
                                           {"max_gen_len", "max_tokens"},
                                           {"maxTokens", "max_tokens"},
                                           {"temperature", "temperature"},
                                           {"p", "top_p"},
                                           {"top_p", "top_p"},
                                           {"topP", "top_p"},
                                           {"stop_sequences", "stop"},
                                           {"stopSequences", "stop"},
                                           {"stop", "stop"}};
    const char *known[16] = {"prompt"};
    size_t n = 1;
    bedrock_extra extra = bedrock_extra_begin();
    bedrock_path(ask, "/invoke-with-response-stream");
    read_copy(out, ask->body, "prompt", "prompt");
    for (size_t i = 0; i < MB_COUNT(NAMES); i++) {
        const mb_json *v = mb_json_get(ask->body, NAMES[i][0]);
        if (is_unnamed(ask) && strcmp(NAMES[i][0], NAMES[i][1]) != 0) continue; // whose names would they be?
        if (!v || (v->type == MB_JSON_ARRAY && v->count == 0)) continue;
        if (!read_is_canonical(MB_ASK_COMPLETION, NAMES[i][1], v)) continue;
        read_copy(out, ask->body, NAMES[i][0], NAMES[i][1]);
        known[n++] = NAMES[i][0];
    }
    put_others(&extra, ask->body, known);
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

// Another wire's request, but for what the path says.
static bool read_by(const char *wire, const char *api, const read_ask *ask, mb_jw *out) {
    const wire_reader *reader = wire_reader_find(wire, api);
    mb_quirks quirks = *ask->quirks;
    read_ask by = *ask;
    by.quirks = &quirks;
    if (is_unnamed(ask)) quirks.api_version = NULL; // so that the recorded one stays
    return reader && reader->read(&by, out);
}

static bool is_openai(const mb_json *body) { // Nova's content is always a list, of parts without a type
    const mb_json *content = mb_json_path(body, "messages.0.content");
    return mb_json_is(content, MB_JSON_STRING) || mb_json_get(mb_json_at(content, 0), "type");
}

static bool read_chat(const read_ask *ask, mb_jw *out) {
    const mb_json *body = ask->body;
    bool good;
    bedrock_path(ask, "/invoke-with-response-stream");
    if (mb_json_get(body, "anthropic_version"))
        good = read_by("anthropic", "messages", ask, out);
    else if (mb_json_get(body, "inputText"))
        good = read_titan(ask, out);
    else if (mb_json_get(body, "message"))
        good = read_by("cohere-v1", "cohere.v1.chat", ask, out);
    else
        good = is_openai(body) ? read_by("openai", "chat.completions", ask, out) : read_nova(ask, out);
    bedrock_path(ask, "/invoke-with-response-stream");
    return good;
}

static bool read_nova_embed(const read_ask *ask, mb_jw *out) {
    static const char *const KNOWN[] = {"singleEmbeddingParams", NULL};
    const mb_json *table = mb_json_get(ask->body, "singleEmbeddingParams"), *text = mb_json_get(table, "text");
    const mb_json *value = mb_json_get(text, "value");
    bool is_plain = mb_json_is(value, MB_JSON_STRING) && text->count == 2 &&
                    mb_json_str_is(mb_json_get(text, "truncationMode"), "NONE");
    bool has_size = read_is_canonical(MB_ASK_EMBED, "dimensions", mb_json_get(table, "embeddingDimension"));
    const char *const taken[] = {is_plain ? "text" : "", has_size ? "embeddingDimension" : "", NULL};
    bedrock_extra extra = bedrock_extra_begin();
    mb_jw_key(out, "input");
    mb_jw_str(out, mb_json_str(value) ? mb_json_str(value) : "");
    if (has_size) read_copy(out, table, "embeddingDimension", "dimensions");
    bedrock_extra_rest(&extra, table, taken);
    put_others(&extra, ask->body, KNOWN);
    bedrock_extra_end(&extra, out);
    return true;
}

static bool read_embed(const read_ask *ask, mb_jw *out) {
    const char *known[] = {"dimensions", "output_dimension", "inputText", "texts", NULL};
    bedrock_extra extra = bedrock_extra_begin();
    bedrock_path(ask, "");
    if (mb_json_get(ask->body, "singleEmbeddingParams")) return read_nova_embed(ask, out);
    if (is_unnamed(ask)) known[2] = NULL;
    if (mb_json_get(ask->body, "images") || mb_json_get(ask->body, "inputs")) mb_jw_kstr(out, "input", "");
    read_copy(out, ask->body, "inputText", "input");
    read_copy(out, ask->body, "texts", "input");
    read_copy(out, ask->body, "dimensions", "dimensions");
    read_copy(out, ask->body, "output_dimension", "dimensions");
    put_others(&extra, ask->body, known);
    bedrock_extra_end(&extra, out);
    return true;
}

static bool read_ranking(const read_ask *ask, mb_jw *out) {
    bool good = read_rerank(ask, out);
    bedrock_path(ask, "");
    return good;
}

const wire_reader READERS_BEDROCK_INVOKE[] = {
    {"invoke", read_chat, MB_ASK_CHAT},
    {"invoke", read_completion, MB_ASK_COMPLETION},
    {"invoke", read_embed, MB_ASK_EMBED},
    {"invoke", read_ranking, MB_ASK_RERANK},
    {0},
};
