// SPDX-License-Identifier: MIT
// One decision over 100 targets with full facts (breakers, limits of provider, key and target, paces, prices, two keys
// each), on one thread. A line of JSON a policy.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/rng.h"
#include "membrane/error.h"
#include "route/router.h"

enum { TARGETS = 100, KEYS = 2, SECONDS = 1, ROUND = 1000 };

typedef struct call {
    mb_route route;
    mb_route_memory memory[TARGETS];
    int64_t key_at_ms[TARGETS * KEYS];
    uint32_t room[TARGETS];
} call;

static mb_board *board;
static mb_route_target targets[TARGETS];
static mb_rng rng;
static int64_t now_ms = 1000000;

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

// What a minute of use leaves behind.
static void use(mb_target_facts *facts) {
    for (int i = 0; i < 30; i++, now_ms += 10) {
        mb_ticket ticket;
        const bool fails = mb_rng_below(&rng, 20) == 0;
        mb_attempt_end end = {fails ? MEMBRANE_ESERVER : 0,           -1,   900,
                              100 + (int64_t)mb_rng_below(&rng, 900), true, false};
        mb_board_enter(board, facts, i % KEYS, 1000, now_ms, &ticket);
        if (i < 25) mb_board_leave(board, &ticket, &end, now_ms + 5);
    }
}

static void make_targets(void) {
    const mb_limits of_provider = {6000, 5000000, 1000}, of_target = {3000, 2000000, 100};
    board = mb_board_new();
    for (int i = 0; i < TARGETS; i++) {
        char name[16];
        snprintf(name, sizeof name, "provider-%d", i);
        mb_endpoint *e = board ? mb_board_endpoint(board, name, NULL, KEYS, &of_provider) : NULL;
        mb_target_facts *facts = e ? mb_board_take(board, e, "m", &of_target, true) : NULL;
        if (!facts) exit(2);
        use(facts);
        targets[i] = (mb_route_target){.key_count = KEYS,
                                       .weight = 1 + i % 3,
                                       .cost_usd_micros = (int64_t)mb_rng_below(&rng, 10000),
                                       .window = 128000,
                                       .facts = facts};
    }
}

static void decide(call *c, mb_policy policy) {
    memset(c->memory, 0, sizeof c->memory);
    c->route = (mb_route){.targets = targets,
                          .memory = c->memory,
                          .free = c->room,
                          .count = TARGETS,
                          .policy = policy,
                          .retries = 2,
                          .deadline_ms = now_ms + 600000,
                          .wait_until_ms = now_ms + 1000,
                          .tokens = 1500,
                          .stuck_key = -1,
                          .stream = true,
                          .may_retry = true};
    for (int i = 0; i < TARGETS; i++) c->memory[i].key_at_ms = &c->key_at_ms[i * KEYS];
    if (mb_route_next(&c->route, NULL, now_ms, mb_rng_unit(&rng)).what != MB_ROUTE_TRY) exit(2);
}

int main(void) {
    static call c;
    mb_rng_seed_with(&rng, 1);
    make_targets();
    for (int policy = 0; policy < MB_POLICY_COUNT; policy++) {
        long rounds = 0;
        double start = seconds(), used;
        do {
            for (int i = 0; i < ROUND; i++) decide(&c, (mb_policy)policy);
            rounds++;
            used = seconds() - start;
        } while (used < SECONDS);
        printf("{\"policy\":\"%s\",\"decision_ns\":%.0f}\n", mb_policy_name((mb_policy)policy),
               used / (double)rounds / ROUND * 1e9);
    }
    mb_board_free(board);
    return 0;
}
