// SPDX-License-Identifier: MIT
// A call under test with what the board knows of all calls. Targets are providers of one model each: set_up(policy,
// keys, targets) makes them alike, and a test changes what matters to it. Decisions are d; now_ms moves only where it
// is said.
#ifndef TESTS_ROUTER_CALL_H
#define TESTS_ROUTER_CALL_H

#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "membrane/error.h"
#include "route/router.h"

enum { TARGETS = 4, KEYS = 4, DEADLINE = 600000 };

typedef struct one_call { // beside the one under test there may be others
    mb_route route;
    mb_route_memory memory[TARGETS];
    int64_t key_at_ms[TARGETS * KEYS];
    uint32_t room[TARGETS];
} one_call;

static mb_board *board;
static mb_endpoint *endpoints[TARGETS];
static mb_route_target targets[TARGETS];
static one_call call;
static mb_route *route = &call.route;
static mb_route_decision d;
static int64_t now_ms;

static inline void begin(one_call *c, mb_policy policy, size_t count) {
    memset(c, 0, sizeof *c);
    c->route = (mb_route){.targets = targets,
                          .memory = c->memory,
                          .free = c->room,
                          .count = count,
                          .policy = policy,
                          .retries = 2,
                          .deadline_ms = now_ms + DEADLINE,
                          .loading_until_ms = now_ms + 120000,
                          .stuck_key = -1,
                          .may_retry = true};
    for (size_t i = 0; i < count; i++) c->memory[i].key_at_ms = &c->key_at_ms[i * KEYS];
}

static inline void set_up(mb_policy policy, int keys, size_t count) {
    board = mb_board_new();
    now_ms = 1000000;
    for (size_t i = 0; i < count; i++) {
        char name[8] = {'p', (char)('0' + i), 0};
        endpoints[i] = mb_board_endpoint(board, name, NULL, keys, &(mb_limits){0});
        targets[i] = (mb_route_target){.key_count = keys, .weight = 1, .cost_usd_micros = -1};
        targets[i].facts = mb_board_take(board, endpoints[i], "m", &(mb_limits){0}, true);
    }
    begin(&call, policy, count);
}

static inline void tear_down(void) { mb_board_free(board); }

static inline mb_ticket enters(size_t i, int key) {
    mb_ticket ticket;
    mb_board_enter(board, targets[i].facts, key, route->tokens, now_ms, &ticket);
    return ticket;
}

static inline void leaves(mb_ticket *ticket, int code, int64_t retry_after_ms) {
    mb_attempt_end end = {code, retry_after_ms, -1, -1, false, false};
    mb_board_leave(board, ticket, &end, now_ms);
}

// What another call met there.
static inline void others(size_t i, int key, int code, int64_t retry_after_ms) {
    mb_ticket ticket = enters(i, key);
    leaves(&ticket, code, retry_after_ms);
}

static inline void trip(size_t i) {
    for (int n = 0; n < 5; n++) others(i, 0, MEMBRANE_ESERVER, -1);
}

static inline void limit_parallel(size_t i) { // and reach it
    targets[i].facts->gate.limits.parallel = 1;
    enters(i, 0);
}

static inline void ask(void) { d = mb_route_next(route, NULL, now_ms, 0.5); }

// The time of what was decided has come.
static inline void come(void) {
    if (d.at_ms > now_ms) now_ms = d.at_ms;
    if (mb_route_is_open(route, d.target, d.key, now_ms)) return;
    mb_route_take_back(route, d.target);
    ask();
}

static inline void failed_asking(int code, int64_t retry_after_ms) {
    mb_route_failure f = {d.target, code, retry_after_ms, false, false};
    d = mb_route_next(route, &f, now_ms, 0.5);
}

static inline void failed(int code) { failed_asking(code, -1); }

#define TRIES(target_, reason_)                                                                                        \
    do {                                                                                                               \
        ck_assert_msg(d.what == MB_ROUTE_TRY, "no try: %s", d.reason);                                                 \
        ck_assert_str_eq(d.reason, reason_);                                                                           \
        ck_assert_uint_eq(d.target, target_);                                                                          \
    } while (0)
#define QUEUES_UNTIL(at_)                                                                                              \
    do {                                                                                                               \
        ck_assert_msg(d.what == MB_ROUTE_QUEUE, "no queue: %s", d.reason);                                             \
        ck_assert_int_eq(d.at_ms, at_);                                                                                \
    } while (0)
#define FAILS(code_, reason_)                                                                                          \
    do {                                                                                                               \
        ck_assert_int_eq(d.what, MB_ROUTE_FAIL);                                                                       \
        ck_assert_str_eq(d.reason, reason_);                                                                           \
        ck_assert_int_eq(d.code, code_);                                                                               \
    } while (0)

#endif
