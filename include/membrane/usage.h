/* SPDX-License-Identifier: MIT */
/**
 * @file usage.h
 * @brief What was used: sums over the call log.
 *
 * @code
 * membrane_result *r = NULL;
 * membrane_usage_sum(m, "model", 0, &r, &err);  // {items:[{key, calls, errors, input, cached, output, …}]}
 * @endcode
 */
#ifndef MEMBRANE_USAGE_H
#define MEMBRANE_USAGE_H

#include "membrane/options.h"
#include "membrane/result.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Sums over the call log. by: "day", "model", "provider" or "session". since_ms: only calls since this moment (Unix
 * time in milliseconds; 0: all that is kept). {items:[{key, calls, errors, input, cached, output, reasoning,
 * cost_usd_micros, cost_unknown}]}: cost_unknown counts the calls of which something is not
 * in the sum: the price is not known, or an attempt (a hedge that lost, an answer that broke off) may have cost more.
 */
MEMBRANE_API int membrane_usage_sum(membrane_t *m, const char *by, int64_t since_ms, membrane_result **ret_result,
                                    membrane_error **err);

#ifdef __cplusplus
}
#endif
#endif
