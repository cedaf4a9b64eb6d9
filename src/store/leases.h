// SPDX-License-Identifier: MIT
// Money that processes share: what was spent of each amount, and the leases, which are what a process has taken of it
// into its hand. At every moment
//
//     settled + unknown + what all leases still hold <= the limit
//
// because a lease is granted in one transaction that counts all others. A lease of a dead process stays, so what it had
// not settled counts as spent until the window is over. A connection of its own, power-safe (synchronous FULL): what
// was granted is on the disk before it is spent. One thread at a time.
#ifndef MB_STORE_LEASES_H
#define MB_STORE_LEASES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

typedef struct mb_leases mb_leases;

// Which budget, and whose amount of it in which window. No text is NULL; what is not there is "".
typedef struct mb_amount {
    const char *scope, *match, *period, *owner;
    int64_t start_ms;
} mb_amount;

// What happened to one lease since it was told last, and what it asks for.
typedef struct mb_lease_change {
    mb_amount amount;
    int64_t limit;
    int64_t lease;                     // 0: none yet
    int64_t granted, settled, unknown; // more (or less) than before
    bool ends;                         // nothing is in the hand any more: the lease goes
    bool asks;
    int64_t need, least, last;
    int64_t (*size)(int64_t left, int64_t need, int64_t least, int64_t last); // how much to grant where so much is left
    const int32_t *alerts;                                                    // rising, in millionths of the limit
    int alert_count;
    // written by mb_leases_change:
    int64_t ret_lease, ret_granted;
    int64_t ret_spent, ret_reserved; // over all processes, after the change
    uint32_t ret_alerts;             // a bit for each alert that was reached now and by nobody before
} mb_lease_change;

typedef struct mb_amount_sums {
    const char *owner; // valid during the call
    int64_t settled, unknown, reserved;
} mb_amount_sums;

// path NULL: in memory. holder: who takes these leases, for people who look into the file.
int mb_leases_open(const char *path, const char *holder, mb_leases **ret, membrane_error **err);
void mb_leases_close(mb_leases *leases); // leases stay as they are
// All changes in one transaction, or none of them.
int mb_leases_change(mb_leases *leases, mb_lease_change *changes, size_t count, membrane_error **err);
// What is left of windows that have been over for long.
int mb_leases_purge(mb_leases *leases, int64_t wall_ms, membrane_error **err);
// Each amount of a budget in one window, by owner. A visitor that returns non-zero ends it with that.
int mb_leases_sums(mb_leases *leases, const mb_amount *which, int (*visit)(void *user, const mb_amount_sums *sums),
                   void *user, membrane_error **err);

// The budgets that the user has set.
int mb_leases_rules(mb_leases *leases,
                    int (*visit)(void *user, const char *scope, const char *match, const char *period, int64_t limit),
                    void *user, membrane_error **err);
int mb_leases_set_rule(mb_leases *leases, const char *scope, const char *match, const char *period, int64_t limit,
                       membrane_error **err); // alerts are told again
int mb_leases_remove_rule(mb_leases *leases, const char *scope, const char *match, const char *period,
                          membrane_error **err); // MEMBRANE_ENOTFOUND; what was spent stays counted

#endif
