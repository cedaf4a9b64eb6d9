// SPDX-License-Identifier: MIT
// Requests of OpenAI's chat completions, completions and embeddings.
#include <string.h>

#include "base/alloc.h"
#include "read.h"
#include "route/write.h"

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

// A mark for the cache as we write it, by a row that takes them.
static bool is_plain_mark(const read_ask *ask, const mb_json *mark) {
    const mb_json *ttl = mb_json_get(mark, "ttl");
    return ask->quirks->cache_parts && is(mark, "ephemeral") && mark->count == (ttl ? 2 : 1) &&
           (!ttl || ttl->type == MB_JSON_STRING);
}

static bool is_plain_text(const read_ask *ask, const mb_json *part) {
    const mb_json *mark = mb_json_get(part, "cache_control");
    return is(part, "text") && mb_json_is(mb_json_get(part, "text"), MB_JSON_STRING) && part->count == (mark ? 3 : 2) &&
           (!mark || is_plain_mark(ask, mark));
}

static bool is_plain_image(const mb_json *part) {
    static const char *const KNOWN[] = {"url", "detail", NULL};
    const mb_json *image = mb_json_get(part, "image_url");
    if (!is(part, "image_url") || part->count != 2 || !mb_json_get_str(image, "url")) return false;
    for (uint32_t i = 0; i < image->count; i++)
        if (!is_one_of(image->children[i].key, KNOWN) || image->children[i].type != MB_JSON_STRING) return false;
    return true;
}

static void put_part(mb_jw *w, const read_ask *ask, const mb_json *part) {
    mb_jw_object(w);
    if (is_plain_text(ask, part)) {
        mb_jw_kstr(w, "type", "text");
        mb_jw_kvalue_if(w, "text", mb_json_get(part, "text"));
        put_cache(w, mb_json_get(part, "cache_control"));
    } else if (is_plain_image(part)) {
        mb_jw_kstr(w, "type", "image_url");
        mb_jw_kvalue_if(w, "image_url", mb_json_get(part, "image_url"));
    } else {
        put_raw(w, part);
    }
    mb_jw_end_object(w);
}

static void put_content(mb_jw *w, const read_ask *ask, const mb_json *content, bool may_be_null) {
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
    for (uint32_t i = 0; i < content->count; i++) put_part(w, ask, &content->children[i]);
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

static void put_message(mb_jw *w, const read_ask *ask, const mb_json *m) {
    static const char *const KNOWN[] = {"role", "content", "name", "tool_calls", "tool_call_id", NULL};
    static const char *const OTHER[] = {"role", "content", "name", NULL}, *const NAMELESS[] = {"role", "content", NULL};
    static const char *const CALL_KNOWN[] = {"id", "type", "function", NULL};
    bool assistant = mb_json_str_is(mb_json_get(m, "role"), "assistant"),
         tool = mb_json_str_is(mb_json_get(m, "role"), "tool");
    const mb_json *calls = mb_json_get(m, "tool_calls");
    const char *name = mb_json_get_str(m, "name");
    bool named = name && *name;
    mb_jw_object(w);
    mb_jw_kvalue_if(w, "role", mb_json_get(m, "role"));
    put_content(w, ask, mb_json_get(m, "content"), assistant);
    if (named) mb_jw_kvalue_if(w, "name", mb_json_get(m, "name"));
    if (tool) mb_jw_kvalue_if(w, "tool_call_id", mb_json_get(m, "tool_call_id"));
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
    put_others(w, "message", m, assistant || tool ? KNOWN : named ? OTHER : NAMELESS);
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

// ---- histories that the canonical form has no words for ------------------------------------------------------------

static bool fits(const char *name) {
    char wire_name[MB_WIRE_NAME_MAX + 1];
    if (!name || !*name) return false;
    mb_tool_wire_name(NULL, name, wire_name);
    return strcmp(wire_name, name) == 0;
}

static bool is_plain_call(const mb_json *call) {
    static const char *const KNOWN[] = {"name", "arguments", NULL};
    const mb_json *function = mb_json_get(call, "function"), *type = mb_json_get(call, "type");
    const char *id = mb_json_get_str(call, "id");
    if (!id || !*id || (type && !mb_json_str_is(type, "function")) || !mb_json_is(function, MB_JSON_OBJECT))
        return false;
    for (uint32_t i = 0; i < function->count; i++)
        if (!is_one_of(function->children[i].key, KNOWN)) return false;
    return fits(mb_json_get_str(function, "name")) && mb_json_is(mb_json_get(function, "arguments"), MB_JSON_STRING);
}

static const mb_json *calls_of(const mb_json *message) {
    const mb_json *calls = mb_json_get(message, "tool_calls");
    return mb_json_is(calls, MB_JSON_ARRAY) && calls->count ? calls : NULL;
}

// How many of the messages from there on are results.
static uint32_t count_results(const mb_json *messages, uint32_t from) {
    uint32_t n = 0;
    while (from + n < messages->count && mb_json_str_is(mb_json_get(&messages->children[from + n], "role"), "tool"))
        n++;
    return n;
}

// Whether each call of the message has its result directly behind it, and nothing else stands there.
static bool is_answered(const mb_json *messages, uint32_t at, const mb_json *calls) {
    uint32_t results = count_results(messages, at + 1);
    if (results != calls->count) return false;
    for (uint32_t i = 0; i < calls->count; i++) {
        bool found = false;
        for (uint32_t k = 0; k < results && !found; k++)
            found = mb_json_equal(mb_json_get(&messages->children[at + 1 + k], "tool_call_id"),
                                  mb_json_get(&calls->children[i], "id"));
        if (!found || !is_plain_call(&calls->children[i])) return false;
    }
    return true;
}

static bool is_plain_content(const mb_json *content) {
    if (!content || content->type == MB_JSON_NULL || content->type == MB_JSON_STRING) return true;
    if (content->type != MB_JSON_ARRAY) return false;
    for (uint32_t i = 0; i < content->count; i++)
        if (content->children[i].type != MB_JSON_OBJECT) return false;
    return true;
}

// Whether they can be read; else they go as they are.
static bool is_plain_history(const mb_json *messages) {
    static const char *const ROLES[] = {"system", "developer", "user", "assistant", NULL};
    for (uint32_t i = 0; i < messages->count;) {
        const mb_json *m = &messages->children[i];
        const char *role = mb_json_get_str(m, "role");
        const mb_json *calls = calls_of(m);
        if (!role || !is_one_of(role, ROLES) || !is_plain_content(mb_json_get(m, "content"))) return false;
        if (calls && (strcmp(role, "assistant") != 0 || !is_answered(messages, i, calls))) return false;
        for (uint32_t k = 0; calls && k < calls->count; k++)
            if (!is_plain_content(mb_json_get(&messages->children[i + 1 + k], "content"))) return false;
        i += 1 + (calls ? calls->count : 0);
    }
    return messages->count > 0;
}

static void put_stand_in(mb_jw *w) { // what extra_body has instead of it is what counts
    mb_jw_object(w);
    mb_jw_kstr(w, "role", "user");
    mb_jw_kstr(w, "content", "");
    mb_jw_end_object(w);
}

// ---- tools ---------------------------------------------------------------------------------------------------------

// before: how many of the list stand before it.
static bool is_plain_tool(const mb_json *tools, uint32_t before) {
    static const char *const KNOWN[] = {"name", "description", "parameters", "strict", NULL};
    const mb_json *tool = &tools->children[before], *function = mb_json_get(tool, "function");
    if (tool->count != (mb_json_get(tool, "type") ? 2 : 1) || !mb_json_is(function, MB_JSON_OBJECT)) return false;
    const char *name = mb_json_get_str(function, "name");
    if (!fits(name)) return false;
    for (uint32_t i = 0; i < before; i++)
        if (mb_json_str_is(mb_json_path(&tools->children[i], "function.name"), name)) return false;
    for (uint32_t i = 0; i < function->count; i++)
        if (!is_one_of(function->children[i].key, KNOWN) || function->children[i].type == MB_JSON_NULL) return false;
    return true;
}

static void put_tools(mb_jw *w, const mb_json *tools) {
    mb_jw_key(w, "tools");
    mb_jw_array(w);
    for (uint32_t i = 0; i < tools->count; i++) {
        mb_jw_object(w);
        if (is_plain_tool(tools, i)) {
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

// Whether our field says it: what is about tools only beside tools.
static bool is_ours(const read_ask *ask, const char *key, bool has_tools) {
    const mb_json *name = mb_json_path(mb_json_get(ask->body, key), "function.name");
    bool of_tools = strcmp(key, "tool_choice") == 0 || strcmp(key, "parallel_tool_calls") == 0;
    bool of_chat = of_tools || strcmp(key, "response_format") == 0;
    if ((of_tools && !has_tools) || (of_chat && ask->kind != MB_ASK_CHAT)) return false;
    return can_say(ask, key) && (!name || fits(mb_json_str(name)));
}

static void read_sampling(const read_ask *ask, bool has_tools, mb_jw *out, const char **known, size_t *count) {
    static const char *const SAME[] = {"temperature",         "top_p",          "stop", "seed", "tool_choice",
                                       "parallel_tool_calls", "response_format"};
    bool chat = ask->kind == MB_ASK_CHAT;
    for (size_t i = 0; i < MB_COUNT(SAME); i++) {
        const mb_json *v = mb_json_get(ask->body, SAME[i]);
        if (!is_ours(ask, SAME[i], has_tools)) continue;
        if (!read_is_canonical(ask->kind, SAME[i], v)) continue; // a server's own form: as extra_body
        read_copy(out, ask->body, SAME[i], SAME[i]);
        known[(*count)++] = SAME[i];
    }
    const char *keys[] = {"max_completion_tokens", "max_tokens"};
    for (size_t i = chat ? 0 : 1; i < MB_COUNT(keys); i++) {
        if (!read_is_canonical(ask->kind, "max_tokens", mb_json_get(ask->body, keys[i]))) continue;
        read_copy(out, ask->body, keys[i], "max_tokens");
        known[(*count)++] = keys[i];
        break;
    }
    const char *thinking = chat ? ask->quirks->thinking_key : NULL;
    bool max = thinking && mb_json_str_is(mb_json_get(ask->body, thinking), "max"); // ours is the most that all know
    if (thinking && !max && strcmp(thinking, "reasoning_effort") == 0 &&
        read_is_canonical(ask->kind, "thinking", mb_json_get(ask->body, thinking))) {
        read_copy(out, ask->body, thinking, "thinking");
        known[(*count)++] = thinking;
    }
}

static bool read_chat(const read_ask *ask, mb_jw *out) {
    const char *known[32] = {"model", "messages", "stream"};
    const mb_json *messages = mb_json_get(ask->body, "messages"), *tools = mb_json_get(ask->body, "tools");
    if (!mb_json_is(messages, MB_JSON_ARRAY)) return false;
    bool plain = is_plain_history(messages), has_tools = mb_json_is(tools, MB_JSON_ARRAY) && can_say(ask, "tools");
    size_t count = 3;
    if (!plain) known[1] = "stream", known[2] = NULL, count = 2;
    *ask->ret_stream = mb_json_bool(mb_json_get(ask->body, "stream"), false);
    read_model(ask, mb_json_get_str(ask->body, "model"));
    mb_jw_key(out, "messages");
    mb_jw_array(out);
    for (uint32_t i = 0; plain && i < messages->count; i++) put_message(out, ask, &messages->children[i]);
    if (!plain) put_stand_in(out);
    mb_jw_end_array(out);
    if (has_tools) put_tools(out, tools);
    if (has_tools) known[count++] = "tools";
    read_sampling(ask, has_tools && tools->count, out, known, &count);
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
    read_sampling(ask, false, out, known, &count);
    read_extra(out, ask->body, known);
    return prompt != NULL;
}

static bool read_embed(const read_ask *ask, mb_jw *out) {
    static const char *const SAME[] = {"input", "dimensions"};
    const char *known[4] = {"model"};
    size_t count = 1;
    read_model(ask, mb_json_get_str(ask->body, "model"));
    for (size_t i = 0; i < MB_COUNT(SAME); i++) {
        if (!read_is_canonical(MB_ASK_EMBED, SAME[i], mb_json_get(ask->body, SAME[i]))) continue;
        read_copy(out, ask->body, SAME[i], SAME[i]);
        known[count++] = SAME[i];
    }
    if (count == 1 || strcmp(known[1], "input") != 0) mb_jw_kstr(out, "input", ""); // tokens go as extra_body
    read_extra(out, ask->body, known);
    return mb_json_get(ask->body, "input") != NULL;
}

const wire_reader READERS_OPENAI[] = {
    {"chat.completions", read_chat, MB_ASK_CHAT},
    {"completions", read_completion, MB_ASK_COMPLETION},
    {"embeddings", read_embed, MB_ASK_EMBED},
    {"rerank", read_rerank, MB_ASK_RERANK},
    {0},
};
