/* SPDX-License-Identifier: MIT */
/**
 * @file error.h
 * @brief Every way a call can go wrong: one table, and the object that carries the details.
 *
 * A function that can fail returns 0 or one of the negative MEMBRANE_E… codes and, if its last argument is not NULL,
 * an error object with the details. Results (the ret_… arguments) are written only on success. There is no "last
 * error" anywhere: what is not asked for is gone.
 *
 * @code
 * membrane_error *err = NULL;
 * if (membrane_open(NULL, &m, &err) != 0) {
 *     fprintf(stderr, "%s: %s\n", membrane_error_kind(err), membrane_error_message(err));
 *     if (membrane_error_hint(err)) fprintf(stderr, "  try: %s\n", membrane_error_hint(err));
 *     membrane_error_free(err);
 * }
 * @endcode
 */
#ifndef MEMBRANE_ERROR_H
#define MEMBRANE_ERROR_H

#include "membrane/version.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The table of errors: X(NAME, code, kind, text, retryable, trips a breaker, exit code of the command line, OrchQueue
 * name). The code of a row never changes and is never used again; new rows take new numbers.
 */
#define MEMBRANE_ERRORS(X)                                                                                             \
    X(EAGAIN, -1, "again", "nothing is there yet", 1, 0, 3, "INTERNAL")                                                \
    X(EDONE, -2, "done", "the terminal event was already given", 0, 0, 1, "INTERNAL")                                  \
    X(EFORKED, -3, "forked", "the handle was in use before fork; the child must open its own", 0, 0, 1, "INTERNAL")    \
    X(EINVAL, -4, "invalid_argument", "an argument is wrong", 0, 0, 2, "INVALID_PARAMS")                               \
    X(ENOMEM, -5, "out_of_memory", "out of memory", 0, 0, 1, "INTERNAL")                                               \
    X(EIO, -6, "io", "reading or writing failed", 0, 0, 1, "INTERNAL")                                                 \
    X(EINTERNAL, -7, "internal", "a fault of the library", 0, 0, 1, "INTERNAL")                                        \
    X(ECONFIG, -8, "config", "the configuration cannot be used", 0, 0, 2, "INVALID_PARAMS")                            \
    X(ENOTFOUND, -9, "not_found", "no such thing", 0, 0, 6, "INVALID_PARAMS")                                          \
    X(ECONFLICT, -10, "conflict", "it is there already or was changed meanwhile", 0, 0, 1, "INVALID_PARAMS")           \
    X(EDENIED, -11, "denied", "a policy forbids it", 0, 0, 5, "ADMISSION_REJECT")                                      \
    X(ECANCELLED, -12, "cancelled", "the caller cancelled", 0, 0, 130, "INTERNAL")                                     \
    X(ENEWER, -13, "newer_version", "written by a newer version", 0, 0, 2, "INTERNAL")                                 \
    X(EAUTH, -20, "auth", "the key was refused", 0, 0, 4, "POOL_UNAVAILABLE")                                          \
    X(EPERMISSION, -21, "permission", "the key may not do this", 0, 0, 4, "POOL_UNAVAILABLE")                          \
    X(EFUNDS, -22, "insufficient_funds", "the account has no credit left", 0, 0, 4, "POOL_UNAVAILABLE")                \
    X(EMODEL, -23, "model_not_found", "the provider does not know the model", 0, 0, 6, "POOL_UNAVAILABLE")             \
    X(EBADREQUEST, -24, "bad_request", "the provider refused the request", 0, 0, 2, "INVALID_PARAMS")                  \
    X(EUNSUPPORTED, -25, "unsupported_parameter", "the wire or the model cannot do this", 0, 0, 2, "INVALID_PARAMS")   \
    X(ECONTEXT, -26, "context_overflow", "the prompt does not fit the context window", 0, 0, 1, "INVALID_PARAMS")      \
    X(ECONTENT, -27, "content_policy", "stopped by a content policy", 0, 0, 5, "ADMISSION_REJECT")                     \
    X(ERATE, -28, "rate_limit", "too many requests or tokens", 1, 0, 3, "ADMISSION_REJECT")                            \
    X(EBUDGET, -29, "budget", "a budget of the caller's is used up", 0, 0, 5, "ADMISSION_REJECT")                      \
    X(EOVERLOADED, -30, "overloaded", "the provider is overloaded or still loading", 1, 1, 3, "POOL_UNREADY")          \
    X(ESERVER, -31, "server", "the provider failed", 1, 1, 3, "POOL_UNAVAILABLE")                                      \
    X(EGATEWAY, -32, "bad_gateway", "a gateway before the provider failed", 1, 1, 3, "POOL_UNAVAILABLE")               \
    X(ECONNECT, -33, "connect", "no connection, or lost before an answer", 1, 1, 3, "POOL_UNAVAILABLE")                \
    X(EDNS, -34, "dns", "the host name does not resolve", 1, 1, 3, "POOL_UNAVAILABLE")                                 \
    X(ETLS, -35, "tls", "no secure connection", 0, 1, 3, "POOL_UNAVAILABLE")                                           \
    X(ETIMEOUT, -36, "timeout", "it took too long", 1, 1, 3, "DECODE_TIMEOUT")                                         \
    X(ETRUNCATED, -37, "stream_truncated", "the stream ended before its end", 1, 1, 3, "WORKER_RESET")                 \
    X(EMALFORMED, -38, "stream_malformed", "the stream is not what the wire allows", 1, 1, 3, "WORKER_RESET")          \
    X(ESTREAM, -39, "stream_error", "the provider reported an error in the stream", 1, 1, 3, "WORKER_RESET")           \
    X(ESLOW, -40, "stream_too_slow", "the stream is slower than allowed", 1, 1, 3, "DECODE_TIMEOUT")                   \
    X(ERESPONSE, -41, "response_invalid", "the answer is not what the wire allows", 1, 1, 3, "POOL_UNAVAILABLE")       \
    X(ESCHEMA, -42, "schema_mismatch", "the answer does not fit the schema that was asked for", 0, 0, 1, "INTERNAL")   \
    X(ETOOLUSE, -43, "tool_use_failed", "the model made a tool call that cannot be used", 1, 0, 1, "INTERNAL")         \
    X(ENOTARGET, -44, "no_target", "no target is configured or free", 1, 0, 3, "REPLICA_EXHAUSTED")

enum membrane_status {
    MEMBRANE_OK = 0,
#define MEMBRANE_ERROR_ENUM(name, code, kind, text, retryable, breaker, exit_code, orch) MEMBRANE_##name = (code),
    MEMBRANE_ERRORS(MEMBRANE_ERROR_ENUM)
#undef MEMBRANE_ERROR_ENUM
};

typedef struct membrane_error membrane_error;

/** The kind name of a code ("rate_limit"), "ok" for 0, "unknown" for a number that is not in the table. Static. */
MEMBRANE_API const char *membrane_status_kind(int status);
/** One sentence for a code. Static. */
MEMBRANE_API const char *membrane_status_text(int status);
/** 1 if trying again later may help, whoever tries. */
MEMBRANE_API int membrane_status_retryable(int status);
/** What the command line exits with for this code: 1, 2, 3, 4, 5, 6 or 130. */
MEMBRANE_API int membrane_status_exit_code(int status);

/* What an error says. All take NULL (and answer as for "no error"); texts live as long as the error. */

/** The code, one of MEMBRANE_E…; 0 for NULL. */
MEMBRANE_API int membrane_error_code(const membrane_error *error);
/** The kind name, as membrane_status_kind of the code. */
MEMBRANE_API const char *membrane_error_kind(const membrane_error *error);
/** What happened, with names and numbers; one line or a few, without a final newline. Never holds a secret. */
MEMBRANE_API const char *membrane_error_message(const membrane_error *error);
/** What to do about it, or NULL. */
MEMBRANE_API const char *membrane_error_hint(const membrane_error *error);
/** The provider's configured name, or NULL where no provider is concerned. */
MEMBRANE_API const char *membrane_error_provider(const membrane_error *error);
/** The provider's own words, or NULL. */
MEMBRANE_API const char *membrane_error_provider_message(const membrane_error *error);
/** The request id that the provider gave (its header or body), or NULL. */
MEMBRANE_API const char *membrane_error_provider_request_id(const membrane_error *error);
/** Our id of the call, or NULL before a call has one. */
MEMBRANE_API const char *membrane_error_request_id(const membrane_error *error);
/** For timeouts: "connect", "first_token", "idle", "total" or "tool"; NULL otherwise. */
MEMBRANE_API const char *membrane_error_phase(const membrane_error *error);
/** The HTTP status of the answer, 0 without one. */
MEMBRANE_API int membrane_error_http_status(const membrane_error *error);
/** 1 if trying again later may help. */
MEMBRANE_API int membrane_error_retryable(const membrane_error *error);
/** How long the provider asks to wait, in milliseconds; -1 where it did not say. */
MEMBRANE_API int64_t membrane_error_retry_after_ms(const membrane_error *error);
/** The error below this one, or NULL. Belongs to this error. */
MEMBRANE_API const membrane_error *membrane_error_cause(const membrane_error *error);
/** The whole error as one line of JSON: {kind, message, hint?, provider?, status?, retryable, …}. Lives as long as it.
 */
MEMBRANE_API const char *membrane_error_json(const membrane_error *error);
/** Frees the error and its causes; takes NULL. */
MEMBRANE_API void membrane_error_free(membrane_error *error);

#ifdef __cplusplus
}
#endif
#endif
