// SPDX-License-Identifier: MIT
#include "route/router.h"

#include "base/limits.h"
#include "membrane/error.h"

enum { BACKOFF_BASE_MS = 500, BACKOFF_CAP_MS = 5000, LOADING_POLL_MS = 250 };

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

static bool is_usable(const mb_route *route, size_t i) {
    return route->targets[i].group == route->group && !route->targets[i].passed_over && !route->memory[i].is_out;
}

// min(cap, base * 2^n), with jitter between 0.8 and 1.2 (providers.md §4).
static int64_t backoff_ms(int retry, double unit) {
    int64_t wait = retry < 4 ? (int64_t)BACKOFF_BASE_MS << retry : BACKOFF_CAP_MS;
    if (wait > BACKOFF_CAP_MS) wait = BACKOFF_CAP_MS;
    return (int64_t)((double)wait * (0.8 + 0.4 * unit));
}

static bool rotate_key(mb_route *route, size_t i) {
    int keys = route->targets[i].key_count;
    if (keys < 2) return false;
    route->memory[i].key = (route->memory[i].key + 1) % keys;
    return true;
}

static mb_route_decision try_now(mb_route *route, size_t i, int64_t at_ms, const char *reason) {
    route->memory[i].attempts++;
    return (mb_route_decision){MB_ROUTE_TRY, i, route->memory[i].key, at_ms, reason};
}

static mb_route_decision fail(const char *reason) {
    return (mb_route_decision){.what = MB_ROUTE_FAIL, .reason = reason};
}

// The first target of the list in use that is free now; else the one that is free soonest, within the deadline.
static bool pick(mb_route *route, int64_t now_ms, size_t *ret_target, int64_t *ret_at) {
    bool found = false;
    for (size_t i = 0; i < route->count; i++) {
        if (!is_usable(route, i)) continue;
        int64_t at = route->memory[i].ready_at_ms > now_ms ? route->memory[i].ready_at_ms : now_ms;
        if (found && at >= *ret_at) continue;
        *ret_target = i;
        *ret_at = at;
        found = true;
    }
    return found && *ret_at < route->deadline_ms;
}

static mb_route_decision pick_or_fail(mb_route *route, int64_t now_ms, size_t from) {
    size_t target = 0;
    int64_t at = now_ms;
    for (;;) {
        if (pick(route, now_ms, &target, &at)) {
            mb_route_memory *m = &route->memory[target];
            const char *reason = from == SIZE_MAX                  ? "first target"
                                 : m->is_loading && target == from ? "still loading"
                                 : target == from                  ? "after the wait that was asked for"
                                 : route->group == MB_GROUP_MAIN   ? "next target"
                                                                   : "fallback";
            if (at > now_ms && !m->is_loading && ++m->retries > route->retries) {
                m->is_out = true; // it asked to wait too often
                continue;
            }
            if (m->is_loading && at >= route->loading_until_ms) {
                m->is_out = true;
                continue;
            }
            return try_now(route, target, at, reason);
        }
        if (route->group != MB_GROUP_MAIN) return fail("every target failed");
        route->group = MB_GROUP_ERROR;
    }
}

// An engine that loads has not failed: it is out of the way for a moment, and polled when nothing else is there.
static void note_loading(mb_route_memory *m, int64_t now_ms) {
    m->is_loading = true;
    m->ready_at_ms = now_ms + LOADING_POLL_MS;
}

static mb_route_decision after_rate_limit(mb_route *route, const mb_route_failure *f, int64_t now_ms, double unit) {
    mb_route_memory *m = &route->memory[f->target];
    int64_t wait = f->retry_after_ms >= 0 ? f->retry_after_ms : backoff_ms(m->retries, unit);
    bool more_keys = m->attempts < route->targets[f->target].key_count && rotate_key(route, f->target);
    if (more_keys) return try_now(route, f->target, now_ms, "next key");
    m->ready_at_ms = now_ms + wait;
    return pick_or_fail(route, now_ms, f->target);
}

static mb_route_decision after_retryable(mb_route *route, const mb_route_failure *f, int64_t now_ms, double unit) {
    mb_route_memory *m = &route->memory[f->target];
    if (f->is_loading) {
        note_loading(m, now_ms);
        return pick_or_fail(route, now_ms, f->target);
    }
    m->is_loading = false;
    if (m->retries < route->retries) {
        int64_t wait = backoff_ms(m->retries, unit);
        if (f->retry_after_ms > wait) wait = f->retry_after_ms;
        if (now_ms + wait < route->deadline_ms) {
            m->retries++;
            return try_now(route, f->target, now_ms + wait, "retry");
        }
    }
    m->is_out = true;
    return pick_or_fail(route, now_ms, f->target);
}

mb_route_decision mb_route_next(mb_route *route, const mb_route_failure *f, int64_t now_ms, double unit) {
    if (!f) return pick_or_fail(route, now_ms, SIZE_MAX);
    mb_route_memory *m = &route->memory[f->target];
    if (f->handed_out) return fail("a part of the answer was handed out");
    if (now_ms >= route->deadline_ms) return fail("the deadline has passed");
    switch (remedy_of(f->code)) {
    case FINAL: return fail("trying again cannot help");
    case ROTATE: return after_rate_limit(route, f, now_ms, unit);
    case RETRY: return after_retryable(route, f, now_ms, unit);
    case OTHER_LIST:
        m->is_out = true;
        route->group = f->code == MEMBRANE_ECONTEXT ? MB_GROUP_CONTEXT : MB_GROUP_CONTENT;
        return pick_or_fail(route, now_ms, f->target);
    case NEXT_KEY:
        if (++m->keys_refused < route->targets[f->target].key_count && rotate_key(route, f->target))
            return try_now(route, f->target, now_ms, "next key");
        break;
    case NEXT_TARGET: break;
    }
    m->is_out = true;
    return pick_or_fail(route, now_ms, f->target);
}
