// SPDX-License-Identifier: MIT
#include "route/router.h"

#include "base/limits.h"
#include "membrane/error.h"

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

// ---- choosing ------------------------------------------------------------------------------------------------------

typedef struct candidate {
    size_t target;
    int key;
    int64_t at_ms;
} candidate;

static bool is_listed(const mb_route *route, size_t i) {
    mb_group group = route->targets[i].group;
    return group == route->group || (route->group == MB_GROUP_MAIN && group == MB_GROUP_ERROR);
}

// The key that is free first: in turn from the one in use, and one that never had to wait before any that had.
static int soonest_key(const mb_route *route, size_t i) {
    const mb_route_memory *m = &route->memory[i];
    int best = m->key, count = route->targets[i].key_count;
    for (int n = 1; n < count; n++) {
        int key = (m->key + n) % count;
        if (m->key_at_ms[key] < m->key_at_ms[best]) best = key;
    }
    return best;
}

static bool had_to_wait(const mb_route *route, const candidate *c) {
    return route->memory[c->target].key_at_ms[c->key] != 0;
}

// May this target be tried once more, and when?
static bool is_candidate(const mb_route *route, size_t i, int64_t now_ms, candidate *ret) {
    const mb_route_memory *m = &route->memory[i];
    if (route->targets[i].passed_over || m->is_out || !is_listed(route, i)) return false;
    candidate c = {i, soonest_key(route, i), now_ms};
    if (m->key_at_ms[c.key] > c.at_ms) c.at_ms = m->key_at_ms[c.key];
    if (m->ready_at_ms > c.at_ms) c.at_ms = m->ready_at_ms;
    *ret = c;
    if (c.at_ms >= route->deadline_ms || (m->is_loading && c.at_ms >= route->loading_until_ms)) return false;
    return !had_to_wait(route, &c) || m->retries < route->retries;
}

static bool comes_before(const mb_route *route, const candidate *a, const candidate *b) {
    if (a->at_ms != b->at_ms) return a->at_ms < b->at_ms;
    return route->targets[a->target].group == route->group && route->targets[b->target].group != route->group;
}

static mb_route_decision fail(const char *reason) {
    return (mb_route_decision){.what = MB_ROUTE_FAIL, .reason = reason};
}

static mb_route_decision try_it(mb_route *route, candidate c, const char *reason) {
    mb_route_memory *m = &route->memory[c.target];
    m->attempts++;
    m->key = c.key;
    return (mb_route_decision){MB_ROUTE_TRY, c.target, c.key, c.at_ms, reason};
}

enum { NOBODY = -1 };

// The first target that is free now; else the one that is free soonest. from: who failed last.
static mb_route_decision pick(mb_route *route, int64_t now_ms, int64_t from) {
    candidate best = {0}, c;
    bool found = false;
    for (size_t i = 0; i < route->count; i++) {
        if (!is_candidate(route, i, now_ms, &c) || (found && !comes_before(route, &c, &best))) continue;
        best = c;
        found = true;
    }
    if (!found) return fail(from == NOBODY ? "no target may be tried" : "every target failed");
    mb_route_memory *m = &route->memory[best.target];
    if (m->is_loading) return try_it(route, best, "still loading");
    if (had_to_wait(route, &best)) {
        m->retries++;
        return try_it(route, best, "after the wait that was asked for");
    }
    return try_it(route, best,
                  from == NOBODY                                       ? "first target"
                  : (size_t)from == best.target                        ? "next key"
                  : route->targets[best.target].group == MB_GROUP_MAIN ? "next target"
                                                                       : "fallback");
}

// ---- what was learnt -----------------------------------------------------------------------------------------------

// The key in use is not free before at_ms; one that is free is taken at once, before any other target is.
static mb_route_decision after_key(mb_route *route, size_t i, int64_t at_ms, int64_t now_ms) {
    mb_route_memory *m = &route->memory[i];
    m->key_at_ms[m->key] = at_ms;
    int next = soonest_key(route, i);
    if (m->key_at_ms[next] == 0) return try_it(route, (candidate){i, next, now_ms}, "next key");
    m->is_out = m->key_at_ms[next] == MB_ROUTE_NEVER;
    return pick(route, now_ms, (int64_t)i);
}

// An engine that loads has not failed: it is polled where nothing else is there, ever more rarely, so that a long load
// costs few attempts and at most an eighth of its time.
static mb_route_decision after_loading(mb_route *route, const mb_route_failure *f, int64_t now_ms) {
    mb_route_memory *m = &route->memory[f->target];
    if (!m->loading_since_ms) m->loading_since_ms = now_ms;
    int64_t wait = (now_ms - m->loading_since_ms) / LOADING_POLL_PART;
    if (wait < LOADING_POLL_MS) wait = LOADING_POLL_MS;
    if (wait < f->retry_after_ms) wait = f->retry_after_ms;
    m->is_loading = true;
    m->ready_at_ms = later(now_ms, wait);
    return pick(route, now_ms, (int64_t)f->target);
}

static mb_route_decision after_retryable(mb_route *route, const mb_route_failure *f, int64_t now_ms, double unit) {
    mb_route_memory *m = &route->memory[f->target];
    int64_t wait = backoff_ms(m->retries, unit);
    if (wait < f->retry_after_ms) wait = f->retry_after_ms;
    candidate same = {f->target, m->key, later(now_ms, wait)};
    if (m->retries < route->retries && same.at_ms < route->deadline_ms) {
        m->retries++;
        return try_it(route, same, "retry");
    }
    m->is_out = true;
    return pick(route, now_ms, (int64_t)f->target);
}

mb_route_decision mb_route_next(mb_route *route, const mb_route_failure *f, int64_t now_ms, double unit) {
    if (f && f->handed_out) return fail("a part of the answer was handed out");
    if (now_ms >= route->deadline_ms) return fail("the deadline has passed");
    if (!f) return pick(route, now_ms, NOBODY);
    mb_route_memory *m = &route->memory[f->target];
    int64_t wait = f->retry_after_ms >= 0 ? f->retry_after_ms : backoff_ms(m->retries, unit);
    m->is_loading = false;
    switch (remedy_of(f->code)) {
    case FINAL: return fail("trying again cannot help");
    case NEXT_KEY: return after_key(route, f->target, MB_ROUTE_NEVER, now_ms);
    case ROTATE: return after_key(route, f->target, later(now_ms, wait > 0 ? wait : 1), now_ms);
    case RETRY: return f->is_loading ? after_loading(route, f, now_ms) : after_retryable(route, f, now_ms, unit);
    case OTHER_LIST: route->group = f->code == MEMBRANE_ECONTEXT ? MB_GROUP_CONTEXT : MB_GROUP_CONTENT; break;
    case NEXT_TARGET: break;
    }
    m->is_out = true;
    return pick(route, now_ms, (int64_t)f->target);
}
