/* SPDX-License-Identifier: MIT */
/**
 * @file result.h
 * @brief What a call or a question to the library came to: JSON, with the common parts at hand.
 *
 * @code
 * const membrane_result *r = membrane_call_result(call);
 * printf("%s\n%lld tokens out\n", membrane_result_text(r, NULL), (long long)membrane_result_int(r, "usage.output", 0));
 * @endcode
 */
#ifndef MEMBRANE_RESULT_H
#define MEMBRANE_RESULT_H

#include "membrane/error.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct membrane_result membrane_result;

/**
 * The whole result as JSON (shape: docs/schema/). For a call: {request_id, text, thinking?, tool_calls?, finish,
 * target:{provider,model}, attempts:[…], usage:{input,cached,output,reasoning,exact}, cost_usd_micros|null, timing}.
 * Lists are {items:[…]}.
 */
MEMBRANE_API const char *membrane_result_json(const membrane_result *result, size_t *ret_len);
/** The text of the answer; "" where there is none. A NUL follows, others may stand inside: mind *ret_len. */
MEMBRANE_API const char *membrane_result_text(const membrane_result *result, size_t *ret_len);
/** Why the model stopped: "stop", "length", "tool_calls", "content_filter", …; NULL for other results. */
MEMBRANE_API const char *membrane_result_finish(const membrane_result *result);
/** A number of the JSON by its path ("usage.output", "timing.total_ms"); fallback if it is absent or no number. */
MEMBRANE_API int64_t membrane_result_int(const membrane_result *result, const char *path, int64_t fallback);
/** A text of the JSON by its path ("target.provider"); NULL if it is absent or no text. */
MEMBRANE_API const char *membrane_result_str(const membrane_result *result, const char *path);
/** How many vectors an embed call gave. */
MEMBRANE_API size_t membrane_result_embedding_count(const membrane_result *result);
/** Vector number index (in the order of the inputs), *ret_dims floats; NULL past the end. */
MEMBRANE_API const float *membrane_result_embedding(const membrane_result *result, size_t index, size_t *ret_dims);
/** Frees a result that a function gave to its caller; not one that membrane_call_result lent. Takes NULL. */
MEMBRANE_API void membrane_result_free(membrane_result *result);

#ifdef __cplusplus
}
#endif
#endif
