// SPDX-License-Identifier: MIT
// Budgets at work: the rules of route/budget over the leases of store/leases. What is in hand is spent under a short
// lock and without the disk; one worker thread, started by the first need, fetches leases, writes what was settled (in
// batches, every 200 ms) and gives back what nobody used for 5 s. It also looks every two seconds, while there are
// calls, whether another program has set a budget.
//
//     if (mb_money_has_rules(m)) code = mb_money_hold(m, &subject, bound, mb_wall_ms(), &wait, &hold, &err);
//     0             go; hold is NULL where no budget applies or nothing can be spent
//     MEMBRANE_EAGAIN   wait->ready(wait) is called when it is worth trying again
//     MEMBRANE_EBUDGET  not enough is left, with what is and when it renews; MEMBRANE_EIO, MEMBRANE_ENOMEM
//     … then exactly one of settle, forfeit, release for every hold.
#ifndef MB_RUNTIME_MONEY_H
#define MB_RUNTIME_MONEY_H

#include <stdbool.h>

#include "net/io.h"
#include "route/budget.h"

typedef struct mb_money mb_money;
typedef struct mb_hold mb_hold;
typedef mb_budget_subject mb_money_subject;

// Who waits for a lease. Zeroed before its first use; belongs to its owner, who takes it back before it goes away.
typedef struct mb_money_wait mb_money_wait;
struct mb_money_wait {
    void (*ready)(mb_money_wait *wait); // set by the owner; called once, on the I/O thread, without any lock
    mb_money *money;                    // the rest is money's own; NULL while it does not wait
    mb_money_wait *next, **at;
};

// path: of the data file; NULL: in memory. Opens nothing and starts nothing.
int mb_money_new(const char *path, mb_money **ret, membrane_error **err);
// Once each, before the first hold. Warnings (alerts, costs above a hold, a file that cannot be used) are told as a
// sentence, from any thread; the teller may not come back to money.
void mb_money_on_warning(mb_money *money, void (*tell)(void *user, const char *text), void *user);
void mb_money_attach(mb_money *money, mb_io *io); // whose thread calls the waiters back
// The budgets of the configuration; copied. Any thread. MEMBRANE_ENOMEM: nothing has changed.
int mb_money_set_rules(mb_money *money, const mb_budget_rule *rules, size_t count, membrane_error **err);

// False: no budget holds, and a call need not ask. A load or two.
bool mb_money_has_rules(mb_money *money);
// bound_usd_micros: what the attempt can cost at most (mb_budget_bound); -1: nobody knows, which a budget refuses. wait
// may be NULL: then nobody is called back. All budgets that apply hold it, or none does.
int mb_money_hold(mb_money *money, const mb_money_subject *subject, int64_t bound_usd_micros, int64_t wall_ms,
                  mb_money_wait *wait, mb_hold **ret, membrane_error **err);
void mb_money_forget(mb_money_wait *wait); // it is not called any more; nothing where it does not wait
// They take the hold; NULL is allowed. None of them allocates, blocks on the disk or fails.
void mb_money_settle(mb_money *money, mb_hold *hold, int64_t usd_micros); // -1: as forfeit
void mb_money_forfeit(mb_money *money, mb_hold *hold);                    // nobody knows what it cost: all counts
void mb_money_release(mb_money *money, mb_hold *hold);                    // nothing was spent

// For membrane/budget.h. Any thread; they wait for the disk. match may be NULL.
int mb_money_list(mb_money *money, int64_t wall_ms, mb_buf *out, membrane_error **err);
int mb_money_set(mb_money *money, const char *scope, const char *match, const char *period, int64_t usd_micros,
                 membrane_error **err);
int mb_money_remove(mb_money *money, const char *scope, const char *match, const char *period, membrane_error **err);

// Waits until all that was settled so far is written; MEMBRANE_ETIMEOUT after deadline_ms (-1: as long as it takes).
int mb_money_flush(mb_money *money, int64_t deadline_ms, membrane_error **err);
// When the I/O thread has ended or never was: writes what was settled, gives back what is in hand (at most deadline_ms,
// -1 for ever), joins the worker, frees. Takes NULL.
void mb_money_close(mb_money *money, int64_t deadline_ms);
void mb_money_abandon(mb_money *money); // after fork in the child: releases memory, touches neither thread nor file

#endif
