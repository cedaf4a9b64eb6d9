// SPDX-License-Identifier: MIT
#include "runtime/result.h"

#include "base/alloc.h"
#include "runtime/call.h"

int mb_result_from(mb_buf *json, membrane_result **ret, membrane_error **err) {
    membrane_result *result = mb_buf_ok(json) ? mb_calloc(1, sizeof *result) : NULL;
    if (!result) {
        mb_buf_free(json);
        return mb_error_no_memory(err);
    }
    result->json = *json;
    *json = MB_BUF(json->max);
    *ret = result;
    return 0;
}

membrane_result *mb_result_of_call(const membrane_call *call) {
    membrane_result *result = mb_calloc(1, sizeof *result);
    if (!result) return NULL;
    result->call = call;
    result->json = MB_BUF(4 * MB_LIMIT_RESPONSE);
    return result;
}

// Results are read by one thread, as everything that lends pointers.
static const mb_buf *json_of(const membrane_result *lent) {
    membrane_result *result = (membrane_result *)(uintptr_t)lent;
    if (result->call && !result->json.len) {
        mb_jw w = mb_jw_to(&result->json);
        mb_render_result(&w, result->call);
        if (!mb_buf_ok(&result->json)) mb_buf_free(&result->json);
    }
    return &result->json;
}

const char *membrane_result_json(const membrane_result *result, size_t *ret_len) {
    if (!result) return NULL;
    const mb_buf *json = json_of(result);
    if (ret_len) *ret_len = json->len;
    return json->data;
}

static const mb_json *at_path(const membrane_result *lent, const char *path) {
    membrane_result *result = (membrane_result *)(uintptr_t)lent;
    if (!result) return NULL;
    const mb_buf *json = json_of(result);
    if (!result->tree && json->len) mb_json_parse(&result->arena, json->data, json->len, &result->tree, NULL);
    return result->tree ? mb_json_path(result->tree, path) : NULL;
}

int64_t membrane_result_int(const membrane_result *result, const char *path, int64_t fallback) {
    return mb_json_int(at_path(result, path), fallback);
}

const char *membrane_result_str(const membrane_result *result, const char *path) {
    return mb_json_str(at_path(result, path));
}

const char *membrane_result_text(const membrane_result *result, size_t *ret_len) {
    if (ret_len) *ret_len = 0;
    if (!result) return "";
    if (result->call && mb_call_turn(result->call)) {
        if (ret_len) *ret_len = mb_call_turn(result->call)->text.len;
        return mb_buf_text(&mb_call_turn(result->call)->text);
    }
    const mb_json *text = at_path(result, "text");
    if (!mb_json_is(text, MB_JSON_STRING)) return "";
    if (ret_len) *ret_len = text->len;
    return text->str;
}

const char *membrane_result_finish(const membrane_result *result) {
    if (!result || !result->call || !mb_call_turn(result->call)) return NULL;
    if (result->call->error) return mb_finish_name(MB_FINISH_ERROR);
    return mb_finish_name(mb_call_turn(result->call)->finish ? mb_call_turn(result->call)->finish : MB_FINISH_STOP);
}

size_t membrane_result_embedding_count(const membrane_result *result) {
    return result && result->call && mb_call_turn(result->call) ? mb_call_turn(result->call)->vector_count : 0;
}

const float *membrane_result_embedding(const membrane_result *result, size_t index, size_t *ret_dims) {
    if (index >= membrane_result_embedding_count(result)) return NULL;
    const mb_turn *turn = mb_call_turn(result->call);
    if (ret_dims) *ret_dims = turn->vector_dims;
    return turn->vectors + index * turn->vector_dims;
}

void membrane_result_free(membrane_result *result) {
    if (!result) return;
    mb_buf_free(&result->json);
    mb_arena_free(&result->arena);
    mb_free(result);
}
