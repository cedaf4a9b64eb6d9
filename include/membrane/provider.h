/* SPDX-License-Identifier: MIT */
/**
 * @file provider.h
 * @brief The providers behind the router, and providers that the program itself supplies.
 *
 * A host can put its own model (or a fake) behind the same router: a table of functions. start is called on the
 * library's I/O thread and must not block; events are pushed from any thread until done or error.
 *
 * @code
 * static int start(void *user, const char *request_json, size_t len, membrane_push *push, void **ret_state) {
 *     membrane_push_text(push, "Hello.", 6);
 *     membrane_push_done(push, "stop");
 *     return 0;
 * }
 * membrane_provider_table table = { sizeof table, MEMBRANE_PROVIDER_VERSION, 0, start, NULL, NULL };
 * membrane_provider_add(m, "mine", &table, NULL, &err);   // now "mine/anything" is a model
 * @endcode
 */
#ifndef MEMBRANE_PROVIDER_H
#define MEMBRANE_PROVIDER_H

#include "membrane/options.h"
#include "membrane/result.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Where a host-supplied provider puts what its model says. Valid until free was called for its call. */
typedef struct membrane_push membrane_push;

#define MEMBRANE_PROVIDER_VERSION 1

/** A host-supplied provider. Members said to be optional may be NULL. */
typedef struct membrane_provider_table {
    uint32_t struct_size; /**< sizeof of the caller's struct */
    uint32_t version;     /**< MEMBRANE_PROVIDER_VERSION */
    uint32_t local;       /**< 1: counts as local (for MEMBRANE_CALL_LOCAL_ONLY) */
    /**
     * MUST begin to answer the canonical request (lent during the call) without blocking; no function of this library
     * that waits may be called here. Returns 0, or a MEMBRANE_E… code: then nothing more is called for this attempt.
     * *ret_state is handed to cancel and free.
     */
    int (*start)(void *user, const char *request_json, size_t len, membrane_push *push, void **ret_state);
    /** MAY stop early; pushes that still come are dropped. */
    void (*cancel)(void *user, void *state);
    /** MAY free the state; called exactly once for each successful start; no push may follow its return. */
    void (*free)(void *user, void *state);
} membrane_provider_table;

/** Adds a provider under a name that is not taken (MEMBRANE_ECONFLICT). The table is copied; user must outlive m. */
MEMBRANE_API int membrane_provider_add(membrane_t *m, const char *name, const membrane_provider_table *table,
                                       void *user, membrane_error **err);

/* Each returns 0, MEMBRANE_ECANCELLED when nobody wants more, MEMBRANE_EINVAL (bad UTF-8, after the end),
 * MEMBRANE_ENOMEM. */
MEMBRANE_API int membrane_push_text(membrane_push *push, const char *text, size_t len);
MEMBRANE_API int membrane_push_thinking(membrane_push *push, const char *text, size_t len);
/** One whole tool call; id NULL makes one. */
MEMBRANE_API int membrane_push_tool_call(membrane_push *push, const char *id, const char *name, const char *arguments,
                                         size_t len);
/** Tokens; a negative number means unknown. */
MEMBRANE_API int membrane_push_usage(membrane_push *push, int64_t input, int64_t cached, int64_t output,
                                     int64_t reasoning);
/** The end: "stop", "length", "tool_calls" or "content_filter". */
MEMBRANE_API int membrane_push_done(membrane_push *push, const char *finish);
/** The other end: a MEMBRANE_E… code and what happened. */
MEMBRANE_API int membrane_push_error(membrane_push *push, int status, const char *message);

/**
 * The configured providers: {items:[{name, kind, engine, base_url, local, key:"set"|"missing"|"none", keys?: how many,
 * if there are several, probe?:{state, latency_ms, version?, models?, kind?, message?}, last?:{outcome, kind?, ts_ms,
 * keys?:[{key, outcome, kind?, ts_ms}]}}]}. last is how the last attempt ended, as far as the call log knows, and the
 * last one with each key (they count from 1). probe 1 asks each one now, for at most timeout_ms (0: 5 s).
 */
MEMBRANE_API int membrane_provider_list(membrane_t *m, int probe, int64_t timeout_ms, membrane_result **ret_result,
                                        membrane_error **err);

#ifdef __cplusplus
}
#endif
#endif
