// SPDX-License-Identifier: MIT
// The caller's side of a call: the request is parsed, checked and queued; then events are pulled.
#include "runtime/call.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/options.h"
#include "base/utf8.h"
#include "route/request.h"
#include "runtime/fork.h"
#include "runtime/ready.h"
#include "runtime/result.h"

#define COST_MAX INT64_C(1000000000000000) // what a configuration may say too

void membrane_call_options_init(membrane_call_options *options, size_t size) {
    mb_options_init(options, size, sizeof *options);
    if (options && size >= offsetof(membrane_call_options, retries) + sizeof options->retries)
        options->retries = MEMBRANE_UNSET;
    if (options && size >= offsetof(membrane_call_options, hedge_ms) + sizeof options->hedge_ms)
        options->max_wait_ms = options->hedge_ms = MEMBRANE_UNSET;
}

membrane_call *mb_call_ref(membrane_call *call) {
    atomic_fetch_add_explicit(&call->refs, 1, memory_order_relaxed);
    return call;
}

// A call's memory is large and used for a short time by two threads, which allocators are slow at: some is kept. Debug
// builds keep none, so that a use after the end is seen.
#ifdef MB_ARENA_MALLOC
enum { IDLE_CALLS = 0 };
#else
enum { IDLE_CALLS = 64 };
#endif

static void keep_or_free(membrane_t *m, membrane_call *call) {
    if (mb_handle_is_forked(m)) { // the lock may be held by a thread that is not there
        mb_free(call);
        return;
    }
    pthread_mutex_lock(&m->lock);
    bool keeps = m->idle_call_count < IDLE_CALLS;
    if (keeps) {
        call->next = m->idle_calls;
        m->idle_calls = call;
        m->idle_call_count++;
    }
    pthread_mutex_unlock(&m->lock);
    if (!keeps) mb_free(call);
}

static membrane_call *take_memory(membrane_t *m) {
    pthread_mutex_lock(&m->lock);
    membrane_call *call = m->idle_calls;
    if (call) {
        m->idle_calls = call->next;
        m->idle_call_count--;
    }
    pthread_mutex_unlock(&m->lock);
    if (!call) call = mb_malloc(sizeof *call);
    if (call) memset(call, 0, offsetof(membrane_call, first_memory));
    return call;
}

void mb_call_free_idle(membrane_t *m) {
    for (membrane_call *call = m->idle_calls, *next; call; call = next) {
        next = call->next;
        mb_free(call);
    }
}

static void free_call(membrane_call *call) {
    membrane_t *m = call->m;
    mb_runner_free(&call->first_runner);
    if (call->hedge) mb_runner_free(call->hedge);
    if (mb_handle_is_forked(m))
        mb_queue_abandon(&call->queue);
    else
        mb_queue_free(&call->queue);
    membrane_error_free(call->error);
    membrane_error_free(call->last_error);
    membrane_result_free(call->result);
    mb_config_unref(call->config);
    mb_arena_free(&call->arena);
    keep_or_free(m, call);
    membrane_unref(m);
}

void mb_call_unref(membrane_call *call) {
    if (atomic_fetch_sub(&call->refs, 1) == 1) free_call(call);
}

// ---- start
// -------------------------------------------------------------------------------------------------------------

static const char *new_request_id(membrane_call *call) {
    static _Thread_local mb_rng rng;
    static _Thread_local long seeded_in;
    if (seeded_in != mb_fork_generation()) { // a child must not count on from its parent's numbers
        mb_rng_seed(&rng);
        seeded_in = mb_fork_generation();
    }
    static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
    char *id = mb_arena_alloc(&call->arena, 32);
    uint64_t bits = mb_rng_next(&rng), time = (uint64_t)mb_wall_ms();
    if (!id) return NULL;
    memcpy(id, "req_", 4);
    for (int i = 0; i < 9; i++) id[4 + i] = digits[time >> (40 - 5 * i) & 31]; // sorts by time
    for (int i = 0; i < 12; i++) id[13 + i] = digits[bits >> 5 * i & 31];
    id[25] = '\0';
    return id;
}

static int check_name(const char *what, const char *text, membrane_error **err) {
    if (!text) return 0;
    size_t len = strlen(text);
    if (len == 0 || len > MB_LIMIT_NAME)
        return mb_error_set(err, MEMBRANE_EINVAL, "%s: 1 to %d bytes", what, MB_LIMIT_NAME);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return mb_error_set(err, MEMBRANE_EINVAL, "%s: no control characters", what);
    return 0;
}

static int read_headers(membrane_call *call, membrane_error **err) {
    const mb_json *more = mb_json_get(call->request, "extra_headers");
    if (!more || more->count == 0) return 0;
    const char **lines = mb_arena_zalloc(&call->arena, (more->count + 1) * sizeof *lines);
    if (!lines) return mb_error_no_memory(err);
    for (uint32_t i = 0; i < more->count; i++) {
        const mb_json *value = &more->children[i];
        for (const char *c = value->key; *c; c++)
            if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", *c))
                return mb_error_set(err, MEMBRANE_EINVAL, "extra_headers: \"%s\" is no header's name", value->key);
        for (size_t k = 0; k < value->len; k++)
            if ((unsigned char)value->str[k] < 0x20)
                return mb_error_set(err, MEMBRANE_EINVAL, "extra_headers.%s: no control characters", value->key);
        lines[i] = mb_arena_printf(&call->arena, "%s: %s", value->key, value->str);
        if (!lines[i]) return mb_error_no_memory(err);
    }
    call->extra_headers = lines;
    return 0;
}

// MEMBRANE_FOREVER, and what comes near to it, is the longest time there is.
static int64_t time_of(int64_t ms) { return ms < 0 || ms > MB_TIME_MAX ? MB_TIME_MAX : ms; }

static int read_policy(membrane_call *call, const char *name, membrane_error **err) {
    const char *names[MB_POLICY_COUNT];
    call->policy = name ? mb_policy_from_name(name) : -1;
    if (!name || call->policy >= 0) return 0;
    for (int i = 0; i < MB_POLICY_COUNT; i++) names[i] = mb_policy_name((mb_policy)i);
    const char *nearest = mb_nearest(name, names, MB_COUNT(names));
    return mb_error_set(err, MEMBRANE_EINVAL, "policy: there is none named \"%.100s\"%s%s%s", name,
                        nearest ? " (did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?)" : "");
}

// What a call may cost, how long it may wait, how often it may try.
static int read_bounds(membrane_call *call, const membrane_call_options *o, membrane_error **err) {
    const uint32_t both = MEMBRANE_CALL_RESTART | MEMBRANE_CALL_CONTINUE;
    if ((o->flags & both) == both)
        return mb_error_set(err, MEMBRANE_EINVAL,
                            "flags: an answer that breaks off is begun again or continued, not both");
    if (o->max_cost_usd_micros < 0 || o->max_cost_usd_micros > COST_MAX)
        return mb_error_set(err, MEMBRANE_EINVAL, "max_cost_usd_micros: 0 to %lld", (long long)COST_MAX);
    if (o->max_wait_ms < 0 && o->max_wait_ms != MEMBRANE_UNSET && o->max_wait_ms != MEMBRANE_FOREVER)
        return mb_error_set(err, MEMBRANE_EINVAL, "max_wait_ms: not negative");
    if ((o->hedge_ms < 0 && o->hedge_ms != MEMBRANE_UNSET && o->hedge_ms != MEMBRANE_HEDGE_P95) ||
        o->hedge_ms > MB_TIME_MAX)
        return mb_error_set(err, MEMBRANE_EINVAL, "hedge_ms: 0 to %d, or MEMBRANE_HEDGE_P95", MB_TIME_MAX);
    if (o->max_attempts < 0 || o->max_attempts > MB_LIMIT_ATTEMPTS)
        return mb_error_set(err, MEMBRANE_EINVAL, "max_attempts: 0 to %d", MB_LIMIT_ATTEMPTS);
    call->max_cost_usd_micros = o->max_cost_usd_micros;
    call->max_wait_ms = o->max_wait_ms == MEMBRANE_UNSET ? MEMBRANE_UNSET : time_of(o->max_wait_ms);
    call->hedge_ms = o->hedge_ms;
    call->max_attempts = o->max_attempts ? o->max_attempts : MB_LIMIT_ATTEMPTS;
    return 0;
}

static int keep_texts(membrane_call *call, const membrane_call_options *o, membrane_error **err) {
    call->via = o->via ? mb_arena_strdup(&call->arena, o->via) : mb_json_get_str(call->request, "via");
    call->only_provider = mb_arena_strdup(&call->arena, o->provider);
    if (o->session) call->session = mb_arena_strdup(&call->arena, o->session);
    bool is_kept = (!o->via || call->via) && (!o->provider || call->only_provider) && (!o->session || call->session);
    return is_kept ? 0 : mb_error_no_memory(err);
}

static int apply_options(membrane_call *call, const membrane_call_options *o, membrane_error **err) {
    call->flags = o->flags;
    call->deadline_ms = time_of(o->deadline_ms);
    call->connect_ms = time_of(o->connect_timeout_ms);
    call->first_token_ms = time_of(o->first_token_timeout_ms);
    call->idle_ms = time_of(o->idle_timeout_ms);
    int code = read_policy(call, o->policy, err);
    if (code == 0) code = read_bounds(call, o, err);
    return code ? code : keep_texts(call, o, err);
}

// With the parser that the last request left, unless another thread is using it.
static int parse_request(membrane_call *call, const char *text, size_t len, membrane_error **err) {
    mb_json_parser *parser = atomic_exchange(&call->m->idle_parser, NULL);
    if (!parser) parser = mb_json_parser_new();
    if (!parser) return mb_error_no_memory(err);
    int code = mb_json_parse_with(parser, &call->arena, text, len, &call->request, err);
    mb_json_parser_free(atomic_exchange(&call->m->idle_parser, parser));
    return code;
}

static int read_request(membrane_call *call, const char *text, size_t len, const membrane_call_options *o,
                        membrane_error **err) {
    membrane_error *cause = NULL;
    if (len > MB_LIMIT_REQUEST)
        return mb_error_set(err, MEMBRANE_EINVAL, "the request is larger than %zu bytes", MB_LIMIT_REQUEST);
    int code = parse_request(call, text, len, &cause);
    if (code) {
        if (code != MEMBRANE_ENOMEM)
            code = mb_error_set(err, MEMBRANE_EINVAL, "the request is no JSON: %s", membrane_error_message(cause));
        else
            mb_error_no_memory(err);
        membrane_error_free(cause);
        return code;
    }
    code = mb_request_check(call->request, &call->kind, err);
    if (code) return code;
    call->stream = mb_json_bool(mb_json_get(call->request, "stream"), false) && call->kind != MB_ASK_EMBED;
    call->session = mb_json_get_str(call->request, "session");
    call->request_id = mb_json_get_str(call->request, "request_id");
    code = apply_options(call, o, err);
    if (code) return code;
    if (!call->request_id) call->request_id = new_request_id(call);
    if (!call->request_id) return mb_error_no_memory(err);
    code = check_name("request_id", call->request_id, err);
    if (code == 0) code = check_name("session", call->session, err);
    return code ? code : read_headers(call, err);
}

static membrane_call *new_call(membrane_t *m) {
    membrane_call *call = take_memory(m);
    if (!call) return NULL;
    mb_arena_lend(&call->arena, call->first_memory, sizeof call->first_memory);
    call->refs = 1;
    call->m = membrane_ref(m);
    call->config = mb_handle_config(m);
    call->runner = &call->first_runner;
    call->runner->call = call;
    call->runner->warnings = MB_BUF(65536);
    call->taken = SIZE_MAX;
    call->start_wall_ms = mb_wall_ms();
    if (mb_queue_init(&call->queue) == 0) return call;
    free_call(call);
    return NULL;
}

// The log may want the text, and a host's provider is given it; which one is looked for later may be one.
static bool needs_text(const membrane_call *call) {
    bool needs = call->logs_prompt || call->discovers;
    for (size_t i = 0; i < call->route.count; i++) needs |= call->targets[i].provider->host != NULL;
    return needs;
}

int mb_call_prepare(membrane_t *m, const char *text, size_t len, const membrane_call_options *options,
                    membrane_call **ret, membrane_error **err) {
    membrane_call_options o;
    if (!m || !text || !ret) return mb_error_set(err, MEMBRANE_EINVAL, "an argument is NULL");
    if (mb_handle_is_forked(m))
        return mb_error_set(err, MEMBRANE_EFORKED, "this handle was in use before fork: open another one in the child");
    if (!mb_options_read(&o, sizeof o, options))
        return mb_error_set(err, MEMBRANE_EINVAL, "the options were not filled by membrane_call_options_init");
    if (!options || o.struct_size < offsetof(membrane_call_options, retries) + sizeof o.retries)
        o.retries = MEMBRANE_UNSET;
    if (!options || o.struct_size < offsetof(membrane_call_options, hedge_ms) + sizeof o.hedge_ms)
        o.max_wait_ms = o.hedge_ms = MEMBRANE_UNSET;
    if (len == 0) len = strlen(text);
    membrane_call *call = new_call(m);
    if (!call) return mb_error_no_memory(err);
    call->request_len = len;
    call->retries = o.retries < 0 && o.retries != MEMBRANE_UNSET ? 0 : o.retries;
    int code = read_request(call, text, len, &o, err);
    if (code == 0) code = mb_resolve(call, mb_json_get_str(call->request, "model"), err);
    call->logs_prompt = call->config->log_prompts || (call->flags & MEMBRANE_CALL_LOG_PROMPT);
    if (code == 0 && needs_text(call)) {
        call->request_text = mb_arena_strndup(&call->arena, text, len);
        if (!call->request_text) code = mb_error_no_memory(err);
    }
    if (code)
        free_call(call);
    else
        *ret = call;
    return code;
}

int membrane_call_start(membrane_t *m, const char *request_json, size_t len, const membrane_call_options *options,
                        membrane_call **ret_call, membrane_error **err) {
    membrane_call *call;
    int code = mb_call_prepare(m, request_json, len, options, &call, err);
    if (code) return code;
    call->start_task.run = mb_run_start;
    call->cancel_task.run = mb_run_cancel;
    call->resume_task.run = mb_run_resume;
    mb_call_ref(call);
    mb_ready_admit(call);
    code = mb_handle_post(m, &call->start_task, err);
    if (code) {
        mb_ready_forget(call);
        call->refs = 1;
        mb_call_unref(call);
        return code;
    }
    *ret_call = call;
    return 0;
}

// ---- while it runs
// -----------------------------------------------------------------------------------------------------

static void post(membrane_call *call, mb_task *task, atomic_bool *posted) {
    if (atomic_exchange(posted, true)) return;
    mb_call_ref(call);
    if (mb_handle_post(call->m, task, NULL) != 0) mb_call_unref(call);
}

static int next_event(membrane_call *call, int64_t timeout_ms, const membrane_event **ret) {
    bool drained = false;
    int code = mb_queue_next(&call->queue, timeout_ms, ret, &drained);
    if (drained && atomic_load(&call->paused) && !mb_queue_is_full(&call->queue))
        post(call, &call->resume_task, &call->resume_posted);
    mb_ready_settle(call);
    return code;
}

int membrane_call_next(membrane_call *call, int64_t timeout_ms, const membrane_event **ret_event,
                       membrane_error **err) {
    if (!call || !ret_event) return mb_error_set(err, MEMBRANE_EINVAL, "membrane_call_next: an argument is NULL");
    if (mb_handle_is_forked(call->m))
        return mb_error_set(err, MEMBRANE_EFORKED, "the call belongs to the parent process");
    return next_event(call, timeout_ms, ret_event);
}

int membrane_call_read(membrane_call *call, char *buf, size_t cap, size_t *ret_len, int64_t timeout_ms) {
    const membrane_event *event;
    size_t used = 0, len;
    int code = 0;
    if (!call || !buf || !ret_len) return MEMBRANE_EINVAL;
    if (mb_handle_is_forked(call->m)) return MEMBRANE_EFORKED;
    while ((code = next_event(call, used ? 0 : timeout_ms, &event)) == 0) {
        const char *json = membrane_event_json(event, &len);
        if (!json || len + 1 > cap - used) {
            mb_queue_unread(&call->queue, event);
            mb_ready_mark(call);
            if (!json)
                code = MEMBRANE_ENOMEM;
            else if (!used)
                *ret_len = len + 1, code = MEMBRANE_EINVAL;
            break;
        }
        memcpy(buf + used, json, len);
        buf[used + len] = '\n';
        used += len + 1;
    }
    if (!used) return code;
    *ret_len = used;
    return 0;
}

void membrane_call_cancel(membrane_call *call) {
    if (call && !mb_handle_is_forked(call->m)) post(call, &call->cancel_task, &call->cancel_posted);
}

const char *membrane_call_request_id(const membrane_call *call) { return call ? call->request_id : NULL; }

const membrane_result *membrane_call_result(membrane_call *call) {
    if (!call || !call->queue.ended) return NULL;
    if (!call->result) call->result = mb_result_of_call(call);
    return call->result;
}

void membrane_call_free(membrane_call *call) {
    if (!call) return;
    mb_ready_forget(call);
    if (!call->queue.ended) membrane_call_cancel(call);
    mb_call_unref(call);
}

// ---- in one
// ------------------------------------------------------------------------------------------------------------

int membrane_call_text(membrane_t *m, const char *request_json, size_t len, const membrane_call_options *options,
                       char **ret_text, membrane_error **err) {
    membrane_call *call;
    const membrane_event *event;
    if (!ret_text) return mb_error_set(err, MEMBRANE_EINVAL, "membrane_call_text: ret_text is NULL");
    int code = membrane_call_start(m, request_json, len, options, &call, err);
    if (code) return code;
    while ((code = membrane_call_next(call, MEMBRANE_FOREVER, &event, err)) == 0) {
        const membrane_error *error = membrane_event_error(event);
        if (error && err) *err = mb_error_copy(error);
        if (error) {
            code = membrane_error_code(error);
            break;
        }
    }
    if (code == MEMBRANE_EDONE) {
        size_t text_len;
        const char *text = membrane_result_text(membrane_call_result(call), &text_len);
        *ret_text = mb_strndup(text, text_len);
        code = *ret_text ? 0 : mb_error_no_memory(err);
    }
    membrane_call_free(call);
    return code;
}
