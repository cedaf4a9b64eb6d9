// SPDX-License-Identifier: MIT
// OpenAI's Responses as a turn. An answer is a list of items: messages, calls, reasoning, and the work of tools that
// the provider runs itself. A stream tells of each item three times (added, piece by piece, done); the pieces go to the
// caller at once, and the finished item says what of it must go back with the next request. A whole body is the same
// finished items, none of which was heard of before.
#include "route/responses.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "route/classify.h"
#include "route/echo.h"
#include "route/openai.h"
#include "route/write.h"

#define IS(member, name) ((member)->key_len == sizeof(name) - 1 && memcmp((member)->key, name, sizeof(name) - 1) == 0)

enum { ITEMS_MAX = 1024, MEMBERS_MAX = 24 }; // of one answer, and kept of one item: nobody sends more

typedef enum { MESSAGE, CALL, REASONING, OTHER } item_type;

typedef struct item item;
struct item {
    item *older;
    int64_t index;  // "output_index", -1 where it is not said
    const char *id; // NULL where it is not said
    item_type type;
    size_t call; // CALL: which of the turn's
    size_t text; // bytes that came in pieces: of the message, or of the reasoning
    bool opened, done;
};

typedef struct items {
    item *newest;
    size_t count;
    bool refused, ended;
    bool must_echo;   // the canonical message does not say all of the answer
    bool new_thought; // the next piece of thinking begins a paragraph
    bool commented;   // the last message was a comment on the work, not the answer
} items;

static int take_once(mb_turn *turn, const char **to, const mb_json *v) {
    if (*to || !mb_json_is(v, MB_JSON_STRING) || v->len == 0) return 0;
    *to = mb_arena_strndup(&turn->arena, v->str, v->len);
    return *to ? 0 : MEMBRANE_ENOMEM;
}

// ---- items ---------------------------------------------------------------------------------------------------------

static items *items_of(mb_decode *d) { // state[0], in the turn's arena
    if (!d->state[0]) d->state[0] = (int64_t)(intptr_t)mb_arena_zalloc(&d->turn->arena, sizeof(items));
    return (items *)(intptr_t)d->state[0];
}

// By its place, or by its name where no place is said. Some servers give every item the same place: the type tells.
static item *find_item(const items *all, int64_t index, const char *id, item_type type) {
    for (item *it = all->newest; it; it = it->older) {
        bool same_id = id && it->id && strcmp(it->id, id) == 0, over = it->done && id && it->id && !same_id;
        if (it->type != type || over) continue;
        if (index >= 0 && it->index >= 0 ? it->index == index : same_id) return it;
    }
    return NULL;
}

static int add_item(mb_decode *d, int64_t index, const char *id, item_type type, item **ret) {
    items *all = items_of(d);
    if (!all) return MEMBRANE_ENOMEM;
    if (all->count++ == ITEMS_MAX) return MEMBRANE_EMALFORMED;
    item *it = mb_arena_zalloc(&d->turn->arena, sizeof *it);
    if (!it) return MEMBRANE_ENOMEM;
    *it = (item){.older = all->newest, .index = index, .type = type};
    if (id && !(it->id = mb_arena_strdup(&d->turn->arena, id))) return MEMBRANE_ENOMEM;
    all->newest = it;
    *ret = it;
    return 0;
}

// xAI tells of the steps of its own search in X as calls of a custom tool, which nobody declared.
static bool is_search_of_x(const mb_decode *d, const mb_json *v) {
    static const char *const NAMES[] = {"x_keyword_search", "x_semantic_search", "x_thread_fetch", "x_user_search"};
    const mb_json *name = mb_json_get(v, "name"), *tools = mb_json_get(d->ask->request, "tools");
    bool known = false;
    for (size_t i = 0; i < MB_COUNT(NAMES); i++) known |= mb_json_str_is(name, NAMES[i]);
    for (uint32_t i = 0; known && tools && i < tools->count; i++) {
        const mb_json *tool = &tools->children[i];
        known &= !mb_json_equal(mb_json_path(tool, "raw.name"), name);
        known &= !mb_json_equal(mb_json_path(tool, "function.name"), name);
    }
    return known;
}

static item_type type_of(const mb_decode *d, const mb_json *v) {
    static const struct {
        const char *word;
        item_type type;
    } WORDS[] = {{"message", MESSAGE}, {"function_call", CALL}, {"custom_tool_call", CALL}, {"reasoning", REASONING}};
    const mb_json *word = mb_json_get(v, "type");
    for (size_t i = 0; i < MB_COUNT(WORDS); i++)
        if (mb_json_str_is(word, WORDS[i].word))
            return mb_json_str_is(word, "custom_tool_call") && is_search_of_x(d, v) ? OTHER : WORDS[i].type;
    return OTHER;
}

// ---- text and thinking ---------------------------------------------------------------------------------------------

static const mb_json GAP_MEMBER = {.type = MB_JSON_BOOL, .key = "gap", .key_len = 3, .boolean = true};
static const mb_json GAP = {.type = MB_JSON_OBJECT, .count = 1, .children = &GAP_MEMBER};

// What follows a comment is set apart from it; those two bytes are nobody's, and go back to nobody.
static int set_apart(mb_decode *d, items *all) {
    if (!all->commented) return 0;
    all->commented = false;
    int status = mb_turn_text(d->turn, "\n\n", 2);
    return status ? status : mb_echo_text(d, 2, &GAP);
}

static int pour_text(mb_decode *d, item *it, const char *text, size_t len) {
    items *all = items_of(d);
    if (len == 0) return 0;
    int status = all->commented ? set_apart(d, all) : 0;
    it->text += len;
    return status ? status : mb_turn_text(d->turn, text, len);
}

static int pour_thinking(mb_decode *d, item *it, const char *text, size_t len) {
    items *all = items_of(d);
    int status = 0;
    if (len == 0) return 0;
    if (all->new_thought && d->turn->thinking.len) status = mb_turn_thinking(d->turn, "\n\n", 2);
    all->new_thought = false;
    it->text += len;
    return status ? status : mb_turn_thinking(d->turn, text, len);
}

static int take_logprobs(mb_turn *turn, const mb_json *list) {
    if (!mb_json_is(list, MB_JSON_ARRAY)) return 0;
    for (uint32_t i = 0; i < list->count; i++) {
        if (turn->logprobs.len) mb_buf_putc(&turn->logprobs, ',');
        mb_jw w = mb_jw_to(&turn->logprobs);
        mb_jw_value(&w, &list->children[i]);
    }
    if (mb_buf_ok(&turn->logprobs)) return 0;
    return turn->logprobs.failed == MEMBRANE_ENOMEM ? MEMBRANE_ENOMEM : MEMBRANE_EMALFORMED;
}

// The text of a part of a message; *ret_refusal whether it is a refusal.
static const mb_json *part_text(const mb_json *part, bool *ret_refusal) {
    *ret_refusal = mb_json_str_is(mb_json_get(part, "type"), "refusal");
    const mb_json *text = mb_json_get(part, *ret_refusal ? "refusal" : "text");
    return mb_json_is(text, MB_JSON_STRING) ? text : NULL;
}

// Some servers fill every field with nothing.
static bool is_said(const mb_json *v) {
    if (!v || v->type == MB_JSON_NULL) return false;
    if (v->type == MB_JSON_BOOL) return v->boolean;
    if (mb_json_is_number(v)) return mb_json_double(v, 1) != 0;
    return v->type == MB_JSON_STRING ? v->len > 0 : v->type < MB_JSON_ARRAY || v->count > 0;
}

static const mb_json *list_in(const mb_json *v, const char *key) {
    const mb_json *list = mb_json_get(v, key);
    return mb_json_is(list, MB_JSON_ARRAY) ? list : NULL;
}

// ---- what goes back ------------------------------------------------------------------------------------------------

typedef struct members {
    mb_json at[MEMBERS_MAX];
    mb_json object;
    bool beside; // there is one that is more than a name or a state
} members;

static bool is_in(const char *const *list, const char *key) {
    for (; *list; list++)
        if (strcmp(*list, key) == 0) return true;
    return false;
}

static void add_member(members *m, const mb_json *v) {
    if (m->object.count == MEMBERS_MAX) return;
    m->at[m->object.count++] = *v;
    m->object.type = MB_JSON_OBJECT;
    m->object.children = m->at;
}

// All members of v but the ones named and those that say nothing.
static void gather(members *m, const mb_json *v, const char *const *except) {
    static const char *const NAMES[] = {"id", "type", "status", NULL};
    *m = (members){.beside = false};
    for (uint32_t i = 0; i < v->count; i++) {
        const mb_json *member = &v->children[i];
        bool is_empty = member->type == MB_JSON_NULL || (member->type >= MB_JSON_ARRAY && member->count == 0);
        if (is_empty || is_in(except, member->key) || mb_json_str_is(member, "in_progress")) continue;
        m->beside |= !is_in(NAMES, member->key);
        add_member(m, member);
    }
}

// A message's text, part by part, each with what the message and the part have besides.
static int echo_message(mb_decode *d, const mb_json *v, const item *it) {
    static const char *const NOT_MESSAGE[] = {"role", "content", NULL}, *const NOT_PART[] = {"text", "logprobs", NULL};
    const mb_json *parts = list_in(v, "content");
    size_t total = 0;
    bool refusal;
    for (uint32_t i = 0; parts && i < parts->count; i++) {
        const mb_json *text = part_text(&parts->children[i], &refusal);
        total += text ? text->len : 0;
    }
    members message, part;
    gather(&message, v, NOT_MESSAGE);
    items_of(d)->must_echo |= message.beside;
    bool fits = parts && parts->count && total == it->text; // else the pieces were others than the whole
    if (!fits) return mb_echo_text(d, it->text, &message.object);
    int status = 0;
    for (uint32_t i = 0; i < parts->count && status == 0; i++) {
        const mb_json *text = part_text(&parts->children[i], &refusal);
        members with = message;
        with.object.children = with.at;
        if (!mb_json_is(&parts->children[i], MB_JSON_OBJECT)) continue;
        gather(&part, &parts->children[i], refusal ? (const char *const[]){"refusal", NULL} : NOT_PART);
        items_of(d)->must_echo |= part.beside || refusal;
        part.object.key = "part";
        part.object.key_len = 4;
        if (part.beside || refusal) add_member(&with, &part.object);
        status = mb_echo_text(d, text ? text->len : 0, &with.object);
    }
    return status;
}

static int echo_call(mb_decode *d, const mb_json *v, const item *it) {
    static const char *const NOT_CALL[] = {"type", "call_id", "name", "arguments", "item_id", "output_index", NULL};
    static const char *const NOT_CUSTOM[] = {"call_id", "name", "input", NULL};
    bool custom = mb_json_str_is(mb_json_get(v, "type"), "custom_tool_call");
    members with;
    gather(&with, v, custom ? NOT_CUSTOM : NOT_CALL);
    items_of(d)->must_echo |= with.beside || custom;
    return mb_echo_call(d, it->call, &with.object);
}

// ---- finished items ------------------------------------------------------------------------------------------------

static int put_arguments(mb_buf *to, const mb_json *v) {
    if (!v || v->type == MB_JSON_NULL || (v->type == MB_JSON_STRING && v->len == 0)) return 0;
    mb_buf_cut(to, 0); // the whole stands for its pieces
    if (v->type == MB_JSON_STRING) {
        mb_buf_put(to, v->str, v->len);
    } else {
        mb_jw w = mb_jw_to(to);
        mb_jw_value(&w, v);
    }
    if (mb_buf_ok(to)) return 0;
    return to->failed == MEMBRANE_ENOMEM ? MEMBRANE_ENOMEM : MEMBRANE_EMALFORMED;
}

// The call of an item, with what v says of it; v NULL: a piece came before anything else.
static int open_call(mb_decode *d, item *it, const mb_json *v) {
    mb_turn *turn = d->turn;
    const mb_json *id = mb_json_get(v, "call_id");
    if (!mb_json_is(id, MB_JSON_STRING) || id->len == 0) id = mb_json_get(v, "id");
    int status = it->opened ? 0 : mb_turn_tool_call(turn, NULL, NULL, NULL);
    if (status != 0) return status;
    if (!it->opened) it->call = turn->call_count - 1;
    it->opened = true;
    status = take_once(turn, &turn->calls[it->call].id, id);
    return status ? status : take_once(turn, &turn->calls[it->call].name, mb_json_get(v, "name"));
}

static int finish_message(mb_decode *d, item *it, const mb_json *v) {
    const mb_json *parts = list_in(v, "content"), *plain = mb_json_get(v, "content");
    items *all = items_of(d);
    bool came = it->text > 0, refusal;
    int status = 0;
    if (!came && mb_json_is(plain, MB_JSON_STRING)) status = pour_text(d, it, plain->str, plain->len);
    for (uint32_t i = 0; parts && i < parts->count && status == 0; i++) {
        const mb_json *text = part_text(&parts->children[i], &refusal);
        all->refused |= refusal;
        if (came) continue;
        if (text) status = pour_text(d, it, text->str, text->len);
        if (status == 0) status = take_logprobs(d->turn, mb_json_get(&parts->children[i], "logprobs"));
    }
    if (status == 0) status = echo_message(d, v, it);
    all->commented = it->text && mb_json_str_is(mb_json_get(v, "phase"), "commentary");
    return status;
}

static int pour_thoughts(mb_decode *d, item *it, const mb_json *list) {
    int status = 0;
    for (uint32_t i = 0; list && i < list->count && status == 0; i++) {
        const mb_json *text = mb_json_get(&list->children[i], "text");
        items_of(d)->new_thought = true;
        if (mb_json_is(text, MB_JSON_STRING)) status = pour_thinking(d, it, text->str, text->len);
    }
    return status;
}

static int finish_reasoning(mb_decode *d, item *it, const mb_json *v) {
    bool came = it->text > 0;
    int status = came ? 0 : pour_thoughts(d, it, list_in(v, "summary"));
    return status || came ? status : pour_thoughts(d, it, list_in(v, "content"));
}

static int finish_call(mb_decode *d, item *it, const mb_json *v) {
    const mb_json *arguments = mb_json_get(v, "arguments");
    int status = open_call(d, it, v);
    if (status == 0)
        status = put_arguments(&d->turn->calls[it->call].arguments, arguments ? arguments : mb_json_get(v, "input"));
    if (status == 0 && mb_json_str_is(mb_json_get(v, "status"), "incomplete")) d->turn->calls[it->call].whole = false;
    return status ? status : echo_call(d, v, it);
}

static int finish_item(mb_decode *d, item *it, const mb_json *v) {
    int status = 0;
    if (it->done) return 0;
    it->done = true;
    switch (it->type) {
    case MESSAGE: return finish_message(d, it, v);
    case CALL: return finish_call(d, it, v);
    case REASONING: status = finish_reasoning(d, it, v); break;
    case OTHER: break; // what the provider did itself is no call of the caller's
    }
    items_of(d)->must_echo = true;
    return status ? status : mb_echo_raw(d, v);
}

// The item of an event, made where it was not heard of before.
static int item_of(mb_decode *d, int64_t index, const char *id, item_type type, item **ret) {
    items *all = items_of(d);
    if (!all) return MEMBRANE_ENOMEM;
    *ret = find_item(all, index, id, type);
    bool goes_on = index < 0 && !id && all->newest && all->newest->type == type && !all->newest->done;
    if (goes_on) *ret = all->newest;
    return *ret ? 0 : add_item(d, index, id, type, ret);
}

static int take_item(mb_decode *d, int64_t index, const mb_json *v, bool done) {
    item *it;
    if (!mb_json_is(v, MB_JSON_OBJECT)) return 0;
    const char *id = mb_json_get_str(v, "id");
    bool nameless = index < 0 && !id && !done;
    int status = nameless ? add_item(d, index, id, type_of(d, v), &it) : item_of(d, index, id, type_of(d, v), &it);
    if (status != 0) return status;
    if (done) return finish_item(d, it, v);
    if (it->type == CALL) status = open_call(d, it, v);
    if (it->type == REASONING) items_of(d)->new_thought = true;
    return status;
}

// The items as the finished answer lists them. Those of a stream are known; what it did not finish is finished here.
static int take_output(mb_decode *d, const mb_json *output) {
    items *all = items_of(d);
    int status = all ? 0 : MEMBRANE_ENOMEM;
    bool streamed = all && all->count;
    for (uint32_t i = 0; output && i < output->count && status == 0; i++) {
        const mb_json *v = &output->children[i];
        const char *id = mb_json_get_str(v, "id");
        const item *known = streamed ? find_item(all, id ? -1 : (int64_t)i, id, type_of(d, v)) : NULL;
        if (!streamed || (known && !known->done)) status = take_item(d, known ? known->index : (int64_t)i, v, true);
    }
    return status;
}

// ---- the end -------------------------------------------------------------------------------------------------------

static void take_number(int64_t *to, const mb_json *v) {
    int64_t n = mb_json_int(v, -1);
    if (n >= 0) *to = n;
}

static void take_usage(mb_turn *turn, const mb_json *usage) {
    const mb_json *input = mb_json_get(usage, "input_tokens_details"),
                  *output = mb_json_get(usage, "output_tokens_details");
    take_number(&turn->usage.input, mb_json_get(usage, "input_tokens"));
    take_number(&turn->usage.cached, mb_json_get(input, "cached_tokens"));
    take_number(&turn->usage.cache_write, mb_json_get(input, "cache_write_tokens"));
    take_number(&turn->usage.output, mb_json_get(usage, "output_tokens"));
    take_number(&turn->usage.reasoning, mb_json_get(output, "reasoning_tokens"));
}

static void take_finish(mb_decode *d, const mb_json *response, const char *status) {
    const char *reason = mb_json_get_str(mb_json_get(response, "incomplete_details"), "reason");
    mb_finish finish = MB_FINISH_STOP;
    bool cut = status && strcmp(status, "incomplete") == 0;
    if (cut) finish = MB_FINISH_NONE;
    if (cut && reason && strcmp(reason, "max_output_tokens") == 0) finish = MB_FINISH_LENGTH;
    if (cut && reason && strcmp(reason, "content_filter") == 0) finish = MB_FINISH_CONTENT_FILTER;
    if (!cut && items_of(d)->refused) finish = MB_FINISH_CONTENT_FILTER;
    mb_turn_finish(d->turn, finish, cut && reason ? reason : status);
}

static int finish_turn(mb_decode *d) {
    items *all = items_of(d);
    if (!all) return MEMBRANE_ENOMEM;
    if (all->ended) return 0;
    all->ended = d->turn->has_end = true;
    int status = mb_tool_map_names(d);
    if (status == 0) status = mb_turn_end(d->turn);
    return status == 0 && all->must_echo ? mb_echo_write(d) : status;
}

static int take_error(mb_decode *d, const mb_json *v) {
    return mb_classify_json(d->ask->quirks->kind, d->ask->provider, 200, v, &d->turn->error);
}

// The finished answer, or why there is none. status: what the event says; NULL: what the answer says.
static int take_response(mb_decode *d, const mb_json *response, const char *status) {
    mb_turn *turn = d->turn;
    const mb_json *error = mb_json_get(response, "error");
    if (!status) status = mb_json_get_str(response, "status");
    take_usage(turn, mb_json_get(response, "usage"));
    int code = take_once(turn, &turn->response_id, mb_json_get(response, "id"));
    if (code == 0) code = take_once(turn, &turn->model, mb_json_get(response, "model"));
    if (code != 0) return code;
    bool failed = status && (strcmp(status, "failed") == 0 || strcmp(status, "cancelled") == 0);
    if (failed || is_said(error)) return take_error(d, response);
    code = take_output(d, list_in(response, "output"));
    if (code != 0) return code;
    if (!items_of(d)) return MEMBRANE_ENOMEM;
    take_finish(d, response, status);
    return finish_turn(d);
}

// ---- events --------------------------------------------------------------------------------------------------------

typedef struct event {
    const mb_json *type, *delta, *logprobs, *item, *response, *error;
    const char *id;
    int64_t index;
} event;

typedef enum { NOTHING, TEXT, REFUSAL, THOUGHT, NEW_THOUGHT, ARGUMENTS, ADDED, DONE, BEGINS, ENDS, ERROR } event_type;

static const struct {
    const char *name;
    event_type type;
} EVENTS[] = {
    {"response.output_text.delta", TEXT},
    {"response.function_call_arguments.delta", ARGUMENTS},
    {"response.reasoning_text.delta", THOUGHT},
    {"response.reasoning_summary_text.delta", THOUGHT},
    {"response.reasoning.delta", THOUGHT},
    {"response.reasoning_summary_part.added", NEW_THOUGHT},
    {"response.custom_tool_call_input.delta", ARGUMENTS},
    {"response.refusal.delta", REFUSAL},
    {"response.output_item.added", ADDED},
    {"response.output_item.done", DONE},
    {"response.created", BEGINS},
    {"response.in_progress", BEGINS},
    {"response.completed", ENDS},
    {"response.incomplete", ENDS},
    {"response.failed", ENDS},
    {"response.cancelled", ENDS},
    {"response.error", ERROR},
    {"error", ERROR},
};

static event_type event_type_of(const mb_json *type) {
    for (size_t i = 0; type && i < MB_COUNT(EVENTS); i++)
        if (mb_json_str_is(type, EVENTS[i].name)) return EVENTS[i].type;
    return NOTHING; // what a tool of the provider's is doing, and what is said twice
}

static event read_event(const mb_json *root) {
    event e = {.index = -1};
    for (const mb_json *m = root->children, *end = m + root->count; m < end; m++) {
        if (IS(m, "type") && m->type == MB_JSON_STRING)
            e.type = m;
        else if (IS(m, "delta") && m->type == MB_JSON_STRING)
            e.delta = m;
        else if (IS(m, "output_index"))
            e.index = mb_json_int(m, -1);
        else if (IS(m, "item_id"))
            e.id = mb_json_str(m);
        else if (IS(m, "logprobs"))
            e.logprobs = m;
        else if (IS(m, "item"))
            e.item = m;
        else if (IS(m, "response"))
            e.response = m;
        else if (IS(m, "error") && is_said(m))
            e.error = m;
    }
    return e;
}

static int take_text(mb_decode *d, const event *e, bool refusal) {
    item *it;
    int status = item_of(d, e->index, e->id, MESSAGE, &it);
    if (status != 0) return status;
    items_of(d)->refused |= refusal;
    status = pour_text(d, it, e->delta->str, e->delta->len);
    return status == 0 && e->logprobs ? take_logprobs(d->turn, e->logprobs) : status;
}

static int take_arguments(mb_decode *d, const event *e) {
    item *it;
    int status = item_of(d, e->index, e->id, CALL, &it);
    if (status == 0) status = open_call(d, it, NULL);
    if (status != 0 || it->done) return status;
    mb_buf *to = &d->turn->calls[it->call].arguments;
    mb_buf_put(to, e->delta->str, e->delta->len);
    if (mb_buf_ok(to)) return 0;
    return to->failed == MEMBRANE_ENOMEM ? MEMBRANE_ENOMEM : MEMBRANE_EMALFORMED;
}

static int take_thought(mb_decode *d, const event *e) {
    item *it;
    int status = item_of(d, e->index, e->id, REASONING, &it);
    return status ? status : pour_thinking(d, it, e->delta->str, e->delta->len);
}

static int begin(mb_decode *d, const mb_json *response) {
    mb_turn *turn = d->turn;
    int status = take_once(turn, &turn->response_id, mb_json_get(response, "id"));
    return status ? status : take_once(turn, &turn->model, mb_json_get(response, "model"));
}

static int end_stream(mb_decode *d, const event *e) {
    static const char BEFORE[] = "response.";
    int status = take_response(d, e->response, e->type->str + sizeof BEFORE - 1);
    return status ? status : 1;
}

static int begin_thought(mb_decode *d) {
    items *all = items_of(d);
    if (all) all->new_thought = true;
    return all ? 0 : MEMBRANE_ENOMEM;
}

static int frame(mb_decode *d, const mb_frame *f) {
    const mb_json *root;
    if (f->len == 0 || (f->len == 6 && memcmp(f->data, "[DONE]", 6) == 0)) return 0;
    int status = mb_json_parser_parse(d->parser, f->data, f->len, true, &root);
    if (status != 0) return status;
    if (root->type != MB_JSON_OBJECT) return MEMBRANE_EMALFORMED;
    const event e = read_event(root);
    switch (event_type_of(e.type)) {
    case TEXT: return e.delta ? take_text(d, &e, false) : 0;
    case REFUSAL: return e.delta ? take_text(d, &e, true) : 0;
    case THOUGHT: return e.delta ? take_thought(d, &e) : 0;
    case NEW_THOUGHT: return begin_thought(d);
    case ARGUMENTS: return e.delta ? take_arguments(d, &e) : 0;
    case ADDED: return take_item(d, e.index, e.item, false);
    case DONE: return take_item(d, e.index, e.item, true);
    case BEGINS: return begin(d, e.response);
    case ENDS: return end_stream(d, &e);
    case ERROR: return take_error(d, root);
    case NOTHING: break;
    }
    d->says_nothing = mb_json_str_is(e.type, "keepalive");
    return e.error && (!e.type || strcmp(f->event, "error") == 0) ? take_error(d, root) : 0;
}

// ---- whole bodies --------------------------------------------------------------------------------------------------

static int take_count(mb_decode *d, const mb_json *root) {
    int64_t n = mb_json_int(mb_json_get(root, "input_tokens"), -1);
    if (n < 0) return MEMBRANE_ERESPONSE;
    d->turn->usage.input = n;
    d->turn->has_end = true;
    return 0;
}

static int take_body(mb_decode *d, const mb_json *root) {
    const mb_json *error = mb_json_get(root, "error");
    const char *state = mb_json_get_str(root, "status");
    if (is_said(error)) return take_error(d, root);
    if (d->ask->kind == MB_ASK_COUNT_TOKENS) return take_count(d, root);
    bool unfinished = state && (strcmp(state, "queued") == 0 || strcmp(state, "in_progress") == 0);
    if (unfinished || (!list_in(root, "output") && !state)) return MEMBRANE_ERESPONSE;
    int status = take_response(d, root, NULL);
    return status == MEMBRANE_EMALFORMED && !d->turn->error ? MEMBRANE_ERESPONSE : status;
}

static int body(mb_decode *d, const char *text, size_t len) {
    const mb_json *root = NULL;
    if (d->ask->kind != MB_ASK_CHAT && d->ask->kind != MB_ASK_COUNT_TOKENS) return mb_openai_server_body(d, text, len);
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

const mb_adapter mb_adapter_responses = {"openai-responses", MB_FRAMES_SSE, mb_responses_write, frame, body, end};
