// SPDX-License-Identifier: MIT
#include "route/gate.h"

#define MINUTE_NS INT64_C(60000000000)
#define MS_NS     INT64_C(1000000)

// One unit's part of the minute, rounded up: the limit is never passed by rounding.
static int64_t unit_ns(int64_t per_minute) { return (MINUTE_NS + per_minute - 1) / per_minute; }

// More than a minute's worth counts as a minute's: it goes in when the bucket is full.
static int64_t cost_ns(int64_t per_minute, int64_t units) {
    return units >= per_minute ? MINUTE_NS : units * unit_ns(per_minute);
}

static int64_t bucket_opens_at(int64_t full_ns, int64_t per_minute, int64_t units, int64_t now_ms) {
    if (!per_minute || units <= 0) return now_ms;
    int64_t start = full_ns > now_ms * MS_NS ? full_ns : now_ms * MS_NS;
    int64_t at_ns = start + cost_ns(per_minute, units) - MINUTE_NS;
    return at_ns <= now_ms * MS_NS ? now_ms : (at_ns + MS_NS - 1) / MS_NS;
}

static int64_t later(int64_t a, int64_t b) { return a > b ? a : b; }

int64_t mb_gate_opens_at(const mb_gate *g, int64_t tokens, int64_t now_ms) {
    if (g->limits.parallel && g->in_flight >= g->limits.parallel) return MB_GATE_NEVER;
    return later(bucket_opens_at(g->requests_full_ns, g->limits.rpm, 1, now_ms),
                 bucket_opens_at(g->tokens_full_ns, g->limits.tpm, tokens, now_ms));
}

const char *mb_gate_limit_name(const mb_gate *g, int64_t tokens, int64_t now_ms) {
    if (g->limits.parallel && g->in_flight >= g->limits.parallel) return "parallel";
    int64_t requests = bucket_opens_at(g->requests_full_ns, g->limits.rpm, 1, now_ms);
    int64_t all = mb_gate_opens_at(g, tokens, now_ms);
    if (all <= now_ms) return NULL;
    return requests == all ? "rpm" : "tpm";
}

static void take(int64_t *full_ns, int64_t per_minute, int64_t units, int64_t now_ms) {
    if (!per_minute || units <= 0) return;
    if (*full_ns < now_ms * MS_NS) *full_ns = now_ms * MS_NS;
    *full_ns += units > INT32_MAX ? unit_ns(per_minute) * INT32_MAX : unit_ns(per_minute) * units;
}

void mb_gate_enter(mb_gate *g, int64_t tokens, int64_t now_ms) {
    g->in_flight++;
    take(&g->requests_full_ns, g->limits.rpm, 1, now_ms);
    take(&g->tokens_full_ns, g->limits.tpm, tokens, now_ms);
}

void mb_gate_leave(mb_gate *g) { g->in_flight--; }

void mb_gate_settle(mb_gate *g, int64_t reserved, int64_t used) {
    if (!g->limits.tpm || used < 0) return;
    if (used > INT32_MAX) used = INT32_MAX;
    if (reserved > INT32_MAX) reserved = INT32_MAX;
    g->tokens_full_ns += (used - reserved) * unit_ns(g->limits.tpm);
}

static double part_used(int64_t full_ns, int64_t now_ms) {
    int64_t over = full_ns - now_ms * MS_NS;
    return over > 0 ? (double)over / (double)MINUTE_NS : 0;
}

double mb_gate_used(const mb_gate *g, int64_t now_ms) {
    if (!g->limits.rpm && !g->limits.tpm) return -1;
    double requests = part_used(g->requests_full_ns, now_ms), tokens = part_used(g->tokens_full_ns, now_ms);
    return requests > tokens ? requests : tokens;
}

void mb_gate_free(mb_gate *g) { mb_fair_free(&g->waiting); }
