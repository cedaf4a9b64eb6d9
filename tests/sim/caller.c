// SPDX-License-Identifier: MIT
#include "caller.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "membrane/error.h"

typedef enum { ARRIVAL, STEP, FIRST, END, HEDGE, DEADLINE, SERVE, PROBE } event_kind;

typedef struct sim_event {
    int64_t at_ms;
    uint64_t order;  // of those at the same time the first one comes first
    uint64_t serial; // what it is meant for; something else since then: it is stale
    sim_call *call;
    event_kind kind;
    int runner;
} sim_event;

enum { PROBE_EVERY_MS = 10000, MAX_OUTPUT = 1000 };

// ---- the clock -----------------------------------------------------------------------------------------------------

static bool is_before(const sim_event *a, const sim_event *b) {
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static void swap(sim_event *a, sim_event *b) {
    sim_event kept = *a;
    *a = *b;
    *b = kept;
}

static uint64_t post(sim *s, int64_t at_ms, event_kind kind, sim_call *call, int runner) {
    if (s->heap_count == s->heap_cap) {
        s->heap_cap = s->heap_cap ? 2 * s->heap_cap : 256;
        s->heap = realloc(s->heap, s->heap_cap * sizeof *s->heap);
        if (!s->heap) abort();
    }
    uint64_t serial = ++s->serials;
    size_t i = s->heap_count++;
    s->heap[i] = (sim_event){at_ms < s->now_ms ? s->now_ms : at_ms, serial, serial, call, kind, runner};
    for (; i && is_before(&s->heap[i], &s->heap[(i - 1) / 2]); i = (i - 1) / 2)
        swap(&s->heap[i], &s->heap[(i - 1) / 2]);
    return serial;
}

static sim_event pop(sim *s) {
    sim_event first = s->heap[0];
    s->heap[0] = s->heap[--s->heap_count];
    for (size_t i = 0;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < s->heap_count; child++)
            if (is_before(&s->heap[child], &s->heap[least])) least = child;
        if (least == i) return first;
        swap(&s->heap[i], &s->heap[least]);
        i = least;
    }
}

// ---- money ---------------------------------------------------------------------------------------------------------

static int64_t price_of(const sim *s, size_t target, int64_t tokens) {
    return (s->scenario->targets[target].price * tokens + 999) / 1000;
}

static bool has_room(const sim_ledger *l, int64_t amount, bool looks_ahead) {
    if (!l->amount) return true;
    return looks_ahead ? mb_slice_free(&l->slice) >= amount : l->billed < l->amount;
}

// An upper bound is held before anything is sent. Naive callers look only at what was billed so far.
static bool hold(sim *s, sim_call *c, sim_runner *r) {
    sim_ledger *own = &s->sessions[c->session];
    const bool looks_ahead = s->way < MB_POLICY_COUNT;
    r->bound = price_of(s, r->target, c->question.input + MAX_OUTPUT);
    if (!has_room(&s->all, r->bound, looks_ahead) || !has_room(own, r->bound, looks_ahead)) return false;
    mb_slice_hold(&s->all.slice, r->bound);
    mb_slice_hold(&own->slice, r->bound);
    return true;
}

static void bill(sim *s, sim_call *c, sim_runner *r, int64_t tokens) {
    sim_ledger *own = &s->sessions[c->session];
    int64_t cost = price_of(s, r->target, tokens);
    mb_slice_settle(&s->all.slice, r->bound, cost);
    mb_slice_settle(&own->slice, r->bound, cost);
    s->all.billed += cost;
    own->billed += cost;
    s->stats->cost += cost;
    if (s->checks) sim_check_money(s);
}

// ---- attempts ------------------------------------------------------------------------------------------------------

static void step(sim *s, sim_call *c, const mb_route_failure *failure);
static void go(sim *s, sim_call *c);

static void serve_soon(sim *s) {
    if (s->is_serving || !mb_board_waiting(s->board)) return;
    s->is_serving = true;
    post(s, s->now_ms, SERVE, NULL, 0);
}

static void take_retry(sim *s) {
    if (s->checks) sim_check_retry(s);
    mb_board_take_retry(s->board);
    s->retry_count++;
    s->stats->retries++;
}

static void give_retry(sim *s, bool *holds) {
    if (*holds) {
        mb_board_give_retry(s->board);
        s->retry_count--;
    }
    *holds = false;
}

static void begin(sim *s, sim_call *c, int which, size_t target, int key) {
    const sim_scenario *sc = s->scenario;
    sim_runner *r = &c->runners[which];
    const int provider = sc->targets[target].provider;
    const bool holds_retry = r->holds_retry;
    *r = (sim_runner){.target = target, .key = key, .start_ms = s->now_ms, .holds_retry = holds_retry};
    s->fresh[target] = 0;
    if (s->checks) sim_check_turn(s, c, target, key);
    c->route.had_its_turn = false;
    if (!hold(s, c, r)) {
        r->answer = (sim_answer){.code = MEMBRANE_EBUDGET, .first_ms = -1, .retry_after_ms = -1};
        r->bound = 0;
    } else {
        r->answer = sim_provider_answer(&sc->providers[provider], &s->states[provider], &s->answers, key,
                                        sc->targets[target].window, &c->question, s->now_ms);
        if (s->checks) sim_check_enter(s, c, r);
        mb_board_enter(s->board, s->facts[target], key, c->route.tokens, s->now_ms, &r->ticket);
        s->states[provider].in_flight++;
        r->was_entered = true;
        s->stats->attempts++;
    }
    r->is_running = c->memory[target].is_running = true;
    if (r->answer.first_ms >= 0) post(s, s->now_ms + r->answer.first_ms, FIRST, c, which);
    r->serial = post(s, s->now_ms + r->answer.end_ms, END, c, which);
}

// tokens: what the provider counted and bills; known: whether it told us.
static void end_runner(sim *s, sim_call *c, sim_runner *r, int code, int64_t tokens, bool known) {
    if (!r->is_running) return;
    const sim_answer *a = &r->answer;
    r->is_running = c->memory[r->target].is_running = false;
    r->serial = 0;
    if (r->was_entered) {
        mb_attempt_end end = {
            code,         a->retry_after_ms, known ? tokens : -1, r->has_first ? a->first_ms : -1, c->question.stream,
            a->is_loading};
        mb_board_leave(s->board, &r->ticket, &end, s->now_ms);
        s->states[s->scenario->targets[r->target].provider].in_flight--;
        if (s->checks) sim_check_leave(s, r, code);
        bill(s, c, r, tokens);
    }
    give_retry(s, &r->holds_retry);
    serve_soon(s);
}

static sim_runner *other_of(sim_call *c, const sim_runner *r) { return &c->runners[r == c->runners]; }

// Given up: the provider bills what it had read, and what it had said if it had begun.
static void cancel(sim *s, sim_call *c, sim_runner *r, int code) {
    if (!r->is_running) return;
    int64_t used = r->answer.code && !r->has_first ? 0 : c->question.input + (r->has_first ? c->question.output : 0);
    r->answer.retry_after_ms = -1;
    r->answer.is_loading = false;
    end_runner(s, c, r, code, used, false);
}

// ---- the life of a call --------------------------------------------------------------------------------------------

static void leave_queues(sim *s, sim_call *c) {
    if (c->is_waiting && s->checks) sim_check_leaves_queues(s, c);
    for (size_t i = 0; i < c->route.count && c->is_waiting; i++) mb_board_wait_ends(s->board, &c->waiters[i]);
    c->is_waiting = false;
}

static void finish(sim *s, sim_call *c, int code) {
    leave_queues(s, c);
    for (int i = 0; i < 2; i++) cancel(s, c, &c->runners[i], code ? code : MEMBRANE_ECANCELLED);
    give_retry(s, &c->runners[0].holds_retry);
    mb_board_call_ends(s->board);
    s->call_count--;
    sim_check(s, s->now_ms <= c->route.deadline_ms, "a call went on beyond its deadline");
    if (code == MEMBRANE_EBUDGET) s->stats->unpaid++;
    if (code == 0) {
        s->stats->answered[c->session]++;
        s->stats->latency[sim_bucket_of(s->now_ms - c->start_ms)]++;
    }
    *(c->prev ? &c->prev->next : &s->calls) = c->next;
    if (c->next) c->next->prev = c->prev;
    *c = (sim_call){.next = s->spare}; // serials of 0: what was posted for it is stale
    s->spare = c;
    serve_soon(s);
}

static void join_queues(sim *s, sim_call *c) {
    char session[2] = {(char)('a' + c->session), 0};
    s->stats->queued++;
    c->is_waiting = true;
    for (size_t i = 0; i < c->route.count; i++) {
        mb_verdict v = mb_route_judge(&c->route, i, s->now_ms);
        if (v.standing != MB_QUEUED) continue;
        c->waiters[i] = (mb_waiter){.cost = c->route.tokens, .user = c};
        c->joined[i] = s->turns;
        c->in_front[i] = c->route.had_its_turn;
        if (!mb_board_wait(s->board, v.gate, &c->waiters[i], session, c->route.had_its_turn)) abort();
    }
    serve_soon(s);
}

static void arm_hedge(sim *s, sim_call *c) {
    const mb_hedge *h = &s->scenario->hedge;
    int64_t delay = h->delay_ms;
    if (h->kind == MB_HEDGE_OFF || c->was_hedged || s->way >= MB_POLICY_COUNT) return;
    const mb_target_facts *f = s->facts[c->runners[0].target];
    if (h->kind == MB_HEDGE_P95) delay = mb_pace_percentile(c->question.stream ? &f->first : &f->whole, 95);
    if (delay >= 0) c->hedge_serial = post(s, s->now_ms + delay, HEDGE, c, 0);
}

static void follow(sim *s, sim_call *c, const mb_route_decision *d) {
    c->step_serial = 0;
    switch (d->what) {
    case MB_ROUTE_FAIL:
        if (s->checks) sim_check_failed(s, c, d);
        finish(s, c, c->last_code ? c->last_code : d->code);
        return;
    case MB_ROUTE_QUEUE:
        c->pending = *d;
        sim_check(s, d->at_ms > s->now_ms, "a call was to wait until a time that has passed");
        c->step_serial = post(s, d->at_ms, STEP, c, 0);
        join_queues(s, c);
        return;
    case MB_ROUTE_TRY: break;
    }
    sim_check(s, d->at_ms < c->route.deadline_ms, "an attempt was to begin after the deadline");
    if (d->is_retry) take_retry(s);
    c->runners[0].holds_retry = d->is_retry;
    c->pending = *d;
    if (d->at_ms > s->now_ms)
        c->step_serial = post(s, d->at_ms, STEP, c, 0);
    else
        go(s, c);
}

// Its time has come. While it waited others may have taken its place.
static void go(sim *s, sim_call *c) {
    const mb_route_decision d = c->pending;
    c->pending.what = MB_ROUTE_QUEUE;
    if (s->way < MB_POLICY_COUNT && !mb_route_is_open(&c->route, d.target, d.key, s->now_ms)) {
        mb_route_take_back(&c->route, d.target);
        give_retry(s, &c->runners[0].holds_retry);
        step(s, c, NULL);
        return;
    }
    begin(s, c, 0, d.target, d.key);
    arm_hedge(s, c);
}

// What people write in an afternoon: each target once, at once, whatever it said.
static mb_route_decision naive(sim *s, sim_call *c) {
    mb_route_decision d = {
        .what = MB_ROUTE_FAIL, .code = MEMBRANE_ENOTARGET, .at_ms = s->now_ms, .reason = "all tried"};
    if (c->route.attempts >= s->scenario->target_count) return d;
    if (c->route.attempts == 0 && s->way == SIM_ROUND_ROBIN) c->naive_first = (int)s->next_robin++;
    d.what = MB_ROUTE_TRY;
    d.target = (size_t)((c->naive_first + c->route.attempts++) % s->scenario->target_count);
    d.key = (int)(s->next_robin++ % (unsigned)c->targets[d.target].key_count);
    return d;
}

static void step(sim *s, sim_call *c, const mb_route_failure *failure) {
    if (failure) c->last_code = failure->code;
    if (s->way >= MB_POLICY_COUNT) {
        mb_route_decision d = naive(s, c);
        if (failure && failure->handed_out) d.what = MB_ROUTE_FAIL;
        follow(s, c, &d);
        return;
    }
    c->route.may_retry = mb_board_may_retry(s->board);
    const bool is_first = !failure && c->route.attempts == 0;
    s->stats->decisions++;
    mb_route_decision d = mb_route_next(&c->route, failure, s->now_ms, mb_rng_unit(&s->route));
    if (s->checks && is_first) sim_check_first(s, c);
    follow(s, c, &d);
}

static void on_first(sim *s, sim_call *c, sim_runner *r) {
    r->has_first = true;
    c->handed_out = true;
    c->hedge_serial = 0;
    cancel(s, c, other_of(c, r), MEMBRANE_ECANCELLED);
}

static void on_end(sim *s, sim_call *c, sim_runner *r) {
    const sim_answer a = r->answer;
    const sim_runner *other = other_of(c, r);
    mb_route_failure failure = {r->target, a.code, a.retry_after_ms, a.is_loading, c->handed_out};
    end_runner(s, c, r, a.code, a.tokens, true);
    c->hedge_serial = 0;
    if (a.code == 0) {
        char session[2] = {(char)('a' + c->session), 0};
        mb_stick stick = {s->facts[r->target]->number, r->key};
        int64_t until_ms = s->now_ms + s->scenario->sticky_ms;
        if (s->scenario->sticky_ms && s->way < MB_POLICY_COUNT) mb_board_stick(s->board, session, stick, until_ms);
        finish(s, c, 0);
    } else if (other->is_running) {
        c->memory[failure.target].is_out = "it failed";
        c->last_code = a.code;
    } else {
        step(s, c, &failure);
    }
}

static void on_hedge(sim *s, sim_call *c) {
    if (!c->runners[0].is_running || c->runners[1].is_running || c->handed_out) return;
    c->route.may_retry = mb_board_may_retry(s->board);
    mb_route_decision d = mb_route_hedge(&c->route, s->now_ms, mb_rng_unit(&s->route));
    if (d.what != MB_ROUTE_TRY) return;
    sim_check(s, d.at_ms <= s->now_ms && d.is_retry, "a hedge is later or takes no part of the retry budget");
    sim_check(s, d.target != c->runners[0].target, "a hedge went to the target that runs");
    take_retry(s);
    c->was_hedged = true;
    s->stats->hedges++;
    c->runners[1].holds_retry = true;
    begin(s, c, 1, d.target, d.key);
}

// ---- the load ------------------------------------------------------------------------------------------------------

static void arm_arrival(sim *s) {
    const sim_scenario *sc = s->scenario;
    double rate = sc->calls_s / 1000;
    if (sc->burst_ms && s->now_ms % sc->burst_ms < sc->burst_ms / 20) rate *= 10;
    int64_t gap = (int64_t)(-log(1 - mb_rng_unit(&s->load)) / rate);
    if (s->now_ms + gap < sc->duration_ms) post(s, s->now_ms + gap, ARRIVAL, NULL, 0);
}

static int draw_session(sim *s) {
    double total = 0, at;
    for (int i = 0; i < s->scenario->session_count; i++) total += s->scenario->volume[i];
    at = mb_rng_unit(&s->load) * total;
    for (int i = 0; i < s->scenario->session_count; i++)
        if ((at -= s->scenario->volume[i]) < 0) return i;
    return 0;
}

static sim_call *new_call(sim *s) {
    sim_call *c = s->spare;
    if (c)
        s->spare = c->next;
    else
        c = malloc(sizeof *c);
    if (!c) abort();
    *c = (sim_call){.next = s->calls, .start_ms = s->now_ms};
    if (s->calls) s->calls->prev = c;
    s->calls = c;
    return c;
}

static void draw_question(sim *s, sim_call *c) {
    const bool is_long = mb_rng_unit(&s->load) < s->scenario->long_part;
    c->session = draw_session(s);
    c->question = (sim_question){.input = 50 + (int64_t)mb_rng_below(&s->load, is_long ? 12000 : 1500),
                                 .output = 1 + (int64_t)mb_rng_below(&s->load, mb_rng_below(&s->load, MAX_OUTPUT) + 1),
                                 .stream = mb_rng_unit(&s->load) < s->scenario->stream_part};
    s->stats->asked[c->session]++;
}

static void set_route(sim *s, sim_call *c) {
    const sim_scenario *sc = s->scenario;
    const bool stands_alone = s->way >= MB_POLICY_COUNT;
    char session[2] = {(char)('a' + c->session), 0};
    mb_stick stick = {0, -1};
    for (int i = 0; i < sc->target_count; i++) {
        const sim_target *t = &sc->targets[i];
        c->targets[i] = (mb_route_target){.group = t->group,
                                          .key_count = sc->providers[t->provider].key_count,
                                          .weight = t->weight,
                                          .cost_usd_micros = price_of(s, (size_t)i, c->question.input + MAX_OUTPUT / 4),
                                          .window = t->window,
                                          .facts = stands_alone ? NULL : s->facts[i]};
        c->memory[i].key_at_ms = &c->key_at_ms[i * SIM_KEYS];
    }
    if (sc->sticky_ms) mb_board_stuck(s->board, session, s->now_ms, &stick);
    c->route = (mb_route){.targets = c->targets,
                          .memory = c->memory,
                          .free = c->room,
                          .count = (size_t)sc->target_count,
                          .policy = stands_alone ? MB_POLICY_ORDERED : (mb_policy)s->way,
                          .retries = sc->retries,
                          .max_attempts = sc->max_attempts,
                          .deadline_ms = s->now_ms + sc->deadline_ms,
                          .loading_until_ms = s->now_ms + 120000,
                          .wait_until_ms = sc->wait_ms ? s->now_ms + sc->wait_ms : 0,
                          .tokens = c->question.input + MAX_OUTPUT,
                          .stuck_to = stick.target,
                          .stuck_key = stick.key,
                          .stream = c->question.stream};
}

static void arrive(sim *s) {
    sim_call *c = new_call(s);
    draw_question(s, c);
    set_route(s, c);
    mb_board_call_begins(s->board);
    s->call_count++;
    c->deadline_serial = post(s, c->route.deadline_ms, DEADLINE, c, 0);
    arm_arrival(s);
    step(s, c, NULL);
}

// One after the other: each takes its place before the next one is asked for.
static void serve(sim *s) {
    mb_gate *gate = NULL;
    int64_t next_ms = MB_GATE_NEVER;
    s->is_serving = false;
    for (mb_waiter *w; (w = mb_board_next(s->board, s->now_ms, &gate, &next_ms));) {
        sim_call *c = w->user;
        if (s->checks) sim_check_served(s, c, gate);
        leave_queues(s, c);
        c->route.had_its_turn = true;
        step(s, c, NULL);
    }
    if (next_ms != MB_GATE_NEVER && (s->serve_at_ms <= s->now_ms || next_ms < s->serve_at_ms)) {
        s->serve_at_ms = next_ms;
        post(s, next_ms, SERVE, NULL, 0);
    }
}

static void probe(sim *s) {
    const sim_scenario *sc = s->scenario;
    for (int i = 0; i < sc->provider_count; i++)
        if (sc->providers[i].is_local)
            mb_board_note_health(s->endpoints[i],
                                 sim_provider_is_down(&sc->providers[i], s->now_ms) ? MB_HEALTH_DOWN : MB_HEALTH_UP,
                                 s->now_ms);
    if (s->now_ms + PROBE_EVERY_MS < sc->duration_ms) post(s, s->now_ms + PROBE_EVERY_MS, PROBE, NULL, 0);
}

static void happen(sim *s, const sim_event *e) {
    sim_call *c = e->call;
    sim_runner *r = c ? &c->runners[e->runner] : NULL;
    switch (e->kind) {
    case ARRIVAL: arrive(s); break;
    case SERVE: serve(s); break;
    case PROBE: probe(s); break;
    case STEP:
        if (c->step_serial != e->serial) break;
        c->step_serial = 0;
        if (c->pending.what == MB_ROUTE_TRY) {
            go(s, c);
            break;
        }
        leave_queues(s, c);
        step(s, c, NULL);
        break;
    case FIRST: // posted just before its end
        if (r->is_running && r->serial == e->serial + 1) on_first(s, c, r);
        break;
    case END:
        if (r->is_running && r->serial == e->serial) on_end(s, c, r);
        break;
    case HEDGE:
        if (c->hedge_serial == e->serial) on_hedge(s, c);
        break;
    case DEADLINE:
        if (c->deadline_serial == e->serial) finish(s, c, MEMBRANE_ETIMEOUT);
        break;
    }
}

// ---- a run ---------------------------------------------------------------------------------------------------------

static void open_world(sim *s) {
    const sim_scenario *sc = s->scenario;
    const mb_limits none = {0};
    mb_rng_seed_with(&s->load, sc->seed * 3 + 1);
    mb_rng_seed_with(&s->answers, sc->seed * 3 + 2);
    mb_rng_seed_with(&s->route, sc->seed * 3 + 3);
    s->board = mb_board_new();
    if (!s->board) abort();
    for (int i = 0; i < sc->provider_count; i++) {
        const sim_provider *p = &sc->providers[i];
        s->endpoints[i] =
            mb_board_endpoint(s->board, p->name, NULL, p->key_count, s->way < MB_POLICY_COUNT ? &p->ours : &none);
        if (!s->endpoints[i]) abort();
        for (int k = 0; k < p->key_count; k++) {
            s->states[i].requests[k].per_minute = p->theirs.rpm;
            s->states[i].tokens[k].per_minute = p->theirs.tpm;
            s->of_key[i][k].requests.per_minute = p->ours.rpm;
            s->of_key[i][k].tokens.per_minute = p->ours.tpm;
        }
    }
    for (int i = 0; i < sc->target_count; i++) {
        const sim_target *t = &sc->targets[i];
        s->facts[i] = mb_board_take(s->board, s->endpoints[t->provider], t->model,
                                    s->way < MB_POLICY_COUNT ? &t->ours : &none, true);
        if (!s->facts[i]) abort();
        s->of_target[i].requests.per_minute = t->ours.rpm;
        s->of_target[i].tokens.per_minute = t->ours.tpm;
    }
    s->all.amount = s->all.slice.granted = sc->budget_all;
    for (int i = 0; i < SIM_SESSIONS; i++) s->sessions[i].amount = s->sessions[i].slice.granted = sc->budget_session;
}

static int64_t over(const sim_ledger *l) { return l->amount && l->billed > l->amount ? l->billed - l->amount : 0; }

static void close_world(sim *s) {
    for (int i = 0; i < SIM_SESSIONS; i++) s->stats->overspent += over(&s->sessions[i]);
    s->stats->overspent += over(&s->all);
    s->stats->simulated_ms += s->scenario->duration_ms;
    for (sim_call *c; (c = s->spare);) {
        s->spare = c->next;
        free(c);
    }
    free(s->heap);
    mb_board_free(s->board);
}

void sim_run(const sim_scenario *scenario, int way, bool checks, sim_stats *stats) {
    static sim s; // large, and one at a time
    memset(&s, 0, sizeof s);
    s.scenario = scenario;
    s.stats = stats;
    s.way = way;
    s.checks = checks;
    open_world(&s);
    arm_arrival(&s);
    post(&s, 0, PROBE, NULL, 0);
    while (s.heap_count) {
        sim_event e = pop(&s);
        s.now_ms = e.at_ms;
        happen(&s, &e);
    }
    sim_check_end(&s);
    close_world(&s);
}
