// SPDX-License-Identifier: MIT
// Rows go into a queue under a short lock, each as one block that holds its texts. The writer's life:
//
//     IDLE ──a row──▶ GATHERING ──512 rows, 200 ms, a flush or the close──▶ WRITING ──done──▶ IDLE or GATHERING
//                                                                             └─failed──▶ RESTING (1 s) ─▶ WRITING
//
// An adder wakes it only out of IDLE and when a batch is full, so a busy log costs a wake-up in 512 rows.
// Every row added is sooner or later settled: committed, or dropped because the queue was full.
#include "store/calls.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "store/calls_db.h"

enum { BATCH = 512, GATHER_MS = 200, REST_MS = 1000, DAY_MS = 86400000, PURGE_ROWS = 5000 };

typedef struct waiting waiting;
struct waiting {
    waiting *next;
    size_t bytes;
    mb_call_row row; // its texts stand behind it
};

typedef enum {
    IDLE,      // nothing waits; asleep until somebody signals
    GATHERING, // the first row of a batch is there; asleep until the batch is full or old enough
    WRITING,   // in SQLite, or about to be: no signal needed
} writer_state;

struct mb_calls {
    char *path; // NULL: in memory
    int keep_days;

    pthread_mutex_t lock; // guards all down to the next lock
    pthread_cond_t work;  // for the writer
    pthread_cond_t news;  // for those who flush and close
    waiting *first, **last;
    size_t count, bytes;
    uint64_t added, settled; // rows since the start
    uint64_t flush_to;       // somebody waits until so many are settled
    uint64_t failures;       // batches that could not be written
    uint64_t dropped;        // rows lost since the last flush
    membrane_error *why;     // of the last failure
    writer_state state;
    bool running, closing, ended, orphaned;
    pthread_t writer;

    pthread_mutex_t db_lock; // guards the database; taken without the other one held
    mb_db *db;
    int64_t purged_ms;
};

// ---- rows ----------------------------------------------------------------------------------------------------------

#define TEXT_AT(member) offsetof(mb_call_row, member)
static const size_t TEXTS[] = {TEXT_AT(request_id), TEXT_AT(session), TEXT_AT(provider), TEXT_AT(model),
                               TEXT_AT(outcome),    TEXT_AT(kind),    TEXT_AT(message),  TEXT_AT(attempts),
                               TEXT_AT(prompt),     TEXT_AT(answer),  TEXT_AT(decision)};

static const char **text_of(mb_call_row *row, size_t i) { return (const char **)((char *)row + TEXTS[i]); }

static waiting *pack(const mb_call_row *from) {
    size_t sizes[MB_COUNT(TEXTS)], total = sizeof(waiting);
    for (size_t i = 0; i < MB_COUNT(TEXTS); i++) {
        const char *text = *text_of((mb_call_row *)from, i);
        sizes[i] = text ? strlen(text) + 1 : 0;
        total += sizes[i];
    }
    total += from->story ? from->story_len : 0;
    waiting *w = mb_malloc(total);
    if (!w) return NULL;
    w->next = NULL;
    w->bytes = total;
    w->row = *from;
    char *at = (char *)(w + 1);
    for (size_t i = 0; i < MB_COUNT(TEXTS); i++) {
        if (!sizes[i]) continue;
        *text_of(&w->row, i) = memcpy(at, *text_of(&w->row, i), sizes[i]);
        at += sizes[i];
    }
    if (from->story) w->row.story = memcpy(at, from->story, from->story_len);
    return w;
}

static void free_rows(waiting *w) {
    for (waiting *next; w; w = next) {
        next = w->next;
        mb_free(w);
    }
}

// ---- the queue (lock held) -----------------------------------------------------------------------------------------

static waiting *shift(mb_calls *c) {
    waiting *w = c->first;
    c->first = w->next;
    if (!c->first) c->last = &c->first;
    w->next = NULL;
    c->count--;
    c->bytes -= w->bytes;
    return w;
}

static void append(mb_calls *c, waiting *w) {
    *c->last = w;
    c->last = &w->next;
    c->count++;
    c->bytes += w->bytes;
}

// Takes the oldest rows beyond the limits off, for the caller to free.
static waiting *overflow(mb_calls *c) {
    size_t rows = c->path ? MB_CALLS_WAITING : MB_CALLS_KEPT;
    waiting *over = NULL;
    while (mb_unlikely(c->count > rows || (c->bytes > MB_CALLS_BYTES && c->count > 1))) {
        waiting *w = shift(c);
        w->next = over;
        over = w;
        c->settled++;
        if (c->path) c->dropped++;
    }
    return over;
}

static waiting *take_batch(mb_calls *c, size_t most) {
    waiting *batch = c->first, **end = &batch;
    for (size_t n = 0; n < most && c->first; n++) {
        waiting *w = shift(c);
        *end = w;
        end = &w->next;
    }
    return batch;
}

static waiting *put_back(mb_calls *c, waiting *batch) {
    waiting *rest = c->first;
    c->first = NULL;
    c->last = &c->first;
    c->count = c->bytes = 0;
    for (waiting *lists[] = {batch, rest}, **l = lists; l < lists + 2; l++)
        for (waiting *w = *l, *next; w; w = next) {
            next = w->next;
            w->next = NULL;
            append(c, w);
        }
    return overflow(c);
}

// ---- the database (db_lock held) -----------------------------------------------------------------------------------

static const char INSERT[] =
    "INSERT INTO calls (ts_ms,request_id,session,provider,model,outcome,kind,message,attempts,input,cached,output,"
    "reasoning,exact,cost_usd_micros,latency_ms,first_token_ms,prompt,answer,decision,cost_unknown_attempts)"
    " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";

static void bind_known(mb_stmt *s, int at, int64_t n) {
    if (n >= 0)
        mb_stmt_int(s, at, n);
    else
        mb_stmt_null(s, at);
}

static int insert_told(mb_db *db, const mb_call_row *r, membrane_error **err) {
    mb_stmt *s;
    int status = mb_db_stmt(db, INSERT, &s, err);
    if (status) return status;
    mb_stmt_int(s, 1, r->ts_ms);
    const char *texts[] = {r->request_id ? r->request_id : "", r->session, r->provider, r->model,
                           r->outcome ? r->outcome : "error",  r->kind,    r->message,  r->attempts};
    for (int i = 0; i < (int)MB_COUNT(texts); i++) mb_stmt_text(s, 2 + i, texts[i]);
    bind_known(s, 10, r->input);
    bind_known(s, 11, r->cached);
    bind_known(s, 12, r->output);
    bind_known(s, 13, r->reasoning);
    mb_stmt_int(s, 14, r->exact);
    bind_known(s, 15, r->cost_usd_micros);
    bind_known(s, 16, r->latency_ms);
    bind_known(s, 17, r->first_token_ms);
    mb_stmt_text(s, 18, r->prompt);
    mb_stmt_text(s, 19, r->answer);
    mb_stmt_text(s, 20, r->decision);
    mb_stmt_int(s, 21, r->cost_unknown_attempts);
    status = mb_stmt_step(s, err);
    return status < 0 ? status : 0;
}

// What was put off is done now.
static int insert(mb_db *db, const mb_call_row *row, membrane_error **err) {
    mb_buf attempts = MB_BUF(MB_CALLS_BYTES), decision = MB_BUF(MB_CALLS_BYTES);
    mb_call_row told = *row;
    if (row->story) {
        row->tell(row->story, &attempts, &decision);
        if (attempts.len && mb_buf_ok(&attempts)) told.attempts = mb_buf_text(&attempts);
        if (decision.len && mb_buf_ok(&decision)) told.decision = mb_buf_text(&decision);
    }
    int status = insert_told(db, &told, err);
    mb_buf_free(&attempts);
    mb_buf_free(&decision);
    return status;
}

static int insert_all(mb_db *db, const waiting *batch, membrane_error **err) {
    int status = mb_db_exec(db, "BEGIN IMMEDIATE", err);
    if (status) return status;
    for (const waiting *w = batch; w && !status; w = w->next) status = insert(db, &w->row, err);
    if (!status) status = mb_db_exec(db, "COMMIT", err);
    if (status) mb_db_exec(db, "ROLLBACK", NULL);
    return status;
}

// In pieces, so that other processes get their turn to write.
static int purge(mb_calls *c, membrane_error **err) {
    if (c->keep_days <= 0 || !c->path) return 0;
    int64_t now = mb_wall_ms(), before = now - (int64_t)c->keep_days * DAY_MS;
    for (int64_t gone = PURGE_ROWS; gone == PURGE_ROWS;) {
        mb_stmt *s, *changes;
        int status =
            mb_db_stmt(c->db, "DELETE FROM calls WHERE id IN (SELECT id FROM calls WHERE ts_ms < ? LIMIT ?)", &s, err);
        if (status) return status;
        mb_stmt_int(s, 1, before);
        mb_stmt_int(s, 2, PURGE_ROWS);
        if ((status = mb_stmt_step(s, err)) < 0) return status;
        if ((status = mb_db_stmt(c->db, "SELECT changes()", &changes, err)) != 0) return status;
        if ((status = mb_stmt_step(changes, err)) < 0) return status;
        gone = mb_stmt_col_int(changes, 0);
        mb_stmt_reset(changes);
    }
    c->purged_ms = now;
    return 0;
}

static int open_db(mb_calls *c, membrane_error **err) {
    int status = c->db ? 0 : mb_db_open(c->path, &c->db, err);
    if (status) return status;
    int64_t age = mb_wall_ms() - c->purged_ms; // also when the clock was set back
    return age >= DAY_MS || age < 0 ? purge(c, err) : 0;
}

static int write_batch(mb_calls *c, const waiting *batch, membrane_error **err) {
    pthread_mutex_lock(&c->db_lock);
    int status = open_db(c, err);
    if (!status) status = insert_all(c->db, batch, err);
    pthread_mutex_unlock(&c->db_lock);
    return status;
}

// ---- the writer ----------------------------------------------------------------------------------------------------

static bool is_hurried(const mb_calls *c) { return c->closing || c->flush_to > c->settled; }

static void wait_for_batch(mb_calls *c) {
    while (c->count == 0 && !c->closing) {
        c->state = IDLE;
        pthread_cond_wait(&c->work, &c->lock);
    }
    c->state = GATHERING;
    struct timespec until = mb_after_ms(GATHER_MS);
    while (c->count < BATCH && !is_hurried(c))
        if (pthread_cond_timedwait(&c->work, &c->lock, &until) == ETIMEDOUT) break;
    c->state = WRITING;
}

static void rest(mb_calls *c) {
    struct timespec until = mb_after_ms(REST_MS);
    while (!is_hurried(c))
        if (pthread_cond_timedwait(&c->work, &c->lock, &until) == ETIMEDOUT) break;
}

// Called and left with the lock held.
static int settle_batch(mb_calls *c) {
    size_t before = c->count;
    waiting *batch = take_batch(c, BATCH), *junk = batch;
    size_t taken = before - c->count;
    membrane_error *why = NULL;
    pthread_mutex_unlock(&c->lock);
    int status = write_batch(c, batch, &why);
    if (!status) free_rows(batch);
    pthread_mutex_lock(&c->lock);
    if (status) {
        junk = put_back(c, batch);
        c->failures++;
        c->flush_to = c->settled; // who waits is told of the failure and asks again
        membrane_error_free(c->why);
        c->why = why;
        free_rows(junk);
    } else {
        c->settled += taken;
    }
    pthread_cond_broadcast(&c->news);
    return status;
}

static void destroy(mb_calls *c) {
    free_rows(c->first);
    mb_db_close(c->db);
    membrane_error_free(c->why);
    pthread_mutex_destroy(&c->lock);
    pthread_mutex_destroy(&c->db_lock);
    pthread_cond_destroy(&c->work);
    pthread_cond_destroy(&c->news);
    mb_free(c->path);
    mb_free(c);
}

static void *writer(void *arg) {
    mb_calls *c = arg;
    pthread_mutex_lock(&c->lock);
    for (;;) {
        wait_for_batch(c);
        if (c->count == 0) break; // only when closing
        if (settle_batch(c) == 0) continue;
        if (c->closing) break; // one try is what a close waits for
        rest(c);
    }
    c->ended = true;
    bool orphaned = c->orphaned;
    pthread_cond_broadcast(&c->news);
    pthread_mutex_unlock(&c->lock);
    if (orphaned) destroy(c);
    return NULL;
}

// With the lock held. A thread that cannot be had now may be had for the next row.
static int start_writer(mb_calls *c) {
    sigset_t all, old;
    if (c->running) return 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&c->writer, NULL, writer, c);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    c->running = rc == 0;
    if (c->running) c->state = WRITING; // it looks by itself before it sleeps
    return rc;
}

// ---- the header's functions ----------------------------------------------------------------------------------------

int mb_calls_new(const char *path, int keep_days, mb_calls **ret, membrane_error **err) {
    mb_calls *c = mb_calloc(1, sizeof *c);
    if (!c) return mb_error_no_memory(err);
    c->path = mb_strdup(path);
    if (path && !c->path) {
        mb_free(c);
        return mb_error_no_memory(err);
    }
    c->keep_days = keep_days;
    c->last = &c->first;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&c->work, &monotonic);
    pthread_cond_init(&c->news, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&c->lock, NULL);
    pthread_mutex_init(&c->db_lock, NULL);
    *ret = c;
    return 0;
}

int mb_calls_open(mb_calls *c, membrane_error **err) {
    if (!c->path) return 0;
    pthread_mutex_lock(&c->db_lock);
    int status = open_db(c, err);
    mb_calls_give_db(c);
    return status;
}

// True when the writer has ended; false when the time passed.
static bool wait_for_end(mb_calls *c, int64_t deadline_ms) {
    struct timespec until = mb_after_ms(deadline_ms < 0 ? 0 : deadline_ms);
    while (!c->ended) {
        if (deadline_ms < 0)
            pthread_cond_wait(&c->news, &c->lock);
        else if (pthread_cond_timedwait(&c->news, &c->lock, &until) == ETIMEDOUT)
            break;
    }
    return c->ended;
}

void mb_calls_close(mb_calls *c, int64_t deadline_ms) {
    if (!c) return;
    pthread_mutex_lock(&c->lock);
    if (c->path && c->count > 0) start_writer(c);
    c->closing = true;
    pthread_cond_signal(&c->work);
    bool running = c->running, ended = !running || wait_for_end(c, deadline_ms);
    c->orphaned = !ended; // the writer frees everything when SQLite lets it go
    pthread_t thread = c->writer;
    if (!ended) pthread_detach(thread); // under the lock: it may end, and free c, the moment the lock is free
    pthread_mutex_unlock(&c->lock);
    if (!ended) return;
    if (running) pthread_join(thread, NULL);
    destroy(c);
}

// A SQLite connection may not cross a fork, not even to be closed, and a lock may be held by a thread that is not
// here: rows are freed, the rest is left.
void mb_calls_abandon(mb_calls *c) {
    if (!c) return;
    free_rows(c->first);
    mb_free(c->path);
    mb_free(c);
}

int mb_calls_add(mb_calls *c, const mb_call_row *row) {
    waiting *w = pack(row);
    if (!w) return MEMBRANE_ENOMEM;
    pthread_mutex_lock(&c->lock);
    append(c, w);
    c->added++;
    waiting *over = overflow(c);
    bool wake = c->state == IDLE || (c->state == GATHERING && c->count == BATCH);
    wake = wake && c->running;
    if (wake) c->state = WRITING; // it is on its way: nobody else needs to call it
    if (mb_unlikely(c->path && !c->running)) start_writer(c);
    pthread_mutex_unlock(&c->lock);
    if (wake) pthread_cond_signal(&c->work);
    if (mb_unlikely(over != NULL)) free_rows(over);
    return 0;
}

static int tell_failure(mb_calls *c, membrane_error **err) {
    if (c->why) {
        int code = c->why->code;
        if (err) {
            membrane_error_free(*err);
            *err = mb_error_copy(c->why);
        }
        return code;
    }
    return mb_error_set(err, MEMBRANE_EIO, "the call log's writer cannot be started");
}

// Until every row so far is settled, or a batch could not be written.
static int settle(mb_calls *c, int64_t deadline_ms, membrane_error **err) {
    int status = 0, waited = 0;
    struct timespec until = mb_after_ms(deadline_ms < 0 ? 0 : deadline_ms);
    uint64_t want = c->added, failures = c->failures;
    if (c->settled >= want) return 0;
    if (start_writer(c) != 0) return tell_failure(c, err);
    if (c->flush_to < want) c->flush_to = want;
    pthread_cond_signal(&c->work);
    while (c->settled < want && c->failures == failures && !c->ended && waited != ETIMEDOUT)
        waited = deadline_ms < 0 ? pthread_cond_wait(&c->news, &c->lock)
                                 : pthread_cond_timedwait(&c->news, &c->lock, &until);
    if (c->settled < want && waited == ETIMEDOUT)
        return mb_error_set(err, MEMBRANE_ETIMEOUT, "the call log was not written to %s within %lld ms", c->path,
                            (long long)deadline_ms);
    if (c->settled < want) status = tell_failure(c, err);
    return status;
}

int mb_calls_flush(mb_calls *c, int64_t deadline_ms, membrane_error **err) {
    if (!c->path) return 0;
    pthread_mutex_lock(&c->lock);
    int status = settle(c, deadline_ms, err);
    if (!status && c->dropped > 0) {
        status = mb_error_set(err, MEMBRANE_EIO, "%llu rows of the call log were lost because %s could not be written",
                              (unsigned long long)c->dropped, c->path);
        c->dropped = 0;
    }
    pthread_mutex_unlock(&c->lock);
    return status;
}

// ---- for questions -------------------------------------------------------------------------------------------------

// What goes beyond the rows kept, or beyond their bytes, oldest first.
static const char TRIM[] =
    "DELETE FROM calls WHERE id <= (SELECT max(id) FROM (SELECT id, row_number() OVER newest AS n,"
    " sum(coalesce(length(CAST(prompt AS BLOB)),0)+coalesce(length(CAST(answer AS BLOB)),0)"
    "+coalesce(length(CAST(decision AS BLOB)),0)) OVER newest AS bytes"
    " FROM calls WINDOW newest AS (ORDER BY id DESC)) WHERE n > ? OR (bytes > ? AND n > 1))";

static int trim(mb_calls *c, membrane_error **err) {
    mb_stmt *s;
    int status = mb_db_stmt(c->db, TRIM, &s, err);
    if (status) return status;
    mb_stmt_int(s, 1, MB_CALLS_KEPT);
    mb_stmt_int(s, 2, (int64_t)MB_CALLS_BYTES);
    status = mb_stmt_step(s, err);
    return status < 0 ? status : 0;
}

static int move_into_memory_db(mb_calls *c, membrane_error **err) {
    int status = open_db(c, err);
    if (status) return status;
    pthread_mutex_lock(&c->lock);
    waiting *batch = take_batch(c, SIZE_MAX);
    pthread_mutex_unlock(&c->lock);
    if (!batch) return 0;
    status = insert_all(c->db, batch, err);
    if (status) {
        pthread_mutex_lock(&c->lock);
        batch = put_back(c, batch);
        pthread_mutex_unlock(&c->lock);
    }
    free_rows(batch);
    return status ? status : trim(c, err);
}

int mb_calls_take_db(mb_calls *c, mb_db **ret, membrane_error **err) {
    pthread_mutex_lock(&c->lock);
    int status = c->path ? settle(c, -1, err) : 0;
    pthread_mutex_unlock(&c->lock);
    if (status) return status;
    pthread_mutex_lock(&c->db_lock);
    status = c->path ? open_db(c, err) : move_into_memory_db(c, err);
    if (status) {
        pthread_mutex_unlock(&c->db_lock);
        return status;
    }
    *ret = c->db;
    return 0;
}

// SQLite must not cross a fork, and until the writer runs a fork is allowed: nothing stays open before that.
void mb_calls_give_db(mb_calls *c) {
    pthread_mutex_lock(&c->lock);
    bool keeps = !c->path || c->running;
    pthread_mutex_unlock(&c->lock);
    if (!keeps) {
        mb_db_close(c->db);
        c->db = NULL;
    }
    pthread_mutex_unlock(&c->db_lock);
}
