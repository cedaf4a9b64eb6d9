// SPDX-License-Identifier: MIT
// Frames out of a byte stream: text/event-stream as the WHATWG standard interprets it, one JSON text a line (NDJSON),
// or the messages of application/vnd.amazon.eventstream. Pure: bytes in, frames out, whatever the cuts between them.
// The state diagram stands in sse.c.
#ifndef MB_NET_SSE_H
#define MB_NET_SSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

typedef enum {
    MB_FRAMES_SSE,
    MB_FRAMES_NDJSON,
    // event is the message's :event-type, "error:" and the :exception-type of an exception, or "error:" and the
    // :error-code of an error, whose data is its :error-message.
    MB_FRAMES_EVENTSTREAM,
} mb_frames_kind;

typedef struct mb_frame {
    const char *event; // "message" unless the stream named it; NUL-terminated. NDJSON: ""
    const char *data;  // len bytes, then a NUL and MB_BUF_PADDING readable bytes; may hold NULs
    size_t len;
    const char *id;   // the last event id in force
    int64_t retry_ms; // the reconnection time in force, -1 when none was set
} mb_frame;

// Called for each frame; the frame is valid during the call. A non-zero answer stops the feed and is its answer.
typedef int (*mb_frame_fn)(void *user, const mb_frame *frame);

typedef struct mb_sse mb_sse;

// max_event: bytes of one frame's data (or of one line); passing it makes feed return MEMBRANE_EMALFORMED.
mb_sse *mb_sse_new(mb_frames_kind kind, size_t max_event); // NULL: out of memory
void mb_sse_free(mb_sse *sse);
void mb_sse_reset(mb_sse *sse, mb_frames_kind kind); // for the next stream; keeps its memory
// 0, the callback's answer, MEMBRANE_EMALFORMED or MEMBRANE_ENOMEM. Comments and blank lines give no frame.
int mb_sse_feed(mb_sse *sse, const char *bytes, size_t len, mb_frame_fn fn, void *user);
// The stream has ended. SSE: the event that the standard discards for want of a blank line is given only if
// want_last. NDJSON: a last line without its newline is a line. EVENTSTREAM: a message that was cut is none.
int mb_sse_finish(mb_sse *sse, bool want_last, mb_frame_fn fn, void *user);
const char *mb_sse_last_id(const mb_sse *sse);

#endif
