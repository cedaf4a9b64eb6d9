// SPDX-License-Identifier: MIT
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "net/io.h"

// One loop and what its hooks were told.
typedef struct bench {
    mb_io *io;
    atomic_int settled, ended;
    int ready_fd; // the I/O thread's
    char got[16];
    sem_t came;
} bench;

typedef struct job {
    mb_task task;
    bench *b;
    int number;
} job;

static void on_ready(void *user, int fd, uint32_t events) {
    bench *b = user;
    ck_assert(mb_io_is_me(b->io));
    ck_assert(events & EPOLLIN);
    ck_assert_int_eq(read(fd, b->got, sizeof b->got - 1), 5);
    b->ready_fd = fd;
    mb_io_unwatch(b->io, fd);
    sem_post(&b->came);
}

static void on_settle(void *user) { atomic_fetch_add(&((bench *)user)->settled, 1); }
static void on_end(void *user) { atomic_fetch_add(&((bench *)user)->ended, 1); }

static void begin(bench *b) {
    memset(b, 0, sizeof *b);
    sem_init(&b->came, 0, 0);
    ck_assert_int_eq(mb_io_new(&b->io, NULL), 0);
    mb_io_set_hooks(b->io, &(mb_io_hooks){b, on_ready, on_settle, on_end});
}

static void start(bench *b) { ck_assert_int_eq(mb_io_start(b->io, NULL), 0); }

static void finish(bench *b) {
    mb_io_stop(b->io);
    ck_assert(mb_io_join(b->io, -1));
    ck_assert_int_eq(atomic_load(&b->ended), 1);
    mb_io_free(b->io);
    sem_destroy(&b->came);
}

static void wait_for(bench *b) {
    while (sem_wait(&b->came) != 0) ck_assert_int_eq(errno, EINTR);
}

// ---- tasks ---------------------------------------------------------------------------------------------------------

enum { JOBS = 20000, THREADS = 4 };
static job jobs[THREADS][JOBS];
static int next_number[THREADS], ran;

static void run_in_order(mb_task *task) {
    job *j = (job *)(void *)task;
    ck_assert(mb_io_is_me(j->b->io));
    int lane = (int)((j - &jobs[0][0]) / JOBS);
    ck_assert_int_eq(j->number, next_number[lane]);
    next_number[lane]++;
    if (++ran == THREADS * JOBS) sem_post(&j->b->came);
}

static void *post_many(void *user) {
    job *lane = user;
    for (int i = 0; i < JOBS; i++) mb_io_post(lane[i].b->io, &lane[i].task);
    return NULL;
}

START_TEST(tasks_of_each_thread_run_once_and_in_their_order) {
    bench b;
    pthread_t threads[THREADS];
    begin(&b);
    start(&b);
    for (int t = 0; t < THREADS; t++) {
        for (int i = 0; i < JOBS; i++) jobs[t][i] = (job){{NULL, run_in_order}, &b, i};
        pthread_create(&threads[t], NULL, post_many, jobs[t]);
    }
    wait_for(&b);
    for (int t = 0; t < THREADS; t++) pthread_join(threads[t], NULL);
    ck_assert(!mb_io_is_me(b.io));
    finish(&b);
    ck_assert_int_eq(ran, THREADS * JOBS);
}
END_TEST

static void say_came(mb_task *task) { sem_post(&((job *)(void *)task)->b->came); }

START_TEST(a_task_wakes_a_loop_that_sleeps) {
    bench b;
    begin(&b);
    start(&b);
    for (int i = 0; i < 2000; i++) {
        job j = {{NULL, say_came}, &b, 0};
        mb_io_post(b.io, &j.task);
        wait_for(&b); // would hang if a wake-up were lost
    }
    finish(&b);
}
END_TEST

static void count_up(mb_task *task) { ((job *)(void *)task)->number++; }

START_TEST(tasks_posted_before_the_start_and_before_the_stop_run) {
    bench b;
    begin(&b);
    job early = {{NULL, count_up}, &b, 0}, late = early;
    mb_io_post(b.io, &early.task);
    start(&b);
    mb_io_post(b.io, &late.task);
    finish(&b);
    ck_assert_int_eq(early.number, 1);
    ck_assert_int_eq(late.number, 1);
}
END_TEST

static void defer_again(mb_task *task) {
    job *j = (job *)(void *)task;
    if (++j->number < 3)
        mb_io_defer(j->b->io, task);
    else
        sem_post(&j->b->came);
}

static void defer_first(mb_task *task) {
    task->run = defer_again;
    mb_io_defer(((job *)(void *)task)->b->io, task);
}

START_TEST(what_is_deferred_while_the_round_ends_does_not_wait_for_an_event) {
    bench b;
    begin(&b);
    start(&b);
    job j = {{NULL, defer_first}, &b, 0};
    mb_io_post(b.io, &j.task);
    wait_for(&b);
    ck_assert_int_eq(j.number, 3);
    finish(&b);
}
END_TEST

// ---- timers and descriptors ----------------------------------------------------------------------------------------

typedef struct alarm_clock {
    mb_timer timer;
    bench *b;
    int64_t due_ms, fired_ms;
} alarm_clock;

typedef struct set_task {
    mb_task task;
    alarm_clock *clock;
    mb_timer *cleared;
} set_task;

static void ring(mb_timer *timer) {
    alarm_clock *c = (alarm_clock *)(void *)timer;
    c->fired_ms = mb_io_now(c->b->io);
    sem_post(&c->b->came);
}

static void set_alarm(mb_task *task) {
    set_task *s = (set_task *)(void *)task;
    s->clock->due_ms = mb_io_now(s->clock->b->io) + 30;
    mb_io_timer_set(s->clock->b->io, &s->clock->timer, s->clock->due_ms);
    mb_io_timer_set(s->clock->b->io, s->cleared, s->clock->due_ms - 5);
    mb_io_timer_clear(s->clock->b->io, s->cleared);
}

START_TEST(a_timer_fires_at_its_time_and_a_cleared_one_never) {
    bench b;
    begin(&b);
    start(&b);
    alarm_clock c = {{.fire = ring}, &b, 0, 0}, never = c;
    set_task s = {{NULL, set_alarm}, &c, &never.timer};
    mb_io_post(b.io, &s.task);
    wait_for(&b);
    finish(&b);
    ck_assert_int_ge(c.fired_ms, c.due_ms);
    ck_assert_int_lt(c.fired_ms, c.due_ms + 5000);
    ck_assert_int_eq(never.fired_ms, 0);
}
END_TEST

typedef struct watch_task {
    mb_task task;
    bench *b;
    int fd, status, again;
} watch_task;

static void watch(mb_task *task) {
    watch_task *w = (watch_task *)(void *)task;
    w->status = mb_io_watch(w->b->io, w->fd, EPOLLOUT, false); // a reading end is never that
    w->again = mb_io_watch(w->b->io, w->fd, EPOLLIN, true);
    sem_post(&w->b->came);
}

START_TEST(a_watched_descriptor_is_told_to_the_hook) {
    bench b;
    int ends[2];
    begin(&b);
    start(&b);
    ck_assert_int_eq(pipe(ends), 0);
    watch_task w = {{NULL, watch}, &b, ends[0], -1, -1};
    mb_io_post(b.io, &w.task);
    wait_for(&b);
    ck_assert_int_eq(w.status, 0);
    ck_assert_int_eq(w.again, 0);
    ck_assert_int_eq(write(ends[1], "hello", 5), 5);
    wait_for(&b);
    ck_assert_str_eq(b.got, "hello");
    ck_assert_int_eq(b.ready_fd, ends[0]);
    finish(&b);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

// ---- the thread ----------------------------------------------------------------------------------------------------

static sigset_t blocked;

static void look_at_signals(mb_task *task) {
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    sem_post(&((job *)(void *)task)->b->came);
}

START_TEST(the_thread_takes_no_signal_and_the_starter_keeps_its_mask) {
    bench b;
    sigset_t mine, after;
    static const int some[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGCHLD, SIGUSR1, SIGALRM};
    pthread_sigmask(SIG_SETMASK, NULL, &mine);
    begin(&b);
    start(&b);
    job j = {{NULL, look_at_signals}, &b, 0};
    mb_io_post(b.io, &j.task);
    wait_for(&b);
    finish(&b);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (size_t i = 0; i < MB_COUNT(some); i++) {
        ck_assert_int_eq(sigismember(&blocked, some[i]), 1);
        ck_assert_int_eq(sigismember(&after, some[i]), sigismember(&mine, some[i]));
    }
}
END_TEST

static sem_t may_go_on;

static void hold(mb_task *task) {
    sem_post(&((job *)(void *)task)->b->came);
    while (sem_wait(&may_go_on) != 0) {}
}

START_TEST(joining_gives_up_at_its_deadline_and_can_be_done_again) {
    bench b;
    begin(&b);
    ck_assert(mb_io_join(b.io, 0)); // nothing runs
    start(&b);
    sem_init(&may_go_on, 0, 0);
    job j = {{NULL, hold}, &b, 0};
    mb_io_post(b.io, &j.task);
    wait_for(&b);
    mb_io_stop(b.io);
    int64_t from = mb_now_ms();
    ck_assert(!mb_io_join(b.io, 20));
    ck_assert_int_ge(mb_now_ms() - from, 19);
    sem_post(&may_go_on);
    ck_assert(mb_io_join(b.io, 60000));
    ck_assert(mb_io_join(b.io, -1)); // it is over
    mb_io_free(b.io);
    sem_destroy(&b.came);
    sem_destroy(&may_go_on);
}
END_TEST

START_TEST(a_loop_that_was_never_started_is_freed) {
    bench b;
    begin(&b);
    mb_io_free(b.io);
    sem_destroy(&b.came);
    mb_io_free(NULL);
}
END_TEST

static int make_and_free(void *unused) {
    mb_io *io = NULL;
    membrane_error *err = NULL;
    int code = mb_io_new(&io, &err);
    ck_assert_int_eq(membrane_error_code(err), code);
    membrane_error_free(err);
    if (code == 0) mb_io_free(io);
    return code;
}

START_TEST(without_memory_there_is_no_loop_and_no_leak) { unit_every_allocation_fails(make_and_free, NULL); }
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, tasks_of_each_thread_run_once_and_in_their_order);
    tcase_add_test(tc, a_task_wakes_a_loop_that_sleeps);
    tcase_add_test(tc, tasks_posted_before_the_start_and_before_the_stop_run);
    tcase_add_test(tc, what_is_deferred_while_the_round_ends_does_not_wait_for_an_event);
    tcase_add_test(tc, a_timer_fires_at_its_time_and_a_cleared_one_never);
    tcase_add_test(tc, a_watched_descriptor_is_told_to_the_hook);
    tcase_add_test(tc, the_thread_takes_no_signal_and_the_starter_keeps_its_mask);
    tcase_add_test(tc, joining_gives_up_at_its_deadline_and_can_be_done_again);
    tcase_add_test(tc, a_loop_that_was_never_started_is_freed);
    tcase_add_test(tc, without_memory_there_is_no_loop_and_no_leak);
}
UNIT_MAIN("io", tests)
