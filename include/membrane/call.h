/* SPDX-License-Identifier: MIT */
/**
 * @file call.h
 * @brief One call of a model: start it, pull its events, take its result.
 *
 * A request is JSON (docs/schema/request.json): OpenAI chat messages plus what the other wires need. Unknown keys are
 * errors. Which provider answers is the router's choice unless the model's name says it.
 *
 * @code
 * static const char request[] = "{\"messages\":[{\"role\":\"user\",\"content\":\"Why is the sky blue?\"}]}";
 * membrane_call *call = NULL;
 * const membrane_event *event;
 * membrane_call_start(m, request, sizeof request - 1, NULL, &call, &err);
 * while (membrane_call_next(call, MEMBRANE_FOREVER, &event, NULL) == 0)
 *     if (membrane_event_type(event) == MEMBRANE_EVENT_TEXT) fputs(membrane_event_text(event, NULL), stdout);
 * membrane_call_free(call);
 * @endcode
 *
 * Threads: one thread at a time advances a call; membrane_call_cancel may come from any thread at any moment.
 */
#ifndef MEMBRANE_CALL_H
#define MEMBRANE_CALL_H

#include "membrane/event.h"
#include "membrane/options.h"
#include "membrane/result.h"

#ifdef __cplusplus
extern "C" {
#endif

enum membrane_call_flags {
    MEMBRANE_CALL_LOCAL_ONLY = 1u << 0,  /**< only targets on this machine or a private network */
    MEMBRANE_CALL_NO_FALLBACK = 1u << 1, /**< only the target that is asked first */
    MEMBRANE_CALL_LOG_PROMPT = 1u << 2,  /**< keep prompt and answer in the call log, whatever is configured */
    MEMBRANE_CALL_RESTART = 1u << 3,     /**< an answer that breaks off begins again elsewhere, after a RESET event */
    MEMBRANE_CALL_CONTINUE = 1u << 4     /**< an answer that breaks off is continued by a target that can */
};

/**
 * How to run a call. Fill with membrane_call_options_init first; pointers are read only during the start. A time may be
 * MEMBRANE_FOREVER.
 */
typedef struct membrane_call_options {
    uint32_t struct_size;           /**< set by membrane_call_options_init */
    uint32_t flags;                 /**< membrane_call_flags */
    int64_t deadline_ms;            /**< from now, for all attempts together; 0: as configured (600,000) */
    int64_t connect_timeout_ms;     /**< 0: as configured (10,000) */
    int64_t first_token_timeout_ms; /**< 0: as configured (120,000 for local targets, 60,000 for others) */
    int64_t idle_timeout_ms;        /**< between two events; 0: as configured (60,000) */
    int32_t retries;                /**< further attempts a target; MEMBRANE_UNSET: as configured (2) */
    const char *session;            /**< session id for log and stickiness, or NULL */
    const char *via;                /**< comma-separated hop names; a target named in it is skipped; or NULL */
    const char *policy;             /**< how targets share calls, instead of what is configured: "ordered", "weighted",
                                         "least_busy", "latency", "cheapest", "usage"; NULL: as configured */
    const char *provider;           /**< only targets of this provider; NULL: any */
    int64_t max_cost_usd_micros;    /**< of all attempts together; a target that may cost more, or whose price nobody
                                         knows, is not asked; 0: as configured */
    int64_t max_wait_ms;            /**< for limits of our own (rpm, tpm, parallel); MEMBRANE_UNSET: as configured */
    int64_t hedge_ms;               /**< a second target is asked beside a first one that says nothing for so long;
                                         MEMBRANE_HEDGE_P95; 0: never; MEMBRANE_UNSET: as configured */
    int32_t max_attempts;           /**< of all targets together; 0: no more than 64 */
} membrane_call_options;

/** hedge_ms: after the time within which 95 of 100 first tokens of the target came (none before 20 were seen). */
#define MEMBRANE_HEDGE_P95 (-1)

/** Fills *options (size bytes) with the defaults. */
MEMBRANE_API void membrane_call_options_init(membrane_call_options *options, size_t size);

/**
 * Validates and copies the request and queues it. Never blocks on disk, DNS or network; what goes wrong later is an
 * ERROR event. options may be NULL.
 * Errors: MEMBRANE_EINVAL (the request, with the path of what is wrong), MEMBRANE_ENOTFOUND (no such model or
 * provider), MEMBRANE_ENOTARGET, MEMBRANE_EFORKED, MEMBRANE_ECANCELLED (the handle is closing), MEMBRANE_ENOMEM.
 */
MEMBRANE_API int membrane_call_start(membrane_t *m, const char *request_json, size_t len,
                                     const membrane_call_options *options, membrane_call **ret_call,
                                     membrane_error **err);

/**
 * The next event. timeout_ms: 0 polls, MEMBRANE_FOREVER waits. 0 with *ret_event (lent until the next function on this
 * call), MEMBRANE_EAGAIN when the time passed, MEMBRANE_EDONE after the terminal event.
 */
MEMBRANE_API int membrane_call_next(membrane_call *call, int64_t timeout_ms, const membrane_event **ret_event,
                                    membrane_error **err);

/**
 * Many events at once, as JSON lines, for bindings: waits for the first one as membrane_call_next does, then takes
 * what is there and fits. 0 with *ret_len bytes written to buf; MEMBRANE_EAGAIN, MEMBRANE_EDONE; MEMBRANE_EINVAL with
 * *ret_len = the bytes needed when the next event alone does not fit (nothing is lost).
 */
MEMBRANE_API int membrane_call_read(membrane_call *call, char *buf, size_t cap, size_t *ret_len, int64_t timeout_ms);

/** Stops the call; it ends with an ERROR event of kind cancelled, unless it had ended already. Any thread. */
MEMBRANE_API void membrane_call_cancel(membrane_call *call);

/** The id of the call: the request's request_id, or one made for it. Lives as long as the call. */
MEMBRANE_API const char *membrane_call_request_id(const membrane_call *call);

/** The result, lent by the call, after DONE; after ERROR what there is (partial text, attempts, usage); NULL before. */
MEMBRANE_API const membrane_result *membrane_call_result(membrane_call *call);

/** Cancels if it still runs, and frees. Takes NULL. */
MEMBRANE_API void membrane_call_free(membrane_call *call);

/** Start, wait, and the answer's text in one: *ret_text is the caller's, freed with membrane_string_free. */
MEMBRANE_API int membrane_call_text(membrane_t *m, const char *request_json, size_t len,
                                    const membrane_call_options *options, char **ret_text, membrane_error **err);

/**
 * What a call would do at this moment, without sending anything: {policy, model, chosen_because, input_tokens,
 * candidates:[{provider, model, engine, url, local, list, verdict, why, ready_in_ms, breaker, weight, in_flight,
 * expected_ms, cost_usd_micros, window}], method, url, body}. verdict: "taken" (where the policy draws lots, this
 * time), "possible" or "passed over"; why says it in words; the cost is expected, null where the price is not known;
 * the body is that of the target taken, as it would go over the wire (without headers or keys). input_tokens is a
 * guess.
 */
MEMBRANE_API int membrane_call_plan(membrane_t *m, const char *request_json, size_t len,
                                    const membrane_call_options *options, membrane_result **ret_result,
                                    membrane_error **err);

#ifdef __cplusplus
}
#endif
#endif
