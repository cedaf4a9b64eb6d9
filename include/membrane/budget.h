/* SPDX-License-Identifier: MIT */
/**
 * @file budget.h
 * @brief Budgets: what may be spent by key, model, session or in all, in a day, a month or for good.
 *
 * Budgets stand in the configuration (`budgets:`) or in the data file, which is that of the call log; those are set
 * here and hold for every program that uses the file. Without a file they hold as long as the handle. Before an attempt
 * is made the most that it can cost is reserved in every budget that concerns it, and settled when its cost is known;
 * where one of them has too little left the call ends with MEMBRANE_EBUDGET, which says how much is left and when it
 * renews. Several programs share a budget by leases, so that together they never spend more than its amount.
 *
 * A budget is named by three words. scope: "key", "model", "session" or "all". match: a glob (* and ?); all that match
 * share one amount; NULL: each key, model or session has an amount of its own. A key is "PROVIDER#N" (N from 1), and a
 * match without "#" means all keys of the provider; a model is "provider/model", a logical model's name matches too.
 * period: "day" and "month" (of UTC), or "total". Where the configuration and the data file have the same budget the
 * smaller amount holds, and what is spent counts for both.
 *
 * @code
 * membrane_result *r = NULL;
 * membrane_budget_set(m, "key", "cloud", "day", 5000000, &err); // five dollars a day for all keys of "cloud"
 * if (membrane_budget_list(m, &r, &err) == 0) puts(membrane_result_json(r, NULL));
 * membrane_result_free(r);
 * @endcode
 *
 * Threads: every function may be used from any thread; they wait for the disk. What was set or removed is on the disk
 * when the function returns, holds for the next attempt of this handle, and within two seconds for other programs; what
 * they have reserved already they may still spend.
 *
 * Errors of all: MEMBRANE_EINVAL, MEMBRANE_EIO, MEMBRANE_ENEWER, MEMBRANE_EFORKED, MEMBRANE_ENOMEM.
 */
#ifndef MEMBRANE_BUDGET_H
#define MEMBRANE_BUDGET_H

#include "membrane/options.h"
#include "membrane/result.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Every budget that holds, and how it stands with it now: {items:[{scope, match|null, period, owner|null, usd_micros,
 * settled, unknown, reserved, left, start_ms, end_ms|null, source:"config"|"stored", alerts:[…]}]}. A budget without a
 * match has an item for each owner ("cloud#1", "cloud/gpt", a session) that was used in the window, or one item without
 * an owner. settled is what calls have cost; unknown what was reserved for calls whose cost nobody can tell, and
 * counts; reserved what programs have in hand now, and what programs had that ended without a word; left is usd_micros
 * less all three.
 */
MEMBRANE_API int membrane_budget_list(membrane_t *m, membrane_result **ret_result, membrane_error **err);

/**
 * Sets a budget in the data file, or replaces its amount. usd_micros: 0 (only what is free may be called) to 10^15.
 * Its alerts, at 0.8 and 1 of the amount, are told again.
 */
MEMBRANE_API int membrane_budget_set(membrane_t *m, const char *scope, const char *match, const char *period,
                                     int64_t usd_micros, membrane_error **err);

/**
 * Removes a budget from the data file. What was spent stays counted: a budget that is set again goes on from there.
 * MEMBRANE_ENOTFOUND: there is none, or it stands in the configuration.
 */
MEMBRANE_API int membrane_budget_remove(membrane_t *m, const char *scope, const char *match, const char *period,
                                        membrane_error **err);

#ifdef __cplusplus
}
#endif
#endif
