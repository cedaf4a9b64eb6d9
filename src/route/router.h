// SPDX-License-Identifier: MIT
// Where a call goes next: a pure decision from what is known of the targets and of what was tried. Facts in, decision
// and reason out; the time and one random number are handed in. The rules are those of docs/guide/routing.md: one list
// of targets in order, then the fallbacks of the kind of failure; keys rotate before targets do; whoever is free comes
// before whoever asked to be left alone; only the router retries.
#ifndef MB_ROUTE_ROUTER_H
#define MB_ROUTE_ROUTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
    const char *passed_over; // a reason never to try it (via, local only, no fallback), or NULL
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
    bool is_out;              // nothing more to be had from it
} mb_route_memory;

typedef struct mb_route {
    const mb_route_target *targets; // in order
    mb_route_memory *memory;        // one each
    size_t count;
    int retries;              // further attempts a target
    int64_t deadline_ms;      // monotonic
    int64_t loading_until_ms; // how long an engine that loads is polled
    mb_group group;           // the list in use; MAIN: and ERROR behind it
} mb_route;

typedef struct mb_route_failure {
    size_t target;
    int code;               // MEMBRANE_E…
    int64_t retry_after_ms; // -1: not said
    bool is_loading;
    bool handed_out; // the caller has seen a part of the answer
} mb_route_failure;

typedef enum { MB_ROUTE_TRY, MB_ROUTE_FAIL } mb_route_what;

typedef struct mb_route_decision {
    mb_route_what what;
    size_t target;
    int key;
    int64_t at_ms;      // not before; now or earlier: at once
    const char *reason; // static text: "first", "retry", "next key", "next target", "still loading", …
} mb_route_decision;

// The first decision (failure NULL) or the one after a failure, which is first noted in route->memory.
// unit: a random number in [0, 1).
mb_route_decision mb_route_next(mb_route *route, const mb_route_failure *failure, int64_t now_ms, double unit);

#endif
