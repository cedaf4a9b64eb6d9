// SPDX-License-Identifier: MIT
// What a call would do, by the same decision, without sending anything.
#include <stdint.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/rng.h"
#include "runtime/call.h"
#include "runtime/facts.h"
#include "runtime/result.h"
#include "runtime/story.h"

static int put_body(mb_jw *w, membrane_call *call, const mb_target *t, membrane_error **err) {
    mb_wire wire = {.url = MB_BUF(65536), .body = MB_BUF(MB_LIMIT_REQUEST), .headers = MB_BUF(65536)};
    mb_ask ask = {.kind = call->kind,
                  .request = call->request,
                  .provider = t->provider->name,
                  .model = t->model,
                  .base_url = t->provider->base_url,
                  .quirks = t->provider->quirks,
                  .stream = call->stream,
                  .warnings = &call->runner->warnings};
    int code = t->provider->adapter->write(&ask, &wire, err);
    if (code == 0) {
        mb_jw_kstr(w, "method", wire.method);
        mb_jw_kstr(w, "url", mb_buf_text(&wire.url));
        mb_jw_key(w, "body");
        mb_jw_raw(w, mb_buf_text(&wire.body), wire.body.len);
    }
    mb_buf_free(&wire.url);
    mb_buf_free(&wire.body);
    mb_buf_free(&wire.headers);
    return code;
}

// Nothing is taken on the board: what is written down stands in the call's own memory.
static int decide(membrane_call *call, membrane_error **err) {
    membrane_t *m = call->m;
    mb_rng rng;
    int64_t now = mb_now_ms();
    call->route.deadline_ms = now + (call->deadline_ms ? call->deadline_ms : MB_TIME_TOTAL);
    call->route.loading_until_ms = call->route.deadline_ms;
    call->route.wait_until_ms = now + call->way.max_wait_ms;
    call->seen = mb_arena_alloc(&call->arena, call->route.count * sizeof *call->seen);
    call->seen_count = call->route.count;
    if (!call->seen || mb_facts_open(call, now) != 0) return mb_error_no_memory(err);
    mb_rng_seed(&rng);
    pthread_mutex_lock(&m->board_lock);
    call->route.may_retry = mb_board_may_retry(m->board);
    for (size_t i = 0; i < call->route.count; i++) call->seen[i] = mb_see(call, i, now);
    mb_route_decision d = mb_route_next(&call->route, NULL, now, mb_rng_unit(&rng));
    pthread_mutex_unlock(&m->board_lock);
    if (d.what != MB_ROUTE_TRY) return 0;
    call->taken = d.target;
    call->taken_because = d.reason;
    return 0;
}

static int put_plan(mb_jw *w, membrane_call *call, membrane_error **err) {
    if (call->discovers) {
        mb_jw_kstr(
            w, "chosen_because",
            "no model is named: a call would look for a local engine, then for a key, then use builtin/extractive");
        mb_jw_key(w, "candidates");
        mb_jw_array(w);
        mb_jw_end_array(w);
        return 0;
    }
    int code = decide(call, err);
    if (code) return code;
    mb_buf story = MB_BUF(64 * MB_MIB);
    mb_story_pack(&story, call, SIZE_MAX, true);
    const bool is_whole = mb_buf_ok(&story);
    if (is_whole) mb_story_put_decision(w, story.data);
    mb_buf_free(&story);
    if (!is_whole) return mb_error_no_memory(err);
    const mb_target *taken = call->taken < call->route.count ? &call->targets[call->taken] : NULL;
    return taken && taken->provider->adapter ? put_body(w, call, taken, err) : 0;
}

int membrane_call_plan(membrane_t *m, const char *request_json, size_t len, const membrane_call_options *options,
                       membrane_result **ret_result, membrane_error **err) {
    membrane_call *call;
    mb_buf out = MB_BUF(2 * MB_LIMIT_REQUEST);
    if (!ret_result) return mb_error_set(err, MEMBRANE_EINVAL, "membrane_call_plan: ret_result is NULL");
    int code = mb_call_prepare(m, request_json, len, options, &call, err);
    if (code) return code;
    mb_jw w = mb_jw_to(&out);
    mb_jw_object(&w);
    code = put_plan(&w, call, err);
    const mb_buf *warnings = &call->runner->warnings;
    if (warnings->len) {
        mb_jw_key(&w, "warnings");
        mb_jw_array(&w);
        mb_jw_raw(&w, warnings->data, warnings->len);
        mb_jw_end_array(&w);
    }
    mb_jw_end_object(&w);
    mb_facts_close(call);
    mb_call_unref(call);
    if (code == 0) return mb_result_from(&out, ret_result, err);
    mb_buf_free(&out);
    return code;
}
