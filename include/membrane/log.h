/* SPDX-License-Identifier: MIT */
/**
 * @file log.h
 * @brief The call log (one row a call, in SQLite) and the running log (structured records, in memory).
 *
 * The call log holds time, session, target, attempts with their reasons, tokens, cost, latency and outcome; prompts and
 * answers only where switched on. Rows are written in batches (512 rows or 200 ms): a SIGKILL may lose the last batch.
 *
 * @code
 * membrane_result *r = NULL;
 * membrane_log_calls(m, "{\"limit\":20,\"outcome\":\"error\"}", &r, &err);
 * @endcode
 */
#ifndef MEMBRANE_LOG_H
#define MEMBRANE_LOG_H

#include "membrane/options.h"
#include "membrane/result.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Rows of the call log, oldest first: {items:[{id, ts_ms, request_id, session?, provider, model, outcome, kind?,
 * message?, attempts:[…], usage:{…}, cost_usd_micros, latency_ms, first_token_ms, prompt?, answer?, decision?}]}.
 * query_json (NULL: the last 20): {limit, after_id, since_ms, session, request_id, prefix: how the request_id begins,
 * provider, model, outcome: "ok"|"error"|"cancelled", match: a regular expression over request_id, session, target and
 * error, decision: true}. decision says who could have been asked and why it was this one (docs/guide/usage.md); it is
 * there if the query names a request_id or asks for it.
 */
MEMBRANE_API int membrane_log_calls(membrane_t *m, const char *query_json, membrane_result **ret_result,
                                    membrane_error **err);

/** Writes what is still in memory to the call log's file. */
MEMBRANE_API int membrane_log_flush(membrane_t *m, membrane_error **err);

/**
 * Running log records as JSON lines {ts, level, msg, request_id?, session_id?, provider?, model?, tokens?, latency_ms?,
 * outcome?}: what is there and fits into buf. 0 with *ret_len; MEMBRANE_EAGAIN when the time passed. *ret_dropped (may
 * be NULL) gets how many records were lost since the last read because nobody read. Records are kept only from the
 * first use of this function on (level: "debug", "info", "warn" or "error" and above; NULL "info").
 */
MEMBRANE_API int membrane_log_read(membrane_t *m, const char *level, char *buf, size_t cap, size_t *ret_len,
                                   uint64_t *ret_dropped, int64_t timeout_ms);

#ifdef __cplusplus
}
#endif
#endif
