// SPDX-License-Identifier: MIT
#include "route/gate.h"

#define MINUTE_NS INT64_C(60000000000)
#define MS_NS     INT64_C(1000000)
#define FAR_NS    (INT64_MAX / 8) // sums with it stay in range

// So many units' part of minutes, each rounded up: the limit is never passed by rounding.
static int64_t worth_ns(int64_t per_minute, int64_t units) {
    int64_t worth;
    if (__builtin_mul_overflow((MINUTE_NS + per_minute - 1) / per_minute, units, &worth) || worth > FAR_NS)
        return FAR_NS;
    return worth;
}

// Whether there is room without a doubt, and without a division, which would cost more than all the rest.
static bool has_ample_room(int64_t full_ns, int64_t per_minute, int64_t units, int64_t now_ns) {
    double room = (double)(now_ns + MINUTE_NS - full_ns), limit = (double)per_minute;
    return room * limit * 0.999 > (double)units * ((double)MINUTE_NS + limit); // limit: what rounding up adds
}

// More than a minute's worth counts as a minute's: it goes in when the bucket is full.
static int64_t bucket_opens_at(int64_t full_ns, int64_t per_minute, int64_t units, int64_t now_ms) {
    if (!per_minute || units <= 0 || full_ns <= now_ms * MS_NS) return now_ms;
    if (has_ample_room(full_ns, per_minute, units, now_ms * MS_NS)) return now_ms;
    int64_t worth = units >= per_minute ? MINUTE_NS : worth_ns(per_minute, units);
    int64_t at_ns = full_ns + (worth < MINUTE_NS ? worth : MINUTE_NS) - MINUTE_NS;
    return at_ns <= now_ms * MS_NS ? now_ms : (at_ns + MS_NS - 1) / MS_NS;
}

static int64_t later(int64_t a, int64_t b) { return a > b ? a : b; }

static int64_t requests_open_at(const mb_gate *g, int64_t now_ms) {
    return bucket_opens_at(g->requests_full_ns, g->limits.rpm, 1, now_ms);
}

static int64_t tokens_open_at(const mb_gate *g, int64_t tokens, int64_t now_ms) {
    const int64_t tpm = g->limits.tpm;
    if (!tpm || tokens <= 0) return now_ms;
    int64_t at = bucket_opens_at(g->tokens_full_ns, tpm, tokens, now_ms);
    if (at <= now_ms || (g->reserved && g->reserved > tpm - tokens)) return at;
    int64_t settled = bucket_opens_at(g->settled_full_ns, tpm, g->reserved + tokens, now_ms);
    return settled < at ? settled : at;
}

int64_t mb_gate_opens_at(const mb_gate *g, int64_t tokens, int64_t now_ms) {
    if (g->limits.parallel && g->in_flight >= g->limits.parallel) return MB_GATE_NEVER;
    return later(requests_open_at(g, now_ms), tokens_open_at(g, tokens, now_ms));
}

const char *mb_gate_limit_name(const mb_gate *g, int64_t tokens, int64_t now_ms) {
    if (g->limits.parallel && g->in_flight >= g->limits.parallel) return "parallel";
    int64_t requests = requests_open_at(g, now_ms), of_tokens = tokens_open_at(g, tokens, now_ms);
    if (later(requests, of_tokens) <= now_ms) return NULL;
    return requests >= of_tokens ? "rpm" : "tpm";
}

static void take(int64_t *full_ns, int64_t per_minute, int64_t units, int64_t now_ms) {
    if (!per_minute || units <= 0) return;
    *full_ns = later(*full_ns, now_ms * MS_NS) + worth_ns(per_minute, units);
    if (*full_ns > FAR_NS) *full_ns = FAR_NS;
}

void mb_gate_enter(mb_gate *g, int64_t tokens, int64_t now_ms) {
    g->in_flight++;
    if (tokens > 0) g->reserved += tokens;
    take(&g->requests_full_ns, g->limits.rpm, 1, now_ms);
    take(&g->tokens_full_ns, g->limits.tpm, tokens, now_ms);
}

void mb_gate_leave(mb_gate *g) { g->in_flight--; }

void mb_gate_settle(mb_gate *g, int64_t reserved, int64_t used, int64_t start_ms, int64_t now_ms) {
    if (reserved < 0) reserved = 0;
    if (used < 0) used = reserved;
    g->reserved -= reserved;
    if (!g->limits.tpm) return;
    take(&g->settled_full_ns, g->limits.tpm, used, now_ms);
    take(&g->tokens_full_ns, g->limits.tpm, used - reserved, now_ms);
    if (used >= reserved) return;
    int64_t back_ns = worth_ns(g->limits.tpm, reserved - used) - (now_ms - start_ms) * MS_NS;
    if (back_ns > 0) g->tokens_full_ns -= back_ns;
}

void mb_gate_free(mb_gate *g) { mb_fair_free(&g->waiting); }
