// SPDX-License-Identifier: MIT
// The I/O side of a call: ask the router, try the target, tell the router how it ended, until one answered or there is
// nothing left. Everything here runs on the I/O thread.
//
//     start ─▶ (discover) ─▶ step ─▶ attempt ─▶ attempt_done ─▶ over (DONE)
//                             ▲  │                  │
//                             │  └─▶ over (ERROR)   │ failed, nothing handed out
//                             └──── wait ◀──────────┘
#include <stddef.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "route/classify.h"
#include "route/extractive.h"
#include "runtime/answer.h"
#include "runtime/call.h"
#include "runtime/discover.h"
#include "runtime/ready.h"

#define CALL_OF(pointer, member) ((membrane_call *)((char *)(pointer)-offsetof(membrane_call, member)))

// ---- what the turn pours out
// ---------------------------------------------------------------------------------------------

static int pour(membrane_call *call, int type, const char *text, size_t len) {
    if (!call->first_ms) call->first_ms = mb_io_now(call->m->io);
    return mb_queue_push(&call->queue, type, text, len) ? 0 : MEMBRANE_ENOMEM;
}

static int pour_text(void *user, const char *text, size_t len) { return pour(user, MEMBRANE_EVENT_TEXT, text, len); }

static int pour_thinking(void *user, const char *text, size_t len) {
    return pour(user, MEMBRANE_EVENT_THINKING, text, len);
}

static int pour_tool_call(void *user, const mb_tool_call *tool) {
    membrane_call *call = user;
    if (!call->first_ms) call->first_ms = mb_io_now(call->m->io);
    membrane_event *event =
        mb_queue_push(&call->queue, MEMBRANE_EVENT_TOOL_CALL, mb_buf_text(&tool->arguments), tool->arguments.len);
    if (!event) return MEMBRANE_ENOMEM;
    mb_event_more(event)->id = tool->id; // both live as long as the turn, which lives on once they were handed out
    mb_event_more(event)->name = tool->name;
    event->flag = tool->whole;
    return 0;
}

mb_turn_sink mb_run_sink(membrane_call *call) { return (mb_turn_sink){call, pour_text, pour_thinking, pour_tool_call}; }

// What a round of the loop has brought is made visible for all calls first, and only then is anybody woken: a caller
// who was woken would else run into the next call that is not visible yet, and sleep again.
static void publish_all(mb_task *task) {
    mb_engine_room *room = (mb_engine_room *)((char *)task - offsetof(mb_engine_room, publish_task));
    membrane_call *first = room->dirty;
    room->dirty = NULL;
    for (membrane_call *call = first; call; call = call->dirty_next) mb_queue_link(&call->queue);
    for (membrane_call *call = first, *next; call; call = next) {
        next = call->dirty_next;
        call->is_dirty = false;
        if (mb_queue_link(&call->queue)) {
            mb_queue_wake(&call->queue);
            mb_ready_mark(call);
        }
        mb_call_unref(call);
    }
}

void mb_run_flush(membrane_call *call) {
    mb_engine_room *room = &call->m->room;
    if (call->is_dirty) return;
    call->is_dirty = true;
    if (!room->dirty) {
        room->publish_task.run = publish_all;
        mb_io_defer(room->io, &room->publish_task);
    }
    call->dirty_next = room->dirty;
    room->dirty = mb_call_ref(call);
}

static void on_progress(void *user) { mb_run_flush(user); }

static bool on_is_full(void *user) {
    membrane_call *call = user;
    if (!mb_queue_is_full(&call->queue)) return false;
    atomic_store(&call->paused, true);
    if (mb_queue_is_full(&call->queue)) return true;
    atomic_store(&call->paused, false); // the caller took something meanwhile and may not have seen the pause
    return false;
}

void mb_run_resume(mb_task *task) {
    membrane_call *call = CALL_OF(task, resume_task);
    atomic_store(&call->resume_posted, false);
    atomic_store(&call->paused, false);
    if (!call->is_over) mb_exchange_resume(&call->exchange);
    mb_call_unref(call);
}

// ---- the end
// -----------------------------------------------------------------------------------------------------------

static void unlink_call(membrane_call *call) {
    if (call->prev)
        call->prev->next = call->next;
    else
        call->m->first_call = call->next;
    if (call->next) call->next->prev = call->prev;
    call->next = call->prev = NULL;
}

// The request as it is kept: the headers that it brings may be keys.
static const char *prompt_of(const membrane_call *call, mb_buf *space) {
    if (!call->logs_prompt) return NULL;
    if (!mb_json_get(call->request, "extra_headers")) return call->request_text;
    mb_jw w = mb_jw_to(space);
    mb_jw_object(&w);
    for (uint32_t i = 0; i < call->request->count; i++) {
        const mb_json *member = &call->request->children[i];
        if (strcmp(member->key, "extra_headers") == 0) continue;
        mb_jw_key(&w, member->key);
        mb_jw_value(&w, member);
    }
    mb_jw_end_object(&w);
    return mb_buf_ok(space) ? mb_buf_text(space) : NULL;
}

static void log_row(membrane_call *call) {
    mb_buf attempts = mb_room_take_buf(&call->m->room, 1 << 20), prompt = MB_BUF(2 * MB_LIMIT_REQUEST);
    mb_jw w = mb_jw_to(&attempts);
    const mb_attempt *last = call->attempt_count ? &call->attempts[call->attempt_count - 1] : NULL;
    const mb_usage none = MB_USAGE_NONE, *u = call->has_turn ? &call->turn.usage : &none;
    int code = membrane_error_code(call->error);
    mb_render_attempts(&w, call);
    mb_call_row row = {
        .ts_ms = call->start_wall_ms,
        .request_id = call->request_id,
        .session = call->session,
        .provider = last ? last->target->provider->name : NULL,
        .model = last ? last->target->model : NULL,
        .outcome = code == 0                     ? "ok"
                   : code == MEMBRANE_ECANCELLED ? "cancelled"
                                                 : "error",
        .kind = code ? membrane_status_kind(code) : NULL,
        .message = code ? membrane_error_message(call->error) : NULL,
        .attempts = mb_buf_text(&attempts),
        .input = u->input,
        .cached = u->cached,
        .output = u->output,
        .reasoning = u->reasoning,
        .exact = mb_usage_is_exact(call),
        .cost_usd_micros = mb_call_cost(call),
        .latency_ms = call->end_ms - call->start_ms,
        .first_token_ms = call->first_ms ? call->first_ms - call->start_ms : -1,
        .prompt = prompt_of(call, &prompt),
        .answer = call->logs_prompt ? mb_buf_text(&call->turn.text) : NULL,
    };
    mb_calls_add(call->m->calls, &row);
    if (mb_records_wants(call->m->records, code ? MB_LEVEL_WARN : MB_LEVEL_INFO))
        mb_records_add(call->m->records, &(mb_record){code ? MB_LEVEL_WARN : MB_LEVEL_INFO, code ? row.message : "call",
                                                      call->request_id, call->session, row.provider, row.model,
                                                      code ? row.kind : "ok", u->output, row.latency_ms});
    mb_buf_free(&prompt);
    mb_room_give_buf(&call->m->room, &attempts);
}

// The terminal event. A call that cannot even allocate that has one ready: its own memory was taken at the start.
static void over(membrane_call *call, membrane_error *error) {
    mb_turn *turn = &call->turn;
    if (call->is_over) {
        membrane_error_free(error);
        return;
    }
    call->is_over = true;
    call->error = error;
    call->end_ms = mb_io_now(call->m->io);
    mb_io_timer_clear(call->m->io, &call->deadline_timer);
    mb_io_timer_clear(call->m->io, &call->wait_timer);
    mb_io_timer_clear(call->m->io, &call->attempt_timer);
    mb_exchange_free(&call->exchange);
    mb_host_cancel(call);
    if (error && !mb_error_is_static(error)) {
        mb_error_field(error, &error->request_id, call->request_id);
        if (turn->text.len) mb_error_field(error, &error->partial, mb_buf_text(&turn->text));
    }
    if (call->has_turn && (turn->usage.input >= 0 || turn->usage.output >= 0)) {
        membrane_event *usage = mb_queue_push(&call->queue, MEMBRANE_EVENT_USAGE, NULL, 0);
        if (usage) mb_event_more(usage)->usage = turn->usage, usage->flag = mb_usage_is_exact(call);
    }
    const char *finish = error ? "error" : mb_finish_name(turn->finish ? turn->finish : MB_FINISH_STOP);
    mb_queue_push_last(&call->queue, error ? MEMBRANE_EVENT_ERROR : MEMBRANE_EVENT_DONE, finish, error);
    log_row(call);
    unlink_call(call);
    mb_run_flush(call);
    mb_call_unref(call);
}

static void fail(membrane_call *call, int code, const char *text, const char *phase) {
    membrane_error *error = NULL;
    mb_error_set(&error, code, "%s", text);
    if (!mb_error_is_static(error)) error->phase = phase;
    over(call, error);
}

static void end_attempt(membrane_call *call, int code, int status) {
    if (!call->attempt_count) return;
    mb_attempt *a = &call->attempts[call->attempt_count - 1];
    if (a->end_ms) return;
    a->code = code;
    a->status = status;
    a->end_ms = mb_io_now(call->m->io);
}

void mb_run_cancel(mb_task *task) {
    membrane_call *call = CALL_OF(task, cancel_task);
    if (!call->is_over) {
        end_attempt(call, MEMBRANE_ECANCELLED, 0);
        fail(call, MEMBRANE_ECANCELLED, "the caller cancelled the call", NULL);
    }
    mb_call_unref(call);
}

void mb_run_cancel_all(membrane_t *m, int code) {
    while (m->first_call) {
        end_attempt(m->first_call, code, 0);
        fail(m->first_call, code, "the library is closing", NULL);
    }
}

static void deadline_fired(mb_timer *timer) {
    membrane_call *call = CALL_OF(timer, deadline_timer);
    membrane_error *error = NULL;
    end_attempt(call, MEMBRANE_ETIMEOUT, 0);
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

// ---- one attempt
// -------------------------------------------------------------------------------------------------------

static void succeeded(membrane_call *call) {
    membrane_error *error = NULL;
    end_attempt(call, 0, 0);
    if (mb_answer_check(call, &error) == 0) {
        over(call, NULL);
        return;
    }
    call->attempts[call->attempt_count - 1].code = membrane_error_code(error);
    over(call, error);
}

void mb_run_attempt_done(void *user, int code, membrane_error *error) {
    membrane_call *call = user;
    if (code == 0) {
        succeeded(call);
        return;
    }
    mb_attempt *a = &call->attempts[call->attempt_count - 1];
    if (!error) mb_error_set(&error, code, "%s: %s", a->target->provider->name, membrane_status_text(code));
    end_attempt(call, code, membrane_error_http_status(error));
    membrane_error_free(call->last_error);
    call->last_error = error;
    bool handed = mb_queue_was_handed(&call->queue);
    mb_route_failure failure = {(size_t)(a->target - call->targets), code, membrane_error_retry_after_ms(error),
                                mb_is_loading(error), handed};
    mb_run_step(call, &failure);
}

static int64_t first_of(int64_t a, int64_t b, int64_t c) { return a ? a : b ? b : c; }

static int send(membrane_call *call, const mb_target *target, int key, membrane_error **err) {
    const mb_provider *p = target->provider;
    mb_exchange_plan plan = {
        .provider = p,
        .key = key,
        .ask = {.kind = call->kind,
                .request = call->request,
                .provider = p->name,
                .model = target->model,
                .base_url = p->base_url,
                .quirks = p->quirks,
                .stream = call->stream,
                .warnings = &call->warnings},
        .extra_headers = call->extra_headers,
        .connect_ms = first_of(call->connect_ms, p->connect_ms, MB_TIME_CONNECT),
        .first_token_ms = first_of(call->first_token_ms, p->first_token_ms,
                                   p->local ? MB_TIME_FIRST_TOKEN_LOCAL : MB_TIME_FIRST_TOKEN),
        .idle_ms = first_of(call->idle_ms, p->idle_ms, MB_TIME_IDLE),
        .total_ms = p->total_ms,
        .turn = &call->turn,
        .is_full = on_is_full,
        .progress = on_progress,
        .done = mb_run_attempt_done,
        .user = call,
    };
    mb_exchange_free(&call->exchange);
    mb_buf_reset(&call->warnings);
    return mb_exchange_start(&call->exchange, &call->m->room, &plan, err);
}

static int missing_key(const mb_provider *p, membrane_error **err) {
    const char *ref = p->key_refs && p->key_refs[0] ? p->key_refs[0] : p->quirks->key_env;
    int code = mb_error_set(err, MEMBRANE_EAUTH, "%s: no key: %s is not set", p->name, ref ? ref : "api_key");
    if (ref && strncmp(ref, "env:", 4) == 0) mb_error_hint(*err, "export %s=…", ref + 4);
    return code;
}

static void nothing_left(membrane_call *call) {
    if (call->last_error) {
        membrane_error *error = call->last_error;
        call->last_error = NULL;
        over(call, error);
        return;
    }
    const char *why = call->route.count ? call->route.targets[0].passed_over : NULL;
    membrane_error *error = NULL;
    mb_error_set(&error, MEMBRANE_ENOTARGET, "no target may be tried%s%s%s", why ? " (the first one: " : "",
                 why ? why : "", why ? ")" : "");
    over(call, error);
}

static bool has_room(membrane_call *call) {
    if (!call->attempts) {
        call->attempts = call->first_attempts;
        call->attempt_cap = MB_COUNT(call->first_attempts);
    }
    if (call->attempt_count < call->attempt_cap) return true;
    mb_attempt *more = mb_arena_alloc(&call->arena, MB_LIMIT_ATTEMPTS * sizeof *more);
    if (!more) return false;
    memcpy(more, call->attempts, (size_t)call->attempt_count * sizeof *more);
    call->attempts = more;
    call->attempt_cap = MB_LIMIT_ATTEMPTS;
    return true;
}

enum { ATTEMPT_QUIET_MS = 20 };

static void attempt_fired(mb_timer *timer) { mb_run_flush(CALL_OF(timer, attempt_timer)); }

static void attempt(membrane_call *call, size_t index, int key, const char *reason) {
    const mb_target *target = &call->targets[index];
    const mb_provider *p = target->provider;
    membrane_error *error = NULL;
    int code;
    if (call->attempt_count == MB_LIMIT_ATTEMPTS || !has_room(call)) {
        nothing_left(call);
        return;
    }
    call->attempts[call->attempt_count++] =
        (mb_attempt){.target = target, .key = key, .start_ms = mb_io_now(call->m->io), .reason = reason};
    if (call->has_turn) mb_turn_free(&call->turn);
    mb_turn_init(&call->turn, mb_run_sink(call));
    mb_arena_lend(&call->turn.arena, call->turn_memory, sizeof call->turn_memory);
    call->has_turn = true;
    membrane_event *event = mb_queue_push(&call->queue, MEMBRANE_EVENT_ATTEMPT, NULL, 0);
    if (event) {
        mb_event_extra *more = mb_event_more(event);
        more->name = p->name;
        more->id = target->model;
        more->engine = p->quirks->kind;
        more->reason = reason;
        event->number = (uint32_t)call->attempt_count;
    }
    if (p->host)
        code = mb_host_start(call, p, target->model, &error);
    else if (!p->adapter)
        code = mb_extractive_answer(call->request, &call->turn, &error);
    else
        code = p->key_missing && p->key_count == 0 ? missing_key(p, &error) : send(call, target, key, &error);
    // A quick answer brings the attempt's event along; only a caller who has to wait is woken for it.
    if (code == 0 && p->adapter)
        mb_io_timer_set(call->m->io, &call->attempt_timer, mb_io_now(call->m->io) + ATTEMPT_QUIET_MS);
    else
        mb_run_flush(call);
    if (code || (!p->host && !p->adapter)) mb_run_attempt_done(call, code, error);
}

static void wait_fired(mb_timer *timer) {
    membrane_call *call = CALL_OF(timer, wait_timer);
    attempt(call, call->next_target, call->next_key, call->next_reason);
}

void mb_run_step(membrane_call *call, const mb_route_failure *failure) {
    int64_t now = mb_io_now(call->m->io);
    mb_route_decision d = mb_route_next(&call->route, failure, now, mb_rng_unit(&call->m->rng));
    // What was queued and not handed out is as if it had never been said; if the caller took it meanwhile, it is too
    // late.
    if (d.what == MB_ROUTE_TRY && failure && !mb_queue_take_back(&call->queue)) d.what = MB_ROUTE_FAIL;
    if (d.what == MB_ROUTE_FAIL) {
        nothing_left(call);
        return;
    }
    if (failure) { // nor is it a partial text, should the time be over before the next attempt
        call->first_ms = 0;
        mb_turn_free(&call->turn);
        mb_turn_init(&call->turn, mb_run_sink(call));
    }
    if (!failure && call->chosen_because) d.reason = call->chosen_because;
    if (d.at_ms <= now) {
        attempt(call, d.target, d.key, d.reason);
        return;
    }
    call->next_target = d.target;
    call->next_key = d.key;
    call->next_reason = d.reason;
    mb_io_timer_set(call->m->io, &call->wait_timer, d.at_ms);
}

// ---- the start
// ---------------------------------------------------------------------------------------------------------

static void set_deadlines(membrane_call *call) {
    int64_t total = call->deadline_ms ? call->deadline_ms : MB_TIME_TOTAL;
    int64_t loading = first_of(call->first_token_ms, 0, MB_TIME_FIRST_TOKEN_LOCAL);
    call->route.deadline_ms = call->start_ms + total;
    call->route.loading_until_ms = call->start_ms + (loading < total ? loading : total);
    mb_io_timer_set(call->m->io, &call->deadline_timer, call->route.deadline_ms);
}

static void on_discovered(void *user, int code, membrane_error *error) {
    membrane_call *call = user;
    if (call->is_over) {
        membrane_error_free(error);
    } else if (code) {
        over(call, error);
    } else {
        set_deadlines(call);
        mb_run_step(call, NULL);
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
    set_deadlines(call);
    if (call->discovers)
        mb_discover(mb_call_ref(call), on_discovered);
    else
        mb_run_step(call, NULL);
}
