// SPDX-License-Identifier: MIT
// What the files of money share. money.c is the path of a call, money_rules.c which budgets hold and whom they concern,
// money_worker.c the thread and the database, money_list.c what people ask.
#ifndef MB_RUNTIME_MONEY_PARTS_H
#define MB_RUNTIME_MONEY_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/map.h"
#include "runtime/money.h"
#include "store/leases.h"

enum { MB_MONEY_BATCH = 32, MB_MONEY_BUCKETS = 1024, MB_MONEY_ENTRIES_MAX = 8192 };

// One amount of money: a budget, its owner, its window.
typedef struct mb_account mb_account;
struct mb_account {
    mb_account *next;      // of money->accounts
    mb_account *todo_next; // of money->todo
    const char *name;      // under which money->by_name knows it
    const char *owner;
    mb_budget_rule rule; // its match stands behind the account
    mb_budget_window window;
    mb_slice slice;   // in hand
    mb_slice written; // what the database knows of it
    int64_t lease;    // 0: none
    bool is_todo, asks, gives;
    int64_t need, least; // what those who wait need together, and the smallest of them
    int64_t last_granted;
    uint64_t used; // money->tick of its last use
    // of the last answer that was no grant, as long as it is fresh
    int64_t no_until_ms; // monotonic
    int64_t no_need;     // so much or more is not there
    bool no_is_failure;  // it could not be asked: money->why
    int64_t spent, reserved;
};

// The accounts of one subject, remembered: the path of a call compares names and builds none.
typedef struct mb_entry mb_entry;
struct mb_entry {
    mb_entry *next; // of its bucket
    uint64_t hash;
    int64_t from_ms, until_ms; // the windows of all accounts
    int key;
    const char *provider, *model, *logical, *session;
    size_t count;
    mb_account *accounts[];
};

struct mb_hold {
    mb_hold *next; // of the free ones
    int64_t amount;
    size_t count, cap;
    mb_account *accounts[];
};

typedef struct mb_rules {
    mb_arena arena;
    mb_budget_rule *at;
    size_t count;
} mb_rules;

struct mb_money {
    char *path;
    atomic_bool has_rules;     // or it is not known yet whether there are
    atomic_bool touched;       // a call has asked since the worker looked last
    pthread_mutex_t tell_lock; // held while somebody is told; the innermost
    void (*tell)(void *user, const char *text);
    void *tell_user;

    pthread_mutex_t lock; // guards all down to the next lock
    pthread_cond_t work;  // for the worker
    pthread_cond_t news;  // for those who flush and close
    mb_io *io;
    mb_rules configured, stored, rules; // the last ones: those that hold
    bool is_loaded;                     // the stored ones are known
    uint64_t edits;                     // of the stored ones, by this handle
    bool by_session;                    // some budget depends on the session
    mb_entry *buckets[MB_MONEY_BUCKETS];
    size_t entry_count;
    mb_account *accounts;
    mb_map by_name;
    mb_hold *idle_holds;
    mb_money_wait *waits; // for the worker's next round
    mb_money_wait *asked; // for the one that runs
    mb_money_wait *ready; // to be called
    mb_task ready_task;
    bool is_posted;

    mb_account *todo;
    mb_account *round;     // of todo, what the worker writes now
    int64_t todo_since_ms; // monotonic
    bool hurries;          // somebody waits
    bool rests_long;       // the worker sleeps for longer than a batch may wait
    uint64_t flush_wanted, flush_done, failures;
    membrane_error *why; // of the last failure
    uint64_t tick;
    int64_t tick_ms, look_ms; // monotonic: the next tick, the next look at the stored rules
    bool running, closing, ended, orphaned, told_failure;
    pthread_t worker;

    pthread_mutex_t db_lock; // guards the connection; taken without the other one held
    mb_leases *leases;
    // the worker's
    mb_lease_change changes[MB_MONEY_BATCH];
    mb_account *changed[MB_MONEY_BATCH];
    int32_t alerts[MB_MONEY_BATCH][MB_BUDGET_ALERTS_MAX];
};

// ---- money.c
int mb_money_start_worker(mb_money *money); // with the lock held; 0 or an errno
void mb_money_todo(mb_money *money, mb_account *account);
void mb_money_tell(mb_money *money, const char *format, ...) __attribute__((format(printf, 2, 3)));
void mb_money_destroy(mb_money *money);

// ---- money_rules.c, with the lock held
bool mb_rules_add(mb_rules *rules, const mb_budget_rule *rule); // false: out of memory
void mb_rules_free(mb_rules *rules);
bool mb_rules_equal(const mb_rules *a, const mb_rules *b);
// Those of both that hold, the smaller amount where both have one.
bool mb_rules_merge(const mb_rules *a, const mb_rules *b, mb_rules *ret);
// One of the two sets is replaced (it is taken over); false: out of memory, nothing has changed.
bool mb_money_replace(mb_money *money, mb_rules *which, mb_rules *by);
int mb_money_find(mb_money *money, const mb_money_subject *subject, int64_t wall_ms, mb_entry **ret); // 0 or ENOMEM
void mb_money_forget_entries(mb_money *money);
void mb_money_free_account(mb_money *money, mb_account *account); // taken out of the list already

// ---- money_worker.c
void *mb_money_worker(void *money);
int mb_money_take_db(mb_money *money, membrane_error **err); // locks it, too
void mb_money_give_db(mb_money *money);
int mb_money_read_stored(mb_money *money, mb_rules *ret, membrane_error **err); // with the database taken

#endif
