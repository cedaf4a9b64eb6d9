// SPDX-License-Identifier: MIT
// Decoding from memory: OpenAI stream bytes through framing, JSON, the adapter and the turn, as the I/O thread does it;
// with "queue" the events are also handed over and read. Prints events a second.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "route/adapter.h"
#include "runtime/queue.h"

enum { CHUNKS = 1000, ROUNDS = 400 };

static int on_frame(void *user, const mb_frame *frame) {
    int code = mb_adapter_openai.frame(user, frame);
    return code < 0 ? code : 0;
}

static int pour(void *user, const char *text, size_t len) {
    return mb_queue_push(user, MEMBRANE_EVENT_TEXT, text, len) ? 0 : MEMBRANE_ENOMEM;
}

static int count_only(void *user, const char *text, size_t len) {
    (void)text;
    *(size_t *)user += len;
    return 0;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double run(const char *bytes, size_t len, int with_queue) {
    static mb_block_pool pool;
    mb_arena arena = {0};
    const mb_quirks *quirks = NULL;
    mb_json_parser *parser = mb_json_parser_new();
    mb_sse *frames = mb_sse_new(MB_FRAMES_SSE, MB_LIMIT_STREAM_EVENT);
    size_t seen = 0;
    if (!parser || !frames || mb_quirks_load(&arena, "openai", NULL, &quirks, NULL)) exit(1);
    mb_ask ask = {.kind = MB_ASK_CHAT, .provider = "bench", .model = "m", .quirks = quirks, .stream = true};
    double start = now();
    for (int round = 0; round < ROUNDS; round++) {
        mb_turn turn;
        mb_queue queue = {.pool = &pool};
        const membrane_event *event;
        bool drained;
        mb_queue_init(&queue);
        mb_turn_init(&turn, with_queue ? (mb_turn_sink){&queue, pour, pour, NULL}
                                       : (mb_turn_sink){&seen, count_only, NULL, NULL});
        mb_decode decode = {.ask = &ask, .turn = &turn, .parser = parser};
        mb_sse_reset(frames, MB_FRAMES_SSE);
        for (size_t at = 0; at < len; at += 16384) { // as libcurl hands it over
            size_t n = len - at < 16384 ? len - at : 16384;
            if (mb_sse_feed(frames, bytes + at, n, on_frame, &decode)) exit(1);
            mb_queue_publish(&queue);
            while (mb_queue_next(&queue, 0, &event, &drained) == 0) seen += event->len;
        }
        mb_turn_free(&turn);
        mb_queue_free(&queue);
    }
    double used = now() - start;
    mb_sse_free(frames);
    mb_json_parser_free(parser);
    mb_arena_free(&arena);
    if (seen != (size_t)ROUNDS * CHUNKS * 5) exit(2);
    return (double)ROUNDS * CHUNKS / used;
}

// With another id in each chunk, each has to be parsed; else only the first one has to.
static mb_buf make_stream(bool varies) {
    mb_buf bytes = MB_BUF(1 << 24);
    for (int i = 0; i < CHUNKS; i++)
        mb_buf_putf(
            &bytes,
            "data: {\"id\":\"chatcmpl-BGHy7qLpK2Zx9RfWm3vTn5e%04d\",\"object\":\"chat.completion.chunk\","
            "\"created\":1735689600,\"model\":\"gpt-4o-mini-2024-07-18\",\"system_fingerprint\":\"fp_0aa8d3e20b\","
            "\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n",
            varies ? i : 0);
    return bytes;
}

int main(void) {
    mb_buf bytes = make_stream(false), varied = make_stream(true);
    run(bytes.data, bytes.len, 0);
    double decoded = run(bytes.data, bytes.len, 0), delivered = run(bytes.data, bytes.len, 1);
    double parsed = run(varied.data, varied.len, 0);
    printf("{\"decoded_s\":%.0f,\"delivered_s\":%.0f,\"parsed_s\":%.0f}\n", decoded, delivered, parsed);
    mb_buf_free(&bytes);
    mb_buf_free(&varied);
    return 0;
}
