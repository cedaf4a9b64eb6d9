// SPDX-License-Identifier: MIT
// Canonical requests as those of the first version of Cohere's API: one message, and beside it what was said before.
// Results of the last calls stand beside the message too, and have no ids: they repeat the call that they answer.
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "route/cohere.h"
#include "route/write.h"

typedef struct writer {
    const mb_ask *ask;
    mb_jw w;
    const mb_json *tools;
    membrane_error **err;
    mb_jw history;
    const mb_json *preamble;
    const mb_json *last; // what came last and is not in the history yet: a message …
    const mb_json *results[MB_LIMIT_TOOL_CALLS], *calls[MB_LIMIT_TOOL_CALLS]; // … or results
    uint32_t result_count;
} writer;

static bool role_is(const mb_json *message, const char *role) {
    return mb_json_str_is(mb_json_get(message, "role"), role);
}

// ---- what was said before ------------------------------------------------------------------------------------------

static void put_call(writer *o, mb_jw *w, const mb_json *call) {
    char name[MB_WIRE_NAME_MAX + 1];
    mb_tool_wire_name(o->tools, mb_call_name(call), name);
    mb_jw_object(w);
    mb_jw_kstr(w, "name", name);
    mb_jw_key(w, "parameters");
    mb_write_call_arguments(w, call, false);
    mb_jw_end_object(w);
}

static void put_results(writer *o, mb_jw *w) {
    mb_jw_key(w, "tool_results");
    mb_jw_array(w);
    for (uint32_t i = 0; i < o->result_count; i++) {
        mb_jw_object(w);
        mb_jw_key(w, "call");
        put_call(o, w, o->calls[i]);
        mb_jw_key(w, "outputs");
        mb_jw_array(w);
        mb_jw_object(w);
        mb_jw_key(w, "output");
        if (o->results[i])
            mb_write_text(w, mb_json_get(o->results[i], "content"));
        else
            mb_jw_str(w, MB_NO_RESULT);
        mb_jw_end_object(w);
        mb_jw_end_array(w);
        mb_jw_end_object(w);
    }
    mb_jw_end_array(w);
}

static void put_said(writer *o, const mb_json *message) {
    const mb_json *calls = mb_json_get(message, "tool_calls");
    mb_jw *w = &o->history;
    mb_jw_object(w);
    mb_jw_kstr(w, "role", role_is(message, "assistant") ? "CHATBOT" : role_is(message, "user") ? "USER" : "SYSTEM");
    mb_jw_key(w, "message");
    mb_write_text(w, mb_json_get(message, "content"));
    if (calls && calls->count) {
        mb_jw_key(w, "tool_calls");
        mb_jw_array(w);
        for (uint32_t i = 0; i < calls->count; i++) put_call(o, w, &calls->children[i]);
        mb_jw_end_array(w);
    }
    mb_jw_end_object(w);
}

// What came last was not the last: into the history with it.
static void pass_on(writer *o) {
    if (o->last) put_said(o, o->last);
    if (o->result_count) {
        mb_jw_object(&o->history);
        mb_jw_kstr(&o->history, "role", "TOOL");
        put_results(o, &o->history);
        mb_jw_end_object(&o->history);
    }
    o->last = NULL;
    o->result_count = 0;
}

static int check_content(writer *o, const mb_json *message) {
    const mb_json *content = mb_json_get(message, "content");
    if (mb_json_get(message, "name") && !mb_json_get(message, "tool_call_id")) {
        int status = mb_write_unsupported(o->ask, o->err, "messages.name", "its messages have none");
        if (status != 0) return status;
    }
    if (mb_content_has_image(content)) {
        int status = mb_write_unsupported(o->ask, o->err, "content.image", "it reads text only");
        if (status != 0) return status;
    }
    return mb_write_check_plain(o->ask, content, o->err);
}

static int put_message(void *user, const mb_json *message, const mb_json *call) {
    writer *o = user;
    int status = message ? check_content(o, message) : 0;
    if (status != 0 || (message && message == o->preamble)) return status;
    if (!call || o->last) pass_on(o);
    if (!call) {
        o->last = message;
    } else if (o->result_count < MB_LIMIT_TOOL_CALLS) {
        o->results[o->result_count] = message;
        o->calls[o->result_count++] = call;
    }
    return 0;
}

static int put_conversation(writer *o) {
    const mb_json *first = mb_json_at(mb_json_get(o->ask->request, "messages"), 0);
    mb_buf history = MB_BUF(MB_LIMIT_REQUEST);
    mb_jw *w = &o->w;
    o->history = mb_jw_to(&history);
    o->preamble = role_is(first, "system") && !mb_write_has_extra(o->ask, "preamble") ? first : NULL;
    if (o->preamble) {
        mb_jw_key(w, "preamble");
        mb_write_text(w, mb_json_get(o->preamble, "content"));
    }
    mb_jw_array(&o->history);
    int status = mb_history_each(o->ask, put_message, o);
    if (o->last && !role_is(o->last, "user")) pass_on(o);
    mb_jw_end_array(&o->history);
    if (history.len > 2 && !mb_write_has_extra(o->ask, "chat_history")) {
        mb_jw_key(w, "chat_history");
        mb_jw_raw(w, mb_buf_text(&history), history.len);
    }
    if (!mb_buf_ok(&history)) w->out->failed = history.failed;
    mb_buf_free(&history);
    if (!mb_write_has_extra(o->ask, "message")) {
        mb_jw_key(w, "message");
        mb_write_text(w, o->last ? mb_json_get(o->last, "content") : NULL);
    }
    if (o->result_count && !mb_write_has_extra(o->ask, "tool_results")) put_results(o, w);
    return status;
}

// ---- tools ---------------------------------------------------------------------------------------------------------

// It names types as Python does.
static const char *type_of(const mb_json *schema) {
    static const struct {
        const char *json, *python;
    } TYPES[] = {{"string", "str"},   {"integer", "int"}, {"number", "float"},
                 {"boolean", "bool"}, {"array", "List"},  {"object", "Dict"}};
    for (size_t i = 0; i < MB_COUNT(TYPES); i++)
        if (mb_json_str_is(mb_json_get(schema, "type"), TYPES[i].json)) return TYPES[i].python;
    return "str";
}

static bool is_required(const mb_json *parameters, const char *name) {
    const mb_json *list = mb_json_get(parameters, "required");
    for (uint32_t i = 0; mb_json_is(list, MB_JSON_ARRAY) && i < list->count; i++)
        if (mb_json_str_is(&list->children[i], name)) return true;
    return false;
}

static void put_parameters(mb_jw *w, const mb_json *parameters) {
    const mb_json *properties = mb_json_get(parameters, "properties");
    mb_jw_key(w, "parameter_definitions");
    mb_jw_object(w);
    for (uint32_t i = 0; mb_json_is(properties, MB_JSON_OBJECT) && i < properties->count; i++) {
        const mb_json *p = &properties->children[i];
        mb_jw_key(w, p->key);
        mb_jw_object(w);
        mb_jw_kstr_if(w, "description", mb_json_get_str(p, "description"));
        mb_jw_kstr(w, "type", type_of(p));
        mb_jw_kbool(w, "required", is_required(parameters, p->key));
        mb_jw_end_object(w);
    }
    mb_jw_end_object(w);
}

static void put_tool(writer *o, const mb_json *tool) {
    const mb_json *function = mb_json_get(tool, "function"), *raw = mb_json_get(tool, "raw");
    const char *description = mb_json_get_str(function, "description");
    char name[MB_WIRE_NAME_MAX + 1];
    mb_jw *w = &o->w;
    if (raw) {
        mb_jw_value(w, raw);
        return;
    }
    mb_tool_wire_name(o->tools, mb_json_get_str(function, "name"), name);
    mb_jw_object(w);
    mb_jw_kstr(w, "name", name);
    mb_jw_kstr(w, "description", description ? description : "");
    put_parameters(w, mb_json_get(function, "parameters"));
    mb_jw_end_object(w);
}

static int put_tools(writer *o) {
    const mb_json *choice = mb_write_get(o->ask, "tool_choice"),
                  *parallel = mb_write_get(o->ask, "parallel_tool_calls");
    bool none = mb_json_str_is(choice, "none");
    int status = 0;
    if (!o->tools || o->tools->count == 0 || none) return 0;
    if (choice && !mb_json_str_is(choice, "auto"))
        status = mb_write_unsupported(o->ask, o->err, "tool_choice", "it cannot be made to call a tool");
    if (status == 0 && parallel && !mb_json_bool(parallel, true))
        status = mb_write_unsupported(o->ask, o->err, "parallel_tool_calls", "it calls as many tools as it likes");
    if (status != 0 || mb_write_has_extra(o->ask, "tools")) return status;
    mb_jw_key(&o->w, "tools");
    mb_jw_array(&o->w);
    for (uint32_t i = 0; i < o->tools->count; i++) put_tool(o, &o->tools->children[i]);
    mb_jw_end_array(&o->w);
    return 0;
}

// ---- the request ---------------------------------------------------------------------------------------------------

static void put_format(writer *o) {
    const mb_json *format = mb_write_get(o->ask, "response_format");
    mb_jw *w = &o->w;
    bool is_text = mb_json_str_is(mb_json_get(format, "type"), "text");
    if (!format || mb_write_has_extra(o->ask, "response_format")) return;
    mb_jw_key(w, "response_format");
    mb_jw_object(w);
    mb_jw_kstr(w, "type", is_text ? "text" : "json_object");
    mb_jw_kvalue_if(w, "schema", mb_json_path(format, "json_schema.schema"));
    mb_jw_end_object(w);
}

static int put_sampling(writer *o) {
    static const struct {
        const char *ours, *theirs;
    } NAMES[] = {{"max_tokens", "max_tokens"}, {"temperature", "temperature"}, {"top_p", "p"}, {"seed", "seed"}};
    const mb_json *stop = mb_write_get(o->ask, "stop");
    mb_jw *w = &o->w;
    for (size_t i = 0; i < MB_COUNT(NAMES); i++) mb_write_copy(w, o->ask, NAMES[i].ours, NAMES[i].theirs);
    if (stop && !mb_write_has_extra(o->ask, "stop_sequences")) {
        mb_jw_key(w, "stop_sequences");
        if (stop->type == MB_JSON_STRING) mb_jw_array(w);
        mb_jw_value(w, stop);
        if (stop->type == MB_JSON_STRING) mb_jw_end_array(w);
    }
    return mb_write_thinking(w, o->ask, o->err);
}

static int write_chat(writer *o, mb_wire *wire) {
    const mb_ask *ask = o->ask;
    int status = mb_write_target(ask, wire, "POST", ask->quirks->chat_path, true, "chat", o->err);
    if (status == 0) status = mb_tool_names_check(o->tools, o->err);
    if (status != 0) return status;
    bool is_wrapped = strstr(ask->quirks->chat_path, "{model}") != NULL; // by a cloud that says both in the path
    if (ask->model && !is_wrapped && !mb_write_has_extra(ask, "model")) mb_jw_kstr(&o->w, "model", ask->model);
    status = put_conversation(o);
    if (status == 0) status = put_tools(o);
    put_format(o);
    if (status == 0) status = put_sampling(o);
    if (!is_wrapped) mb_jw_kbool(&o->w, "stream", ask->stream);
    return status;
}

int mb_cohere_v1_write(const mb_ask *ask, mb_wire *wire, membrane_error **err) {
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
