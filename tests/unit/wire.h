// SPDX-License-Identifier: MIT
// What the tests of the adapters share: a request in, its bytes out; an answer in, the turn out.
#ifndef TESTS_UNIT_WIRE_H
#define TESTS_UNIT_WIRE_H

#include <string.h>

#include "../wires/event_lines.h"
#include "base/alloc.h"
#include "base/limits.h"
#include "route/adapter.h"
#include "route/request.h"

typedef struct wire_test {
    const char *kind;    // the row
    const char *request; // NULL: none
    const char *overrides;
    const char *answer; // NULL: none
    bool stream;
    mb_ask_kind ask_kind;
    int (*look)(const mb_wire *wire, const mb_turn *turn, int status); // may be NULL
    const char *model;                                                 // NULL: "m"
} wire_test;

typedef struct wire_player {
    const mb_adapter *adapter;
    mb_decode decode;
    bool ended;
} wire_player;

static int wire_frame(void *user, const mb_frame *f) {
    wire_player *p = user;
    int status = p->ended ? 0 : p->adapter->frame(&p->decode, f);
    p->ended |= status == 1;
    return status < 0 ? status : 0;
}

static int wire_answer(const wire_test *t, wire_player *p) {
    if (!t->stream) return p->adapter->body(&p->decode, t->answer, strlen(t->answer));
    mb_sse *sse = mb_sse_new(p->adapter->frames, MB_LIMIT_STREAM_EVENT);
    if (!sse) return MEMBRANE_ENOMEM;
    mb_buf bytes = MB_BUF(MB_LIMIT_RESPONSE); // Amazon's event stream is written as lines of text
    bool is_lines = p->adapter->frames == MB_FRAMES_EVENTSTREAM;
    if (is_lines) event_lines(&bytes, t->answer, strlen(t->answer));
    int status = bytes.failed ? MEMBRANE_ENOMEM : 0;
    if (status == 0)
        status = mb_sse_feed(sse, is_lines ? mb_buf_text(&bytes) : t->answer, is_lines ? bytes.len : strlen(t->answer),
                             wire_frame, p);
    mb_buf_free(&bytes);
    if (status == 0) status = mb_sse_finish(sse, true, wire_frame, p);
    if (status == 0) status = p->adapter->end(&p->decode);
    mb_sse_free(sse);
    return status;
}

// The status of writing or of the answer; what look says if both went well (or look wants to see the failure).
static int wire_run(void *user) {
    const wire_test *t = user;
    mb_arena arena = {0};
    const mb_json *overrides = NULL;
    mb_ask ask = {.kind = t->ask_kind, .provider = "p", .model = "m", .base_url = "http://h/v1", .stream = t->stream};
    if (t->model) ask.model = t->model;
    mb_wire wire = {.url = MB_BUF(65536), .body = MB_BUF(MB_LIMIT_REQUEST), .headers = MB_BUF(65536)};
    mb_turn turn;
    membrane_error *err = NULL;
    mb_turn_init(&turn, (mb_turn_sink){0});
    wire_player p = {.decode = {.ask = &ask, .turn = &turn, .parser = mb_json_parser_new()}};
    int status = p.decode.parser ? 0 : MEMBRANE_ENOMEM;
    if (status == 0 && t->overrides)
        status = mb_json_parse(&arena, t->overrides, strlen(t->overrides), &overrides, &err);
    if (status == 0) status = mb_quirks_load(&arena, t->kind, overrides, &ask.quirks, &err);
    if (status == 0 && t->request) status = mb_json_parse(&arena, t->request, strlen(t->request), &ask.request, &err);
    if (status == 0 && t->request) status = mb_request_check(ask.request, &ask.kind, &err);
    if (status == 0) p.adapter = mb_adapter_find(ask.quirks->wire);
    if (status == 0) status = p.adapter->write(&ask, &wire, &err);
    if (status == 0 && t->answer) status = wire_answer(t, &p);
    if (status != MEMBRANE_ENOMEM && t->look) status = t->look(&wire, &turn, status);
    membrane_error_free(err);
    mb_turn_free(&turn);
    mb_json_parser_free(p.decode.parser);
    mb_buf_free(&wire.url);
    mb_buf_free(&wire.body);
    mb_buf_free(&wire.headers);
    mb_arena_free(&arena);
    return status;
}

#endif
