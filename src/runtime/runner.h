// SPDX-License-Identifier: MIT
// One attempt under way: a target is asked, its answer becomes a turn, and what it used is settled with the board and
// the budgets. A call has one runner; while it hedges it has two, and the first one that says something wins.
#ifndef MB_RUNTIME_RUNNER_H
#define MB_RUNTIME_RUNNER_H

#include "observe/metrics.h"
#include "runtime/exchange.h"
#include "runtime/money.h"

typedef struct mb_host_run mb_host_run; // of a host-supplied provider

typedef struct mb_attempt {
    const mb_target *target;
    int key;
    int code, status;
    int64_t start_ms, end_ms; // of the call's clock; end 0: it runs
    int64_t first_ms;         // until the first token, -1: there was none
    int64_t cost_usd_micros;  // -1: not known
    const char *reason;
} mb_attempt;

typedef struct mb_runner {
    membrane_call *call;
    mb_exchange exchange;
    mb_turn turn;
    mb_host_run *host_run;
    mb_buf warnings;
    mb_ticket ticket;
    mb_hold *hold; // of money; NULL: no budget applies
    size_t target;
    int attempt;         // its row in call->attempts
    int64_t first_ms;    // when it said something first, 0: not yet
    int64_t pace_ms;     // since when its tokens are counted
    size_t pace_bytes;   // what has come since
    mb_timer pace_timer; // looks whether it is too slow
    size_t skip;         // spaces that the caller of a continued answer has already
    bool has_turn, is_running, is_sent, lost;
    bool holds_retry; // a part of the retry budget
} mb_runner;

// The target is asked; everything it needs was taken from the board before (runner->ticket). Failing at once is told
// like any other failure.
void mb_runner_begin(mb_runner *r, size_t target, int key, const char *reason);
// Its place and its money are given back, since it does not begin after all.
void mb_runner_withdraw(mb_runner *r);
// It ends as the code says: its record, the board, the budgets. Harmless if it does not run.
void mb_runner_end(mb_runner *r, int code, const membrane_error *error);
void mb_runner_stop(mb_runner *r);       // nothing comes from it any more
void mb_runner_free(mb_runner *r);       // with its turn
void mb_runner_fresh_turn(mb_runner *r); // as if nothing had come yet

mb_metric_series *mb_runner_series(const mb_runner *r); // where its target is counted
mb_turn_sink mb_runner_sink(mb_runner *r);
// An attempt has ended (also called by host providers); takes the error.
void mb_runner_done(void *user, int code, membrane_error *error);

#endif
