// SPDX-License-Identifier: MIT
// The root handle: configuration snapshot, I/O thread, call log, and the calls that run. Its lock guards what is marked
// so; everything on the I/O thread (room, calls) needs none.
#ifndef MB_RUNTIME_HANDLE_H
#define MB_RUNTIME_HANDLE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/limits.h"
#include "base/rng.h"
#include "membrane/membrane.h"
#include "observe/metrics.h"
#include "observe/records.h"
#include "runtime/config.h"
#include "runtime/exchange.h"
#include "store/calls.h"

typedef struct mb_host_provider {
    char *name;
    membrane_provider_table table;
    void *user;
    struct mb_host_provider *next;
} mb_host_provider;

// What was found when nothing was configured; see discover.h.
typedef struct mb_discovery {
    const mb_provider *provider; // of config
    char model[MB_LIMIT_NAME + 64];
    char reason[MB_LIMIT_NAME + 64];
    mb_config *config; // counted
    int64_t until_ms;
} mb_discovery;

struct membrane_handle {
    atomic_int refs;
    atomic_long generation; // of fork, when the thread was started; 0: not started
    pthread_mutex_t lock;
    // under the lock
    mb_config *config;
    bool is_open, is_started;
    mb_host_provider *hosts;
    membrane_call *idle_calls; // memory of ended calls, for the next ones
    int idle_call_count;
    membrane_call *live;                     // calls that their callers hold
    membrane_call *ready_first, *ready_last; // calls with events, in turn
    int ready_fd;                            // -1 until somebody asked
    atomic_bool has_ready_fd;                // so that nobody locks for nothing
    // the board, under a lock of its own: the I/O thread decides by it, others look
    pthread_mutex_t board_lock;
    mb_board *board;
    struct mb_money *money;
    // any thread, by atomic exchange: for the requests
    _Atomic(mb_json_parser *) idle_parser;
    // read-only after open
    membrane_options options; // for a reload; texts are copies
    mb_calls *calls;
    int64_t log_wait_ms; // how long releasing waits for the call log
    mb_records *records;
    mb_metrics *metrics;
    mb_io *io;
    // on the I/O thread
    mb_engine_room room;
    membrane_call *first_call;
    mb_discovery found;
    struct mb_probe *probes;
    struct mb_load *loads; // that wait or run
    mb_rng rng;
    mb_task close_task, serve_task;
    mb_timer serve_timer; // when a place behind a limit is free
    bool is_serving;      // serve_task is on its way
};

// Hands a task to the I/O thread, which is started if it does not run. MEMBRANE_EFORKED, MEMBRANE_ECANCELLED (closing:
// the task will not run), MEMBRANE_EIO, MEMBRANE_ENOMEM.
int mb_handle_post(membrane_t *m, mb_task *task, membrane_error **err);
// The configuration in force, counted.
mb_config *mb_handle_config(membrane_t *m);
bool mb_handle_is_forked(const membrane_t *m);
const mb_host_provider *mb_handle_host(membrane_t *m, const char *name, size_t len);
// metrics.c: numbers that know what to ask this handle for. NULL: out of memory.
mb_metrics *mb_metrics_of(membrane_t *m);

#endif
