// SPDX-License-Identifier: MIT
// Canonical requests as OpenAI's Responses. The history is a flat list of items: an assistant's turn comes apart into
// its reasoning, its messages and its calls, in the order in which the provider gave them. Nothing is kept at the
// provider ("store": false), so what it wants to see again of its reasoning goes back encrypted.
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/pattern.h"
#include "route/echo.h"
#include "route/openai.h"
#include "route/responses.h"
#include "route/write.h"

#define ENCRYPTED "reasoning.encrypted_content"

static const char NO_PARAMETERS[] = "{\"type\":\"object\",\"properties\":{}}";

typedef struct writer {
    const mb_ask *ask;
    mb_jw w;
    const mb_json *tools;
    membrane_error **err;
    const mb_json *instructions; // the message that went there
    bool cache_marks;            // parts carry them
    bool names_checked;
    const char *open_id; // of the message whose parts are being written
    bool is_open;
    uint32_t block, last_block; // of the echoed list: where we are, and the last one that is no reasoning
    const mb_json *calls;       // of the last assistant's message
    bool custom[MB_LIMIT_TOOL_CALLS];
} writer;

// ---- content -------------------------------------------------------------------------------------------------------

static bool is_type(const mb_json *part, const char *type) { return mb_json_str_is(mb_json_get(part, "type"), type); }

static void put_image(mb_jw *w, const mb_json *part) {
    const mb_json *url = mb_json_get(part, "image_url");
    mb_jw_kstr(w, "type", "input_image");
    mb_jw_key(w, "image_url");
    if (url)
        mb_jw_value(w, mb_json_get(url, "url"));
    else
        mb_write_data_url(w, part);
    mb_jw_kvalue_if(w, "detail", mb_json_get(url, "detail"));
}

static void put_file(mb_jw *w, const mb_json *part) {
    const mb_json *url = mb_json_get(part, "url");
    const char *name = mb_json_get_str(part, "name");
    mb_jw_kstr(w, "type", "input_file");
    if (url) {
        mb_jw_kvalue_if(w, "file_url", url);
        return;
    }
    mb_jw_kstr(w, "filename", name ? name : "document.pdf"); // it goes by the name's ending
    mb_jw_key(w, "file_data");
    mb_write_data_url(w, part);
}

static void put_text(mb_jw *w, const mb_json *part) {
    mb_jw_kstr(w, "type", "input_text");
    mb_jw_key(w, "text");
    mb_write_part_text(w, part);
}

static bool has_mark(const writer *o, const mb_json *part) {
    const mb_json *cache = o->cache_marks ? mb_json_get(part, "cache") : NULL;
    return cache && mb_json_bool(cache, true);
}

static void put_part(writer *o, const mb_json *part) {
    mb_jw *w = &o->w;
    if (is_type(part, "thinking")) return;
    if (is_type(part, "raw")) {
        mb_jw_value(w, mb_json_get(part, "raw"));
        return;
    }
    mb_jw_object(w);
    if (is_type(part, "image") || is_type(part, "image_url"))
        put_image(w, part);
    else if (is_type(part, "document") && !mb_json_get(part, "text"))
        put_file(w, part);
    else
        put_text(w, part);
    if (has_mark(o, part)) {
        mb_jw_key(w, "prompt_cache_breakpoint");
        mb_jw_object(w);
        mb_jw_kstr(w, "mode", "explicit");
        mb_jw_end_object(w);
    }
    mb_jw_end_object(w);
}

static bool needs_list(const writer *o, const mb_json *content) {
    if (mb_content_has_image(content)) return true;
    for (uint32_t i = 0; mb_json_is(content, MB_JSON_ARRAY) && i < content->count; i++) {
        const mb_json *part = &content->children[i];
        bool is_file = is_type(part, "document") && !mb_json_get(part, "text");
        if (is_file || mb_json_get(part, "raw") || has_mark(o, part)) return true;
    }
    return false;
}

// A string where plain text will do.
static void put_content(writer *o, const mb_json *content) {
    if (!needs_list(o, content)) {
        mb_write_text(&o->w, content);
        return;
    }
    mb_jw_array(&o->w);
    for (uint32_t i = 0; i < content->count; i++) put_part(o, &content->children[i]);
    mb_jw_end_array(&o->w);
}

// ---- an assistant's turn -------------------------------------------------------------------------------------------

static void put_members(mb_jw *w, const mb_json *object, const char *except) {
    for (uint32_t i = 0; mb_json_is(object, MB_JSON_OBJECT) && i < object->count; i++) {
        if (except && strcmp(object->children[i].key, except) == 0) continue;
        mb_jw_key(w, object->children[i].key);
        mb_jw_value(w, &object->children[i]);
    }
}

static void close_message(writer *o) {
    if (!o->is_open) return;
    mb_jw_end_array(&o->w);
    mb_jw_end_object(&o->w);
    o->is_open = false;
}

static void put_output_part(writer *o, const mb_echo_block *b) {
    const mb_json *part = mb_json_get(b->with, "part");
    const char *type = mb_json_get_str(part, "type");
    mb_jw *w = &o->w;
    mb_jw_object(w);
    mb_jw_kstr(w, "type", type ? type : "output_text");
    mb_jw_key(w, type && strcmp(type, "refusal") == 0 ? "refusal" : "text");
    mb_jw_strn(w, b->text, b->len);
    put_members(w, part, "type");
    mb_jw_end_object(w);
}

// A piece of an assistant's text: a message, or one more part of the message before it.
static void put_output_text(writer *o, const mb_echo_block *b) {
    mb_jw *w = &o->w;
    const char *id = mb_json_get_str(b->with, "id");
    if (o->is_open && id && o->open_id && strcmp(id, o->open_id) == 0) {
        put_output_part(o, b);
        return;
    }
    close_message(o);
    mb_jw_object(w);
    mb_jw_kstr(w, "role", "assistant");
    if (!b->with) {
        mb_jw_key(w, "content");
        mb_jw_strn(w, b->text, b->len);
        mb_jw_end_object(w);
        return;
    }
    put_members(w, b->with, "part");
    mb_jw_key(w, "content");
    mb_jw_array(w);
    o->is_open = true;
    o->open_id = id;
    put_output_part(o, b);
}

static void put_call(writer *o, const mb_json *call, const mb_json *with) {
    mb_jw *w = &o->w;
    char name[MB_WIRE_NAME_MAX + 1];
    const char *type = mb_json_get_str(with, "type");
    const mb_json *arguments = mb_json_get(mb_json_get(call, "function"), "arguments");
    bool custom = type && strcmp(type, "custom_tool_call") == 0;
    mb_tool_wire_name(o->tools, mb_call_name(call), name);
    mb_jw_object(w);
    mb_jw_kstr(w, "type", custom ? type : "function_call");
    mb_write_call_id(w, o->ask, "call_id", call);
    mb_jw_kstr(w, "name", name);
    mb_jw_key(w, custom ? "input" : "arguments");
    if (!custom)
        mb_write_call_arguments(w, call, true);
    else if (arguments)
        mb_jw_value(w, arguments); // any text
    else
        mb_jw_str(w, "");
    put_members(w, with, "type");
    mb_jw_end_object(w);
    if (o->calls && call >= o->calls->children && call < o->calls->children + o->calls->count)
        o->custom[call - o->calls->children] = custom;
}

// Reasoning that holds nothing but its id: the provider, which keeps nothing, would look for it in vain.
static bool is_hollow(const mb_json *raw) {
    const mb_json *encrypted = mb_json_get(raw, "encrypted_content"), *content = mb_json_get(raw, "content");
    return !mb_json_is(encrypted, MB_JSON_STRING) && !(mb_json_is(content, MB_JSON_ARRAY) && content->count);
}

static bool is_reasoning(const mb_json *raw) { return is_type(raw, "reasoning"); }

static int put_block(void *user, const mb_echo_block *b) {
    writer *o = user;
    bool is_last_thought = o->block++ > o->last_block;
    if (b->text) {
        if (!mb_json_get(b->with, "gap")) put_output_text(o, b);
        return 0;
    }
    close_message(o);
    if (b->call) {
        put_call(o, b->call, b->with);
    } else if (b->raw && is_reasoning(b->raw)) { // refused without the item that it led to
        bool stored = mb_json_bool(mb_json_path(o->ask->request, "extra_body.store"), false);
        if (!is_last_thought && (stored || !is_hollow(b->raw))) mb_jw_value(&o->w, b->raw);
    } else if (b->raw) {
        mb_jw_value(&o->w, b->raw);
    }
    return 0;
}

static uint32_t last_block(const mb_json *message) {
    const mb_json *data = mb_json_get(message, "provider_data");
    const mb_json *blocks = mb_json_get(mb_json_get(data, "fields"), "blocks");
    uint32_t last = 0;
    for (uint32_t i = 0; mb_json_is(blocks, MB_JSON_ARRAY) && i < blocks->count; i++)
        if (!is_reasoning(mb_json_get(&blocks->children[i], "raw"))) last = i;
    return last;
}

// Without a list of blocks that fits: the text, then the calls.
static void put_plain_turn(writer *o, const mb_json *message) {
    mb_jw *w = &o->w;
    mb_buf text = MB_BUF(MB_LIMIT_REQUEST);
    mb_content_put_text(&text, mb_json_get(message, "content"));
    if (text.len || !o->calls) {
        mb_jw_object(w);
        mb_jw_kstr(w, "role", "assistant");
        mb_jw_key(w, "content");
        mb_jw_strn(w, mb_buf_text(&text), text.len);
        mb_jw_end_object(w);
    }
    if (!mb_buf_ok(&text)) w->out->failed = text.failed;
    mb_buf_free(&text);
    for (uint32_t i = 0; o->calls && i < o->calls->count; i++) put_call(o, &o->calls->children[i], NULL);
}

static int put_assistant(writer *o, const mb_json *message) {
    const mb_json *calls = mb_json_get(message, "tool_calls");
    o->calls = mb_json_is(calls, MB_JSON_ARRAY) && calls->count ? calls : NULL;
    memset(o->custom, 0, sizeof o->custom);
    o->block = 0;
    o->last_block = last_block(message);
    int status = mb_echo_each(o->ask, message, put_block, o);
    close_message(o);
    if (status == 1) put_plain_turn(o, message);
    return status < 0 ? status : 0;
}

// ---- messages ------------------------------------------------------------------------------------------------------

static void put_result(writer *o, const mb_json *message, const mb_json *call) {
    mb_jw *w = &o->w;
    bool custom = o->calls && o->custom[call - o->calls->children];
    mb_jw_object(w);
    mb_jw_kstr(w, "type", custom ? "custom_tool_call_output" : "function_call_output");
    mb_write_call_id(w, o->ask, "call_id", call);
    mb_jw_key(w, "output");
    if (message)
        put_content(o, mb_json_get(message, "content"));
    else
        mb_jw_str(w, MB_NO_RESULT);
    put_members(w, message ? mb_openai_extra_find(o->ask, message, NULL) : NULL, NULL);
    mb_jw_end_object(w);
}

static int check_name(writer *o, const mb_json *message) {
    if (o->names_checked || !mb_json_get(message, "name")) return 0;
    o->names_checked = true;
    return mb_write_unsupported(o->ask, o->err, "messages.name", "its messages have none");
}

static int put_message(void *user, const mb_json *message, const mb_json *call) {
    writer *o = user;
    mb_jw *w = &o->w;
    if (message && message == o->instructions) return check_name(o, message);
    if (call) {
        put_result(o, message, call);
        return 0;
    }
    const char *role = mb_json_get_str(message, "role");
    int status = check_name(o, message);
    if (status != 0) return status;
    if (strcmp(role, "assistant") == 0) return put_assistant(o, message);
    mb_jw_object(w);
    mb_jw_kstr(w, "role", role);
    mb_jw_key(w, "content");
    put_content(o, mb_json_get(message, "content"));
    put_members(w, mb_openai_extra_find(o->ask, message, NULL), NULL);
    mb_jw_end_object(w);
    return 0;
}

// The first message, if it is the system's: unless it is all there is, or says what only a list of parts can.
static const mb_json *instructions_of(const writer *o, const mb_json *messages) {
    const mb_json *first = mb_json_at(messages, 0);
    if (!first || messages->count < 2 || !mb_json_str_is(mb_json_get(first, "role"), "system")) return NULL;
    return needs_list(o, mb_json_get(first, "content")) ? NULL : first;
}

static int put_input(writer *o) {
    const mb_json *messages = mb_json_get(o->ask->request, "messages");
    mb_jw *w = &o->w;
    o->instructions = mb_write_has_extra(o->ask, "instructions") ? NULL : instructions_of(o, messages);
    if (o->instructions) {
        mb_jw_key(w, "instructions");
        mb_write_text(w, mb_json_get(o->instructions, "content"));
    }
    if (mb_write_has_extra(o->ask, "input")) return 0;
    mb_jw_key(w, "input");
    mb_jw_array(w);
    int status = mb_history_each(o->ask, put_message, o);
    mb_jw_end_array(w);
    return status;
}

// ---- tools ---------------------------------------------------------------------------------------------------------

static void put_tool(writer *o, const mb_json *tool) {
    const mb_json *function = mb_json_get(tool, "function"), *raw = mb_json_get(tool, "raw");
    const mb_json *parameters = mb_json_get(function, "parameters");
    mb_jw *w = &o->w;
    if (raw) {
        mb_jw_value(w, raw);
        return;
    }
    char name[MB_WIRE_NAME_MAX + 1];
    mb_tool_wire_name(o->tools, mb_json_get_str(function, "name"), name);
    mb_jw_object(w);
    mb_jw_kstr(w, "type", "function");
    mb_jw_kstr(w, "name", name);
    mb_jw_kvalue_if(w, "description", mb_json_get(function, "description"));
    mb_jw_key(w, "parameters");
    if (parameters)
        mb_jw_value(w, parameters);
    else
        mb_jw_raw(w, NO_PARAMETERS, sizeof NO_PARAMETERS - 1);
    mb_jw_kbool(w, "strict", mb_json_bool(mb_json_get(function, "strict"), false)); // unsaid, it would be true
    mb_jw_end_object(w);
}

static void put_tool_choice(writer *o) {
    const mb_json *choice = mb_write_get(o->ask, "tool_choice"), *name = mb_json_path(choice, "function.name");
    mb_jw *w = &o->w;
    if (!choice || mb_write_has_extra(o->ask, "tool_choice")) return;
    mb_jw_key(w, "tool_choice");
    if (!name) {
        mb_jw_value(w, choice);
        return;
    }
    char wire_name[MB_WIRE_NAME_MAX + 1];
    mb_tool_wire_name(o->tools, name->str, wire_name);
    mb_jw_object(w);
    mb_jw_kstr(w, "type", "function");
    mb_jw_kstr(w, "name", wire_name);
    mb_jw_end_object(w);
}

static void put_tools(writer *o) {
    if (!o->tools || o->tools->count == 0) return;
    if (!mb_write_has_extra(o->ask, "tools")) {
        mb_jw_key(&o->w, "tools");
        mb_jw_array(&o->w);
        for (uint32_t i = 0; i < o->tools->count; i++) put_tool(o, &o->tools->children[i]);
        mb_jw_end_array(&o->w);
    }
    put_tool_choice(o);
    mb_write_copy(&o->w, o->ask, "parallel_tool_calls", "parallel_tool_calls");
}

// ---- parameters ----------------------------------------------------------------------------------------------------

// The members of extra_body's object of that name: ours and theirs are one object.
static const mb_json *extra_object(const writer *o, const char *key) {
    const mb_json *v = mb_json_get(mb_json_get(o->ask->request, "extra_body"), key);
    return mb_json_is(v, MB_JSON_OBJECT) ? v : NULL;
}

static void put_format(writer *o) {
    const mb_json *format = mb_write_get(o->ask, "response_format"), *extra = extra_object(o, "text");
    const mb_json *schema = mb_json_get(format, "json_schema");
    const char *name = mb_json_get_str(schema, "name");
    mb_jw *w = &o->w;
    if ((!format && !extra) || (!extra && mb_write_has_extra(o->ask, "text"))) return;
    mb_jw_key(w, "text");
    mb_jw_object(w);
    if (format && !mb_json_get(extra, "format")) {
        mb_jw_key(w, "format");
        mb_jw_object(w);
        mb_jw_kvalue_if(w, "type", mb_json_get(format, "type"));
        if (is_type(format, "json_schema")) {
            mb_jw_kstr(w, "name", name ? name : "response");
            put_members(w, schema, "name");
        }
        mb_jw_end_object(w);
    }
    put_members(w, extra, NULL);
    mb_jw_end_object(w);
}

static const char *effort_of(const mb_json *v) {
    const char *effort = v->type == MB_JSON_OBJECT ? mb_json_get_str(v, "effort") : mb_json_str(v);
    bool on = mb_json_bool(v->type == MB_JSON_OBJECT ? mb_json_get(v, "enabled") : v, true);
    if (!on) return "none";
    if (!effort) return "medium";
    return strcmp(effort, "max") == 0 ? "high" : effort;
}

static int put_reasoning(writer *o) {
    const mb_json *thinking = mb_write_get(o->ask, "thinking"), *extra = extra_object(o, "reasoning");
    mb_jw *w = &o->w;
    if (thinking && !o->ask->quirks->thinking_key) {
        if (strcmp(effort_of(thinking), "none") != 0)
            return mb_write_unsupported(o->ask, o->err, "thinking", "the server has no field for it");
        thinking = NULL;
    }
    if (mb_json_get(thinking, "budget_tokens") && !mb_json_get(thinking, "effort")) {
        int status = mb_write_unsupported(o->ask, o->err, "thinking.budget_tokens", "it takes an effort instead");
        if (status != 0) return status;
    }
    if ((!thinking && !extra) || (!extra && mb_write_has_extra(o->ask, "reasoning"))) return 0;
    mb_jw_key(w, "reasoning");
    mb_jw_object(w);
    if (thinking && !mb_json_get(extra, "effort")) mb_jw_kstr(w, "effort", effort_of(thinking));
    put_members(w, extra, NULL);
    mb_jw_end_object(w);
    return 0;
}

// OpenAI's models that do not reason refuse to be asked for what they would not have. New ones all reason.
static bool may_reason(const char *model) {
    static const char *const PLAIN[] = {"gpt-3*", "gpt-4*", "chatgpt-4*", "gpt-5*-chat*", "ft:gpt-3*", "ft:gpt-4*"};
    const char *slash = model ? strrchr(model, '/') : NULL; // openai/gpt-4o
    for (size_t i = 0; model && i < MB_COUNT(PLAIN); i++)
        if (mb_pattern_glob(PLAIN[i], slash ? slash + 1 : model)) return false;
    return true;
}

// Which parts of the answer are wanted that do not come by themselves. Local engines show their reasoning as it is.
static void put_include(writer *o) {
    const mb_quirks *q = o->ask->quirks;
    const mb_json *logprobs = mb_write_get(o->ask, "logprobs");
    bool encrypted = q->thinking_echo_key && !q->local && may_reason(o->ask->model);
    bool wants_logprobs = logprobs && (logprobs->type != MB_JSON_BOOL || logprobs->boolean);
    mb_jw *w = &o->w;
    if (wants_logprobs && mb_json_int(logprobs, 0) > 0) mb_write_copy(w, o->ask, "logprobs", "top_logprobs");
    if ((!encrypted && !wants_logprobs) || mb_write_has_extra(o->ask, "include")) return;
    mb_jw_key(w, "include");
    mb_jw_array(w);
    if (encrypted) mb_jw_str(w, ENCRYPTED);
    if (wants_logprobs) mb_jw_str(w, "message.output_text.logprobs");
    mb_jw_end_array(w);
}

static void put_extra(writer *o) {
    const mb_json *extra = mb_json_get(o->ask->request, "extra_body");
    for (uint32_t i = 0; extra && i < extra->count; i++) {
        const mb_json *v = &extra->children[i];
        bool merged = v->type == MB_JSON_OBJECT && o->ask->kind == MB_ASK_CHAT &&
                      (strcmp(v->key, "text") == 0 || strcmp(v->key, "reasoning") == 0);
        if (merged) continue;
        mb_jw_key(&o->w, v->key);
        mb_jw_value(&o->w, v);
    }
}

// ---- kinds of request ----------------------------------------------------------------------------------------------

static void put_model(writer *o) {
    const char *model = o->ask->model; // empty: the path says it
    if (model && *model && !mb_write_has_extra(o->ask, "model")) mb_jw_kstr(&o->w, "model", model);
}

static int write_chat(writer *o, mb_wire *wire) {
    const mb_ask *ask = o->ask;
    mb_jw *w = &o->w;
    int status = mb_write_target(ask, wire, "POST", ask->quirks->chat_path, false, "chat", o->err);
    if (status == 0) status = mb_tool_names_check(o->tools, o->err);
    if (status != 0) return status;
    put_model(o);
    status = put_input(o);
    if (status != 0) return status;
    put_tools(o);
    put_format(o);
    status = put_reasoning(o);
    mb_write_copy(w, ask, "max_tokens", "max_output_tokens");
    mb_write_copy(w, ask, "temperature", "temperature");
    mb_write_copy(w, ask, "top_p", "top_p");
    put_include(o);
    if (!mb_write_has_extra(ask, "store")) mb_jw_kbool(w, "store", false);
    if (ask->stream) mb_jw_kbool(w, "stream", true);
    return status;
}

static int write_count(writer *o, mb_wire *wire) {
    const mb_json *text = mb_json_get(o->ask->request, "input");
    if (mb_json_is(text, MB_JSON_ARRAY) && text->count == 1) text = &text->children[0];
    if (mb_json_is(text, MB_JSON_ARRAY))
        return mb_error_set(o->err, MEMBRANE_EUNSUPPORTED, "%s (%s) counts the tokens of one text at a time",
                            o->ask->provider, o->ask->quirks->kind);
    int status =
        mb_write_target(o->ask, wire, "POST", o->ask->quirks->count_path, false, "the tokens of a request", o->err);
    if (status == 0) status = mb_tool_names_check(o->tools, o->err);
    if (status != 0) return status;
    put_model(o);
    if (!text) {
        status = put_input(o);
    } else if (!mb_write_has_extra(o->ask, "input")) {
        mb_jw_key(&o->w, "input");
        mb_jw_value(&o->w, text);
    }
    put_tools(o);
    return status;
}

static int write_get(const mb_ask *ask, mb_wire *wire, membrane_error **err) {
    const char *path = ask->quirks->models_path;
    switch (ask->kind) {
    case MB_ASK_MODELS: return mb_write_target(ask, wire, "GET", path, false, "its models", err);
    case MB_ASK_SHOW: return mb_write_target(ask, wire, "GET", path, false, "a model", err);
    case MB_ASK_HEALTH:
        if (!ask->quirks->health_path) return mb_write_target(ask, wire, "GET", path, false, "its health", err);
        return mb_write_target(ask, wire, "GET", ask->quirks->health_path, true, "its health", err);
    case MB_ASK_VERSION: return mb_write_target(ask, wire, "GET", ask->quirks->version_path, true, "its version", err);
    default: return mb_write_target(ask, wire, "GET", NULL, false, "this kind of request", err);
    }
}

int mb_responses_write(const mb_ask *ask, mb_wire *wire, membrane_error **err) {
    bool chat = ask->kind == MB_ASK_CHAT, count = ask->kind == MB_ASK_COUNT_TOKENS;
    wire->stream = ask->stream && chat;
    int status = mb_write_check(ask, err);
    if (status == 0 && (chat || count)) {
        writer o = {.ask = ask, .w = mb_jw_to(&wire->body), .tools = mb_write_get(ask, "tools"), .err = err};
        o.cache_marks = mb_write_has_extra(ask, "prompt_cache_options"); // else it finds the place itself
        mb_jw_object(&o.w);
        status = chat ? write_chat(&o, wire) : write_count(&o, wire);
        put_extra(&o);
        mb_jw_end_object(&o.w);
    } else if (status == 0) {
        status = write_get(ask, wire, err);
    }
    if (status == MEMBRANE_ENOMEM) return mb_error_no_memory(err);
    return status ? status : mb_write_done(wire, err);
}
