// SPDX-License-Identifier: MIT
// The public functions over the call log and the running log.
#include <string.h>

#include "membrane/log.h"
#include "membrane/usage.h"
#include "runtime/handle.h"
#include "runtime/result.h"

int membrane_log_calls(membrane_t *m, const char *query_json, membrane_result **ret_result, membrane_error **err) {
    mb_arena arena = {0};
    mb_buf out = MB_BUF(4 * MB_LIMIT_RESPONSE);
    const mb_json *query = NULL;
    membrane_error *cause = NULL;
    if (!m || !ret_result) return mb_error_set(err, MEMBRANE_EINVAL, "membrane_log_calls: an argument is NULL");
    if (mb_handle_is_forked(m)) return mb_error_set(err, MEMBRANE_EFORKED, "the handle belongs to the parent process");
    int code = query_json ? mb_json_parse(&arena, query_json, strlen(query_json), &query, &cause) : 0;
    if (code == MEMBRANE_ENOMEM)
        mb_error_no_memory(err);
    else if (code)
        code = mb_error_set(err, MEMBRANE_EINVAL, "the query is no JSON: %s", membrane_error_message(cause));
    if (code == 0) code = mb_calls_query(m->calls, query, &out, err);
    membrane_error_free(cause);
    mb_arena_free(&arena);
    if (code == 0) return mb_result_from(&out, ret_result, err);
    mb_buf_free(&out);
    return code;
}

int membrane_log_flush(membrane_t *m, membrane_error **err) {
    if (!m) return mb_error_set(err, MEMBRANE_EINVAL, "membrane_log_flush: m is NULL");
    if (mb_handle_is_forked(m)) return mb_error_set(err, MEMBRANE_EFORKED, "the handle belongs to the parent process");
    return mb_calls_flush(m->calls, -1, err);
}

int membrane_log_read(membrane_t *m, const char *level, char *buf, size_t cap, size_t *ret_len, uint64_t *ret_dropped,
                      int64_t timeout_ms) {
    int number = level ? mb_level_from_name(level) : MB_LEVEL_INFO;
    if (!m || !buf || !ret_len || number < 0) return MEMBRANE_EINVAL;
    if (mb_handle_is_forked(m)) return MEMBRANE_EFORKED;
    return mb_records_read(m->records, (mb_level)number, buf, cap, ret_len, ret_dropped, timeout_ms);
}

int membrane_usage_sum(membrane_t *m, const char *by, int64_t since_ms, membrane_result **ret_result,
                       membrane_error **err) {
    mb_buf out = MB_BUF(MB_LIMIT_RESPONSE);
    if (!m || !by || !ret_result) return mb_error_set(err, MEMBRANE_EINVAL, "membrane_usage_sum: an argument is NULL");
    if (mb_handle_is_forked(m)) return mb_error_set(err, MEMBRANE_EFORKED, "the handle belongs to the parent process");
    int code = mb_calls_sum(m->calls, by, since_ms, &out, err);
    if (code == 0) return mb_result_from(&out, ret_result, err);
    mb_buf_free(&out);
    return code;
}
