// SPDX-License-Identifier: MIT
// A finished call as JSON: docs/schema/result.json says the same to programs.
#include <string.h>

#include "runtime/call.h"
#include "runtime/story.h"

static void put_count(mb_jw *w, const char *key, int64_t n) {
    mb_jw_key(w, key);
    if (n < 0)
        mb_jw_null(w);
    else
        mb_jw_int(w, n);
}

void mb_render_usage(mb_jw *w, const mb_usage *u, bool exact) {
    mb_jw_object(w);
    put_count(w, "input", u->input);
    put_count(w, "cached", u->cached);
    put_count(w, "output", u->output);
    put_count(w, "reasoning", u->reasoning);
    if (u->cache_write >= 0) mb_jw_kint(w, "cache_write", u->cache_write);
    mb_jw_kbool(w, "exact", exact);
    mb_jw_end_object(w);
}

mb_attempt *mb_call_last(const membrane_call *call) {
    return call->attempt_count ? &call->attempts[call->runner->attempt] : NULL;
}

// What is known of all attempts together; the one that counts must be known. Nothing was sent: nothing was spent.
int64_t mb_call_cost(const membrane_call *call) {
    const mb_attempt *last = mb_call_last(call);
    int64_t sum = 0;
    if (last && last->cost_usd_micros < 0) return -1;
    for (int i = 0; i < call->attempt_count; i++)
        if (call->attempts[i].cost_usd_micros > 0) sum += call->attempts[i].cost_usd_micros;
    return sum;
}

int mb_call_unknown_costs(const membrane_call *call) {
    int count = 0;
    for (int i = 0; i < call->attempt_count; i++) count += call->attempts[i].cost_usd_micros < 0;
    return count;
}

// The provider's own figures for the whole answer; a stream that broke after its finish may lack them.
bool mb_usage_is_exact(const membrane_call *call) {
    const mb_turn *turn = mb_call_turn(call);
    return turn && turn->usage.input >= 0 && (turn->usage.output >= 0 || call->kind == MB_ASK_EMBED);
}

static void put_attempts(mb_jw *w, const membrane_call *call) {
    mb_buf story = MB_BUF(1 << 20);
    mb_story_pack(&story, call, 0, false);
    if (mb_buf_ok(&story))
        mb_story_put_attempts(w, story.data);
    else
        w->out->failed = story.failed;
    mb_buf_free(&story);
}

static void put_raw_list(mb_jw *w, const char *key, const mb_buf *items) {
    if (!items->len) return;
    mb_jw_key(w, key);
    mb_jw_array(w);
    mb_jw_raw(w, items->data, items->len);
    mb_jw_end_array(w);
}

static void put_calls(mb_jw *w, const mb_turn *turn) {
    mb_jw_key(w, "tool_calls");
    mb_jw_array(w);
    for (size_t i = 0; i < turn->call_count; i++) {
        const mb_tool_call *c = &turn->calls[i];
        mb_jw_object(w);
        mb_jw_kstr(w, "id", c->id);
        mb_jw_kstr(w, "type", "function");
        mb_jw_key(w, "function");
        mb_jw_object(w);
        mb_jw_kstr(w, "name", c->name);
        mb_jw_key(w, "arguments");
        mb_jw_strn(w, mb_buf_text(&c->arguments), c->arguments.len);
        mb_jw_end_object(w);
        if (!c->whole) mb_jw_kbool(w, "whole", false);
        mb_jw_end_object(w);
    }
    mb_jw_end_array(w);
}

// The answer as a message of a next request.
static void put_message(mb_jw *w, const membrane_call *call, const mb_turn *turn) {
    mb_jw_key(w, "message");
    mb_jw_object(w);
    mb_jw_kstr(w, "role", "assistant");
    mb_jw_key(w, "content");
    if (turn->thinking.len) {
        mb_jw_array(w);
        mb_jw_object(w);
        mb_jw_kstr(w, "type", "thinking");
        mb_jw_key(w, "thinking");
        mb_jw_strn(w, mb_buf_text(&turn->thinking), turn->thinking.len);
        mb_jw_end_object(w);
        mb_jw_object(w);
        mb_jw_kstr(w, "type", "text");
        mb_jw_key(w, "text");
        mb_jw_strn(w, mb_buf_text(&turn->text), turn->text.len);
        mb_jw_end_object(w);
        mb_jw_end_array(w);
    } else {
        mb_jw_strn(w, mb_buf_text(&turn->text), turn->text.len);
    }
    if (turn->call_count) put_calls(w, turn);
    if (turn->provider_data.len || turn->thinking.len) {
        mb_jw_key(w, "provider_data");
        mb_jw_object(w);
        mb_jw_kstr(w, "provider", mb_call_last(call)->target->provider->name);
        mb_jw_key(w, "fields");
        mb_jw_object(w);
        mb_jw_raw(w, mb_buf_text(&turn->provider_data), turn->provider_data.len);
        mb_jw_end_object(w);
        mb_jw_end_object(w);
    }
    mb_jw_end_object(w);
}

static void put_embeddings(mb_jw *w, const mb_turn *turn) {
    mb_jw_key(w, "embeddings");
    mb_jw_array(w);
    for (size_t i = 0; i < turn->vector_count; i++) {
        mb_jw_array(w);
        for (size_t j = 0; j < turn->vector_dims; j++)
            mb_jw_double(w, (double)turn->vectors[i * turn->vector_dims + j]);
        mb_jw_end_array(w);
    }
    mb_jw_end_array(w);
}

static void put_ranking(mb_jw *w, const mb_turn *turn) {
    mb_jw_key(w, "ranking");
    mb_jw_array(w);
    for (size_t i = 0; i < turn->rank_count; i++) {
        mb_jw_object(w);
        mb_jw_kint(w, "index", turn->ranks[i].index);
        mb_jw_key(w, "score");
        mb_jw_double(w, turn->ranks[i].score);
        mb_jw_end_object(w);
    }
    mb_jw_end_array(w);
}

static void put_answer(mb_jw *w, const membrane_call *call, const mb_turn *turn) {
    mb_jw_key(w, "text");
    mb_jw_strn(w, mb_buf_text(&turn->text), turn->text.len);
    if (turn->thinking.len) {
        mb_jw_key(w, "thinking");
        mb_jw_strn(w, mb_buf_text(&turn->thinking), turn->thinking.len);
    }
    if (turn->call_count) put_calls(w, turn);
    if (call->kind == MB_ASK_EMBED) put_embeddings(w, turn);
    if (call->kind == MB_ASK_RERANK) put_ranking(w, turn);
    if (call->kind == MB_ASK_COUNT_TOKENS && turn->usage.input >= 0) mb_jw_kint(w, "tokens", turn->usage.input);
    mb_jw_kstr(w, "finish",
               mb_finish_name(call->error    ? MB_FINISH_ERROR
                              : turn->finish ? turn->finish
                                             : MB_FINISH_STOP));
    if (turn->finish_raw) mb_jw_kstr(w, "finish_raw", turn->finish_raw);
    put_raw_list(w, "logprobs", &turn->logprobs);
    if (call->kind == MB_ASK_CHAT && !call->error) put_message(w, call, turn);
    mb_jw_kstr_if(w, "response_id", turn->response_id);
    mb_jw_kstr_if(w, "response_model", turn->model);
}

static void put_warnings(mb_jw *w, const membrane_call *call) {
    const mb_buf *asked = &call->runner->warnings;
    const mb_turn *turn = mb_call_turn(call);
    if (!asked->len && !(turn && turn->warnings.len)) return;
    mb_jw_key(w, "warnings");
    mb_jw_array(w);
    if (asked->len) mb_jw_raw(w, asked->data, asked->len);
    if (turn && turn->warnings.len) mb_jw_raw(w, turn->warnings.data, turn->warnings.len);
    mb_jw_end_array(w);
}

static void put_timing(mb_jw *w, const membrane_call *call) {
    mb_jw_key(w, "timing");
    mb_jw_object(w);
    put_count(w, "first_token_ms", call->first_ms ? call->first_ms - call->start_ms : -1);
    mb_jw_kint(w, "total_ms", call->end_ms - call->start_ms);
    mb_jw_end_object(w);
}

void mb_render_result(mb_jw *w, const membrane_call *call) {
    const mb_attempt *last = mb_call_last(call);
    const mb_turn *turn = mb_call_turn(call);
    mb_usage none = MB_USAGE_NONE;
    mb_jw_object(w);
    mb_jw_kstr(w, "request_id", call->request_id);
    mb_jw_kstr_if(w, "session", call->session);
    if (turn) put_answer(w, call, turn);
    if (last) {
        mb_jw_key(w, "target");
        mb_jw_object(w);
        mb_jw_kstr(w, "provider", last->target->provider->name);
        mb_jw_kstr(w, "model", last->target->model);
        mb_jw_kstr(w, "engine", last->target->provider->quirks->kind);
        mb_jw_end_object(w);
    }
    mb_jw_key(w, "attempts");
    put_attempts(w, call);
    mb_jw_key(w, "usage");
    mb_render_usage(w, turn ? &turn->usage : &none, mb_usage_is_exact(call));
    int64_t cost = mb_call_cost(call);
    mb_jw_key(w, "cost_usd_micros");
    if (cost >= 0)
        mb_jw_int(w, cost);
    else
        mb_jw_null(w);
    if (cost >= 0 && mb_call_unknown_costs(call)) mb_jw_kint(w, "cost_unknown_attempts", mb_call_unknown_costs(call));
    put_timing(w, call);
    put_warnings(w, call);
    if (call->error) {
        const char *json = membrane_error_json(call->error);
        mb_jw_key(w, "error");
        mb_jw_raw(w, json, strlen(json));
    }
    mb_jw_end_object(w);
}
