// SPDX-License-Identifier: MIT
// Where a call goes next: a pure decision from what was tried in this call, what the board knows over all calls, the
// time and one random number. The rules are those of docs/guide/routing.md: the model's policy among the targets that
// are free, then the fallbacks of the kind of failure; keys rotate before targets do; whoever is free comes before
// whoever asked to be left alone, and a target that keeps failing is asked only when there is no other; only the router
// retries.
#ifndef MB_ROUTE_ROUTER_H
#define MB_ROUTE_ROUTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "route/board.h"

// Which list of a logical model a target stands in.
typedef enum {
    MB_GROUP_MAIN,
    MB_GROUP_ERROR,   // after everything in MAIN failed or asked to wait
    MB_GROUP_CONTEXT, // after context_overflow
    MB_GROUP_CONTENT, // after content_policy
} mb_group;

typedef struct mb_route_target {
    mb_group group;
    int key_count;           // at least 1 (1 also where no key is used)
    const char *passed_over; // a reason never to try it (via, local only, no fallback, cost), or NULL
    double weight;
    int64_t cost_usd_micros; // expected, -1: not known
    int64_t window;          // tokens, 0: not known
    mb_target_facts *facts;  // of the board; NULL: nothing is known of it
} mb_route_target;

#define MB_ROUTE_NEVER INT64_MAX

// What was learnt of one target during this call. Starts as zeros, but for key_at_ms.
typedef struct mb_route_memory {
    int attempts;       // on it, all keys
    int retries;        // that counted against its retries
    int key;            // the one in use
    int64_t *key_at_ms; // key_count zeros of the caller's: when a key that had to wait is free, MB_ROUTE_NEVER: refused
    int64_t ready_at_ms;      // asked to be left alone until then, 0: no
    int64_t loading_since_ms; // when it first said that it is loading its model
    bool is_loading;          // said so last
    bool has_failed;          // and may be tried again: that is a retry
    bool was_retry;           // the last attempt
    bool was_resting;         // it was the least bad one
    bool is_running;          // an attempt is under way there
    const char *is_out;       // why nothing more is to be had from it, NULL: it is not
} mb_route_memory;

typedef struct mb_route {
    const mb_route_target *targets; // in order
    mb_route_memory *memory;        // one each
    uint32_t *free;                 // room for count numbers, the router's own
    size_t count;
    mb_policy policy;
    int retries;              // further attempts a target
    int max_attempts;         // of all targets, 0: no limit
    int attempts;             // so far
    int64_t deadline_ms;      // monotonic
    int64_t loading_until_ms; // how long an engine that loads is polled
    int64_t wait_until_ms;    // how long it may wait for limits of our own
    int64_t tokens;           // what an attempt is expected to use, for the limits
    int64_t too_small;        // a window that it did not fit into, 0: none
    uint64_t stuck_to;        // the number of the target that its session stays with, 0: none
    int stuck_key;            // and the key there, -1: any
    bool stream;
    bool stays;        // whoever is asked first is the only one
    bool had_its_turn; // it stood in a queue until it was its turn: those who still wait come after it
    bool may_retry;    // the retry budget of all calls has room
    mb_group group;    // the list in use; MAIN: and ERROR behind it
} mb_route;

typedef struct mb_route_failure {
    size_t target;
    int code;               // MEMBRANE_E…
    int64_t retry_after_ms; // -1: not said
    bool is_loading;
    bool handed_out; // the caller has seen a part of the answer
} mb_route_failure;

typedef enum { MB_ROUTE_TRY, MB_ROUTE_QUEUE, MB_ROUTE_FAIL } mb_route_what;

typedef struct mb_route_decision {
    mb_route_what what;
    size_t target;
    int key;
    int64_t at_ms;      // TRY: not before; now or earlier: at once. QUEUE: no longer than until then
    bool is_retry;      // of the same target: takes a part of the retry budget until its attempt ends
    int code;           // FAIL where nothing was tried: MEMBRANE_E…
    const char *reason; // static text: "first target", "retry", "next key", "next target", "still loading", …
} mb_route_decision;

// The first decision (failure NULL) or the one after a failure, which is first noted in route->memory.
// unit: a random number in [0, 1). After QUEUE: again with failure NULL, when a place is free or the time is over.
mb_route_decision mb_route_next(mb_route *route, const mb_route_failure *failure, int64_t now_ms, double unit);
// Another target for a second request beside the one that runs; FAIL if there is none that is free.
mb_route_decision mb_route_hedge(mb_route *route, int64_t now_ms, double unit);

// For a decision whose time has come: whether the limits of ours still let it in, its target has not begun to rest and
// nobody was told to leave its key alone; and if not, that it was never made: then ask again with failure NULL.
bool mb_route_is_open(const mb_route *route, size_t target, int key, int64_t now_ms);
void mb_route_take_back(mb_route *route, size_t target);

// How one target stands, and why: what the decision is made of, and what a dry run shows.
typedef struct mb_verdict {
    enum {
        MB_MAY_GO,   // at once
        MB_LATER,    // at at_ms: it asked for it, or loads
        MB_QUEUED,   // a limit of ours is reached, and the call may wait; at at_ms, or MB_GATE_NEVER: when one leaves
        MB_RESTING,  // it keeps failing, loads, or does not answer probes: only if there is no other
        MB_LIMITED,  // a limit of ours is reached, and the call may not wait
        MB_EXCLUDED, // not in this call
    } standing;
    int64_t at_ms;
    int key;
    bool is_resting; // QUEUED, LIMITED: besides; it comes after everybody else
    const char *why; // static text; NULL for MAY_GO
    mb_gate *gate;   // QUEUED: where to stand
} mb_verdict;
mb_verdict mb_route_judge(const mb_route *route, size_t target, int64_t now_ms);

#endif
