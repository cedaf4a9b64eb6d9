// SPDX-License-Identifier: MIT
// One call: what the caller's side made of the request (read-only once it is queued), and what the I/O thread does with
// it: attempts until one succeeds or the router gives up. The caller and the I/O thread hold a reference each.
#ifndef MB_RUNTIME_CALL_H
#define MB_RUNTIME_CALL_H

#include "runtime/handle.h"
#include "runtime/queue.h"

typedef struct mb_attempt {
    const mb_target *target;
    int key;
    int code, status;
    int64_t start_ms, end_ms; // of the call's clock
    const char *reason;
} mb_attempt;

typedef struct mb_host_run mb_host_run; // of a host-supplied provider

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
    mb_turn turn;
    bool has_turn;
    mb_exchange exchange;
    mb_host_run *host_run;
    mb_buf warnings;
    mb_attempt *attempts; // in the arena; grows from first_attempts
    mb_attempt first_attempts[2];
    int attempt_count, attempt_cap;
    mb_timer deadline_timer, wait_timer, attempt_timer;
    size_t next_target;
    int next_key;
    const char *next_reason;
    int64_t start_ms, first_ms, end_ms, start_wall_ms;
    membrane_error *last_error;
    membrane_call *dirty_next; // of room->dirty
    bool is_over, is_started, is_dirty;
    // after the terminal event: the caller's
    membrane_error *error; // the call's, NULL after DONE
    membrane_result *result;
    _Alignas(16) char first_memory[4096]; // lent to the arena
    _Alignas(16) char turn_memory[256];   // lent to the turn's
};

membrane_call *mb_call_ref(membrane_call *call);
void mb_call_unref(membrane_call *call);
void mb_call_free_idle(membrane_t *m); // when the handle is released

// run.c: the I/O side.
void mb_run_start(mb_task *task);
void mb_run_cancel(mb_task *task);
void mb_run_resume(mb_task *task);
void mb_run_cancel_all(membrane_t *m, int code);
void mb_run_step(membrane_call *call, const mb_route_failure *failure);
// An attempt has ended (also called by host providers); takes the error.
void mb_run_attempt_done(void *user, int code, membrane_error *error);
void mb_run_flush(membrane_call *call); // publishes what the turn has poured into the queue
mb_turn_sink mb_run_sink(membrane_call *call);

// resolve.c: the model's name into targets. Fills call->targets, route, chosen_because, or call->discovers.
int mb_resolve(membrane_call *call, const char *model, membrane_error **err);
int mb_resolve_provider(membrane_t *m, mb_config *config, mb_arena *arena, const char *name, size_t len,
                        const mb_provider **ret, membrane_error **err);
int mb_resolve_set(membrane_call *call, const mb_target *targets, size_t count, int retries, membrane_error **err);

// render.c
void mb_render_result(mb_jw *w, const membrane_call *call);
void mb_render_attempts(mb_jw *w, const membrane_call *call);
void mb_render_usage(mb_jw *w, const mb_usage *usage, bool exact);
bool mb_usage_is_exact(const membrane_call *call);
int64_t mb_call_cost(const membrane_call *call); // micro-dollars; -1: not known

// host.c: providers that the program supplies.
int mb_host_start(membrane_call *call, const mb_provider *provider, const char *model, membrane_error **err);
void mb_host_cancel(membrane_call *call);

#endif
