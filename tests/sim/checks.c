// SPDX-License-Identifier: MIT
// What must always hold, whatever the world is like. Counted here again from what happened, not read off the board.
#include <stdio.h>
#include <stdlib.h>

#include "caller.h"
#include "membrane/error.h"

enum { PROBE_PATIENCE_MS = 60000, PROBE_CALLS = 50 };

void sim_check(const sim *s, bool holds, const char *what) {
    if (holds || !s->checks) return;
    printf("not ok: %s\n  seed %llu, policy %s, at %lld ms\n", what, (unsigned long long)s->scenario->seed,
           mb_policy_name((mb_policy)s->way), (long long)s->now_ms);
    printf("  again: sim check %llu 1\n", (unsigned long long)s->scenario->seed);
    exit(1);
}

// What is more than a minute's worth goes in when the bucket is full.
static void take(const sim *s, bucket *b, int64_t units, const char *what) {
    int64_t wait;
    if (units > b->per_minute) units = b->per_minute;
    sim_check(s, sim_bucket_takes(b, units, s->now_ms, &wait), what);
}

// Who has not had its turn comes after those who wait.
void sim_check_turn(const sim *s, const sim_call *c, size_t target, int key) {
    const mb_endpoint *e = s->facts[target]->endpoint;
    const size_t waiting =
        s->facts[target]->gate.waiting.count + e->gate.waiting.count + e->keys[key].gate.waiting.count;
    sim_check(s, waiting == 0 || c->route.had_its_turn, "an attempt begins before those who wait for the same limit");
}

void sim_check_enter(sim *s, const sim_call *c, const sim_runner *r) {
    const sim_target *t = &s->scenario->targets[r->target];
    const sim_provider *p = &s->scenario->providers[t->provider];
    sim_shadow *of_target = &s->of_target[r->target], *key = &s->of_key[t->provider][r->key];
    const int parallel = ++s->of_endpoint[t->provider].parallel;
    sim_check(s, !c->handed_out, "an answer of which a part was handed out is asked for again");
    sim_check(s, s->now_ms < c->route.deadline_ms, "an attempt begins after the deadline");
    sim_check(s, !c->is_waiting, "an attempt begins while its call waits");
    sim_check(s, s->now_ms >= key->cools_until_ms || c->route.count == 1, "a key is used that was refused");
    sim_check(s, s->now_ms >= s->asks_much_until_ms[r->target][r->key], "a key is used that was told to wait");
    sim_check(s, !p->ours.parallel || parallel <= p->ours.parallel, "more attempts at a provider than allowed");
    of_target->parallel++;
    sim_check(s, !t->ours.parallel || of_target->parallel <= t->ours.parallel,
              "more attempts at a target than allowed");
    take(s, &of_target->requests, 1, "a target's requests a minute are exceeded");
    take(s, &of_target->tokens, r->answer.tokens, "a target's tokens a minute are exceeded");
    take(s, &key->requests, 1, "a key's requests a minute are exceeded");
    take(s, &key->tokens, r->answer.tokens, "a key's tokens a minute are exceeded");
}

void sim_check_leave(sim *s, const sim_runner *r, int code) {
    const sim_target *t = &s->scenario->targets[r->target];
    sim_shadow *key = &s->of_key[t->provider][r->key];
    int64_t wait = r->answer.retry_after_ms, *until_ms = &s->asks_much_until_ms[r->target][r->key];
    s->of_target[r->target].parallel--;
    s->of_endpoint[t->provider].parallel--;
    if (wait > 120000) wait = 120000;
    if (code == MEMBRANE_EAUTH || code == MEMBRANE_EFUNDS) key->cools_until_ms = s->now_ms + MB_BOARD_FAULT_MS;
    if (code == MEMBRANE_ERATE && s->now_ms + wait > *until_ms) *until_ms = s->now_ms + wait;
}

// Asked before one is taken.
void sim_check_retry(const sim *s) {
    size_t part = s->call_count / 5;
    sim_check(s, s->retry_count < (part > 3 ? part : 3), "more retries than a fifth of the calls");
}

static void check_ledger(const sim *s, const sim_ledger *l, const char *what) {
    if (!l->amount) return;
    sim_check(s, l->billed <= l->amount, what);
    sim_check(s, l->slice.granted == l->amount && mb_slice_free(&l->slice) >= 0, "more is spent than was granted");
    sim_check(s, mb_slice_spent(&l->slice) == l->billed, "what was spent is not what was billed");
}

void sim_check_money(const sim *s) {
    check_ledger(s, &s->all, "the budget of all is overspent");
    for (int i = 0; i < SIM_SESSIONS; i++) check_ledger(s, &s->sessions[i], "a session's budget is overspent");
}

static sim_served *served_at(sim *s, const mb_gate *gate) {
    for (int i = 0; i < s->served_count; i++)
        if (s->served[i].gate == gate) return &s->served[i];
    s->served[s->served_count] = (sim_served){.gate = gate};
    return &s->served[s->served_count++];
}

// A session that is served twice at a gate has not passed over one that waited there all the time.
void sim_check_served(sim *s, const sim_call *c, const mb_gate *gate) {
    sim_served *served = served_at(s, gate);
    const uint64_t before = served->last[c->session];
    bool is_in_front = false;
    for (size_t i = 0; i < c->route.count; i++)
        if (c->waiters[i].fair == &gate->waiting) is_in_front |= c->in_front[i];
    if (is_in_front) return;
    for (const sim_call *o = s->calls; o && before; o = o->next) {
        if (o->session == c->session || !o->is_waiting) continue;
        for (size_t i = 0; i < o->route.count; i++)
            sim_check(s,
                      o->waiters[i].fair != &gate->waiting || o->in_front[i] || o->joined[i] >= before ||
                          served->last[o->session] > before,
                      "a session was passed over by one that had its turn already");
    }
    served->last[c->session] = ++s->turns;
}

// Who was first in a queue and goes, to be served elsewhere or because its time is over, has had its session's turn.
void sim_check_leaves_queues(sim *s, const sim_call *c) {
    for (size_t i = 0; i < c->route.count; i++) {
        const mb_fair *fair = c->waiters[i].fair;
        if (!fair || c->in_front[i] || mb_fair_first(fair) != &c->waiters[i]) continue;
        const mb_gate *gate = (const mb_gate *)((const char *)fair - offsetof(mb_gate, waiting));
        served_at(s, gate)->last[c->session] = ++s->turns;
    }
}

// A target that may be well again is probed while there are calls, and closes or opens again. Where the money has run
// out nothing reaches a target.
void sim_check_first(sim *s, const sim_call *c) {
    for (size_t i = 0; i < c->route.count; i++)
        sim_check(s, c->targets[i].facts->breaker.until_ms <= s->now_ms + MB_BREAKER_MAX_MS,
                  "a target rests for longer than five minutes");
    if (c->route.policy == MB_POLICY_ORDERED || c->route.stuck_to) return;
    if (s->scenario->budget_all || s->scenario->budget_session) return;
    for (size_t i = 0; i < c->route.count; i++) {
        const mb_route_target *t = &c->targets[i];
        const bool rests = mb_breaker_at(&t->facts->breaker, s->now_ms) == MB_BREAKER_HALF_OPEN;
        if (!rests || t->group != MB_GROUP_MAIN || t->weight <= 0) {
            s->fresh[i] = 0;
            continue;
        }
        if (mb_route_judge(&c->route, i, s->now_ms).standing == MB_MAY_GO) s->fresh[i]++;
        sim_check(s, s->fresh[i] < PROBE_CALLS || s->now_ms < t->facts->breaker.until_ms + PROBE_PATIENCE_MS,
                  "a target that may be well again is never asked");
    }
}

// Nobody fails while there is a target that could be asked.
void sim_check_failed(const sim *s, const sim_call *c, const mb_route_decision *d) {
    const bool is_over = s->now_ms >= c->route.deadline_ms || c->handed_out ||
                         (c->route.max_attempts && c->route.attempts >= c->route.max_attempts);
    sim_check(s, c->last_code || d->code, "a call failed without a reason");
    for (size_t i = 0; i < c->route.count && !is_over; i++) {
        mb_verdict v = mb_route_judge(&c->route, i, s->now_ms);
        sim_check(s, v.standing == MB_EXCLUDED || v.standing == MB_LIMITED, "a call failed with a target that may go");
    }
}

static void check_idle(const sim *s, const mb_gate *gate) {
    sim_check(s, gate->in_flight == 0, "an attempt is counted that has ended");
    sim_check(s, gate->reserved == 0, "tokens are reserved for an attempt that has ended");
    sim_check(s, gate->waiting.count == 0, "somebody waits who has gone");
}

void sim_check_end(const sim *s) {
    int64_t asked = 0, answered = 0;
    sim_check(s, !s->calls && s->call_count == 0, "a call never ended");
    sim_check(s, mb_board_calls(s->board) == 0, "calls are counted that have ended");
    sim_check(s, mb_board_retries(s->board) == 0 && s->retry_count == 0, "retries are counted that have ended");
    sim_check(s, mb_board_waiting(s->board) == 0, "somebody waits on the board who has gone");
    for (int i = 0; i < s->scenario->target_count; i++) check_idle(s, &s->facts[i]->gate);
    for (int i = 0; i < s->scenario->provider_count; i++) {
        check_idle(s, &s->endpoints[i]->gate);
        for (int k = 0; k < s->endpoints[i]->key_count; k++) check_idle(s, &s->endpoints[i]->keys[k].gate);
    }
    for (int i = 0; i < SIM_SESSIONS; i++) asked += s->stats->asked[i], answered += s->stats->answered[i];
    sim_check(s, answered <= asked, "a call was answered twice");
    sim_check(s, s->all.slice.held == 0, "money is held for an attempt that has ended");
}
