// SPDX-License-Identifier: MIT
// Tasks come in over a lock-free stack that is turned round before it is run. The thread says that it sleeps before it
// looks at the stack for the last time, and whoever posts looks at that word after pushing: so no wake-up is lost and
// none is sent to a thread that is awake.
#include "net/io.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"

struct mb_io {
    _Atomic(mb_task *) posted;
    atomic_bool sleeps;
    atomic_bool stops;
    int epoll_fd, wake_fd;
    int64_t now_ms;
    mb_timers timers;
    mb_task *deferred;
    mb_io_hooks hooks;
    pthread_t thread;
    bool started, joined;
    pthread_mutex_t lock; // guards ended and joined
    pthread_cond_t end_cond;
    bool ended;
};

static _Thread_local const mb_io *mine; // the loop that this thread runs

bool mb_io_is_me(const mb_io *io) { return mine == io; }

int mb_io_new(mb_io **ret, membrane_error **err) {
    mb_io *io = mb_calloc(1, sizeof *io);
    if (!io) return mb_error_no_memory(err);
    io->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    io->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event wake = {.events = EPOLLIN, .data.fd = io->wake_fd};
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&io->end_cond, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&io->lock, NULL);
    if (io->epoll_fd < 0 || io->wake_fd < 0 || epoll_ctl(io->epoll_fd, EPOLL_CTL_ADD, io->wake_fd, &wake) != 0) {
        int code = mb_error_set(err, MEMBRANE_EIO, "cannot make an event loop: %s", strerror(errno));
        mb_io_free(io);
        return code;
    }
    *ret = io;
    return 0;
}

void mb_io_set_hooks(mb_io *io, const mb_io_hooks *hooks) { io->hooks = *hooks; }

int64_t mb_io_now(const mb_io *io) { return io->now_ms; }
void mb_io_timer_set(mb_io *io, mb_timer *timer, int64_t due_ms) { mb_timers_set(&io->timers, timer, due_ms); }
void mb_io_timer_clear(mb_io *io, mb_timer *timer) { mb_timers_clear(&io->timers, timer); }

int mb_io_watch(mb_io *io, int fd, uint32_t events, bool is_known) {
    struct epoll_event event = {.events = events, .data.fd = fd};
    int op = is_known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    return epoll_ctl(io->epoll_fd, op, fd, &event) == 0 ? 0 : MEMBRANE_EIO;
}

void mb_io_unwatch(mb_io *io, int fd) { epoll_ctl(io->epoll_fd, EPOLL_CTL_DEL, fd, NULL); }

static void wake(mb_io *io) {
    uint64_t one = 1;
    ssize_t n = write(io->wake_fd, &one, sizeof one);
    (void)n; // full means that a wake-up is pending already
}

void mb_io_post(mb_io *io, mb_task *task) {
    mb_task *head = atomic_load_explicit(&io->posted, memory_order_relaxed);
    do task->next = head;
    while (!atomic_compare_exchange_weak(&io->posted, &head, task));
    if (atomic_load(&io->sleeps) && atomic_exchange(&io->sleeps, false)) wake(io);
}

static bool run_posted(mb_io *io) {
    if (!atomic_load_explicit(&io->posted, memory_order_relaxed)) return false;
    mb_task *stack = atomic_exchange(&io->posted, NULL), *line = NULL;
    while (stack) {
        mb_task *next = stack->next;
        stack->next = line;
        line = stack;
        stack = next;
    }
    while (line) {
        mb_task *task = line;
        line = task->next;
        task->run(task);
    }
    return true;
}

void mb_io_defer(mb_io *io, mb_task *task) {
    task->next = io->deferred;
    io->deferred = task;
}

static void run_deferred(mb_io *io) {
    mb_task *task = io->deferred;
    io->deferred = NULL;
    for (mb_task *next; task; task = next) {
        next = task->next;
        task->run(task);
    }
}

static int sleep_ms(mb_io *io) {
    if (io->deferred) return 0; // by a task that was deferred itself
    int64_t due = mb_timers_next(&io->timers);
    if (due < 0) return -1;
    int64_t wait = due - mb_now_ms(); // the round itself took its time
    return wait <= 0 ? 0 : wait > 60000 ? 60000 : (int)wait;
}

static void wait_ready(mb_io *io) {
    struct epoll_event ready[64];
    int timeout = sleep_ms(io);
    if (timeout != 0) {
        atomic_store(&io->sleeps, true);
        if (atomic_load(&io->posted) || atomic_load(&io->stops)) timeout = 0;
    }
    int n = epoll_wait(io->epoll_fd, ready, MB_COUNT(ready), timeout);
    atomic_store(&io->sleeps, false);
    io->now_ms = mb_now_ms();
    for (int i = 0; i < n; i++) {
        if (ready[i].data.fd == io->wake_fd) {
            uint64_t count;
            ssize_t got = read(io->wake_fd, &count, sizeof count);
            (void)got;
        } else {
            io->hooks.ready(io->hooks.user, ready[i].data.fd, ready[i].events);
        }
    }
}

static void *loop(void *user) {
    mb_io *io = user;
    mine = io;
    io->now_ms = mb_now_ms();
    for (;;) {
        bool stops = atomic_load(&io->stops);
        while (run_posted(io)) {}
        mb_timers_run(&io->timers, io->now_ms);
        io->hooks.settle(io->hooks.user);
        run_deferred(io);
        if (stops) break;
        wait_ready(io);
    }
    io->hooks.end(io->hooks.user);
    run_deferred(io);
    pthread_mutex_lock(&io->lock);
    io->ended = true;
    pthread_cond_broadcast(&io->end_cond);
    pthread_mutex_unlock(&io->lock);
    return NULL;
}

int mb_io_start(mb_io *io, membrane_error **err) {
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int failed = pthread_create(&io->thread, NULL, loop, io);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failed) return mb_error_set(err, MEMBRANE_EIO, "cannot start the I/O thread: %s", strerror(failed));
    pthread_setname_np(io->thread, "membrane-io");
    io->started = true;
    return 0;
}

void mb_io_stop(mb_io *io) {
    atomic_store(&io->stops, true);
    atomic_store(&io->sleeps, false);
    wake(io);
}

bool mb_io_join(mb_io *io, int64_t deadline_ms) {
    if (!io->started) return true;
    struct timespec until = mb_after_ms(deadline_ms < 0 ? 0 : deadline_ms);
    pthread_mutex_lock(&io->lock);
    int timed_out = 0;
    while (!io->ended && timed_out != ETIMEDOUT)
        timed_out = deadline_ms < 0 ? pthread_cond_wait(&io->end_cond, &io->lock)
                                    : pthread_cond_timedwait(&io->end_cond, &io->lock, &until);
    // Two may be closing at once: one of them joins. The thread needs the lock no more.
    bool ended = io->ended;
    if (ended && !io->joined) io->joined = pthread_join(io->thread, NULL) == 0;
    pthread_mutex_unlock(&io->lock);
    return ended;
}

void mb_io_abandon(mb_io *io) {
    if (!io) return;
    if (io->epoll_fd >= 0) close(io->epoll_fd);
    if (io->wake_fd >= 0) close(io->wake_fd);
    mb_free(io);
}

void mb_io_free(mb_io *io) {
    if (!io) return;
    pthread_mutex_destroy(&io->lock);
    pthread_cond_destroy(&io->end_cond);
    mb_io_abandon(io);
}
