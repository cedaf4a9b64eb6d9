// SPDX-License-Identifier: MIT
// One call: what the caller's side made of the request (read-only once it is queued), and what the I/O thread does with
// it: attempts until one succeeds or the router gives up. The caller and the I/O thread hold a reference each.
#ifndef MB_RUNTIME_CALL_H
#define MB_RUNTIME_CALL_H

#include "runtime/handle.h"
#include "runtime/money.h"
#include "runtime/queue.h"
#include "runtime/runner.h"

// What the first decision saw of a target; kept for the log where a call had a choice.
typedef struct mb_seen {
    mb_verdict verdict;
    mb_breaker_state breaker;
    int64_t ready_in_ms; // 0: now, or nobody knows
    int64_t window;      // 0: not known
    int in_flight;
    double wait_ms; // expected until the first token, -1: not known
} mb_seen;

struct membrane_call {
    atomic_int refs;
    membrane_t *m;
    mb_config *config;
    mb_queue queue;
    // the request; read-only once queued
    mb_arena arena;
    const mb_json *request;
    const char *request_text; // kept only if it is to be logged or handed to a host's provider
    size_t request_len;
    mb_ask_kind kind;
    uint32_t flags;
    bool stream, logs_prompt;
    const char *request_id, *session;
    const char *const *extra_headers;
    int64_t deadline_ms, connect_ms, first_token_ms, idle_ms; // 0: as configured
    const mb_target *targets;
    mb_route_target *route_targets;
    const char *chosen_because;
    const char *via;
    bool discovers;              // the targets are looked for on the I/O thread
    bool is_logical;             // the targets are those of a model of the configuration
    const mb_model *model;       // NULL: none
    const char *model_name;      // of it, NULL: none
    mb_way way;                  // as configured and as the call says
    int retries;                 // MEMBRANE_UNSET: as configured
    int policy;                  // mb_policy; -1: as configured
    const char *only_provider;   // NULL: any
    int64_t max_cost_usd_micros; // 0: as configured
    int64_t max_wait_ms;         // MEMBRANE_UNSET: as configured
    int64_t hedge_ms;            // MEMBRANE_HEDGE_P95; 0: never; MEMBRANE_UNSET: as configured
    int max_attempts;            // 1 to MB_LIMIT_ATTEMPTS
    // any thread
    mb_task start_task, cancel_task, resume_task;
    atomic_bool cancel_posted, resume_posted, paused;
    // guarded by m->lock: the ready list
    membrane_call *live_next, *live_prev;
    membrane_call *ready_next, *ready_prev;
    bool is_ready, is_dropped;
    // the I/O thread's
    membrane_call *next, *prev; // m->first_call
    mb_route route;
    mb_runner first_runner;
    mb_runner *runner;    // the one whose answer counts
    mb_runner *hedge;     // a second one, in the arena; NULL: there was none
    int64_t input_tokens; // a guess; 0: nobody has asked yet
    mb_seen *seen; // of the first seen_count targets, behind them the one that was taken; in the arena, NULL: there
                   // was no choice, or no memory
    size_t seen_count;
    size_t taken; // by the first decision; SIZE_MAX: none
    const char *taken_because;
    mb_waiter *waiters;   // one a target, in the arena; where it waits for limits of ours
    mb_attempt *attempts; // in the arena; grows from first_attempts
    mb_attempt first_attempts[2];
    int attempt_count, attempt_cap;
    mb_timer deadline_timer, wait_timer, attempt_timer, hedge_timer;
    mb_task loser_task; // stops the runner that lost
    bool is_posted_loser;
    mb_route_decision pending; // what it waits for the time of, or for money
    mb_money_wait money_wait;
    const char *partial;      // what was handed out of an answer that broke off, to be continued; in the arena
    size_t partial_len;       // of it with the spaces at its end
    size_t partial_cut;       // those spaces, which no provider is sent
    const mb_json *continued; // the request that goes on where it ended
    int64_t start_ms, first_ms, end_ms, start_wall_ms;
    membrane_error *last_error;
    membrane_call *dirty_next; // of room->dirty
    bool is_over, is_started, is_dirty, is_counted, holds_facts;
    // after the terminal event: the caller's
    membrane_error *error; // the call's, NULL after DONE
    membrane_result *result;
    _Alignas(16) char first_memory[4096]; // lent to the arena
    _Alignas(16) char turn_memory[256];   // lent to the turn's
};

// A request, checked and resolved; nothing runs. The caller's reference is the only one.
int mb_call_prepare(membrane_t *m, const char *text, size_t len, const membrane_call_options *options,
                    membrane_call **ret, membrane_error **err);
membrane_call *mb_call_ref(membrane_call *call);
void mb_call_unref(membrane_call *call);
void mb_call_free_idle(membrane_t *m); // when the handle is released

// run.c: the I/O side.
void mb_run_start(mb_task *task);
void mb_run_cancel(mb_task *task);
void mb_run_resume(mb_task *task);
void mb_run_cancel_all(membrane_t *m, int code);
void mb_run_step(membrane_call *call, const mb_route_failure *failure);
// A runner has ended, and nothing else runs; takes the error.
void mb_run_ended(mb_runner *r, int code, membrane_error *error);

// publish.c: what runners pour becomes visible to the caller.
void mb_call_flush(membrane_call *call);
bool mb_call_is_full(void *call); // pauses

static inline mb_turn *mb_call_turn(const membrane_call *call) {
    return call->runner->has_turn ? &call->runner->turn : NULL;
}

mb_attempt *mb_call_last(const membrane_call *call); // the attempt whose answer counts; NULL: there was none
void mb_call_record(membrane_call *call);            // record.c: what stays of it

// waiting.c: limits of our own.
int mb_waiting_join(membrane_call *call); // stands at every limit that is in its way; MEMBRANE_ENOMEM
void mb_waiting_leave(membrane_call *call);
void mb_waiting_serve(membrane_t *m); // soon: something may have become free

// resolve.c: the model's name into targets. Fills call->targets, route, chosen_because, or call->discovers.
int mb_resolve(membrane_call *call, const char *model, membrane_error **err);
int mb_resolve_provider(membrane_t *m, mb_config *config, mb_arena *arena, const char *name, size_t len,
                        const mb_provider **ret, membrane_error **err);
int mb_resolve_set(membrane_call *call, const mb_target *targets, size_t count, const mb_way *way,
                   membrane_error **err);

// render.c
void mb_render_result(mb_jw *w, const membrane_call *call);
void mb_render_usage(mb_jw *w, const mb_usage *usage, bool exact);
bool mb_usage_is_exact(const membrane_call *call);
int64_t mb_call_cost(const membrane_call *call);      // micro-dollars; -1: not known
int mb_call_unknown_costs(const membrane_call *call); // attempts that may have cost something, nobody knows how much

// host.c: providers that the program supplies.
int mb_host_start(mb_runner *runner, const mb_provider *provider, membrane_error **err);
void mb_host_cancel(mb_runner *runner);

#endif
