// SPDX-License-Identifier: MIT
// One question to one provider: the adapter writes it, net/ sends it, frames or the whole body go back through the
// adapter into a turn, and done says how it ended. Everything here happens on the I/O thread.
#ifndef MB_RUNTIME_EXCHANGE_H
#define MB_RUNTIME_EXCHANGE_H

#include "membrane/options.h"
#include "runtime/config.h"
#include "runtime/queue.h"

typedef struct mb_exchange mb_exchange;

// What exchanges of one handle share, all of it used on the I/O thread only.
typedef struct mb_engine_room {
    mb_io *io;
    mb_http *http;
    mb_json_parser *parser;
    mb_sse *idle_frames[32]; // frame machines that can be used again
    int idle_count;
    mb_buf idle_bufs[128]; // small buffers that can be used again
    int idle_buf_count;
    mb_block_pool blocks; // for the queues of calls
    membrane_call *dirty; // calls with events that this round has brought
    mb_task publish_task;
} mb_engine_room;

typedef struct mb_exchange_plan {
    const mb_provider *provider;
    int key;
    mb_ask ask;                       // its texts must live until done
    const char *const *extra_headers; // lines "Name: value" of the request, NULL-terminated, or NULL
    int64_t connect_ms, first_token_ms, idle_ms, total_ms; // each may be 0: no limit
    mb_turn *turn;                                         // the caller's
    // More would not fit: the transfer pauses until mb_exchange_resume. May be NULL.
    bool (*is_full)(void *user);
    // A received piece has been decoded. May be NULL.
    void (*progress)(void *user);
    // Exactly once, unless cancelled. code 0 or MEMBRANE_E…; the error is the receiver's to free (NULL for 0).
    void (*done)(void *user, int code, membrane_error *error);
    void *user;
} mb_exchange_plan;

struct mb_exchange {
    mb_engine_room *room;
    mb_exchange_plan plan;
    mb_decode decode;
    mb_wire wire;
    mb_headers *own_headers; // where the request brings some
    mb_transfer *transfer;
    mb_sse *frames;
    mb_buf body;
    mb_timer timer, total_timer;
    int64_t start_ms, last_ms; // of the last progress; paused time does not count
    enum { MB_BODY_UNKNOWN, MB_BODY_FRAMES, MB_BODY_WHOLE, MB_BODY_REFUSAL } kind;
    bool is_running, is_paused, has_progress, has_end;
    int frame_code; // what the adapter's frame ended with
};

// Buffers that are needed for a moment a call are kept for the next one, unless they have grown large.
mb_buf mb_room_take_buf(mb_engine_room *room, size_t max);
void mb_room_give_buf(mb_engine_room *room, mb_buf *buf);

// Writes and sends. On failure nothing is called back and *err says why.
int mb_exchange_start(mb_exchange *x, mb_engine_room *room, const mb_exchange_plan *plan, membrane_error **err);
void mb_exchange_resume(mb_exchange *x); // harmless if it is not paused
void mb_exchange_cancel(mb_exchange *x); // no callback comes any more; harmless if it does not run
void mb_exchange_free(mb_exchange *x);   // cancels; frees its buffers (x itself is the caller's)
// The first 200 bytes a server really sent, made harmless for an error message.
void mb_exchange_excerpt(const char *bytes, size_t len, char *out, size_t size);

#endif
