// SPDX-License-Identifier: MIT
// How the targets of one logical model share its calls, and what a model's configuration says about the way.
#ifndef MB_ROUTE_POLICY_H
#define MB_ROUTE_POLICY_H

#include <stdint.h>

typedef enum {
    MB_POLICY_ORDERED,    // the first that may be tried: local first, then cloud, as the list says
    MB_POLICY_WEIGHTED,   // by chance, in proportion to the weights
    MB_POLICY_LEAST_BUSY, // the fewest attempts in flight for its weight
    MB_POLICY_LATENCY,    // of two drawn by chance the one that answers sooner (peak-EWMA of the first token)
    MB_POLICY_CHEAPEST,   // the least expected cost; an unknown price comes last
    MB_POLICY_USAGE,      // the one that has used the least of its limits in the last minute
} mb_policy;
enum { MB_POLICY_COUNT = MB_POLICY_USAGE + 1 };

const char *mb_policy_name(mb_policy policy); // "ordered", "weighted", …
int mb_policy_from_name(const char *name);    // -1: none

// Limits of our own, before anything is sent. 0: none.
typedef struct mb_limits {
    int64_t rpm, tpm; // requests and tokens a minute
    int parallel;     // attempts at a time
} mb_limits;

// What happens when an answer breaks off after the caller has seen a part of it.
typedef enum {
    MB_CUT_ERROR,    // the call ends with an error and the partial text
    MB_CUT_RESTART,  // a RESET event, then all of it again
    MB_CUT_CONTINUE, // the next target goes on where the text ends; never inside a tool call
} mb_on_cut;

// A second request, beside the first one that has said nothing yet.
typedef struct mb_hedge {
    enum { MB_HEDGE_OFF, MB_HEDGE_P95, MB_HEDGE_DELAY } kind;
    int64_t delay_ms; // of DELAY
} mb_hedge;

#endif
