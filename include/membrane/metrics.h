/* SPDX-License-Identifier: MIT */
/**
 * @file metrics.h
 * @brief Numbers about the calls of a handle, as Prometheus reads them.
 *
 * Calls, attempts, errors, tokens, cost, times, and what is going on now. Names follow the OpenTelemetry conventions
 * for generative AI where these have one, and begin with membrane_ else; docs/guide/metrics.md lists them. They count
 * from the opening of the handle on; what is to be kept is in the call log.
 *
 * @code
 * char *text = NULL;
 * if (membrane_metrics(m, &text, &err) == 0) fputs(text, stdout);
 * membrane_string_free(text);
 * @endcode
 */
#ifndef MEMBRANE_METRICS_H
#define MEMBRANE_METRICS_H

#include "membrane/options.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What an HTTP answer with this text says of itself. */
#define MEMBRANE_METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/**
 * Everything that is counted, in Prometheus' text format 0.0.4: *ret_text is the caller's, freed with
 * membrane_string_free. Names of models are bounded: beyond 256 combinations of operation, provider and model the rest
 * is counted under "other". Any thread.
 * Errors: MEMBRANE_EINVAL, MEMBRANE_EFORKED, MEMBRANE_ENOMEM.
 */
MEMBRANE_API int membrane_metrics(membrane_t *m, char **ret_text, membrane_error **err);

#ifdef __cplusplus
}
#endif
#endif
