// SPDX-License-Identifier: MIT
// OpenAI's answers as a turn. A stream's chunk is read in one pass over its members, since this runs for every token;
// whole bodies take the same path, their message being one big delta.
#include "route/openai.h"
#include "route/rerank.h"

#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "route/classify.h"
#include "route/write.h"

#define IS(member, name) ((member)->key_len == sizeof(name) - 1 && memcmp((member)->key, name, sizeof(name) - 1) == 0)

// state[0]: what is gathered to be echoed, in the turn's arena. state[1]: flags.
enum { REFUSED = 1, HAS_CALLS = 2, ENDED = 4, WHOLE = 8 };

static mb_openai_extras *extras_of(mb_decode *d) {
    if (!d->state[0]) d->state[0] = (int64_t)(intptr_t)mb_arena_zalloc(&d->turn->arena, sizeof(mb_openai_extras));
    return (mb_openai_extras *)(intptr_t)d->state[0];
}

static int keep_extra(mb_decode *d, int64_t call, const mb_json *member) {
    if (member->type == MB_JSON_NULL || (member->type >= MB_JSON_ARRAY && member->count == 0)) return 0;
    mb_openai_extras *all = extras_of(d);
    return all && mb_openai_extra_keep(all, &d->turn->arena, call, member) ? 0 : MEMBRANE_ENOMEM;
}

static int take_once(mb_turn *turn, const char **to, const mb_json *v) {
    if (*to || v->type != MB_JSON_STRING || v->len == 0) return 0;
    *to = mb_arena_strndup(&turn->arena, v->str, v->len);
    return *to ? 0 : MEMBRANE_ENOMEM;
}

// ---- usage ---------------------------------------------------------------------------------------------------------

static void take_number(int64_t *to, const mb_json *v) {
    int64_t n = mb_json_int(v, -1);
    if (n >= 0) *to = n;
}

static int64_t detail(const mb_json *usage, const char *const *names, const char *key) {
    for (; *names; names++) {
        int64_t n = mb_json_int(mb_json_get(mb_json_get(usage, *names), key), -1);
        if (n >= 0) return n;
    }
    return -1;
}

// Servers differ in what their sums hold. Where the total shows that cached tokens stand beside the input, or reasoning
// tokens beside the output (xAI), they are added: our input and output hold them.
static void normalise(mb_usage *u, int64_t total) {
    if (u->input < 0 || u->output < 0 || total < u->input) return;
    int64_t said = total - u->input - u->output;
    if (said <= 0) return;
    if (u->reasoning > 0 && said == u->reasoning)
        u->output += u->reasoning;
    else if (u->cached > 0 && said == u->cached)
        u->input += u->cached;
}

static void take_usage(mb_turn *turn, const mb_json *usage) {
    static const char *const INPUT[] = {"prompt_tokens_details", "prompt_token_details", "input_tokens_details", NULL};
    static const char *const OUTPUT[] = {"completion_tokens_details", "completion_token_details",
                                         "output_tokens_details", NULL};
    static const char *const CACHED[] = {"prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens"};
    if (usage->type != MB_JSON_OBJECT) return;
    mb_usage u = MB_USAGE_NONE;
    int64_t total = mb_json_int(mb_json_get(usage, "total_tokens"), -1);
    take_number(&u.input, mb_json_get(usage, "prompt_tokens"));
    take_number(&u.output, mb_json_get(usage, "completion_tokens"));
    u.cached = detail(usage, INPUT, "cached_tokens");
    for (size_t i = 0; i < MB_COUNT(CACHED) && u.cached < 0; i++) take_number(&u.cached, mb_json_get(usage, CACHED[i]));
    u.cache_write = detail(usage, INPUT, "cache_write_tokens");
    u.reasoning = detail(usage, OUTPUT, "reasoning_tokens");
    if (u.reasoning < 0) take_number(&u.reasoning, mb_json_get(usage, "reasoning_tokens"));
    normalise(&u, total);
    if (u.input < 0 && u.output < 0) u.input = total; // embeddings of some: a total alone
    int64_t *to[] = {&turn->usage.input, &turn->usage.cached, &turn->usage.cache_write, &turn->usage.output,
                     &turn->usage.reasoning};
    const int64_t from[] = {u.input, u.cached, u.cache_write, u.output, u.reasoning};
    for (size_t i = 0; i < MB_COUNT(from); i++) // a later report may say less; what it says wins
        if (from[i] >= 0) *to[i] = from[i];
}

// ---- finish --------------------------------------------------------------------------------------------------------

static mb_finish finish_of(const char *word) {
    static const struct {
        const char *word;
        mb_finish finish;
    } WORDS[] = {
        {"stop", MB_FINISH_STOP},
        {"length", MB_FINISH_LENGTH},
        {"tool_calls", MB_FINISH_TOOL_CALLS},
        {"content_filter", MB_FINISH_CONTENT_FILTER},
        {"function_call", MB_FINISH_TOOL_CALLS},
        {"eos", MB_FINISH_STOP},
        {"eos_token", MB_FINISH_STOP},
        {"stop_sequence", MB_FINISH_STOP},
        {"end_turn", MB_FINISH_STOP},
        {"complete", MB_FINISH_STOP},
        {"max_tokens", MB_FINISH_LENGTH},
        {"model_length", MB_FINISH_LENGTH},
        {"tool_use", MB_FINISH_TOOL_CALLS},
        {"tool_call", MB_FINISH_TOOL_CALLS},
        {"model_context_window_exceeded", MB_FINISH_LENGTH}, // Z.ai, which has sensitive, too
        {"safety", MB_FINISH_CONTENT_FILTER},
        {"sensitive", MB_FINISH_CONTENT_FILTER},
        {"refusal", MB_FINISH_CONTENT_FILTER},
        {"error", MB_FINISH_ERROR},
    };
    for (size_t i = 0; i < MB_COUNT(WORDS); i++)
        if (strcasecmp(WORDS[i].word, word) == 0) return WORDS[i].finish;
    return MB_FINISH_NONE;
}

// The answer is whole: what waited for its end.
static int finish_turn(mb_decode *d) {
    mb_turn *turn = d->turn;
    if (d->state[1] & ENDED) return 0;
    d->state[1] |= ENDED;
    if (turn->finish == MB_FINISH_ERROR)
        return mb_error_set(&turn->error, MEMBRANE_ESTREAM, "%s ended the answer with finish_reason \"%s\"",
                            d->ask->provider, turn->finish_raw ? turn->finish_raw : "error");
    if ((d->state[1] & REFUSED) && turn->finish == MB_FINISH_STOP) turn->finish = MB_FINISH_CONTENT_FILTER;
    int status = mb_tool_map_names(d);
    if (status == 0) status = mb_turn_end(turn);
    if (status == 0 && d->state[0]) status = mb_openai_extra_write(extras_of(d), turn);
    return status;
}

// ---- messages and deltas -------------------------------------------------------------------------------------------

static int take_thinking_part(mb_turn *turn, const mb_json *v) {
    if (mb_json_is(v, MB_JSON_STRING)) return mb_turn_thinking(turn, v->str, v->len);
    int status = 0;
    for (uint32_t i = 0; mb_json_is(v, MB_JSON_ARRAY) && i < v->count && status == 0; i++) {
        const mb_json *text = mb_json_get(&v->children[i], "text");
        if (mb_json_is(text, MB_JSON_STRING)) status = mb_turn_thinking(turn, text->str, text->len);
    }
    return status;
}

static int take_content(mb_turn *turn, const mb_json *content) {
    if (content->type == MB_JSON_STRING) return mb_turn_text(turn, content->str, content->len);
    int status = 0;
    for (uint32_t i = 0; content->type == MB_JSON_ARRAY && i < content->count && status == 0; i++) {
        const mb_json *part = &content->children[i], *text = mb_json_get(part, "text");
        if (mb_json_str_is(mb_json_get(part, "type"), "thinking"))
            status = take_thinking_part(turn, mb_json_get(part, "thinking"));
        else if (mb_json_is(text, MB_JSON_STRING))
            status = mb_turn_text(turn, text->str, text->len);
    }
    return status;
}

// reasoning_details: [{"type":"reasoning.text","text"}, {"type":"reasoning.summary","summary"}, …]
static int take_details(mb_turn *turn, const mb_json *details) {
    int status = 0;
    for (uint32_t i = 0; mb_json_is(details, MB_JSON_ARRAY) && i < details->count && status == 0; i++) {
        const mb_json *text = mb_json_get(&details->children[i], "text");
        if (!text) text = mb_json_get(&details->children[i], "summary");
        if (mb_json_is(text, MB_JSON_STRING)) status = mb_turn_thinking(turn, text->str, text->len);
    }
    return status;
}

// Where the call that was just touched stands among the turn's.
static int64_t call_position(const mb_turn *turn, int64_t index) {
    for (size_t i = turn->call_count; i-- > 0;)
        if (index < 0 || turn->calls[i].index == index) return (int64_t)i;
    return -1;
}

static int take_arguments(mb_turn *turn, int64_t index, const char *id, const char *name, const mb_json *args) {
    if (!args || args->type == MB_JSON_NULL) return mb_turn_tool_delta(turn, index, id, name, NULL, 0);
    if (args->type == MB_JSON_STRING) return mb_turn_tool_delta(turn, index, id, name, args->str, args->len);
    mb_buf text = MB_BUF(MB_LIMIT_STREAM_EVENT);
    mb_jw w = mb_jw_to(&text);
    mb_jw_value(&w, args);
    int status = mb_buf_ok(&text) ? mb_turn_tool_delta(turn, index, id, name, mb_buf_text(&text), text.len)
                 : text.failed == MEMBRANE_ENOMEM ? MEMBRANE_ENOMEM
                                                  : MEMBRANE_EMALFORMED;
    mb_buf_free(&text);
    return status;
}

static int take_call_extras(mb_decode *d, const mb_json *call, int64_t index) {
    static const char *const KNOWN[] = {"index", "id", "type", "function", "custom"};
    int status = 0;
    for (uint32_t i = 0; i < call->count && status == 0; i++) {
        bool known = false;
        for (size_t j = 0; j < MB_COUNT(KNOWN); j++) known |= strcmp(KNOWN[j], call->children[i].key) == 0;
        if (IS(&call->children[i], "type") && mb_json_str_is(&call->children[i], "custom"))
            known = false; // goes back so
        int64_t at = known ? -1 : call_position(d->turn, index);
        if (at >= 0) status = keep_extra(d, at, &call->children[i]);
    }
    return status;
}

static int take_call(mb_decode *d, const mb_json *call, bool whole) {
    if (call->type != MB_JSON_OBJECT) return 0;
    const mb_json *function = mb_json_get(call, "function"), *custom = mb_json_get(call, "custom");
    const mb_json *args = mb_json_get(function, "arguments");
    const char *id = mb_json_get_str(call, "id"), *name = mb_json_get_str(function, "name");
    if (mb_json_is(custom, MB_JSON_OBJECT)) {
        args = mb_json_get(custom, "input");
        name = mb_json_get_str(custom, "name");
    }
    int64_t index = whole ? -1 : mb_json_int(mb_json_get(call, "index"), -1);
    int status = whole ? mb_turn_tool_call(d->turn, id, name, args) : take_arguments(d->turn, index, id, name, args);
    if (status == 0 && d->turn->call_count) status = take_call_extras(d, call, index);
    return status;
}

static int take_calls(mb_decode *d, const mb_json *calls, bool whole) {
    int status = 0;
    if (calls->count) d->state[1] |= HAS_CALLS;
    for (uint32_t i = 0; i < calls->count && status == 0; i++) status = take_call(d, &calls->children[i], whole);
    return status;
}

// The older form of one call; some servers send it beside tool_calls, or with every field empty.
static int take_function_call(mb_decode *d, const mb_json *call) {
    if ((d->state[1] & HAS_CALLS) || call->type != MB_JSON_OBJECT) return 0;
    return take_arguments(d->turn, 0, NULL, mb_json_get_str(call, "name"), mb_json_get(call, "arguments"));
}

static bool is_unremarkable(const mb_json *member) { // fields that nobody wants back
    static const char *const KEYS[] = {"role", "annotations", "audio",  "index",     "channel",    "executed_tools",
                                       "name", "citations",   "images", "token_ids", "stop_reason"};
    for (size_t i = 0; i < MB_COUNT(KEYS); i++)
        if (strcmp(KEYS[i], member->key) == 0) return true;
    return false;
}

typedef struct pieces {
    const mb_json *content, *reasoning_content, *reasoning, *details, *refusal, *calls, *function_call;
} pieces;

static int sort_members(mb_decode *d, const mb_json *delta, pieces *p) {
    int status = 0;
    for (const mb_json *m = delta->children, *end = m + delta->count; m < end && status == 0; m++) {
        if (IS(m, "content"))
            p->content = m;
        else if (m->type == MB_JSON_NULL || IS(m, "role"))
            continue;
        else if (IS(m, "reasoning_content"))
            p->reasoning_content = m;
        else if (IS(m, "reasoning"))
            p->reasoning = m;
        else if (IS(m, "tool_calls"))
            p->calls = m;
        else if (IS(m, "refusal"))
            p->refusal = m;
        else if (IS(m, "function_call"))
            p->function_call = m;
        else if (!is_unremarkable(m))
            status = keep_extra(d, -1, m);
        if (IS(m, "reasoning_details")) p->details = m;
    }
    return status;
}

static int take_thinking(mb_turn *turn, const pieces *p) {
    const mb_json *texts[] = {p->reasoning_content, p->reasoning}; // the same text where a server sends both
    for (size_t i = 0; i < MB_COUNT(texts); i++)
        if (mb_json_is(texts[i], MB_JSON_STRING) && texts[i]->len)
            return mb_turn_thinking(turn, texts[i]->str, texts[i]->len);
    return p->details ? take_details(turn, p->details) : 0;
}

static int take_refusal(mb_decode *d, const mb_json *refusal) {
    if (refusal->type != MB_JSON_STRING || refusal->len == 0) return 0;
    d->state[1] |= REFUSED;
    return mb_turn_text(d->turn, refusal->str, refusal->len);
}

static int take_delta(mb_decode *d, const mb_json *delta, bool whole) {
    pieces p = {0};
    if (delta->type != MB_JSON_OBJECT) return 0;
    int status = sort_members(d, delta, &p);
    if (status == 0 && (p.reasoning_content || p.reasoning || p.details)) status = take_thinking(d->turn, &p);
    if (status == 0 && p.content) status = take_content(d->turn, p.content);
    if (status == 0 && p.refusal) status = take_refusal(d, p.refusal);
    if (status == 0 && p.calls && p.calls->type == MB_JSON_ARRAY) status = take_calls(d, p.calls, whole);
    if (status == 0 && p.function_call) status = take_function_call(d, p.function_call);
    return status;
}

// ---- logprobs ------------------------------------------------------------------------------------------------------

static void put_item(mb_buf *out, const mb_json *item) {
    if (out->len) mb_buf_putc(out, ',');
    mb_jw w = mb_jw_to(out);
    mb_jw_value(&w, item);
}

// The form of the old completions: lists side by side.
static void put_old_logprobs(mb_buf *out, const mb_json *v) {
    const mb_json *tokens = mb_json_get(v, "tokens"), *values = mb_json_get(v, "token_logprobs");
    for (uint32_t i = 0; mb_json_is(tokens, MB_JSON_ARRAY) && i < tokens->count; i++) {
        if (out->len) mb_buf_putc(out, ',');
        mb_jw w = mb_jw_to(out);
        mb_jw_object(&w);
        mb_jw_key(&w, "token");
        mb_jw_value(&w, &tokens->children[i]);
        mb_jw_key(&w, "logprob");
        mb_jw_value(&w, mb_json_at(values, i));
        mb_jw_end_object(&w);
    }
}

static int take_logprobs(mb_turn *turn, const mb_json *v) {
    const mb_json *content = mb_json_get(v, "content");
    if (mb_json_is(content, MB_JSON_ARRAY))
        for (uint32_t i = 0; i < content->count; i++) put_item(&turn->logprobs, &content->children[i]);
    else
        put_old_logprobs(&turn->logprobs, v);
    if (mb_buf_ok(&turn->logprobs)) return 0;
    return turn->logprobs.failed == MEMBRANE_ENOMEM ? MEMBRANE_ENOMEM : MEMBRANE_EMALFORMED;
}

// ---- choices and chunks --------------------------------------------------------------------------------------------

static int take_error(mb_decode *d, const mb_json *root) {
    return mb_classify_json(d->ask->quirks->kind, d->ask->provider, 200, root, &d->turn->error);
}

// Some servers fill every field with nothing.
static bool is_said(const mb_json *v) {
    if (!v || v->type == MB_JSON_NULL) return false;
    if (v->type == MB_JSON_BOOL) return v->boolean;
    if (mb_json_is_number(v)) return mb_json_double(v, 1) != 0;
    return v->type == MB_JSON_STRING ? v->len > 0 : v->type < MB_JSON_ARRAY || v->count > 0;
}

static int take_choice(mb_decode *d, const mb_json *choice) {
    const mb_json *delta = NULL, *message = NULL, *finish = NULL, *error = NULL;
    int status = 0;
    for (const mb_json *m = choice->children, *end = m + choice->count; m < end && status == 0; m++) {
        if (m->type == MB_JSON_NULL) continue;
        if (IS(m, "delta"))
            delta = m;
        else if (IS(m, "finish_reason"))
            finish = m;
        else if (IS(m, "message"))
            message = m;
        else if (IS(m, "text") && m->type == MB_JSON_STRING)
            status = mb_turn_text(d->turn, m->str, m->len);
        else if (IS(m, "logprobs") && m->type == MB_JSON_OBJECT)
            status = take_logprobs(d->turn, m);
        else if (IS(m, "error") && m->type == MB_JSON_OBJECT && m->count)
            error = choice;
        else if (IS(m, "usage")) // Moonshot
            take_usage(d->turn, m);
    }
    bool whole = message && (!delta || (d->state[1] & WHOLE)); // some send the one beside the other
    if (status == 0 && (delta || message)) status = take_delta(d, whole ? message : delta, whole);
    if (status == 0 && error) return take_error(d, error);
    if (status == 0 && mb_json_is(finish, MB_JSON_STRING) && finish->len)
        mb_turn_finish(d->turn, finish_of(finish->str), finish->str);
    return status;
}

// Of several choices the first: the one with index 0, which may not be the first in its chunk.
static int take_choices(mb_decode *d, const mb_json *choices) {
    int status = 0;
    if (choices->type != MB_JSON_ARRAY) return 0;
    for (uint32_t i = 0; i < choices->count && status == 0; i++) {
        const mb_json *choice = &choices->children[i];
        if (mb_json_is(choice, MB_JSON_OBJECT) && mb_json_int(mb_json_get(choice, "index"), i) == 0)
            status = take_choice(d, choice);
    }
    return status;
}

static int take_root(mb_decode *d, const mb_json *root, bool *ret_has_choices) {
    mb_turn *turn = d->turn;
    const mb_json *error = NULL;
    int status = 0;
    for (const mb_json *m = root->children, *end = m + root->count; m < end && status == 0; m++) {
        if (IS(m, "choices")) {
            *ret_has_choices = m->type == MB_JSON_ARRAY;
            status = take_choices(d, m);
        } else if (IS(m, "id"))
            status = take_once(turn, &turn->response_id, m);
        else if (IS(m, "model"))
            status = take_once(turn, &turn->model, m);
        else if (IS(m, "usage"))
            take_usage(turn, m);
        else if (IS(m, "error") && is_said(m))
            error = root;
        else if (IS(m, "object") && mb_json_str_is(m, "error"))
            error = root;
        else if (IS(m, "x_groq") && mb_json_get(m, "usage"))
            take_usage(turn, mb_json_get(m, "usage"));
    }
    return status == 0 && error ? take_error(d, error) : status;
}

// What of a turn a chunk can change.
typedef struct shape {
    size_t text, others;
} shape;

static shape shape_of(const mb_turn *t) {
    return (shape){t->text.len, t->thinking.len + t->logprobs.len + t->provider_data.len + t->warnings.len};
}

// A chunk that gave a piece of text and nothing else stands for those that follow.
static void learn(mb_decode *d, const mb_frame *f, const shape *before) {
    const mb_turn *t = d->turn;
    const shape after = shape_of(t);
    d->repeat.head = 0;
    if (after.text == before->text || after.others != before->others || t->call_count || t->has_finish) return;
    mb_repeat_learn(&d->repeat, f->data, f->len, "content", t->text.data + before->text, after.text - before->text);
}

static bool is_done(const mb_frame *f) { // white space around it is nobody's business
    size_t len = f->len, at = 0;
    if (len < 6 || len > 16) return false;
    while (len && f->data[len - 1] == ' ') len--;
    while (at < len && f->data[at] == ' ') at++;
    return len - at == 6 && memcmp(f->data + at, "[DONE]", 6) == 0;
}

static int frame(mb_decode *d, const mb_frame *f) {
    const mb_json *root;
    bool has_choices = false;
    if (is_done(f)) {
        d->turn->has_end = true;
        int status = finish_turn(d);
        return status ? status : 1;
    }
    if (f->len == 0) return 0;
    const char *text;
    size_t len;
    if (mb_repeat_match(&d->repeat, f->data, f->len, &text, &len)) return mb_turn_text(d->turn, text, len);
    const shape before = shape_of(d->turn);
    int status = mb_json_parser_parse(d->parser, f->data, f->len, true, &root);
    if (status == MEMBRANE_EMALFORMED && d->turn->has_finish)
        return 0; // what follows the answer's end matters to nobody
    if (status != 0) return status;
    if (root->type != MB_JSON_OBJECT) return MEMBRANE_EMALFORMED;
    if (mb_unlikely(f->event[0] == 'e' && strcmp(f->event, "error") == 0)) return take_error(d, root);
    status = take_root(d, root, &has_choices);
    if (status == 0) learn(d, f, &before);
    return status;
}

// ---- whole bodies --------------------------------------------------------------------------------------------------

static int take_vector(mb_decode *d, const mb_json *item) {
    const mb_json *v = mb_json_get(item, "embedding");
    const char *encoding = d->ask->quirks->embed_encoding;
    if (mb_json_is(v, MB_JSON_STRING))
        return mb_turn_vector_base64(d->turn, v->str, v->len, encoding && strcmp(encoding, "base64_int8") == 0);
    return mb_turn_vector(d->turn, v);
}

// Whether the indices say anything: some servers count none of their items.
static bool are_counted(const mb_json *data) {
    for (uint32_t i = 0; i < data->count; i++)
        if (mb_json_int(mb_json_get(&data->children[i], "index"), 0) != 0) return true;
    return false;
}

static const mb_json *item_with_index(const mb_json *data, uint32_t index) {
    if (mb_json_int(mb_json_get(&data->children[index], "index"), index) == index) return &data->children[index];
    for (uint32_t i = 0; i < data->count; i++)
        if (mb_json_int(mb_json_get(&data->children[i], "index"), -1) == index) return &data->children[i];
    return NULL;
}

static int take_vectors(mb_decode *d, const mb_json *root) {
    const mb_json *data = mb_json_get(root, "data");
    if (!mb_json_is(data, MB_JSON_ARRAY)) return MEMBRANE_ERESPONSE;
    bool counted = are_counted(data);
    int status = 0;
    for (uint32_t i = 0; i < data->count && status == 0; i++) {
        const mb_json *item = counted ? item_with_index(data, i) : &data->children[i];
        status = item ? take_vector(d, item) : MEMBRANE_ERESPONSE;
    }
    return status;
}

static int take_body(mb_decode *d, const mb_json *root, const char *text, size_t len) {
    bool has_choices = false;
    d->state[1] |= WHOLE;
    bool is_list = root->type == MB_JSON_ARRAY && d->ask->kind == MB_ASK_RERANK;
    if (root->type != MB_JSON_OBJECT && !is_list) return mb_turn_no_answer(d->turn, d->ask->provider, text, len);
    int status = is_list ? 0 : take_root(d, root, &has_choices);
    if (status != 0) return status == MEMBRANE_EMALFORMED ? MEMBRANE_ERESPONSE : status;
    if (d->ask->kind == MB_ASK_EMBED) {
        status = take_vectors(d, root);
        return status == MEMBRANE_ERESPONSE ? mb_turn_no_answer(d->turn, d->ask->provider, text, len) : status;
    }
    if (d->ask->kind == MB_ASK_RERANK) {
        status = mb_rerank_read(d, root);
        return status == MEMBRANE_ERESPONSE ? mb_turn_no_answer(d->turn, d->ask->provider, text, len) : status;
    }
    if (!has_choices) return mb_turn_no_answer(d->turn, d->ask->provider, text, len);
    d->turn->has_end = true;
    return finish_turn(d);
}

static int body(mb_decode *d, const char *text, size_t len) {
    const mb_json *root;
    const unsigned here = 1u << MB_ASK_CHAT | 1u << MB_ASK_COMPLETION | 1u << MB_ASK_EMBED | 1u << MB_ASK_RERANK;
    if (!(here >> d->ask->kind & 1)) return mb_openai_server_body(d, text, len);
    int status = mb_json_parser_parse(d->parser, text, len, false, &root);
    if (status == MEMBRANE_ENOMEM) return status;
    return status == 0 ? take_body(d, root, text, len) : mb_turn_no_answer(d->turn, d->ask->provider, text, len);
}

static int end(mb_decode *d) {
    if (d->turn->error) return membrane_error_code(d->turn->error);
    if (d->turn->has_end || d->turn->has_finish) return finish_turn(d);
    return MEMBRANE_ETRUNCATED;
}

const mb_adapter mb_adapter_openai = {"openai", MB_FRAMES_SSE, mb_openai_write, frame, body, end};
