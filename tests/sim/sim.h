// SPDX-License-Identifier: MIT
// A simulated world around the real router: calls of several sessions, providers that misbehave, a clock that jumps
// from event to event. One seed gives one world; the same world can be given to each policy and to naive callers.
//
//     scenario.c ── what the world is like (drawn from a seed)
//     provider.c ── what a provider answers, and when
//     caller.c   ── what the library's runtime does with the router and the board, nothing else
//     checks.c   ── what must always hold; counts by itself and believes nobody
//     main.c     ── many worlds, or a table of policies
#ifndef TESTS_SIM_H
#define TESTS_SIM_H

#include "base/rng.h"
#include "route/router.h"

enum { SIM_TARGETS = 12, SIM_KEYS = 4, SIM_SESSIONS = 8, SIM_SPELLS = 12, SIM_BUCKETS = 512 };
enum { SIM_MINUTE = 60000, SIM_HOUR = 3600000 };

// What the caller does: a policy of the router, or something that people write in an afternoon.
enum { SIM_ROUND_ROBIN = MB_POLICY_COUNT, SIM_FIXED_ORDER, SIM_WAYS };

typedef enum {
    SPELL_DOWN,    // no connection
    SPELL_HANGS,   // takes requests and says nothing
    SPELL_ERRORS,  // a part of the requests gets a 500
    SPELL_SLOW,    // everything takes longer
    SPELL_LOADING, // 503: the engine loads its model; slow afterwards
    SPELL_KINDS,
} spell_kind;

typedef struct spell {
    spell_kind kind;
    int64_t start_ms, end_ms;
    double part; // of ERRORS; how much longer for SLOW
} spell;

// A provider's own count: a minute's worth, filled evenly. level in units times a minute.
typedef struct bucket {
    int64_t per_minute, level, at_ms;
} bucket;

typedef struct sim_provider {
    char name[16];
    int key_count;
    mb_limits ours, theirs; // parallel for all keys; theirs: rpm and tpm of each key
    bool bad_key[SIM_KEYS];
    int bad_code;
    bool is_local, says_when;     // with Retry-After
    double first_mu, first_sigma; // log of the milliseconds until the first token
    double slow_part;             // so many take ten times as long
    double token_ms;              // for each token
    int capacity;                 // at a time; beyond it everything takes longer
    double cut_before, cut_after; // streams that break off before, after the first token
    spell spells[SIM_SPELLS];
    int spell_count;
} sim_provider;

typedef struct sim_target {
    int provider;
    char model[16];
    mb_group group;
    double weight;
    int64_t price; // micro-dollars a thousand tokens
    int64_t window;
    mb_limits ours;
} sim_target;

typedef struct sim_scenario {
    uint64_t seed;
    int provider_count, target_count, session_count;
    sim_provider providers[SIM_TARGETS];
    sim_target targets[SIM_TARGETS];
    double volume[SIM_SESSIONS]; // the sessions' parts of the calls
    double calls_s;
    int64_t burst_ms; // every so often ten times as many, 0: never
    int64_t duration_ms, deadline_ms, wait_ms, sticky_ms;
    mb_hedge hedge;
    mb_policy policy;
    int retries, max_attempts;
    double stream_part, long_part;      // of the calls; long ones have prompts beyond small windows
    int64_t budget_all, budget_session; // micro-dollars, 0: none
} sim_scenario;

typedef struct sim_stats {
    int64_t asked[SIM_SESSIONS], answered[SIM_SESSIONS];
    int64_t unpaid; // calls that a budget refused in the end
    int64_t attempts, retries, hedges, queued, decisions;
    int64_t cost, overspent;      // micro-dollars, as the providers bill it
    int64_t latency[SIM_BUCKETS]; // of the calls that were answered
    int64_t simulated_ms;
} sim_stats;

void sim_scenario_draw(sim_scenario *s, uint64_t seed, double hours);     // anything at all
void sim_scenario_everyday(sim_scenario *s, uint64_t seed, double hours); // what the table of policies is made of

// Runs it to its end. way: a policy, SIM_ROUND_ROBIN or SIM_FIXED_ORDER. With checks: prints what was broken with the
// seed and exits with 1. Adds to stats.
void sim_run(const sim_scenario *s, int way, bool checks, sim_stats *stats);

// ---- provider.c
typedef struct sim_question {
    int64_t input, output; // tokens, output as it will be
    bool stream;
} sim_question;

typedef struct sim_answer {
    int code;
    bool is_loading;
    int64_t first_ms, end_ms;       // from now; first -1: none
    int64_t retry_after_ms, tokens; // tokens: used, as it counts and bills them
} sim_answer;

typedef struct sim_state { // of a provider
    bucket requests[SIM_KEYS], tokens[SIM_KEYS];
    int in_flight;
} sim_state;

bool sim_bucket_takes(bucket *b, int64_t units, int64_t now_ms, int64_t *ret_wait_ms);
sim_answer sim_provider_answer(const sim_provider *p, sim_state *state, mb_rng *rng, int key, int64_t window,
                               const sim_question *q, int64_t now_ms);
bool sim_provider_is_down(const sim_provider *p, int64_t now_ms);

int sim_bucket_of(int64_t ms);
int64_t sim_percentile(const sim_stats *stats, double part);
double sim_fairness(const sim_stats *stats); // Jain's index over what each session got of its fair share

#endif
