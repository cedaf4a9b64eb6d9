// SPDX-License-Identifier: MIT
// Canonical requests as InvokeModel takes them: the body is the model's own, and which one that is the model's name
// tells. Anthropic's and Cohere's are written by their own wires, Nova's by Converse's; the model stands in the path.
#include "route/invoke.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "route/anthropic.h"
#include "route/cohere.h"
#include "route/converse.h"
#include "route/openai.h"

enum { NOT_SAID = MB_COUNT(((mb_quirks *)0)->unsupported) };

// The same question by a row of its own: what the maker's body cannot say comes on top.
typedef struct maker_ask {
    mb_ask ask;
    mb_quirks quirks;
} maker_ask;

static void begin_maker(maker_ask *m, const mb_ask *ask, const char *const *unsupported) {
    m->ask = *ask;
    m->quirks = *ask->quirks;
    m->ask.quirks = &m->quirks;
    size_t n = 0;
    while (n + 1 < NOT_SAID && m->quirks.unsupported[n]) n++;
    for (; *unsupported && n + 1 < NOT_SAID; unsupported++) m->quirks.unsupported[n++] = *unsupported;
    m->quirks.unsupported[n] = NULL;
}

static int target(const mb_ask *ask, mb_wire *wire, membrane_error **err) {
    const mb_quirks *q = ask->quirks;
    mb_buf_reset(&wire->url);
    wire->stream = ask->stream && (ask->kind == MB_ASK_CHAT || ask->kind == MB_ASK_COMPLETION);
    return mb_write_target(ask, wire, "POST", wire->stream ? q->stream_path : q->chat_path, false, "an answer", err);
}

static int unknown_body(const mb_ask *ask, membrane_error **err, const char *what) {
    int code = mb_error_set(err, MEMBRANE_EUNSUPPORTED, "%s (%s): \"%s\" has no body for %s that we know",
                            ask->provider, ask->quirks->kind, ask->model ? ask->model : "", what);
    if (err && !mb_error_is_static(*err)) mb_error_hint(*err, "ask it by the wire bedrock (Converse)");
    return code;
}

// ---- one prompt ----------------------------------------------------------------------------------------------------

typedef struct plain_model {
    const char *name;                      // a part of the model's
    const char *prompt, *user, *assistant; // the prompt's member; how speakers are called in it, NULL: no chat
    const char *config;                    // the table of parameters, NULL: at the top
    const char *max_tokens, *top_p, *stop; // likewise; stop NULL: it has none
    bool says_stream;                      // in the body too
    bool needs_max_tokens;
} plain_model;

static const plain_model PLAIN[] = {
    {"amazon.titan-text", "inputText", "User: ", "Bot: ", "textGenerationConfig", "maxTokenCount", "topP",
     "stopSequences", false, false},
    {"cohere.command", "prompt", "User: ", "Chatbot: ", NULL, "max_tokens", "p", "stop_sequences", true, false},
    {"anthropic.", "prompt", NULL, NULL, NULL, "max_tokens_to_sample", "top_p", "stop_sequences", false, true},
    {"meta.llama", "prompt", NULL, NULL, NULL, "max_gen_len", "top_p", NULL, false, false},
    {"mistral.", "prompt", NULL, NULL, NULL, "max_tokens", "top_p", "stop", false, false},
    {"deepseek.r1", "prompt", NULL, NULL, NULL, "max_tokens", "top_p", "stop", false, false},
    {"ai21.j2", "prompt", NULL, NULL, NULL, "maxTokens", "topP", "stopSequences", false, false},
};

static const char *const PLAIN_UNSUPPORTED[] = {"stop",     "tools", "tool_choice",         "response_format",
                                                "thinking", "seed",  "parallel_tool_calls", NULL};

static bool is_system(const mb_json *message) {
    const mb_json *role = mb_json_get(message, "role");
    return mb_json_str_is(role, "system") || mb_json_str_is(role, "developer");
}

static int check_plain(const mb_ask *ask, const mb_json *message, membrane_error **err) {
    const mb_json *content = mb_json_get(message, "content"), *calls = mb_json_get(message, "tool_calls");
    int status = mb_write_check_plain(ask, content, err);
    if (status == 0 && mb_content_has_image(content))
        status = mb_write_unsupported(ask, err, "content.image", "it reads text only");
    if (status == 0 && ((calls && calls->count) || mb_json_get(message, "tool_call_id")))
        status = mb_write_unsupported(ask, err, "messages.tool_calls", "it knows no tools");
    return status;
}

// System messages first; one message of the user's alone is the prompt itself, a conversation is told by its speakers.
static int put_prompt(const mb_ask *ask, const plain_model *model, mb_buf *out, membrane_error **err) {
    const mb_json *messages = mb_json_get(ask->request, "messages");
    uint32_t said = 0;
    int status = 0;
    for (uint32_t i = 0; i < messages->count && status == 0; i++) {
        const mb_json *m = &messages->children[i];
        status = check_plain(ask, m, err);
        said += !is_system(m);
        if (!is_system(m)) continue;
        mb_content_put_text(out, mb_json_get(m, "content"));
        mb_buf_puts(out, "\n\n");
    }
    for (uint32_t i = 0; i < messages->count && status == 0; i++) {
        const mb_json *m = &messages->children[i], *role = mb_json_get(m, "role");
        if (is_system(m) || mb_json_str_is(role, "tool")) continue;
        if (said > 1) mb_buf_puts(out, mb_json_str_is(role, "assistant") ? model->assistant : model->user);
        mb_content_put_text(out, mb_json_get(m, "content"));
        if (said > 1) mb_buf_putc(out, '\n');
    }
    if (said > 1) mb_buf_put(out, model->assistant, strlen(model->assistant) - 1);
    return status;
}

static void put_parameters(mb_jw *w, const mb_ask *ask, const plain_model *model, const mb_json *extra) {
    const struct {
        const char *ours, *theirs;
    } names[] = {{"max_tokens", model->max_tokens}, {"temperature", "temperature"}, {"top_p", model->top_p}};
    const mb_json *stop = model->stop ? mb_write_get(ask, "stop") : NULL;
    bool has_max = mb_write_get(ask, "max_tokens") || mb_json_get(extra, model->max_tokens);
    if (model->needs_max_tokens && !has_max) mb_jw_kint(w, model->max_tokens, ask->quirks->default_max_tokens);
    for (size_t i = 0; i < MB_COUNT(names); i++) {
        const mb_json *v = mb_write_get(ask, names[i].ours);
        if (!v || mb_json_get(extra, names[i].theirs)) continue;
        mb_jw_key(w, names[i].theirs);
        mb_jw_value(w, v);
    }
    if (!stop || mb_json_get(extra, model->stop)) return;
    mb_jw_key(w, model->stop);
    if (stop->type == MB_JSON_STRING) mb_jw_array(w);
    mb_jw_value(w, stop);
    if (stop->type == MB_JSON_STRING) mb_jw_end_array(w);
}

static int put_plain(const mb_ask *ask, const plain_model *model, mb_jw *w, membrane_error **err) {
    const mb_json *extra = mb_json_get(ask->request, "extra_body"), *prompt = mb_json_get(ask->request, "prompt");
    mb_buf text = MB_BUF(MB_LIMIT_REQUEST);
    int status = 0;
    if (mb_json_is(prompt, MB_JSON_STRING))
        mb_buf_put(&text, prompt->str, prompt->len);
    else
        status = put_prompt(ask, model, &text, err);
    if (!mb_json_get(extra, model->prompt)) {
        mb_jw_key(w, model->prompt);
        mb_jw_strn(w, mb_buf_text(&text), text.len);
    }
    if (!mb_buf_ok(&text)) w->out->failed = text.failed;
    mb_buf_free(&text);
    if (!model->config) {
        put_parameters(w, ask, model, extra);
        if (ask->stream && model->says_stream) mb_jw_kbool(w, "stream", true);
    } else if (!mb_converse_begin_table(w, ask, model->config, &extra)) {
        put_parameters(w, ask, model, extra);
        mb_converse_end_table(w, extra);
    }
    mb_write_extra(w, ask, model->config);
    return status;
}

static int write_plain(const mb_ask *ask, const plain_model *model, mb_wire *wire, membrane_error **err) {
    maker_ask m;
    begin_maker(&m, ask, model->stop ? PLAIN_UNSUPPORTED + 1 : PLAIN_UNSUPPORTED); // stop is its first
    int status = target(ask, wire, err);
    if (status == 0) status = mb_write_check(&m.ask, err);
    if (status != 0) return status;
    mb_jw w = mb_jw_to(&wire->body);
    mb_jw_object(&w);
    status = put_plain(&m.ask, model, &w, err);
    mb_jw_end_object(&w);
    return status;
}

// ---- the makers' own wires -----------------------------------------------------------------------------------------

// Whether a stream is wanted is said by the path alone.
static int write_claude(const mb_ask *ask, mb_wire *wire, membrane_error **err) {
    static const char *const UNSUPPORTED[] = {"seed", NULL};
    maker_ask m;
    begin_maker(&m, ask, UNSUPPORTED);
    m.ask.stream = false;
    int status = mb_anthropic_write(&m.ask, wire, err);
    return status ? status : target(ask, wire, err);
}

static int write_command_r(const mb_ask *ask, mb_wire *wire, membrane_error **err) {
    maker_ask m;
    begin_maker(&m, ask, (const char *const[]){NULL});
    m.ask.stream = false;
    m.quirks.thinking_key = NULL;
    int status = mb_cohere_v1_write(&m.ask, wire, err);
    return status ? status : target(ask, wire, err);
}

static int write_nova(const mb_ask *ask, mb_wire *wire, membrane_error **err) {
    static const char *const UNSUPPORTED[] = {"seed", NULL};
    maker_ask m;
    begin_maker(&m, ask, UNSUPPORTED);
    int status = target(ask, wire, err);
    if (status == 0) status = mb_write_check(&m.ask, err);
    if (status != 0) return status;
    mb_jw w = mb_jw_to(&wire->body);
    mb_jw_object(&w);
    status = mb_converse_put_nova(&w, &m.ask, err);
    mb_jw_end_object(&w);
    return status;
}

// Most of the others take chat completions as OpenAI began them.
static int write_openai(const mb_ask *ask, mb_wire *wire, mb_model_family family, membrane_error **err) {
    maker_ask m;
    begin_maker(&m, ask, (const char *const[]){NULL});
    m.ask.stream = false;
    m.ask.model = NULL;
    m.quirks.max_tokens_key = family == MB_MODEL_OPENAI ? "max_completion_tokens" : "max_tokens";
    m.quirks.thinking_key = family == MB_MODEL_OPENAI ? "reasoning_effort" : NULL;
    int status = mb_openai_write(&m.ask, wire, err);
    return status ? status : target(ask, wire, err);
}

static bool model_has(const mb_ask *ask, const char *word) { return ask->model && strstr(ask->model, word); }

// Of a name that says nothing (a profile's), the maker shows in what extra_body says in the maker's words.
static mb_model_family family_of(const mb_ask *ask) {
    static const struct {
        const char *member;
        mb_model_family family;
    } MEMBERS[] = {{"anthropic_version", MB_MODEL_CLAUDE},
                   {"schemaVersion", MB_MODEL_NOVA},
                   {"taskType", MB_MODEL_NOVA},
                   {"singleEmbeddingParams", MB_MODEL_NOVA},
                   {"inputText", MB_MODEL_TITAN},
                   {"normalize", MB_MODEL_TITAN},
                   {"texts", MB_MODEL_COHERE},
                   {"input_type", MB_MODEL_COHERE}};
    mb_model_family family = mb_model_family_of(ask->model);
    for (size_t i = 0; i < MB_COUNT(MEMBERS) && family == MB_MODEL_OTHER; i++)
        if (mb_write_has_extra(ask, MEMBERS[i].member)) family = MEMBERS[i].family;
    return family;
}

// A name that says nothing is that of an imported model, or of a profile: prompts are the one thing most would take.
static const plain_model *plain_model_of(const mb_ask *ask, mb_model_family family) {
    static const plain_model UNKNOWN = {"", "prompt", NULL, NULL, NULL, "max_tokens", "top_p", "stop", false, false};
    for (size_t i = 0; i < MB_COUNT(PLAIN); i++)
        if (model_has(ask, PLAIN[i].name)) return &PLAIN[i];
    return family == MB_MODEL_OTHER ? &UNKNOWN : NULL;
}

static int write_generation(const mb_ask *ask, mb_wire *wire, membrane_error **err) {
    mb_model_family family = family_of(ask);
    const plain_model *plain = plain_model_of(ask, family);
    bool is_chat = ask->kind == MB_ASK_CHAT;
    if (is_chat && family == MB_MODEL_CLAUDE) return write_claude(ask, wire, err);
    if (is_chat && family == MB_MODEL_NOVA) return write_nova(ask, wire, err);
    if (is_chat && family == MB_MODEL_COHERE && model_has(ask, "command-r")) return write_command_r(ask, wire, err);
    if (plain && (!is_chat || plain->user)) return write_plain(ask, plain, wire, err);
    bool is_openai = family == MB_MODEL_OPENAI || (family == MB_MODEL_WITHOUT && (!plain || model_has(ask, "mistral")));
    if (is_chat && is_openai && !model_has(ask, "amazon.")) return write_openai(ask, wire, family, err);
    return unknown_body(ask, err, is_chat ? "chat" : "completions");
}

// ---- embeddings and ranking ----------------------------------------------------------------------------------------

static int put_titan_input(const mb_ask *ask, mb_jw *w, membrane_error **err) {
    const mb_json *input = mb_json_get(ask->request, "input"), *dimensions = mb_write_get(ask, "dimensions"), *extra;
    if (input->type == MB_JSON_ARRAY && input->count != 1)
        return mb_error_set(err, MEMBRANE_EUNSUPPORTED, "%s (%s): Titan embeds one text a request", ask->provider,
                            ask->quirks->kind);
    if (!mb_write_has_extra(ask, "inputText")) {
        mb_jw_key(w, "inputText");
        mb_jw_value(w, input->type == MB_JSON_ARRAY ? &input->children[0] : input);
    }
    if (!model_has(ask, "embed-image")) {
        mb_write_copy(w, ask, "dimensions", "dimensions");
        mb_write_extra(w, ask, NULL);
        return 0;
    }
    if (dimensions && !mb_converse_begin_table(w, ask, "embeddingConfig", &extra)) {
        if (!mb_json_get(extra, "outputEmbeddingLength")) mb_jw_kvalue_if(w, "outputEmbeddingLength", dimensions);
        mb_converse_end_table(w, extra);
    }
    mb_write_extra(w, ask, dimensions ? "embeddingConfig" : NULL);
    return 0;
}

// One text a request, inside a table; one that is too long is refused, not cut.
static int put_nova_input(const mb_ask *ask, mb_jw *w, membrane_error **err) {
    const mb_json *input = mb_json_get(ask->request, "input"), *dimensions = mb_write_get(ask, "dimensions"), *extra;
    if (input->type == MB_JSON_ARRAY && input->count != 1)
        return mb_error_set(err, MEMBRANE_EUNSUPPORTED, "%s (%s): Nova embeds one text a request", ask->provider,
                            ask->quirks->kind);
    if (!mb_write_has_extra(ask, "taskType")) mb_jw_kstr(w, "taskType", "SINGLE_EMBEDDING");
    if (!mb_converse_begin_table(w, ask, "singleEmbeddingParams", &extra)) {
        if (!mb_json_get(extra, "embeddingPurpose")) mb_jw_kstr(w, "embeddingPurpose", "GENERIC_INDEX");
        if (dimensions && !mb_json_get(extra, "embeddingDimension"))
            mb_jw_kvalue_if(w, "embeddingDimension", dimensions);
        bool is_media = mb_json_get(extra, "image") || mb_json_get(extra, "audio") || mb_json_get(extra, "video");
        if (!is_media && !mb_json_get(extra, "text")) {
            mb_jw_key(w, "text");
            mb_jw_object(w);
            mb_jw_kstr(w, "truncationMode", "NONE");
            mb_jw_key(w, "value");
            mb_jw_value(w, input->type == MB_JSON_ARRAY ? &input->children[0] : input);
            mb_jw_end_object(w);
        }
        mb_converse_end_table(w, extra);
    }
    mb_write_extra(w, ask, "singleEmbeddingParams");
    return 0;
}

static void put_cohere_input(const mb_ask *ask, mb_jw *w) {
    const mb_json *input = mb_json_get(ask->request, "input");
    if (!mb_write_has_extra(ask, "texts") && !mb_write_has_extra(ask, "images") && !mb_write_has_extra(ask, "inputs")) {
        mb_jw_key(w, "texts");
        if (input->type == MB_JSON_STRING) mb_jw_array(w);
        mb_jw_value(w, input);
        if (input->type == MB_JSON_STRING) mb_jw_end_array(w);
    }
    if (!mb_write_has_extra(ask, "input_type")) mb_jw_kstr(w, "input_type", "search_document"); // it must be said
    mb_write_copy(w, ask, "dimensions", "output_dimension");
    mb_write_extra(w, ask, NULL);
}

static int write_embed(const mb_ask *ask, mb_wire *wire, membrane_error **err) {
    mb_model_family family = family_of(ask);
    bool is_nova = family == MB_MODEL_NOVA && (!model_has(ask, "nova") || model_has(ask, "embed"));
    if (family != MB_MODEL_TITAN && family != MB_MODEL_COHERE && !is_nova) return unknown_body(ask, err, "embeddings");
    int status = target(ask, wire, err);
    if (status != 0) return status;
    mb_jw w = mb_jw_to(&wire->body);
    mb_jw_object(&w);
    if (family == MB_MODEL_TITAN)
        status = put_titan_input(ask, &w, err);
    else if (is_nova)
        status = put_nova_input(ask, &w, err);
    else
        put_cohere_input(ask, &w);
    mb_jw_end_object(&w);
    return status;
}

static int write_rerank(const mb_ask *ask, mb_wire *wire, membrane_error **err) {
    if (!model_has(ask, "rerank")) return unknown_body(ask, err, "reranking");
    int status = target(ask, wire, err);
    if (status != 0) return status;
    mb_jw w = mb_jw_to(&wire->body);
    mb_jw_object(&w);
    mb_write_copy(&w, ask, "query", "query");
    mb_write_copy(&w, ask, "documents", "documents");
    mb_write_copy(&w, ask, "top_n", "top_n");
    if (model_has(ask, "cohere.") && !mb_write_has_extra(ask, "api_version")) mb_jw_kint(&w, "api_version", 2);
    mb_write_extra(&w, ask, NULL);
    mb_jw_end_object(&w);
    return 0;
}

// ---- counted tokens ------------------------------------------------------------------------------------------------

static void put_base64(mb_buf *out, const mb_buf *bytes) {
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes->len; i += 3) {
        const unsigned char *p = (const unsigned char *)bytes->data + i;
        size_t left = bytes->len - i;
        uint32_t bits = (uint32_t)p[0] << 16 | (left > 1 ? (uint32_t)p[1] << 8 : 0) | (left > 2 ? p[2] : 0);
        char four[4] = {DIGITS[bits >> 18], DIGITS[bits >> 12 & 63], left > 1 ? DIGITS[bits >> 6 & 63] : '=',
                        left > 2 ? DIGITS[bits & 63] : '='};
        mb_buf_put(out, four, sizeof four);
    }
}

// The body that would be sent, inside another.
static int write_count(const mb_ask *ask, mb_wire *wire, membrane_error **err) {
    mb_wire inner = {.url = MB_BUF(65536), .body = MB_BUF(MB_LIMIT_REQUEST), .headers = MB_BUF(65536)};
    mb_ask chat = *ask;
    chat.kind = MB_ASK_CHAT;
    chat.stream = false;
    if (!mb_json_get(ask->request, "messages"))
        return mb_error_set(err, MEMBRANE_EUNSUPPORTED, "%s (%s) counts the tokens of messages only", ask->provider,
                            ask->quirks->kind);
    int status = mb_write_target(ask, wire, "POST", ask->quirks->count_path, false, "the tokens of a prompt", err);
    if (status == 0) status = write_generation(&chat, &inner, err);
    if (status == 0) status = mb_write_done(&inner, err);
    if (status == 0) {
        mb_buf_puts(&wire->body, "{\"input\":{\"invokeModel\":{\"body\":\"");
        put_base64(&wire->body, &inner.body);
        mb_buf_puts(&wire->body, "\"}}}");
    }
    mb_buf_free(&inner.url);
    mb_buf_free(&inner.body);
    mb_buf_free(&inner.headers);
    return status;
}

int mb_invoke_write(const mb_ask *ask, mb_wire *wire, membrane_error **err) {
    int status = mb_write_check(ask, err);
    if (status != 0) return status;
    switch (ask->kind) {
    case MB_ASK_CHAT:
    case MB_ASK_COMPLETION: status = write_generation(ask, wire, err); break;
    case MB_ASK_EMBED: status = write_embed(ask, wire, err); break;
    case MB_ASK_RERANK: status = write_rerank(ask, wire, err); break;
    case MB_ASK_COUNT_TOKENS: status = write_count(ask, wire, err); break;
    default: return mb_converse_server_write(ask, wire, err);
    }
    return status ? status : mb_write_done(wire, err);
}
