// SPDX-License-Identifier: MIT
// The call log: one row a call. With a file, rows are handed to a writer thread (started by the first row, all signals
// blocked) that commits up to 512 rows or what came in 200 ms at once. Without a file the last MB_CALLS_KEPT rows stay
// in memory and only a question puts them into a database, so that a call costs no SQL. Any thread.
#ifndef MB_STORE_CALLS_H
#define MB_STORE_CALLS_H

#include "base/error.h"
#include "base/json.h"

#define MB_CALLS_KEPT    10000              // rows in memory without a file
#define MB_CALLS_WAITING 100000             // rows that wait for a disk that is stuck
#define MB_CALLS_BYTES   ((size_t)64 << 20) // either of them together: prompts may be long

typedef struct mb_calls mb_calls;

// All texts may be NULL but request_id and outcome; numbers are -1 where unknown.
typedef struct mb_call_row {
    int64_t ts_ms; // wall clock of the start
    const char *request_id, *session, *provider, *model;
    const char *outcome;  // "ok", "error", "cancelled"
    const char *kind;     // of the error
    const char *message;  // of the error
    const char *attempts; // JSON array, ready; or the story
    const char *decision; // JSON object, ready: who could have been asked, and why it was this one
    int64_t input, cached, output, reasoning;
    bool exact;
    int64_t cost_usd_micros;
    int64_t cost_unknown_attempts; // beside the one that answered; 0: all is known, or cost_usd_micros is -1
    int64_t latency_ms, first_token_ms;
    const char *prompt, *answer; // only where switched on
    // Instead of attempts and decision: bytes, copied, of which both are made when the row is written or asked for.
    const char *story;
    size_t story_len;
    void (*tell)(const char *story, mb_buf *attempts, mb_buf *decision);
} mb_call_row;

// Opens nothing yet. path NULL: in memory. keep_days 0: for ever; older rows go when the file is opened and daily.
int mb_calls_new(const char *path, int keep_days, mb_calls **ret, membrane_error **err);
// Opens the file now if there is one (to learn early that it cannot be used).
int mb_calls_open(mb_calls *calls, membrane_error **err);
// Writes what waits (at most deadline_ms, -1 for ever), joins the writer, frees. Takes NULL.
void mb_calls_close(mb_calls *calls, int64_t deadline_ms);
// After fork in the child: releases memory and touches neither thread nor file.
void mb_calls_abandon(mb_calls *calls);
// Copies the row; never blocks on disk. When more than MB_CALLS_WAITING rows wait (the disk is stuck) the oldest are
// dropped and counted in the next flush's error. MEMBRANE_ENOMEM.
int mb_calls_add(mb_calls *calls, const mb_call_row *row);
// Waits until all rows so far are committed; MEMBRANE_ETIMEOUT after deadline_ms (-1: waits as long as it takes).
int mb_calls_flush(mb_calls *calls, int64_t deadline_ms, membrane_error **err);
// Writes {"items":[…]} as include/membrane/log.h says. query: the JSON object described there, may be NULL; unknown
// keys are errors.
int mb_calls_query(mb_calls *calls, const mb_json *query, mb_buf *out, membrane_error **err);
// Writes {"items":[…]} as include/membrane/usage.h says.
int mb_calls_sum(mb_calls *calls, const char *by, int64_t since_ms, mb_buf *out, membrane_error **err);
// The last outcome of each provider, and of each of its keys where attempts say which one they used:
// {"NAME":{"outcome","kind"?,"ts_ms","keys"?:[{"key","outcome","kind"?,"ts_ms"}]},…}. Keys count from 1.
int mb_calls_last(mb_calls *calls, mb_buf *out, membrane_error **err);

#endif
