// SPDX-License-Identifier: MIT
// The worker: everything that touches the disk. Its round:
//
//     SLEEPING ──somebody waits, a batch is 200 ms old, a second is over──▶ LOOKING (which budgets are stored)
//        ▲                                                                     │
//        │ nobody waits, no account is left                                    ▼
//        └──────────── CALLING BACK ◀──committed or failed── WRITING (settled and given back; leases taken)
//
// One transaction writes what was settled and takes the leases that are asked for. A transaction that fails changes
// nothing here either: what it should have written is written by the next one.
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/rng.h"
#include "runtime/money_parts.h"

enum {
    GATHER_MS = 200,  // what was settled waits so long for more
    TICK_MS = 1000,   // accounts are looked through
    LOOK_MS = 2000,   // stored budgets are looked at
    IDLE_TICKS = 5,   // money that nobody used for so long is given back
    REFUSED_MS = 200, // a no is believed so long
    REST_MS = 1000,   // after a failure
};

// ---- the database --------------------------------------------------------------------------------------------------

static int open_leases(mb_money *m, membrane_error **err) {
    char holder[48];
    mb_rng rng;
    if (m->leases) return 0;
    mb_rng_seed(&rng);
    snprintf(holder, sizeof holder, "%ld-%08" PRIx32, (long)getpid(), (uint32_t)mb_rng_next(&rng));
    int code = mb_leases_open(m->path, holder, &m->leases, err);
    return code ? code : mb_leases_purge(m->leases, mb_wall_ms(), err);
}

int mb_money_take_db(mb_money *m, membrane_error **err) {
    pthread_mutex_lock(&m->db_lock);
    int code = open_leases(m, err);
    if (code) mb_money_give_db(m);
    return code;
}

// SQLite must not cross a fork, and until the worker runs a fork is allowed: no file stays open before that.
void mb_money_give_db(mb_money *m) {
    pthread_mutex_lock(&m->lock);
    bool keeps = !m->path || m->running;
    pthread_mutex_unlock(&m->lock);
    if (!keeps) {
        mb_leases_close(m->leases);
        m->leases = NULL;
    }
    pthread_mutex_unlock(&m->db_lock);
}

// ---- which budgets are stored --------------------------------------------------------------------------------------

static int add_stored(void *user, const char *scope, const char *match, const char *period, int64_t limit) {
    int scope_number = mb_budget_scope_from(scope), period_number = mb_budget_period_from(period);
    if (scope_number < 0 || period_number < 0) return 0; // of a version that knows more
    mb_budget_rule rule = {.scope = (mb_budget_scope)scope_number,
                           .period = (mb_budget_period)period_number,
                           .match = match[0] ? match : NULL,
                           .usd_micros = limit,
                           .is_stored = true};
    mb_budget_usual_alerts(&rule);
    return mb_rules_add(user, &rule) ? 0 : MEMBRANE_ENOMEM;
}

int mb_money_read_stored(mb_money *m, mb_rules *ret, membrane_error **err) {
    int code = mb_leases_rules(m->leases, add_stored, ret, err);
    if (code) mb_rules_free(ret);
    return code == MEMBRANE_ENOMEM ? mb_error_no_memory(err) : code;
}

// Called and left with the lock held. A file that cannot be read hides no budget that was read before; where none was,
// a call goes on: the file of a log must not stop it.
static void look(mb_money *m) {
    mb_rules found = {0};
    membrane_error *why = NULL;
    uint64_t edits = m->edits;
    m->look_ms = mb_now_ms() + LOOK_MS;
    atomic_store(&m->touched, false);
    pthread_mutex_unlock(&m->lock);
    int code = mb_money_take_db(m, &why);
    if (code == 0) {
        code = mb_money_read_stored(m, &found, &why);
        mb_money_give_db(m);
    }
    bool tells = code && code != MEMBRANE_ENOMEM && !m->told_failure;
    if (tells) mb_money_tell(m, "stored budgets cannot be read: %s", membrane_error_message(why));
    membrane_error_free(why);
    pthread_mutex_lock(&m->lock);
    m->told_failure = m->told_failure || tells;
    if (code == MEMBRANE_ENOMEM) return; // who waits asks again
    bool was_loaded = m->is_loaded;
    m->is_loaded = edits == m->edits; // else what was read may be what stood there before
    bool is_new = code == 0 && !mb_rules_equal(&found, &m->stored);
    if (is_new && !mb_money_replace(m, &m->stored, &found))
        m->is_loaded = was_loaded;
    else if (is_new)
        return;
    else
        atomic_store(&m->has_rules, !m->is_loaded || m->rules.count > 0);
    mb_rules_free(&found);
}

// ---- a batch -------------------------------------------------------------------------------------------------------

// With the lock held: what has changed since the account was written last.
static void describe(mb_account *a, mb_lease_change *c) {
    mb_slice *s = &a->slice;
    int64_t free = mb_slice_free(s);
    if (a->gives && !a->asks && free > 0) s->granted -= free;
    *c = (mb_lease_change){.amount = {.scope = mb_budget_scope_name(a->rule.scope),
                                      .match = a->rule.match ? a->rule.match : "",
                                      .period = mb_budget_period_name(a->rule.period),
                                      .owner = a->owner,
                                      .start_ms = a->window.start_ms},
                           .limit = a->rule.usd_micros,
                           .lease = a->lease,
                           .granted = s->granted - a->written.granted,
                           .settled = s->settled - a->written.settled,
                           .unknown = s->unknown - a->written.unknown,
                           .ends = a->gives && !a->asks && s->granted == mb_slice_spent(s),
                           .asks = a->asks,
                           .need = a->need,
                           .least = a->least,
                           .last = a->last_granted,
                           .size = mb_slice_size,
                           .alert_count = a->rule.alert_count};
    a->asks = a->gives = false;
    a->need = a->least = 0;
}

// With the lock held.
static size_t take_batch(mb_money *m) {
    size_t count = 0;
    for (; m->round && count < MB_MONEY_BATCH; count++) {
        mb_account *a = m->round;
        m->round = a->todo_next;
        a->is_todo = false;
        m->changed[count] = a;
        describe(a, &m->changes[count]);
        memcpy(m->alerts[count], a->rule.alerts, sizeof a->rule.alerts);
        m->changes[count].alerts = m->alerts[count];
    }
    return count;
}

static void note_answer(mb_account *a, const mb_lease_change *c) {
    a->written.granted += c->granted + c->ret_granted;
    a->written.settled += c->settled;
    a->written.unknown += c->unknown;
    a->slice.granted += c->ret_granted;
    a->lease = c->ret_lease;
    if (c->lease && !c->ret_lease) { // nothing was in it, so nobody has used it
        a->slice = a->written = (mb_slice){0};
        a->last_granted = 0;
    }
    if (!c->asks) return;
    bool is_refused = c->ret_granted == 0 && c->need > 0;
    a->last_granted = c->ret_granted;
    a->no_until_ms = is_refused ? mb_now_ms() + REFUSED_MS : 0;
    a->no_need = c->least;
    a->no_is_failure = false;
    a->spent = c->ret_spent;
    a->reserved = c->ret_reserved;
}

static void note_failure(mb_money *m, mb_account *a, const mb_lease_change *c) {
    if (c->asks) {
        a->no_until_ms = mb_now_ms() + REFUSED_MS;
        a->no_need = 0;
        a->no_is_failure = true;
    }
    a->gives = a->gives || c->ends;
    if (c->granted || c->settled || c->unknown || c->ends) mb_money_todo(m, a);
}

static void tell_alerts(mb_money *m, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const mb_account *a = m->changed[i];
        const mb_lease_change *c = &m->changes[i];
        for (int n = 0; n < c->alert_count; n++) {
            char limit[MB_BUDGET_TEXT], spent[MB_BUDGET_TEXT];
            mb_buf words = MB_BUF(2048);
            if (!(c->ret_alerts & (1u << n))) continue;
            mb_budget_put_words(&a->rule, a->owner, &words);
            mb_money_tell(m, "%g %% of the budget of %s %s is spent: %s", c->alerts[n] * 100.0 / MB_BUDGET_WHOLE,
                          mb_budget_usd(limit, c->limit), mb_buf_text(&words), mb_budget_usd(spent, c->ret_spent));
            mb_buf_free(&words);
        }
    }
}

// Called and left with the lock held.
static int write_batch(mb_money *m) {
    size_t count = take_batch(m);
    membrane_error *why = NULL;
    pthread_mutex_unlock(&m->lock);
    int code = mb_money_take_db(m, &why);
    if (code == 0) {
        code = mb_leases_change(m->leases, m->changes, count, &why);
        mb_money_give_db(m);
    }
    if (code == 0) tell_alerts(m, count);
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < count; i++) {
        if (code == 0)
            note_answer(m->changed[i], &m->changes[i]);
        else
            note_failure(m, m->changed[i], &m->changes[i]);
    }
    if (code == 0) return 0;
    m->failures++;
    membrane_error_free(m->why);
    m->why = why;
    return code;
}

// ---- looking through the accounts (lock held) ----------------------------------------------------------------------

// True: nothing of it is left here.
static bool is_done_with(const mb_money *m, const mb_account *a) {
    return !a->is_todo && !a->lease && a->slice.held == 0 && m->tick - a->used >= IDLE_TICKS;
}

static void drop_accounts(mb_money *m) {
    mb_money_forget_entries(m); // they point to accounts
    for (mb_account **at = &m->accounts; *at;) {
        mb_account *a = *at;
        if (!is_done_with(m, a)) {
            at = &a->next;
            continue;
        }
        *at = a->next;
        mb_money_free_account(m, a);
    }
}

static void give_back(mb_money *m, mb_account *a) {
    a->gives = true;
    mb_money_todo(m, a);
}

static void tick(mb_money *m) {
    int64_t wall = mb_wall_ms();
    size_t done = 0;
    m->tick++;
    m->tick_ms = mb_now_ms() + TICK_MS;
    for (mb_account *a = m->accounts; a; a = a->next) {
        bool is_idle = m->tick - a->used >= IDLE_TICKS, is_over = wall >= a->window.end_ms;
        bool is_empty = a->slice.held == 0 && mb_slice_free(&a->slice) == 0;
        if ((is_idle || is_over) && a->lease && (is_empty || mb_slice_free(&a->slice) > 0)) give_back(m, a);
        done += is_done_with(m, a);
    }
    if (done) drop_accounts(m);
}

// ---- the thread ----------------------------------------------------------------------------------------------------

static int64_t sooner(int64_t a, int64_t b) { return a < b ? a : b; }

static bool is_wanted(const mb_money *m) { return m->hurries || m->closing || m->flush_wanted > m->flush_done; }

static bool looks(const mb_money *m) { return m->path && (!m->is_loaded || atomic_load(&m->touched)); }

// With the lock held; -1: until somebody calls.
static int64_t next_due(const mb_money *m) {
    int64_t due = INT64_MAX;
    if (m->todo) due = sooner(due, m->todo_since_ms + GATHER_MS);
    if (m->accounts) due = sooner(due, m->tick_ms);
    if (looks(m)) due = sooner(due, m->look_ms);
    return due;
}

static void sleep_until_due(mb_money *m) {
    while (!is_wanted(m)) {
        int64_t due = next_due(m), now = mb_now_ms();
        if (due <= now) break;
        m->rests_long = !m->todo;
        if (due == INT64_MAX) {
            pthread_cond_wait(&m->work, &m->lock);
        } else {
            struct timespec until = mb_after_ms(due - now);
            pthread_cond_timedwait(&m->work, &m->lock, &until);
        }
        m->rests_long = false;
    }
}

// What comes while a round writes waits for the next one: calling back must not wait for a list that never ends.
static void write_all(mb_money *m) {
    int code = 0;
    m->round = m->todo;
    m->todo = NULL;
    while (m->round && code == 0) code = write_batch(m);
    while (m->round) {
        mb_account *a = m->round;
        m->round = a->todo_next;
        a->is_todo = false;
        mb_money_todo(m, a);
    }
    // A disk that is stuck is not asked all the time. Who comes meanwhile and needs a lease is told of it.
    if (code) m->todo_since_ms = mb_now_ms() + REST_MS - GATHER_MS;
}

static void move_all(mb_money_wait **to, mb_money_wait **from) {
    mb_money_wait **end = from;
    if (!*from) return;
    while (*end) end = &(*end)->next;
    *end = *to;
    if (*to) (*to)->at = end;
    *to = *from;
    (*to)->at = to;
    *from = NULL;
}

// Nobody asks any more, not even for some more in advance.
static void give_all_back(mb_money *m) {
    for (mb_account *a = m->accounts; a; a = a->next) {
        a->asks = false;
        a->need = a->least = 0;
        if (a->lease) give_back(m, a);
    }
}

static void round_of_work(mb_money *m) {
    uint64_t flush = m->flush_wanted;
    m->hurries = false;
    move_all(&m->asked, &m->waits);
    if (!m->is_loaded || (looks(m) && mb_now_ms() >= m->look_ms)) look(m);
    if (m->closing) give_all_back(m);
    write_all(m);
    if (m->accounts && mb_now_ms() >= m->tick_ms) tick(m);
    m->flush_done = flush;
    pthread_cond_broadcast(&m->news);
}

// Those who waited for this round are called on the I/O thread.
static void call_back(mb_money *m) {
    if (!m->asked || m->closing || !m->io) return;
    move_all(&m->ready, &m->asked);
    if (m->is_posted) return;
    m->is_posted = true;
    mb_io_post(m->io, &m->ready_task);
}

void *mb_money_worker(void *arg) {
    mb_money *m = arg;
    pthread_mutex_lock(&m->lock);
    for (;;) {
        sleep_until_due(m);
        bool is_last = m->closing;
        round_of_work(m);
        call_back(m);
        if (is_last) break; // one try is what a close waits for
    }
    m->ended = true;
    bool orphaned = m->orphaned;
    pthread_cond_broadcast(&m->news);
    pthread_mutex_unlock(&m->lock);
    if (orphaned) mb_money_destroy(m);
    return NULL;
}

int mb_money_start_worker(mb_money *m) {
    sigset_t all, old;
    if (m->running) return 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&m->worker, NULL, mb_money_worker, m);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    m->running = rc == 0;
    return rc;
}

// ---- flush and close -----------------------------------------------------------------------------------------------

static bool wait_for_news(mb_money *m, const struct timespec *until) { // false: the time is over
    if (!until) return pthread_cond_wait(&m->news, &m->lock) == 0;
    return pthread_cond_timedwait(&m->news, &m->lock, until) != ETIMEDOUT;
}

int mb_money_flush(mb_money *m, int64_t deadline_ms, membrane_error **err) {
    struct timespec until = mb_after_ms(deadline_ms < 0 ? 0 : deadline_ms);
    int code = 0;
    pthread_mutex_lock(&m->lock);
    if (m->running) {
        uint64_t want = ++m->flush_wanted, failures = m->failures;
        pthread_cond_signal(&m->work);
        while (m->flush_done < want && !m->ended && wait_for_news(m, deadline_ms < 0 ? NULL : &until)) {}
        if (m->failures > failures && m->why)
            code = mb_error_set(err, m->why->code, "%s", membrane_error_message(m->why));
        else if (m->flush_done < want)
            code = mb_error_set(err, MEMBRANE_ETIMEOUT, "what was spent was not written within %lld ms",
                                (long long)deadline_ms);
    }
    pthread_mutex_unlock(&m->lock);
    return code;
}

void mb_money_close(mb_money *m, int64_t deadline_ms) {
    if (!m) return;
    struct timespec until = mb_after_ms(deadline_ms < 0 ? 0 : deadline_ms);
    pthread_mutex_lock(&m->tell_lock); // whom it tells may go away after this
    m->tell = NULL;
    pthread_mutex_unlock(&m->tell_lock);
    pthread_mutex_lock(&m->lock);
    m->closing = true;
    pthread_cond_signal(&m->work);
    bool running = m->running;
    while (running && !m->ended && wait_for_news(m, deadline_ms < 0 ? NULL : &until)) {}
    bool ended = !running || m->ended;
    m->orphaned = !ended; // the worker frees everything when SQLite lets it go
    pthread_t thread = m->worker;
    if (!ended) pthread_detach(thread); // under the lock: it may end, and free all, the moment the lock is free
    pthread_mutex_unlock(&m->lock);
    if (!ended) return;
    if (running) pthread_join(thread, NULL);
    mb_money_destroy(m);
}
