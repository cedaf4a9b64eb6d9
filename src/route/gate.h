// SPDX-License-Identifier: MIT
// Limits of our own: requests a minute, tokens a minute, attempts at a time. Who may not go in stands in a fair queue.
// Pure: the time is handed in.
//
// Requests and tokens are counted by the generic cell rate algorithm (ITU-T I.371), one integer each: the time at which
// the bucket, which holds a minute's worth as the providers' own do, would be full again. Tokens are reserved by an
// estimate and settled by what was really used. What the provider has counted until then is known from above in two
// ways, and the lower one holds: all reservations from when they began, of which less is given back the later they are
// settled (the provider's bucket may have stood full since); or what is settled, and beside it what is reserved now.
#ifndef MB_ROUTE_GATE_H
#define MB_ROUTE_GATE_H

#include "route/fair.h"
#include "route/policy.h"

#define MB_GATE_NEVER INT64_MAX // until somebody leaves

typedef struct mb_gate mb_gate;
struct mb_gate {
    mb_limits limits;
    int64_t requests_full_ns, tokens_full_ns; // when the buckets are full again
    int64_t settled_full_ns, reserved;        // the same of what is settled alone; tokens that are not yet
    int in_flight;                            // attempts, counted without a limit too
    mb_fair waiting;
    mb_gate *busy_next, *busy_prev; // the board's list of gates at which somebody waits
    bool is_busy;
};

// When an attempt of so many tokens may go in: now_ms or earlier, a later time, or MB_GATE_NEVER. Who waits is not
// asked; more tokens than a minute's go in when the bucket is full.
int64_t mb_gate_opens_at(const mb_gate *gate, int64_t tokens, int64_t now_ms);
const char *mb_gate_limit_name(const mb_gate *gate, int64_t tokens, int64_t now_ms); // "rpm", "tpm", "parallel"; NULL
void mb_gate_enter(mb_gate *gate, int64_t tokens, int64_t now_ms);
void mb_gate_leave(mb_gate *gate);
// What was reserved as tokens at start_ms were really so many; used -1: nobody knows, so it is what was reserved.
void mb_gate_settle(mb_gate *gate, int64_t reserved, int64_t used, int64_t start_ms, int64_t now_ms);
// The part of its limits that the last minute has used: 0 none, 1 all of it; -1: it has none.
static inline double mb_gate_used(const mb_gate *gate, int64_t now_ms) {
    if (!gate->limits.rpm && !gate->limits.tpm) return -1;
    int64_t full_ns = gate->requests_full_ns > gate->tokens_full_ns ? gate->requests_full_ns : gate->tokens_full_ns;
    int64_t over_ns = full_ns - now_ms * 1000000;
    return over_ns > 0 ? (double)over_ns / 6e10 : 0;
}
void mb_gate_free(mb_gate *gate);

#endif
