// SPDX-License-Identifier: MIT
#include "conversation.h"

#include <string.h>

#include "base/limits.h"
#include "route/request.h"
#include "route/write.h"

const mb_json *wire_write(const wire_row *row, const mb_json *request, mb_arena *arena, mb_buf *why) {
    mb_wire wire = {.url = MB_BUF(65536), .body = MB_BUF(MB_LIMIT_REQUEST), .headers = MB_BUF(65536)};
    mb_buf warnings = MB_BUF(1 << 20);
    mb_ask ask = {.kind = MB_ASK_CHAT, .request = request, .provider = row->kind, .model = "m", .warnings = &warnings};
    membrane_error *err = NULL;
    const mb_json *body = NULL;
    ask.base_url = "http://127.0.0.1/v1";
    int status = mb_quirks_load(arena, row->kind, NULL, &ask.quirks, &err);
    if (status == 0) status = mb_adapter_find(ask.quirks->wire)->write(&ask, &wire, &err);
    if (status != 0)
        mb_buf_putf(why, "%s does not write it: %s", row->kind, membrane_error_message(err));
    else if (mb_json_parse(arena, mb_buf_text(&wire.body), wire.body.len, &body, NULL) != 0)
        mb_buf_putf(why, "%s writes what is no JSON", row->kind);
    membrane_error_free(err);
    mb_buf_free(&wire.url);
    mb_buf_free(&wire.body);
    mb_buf_free(&wire.headers);
    mb_buf_free(&warnings);
    return body;
}

const mb_json *wire_read(const wire_row *row, const mb_json *body, mb_arena *arena, mb_buf *why) {
    mb_buf text = MB_BUF(MB_LIMIT_REQUEST);
    mb_jw w = mb_jw_to(&text);
    const mb_json *request = NULL;
    const mb_quirks *quirks;
    membrane_error *err = NULL;
    mb_ask_kind kind;
    bool stream = false;
    char model[256] = "";
    if (mb_quirks_load(arena, row->kind, NULL, &quirks, NULL) != 0) return NULL;
    const wire_reader *reader = wire_reader_find(quirks->wire, row->api);
    read_ask ask = {MB_ASK_CHAT, row->kind, quirks, NULL, body, &stream, model};
    mb_jw_object(&w);
    bool good = reader && reader->read(&ask, &w);
    mb_jw_kbool(&w, "drop_unsupported", true);
    mb_jw_end_object(&w);
    if (!good)
        mb_buf_putf(why, "%s: nobody reads it", row->kind);
    else if (mb_json_parse(arena, mb_buf_text(&text), text.len, &request, &err) != 0 ||
             mb_request_check(request, &kind, &err) != 0)
        mb_buf_putf(why, "%s: read again it is refused: %s in %s", row->kind, membrane_error_message(err),
                    mb_buf_text(&text)),
            request = NULL;
    membrane_error_free(err);
    mb_buf_free(&text);
    return request;
}

// ---- telling -------------------------------------------------------------------------------------------------------

static const char *str(const mb_json *v, const char *key) {
    const char *text = mb_json_get_str(v, key);
    return text ? text : "";
}

static const char *name_of_call(const mb_json *messages, uint32_t before, const char *id) {
    for (uint32_t i = before; i-- > 0;) {
        const mb_json *calls = mb_json_get(&messages->children[i], "tool_calls");
        for (uint32_t k = 0; calls && k < calls->count; k++)
            if (strcmp(str(&calls->children[k], "id"), id) == 0) return mb_call_name(&calls->children[k]);
    }
    return "nobody";
}

// As the wires may have to call it: odd characters replaced, and no hash behind.
static void put_name(mb_buf *out, const char *name) {
    size_t len = strlen(name);
    if (len > 9 && name[len - 9] == '_' && strspn(name + len - 8, "0123456789abcdef") == 8) len -= 9;
    for (size_t i = 0; i < len; i++) mb_buf_putc(out, strchr("./", name[i]) ? '_' : name[i]);
}

static void tell_call(const mb_json *call, mb_buf *out) {
    mb_arena arena = {0};
    const mb_json *tree = NULL, *arguments = mb_json_get(mb_json_get(call, "function"), "arguments");
    mb_buf_puts(out, "\ncall ");
    put_name(out, mb_call_name(call));
    mb_buf_putc(out, ' ');
    if (arguments && mb_json_parse(&arena, arguments->str, arguments->len, &tree, NULL) == 0 &&
        tree->type == MB_JSON_OBJECT) {
        mb_jw w = mb_jw_to(out);
        mb_jw_value(&w, tree);
    } else {
        mb_buf_puts(out, "{}");
    }
    mb_arena_free(&arena);
}

static void put_squeezed(mb_buf *out, const mb_buf *text) {
    for (size_t i = 0; i < text->len; i++)
        if (text->data[i] != '\n') mb_buf_putc(out, text->data[i]); // how pieces are joined is the wire's affair
}

void conversation_tell(const mb_json *request, mb_buf *out) {
    const mb_json *messages = mb_json_get(request, "messages");
    const char *last = "";
    for (uint32_t i = 0; messages && i < messages->count; i++) {
        const mb_json *m = &messages->children[i], *calls = mb_json_get(m, "tool_calls");
        const char *role = str(m, "role");
        mb_buf text = MB_BUF(MB_LIMIT_REQUEST);
        mb_content_put_text(&text, mb_json_get(m, "content"));
        if (strcmp(role, "tool") == 0) {
            mb_buf_puts(out, "\nresult of ");
            put_name(out, name_of_call(messages, i, str(m, "tool_call_id")));
            mb_buf_puts(out, ": ");
            last = "tool";
        } else if (text.len && strcmp(role, last) != 0) {
            mb_buf_putf(out, "\n%s: ", role);
            last = role;
        }
        put_squeezed(out, &text);
        for (uint32_t k = 0; calls && k < calls->count; k++) tell_call(&calls->children[k], out), last = "call";
        mb_buf_free(&text);
    }
}

// ---- strict servers ------------------------------------------------------------------------------------------------

static uint32_t count_of(const mb_json *list) { return mb_json_is(list, MB_JSON_ARRAY) ? list->count : 0; }

static bool is_role(const mb_json *m, const char *role) { return mb_json_str_is(mb_json_get(m, "role"), role); }

// OpenAI, Cohere: each call is answered once, directly behind its message, before anybody else speaks.
static void strict_messages(const mb_json *messages, mb_buf *why) {
    for (uint32_t i = 0; i < count_of(messages); i++) {
        const mb_json *m = &messages->children[i], *calls = mb_json_get(m, "tool_calls");
        if (is_role(m, "tool")) mb_buf_putf(why, "messages.%u is a result of no call; ", (unsigned)i);
        uint32_t n = count_of(calls);
        for (uint32_t k = 0; k < n; k++) {
            bool answered = false;
            for (uint32_t j = i + 1; j <= i + n && j < messages->count; j++)
                answered |= is_role(&messages->children[j], "tool") &&
                            strcmp(str(&messages->children[j], "tool_call_id"), str(&calls->children[k], "id")) == 0;
            if (!answered) mb_buf_putf(why, "messages.%u: call %u has no result behind it; ", (unsigned)i, (unsigned)k);
        }
        i += n;
    }
}

static bool has_member(const mb_json *block, const char *key, const char *type) {
    return key ? mb_json_get(block, key) != NULL : mb_json_str_is(mb_json_get(block, "type"), type);
}

static uint32_t blocks_with(const mb_json *content, const char *key, const char *type, bool only_first) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < count_of(content); i++) {
        if (has_member(&content->children[i], key, type))
            n++;
        else if (only_first)
            break;
    }
    return n;
}

// Anthropic, Converse: roles take turns and begin with the user; all results of a turn's calls stand first in the next.
static void strict_turns(const mb_json *messages, const char *use_key, const char *use, const char *result_key,
                         const char *result, mb_buf *why) {
    for (uint32_t i = 0; i < count_of(messages); i++) {
        const mb_json *m = &messages->children[i], *content = mb_json_get(m, "content");
        if (!is_role(m, i % 2 ? "assistant" : "user")) mb_buf_putf(why, "messages.%u: out of turn; ", (unsigned)i);
        if (count_of(content) == 0 && !(mb_json_is(content, MB_JSON_STRING) && content->len))
            mb_buf_putf(why, "messages.%u: empty; ", (unsigned)i);
        for (uint32_t k = 0; k < count_of(content); k++)
            if (mb_json_get(&content->children[k], "text") && !*str(&content->children[k], "text"))
                mb_buf_putf(why, "messages.%u: an empty text block; ", (unsigned)i);
        uint32_t uses = blocks_with(content, use_key, use, false);
        const mb_json *next = i + 1 < messages->count ? &messages->children[i + 1] : NULL;
        if (uses && blocks_with(mb_json_get(next, "content"), result_key, result, true) != uses)
            mb_buf_putf(why, "messages.%u: its calls are not all answered first in the next turn; ", (unsigned)i);
        uint32_t results = blocks_with(content, result_key, result, false);
        const mb_json *before = i ? mb_json_get(&messages->children[i - 1], "content") : NULL;
        if (results != blocks_with(before, use_key, use, false))
            mb_buf_putf(why, "messages.%u: results of no call; ", (unsigned)i);
    }
}

static void strict_gemini(const mb_json *contents, mb_buf *why) {
    for (uint32_t i = 0; i < count_of(contents); i++) {
        const mb_json *m = &contents->children[i], *parts = mb_json_get(m, "parts");
        const mb_json *next = i + 1 < contents->count ? mb_json_get(&contents->children[i + 1], "parts") : NULL;
        uint32_t calls = blocks_with(parts, "functionCall", NULL, false);
        if (count_of(parts) == 0) mb_buf_putf(why, "contents.%u: without parts; ", (unsigned)i);
        if (i == 0 && !is_role(m, "user")) mb_buf_puts(why, "contents does not begin with the user; ");
        const mb_json *before = i ? mb_json_get(&contents->children[i - 1], "parts") : NULL; // results stand alone
        if (i && is_role(m, str(&contents->children[i - 1], "role")) &&
            !blocks_with(before, "functionResponse", NULL, false))
            mb_buf_putf(why, "contents.%u: out of turn; ", (unsigned)i);
        if (calls && blocks_with(next, "functionResponse", NULL, false) != calls)
            mb_buf_putf(why, "contents.%u: not as many responses as calls in the next turn; ", (unsigned)i);
    }
}

static void strict_responses(const mb_json *input, mb_buf *why) {
    for (uint32_t i = 0; i < count_of(input); i++) {
        const mb_json *item = &input->children[i];
        bool is_call = has_member(item, NULL, "function_call"),
             is_result = has_member(item, NULL, "function_call_output");
        uint32_t twins = 0;
        for (uint32_t j = 0; (is_call || is_result) && j < input->count; j++) {
            const mb_json *other = &input->children[j];
            bool fits = is_call ? j > i && has_member(other, NULL, "function_call_output")
                                : j < i && has_member(other, NULL, "function_call");
            twins += fits && strcmp(str(other, "call_id"), str(item, "call_id")) == 0;
        }
        if ((is_call || is_result) && twins != 1)
            mb_buf_putf(why, "input.%u: a call or result without its twin; ", (unsigned)i);
    }
}

void wire_strict(const wire_row *row, const mb_json *body, mb_buf *why) {
    const mb_json *messages = mb_json_get(body, "messages");
    if (strcmp(row->api, "messages") == 0)
        strict_turns(messages, NULL, "tool_use", NULL, "tool_result", why);
    else if (strcmp(row->api, "converse") == 0)
        strict_turns(messages, "toolUse", NULL, "toolResult", NULL, why);
    else if (strcmp(row->api, "generateContent") == 0)
        strict_gemini(mb_json_get(body, "contents"), why);
    else if (strcmp(row->api, "responses") == 0)
        strict_responses(mb_json_get(body, "input"), why);
    else if (strcmp(row->api, "ollama.chat") != 0)
        strict_messages(messages, why);
}
