// SPDX-License-Identifier: MIT
// The turn owns what was gathered; the sink sees each piece of text at once and each tool call when it is whole, which
// is known only at the wire's end: a piece for an older index may always follow.
#include "route/turn.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/utf8.h"

void mb_turn_init(mb_turn *turn, mb_turn_sink sink) {
    *turn = (mb_turn){.sink = sink, .usage = MB_USAGE_NONE};
    mb_buf *bufs[] = {&turn->text,     &turn->thinking, &turn->provider_data,
                      &turn->logprobs, &turn->warnings, &turn->json};
    for (size_t i = 0; i < MB_COUNT(bufs); i++) *bufs[i] = MB_BUF(MB_LIMIT_RESPONSE);
}

void mb_turn_free(mb_turn *turn) {
    mb_buf *bufs[] = {&turn->text,     &turn->thinking, &turn->provider_data,
                      &turn->logprobs, &turn->warnings, &turn->json};
    for (size_t i = 0; i < MB_COUNT(bufs); i++) mb_buf_free(bufs[i]);
    for (size_t i = 0; i < turn->call_count; i++) mb_buf_free(&turn->calls[i].arguments);
    mb_free(turn->calls);
    mb_free(turn->vectors);
    mb_free(turn->ranks);
    membrane_error_free(turn->error);
    mb_arena_free(&turn->arena);
    *turn = (mb_turn){0};
}

int mb_turn_text(mb_turn *turn, const char *text, size_t len) {
    if (len == 0) return 0;
    mb_buf_put(&turn->text, text, len);
    if (mb_unlikely(!mb_buf_ok(&turn->text))) return mb_buf_status(&turn->text, MEMBRANE_EMALFORMED);
    return turn->sink.text ? turn->sink.text(turn->sink.user, text, len) : 0;
}

int mb_turn_thinking(mb_turn *turn, const char *text, size_t len) {
    if (len == 0) return 0;
    mb_buf_put(&turn->thinking, text, len);
    if (mb_unlikely(!mb_buf_ok(&turn->thinking))) return mb_buf_status(&turn->thinking, MEMBRANE_EMALFORMED);
    return turn->sink.thinking ? turn->sink.thinking(turn->sink.user, text, len) : 0;
}

// ---- tool calls ----------------------------------------------------------------------------------------------------

static bool is_said(const char *text) { return text && *text; }

// 1: the text is one whole JSON object, 0: it is not, negative: memory is out.
static int is_whole_object(const mb_buf *b) {
    mb_arena arena = {0};
    const mb_json *v = NULL;
    int status = mb_json_parse_lenient(&arena, mb_buf_text(b), b->len, &v, NULL);
    int whole = status == MEMBRANE_ENOMEM ? status : status == 0 && mb_json_is(v, MB_JSON_OBJECT);
    mb_arena_free(&arena);
    return whole;
}

static int open_call(mb_turn *turn, int64_t index, mb_tool_call **ret) {
    if (turn->call_count >= MB_LIMIT_TOOL_CALLS) return MEMBRANE_EMALFORMED;
    if (turn->call_count == turn->call_cap) {
        size_t cap = turn->call_cap ? 2 * turn->call_cap : 4;
        mb_tool_call *calls = mb_realloc(turn->calls, cap * sizeof *calls);
        if (!calls) return MEMBRANE_ENOMEM;
        turn->calls = calls;
        turn->call_cap = cap;
    }
    *ret = &turn->calls[turn->call_count++];
    **ret = (mb_tool_call){.index = index, .whole = true, .arguments = MB_BUF(MB_LIMIT_STREAM_EVENT)};
    return 0;
}

// The newest call that a piece with this index or id may belong to, NULL without.
static mb_tool_call *find_call(mb_turn *turn, int64_t index, const char *id) {
    for (size_t i = turn->call_count; i-- > 0;) {
        mb_tool_call *c = &turn->calls[i];
        if (index >= 0 ? c->index == index : is_said(id) && c->id && strcmp(c->id, id) == 0) return c;
    }
    if (index >= 0 || is_said(id) || turn->call_count == 0) return NULL;
    return &turn->calls[turn->call_count - 1];
}

// Whether the piece begins another call although its index is known (1), negative: memory is out. Another id says so;
// without ids, a name together with arguments says so once the call so far is whole.
static int begins_another(const mb_tool_call *c, const char *id, const char *name, size_t len) {
    if (is_said(id) && c->id) return strcmp(c->id, id) != 0;
    if (is_said(id) || !is_said(name) || !c->name) return 0;
    if (strcmp(c->name, name) != 0) return 1;
    return len && c->arguments.len && !c->id ? is_whole_object(&c->arguments) : 0;
}

static int take_text(mb_turn *turn, const char **to, const char *text) {
    if (*to || !is_said(text)) return 0;
    *to = mb_arena_strdup(&turn->arena, text);
    return *to ? 0 : MEMBRANE_ENOMEM;
}

int mb_turn_tool_delta(mb_turn *turn, int64_t index, const char *id, const char *name, const char *args, size_t len) {
    mb_tool_call *call = find_call(turn, index, id);
    int another = call ? begins_another(call, id, name, len) : 1;
    if (another < 0) return another;
    if (another) {
        if (!is_said(id) && !is_said(name) && len == 0) return 0; // fields filled with nothing are no call
        int status = open_call(turn, index, &call);
        if (status != 0) return status;
    }
    int status = take_text(turn, &call->id, id);
    if (status == 0) status = take_text(turn, &call->name, name);
    if (status != 0) return status;
    mb_buf_put(&call->arguments, args, len);
    return mb_buf_status(&call->arguments, MEMBRANE_EMALFORMED);
}

int mb_turn_tool_call(mb_turn *turn, const char *id, const char *name, const mb_json *arguments) {
    mb_tool_call *call;
    int status = open_call(turn, -1, &call);
    if (status == 0) status = take_text(turn, &call->id, id);
    if (status == 0) status = take_text(turn, &call->name, name);
    if (status != 0 || !arguments || mb_json_is(arguments, MB_JSON_NULL)) return status;
    if (mb_json_is(arguments, MB_JSON_STRING)) {
        mb_buf_put(&call->arguments, arguments->str, arguments->len);
    } else {
        mb_jw w = mb_jw_to(&call->arguments);
        mb_jw_value(&w, arguments);
    }
    return mb_buf_status(&call->arguments, MEMBRANE_EMALFORMED);
}

static bool id_is_taken(const mb_turn *turn, const char *id) {
    for (size_t i = 0; i < turn->call_count; i++)
        if (turn->calls[i].id && strcmp(turn->calls[i].id, id) == 0) return true;
    return false;
}

static int make_id(mb_turn *turn, mb_tool_call *call) {
    char id[32];
    size_t n = (size_t)(call - turn->calls);
    do snprintf(id, sizeof id, "call_%zu", n++);
    while (id_is_taken(turn, id));
    call->id = mb_arena_strdup(&turn->arena, id);
    return call->id ? 0 : MEMBRANE_ENOMEM;
}

// The last call of an answer that ran out of tokens, or was filtered, is cut if its arguments are not whole.
static int check_cut(mb_turn *turn) {
    bool may_be_cut = turn->finish == MB_FINISH_LENGTH || turn->finish == MB_FINISH_CONTENT_FILTER;
    if (!may_be_cut || turn->call_count == 0) return 0;
    mb_tool_call *last = &turn->calls[turn->call_count - 1];
    int whole = is_whole_object(&last->arguments);
    if (whole < 0) return whole;
    last->whole &= whole; // an adapter may know that a call which looks whole was cut
    return 0;
}

void mb_turn_finish(mb_turn *turn, mb_finish finish, const char *raw) {
    turn->finish = finish;
    turn->finish_raw = raw ? mb_arena_strdup(&turn->arena, raw) : NULL;
    turn->has_finish = finish != MB_FINISH_NONE || is_said(raw);
}

int mb_turn_end(mb_turn *turn) {
    bool natural = turn->finish == MB_FINISH_STOP || turn->finish == MB_FINISH_NONE;
    if (natural && turn->call_count) turn->finish = MB_FINISH_TOOL_CALLS;
    int status = check_cut(turn);
    for (size_t i = 0; i < turn->call_count && status == 0; i++) {
        mb_tool_call *call = &turn->calls[i];
        if (call->emitted) continue;
        if (!call->id) status = make_id(turn, call);
        if (status != 0) return status;
        if (!call->name) call->name = "";
        call->emitted = true;
        if (turn->sink.tool_call) status = turn->sink.tool_call(turn->sink.user, call);
    }
    return status;
}

int mb_turn_fill_arguments(mb_turn *turn) {
    bool is_cut = turn->finish == MB_FINISH_LENGTH || turn->finish == MB_FINISH_CONTENT_FILTER;
    for (size_t i = 0; i < turn->call_count; i++) {
        mb_buf *arguments = &turn->calls[i].arguments;
        if (arguments->len || (is_cut && i + 1 == turn->call_count)) continue;
        mb_buf_puts(arguments, "{}");
        if (!mb_buf_ok(arguments)) return MEMBRANE_ENOMEM;
    }
    return 0;
}

// ---- vectors -------------------------------------------------------------------------------------------------------

// Room for one more vector of dims numbers.
static int vector_room(mb_turn *turn, size_t dims, float **ret) {
    if (dims == 0 || (turn->vector_count && dims != turn->vector_dims)) return MEMBRANE_ERESPONSE;
    size_t need, bytes, used = turn->vector_count * turn->vector_dims;
    if (!mb_size_add(used, dims, &need)) return MEMBRANE_ERESPONSE;
    if (need > turn->vector_cap) {
        size_t cap = need > 2 * turn->vector_cap ? need : 2 * turn->vector_cap;
        if (!mb_size_mul(cap, sizeof(float), &bytes)) return MEMBRANE_ERESPONSE;
        float *vectors = mb_realloc(turn->vectors, bytes);
        if (!vectors) return MEMBRANE_ENOMEM;
        turn->vectors = vectors;
        turn->vector_cap = cap;
    }
    *ret = turn->vectors + used;
    return 0;
}

static void vector_done(mb_turn *turn, size_t dims) {
    turn->vector_dims = dims;
    turn->vector_count++;
}

int mb_turn_vector(mb_turn *turn, const mb_json *numbers) {
    if (!mb_json_is(numbers, MB_JSON_ARRAY)) return MEMBRANE_ERESPONSE;
    float *to;
    int status = vector_room(turn, numbers->count, &to);
    if (status != 0) return status;
    for (uint32_t i = 0; i < numbers->count; i++) {
        const mb_json *n = &numbers->children[i];
        if (!mb_json_is_number(n)) return MEMBRANE_ERESPONSE;
        to[i] = (float)mb_json_double(n, 0);
    }
    vector_done(turn, numbers->count);
    return 0;
}

static int base64_digit(unsigned char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+' || c == '-') return 62;
    if (c == '/' || c == '_') return 63;
    return -1;
}

// Bytes of a base64 text into to (room for 3 of each 4); false: it is none.
static bool base64_bytes(const char *text, size_t len, unsigned char *to, size_t *ret_len) {
    while (len && text[len - 1] == '=') len--;
    uint32_t bits = 0;
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        int digit = base64_digit((unsigned char)text[i]);
        if (digit < 0) return false;
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4 != 0) to[n++] = (unsigned char)(bits >> (6 - 2 * (i % 4)));
    }
    *ret_len = n;
    return len % 4 != 1;
}

static float float_at(const unsigned char *p) {
    uint32_t bits = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    float f;
    memcpy(&f, &bits, sizeof f);
    return isfinite(f) ? f : 0;
}

int mb_turn_vector_base64(mb_turn *turn, const char *text, size_t len, bool int8) {
    unsigned char *bytes = mb_malloc(len / 4 * 3 + 4);
    if (!bytes) return MEMBRANE_ENOMEM;
    size_t count, size = int8 ? 1 : sizeof(float);
    float *to;
    int status = base64_bytes(text, len, bytes, &count) && count % size == 0 ? 0 : MEMBRANE_ERESPONSE;
    if (status == 0) status = vector_room(turn, count / size, &to);
    if (status == 0) {
        for (size_t i = 0; i < count / size; i++) to[i] = int8 ? (float)(signed char)bytes[i] : float_at(bytes + 4 * i);
        vector_done(turn, count / size);
    }
    mb_free(bytes);
    return status;
}

// ---- the rest ------------------------------------------------------------------------------------------------------

void mb_turn_warn(mb_turn *turn, const char *format, ...) {
    mb_buf text = MB_BUF(MB_LIMIT_ERROR_TEXT);
    va_list args;
    va_start(args, format);
    mb_buf_vputf(&text, format, args);
    va_end(args);
    if (mb_buf_ok(&text)) { // a warning that does not fit in memory is not worth the answer
        if (turn->warnings.len) mb_buf_putc(&turn->warnings, ',');
        mb_jw w = mb_jw_to(&turn->warnings);
        mb_jw_strn(&w, mb_buf_text(&text), text.len);
    }
    mb_buf_free(&text);
}

const char *mb_finish_name(mb_finish finish) {
    static const char *const NAMES[] = {
        [MB_FINISH_STOP] = "stop",
        [MB_FINISH_LENGTH] = "length",
        [MB_FINISH_TOOL_CALLS] = "tool_calls",
        [MB_FINISH_CONTENT_FILTER] = "content_filter",
        [MB_FINISH_ERROR] = "error",
    };
    return finish < MB_COUNT(NAMES) ? NAMES[finish] : NULL;
}

int mb_turn_no_answer(mb_turn *turn, const char *provider, const char *text, size_t len) {
    return mb_error_set(&turn->error, MEMBRANE_ERESPONSE, "%s answered 200 with something else than an answer: %.*s",
                        provider, (int)(len < 200 ? len : 200), text);
}
