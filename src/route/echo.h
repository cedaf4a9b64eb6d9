// SPDX-License-Identifier: MIT
// On wires of blocks (Anthropic, Gemini, Responses, Converse) an assistant's turn is a list, and some of its blocks are
// signed: they must go back to their provider unchanged and in their order. The turn's provider_data keeps that list;
// what the canonical message holds anyway stands in it as a reference:
//
//     "blocks": [{"raw": {a block as it came}}, {"text": 120}, {"call": "call_1", "with": {"thoughtSignature": "…"}}]
//
// "text": so many bytes of the message's text come here; "with": members that the block has besides. A message that was
// edited afterwards does not fit its list any more, and is written plainly.
#ifndef MB_ROUTE_ECHO_H
#define MB_ROUTE_ECHO_H

#include "route/adapter.h"

// ---- decoding: in the order of the wire ----------------------------------------------------------------------------

// The list is gathered in d->state[3], which an adapter that uses this must leave alone. 0 or MEMBRANE_ENOMEM.
// with: an object whose members are kept, or NULL; it and block are copied.
int mb_echo_text(mb_decode *d, size_t len, const mb_json *with);  // neighbours without members become one
int mb_echo_call(mb_decode *d, size_t call, const mb_json *with); // the turn's call of this number
int mb_echo_raw(mb_decode *d, const mb_json *block);
int mb_echo_raw_text(mb_decode *d, const char *json, size_t len); // the block as JSON text
// Members for the block that was added last (a signature that comes behind its text).
int mb_echo_with(mb_decode *d, const mb_json *with);
// At the answer's end, when every call has its id: "blocks" into turn->provider_data, unless the canonical message says
// all of it (text, then calls, nothing besides). 0, MEMBRANE_ENOMEM, MEMBRANE_EMALFORMED.
int mb_echo_write(mb_decode *d);

// ---- writing -------------------------------------------------------------------------------------------------------

typedef struct mb_echo_block {
    const char *text; // a piece of the message's text …
    size_t len;
    const mb_json *call; // … or one of its tool_calls …
    const mb_json *raw;  // … or a block as it came
    const mb_json *with; // an object or NULL
} mb_echo_block;

typedef int (*mb_echo_fn)(void *user, const mb_echo_block *block);

// Calls fn for each block of an assistant's message. 1: the message brings no list of this provider's that fits it, and
// fn was not called; else 0, MEMBRANE_ENOMEM or fn's answer, which ends it.
int mb_echo_each(const mb_ask *ask, const mb_json *message, mb_echo_fn fn, void *user);

#endif
