// SPDX-License-Identifier: MIT
// Answers of the first version of Cohere's API: a line of JSON an event, the last of which holds the answer once more.
#include <string.h>

#include "base/alloc.h"
#include "route/classify.h"
#include "route/cohere.h"
#include "route/write.h"

// state[0]: flags.
enum { ENDED = 1, HAS_CALLS = 2, HAS_CITATIONS = 4 };

static int take_text(mb_decode *d, const mb_json *v) {
    return mb_json_is(v, MB_JSON_STRING) ? mb_turn_text(d->turn, v->str, v->len) : 0;
}

// Calls come whole, and without ids.
static int take_calls(mb_decode *d, const mb_json *calls) {
    int status = 0;
    if (!mb_json_is(calls, MB_JSON_ARRAY) || (d->state[0] & HAS_CALLS)) return 0;
    if (calls->count) d->state[0] |= HAS_CALLS;
    for (uint32_t i = 0; i < calls->count && status == 0; i++) {
        const mb_json *call = &calls->children[i];
        status = mb_turn_tool_call(d->turn, NULL, mb_json_get_str(call, "name"), mb_json_get(call, "parameters"));
    }
    return status;
}

// For the caller's eyes: this version of the API takes none back.
static int take_citations(mb_decode *d, const mb_json *list) {
    mb_buf *out = &d->turn->provider_data;
    if (!mb_json_is(list, MB_JSON_ARRAY) || list->count == 0 || (d->state[0] & ENDED)) return 0;
    for (uint32_t i = 0; i < list->count; i++) {
        mb_buf_puts(out, d->state[0] & HAS_CITATIONS ? "," : "\"citations\":[");
        d->state[0] |= HAS_CITATIONS;
        mb_jw w = mb_jw_to(out);
        mb_jw_value(&w, &list->children[i]);
    }
    return mb_buf_status(out, MEMBRANE_EMALFORMED);
}

static int take_id(mb_turn *turn, const mb_json *root) {
    const char *id = mb_json_get_str(root, "response_id");
    if (!id) id = mb_json_get_str(root, "generation_id");
    if (turn->response_id || !id || !*id) return 0;
    turn->response_id = mb_arena_strdup(&turn->arena, id);
    return turn->response_id ? 0 : MEMBRANE_ENOMEM;
}

static int finish_turn(mb_decode *d, const char *reason) {
    mb_turn *turn = d->turn;
    if (d->state[0] & ENDED) return 0;
    if (d->state[0] & HAS_CITATIONS) mb_buf_putc(&turn->provider_data, ']');
    d->state[0] |= ENDED;
    turn->has_end = true;
    mb_turn_finish(turn, mb_cohere_finish(reason), reason);
    if (turn->finish == MB_FINISH_ERROR) return mb_cohere_ended_badly(d, NULL);
    int status = mb_buf_status(&turn->provider_data, MEMBRANE_EMALFORMED);
    // Calls come as objects, which look whole where the answer was cut.
    bool is_cut = turn->finish == MB_FINISH_LENGTH || turn->finish == MB_FINISH_CONTENT_FILTER;
    if (is_cut && turn->call_count) turn->calls[turn->call_count - 1].whole = false;
    if (status == 0) status = mb_tool_map_names(d);
    return status ? status : mb_turn_end(turn);
}

// The finished answer; of what a stream told already, nothing is taken twice.
static int take_answer(mb_decode *d, const mb_json *root, const char *reason) {
    int status = take_id(d->turn, root);
    if (status == 0 && d->turn->text.len == 0) status = take_text(d, mb_json_get(root, "text"));
    if (status == 0) status = take_calls(d, mb_json_get(root, "tool_calls"));
    if (status == 0 && !(d->state[0] & HAS_CITATIONS)) status = take_citations(d, mb_json_get(root, "citations"));
    mb_cohere_usage(d->turn, mb_json_get(root, "meta"));
    if (!reason) reason = mb_json_get_str(root, "finish_reason");
    return status ? status : finish_turn(d, reason);
}

static int take_error(mb_decode *d, const mb_json *root) {
    return mb_classify_json(d->ask->quirks->kind, d->ask->provider, 200, root, &d->turn->error);
}

// ---- events --------------------------------------------------------------------------------------------------------

static int end_stream(mb_decode *d, const mb_json *root) {
    int status = take_answer(d, mb_json_get(root, "response"), mb_json_get_str(root, "finish_reason"));
    return status ? status : 1;
}

static int frame(mb_decode *d, const mb_frame *f) {
    const mb_json *root;
    if (f->len == 0) return 0;
    int status = mb_json_parser_parse(d->parser, f->data, f->len, true, &root);
    if (status != 0) return status;
    if (root->type != MB_JSON_OBJECT) return MEMBRANE_EMALFORMED;
    const mb_json *type = mb_json_get(root, "event_type");
    if (mb_json_str_is(type, "text-generation") || mb_json_str_is(type, "tool-calls-chunk"))
        return take_text(d, mb_json_get(root, "text")); // a chunk of calls holds the plan that leads to them
    if (mb_json_str_is(type, "tool-calls-generation")) return take_calls(d, mb_json_get(root, "tool_calls"));
    if (mb_json_str_is(type, "citation-generation")) return take_citations(d, mb_json_get(root, "citations"));
    if (mb_json_str_is(type, "stream-start")) return take_id(d->turn, root);
    if (mb_json_str_is(type, "stream-end")) return end_stream(d, root);
    return !type && mb_json_get(root, "message") ? take_error(d, root) : 0;
}

// ---- whole bodies --------------------------------------------------------------------------------------------------

static int body(mb_decode *d, const char *text, size_t len) {
    const mb_json *root = NULL;
    if (d->ask->kind != MB_ASK_CHAT) return mb_cohere_body_other(d, text, len);
    int status = mb_json_parser_parse(d->parser, text, len, false, &root);
    if (status == MEMBRANE_ENOMEM) return status;
    if (status == 0 && mb_json_get(root, "message") && !mb_json_get(root, "text")) return take_error(d, root);
    bool is_answer = status == 0 && mb_json_is(mb_json_get(root, "text"), MB_JSON_STRING);
    status = is_answer ? take_answer(d, root, NULL) : MEMBRANE_ERESPONSE;
    if (status == MEMBRANE_EMALFORMED) status = MEMBRANE_ERESPONSE;
    return status == MEMBRANE_ERESPONSE && !d->turn->error ? mb_turn_no_answer(d->turn, d->ask->provider, text, len)
                                                           : status;
}

static int end(mb_decode *d) {
    if (d->turn->error) return membrane_error_code(d->turn->error);
    return d->turn->has_end ? 0 : MEMBRANE_ETRUNCATED;
}

const mb_adapter mb_adapter_cohere_v1 = {"cohere-v1", MB_FRAMES_NDJSON, mb_cohere_v1_write, frame, body, end};
