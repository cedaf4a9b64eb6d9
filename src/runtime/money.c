// SPDX-License-Identifier: MIT
// The path of a call: find the accounts that the attempt would spend from, hold its bound in all of them or in none. It
// takes one lock for a few instructions; where an account has too little in hand, the worker is asked and the caller
// comes again.
#include "runtime/money.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "runtime/money_parts.h"

enum { COMES_BACK_MS = 1000, HOLD_ROOM = 8, TOP_UP_PART = 4 };

// ---- waiting (lock held) -------------------------------------------------------------------------------------------

static void link_wait(mb_money_wait **list, mb_money_wait *wait) {
    wait->next = *list;
    wait->at = list;
    if (wait->next) wait->next->at = &wait->next;
    *list = wait;
}

static void unlink_wait(mb_money_wait *wait) {
    *wait->at = wait->next;
    if (wait->next) wait->next->at = wait->at;
    wait->next = NULL;
    wait->at = NULL;
}

static int wait_for_worker(mb_money *m, mb_money_wait *wait, membrane_error **err) {
    if (mb_money_start_worker(m) != 0)
        return mb_error_set(err, MEMBRANE_EIO, "the thread that keeps the budgets cannot be started");
    if (wait && !wait->money) {
        wait->money = m;
        link_wait(&m->waits, wait);
    }
    m->hurries = true;
    pthread_cond_signal(&m->work);
    return MEMBRANE_EAGAIN;
}

static void call_ready(mb_task *task) {
    mb_money *m = (mb_money *)((char *)task - offsetof(mb_money, ready_task));
    pthread_mutex_lock(&m->lock);
    m->is_posted = false;
    for (mb_money_wait *wait; (wait = m->ready) != NULL;) {
        unlink_wait(wait);
        wait->money = NULL;
        pthread_mutex_unlock(&m->lock);
        wait->ready(wait);
        pthread_mutex_lock(&m->lock);
    }
    pthread_mutex_unlock(&m->lock);
}

void mb_money_forget(mb_money_wait *wait) {
    mb_money *m = wait->money;
    if (!m) return;
    pthread_mutex_lock(&m->lock);
    unlink_wait(wait);
    wait->money = NULL;
    pthread_mutex_unlock(&m->lock);
}

// ---- the worker's list (lock held) ---------------------------------------------------------------------------------

void mb_money_todo(mb_money *m, mb_account *a) {
    if (a->is_todo) return;
    a->is_todo = true;
    a->todo_next = m->todo;
    if (!m->todo) m->todo_since_ms = mb_now_ms();
    m->todo = a;
    if (!m->rests_long) return;
    m->rests_long = false;
    pthread_cond_signal(&m->work); // it sleeps again at once, but only until the batch is due
}

static void ask(mb_money *m, mb_account *a, int64_t need) {
    if (need > 0) {
        a->least = a->asks && a->need > 0 && a->least < need ? a->least : need;
        a->need += need;
    }
    a->asks = true;
    mb_money_todo(m, a);
}

// ---- refusing (lock held) ------------------------------------------------------------------------------------------

static void put_day(mb_buf *out, int64_t wall_ms) {
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts;
    char text[40];
    if (gmtime_r(&seconds, &parts) && strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &parts)) mb_buf_puts(out, text);
}

static void put_budget(const mb_account *a, mb_buf *out) {
    char usd[MB_BUDGET_TEXT];
    mb_buf_putf(out, "the budget of %s ", mb_budget_usd(usd, a->rule.usd_micros));
    mb_budget_put_words(&a->rule, a->owner, out);
}

static int refuse(const mb_account *a, int64_t bound, int64_t wall_ms, membrane_error **err) {
    mb_buf text = MB_BUF(4096);
    char left_text[MB_BUDGET_TEXT], bound_text[MB_BUDGET_TEXT], reserved_text[MB_BUDGET_TEXT];
    int64_t free_here = mb_slice_free(&a->slice), left = a->rule.usd_micros - a->spent - a->reserved + free_here;
    bool comes_back = a->rule.usd_micros - a->spent >= bound, renews = a->window.end_ms != INT64_MAX;
    put_budget(a, &text);
    mb_buf_putf(&text, " has %s left, and this attempt may cost %s", mb_budget_usd(left_text, left > 0 ? left : 0),
                mb_budget_usd(bound_text, bound));
    if (renews) {
        mb_buf_puts(&text, "; it renews at ");
        put_day(&text, a->window.end_ms);
    }
    int code = mb_error_set(err, MEMBRANE_EBUDGET, "%s", mb_buf_text(&text));
    mb_buf_free(&text);
    if (!err || mb_error_is_static(*err)) return code;
    if (comes_back)
        mb_error_hint(*err,
                      "%s is reserved by other calls and programs and may come back; or ask for less (max_tokens)",
                      mb_budget_usd(reserved_text, a->reserved - free_here));
    else
        mb_error_hint(*err, "raise it: membrane budgets set %s %s%s%s%s AMOUNT%s", mb_budget_scope_name(a->rule.scope),
                      a->rule.match ? "\"" : "", a->rule.match ? a->rule.match : "", a->rule.match ? "\" " : "",
                      mb_budget_period_name(a->rule.period), a->rule.is_stored ? "" : ", or in the configuration");
    (*err)->retry_after_ms = comes_back ? COMES_BACK_MS : renews ? a->window.end_ms - wall_ms : -1;
    return code;
}

static int refuse_unbounded(const mb_account *a, const mb_money_subject *s, membrane_error **err) {
    mb_buf text = MB_BUF(4096);
    put_budget(a, &text);
    int code = mb_error_set(err, MEMBRANE_EBUDGET, "nobody knows what a call of %s/%s costs at most, and %s holds",
                            s->provider ? s->provider : "", s->model ? s->model : "", mb_buf_text(&text));
    mb_buf_free(&text);
    if (err) mb_error_hint(*err, "say max_tokens, and see that the model has a price (prices: FILE)");
    return code;
}

// The last answer was no, and is fresh.
static bool is_refused(const mb_account *a, int64_t need) {
    return a->no_until_ms && need >= a->no_need && mb_now_ms() < a->no_until_ms;
}

static int tell_no(const mb_money *m, const mb_account *a, int64_t bound, int64_t wall_ms, membrane_error **err) {
    if (!a->no_is_failure) return refuse(a, bound, wall_ms, err);
    int code = m->why ? m->why->code : MEMBRANE_EIO;
    return mb_error_set(err, code, "the budgets cannot be kept: %s", m->why ? membrane_error_message(m->why) : "?");
}

// ---- holding (lock held) -------------------------------------------------------------------------------------------

static mb_hold *new_hold(mb_money *m, size_t count) {
    mb_hold *hold = m->idle_holds;
    if (hold) m->idle_holds = hold->next;
    if (hold && hold->cap >= count) return hold;
    size_t cap = count > HOLD_ROOM ? count : HOLD_ROOM;
    mb_free(hold);
    hold = mb_malloc(sizeof *hold + cap * sizeof(mb_account *));
    if (hold) hold->cap = cap;
    return hold;
}

static int take(mb_money *m, const mb_entry *entry, int64_t bound, mb_hold **ret, membrane_error **err) {
    mb_hold *hold = new_hold(m, entry->count);
    if (!hold) return mb_error_no_memory(err);
    hold->amount = bound;
    hold->count = entry->count;
    for (size_t i = 0; i < entry->count; i++) {
        mb_account *a = entry->accounts[i];
        mb_slice_hold(&a->slice, bound);
        a->used = m->tick;
        hold->accounts[i] = a;
        // Some more is fetched before it is needed, where it would last for some calls.
        bool is_low = mb_slice_free(&a->slice) < a->last_granted / TOP_UP_PART;
        if (mb_unlikely(is_low && bound <= a->last_granted / TOP_UP_PART && !a->asks)) {
            ask(m, a, 0);
            m->hurries = true;
            pthread_cond_signal(&m->work);
        }
    }
    *ret = hold;
    return 0;
}

static int hold_in(mb_money *m, const mb_entry *entry, int64_t bound, int64_t wall_ms, mb_money_wait *wait,
                   mb_hold **ret, membrane_error **err) {
    bool is_short = false;
    for (size_t i = 0; i < entry->count; i++) {
        const mb_account *a = entry->accounts[i];
        int64_t need = bound - mb_slice_free(&a->slice);
        if (mb_likely(need <= 0)) continue;
        if (is_refused(a, need)) return tell_no(m, a, bound, wall_ms, err);
        is_short = true;
    }
    if (mb_likely(!is_short)) return take(m, entry, bound, ret, err);
    for (size_t i = 0; i < entry->count; i++) {
        mb_account *a = entry->accounts[i];
        int64_t need = bound - mb_slice_free(&a->slice);
        a->used = m->tick;
        if (need > 0) ask(m, a, need);
    }
    return wait_for_worker(m, wait, err);
}

static int hold_locked(mb_money *m, const mb_money_subject *subject, int64_t bound, int64_t wall_ms,
                       mb_money_wait *wait, mb_hold **ret, membrane_error **err) {
    mb_entry *entry;
    if (mb_unlikely(!m->is_loaded)) return wait_for_worker(m, wait, err);
    int code = mb_money_find(m, subject, wall_ms, &entry);
    if (mb_unlikely(code)) return mb_error_no_memory(err);
    if (entry->count == 0 || bound == 0) {
        *ret = NULL;
        return 0;
    }
    if (bound < 0) return refuse_unbounded(entry->accounts[0], subject, err);
    return hold_in(m, entry, bound, wall_ms, wait, ret, err);
}

// ---- the header's functions ----------------------------------------------------------------------------------------

int mb_money_new(const char *path, mb_money **ret, membrane_error **err) {
    mb_money *m = mb_calloc(1, sizeof *m);
    if (!m) return mb_error_no_memory(err);
    m->path = mb_strdup(path);
    if (path && !m->path) {
        mb_free(m);
        return mb_error_no_memory(err);
    }
    m->is_loaded = !path; // in memory nothing is stored yet
    atomic_init(&m->has_rules, path != NULL);
    m->ready_task.run = call_ready;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&m->work, &monotonic);
    pthread_cond_init(&m->news, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&m->lock, NULL);
    pthread_mutex_init(&m->db_lock, NULL);
    pthread_mutex_init(&m->tell_lock, NULL);
    *ret = m;
    return 0;
}

void mb_money_on_warning(mb_money *m, void (*tell)(void *user, const char *text), void *user) {
    pthread_mutex_lock(&m->tell_lock);
    m->tell = tell;
    m->tell_user = user;
    pthread_mutex_unlock(&m->tell_lock);
}

void mb_money_attach(mb_money *m, mb_io *io) {
    pthread_mutex_lock(&m->lock);
    m->io = io;
    pthread_mutex_unlock(&m->lock);
}

int mb_money_set_rules(mb_money *m, const mb_budget_rule *rules, size_t count, membrane_error **err) {
    mb_rules copy = {0};
    bool is_whole = true;
    for (size_t i = 0; i < count && is_whole; i++) is_whole = mb_rules_add(&copy, &rules[i]);
    pthread_mutex_lock(&m->lock);
    is_whole = is_whole && mb_money_replace(m, &m->configured, &copy);
    pthread_mutex_unlock(&m->lock);
    if (is_whole) return 0;
    mb_rules_free(&copy);
    return mb_error_no_memory(err);
}

bool mb_money_has_rules(mb_money *m) {
    // The worker looks at what other programs have stored as long as somebody calls; the first call after a rest
    // wakes it.
    if (mb_unlikely(m->path && !atomic_load_explicit(&m->touched, memory_order_relaxed))) {
        pthread_mutex_lock(&m->lock);
        atomic_store(&m->touched, true);
        if (m->running) pthread_cond_signal(&m->work);
        pthread_mutex_unlock(&m->lock);
    }
    return atomic_load_explicit(&m->has_rules, memory_order_relaxed);
}

int mb_money_hold(mb_money *m, const mb_money_subject *subject, int64_t bound, int64_t wall_ms, mb_money_wait *wait,
                  mb_hold **ret, membrane_error **err) {
    pthread_mutex_lock(&m->lock);
    int code = hold_locked(m, subject, bound, wall_ms, wait, ret, err);
    pthread_mutex_unlock(&m->lock);
    return code;
}

// With the lock held: a hold has ended. What was refused before may be there now.
static void put_away(mb_money *m, mb_hold *hold) {
    for (size_t i = 0; i < hold->count; i++) {
        hold->accounts[i]->no_until_ms = 0;
        hold->accounts[i]->used = m->tick;
    }
    hold->next = m->idle_holds;
    m->idle_holds = hold;
}

void mb_money_settle(mb_money *m, mb_hold *hold, int64_t usd_micros) {
    char cost[MB_BUDGET_TEXT], bound[MB_BUDGET_TEXT];
    if (!hold) return;
    if (usd_micros < 0) {
        mb_money_forfeit(m, hold);
        return;
    }
    int64_t amount = hold->amount;
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < hold->count; i++) {
        mb_account *a = hold->accounts[i];
        mb_slice_settle(&a->slice, amount, usd_micros);
        mb_money_todo(m, a);
    }
    put_away(m, hold);
    pthread_mutex_unlock(&m->lock);
    if (mb_unlikely(usd_micros > amount))
        mb_money_tell(m, "a call cost %s where %s had been reserved for it; all of it is counted",
                      mb_budget_usd(cost, usd_micros), mb_budget_usd(bound, amount));
}

void mb_money_forfeit(mb_money *m, mb_hold *hold) {
    if (!hold) return;
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < hold->count; i++) {
        mb_slice_forfeit(&hold->accounts[i]->slice, hold->amount);
        mb_money_todo(m, hold->accounts[i]);
    }
    put_away(m, hold);
    pthread_mutex_unlock(&m->lock);
}

void mb_money_release(mb_money *m, mb_hold *hold) {
    if (!hold) return;
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < hold->count; i++) mb_slice_release(&hold->accounts[i]->slice, hold->amount);
    put_away(m, hold);
    pthread_mutex_unlock(&m->lock);
}

void mb_money_tell(mb_money *m, const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    pthread_mutex_lock(&m->tell_lock);
    if (m->tell) m->tell(m->tell_user, text);
    pthread_mutex_unlock(&m->tell_lock);
}

// ---- the end -------------------------------------------------------------------------------------------------------

static void free_memory(mb_money *m) {
    mb_money_forget_entries(m);
    for (mb_account *a = m->accounts, *next; a; a = next) {
        next = a->next;
        mb_free(a);
    }
    for (mb_hold *hold = m->idle_holds, *next; hold; hold = next) {
        next = hold->next;
        mb_free(hold);
    }
    mb_map_free(&m->by_name);
    mb_rules_free(&m->configured);
    mb_rules_free(&m->stored);
    mb_rules_free(&m->rules);
    membrane_error_free(m->why);
    mb_free(m->path);
    mb_free(m);
}

void mb_money_destroy(mb_money *m) {
    mb_leases_close(m->leases);
    pthread_mutex_destroy(&m->lock);
    pthread_mutex_destroy(&m->db_lock);
    pthread_mutex_destroy(&m->tell_lock);
    pthread_cond_destroy(&m->work);
    pthread_cond_destroy(&m->news);
    free_memory(m);
}

// A SQLite connection may not cross a fork, not even to be closed, and a lock may be held by a thread that is not here.
void mb_money_abandon(mb_money *m) {
    if (m) free_memory(m);
}
