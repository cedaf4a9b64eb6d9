// SPDX-License-Identifier: MIT
#include "runtime/ask.h"

#include <stddef.h>

#include "base/clock.h"

static void one_less(mb_round *round) {
    if (--round->open == 0) round->done(round->user);
}

static void answered(void *user, int code, membrane_error *error) {
    mb_question *q = user;
    q->code = code;
    q->error = error;
    q->latency_ms = mb_now_ms() - q->start_ms;
    mb_exchange_free(&q->exchange);
    q->is_open = false;
    one_less(q->round);
}

static void ask(mb_question *q, int64_t timeout_ms) {
    const mb_provider *p = q->provider;
    mb_exchange_plan plan = {
        .provider = p,
        .ask = {.kind = q->kind,
                .provider = p->name,
                .model = q->model,
                .base_url = p->base_url,
                .quirks = p->quirks,
                .keep_alive_ms = q->keep_alive_ms},
        .connect_ms = timeout_ms < MB_TIME_CONNECT ? timeout_ms : MB_TIME_CONNECT,
        .total_ms = timeout_ms,
        .turn = &q->turn,
        .done = answered,
        .user = q,
    };
    mb_turn_init(&q->turn, (mb_turn_sink){0});
    q->start_ms = mb_now_ms();
    q->error = NULL;
    q->is_open = true;
    q->code = p->adapter
                  ? mb_exchange_start(&q->exchange, &q->round->m->room, &plan, &q->error)
                  : mb_error_set(&q->error, MEMBRANE_EUNSUPPORTED, "%s has no server that could be asked", p->name);
    if (q->code) {
        mb_exchange_free(&q->exchange);
        q->is_open = false;
        one_less(q->round);
    }
}

void mb_round_begin(mb_round *round) {
    round->open = round->count + 1; // none may end the round before all are asked
    for (size_t i = 0; i < round->count; i++) {
        round->questions[i].round = round;
        ask(&round->questions[i], round->timeout_ms);
    }
    one_less(round);
}

void mb_round_cancel(mb_round *round) {
    for (size_t i = 0; i < round->count; i++) {
        mb_question *q = &round->questions[i];
        if (q->is_open) mb_exchange_free(&q->exchange);
        q->is_open = false;
        mb_question_free(q);
    }
}

void mb_question_free(mb_question *q) {
    mb_turn_free(&q->turn);
    membrane_error_free(q->error);
    q->error = NULL;
}

const mb_json *mb_question_json(const mb_question *q, mb_arena *arena) {
    const mb_json *root = NULL;
    if (q->code || !q->turn.json.len) return NULL;
    mb_json_parse(arena, q->turn.json.data, q->turn.json.len, &root, NULL);
    return root;
}

// ---- waiting
// -----------------------------------------------------------------------------------------------------------

typedef struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t came;
    bool is_done;
} waiter;

static void wake(void *user) {
    waiter *w = user;
    pthread_mutex_lock(&w->lock);
    w->is_done = true;
    pthread_cond_signal(&w->came);
    pthread_mutex_unlock(&w->lock);
}

static void begin(mb_task *task) { mb_round_begin((mb_round *)((char *)task - offsetof(mb_round, task))); }

int mb_round_wait(mb_round *round, membrane_error **err) {
    waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};
    round->done = wake;
    round->user = &w;
    round->task.run = begin;
    int code = mb_handle_post(round->m, &round->task, err);
    if (code) return code;
    // Every question has a total time, so this ends.
    pthread_mutex_lock(&w.lock);
    while (!w.is_done) pthread_cond_wait(&w.came, &w.lock);
    pthread_mutex_unlock(&w.lock);
    return 0;
}
