// SPDX-License-Identifier: MIT
#include <math.h>

#include "membrane/error.h"
#include "sim.h"

enum { FIRST_TOKEN_MS = 60000, FIRST_TOKEN_LOCAL_MS = 120000 };

bool sim_bucket_takes(bucket *b, int64_t units, int64_t now_ms, int64_t *ret_wait_ms) {
    if (!b->per_minute) return true;
    int64_t drained = (now_ms - b->at_ms) * b->per_minute, full = b->per_minute * SIM_MINUTE;
    b->level = b->level > drained ? b->level - drained : 0;
    b->at_ms = now_ms;
    int64_t over = b->level + units * SIM_MINUTE - full;
    if (over > 0) {
        *ret_wait_ms = (over + b->per_minute - 1) / b->per_minute;
        return false;
    }
    b->level += units * SIM_MINUTE;
    return true;
}

static const spell *spell_at(const sim_provider *p, spell_kind kind, int64_t now_ms) {
    for (int i = 0; i < p->spell_count; i++)
        if (p->spells[i].kind == kind && p->spells[i].start_ms <= now_ms && now_ms < p->spells[i].end_ms)
            return &p->spells[i];
    return NULL;
}

bool sim_provider_is_down(const sim_provider *p, int64_t now_ms) {
    return spell_at(p, SPELL_DOWN, now_ms) || spell_at(p, SPELL_HANGS, now_ms);
}

static double normal(mb_rng *rng) {
    double u = 1 - mb_rng_unit(rng), v = mb_rng_unit(rng);
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

static sim_answer refusal(int code, int64_t after_ms) {
    return (sim_answer){.code = code, .first_ms = -1, .end_ms = after_ms, .retry_after_ms = -1};
}

// How much longer everything takes now.
static double slowness(const sim_provider *p, const sim_state *state, int64_t now_ms) {
    double times = 1;
    const spell *slow = spell_at(p, SPELL_SLOW, now_ms);
    if (slow) times *= slow->part;
    if (state->in_flight > p->capacity) times *= (double)state->in_flight / p->capacity;
    for (int i = 0; i < p->spell_count; i++) // the first minute after a load
        if (p->spells[i].kind == SPELL_LOADING && now_ms >= p->spells[i].end_ms &&
            now_ms < p->spells[i].end_ms + SIM_MINUTE)
            times *= 4;
    return times;
}

static bool is_refused(const sim_provider *p, sim_state *state, mb_rng *rng, int key, int64_t window,
                       const sim_question *q, int64_t now_ms, sim_answer *ret) {
    const spell *errors = spell_at(p, SPELL_ERRORS, now_ms);
    int64_t wait = 0;
    if (spell_at(p, SPELL_DOWN, now_ms)) {
        *ret = refusal(MEMBRANE_ECONNECT, 20);
    } else if (spell_at(p, SPELL_HANGS, now_ms)) {
        *ret = refusal(MEMBRANE_ETIMEOUT, p->is_local ? FIRST_TOKEN_LOCAL_MS : FIRST_TOKEN_MS);
    } else if (p->bad_key[key]) {
        *ret = refusal(p->bad_code, 60);
    } else if (spell_at(p, SPELL_LOADING, now_ms)) {
        *ret = refusal(MEMBRANE_EOVERLOADED, 10);
        ret->is_loading = true;
    } else if (window && q->input + q->output > window) {
        *ret = refusal(MEMBRANE_ECONTEXT, 80);
    } else if (!sim_bucket_takes(&state->requests[key], 1, now_ms, &wait) ||
               !sim_bucket_takes(&state->tokens[key], q->input + q->output, now_ms, &wait)) {
        *ret = refusal(MEMBRANE_ERATE, 40);
        if (p->says_when) ret->retry_after_ms = (wait + 999) / 1000 * 1000;
    } else if (errors && mb_rng_unit(rng) < errors->part) {
        *ret = refusal(mb_rng_below(rng, 2) ? MEMBRANE_ESERVER : MEMBRANE_EOVERLOADED, 100);
    } else {
        return false;
    }
    return true;
}

sim_answer sim_provider_answer(const sim_provider *p, sim_state *state, mb_rng *rng, int key, int64_t window,
                               const sim_question *q, int64_t now_ms) {
    sim_answer a;
    if (is_refused(p, state, rng, key, window, q, now_ms, &a)) return a;
    const int64_t limit = p->is_local ? FIRST_TOKEN_LOCAL_MS : FIRST_TOKEN_MS;
    double times = slowness(p, state, now_ms);
    double first = exp(p->first_mu + p->first_sigma * normal(rng)) * times;
    if (mb_rng_unit(rng) < p->slow_part) first *= 10;
    double whole = first + p->token_ms * times * (double)q->output;
    if ((q->stream ? first : whole) > (double)limit) return refusal(MEMBRANE_ETIMEOUT, limit);
    a = (sim_answer){.first_ms = q->stream ? (int64_t)first : -1,
                     .end_ms = (int64_t)whole + 1,
                     .retry_after_ms = -1,
                     .tokens = q->input + q->output};
    double cut = mb_rng_unit(rng);
    if (!q->stream || cut >= p->cut_before + p->cut_after) return a;
    a.code = MEMBRANE_ETRUNCATED;
    if (cut < p->cut_before) { // nothing was said: nothing is billed
        a.first_ms = -1;
        a.end_ms = (int64_t)first + 1;
        a.tokens = 0;
    } else {
        a.end_ms = (int64_t)((first + whole) / 2) + 1;
        a.tokens = q->input + q->output / 2;
    }
    return a;
}
