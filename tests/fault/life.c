// SPDX-License-Identifier: MIT
// The lives of handles and calls: many at once, cancelled and freed at any moment and in any order, across fork, and
// with a caller that does not read.
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fault.h"

static membrane_t *m;

static void the_handle_opens(void) { m = fault_open(NULL); }
static void the_handle_closes(void) { CHECK(membrane_close(m, 2000) == 0, "the I/O thread was still busy"); }

static membrane_call_options patient(void) {
    membrane_call_options o = fault_options();
    o.deadline_ms = o.first_token_timeout_ms = o.idle_timeout_ms = 20000;
    return o;
}

static void pause_us(long us) { nanosleep(&(struct timespec){0, us * 1000}, NULL); }

static void until_requests(const char *model, long count) {
    int64_t until = fault_now_ms() + 10000;
    while (fault_log_of(model).requests < count && fault_now_ms() < until) pause_us(2000);
    CHECK(fault_log_of(model).requests >= count, "%s: only %ld requests came", model, fault_log_of(model).requests);
}

// ---- many ----------------------------------------------------------------------------------------------------------

static void close_with_100_calls_in_flight(void) {
    static const char *const NAMES[] = {"o/slow--5#close", "l/slow--5#close", "o/silent#close", "l/silent#close"};
    membrane_t *own = fault_open(NULL);
    membrane_call_options o = patient();
    membrane_call *calls[100];
    fault_outcome got;
    for (size_t i = 0; i < COUNT(calls); i++) calls[i] = fault_start(own, NAMES[i % 4], true, &o);
    until_requests("slow--5#close", 50);
    until_requests("silent#close", 50);
    int64_t start = fault_now_ms();
    int code = membrane_close(own, 5000);
    CHECK(code == 0, "close: %s", membrane_status_kind(code));
    CHECK(fault_now_ms() - start < 1000 * FAULT_SLOW, "close took %lld ms", (long long)(fault_now_ms() - start));
    for (size_t i = 0; i < COUNT(calls); i++) {
        fault_finish(calls[i], &got);
        CHECK(got.code == MEMBRANE_ECANCELLED, "call %zu: %s", i, membrane_status_kind(got.code));
    }
}

static void unref_with_calls_in_flight(void) {
    membrane_t *own = fault_open(NULL);
    membrane_call_options o = patient();
    membrane_call *calls[20];
    fault_outcome got;
    for (size_t i = 0; i < COUNT(calls); i++) calls[i] = fault_start(own, "o/pieces--5", true, &o);
    membrane_unref(own); // the calls keep it
    for (size_t i = 0; i < COUNT(calls); i++) {
        fault_finish(calls[i], &got);
        CHECK(got.code == 0 || got.code == MEMBRANE_ECANCELLED, "call %zu: %s", i, got.message);
    }
}

static void three_hundred_calls_at_once(void) {
    enum { CALLS = 300 };
    static membrane_call *calls[CALLS];
    membrane_call_options o = patient();
    fault_outcome got;
    for (size_t i = 0; i < CALLS; i++) calls[i] = fault_start(m, i % 2 ? "o/pieces--50" : "l/pieces--50", true, &o);
    for (size_t i = 0; i < CALLS; i++) {
        fault_finish(calls[i], &got);
        CHECK(got.code == 0, "call %zu: %s", i, got.message);
        CHECK(strncmp(got.text, "0 1 2 3 ", 8) == 0 && strstr(got.text, " 48 49 "), "call %zu: \"%s\"", i, got.text);
    }
}

static void the_descriptor_drives_50_calls(void) {
    enum { CALLS = 50 };
    membrane_call_options o = patient();
    membrane_call *calls[CALLS], *ready;
    const membrane_event *e;
    struct pollfd at = {.fd = membrane_fd(m), .events = POLLIN};
    int done = 0, code;
    long texts = 0;
    CHECK(at.fd >= 0, "membrane_fd: %s", membrane_status_kind(at.fd));
    for (size_t i = 0; i < CALLS; i++) calls[i] = fault_start(m, i % 2 ? "o/pieces--20" : "l/pieces--20", true, &o);
    while (done < CALLS) {
        if (poll(&at, 1, 10000) != 1) break;
        CHECK(membrane_ready(m, &ready) == 0, "readable, and no call is ready");
        while ((code = membrane_ready(m, &ready)) == 0) {
            if (membrane_call_next(ready, 0, &e, NULL) != 0) continue;
            texts += membrane_event_type(e) == MEMBRANE_EVENT_TEXT;
            done += membrane_event_type(e) == MEMBRANE_EVENT_DONE || membrane_event_type(e) == MEMBRANE_EVENT_ERROR;
        }
        CHECK(code == MEMBRANE_EAGAIN, "membrane_ready: %s", membrane_status_kind(code));
    }
    CHECK(done == CALLS, "only %d calls ended", done);
    CHECK(texts == 20 * CALLS, "%ld pieces of text", texts);
    CHECK(poll(&at, 1, 0) == 0, "readable when nothing is there");
    for (size_t i = 0; i < CALLS; i++) membrane_call_free(calls[i]);
}

// ---- cancelling and freeing ----------------------------------------------------------------------------------------

typedef struct canceller {
    membrane_call *call;
    unsigned after_us;
} canceller;

static void *cancel_later(void *user) {
    canceller *c = user;
    pause_us(c->after_us);
    membrane_call_cancel(c->call);
    membrane_call_cancel(c->call);
    return NULL;
}

static void cancel_from_another_thread_at_any_moment(void) {
    static const char *const NAMES[] = {"o/pieces--30", "l/slow--1", "o/slow--1", "o/silent", "o/good", "l/flood--4"};
    membrane_call_options o = patient();
    fault_outcome got;
    unsigned seed = 7;
    for (int i = 0; i < 500; i++) {
        pthread_t thread;
        canceller c = {fault_start(m, NAMES[i % 6], i % 7 != 0 || i % 6 < 3 || i % 6 == 5, &o),
                       (unsigned)rand_r(&seed) % 6000};
        int64_t start = fault_now_ms();
        if (i % 50 == 0) membrane_call_cancel(c.call); // before it has begun
        pthread_create(&thread, NULL, cancel_later, &c);
        const membrane_event *e;
        int code, last = 0, terminal = 0;
        while ((code = membrane_call_next(c.call, 5000, &e, NULL)) == 0) {
            terminal += membrane_event_type(e) >= MEMBRANE_EVENT_DONE;
            last = membrane_error_code(membrane_event_error(e));
        }
        pthread_join(thread, NULL);
        CHECK(code == MEMBRANE_EDONE && terminal == 1, "%s: %s, %d ends", NAMES[i % 6], membrane_status_kind(code),
              terminal);
        CHECK(last == 0 || last == MEMBRANE_ECANCELLED, "%s: %s", NAMES[i % 6], membrane_status_kind(last));
        CHECK(fault_now_ms() - start < 1000 * FAULT_SLOW, "%s: %lld ms", NAMES[i % 6],
              (long long)(fault_now_ms() - start));
        CHECK(membrane_call_result(c.call) != NULL, "no result");
        membrane_call_free(c.call);
    }
    fault_finish(fault_start(m, "o/good", true, &o), &got);
    CHECK(got.code == 0, "afterwards: %s", got.message);
}

static void calls_are_freed_at_any_moment(void) {
    static const char *const NAMES[] = {"o/pieces--30", "l/slow--1", "o/silent", "o/good", "o/reset-mid"};
    membrane_call_options o = patient();
    const membrane_event *e;
    for (int i = 0; i < 300; i++) {
        membrane_call *call = fault_start(m, NAMES[i % 5], true, &o);
        for (int k = 0; k < i % 4; k++) membrane_call_next(call, i % 3, &e, NULL);
        membrane_call_free(call);
    }
}

static void handle_call_and_result_are_freed_in_any_order(void) {
    for (int order = 0; order < 6; order++) {
        membrane_t *own = fault_open(NULL), *second = membrane_ref(own);
        membrane_result *r = NULL;
        membrane_error *err = NULL;
        membrane_call_options o = fault_options();
        membrane_call *call = fault_start(own, "o/good", true, &o);
        fault_outcome got;
        const char *request = fault_request("o/good", false);
        CHECK(membrane_call_plan(own, request, strlen(request), NULL, &r, &err) == 0, "%s",
              membrane_error_message(err));
        const membrane_event *e;
        if (order % 2)
            while (membrane_call_next(call, 5000, &e, NULL) == 0) {}
        if (order < 2) membrane_close(own, 1000);
        if (order == 2 || order == 3) membrane_unref(own);
        if (order == 4) {
            fault_finish(call, &got);
            CHECK(got.code == 0, "%s", got.message);
        } else if (order % 2) {
            const membrane_result *lent = membrane_call_result(call);
            CHECK(lent && strcmp(membrane_result_text(lent, NULL), "Hello from here.") == 0, "the result is lost");
        }
        if (order != 4) membrane_call_free(call);
        CHECK(membrane_result_json(r, NULL) != NULL, "the plan is lost");
        if (order >= 4) membrane_unref(own);
        membrane_unref(second);
        membrane_result_free(r);
    }
    membrane_call_free(NULL);
    membrane_close(NULL, 0);
    membrane_unref(NULL);
    membrane_result_free(NULL);
    membrane_error_free(NULL);
}

static void opening_and_closing_10000_times_grows_nothing(void) {
    long before = 0;
    for (int i = 0; i < 10000 / FAULT_SLOW; i++) {
        if (i == 1000 / FAULT_SLOW) before = fault_rss_kib();
        membrane_t *own = fault_open(NULL);
        CHECK(membrane_close(own, 0) == 0, "close");
    }
    CHECK(fault_rss_kib() - before < 512 || FAULT_SLOW > 1, "grew by %ld KiB", fault_rss_kib() - before);
}

static void opening_calling_and_closing_grows_nothing(void) {
    long before = 0;
    for (int i = 0; i < 400; i++) {
        if (i == 100) before = fault_rss_kib();
        membrane_t *own = fault_open(NULL);
        fault_outcome *got = fault_call(own, i % 2 ? "o/good" : "l/good", true, NULL);
        CHECK(got->code == 0, "%s", got->message);
        CHECK(membrane_close(own, 1000) == 0, "close");
    }
    CHECK(fault_rss_kib() - before < 1024 || FAULT_SLOW > 1, "grew by %ld KiB", fault_rss_kib() - before);
}

// ---- a caller that does not read -----------------------------------------------------------------------------------

static void a_slow_reader_holds_the_server_back_and_gets_everything(void) {
    static const char *const NAMES[] = {"o/flood--64#1", "l/flood--64#2"};
    for (int i = 0; i < 2; i++) {
        membrane_call_options o = patient();
        o.idle_timeout_ms = 300; // stops while we are the ones that pause
        long sent = -1, now = 0, rss = fault_rss_kib();
        membrane_call *call = fault_start(m, NAMES[i], true, &o);
        for (int same = 0; same < 10;) { // half a second without a byte: the server is stuck
            pause_us(50000);
            now = fault_log_of(NAMES[i] + 2).sent;
            same = now > 0 && now == sent ? same + 1 : 0;
            sent = now;
        }
        CHECK(sent < 24L << 20, "the server could send %ld bytes to nobody", sent);
        CHECK(fault_rss_kib() - rss < 16384 || FAULT_SLOW > 1, "memory grew by %ld KiB", fault_rss_kib() - rss);
        size_t total = 0, len;
        const membrane_event *e;
        int code, end = 0;
        while ((code = membrane_call_next(call, 5000, &e, NULL)) == 0) {
            if (membrane_event_type(e) == MEMBRANE_EVENT_TEXT) membrane_event_text(e, &len), total += len;
            if (membrane_event_type(e) >= MEMBRANE_EVENT_DONE) end = membrane_event_type(e);
        }
        CHECK(end == MEMBRANE_EVENT_DONE, "%s: no good end", NAMES[i]);
        CHECK(total == (size_t)64 * 64 * 16000, "%s: %zu bytes", NAMES[i], total);
        membrane_call_free(call);
    }
}

static void a_paused_call_can_be_cancelled_and_closed(void) {
    membrane_t *own = fault_open(NULL);
    membrane_call_options o = patient();
    membrane_call *a = fault_start(own, "o/flood--64#3", true, &o), *b = fault_start(own, "l/flood--64#4", true, &o);
    fault_outcome got;
    until_requests("flood--64#3", 1);
    until_requests("flood--64#4", 1);
    membrane_call_cancel(a);
    fault_finish(a, &got);
    CHECK(got.code == MEMBRANE_ECANCELLED, "%s", membrane_status_kind(got.code));
    CHECK(membrane_close(own, 2000) == 0, "close");
    fault_finish(b, &got);
    CHECK(got.code == MEMBRANE_ECANCELLED, "%s", membrane_status_kind(got.code));
}

static void tiny_buffers_lose_nothing(void) {
    membrane_call_options o = patient();
    membrane_call *call = fault_start(m, "o/pieces--40", true, &o);
    char *all = calloc(1, 1 << 20), *buf = malloc(1 << 16);
    size_t len, cap = 1;
    int code;
    for (;;) {
        code = membrane_call_read(call, buf, cap, &len, 5000);
        if (code == 0) {
            strncat(all, buf, len);
            cap = 1;
        } else if (code == MEMBRANE_EINVAL && len > cap) {
            cap = len;
        } else {
            break;
        }
    }
    CHECK(code == MEMBRANE_EDONE, "%s", membrane_status_kind(code));
    char want[64];
    const char *at = all;
    for (int i = 0; i < 40 && at; i++) {
        snprintf(want, sizeof want, "\"text\":\"%d \"", i);
        at = strstr(at, want);
        CHECK(at != NULL, "piece %d is missing in %.300s", i, all);
    }
    CHECK(strstr(all, "\"type\":\"done\"") != NULL, "no done");
    membrane_call_free(call);
    free(all);
    free(buf);
}

// ---- time ----------------------------------------------------------------------------------------------------------

static void a_time_may_be_for_ever(void) {
    static const int64_t TIMES[] = {MEMBRANE_FOREVER, INT64_MIN, INT64_MAX, INT64_C(1) << 33};
    for (size_t i = 0; i < COUNT(TIMES); i++) {
        membrane_call_options o = fault_options();
        o.deadline_ms = o.connect_timeout_ms = o.first_token_timeout_ms = o.idle_timeout_ms = TIMES[i];
        fault_outcome *got = fault_call(m, "o/pieces--5", true, &o);
        CHECK(got->code == 0, "%lld ms: %s", (long long)TIMES[i], got->message);
    }
}

// ---- fork ----------------------------------------------------------------------------------------------------------

// Runs body in a child; what it returns is the number of a failed step, 0 if all went well.
static int in_child(int (*body)(membrane_t *own, membrane_call *call), membrane_t *own, membrane_call *call) {
    int status = -1;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        alarm(10);
        _exit(body(own, call));
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + (WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

static int child_calls(membrane_t *own, membrane_call *call) {
    (void)call;
    fault_outcome *got = fault_call(own, "o/good", true, NULL);
    if (got->code != 0) return 1;
    return membrane_close(own, 2000) == 0 ? 0 : 2;
}

static int never(void *user, const char *request, size_t len, membrane_push *push, void **ret_state) {
    (void)user, (void)request, (void)len, (void)push, (void)ret_state;
    return MEMBRANE_EINTERNAL;
}

static int child_is_told(membrane_t *own, membrane_call *call) {
    const membrane_event *e;
    membrane_call *other = NULL;
    membrane_result *r = NULL;
    const char *request = fault_request("o/good", true);
    char buf[256], *text;
    size_t len;
    const int codes[] = {
        membrane_call_start(own, request, strlen(request), NULL, &other, NULL),
        membrane_call_text(own, request, strlen(request), NULL, &text, NULL),
        membrane_call_plan(own, request, strlen(request), NULL, &r, NULL),
        membrane_call_next(call, 0, &e, NULL),
        membrane_call_read(call, buf, sizeof buf, &len, 0),
        membrane_fd(own),
        membrane_ready(own, &other),
        membrane_model_list(own, NULL, 100, &r, NULL),
        membrane_model_show(own, "o/good", 100, &r, NULL),
        membrane_model_load(own, "l/good", 0, 100, &r, NULL),
        membrane_model_unload(own, "l/good", 100, &r, NULL),
        membrane_model_warm(own, "l/good", 100, &r, NULL),
        membrane_provider_list(own, 0, 100, &r, NULL),
        membrane_config_show(own, &r, NULL),
        membrane_config_reload(own, NULL),
        membrane_doctor(own, 100, &r, NULL),
        membrane_log_calls(own, NULL, &r, NULL),
        membrane_log_flush(own, NULL),
        membrane_log_read(own, NULL, buf, sizeof buf, &len, NULL, 0),
        membrane_usage_sum(own, "model", 0, &r, NULL),
        membrane_provider_add(own, "mine",
                              &(membrane_provider_table){sizeof(membrane_provider_table), 1, 0, never, NULL, NULL},
                              NULL, NULL),
    };
    for (size_t i = 0; i < COUNT(codes); i++)
        if (codes[i] != MEMBRANE_EFORKED) return (int)i + 1;
    membrane_call_cancel(call);
    membrane_call_free(call);
    membrane_ref(own);
    membrane_unref(own);
    return membrane_close(own, 100) == 0 ? 0 : 100;
}

static void fork_before_the_first_call_works_in_the_child(void) {
#ifdef __SANITIZE_THREAD__
    return; // the sanitizer allows no thread in a child of a process that has some
#endif
    membrane_t *own = fault_open(NULL);
    int step = in_child(child_calls, own, NULL);
    CHECK(step == 0, "the child failed at %d", step);
    fault_outcome *got = fault_call(own, "o/good", true, NULL);
    CHECK(got->code == 0, "the parent: %s", got->message);
    membrane_close(own, 1000);
}

static void fork_after_it_is_told_to_the_child(void) {
    membrane_t *own = fault_open(NULL);
    membrane_call_options o = patient();
    fault_outcome got;
    membrane_call *call = fault_start(own, "o/pieces--200", true, &o);
    const membrane_event *e;
    CHECK(membrane_call_next(call, 5000, &e, NULL) == 0, "the first event");
    int step = in_child(child_is_told, own, call);
    CHECK(step == 0, "the child failed at %d", step);
    fault_finish(call, &got);
    CHECK(got.code == 0, "the parent's call: %s", got.message);
    got = *fault_call(own, "l/good", true, NULL);
    CHECK(got.code == 0, "the parent's next call: %s", got.message);
    CHECK(membrane_close(own, 1000) == 0, "close");
}

static int child_frees(membrane_t *own, membrane_call *call) {
    membrane_call_free(call);
    return membrane_close(own, 100) == 0 ? 0 : 1;
}

static void *wait_for_records(void *own) {
    char buf[512];
    size_t len;
    membrane_log_read(own, "error", buf, sizeof buf, &len, NULL, 2000);
    return NULL;
}

static void a_child_takes_no_wake_up_and_waits_for_nobody(void) {
    membrane_t *own = fault_open(NULL);
    membrane_call_options o = patient();
    struct pollfd fd = {.fd = membrane_fd(own), .events = POLLIN};
    pthread_t reader;
    fault_outcome got;
    pthread_create(&reader, NULL, wait_for_records, own);
    membrane_call *call = fault_start(own, "o/good", true, &o);
    CHECK(poll(&fd, 1, 5000) == 1, "the descriptor says nothing");
    int step = in_child(child_frees, own, call);
    CHECK(step == 0, "the child failed at %d", step);
    CHECK(poll(&fd, 1, 0) == 1, "the child took the parent's wake-up");
    fault_finish(call, &got);
    CHECK(got.code == 0, "the parent's call: %s", got.message);
    step = in_child(child_frees, own, NULL); // the last reference there, and a thread here still waits for records
    CHECK(step == 0, "the second child failed at %d", step);
    pthread_join(reader, NULL);
    CHECK(membrane_close(own, 1000) == 0, "close");
}

int main(void) {
    static const fault_test TESTS[] = {
        {"the_handle_opens", the_handle_opens},
        {"close_with_100_calls_in_flight", close_with_100_calls_in_flight},
        {"unref_with_calls_in_flight", unref_with_calls_in_flight},
        {"three_hundred_calls_at_once", three_hundred_calls_at_once},
        {"the_descriptor_drives_50_calls", the_descriptor_drives_50_calls},
        {"cancel_from_another_thread_at_any_moment", cancel_from_another_thread_at_any_moment},
        {"calls_are_freed_at_any_moment", calls_are_freed_at_any_moment},
        {"handle_call_and_result_are_freed_in_any_order", handle_call_and_result_are_freed_in_any_order},
        {"opening_and_closing_10000_times_grows_nothing", opening_and_closing_10000_times_grows_nothing},
        {"opening_calling_and_closing_grows_nothing", opening_calling_and_closing_grows_nothing},
        {"a_slow_reader_holds_the_server_back_and_gets_everything",
         a_slow_reader_holds_the_server_back_and_gets_everything},
        {"a_paused_call_can_be_cancelled_and_closed", a_paused_call_can_be_cancelled_and_closed},
        {"tiny_buffers_lose_nothing", tiny_buffers_lose_nothing},
        {"a_time_may_be_for_ever", a_time_may_be_for_ever},
        {"fork_before_the_first_call_works_in_the_child", fork_before_the_first_call_works_in_the_child},
        {"fork_after_it_is_told_to_the_child", fork_after_it_is_told_to_the_child},
        {"a_child_takes_no_wake_up_and_waits_for_nobody", a_child_takes_no_wake_up_and_waits_for_nobody},
        {"the_handle_closes", the_handle_closes},
    };
    return fault_run(TESTS, COUNT(TESTS));
}
