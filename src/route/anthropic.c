// SPDX-License-Identifier: MIT
// The Messages API's answers as a turn. An answer is a list of blocks; a stream opens one after another, lets it grow
// by deltas and closes it:
//
//     message_start → (content_block_start → content_block_delta* → content_block_stop)* → message_delta → message_stop
//
// Text, thinking and calls go into the turn; every block that the canonical message has no word for (signed thinking,
// what the provider's own tools did) is kept as it came, in its place, to go back with the next request (echo.h).
#include "route/anthropic.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "route/classify.h"
#include "route/echo.h"
#include "route/write.h"

#define IS(member, name) ((member)->key_len == sizeof(name) - 1 && memcmp((member)->key, name, sizeof(name) - 1) == 0)

typedef enum {
    NONE,     // between blocks
    TEXT,     //
    THINKING, // grows by "thinking", then its "signature"
    CALL,     // the turn gathers its arguments
    RAW_CALL, // of a tool that the provider runs: grows by JSON text, "input"
    RAW,      // came whole, but for "content" of a compaction
} block_type;

typedef struct open_block {
    block_type type;
    int64_t index;
    const mb_json *start;     // the block as it was opened, in the turn's arena
    size_t text_len;          // TEXT: bytes so far
    size_t call;              // CALL: which of the turn's
    mb_arena_text body, seal; // thinking, input or content; signature or encrypted_content
    mb_arena_text citations;  // JSON, comma separated
} open_block;

typedef struct message {
    open_block now;
    int64_t input, cache_read, cache_write; // the wire counts them side by side
    size_t gathered;                        // bytes of all grown texts
    bool is_whole;                          // a body, no stream
    bool has_start, ended;
    bool repeats_thinking; // what decode.repeat holds: a chunk of thinking, not of text
    bool is_last_call;     // whole bodies: the last block is a call
} message;

static message *message_of(mb_decode *d) {
    if (!d->state[0]) {
        message *m = mb_arena_zalloc(&d->turn->arena, sizeof *m);
        if (!m) return NULL;
        m->input = m->cache_read = m->cache_write = -1;
        d->state[0] = (int64_t)(intptr_t)m;
    }
    return (message *)(intptr_t)d->state[0];
}

// ---- what grows ----------------------------------------------------------------------------------------------------

static int grow(mb_decode *d, mb_arena_text *g, const char *text, size_t len) {
    message *m = message_of(d);
    if (len == 0) return 0;
    if (len > MB_LIMIT_RESPONSE - m->gathered) return MEMBRANE_EMALFORMED;
    m->gathered += len;
    return mb_arena_append(&d->turn->arena, g, text, len) ? 0 : MEMBRANE_ENOMEM;
}

static int grow_json(mb_decode *d, mb_arena_text *g, const mb_json *item) {
    mb_buf text = MB_BUF(MB_LIMIT_STREAM_EVENT);
    mb_jw w = mb_jw_to(&text);
    mb_jw_value(&w, item);
    int status = text.failed == MEMBRANE_ENOMEM ? MEMBRANE_ENOMEM : mb_buf_ok(&text) ? 0 : MEMBRANE_EMALFORMED;
    if (status == 0 && g->len) status = grow(d, g, ",", 1);
    if (status == 0) status = grow(d, g, mb_buf_text(&text), text.len);
    mb_buf_free(&text);
    return status;
}

// ---- usage ---------------------------------------------------------------------------------------------------------

static void take_number(int64_t *to, const mb_json *v) {
    int64_t n = mb_json_int(v, -1);
    if (n >= 0 && n <= INT64_MAX / 4) *to = n;
}

// The report at the end may leave out what the one at the start said; what it says wins.
static int take_usage(mb_decode *d, const mb_json *usage) {
    message *m = message_of(d);
    mb_usage *u = &d->turn->usage;
    if (!m) return MEMBRANE_ENOMEM;
    if (usage->type != MB_JSON_OBJECT) return 0;
    take_number(&m->input, mb_json_get(usage, "input_tokens"));
    take_number(&m->cache_read, mb_json_get(usage, "cache_read_input_tokens"));
    take_number(&m->cache_write, mb_json_get(usage, "cache_creation_input_tokens"));
    take_number(&u->output, mb_json_get(usage, "output_tokens"));
    take_number(&u->reasoning, mb_json_get(mb_json_get(usage, "output_tokens_details"), "thinking_tokens"));
    const int64_t parts[] = {m->input, m->cache_read, m->cache_write};
    int64_t sum = -1;
    for (size_t i = 0; i < MB_COUNT(parts); i++)
        if (parts[i] >= 0) sum = (sum < 0 ? 0 : sum) + parts[i];
    u->input = sum;
    u->cached = m->cache_read;
    u->cache_write = m->cache_write;
    return 0;
}

// ---- finish --------------------------------------------------------------------------------------------------------

static void take_stop_reason(mb_decode *d, const char *word) {
    static const struct {
        const char *word;
        mb_finish finish;
    } WORDS[] = {
        {"end_turn", MB_FINISH_STOP},          {"tool_use", MB_FINISH_TOOL_CALLS},
        {"max_tokens", MB_FINISH_LENGTH},      {"stop_sequence", MB_FINISH_STOP},
        {"pause_turn", MB_FINISH_STOP},        {"compaction", MB_FINISH_STOP},
        {"refusal", MB_FINISH_CONTENT_FILTER}, {"model_context_window_exceeded", MB_FINISH_LENGTH},
    };
    mb_finish finish = MB_FINISH_NONE;
    for (size_t i = 0; i < MB_COUNT(WORDS); i++)
        if (strcmp(WORDS[i].word, word) == 0) finish = WORDS[i].finish;
    mb_turn_finish(d->turn, finish, word);
}

// stop_reason and stop_details stand in the message, or in the delta of message_delta.
static void take_stop(mb_decode *d, const mb_json *v) {
    const char *word = mb_json_get_str(v, "stop_reason");
    const char *why = mb_json_get_str(mb_json_get(v, "stop_details"), "explanation");
    if (word && *word) take_stop_reason(d, word);
    if (why && *why) mb_turn_warn(d->turn, "%s: %s", d->ask->provider, why);
}

static bool is_cut(const mb_turn *turn) {
    return turn->finish == MB_FINISH_LENGTH || turn->finish == MB_FINISH_CONTENT_FILTER;
}

static int close_block(mb_decode *d);

// The answer is whole: what waited for its end.
static int finish_turn(mb_decode *d) {
    message *m = message_of(d);
    mb_turn *turn = d->turn;
    if (!m) return MEMBRANE_ENOMEM;
    if (m->ended) return 0;
    m->ended = true;
    turn->has_end = true;
    int status = close_block(d);
    if (status == 0 && !m->is_whole) status = mb_turn_fill_arguments(turn);
    // A body shows the input of a call that was cut as an object that looks whole.
    if (m->is_whole && m->is_last_call && is_cut(turn)) turn->calls[turn->call_count - 1].whole = false;
    if (status == 0) status = mb_tool_map_names(d);
    if (status == 0) status = mb_turn_end(turn);
    if (status == 0 && turn->finish_raw && strcmp(turn->finish_raw, "pause_turn") == 0)
        mb_turn_warn(turn, "%s paused a long turn: send its message back as it is, and it goes on", d->ask->provider);
    return status == 0 ? mb_echo_write(d) : status;
}

// ---- blocks --------------------------------------------------------------------------------------------------------

static bool type_is(const mb_json *v, const char *type) { return mb_json_str_is(mb_json_get(v, "type"), type); }

static bool is_empty(const mb_json *v) {
    return v->type == MB_JSON_NULL || (v->type >= MB_JSON_ARRAY && v->count == 0);
}

// The members of a block that the canonical form has no place for, as an object in the arena; NULL: there are none.
static int other_members(mb_decode *d, const mb_json *block, const char *const *known, const mb_json **ret) {
    mb_json *members = block->count ? mb_arena_alloc(&d->turn->arena, block->count * sizeof *members) : NULL;
    uint32_t count = 0;
    *ret = NULL;
    if (block->count && !members) return MEMBRANE_ENOMEM;
    for (uint32_t i = 0; i < block->count; i++) {
        const mb_json *m = &block->children[i];
        bool skip = is_empty(m) || (IS(m, "caller") && type_is(m, "direct")); // the caller that is meant anyway
        for (const char *const *k = known; *k; k++) skip |= strcmp(*k, m->key) == 0;
        if (!skip) members[count++] = *m;
    }
    if (count == 0) return 0;
    mb_json *object = mb_arena_zalloc(&d->turn->arena, sizeof *object);
    if (!object) return MEMBRANE_ENOMEM;
    object->type = MB_JSON_OBJECT;
    object->count = count;
    object->children = members;
    *ret = object;
    return 0;
}

static const char *const TEXT_KEYS[] = {"type", "text", NULL};
static const char *const CALL_KEYS[] = {"type", "id", "name", "input", NULL};

static int echo_call(mb_decode *d, size_t call, const mb_json *block) {
    const mb_json *with;
    int status = other_members(d, block, CALL_KEYS, &with);
    return status == 0 ? mb_echo_call(d, call, with) : status;
}

static int close_text(mb_decode *d, open_block *b) {
    const mb_json *with = NULL;
    int status = b->start ? other_members(d, b->start, TEXT_KEYS, &with) : 0;
    if (status == 0 && b->citations.len) {
        mb_buf text = MB_BUF(MB_LIMIT_RESPONSE);
        mb_buf_puts(&text, "{\"citations\":[");
        mb_buf_put(&text, b->citations.data, b->citations.len);
        mb_buf_puts(&text, "]}");
        status = mb_buf_ok(&text) ? mb_json_parse_lenient(&d->turn->arena, text.data, text.len, &with, NULL)
                                  : MEMBRANE_ENOMEM;
        mb_buf_free(&text);
    }
    if (status == 0 && (b->text_len || with)) status = mb_echo_text(d, b->text_len, with);
    return status == 0 || status == MEMBRANE_ENOMEM ? status : MEMBRANE_EMALFORMED;
}

static void put_grown(mb_jw *w, const open_block *b, bool is_body) {
    const mb_arena_text *g = is_body ? &b->body : &b->seal;
    if (!is_body || b->type != RAW_CALL) {
        mb_jw_strn(w, g->data, g->len);
        return;
    }
    mb_arena arena = {0};
    const mb_json *tree = NULL;
    int status = mb_json_parse_lenient(&arena, g->data, g->len, &tree, NULL);
    if (status == MEMBRANE_ENOMEM) w->out->failed = MEMBRANE_ENOMEM;
    if (mb_json_is(tree, MB_JSON_OBJECT)) // one that was cut is nothing to send back
        mb_jw_value(w, tree);
    else
        mb_jw_raw(w, "{}", 2);
    mb_arena_free(&arena);
}

// The block as a body would have shown it: as it was opened, with what has grown in its place.
static int close_raw(mb_decode *d, const open_block *b) {
    const char *body = b->type == THINKING ? "thinking" : b->type == RAW_CALL ? "input" : "content";
    const char *seal = b->type == THINKING ? "signature" : "encrypted_content";
    bool has_body = b->body.len == 0, has_seal = b->seal.len == 0; // nothing to put
    mb_buf text = MB_BUF(MB_LIMIT_RESPONSE);
    mb_jw w = mb_jw_to(&text);
    mb_jw_object(&w);
    for (uint32_t i = 0; i < b->start->count; i++) {
        const mb_json *m = &b->start->children[i];
        bool is_body = b->body.len && strcmp(m->key, body) == 0, is_seal = b->seal.len && strcmp(m->key, seal) == 0;
        if ((is_body && has_body) || (is_seal && has_seal)) continue; // named twice
        mb_jw_key(&w, m->key);
        if (is_body || is_seal)
            put_grown(&w, b, is_body);
        else
            mb_jw_value(&w, m);
        has_body |= is_body;
        has_seal |= is_seal;
    }
    if (!has_body) {
        mb_jw_key(&w, body);
        put_grown(&w, b, true);
    }
    if (!has_seal) {
        mb_jw_key(&w, seal);
        put_grown(&w, b, false);
    }
    mb_jw_end_object(&w);
    int status = mb_buf_ok(&text)                 ? mb_echo_raw_text(d, mb_buf_text(&text), text.len)
                 : text.failed == MEMBRANE_ENOMEM ? MEMBRANE_ENOMEM
                                                  : MEMBRANE_EMALFORMED;
    mb_buf_free(&text);
    return status;
}

static int close_block(mb_decode *d) {
    open_block b = message_of(d)->now;
    mb_turn *turn = d->turn;
    message_of(d)->now = (open_block){.type = NONE, .index = -1};
    switch (b.type) {
    case NONE: return 0;
    case TEXT: return close_text(d, &b);
    case CALL: // some hosts say the whole input at once
        if (b.call < turn->call_count && turn->calls[b.call].arguments.len == 0 && b.body.len) {
            mb_buf_put(&turn->calls[b.call].arguments, b.body.data, b.body.len);
            if (!mb_buf_ok(&turn->calls[b.call].arguments)) return MEMBRANE_ENOMEM;
        }
        return 0;
    default: return close_raw(d, &b);
    }
}

// ---- whole blocks --------------------------------------------------------------------------------------------------

static int take_text_block(mb_decode *d, const mb_json *block) {
    const mb_json *text = mb_json_get(block, "text"), *with = NULL;
    if (!mb_json_is(text, MB_JSON_STRING)) return 0;
    int status = mb_turn_text(d->turn, text->str, text->len);
    if (status == 0) status = other_members(d, block, TEXT_KEYS, &with);
    return status == 0 && (text->len || with) ? mb_echo_text(d, text->len, with) : status;
}

static int take_thinking_block(mb_decode *d, const mb_json *block) {
    const mb_json *text = mb_json_get(block, "thinking");
    int status = mb_json_is(text, MB_JSON_STRING) ? mb_turn_thinking(d->turn, text->str, text->len) : 0;
    return status == 0 ? mb_echo_raw(d, block) : status;
}

static int take_block(mb_decode *d, const mb_json *block) {
    message_of(d)->is_last_call = false;
    if (block->type != MB_JSON_OBJECT) return 0;
    if (type_is(block, "text")) return take_text_block(d, block);
    if (type_is(block, "thinking")) return take_thinking_block(d, block);
    if (!type_is(block, "tool_use")) return mb_echo_raw(d, block);
    int status = mb_turn_tool_call(d->turn, mb_json_get_str(block, "id"), mb_json_get_str(block, "name"),
                                   mb_json_get(block, "input"));
    message_of(d)->is_last_call = status == 0;
    return status == 0 ? echo_call(d, d->turn->call_count - 1, block) : status;
}

static int take_blocks(mb_decode *d, const mb_json *content) {
    int status = 0;
    for (uint32_t i = 0; mb_json_is(content, MB_JSON_ARRAY) && i < content->count && status == 0; i++)
        status = take_block(d, &content->children[i]);
    return status;
}

static int take_once(mb_turn *turn, const char **to, const mb_json *v) {
    if (*to || !mb_json_is(v, MB_JSON_STRING) || v->len == 0) return 0;
    *to = mb_arena_strndup(&turn->arena, v->str, v->len);
    return *to ? 0 : MEMBRANE_ENOMEM;
}

// The message of a body, and of message_start, where it holds no blocks as a rule.
static int take_message(mb_decode *d, const mb_json *v) {
    const mb_json *usage = mb_json_get(v, "usage");
    int status = take_once(d->turn, &d->turn->response_id, mb_json_get(v, "id"));
    if (status == 0) status = take_once(d->turn, &d->turn->model, mb_json_get(v, "model"));
    if (status == 0 && usage) status = take_usage(d, usage);
    if (status == 0) status = take_blocks(d, mb_json_get(v, "content"));
    if (status == 0) take_stop(d, v);
    return status;
}

// ---- events --------------------------------------------------------------------------------------------------------

// A host that fails over in mid-stream begins anew: calls that were gathered are void; text was seen already.
static int restart(mb_decode *d) {
    mb_turn *turn = d->turn;
    message_of(d)->now = (open_block){.type = NONE, .index = -1};
    for (size_t i = 0; i < turn->call_count; i++) mb_buf_free(&turn->calls[i].arguments);
    turn->call_count = 0;
    turn->response_id = NULL;
    d->state[3] = 0;
    if (turn->warnings.len == 0) mb_turn_warn(turn, "%s began its answer a second time", d->ask->provider);
    return turn->text.len ? mb_echo_text(d, turn->text.len, NULL) : 0;
}

static int on_start(mb_decode *d, const mb_json *v) {
    message *m = message_of(d);
    int status = m->has_start ? restart(d) : 0;
    m->has_start = true;
    return status == 0 && v ? take_message(d, v) : status;
}

static int open_call(mb_decode *d, open_block *b, const mb_json *block) {
    const mb_json *input = mb_json_get(block, "input");
    size_t before = d->turn->call_count;
    int status =
        mb_turn_tool_delta(d->turn, b->index, mb_json_get_str(block, "id"), mb_json_get_str(block, "name"), NULL, 0);
    if (status != 0) return status;
    bool is_new = d->turn->call_count > before;
    b->type = is_new ? CALL : NONE;
    b->call = before;
    if (is_new && mb_json_is(input, MB_JSON_OBJECT) && input->count) status = grow_json(d, &b->body, input);
    return status == 0 && is_new ? echo_call(d, before, block) : status;
}

// What the block holds already when it is opened; deltas add to it.
static int open_with(mb_decode *d, open_block *b, const mb_json *block) {
    const mb_json *text = mb_json_get(block, b->type == TEXT ? "text" : "thinking");
    const mb_json *seal = mb_json_get(block, "signature");
    int status = 0;
    if (b->type == TEXT && mb_json_is(text, MB_JSON_STRING)) {
        b->text_len = text->len;
        status = mb_turn_text(d->turn, text->str, text->len);
    } else if (b->type == THINKING && mb_json_is(text, MB_JSON_STRING)) {
        status = mb_turn_thinking(d->turn, text->str, text->len);
        if (status == 0) status = grow(d, &b->body, text->str, text->len);
    }
    if (status == 0 && b->type == THINKING && mb_json_is(seal, MB_JSON_STRING))
        status = grow(d, &b->seal, seal->str, seal->len);
    return status;
}

static int on_block_start(mb_decode *d, int64_t index, const mb_json *block) {
    open_block *b = &message_of(d)->now;
    int status = close_block(d);
    if (status != 0 || !mb_json_is(block, MB_JSON_OBJECT)) return status;
    b->index = index;
    if (type_is(block, "tool_use")) return open_call(d, b, block);
    b->start = mb_json_copy(&d->turn->arena, block);
    if (!b->start) return MEMBRANE_ENOMEM;
    b->type = type_is(block, "text")                                                ? TEXT
              : type_is(block, "thinking")                                          ? THINKING
              : type_is(block, "server_tool_use") || type_is(block, "mcp_tool_use") ? RAW_CALL
                                                                                    : RAW;
    return open_with(d, b, block);
}

// Deltas of a block that nobody opened: hosts that leave the start out mean text, or thinking that is not signed.
static int open_unsaid(mb_decode *d, int64_t index, block_type type) {
    static const mb_json TYPE = {.type = MB_JSON_STRING, .key = "type", .key_len = 4, .str = "thinking", .len = 8};
    static const mb_json START = {.type = MB_JSON_OBJECT, .count = 1, .children = &TYPE};
    open_block *b = &message_of(d)->now;
    if (b->type == type && b->index == index) return 0;
    int status = close_block(d);
    *b = (open_block){.type = type, .index = index, .start = type == THINKING ? &START : NULL};
    return status;
}

static int add_text(mb_decode *d, const char *text, size_t len) {
    message_of(d)->now.text_len += len;
    return mb_turn_text(d->turn, text, len);
}

static int add_thinking(mb_decode *d, const char *text, size_t len) {
    int status = grow(d, &message_of(d)->now.body, text, len);
    return status == 0 ? mb_turn_thinking(d->turn, text, len) : status;
}

static int on_input_delta(mb_decode *d, int64_t index, const mb_json *json) {
    open_block *b = &message_of(d)->now;
    if (!mb_json_is(json, MB_JSON_STRING)) return 0;
    if (b->index == index && b->type == RAW && !b->body.len && !b->seal.len) b->type = RAW_CALL; // under a newer name
    if (b->index == index && b->type == RAW_CALL) return grow(d, &b->body, json->str, json->len);
    if (b->index == index && b->type != CALL) return 0;
    for (size_t i = d->turn->call_count; i-- > 0;) // of a call that was opened, the last one or an earlier one
        if (d->turn->calls[i].index == index)
            return mb_turn_tool_delta(d->turn, index, NULL, NULL, json->str, json->len);
    return 0;
}

// The rarer deltas, which belong to the block that is open.
static int on_other_delta(mb_decode *d, int64_t index, const mb_json *delta) {
    open_block *b = &message_of(d)->now;
    if (b->index != index) return 0;
    const mb_json *content = mb_json_get(delta, "content"), *sealed = mb_json_get(delta, "encrypted_content");
    const mb_json *signature = mb_json_get(delta, "signature"), *citation = mb_json_get(delta, "citation");
    if (b->type == THINKING && mb_json_is(signature, MB_JSON_STRING))
        return grow(d, &b->seal, signature->str, signature->len);
    if (b->type == TEXT && mb_json_is(citation, MB_JSON_OBJECT)) return grow_json(d, &b->citations, citation);
    int status = 0;
    if (b->type == RAW && mb_json_is(content, MB_JSON_STRING)) status = grow(d, &b->body, content->str, content->len);
    if (status == 0 && b->type == RAW && mb_json_is(sealed, MB_JSON_STRING))
        status = grow(d, &b->seal, sealed->str, sealed->len);
    return status;
}

// Learns a chunk that was nothing but a piece of text or thinking. The host pads chunks with blanks before their last
// brace, each with other ones; what stands before them is compared.
static size_t without_padding(const mb_frame *f) {
    size_t n = f->len;
    if (n == 0 || f->data[n - 1] != '}') return 0;
    for (n--; n && f->data[n - 1] == ' ';) n--;
    return n;
}

static int on_delta(mb_decode *d, const mb_frame *f, const mb_json *root, int64_t index, const mb_json *delta) {
    const mb_json *type = NULL, *text = NULL, *thinking = NULL, *json = NULL;
    if (!mb_json_is(delta, MB_JSON_OBJECT)) return 0;
    for (const mb_json *m = delta->children, *end = m + delta->count; m < end; m++) {
        if (IS(m, "type"))
            type = m;
        else if (IS(m, "text") && m->type == MB_JSON_STRING)
            text = m;
        else if (IS(m, "thinking") && m->type == MB_JSON_STRING)
            thinking = m;
        else if (IS(m, "partial_json"))
            json = m;
    }
    bool is_text = text && mb_json_str_is(type, "text_delta");
    bool is_thinking = thinking && mb_json_str_is(type, "thinking_delta");
    if (json) return on_input_delta(d, index, json);
    if (!is_text && !is_thinking) return on_other_delta(d, index, delta);
    const mb_json *piece = is_text ? text : thinking;
    int status = open_unsaid(d, index, is_text ? TEXT : THINKING);
    if (status == 0) status = is_text ? add_text(d, piece->str, piece->len) : add_thinking(d, piece->str, piece->len);
    if (status != 0 || root->count != 3 || delta->count != 2 || piece->len == 0) return status;
    message_of(d)->repeats_thinking = is_thinking;
    mb_repeat_learn(&d->repeat, f->data, without_padding(f), is_text ? "text" : "thinking", piece->str, piece->len);
    return 0;
}

static int take_error(mb_decode *d, const mb_json *root) {
    return mb_classify_json(d->ask->quirks->kind, d->ask->provider, 200, root, &d->turn->error);
}

static int on_event(mb_decode *d, const mb_frame *f, const mb_json *root) {
    const mb_json *type = NULL, *delta = NULL, *block = NULL, *start = NULL, *usage = NULL, *error = NULL;
    int64_t index = -1;
    for (const mb_json *m = root->children, *end = m + root->count; m < end; m++) {
        if (IS(m, "type"))
            type = m;
        else if (IS(m, "index"))
            index = mb_json_int(m, -1);
        else if (IS(m, "delta"))
            delta = m;
        else if (IS(m, "content_block"))
            block = m;
        else if (IS(m, "message"))
            start = m;
        else if (IS(m, "usage"))
            usage = m;
        else if (IS(m, "error") && m->type != MB_JSON_NULL)
            error = m;
    }
    if (index < 0) index = INT64_MAX; // one that no block has
    const char *name = mb_json_str(type) ? mb_json_str(type) : f->event;
    if (strcmp(name, "content_block_delta") == 0) return on_delta(d, f, root, index, delta);
    if (error || strcmp(name, "error") == 0) return take_error(d, root);
    if (strcmp(name, "content_block_start") == 0) return on_block_start(d, index, block);
    if (strcmp(name, "content_block_stop") == 0) return message_of(d)->now.index == index ? close_block(d) : 0;
    if (strcmp(name, "message_start") == 0) return on_start(d, start);
    if (strcmp(name, "message_delta") == 0) {
        if (delta) take_stop(d, delta);
        return usage ? take_usage(d, usage) : 0;
    }
    d->says_nothing = strcmp(name, "ping") == 0;
    return strcmp(name, "message_stop") == 0 ? finish_turn(d) : 0; // pings, and what is new
}

static int frame(mb_decode *d, const mb_frame *f) {
    const mb_json *root;
    const char *text;
    size_t len;
    message *m = message_of(d);
    if (!m) return MEMBRANE_ENOMEM;
    if (mb_repeat_match(&d->repeat, f->data, without_padding(f), &text, &len))
        return m->repeats_thinking ? add_thinking(d, text, len) : add_text(d, text, len);
    if (f->len == 0 || (f->len == 6 && memcmp(f->data, "[DONE]", 6) == 0)) return 0;
    int status = mb_json_parser_parse(d->parser, f->data, f->len, true, &root);
    if (status != 0) return status;
    if (root->type != MB_JSON_OBJECT) return MEMBRANE_EMALFORMED;
    d->repeat.head = 0;
    status = on_event(d, f, root);
    return status == 0 && m->ended ? 1 : status;
}

// ---- whole bodies --------------------------------------------------------------------------------------------------

static int generation(mb_decode *d, const mb_json *root) {
    message *m = message_of(d);
    if (!m) return MEMBRANE_ENOMEM;
    if (!mb_json_is(mb_json_get(root, "content"), MB_JSON_ARRAY)) return MEMBRANE_ERESPONSE;
    m->is_whole = true;
    int status = take_message(d, root);
    if (status == 0) status = finish_turn(d);
    return status == MEMBRANE_EMALFORMED ? MEMBRANE_ERESPONSE : status;
}

static int answer(mb_decode *d, const mb_json *root) {
    const mb_json *error = mb_json_get(root, "error");
    if (type_is(root, "error") || mb_json_is(error, MB_JSON_OBJECT)) return take_error(d, root);
    return d->ask->kind == MB_ASK_CHAT ? generation(d, root) : mb_anthropic_server(d, root);
}

static int body(mb_decode *d, const char *text, size_t len) {
    const mb_json *root = NULL;
    int status = mb_json_parser_parse(d->parser, text, len, false, &root);
    if (status == MEMBRANE_ENOMEM) return status;
    status = status == 0 ? answer(d, root) : MEMBRANE_ERESPONSE;
    if (status != MEMBRANE_ERESPONSE || d->turn->error) return status;
    return mb_turn_no_answer(d->turn, d->ask->provider, text, len);
}

static int end(mb_decode *d) {
    if (d->turn->error) return membrane_error_code(d->turn->error);
    return d->turn->has_end ? 0 : MEMBRANE_ETRUNCATED;
}

const mb_adapter mb_adapter_anthropic = {"anthropic", MB_FRAMES_SSE, mb_anthropic_write, frame, body, end};
