// SPDX-License-Identifier: MIT
#include "runtime/probe.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "route/classify.h"
#include "route/presence.h"
#include "runtime/ask.h"

enum {
    QUESTIONS_MAX = 5,
    TIMEOUT_MS = 2000,
    IDLE_INTERVALS = 10,
    HURRY_MS = 1000, // however many calls find nobody there
    FIRST_PART = 10, // of an interval until the first one: a program that makes one call has asked nobody
};

struct mb_probe {
    mb_probe *next; // m->probes
    membrane_t *m;
    mb_config *config; // counted
    mb_provider *provider;
    mb_timer timer;
    mb_round round;
    mb_question questions[QUESTIONS_MAX]; // the first one tells whether it is there
    mb_health told;                       // as the running log was told last
    int silences;
    bool is_asking;
    int64_t used_ms, asked_ms;
};

#define PROBE_OF(pointer, member) ((mb_probe *)((char *)(pointer)-offsetof(mb_probe, member)))

// ---- the end -------------------------------------------------------------------------------------------------------

static void free_probe(mb_probe *probe) {
    for (size_t i = 0; probe->is_asking && i < probe->round.count; i++) mb_question_free(&probe->questions[i]);
    mb_config_unref(probe->config);
    mb_free(probe);
}

// What is not asked for any more is not known any more.
static void stop(mb_probe *probe) {
    membrane_t *m = probe->m;
    mb_probe **at = &m->probes;
    while (*at != probe) at = &(*at)->next;
    *at = probe->next;
    probe->provider->probe = NULL;
    mb_io_timer_clear(m->io, &probe->timer);
    if (probe->is_asking) mb_round_cancel(&probe->round);
    probe->is_asking = false;
    pthread_mutex_lock(&m->board_lock);
    mb_board_forget_news(probe->provider->endpoint);
    pthread_mutex_unlock(&m->board_lock);
    free_probe(probe);
}

void mb_probe_forget(membrane_t *m) {
    for (mb_probe *probe = m->probes, *next; probe; probe = next) {
        next = probe->next;
        free_probe(probe);
    }
    m->probes = NULL;
}

// ---- what was answered ---------------------------------------------------------------------------------------------

static void tell(mb_probe *probe, mb_health health) {
    const char *name = probe->provider->name, *what = NULL;
    char text[MB_LIMIT_NAME + 64];
    if (health == MB_HEALTH_DOWN)
        what = "does not answer probes";
    else if (health == MB_HEALTH_LOADING)
        what = "is loading its model";
    else if (health == MB_HEALTH_UP && probe->told != MB_HEALTH_UNKNOWN)
        what = "answers again";
    if (health == probe->told) return;
    probe->told = health;
    if (!what || !mb_records_wants(probe->m->records, MB_LEVEL_INFO)) return;
    snprintf(text, sizeof text, "%s: %s", name, what);
    mb_records_add(probe->m->records,
                   &(mb_record){.level = MB_LEVEL_INFO, .msg = text, .provider = name, .tokens = -1, .latency_ms = -1});
}

static bool is_heard_by(const mb_probe *probe, const membrane_call *call, const mb_runner *r) {
    if (!r || !r->is_running || !r->exchange.is_running) return false;
    return call->targets[r->target].provider->endpoint == probe->provider->endpoint && r->exchange.has_progress &&
           r->exchange.last_ms >= probe->asked_ms;
}

// A server that writes an answer is there, however long it keeps a probe waiting: some do one thing at a time.
static bool is_heard(const mb_probe *probe) {
    for (const membrane_call *call = probe->m->first_call; call; call = call->next)
        if (is_heard_by(probe, call, &call->first_runner) || is_heard_by(probe, call, call->hedge)) return true;
    return false;
}

static bool says_loading(const mb_question *q, const mb_json *answer) {
    if (q->code) return mb_is_loading(q->error);
    return mb_json_str_is(mb_json_get(answer, "state"), "loading");
}

// By the kind of the question; NULL where it was not asked or not answered.
typedef struct answers {
    const mb_json *of[MB_ASK_KINDS];
} answers;

static void note_models(mb_probe *probe, const answers *a) {
    const mb_quirks *q = probe->provider->quirks;
    const mb_json *models = a->of[MB_ASK_MODELS];
    size_t at = 0;
    if (!models) return;
    for (mb_target_facts *t; (t = mb_endpoint_each(probe->provider->endpoint, &at));) {
        int64_t window = mb_presence_window(q, models, a->of[MB_ASK_SHOW], t->model);
        t->model_state = mb_presence_model(q, models, a->of[MB_ASK_LOADED], t->model);
        if (window) t->window = window;
    }
}

static void judge(mb_probe *probe) {
    membrane_t *m = probe->m;
    mb_endpoint *endpoint = probe->provider->endpoint;
    const mb_question *first = &probe->questions[0];
    answers a = {0};
    mb_arena arena = {0};
    const bool is_loading = says_loading(first, mb_question_json(first, &arena));
    for (size_t i = 0; i < probe->round.count; i++)
        a.of[probe->questions[i].kind] = mb_question_json(&probe->questions[i], &arena);
    pthread_mutex_lock(&m->board_lock);
    const int code = first->code && is_heard(probe) ? 0 : first->code;
    mb_health health = mb_presence_health(endpoint->health, code, is_loading, &probe->silences);
    mb_board_note_health(endpoint, health, mb_io_now(m->io));
    endpoint->busy_elsewhere = mb_presence_busy_elsewhere(a.of[MB_ASK_SLOTS], endpoint->gate.in_flight);
    note_models(probe, &a);
    pthread_mutex_unlock(&m->board_lock);
    tell(probe, health);
    mb_arena_free(&arena);
}

static void wait_for_next(mb_probe *probe, int64_t interval_ms) {
    membrane_t *m = probe->m;
    const double jitter = 0.8 + 0.4 * mb_rng_unit(&m->rng);
    mb_io_timer_set(m->io, &probe->timer, mb_io_now(m->io) + (int64_t)((double)interval_ms * jitter));
}

static void answered(void *user) {
    mb_probe *probe = user;
    judge(probe);
    for (size_t i = 0; i < probe->round.count; i++) mb_question_free(&probe->questions[i]);
    probe->is_asking = false;
    wait_for_next(probe, probe->config->probe_ms);
}

// ---- asking --------------------------------------------------------------------------------------------------------

static void add(mb_probe *probe, mb_ask_kind kind) {
    probe->questions[probe->round.count++] = (mb_question){.provider = probe->provider, .kind = kind};
}

static void ask(mb_probe *probe) {
    const mb_quirks *q = probe->provider->quirks;
    probe->round = (mb_round){
        .m = probe->m, .questions = probe->questions, .timeout_ms = TIMEOUT_MS, .done = answered, .user = probe};
    // Triton is healthy when all its models are, which says nothing of one.
    if (q->health_path && strcmp(q->wire, "triton") != 0) add(probe, MB_ASK_HEALTH);
    add(probe, MB_ASK_MODELS);
    if (strcmp(q->wire, "ollama") == 0) add(probe, MB_ASK_LOADED);
    if (q->slots_path) add(probe, MB_ASK_SLOTS);
    if (q->props_path) add(probe, MB_ASK_SHOW);
    probe->is_asking = true;
    probe->asked_ms = mb_io_now(probe->m->io);
    mb_round_begin(&probe->round);
}

static bool is_in_force(membrane_t *m, const mb_config *config) {
    mb_config *now = mb_handle_config(m);
    const bool is_it = now == config;
    mb_config_unref(now);
    return is_it;
}

static void fired(mb_timer *timer) {
    mb_probe *probe = PROBE_OF(timer, timer);
    const int64_t idle_ms = mb_io_now(probe->m->io) - probe->used_ms;
    if (idle_ms > IDLE_INTERVALS * probe->config->probe_ms || !is_in_force(probe->m, probe->config))
        stop(probe);
    else
        ask(probe);
}

void mb_probe_hurry(membrane_t *m, const mb_provider *provider) {
    mb_probe *probe = provider->probe;
    if (!probe || probe->is_asking || mb_io_now(m->io) < probe->asked_ms + HURRY_MS) return;
    mb_io_timer_set(m->io, &probe->timer, mb_io_now(m->io));
}

// ---- the start -----------------------------------------------------------------------------------------------------

static void start(membrane_call *call, mb_provider *provider) {
    membrane_t *m = call->m;
    if (!is_in_force(m, call->config)) return; // a call that began before a reload
    while (m->probes && m->probes->config != call->config) stop(m->probes);
    mb_probe *probe = mb_calloc(1, sizeof *probe);
    if (!probe) return; // the next call tries again
    probe->m = m;
    probe->config = mb_config_ref(call->config);
    probe->provider = provider;
    probe->timer.fire = fired;
    probe->used_ms = mb_io_now(m->io);
    probe->next = m->probes;
    m->probes = provider->probe = probe;
    wait_for_next(probe, probe->config->probe_ms / FIRST_PART);
}

static bool is_choice(const mb_target *t) { return t->group <= MB_GROUP_ERROR; }

void mb_probe_use(membrane_call *call) {
    size_t choices = 0;
    if (!call->is_logical || !call->config->probe_ms) return;
    for (size_t i = 0; i < call->route.count; i++) choices += is_choice(&call->targets[i]);
    for (size_t i = 0; choices > 1 && i < call->route.count; i++) {
        mb_provider *p = (mb_provider *)(uintptr_t)call->targets[i].provider; // of the configuration, not of the call
        if (!p->local || !p->adapter || !is_choice(&call->targets[i])) continue;
        if (p->probe)
            p->probe->used_ms = mb_io_now(call->m->io);
        else
            start(call, p);
    }
}
