// SPDX-License-Identifier: MIT
// Canonical requests as Cohere's (the second version of its API). Documents that a user brings stand beside the
// conversation, so that the answer can cite them; beside tools they are text, since the one excludes the other.
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "route/cohere.h"
#include "route/echo.h"
#include "route/write.h"

typedef struct writer {
    const mb_ask *ask;
    mb_jw w;
    const mb_json *tools;
    membrane_error **err;
    bool names_checked;
    bool cites; // documents stand beside the conversation
} writer;

static bool is_type(const mb_json *part, const char *type) { return mb_json_str_is(mb_json_get(part, "type"), type); }

// ---- content -------------------------------------------------------------------------------------------------------

static void put_image(mb_jw *w, const mb_json *part) {
    const mb_json *url = mb_json_get(part, "image_url");
    mb_jw_kstr(w, "type", "image_url");
    mb_jw_key(w, "image_url");
    if (url) {
        mb_jw_value(w, url);
        return;
    }
    mb_jw_object(w);
    mb_jw_key(w, "url");
    mb_write_data_url(w, part);
    mb_jw_end_object(w);
}

static void put_text(mb_jw *w, const mb_json *part) {
    mb_jw_kstr(w, "type", "text");
    mb_jw_key(w, "text");
    mb_write_part_text(w, part);
}

static void put_document(mb_jw *w, const mb_json *part) {
    mb_jw_key(w, "data");
    mb_jw_object(w);
    mb_jw_kvalue_if(w, "title", mb_json_get(part, "name"));
    mb_jw_kvalue_if(w, "text", mb_json_get(part, "text"));
    mb_jw_end_object(w);
}

static bool is_image(const mb_json *part) { return is_type(part, "image") || is_type(part, "image_url"); }
static bool is_document(const mb_json *part) { return is_type(part, "document") && mb_json_get(part, "text"); }

static void put_known_part(writer *o, const mb_json *part, bool in_result) {
    mb_jw *w = &o->w;
    if (is_type(part, "raw")) {
        mb_jw_value(w, mb_json_get(part, "raw"));
        return;
    }
    mb_jw_object(w);
    if (is_image(part)) {
        put_image(w, part);
    } else if (in_result && is_document(part)) {
        mb_jw_kstr(w, "type", "document");
        mb_jw_key(w, "document");
        mb_jw_object(w);
        mb_jw_kvalue_if(w, "id", mb_json_get(part, "name"));
        put_document(w, part);
        mb_jw_end_object(w);
    } else {
        put_text(w, part);
    }
    mb_jw_end_object(w);
}

static int put_part(writer *o, const mb_json *part, bool in_result, bool beside) {
    if (is_type(part, "thinking") || (beside && is_document(part))) return 0;
    if (is_type(part, "document") && !is_document(part))
        return mb_write_unsupported(o->ask, o->err, "content.document", "it takes documents as text only");
    if (in_result && is_image(part))
        return mb_write_unsupported(o->ask, o->err, "content.image", "a tool's result holds text and documents");
    put_known_part(o, part, in_result);
    return 0;
}

// Whether a message's documents go beside the conversation: something else must be left of it.
static bool goes_beside(const writer *o, const mb_json *content) {
    for (uint32_t i = 0; o->cites && mb_json_is(content, MB_JSON_ARRAY) && i < content->count; i++) {
        const mb_json *part = &content->children[i], *text = mb_json_get(part, "text");
        if (is_image(part) || (is_type(part, "text") && text->len)) return true;
    }
    return false;
}

static bool needs_list(const mb_json *content, bool in_result, bool beside) {
    if (!mb_json_is(content, MB_JSON_ARRAY)) return false;
    for (uint32_t i = 0; i < content->count; i++) {
        const mb_json *part = &content->children[i];
        if (is_image(part) || is_type(part, "raw")) return true;
        if (is_type(part, "document") && (in_result || beside || !mb_json_get(part, "text"))) return true;
    }
    return false;
}

static int put_content(writer *o, const mb_json *content, bool in_result, bool beside) {
    int status = 0;
    mb_jw_key(&o->w, "content");
    if (!needs_list(content, in_result, beside)) {
        mb_write_text(&o->w, content);
        return 0;
    }
    mb_jw_array(&o->w);
    for (uint32_t i = 0; i < content->count && status == 0; i++)
        status = put_part(o, &content->children[i], in_result, beside);
    mb_jw_end_array(&o->w);
    return status;
}

// ---- an assistant's turn -------------------------------------------------------------------------------------------

typedef struct echoed {
    mb_jw *w;
    enum { LOOK, MEMBERS, PARTS } stage;
    bool has_thought, has_text;
} echoed;

static void put_text_part(mb_jw *w, const char *text, size_t len) {
    mb_jw_object(w);
    mb_jw_kstr(w, "type", "text");
    mb_jw_key(w, "text");
    mb_jw_strn(w, text, len);
    mb_jw_end_object(w);
}

static int take_block(void *user, const mb_echo_block *b) {
    echoed *e = user;
    bool is_part = b->raw && mb_json_get(b->raw, "type"); // else members of the message: its plan, its citations
    e->has_thought |= is_part;
    e->has_text |= b->text != NULL;
    if (e->stage == MEMBERS && b->raw && !is_part) {
        for (uint32_t i = 0; i < b->raw->count; i++) {
            mb_jw_key(e->w, b->raw->children[i].key);
            mb_jw_value(e->w, &b->raw->children[i]);
        }
    } else if (e->stage == PARTS && b->text) {
        put_text_part(e->w, b->text, b->len);
    } else if (e->stage == PARTS && is_part) {
        mb_jw_value(e->w, b->raw);
    }
    return 0;
}

static int put_turn(writer *o, const mb_json *message, bool has_calls) {
    const mb_json *content = mb_json_get(message, "content");
    echoed e = {.w = &o->w, .stage = LOOK};
    int status = mb_echo_each(o->ask, message, take_block, &e);
    if (status < 0) return status;
    if (status == 0) {
        e.stage = MEMBERS;
        status = mb_echo_each(o->ask, message, take_block, &e);
    }
    if (status < 0) return status;
    if (e.has_thought) {
        mb_jw_key(&o->w, "content");
        mb_jw_array(&o->w);
        e.stage = PARTS;
        status = mb_echo_each(o->ask, message, take_block, &e);
        mb_jw_end_array(&o->w);
        return status < 0 ? status : 0;
    }
    mb_buf text = MB_BUF(MB_LIMIT_REQUEST);
    mb_content_put_text(&text, content);
    bool is_blank = text.len == 0 && !needs_list(content, false, false);
    if (!mb_buf_ok(&text)) o->w.out->failed = text.failed;
    mb_buf_free(&text);
    return is_blank && has_calls ? 0 : put_content(o, content, false, false);
}

static void put_call(writer *o, const mb_json *call) {
    mb_jw *w = &o->w;
    char name[MB_WIRE_NAME_MAX + 1];
    mb_tool_wire_name(o->tools, mb_call_name(call), name);
    mb_jw_object(w);
    mb_jw_kstr(w, "id", mb_json_get_str(call, "id"));
    mb_jw_kstr(w, "type", "function");
    mb_jw_key(w, "function");
    mb_jw_object(w);
    mb_jw_kstr(w, "name", name);
    mb_jw_key(w, "arguments");
    mb_write_call_arguments(w, call, true);
    mb_jw_end_object(w);
    mb_jw_end_object(w);
}

static int put_assistant(writer *o, const mb_json *message) {
    const mb_json *calls = mb_json_get(message, "tool_calls");
    bool has_calls = calls && calls->count;
    int status = put_turn(o, message, has_calls);
    if (!has_calls) return status;
    mb_jw_key(&o->w, "tool_calls");
    mb_jw_array(&o->w);
    for (uint32_t i = 0; i < calls->count; i++) put_call(o, &calls->children[i]);
    mb_jw_end_array(&o->w);
    return status;
}

// ---- messages ------------------------------------------------------------------------------------------------------

static int put_result(writer *o, const mb_json *message, const mb_json *call) {
    mb_jw *w = &o->w;
    int status = 0;
    mb_jw_object(w);
    mb_jw_kstr(w, "role", "tool");
    mb_jw_kstr(w, "tool_call_id", mb_json_get_str(call, "id"));
    if (message)
        status = put_content(o, mb_json_get(message, "content"), true, false);
    else
        mb_write_result(w, NULL);
    mb_jw_end_object(w);
    return status;
}

static int check_name(writer *o, const mb_json *message) {
    if (o->names_checked || !mb_json_get(message, "name")) return 0;
    o->names_checked = true;
    return mb_write_unsupported(o->ask, o->err, "messages.name", "its messages have none");
}

static int put_message(void *user, const mb_json *message, const mb_json *call) {
    writer *o = user;
    mb_jw *w = &o->w;
    if (call) return put_result(o, message, call);
    const char *role = mb_json_get_str(message, "role");
    const mb_json *content = mb_json_get(message, "content");
    int status = check_name(o, message);
    if (status != 0) return status;
    mb_jw_object(w);
    mb_jw_kstr(w, "role", strcmp(role, "developer") == 0 ? "system" : role);
    if (strcmp(role, "assistant") == 0)
        status = put_assistant(o, message);
    else
        status = put_content(o, content, false, goes_beside(o, content));
    mb_jw_end_object(w);
    return status;
}

static void put_documents(writer *o) {
    const mb_json *messages = mb_json_get(o->ask->request, "messages");
    mb_jw *w = &o->w;
    bool open = false;
    for (uint32_t i = 0; o->cites && i < messages->count; i++) {
        const mb_json *message = &messages->children[i], *content = mb_json_get(message, "content");
        if (mb_json_str_is(mb_json_get(message, "role"), "assistant") || mb_json_get(message, "tool_call_id")) continue;
        if (!goes_beside(o, content)) continue;
        for (uint32_t j = 0; j < content->count; j++) {
            if (!is_document(&content->children[j])) continue;
            if (!open) mb_jw_key(w, "documents");
            if (!open) mb_jw_array(w);
            open = true;
            mb_jw_object(w);
            put_document(w, &content->children[j]);
            mb_jw_end_object(w);
        }
    }
    if (open) mb_jw_end_array(w);
}

// ---- tools ---------------------------------------------------------------------------------------------------------

static void put_tool(writer *o, const mb_json *tool) {
    const mb_json *function = mb_json_get(tool, "function"), *raw = mb_json_get(tool, "raw");
    mb_jw *w = &o->w;
    char name[MB_WIRE_NAME_MAX + 1];
    if (raw) {
        mb_jw_value(w, raw);
        return;
    }
    mb_tool_wire_name(o->tools, mb_json_get_str(function, "name"), name);
    mb_jw_object(w);
    mb_jw_kstr(w, "type", "function");
    mb_jw_key(w, "function");
    mb_jw_object(w);
    mb_jw_kstr(w, "name", name);
    mb_jw_kvalue_if(w, "description", mb_json_get(function, "description"));
    mb_jw_kvalue_if(w, "parameters", mb_json_get(function, "parameters"));
    mb_jw_end_object(w);
    mb_jw_end_object(w);
}

// A choice can be made between "REQUIRED" and "NONE"; one function is required where there is no other.
static int put_tool_choice(writer *o) {
    const mb_json *choice = mb_write_get(o->ask, "tool_choice"), *name = mb_json_path(choice, "function.name");
    if (!choice || mb_json_str_is(choice, "auto") || mb_write_has_extra(o->ask, "tool_choice")) return 0;
    const mb_json *only = o->tools->count == 1 ? mb_json_path(&o->tools->children[0], "function.name") : NULL;
    if (name && !(only && mb_json_equal(name, only)))
        return mb_write_unsupported(o->ask, o->err, "tool_choice", "it cannot be told which of several tools to call");
    mb_jw_kstr(&o->w, "tool_choice", mb_json_str_is(choice, "none") ? "NONE" : "REQUIRED");
    return 0;
}

static int put_tools(writer *o) {
    const mb_json *parallel = mb_write_get(o->ask, "parallel_tool_calls");
    bool strict = false;
    if (!o->tools || o->tools->count == 0) return 0;
    if (!mb_write_has_extra(o->ask, "tools")) {
        mb_jw_key(&o->w, "tools");
        mb_jw_array(&o->w);
        for (uint32_t i = 0; i < o->tools->count; i++) put_tool(o, &o->tools->children[i]);
        mb_jw_end_array(&o->w);
    }
    for (uint32_t i = 0; i < o->tools->count; i++)
        strict |= mb_json_bool(mb_json_path(&o->tools->children[i], "function.strict"), false);
    if (strict && !mb_write_has_extra(o->ask, "strict_tools")) mb_jw_kbool(&o->w, "strict_tools", true);
    int status = put_tool_choice(o);
    if (status == 0 && parallel && !mb_json_bool(parallel, true))
        status = mb_write_unsupported(o->ask, o->err, "parallel_tool_calls", "it calls as many tools as it likes");
    return status;
}

// ---- parameters ----------------------------------------------------------------------------------------------------

static void put_format(writer *o) {
    const mb_json *format = mb_write_get(o->ask, "response_format"),
                  *schema = mb_json_path(format, "json_schema.schema");
    mb_jw *w = &o->w;
    if (!format || mb_write_has_extra(o->ask, "response_format")) return;
    mb_jw_key(w, "response_format");
    mb_jw_object(w);
    mb_jw_kstr(w, "type", is_type(format, "text") ? "text" : "json_object");
    if (is_type(format, "json_schema")) mb_jw_kvalue_if(w, "json_schema", schema);
    mb_jw_end_object(w);
}

static int put_thinking(writer *o) {
    const mb_json *v = mb_write_get(o->ask, "thinking"), *budget = mb_json_get(v, "budget_tokens");
    mb_jw *w = &o->w;
    if (!v || mb_write_has_extra(o->ask, "thinking")) return 0;
    bool is_object = v->type == MB_JSON_OBJECT;
    const mb_json *effort = is_object ? mb_json_get(v, "effort") : v;
    bool on = mb_json_bool(is_object ? mb_json_get(v, "enabled") : v, true) && !mb_json_str_is(effort, "none");
    if (!o->ask->quirks->thinking_key)
        return on ? mb_write_unsupported(o->ask, o->err, "thinking", "the server has no field for it") : 0;
    mb_jw_key(w, "thinking");
    mb_jw_object(w);
    mb_jw_kstr(w, "type", on ? "enabled" : "disabled");
    if (on) mb_jw_kvalue_if(w, "token_budget", budget);
    mb_jw_end_object(w);
    return 0;
}

static void put_stop(writer *o) {
    const mb_json *stop = mb_write_get(o->ask, "stop");
    if (!stop || mb_write_has_extra(o->ask, "stop_sequences")) return;
    mb_jw_key(&o->w, "stop_sequences");
    if (stop->type == MB_JSON_STRING) mb_jw_array(&o->w);
    mb_jw_value(&o->w, stop);
    if (stop->type == MB_JSON_STRING) mb_jw_end_array(&o->w);
}

static int put_logprobs(writer *o) {
    const mb_json *v = mb_write_get(o->ask, "logprobs");
    bool is_count = v && v->type != MB_JSON_BOOL;
    if (!v || mb_write_has_extra(o->ask, "logprobs")) return 0;
    if (is_count && mb_json_int(v, 0) > 0) {
        int status = mb_write_unsupported(o->ask, o->err, "logprobs", "it gives no alternatives");
        if (status != 0) return status;
    }
    mb_jw_kbool(&o->w, "logprobs", is_count || v->boolean);
    return 0;
}

static int put_parameters(writer *o) {
    static const struct {
        const char *ours, *theirs;
    } NAMES[] = {{"max_tokens", "max_tokens"}, {"temperature", "temperature"}, {"top_p", "p"}, {"seed", "seed"}};
    put_format(o);
    for (size_t i = 0; i < MB_COUNT(NAMES); i++) mb_write_copy(&o->w, o->ask, NAMES[i].ours, NAMES[i].theirs);
    put_stop(o);
    int status = put_logprobs(o);
    return status ? status : put_thinking(o);
}

static int write_chat(writer *o, mb_wire *wire) {
    const mb_ask *ask = o->ask;
    int status = mb_write_target(ask, wire, "POST", ask->quirks->chat_path, true, "chat", o->err);
    if (status == 0) status = mb_tool_names_check(o->tools, o->err);
    if (status != 0) return status;
    o->cites =
        !(o->tools && o->tools->count) && !mb_write_has_extra(ask, "documents") && !mb_write_has_extra(ask, "tools");
    if (ask->model && !mb_write_has_extra(ask, "model")) mb_jw_kstr(&o->w, "model", ask->model);
    if (!mb_write_has_extra(ask, "messages")) {
        mb_jw_key(&o->w, "messages");
        mb_jw_array(&o->w);
        status = mb_history_each(ask, put_message, o);
        mb_jw_end_array(&o->w);
        put_documents(o);
    }
    if (status == 0) status = put_tools(o);
    if (status == 0) status = put_parameters(o);
    mb_jw_kbool(&o->w, "stream", ask->stream); // a required field
    return status;
}

int mb_cohere_write(const mb_ask *ask, mb_wire *wire, membrane_error **err) {
    int status = mb_write_check(ask, err);
    if (status != 0) return status;
    if (ask->kind != MB_ASK_CHAT) return mb_cohere_write_other(ask, wire, err);
    wire->stream = ask->stream;
    writer o = {.ask = ask, .w = mb_jw_to(&wire->body), .tools = mb_write_get(ask, "tools"), .err = err};
    mb_jw_object(&o.w);
    status = write_chat(&o, wire);
    mb_write_extra(&o.w, ask, NULL);
    mb_jw_end_object(&o.w);
    if (status == MEMBRANE_ENOMEM) return mb_error_no_memory(err);
    return status ? status : mb_write_done(wire, err);
}
