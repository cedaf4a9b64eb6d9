// SPDX-License-Identifier: MIT
// What an error answer means: an unambiguous status first, then the provider's code or type, then ordered phrases with
// exclusions (classify_table.h; an echoed prompt must not match), else by the class of the status. Pure.
#ifndef MB_ROUTE_CLASSIFY_H
#define MB_ROUTE_CLASSIFY_H

#include "base/error.h"
#include "base/json.h"

// The error of a non-2xx answer (or of an error object inside a 200: status is then 200 or the code inside). Reads all
// common shapes: {"error":{"message","type","code"}}, {"error":"…"}, {"message"}, {"detail"}, [ {…} ], plain text,
// HTML. headers_request_id may be NULL; retry_after_ms -1 without. Returns the code; fills *err (provider's words,
// status, request id). engine: quirks->kind.
int mb_classify(const char *engine, const char *provider, int status, const char *body, size_t len,
                const char *header_request_id, int64_t retry_after_ms, membrane_error **err);
// The same where the kind of error stands beside the body: in a header ("x-amzn-errortype"), in an event's name.
int mb_classify_typed(const char *engine, const char *provider, int status, const char *type, const char *body,
                      size_t len, const char *header_request_id, int64_t retry_after_ms, membrane_error **err);
// The same for an error object that is parsed already (in a stream).
int mb_classify_json(const char *engine, const char *provider, int status, const mb_json *body, membrane_error **err);
// "retry-after-ms", then "retry-after" (seconds or an HTTP date), capped at MB_TIME_RETRY_AFTER_MAX; -1 for none or
// bad.
int64_t mb_retry_after_ms(const char *retry_after_ms, const char *retry_after, int64_t wall_ms);
// Whether the answer says that the engine is still loading its model (it has not failed).
bool mb_is_loading(const membrane_error *error);

#endif
