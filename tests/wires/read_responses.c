// SPDX-License-Identifier: MIT
// Requests of OpenAI's Responses. Their flat list of items becomes messages: what the model said up to the next item
// of somebody else is one assistant's message, whose blocks keep each item's members and place.
#include <string.h>

#include "base/alloc.h"
#include "base/pattern.h"
#include "read.h"
#include "route/write.h"

#define ENCRYPTED "reasoning.encrypted_content"

static bool is(const mb_json *v, const char *type) { return mb_json_str_is(mb_json_get(v, "type"), type); }

static bool is_one_of(const char *key, const char *const *list) {
    for (; *list; list++)
        if (strcmp(*list, key) == 0) return true;
    return false;
}

static bool has_only(const mb_json *object, const char *const *known) {
    for (uint32_t i = 0; i < object->count; i++)
        if (!is_one_of(object->children[i].key, known)) return false;
    return true;
}

// All members but the named ones, and the object that holds them only if there are any; true if it is open still.
static bool open_others(mb_jw *w, const char *key, const mb_json *object, const char *const *known) {
    bool open = false;
    for (uint32_t i = 0; i < object->count; i++) {
        if (is_one_of(object->children[i].key, known)) continue;
        if (!open) {
            mb_jw_key(w, key);
            mb_jw_object(w);
        }
        open = true;
        mb_jw_key(w, object->children[i].key);
        mb_jw_value(w, &object->children[i]);
    }
    return open;
}

// ---- content -------------------------------------------------------------------------------------------------------

static bool put_image(mb_jw *w, const mb_json *part) {
    static const char *const KNOWN[] = {"type", "image_url", "detail", NULL};
    const mb_json *detail = mb_json_get(part, "detail");
    if (!is(part, "input_image") || !mb_json_get_str(part, "image_url") || !has_only(part, KNOWN)) return false;
    if (detail && detail->type != MB_JSON_STRING) return false;
    mb_jw_kstr(w, "type", "image_url");
    mb_jw_key(w, "image_url");
    mb_jw_object(w);
    mb_jw_kvalue_if(w, "url", mb_json_get(part, "image_url"));
    mb_jw_kvalue_if(w, "detail", mb_json_get(part, "detail"));
    mb_jw_end_object(w);
    return true;
}

static bool put_file(mb_jw *w, const mb_json *part) {
    static const char *const URL[] = {"type", "file_url", NULL}, *const DATA[] = {"type", "file_data", "filename",
                                                                                  NULL};
    static const char BASE64[] = ";base64,";
    const char *data = mb_json_get_str(part, "file_data"), *url = mb_json_get_str(part, "file_url");
    const char *base64 = data ? strstr(data, BASE64) : NULL;
    if (!is(part, "input_file")) return false;
    if (url && has_only(part, URL)) {
        mb_jw_kstr(w, "type", "document");
        mb_jw_kstr(w, "url", url);
        return true;
    }
    if (!base64 || strncmp(data, "data:", 5) != 0 || !has_only(part, DATA)) return false;
    if (!mb_json_get_str(part, "filename")) return false; // the writer would make one
    mb_jw_kstr(w, "type", "document");
    mb_jw_kstr(w, "name", mb_json_get_str(part, "filename"));
    mb_jw_key(w, "media_type");
    mb_jw_strn(w, data + 5, (size_t)(base64 - data - 5));
    mb_jw_kstr(w, "data", base64 + sizeof BASE64 - 1);
    return true;
}

static bool put_text(mb_jw *w, const mb_json *part) {
    static const char *const KNOWN[] = {"type", "text", "prompt_cache_breakpoint", NULL};
    if (!is(part, "input_text") || !mb_json_get_str(part, "text") || !has_only(part, KNOWN)) return false;
    mb_jw_kstr(w, "type", "text");
    mb_jw_kvalue_if(w, "text", mb_json_get(part, "text"));
    if (mb_json_get(part, "prompt_cache_breakpoint")) mb_jw_kbool(w, "cache", true);
    return true;
}

static void put_content(mb_jw *w, const mb_json *content) {
    mb_jw_key(w, "content");
    if (!mb_json_is(content, MB_JSON_ARRAY)) {
        bool is_text = mb_json_is(content, MB_JSON_STRING);
        mb_jw_strn(w, is_text ? content->str : "", is_text ? content->len : 0);
        return;
    }
    mb_jw_array(w);
    for (uint32_t i = 0; i < content->count; i++) {
        const mb_json *part = &content->children[i];
        mb_jw_object(w);
        if (!put_text(w, part) && !put_image(w, part) && !put_file(w, part)) {
            mb_jw_kstr(w, "type", "raw");
            mb_jw_kvalue_if(w, "raw", part);
        }
        mb_jw_end_object(w);
    }
    mb_jw_end_array(w);
}

// ---- an assistant's turn -------------------------------------------------------------------------------------------

typedef struct turn {
    const read_ask *ask;
    mb_jw *out;
    mb_buf text, calls, blocks;
    mb_jw call, block;
    bool open;
    size_t written; // messages so far
} turn;

static void begin(turn *t) {
    if (t->open) return;
    mb_buf *bufs[] = {&t->text, &t->calls, &t->blocks};
    for (size_t i = 0; i < MB_COUNT(bufs); i++) *bufs[i] = MB_BUF(1 << 26);
    t->call = mb_jw_to(&t->calls);
    t->block = mb_jw_to(&t->blocks);
    mb_jw_array(&t->call);
    mb_jw_array(&t->block);
    t->open = true;
}

static void flush(turn *t) {
    mb_jw *w = t->out;
    if (!t->open) return;
    mb_jw_end_array(&t->call);
    mb_jw_end_array(&t->block);
    mb_jw_object(w);
    mb_jw_kstr(w, "role", "assistant");
    mb_jw_key(w, "content");
    mb_jw_strn(w, mb_buf_text(&t->text), t->text.len);
    if (t->calls.len > 2) {
        mb_jw_key(w, "tool_calls");
        mb_jw_raw(w, mb_buf_text(&t->calls), t->calls.len);
    }
    mb_jw_key(w, "provider_data");
    mb_jw_object(w);
    mb_jw_kstr(w, "provider", t->ask->provider);
    mb_jw_key(w, "fields");
    mb_jw_object(w);
    mb_jw_key(w, "blocks");
    mb_jw_raw(w, mb_buf_text(&t->blocks), t->blocks.len);
    mb_jw_end_object(w);
    mb_jw_end_object(w);
    mb_jw_end_object(w);
    mb_buf_free(&t->text);
    mb_buf_free(&t->calls);
    mb_buf_free(&t->blocks);
    t->open = false;
    t->written++;
}

static void add_text(turn *t, const mb_json *item, const mb_json *part) {
    static const char *const ITEM[] = {"role", "content", NULL}, *const PART[] = {"text", "refusal", NULL};
    const mb_json *text =
        part ? mb_json_get(part, is(part, "refusal") ? "refusal" : "text") : mb_json_get(item, "content");
    size_t len = mb_json_is(text, MB_JSON_STRING) ? text->len : 0;
    mb_jw *w = &t->block;
    mb_buf_put(&t->text, len ? text->str : "", len);
    mb_jw_object(w);
    mb_jw_kint(w, "text", (int64_t)len);
    bool with = open_others(w, "with", item, ITEM);
    if (part && !with) {
        mb_jw_key(w, "with");
        mb_jw_object(w);
    }
    if (part && open_others(w, "part", part, PART)) mb_jw_end_object(w);
    if (part || with) mb_jw_end_object(w);
    mb_jw_end_object(w);
}

static void add_raw(turn *t, const mb_json *item) {
    begin(t);
    mb_jw_object(&t->block);
    mb_jw_kvalue_if(&t->block, "raw", item);
    mb_jw_end_object(&t->block);
}

// A message with members has parts, several parts have a message with an id.
static bool is_as_written(const mb_json *item) {
    const mb_json *content = mb_json_get(item, "content");
    if (!mb_json_is(content, MB_JSON_ARRAY)) return item->count == 2;
    return content->count == 1 || (content->count && mb_json_get_str(item, "id"));
}

static void add_message(turn *t, const mb_json *item) {
    const mb_json *content = mb_json_get(item, "content");
    begin(t);
    if (!is_as_written(item)) {
        add_raw(t, item);
        return;
    }
    if (!mb_json_is(content, MB_JSON_ARRAY)) add_text(t, item, NULL);
    for (uint32_t i = 0; mb_json_is(content, MB_JSON_ARRAY) && i < content->count; i++)
        add_text(t, item, &content->children[i]);
}

static void add_call(turn *t, const mb_json *item) {
    static const char *const FUNCTION[] = {"type", "call_id", "name", "arguments", NULL};
    static const char *const CUSTOM[] = {"call_id", "name", "input", NULL};
    bool custom = is(item, "custom_tool_call");
    mb_jw *w = &t->call;
    begin(t);
    mb_jw_object(w);
    mb_jw_kvalue_if(w, "id", mb_json_get(item, "call_id"));
    mb_jw_key(w, "function");
    mb_jw_object(w);
    mb_jw_kvalue_if(w, "name", mb_json_get(item, "name"));
    mb_jw_kvalue_if(w, "arguments", mb_json_get(item, custom ? "input" : "arguments"));
    mb_jw_end_object(w);
    mb_jw_end_object(w);
    w = &t->block;
    mb_jw_object(w);
    mb_jw_kvalue_if(w, "call", mb_json_get(item, "call_id"));
    if (open_others(w, "with", item, custom ? CUSTOM : FUNCTION)) mb_jw_end_object(w);
    mb_jw_end_object(w);
}

// ---- messages ------------------------------------------------------------------------------------------------------

// What a message or a result has besides goes back by way of its provider_data.
static void put_beside(turn *t, const mb_json *item, const char *const *known) {
    mb_jw *w = t->out;
    if (has_only(item, known)) return;
    mb_jw_key(w, "provider_data");
    mb_jw_object(w);
    mb_jw_kstr(w, "provider", t->ask->provider);
    mb_jw_key(w, "fields");
    mb_jw_object(w);
    if (open_others(w, "message", item, known)) mb_jw_end_object(w);
    mb_jw_end_object(w);
    mb_jw_end_object(w);
}

static void put_message(turn *t, const mb_json *item) {
    static const char *const KNOWN[] = {"role", "content", NULL};
    mb_jw *w = t->out;
    const char *role = mb_json_get_str(item, "role");
    flush(t);
    bool leads = t->written == 0 && strcmp(role, "system") == 0; // there it would be the instructions
    mb_jw_object(w);
    mb_jw_kstr(w, "role", leads ? "developer" : role);
    put_content(w, mb_json_get(item, "content"));
    put_beside(t, item, KNOWN);
    mb_jw_end_object(w);
    t->written++;
}

static void put_result(turn *t, const mb_json *item) {
    static const char *const KNOWN[] = {"type", "call_id", "output", NULL};
    mb_jw *w = t->out;
    flush(t);
    mb_jw_object(w);
    mb_jw_kstr(w, "role", "tool");
    mb_jw_kvalue_if(w, "tool_call_id", mb_json_get(item, "call_id"));
    put_content(w, mb_json_get(item, "output"));
    put_beside(t, item, KNOWN);
    mb_jw_end_object(w);
    t->written++;
}

static void put_item(turn *t, const mb_json *item) {
    if (mb_json_str_is(mb_json_get(item, "role"), "assistant"))
        add_message(t, item);
    else if (mb_json_get_str(item, "role"))
        put_message(t, item);
    else if (is(item, "function_call") || is(item, "custom_tool_call"))
        add_call(t, item);
    else if (is(item, "function_call_output") || is(item, "custom_tool_call_output"))
        put_result(t, item);
    else
        add_raw(t, item);
}

static bool is_call(const mb_json *item) { return is(item, "function_call") || is(item, "custom_tool_call"); }

static bool is_result(const mb_json *item) {
    return is(item, "function_call_output") || is(item, "custom_tool_call_output");
}

// The call that a result answers, with nobody's words between them; NULL without.
static const mb_json *call_of(const mb_json *input, uint32_t result) {
    const mb_json *id = mb_json_get(&input->children[result], "call_id");
    for (uint32_t i = result; i-- > 0;) {
        const mb_json *item = &input->children[i], *role = mb_json_get(item, "role");
        if (is_call(item) && mb_json_equal(mb_json_get(item, "call_id"), id)) return item;
        if (role && !mb_json_str_is(role, "assistant")) return NULL;
    }
    return NULL;
}

static bool is_answered(const mb_json *input, uint32_t call) {
    for (uint32_t i = call + 1; i < input->count; i++)
        if (is_result(&input->children[i]) && call_of(input, i) == &input->children[call]) return true;
    return false;
}

// Reasoning that is but an id, which the provider knows.
static bool is_hollow(const mb_json *item) {
    const mb_json *content = mb_json_get(item, "content");
    return is(item, "reasoning") && !mb_json_get_str(item, "encrypted_content") &&
           !(mb_json_is(content, MB_JSON_ARRAY) && content->count);
}

// Whether each result follows its call, and each call has one. Others belong to a conversation that the provider keeps,
// or are in an order that our history does not have.
static bool is_whole(const read_ask *ask, const mb_json *input) {
    bool stored = mb_json_bool(mb_json_get(ask->body, "store"), false); // then it goes back, too
    for (uint32_t i = 0; i < input->count; i++) {
        const mb_json *item = &input->children[i], *output = mb_json_get(item, "output");
        if (!mb_json_is(item, MB_JSON_OBJECT)) return false;
        if ((is_result(item) && !call_of(input, i)) || (!stored && is_hollow(item))) return false;
        if (is_result(item) && !mb_json_is(output, MB_JSON_STRING) && !mb_json_is(output, MB_JSON_ARRAY)) return false;
        if (is_call(item) && !is_answered(input, i)) return false;
    }
    return true;
}

static void put_plain(mb_jw *w, const char *role, const mb_json *content) {
    mb_jw_object(w);
    mb_jw_kstr(w, "role", role);
    put_content(w, content);
    mb_jw_end_object(w);
}

// False: the input goes as it is.
static bool read_messages(const read_ask *ask, mb_jw *out) {
    const mb_json *input = mb_json_get(ask->body, "input"), *instructions = mb_json_get(ask->body, "instructions");
    bool is_list = mb_json_is(input, MB_JSON_ARRAY) && input->count && is_whole(ask, input);
    turn t = {.ask = ask, .out = out};
    mb_jw_key(out, "messages");
    mb_jw_array(out);
    if (mb_json_is(instructions, MB_JSON_STRING)) put_plain(out, "system", instructions);
    t.written = mb_json_is(instructions, MB_JSON_STRING);
    if (!is_list) put_plain(out, "user", mb_json_is(input, MB_JSON_STRING) ? input : NULL);
    for (uint32_t i = 0; is_list && i < input->count; i++) put_item(&t, &input->children[i]);
    flush(&t);
    mb_jw_end_array(out);
    return is_list || mb_json_is(input, MB_JSON_STRING);
}

// ---- tools and parameters ------------------------------------------------------------------------------------------

static bool fits(const char *name) {
    char wire_name[MB_WIRE_NAME_MAX + 1];
    if (!name || !*name) return false;
    mb_tool_wire_name(NULL, name, wire_name);
    return strcmp(wire_name, name) == 0;
}

// A tool of the caller's as we write one. before: how many of the list stand before it.
static bool is_plain_tool(const mb_json *tools, uint32_t before) {
    static const char *const KNOWN[] = {"type", "name", "description", "parameters", "strict", NULL};
    const mb_json *tool = &tools->children[before], *strict = mb_json_get(tool, "strict");
    const char *name = mb_json_get_str(tool, "name");
    for (uint32_t i = 0; name && i < before; i++)
        if (mb_json_str_is(mb_json_get(&tools->children[i], "name"), name)) return false;
    return is(tool, "function") && has_only(tool, KNOWN) && fits(name) &&
           mb_json_is(mb_json_get(tool, "parameters"), MB_JSON_OBJECT) && (!strict || strict->type == MB_JSON_BOOL);
}

static void put_tool(mb_jw *w, const mb_json *tools, uint32_t i) {
    static const char *const SAME[] = {"name", "description", "parameters", "strict"};
    const mb_json *tool = &tools->children[i];
    mb_jw_object(w);
    if (!is_plain_tool(tools, i)) {
        mb_jw_kstr(w, "type", "raw");
        mb_jw_kvalue_if(w, "raw", tool);
    } else {
        mb_jw_key(w, "function");
        mb_jw_object(w);
        for (size_t k = 0; k < MB_COUNT(SAME); k++) read_copy(w, tool, SAME[k], SAME[k]);
        mb_jw_end_object(w);
    }
    mb_jw_end_object(w);
}

static bool read_tools(const read_ask *ask, mb_jw *out) {
    const mb_json *tools = mb_json_get(ask->body, "tools");
    if (!mb_json_is(tools, MB_JSON_ARRAY) || tools->count == 0) return false;
    mb_jw_key(out, "tools");
    mb_jw_array(out);
    for (uint32_t i = 0; i < tools->count; i++) put_tool(out, tools, i);
    mb_jw_end_array(out);
    return true;
}

static bool read_choice(const read_ask *ask, mb_jw *out) {
    const mb_json *choice = mb_json_get(ask->body, "tool_choice");
    if (read_is_canonical(MB_ASK_CHAT, "tool_choice", choice) && mb_json_is(choice, MB_JSON_STRING)) {
        read_copy(out, ask->body, "tool_choice", "tool_choice");
        return true;
    }
    if (!is(choice, "function") || choice->count != 2 || !fits(mb_json_get_str(choice, "name"))) return false;
    mb_jw_key(out, "tool_choice");
    mb_jw_object(out);
    mb_jw_key(out, "function");
    mb_jw_object(out);
    mb_jw_kvalue_if(out, "name", mb_json_get(choice, "name"));
    mb_jw_end_object(out);
    mb_jw_end_object(out);
    return true;
}

// Whether our response_format has words for all of it.
static bool is_our_format(const mb_json *format) {
    static const char *const KNOWN[] = {"type", "name", "description", "schema", "strict", NULL};
    static const struct {
        const char *key;
        mb_json_type type;
    } TYPES[] = {{"name", MB_JSON_STRING}, {"description", MB_JSON_STRING}, {"strict", MB_JSON_BOOL}};
    if (!mb_json_is(format, MB_JSON_OBJECT)) return false;
    if (is(format, "text") || is(format, "json_object")) return format->count == 1;
    for (size_t i = 0; i < MB_COUNT(TYPES); i++) {
        const mb_json *v = mb_json_get(format, TYPES[i].key);
        if (v && v->type != TYPES[i].type) return false;
    }
    return is(format, "json_schema") && has_only(format, KNOWN) && mb_json_get(format, "name") &&
           mb_json_is(mb_json_get(format, "schema"), MB_JSON_OBJECT);
}

static bool read_format(const read_ask *ask, mb_jw *out) {
    static const char *const FORMAT[] = {"type", NULL};
    const mb_json *text = mb_json_get(ask->body, "text"), *format = mb_json_get(text, "format");
    if (!mb_json_is(text, MB_JSON_OBJECT)) return false;
    if (text->count != 1 || !is_our_format(format)) return false;
    mb_jw_key(out, "response_format");
    mb_jw_object(out);
    mb_jw_kvalue_if(out, "type", mb_json_get(format, "type"));
    if (open_others(out, "json_schema", format, FORMAT)) mb_jw_end_object(out);
    mb_jw_end_object(out);
    return true;
}

static bool read_effort(const read_ask *ask, mb_jw *out) {
    static const char *const WORDS[] = {"none", "minimal", "low", "medium", "high", NULL}; // newer ones stay theirs
    const mb_json *reasoning = mb_json_get(ask->body, "reasoning");
    const char *effort = mb_json_get_str(reasoning, "effort");
    if (!effort || reasoning->count != 1 || !is_one_of(effort, WORDS)) return false;
    read_copy(out, reasoning, "effort", "thinking");
    return true;
}

static bool is_plain_model(const char *model) {
    static const char *const NAMES[] = {"*gpt-3*", "*gpt-4*", "*gpt-5*-chat*"};
    for (size_t i = 0; model && i < MB_COUNT(NAMES); i++)
        if (mb_pattern_glob(NAMES[i], model)) return true;
    return false;
}

// What the writer asks for by itself, of models that reason.
static bool is_usual_include(const read_ask *ask) {
    const mb_json *include = mb_json_get(ask->body, "include");
    const char *model = mb_json_get_str(ask->body, "model");
    return mb_json_is(include, MB_JSON_ARRAY) && include->count == 1 &&
           mb_json_str_is(&include->children[0], ENCRYPTED) && !is_plain_model(model);
}

static size_t know(const char **known, size_t count, const char *key, bool is_known) {
    if (is_known) known[count++] = key;
    return count;
}

static bool is_said(const read_ask *ask, const char *key) {
    const mb_json *v = mb_json_get(ask->body, key);
    return v && v->type != MB_JSON_NULL;
}

static size_t read_conversation(const read_ask *ask, mb_jw *out, const char **known) {
    size_t count = know(known, 0, "model", true);
    read_model(ask, mb_json_get_str(ask->body, "model"));
    count = know(known, count, "instructions", is_said(ask, "instructions"));
    count = know(known, count, "input", read_messages(ask, out));
    return know(known, count, "tools", read_tools(ask, out));
}

static bool read_chat(const read_ask *ask, mb_jw *out) {
    static const struct {
        const char *theirs, *ours;
        bool of_tools;
    } SAME[] = {{"max_output_tokens", "max_tokens", false},
                {"temperature", "temperature", false},
                {"top_p", "top_p", false},
                {"parallel_tool_calls", "parallel_tool_calls", true}};
    const char *known[32] = {NULL};
    const mb_json *store = mb_json_get(ask->body, "store");
    *ask->ret_stream = mb_json_bool(mb_json_get(ask->body, "stream"), false);
    size_t count = read_conversation(ask, out, known);
    bool has_tools = count && strcmp(known[count - 1], "tools") == 0;
    count = know(known, count, "stream", true);
    for (size_t i = 0; i < MB_COUNT(SAME); i++) {
        if (SAME[i].of_tools && !has_tools) continue;
        if (!read_is_canonical(MB_ASK_CHAT, SAME[i].ours, mb_json_get(ask->body, SAME[i].theirs))) continue;
        read_copy(out, ask->body, SAME[i].theirs, SAME[i].ours);
        count = know(known, count, SAME[i].theirs, true);
    }
    count = know(known, count, "tool_choice", has_tools && read_choice(ask, out));
    count = know(known, count, "text", read_format(ask, out));
    count = know(known, count, "reasoning", read_effort(ask, out));
    count = know(known, count, "include", is_usual_include(ask));
    know(known, count, "store", mb_json_is(store, MB_JSON_BOOL) && !store->boolean);
    read_extra(out, ask->body, known);
    return mb_json_get(ask->body, "input") != NULL;
}

static bool read_count(const read_ask *ask, mb_jw *out) {
    static const char *const OF_TEXT[] = {"model", "input", NULL};
    const char *known[8] = {NULL};
    const mb_json *input = mb_json_get(ask->body, "input");
    if (mb_json_is(input, MB_JSON_STRING) && !mb_json_get(ask->body, "instructions")) {
        read_model(ask, mb_json_get_str(ask->body, "model"));
        mb_jw_kvalue_if(out, "input", input);
        read_extra(out, ask->body, OF_TEXT);
        return true;
    }
    read_conversation(ask, out, known);
    read_extra(out, ask->body, known);
    return input != NULL;
}

const wire_reader READERS_RESPONSES[] = {
    {"responses", read_chat, MB_ASK_CHAT},
    {"count_tokens", read_count, MB_ASK_COUNT_TOKENS},
    {0},
};
