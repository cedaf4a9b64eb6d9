// SPDX-License-Identifier: MIT
// The I/O side of a call: ask the router, try the target, tell the router how it ended, until one answered or there is
// nothing left. Everything here runs on the I/O thread.
//
//     start ─▶ (discover) ─▶ step ─▶ go ─▶ runner ─▶ ended ─▶ over (DONE)
//                            ▲ │ │                     │
//                            │ │ └▶ over (ERROR)       │ failed, nothing handed out
//                            │ └▶ wait for a limit ─▶ step
//                            └──── wait ◀──────────────┘
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "route/classify.h"
#include "runtime/answer.h"
#include "runtime/call.h"
#include "runtime/cut.h"
#include "runtime/discover.h"
#include "runtime/facts.h"
#include "runtime/load.h"
#include "runtime/probe.h"
#include "runtime/ready.h"
#include "runtime/story.h"

#define CALL_OF(pointer, member) ((membrane_call *)((char *)(pointer)-offsetof(membrane_call, member)))

// ---- the end -------------------------------------------------------------------------------------------------------

static void unlink_call(membrane_call *call) {
    if (call->prev)
        call->prev->next = call->next;
    else
        call->m->first_call = call->next;
    if (call->next) call->next->prev = call->prev;
    call->next = call->prev = NULL;
}

static void end_runners(membrane_call *call, int code) {
    mb_runner_end(&call->first_runner, code, NULL);
    if (call->hedge) mb_runner_end(call->hedge, code, NULL);
}

// Everything that it holds of what all calls share.
static void give_everything_back(membrane_call *call) {
    membrane_t *m = call->m;
    mb_timer *timers[] = {&call->deadline_timer, &call->wait_timer, &call->attempt_timer, &call->hedge_timer};
    for (size_t i = 0; i < MB_COUNT(timers); i++) mb_io_timer_clear(m->io, timers[i]);
    mb_waiting_leave(call);
    mb_money_forget(&call->money_wait);
    mb_runner_withdraw(call->runner);
    end_runners(call, MEMBRANE_ECANCELLED);
    mb_runner_stop(&call->first_runner);
    if (call->hedge) mb_runner_stop(call->hedge);
    pthread_mutex_lock(&m->board_lock);
    if (call->is_counted) mb_board_call_ends(m->board);
    pthread_mutex_unlock(&m->board_lock);
    call->is_counted = false;
}

// The terminal event. A call that cannot even allocate that has one ready: its own memory was taken at the start.
static void over(membrane_call *call, membrane_error *error) {
    if (call->is_over) {
        membrane_error_free(error);
        return;
    }
    call->is_over = true;
    call->error = error;
    call->end_ms = mb_io_now(call->m->io);
    give_everything_back(call);
    const mb_turn *turn = mb_call_turn(call);
    if (error && !mb_error_is_static(error)) {
        mb_error_field(error, &error->request_id, call->request_id);
        if (turn && turn->text.len) mb_error_field(error, &error->partial, mb_buf_text(&turn->text));
    }
    if (turn && (turn->usage.input >= 0 || turn->usage.output >= 0)) {
        membrane_event *usage = mb_queue_push(&call->queue, MEMBRANE_EVENT_USAGE, NULL, 0);
        if (usage) mb_event_more(usage)->usage = turn->usage, usage->flag = mb_usage_is_exact(call);
    }
    const char *finish = error ? "error" : mb_finish_name(turn && turn->finish ? turn->finish : MB_FINISH_STOP);
    mb_queue_push_last(&call->queue, error ? MEMBRANE_EVENT_ERROR : MEMBRANE_EVENT_DONE, finish, error);
    mb_call_record(call);
    mb_facts_close(call);
    unlink_call(call);
    mb_call_flush(call);
    mb_call_unref(call);
}

static void fail(membrane_call *call, int code, const char *text) {
    membrane_error *error = NULL;
    mb_error_set(&error, code, "%s", text);
    over(call, error);
}

static void out_of_memory(membrane_call *call) {
    membrane_error *error = NULL;
    mb_error_no_memory(&error);
    over(call, error);
}

void mb_run_cancel(mb_task *task) {
    membrane_call *call = CALL_OF(task, cancel_task);
    if (!call->is_over) fail(call, MEMBRANE_ECANCELLED, "the caller cancelled the call");
    mb_call_unref(call);
}

void mb_run_cancel_all(membrane_t *m, int code) {
    while (m->first_call) fail(m->first_call, code, "the library is closing");
}

static void deadline_fired(mb_timer *timer) {
    membrane_call *call = CALL_OF(timer, deadline_timer);
    membrane_error *error = NULL;
    end_runners(call, MEMBRANE_ETIMEOUT);
    mb_error_set(&error, MEMBRANE_ETIMEOUT, "the call's deadline of %lld ms has passed%s%s",
                 (long long)(call->route.deadline_ms - call->start_ms), call->last_error ? "; before that: " : "",
                 call->last_error ? membrane_error_message(call->last_error) : "");
    if (!mb_error_is_static(error)) {
        error->phase = "total";
        error->cause = call->last_error;
        call->last_error = NULL;
    }
    over(call, error);
}

static bool is_dear(const mb_verdict *v) {
    return v->why && (strcmp(v->why, MB_FACTS_TOO_DEAR) == 0 || strcmp(v->why, MB_FACTS_UNKNOWN_COST) == 0);
}

// Why nobody was asked: each target with its reason.
static membrane_error *nobody_asked(const membrane_call *call, int64_t now_ms) {
    mb_buf why = MB_BUF(2048);
    membrane_error *error = NULL;
    bool dear = false;
    pthread_mutex_lock(&call->m->board_lock);
    for (size_t i = 0; i < call->route.count && i < 8; i++) {
        mb_verdict v = mb_route_judge(&call->route, i, now_ms);
        dear |= is_dear(&v);
        mb_buf_putf(&why, "%s%s/%s: %s", i ? "; " : "", call->targets[i].provider->name, call->targets[i].model,
                    v.why ? v.why : "free");
    }
    pthread_mutex_unlock(&call->m->board_lock);
    mb_error_set(&error, dear ? MEMBRANE_EBUDGET : MEMBRANE_ENOTARGET, "no target may be tried (%s)",
                 mb_buf_text(&why));
    if (dear)
        mb_error_hint(error, "raise the call's limit of cost, give max_tokens, or a price (docs/guide/prices.md)");
    mb_buf_free(&why);
    return error;
}

static membrane_error *limit_reached(const membrane_call *call, const mb_route_decision *d, int64_t now_ms) {
    const mb_target *t = &call->targets[d->target];
    membrane_error *error = NULL;
    const int64_t wait = d->at_ms < MB_GATE_NEVER ? d->at_ms - now_ms : -1;
    char again[48] = "";
    if (wait > 0) snprintf(again, sizeof again, "; it is free again in %lld s", (long long)((wait + 999) / 1000));
    mb_error_set(&error, MEMBRANE_ERATE, "%s/%s: a limit of ours is reached (rpm, tpm or parallel)%s",
                 t->provider->name, t->model, again);
    if (mb_error_is_static(error)) return error;
    error->retry_after_ms = wait > 0 ? wait : -1;
    mb_error_field(error, &error->provider, t->provider->name);
    mb_error_hint(error, "let the call wait %s (max_wait), or raise the limits in the configuration",
                  call->way.max_wait_ms > 0 ? "longer" : "for it");
    return error;
}

static void nothing_left(membrane_call *call, const mb_route_decision *d) {
    membrane_error *error = call->last_error;
    int64_t now = mb_io_now(call->m->io);
    call->last_error = NULL;
    if (!error) error = d->code == MEMBRANE_ERATE ? limit_reached(call, d, now) : nobody_asked(call, now);
    over(call, error);
}

// ---- one attempt ---------------------------------------------------------------------------------------------------

static bool has_room(membrane_call *call) {
    if (!call->attempts) {
        call->attempts = call->first_attempts;
        call->attempt_cap = MB_COUNT(call->first_attempts);
    }
    if (call->attempt_count < call->attempt_cap) return true;
    if (call->attempt_cap == MB_LIMIT_ATTEMPTS) return false;
    mb_attempt *more = mb_arena_alloc(&call->arena, MB_LIMIT_ATTEMPTS * sizeof *more);
    if (!more) return false;
    memcpy(more, call->attempts, (size_t)call->attempt_count * sizeof *more);
    call->attempts = more;
    call->attempt_cap = MB_LIMIT_ATTEMPTS;
    return true;
}

static void attempt_fired(mb_timer *timer) { mb_call_flush(CALL_OF(timer, attempt_timer)); }

static void set_hedge(membrane_call *call) {
    const mb_hedge *hedge = &call->way.hedge;
    int64_t delay = hedge->delay_ms, now = mb_io_now(call->m->io);
    if (hedge->kind == MB_HEDGE_OFF || call->hedge || call->route.count < 2) return;
    if (hedge->kind == MB_HEDGE_P95) {
        const mb_target_facts *facts = call->route_targets[call->runner->target].facts;
        delay = mb_pace_percentile(call->stream ? &facts->first : &facts->whole, 95);
    }
    if (delay >= 0) mb_io_timer_set(call->m->io, &call->hedge_timer, now + delay);
}

static int hold_money(membrane_call *call, mb_runner *r, const mb_route_decision *d, mb_money_wait *wait,
                      membrane_error **err) {
    mb_money *money = call->m->money;
    const mb_target *t = &call->targets[d->target];
    if (!mb_money_has_rules(money)) return 0;
    const mb_money_subject subject = {t->provider->name, d->key, t->model, call->model_name, call->session};
    return mb_money_hold(money, &subject, mb_facts_bound(call, d->target), mb_wall_ms(), wait, &r->hold, err);
}

static void hedge_fired(mb_timer *timer) {
    membrane_call *call = CALL_OF(timer, hedge_timer);
    membrane_t *m = call->m;
    int64_t now = mb_io_now(m->io);
    if (!call->runner->is_running || call->runner->first_ms || call->hedge || !has_room(call)) return;
    mb_runner *hedge = mb_arena_zalloc(&call->arena, sizeof *hedge);
    if (!hedge) return; // the first one goes on all the same
    pthread_mutex_lock(&m->board_lock);
    call->route.may_retry = mb_board_may_retry(m->board);
    mb_route_decision d = mb_route_hedge(&call->route, now, mb_rng_unit(&m->rng));
    bool tries = d.what == MB_ROUTE_TRY;
    if (tries && !mb_facts_is_affordable(call, d.target)) { // beside what the one that runs may cost
        mb_route_take_back(&call->route, d.target);
        tries = false;
    }
    if (tries) {
        mb_board_take_retry(m->board);
        mb_board_enter(m->board, call->route_targets[d.target].facts, d.key, call->route.tokens, now, &hedge->ticket);
    }
    pthread_mutex_unlock(&m->board_lock);
    if (!tries) return;
    hedge->call = call;
    hedge->warnings = MB_BUF(65536);
    hedge->holds_retry = true;
    if (hold_money(call, hedge, &d, NULL, NULL) != 0) { // it is no more than an attempt to be quicker
        mb_runner_withdraw(hedge);
        mb_route_take_back(&call->route, d.target);
        return;
    }
    call->hedge = hedge;
    mb_runner_begin(hedge, d.target, d.key, d.reason);
}

// Its place is taken, if it is still free: while it waited for its time others may have come.
static bool enter(membrane_call *call, const mb_route_decision *d) {
    membrane_t *m = call->m;
    int64_t now = mb_io_now(m->io);
    pthread_mutex_lock(&m->board_lock);
    const bool is_free = mb_route_is_open(&call->route, d->target, d->key, now);
    if (is_free)
        mb_board_enter(m->board, call->route_targets[d->target].facts, d->key, call->route.tokens, now,
                       &call->runner->ticket);
    else
        mb_route_take_back(&call->route, d->target);
    if (!is_free && call->runner->holds_retry) mb_board_give_retry(m->board);
    if (!is_free) call->runner->holds_retry = false;
    pthread_mutex_unlock(&m->board_lock);
    return is_free;
}

// Nothing was tried yet, and the decision is not what came of it: the log says why.
static void pass_over(membrane_call *call, size_t target, const char *why) {
    if (call->attempt_count || !call->seen) return;
    const char *kept = why ? mb_arena_strdup(&call->arena, why) : NULL;
    mb_seen *seen = &call->seen[target < call->seen_count ? target : call->seen_count];
    seen->verdict.standing = MB_EXCLUDED;
    seen->verdict.why = kept ? kept : "a budget has too little left";
    if (call->taken == target) call->taken = SIZE_MAX;
}

// It has its place. The money for it may have to be fetched first; where none is left another target may cost nothing.
static void pay(membrane_call *call, const mb_route_decision *d) {
    mb_runner *r = call->runner;
    membrane_error *error = NULL;
    int code = hold_money(call, r, d, &call->money_wait, &error);
    if (code == MEMBRANE_EAGAIN) {
        call->pending = *d;
        return;
    }
    if (code) {
        mb_runner_withdraw(r);
        mb_route_take_back(&call->route, d->target);
        pass_over(call, d->target, membrane_error_message(error));
        membrane_error_free(call->last_error ? error : NULL); // what an attempt said goes before it
        if (!call->last_error) call->last_error = error;
        mb_route_failure failure = {d->target, code, -1, false, false};
        mb_run_step(call, &failure);
        return;
    }
    call->route.had_its_turn = false;
    r->target = d->target;
    set_hedge(call);
    mb_runner_begin(r, d->target, d->key, d->reason);
}

static void money_ready(mb_money_wait *wait) {
    membrane_call *call = CALL_OF(wait, money_wait);
    mb_route_decision d = call->pending;
    pay(call, &d);
}

static void go(membrane_call *call, const mb_route_decision *lent) {
    mb_route_decision d = *lent; // it may be the pending one, which others write over
    if (!has_room(call))
        nothing_left(call, &d);
    else if (!enter(call, &d))
        mb_run_step(call, NULL);
    else
        pay(call, &d);
}

// The time of a decision has come, or that of waiting for a limit is over.
static void wait_fired(mb_timer *timer) {
    membrane_call *call = CALL_OF(timer, wait_timer);
    if (mb_io_now(call->m->io) >= call->route.deadline_ms) { // both are due: there is no time left to decide in
        deadline_fired(&call->deadline_timer);
        return;
    }
    if (call->pending.what == MB_ROUTE_TRY) {
        go(call, &call->pending);
        return;
    }
    mb_waiting_leave(call);
    mb_run_step(call, NULL);
}

// ---- the next step -------------------------------------------------------------------------------------------------

// What the first decision saw, for whoever asks later why: of a long list the beginning, and who was taken.
static void remember(membrane_call *call, int64_t now_ms) {
    size_t count = call->route.count < MB_STORY_LOGGED ? call->route.count : MB_STORY_LOGGED;
    if (call->route.count < 2 || call->seen) return;
    call->seen = mb_arena_zalloc(&call->arena, (count + 1) * sizeof *call->seen);
    call->seen_count = count;
    for (size_t i = 0; call->seen && i < count; i++) call->seen[i] = mb_see(call, i, now_ms);
}

static mb_route_decision decide(membrane_call *call, const mb_route_failure *failure) {
    membrane_t *m = call->m;
    int64_t now = mb_io_now(m->io);
    const bool is_first = call->attempt_count == 0 && (!failure || call->taken == SIZE_MAX);
    pthread_mutex_lock(&m->board_lock);
    call->route.may_retry = mb_board_may_retry(m->board);
    if (is_first) remember(call, now);
    mb_route_decision d = mb_route_next(&call->route, failure, now, mb_rng_unit(&m->rng));
    if (is_first && call->seen && d.what == MB_ROUTE_TRY && d.target >= call->seen_count)
        call->seen[call->seen_count] = mb_see(call, d.target, now);
    if (d.what == MB_ROUTE_TRY && d.is_retry && !call->runner->holds_retry) {
        mb_board_take_retry(m->board);
        call->runner->holds_retry = true;
    }
    pthread_mutex_unlock(&m->board_lock);
    if (is_first && d.what == MB_ROUTE_TRY) {
        call->taken = d.target;
        if (call->route.count == 1 && call->chosen_because) d.reason = call->chosen_because;
        call->taken_because = d.reason;
        mb_load_warm(call);
    }
    return d;
}

static void queue_up(membrane_call *call, const mb_route_decision *d) {
    if (mb_waiting_join(call) != 0) {
        mb_waiting_leave(call);
        out_of_memory(call);
        return;
    }
    mb_io_timer_set(call->m->io, &call->wait_timer, d->at_ms);
}

void mb_run_step(membrane_call *call, const mb_route_failure *failure) {
    if (failure) mb_facts_learn(call, failure);
    mb_route_decision d = decide(call, failure);
    // What was queued and not handed out is as if it had never been said; if the caller took it meanwhile, it is too
    // late, unless the answer may begin again or go on elsewhere.
    if (d.what != MB_ROUTE_FAIL && failure && !mb_queue_take_back(&call->queue) &&
        !mb_cut_mend(call, failure->code, &d))
        d = (mb_route_decision){.what = MB_ROUTE_FAIL, .code = failure->code};
    if (d.what == MB_ROUTE_FAIL) {
        nothing_left(call, &d);
        return;
    }
    if (failure) { // nor is it a partial text, should the time be over before the next attempt
        call->first_ms = 0;
        mb_runner_fresh_turn(call->runner);
    }
    call->pending = d;
    if (d.what == MB_ROUTE_QUEUE)
        queue_up(call, &d);
    else if (d.at_ms <= mb_io_now(call->m->io))
        go(call, &d);
    else
        mb_io_timer_set(call->m->io, &call->wait_timer, d.at_ms);
}

static void stick(membrane_call *call, const mb_runner *r) {
    membrane_t *m = call->m;
    const mb_target_facts *facts = call->route_targets[r->target].facts;
    if (!call->session || !call->way.sticky_ms) return;
    pthread_mutex_lock(&m->board_lock);
    mb_board_stick(m->board, call->session, (mb_stick){facts->number, call->attempts[r->attempt].key},
                   mb_io_now(m->io) + call->way.sticky_ms);
    pthread_mutex_unlock(&m->board_lock);
}

void mb_run_ended(mb_runner *r, int code, membrane_error *error) {
    membrane_call *call = r->call;
    if (code == 0) {
        stick(call, r);
        code = mb_answer_check(call, &error);
        call->attempts[r->attempt].code = code;
        over(call, code ? error : NULL);
        return;
    }
    if (code == MEMBRANE_ECONNECT) mb_probe_hurry(call->m, call->targets[r->target].provider);
    membrane_error_free(call->last_error);
    call->last_error = error;
    const bool handed = mb_queue_was_handed(&call->queue) && !mb_cut_may_mend(call, code);
    mb_route_failure failure = {r->target, code, membrane_error_retry_after_ms(error), mb_is_loading(error), handed};
    mb_run_step(call, &failure);
}

// ---- the start -----------------------------------------------------------------------------------------------------

static void set_deadlines(membrane_call *call) {
    int64_t total = call->deadline_ms ? call->deadline_ms : MB_TIME_TOTAL;
    int64_t loading = call->first_token_ms ? call->first_token_ms : MB_TIME_FIRST_TOKEN_LOCAL;
    call->route.deadline_ms = call->start_ms + total;
    call->route.loading_until_ms = call->start_ms + (loading < total ? loading : total);
    call->route.wait_until_ms = call->start_ms + call->way.max_wait_ms;
    mb_io_timer_set(call->m->io, &call->deadline_timer, call->route.deadline_ms);
}

static void first_step(membrane_call *call) {
    set_deadlines(call);
    if (mb_facts_open(call, call->start_ms) != 0) {
        out_of_memory(call);
        return;
    }
    mb_probe_use(call);
    mb_run_step(call, NULL);
}

static void on_discovered(void *user, int code, membrane_error *error) {
    membrane_call *call = user;
    if (call->is_over) {
        membrane_error_free(error);
    } else if (code) {
        over(call, error);
    } else {
        first_step(call);
    }
    mb_call_unref(call);
}

void mb_run_start(mb_task *task) {
    membrane_call *call = CALL_OF(task, start_task);
    membrane_t *m = call->m;
    call->next = m->first_call;
    if (call->next) call->next->prev = call;
    m->first_call = call;
    call->is_started = true;
    call->queue.pool = &m->room.blocks;
    call->start_ms = mb_io_now(call->m->io);
    call->deadline_timer.fire = deadline_fired;
    call->wait_timer.fire = wait_fired;
    call->attempt_timer.fire = attempt_fired;
    call->hedge_timer.fire = hedge_fired;
    call->money_wait.ready = money_ready;
    pthread_mutex_lock(&m->board_lock);
    mb_board_call_begins(m->board);
    pthread_mutex_unlock(&m->board_lock);
    call->is_counted = true;
    if (call->discovers) {
        set_deadlines(call);
        mb_discover(mb_call_ref(call), on_discovered);
    } else {
        first_step(call);
    }
}
