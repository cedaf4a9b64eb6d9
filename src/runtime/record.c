// SPDX-License-Identifier: MIT
// What stays of a call that has ended: its row in the call log and its record in the running log.
#include <string.h>

#include "runtime/call.h"
#include "runtime/story.h"

// The request as it is kept: the headers that it brings may be keys.
static const char *prompt_of(const membrane_call *call, mb_buf *space) {
    if (!call->logs_prompt) return NULL;
    if (!mb_json_get(call->request, "extra_headers")) return call->request_text;
    mb_jw w = mb_jw_to(space);
    mb_jw_object(&w);
    for (uint32_t i = 0; i < call->request->count; i++) {
        const mb_json *member = &call->request->children[i];
        if (strcmp(member->key, "extra_headers") == 0) continue;
        mb_jw_key(&w, member->key);
        mb_jw_value(&w, member);
    }
    mb_jw_end_object(&w);
    return mb_buf_ok(space) ? mb_buf_text(space) : NULL;
}

static void count(const membrane_call *call, const mb_call_row *row, int code) {
    const mb_metrics_call_row counted = {.code = code,
                                         .duration_ms = row->latency_ms,
                                         .first_token_ms = row->first_token_ms,
                                         .input = row->input,
                                         .cached = row->cached,
                                         .output = row->output,
                                         .reasoning = row->reasoning,
                                         .cost_usd_micros = row->cost_usd_micros,
                                         .cost_unknown = row->cost_unknown_attempts > 0};
    const mb_metric_target nobody = {.operation = call->kind};
    mb_metrics_call(call->attempt_count ? mb_runner_series(call->runner) : mb_metrics_series(call->m->metrics, &nobody),
                    &counted);
    if (call->hedge) mb_metrics_hedge(mb_runner_series(call->hedge), code == 0 && call->runner == call->hedge);
}

void mb_call_record(membrane_call *call) {
    mb_buf story = mb_room_take_buf(&call->m->room, 1 << 20), prompt = MB_BUF(2 * MB_LIMIT_REQUEST);
    const mb_attempt *last = mb_call_last(call);
    const mb_turn *turn = mb_call_turn(call);
    const mb_usage none = MB_USAGE_NONE, *u = turn ? &turn->usage : &none;
    int code = membrane_error_code(call->error);
    mb_story_pack(&story, call, MB_STORY_LOGGED, false);
    mb_call_row row = {
        .ts_ms = call->start_wall_ms,
        .request_id = call->request_id,
        .session = call->session,
        .provider = last ? last->target->provider->name : NULL,
        .model = last ? last->target->model : NULL,
        .outcome = code == 0                     ? "ok"
                   : code == MEMBRANE_ECANCELLED ? "cancelled"
                                                 : "error",
        .kind = code ? membrane_status_kind(code) : NULL,
        .message = code ? membrane_error_message(call->error) : NULL,
        .story = mb_buf_ok(&story) ? story.data : NULL,
        .story_len = story.len,
        .tell = mb_story_tell,
        .input = u->input,
        .cached = u->cached,
        .output = u->output,
        .reasoning = u->reasoning,
        .exact = mb_usage_is_exact(call),
        .cost_usd_micros = mb_call_cost(call),
        .cost_unknown_attempts = mb_call_cost(call) < 0 ? 0 : mb_call_unknown_costs(call),
        .latency_ms = call->end_ms - call->start_ms,
        .first_token_ms = call->first_ms ? call->first_ms - call->start_ms : -1,
        .prompt = prompt_of(call, &prompt),
        .answer = call->logs_prompt && turn ? mb_buf_text(&turn->text) : NULL,
    };
    mb_calls_add(call->m->calls, &row);
    count(call, &row, code);
    if (mb_records_wants(call->m->records, code ? MB_LEVEL_WARN : MB_LEVEL_INFO))
        mb_records_add(call->m->records, &(mb_record){code ? MB_LEVEL_WARN : MB_LEVEL_INFO, code ? row.message : "call",
                                                      call->request_id, call->session, row.provider, row.model,
                                                      code ? row.kind : "ok", u->output, row.latency_ms});
    mb_buf_free(&prompt);
    mb_room_give_buf(&call->m->room, &story);
}
