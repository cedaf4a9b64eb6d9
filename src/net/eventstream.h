// SPDX-License-Identifier: MIT
// Messages of application/vnd.amazon.eventstream, in which AWS wraps what it streams. Pure: one message at a time, in
// place. Numbers are big-endian, both checksums are CRC-32 (IEEE):
//
//     total length 4 │ headers length 4 │ CRC of these 8 │ headers │ payload │ CRC of all before it 4
//     a header: name length 1 │ name │ type 1 │ value by its type
//
// Cutting a stream into messages is sse.c's work (MB_FRAMES_EVENTSTREAM).
#ifndef MB_NET_EVENTSTREAM_H
#define MB_NET_EVENTSTREAM_H

#include <stddef.h>
#include <stdint.h>

enum {
    MB_EVENTSTREAM_PRELUDE = 12,
    MB_EVENTSTREAM_AROUND = 16,      // bytes of a message beside headers and payload
    MB_EVENTSTREAM_HEADERS = 131072, // the format's own limit
};

// A piece of the message's bytes; text NULL: the message has none. No NUL follows.
typedef struct mb_event_piece {
    const char *text;
    size_t len;
} mb_event_piece;

typedef struct mb_event_message {
    mb_event_piece message_type;              // ":message-type": "event", "exception", "error"
    mb_event_piece event_type;                // ":event-type" of an event
    mb_event_piece exception_type;            // ":exception-type" of an exception
    mb_event_piece error_code, error_message; // of an error, which has no payload
    mb_event_piece payload;
} mb_event_message;

// The length of the message that begins with these bytes, from its prelude. 0 or MEMBRANE_EMALFORMED: a wrong checksum
// or impossible lengths, or a payload of more than max_payload bytes.
int mb_eventstream_length(const char prelude[MB_EVENTSTREAM_PRELUDE], size_t max_payload, size_t *ret_len);
// The parts of a message whose length that function gave. 0 or MEMBRANE_EMALFORMED. Header names we do not know, of
// whatever type, are passed over.
int mb_eventstream_read(const char *bytes, size_t len, mb_event_message *ret);
uint32_t mb_crc32(const char *bytes, size_t len);

#endif
