// SPDX-License-Identifier: MIT
// Requests of the Messages API, and of its count of tokens.
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "read.h"

static bool is(const mb_json *v, const char *type) { return mb_json_str_is(mb_json_get(v, "type"), type); }

// Whether the object has no members but these.
static bool has_only(const mb_json *object, const char *const *known) {
    if (!mb_json_is(object, MB_JSON_OBJECT)) return false;
    for (uint32_t i = 0; i < object->count; i++) {
        bool found = false;
        for (const char *const *k = known; *k; k++) found |= strcmp(*k, object->children[i].key) == 0;
        if (!found) return false;
    }
    return true;
}
#define HAS_ONLY(object, ...) has_only(object, (const char *const[]){__VA_ARGS__, NULL})

// All members but the known ones as an object under name; nothing if there are none.
static void put_others(mb_jw *w, const char *name, const mb_json *object, const char *const *known) {
    bool open = false;
    for (uint32_t i = 0; i < object->count; i++) {
        bool skip = false;
        for (const char *const *k = known; *k; k++) skip |= strcmp(*k, object->children[i].key) == 0;
        if (skip) continue;
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

// Text with something in it: the writer leaves the rest out.
static bool is_said(const char *text) { return text && text[strspn(text, " \t\r\n")]; }
static bool is_text(const mb_json *block) { return is(block, "text") && is_said(mb_json_get_str(block, "text")); }

// ---- parts ---------------------------------------------------------------------------------------------------------

static bool is_mark(const mb_json *mark) {
    return !mark || (is(mark, "ephemeral") && HAS_ONLY(mark, "type", "ttl") &&
                     (!mb_json_get(mark, "ttl") || mb_json_get_str(mark, "ttl")));
}

static void put_mark(mb_jw *w, const mb_json *mark) {
    if (!mark) return;
    mb_jw_key(w, "cache");
    if (mark->count == 1) {
        mb_jw_bool(w, true);
        return;
    }
    mb_jw_object(w);
    mb_jw_kvalue_if(w, "ttl", mb_json_get(mark, "ttl"));
    mb_jw_end_object(w);
}

static bool put_image(mb_jw *w, const mb_json *source) {
    if (is(source, "base64")) {
        mb_jw_kstr(w, "type", "image");
        mb_jw_kvalue_if(w, "data", mb_json_get(source, "data"));
        mb_jw_kvalue_if(w, "media_type", mb_json_get(source, "media_type"));
    } else {
        mb_jw_kstr(w, "type", "image_url");
        mb_jw_key(w, "image_url");
        mb_jw_object(w);
        mb_jw_kvalue_if(w, "url", mb_json_get(source, "url"));
        mb_jw_end_object(w);
    }
    return true;
}

static void put_document(mb_jw *w, const mb_json *part) {
    const mb_json *source = mb_json_get(part, "source"), *data = mb_json_get(source, "data");
    mb_jw_kstr(w, "type", "document");
    mb_jw_kvalue_if(w, "name", mb_json_get(part, "title"));
    if (is(source, "text")) {
        mb_jw_kvalue_if(w, "text", data);
    } else if (is(source, "base64")) {
        mb_jw_kvalue_if(w, "data", data);
        mb_jw_kstr(w, "media_type", "application/pdf");
    } else {
        mb_jw_kvalue_if(w, "url", mb_json_get(source, "url"));
    }
}

static bool is_known_source(const mb_json *source, const char *media) {
    const char *type = mb_json_get_str(source, "media_type");
    const char *url = mb_json_get_str(source, "url");
    if (is(source, "url")) return HAS_ONLY(source, "type", "url") && url && strncmp(url, "data:", 5) != 0;
    if (!HAS_ONLY(source, "type", "media_type", "data") || !mb_json_get_str(source, "data") || !type) return false;
    return is(source, "base64") ? strncmp(type, media, strlen(media)) == 0
                                : is(source, "text") && strcmp(type, "text/plain") == 0;
}

static bool is_known_part(const mb_json *part) {
    const mb_json *source = mb_json_get(part, "source");
    if (!is_mark(mb_json_get(part, "cache_control"))) return false;
    if (is(part, "text")) return HAS_ONLY(part, "type", "text", "cache_control") && is_text(part);
    if (is(part, "image"))
        return HAS_ONLY(part, "type", "source", "cache_control") && is_known_source(source, "image/") &&
               !is(source, "text");
    const mb_json *title = mb_json_get(part, "title");
    return is(part, "document") && HAS_ONLY(part, "type", "source", "title", "cache_control") &&
           is_known_source(source, "application/pdf") && (title ? mb_json_str(title) != NULL : !is(source, "text"));
}

static void put_part(mb_jw *w, const mb_json *part) {
    mb_jw_object(w);
    if (!is_known_part(part)) {
        mb_jw_kstr(w, "type", "raw");
        mb_jw_key(w, "raw");
        mb_jw_value(w, part);
    } else {
        if (is(part, "text")) {
            mb_jw_kstr(w, "type", "text");
            mb_jw_kvalue_if(w, "text", mb_json_get(part, "text"));
        } else if (is(part, "image")) {
            put_image(w, mb_json_get(part, "source"));
        } else {
            put_document(w, part);
        }
        put_mark(w, mb_json_get(part, "cache_control"));
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
    for (uint32_t i = 0; i < content->count; i++)
        if (!is(&content->children[i], "tool_result")) put_part(w, &content->children[i]);
    mb_jw_end_array(w);
}

// ---- messages ------------------------------------------------------------------------------------------------------

static void begin_message(mb_jw *w, const char *role) {
    mb_jw_object(w);
    mb_jw_kstr(w, "role", role);
}

static void put_result(mb_jw *w, const read_ask *ask, const mb_json *block) {
    static const char *const KNOWN[] = {"type", "tool_use_id", "content", NULL};
    begin_message(w, "tool");
    mb_jw_kvalue_if(w, "tool_call_id", mb_json_get(block, "tool_use_id"));
    put_content(w, mb_json_get(block, "content"));
    mb_jw_key(w, "provider_data");
    mb_jw_object(w);
    mb_jw_kstr(w, "provider", ask->provider);
    mb_jw_key(w, "fields");
    mb_jw_object(w);
    put_others(w, "message", block, KNOWN);
    mb_jw_end_object(w);
    mb_jw_end_object(w);
    mb_jw_end_object(w);
}

static void put_user(mb_jw *w, const read_ask *ask, const mb_json *content) {
    uint32_t results = 0;
    for (uint32_t i = 0; mb_json_is(content, MB_JSON_ARRAY) && i < content->count; i++) {
        if (!is(&content->children[i], "tool_result")) continue;
        put_result(w, ask, &content->children[i]);
        results++;
    }
    if (results && results == content->count) return;
    begin_message(w, "user");
    put_content(w, content);
    mb_jw_end_object(w);
}

static void put_call(mb_jw *w, const mb_json *block) {
    mb_buf text = MB_BUF(MB_LIMIT_REQUEST);
    mb_jw args = mb_jw_to(&text);
    mb_jw_value(&args, mb_json_get(block, "input"));
    mb_jw_object(w);
    mb_jw_kvalue_if(w, "id", mb_json_get(block, "id"));
    mb_jw_kstr(w, "type", "function");
    mb_jw_key(w, "function");
    mb_jw_object(w);
    mb_jw_kvalue_if(w, "name", mb_json_get(block, "name"));
    mb_jw_key(w, "arguments");
    mb_jw_strn(w, mb_buf_text(&text), text.len);
    mb_jw_end_object(w);
    mb_jw_end_object(w);
    mb_buf_free(&text);
}

// One block of an assistant's message as route/echo.h keeps it.
static void put_echo(mb_jw *w, const mb_json *block) {
    static const char *const TEXT[] = {"type", "text", NULL}, *const CALL[] = {"type", "id", "name", "input", NULL};
    mb_jw_object(w);
    if (is_text(block)) {
        mb_jw_kint(w, "text", (int64_t)mb_json_get(block, "text")->len);
        put_others(w, "with", block, TEXT);
    } else if (is(block, "tool_use")) {
        mb_jw_kvalue_if(w, "call", mb_json_get(block, "id"));
        put_others(w, "with", block, CALL);
    } else {
        mb_jw_key(w, "raw");
        mb_jw_value(w, block);
    }
    mb_jw_end_object(w);
}

static void put_blocks(mb_jw *w, const read_ask *ask, const mb_json *content) {
    mb_buf text = MB_BUF(MB_LIMIT_REQUEST);
    for (uint32_t i = 0; i < content->count; i++) {
        const mb_json *t = is_text(&content->children[i]) ? mb_json_get(&content->children[i], "text") : NULL;
        if (t) mb_buf_put(&text, t->str, t->len);
    }
    mb_jw_key(w, "content");
    mb_jw_strn(w, mb_buf_text(&text), text.len);
    mb_buf_free(&text);
    mb_jw_key(w, "provider_data");
    mb_jw_object(w);
    mb_jw_kstr(w, "provider", ask->provider);
    mb_jw_key(w, "fields");
    mb_jw_object(w);
    mb_jw_key(w, "blocks");
    mb_jw_array(w);
    for (uint32_t i = 0; i < content->count; i++) put_echo(w, &content->children[i]);
    mb_jw_end_array(w);
    mb_jw_end_object(w);
    mb_jw_end_object(w);
}

// Texts, then calls, with nothing besides: what any wire can say.
static bool is_canonical(const mb_json *content) {
    bool calls = false;
    for (uint32_t i = 0; i < content->count; i++) {
        const mb_json *b = &content->children[i];
        bool is_call = is(b, "tool_use") && HAS_ONLY(b, "type", "id", "name", "input");
        if (!is_call && (calls || !is(b, "text") || !is_known_part(b))) return false;
        calls |= is_call;
    }
    return true;
}

static void put_assistant(mb_jw *w, const read_ask *ask, const mb_json *content) {
    begin_message(w, "assistant");
    if (!mb_json_is(content, MB_JSON_ARRAY)) {
        put_content(w, content);
    } else if (is_canonical(content)) {
        mb_jw_key(w, "content");
        mb_jw_array(w);
        for (uint32_t i = 0; i < content->count; i++)
            if (is(&content->children[i], "text")) put_part(w, &content->children[i]);
        mb_jw_end_array(w);
    } else {
        put_blocks(w, ask, content);
    }
    mb_jw_key(w, "tool_calls");
    mb_jw_array(w);
    for (uint32_t i = 0; mb_json_is(content, MB_JSON_ARRAY) && i < content->count; i++)
        if (is(&content->children[i], "tool_use")) put_call(w, &content->children[i]);
    mb_jw_end_array(w);
    mb_jw_end_object(w);
}

// Text in one of its two forms; an empty prompt, or none, is nothing.
static bool has_system(const mb_json *body) {
    const mb_json *system = mb_json_get(body, "system");
    return mb_json_is(system, MB_JSON_STRING) ? is_said(system->str)
                                              : mb_json_is(system, MB_JSON_ARRAY) && system->count;
}

// ---- what the canonical form cannot say ----------------------------------------------------------------------------

enum { CALLS_MAX = 1024 };

typedef struct history {
    const char *ids[CALLS_MAX];
    bool answered[CALLS_MAX];
    size_t count, open;
} history;

static bool is_plain_id(const char *id) {
    static const char PLAIN[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    return id && *id && strlen(id) <= 64 && id[strspn(id, PLAIN)] == '\0';
}

// A call with an id that no other call has.
static bool take_call(history *h, const mb_json *block) {
    const char *id = mb_json_get_str(block, "id"), *name = mb_json_get_str(block, "name");
    if (!is_plain_id(id) || !is_plain_id(name) || h->count == CALLS_MAX) return false;
    if (!mb_json_is(mb_json_get(block, "input"), MB_JSON_OBJECT)) return false;
    for (size_t i = 0; i < h->count; i++)
        if (strcmp(h->ids[i], id) == 0) return false;
    h->answered[h->count] = false;
    h->ids[h->count++] = id;
    h->open++;
    return true;
}

static bool take_result(history *h, const mb_json *block) {
    const char *id = mb_json_get_str(block, "tool_use_id");
    for (size_t i = 0; id && i < h->count; i++) {
        if (h->answered[i] || strcmp(h->ids[i], id) != 0) continue;
        h->answered[i] = true;
        h->open--;
        return true;
    }
    return false;
}

static bool take_message(history *h, const mb_json *message) {
    const mb_json *content = mb_json_get(message, "content");
    bool is_user = mb_json_str_is(mb_json_get(message, "role"), "user"), others = false;
    if (!is_user && !mb_json_str_is(mb_json_get(message, "role"), "assistant")) return false;
    if (!HAS_ONLY(message, "role", "content") || (!is_user && h->open)) return false;
    if (mb_json_is(content, MB_JSON_STRING)) return is_user ? h->open == 0 : is_said(content->str);
    if (!mb_json_is(content, MB_JSON_ARRAY) || content->count == 0) return false;
    for (uint32_t i = 0; i < content->count; i++) {
        const mb_json *block = &content->children[i];
        bool is_result = is_user && is(block, "tool_result"), is_call = !is_user && is(block, "tool_use");
        if (block->type != MB_JSON_OBJECT) return false;
        if ((is_result && (others || !take_result(h, block))) || (is_call && !take_call(h, block))) return false;
        others |= !is_result;
        if (is_user && others && h->open) return false;
    }
    return true;
}

// Whether it is a conversation that the writer leaves as it is: users and assistants, each call with one result,
// results first. Another one, which the server refuses or which only some models take, is kept in the provider's own
// words.
static bool is_regular(const mb_json *messages) {
    static history h;
    h.count = h.open = 0;
    for (uint32_t i = 0; i < messages->count; i++)
        if (!take_message(&h, &messages->children[i])) return false;
    return messages->count && h.open == 0;
}

static void put_nothing(mb_jw *w) { // where extra_body holds the conversation
    begin_message(w, "user");
    mb_jw_kstr(w, "content", "");
    mb_jw_end_object(w);
}

static void read_messages(const read_ask *ask, mb_jw *out, bool regular) {
    const mb_json *messages = mb_json_get(ask->body, "messages"), *system = mb_json_get(ask->body, "system");
    mb_jw_key(out, "messages");
    mb_jw_array(out);
    if (has_system(ask->body)) {
        begin_message(out, "system");
        put_content(out, system);
        mb_jw_end_object(out);
    }
    if (!regular) put_nothing(out);
    for (uint32_t i = 0; regular && i < messages->count; i++) {
        const mb_json *content = mb_json_get(&messages->children[i], "content");
        if (mb_json_str_is(mb_json_get(&messages->children[i], "role"), "assistant"))
            put_assistant(out, ask, content);
        else
            put_user(out, ask, content);
    }
    mb_jw_end_array(out);
}

// ---- tools ---------------------------------------------------------------------------------------------------------

static bool is_plain_tool(const mb_json *tool) {
    const mb_json *description = mb_json_get(tool, "description"), *strict = mb_json_get(tool, "strict");
    return HAS_ONLY(tool, "name", "description", "input_schema", "strict", "cache_control") &&
           is_plain_id(mb_json_get_str(tool, "name")) && (!description || description->type == MB_JSON_STRING) &&
           (!strict || strict->type == MB_JSON_BOOL) && mb_json_get(mb_json_get(tool, "input_schema"), "type") &&
           is_mark(mb_json_get(tool, "cache_control"));
}

static void put_tool(mb_jw *w, const mb_json *tool) {
    mb_jw_object(w);
    if (is_plain_tool(tool)) {
        mb_jw_kstr(w, "type", "function");
        mb_jw_key(w, "function");
        mb_jw_object(w);
        mb_jw_kvalue_if(w, "name", mb_json_get(tool, "name"));
        mb_jw_kvalue_if(w, "description", mb_json_get(tool, "description"));
        mb_jw_kvalue_if(w, "parameters", mb_json_get(tool, "input_schema"));
        mb_jw_kvalue_if(w, "strict", mb_json_get(tool, "strict"));
        mb_jw_end_object(w);
        put_mark(w, mb_json_get(tool, "cache_control"));
    } else {
        mb_jw_kstr(w, "type", "raw");
        mb_jw_kvalue_if(w, "raw", tool);
    }
    mb_jw_end_object(w);
}

static bool can_read_tools(const mb_json *tools) {
    if (!mb_json_is(tools, MB_JSON_ARRAY)) return false;
    for (uint32_t i = 0; i < tools->count; i++) {
        if (tools->children[i].type != MB_JSON_OBJECT) return false;
        for (uint32_t j = 0; j < i; j++) // two of one name
            if (mb_json_equal(mb_json_get(&tools->children[i], "name"), mb_json_get(&tools->children[j], "name")))
                return false;
    }
    return tools->count > 0;
}

static bool read_tools(mb_jw *out, const mb_json *tools) {
    if (!can_read_tools(tools)) return false;
    mb_jw_key(out, "tools");
    mb_jw_array(out);
    for (uint32_t i = 0; i < tools->count; i++) put_tool(out, &tools->children[i]);
    mb_jw_end_array(out);
    return true;
}

static bool read_choice(mb_jw *out, const mb_json *choice) {
    static const char *const WORDS[][2] = {{"auto", "auto"}, {"any", "required"}, {"none", "none"}};
    const mb_json *alone = mb_json_get(choice, "disable_parallel_tool_use");
    bool is_tool = is(choice, "tool");
    const char *word = NULL;
    for (size_t i = 0; i < MB_COUNT(WORDS); i++)
        if (is(choice, WORDS[i][0])) word = WORDS[i][1];
    if (!HAS_ONLY(choice, "type", "name", "disable_parallel_tool_use") || (!word && !is_tool)) return false;
    if ((alone && (alone->type != MB_JSON_BOOL || is(choice, "none"))) || (word && mb_json_get(choice, "name")))
        return false;
    if (is_tool && !is_plain_id(mb_json_get_str(choice, "name"))) return false;
    if (is_tool) {
        mb_jw_key(out, "tool_choice");
        mb_jw_object(out);
        mb_jw_kstr(out, "type", "function");
        mb_jw_key(out, "function");
        mb_jw_object(out);
        mb_jw_kvalue_if(out, "name", mb_json_get(choice, "name"));
        mb_jw_end_object(out);
        mb_jw_end_object(out);
    } else {
        mb_jw_kstr(out, "tool_choice", word);
    }
    if (alone) mb_jw_kbool(out, "parallel_tool_calls", !mb_json_bool(alone, false));
    return true;
}

// ---- the request ---------------------------------------------------------------------------------------------------

// Whether what stands beside it is what the writer lets stand beside it.
static bool fits_thinking(const mb_json *body, int64_t budget) {
    const mb_json *temperature = mb_json_get(body, "temperature"), *share = mb_json_get(body, "top_p");
    const mb_json *choice = mb_json_get(body, "tool_choice"), *max = mb_json_get(body, "max_tokens");
    if ((temperature && mb_json_double(temperature, -1) != 1) || (share && mb_json_double(share, -1) < 0.95))
        return false;
    return !is(choice, "any") && !is(choice, "tool") && mb_json_int(max, 0) > budget;
}

static bool read_thinking(mb_jw *out, const mb_json *body) {
    const mb_json *v = mb_json_get(body, "thinking");
    int64_t budget = mb_json_int(mb_json_get(v, "budget_tokens"), 0);
    if (is(v, "disabled") && v->count == 1) {
        mb_jw_kbool(out, "thinking", false);
        return true;
    }
    if (!is(v, "enabled") || v->count != 2 || budget < 1024 || !fits_thinking(body, budget)) return false;
    mb_jw_key(out, "thinking");
    mb_jw_object(out);
    mb_jw_kint(out, "budget_tokens", budget);
    mb_jw_end_object(out);
    return true;
}

static bool read_format(mb_jw *out, const mb_json *config) {
    const mb_json *format = mb_json_get(config, "format"), *schema = mb_json_get(format, "schema");
    if (!HAS_ONLY(config, "format") || !is(format, "json_schema") || !HAS_ONLY(format, "type", "schema")) return false;
    if (!mb_json_is(schema, MB_JSON_OBJECT)) return false;
    mb_jw_key(out, "response_format");
    mb_jw_object(out);
    mb_jw_kstr(out, "type", "json_schema");
    mb_jw_key(out, "json_schema");
    mb_jw_object(out);
    mb_jw_kvalue_if(out, "schema", schema);
    mb_jw_end_object(out);
    mb_jw_end_object(out);
    return true;
}

// The version is said in the body where the row says so.
static bool is_own_version(const read_ask *ask) {
    const char *path = ask->quirks ? ask->quirks->chat_path : NULL,
               *version = ask->quirks ? ask->quirks->api_version : NULL;
    return path && strstr(path, "{model}") && version &&
           mb_json_str_is(mb_json_get(ask->body, "anthropic_version"), version);
}

static size_t read_settings(const read_ask *ask, mb_jw *out, const char **known) {
    static const char *const NAMES[][2] = {
        {"temperature", "temperature"}, {"top_p", "top_p"}, {"max_tokens", "max_tokens"}, {"stop_sequences", "stop"}};
    const mb_json *temperature = mb_json_get(ask->body, "temperature");
    size_t n = 0;
    for (size_t i = 0; i < MB_COUNT(NAMES); i++) {
        const mb_json *v = mb_json_get(ask->body, NAMES[i][0]);
        if (!read_is_canonical(ask->kind, NAMES[i][1], v)) continue;
        if (v == temperature && mb_json_double(v, 0) > 1) continue;
        if (i == 3 && v->type != MB_JSON_ARRAY) continue;
        read_copy(out, ask->body, NAMES[i][0], NAMES[i][1]);
        known[n++] = NAMES[i][0];
    }
    return n;
}

static bool read(const read_ask *ask, mb_jw *out) {
    const mb_json *body = ask->body, *messages = mb_json_get(body, "messages");
    const char *known[32] = {"stream"};
    size_t n = 1;
    bool chat = ask->kind == MB_ASK_CHAT;
    if (!mb_json_is(messages, MB_JSON_ARRAY)) return false;
    bool regular = is_regular(messages);
    *ask->ret_stream = mb_json_bool(mb_json_get(body, "stream"), false);
    read_model(ask, mb_json_get_str(body, "model"));
    if (mb_json_get_str(body, "model")) known[n++] = "model";
    if (is_own_version(ask)) known[n++] = "anthropic_version";
    read_messages(ask, out, regular);
    if (regular) known[n++] = "messages";
    if (has_system(body)) known[n++] = "system";
    bool tools = read_tools(out, mb_json_get(body, "tools"));
    if (tools) known[n++] = "tools";
    if (chat && tools && read_choice(out, mb_json_get(body, "tool_choice"))) known[n++] = "tool_choice";
    if (chat && read_thinking(out, body)) known[n++] = "thinking";
    if (chat && read_format(out, mb_json_get(body, "output_config"))) known[n++] = "output_config";
    n += read_settings(ask, out, known + n);
    read_extra(out, body, known);
    return true;
}

const wire_reader READERS_ANTHROPIC[] = {
    {"messages", read, MB_ASK_CHAT},
    {"count_tokens", read, MB_ASK_COUNT_TOKENS},
    {0},
};
