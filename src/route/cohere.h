// SPDX-License-Identifier: MIT
// What the files of Cohere's two wires share: cohere_write.c and cohere.c are the second version of its API,
// cohere_v1.c and cohere_v1_write.c the first.
#ifndef MB_ROUTE_COHERE_H
#define MB_ROUTE_COHERE_H

#include "route/adapter.h"

int mb_cohere_write(const mb_ask *ask, mb_wire *wire, membrane_error **err);
int mb_cohere_v1_write(const mb_ask *ask, mb_wire *wire, membrane_error **err);

// A question about embeddings, ranking, tokens, models or the server, which both versions ask in the same way.
int mb_cohere_write_other(const mb_ask *ask, mb_wire *wire, membrane_error **err);
int mb_cohere_body_other(mb_decode *d, const char *text, size_t len);

// {"billed_units", "tokens", "cached_tokens"}: the tokens, or what was billed where those are not said.
void mb_cohere_usage(mb_turn *turn, const mb_json *usage);
mb_finish mb_cohere_finish(const char *word);
// An answer that ended in an error of its own; words may be NULL.
int mb_cohere_ended_badly(mb_decode *d, const char *words);

#endif
