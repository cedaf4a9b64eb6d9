// SPDX-License-Identifier: MIT
// What the board, the prices and the request say about a call's targets, for the router to decide by.
#ifndef MB_RUNTIME_FACTS_H
#define MB_RUNTIME_FACTS_H

#include "runtime/call.h"

// Why a target is passed over for its cost.
#define MB_FACTS_UNKNOWN_COST "nobody knows what it costs"
#define MB_FACTS_TOO_DEAR     "it may cost more than the call may"

// At the start: the facts of each target, what an attempt is expected to use, the target that the session stays with.
int mb_facts_open(membrane_call *call, int64_t now_ms);
void mb_facts_close(membrane_call *call); // gives them back; harmless twice
// After a failure: the windows of the targets, where one was too small; what is left of the call's own limit of cost.
void mb_facts_learn(membrane_call *call, const mb_route_failure *failure);
// The price of a target, looked up once; NULL: not known.
const mb_price *mb_facts_price(const membrane_call *call, size_t target);
// What an attempt there can cost at most, micro-dollars; -1: nobody knows.
int64_t mb_facts_bound(const membrane_call *call, size_t target);
// Whether the call may still pay for it, beside all that its attempts have cost or may yet.
bool mb_facts_is_affordable(const membrane_call *call, size_t target);
// What it is expected to cost; -1: not known.
int64_t mb_facts_cost(const membrane_call *call, size_t target);
int64_t mb_facts_window(const membrane_call *call, size_t target); // tokens, 0: not known; under the board's lock, or
                                                                   // on the I/O thread
int64_t mb_facts_input(const membrane_call *call); // tokens, a guess: a quarter of the bytes of its texts

#endif
