// SPDX-License-Identifier: MIT
// Requests of Cohere: conversations of both versions of its API, embeddings, and reranking as everybody asks for it.
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "read.h"

static bool is(const mb_json *v, const char *type) { return mb_json_str_is(mb_json_get(v, "type"), type); }

static bool has_only(const mb_json *object, const char *const *known) {
    if (!mb_json_is(object, MB_JSON_OBJECT)) return false;
    for (uint32_t i = 0; i < object->count; i++) {
        bool found = false;
        for (const char *const *k = known; *k; k++) found |= strcmp(*k, object->children[i].key) == 0;
        if (!found) return false;
    }
    return true;
}

// ---- content -------------------------------------------------------------------------------------------------------

static void put_part(mb_jw *w, const mb_json *part) {
    static const char *const TEXT[] = {"type", "text", NULL}, *const IMAGE[] = {"type", "image_url", NULL};
    static const char *const URL[] = {"url", "detail", NULL};
    const char *text = mb_json_get_str(part, "text");
    const mb_json *image = mb_json_get(part, "image_url"), *detail = mb_json_get(image, "detail");
    bool is_known = mb_json_get_str(image, "url") && has_only(image, URL) && (!detail || mb_json_str(detail));
    mb_jw_object(w);
    if (is(part, "text") && text && *text && has_only(part, TEXT)) {
        mb_jw_kstr(w, "type", "text");
        mb_jw_kvalue_if(w, "text", mb_json_get(part, "text"));
    } else if (is(part, "image_url") && is_known && has_only(part, IMAGE)) {
        mb_jw_kstr(w, "type", "image_url");
        mb_jw_kvalue_if(w, "image_url", mb_json_get(part, "image_url"));
    } else {
        mb_jw_kstr(w, "type", "raw");
        mb_jw_kvalue_if(w, "raw", part);
    }
    mb_jw_end_object(w);
}

static void put_content(mb_jw *w, const mb_json *content) {
    mb_jw_key(w, "content");
    if (!mb_json_is(content, MB_JSON_ARRAY)) {
        mb_jw_str(w, mb_json_str(content) ? mb_json_str(content) : "");
        return;
    }
    mb_jw_array(w);
    for (uint32_t i = 0; i < content->count; i++) put_part(w, &content->children[i]);
    mb_jw_end_array(w);
}

// ---- an assistant's turn -------------------------------------------------------------------------------------------

static bool has_thinking(const mb_json *content) {
    for (uint32_t i = 0; mb_json_is(content, MB_JSON_ARRAY) && i < content->count; i++)
        if (is(&content->children[i], "thinking")) return true;
    return false;
}

static void put_calls(mb_jw *w, const mb_json *calls) {
    if (!mb_json_is(calls, MB_JSON_ARRAY)) return;
    mb_jw_key(w, "tool_calls");
    mb_jw_value(w, calls);
}

static void put_block(mb_jw *w, const char *key, const mb_json *v, size_t len) {
    mb_jw_object(w);
    mb_jw_key(w, key);
    if (v)
        mb_jw_value(w, v);
    else
        mb_jw_int(w, (int64_t)len);
    mb_jw_end_object(w);
}

// What a message has beside text and calls, or between them, is a list of blocks.
static void put_blocks(mb_jw *w, const read_ask *ask, const mb_json *m) {
    static const char *const KNOWN[] = {"role", "content", "tool_calls", NULL};
    const mb_json *content = mb_json_get(m, "content"), *calls = mb_json_get(m, "tool_calls");
    bool thinks = has_thinking(content);
    if (has_only(m, KNOWN) && !thinks) return;
    mb_jw_key(w, "provider_data");
    mb_jw_object(w);
    mb_jw_kstr(w, "provider", ask->provider);
    mb_jw_key(w, "fields");
    mb_jw_object(w);
    mb_jw_key(w, "blocks");
    mb_jw_array(w);
    for (uint32_t i = 0; i < m->count; i++) {
        const mb_json *member = &m->children[i];
        if (strcmp(member->key, "tool_plan") != 0 && strcmp(member->key, "citations") != 0) continue;
        mb_jw_object(w);
        mb_jw_key(w, "raw");
        mb_jw_object(w);
        mb_jw_kvalue_if(w, member->key, member);
        mb_jw_end_object(w);
        mb_jw_end_object(w);
    }
    for (uint32_t i = 0; mb_json_is(content, MB_JSON_ARRAY) && i < content->count; i++) {
        const mb_json *part = &content->children[i], *text = mb_json_get(part, "text");
        put_block(w, is(part, "text") ? "text" : "raw", is(part, "text") ? NULL : part, text ? text->len : 0);
    }
    if (mb_json_is(content, MB_JSON_STRING)) put_block(w, "text", NULL, content->len);
    for (uint32_t i = 0; mb_json_is(calls, MB_JSON_ARRAY) && i < calls->count; i++)
        put_block(w, "call", mb_json_get(&calls->children[i], "id"), 0);
    mb_jw_end_array(w);
    mb_jw_end_object(w);
    mb_jw_end_object(w);
}

// With thinking between the texts, the text is one string: the blocks say how it comes apart.
static void put_joined(mb_jw *w, const mb_json *content) {
    mb_buf text = MB_BUF(1 << 26);
    for (uint32_t i = 0; i < content->count; i++) {
        const mb_json *t = mb_json_get(&content->children[i], "text");
        if (is(&content->children[i], "text") && mb_json_is(t, MB_JSON_STRING)) mb_buf_put(&text, t->str, t->len);
    }
    mb_jw_key(w, "content");
    mb_jw_strn(w, mb_buf_text(&text), text.len);
    mb_buf_free(&text);
}

static void put_message(mb_jw *w, const read_ask *ask, const mb_json *m) {
    const mb_json *content = mb_json_get(m, "content");
    mb_jw_object(w);
    mb_jw_kvalue_if(w, "role", mb_json_get(m, "role"));
    mb_jw_kvalue_if(w, "tool_call_id", mb_json_get(m, "tool_call_id"));
    if (has_thinking(content))
        put_joined(w, content);
    else
        put_content(w, content);
    if (mb_json_str_is(mb_json_get(m, "role"), "assistant")) {
        put_calls(w, mb_json_get(m, "tool_calls"));
        put_blocks(w, ask, m);
    }
    mb_jw_end_object(w);
}

// ---- parameters ----------------------------------------------------------------------------------------------------

static bool put_tools(mb_jw *w, const mb_json *tools) {
    static const char *const TOOL[] = {"type", "function", NULL}, *const FUNCTION[] = {"name", "description",
                                                                                       "parameters", NULL};
    if (!mb_json_is(tools, MB_JSON_ARRAY) || tools->count == 0) return false;
    mb_jw_key(w, "tools");
    mb_jw_array(w);
    for (uint32_t i = 0; i < tools->count; i++) {
        const mb_json *tool = &tools->children[i], *function = mb_json_get(tool, "function");
        const mb_json *description = mb_json_get(function, "description"),
                      *schema = mb_json_get(function, "parameters");
        bool plain = is(tool, "function") && has_only(tool, TOOL) && mb_json_get_str(function, "name") &&
                     has_only(function, FUNCTION) && (!description || mb_json_str(description)) &&
                     (!schema || schema->type == MB_JSON_OBJECT);
        mb_jw_object(w);
        mb_jw_kstr(w, "type", plain ? "function" : "raw");
        mb_jw_kvalue_if(w, plain ? "function" : "raw", plain ? function : tool);
        mb_jw_end_object(w);
    }
    mb_jw_end_array(w);
    return true;
}

static bool read_choice(const read_ask *ask, mb_jw *out) {
    const mb_json *choice = mb_json_get(ask->body, "tool_choice");
    bool none = mb_json_str_is(choice, "NONE");
    if (!none && !mb_json_str_is(choice, "REQUIRED")) return false;
    mb_jw_kstr(out, "tool_choice", none ? "none" : "required");
    return true;
}

static bool read_format(const read_ask *ask, mb_jw *out, const char *schema_key) {
    const mb_json *format = mb_json_get(ask->body, "response_format"), *schema = mb_json_get(format, schema_key);
    if (!mb_json_get_str(format, "type") || format->count > (schema ? 2 : 1)) return false;
    mb_jw_key(out, "response_format");
    mb_jw_object(out);
    mb_jw_kstr(out, "type", schema ? "json_schema" : mb_json_get_str(format, "type"));
    if (schema) {
        mb_jw_key(out, "json_schema");
        mb_jw_object(out);
        mb_jw_kvalue_if(out, "schema", schema);
        mb_jw_end_object(out);
    }
    mb_jw_end_object(out);
    return true;
}

static bool read_thinking(const read_ask *ask, mb_jw *out) {
    const mb_json *thinking = mb_json_get(ask->body, "thinking"), *budget = mb_json_get(thinking, "token_budget");
    static const char *const KNOWN[] = {"type", "token_budget", NULL};
    bool is_known = is(thinking, "enabled") || (is(thinking, "disabled") && !budget);
    if (!is_known || !has_only(thinking, KNOWN) || (budget && mb_json_int(budget, 0) < 1)) return false;
    mb_jw_key(out, "thinking");
    if (!budget) {
        mb_jw_bool(out, is(thinking, "enabled"));
        return true;
    }
    mb_jw_object(out);
    mb_jw_kvalue_if(out, "budget_tokens", budget);
    mb_jw_end_object(out);
    return true;
}

static const struct {
    const char *theirs, *ours;
} SAME[] = {{"max_tokens", "max_tokens"},
            {"temperature", "temperature"},
            {"p", "top_p"},
            {"stop_sequences", "stop"},
            {"seed", "seed"}};

static void read_sampling(const read_ask *ask, mb_jw *out, const char **known, size_t *count) {
    for (size_t i = 0; i < MB_COUNT(SAME); i++) {
        if (!read_is_canonical(ask->kind, SAME[i].ours, mb_json_get(ask->body, SAME[i].theirs))) continue;
        read_copy(out, ask->body, SAME[i].theirs, SAME[i].ours);
        known[(*count)++] = SAME[i].theirs;
    }
}

// ---- requests ------------------------------------------------------------------------------------------------------

static bool are_known_calls(const mb_json *calls) {
    static const char *const CALL[] = {"id", "type", "function", NULL}, *const FUNCTION[] = {"name", "arguments", NULL};
    if (!mb_json_is(calls, MB_JSON_ARRAY) || calls->count == 0) return false;
    for (uint32_t i = 0; i < calls->count; i++) {
        const mb_json *call = &calls->children[i], *function = mb_json_get(call, "function");
        if (!is(call, "function") || !mb_json_get_str(call, "id") || !has_only(call, CALL)) return false;
        if (!mb_json_get_str(function, "name") || !mb_json_get_str(function, "arguments")) return false;
        if (!has_only(function, FUNCTION)) return false;
    }
    return true;
}

static bool is_known_message(const mb_json *m) {
    static const char *const SAID[] = {"role", "content", NULL}, *const RESULT[] = {"role", "content", "tool_call_id",
                                                                                    NULL};
    static const char *const TURN[] = {"role", "content", "tool_calls", "tool_plan", "citations", NULL};
    const mb_json *role = mb_json_get(m, "role"), *calls = mb_json_get(m, "tool_calls");
    if (mb_json_str_is(role, "tool")) return has_only(m, RESULT) && mb_json_get_str(m, "tool_call_id");
    if (mb_json_str_is(role, "assistant")) return has_only(m, TURN) && (!calls || are_known_calls(calls));
    return has_only(m, SAID) && (mb_json_str_is(role, "user") || mb_json_str_is(role, "system"));
}

// How many results of these calls follow directly; more or fewer than there are calls cannot be said.
static bool are_answered(const mb_json *messages, uint32_t at, uint32_t *ret_results) {
    const mb_json *calls = mb_json_get(&messages->children[at], "tool_calls");
    uint32_t n = 0;
    for (; at + 1 + n < messages->count; n++) {
        const mb_json *id = mb_json_get(&messages->children[at + 1 + n], "tool_call_id");
        bool found = false;
        for (uint32_t i = 0; calls && i < calls->count && id; i++)
            found |= mb_json_equal(id, mb_json_get(&calls->children[i], "id"));
        if (!found) break;
    }
    *ret_results = n;
    return n == (calls ? calls->count : 0);
}

// What cannot be said stays in the provider's words.
static bool is_sayable(const mb_json *messages) {
    uint32_t results;
    for (uint32_t i = 0; i < messages->count; i += 1 + results) {
        const mb_json *m = &messages->children[i];
        if (!is_known_message(m) || mb_json_get(m, "tool_call_id") || !are_answered(messages, i, &results))
            return false;
        for (uint32_t j = 0; j < results; j++)
            if (!is_known_message(m + 1 + j)) return false;
    }
    return true;
}

static void put_messages(mb_jw *out, const read_ask *ask, const mb_json *messages, bool is_raw) {
    mb_jw_key(out, "messages");
    mb_jw_array(out);
    if (is_raw) {
        mb_jw_object(out);
        mb_jw_kstr(out, "role", "user");
        mb_jw_kstr(out, "content", "");
        mb_jw_end_object(out);
    }
    for (uint32_t i = 0; i < messages->count && !is_raw; i++) put_message(out, ask, &messages->children[i]);
    mb_jw_end_array(out);
}

static bool read_chat(const read_ask *ask, mb_jw *out) {
    const char *known[32] = {"model", "stream"};
    size_t count = 2;
    const mb_json *messages = mb_json_get(ask->body, "messages"), *logprobs = mb_json_get(ask->body, "logprobs");
    if (!mb_json_is(messages, MB_JSON_ARRAY)) return false;
    *ask->ret_stream = mb_json_bool(mb_json_get(ask->body, "stream"), false);
    read_model(ask, mb_json_get_str(ask->body, "model"));
    bool is_raw = !is_sayable(messages);
    put_messages(out, ask, messages, is_raw);
    if (!is_raw) known[count++] = "messages";
    bool has_tools = put_tools(out, mb_json_get(ask->body, "tools"));
    if (has_tools) known[count++] = "tools";
    read_sampling(ask, out, known, &count);
    if (has_tools && read_choice(ask, out)) known[count++] = "tool_choice";
    if (read_format(ask, out, "json_schema")) known[count++] = "response_format";
    if (read_thinking(ask, out)) known[count++] = "thinking";
    if (mb_json_is(logprobs, MB_JSON_BOOL)) {
        read_copy(out, ask->body, "logprobs", "logprobs");
        known[count++] = "logprobs";
    }
    read_extra(out, ask->body, known);
    return true;
}

static void put_said(mb_jw *w, const char *role, const mb_json *text) {
    mb_jw_object(w);
    mb_jw_kstr(w, "role", role);
    mb_jw_key(w, "content");
    mb_jw_strn(w, mb_json_str(text) ? text->str : "", mb_json_str(text) ? text->len : 0);
    mb_jw_end_object(w);
}

// Conversations without tools that do not begin with a system message, which would be the preamble; others go as they
// are.
static bool is_plain_history(const mb_json *history, bool has_preamble) {
    static const char *const KNOWN[] = {"role", "message", NULL};
    if (!mb_json_is(history, MB_JSON_ARRAY) || history->count == 0) return false;
    for (uint32_t i = 0; i < history->count; i++) {
        const mb_json *said = &history->children[i], *role = mb_json_get(said, "role");
        bool is_system = mb_json_str_is(role, "SYSTEM") && (i || has_preamble);
        bool is_known = is_system || mb_json_str_is(role, "USER") || mb_json_str_is(role, "CHATBOT");
        if (!is_known || !has_only(said, KNOWN) || !mb_json_get_str(said, "message")) return false;
    }
    return true;
}

static bool read_v1(const read_ask *ask, mb_jw *out) {
    const char *known[32] = {"model", "message", "stream"};
    size_t count = 3;
    const mb_json *history = mb_json_get(ask->body, "chat_history"), *preamble = mb_json_get(ask->body, "preamble");
    bool has_preamble = mb_json_is(preamble, MB_JSON_STRING), is_plain = is_plain_history(history, has_preamble);
    if (!mb_json_is(mb_json_get(ask->body, "message"), MB_JSON_STRING)) return false;
    *ask->ret_stream = mb_json_bool(mb_json_get(ask->body, "stream"), false);
    read_model(ask, mb_json_get_str(ask->body, "model"));
    mb_jw_key(out, "messages");
    mb_jw_array(out);
    if (has_preamble) put_said(out, "system", preamble);
    if (has_preamble) known[count++] = "preamble";
    if (is_plain) known[count++] = "chat_history";
    for (uint32_t i = 0; is_plain && i < history->count; i++) {
        const mb_json *said = &history->children[i], *role = mb_json_get(said, "role");
        bool user = mb_json_str_is(role, "USER"), bot = mb_json_str_is(role, "CHATBOT");
        put_said(out, user ? "user" : bot ? "assistant" : "system", mb_json_get(said, "message"));
    }
    put_said(out, "user", mb_json_get(ask->body, "message"));
    mb_jw_end_array(out);
    read_sampling(ask, out, known, &count);
    if (read_format(ask, out, "schema")) known[count++] = "response_format";
    read_extra(out, ask->body, known);
    return true;
}

// Images, and texts among images, are in Cohere's words only: no text of ours stands beside them.
static bool read_embed(const read_ask *ask, mb_jw *out) {
    const char *known[] = {"model", "texts", "output_dimension", NULL};
    const mb_json *texts = mb_json_get(ask->body, "texts"), *dimensions = mb_json_get(ask->body, "output_dimension");
    bool is_other = !texts && (mb_json_get(ask->body, "inputs") || mb_json_get(ask->body, "images"));
    if (dimensions && dimensions->type == MB_JSON_NULL) known[2] = NULL;
    read_model(ask, mb_json_get_str(ask->body, "model"));
    if (is_other) mb_jw_kstr(out, "input", "");
    read_copy(out, ask->body, "texts", "input");
    read_copy(out, ask->body, "output_dimension", "dimensions");
    read_extra(out, ask->body, known);
    return is_other || mb_json_is(texts, MB_JSON_ARRAY);
}

// Documents with fields of their own are in the server's words; how many there are is ours to know.
static bool put_documents(mb_jw *out, const mb_json *documents) {
    bool are_texts = true;
    if (!mb_json_is(documents, MB_JSON_ARRAY)) return false;
    for (uint32_t i = 0; i < documents->count; i++) are_texts &= documents->children[i].type == MB_JSON_STRING;
    mb_jw_key(out, "documents");
    mb_jw_array(out);
    for (uint32_t i = 0; i < documents->count; i++) {
        const char *text = mb_json_str(&documents->children[i]);
        if (!text) text = mb_json_get_str(&documents->children[i], "text");
        mb_jw_str(out, text ? text : "");
    }
    mb_jw_end_array(out);
    return are_texts;
}

bool read_rerank(const read_ask *ask, mb_jw *out) {
    const char *top_n = ask->quirks->top_n_key ? ask->quirks->top_n_key : "top_n";
    const char *known[5] = {"model", "query"};
    size_t count = 2;
    read_model(ask, mb_json_get_str(ask->body, "model"));
    read_copy(out, ask->body, "query", "query");
    if (put_documents(out, mb_json_get(ask->body, "documents"))) known[count++] = "documents";
    if (read_is_canonical(MB_ASK_RERANK, "top_n", mb_json_get(ask->body, top_n))) {
        read_copy(out, ask->body, top_n, "top_n");
        known[count++] = top_n;
    }
    read_extra(out, ask->body, known);
    return mb_json_get_str(ask->body, "query") != NULL;
}

const wire_reader READERS_COHERE[] = {
    {"cohere.chat", read_chat, MB_ASK_CHAT},
    {"cohere.embed", read_embed, MB_ASK_EMBED},
    {"rerank", read_rerank, MB_ASK_RERANK},
    {0},
};

const wire_reader READERS_COHERE_V1[] = {
    {"cohere.v1.chat", read_v1, MB_ASK_CHAT},
    {0},
};
