// SPDX-License-Identifier: MIT
// Gemini's answers as a turn. A chunk of a stream has the shape of a whole answer: candidates with parts, and what it
// has cost so far. Nothing closes a stream: it is complete once a finish reason was seen. Without alt=sse the chunks
// are the elements of one list, which is a whole body here.
#include "route/gemini.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "route/classify.h"
#include "route/echo.h"
#include "route/write.h"

#define IS(member, name) ((member)->key_len == sizeof(name) - 1 && memcmp((member)->key, name, sizeof(name) - 1) == 0)

// state[0]: extras, in the turn's arena. state[1]: flags. state[2]: tokens of the candidates, plus one. state[3]:
// echo.h.
enum { ENDED = 1, ODD = 2, HAS_CANDIDATES = 4, FAILED = 8 };

#define MEMBERS_MAX 8 // that a part has beside its content: nobody sends more

// What is not part of the message, but of interest: sources, searches. Of several the last.
static const char *const REPORTS[] = {"groundingMetadata", "citationMetadata", "urlContextMetadata"};

typedef struct extras {
    mb_gemini_args *args; // of the call that is open, NULL without
    size_t open_call;
    const mb_json *reports[MB_COUNT(REPORTS)];
    const char *finish_message;
} extras;

static extras *extras_of(mb_decode *d) {
    if (!d->state[0]) d->state[0] = (int64_t)(intptr_t)mb_arena_zalloc(&d->turn->arena, sizeof(extras));
    return (extras *)(intptr_t)d->state[0];
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

// Thoughts are counted beside the candidates; our output holds both. The prompt holds what was cached.
static void take_usage(mb_decode *d, const mb_json *usage) {
    mb_usage *u = &d->turn->usage;
    int64_t candidates = d->state[2] - 1;
    if (usage->type != MB_JSON_OBJECT) return;
    for (const mb_json *m = usage->children, *end = m + usage->count; m < end; m++) {
        if (IS(m, "promptTokenCount"))
            take_number(&u->input, m);
        else if (IS(m, "candidatesTokenCount"))
            take_number(&candidates, m);
        else if (IS(m, "thoughtsTokenCount"))
            take_number(&u->reasoning, m);
        else if (IS(m, "cachedContentTokenCount"))
            take_number(&u->cached, m);
    }
    if (candidates == INT64_MAX) candidates = 0; // no number of tokens
    d->state[2] = candidates + 1;
    if (candidates < 0 && u->reasoning < 0) return;
    int64_t said = candidates > 0 ? candidates : 0, thought = u->reasoning > 0 ? u->reasoning : 0;
    u->output = said > INT64_MAX - thought ? INT64_MAX : said + thought;
}

// ---- finish --------------------------------------------------------------------------------------------------------

typedef struct finish_word {
    const char *word;
    mb_finish finish;
} finish_word;

// In the order of their numbers, which some clients' gateways ask for instead of words, up to where Google's two APIs
// begin to differ.
static const finish_word FINISHES[] = {
    {"FINISH_REASON_UNSPECIFIED", MB_FINISH_NONE},
    {"STOP", MB_FINISH_STOP},
    {"MAX_TOKENS", MB_FINISH_LENGTH},
    {"SAFETY", MB_FINISH_CONTENT_FILTER},
    {"RECITATION", MB_FINISH_CONTENT_FILTER},
    {"OTHER", MB_FINISH_NONE},
    {"LANGUAGE", MB_FINISH_CONTENT_FILTER},
    {"BLOCKLIST", MB_FINISH_CONTENT_FILTER},
    {"PROHIBITED_CONTENT", MB_FINISH_CONTENT_FILTER},
    {"SPII", MB_FINISH_CONTENT_FILTER},
    {"IMAGE_SAFETY", MB_FINISH_CONTENT_FILTER},
    {"IMAGE_PROHIBITED_CONTENT", MB_FINISH_CONTENT_FILTER},
    {"IMAGE_RECITATION", MB_FINISH_CONTENT_FILTER},
    {"MODEL_ARMOR", MB_FINISH_CONTENT_FILTER},
    {"MALFORMED_FUNCTION_CALL", MB_FINISH_ERROR},
    {"UNEXPECTED_TOOL_CALL", MB_FINISH_ERROR},
    {"TOO_MANY_TOOL_CALLS", MB_FINISH_ERROR},
    {"MISSING_THOUGHT_SIGNATURE", MB_FINISH_ERROR},
    {"MALFORMED_RESPONSE", MB_FINISH_ERROR},
};
#define NUMBERED 9

static const finish_word *finish_of(const mb_json *v) {
    int64_t number = mb_json_is_number(v) ? mb_json_int(v, -1) : -1;
    if (number >= 0 && number < NUMBERED) return &FINISHES[number];
    for (size_t i = 0; i < MB_COUNT(FINISHES); i++)
        if (mb_json_str_is(v, FINISHES[i].word)) return &FINISHES[i];
    return NULL;
}

static void take_finish(mb_decode *d, const mb_json *v) {
    const finish_word *known = finish_of(v);
    const char *word = known ? known->word : mb_json_str(v);
    if (known == &FINISHES[0] || (!known && !mb_json_is_number(v) && !(word && *word))) return;
    mb_turn_finish(d->turn, known ? known->finish : MB_FINISH_NONE, word ? word : "unknown");
    d->turn->has_end = true;
    d->state[1] |= known && known->finish == MB_FINISH_ERROR ? FAILED : 0;
}

// The prompt was refused: there are no candidates, and there will be none.
static void take_feedback(mb_decode *d, const mb_json *feedback) {
    const mb_json *reason = mb_json_get(feedback, "blockReason");
    const char *word = mb_json_str(reason);
    bool said = word ? *word && strcmp(word, "BLOCK_REASON_UNSPECIFIED") != 0 : mb_json_int(reason, 0) > 0;
    if (!said || d->turn->has_finish) return;
    mb_turn_finish(d->turn, MB_FINISH_CONTENT_FILTER, word ? word : "blocked");
    d->turn->has_end = true;
}

static int tool_use_failed(mb_decode *d) {
    const extras *x = (extras *)(intptr_t)d->state[0];
    const char *word = d->turn->finish_raw ? d->turn->finish_raw : "";
    bool of_tools = strstr(word, "CALL") != NULL;
    return mb_error_set(&d->turn->error, of_tools ? MEMBRANE_ETOOLUSE : MEMBRANE_ESTREAM,
                        "%s ended the answer with finishReason \"%s\"%s%s", d->ask->provider, word,
                        x && x->finish_message ? ": " : "", x && x->finish_message ? x->finish_message : "");
}

// ---- tool calls ----------------------------------------------------------------------------------------------------

// The call that came in pieces is over. cut: by the end of the output, though its arguments look whole.
static int close_call(mb_decode *d, bool cut) {
    extras *x = (extras *)(intptr_t)d->state[0];
    if (!x || !x->args) return 0;
    mb_tool_call *call = &d->turn->calls[x->open_call];
    mb_buf *text = &call->arguments;
    mb_jw w = mb_jw_to(text);
    mb_gemini_args_write(x->args, &w);
    if (cut) call->whole = false;
    x->args = NULL;
    return mb_buf_status(text, MEMBRANE_EMALFORMED);
}

typedef struct call_members {
    const mb_json *id, *name, *args, *pieces;
    bool more;
} call_members;

static call_members sort_call(const mb_json *call) {
    call_members c = {0};
    for (uint32_t i = 0; call->type == MB_JSON_OBJECT && i < call->count; i++) {
        const mb_json *m = &call->children[i];
        if (IS(m, "name"))
            c.name = m;
        else if (IS(m, "args"))
            c.args = m->type == MB_JSON_NULL ? NULL : m;
        else if (IS(m, "id"))
            c.id = m;
        else if (IS(m, "partialArgs"))
            c.pieces = m;
        else if (IS(m, "willContinue"))
            c.more = mb_json_bool(m, false);
    }
    return c;
}

static int take_pieces(mb_decode *d, const call_members *c) {
    extras *x = extras_of(d);
    int status = x ? 0 : MEMBRANE_ENOMEM;
    bool is_list = mb_json_is(c->pieces, MB_JSON_ARRAY);
    for (uint32_t i = 0; status == 0 && is_list && i < c->pieces->count; i++)
        status = mb_gemini_args_add(x->args, &c->pieces->children[i]);
    return status == 0 && !c->more ? close_call(d, false) : status;
}

static int open_call(mb_decode *d, const call_members *c, const mb_json *with) {
    static const mb_json NO_ARGUMENTS = {.type = MB_JSON_OBJECT};
    mb_turn *turn = d->turn;
    bool in_pieces = !c->args && (c->more || c->pieces);
    const mb_json *args = c->args ? c->args : in_pieces ? NULL : &NO_ARGUMENTS;
    int status = mb_turn_tool_call(turn, mb_json_str(c->id), mb_json_str(c->name), args);
    if (status == 0) status = mb_echo_call(d, turn->call_count - 1, with);
    if (status != 0 || !in_pieces) return status;
    extras *x = extras_of(d);
    if (!x || !(x->args = mb_gemini_args_new(&turn->arena))) return MEMBRANE_ENOMEM;
    x->open_call = turn->call_count - 1;
    return take_pieces(d, c);
}

static int take_call(mb_decode *d, const mb_json *call, const mb_json *with) {
    const extras *x = (extras *)(intptr_t)d->state[0];
    call_members c = sort_call(call);
    bool has_name = mb_json_is(c.name, MB_JSON_STRING) && c.name->len;
    if (!has_name && x && x->args) {
        int status = with && with->count ? mb_echo_with(d, with) : 0;
        return status ? status : take_pieces(d, &c);
    }
    if (!has_name && !c.args && !c.id) return 0; // the end of a call that is closed already
    int status = close_call(d, false);
    return status ? status : open_call(d, &c, with);
}

// ---- parts ---------------------------------------------------------------------------------------------------------

typedef struct part_members {
    const mb_json *text, *call, *data;
    bool thought;
    mb_json with; // the members beside the content: the signature
    mb_json others[MEMBERS_MAX];
} part_members;

static bool is_content(const mb_json *m) { // what the provider ran, or an image
    static const char *const KEYS[] = {"inlineData", "fileData",     "executableCode",  "codeExecutionResult",
                                       "toolCall",   "toolResponse", "functionResponse"};
    for (size_t i = 0; i < MB_COUNT(KEYS); i++)
        if (strcmp(KEYS[i], m->key) == 0) return true;
    return false;
}

static void sort_part(const mb_json *part, part_members *p) {
    *p = (part_members){.with = {.type = MB_JSON_OBJECT}};
    for (const mb_json *m = part->children, *end = m + part->count; m < end; m++) {
        if (IS(m, "text") && m->type == MB_JSON_STRING)
            p->text = m;
        else if (IS(m, "thought") && m->type == MB_JSON_BOOL)
            p->thought = m->boolean;
        else if (IS(m, "functionCall") && m->type == MB_JSON_OBJECT)
            p->call = m;
        else if (is_content(m))
            p->data = m;
        else if (m->type != MB_JSON_NULL && p->with.count < MEMBERS_MAX)
            p->others[p->with.count++] = *m;
    }
    p->with.children = p->others;
}

static int take_text(mb_decode *d, const mb_json *text, const mb_json *with) {
    if (with->count) d->state[1] |= ODD;
    if (text->len == 0 && with->count == 0) return 0;
    int status = mb_turn_text(d->turn, text->str, text->len);
    return status ? status : mb_echo_text(d, text->len, with);
}

// Thoughts are summaries for the reader and need not go back, but what is signed must.
static int take_thought(mb_decode *d, const mb_json *part, const part_members *p) {
    int status = p->text ? mb_turn_thinking(d->turn, p->text->str, p->text->len) : 0;
    return status == 0 && p->with.count ? mb_echo_raw(d, part) : status;
}

static int take_data(mb_decode *d, const mb_json *part, const mb_json *data) {
    bool is_media = IS(data, "inlineData") || IS(data, "fileData");
    const char *type = mb_json_get_str(data, "mimeType");
    if (is_media)
        mb_turn_warn(d->turn, "the answer holds %s, which stands in its provider_data", type ? type : "a file");
    return mb_echo_raw(d, part);
}

static int take_part(mb_decode *d, const mb_json *part) {
    part_members p;
    if (part->type != MB_JSON_OBJECT) return 0;
    sort_part(part, &p);
    if (p.text && !p.thought && !p.call && !p.data) return take_text(d, p.text, &p.with);
    d->state[1] |= ODD;
    if (p.thought && !p.call) return take_thought(d, part, &p);
    if (p.call) return take_call(d, p.call, &p.with);
    return p.data || p.with.count ? take_data(d, part, p.data ? p.data : p.others) : 0;
}

static int take_content(mb_decode *d, const mb_json *content) {
    const mb_json *parts = mb_json_get(content, "parts");
    int status = 0;
    for (uint32_t i = 0; mb_json_is(parts, MB_JSON_ARRAY) && i < parts->count && status == 0; i++)
        status = take_part(d, &parts->children[i]);
    return status;
}

// ---- logprobs ------------------------------------------------------------------------------------------------------

static void put_token(mb_jw *w, const mb_json *token) {
    mb_jw_kvalue_if(w, "token", mb_json_get(token, "token"));
    mb_jw_kvalue_if(w, "logprob", mb_json_get(token, "logProbability"));
}

// The chosen tokens, each with those that might have stood there: {"token", "logprob", "top_logprobs": […]}.
static int take_logprobs(mb_turn *turn, const mb_json *result) {
    const mb_json *chosen = mb_json_get(result, "chosenCandidates"), *tops = mb_json_get(result, "topCandidates");
    if (!mb_json_is(chosen, MB_JSON_ARRAY)) return 0;
    for (uint32_t i = 0; i < chosen->count; i++) {
        const mb_json *top = mb_json_get(mb_json_is(tops, MB_JSON_ARRAY) ? mb_json_at(tops, i) : NULL, "candidates");
        if (turn->logprobs.len) mb_buf_putc(&turn->logprobs, ',');
        mb_jw w = mb_jw_to(&turn->logprobs);
        mb_jw_object(&w);
        put_token(&w, &chosen->children[i]);
        mb_jw_key(&w, "top_logprobs");
        mb_jw_array(&w);
        for (uint32_t j = 0; mb_json_is(top, MB_JSON_ARRAY) && j < top->count; j++) {
            mb_jw_object(&w);
            put_token(&w, &top->children[j]);
            mb_jw_end_object(&w);
        }
        mb_jw_end_array(&w);
        mb_jw_end_object(&w);
    }
    return mb_buf_status(&turn->logprobs, MEMBRANE_EMALFORMED);
}

// ---- candidates and chunks -----------------------------------------------------------------------------------------

static int keep_report(mb_decode *d, const mb_json *member) {
    for (size_t i = 0; i < MB_COUNT(REPORTS); i++) {
        if (strcmp(REPORTS[i], member->key) != 0 || member->type != MB_JSON_OBJECT || member->count == 0) continue;
        extras *x = extras_of(d);
        d->state[1] |= ODD;
        if (!x || !(x->reports[i] = mb_json_copy(&d->turn->arena, member))) return MEMBRANE_ENOMEM;
    }
    return 0;
}

static int keep_finish_message(mb_decode *d, const mb_json *message) {
    extras *x = message->type == MB_JSON_STRING ? extras_of(d) : NULL;
    if (!x) return message->type == MB_JSON_STRING ? MEMBRANE_ENOMEM : 0;
    x->finish_message = mb_arena_strndup(&d->turn->arena, message->str, message->len);
    return x->finish_message ? 0 : MEMBRANE_ENOMEM;
}

static int take_candidate(mb_decode *d, const mb_json *candidate) {
    int status = 0;
    for (const mb_json *m = candidate->children, *end = m + candidate->count; m < end && status == 0; m++) {
        if (IS(m, "content"))
            status = take_content(d, m);
        else if (IS(m, "finishReason"))
            take_finish(d, m);
        else if (IS(m, "finishMessage"))
            status = keep_finish_message(d, m);
        else if (IS(m, "logprobsResult"))
            status = take_logprobs(d->turn, m);
        else if (!IS(m, "index") && !IS(m, "role"))
            status = keep_report(d, m);
    }
    return status;
}

// Of several candidates the first.
static int take_candidates(mb_decode *d, const mb_json *candidates) {
    int status = 0;
    if (candidates->type != MB_JSON_ARRAY) return 0;
    for (uint32_t i = 0; i < candidates->count && status == 0; i++) {
        const mb_json *candidate = &candidates->children[i];
        if (candidate->type != MB_JSON_OBJECT || mb_json_int(mb_json_get(candidate, "index"), i) != 0) continue;
        d->state[1] |= HAS_CANDIDATES;
        status = take_candidate(d, candidate);
    }
    return status;
}

static int take_root(mb_decode *d, const mb_json *root) {
    mb_turn *turn = d->turn;
    const mb_json *error = NULL;
    int status = 0;
    for (const mb_json *m = root->children, *end = m + root->count; m < end && status == 0; m++) {
        if (IS(m, "candidates"))
            status = take_candidates(d, m);
        else if (IS(m, "usageMetadata"))
            take_usage(d, m);
        else if (IS(m, "modelVersion"))
            status = take_once(turn, &turn->model, m);
        else if (IS(m, "responseId"))
            status = take_once(turn, &turn->response_id, m);
        else if (IS(m, "promptFeedback"))
            take_feedback(d, m);
        else if (IS(m, "error") && m->type != MB_JSON_NULL)
            error = root;
    }
    if (status != 0) return status;
    if (error) return mb_classify_json(d->ask->quirks->kind, d->ask->provider, 200, error, &turn->error);
    return d->state[1] & FAILED ? tool_use_failed(d) : 0;
}

static int put_reports(mb_decode *d) {
    const extras *x = (extras *)(intptr_t)d->state[0];
    mb_buf *out = &d->turn->provider_data;
    for (size_t i = 0; x && i < MB_COUNT(REPORTS); i++) {
        if (!x->reports[i]) continue;
        if (out->len) mb_buf_putc(out, ',');
        mb_jw w = mb_jw_to(out);
        mb_jw_key(&w, REPORTS[i]);
        mb_jw_value(&w, x->reports[i]);
    }
    return mb_buf_status(out, MEMBRANE_EMALFORMED);
}

// The answer is whole: what waited for its end.
static int finish_turn(mb_decode *d) {
    if (d->state[1] & ENDED) return 0;
    d->state[1] |= ENDED;
    int status = close_call(d, d->turn->finish == MB_FINISH_LENGTH);
    if (status == 0) status = mb_tool_map_names(d);
    if (status == 0) status = mb_turn_end(d->turn);
    if (status == 0) status = mb_echo_write(d);
    return status ? status : put_reports(d);
}

// A chunk that gave a piece of text and nothing else stands for those that follow.
static void learn(mb_decode *d, const mb_frame *f, size_t text_before) {
    const mb_turn *t = d->turn;
    d->repeat.head = 0;
    if ((d->state[1] & ODD) || t->has_finish || t->text.len == text_before || t->logprobs.len) return;
    mb_repeat_learn(&d->repeat, f->data, f->len, "text", t->text.data + text_before, t->text.len - text_before);
}

static int frame(mb_decode *d, const mb_frame *f) {
    const mb_json *root;
    const char *text;
    size_t len;
    if (f->len == 0) return 0;
    if (mb_repeat_match(&d->repeat, f->data, f->len, &text, &len)) {
        int status = mb_turn_text(d->turn, text, len);
        return status || len == 0 ? status : mb_echo_text(d, len, NULL);
    }
    const size_t before = d->turn->text.len;
    int status = mb_json_parser_parse(d->parser, f->data, f->len, true, &root);
    if (status == MEMBRANE_EMALFORMED && d->turn->has_finish)
        return 0; // what follows the answer's end matters to nobody
    if (status != 0) return status;
    if (root->type != MB_JSON_OBJECT) return MEMBRANE_EMALFORMED;
    d->state[1] &= ~(int64_t)ODD;
    status = take_root(d, root);
    if (status == 0) learn(d, f, before);
    return status;
}

// ---- whole bodies --------------------------------------------------------------------------------------------------

static int generation(mb_decode *d, const mb_json *root) {
    bool is_list = root->type == MB_JSON_ARRAY;
    int status = 0;
    for (uint32_t i = 0; is_list && i < root->count && status == 0; i++)
        status = root->children[i].type == MB_JSON_OBJECT ? take_root(d, &root->children[i]) : MEMBRANE_ERESPONSE;
    if (!is_list) status = take_root(d, root);
    if (status != 0) return status;
    if (is_list && root->count && !d->turn->has_finish) return MEMBRANE_ETRUNCATED;
    if (!(d->state[1] & HAS_CANDIDATES) && !d->turn->has_finish) return MEMBRANE_ERESPONSE;
    d->turn->has_end = true;
    return finish_turn(d);
}

// One of {"values": […]}; of Vertex's predictions {"embeddings": {"values", "statistics": {"token_count"}}}.
static int take_vector(mb_decode *d, const mb_json *item) {
    const mb_json *inner = mb_json_get(item, "embeddings");
    int64_t tokens = mb_json_int(mb_json_path(inner, "statistics.token_count"), -1);
    if (tokens >= 0) d->turn->usage.input = tokens + (d->turn->usage.input > 0 ? d->turn->usage.input : 0);
    return mb_turn_vector(d->turn, mb_json_get(inner ? inner : item, "values"));
}

static int take_vectors(mb_decode *d, const mb_json *root) {
    const mb_json *one = mb_json_get(root, "embedding"), *list = mb_json_get(root, "embeddings");
    const mb_json *usage = mb_json_get(root, "usageMetadata");
    if (!list) list = mb_json_get(root, "predictions");
    if (!one && !mb_json_is(list, MB_JSON_ARRAY)) return MEMBRANE_ERESPONSE;
    int status = one ? take_vector(d, one) : 0;
    for (uint32_t i = 0; !one && i < list->count && status == 0; i++) status = take_vector(d, &list->children[i]);
    if (usage) take_usage(d, usage);
    return status;
}

static int take_count(mb_decode *d, const mb_json *root) {
    take_number(&d->turn->usage.input, mb_json_get(root, "totalTokens"));
    take_number(&d->turn->usage.cached, mb_json_get(root, "cachedContentTokenCount"));
    return d->turn->usage.input < 0 ? MEMBRANE_ERESPONSE : 0;
}

// ---- models --------------------------------------------------------------------------------------------------------

static bool can(const mb_json *model, const char *method) {
    const mb_json *methods = mb_json_get(model, "supportedGenerationMethods");
    for (uint32_t i = 0; mb_json_is(methods, MB_JSON_ARRAY) && i < methods->count; i++)
        if (mb_json_str_is(&methods->children[i], method)) return true;
    return false;
}

static const char *name_of(const mb_json *model) { // "models/x", at Vertex AI "publishers/google/models/x"
    const char *name = mb_json_get_str(model, "name"), *folder = name ? strstr(name, "models/") : NULL;
    return folder && (folder == name || strncmp(name, "publishers/", 11) == 0) ? folder + 7 : name;
}

static void put_model(mb_jw *w, const mb_json *model, bool raw) {
    int64_t window = mb_json_int(mb_json_get(model, "inputTokenLimit"), 0);
    bool embeds = can(model, "embedContent"), talks = can(model, "generateContent");
    mb_jw_object(w);
    mb_jw_kstr(w, "model", name_of(model));
    if (embeds != talks) mb_jw_kstr(w, "kind", embeds ? "embed" : "chat");
    if (window > 0) mb_jw_kint(w, "context_window", window);
    if (mb_json_bool(mb_json_get(model, "thinking"), false)) {
        mb_jw_key(w, "capabilities");
        mb_jw_array(w);
        mb_jw_str(w, "thinking");
        mb_jw_end_array(w);
    }
    if (raw) mb_jw_kvalue_if(w, "raw", model);
    mb_jw_end_object(w);
}

static int models(mb_decode *d, const mb_json *root) {
    const mb_json *list = mb_json_get(root, "models");
    mb_jw w = mb_jw_to(&d->turn->json);
    if (!list) list = mb_json_get(root, "publisherModels");
    if (!mb_json_is(list, MB_JSON_ARRAY) && !(root->type == MB_JSON_OBJECT && root->count == 0))
        return MEMBRANE_ERESPONSE;
    mb_jw_array(&w);
    for (uint32_t i = 0; list && i < list->count; i++)
        if (name_of(&list->children[i])) put_model(&w, &list->children[i], false);
    mb_jw_end_array(&w);
    return mb_buf_status(&d->turn->json, MEMBRANE_EMALFORMED);
}

static int show(mb_decode *d, const mb_json *root) {
    mb_jw w = mb_jw_to(&d->turn->json);
    if (!name_of(root)) return MEMBRANE_ERESPONSE;
    put_model(&w, root, true);
    return mb_buf_status(&d->turn->json, MEMBRANE_EMALFORMED);
}

static int health(mb_decode *d) {
    mb_buf_puts(&d->turn->json, "{\"state\":\"ok\"}");
    return mb_buf_status(&d->turn->json, MEMBRANE_EMALFORMED);
}

static int answer(mb_decode *d, const mb_json *root) {
    const mb_json *error = mb_json_get(root->type == MB_JSON_ARRAY ? mb_json_at(root, 0) : root, "error");
    if (mb_json_is(error, MB_JSON_OBJECT))
        return mb_classify_json(d->ask->quirks->kind, d->ask->provider, 200, root, &d->turn->error);
    switch (d->ask->kind) {
    case MB_ASK_EMBED: return take_vectors(d, root);
    case MB_ASK_COUNT_TOKENS: return take_count(d, root);
    case MB_ASK_MODELS: return models(d, root);
    case MB_ASK_SHOW: return show(d, root);
    case MB_ASK_HEALTH: return health(d);
    default: return generation(d, root);
    }
}

static int body(mb_decode *d, const char *text, size_t len) {
    const mb_json *root;
    int status = mb_json_parser_parse(d->parser, text, len, false, &root);
    if (status == MEMBRANE_ENOMEM) return status;
    status = status == 0 && root->type >= MB_JSON_ARRAY ? answer(d, root) : MEMBRANE_ERESPONSE;
    if (status == MEMBRANE_EMALFORMED) status = MEMBRANE_ERESPONSE;
    if (status != MEMBRANE_ERESPONSE || d->turn->error) return status;
    return mb_turn_no_answer(d->turn, d->ask->provider, text, len);
}

static int end(mb_decode *d) {
    if (d->turn->error) return membrane_error_code(d->turn->error);
    return d->turn->has_finish ? finish_turn(d) : MEMBRANE_ETRUNCATED;
}

const mb_adapter mb_adapter_gemini = {"gemini", MB_FRAMES_SSE, mb_gemini_write, frame, body, end};
