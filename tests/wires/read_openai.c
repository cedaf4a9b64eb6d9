// SPDX-License-Identifier: MIT
// Requests of OpenAI's chat completions, completions and embeddings.
#include <string.h>

#include "base/alloc.h"
#include "read.h"

static bool is(const mb_json *part, const char *type) { return mb_json_str_is(mb_json_get(part, "type"), type); }

static bool is_one_of(const char *key, const char *const *list) {
    for (; *list; list++)
        if (strcmp(*list, key) == 0) return true;
    return false;
}

// ---- content -------------------------------------------------------------------------------------------------------

static void put_cache(mb_jw *w, const mb_json *mark) {
    const mb_json *ttl = mb_json_get(mark, "ttl");
    if (!mark) return;
    mb_jw_key(w, "cache");
    if (!ttl) {
        mb_jw_bool(w, true);
        return;
    }
    mb_jw_object(w);
    mb_jw_kvalue_if(w, "ttl", ttl);
    mb_jw_end_object(w);
}

static void put_raw(mb_jw *w, const mb_json *part) {
    mb_jw_kstr(w, "type", "raw");
    mb_jw_key(w, "raw");
    mb_jw_value(w, part);
}

static void put_part(mb_jw *w, const mb_json *part) {
    mb_jw_object(w);
    if (is(part, "text") && part->count == (mb_json_get(part, "cache_control") ? 3 : 2)) {
        mb_jw_kstr(w, "type", "text");
        mb_jw_kvalue_if(w, "text", mb_json_get(part, "text"));
        put_cache(w, mb_json_get(part, "cache_control"));
    } else if (is(part, "image_url") && part->count == 2 && mb_json_get_str(mb_json_get(part, "image_url"), "url")) {
        mb_jw_kstr(w, "type", "image_url");
        mb_jw_kvalue_if(w, "image_url", mb_json_get(part, "image_url"));
    } else {
        put_raw(w, part);
    }
    mb_jw_end_object(w);
}

static void put_content(mb_jw *w, const mb_json *content, bool may_be_null) {
    mb_jw_key(w, "content");
    if (!mb_json_is(content, MB_JSON_ARRAY)) {
        if (mb_json_is(content, MB_JSON_STRING))
            mb_jw_value(w, content);
        else if (may_be_null)
            mb_jw_null(w);
        else
            mb_jw_str(w, "");
        return;
    }
    mb_jw_array(w);
    for (uint32_t i = 0; i < content->count; i++) put_part(w, &content->children[i]);
    mb_jw_end_array(w);
}

// ---- messages ------------------------------------------------------------------------------------------------------

static void put_call(mb_jw *w, const mb_json *call) {
    const mb_json *function = mb_json_get(call, "function");
    mb_jw_object(w);
    mb_jw_kvalue_if(w, "id", mb_json_get(call, "id"));
    mb_jw_kstr(w, "type", "function");
    mb_jw_key(w, "function");
    mb_jw_object(w);
    mb_jw_kvalue_if(w, "name", mb_json_get(function, "name"));
    mb_jw_kvalue_if(w, "arguments", mb_json_get(function, "arguments"));
    mb_jw_end_object(w);
    mb_jw_end_object(w);
}

static void put_others(mb_jw *w, const char *name, const mb_json *object, const char *const *known) {
    bool open = false;
    for (uint32_t i = 0; i < object->count; i++) {
        if (is_one_of(object->children[i].key, known)) continue;
        if (!open) {
            mb_jw_key(w, name);
            mb_jw_object(w);
        }
        open = true;
        mb_jw_key(w, object->children[i].key);
        mb_jw_value(w, &object->children[i]);
    }
    if (open) mb_jw_end_object(w);
}

static bool is_null(const mb_json *v) { return v && v->type == MB_JSON_NULL; }

static void put_message(mb_jw *w, const read_ask *ask, const mb_json *m) {
    static const char *const KNOWN[] = {"role", "content", "name", "tool_calls", "tool_call_id", NULL};
    static const char *const OTHER[] = {"role", "content", "name", NULL}, *const NAMELESS[] = {"role", "content", NULL};
    static const char *const CALL_KNOWN[] = {"id", "type", "function", NULL};
    bool assistant = mb_json_str_is(mb_json_get(m, "role"), "assistant"),
         tool = mb_json_str_is(mb_json_get(m, "role"), "tool");
    const mb_json *calls = mb_json_get(m, "tool_calls");
    mb_jw_object(w);
    mb_jw_kvalue_if(w, "role", mb_json_get(m, "role"));
    put_content(w, mb_json_get(m, "content"), assistant);
    if (mb_json_get_str(m, "name")) mb_jw_kvalue_if(w, "name", mb_json_get(m, "name"));
    mb_jw_kvalue_if(w, "tool_call_id", mb_json_get(m, "tool_call_id"));
    if (assistant && mb_json_is(calls, MB_JSON_ARRAY)) {
        mb_jw_key(w, "tool_calls");
        mb_jw_array(w);
        for (uint32_t i = 0; i < calls->count; i++) put_call(w, &calls->children[i]);
        mb_jw_end_array(w);
    }
    mb_jw_key(w, "provider_data");
    mb_jw_object(w);
    mb_jw_kstr(w, "provider", ask->provider);
    mb_jw_key(w, "fields");
    mb_jw_object(w);
    put_others(w, "message", m, assistant || tool ? KNOWN : is_null(mb_json_get(m, "name")) ? NAMELESS : OTHER);
    mb_jw_key(w, "calls");
    mb_jw_object(w);
    for (uint32_t i = 0; assistant && calls && i < calls->count; i++) {
        const char *id = mb_json_get_str(&calls->children[i], "id");
        if (id) put_others(w, id, &calls->children[i], CALL_KNOWN);
    }
    mb_jw_end_object(w);
    mb_jw_end_object(w);
    mb_jw_end_object(w);
    mb_jw_end_object(w);
}

// ---- tools ---------------------------------------------------------------------------------------------------------

static bool is_plain_tool(const mb_json *tool) {
    static const char *const KNOWN[] = {"name", "description", "parameters", "strict", NULL};
    const mb_json *function = mb_json_get(tool, "function");
    if (tool->count > 2 || !mb_json_is(function, MB_JSON_OBJECT)) return false;
    for (uint32_t i = 0; i < function->count; i++)
        if (!is_one_of(function->children[i].key, KNOWN) || function->children[i].type == MB_JSON_NULL) return false;
    return true;
}

static void put_tools(mb_jw *w, const mb_json *tools) {
    if (!mb_json_is(tools, MB_JSON_ARRAY)) return;
    mb_jw_key(w, "tools");
    mb_jw_array(w);
    for (uint32_t i = 0; i < tools->count; i++) {
        mb_jw_object(w);
        if (is_plain_tool(&tools->children[i])) {
            mb_jw_kstr(w, "type", "function");
            mb_jw_kvalue_if(w, "function", mb_json_get(&tools->children[i], "function"));
        } else {
            put_raw(w, &tools->children[i]);
        }
        mb_jw_end_object(w);
    }
    mb_jw_end_array(w);
}

// ---- the request ---------------------------------------------------------------------------------------------------

// A field that our request has a word for, if the row can say it.
static bool can_say(const read_ask *ask, const char *key) {
    for (const char *const *p = ask->quirks->unsupported; *p; p++)
        if (strcmp(*p, key) == 0) return false;
    for (const char *const *p = ask->quirks->drop; *p; p++)
        if (strcmp(*p, key) == 0) return false;
    return true;
}

static void read_sampling(const read_ask *ask, mb_jw *out, const char **known, size_t *count) {
    static const char *const SAME[] = {"temperature",         "top_p",          "stop", "seed", "tool_choice",
                                       "parallel_tool_calls", "response_format"};
    for (size_t i = 0; i < MB_COUNT(SAME); i++) {
        bool chat_only = i >= 4;
        const mb_json *v = mb_json_get(ask->body, SAME[i]);
        if (!can_say(ask, SAME[i]) || (chat_only && ask->kind != MB_ASK_CHAT)) continue;
        if (!read_is_canonical(ask->kind, SAME[i], v)) continue; // a server's own form: as extra_body
        read_copy(out, ask->body, SAME[i], SAME[i]);
        known[(*count)++] = SAME[i];
    }
    const char *keys[] = {"max_completion_tokens", "max_tokens"};
    for (size_t i = 0; i < MB_COUNT(keys); i++) {
        if (!read_is_canonical(ask->kind, "max_tokens", mb_json_get(ask->body, keys[i]))) continue;
        read_copy(out, ask->body, keys[i], "max_tokens");
        known[(*count)++] = keys[i];
        break;
    }
    const char *thinking = ask->quirks->thinking_key;
    if (thinking && strcmp(thinking, "reasoning_effort") == 0 &&
        read_is_canonical(ask->kind, "thinking", mb_json_get(ask->body, thinking))) {
        read_copy(out, ask->body, thinking, "thinking");
        known[(*count)++] = thinking;
    }
}

static bool read_chat(const read_ask *ask, mb_jw *out) {
    const char *known[32] = {"model", "messages", "stream"};
    size_t count = 3;
    const mb_json *messages = mb_json_get(ask->body, "messages");
    if (!mb_json_is(messages, MB_JSON_ARRAY)) return false;
    *ask->ret_stream = mb_json_bool(mb_json_get(ask->body, "stream"), false);
    read_model(ask, mb_json_get_str(ask->body, "model"));
    mb_jw_key(out, "messages");
    mb_jw_array(out);
    for (uint32_t i = 0; i < messages->count; i++) put_message(out, ask, &messages->children[i]);
    mb_jw_end_array(out);
    put_tools(out, mb_json_get(ask->body, "tools"));
    if (mb_json_is(mb_json_get(ask->body, "tools"), MB_JSON_ARRAY)) known[count++] = "tools";
    read_sampling(ask, out, known, &count);
    read_extra(out, ask->body, known);
    return true;
}

static bool read_completion(const read_ask *ask, mb_jw *out) {
    const char *known[32] = {"model", "stream", "prompt"};
    const mb_json *prompt = mb_json_get(ask->body, "prompt");
    size_t count = mb_json_is(prompt, MB_JSON_STRING) ? 3 : 2;
    known[count] = NULL;
    *ask->ret_stream = mb_json_bool(mb_json_get(ask->body, "stream"), false);
    read_model(ask, mb_json_get_str(ask->body, "model"));
    mb_jw_kstr(out, "prompt", mb_json_str(prompt) ? mb_json_str(prompt) : ""); // a list goes as it is, as extra_body
    read_sampling(ask, out, known, &count);
    read_extra(out, ask->body, known);
    return prompt != NULL;
}

static bool read_embed(const read_ask *ask, mb_jw *out) {
    static const char *const KNOWN[] = {"model", "input", "dimensions", NULL};
    read_model(ask, mb_json_get_str(ask->body, "model"));
    read_copy(out, ask->body, "input", "input");
    read_copy(out, ask->body, "dimensions", "dimensions");
    read_extra(out, ask->body, KNOWN);
    return mb_json_get(ask->body, "input") != NULL;
}

const wire_reader READERS_OPENAI[] = {
    {"chat.completions", read_chat, MB_ASK_CHAT},
    {"completions", read_completion, MB_ASK_COMPLETION},
    {"embeddings", read_embed, MB_ASK_EMBED},
    {"rerank", read_rerank, MB_ASK_RERANK},
    {0},
};
