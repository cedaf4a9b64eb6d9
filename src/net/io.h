// SPDX-License-Identifier: MIT
// The I/O thread: one loop over epoll that runs posted tasks, timers and ready descriptors. Everything of net/http.c
// and of a running call happens on it, so those need no locks. All signals are blocked on it.
#ifndef MB_NET_IO_H
#define MB_NET_IO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "net/timer.h"

typedef struct mb_io mb_io;

// Intrusive: belongs to whoever posts it until it has run.
typedef struct mb_task mb_task;
struct mb_task {
    mb_task *next;
    void (*run)(mb_task *task);
};

// What a part that owns descriptors is told.
typedef struct mb_io_hooks {
    void *user;
    void (*ready)(void *user, int fd, uint32_t events); // EPOLLIN, EPOLLOUT …
    void (*settle)(void *user);                         // after tasks and timers, before the loop sleeps
    void (*end)(void *user);                            // on the thread, when the loop is over
} mb_io_hooks;

int mb_io_new(mb_io **ret, membrane_error **err); // no thread yet
void mb_io_set_hooks(mb_io *io, const mb_io_hooks *hooks);
int mb_io_start(mb_io *io, membrane_error **err); // starts the thread; once
void mb_io_post(mb_io *io, mb_task *task);       // any thread; never blocks, never fails; wakes the thread if it sleeps
bool mb_io_is_me(const mb_io *io);               // on this I/O thread?
void mb_io_stop(mb_io *io);                      // the loop ends after the tasks posted so far
bool mb_io_join(mb_io *io, int64_t deadline_ms); // false: it still runs; -1 waits for ever
void mb_io_free(mb_io *io);                      // after join
void mb_io_abandon(mb_io *io);                   // in a forked child: waits for no thread, none is there

// On the I/O thread only.
int64_t mb_io_now(const mb_io *io); // monotonic milliseconds, taken once a round
void mb_io_timer_set(mb_io *io, mb_timer *timer, int64_t due_ms);
void mb_io_timer_clear(mb_io *io, mb_timer *timer);
void mb_io_defer(mb_io *io, mb_task *task);                         // runs it at the end of this round
int mb_io_watch(mb_io *io, int fd, uint32_t events, bool is_known); // adds or changes; 0 or MEMBRANE_EIO
void mb_io_unwatch(mb_io *io, int fd);

#endif
