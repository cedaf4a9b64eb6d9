// SPDX-License-Identifier: MIT
// InvokeModel's answers: each model's maker has its own body, and in a stream each event of Amazon's holds one of the
// maker's, in base64. Whose it is shows in its first members, whatever the model is called (an inference profile may
// be called anything); Anthropic's, Nova's and Cohere's bodies then go the way of their own wires.
#include "route/invoke.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "route/cohere.h"
#include "route/converse.h"
#include "route/rerank.h"

#define IS(member, name) ((member)->key_len == sizeof(name) - 1 && memcmp((member)->key, name, sizeof(name) - 1) == 0)

// state[1]; the wires that are asked have state[0], [2] and [3].
typedef enum {
    UNKNOWN,
    ANTHROPIC, // "type"
    NOVA,      // "output"; "messageStart", "contentBlockDelta", …
    TITAN,     // "results"; "outputText"
    COMMAND,   // "generations"; "text" with "is_finished"
    COMMAND_R, // "event_type", "generation_id"
} maker;

static bool begins(const mb_json *member, const char *word) { return strncmp(member->key, word, strlen(word)) == 0; }

static maker maker_of(const mb_json *root) {
    static const struct {
        const char *member;
        maker maker;
    } MEMBERS[] = {{"type", ANTHROPIC},          {"output", NOVA},         {"results", TITAN},
                   {"outputText", TITAN},        {"generations", COMMAND}, {"event_type", COMMAND_R},
                   {"generation_id", COMMAND_R}, {"is_finished", COMMAND}};
    for (size_t i = 0; i < MB_COUNT(MEMBERS); i++)
        if (mb_json_get(root, MEMBERS[i].member)) return MEMBERS[i].maker;
    for (uint32_t i = 0; i < root->count; i++)
        if (begins(&root->children[i], "message") || begins(&root->children[i], "contentBlock")) return NOVA;
    return UNKNOWN;
}

// ---- Titan and Cohere's first Command ------------------------------------------------------------------------------

static mb_finish finish_of(const char *word) {
    static const struct {
        const char *word;
        mb_finish finish;
    } WORDS[] = {
        {"FINISH", MB_FINISH_STOP},
        {"FINISHED", MB_FINISH_STOP},
        {"STOP_CRITERIA_MET", MB_FINISH_STOP},
        {"LENGTH", MB_FINISH_LENGTH},
        {"CONTENT_FILTERED", MB_FINISH_CONTENT_FILTER},
    };
    for (size_t i = 0; i < MB_COUNT(WORDS); i++)
        if (strcmp(WORDS[i].word, word) == 0) return WORDS[i].finish;
    return mb_cohere_finish(word);
}

static void take_finish(mb_turn *turn, const mb_json *reason) {
    const char *word = mb_json_str(reason);
    if (word && *word) mb_turn_finish(turn, finish_of(word), word);
}

static void take_number(int64_t *to, const mb_json *v) {
    int64_t n = mb_json_int(v, -1);
    if (n >= 0) *to = n;
}

// One result of Titan's (a body has a list of them, of which the first counts), or one of its events.
static int take_titan(mb_turn *turn, const mb_json *v) {
    const mb_json *text = mb_json_get(v, "outputText");
    int status = mb_json_is(text, MB_JSON_STRING) ? mb_turn_text(turn, text->str, text->len) : 0;
    take_number(&turn->usage.output, mb_json_get(v, "tokenCount"));
    take_number(&turn->usage.output, mb_json_get(v, "totalOutputTextTokenCount"));
    take_number(&turn->usage.input, mb_json_get(v, "inputTextTokenCount"));
    take_finish(turn, mb_json_get(v, "completionReason"));
    return status;
}

static int take_command(mb_turn *turn, const mb_json *v) {
    const mb_json *text = mb_json_get(v, "text");
    int status = mb_json_is(text, MB_JSON_STRING) ? mb_turn_text(turn, text->str, text->len) : 0;
    take_finish(turn, mb_json_get(v, "finish_reason"));
    return status;
}

static void take_metrics(mb_turn *turn, const mb_json *root) {
    const mb_json *metrics = mb_json_get(root, "amazon-bedrock-invocationMetrics");
    if (turn->usage.input < 0) take_number(&turn->usage.input, mb_json_get(metrics, "inputTokenCount"));
    if (turn->usage.output < 0) take_number(&turn->usage.output, mb_json_get(metrics, "outputTokenCount"));
}

static void look_for_guardrail(mb_decode *d, const mb_json *root) {
    if (mb_json_str_is(mb_json_get(root, "amazon-bedrock-guardrailAction"), "INTERVENED"))
        mb_turn_warn(d->turn, "%s: a guardrail changed the answer", d->ask->provider);
}

static int finish_plain(mb_decode *d) {
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

static int on_plain(mb_decode *d, const mb_json *root, bool is_titan) {
    mb_turn *turn = d->turn;
    int status = is_titan ? take_titan(turn, root) : take_command(turn, root);
    take_metrics(turn, root);
    if (status != 0 || !turn->has_finish) return status;
    look_for_guardrail(d, root);
    status = finish_plain(d);
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
    if (d->state[1] == ANTHROPIC) return mb_adapter_anthropic.frame(d, f);
    if (d->state[1] == COMMAND_R) return mb_adapter_cohere_v1.frame(d, f);
    int status = mb_json_parser_parse(d->parser, f->data, f->len, true, &root);
    if (status != 0) return status;
    if (root->type != MB_JSON_OBJECT) return MEMBRANE_EMALFORMED;
    if (d->state[1] == UNKNOWN) d->state[1] = maker_of(root);
    switch ((maker)d->state[1]) {
    case ANTHROPIC: return mb_adapter_anthropic.frame(d, f);
    case COMMAND_R: return mb_adapter_cohere_v1.frame(d, f);
    case NOVA: return on_nova(d, root);
    case TITAN:
    case COMMAND: return on_plain(d, root, d->state[1] == TITAN);
    case UNKNOWN: break;
    }
    return 0; // nothing that we know: what follows may tell
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
    if (d->turn->error) return membrane_error_code(d->turn->error);
    switch ((maker)d->state[1]) {
    case ANTHROPIC: return mb_adapter_anthropic.end(d);
    case COMMAND_R: return mb_adapter_cohere_v1.end(d);
    case NOVA: return mb_converse_end(d);
    default: return d->turn->has_end ? 0 : MEMBRANE_ETRUNCATED;
    }
}

// ---- whole bodies --------------------------------------------------------------------------------------------------

static int titan_body(mb_decode *d, const mb_json *root) {
    const mb_json *result = mb_json_at(mb_json_get(root, "results"), 0);
    if (!mb_json_is(result, MB_JSON_OBJECT)) return MEMBRANE_ERESPONSE;
    take_number(&d->turn->usage.input, mb_json_get(root, "inputTextTokenCount"));
    int status = take_titan(d->turn, result);
    look_for_guardrail(d, root);
    return status ? status : finish_plain(d);
}

static int command_body(mb_decode *d, const mb_json *root) {
    const mb_json *first = mb_json_at(mb_json_get(root, "generations"), 0), *id = mb_json_get(root, "id");
    mb_turn *turn = d->turn;
    if (!mb_json_is(first, MB_JSON_OBJECT)) return MEMBRANE_ERESPONSE;
    int status = take_command(turn, first);
    if (status == 0 && mb_json_is(id, MB_JSON_STRING)) {
        turn->response_id = mb_arena_strndup(&turn->arena, id->str, id->len);
        if (!turn->response_id) return MEMBRANE_ENOMEM;
    }
    take_metrics(turn, root);
    look_for_guardrail(d, root);
    return status ? status : finish_plain(d);
}

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
    switch (maker_of(root)) {
    case ANTHROPIC: return mb_adapter_anthropic.body(d, text, len);
    case COMMAND_R: return mb_adapter_cohere_v1.body(d, text, len);
    case NOVA: return mb_converse_body(d, root);
    case TITAN: return titan_body(d, root);
    case COMMAND: return command_body(d, root);
    case UNKNOWN: break;
    }
    return MEMBRANE_ERESPONSE;
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
    return status == MEMBRANE_ERESPONSE && !d->turn->error ? mb_converse_no_answer(d, text, len) : status;
}

const mb_adapter mb_adapter_bedrock_invoke = {
    "bedrock-invoke", MB_FRAMES_EVENTSTREAM, mb_invoke_write, frame, body, end};
