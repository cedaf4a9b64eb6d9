// SPDX-License-Identifier: MIT
// Cohere's answers as a turn (the second version of its API). What the model plans before it calls tools comes as a
// "tool_plan", what it thinks as parts of the content: both are thinking, and go back in the words in which they came.
#include "route/cohere.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "route/classify.h"
#include "route/echo.h"
#include "route/write.h"

#define IS(member, name) ((member)->key_len == sizeof(name) - 1 && memcmp((member)->key, name, sizeof(name) - 1) == 0)

typedef struct citation citation;
struct citation {
    citation *next;
    const mb_json *v;
};

typedef struct gathered {        // state[0], in the turn's arena
    size_t thought, thought_len; // the open part of thinking, in the turn's
    size_t plan, plan_len;
    citation *first, **last;
    bool new_thought, ended;
} gathered;

static gathered *gathered_of(mb_decode *d) {
    if (!d->state[0]) d->state[0] = (int64_t)(intptr_t)mb_arena_zalloc(&d->turn->arena, sizeof(gathered));
    return (gathered *)(intptr_t)d->state[0];
}

// ---- thinking ------------------------------------------------------------------------------------------------------

// {"type": "thinking", "thinking": …} or {"tool_plan": …}, out of the turn's thinking.
static int echo_thought(mb_decode *d, const char *key, bool is_part, size_t from, size_t len) {
    mb_buf text = MB_BUF(MB_LIMIT_RESPONSE);
    mb_jw w = mb_jw_to(&text);
    mb_jw_object(&w);
    if (is_part) mb_jw_kstr(&w, "type", "thinking");
    mb_jw_key(&w, key);
    mb_jw_strn(&w, mb_buf_text(&d->turn->thinking) + from, len);
    mb_jw_end_object(&w);
    int status = mb_buf_ok(&text)                 ? mb_echo_raw_text(d, mb_buf_text(&text), text.len)
                 : text.failed == MEMBRANE_ENOMEM ? MEMBRANE_ENOMEM
                                                  : MEMBRANE_EMALFORMED;
    mb_buf_free(&text);
    return status;
}

static int close_thought(mb_decode *d, gathered *g) {
    size_t len = g->thought_len;
    g->thought_len = 0;
    g->new_thought = true;
    return len ? echo_thought(d, "thinking", true, g->thought, len) : 0;
}

// *from and *len: where in the turn's thinking this one stands.
static int pour_thinking(mb_decode *d, gathered *g, const mb_json *v, size_t *from, size_t *len) {
    mb_turn *turn = d->turn;
    int status = 0;
    if (v->len == 0) return 0;
    if (g->new_thought && turn->thinking.len) status = mb_turn_thinking(turn, "\n\n", 2);
    g->new_thought = false;
    if (status == 0 && *len == 0) *from = turn->thinking.len;
    *len += v->len;
    return status ? status : mb_turn_thinking(turn, v->str, v->len);
}

// ---- pieces --------------------------------------------------------------------------------------------------------

static int pour_text(mb_decode *d, const char *text, size_t len) {
    if (len == 0) return 0;
    int status = mb_echo_text(d, len, NULL);
    return status ? status : mb_turn_text(d->turn, text, len);
}

// A part of the content, or a piece of one.
static int take_part(mb_decode *d, const mb_json *part) {
    gathered *g = gathered_of(d);
    int status = 0;
    if (!g) return MEMBRANE_ENOMEM;
    if (part->type != MB_JSON_OBJECT) return 0;
    for (const mb_json *m = part->children, *end = m + part->count; m < end && status == 0; m++) {
        if (m->type != MB_JSON_STRING) continue;
        if (IS(m, "text")) {
            if (g->thought_len) status = close_thought(d, g);
            if (status == 0) status = pour_text(d, m->str, m->len);
        } else if (IS(m, "thinking")) {
            status = pour_thinking(d, g, m, &g->thought, &g->thought_len);
        }
    }
    return status;
}

static int take_content(mb_decode *d, const mb_json *content) {
    gathered *g = gathered_of(d);
    int status = 0;
    if (!g) return MEMBRANE_ENOMEM;
    if (content->type == MB_JSON_STRING) return pour_text(d, content->str, content->len);
    if (content->type != MB_JSON_ARRAY) return take_part(d, content);
    for (uint32_t i = 0; i < content->count && status == 0; i++) {
        status = take_part(d, &content->children[i]);
        if (status == 0) status = close_thought(d, g);
    }
    return status;
}

static int take_plan(mb_decode *d, const mb_json *v) {
    gathered *g = gathered_of(d);
    if (!g) return MEMBRANE_ENOMEM;
    int status = g->thought_len ? close_thought(d, g) : 0;
    return status ? status : pour_thinking(d, g, v, &g->plan, &g->plan_len);
}

static int take_call(mb_turn *turn, int64_t index, const mb_json *call) {
    const mb_json *function = mb_json_get(call, "function"), *arguments = mb_json_get(function, "arguments");
    const char *id = mb_json_get_str(call, "id"), *name = mb_json_get_str(function, "name");
    if (call->type != MB_JSON_OBJECT) return 0;
    if (index < 0 || (arguments && arguments->type >= MB_JSON_ARRAY))
        return mb_turn_tool_call(turn, id, name, arguments);
    bool is_text = mb_json_is(arguments, MB_JSON_STRING);
    return mb_turn_tool_delta(turn, index, id, name, is_text ? arguments->str : NULL, is_text ? arguments->len : 0);
}

static int take_calls(mb_decode *d, int64_t index, const mb_json *calls) {
    int status = 0;
    if (calls->type != MB_JSON_ARRAY) return take_call(d->turn, index, calls);
    for (uint32_t i = 0; i < calls->count && status == 0; i++) status = take_call(d->turn, -1, &calls->children[i]);
    return status;
}

static int take_citation(mb_decode *d, const mb_json *v) {
    gathered *g = gathered_of(d);
    citation *c = g ? mb_arena_zalloc(&d->turn->arena, sizeof *c) : NULL;
    if (!c) return MEMBRANE_ENOMEM;
    c->v = mb_json_copy(&d->turn->arena, v);
    if (!c->v) return MEMBRANE_ENOMEM;
    if (!g->last) g->last = &g->first;
    *g->last = c;
    g->last = &c->next;
    return 0;
}

static int take_citations(mb_decode *d, const mb_json *v) {
    int status = 0;
    if (v->type == MB_JSON_OBJECT) return take_citation(d, v);
    for (uint32_t i = 0; v->type == MB_JSON_ARRAY && i < v->count && status == 0; i++)
        status = take_citation(d, &v->children[i]);
    return status;
}

static int take_message(mb_decode *d, int64_t index, const mb_json *message) {
    int status = 0;
    for (const mb_json *m = message->children, *end = m + message->count; m < end && status == 0; m++) {
        if (IS(m, "content"))
            status = take_content(d, m);
        else if (IS(m, "tool_plan") && m->type == MB_JSON_STRING)
            status = take_plan(d, m);
        else if (IS(m, "tool_calls"))
            status = take_calls(d, index, m);
        else if (IS(m, "citations"))
            status = take_citations(d, m);
    }
    return status;
}

// {"text", "token_ids", "logprobs"} of one token is ours; of several it is kept as it is.
static void put_logprob(mb_buf *out, const mb_json *v) {
    const mb_json *values = mb_json_get(v, "logprobs"), *text = mb_json_get(v, "text");
    if (!mb_json_is(v, MB_JSON_OBJECT)) return;
    if (out->len) mb_buf_putc(out, ',');
    mb_jw w = mb_jw_to(out);
    if (!mb_json_is(values, MB_JSON_ARRAY) || values->count != 1 || !text) {
        mb_jw_value(&w, v);
        return;
    }
    mb_jw_object(&w);
    mb_jw_kvalue_if(&w, "token", text);
    mb_jw_kvalue_if(&w, "logprob", &values->children[0]);
    mb_jw_end_object(&w);
}

static int take_logprobs(mb_turn *turn, const mb_json *v) {
    if (v->type == MB_JSON_OBJECT) put_logprob(&turn->logprobs, v);
    for (uint32_t i = 0; v->type == MB_JSON_ARRAY && i < v->count; i++) put_logprob(&turn->logprobs, &v->children[i]);
    if (mb_buf_ok(&turn->logprobs)) return 0;
    return turn->logprobs.failed == MEMBRANE_ENOMEM ? MEMBRANE_ENOMEM : MEMBRANE_EMALFORMED;
}

static int take_id(mb_turn *turn, const mb_json *v) {
    if (turn->response_id || !mb_json_is(v, MB_JSON_STRING) || v->len == 0) return 0;
    turn->response_id = mb_arena_strndup(&turn->arena, v->str, v->len);
    return turn->response_id ? 0 : MEMBRANE_ENOMEM;
}

// ---- the end -------------------------------------------------------------------------------------------------------

static int echo_citations(mb_decode *d, const gathered *g) {
    mb_buf text = MB_BUF(MB_LIMIT_RESPONSE);
    mb_jw w = mb_jw_to(&text);
    if (!g->first) return 0;
    mb_jw_object(&w);
    mb_jw_key(&w, "citations");
    mb_jw_array(&w);
    for (const citation *c = g->first; c; c = c->next) mb_jw_value(&w, c->v);
    mb_jw_end_array(&w);
    mb_jw_end_object(&w);
    int status = mb_buf_ok(&text)                 ? mb_echo_raw_text(d, mb_buf_text(&text), text.len)
                 : text.failed == MEMBRANE_ENOMEM ? MEMBRANE_ENOMEM
                                                  : MEMBRANE_EMALFORMED;
    mb_buf_free(&text);
    return status;
}

static int echo_all(mb_decode *d, gathered *g) {
    int status = close_thought(d, g);
    if (status == 0 && g->plan_len) status = echo_thought(d, "tool_plan", false, g->plan, g->plan_len);
    for (size_t i = 0; i < d->turn->call_count && status == 0; i++) status = mb_echo_call(d, i, NULL);
    if (status == 0) status = echo_citations(d, g);
    return status ? status : mb_echo_write(d);
}

static int finish_turn(mb_decode *d, const char *reason, const char *words) {
    gathered *g = gathered_of(d);
    if (!g) return MEMBRANE_ENOMEM;
    if (g->ended) return 0;
    g->ended = d->turn->has_end = true;
    mb_turn_finish(d->turn, mb_cohere_finish(reason), reason);
    if (d->turn->finish == MB_FINISH_ERROR) return mb_cohere_ended_badly(d, words);
    int status = mb_tool_map_names(d);
    if (status == 0) status = mb_turn_end(d->turn);
    return status ? status : echo_all(d, g);
}

static int take_error(mb_decode *d, const mb_json *root) {
    return mb_classify_json(d->ask->quirks->kind, d->ask->provider, 200, root, &d->turn->error);
}

// ---- events --------------------------------------------------------------------------------------------------------

typedef struct event {
    const mb_json *type, *delta, *id, *logprobs;
    int64_t index;
} event;

static event read_event(const mb_json *root) {
    event e = {.index = -1};
    for (const mb_json *m = root->children, *end = m + root->count; m < end; m++) {
        if (IS(m, "type") && m->type == MB_JSON_STRING)
            e.type = m;
        else if (IS(m, "delta"))
            e.delta = m;
        else if (IS(m, "index"))
            e.index = mb_json_int(m, -1);
        else if (IS(m, "id"))
            e.id = m;
        else if (IS(m, "logprobs"))
            e.logprobs = m;
    }
    return e;
}

static int end_message(mb_decode *d, const mb_json *delta) {
    mb_cohere_usage(d->turn, mb_json_get(delta, "usage"));
    int status = finish_turn(d, mb_json_get_str(delta, "finish_reason"), mb_json_get_str(delta, "error"));
    return status ? status : 1;
}

static int take_event(mb_decode *d, const event *e, const mb_json *root) {
    const mb_json *message = mb_json_get(e->delta, "message");
    int status = 0;
    if (!e->type) return mb_json_get(root, "message") || mb_json_get(root, "error") ? take_error(d, root) : 0;
    if (mb_json_str_is(e->type, "message-end")) return end_message(d, e->delta);
    if (mb_json_str_is(e->type, "message-start")) status = take_id(d->turn, e->id);
    if (mb_json_str_is(e->type, "content-end")) {
        gathered *g = gathered_of(d);
        status = g ? close_thought(d, g) : MEMBRANE_ENOMEM;
    }
    if (status == 0 && mb_json_is(message, MB_JSON_OBJECT)) status = take_message(d, e->index, message);
    return status == 0 && e->logprobs ? take_logprobs(d->turn, e->logprobs) : status;
}

// What of a turn an event can change beside its text.
static size_t others_of(const mb_turn *t) { return t->thinking.len + t->logprobs.len + t->call_count; }

static int frame(mb_decode *d, const mb_frame *f) {
    const mb_json *root;
    const char *text;
    size_t len;
    if (f->len == 0 || (f->len == 6 && memcmp(f->data, "[DONE]", 6) == 0)) return 0;
    if (mb_repeat_match(&d->repeat, f->data, f->len, &text, &len)) return pour_text(d, text, len);
    size_t before = d->turn->text.len, others = others_of(d->turn);
    int status = mb_json_parser_parse(d->parser, f->data, f->len, true, &root);
    if (status != 0) return status;
    if (root->type != MB_JSON_OBJECT) return MEMBRANE_EMALFORMED;
    const event e = read_event(root);
    status = take_event(d, &e, root);
    d->repeat.head = 0;
    bool only_text = status == 0 && d->turn->text.len > before && others_of(d->turn) == others &&
                     mb_json_str_is(e.type, "content-delta") && mb_json_get(e.delta, "message")->count == 1;
    if (only_text)
        mb_repeat_learn(&d->repeat, f->data, f->len, "text", d->turn->text.data + before, d->turn->text.len - before);
    return status;
}

// ---- whole bodies --------------------------------------------------------------------------------------------------

static int take_body(mb_decode *d, const mb_json *root) {
    const mb_json *message = mb_json_get(root, "message"), *logprobs = mb_json_get(root, "logprobs");
    const char *reason = mb_json_get_str(root, "finish_reason");
    if (mb_json_is(message, MB_JSON_STRING)) return take_error(d, root);
    if (!mb_json_is(message, MB_JSON_OBJECT)) return MEMBRANE_ERESPONSE;
    int status = take_id(d->turn, mb_json_get(root, "id"));
    if (status == 0) status = take_message(d, -1, message);
    if (status == 0 && logprobs) status = take_logprobs(d->turn, logprobs);
    mb_cohere_usage(d->turn, mb_json_get(root, "usage"));
    if (status == 0) status = finish_turn(d, reason, mb_json_get_str(root, "error"));
    return status == MEMBRANE_EMALFORMED && !d->turn->error ? MEMBRANE_ERESPONSE : status;
}

static int body(mb_decode *d, const char *text, size_t len) {
    const mb_json *root = NULL;
    if (d->ask->kind != MB_ASK_CHAT) return mb_cohere_body_other(d, text, len);
    int status = mb_json_parser_parse(d->parser, text, len, false, &root);
    if (status == MEMBRANE_ENOMEM) return status;
    status = status == 0 ? take_body(d, root) : MEMBRANE_ERESPONSE;
    return status == MEMBRANE_ERESPONSE && !d->turn->error ? mb_turn_no_answer(d->turn, d->ask->provider, text, len)
                                                           : status;
}

static int end(mb_decode *d) {
    if (d->turn->error) return membrane_error_code(d->turn->error);
    return d->turn->has_end ? 0 : MEMBRANE_ETRUNCATED;
}

const mb_adapter mb_adapter_cohere = {"cohere", MB_FRAMES_SSE, mb_cohere_write, frame, body, end};
