// SPDX-License-Identifier: MIT
// InvokeModel's answers: each model's maker has its own body, and in a stream each event of Amazon's holds one of the
// maker's, in base64. Whose it is shows in its first members, whatever the model is called (an inference profile may
// be called anything). Anthropic's, Nova's, OpenAI's and Command R's bodies then go the way of their own wires.
#include "route/invoke.h"

#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "route/converse.h"
#include "route/rerank.h"

// state[2], of PLAIN with the shape's number on top; the wires that are asked have the others.
typedef enum {
    UNKNOWN,
    ANTHROPIC, // "type"
    NOVA,      // "output"; "messageStart", "contentBlockDelta", …
    COMMAND_R, // "event_type", "generation_id"
    OPENAI,    // "choices": most of the others
    PLAIN,     // one text after the other: see SHAPES
} maker;

// Where the text of a body or event stands, and why it ended. A body has a list of results, of which the first counts.
typedef struct shape {
    const char *member, *list; // what shows whose it is; the list in which the rest stands, NULL: at the top
    const char *text, *reason; // paths
} shape;

static const shape SHAPES[] = {
    {"results", "results", "outputText", "completionReason"},           // Titan
    {"outputText", NULL, "outputText", "completionReason"},             // its events
    {"generations", "generations", "text", "finish_reason"},            // Cohere's first Command
    {"generation", NULL, "generation", "stop_reason"},                  // Llama
    {"outputs", "outputs", "text", "stop_reason"},                      // Mistral's first
    {"completions", "completions", "data.text", "finishReason.reason"}, // Jurassic
    {"choices", "choices", "text", "stop_reason"},                      // DeepSeek R1
    {"completion", NULL, "completion", "stop_reason"},                  // Claude's text completions
    {"is_finished", NULL, "text", "finish_reason"},                     // Command's events
};

static bool begins(const mb_json *member, const char *word) { return strncmp(member->key, word, strlen(word)) == 0; }

static const shape *shape_of(const mb_json *root) {
    for (size_t i = 0; i < MB_COUNT(SHAPES); i++)
        if (mb_json_get(root, SHAPES[i].member)) return &SHAPES[i];
    return NULL;
}

static maker maker_of(const mb_json *root) {
    static const struct {
        const char *member;
        maker maker;
    } MEMBERS[] = {{"completion", PLAIN}, {"choices", OPENAI},          {"event_type", COMMAND_R},
                   {"type", ANTHROPIC},   {"generation_id", COMMAND_R}, {"output", NOVA}};
    if (mb_json_path(root, "choices.0.stop_reason") && mb_json_path(root, "choices.0.text")) return PLAIN;
    for (size_t i = 0; i < MB_COUNT(MEMBERS); i++)
        if (mb_json_get(root, MEMBERS[i].member)) return MEMBERS[i].maker;
    for (uint32_t i = 0; i < root->count; i++)
        if (begins(&root->children[i], "message") || begins(&root->children[i], "contentBlock")) return NOVA;
    return shape_of(root) ? PLAIN : UNKNOWN;
}

static const mb_adapter *wire_of(maker whose) {
    return whose == ANTHROPIC   ? &mb_adapter_anthropic
           : whose == COMMAND_R ? &mb_adapter_cohere_v1
           : whose == OPENAI    ? &mb_adapter_openai
                                : NULL;
}

// ---- one text after the other --------------------------------------------------------------------------------------

static mb_finish finish_of(const char *word) {
    static const struct {
        const char *word;
        mb_finish finish;
    } WORDS[] = {
        {"FINISH", MB_FINISH_STOP},
        {"FINISHED", MB_FINISH_STOP},
        {"COMPLETE", MB_FINISH_STOP},
        {"STOP_CRITERIA_MET", MB_FINISH_STOP},
        {"STOP_SEQUENCE", MB_FINISH_STOP},
        {"STOP", MB_FINISH_STOP},
        {"ENDOFTEXT", MB_FINISH_STOP},
        {"LENGTH", MB_FINISH_LENGTH},
        {"MAX_TOKENS", MB_FINISH_LENGTH},
        {"CONTENT_FILTERED", MB_FINISH_CONTENT_FILTER},
        {"ERROR_TOXIC", MB_FINISH_CONTENT_FILTER},
    };
    for (size_t i = 0; i < MB_COUNT(WORDS); i++)
        if (strcasecmp(WORDS[i].word, word) == 0) return WORDS[i].finish;
    return MB_FINISH_NONE;
}

static void take_number(int64_t *to, const mb_json *v) {
    int64_t n = mb_json_int(v, -1);
    if (n >= 0) *to = n;
}

static void take_usage(mb_turn *turn, const mb_json *root, const mb_json *v) {
    const mb_json *metrics = mb_json_get(root, "amazon-bedrock-invocationMetrics");
    take_number(&turn->usage.output, mb_json_get(v, "tokenCount"));
    take_number(&turn->usage.output, mb_json_get(root, "totalOutputTextTokenCount"));
    take_number(&turn->usage.output, mb_json_get(root, "generation_token_count"));
    take_number(&turn->usage.input, mb_json_get(root, "inputTextTokenCount"));
    take_number(&turn->usage.input, mb_json_get(root, "prompt_token_count"));
    if (turn->usage.input < 0) take_number(&turn->usage.input, mb_json_get(metrics, "inputTokenCount"));
    if (turn->usage.output < 0) take_number(&turn->usage.output, mb_json_get(metrics, "outputTokenCount"));
}

static int take_plain(mb_decode *d, const mb_json *root, const shape *as) {
    const mb_json *v = as->list ? mb_json_at(mb_json_get(root, as->list), 0) : root;
    if (!mb_json_is(v, MB_JSON_OBJECT)) return MEMBRANE_ERESPONSE;
    const mb_json *text = mb_json_path(v, as->text);
    const char *reason = mb_json_str(mb_json_path(v, as->reason));
    int status = mb_json_is(text, MB_JSON_STRING) ? mb_turn_text(d->turn, text->str, text->len) : 0;
    take_usage(d->turn, root, v);
    if (reason && *reason) mb_turn_finish(d->turn, finish_of(reason), reason);
    return status;
}

static int finish_plain(mb_decode *d, const mb_json *root) {
    if (mb_json_str_is(mb_json_get(root, "amazon-bedrock-guardrailAction"), "INTERVENED"))
        mb_turn_warn(d->turn, "%s: a guardrail changed the answer", d->ask->provider);
    d->turn->has_end = true;
    return mb_turn_end(d->turn);
}

// ---- streams -------------------------------------------------------------------------------------------------------

static int digit_of(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

// Appends what a base64 text means; false: it is none.
static bool put_bytes(mb_buf *out, const char *text, size_t len) {
    while (len && text[len - 1] == '=') len--;
    if (len % 4 == 1 || !mb_buf_grow(out, len / 4 * 3 + 3)) return false;
    unsigned char *to = (unsigned char *)out->data + out->len;
    uint32_t bits = 0;
    for (size_t i = 0; i < len; i++) {
        int digit = digit_of(text[i]);
        if (digit < 0) return false;
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4 != 0) *to++ = (unsigned char)(bits >> (6 - 2 * (i % 4)));
    }
    out->len = (size_t)((char *)to - out->data);
    out->data[out->len] = '\0';
    return true;
}

// What stands in {"bytes": "…"}: nearly always first and without escapes, so that nothing has to be parsed.
static int unpack(mb_decode *d, const mb_frame *f, mb_buf *out) {
    static const char HEAD[] = "{\"bytes\":\"";
    const size_t head = sizeof HEAD - 1;
    if (f->len > head && memcmp(f->data, HEAD, head) == 0) {
        const char *text = f->data + head, *end = memchr(text, '"', f->len - head);
        if (end && put_bytes(out, text, (size_t)(end - text))) return 0;
        if (out->failed == MEMBRANE_ENOMEM) return MEMBRANE_ENOMEM;
        mb_buf_cut(out, 0);
    }
    const mb_json *root;
    int status = mb_json_parser_parse(d->parser, f->data, f->len, true, &root);
    const mb_json *bytes = status == 0 ? mb_json_get(root, "bytes") : NULL;
    if (status != 0) return status;
    if (!mb_json_is(bytes, MB_JSON_STRING)) return MEMBRANE_EMALFORMED;
    if (put_bytes(out, bytes->str, bytes->len)) return 0;
    return out->failed == MEMBRANE_ENOMEM ? MEMBRANE_ENOMEM : MEMBRANE_EMALFORMED;
}

// An event that does not show its shape has that of the first one.
static int on_plain(mb_decode *d, const mb_json *root) {
    const shape *as = shape_of(root) ? shape_of(root) : &SHAPES[d->state[2] - PLAIN];
    int status = take_plain(d, root, as);
    if (status == MEMBRANE_ERESPONSE) return 0; // a list without a result
    if (status != 0 || !d->turn->has_finish) return status;
    status = finish_plain(d, root);
    return status ? status : 1;
}

static int on_nova(mb_decode *d, const mb_json *root) {
    int status = 0;
    for (uint32_t i = 0; i < root->count && status == 0; i++) {
        const mb_json *m = &root->children[i];
        if (m->type == MB_JSON_OBJECT && !begins(m, "amazon-bedrock")) status = mb_converse_event(d, m->key, m);
    }
    return status;
}

static int on_chunk(mb_decode *d, const mb_frame *f) {
    const mb_json *root;
    const mb_adapter *wire = wire_of((maker)d->state[2]);
    if (wire) return wire->frame(d, f);
    int status = mb_json_parser_parse(d->parser, f->data, f->len, true, &root);
    if (status != 0) return status;
    if (root->type != MB_JSON_OBJECT) return MEMBRANE_EMALFORMED;
    if (d->state[2] == UNKNOWN) {
        d->state[2] = maker_of(root);
        if (d->state[2] == PLAIN) d->state[2] += shape_of(root) - SHAPES;
    }
    wire = wire_of((maker)d->state[2]);
    if (wire) return wire->frame(d, f);
    if (d->state[2] == NOVA) return on_nova(d, root);
    return d->state[2] >= PLAIN ? on_plain(d, root) : 0; // nothing that we know: what follows may tell
}

static int frame(mb_decode *d, const mb_frame *f) {
    if (strncmp(f->event, "error:", 6) == 0) return mb_converse_exception(d, f);
    if (strcmp(f->event, "chunk") != 0) return 0;
    mb_buf bytes = MB_BUF(MB_LIMIT_STREAM_EVENT);
    int status = unpack(d, f, &bytes);
    const mb_frame inner = {"", mb_buf_text(&bytes), bytes.len, "", -1};
    if (status == 0 && bytes.len) status = on_chunk(d, &inner);
    mb_buf_free(&bytes);
    return status;
}

static int end(mb_decode *d) {
    const mb_adapter *wire = wire_of((maker)d->state[2]);
    if (d->turn->error) return membrane_error_code(d->turn->error);
    if (wire) return wire->end(d);
    if (d->state[2] == NOVA) return mb_converse_end(d);
    return d->turn->has_end ? 0 : MEMBRANE_ETRUNCATED;
}

// ---- whole bodies --------------------------------------------------------------------------------------------------

static int vectors(mb_decode *d, const mb_json *list) {
    int status = list->count ? 0 : MEMBRANE_ERESPONSE;
    for (uint32_t i = 0; i < list->count && status == 0; i++) {
        const mb_json *v = &list->children[i], *inner = mb_json_get(v, "embedding"); // Nova's are objects
        status = mb_turn_vector(d->turn, inner ? inner : v);
    }
    return status;
}

// {"embedding": […]} of Titan, {"embeddings": [[…]]} or {"embeddings": {"float": [[…]]}} of Cohere.
static int embed_body(mb_decode *d, const mb_json *root) {
    const mb_json *one = mb_json_get(root, "embedding"), *list = mb_json_get(root, "embeddings");
    const mb_json *floats = mb_json_get(list, "float"), *by_type = mb_json_path(root, "embeddingsByType.float");
    take_number(&d->turn->usage.input, mb_json_get(root, "inputTextTokenCount"));
    if (!one && by_type) one = by_type;
    if (one) return mb_turn_vector(d->turn, one);
    if (floats) list = floats;
    return mb_json_is(list, MB_JSON_ARRAY) ? vectors(d, list) : MEMBRANE_ERESPONSE;
}

static int chat_body(mb_decode *d, const mb_json *root, const char *text, size_t len) {
    const mb_json *id = mb_json_get(root, "id");
    mb_turn *turn = d->turn;
    maker whose = maker_of(root);
    if (wire_of(whose)) return wire_of(whose)->body(d, text, len);
    if (whose == NOVA) return mb_converse_body(d, root);
    if (mb_json_is(id, MB_JSON_STRING) && id->len) {
        turn->response_id = mb_arena_strndup(&turn->arena, id->str, id->len);
        if (!turn->response_id) return MEMBRANE_ENOMEM;
    }
    if (whose != PLAIN) return MEMBRANE_ERESPONSE;
    int status = take_plain(d, root, shape_of(root));
    return status ? status : finish_plain(d, root);
}

static int body(mb_decode *d, const char *text, size_t len) {
    const unsigned here = 1u << MB_ASK_CHAT | 1u << MB_ASK_COMPLETION | 1u << MB_ASK_EMBED | 1u << MB_ASK_RERANK;
    const mb_json *root = NULL;
    if (!(here >> d->ask->kind & 1)) return mb_converse_server_body(d, text, len);
    int status = mb_json_parser_parse(d->parser, text, len, false, &root);
    if (status == MEMBRANE_ENOMEM) return status;
    if (status != 0 || root->type != MB_JSON_OBJECT)
        status = MEMBRANE_ERESPONSE;
    else if (d->ask->kind == MB_ASK_EMBED)
        status = embed_body(d, root);
    else if (d->ask->kind == MB_ASK_RERANK)
        status = mb_rerank_read(d, root);
    else
        status = chat_body(d, root, text, len);
    if (status == MEMBRANE_EMALFORMED) status = MEMBRANE_ERESPONSE;
    return status == MEMBRANE_ERESPONSE && !d->turn->error ? mb_turn_no_answer(d->turn, d->ask->provider, text, len)
                                                           : status;
}

const mb_adapter mb_adapter_bedrock_invoke = {
    "bedrock-invoke", MB_FRAMES_EVENTSTREAM, mb_invoke_write, frame, body, end};
