// SPDX-License-Identifier: MIT
#include "route/router.h"

#include <string.h>

#include "base/limits.h"
#include "membrane/error.h"
#include "route/choose.h"

enum { BACKOFF_BASE_MS = 500, BACKOFF_CAP_MS = 5000, LOADING_POLL_MS = 250, LOADING_POLL_PART = 8 };

// What a failure asks for. Everything that is not a row here is final: trying again cannot help.
typedef enum { FINAL, NEXT_KEY, ROTATE, RETRY, NEXT_TARGET, OTHER_LIST } remedy;

static remedy remedy_of(int code) {
    switch (code) {
    case MEMBRANE_EAUTH:
    case MEMBRANE_EPERMISSION:
    case MEMBRANE_EFUNDS: return NEXT_KEY;
    case MEMBRANE_ERATE: return ROTATE;
    case MEMBRANE_EOVERLOADED:
    case MEMBRANE_ESERVER:
    case MEMBRANE_EGATEWAY:
    case MEMBRANE_ECONNECT:
    case MEMBRANE_EDNS:
    case MEMBRANE_ETIMEOUT:
    case MEMBRANE_ETRUNCATED:
    case MEMBRANE_EMALFORMED:
    case MEMBRANE_ESTREAM:
    case MEMBRANE_ESLOW:
    case MEMBRANE_ERESPONSE: return RETRY;
    case MEMBRANE_EMODEL:
    case MEMBRANE_ETLS:
    case MEMBRANE_EBUDGET:
    case MEMBRANE_ENOTFOUND: return NEXT_TARGET;
    case MEMBRANE_ECONTEXT:
    case MEMBRANE_ECONTENT: return OTHER_LIST;
    default: return FINAL;
    }
}

// min(cap, base * 2^n), with jitter between 0.8 and 1.2.
static int64_t backoff_ms(int retry, double unit) {
    int64_t wait = retry < 4 ? (int64_t)BACKOFF_BASE_MS << retry : BACKOFF_CAP_MS;
    if (wait > BACKOFF_CAP_MS) wait = BACKOFF_CAP_MS;
    return (int64_t)((double)wait * (0.8 + 0.4 * unit));
}

static int64_t later(int64_t now_ms, int64_t wait_ms) {
    int64_t at;
    return __builtin_add_overflow(now_ms, wait_ms, &at) ? MB_ROUTE_NEVER - 1 : at;
}

// ---- how one target stands -----------------------------------------------------------------------------------------

static bool is_listed(const mb_route *route, size_t i) {
    const mb_route_target *t = &route->targets[i];
    if (t->group == route->group || (route->group == MB_GROUP_MAIN && t->group == MB_GROUP_ERROR)) return true;
    // A window that is known to be larger is as good as one that the configuration names for it.
    return route->group == MB_GROUP_CONTEXT && route->too_small && t->window > route->too_small &&
           t->group <= MB_GROUP_ERROR;
}

// Refused a moment ago, by whoever used it. Where there is nothing else to ask, a fresh answer is worth more than a
// remembered one.
static bool is_refused(const mb_route *route, size_t i, int key, int64_t now_ms) {
    const mb_target_facts *facts = route->targets[i].facts;
    return facts && facts->endpoint->keys[key].free_at_ms > now_ms;
}

// When this key may be used: what this call was told, and what the others were.
static int64_t key_at(const mb_route *route, size_t i, int key, int64_t now_ms) {
    const mb_target_facts *facts = route->targets[i].facts;
    int64_t at = route->memory[i].key_at_ms[key];
    if (is_refused(route, i, key, now_ms) && at < MB_ROUTE_NEVER - 1) return MB_ROUTE_NEVER - 1;
    return facts && facts->key_free_at_ms[key] > at ? facts->key_free_at_ms[key] : at;
}

// The same with our limits. 0: at once, and this call was never told to wait for it.
static int64_t key_gate_at(const mb_route *route, size_t i, int key, int64_t now_ms) {
    const mb_target_facts *facts = route->targets[i].facts;
    int64_t at = key_at(route, i, key, now_ms);
    if (!facts || at > now_ms) return at;
    const mb_gate *gate = &facts->endpoint->keys[key].gate;
    int64_t opens = mb_gate_opens_at(gate, route->tokens, now_ms);
    if (opens <= now_ms && gate->waiting.count && !route->had_its_turn) opens = now_ms + 1;
    return opens > now_ms ? opens : route->memory[i].key_at_ms[key];
}

// The key that is free first. In a call they go in turn from the one in use; a first attempt takes the session's, or of
// those that are free the one with the least in flight, in turn over all calls.
static int soonest_key(const mb_route *route, size_t i, int64_t now_ms) {
    const mb_route_memory *m = &route->memory[i];
    const mb_target_facts *facts = route->targets[i].facts;
    int count = route->targets[i].key_count, best = m->key;
    if (count == 1) return 0;
    bool spreads = !m->attempts && facts;
    if (spreads && facts->endpoint->next_key < (unsigned)count) best = (int)facts->endpoint->next_key;
    if (spreads && facts->number == route->stuck_to && route->stuck_key >= 0 && route->stuck_key < count) {
        best = route->stuck_key;
        spreads = false;
    }
    const int from = best;
    int64_t best_at = key_gate_at(route, i, best, now_ms);
    for (int n = 1; n < count; n++) {
        int key = from + n < count ? from + n : from + n - count, more = 0;
        if (spreads) more = facts->endpoint->keys[key].gate.in_flight - facts->endpoint->keys[best].gate.in_flight;
        if (best_at == 0 && more >= 0) continue;
        int64_t at = key_gate_at(route, i, key, now_ms);
        if (at > best_at || (at == best_at && more >= 0)) continue;
        best = key;
        best_at = at;
    }
    return best;
}

static bool had_to_wait(const mb_route *route, size_t i, int key) { return route->memory[i].key_at_ms[key] != 0; }

static mb_verdict excluded(const char *why) { return (mb_verdict){.standing = MB_EXCLUDED, .why = why}; }

// An attempt there now would be a retry, which has its own count and budget. To poll an engine that loads is none.
static bool is_again(const mb_route *route, size_t i, int key) {
    const mb_route_memory *m = &route->memory[i];
    return !m->is_loading && (m->has_failed || had_to_wait(route, i, key));
}

// Waiting is of use where it opens in time: somebody leaves, the bucket fills, or tokens that were reserved too high
// are given back by those who are there.
static bool may_open(const mb_route *route, const mb_gate *gate, int64_t at_ms, int64_t now_ms) {
    if (now_ms >= route->wait_until_ms) return false;
    if (at_ms == MB_GATE_NEVER || at_ms <= route->wait_until_ms) return true;
    const char *limit = mb_gate_limit_name(gate, route->tokens, now_ms);
    return limit && strcmp(limit, "tpm") == 0 && gate->in_flight > 0;
}

// A limit of our own: the first gate that is closed.
static bool is_limited(const mb_route *route, const mb_target_facts *f, int64_t now_ms, mb_verdict *v) {
    mb_gate *const gates[] = {&f->endpoint->gate, &f->endpoint->keys[v->key].gate, (mb_gate *)&f->gate};
    for (size_t i = 0; i < 3; i++) {
        int64_t at = mb_gate_opens_at(gates[i], route->tokens, now_ms);
        const bool others_wait = gates[i]->waiting.count && !route->had_its_turn;
        if (at <= now_ms && !others_wait) continue;
        v->gate = gates[i];
        v->at_ms = at <= now_ms ? MB_GATE_NEVER : at;
        v->why = "a limit of ours is reached";
        v->standing = may_open(route, gates[i], v->at_ms, now_ms) ? MB_QUEUED : MB_LIMITED;
        return true;
    }
    return false;
}

static bool is_resting(const mb_target_facts *f, int64_t now_ms, mb_verdict *v) {
    mb_breaker_state state = mb_breaker_at(&f->breaker, now_ms);
    if (state == MB_BREAKER_OPEN)
        v->why = "its breaker is open", v->at_ms = f->breaker.until_ms;
    else if (state == MB_BREAKER_HALF_OPEN && mb_breaker_is_probed(&f->breaker, now_ms))
        v->why = "its breaker is half open and being probed", v->at_ms = f->breaker.probe_end_ms;
    else if (f->endpoint->health == MB_HEALTH_LOADING)
        v->why = "it is loading its model", v->at_ms = now_ms; // no failure: before all others that rest
    else if (f->endpoint->health == MB_HEALTH_DOWN)
        v->why = "it does not answer probes", v->at_ms = MB_ROUTE_NEVER - 2;
    else if (f->model_state == MB_MODEL_ABSENT)
        v->why = "the engine does not have the model", v->at_ms = MB_ROUTE_NEVER - 1;
    else
        return false;
    v->standing = MB_RESTING;
    return true;
}

bool mb_route_is_open(const mb_route *route, size_t i, int key, int64_t now_ms) {
    mb_verdict v = {.key = key};
    mb_target_facts *facts = route->targets[i].facts;
    if (!facts) return true;
    if (facts->key_free_at_ms[key] > now_ms || (route->count > 1 && is_refused(route, i, key, now_ms))) return false;
    return !is_limited(route, facts, now_ms, &v) && (route->memory[i].was_resting || !is_resting(facts, now_ms, &v));
}

void mb_route_take_back(mb_route *route, size_t i) {
    mb_route_memory *m = &route->memory[i];
    m->attempts--;
    m->retries -= m->was_retry;
    m->was_retry = false;
    route->attempts--;
}

mb_verdict mb_route_judge(const mb_route *route, size_t i, int64_t now_ms) {
    const mb_route_target *t = &route->targets[i];
    const mb_route_memory *m = &route->memory[i];
    if (t->passed_over) return excluded(t->passed_over);
    if (m->is_out) return excluded(m->is_out);
    if (m->is_running) return excluded("it is being asked");
    if (route->stays && route->attempts && !m->attempts) return excluded("no fallback wanted");
    if (!is_listed(route, i)) return excluded("not for this kind of failure");
    mb_verdict v = {.standing = MB_MAY_GO, .key = soonest_key(route, i, now_ms), .at_ms = now_ms};
    int64_t at = key_at(route, i, v.key, now_ms);
    if (is_refused(route, i, v.key, now_ms) && !had_to_wait(route, i, v.key)) {
        if (route->count > 1) return excluded("its key was refused a moment ago");
        at = t->facts->key_free_at_ms[v.key]; // what else it was told holds, as it does for mb_route_is_open
    }
    if (at > v.at_ms) v.at_ms = at;
    if (m->ready_at_ms > v.at_ms) v.at_ms = m->ready_at_ms;
    if (v.at_ms >= route->deadline_ms) return excluded("it asks for a wait beyond the deadline");
    if (m->is_loading && v.at_ms >= route->loading_until_ms) return excluded("it took too long to load");
    if (is_again(route, i, v.key) && (m->retries >= route->retries || !route->may_retry))
        return excluded(route->may_retry ? "no retries are left" : "the retry budget is used up");
    if (v.at_ms > now_ms) {
        v.standing = MB_LATER;
        v.why = m->is_loading ? "it is loading" : "it asked to be left alone for a while";
        return v;
    }
    if (!t->facts) return v;
    v.is_resting = is_resting(t->facts, now_ms, &v);
    is_limited(route, t->facts, now_ms, &v);
    return v;
}

// ---- choosing ------------------------------------------------------------------------------------------------------

static mb_route_decision fail(int code, const char *reason) {
    return (mb_route_decision){.what = MB_ROUTE_FAIL, .code = code, .reason = reason};
}

static mb_route_decision try_it(mb_route *route, size_t target, const mb_verdict *v, const char *reason) {
    mb_route_memory *m = &route->memory[target];
    const bool is_retry = is_again(route, target, v->key);
    m->attempts++;
    m->retries += is_retry;
    m->was_retry = is_retry;
    m->was_resting = v->standing == MB_RESTING;
    m->key = v->key;
    route->attempts++;
    return (mb_route_decision){.what = MB_ROUTE_TRY,
                               .target = target,
                               .key = v->key,
                               .at_ms = v->at_ms,
                               .is_retry = is_retry,
                               .reason = reason};
}

static bool is_spent(const mb_route *route) { return route->max_attempts && route->attempts >= route->max_attempts; }

// All targets by how they stand: the free ones of the list in use in route->free, of the others the best.
typedef struct survey {
    size_t free_count;
    int64_t fallback, later, queued, resting, limited; // NOBODY, or which
    mb_verdict v_fallback, v_later, v_resting;
    int64_t queue_at_ms, limited_at_ms;
    bool queued_first;   // one that comes before every free one waits for a limit of ours
    bool resting_queued; // one that rests does
    bool passed_a_first; // one that comes before every free one cannot be asked now
} survey;

enum { NOBODY = -1 };

static void note(mb_route *route, size_t i, const mb_verdict *v, survey *s) {
    const bool is_main = route->targets[i].group == route->group;
    if (is_main && s->free_count == 0 && v->standing != MB_MAY_GO && v->standing != MB_EXCLUDED)
        s->passed_a_first = true;
    switch (v->standing) {
    case MB_MAY_GO:
        if (is_main) {
            route->free[s->free_count++] = (uint32_t)i;
        } else if (s->fallback == NOBODY) {
            s->fallback = (int64_t)i;
            s->v_fallback = *v;
        }
        break;
    case MB_LATER:
        if (s->later != NOBODY && v->at_ms >= s->v_later.at_ms) break;
        s->later = (int64_t)i;
        s->v_later = *v;
        break;
    case MB_QUEUED:
        s->resting_queued |= v->is_resting;
        if (v->is_resting) break;
        if (is_main && s->free_count == 0) s->queued_first = true;
        s->queued = (int64_t)i;
        break;
    case MB_RESTING:
        if (s->resting != NOBODY && v->at_ms >= s->v_resting.at_ms) break;
        s->resting = (int64_t)i;
        s->v_resting = *v;
        break;
    case MB_LIMITED:
        if (s->limited != NOBODY && v->at_ms >= s->limited_at_ms) break;
        s->limited = (int64_t)i;
        s->limited_at_ms = v->at_ms;
        break;
    case MB_EXCLUDED: break;
    }
}

// one_is_enough: what comes after the first free one does not matter.
static void look(mb_route *route, int64_t now_ms, bool one_is_enough, survey *s) {
    *s = (survey){.fallback = NOBODY, .later = NOBODY, .queued = NOBODY, .resting = NOBODY, .limited = NOBODY};
    for (size_t i = 0; i < route->count && !(one_is_enough && s->free_count); i++) {
        mb_verdict v = mb_route_judge(route, i, now_ms);
        note(route, i, &v, s);
    }
}

static const char *why_free(const mb_route *route, const mb_choice *choice, const mb_verdict *v, int64_t from,
                            bool passed_a_first) {
    const mb_route_memory *m = &route->memory[choice->target];
    if (m->is_loading) return "still loading";
    if (m->has_failed) return "retry";
    if (is_again(route, choice->target, v->key)) return "after the wait that was asked for";
    if (m->attempts > 0) return "next key";
    if (from != NOBODY) return route->group == MB_GROUP_MAIN ? "next target" : "fallback";
    return passed_a_first && route->policy == MB_POLICY_ORDERED ? "the first that is free" : choice->reason;
}

static mb_route_decision take_free(mb_route *route, const survey *s, int64_t now_ms, double unit, int64_t from) {
    mb_choice choice = mb_choose(route, route->free, s->free_count, now_ms, unit);
    mb_verdict v = mb_route_judge(route, choice.target, now_ms);
    return try_it(route, choice.target, &v, why_free(route, &choice, &v, from, s->passed_a_first));
}

static bool is_plainly_out(const mb_route *route, size_t i, int64_t now_ms) {
    const mb_route_target *t = &route->targets[i];
    if (t->passed_over || t->group != route->group || route->memory[i].is_out) return true;
    return t->facts && mb_breaker_at(&t->facts->breaker, now_ms) == MB_BREAKER_OPEN;
}

// Mostly all targets are free. So the policy has its choice before they are looked at, and only what it chose is
// judged: with a hundred targets that is a quarter of the work. What a policy chooses among many it chooses among fewer
// too.
static bool take_quickly(mb_route *route, int64_t now_ms, double unit, int64_t from, mb_route_decision *ret) {
    size_t count = 0;
    if (route->policy == MB_POLICY_ORDERED) return false; // it depends on who stands before
    for (size_t i = 0; i < route->count; i++)
        if (!is_plainly_out(route, i, now_ms)) route->free[count++] = (uint32_t)i;
    if (!count) return false;
    mb_choice choice = mb_choose(route, route->free, count, now_ms, unit);
    mb_verdict v = mb_route_judge(route, choice.target, now_ms);
    if (v.standing != MB_MAY_GO) return false;
    *ret = try_it(route, choice.target, &v, why_free(route, &choice, &v, from, false));
    return true;
}

// What is left of a random number when its upper half has been used.
static double lower_half(double unit) {
    double bits = unit * 67108864; // 2^26 of 2^53
    return bits - (double)(int64_t)bits;
}

// Nobody is free: whoever is so soonest, and if all keep failing, the least bad one now.
static mb_route_decision take_later(mb_route *route, survey *s, int64_t now_ms) {
    if (s->later != NOBODY && (s->resting == NOBODY || s->v_later.at_ms <= s->v_resting.at_ms)) {
        const bool is_loading = route->memory[s->later].is_loading;
        return try_it(route, (size_t)s->later, &s->v_later,
                      is_loading ? "still loading" : "after the wait that was asked for");
    }
    mb_verdict v = s->v_resting;
    v.at_ms = s->later == NOBODY || v.at_ms >= route->deadline_ms ? now_ms : v.at_ms;
    return try_it(route, (size_t)s->resting, &v, "the least bad one");
}

// Until a place is free, its time for waiting or the deadline is over, or somebody else may be asked.
static mb_route_decision queue_up(const mb_route *route, const survey *s) {
    mb_route_decision d = {.what = MB_ROUTE_QUEUE, .at_ms = route->wait_until_ms, .reason = "a limit of ours"};
    if (route->deadline_ms < d.at_ms) d.at_ms = route->deadline_ms;
    if (s->later != NOBODY && s->v_later.at_ms < d.at_ms) d.at_ms = s->v_later.at_ms;
    return d;
}

// from: who failed last.
static mb_route_decision pick(mb_route *route, int64_t now_ms, double unit, int64_t from) {
    survey s;
    mb_route_decision quick;
    if (is_spent(route)) return fail(MEMBRANE_ENOTARGET, "no attempts are left");
    if (take_quickly(route, now_ms, unit, from, &quick)) return quick;
    look(route, now_ms, route->policy == MB_POLICY_ORDERED && !route->stuck_to, &s);
    const bool waits_first = route->policy == MB_POLICY_ORDERED && s.queued_first;
    if (s.free_count && !waits_first) return take_free(route, &s, now_ms, lower_half(unit), from);
    if (s.queued != NOBODY) return queue_up(route, &s);
    if (s.fallback != NOBODY) return try_it(route, (size_t)s.fallback, &s.v_fallback, "fallback");
    if (s.later != NOBODY || s.resting != NOBODY) return take_later(route, &s, now_ms);
    if (s.resting_queued) return queue_up(route, &s);
    if (from != NOBODY) return fail(MEMBRANE_ENOTARGET, "every target failed");
    if (s.limited == NOBODY) return fail(MEMBRANE_ENOTARGET, "no target may be tried");
    mb_route_decision limited = fail(MEMBRANE_ERATE, "a limit of ours is reached");
    limited.target = (size_t)s.limited;
    limited.at_ms = s.limited_at_ms;
    return limited;
}

mb_route_decision mb_route_hedge(mb_route *route, int64_t now_ms, double unit) {
    survey s;
    if (is_spent(route)) return fail(0, "no attempts are left");
    if (!route->may_retry) return fail(0, "the retry budget is used up");
    look(route, now_ms, false, &s);
    for (size_t i = 0; i < s.free_count; i++) // not a second time where it failed already
        if (route->memory[route->free[i]].attempts) route->free[i--] = route->free[--s.free_count];
    mb_choice choice = {0};
    mb_verdict v = s.v_fallback;
    if (s.free_count) {
        choice = mb_choose(route, route->free, s.free_count, now_ms, unit);
        v = mb_route_judge(route, choice.target, now_ms);
    } else if (s.fallback != NOBODY && !route->memory[s.fallback].attempts) {
        choice.target = (size_t)s.fallback;
    } else {
        return fail(0, "no other target is free");
    }
    mb_route_decision d = try_it(route, choice.target, &v, "hedge");
    d.is_retry = true;
    return d;
}

// ---- what was learnt -----------------------------------------------------------------------------------------------

// The key in use is not free before at_ms; one that is free is taken at once, before any other target is.
static mb_route_decision after_key(mb_route *route, size_t i, int64_t at_ms, int64_t now_ms, double unit) {
    mb_route_memory *m = &route->memory[i];
    m->key_at_ms[m->key] = at_ms;
    mb_verdict v = mb_route_judge(route, i, now_ms);
    if (v.standing == MB_MAY_GO && !had_to_wait(route, i, v.key) && !is_spent(route))
        return try_it(route, i, &v, "next key");
    if (m->key_at_ms[soonest_key(route, i, now_ms)] == MB_ROUTE_NEVER) m->is_out = "its keys were refused";
    return pick(route, now_ms, unit, (int64_t)i);
}

// An engine that loads has not failed: it is polled where nothing else is there, ever more rarely, so that a long load
// costs few attempts and at most an eighth of its time.
static mb_route_decision after_loading(mb_route *route, const mb_route_failure *f, int64_t now_ms, double unit) {
    mb_route_memory *m = &route->memory[f->target];
    if (!m->loading_since_ms) m->loading_since_ms = now_ms;
    int64_t wait = (now_ms - m->loading_since_ms) / LOADING_POLL_PART;
    if (wait < LOADING_POLL_MS) wait = LOADING_POLL_MS;
    if (wait < f->retry_after_ms) wait = f->retry_after_ms;
    m->is_loading = true;
    m->ready_at_ms = later(now_ms, wait);
    return pick(route, now_ms, unit, (int64_t)f->target);
}

static bool is_only_one(const mb_route *route, size_t i, int64_t now_ms) {
    for (size_t n = 0; n < route->count; n++)
        if (n != i && mb_route_judge(route, n, now_ms).standing != MB_EXCLUDED) return false;
    return true;
}

// The same target again, unless it is one that keeps failing and there are others, or its key has to rest meanwhile.
static mb_route_decision after_retryable(mb_route *route, const mb_route_failure *f, int64_t now_ms, double unit) {
    mb_route_memory *m = &route->memory[f->target];
    const mb_target_facts *facts = route->targets[f->target].facts;
    const bool keeps_failing = facts && mb_breaker_at(&facts->breaker, now_ms) != MB_BREAKER_CLOSED;
    int64_t wait = backoff_ms(m->retries, unit);
    if (wait < f->retry_after_ms) wait = f->retry_after_ms;
    m->has_failed = true;
    m->ready_at_ms = later(now_ms, wait);
    mb_verdict v = mb_route_judge(route, f->target, now_ms);
    if (v.standing != MB_LATER || (keeps_failing && !is_only_one(route, f->target, now_ms)))
        m->is_out = "it failed";
    else if (v.at_ms == m->ready_at_ms && !is_spent(route))
        return try_it(route, f->target, &v, "retry");
    return pick(route, now_ms, unit, (int64_t)f->target);
}

mb_route_decision mb_route_next(mb_route *route, const mb_route_failure *f, int64_t now_ms, double unit) {
    if (f && f->handed_out) return fail(f->code, "a part of the answer was handed out");
    if (now_ms >= route->deadline_ms) return fail(MEMBRANE_ETIMEOUT, "the deadline has passed");
    if (!f) return pick(route, now_ms, unit, NOBODY);
    mb_route_memory *m = &route->memory[f->target];
    int64_t wait = f->retry_after_ms >= 0 ? f->retry_after_ms : backoff_ms(m->retries, unit);
    m->is_loading = m->has_failed = false;
    switch (remedy_of(f->code)) {
    case FINAL: return fail(f->code, "trying again cannot help");
    case NEXT_KEY: return after_key(route, f->target, MB_ROUTE_NEVER, now_ms, unit);
    case ROTATE: return after_key(route, f->target, later(now_ms, wait > 0 ? wait : 1), now_ms, unit);
    case RETRY: return f->is_loading ? after_loading(route, f, now_ms, unit) : after_retryable(route, f, now_ms, unit);
    case OTHER_LIST:
        route->group = f->code == MEMBRANE_ECONTEXT ? MB_GROUP_CONTEXT : MB_GROUP_CONTENT;
        if (f->code == MEMBRANE_ECONTEXT && route->targets[f->target].window > route->too_small)
            route->too_small = route->targets[f->target].window;
        break;
    case NEXT_TARGET: break;
    }
    m->is_out = "it failed";
    return pick(route, now_ms, unit, (int64_t)f->target);
}
