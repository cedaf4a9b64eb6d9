// SPDX-License-Identifier: MIT
// Playing a cassette straight into an adapter: no socket, no runtime. Streams are fed whole, byte by byte and in cuts
// of seven bytes; the three must come to the same.
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "cassettes.h"
#include "route/classify.h"

static mb_json_parser *parser;

static bool pure_open(void) { return (parser = mb_json_parser_new()) != NULL; }
static void pure_close(void) { mb_json_parser_free(parser); }

typedef struct player {
    const mb_adapter *adapter;
    mb_decode decode;
    int status;
} player;

static int on_frame(void *user, const mb_frame *frame) {
    player *p = user;
    int status = p->status == 1 ? 0 : p->adapter->frame(&p->decode, frame);
    if (status != 0) p->status = status;
    return status < 0 ? status : 0;
}

static int feed(player *p, const cassette *c, mb_frames_kind kind, size_t piece) {
    mb_sse *sse = mb_sse_new(kind, MB_LIMIT_STREAM_EVENT);
    int status = 0;
    for (size_t at = 0; at < c->body->len && status == 0; at += piece) {
        size_t n = c->body->len - at < piece ? c->body->len - at : piece;
        status = mb_sse_feed(sse, c->body->str + at, n, on_frame, p);
    }
    if (status == 0) status = mb_sse_finish(sse, true, on_frame, p);
    if (status == 0) status = p->adapter->end(&p->decode);
    mb_sse_free(sse);
    return status;
}

static char *calls_text(const mb_turn *turn) {
    mb_buf out = MB_BUF(MB_LIMIT_RESPONSE);
    mb_jw w = mb_jw_to(&out);
    mb_jw_array(&w);
    for (size_t i = 0; i < turn->call_count; i++) {
        if (!turn->calls[i].emitted) continue;
        mb_jw_object(&w);
        mb_jw_kstr(&w, "name", turn->calls[i].name);
        mb_jw_key(&w, "arguments");
        mb_jw_strn(&w, mb_buf_text(&turn->calls[i].arguments), turn->calls[i].arguments.len);
        mb_jw_end_object(&w);
    }
    mb_jw_end_array(&w);
    return mb_buf_take(&out, NULL);
}

static char *ranking_text(const mb_turn *turn) {
    mb_buf out = MB_BUF(MB_LIMIT_RESPONSE);
    mb_jw w = mb_jw_to(&out);
    if (!turn->ranks) return NULL;
    mb_jw_array(&w);
    for (size_t i = 0; i < turn->rank_count; i++) {
        mb_jw_array(&w);
        mb_jw_int(&w, turn->ranks[i].index);
        mb_jw_double(&w, turn->ranks[i].score);
        mb_jw_end_array(&w);
    }
    mb_jw_end_array(&w);
    return mb_buf_take(&out, NULL);
}

static void take_outcome(const mb_turn *turn, int status, outcome *o) {
    outcome_free(o);
    *o = (outcome){.usage = turn->usage, .vectors = turn->vector_count, .dims = turn->vector_dims};
    o->text = mb_strndup(mb_buf_text(&turn->text), o->text_len = turn->text.len);
    o->thinking = mb_strndup(mb_buf_text(&turn->thinking), o->thinking_len = turn->thinking.len);
    o->finish = mb_strdup(mb_finish_name(turn->finish));
    o->calls = calls_text(turn);
    o->ranking = ranking_text(turn);
    o->error = status;
    if (turn->error) o->status = turn->error->http_status;
    if (turn->error) o->message = mb_strdup(turn->error->message);
}

static bool same(const outcome *a, const outcome *b) {
    return a->text_len == b->text_len && memcmp(a->text, b->text, a->text_len) == 0 &&
           a->thinking_len == b->thinking_len && memcmp(a->thinking, b->thinking, a->thinking_len) == 0 &&
           strcmp(a->calls, b->calls) == 0 && a->error == b->error &&
           memcmp(&a->usage, &b->usage, sizeof a->usage) == 0;
}

// A stream whose type says JSON is one whole list, and reaches the adapter as a body.
static bool is_list(const cassette *c) {
    const char *type = mb_json_get_str(c->headers, "content-type");
    return type && strncasecmp(type, "application/json", 16) == 0;
}

static void play_once(const cassette *c, const mb_ask *ask, size_t piece, outcome *o) {
    mb_turn turn;
    player p = {.adapter = mb_adapter_find(c->wire), .decode = {.ask = ask, .turn = &turn, .parser = parser}};
    mb_turn_init(&turn, (mb_turn_sink){0});
    int status;
    if (c->status < 200 || c->status > 299)
        status = mb_classify_typed(ask->quirks->kind, ask->provider, c->status,
                                   mb_json_get_str(c->headers, "x-amzn-errortype"), c->body->str, c->body->len, NULL,
                                   -1, &turn.error);
    else if (c->streaming && !is_list(c))
        status = feed(&p, c, p.adapter->frames, piece);
    else
        status = p.adapter->body(&p.decode, c->body->str, c->body->len);
    take_outcome(&turn, status, o);
    mb_turn_free(&turn);
}

// The messages wire as Vertex AI wraps it.
static bool is_predicted(const cassette *c) {
    const char *path = mb_json_get_str(mb_json_get(c->root, "request"), "path");
    return path && (strstr(path, ":rawPredict") || strstr(path, ":streamRawPredict"));
}

const char *cassette_kind(const cassette *c) {
    mb_arena arena = {0};
    const mb_quirks *q = NULL;
    bool is_own = mb_quirks_load(&arena, c->provider, NULL, &q, NULL) == 0 && strcmp(q->wire, c->wire) == 0;
    mb_arena_free(&arena);
    if (is_own) return c->provider;
    if (strcmp(c->wire, "anthropic") == 0 && is_predicted(c)) return "vertex-anthropic";
    return strcmp(c->wire, "openai") == 0 ? "openai-compatible" : c->wire;
}

const mb_quirks *cassette_quirks(const cassette *c, mb_arena *arena) {
    const mb_quirks *q = NULL;
    return mb_quirks_load(arena, cassette_kind(c), NULL, &q, NULL) == 0 ? q : NULL;
}

static void pure_play(const cassette *c, outcome *o) {
    static const size_t PIECES[] = {SIZE_MAX / 2, 1, 7};
    mb_arena arena = {0};
    outcome other = {0};
    mb_ask ask = {.kind = c->kind,
                  .provider = c->provider,
                  .model = "m",
                  .base_url = "http://127.0.0.1/v1",
                  .quirks = cassette_quirks(c, &arena),
                  .stream = c->streaming};
    if (c->kind == MB_ASK_RERANK) ask.request = mb_json_path(c->root, "request.body"); // whose documents are ranked
    play_once(c, &ask, PIECES[0], o);
    for (size_t i = 1; c->streaming && i < MB_COUNT(PIECES); i++) {
        play_once(c, &ask, PIECES[i], &other);
        if (same(o, &other)) continue;
        o->error = MEMBRANE_EINTERNAL;
        mb_free(o->message);
        o->message = mb_strdup("cut into pieces it is another answer");
    }
    outcome_free(&other);
    mb_arena_free(&arena);
}

const transport transport_pure = {"pure", pure_open, pure_play, pure_close};
