// SPDX-License-Identifier: MIT
// What the tests of whole conversations share: the canonical form through a wire and back, and what it told.
#ifndef TESTS_WIRES_CONVERSATION_H
#define TESTS_WIRES_CONVERSATION_H

#include "read.h"

// A wire as these tests use it: a kind of providers.json (also the provider's name), the api of its reader, and an
// answer with thinking that is bound to the provider ("SIG-kind"), the text "Let me look." and two parallel calls.
typedef struct wire_row {
    const char *kind, *api, *answer;
} wire_row;

extern const wire_row WIRE_ROWS[];
extern const size_t WIRE_ROW_COUNT;

// The request as the wire has it; NULL with why. The tree lives in the arena.
const mb_json *wire_write(const wire_row *row, const mb_json *request, mb_arena *arena, mb_buf *why);
// And back. NULL with why where the reader does not understand it or the canonical form is refused.
const mb_json *wire_read(const wire_row *row, const mb_json *body, mb_arena *arena, mb_buf *why);
// Who said what: a line a run of one role's text, a call, a result. Results stand under their calls' names, so that ids
// do not matter; thinking is left out.
void conversation_tell(const mb_json *request, mb_buf *out);
// What a strict server of this wire would refuse; nothing if it would take the request.
void wire_strict(const wire_row *row, const mb_json *body, mb_buf *why);

#endif
