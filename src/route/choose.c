// SPDX-License-Identifier: MIT
#include "route/choose.h"

#include <math.h>

static bool awaits_probe(const mb_breaker *b, int64_t now_ms) {
    return b->until_ms && mb_breaker_at(b, now_ms) == MB_BREAKER_HALF_OPEN && !mb_breaker_is_probed(b, now_ms);
}

static int in_flight(const mb_route_target *t) { return t->facts ? t->facts->gate.in_flight : 0; }

// The target that the session stays with, or one that waits for its probe: without a call there it would never be
// found out that it is well again. A target of weight 0 gets neither.
static bool has_precedence(const mb_route *route, const uint32_t *free, size_t count, int64_t now_ms, mb_choice *ret) {
    for (size_t n = 0; n < count && route->stuck_to; n++) {
        const mb_target_facts *facts = route->targets[free[n]].facts;
        if (!facts || facts->number != route->stuck_to || route->targets[free[n]].weight <= 0) continue;
        *ret = (mb_choice){free[n], "its session is there"};
        return true;
    }
    for (size_t n = 0; n < count && route->policy != MB_POLICY_ORDERED; n++) {
        const mb_target_facts *facts = route->targets[free[n]].facts;
        if (!facts || !awaits_probe(&facts->breaker, now_ms) || route->targets[free[n]].weight <= 0) continue;
        *ret = (mb_choice){free[n], "probe of a target that failed"};
        return true;
    }
    return false;
}

static size_t by_weight(const mb_route *route, const uint32_t *free, size_t count, double unit) {
    double total = 0, at;
    for (size_t n = 0; n < count; n++) total += route->targets[free[n]].weight;
    if (total <= 0) return free[(size_t)(unit * (double)count)];
    at = unit * total;
    size_t last = free[0];
    for (size_t n = 0; n < count; n++) {
        double weight = route->targets[free[n]].weight;
        if (weight <= 0) continue;
        last = free[n];
        if (at < weight) return last;
        at -= weight;
    }
    return last;
}

// Whoever has the lowest score; the first of those that are equal.
static size_t lowest(const mb_route *route, const uint32_t *free, size_t count, int64_t now_ms,
                     double (*score)(const mb_route_target *t, int64_t now_ms)) {
    size_t best = free[0];
    double low = score(&route->targets[best], now_ms);
    for (size_t n = 1; n < count; n++) {
        double value = score(&route->targets[free[n]], now_ms);
        if (value >= low) continue;
        low = value;
        best = free[n];
    }
    return best;
}

static double busy_score(const mb_route_target *t, int64_t now_ms) {
    (void)now_ms;
    const int elsewhere = t->facts ? t->facts->endpoint->busy_elsewhere : 0;
    return t->weight > 0 ? (double)(in_flight(t) + elsewhere + 1) / t->weight : 1e18;
}

static double cost_score(const mb_route_target *t, int64_t now_ms) {
    (void)now_ms;
    return t->cost_usd_micros >= 0 ? (double)t->cost_usd_micros : 1e18;
}

// The part of its limits that is used: of its own, or of all keys of its provider together. What is beyond low need not
// be known more exactly.
static double use_score(const mb_route_target *t, int64_t now_ms, double low) {
    if (!t->facts) return 0;
    double own = mb_gate_used(&t->facts->gate, now_ms), keys = 0;
    if (own > low) return own;
    const mb_endpoint *e = t->facts->endpoint;
    for (int i = 0; i < e->key_count; i++) {
        double part = mb_gate_used(&e->keys[i].gate, now_ms);
        if (part > 0) keys += part;
    }
    if (keys > 0) keys /= e->key_count;
    return own > keys ? own : keys;
}

// The tokens of the last minute. They are known from below without the exponential: where that is beyond low already,
// it will do.
static double token_score(const mb_route_target *t, int64_t now_ms, double low) {
    if (!t->facts) return 0;
    double least = t->facts->tokens * (1 - (double)(now_ms - t->facts->tokens_ms) / 60000.0);
    return least > low ? least : mb_facts_tokens(t->facts, now_ms);
}

// Where the same part is used, mostly none, the tokens decide.
static size_t least_used(const mb_route *route, const uint32_t *free, size_t count, int64_t now_ms) {
    size_t best = free[0];
    double low = use_score(&route->targets[best], now_ms, HUGE_VAL);
    double low_tokens = token_score(&route->targets[best], now_ms, HUGE_VAL);
    for (size_t n = 1; n < count; n++) {
        const mb_route_target *t = &route->targets[free[n]];
        double used = use_score(t, now_ms, low);
        if (used > low) continue;
        double tokens = token_score(t, now_ms, used < low ? HUGE_VAL : low_tokens);
        if (used == low && tokens >= low_tokens) continue;
        best = free[n];
        low = used;
        low_tokens = tokens;
    }
    return best;
}

// What a new call there would wait for its first token. Who was never asked is asked, but not by all at once.
static double wait_score(const mb_route *route, size_t i, int64_t now_ms) {
    const mb_route_target *t = &route->targets[i];
    if (!t->facts) return 0;
    double average = mb_pace_at(route->stream ? &t->facts->first : &t->facts->whole, now_ms);
    if (average < 0) return in_flight(t) * 1000.0;
    return average * (in_flight(t) + 1);
}

// Two by chance, the better of them: nearly as good as the best of all, and no herd runs after one number.
static size_t by_latency(const mb_route *route, const uint32_t *free, size_t count, int64_t now_ms, double unit) {
    double at = unit * (double)count;
    size_t a = (size_t)at, b;
    if (count == 1) return free[0];
    b = (size_t)((at - (double)a) * (double)(count - 1));
    if (b >= a) b++;
    return wait_score(route, free[b], now_ms) < wait_score(route, free[a], now_ms) ? free[b] : free[a];
}

mb_choice mb_choose(const mb_route *route, const uint32_t *free, size_t count, int64_t now_ms, double unit) {
    mb_choice first;
    if (has_precedence(route, free, count, now_ms, &first)) return first;
    switch (route->policy) {
    case MB_POLICY_WEIGHTED: return (mb_choice){by_weight(route, free, count, unit), "by weight"};
    case MB_POLICY_LEAST_BUSY: return (mb_choice){lowest(route, free, count, now_ms, busy_score), "the least busy"};
    case MB_POLICY_LATENCY: return (mb_choice){by_latency(route, free, count, now_ms, unit), "the quicker of two"};
    case MB_POLICY_CHEAPEST: return (mb_choice){lowest(route, free, count, now_ms, cost_score), "the cheapest"};
    case MB_POLICY_USAGE: return (mb_choice){least_used(route, free, count, now_ms), "the least used"};
    case MB_POLICY_ORDERED: break;
    }
    return (mb_choice){free[0], "first target"};
}
