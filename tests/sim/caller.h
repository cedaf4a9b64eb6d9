// SPDX-License-Identifier: MIT
// A run: the calls, the clock and what is counted beside the board.
#ifndef TESTS_SIM_CALLER_H
#define TESTS_SIM_CALLER_H

#include "route/budget.h"
#include "sim.h"

typedef struct sim sim;
typedef struct sim_call sim_call;

typedef struct sim_runner { // one attempt
    bool is_running, holds_retry, has_first, was_entered;
    size_t target;
    int key;
    int64_t start_ms, bound; // bound: micro-dollars that are held for it
    mb_ticket ticket;
    sim_answer answer;
    uint64_t serial; // of the events that are meant for it
} sim_runner;

struct sim_call {
    sim_call *next, *prev; // all that live
    mb_route route;
    mb_route_target targets[SIM_TARGETS];
    mb_route_memory memory[SIM_TARGETS];
    int64_t key_at_ms[SIM_TARGETS * SIM_KEYS];
    uint32_t room[SIM_TARGETS];
    mb_waiter waiters[SIM_TARGETS];
    uint64_t joined[SIM_TARGETS]; // when each began to wait, as a count of what was served
    bool in_front[SIM_TARGETS];
    sim_runner runners[2]; // the second one is a hedge
    sim_question question;
    int session;
    int64_t start_ms;
    bool handed_out, is_waiting, was_hedged;
    mb_route_decision pending; // whose time has not come
    int last_code, naive_first;
    uint64_t step_serial, deadline_serial, hedge_serial;
};

// What the checks count by themselves, for a target or an endpoint's key.
typedef struct sim_shadow {
    bucket requests, tokens;
    int parallel;           // under way
    int64_t cools_until_ms; // a key that was refused
} sim_shadow;

typedef struct sim_ledger {
    mb_slice slice;         // all of the amount is granted
    int64_t amount, billed; // amount 0: no limit; billed: what the providers say
} sim_ledger;

enum { SIM_GATES = SIM_TARGETS * (SIM_KEYS + 2) };

typedef struct sim_served { // at one gate
    const mb_gate *gate;
    uint64_t last[SIM_SESSIONS]; // when each session was served there
} sim_served;

struct sim {
    const sim_scenario *scenario;
    sim_stats *stats;
    int way;
    bool checks;
    int64_t now_ms;
    mb_rng load, answers, route; // each of its own, so that all ways meet the same load
    mb_board *board;
    mb_endpoint *endpoints[SIM_TARGETS];
    mb_target_facts *facts[SIM_TARGETS];
    sim_state states[SIM_TARGETS];
    sim_call *calls, *spare;
    size_t call_count, retry_count;
    struct sim_event *heap;
    size_t heap_count, heap_cap;
    uint64_t serials, turns; // turns: of who was served
    int64_t serve_at_ms;     // 0: no time is set
    bool is_serving;
    sim_ledger all, sessions[SIM_SESSIONS];
    unsigned next_robin;
    // ---- of the checks
    sim_shadow of_target[SIM_TARGETS], of_endpoint[SIM_TARGETS], of_key[SIM_TARGETS][SIM_KEYS];
    int64_t asks_much_until_ms[SIM_TARGETS][SIM_KEYS]; // keys that were told to wait, for one model
    sim_served served[SIM_GATES];
    int served_count;
    int64_t fresh[SIM_TARGETS]; // first decisions since a target could be probed
};

// What must always hold. Each prints the seed and what was broken, and exits.
void sim_check(const sim *s, bool holds, const char *what);
void sim_check_turn(const sim *s, const sim_call *c, size_t target, int key);
void sim_check_enter(sim *s, const sim_call *c, const sim_runner *r);
void sim_check_leave(sim *s, const sim_runner *r, int code);
void sim_check_retry(const sim *s);
void sim_check_served(sim *s, const sim_call *c, const mb_gate *gate);
void sim_check_leaves_queues(sim *s, const sim_call *c);
void sim_check_first(sim *s, const sim_call *c);
void sim_check_failed(const sim *s, const sim_call *c, const mb_route_decision *d);
void sim_check_money(const sim *s);
void sim_check_end(const sim *s);

#endif
