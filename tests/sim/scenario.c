// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>

#include "membrane/error.h"
#include "sim.h"

static int64_t between(mb_rng *rng, int64_t low, int64_t high) {
    return low + (int64_t)mb_rng_below(rng, (uint64_t)(high - low + 1));
}

static bool chance(mb_rng *rng, double part) { return mb_rng_unit(rng) < part; }
static double real(mb_rng *rng, double low, double high) { return low + (high - low) * mb_rng_unit(rng); }

static void draw_spells(sim_provider *p, mb_rng *rng, int64_t duration_ms, double often) {
    while (p->spell_count < SIM_SPELLS && chance(rng, often)) {
        spell *s = &p->spells[p->spell_count++];
        s->kind = (spell_kind)mb_rng_below(rng, SPELL_KINDS);
        if (s->kind == SPELL_LOADING && !p->is_local) s->kind = SPELL_ERRORS;
        s->start_ms = between(rng, 0, duration_ms);
        s->end_ms = s->start_ms + between(rng, 1000, s->kind == SPELL_LOADING ? 90000 : 15 * SIM_MINUTE);
        s->part = s->kind == SPELL_SLOW ? real(rng, 2, 20) : real(rng, 0.05, 1);
    }
}

static void draw_provider(sim_provider *p, mb_rng *rng, int number, int64_t duration_ms) {
    memset(p, 0, sizeof *p);
    snprintf(p->name, sizeof p->name, "p%d", number);
    p->is_local = chance(rng, 0.3);
    p->key_count = p->is_local ? 1 : (int)between(rng, 1, SIM_KEYS);
    p->first_mu = real(rng, 3.5, 7.5); // 30 ms to 1.8 s
    p->first_sigma = real(rng, 0.1, 1);
    p->slow_part = chance(rng, 0.3) ? real(rng, 0.02, 0.3) : 0;
    p->token_ms = real(rng, 2, 40);
    p->capacity = p->is_local ? (int)between(rng, 1, 8) : 1000;
    p->says_when = chance(rng, 0.8);
    p->cut_before = chance(rng, 0.3) ? real(rng, 0, 0.1) : 0;
    p->cut_after = chance(rng, 0.3) ? real(rng, 0, 0.1) : 0;
    p->bad_code = chance(rng, 0.5) ? MEMBRANE_EAUTH : MEMBRANE_EFUNDS;
    for (int i = 0; i < p->key_count; i++) p->bad_key[i] = chance(rng, 0.1);
    if (!p->is_local && chance(rng, 0.5)) p->theirs.rpm = between(rng, 5, 300);
    if (!p->is_local && chance(rng, 0.5)) p->theirs.tpm = between(rng, 5000, 300000);
    draw_spells(p, rng, duration_ms, 0.6);
}

static mb_limits draw_limits(mb_rng *rng) {
    mb_limits l = {0};
    if (chance(rng, 0.3)) l.rpm = between(rng, 2, 200);
    if (chance(rng, 0.3)) l.tpm = between(rng, 4000, 200000);
    if (chance(rng, 0.3)) l.parallel = (int)between(rng, 1, 10);
    return l;
}

static void draw_targets(sim_scenario *s, mb_rng *rng) {
    for (int i = 0; i < s->target_count; i++) {
        sim_target *t = &s->targets[i];
        *t = (sim_target){.provider = (int)mb_rng_below(rng, (uint64_t)s->provider_count), .weight = real(rng, 0.2, 5)};
        snprintf(t->model, sizeof t->model, "m%d", i);
        if (chance(rng, 0.05)) t->weight = 0;
        if (i > 0 && chance(rng, 0.25)) t->group = (mb_group)between(rng, MB_GROUP_ERROR, MB_GROUP_CONTENT);
        t->price = s->providers[t->provider].is_local ? 0 : between(rng, 50, 20000);
        t->window = chance(rng, 0.5) ? between(rng, 3000, 40000) : 0;
        t->ours = draw_limits(rng);
    }
}

void sim_scenario_draw(sim_scenario *s, uint64_t seed, double hours) {
    mb_rng rng;
    memset(s, 0, sizeof *s);
    mb_rng_seed_with(&rng, seed);
    s->seed = seed;
    s->duration_ms = (int64_t)(hours * SIM_HOUR);
    s->target_count = (int)between(&rng, 1, SIM_TARGETS);
    s->provider_count = (int)between(&rng, 1, s->target_count);
    for (int i = 0; i < s->provider_count; i++) {
        draw_provider(&s->providers[i], &rng, i, s->duration_ms);
        s->providers[i].ours = draw_limits(&rng);
    }
    draw_targets(s, &rng);
    s->session_count = (int)between(&rng, 1, SIM_SESSIONS);
    for (int i = 0; i < s->session_count; i++)
        s->volume[i] = chance(&rng, 0.3) ? real(&rng, 5, 50) : real(&rng, 0.2, 2);
    s->calls_s = chance(&rng, 0.1) ? real(&rng, 1, 4) : real(&rng, 0.02, 0.5);
    s->burst_ms = chance(&rng, 0.5) ? between(&rng, 60000, 600000) : 0;
    s->deadline_ms = chance(&rng, 0.3) ? between(&rng, 200, 5000) : between(&rng, 5000, 300000);
    s->wait_ms = chance(&rng, 0.5) ? between(&rng, 10, 60000) : 0;
    s->sticky_ms = chance(&rng, 0.3) ? between(&rng, 1000, 600000) : 0;
    s->hedge.kind = chance(&rng, 0.6) ? MB_HEDGE_OFF : chance(&rng, 0.5) ? MB_HEDGE_P95 : MB_HEDGE_DELAY;
    s->hedge.delay_ms = between(&rng, 10, 5000);
    s->policy = (mb_policy)mb_rng_below(&rng, MB_POLICY_COUNT);
    s->retries = (int)between(&rng, 0, 3);
    s->max_attempts = chance(&rng, 0.3) ? (int)between(&rng, 1, 6) : 60;
    s->stream_part = real(&rng, 0, 1);
    s->long_part = chance(&rng, 0.4) ? real(&rng, 0, 0.3) : 0;
    if (chance(&rng, 0.3)) s->budget_all = between(&rng, 1000, 5000000);
    if (chance(&rng, 0.3)) s->budget_session = between(&rng, 1000, 1000000);
}

// A local engine, a cheap and a dear provider with two keys each and limits that are known to us, and one to fall back
// on: with the troubles of an ordinary bad day. Sessions of very different volumes, one of which asks most.
void sim_scenario_everyday(sim_scenario *s, uint64_t seed, double hours) {
    static const struct {
        bool is_local;
        int keys;
        double mu, token_ms;
        int64_t rpm, tpm, price, window;
    } ROWS[] = {{true, 1, 5.0, 12, 0, 0, 0, 8000},
                {false, 2, 6.2, 8, 40, 60000, 600, 128000},
                {false, 2, 5.8, 6, 60, 90000, 3000, 200000},
                {false, 1, 6.6, 15, 30, 60000, 1500, 128000}};
    mb_rng rng;
    memset(s, 0, sizeof *s);
    mb_rng_seed_with(&rng, seed);
    s->seed = seed;
    s->duration_ms = (int64_t)(hours * SIM_HOUR);
    s->provider_count = s->target_count = 4;
    for (int i = 0; i < 4; i++) {
        sim_provider *p = &s->providers[i];
        draw_provider(p, &rng, i, s->duration_ms);
        p->is_local = ROWS[i].is_local;
        p->key_count = ROWS[i].keys;
        p->first_mu = ROWS[i].mu + real(&rng, -0.3, 0.3);
        p->token_ms = ROWS[i].token_ms;
        p->capacity = p->is_local ? 4 : 1000;
        p->theirs = (mb_limits){ROWS[i].rpm, ROWS[i].tpm, 0};
        p->ours = p->is_local ? (mb_limits){.parallel = 4} : p->theirs;
        memset(p->bad_key, 0, sizeof p->bad_key);
        if (p->key_count > 1) p->bad_key[1] = chance(&rng, 0.15);
        s->targets[i] = (sim_target){.provider = i, .weight = 1, .price = ROWS[i].price, .window = ROWS[i].window};
        snprintf(s->targets[i].model, sizeof s->targets[i].model, "m%d", i);
    }
    s->session_count = SIM_SESSIONS;
    for (int i = 0; i < SIM_SESSIONS; i++) s->volume[i] = i == 0 ? 30 : i == 1 ? 5 : 1;
    s->calls_s = real(&rng, 0.2, 1.2);
    s->burst_ms = 300000;
    s->deadline_ms = 60000;
    s->wait_ms = 20000;
    s->retries = 2;
    s->max_attempts = 60;
    s->stream_part = 0.7;
    s->long_part = 0.05;
    if (chance(&rng, 0.3)) s->budget_all = (int64_t)(real(&rng, 0.5, 4) * hours * 1000000);
}
