// SPDX-License-Identifier: MIT
// The Converse API's answers as a turn. A message is a list of blocks; a stream lets one after another grow:
//
//     messageStart → (contentBlockStart? → contentBlockDelta* → contentBlockStop)* → messageStop → metadata
//
// Text and tool calls go into the turn, and so does thinking; signed or redacted thinking and what Bedrock's own tools
// did are kept besides, in their places, to go back with the next request (echo.h). The stream is complete with
// messageStop; metadata, which follows, brings the usage.
#include "route/converse.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "route/classify.h"
#include "route/echo.h"
#include "route/write.h"

#define IS(member, name) ((member)->key_len == sizeof(name) - 1 && memcmp((member)->key, name, sizeof(name) - 1) == 0)

typedef enum {
    NONE,      // between blocks
    TEXT,      //
    REASONING, // grows by text, then its signature
    CALL,      // the turn gathers its arguments
    RAW_CALL,  // of a tool that Bedrock runs: grows by JSON text, "input"
    RAW_RESULT // of such a tool: grows by a list, "content"
} block_type;

typedef struct message {
    block_type type; // of the open block
    int64_t index;
    const mb_json *start; // RAW_…: how it was opened
    size_t begin;         // where it begins in the turn's text or thinking
    mb_arena_text grown;  // signature, input or content
    size_t gathered;      // bytes of all that ever grew
    bool is_whole;        // a body, no stream
    bool has_stop, ended;
    bool is_last_call; // whole bodies: the last block is a call
} message;

static message *message_of(mb_decode *d) {
    if (!d->state[0]) d->state[0] = (int64_t)(intptr_t)mb_arena_zalloc(&d->turn->arena, sizeof(message));
    return (message *)(intptr_t)d->state[0];
}

// ---- what grows ----------------------------------------------------------------------------------------------------

static int grow(mb_decode *d, const char *text, size_t len) {
    message *m = message_of(d);
    mb_arena_text *g = &m->grown;
    if (len == 0) return 0;
    if (len > MB_LIMIT_RESPONSE - m->gathered) return MEMBRANE_EMALFORMED;
    m->gathered += len;
    return mb_arena_append(&d->turn->arena, g, text, len) ? 0 : MEMBRANE_ENOMEM;
}

static int grow_item(mb_decode *d, const mb_json *item) {
    mb_buf text = MB_BUF(MB_LIMIT_STREAM_EVENT);
    mb_jw w = mb_jw_to(&text);
    mb_jw_value(&w, item);
    int status = mb_buf_status(&text, MEMBRANE_EMALFORMED);
    if (status == 0 && message_of(d)->grown.len) status = grow(d, ",", 1);
    if (status == 0) status = grow(d, mb_buf_text(&text), text.len);
    mb_buf_free(&text);
    return status;
}

// ---- usage ---------------------------------------------------------------------------------------------------------

static int64_t count_of(const mb_json *usage, const char *key, const char *other) {
    int64_t n = mb_json_int(mb_json_get(usage, key), -1);
    if (n < 0) n = mb_json_int(mb_json_get(usage, other), -1); // InvokeModel's word
    return n <= INT64_MAX / 4 ? n : -1;
}

// What the cache gave and took stands beside the input; where the total shows that it does not, it is counted already.
static void take_usage(mb_turn *turn, const mb_json *usage) {
    if (!mb_json_is(usage, MB_JSON_OBJECT)) return;
    int64_t input = count_of(usage, "inputTokens", "inputTokenCount");
    int64_t output = count_of(usage, "outputTokens", "outputTokenCount");
    int64_t cached = count_of(usage, "cacheReadInputTokens", "cacheReadInputTokenCount");
    int64_t written = count_of(usage, "cacheWriteInputTokens", "cacheWriteInputTokenCount");
    int64_t total = count_of(usage, "totalTokens", "totalTokens");
    int64_t beside = (cached > 0 ? cached : 0) + (written > 0 ? written : 0);
    bool is_counted = total >= 0 && input >= 0 && output >= 0 && total == input + output;
    if (input >= 0) turn->usage.input = is_counted ? input : input + beside;
    if (output >= 0) turn->usage.output = output;
    if (cached >= 0) turn->usage.cached = cached;
    if (written >= 0) turn->usage.cache_write = written;
}

// ---- the end -------------------------------------------------------------------------------------------------------

static void take_stop(mb_decode *d, const mb_json *reason) {
    static const struct {
        const char *word;
        mb_finish finish;
    } WORDS[] = {
        {"end_turn", MB_FINISH_STOP},
        {"tool_use", MB_FINISH_TOOL_CALLS},
        {"max_tokens", MB_FINISH_LENGTH},
        {"stop_sequence", MB_FINISH_STOP},
        {"guardrail_intervened", MB_FINISH_CONTENT_FILTER},
        {"content_filtered", MB_FINISH_CONTENT_FILTER},
        {"model_context_window_exceeded", MB_FINISH_LENGTH},
        {"malformed_model_output", MB_FINISH_ERROR},
        {"malformed_tool_use", MB_FINISH_ERROR},
    };
    const char *word = mb_json_str(reason);
    mb_finish finish = MB_FINISH_NONE;
    for (size_t i = 0; word && i < MB_COUNT(WORDS); i++)
        if (strcmp(WORDS[i].word, word) == 0) finish = WORDS[i].finish;
    if (word && *word) mb_turn_finish(d->turn, finish, word);
}

static int malformed(mb_decode *d) {
    const char *word = d->turn->finish_raw ? d->turn->finish_raw : "error";
    int code = strcmp(word, "malformed_tool_use") == 0 ? MEMBRANE_ETOOLUSE : MEMBRANE_ESTREAM;
    return mb_error_set(&d->turn->error, code, "%s ended the answer with stopReason \"%s\"", d->ask->provider, word);
}

static int close_block(mb_decode *d);

static int finish_turn(mb_decode *d) {
    message *m = message_of(d);
    mb_turn *turn = d->turn;
    if (m->ended) return 0;
    m->ended = true;
    turn->has_end = true;
    int status = close_block(d);
    if (status == 0 && turn->finish == MB_FINISH_ERROR) return malformed(d);
    if (status == 0) status = mb_turn_fill_arguments(turn);
    // A body shows the input of a call that was cut, by the limit or by a guardrail, as an object that looks whole.
    bool is_cut = turn->finish == MB_FINISH_LENGTH || turn->finish == MB_FINISH_CONTENT_FILTER;
    if (m->is_last_call && is_cut) turn->calls[turn->call_count - 1].whole = false;
    if (status == 0) status = mb_tool_map_names(d);
    if (status == 0) status = mb_turn_end(turn);
    return status == 0 ? mb_echo_write(d) : status;
}

// ---- blocks of a stream --------------------------------------------------------------------------------------------

static int echo_reasoning(mb_decode *d, const message *m) {
    const mb_buf *thinking = &d->turn->thinking;
    mb_buf block = MB_BUF(MB_LIMIT_RESPONSE);
    mb_jw w = mb_jw_to(&block);
    if (m->grown.len == 0) return 0; // not signed: nothing that had to go back
    mb_jw_object(&w);
    mb_jw_key(&w, "reasoningContent");
    mb_jw_object(&w);
    mb_jw_key(&w, "reasoningText");
    mb_jw_object(&w);
    mb_jw_key(&w, "text");
    mb_jw_strn(&w, mb_buf_text(thinking) + m->begin, thinking->len - m->begin);
    mb_jw_key(&w, "signature");
    mb_jw_strn(&w, m->grown.data, m->grown.len);
    mb_jw_end_object(&w);
    mb_jw_end_object(&w);
    mb_jw_end_object(&w);
    int status = mb_buf_status(&block, MEMBRANE_EMALFORMED);
    if (status == 0) status = mb_echo_raw_text(d, block.data, block.len);
    mb_buf_free(&block);
    return status;
}

static void put_grown(mb_jw *w, const message *m) {
    mb_buf text = MB_BUF(MB_LIMIT_RESPONSE);
    mb_arena arena = {0};
    const mb_json *tree = NULL;
    bool is_list = m->type == RAW_RESULT;
    if (is_list) mb_buf_putc(&text, '[');
    mb_buf_put(&text, m->grown.data, m->grown.len);
    if (is_list) mb_buf_putc(&text, ']');
    int status =
        mb_buf_ok(&text) ? mb_json_parse_lenient(&arena, mb_buf_text(&text), text.len, &tree, NULL) : MEMBRANE_ENOMEM;
    if (status == MEMBRANE_ENOMEM) w->out->failed = MEMBRANE_ENOMEM;
    if (mb_json_is(tree, is_list ? MB_JSON_ARRAY : MB_JSON_OBJECT)) // one that was cut is nothing to send back
        mb_jw_value(w, tree);
    else
        mb_jw_raw(w, is_list ? "[]" : "{}", 2);
    mb_arena_free(&arena);
    mb_buf_free(&text);
}

// The block as a body would have shown it: as it was opened, and what has grown.
static int echo_raw(mb_decode *d, const message *m) {
    const char *name = m->type == RAW_CALL ? "toolUse" : "toolResult", *key = m->type == RAW_CALL ? "input" : "content";
    mb_buf block = MB_BUF(MB_LIMIT_RESPONSE);
    mb_jw w = mb_jw_to(&block);
    mb_jw_object(&w);
    mb_jw_key(&w, name);
    mb_jw_object(&w);
    for (uint32_t i = 0; i < m->start->count; i++) {
        if (strcmp(m->start->children[i].key, key) == 0) continue;
        mb_jw_key(&w, m->start->children[i].key);
        mb_jw_value(&w, &m->start->children[i]);
    }
    mb_jw_key(&w, key);
    put_grown(&w, m);
    mb_jw_end_object(&w);
    mb_jw_end_object(&w);
    int status = mb_buf_status(&block, MEMBRANE_EMALFORMED);
    if (status == 0) status = mb_echo_raw_text(d, block.data, block.len);
    mb_buf_free(&block);
    return status;
}

static int close_block(mb_decode *d) {
    message *m = message_of(d);
    int status = 0;
    switch (m->type) {
    case NONE:
    case CALL: break;
    case TEXT: status = d->turn->text.len > m->begin ? mb_echo_text(d, d->turn->text.len - m->begin, NULL) : 0; break;
    case REASONING: status = echo_reasoning(d, m); break;
    case RAW_CALL:
    case RAW_RESULT: status = echo_raw(d, m); break;
    }
    m->type = NONE;
    m->start = NULL;
    m->grown = (mb_arena_text){0};
    return status;
}

static int open_block(mb_decode *d, int64_t index, block_type type) {
    message *m = message_of(d);
    if (m->type == type && m->index == index) return 0;
    int status = close_block(d);
    m->type = type;
    m->index = index;
    m->begin = type == TEXT ? d->turn->text.len : d->turn->thinking.len;
    return status;
}

static bool is_servers_own(const mb_json *use) { return mb_json_str_is(mb_json_get(use, "type"), "server_tool_use"); }

static int open_call(mb_decode *d, int64_t index, const mb_json *use) {
    size_t before = d->turn->call_count;
    int status =
        mb_turn_tool_delta(d->turn, index, mb_json_get_str(use, "toolUseId"), mb_json_get_str(use, "name"), NULL, 0);
    if (status != 0 || d->turn->call_count == before) return status;
    message_of(d)->type = CALL;
    message_of(d)->index = index;
    return mb_echo_call(d, before, NULL);
}

static int open_raw(mb_decode *d, int64_t index, block_type type, const mb_json *start) {
    message *m = message_of(d);
    if (start->type != MB_JSON_OBJECT) return 0;
    const mb_json *copy = mb_json_copy(&d->turn->arena, start);
    if (!copy) return MEMBRANE_ENOMEM;
    m->type = type;
    m->index = index;
    m->start = copy;
    return 0;
}

static int on_start(mb_decode *d, int64_t index, const mb_json *start) {
    const mb_json *use = mb_json_get(start, "toolUse"), *result = mb_json_get(start, "toolResult");
    int status = close_block(d);
    if (status != 0) return status;
    if (use) return is_servers_own(use) ? open_raw(d, index, RAW_CALL, use) : open_call(d, index, use);
    if (result) return open_raw(d, index, RAW_RESULT, result);
    if (mb_json_get(start, "image")) mb_turn_warn(d->turn, "%s answered with an image, left out", d->ask->provider);
    return 0;
}

static int on_reasoning(mb_decode *d, int64_t index, const mb_json *v) {
    const mb_json *text = mb_json_get(v, "text"), *signature = mb_json_get(v, "signature");
    int status = mb_json_get(v, "redactedContent") ? close_block(d) : open_block(d, index, REASONING);
    if (status == 0 && mb_json_is(text, MB_JSON_STRING)) status = mb_turn_thinking(d->turn, text->str, text->len);
    if (status == 0 && mb_json_is(signature, MB_JSON_STRING)) status = grow(d, signature->str, signature->len);
    if (status != 0 || !mb_json_get(v, "redactedContent")) return status;
    const mb_json block = {.type = MB_JSON_OBJECT, .count = 1, .children = v}; // as a body shows it
    return mb_echo_raw(d, &block);
}

static int on_input(mb_decode *d, int64_t index, const mb_json *input) {
    message *m = message_of(d);
    if (!mb_json_is(input, MB_JSON_STRING) || m->index != index) return 0;
    if (m->type == RAW_CALL) return grow(d, input->str, input->len);
    return m->type == CALL ? mb_turn_tool_delta(d->turn, index, NULL, NULL, input->str, input->len) : 0;
}

static int on_results(mb_decode *d, int64_t index, const mb_json *list) {
    message *m = message_of(d);
    int status = 0;
    if (m->type != RAW_RESULT || m->index != index || list->type != MB_JSON_ARRAY) return 0;
    for (uint32_t i = 0; i < list->count && status == 0; i++) status = grow_item(d, &list->children[i]);
    return status;
}

static int on_delta(mb_decode *d, int64_t index, const mb_json *delta) {
    int status = 0;
    if (!mb_json_is(delta, MB_JSON_OBJECT)) return 0;
    for (const mb_json *m = delta->children, *end = m + delta->count; m < end && status == 0; m++) {
        if (IS(m, "text") && m->type == MB_JSON_STRING) {
            status = open_block(d, index, TEXT);
            if (status == 0) status = mb_turn_text(d->turn, m->str, m->len);
        } else if (IS(m, "toolUse")) {
            status = on_input(d, index, mb_json_get(m, "input"));
        } else if (IS(m, "reasoningContent") && m->type == MB_JSON_OBJECT) {
            status = on_reasoning(d, index, m);
        } else if (IS(m, "toolResult")) {
            status = on_results(d, index, m);
        }
    }
    return status;
}

// ---- events --------------------------------------------------------------------------------------------------------

int mb_converse_event(mb_decode *d, const char *name, const mb_json *v) {
    message *m = message_of(d);
    if (!m) return MEMBRANE_ENOMEM;
    if (v->type != MB_JSON_OBJECT) return MEMBRANE_EMALFORMED;
    if (strcmp(name, "metadata") == 0) { // the last one
        take_usage(d->turn, mb_json_get(v, "usage"));
        int status = m->has_stop ? finish_turn(d) : 0;
        return status == 0 && m->has_stop ? 1 : status;
    }
    if (m->has_stop) return 0;
    const mb_json *delta = NULL, *start = NULL, *reason = NULL;
    int64_t index = -1;
    for (const mb_json *i = v->children, *end = i + v->count; i < end; i++) {
        if (IS(i, "contentBlockIndex"))
            index = mb_json_int(i, -1);
        else if (IS(i, "delta"))
            delta = i;
        else if (IS(i, "start"))
            start = i;
        else if (IS(i, "stopReason"))
            reason = i;
    }
    if (index < 0) index = INT64_MAX; // one that no block has
    if (strcmp(name, "contentBlockDelta") == 0) return on_delta(d, index, delta);
    if (strcmp(name, "contentBlockStart") == 0) return on_start(d, index, start);
    if (strcmp(name, "contentBlockStop") == 0) return close_block(d);
    if (strcmp(name, "messageStop") != 0) return 0; // messageStart, and what is new
    m->has_stop = true;
    take_stop(d, reason);
    return 0;
}

int mb_converse_end(mb_decode *d) {
    message *m = message_of(d);
    if (d->turn->error) return membrane_error_code(d->turn->error);
    if (!m) return MEMBRANE_ENOMEM;
    return m->has_stop ? finish_turn(d) : MEMBRANE_ETRUNCATED;
}

int mb_converse_exception(mb_decode *d, const mb_frame *f) {
    return mb_classify_typed(d->ask->quirks->kind, d->ask->provider, 200, f->event + strlen("error:"), f->data, f->len,
                             NULL, -1, &d->turn->error);
}

static bool is_letter_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// Each event is padded with a member "p" of varying length, so that its size says nothing: {…,"p":"abcdef"}. The length
// without it, and without the last brace; the whole length where there is none.
static size_t without_padding(const mb_frame *f) {
    static const char KEY[] = ",\"p\":\"";
    const size_t key = sizeof KEY - 1;
    size_t n = f->len;
    if (n < key + 2 || f->data[n - 1] != '}' || f->data[n - 2] != '"') return f->len;
    for (n -= 2; n && is_letter_or_digit(f->data[n - 1]);) n--;
    return n > key && memcmp(f->data + n - key, KEY, key) == 0 ? n - key : f->len;
}

int mb_converse_repeated(mb_decode *d, const mb_frame *f, int *ret_status) {
    const char *text;
    size_t len;
    if (!mb_repeat_match(&d->repeat, f->data, without_padding(f), &text, &len)) return 0;
    *ret_status = mb_turn_text(d->turn, text, len);
    return 1;
}

void mb_converse_learn(mb_decode *d, const mb_frame *f, size_t text_before) {
    const mb_turn *t = d->turn;
    const message *m = message_of(d);
    d->repeat.head = 0;
    if (m->type != TEXT || t->text.len == text_before) return;
    mb_repeat_learn(&d->repeat, f->data, without_padding(f), "text", t->text.data + text_before,
                    t->text.len - text_before);
}

// An event is learned if it was nothing but text: then its block was open already, and is still.
static bool is_text_only(const mb_json *root) {
    const mb_json *delta = mb_json_get(root, "delta");
    return mb_json_is(delta, MB_JSON_OBJECT) && delta->count == 1 && IS(delta->children, "text") &&
           root->count <= 2 + (mb_json_get(root, "p") != NULL);
}

static int frame(mb_decode *d, const mb_frame *f) {
    const mb_json *root;
    int status;
    bool is_delta = strcmp(f->event, "contentBlockDelta") == 0;
    if (is_delta && mb_converse_repeated(d, f, &status)) return status;
    if (strncmp(f->event, "error:", 6) == 0) return mb_converse_exception(d, f);
    size_t before = d->turn->text.len;
    status = mb_json_parser_parse(d->parser, f->data, f->len, true, &root);
    if (status != 0) return status;
    d->repeat.head = 0;
    bool is_text = is_delta && is_text_only(root);
    status = mb_converse_event(d, f->event, root);
    if (status == 0 && is_text && !message_of(d)->has_stop) mb_converse_learn(d, f, before);
    return status;
}

// ---- whole bodies --------------------------------------------------------------------------------------------------

static int take_reasoning(mb_decode *d, const mb_json *block, const mb_json *v) {
    const mb_json *said = mb_json_get(v, "reasoningText"), *text = mb_json_get(said, "text");
    int status = mb_json_is(text, MB_JSON_STRING) ? mb_turn_thinking(d->turn, text->str, text->len) : 0;
    bool goes_back = mb_json_get(said, "signature") || mb_json_get(v, "redactedContent");
    return status == 0 && goes_back ? mb_echo_raw(d, block) : status;
}

static int take_call(mb_decode *d, const mb_json *block, const mb_json *use) {
    if (is_servers_own(use)) return mb_echo_raw(d, block);
    int status = mb_turn_tool_call(d->turn, mb_json_get_str(use, "toolUseId"), mb_json_get_str(use, "name"),
                                   mb_json_get(use, "input"));
    message_of(d)->is_last_call = status == 0;
    return status == 0 ? mb_echo_call(d, d->turn->call_count - 1, NULL) : status;
}

static int take_text(mb_decode *d, const mb_json *text) {
    if (!mb_json_is(text, MB_JSON_STRING) || text->len == 0) return 0;
    int status = mb_turn_text(d->turn, text->str, text->len);
    return status == 0 ? mb_echo_text(d, text->len, NULL) : status;
}

// Text with the places it was taken from; a stream says the same as text.
static int take_cited(mb_decode *d, const mb_json *v) {
    const mb_json *list = mb_json_get(v, "content");
    int status = 0;
    for (uint32_t i = 0; mb_json_is(list, MB_JSON_ARRAY) && i < list->count && status == 0; i++)
        status = take_text(d, mb_json_get(&list->children[i], "text"));
    return status;
}

static int take_block(mb_decode *d, const mb_json *block) {
    const mb_json *use = mb_json_get(block, "toolUse"), *text = mb_json_get(block, "text");
    const mb_json *reasoning = mb_json_get(block, "reasoningContent"), *cited = mb_json_get(block, "citationsContent");
    message_of(d)->is_last_call = false;
    if (block->type != MB_JSON_OBJECT) return 0;
    if (text) return take_text(d, text);
    if (mb_json_is(use, MB_JSON_OBJECT)) return take_call(d, block, use);
    if (mb_json_is(reasoning, MB_JSON_OBJECT)) return take_reasoning(d, block, reasoning);
    if (cited) return take_cited(d, cited);
    if (mb_json_get(block, "image")) mb_turn_warn(d->turn, "%s answered with an image, left out", d->ask->provider);
    return mb_json_get(block, "image") ? 0 : mb_echo_raw(d, block);
}

int mb_converse_body(mb_decode *d, const mb_json *root) {
    const mb_json *content = mb_json_path(root, "output.message.content");
    message *m = message_of(d);
    int status = 0;
    if (!m) return MEMBRANE_ENOMEM;
    if (!mb_json_is(content, MB_JSON_ARRAY)) return MEMBRANE_ERESPONSE;
    m->is_whole = true;
    for (uint32_t i = 0; i < content->count && status == 0; i++) status = take_block(d, &content->children[i]);
    take_usage(d->turn, mb_json_get(root, "usage"));
    take_stop(d, mb_json_get(root, "stopReason"));
    if (status == 0) status = finish_turn(d);
    return status == MEMBRANE_EMALFORMED ? MEMBRANE_ERESPONSE : status;
}

// An error that came with status 200, from a gateway or from AWS's front: it keeps its own words.
static bool is_error(const mb_json **root) {
    const mb_json *inner = mb_json_get(*root, "Output");
    if (mb_json_get_str(inner, "__type")) *root = inner;
    return !mb_json_get(*root, "output") && (mb_json_get_str(*root, "message") || mb_json_get_str(*root, "__type"));
}

static int body(mb_decode *d, const char *text, size_t len) {
    const mb_json *root = NULL;
    if (d->ask->kind != MB_ASK_CHAT) return mb_converse_server_body(d, text, len);
    int status = mb_json_parser_parse(d->parser, text, len, false, &root);
    if (status == MEMBRANE_ENOMEM) return status;
    if (status == 0 && is_error(&root))
        return mb_classify_json(d->ask->quirks->kind, d->ask->provider, 200, root, &d->turn->error);
    status = status == 0 ? mb_converse_body(d, root) : MEMBRANE_ERESPONSE;
    return status == MEMBRANE_ERESPONSE && !d->turn->error ? mb_turn_no_answer(d->turn, d->ask->provider, text, len)
                                                           : status;
}

const mb_adapter mb_adapter_bedrock = {"bedrock", MB_FRAMES_EVENTSTREAM, mb_converse_write, frame,
                                       body,      mb_converse_end};
