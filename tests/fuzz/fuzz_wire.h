// SPDX-License-Identifier: MIT
// Any bytes as the answer of a wire. The first byte chooses what was asked and how the answer comes, the second where
// to cut. What must hold: whole, in bytes (each chunk parsed) and in pieces, a stream comes to the same turn; what the
// sink saw is what the turn holds; a good end has emitted every tool call; the pieces that are JSON are JSON.
#ifndef TESTS_FUZZ_WIRE_H
#define TESTS_FUZZ_WIRE_H

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "../wires/event_lines.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "route/adapter.h"

typedef struct fuzz_seen {
    mb_buf text;
    size_t calls;
} fuzz_seen;

static int fuzz_text(void *user, const char *text, size_t len) {
    assert(len > 0 && mb_utf8_valid(text, len));
    mb_buf_put(&((fuzz_seen *)user)->text, text, len);
    return 0;
}

static int fuzz_call(void *user, const mb_tool_call *call) {
    assert(call->id && call->name && *call->id);
    ((fuzz_seen *)user)->calls++;
    return 0;
}

typedef struct fuzz_player {
    const mb_adapter *adapter;
    mb_decode decode;
    bool ended;
    bool forgets; // every chunk is parsed, also one that repeats the last
} fuzz_player;

static int fuzz_frame(void *user, const mb_frame *f) {
    fuzz_player *p = user;
    if (p->forgets) p->decode.repeat.head = 0;
    int status = p->ended ? 0 : p->adapter->frame(&p->decode, f);
    assert(status <= 1);
    p->ended |= status == 1;
    return status < 0 ? status : 0;
}

static int fuzz_stream(fuzz_player *p, mb_frames_kind kind, const char *bytes, size_t len, size_t piece) {
    mb_sse *sse = mb_sse_new(kind, MB_LIMIT_STREAM_EVENT);
    mb_buf lines = MB_BUF(MB_LIMIT_RESPONSE);
    int status = 0;
    if (kind == MB_FRAMES_EVENTSTREAM) { // else no change of a byte would pass its checksums
        event_lines(&lines, bytes, len);
        bytes = mb_buf_text(&lines);
        len = lines.len;
    }
    p->forgets = piece == 1;
    for (size_t at = 0; at < len && status == 0; at += piece)
        status = mb_sse_feed(sse, bytes + at, len - at < piece ? len - at : piece, fuzz_frame, p);
    if (status == 0) status = mb_sse_finish(sse, true, fuzz_frame, p);
    if (status == 0) status = p->adapter->end(&p->decode);
    mb_buf_free(&lines);
    mb_sse_free(sse);
    return status;
}

static void fuzz_json(const char *open, const mb_buf *items, const char *close) {
    mb_buf all = MB_BUF(2 * MB_LIMIT_RESPONSE);
    mb_arena arena = {0};
    const mb_json *v;
    mb_buf_puts(&all, open);
    mb_buf_put(&all, mb_buf_text(items), items->len);
    mb_buf_puts(&all, close);
    assert(mb_json_parse_lenient(&arena, mb_buf_text(&all), all.len, &v, NULL) == 0); // numbers may be past a double
    mb_arena_free(&arena);
    mb_buf_free(&all);
}

// Everything that can be seen of an answer, as one text.
static void fuzz_run(const mb_ask *ask, mb_json_parser *parser, bool stream, const char *bytes, size_t len,
                     size_t piece, mb_buf *out) {
    mb_turn turn;
    fuzz_seen seen = {.text = MB_BUF(MB_LIMIT_RESPONSE)};
    fuzz_player p = {.adapter = mb_adapter_find(ask->quirks->wire),
                     .decode = {.ask = ask, .turn = &turn, .parser = parser}};
    mb_turn_init(&turn, (mb_turn_sink){.user = &seen, .text = fuzz_text, .tool_call = fuzz_call});
    int status =
        stream ? fuzz_stream(&p, p.adapter->frames, bytes, len, piece) : p.adapter->body(&p.decode, bytes, len);
    assert(status <= 0 && (!turn.error || membrane_error_code(turn.error) == status));
    assert(seen.text.len == turn.text.len &&
           memcmp(mb_buf_text(&seen.text), mb_buf_text(&turn.text), turn.text.len) == 0);
    assert(status != 0 || seen.calls == turn.call_count);
    mb_buf_putf(out, "%d %d %s|%zu %zu|", status, turn.finish, turn.finish_raw ? turn.finish_raw : "",
                turn.vector_count, turn.vector_dims);
    mb_buf_put(out, &turn.usage, sizeof turn.usage);
    mb_buf_put(out, mb_buf_text(&turn.text), turn.text.len);
    mb_buf_put(out, mb_buf_text(&turn.thinking), turn.thinking.len);
    mb_buf_put(out, mb_buf_text(&turn.provider_data), turn.provider_data.len);
    for (size_t i = 0; i < turn.call_count; i++)
        mb_buf_put(out, mb_buf_text(&turn.calls[i].arguments), turn.calls[i].arguments.len);
    if (status == 0) {
        fuzz_json("[", &turn.logprobs, "]");
        fuzz_json("[", &turn.warnings, "]");
        fuzz_json("{", &turn.provider_data, "}");
        if (turn.json.len) fuzz_json("", &turn.json, "");
    }
    mb_buf_free(&seen.text);
    mb_turn_free(&turn);
}

static int fuzz_wire(const char *const *engines, size_t engine_count, const uint8_t *bytes, size_t len) {
    static const char REQUEST[] = "{\"tools\":[{\"function\":{\"name\":\"fs.read\"}}]}";
    static mb_json_parser *parser;
    if (len < 2) return 0;
    if (!parser) parser = mb_json_parser_new();
    bool stream = bytes[0] & 1;
    size_t pieces[] = {1, bytes[1] + 1, bytes[1] % 7 + 1};
    mb_arena arena = {0};
    mb_ask ask = {.kind = (mb_ask_kind)(stream ? (bytes[0] >> 1) % 2 : (bytes[0] >> 1) % MB_ASK_KINDS),
                  .provider = "p",
                  .model = "m",
                  .base_url = "http://h/v1",
                  .stream = stream};
    mb_quirks_load(&arena, engines[(bytes[0] >> 5) % engine_count], NULL, &ask.quirks, NULL);
    mb_json_parse(&arena, REQUEST, sizeof REQUEST - 1, &ask.request, NULL);
    mb_buf whole = MB_BUF(4 * MB_LIMIT_RESPONSE), other = MB_BUF(4 * MB_LIMIT_RESPONSE);
    const char *text = (const char *)bytes + 2;
    fuzz_run(&ask, parser, stream, text, len - 2, len, &whole);
    for (size_t i = 0; stream && i < 3; i++) {
        mb_buf_reset(&other);
        fuzz_run(&ask, parser, true, text, len - 2, pieces[i], &other);
        assert(whole.len == other.len && memcmp(whole.data, other.data, whole.len) == 0);
    }
    mb_buf_free(&whole);
    mb_buf_free(&other);
    mb_arena_free(&arena);
    return 0;
}

#endif
