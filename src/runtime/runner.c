// SPDX-License-Identifier: MIT
#include "runtime/runner.h"

#include <stddef.h>
#include <string.h>

#include "base/clock.h"
#include "route/classify.h"
#include "route/extractive.h"
#include "runtime/call.h"
#include "runtime/facts.h"

#define RUNNER_OF(pointer, member) ((mb_runner *)((char *)(pointer)-offsetof(mb_runner, member)))

enum { ATTEMPT_QUIET_MS = 20, PACE_MS = 10000, BYTES_PER_TOKEN = 4 };

static mb_attempt *record_of(const mb_runner *r) { return &r->call->attempts[r->attempt]; }

// ---- what the turn pours out ---------------------------------------------------------------------------------------

static void stop_loser(mb_task *task) {
    membrane_call *call = (membrane_call *)((char *)task - offsetof(membrane_call, loser_task));
    mb_runner *loser = call->runner == call->hedge ? &call->first_runner : call->hedge;
    call->is_posted_loser = false;
    if (loser && loser->lost) {
        mb_runner_end(loser, MEMBRANE_ECANCELLED, NULL);
        mb_runner_stop(loser);
    }
    mb_call_unref(call);
}

// Of two that were asked this one has said something first. The other one is stopped when this round is over: its
// transfer may not be touched while another one's is being read.
static void win(mb_runner *r) {
    membrane_call *call = r->call;
    mb_runner *other = r == call->hedge ? &call->first_runner : call->hedge;
    call->runner = r;
    mb_io_timer_clear(call->m->io, &call->hedge_timer);
    if (!other || !other->is_running || other->lost) return;
    other->lost = true;
    if (call->is_posted_loser) return;
    call->is_posted_loser = true;
    call->loser_task.run = stop_loser;
    mb_call_ref(call);
    mb_io_defer(call->m->io, &call->loser_task);
}

static void watch_pace(mb_runner *r) {
    membrane_call *call = r->call;
    r->pace_ms = mb_io_now(call->m->io);
    r->pace_bytes = 0;
    mb_io_timer_set(call->m->io, &r->pace_timer, r->pace_ms + PACE_MS);
}

static void said_something(mb_runner *r) {
    membrane_call *call = r->call;
    r->first_ms = mb_io_now(call->m->io);
    if (!call->first_ms) call->first_ms = r->first_ms;
    record_of(r)->first_ms = r->first_ms - record_of(r)->start_ms;
    win(r);
    if (call->stream && call->way.min_tokens_per_s > 0) watch_pace(r);
}

// A stream that crawls is given up, while time in which the caller took nothing is not the provider's.
static void pace_fired(mb_timer *timer) {
    mb_runner *r = RUNNER_OF(timer, pace_timer);
    membrane_call *call = r->call;
    membrane_error *error = NULL;
    int64_t passed = mb_io_now(call->m->io) - r->pace_ms;
    double rate = (double)r->pace_bytes / BYTES_PER_TOKEN * 1000 / (double)(passed > 0 ? passed : 1);
    if (!r->is_running) return;
    if (atomic_load(&call->paused) || rate >= call->way.min_tokens_per_s) {
        watch_pace(r);
        return;
    }
    mb_error_set(&error, MEMBRANE_ESLOW, "%s: about %.1f tokens a second for %lld s, less than %.1f",
                 call->targets[r->target].provider->name, rate, (long long)(passed / 1000), call->way.min_tokens_per_s);
    mb_runner_stop(r);
    mb_runner_done(r, MEMBRANE_ESLOW, error);
}

static int pour(mb_runner *r, int type, const char *text, size_t len) {
    if (r->lost) return MEMBRANE_ECANCELLED;
    if (!r->first_ms) said_something(r);
    r->pace_bytes += len;
    return mb_queue_push(&r->call->queue, type, text, len) ? 0 : MEMBRANE_ENOMEM;
}

// What is continued was sent without the spaces at its end, which no model takes there: the caller has them already,
// and so has the turn, whose text ends with what has just come.
static int pour_text(void *user, const char *text, size_t len) {
    mb_runner *r = user;
    size_t skipped = 0;
    while (skipped < len && skipped < r->skip && memchr(" \t\r\n", text[skipped], 4)) skipped++;
    if (!skipped) {
        r->skip = 0;
        return pour(r, MEMBRANE_EVENT_TEXT, text, len);
    }
    mb_buf *whole = &r->turn.text;
    len -= skipped;
    r->skip = len ? 0 : r->skip - skipped;
    whole->len -= skipped;
    char *rest = whole->data + whole->len - len;
    memmove(rest, rest + skipped, len);
    whole->data[whole->len] = '\0';
    return len ? pour(r, MEMBRANE_EVENT_TEXT, rest, len) : 0;
}

static int pour_thinking(void *user, const char *text, size_t len) {
    return pour(user, MEMBRANE_EVENT_THINKING, text, len);
}

static int pour_tool_call(void *user, const mb_tool_call *tool) {
    mb_runner *r = user;
    if (r->lost) return MEMBRANE_ECANCELLED;
    if (!r->first_ms) said_something(r);
    r->pace_bytes += tool->arguments.len;
    membrane_event *event =
        mb_queue_push(&r->call->queue, MEMBRANE_EVENT_TOOL_CALL, mb_buf_text(&tool->arguments), tool->arguments.len);
    if (!event) return MEMBRANE_ENOMEM;
    mb_event_more(event)->id = tool->id; // both live as long as the turn, which lives on once they were handed out
    mb_event_more(event)->name = tool->name;
    event->flag = tool->whole;
    return 0;
}

mb_turn_sink mb_runner_sink(mb_runner *r) { return (mb_turn_sink){r, pour_text, pour_thinking, pour_tool_call}; }

// ---- its end -------------------------------------------------------------------------------------------------------

// Refused before anything was made of it: nobody bills that.
static bool was_free(int code, const membrane_error *error, const mb_runner *r) {
    if (!r->is_sent) return true;
    switch (code) {
    case MEMBRANE_ETIMEOUT:
    case MEMBRANE_ETRUNCATED:
    case MEMBRANE_EMALFORMED:
    case MEMBRANE_ESTREAM:
    case MEMBRANE_ESLOW:
    case MEMBRANE_ERESPONSE:
    case MEMBRANE_ECANCELLED:
    case MEMBRANE_ENOMEM: return error && membrane_error_http_status(error) >= 400 && !r->first_ms;
    default: return !r->first_ms;
    }
}

// -1: not known. What a provider counted of an answer that broke off is not all of it.
static int64_t cost_of(const mb_runner *r, int code, bool is_free) {
    const mb_provider *p = r->call->targets[r->target].provider;
    const mb_usage much = {.input = 1000000, .cached = 0, .cache_write = 0, .output = 1000000, .reasoning = 0};
    if (is_free || (!p->adapter && !p->host)) return 0;
    const mb_price *price = mb_facts_price(r->call, r->target);
    if (code == 0) return mb_price_cost(price, &r->turn.usage);
    return mb_price_cost(price, &much) == 0 ? 0 : -1;
}

static int64_t tokens_of(const mb_runner *r, bool is_free) {
    const mb_usage *u = &r->turn.usage;
    if (is_free) return 0;
    if (u->input < 0 && u->output < 0) return -1;
    int64_t sum;
    if (__builtin_add_overflow(u->input > 0 ? u->input : 0, u->output > 0 ? u->output : 0, &sum)) return INT64_MAX;
    return sum;
}

// A series is looked up once a target; other kinds of calls are rare enough to be looked up each time.
mb_metric_series *mb_runner_series(const mb_runner *r) {
    const membrane_call *call = r->call;
    const mb_target *t = &call->targets[r->target];
    mb_target_facts *facts = call->route_targets[r->target].facts;
    const mb_metric_target target = {call->kind, t->provider->name, t->provider->quirks->kind, t->model};
    if (call->kind != MB_ASK_CHAT) return mb_metrics_series(call->m->metrics, &target);
    if (!facts->series) facts->series = mb_metrics_series(call->m->metrics, &target);
    return facts->series;
}

static mb_metric_try kind_of_try(const mb_runner *r) {
    const mb_attempt *a = record_of(r), *before = r->attempt ? a - 1 : NULL;
    if (strcmp(a->reason, "hedge") == 0) return MB_TRY_HEDGE;
    if (!before) return MB_TRY_FIRST;
    if (a->target != before->target) return MB_TRY_FALLBACK;
    return a->key == before->key ? MB_TRY_RETRY : MB_TRY_KEY;
}

// Its place and its part of the retry budget are free again.
static void leave(mb_runner *r, const mb_attempt_end *end) {
    membrane_t *m = r->call->m;
    pthread_mutex_lock(&m->board_lock);
    mb_board_leave(m->board, &r->ticket, end, mb_io_now(m->io));
    if (r->holds_retry) mb_board_give_retry(m->board);
    bool has_waiting = mb_board_waiting(m->board) > 0;
    pthread_mutex_unlock(&m->board_lock);
    r->holds_retry = false;
    if (has_waiting) mb_waiting_serve(m);
}

static void give_back(mb_runner *r, int code, const membrane_error *error, int64_t tokens) {
    const mb_attempt_end end = {.code = code,
                                .retry_after_ms = error ? membrane_error_retry_after_ms(error) : -1,
                                .tokens = tokens,
                                .first_ms = r->first_ms ? record_of(r)->first_ms : -1,
                                .stream = r->call->stream,
                                .is_loading = error && mb_is_loading(error)};
    leave(r, &end);
}

static void settle(mb_runner *r, bool is_free, int64_t usd_micros) {
    mb_money *money = r->call->m->money;
    mb_hold *hold = r->hold;
    r->hold = NULL;
    if (is_free)
        mb_money_release(money, hold);
    else
        mb_money_settle(money, hold, usd_micros);
}

void mb_runner_withdraw(mb_runner *r) {
    const mb_attempt_end end = {.code = MEMBRANE_ECANCELLED, .retry_after_ms = -1, .tokens = 0, .first_ms = -1};
    if (r->is_running || (!r->ticket.facts && !r->holds_retry)) return;
    settle(r, true, 0);
    leave(r, &end);
}

void mb_runner_end(mb_runner *r, int code, const membrane_error *error) {
    if (!r->is_running) return;
    r->is_running = false;
    mb_io_timer_clear(r->call->m->io, &r->pace_timer);
    mb_attempt *a = record_of(r);
    const bool is_free = code != 0 && was_free(code, error, r);
    a->code = code;
    a->status = membrane_error_http_status(error);
    a->end_ms = mb_io_now(r->call->m->io);
    a->cost_usd_micros = cost_of(r, code, is_free);
    settle(r, is_free, a->cost_usd_micros);
    r->call->route.memory[r->target].is_running = false;
    mb_metrics_attempt(mb_runner_series(r), code, kind_of_try(r));
    give_back(r, code, error, tokens_of(r, is_free));
}

void mb_runner_stop(mb_runner *r) {
    mb_exchange_free(&r->exchange);
    mb_host_cancel(r);
}

void mb_runner_free(mb_runner *r) {
    mb_runner_stop(r);
    if (r->has_turn) mb_turn_free(&r->turn);
    r->has_turn = false;
    mb_buf_free(&r->warnings);
}

// While another one runs the call goes on with that: what failed is out of the question for the rest of it.
void mb_runner_done(void *user, int code, membrane_error *error) {
    mb_runner *r = user;
    membrane_call *call = r->call;
    const mb_provider *p = call->targets[r->target].provider;
    mb_runner *other = r == call->hedge ? &call->first_runner : call->hedge;
    if (code && !error) mb_error_set(&error, code, "%s: %s", p->name, membrane_status_text(code));
    mb_runner_end(r, code, error);
    if (r->lost) {
        membrane_error_free(error);
        return;
    }
    if (code && other && other->is_running && !other->lost) {
        call->route.memory[r->target].is_out = "it failed";
        membrane_error_free(call->last_error);
        call->last_error = error;
        call->runner = other;
        return;
    }
    win(r);
    mb_run_ended(r, code, error);
}

// ---- its start -----------------------------------------------------------------------------------------------------

static int64_t first_of(int64_t a, int64_t b, int64_t c) { return a ? a : b ? b : c; }

static void on_progress(void *user) { mb_call_flush(((mb_runner *)user)->call); }
static bool on_is_full(void *user) { return mb_call_is_full(((mb_runner *)user)->call); }

// The names of the hops so far, and ours, for a provider that may come back to us.
static const char *const *headers_for(const membrane_call *call, const mb_provider *p) {
    const char *hop = call->config->hop;
    size_t count = 0;
    if (!p->tells_hops || (!hop && !call->via)) return call->extra_headers;
    while (call->extra_headers && call->extra_headers[count]) count++;
    mb_arena *arena = (mb_arena *)(uintptr_t)&call->arena;
    const char **lines = mb_arena_zalloc(arena, (count + 2) * sizeof *lines);
    if (!lines) return NULL;
    if (count) memcpy(lines, call->extra_headers, count * sizeof *lines);
    lines[count] = mb_arena_printf(arena, "X-Membrane-Via: %s%s%s", call->via ? call->via : "",
                                   call->via && hop ? ", " : "", hop ? hop : "");
    return lines[count] ? lines : NULL;
}

static int send(mb_runner *r, membrane_error **err) {
    membrane_call *call = r->call;
    const mb_target *target = &call->targets[r->target];
    const mb_provider *p = target->provider;
    mb_exchange_plan plan = {
        .provider = p,
        .key = record_of(r)->key,
        .ask = {.kind = call->kind,
                .request = call->continued ? call->continued : call->request,
                .provider = p->name,
                .model = target->model,
                .base_url = p->base_url,
                .quirks = p->quirks,
                .stream = call->stream,
                .continues = call->continued != NULL,
                .warnings = &r->warnings},
        .extra_headers = headers_for(call, p),
        .connect_ms = first_of(call->connect_ms, p->connect_ms, MB_TIME_CONNECT),
        .first_token_ms = first_of(call->first_token_ms, p->first_token_ms,
                                   p->local ? MB_TIME_FIRST_TOKEN_LOCAL : MB_TIME_FIRST_TOKEN),
        .idle_ms = first_of(call->idle_ms, p->idle_ms, MB_TIME_IDLE),
        .total_ms = p->total_ms,
        .turn = &r->turn,
        .is_full = on_is_full,
        .progress = on_progress,
        .done = mb_runner_done,
        .user = r,
    };
    if (p->tells_hops && !plan.extra_headers && (call->via || call->config->hop || call->extra_headers))
        return mb_error_no_memory(err);
    mb_exchange_free(&r->exchange);
    mb_buf_reset(&r->warnings);
    int code = mb_exchange_start(&r->exchange, &call->m->room, &plan, err);
    r->is_sent = code == 0;
    return code;
}

static int missing_key(const mb_provider *p, membrane_error **err) {
    const char *ref = p->key_refs && p->key_refs[0] ? p->key_refs[0] : p->quirks->key_env;
    int code = mb_error_set(err, MEMBRANE_EAUTH, "%s: no key: %s is not set", p->name, ref ? ref : "api_key");
    if (ref && strncmp(ref, "env:", 4) == 0) mb_error_hint(*err, "export %s=…", ref + 4);
    return code;
}

static void tell(mb_runner *r) {
    membrane_call *call = r->call;
    const mb_target *target = &call->targets[r->target];
    membrane_event *event = mb_queue_push(&call->queue, MEMBRANE_EVENT_ATTEMPT, NULL, 0);
    if (!event) return;
    mb_event_extra *more = mb_event_more(event);
    more->name = target->provider->name;
    more->id = target->model;
    more->engine = target->provider->quirks->kind;
    more->reason = record_of(r)->reason;
    event->number = (uint32_t)r->attempt + 1;
}

void mb_runner_fresh_turn(mb_runner *r) {
    membrane_call *call = r->call;
    if (r->has_turn) mb_turn_free(&r->turn);
    mb_turn_init(&r->turn, mb_runner_sink(r));
    if (r == &call->first_runner) mb_arena_lend(&r->turn.arena, call->turn_memory, sizeof call->turn_memory);
    r->has_turn = true;
    r->first_ms = 0;
    r->skip = call->partial_cut;
    if (call->partial) mb_buf_put(&r->turn.text, call->partial, call->partial_len);
}

void mb_runner_begin(mb_runner *r, size_t target, int key, const char *reason) {
    membrane_call *call = r->call;
    const mb_target *t = &call->targets[target];
    const mb_provider *p = t->provider;
    membrane_error *error = NULL;
    int code;
    r->target = target;
    r->attempt = call->attempt_count;
    r->is_sent = r->lost = false;
    r->is_running = true;
    r->pace_timer.fire = pace_fired;
    call->route.memory[target].is_running = true;
    call->attempts[call->attempt_count++] = (mb_attempt){.target = t,
                                                         .key = key,
                                                         .start_ms = mb_io_now(call->m->io),
                                                         .first_ms = -1,
                                                         .cost_usd_micros = -1,
                                                         .reason = reason};
    mb_runner_fresh_turn(r);
    tell(r);
    if (p->host)
        code = mb_host_start(r, p, &error);
    else if (!p->adapter)
        code = mb_extractive_answer(call->request, &r->turn, &error);
    else
        code = p->key_missing && p->key_count == 0 ? missing_key(p, &error) : send(r, &error);
    // A quick answer brings the attempt's event along; only a caller who has to wait is woken for it.
    if (code == 0 && p->adapter)
        mb_io_timer_set(call->m->io, &call->attempt_timer, mb_io_now(call->m->io) + ATTEMPT_QUIET_MS);
    else
        mb_call_flush(call);
    if (p->host) r->is_sent = code == 0;
    if (code || (!p->host && !p->adapter)) mb_runner_done(r, code, error);
}
