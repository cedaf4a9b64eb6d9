// SPDX-License-Identifier: MIT
// Canonical requests as the Messages API's. System and developer messages, wherever they stand, become its one system
// prompt; all results of a turn go into the next user message; max_tokens must be said, so the row has a default.
#include <string.h>

#include "base/alloc.h"
#include "route/anthropic.h"
#include "route/anthropic_blocks.h"
#include "route/echo.h"
#include "route/write.h"

enum { BUDGET_MIN = 1024 }; // of thinking tokens; less is refused

typedef struct thinking {
    bool is_said, on;
    const char *effort; // never NULL if it is said
    int64_t budget;     // 0: as the effort has it
} thinking;

typedef struct writer {
    mb_blocks b;
    const mb_ask *ask;
    const mb_json *tools, *cache;
    thinking thinking;
} writer;

static bool has_extra(const writer *o, const char *key) { return mb_write_has_extra(o->ask, key); }

// ---- messages ------------------------------------------------------------------------------------------------------

static bool is_system(const mb_json *message) {
    const mb_json *role = mb_json_get(message, "role");
    return mb_json_str_is(role, "system") || mb_json_str_is(role, "developer");
}

static int put_echo(void *user, const mb_echo_block *e) {
    writer *o = user;
    mb_jw *w = &o->b.w;
    if (e->call) {
        mb_blocks_call(&o->b, o->tools, e->call, e->with);
    } else if (e->raw) {
        const mb_json *type = mb_json_get(e->raw, "type");
        mb_blocks_begin(&o->b, "assistant", NULL);
        mb_blocks_members(w, e->raw, NULL);
        o->b.can_mark = !mb_json_str_is(type, "thinking") && !mb_json_str_is(type, "redacted_thinking") &&
                        !mb_json_get(e->raw, "cache_control");
    } else if (!mb_blocks_is_white(e->text, e->len)) {
        mb_blocks_begin(&o->b, "assistant", "text");
        mb_jw_key(w, "text");
        mb_jw_strn(w, e->text, e->len);
        mb_blocks_members(w, e->with, NULL);
    }
    return 0;
}

static const mb_json *mark_in(const mb_json *content) {
    const mb_json *mark = NULL;
    for (uint32_t i = 0; mb_json_is(content, MB_JSON_ARRAY) && i < content->count; i++)
        if (mb_blocks_is_mark(mb_json_get(&content->children[i], "cache")))
            mark = mb_json_get(&content->children[i], "cache");
    return mark;
}

static int put_assistant(writer *o, const mb_json *message) {
    const mb_json *content = mb_json_get(message, "content"), *calls = mb_json_get(message, "tool_calls");
    int status = mb_blocks_take_calls(&o->b, calls);
    if (status == 0) status = mb_echo_each(o->ask, message, put_echo, o);
    if (status == 0 && mark_in(content)) mb_blocks_mark_last(&o->b, mark_in(content)); // its parts are other blocks now
    if (status != 1) return status;
    status = mb_blocks_content(&o->b, "assistant", content);
    for (uint32_t i = 0; calls && i < calls->count && status == 0; i++)
        mb_blocks_call(&o->b, o->tools, &calls->children[i], NULL);
    return status;
}

static int put_message(void *user, const mb_json *message, const mb_json *call) {
    writer *o = user;
    if (call) return mb_blocks_result(&o->b, message, call);
    if (is_system(message)) return 0; // written already
    if (mb_json_get(message, "name")) {
        int status = mb_write_unsupported(o->ask, o->b.err, "messages.name", "it knows speakers by their role only");
        if (status != 0) return status;
    }
    if (mb_json_str_is(mb_json_get(message, "role"), "assistant")) return put_assistant(o, message);
    return mb_blocks_content(&o->b, "user", mb_json_get(message, "content"));
}

static int put_system(writer *o) {
    const mb_json *messages = mb_json_get(o->ask->request, "messages");
    int status = 0;
    for (uint32_t i = 0; messages && i < messages->count && status == 0; i++) {
        const mb_json *content = mb_json_get(&messages->children[i], "content");
        if (is_system(&messages->children[i])) status = mb_blocks_content(&o->b, "system", content);
    }
    mb_blocks_end_message(&o->b, o->cache);
    return status;
}

// The texts whose tokens are to be counted, as one message.
static void put_input(writer *o, const mb_json *input) {
    if (input->type == MB_JSON_STRING) mb_blocks_say(&o->b, "user", input);
    for (uint32_t i = 0; input->type == MB_JSON_ARRAY && i < input->count; i++) {
        mb_blocks_begin(&o->b, "user", "text");
        mb_jw_kvalue_if(&o->b.w, "text", &input->children[i]);
    }
}

static int put_messages(writer *o) {
    const mb_json *input = o->ask->kind == MB_ASK_COUNT_TOKENS ? mb_json_get(o->ask->request, "input") : NULL;
    int status = has_extra(o, "system") ? 0 : put_system(o);
    if (status != 0 || has_extra(o, "messages")) return status;
    mb_jw_key(&o->b.w, "messages");
    mb_jw_array(&o->b.w);
    if (input)
        put_input(o, input);
    else
        status = mb_history_each(o->ask, put_message, o);
    mb_blocks_end_message(&o->b, o->cache);
    mb_jw_end_array(&o->b.w);
    return status;
}

// ---- tools ---------------------------------------------------------------------------------------------------------

static void put_schema(mb_jw *w, const mb_json *schema) {
    mb_jw_key(w, "input_schema");
    mb_jw_object(w);
    if (!mb_json_get(schema, "type")) mb_jw_kstr(w, "type", "object"); // it must be said
    mb_blocks_members(w, schema, NULL);
    mb_jw_end_object(w);
}

static void put_tool(writer *o, const mb_json *tool, const mb_json *mark) {
    const mb_json *function = mb_json_get(tool, "function"), *raw = mb_json_get(tool, "raw");
    mb_jw *w = &o->b.w;
    mb_jw_object(w);
    if (raw) {
        mb_blocks_members(w, raw, NULL);
    } else {
        char name[MB_WIRE_NAME_MAX + 1];
        mb_tool_wire_name(o->tools, mb_json_get_str(function, "name"), name);
        mb_jw_kstr(w, "name", name);
        mb_jw_kvalue_if(w, "description", mb_json_get(function, "description"));
        put_schema(w, mb_json_get(function, "parameters"));
        mb_jw_kvalue_if(w, "strict", mb_json_get(function, "strict"));
    }
    if (mb_blocks_is_mark(mark) && !mb_json_get(raw, "cache_control")) mb_blocks_put_mark(w, mark);
    mb_jw_end_object(w);
}

// The request's mark stands at the last tool that is there from the start: one that is loaded later cannot have it.
static uint32_t last_tool(const mb_json *tools) {
    uint32_t last = tools->count;
    for (uint32_t i = 0; i < tools->count; i++)
        if (!mb_json_bool(mb_json_path(&tools->children[i], "raw.defer_loading"), false)) last = i;
    return last;
}

static void put_tools(writer *o) {
    uint32_t last = last_tool(o->tools);
    mb_jw_key(&o->b.w, "tools");
    mb_jw_array(&o->b.w);
    for (uint32_t i = 0; i < o->tools->count; i++) {
        const mb_json *mark = mb_json_get(&o->tools->children[i], "cache");
        if (!mark && i == last) mark = o->cache;
        put_tool(o, &o->tools->children[i], mark);
    }
    mb_jw_end_array(&o->b.w);
}

static void put_choice(writer *o, const mb_json *choice, const mb_json *parallel) {
    static const char *const WORDS[][2] = {{"auto", "auto"}, {"required", "any"}, {"none", "none"}};
    const mb_json *name = mb_json_path(choice, "function.name");
    const char *type = name ? "tool" : "auto";
    mb_jw *w = &o->b.w;
    for (size_t i = 0; i < MB_COUNT(WORDS); i++)
        if (mb_json_str_is(choice, WORDS[i][0])) type = WORDS[i][1];
    mb_jw_key(w, "tool_choice");
    mb_jw_object(w);
    mb_jw_kstr(w, "type", type);
    if (name) {
        char wire_name[MB_WIRE_NAME_MAX + 1];
        mb_tool_wire_name(o->tools, name->str, wire_name);
        mb_jw_kstr(w, "name", wire_name);
    }
    if (parallel && strcmp(type, "none") != 0)
        mb_jw_kbool(w, "disable_parallel_tool_use", !mb_json_bool(parallel, true));
    mb_jw_end_object(w);
}

static bool is_forced(const mb_json *choice) {
    return mb_json_str_is(choice, "required") || mb_json_is(choice, MB_JSON_OBJECT);
}

static int put_tools_and_choice(writer *o) {
    const mb_json *choice = mb_write_get(o->ask, "tool_choice");
    const mb_json *parallel = mb_write_get(o->ask, "parallel_tool_calls");
    if (o->tools && o->tools->count && !has_extra(o, "tools")) put_tools(o);
    if (((!o->tools || o->tools->count == 0) && !has_extra(o, "tools")) || has_extra(o, "tool_choice")) return 0;
    if (o->thinking.on && is_forced(choice)) {
        int status = mb_write_unsupported(o->ask, o->b.err, "tool_choice", "while it thinks no tool can be forced");
        if (status != 0) return status;
        choice = NULL;
    }
    bool is_one_by_one = parallel && !mb_json_bool(parallel, true);
    if (choice || is_one_by_one) put_choice(o, choice, parallel);
    return 0;
}

// ---- thinking ------------------------------------------------------------------------------------------------------

static int64_t budget_of(const char *effort) {
    static const struct {
        const char *effort;
        int64_t tokens;
    } BUDGETS[] = {{"minimal", BUDGET_MIN}, {"low", 2048}, {"medium", 8192}, {"high", 16384}, {"max", 32000}};
    for (size_t i = 0; i < MB_COUNT(BUDGETS); i++)
        if (strcmp(BUDGETS[i].effort, effort) == 0) return BUDGETS[i].tokens;
    return 8192;
}

static bool is_adaptive(const writer *o) {
    return o->thinking.on && strcmp(o->ask->quirks->thinking_key, "adaptive") == 0;
}

static int read_thinking(writer *o) {
    const mb_json *v = mb_write_get(o->ask, "thinking");
    thinking *t = &o->thinking;
    if (!v || has_extra(o, "thinking")) return 0;
    const char *effort = v->type == MB_JSON_STRING ? v->str : mb_json_get_str(v, "effort");
    *t = (thinking){.is_said = true, .on = true, .effort = effort ? effort : "medium"};
    if (v->type == MB_JSON_BOOL) t->on = v->boolean;
    if (v->type == MB_JSON_OBJECT) t->on = mb_json_bool(mb_json_get(v, "enabled"), true);
    if (strcmp(t->effort, "none") == 0) t->on = false;
    t->budget = mb_json_int(mb_json_get(v, "budget_tokens"), 0);
    int status = 0;
    if (t->on && !o->ask->quirks->thinking_key) {
        status = mb_write_unsupported(o->ask, o->b.err, "thinking", "the server has no field for it");
        *t = (thinking){0};
    } else if (is_adaptive(o) && t->budget) {
        status = mb_write_unsupported(o->ask, o->b.err, "thinking.budget_tokens", "it takes an effort only");
    } else if (t->on && t->budget && t->budget < BUDGET_MIN) {
        status = mb_write_unsupported(o->ask, o->b.err, "thinking.budget_tokens", "it takes 1024 or more");
        t->budget = 0;
    }
    if (t->on && t->budget == 0) t->budget = budget_of(t->effort);
    return status;
}

static void put_thinking(writer *o) {
    mb_jw *w = &o->b.w;
    if (!o->thinking.is_said || !o->ask->quirks->thinking_key) return;
    mb_jw_key(w, "thinking");
    mb_jw_object(w);
    mb_jw_kstr(w, "type", !o->thinking.on ? "disabled" : is_adaptive(o) ? "adaptive" : "enabled");
    if (o->thinking.on && !is_adaptive(o)) mb_jw_kint(w, "budget_tokens", o->thinking.budget);
    mb_jw_end_object(w);
}

// ---- parameters ----------------------------------------------------------------------------------------------------

static void warn_raised(const mb_ask *ask, int64_t from, int64_t to) {
    if (!ask->warnings) return;
    if (ask->warnings->len) mb_buf_putc(ask->warnings, ',');
    mb_buf_putf(ask->warnings, "\"max_tokens was raised from %lld to %lld: the thinking budget counts among them\"",
                (long long)from, (long long)to);
}

// What thinks must leave room for the answer.
static void put_max_tokens(writer *o) {
    const mb_json *said = mb_write_get(o->ask, "max_tokens");
    int64_t max = said ? mb_json_int(said, 1) : o->ask->quirks->default_max_tokens;
    if (has_extra(o, "max_tokens") || max <= 0) return;
    if (o->thinking.on && !is_adaptive(o) && max <= o->thinking.budget) {
        int64_t raised = o->thinking.budget > INT64_MAX - max ? INT64_MAX : o->thinking.budget + max;
        if (said) warn_raised(o->ask, max, raised);
        max = raised;
    }
    mb_jw_kint(&o->b.w, "max_tokens", max);
}

static int put_number(writer *o, const char *key, double min, double max, const char *why) {
    const mb_json *v = mb_write_get(o->ask, key);
    if (!v || has_extra(o, key)) return 0;
    double n = mb_json_double(v, -1);
    if (n < min || n > max) return mb_write_unsupported(o->ask, o->b.err, key, why);
    mb_jw_kvalue_if(&o->b.w, key, v);
    return 0;
}

static int put_sampling(writer *o) {
    const mb_json *stop = mb_write_get(o->ask, "stop");
    bool thinks = o->thinking.on;
    put_max_tokens(o);
    int status = put_number(o, "temperature", thinks ? 1 : 0, 1,
                            thinks ? "while it thinks only 1 is taken" : "it goes from 0 to 1");
    if (status == 0) status = put_number(o, "top_p", thinks ? 0.95 : 0, 1, "while it thinks only 0.95 to 1 is taken");
    if (stop && !has_extra(o, "stop_sequences")) {
        mb_jw_key(&o->b.w, "stop_sequences");
        if (stop->type == MB_JSON_STRING) mb_jw_array(&o->b.w);
        mb_jw_value(&o->b.w, stop);
        if (stop->type == MB_JSON_STRING) mb_jw_end_array(&o->b.w);
    }
    return status;
}

static const char *effort_word(const char *effort) { return strcmp(effort, "minimal") == 0 ? "low" : effort; }

// Holds the form of the answer and the effort; members of extra_body's own output_config stand beside ours.
static int put_output_config(writer *o) {
    const mb_json *extra = mb_json_path(mb_json_get(o->ask->request, "extra_body"), "output_config");
    const mb_json *format = mb_write_get(o->ask, "response_format");
    const mb_json *schema = mb_json_path(format, "json_schema.schema");
    mb_jw *w = &o->b.w;
    if (mb_json_str_is(mb_json_get(format, "type"), "json_object"))
        return mb_write_unsupported(o->ask, o->b.err, "response_format", "it makes JSON by a schema only");
    bool has_format = schema && !mb_json_get(extra, "format") && !has_extra(o, "output_format");
    bool has_effort = is_adaptive(o) && !mb_json_get(extra, "effort");
    if (extra && extra->type != MB_JSON_OBJECT) {
        mb_jw_kvalue_if(w, "output_config", extra);
        return 0;
    }
    if (!extra && !has_format && !has_effort) return 0;
    mb_jw_key(w, "output_config");
    mb_jw_object(w);
    if (has_effort) mb_jw_kstr(w, "effort", effort_word(o->thinking.effort));
    if (has_format) {
        mb_jw_key(w, "format");
        mb_jw_object(w);
        mb_jw_kstr(w, "type", "json_schema");
        mb_jw_kvalue_if(w, "schema", schema);
        mb_jw_end_object(w);
    }
    mb_blocks_members(w, extra, NULL);
    mb_jw_end_object(w);
    return 0;
}

// ---- kinds of request ----------------------------------------------------------------------------------------------

// Clouds that wrap this wire say the model in the path, and want the version in the body.
static bool is_wrapped(const mb_ask *ask) {
    return ask->quirks->chat_path && strstr(ask->quirks->chat_path, "{model}");
}

static void put_head(writer *o, const char *path) {
    const mb_quirks *q = o->ask->quirks;
    if (!strstr(path, "{model}") && !has_extra(o, "model")) mb_jw_kstr(&o->b.w, "model", o->ask->model);
    if (is_wrapped(o->ask) && q->api_version && !has_extra(o, "anthropic_version"))
        mb_jw_kstr(&o->b.w, "anthropic_version", q->api_version);
}

static int write_chat(writer *o, mb_wire *wire) {
    const mb_quirks *q = o->ask->quirks;
    const char *path = wire->stream && q->stream_path ? q->stream_path : q->chat_path;
    int status = mb_write_target(o->ask, wire, "POST", path, false, "chat", o->b.err);
    if (status == 0) status = read_thinking(o);
    if (status != 0) return status;
    put_head(o, path);
    status = put_messages(o);
    if (status == 0) status = put_tools_and_choice(o);
    put_thinking(o);
    if (status == 0) status = put_sampling(o);
    if (status == 0) status = put_output_config(o);
    if (wire->stream) mb_jw_kbool(&o->b.w, "stream", true);
    return status;
}

static int write_count(writer *o, mb_wire *wire) {
    int status =
        mb_write_target(o->ask, wire, "POST", o->ask->quirks->count_path, false, "the tokens of a prompt", o->b.err);
    if (status != 0) return status;
    put_head(o, o->ask->quirks->count_path);
    status = put_messages(o);
    if (status == 0) status = put_tools_and_choice(o);
    return status ? status : put_output_config(o);
}

static int write_post(const mb_ask *ask, mb_wire *wire, membrane_error **err) {
    const mb_json *cache = mb_write_get(ask, "cache");
    writer o = {.b = {.ask = ask, .w = mb_jw_to(&wire->body), .err = err}, .ask = ask};
    o.tools = mb_write_get(ask, "tools");
    o.cache = mb_blocks_is_mark(cache) ? cache : NULL;
    int status = mb_tool_names_check(o.tools, err);
    mb_jw_object(&o.b.w);
    if (status == 0) status = ask->kind == MB_ASK_CHAT ? write_chat(&o, wire) : write_count(&o, wire);
    mb_write_extra(&o.b.w, ask, "output_config");
    mb_jw_end_object(&o.b.w);
    mb_map_free(&o.b.ids);
    mb_arena_free(&o.b.arena);
    return status == MEMBRANE_ENOMEM ? mb_error_no_memory(err) : status;
}

// A list of models comes in pages, of which the longest is asked for: 1000.
static int write_get(const mb_ask *ask, mb_wire *wire, membrane_error **err) {
    const char *path = ask->quirks->models_path;
    mb_buf one = MB_BUF(4096);
    int status;
    switch (ask->kind) {
    case MB_ASK_MODELS:
    case MB_ASK_HEALTH:
        status = mb_write_target(ask, wire, "GET", path, false, "its models", err);
        if (status == 0 && !strchr(path, '?'))
            mb_buf_puts(&wire->url, ask->kind == MB_ASK_MODELS ? "?limit=1000" : "?limit=1");
        break;
    case MB_ASK_SHOW:
        mb_buf_putf(&one, "%s/{model}", path ? path : "");
        status = one.failed == MEMBRANE_ENOMEM
                     ? mb_error_no_memory(err)
                     : mb_write_target(ask, wire, "GET", path && mb_buf_ok(&one) ? mb_buf_text(&one) : NULL, false,
                                       "a model", err);
        break;
    case MB_ASK_COMPLETION: status = mb_write_target(ask, wire, "POST", NULL, false, "completions", err); break;
    case MB_ASK_EMBED: status = mb_write_target(ask, wire, "POST", NULL, false, "embeddings", err); break;
    default: status = mb_write_target(ask, wire, "GET", NULL, false, "this kind of request", err);
    }
    mb_buf_free(&one);
    return status;
}

int mb_anthropic_write(const mb_ask *ask, mb_wire *wire, membrane_error **err) {
    wire->stream = ask->stream && ask->kind == MB_ASK_CHAT;
    int status = mb_write_check(ask, err);
    if (status != 0) return status;
    bool is_post = ask->kind == MB_ASK_CHAT || ask->kind == MB_ASK_COUNT_TOKENS;
    status = is_post ? write_post(ask, wire, err) : write_get(ask, wire, err);
    if (status == 0 && ask->quirks->api_version && !is_wrapped(ask))
        mb_buf_putf(&wire->headers, "anthropic-version: %s\n", ask->quirks->api_version);
    return status ? status : mb_write_done(wire, err);
}
