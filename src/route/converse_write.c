// SPDX-License-Identifier: MIT
// Canonical requests as the Converse API's. System messages, wherever they stand, become its list of system blocks;
// neighbours of one role become one message, since most models insist on turns; what only some models know (thinking)
// goes into additionalModelRequestFields in the words of the model's maker.
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "route/converse.h"
#include "route/converse_blocks.h"
#include "route/echo.h"

typedef struct thinking {
    bool is_said, on;
    const char *effort; // never NULL if it is said
    int64_t budget;     // of Claude, 0: none
} thinking;

typedef struct writer {
    mb_converse_blocks b; // its w is this writer's
    const mb_ask *ask;
    const mb_json *tools, *cache;
    mb_model_family family;
    thinking thinking;
    bool is_nova; // the body of InvokeModel for Nova
} writer;

static mb_jw *out(writer *o) { return &o->b.w; }

// ---- tables --------------------------------------------------------------------------------------------------------

static void put_member(mb_jw *w, const mb_json *m) {
    mb_jw_key(w, m->key);
    mb_jw_value(w, m);
}

bool mb_converse_begin_table(mb_jw *w, const mb_ask *ask, const char *key, const mb_json **ret_extra) {
    *ret_extra = mb_json_get(mb_json_get(ask->request, "extra_body"), key);
    if (*ret_extra && (*ret_extra)->type != MB_JSON_OBJECT) {
        put_member(w, *ret_extra);
        return true;
    }
    mb_jw_key(w, key);
    mb_jw_object(w);
    return false;
}

void mb_converse_end_table(mb_jw *w, const mb_json *extra) {
    for (uint32_t i = 0; extra && i < extra->count; i++) put_member(w, &extra->children[i]);
    mb_jw_end_object(w);
}

static void copy_unless(mb_jw *w, const mb_ask *ask, const char *key, const char *as, const mb_json *extra) {
    const mb_json *v = mb_write_get(ask, key);
    if (!v || mb_json_get(extra, as)) return;
    mb_jw_key(w, as);
    mb_jw_value(w, v);
}

// ---- messages ------------------------------------------------------------------------------------------------------

static bool is_system(const mb_json *message) {
    const mb_json *role = mb_json_get(message, "role");
    return mb_json_str_is(role, "system") || mb_json_str_is(role, "developer");
}

static int put_echo(void *user, const mb_echo_block *e) {
    writer *o = user;
    if (e->call)
        mb_converse_call(&o->b, o->tools, e->call);
    else if (e->raw)
        mb_converse_raw(&o->b, "assistant", e->raw);
    else
        mb_converse_text(&o->b, "assistant", e->text, e->len);
    return 0;
}

static int put_assistant(writer *o, const mb_json *message) {
    const mb_json *calls = mb_json_get(message, "tool_calls");
    int status = mb_echo_each(o->ask, message, put_echo, o);
    if (status != 1) return status;
    status = mb_converse_content(&o->b, "assistant", mb_json_get(message, "content"));
    for (uint32_t i = 0; calls && i < calls->count && status == 0; i++)
        mb_converse_call(&o->b, o->tools, &calls->children[i]);
    return status;
}

static int put_message(void *user, const mb_json *message, const mb_json *call) {
    writer *o = user;
    if (call) return mb_converse_result(&o->b, message, call);
    if (is_system(message)) return 0; // written already
    if (mb_json_get(message, "name")) {
        int status = mb_write_unsupported(o->ask, o->b.err, "messages.name", "it knows speakers by their role only");
        if (status != 0) return status;
    }
    if (mb_json_str_is(mb_json_get(message, "role"), "assistant")) return put_assistant(o, message);
    return mb_converse_content(&o->b, "user", mb_json_get(message, "content"));
}

static bool has_system(const mb_json *messages) {
    for (uint32_t i = 0; messages && i < messages->count; i++)
        if (is_system(&messages->children[i])) return true;
    return false;
}

static int put_system(writer *o) {
    const mb_json *messages = mb_json_get(o->ask->request, "messages");
    int status = 0;
    if (mb_write_has_extra(o->ask, "system") || !has_system(messages)) return 0;
    mb_jw_key(out(o), "system");
    mb_jw_array(out(o));
    for (uint32_t i = 0; i < messages->count && status == 0; i++)
        if (is_system(&messages->children[i]))
            status = mb_converse_content(&o->b, NULL, mb_json_get(&messages->children[i], "content"));
    mb_converse_mark(&o->b, o->cache);
    mb_converse_end_message(&o->b, NULL);
    mb_jw_end_array(out(o));
    return status;
}

// The texts whose tokens are to be counted, as one message.
static void put_input(writer *o, const mb_json *input) {
    if (input->type == MB_JSON_STRING) mb_converse_text(&o->b, "user", input->str, input->len);
    for (uint32_t i = 0; input->type == MB_JSON_ARRAY && i < input->count; i++)
        mb_converse_text(&o->b, "user", input->children[i].str, input->children[i].len);
}

static int put_messages(writer *o) {
    const mb_json *input = mb_json_get(o->ask->request, "input");
    int status = put_system(o);
    if (status != 0 || mb_write_has_extra(o->ask, "messages")) return status;
    mb_jw_key(out(o), "messages");
    mb_jw_array(out(o));
    if (input)
        put_input(o, input);
    else
        status = mb_history_each(o->ask, put_message, o);
    mb_converse_end_message(&o->b, o->cache);
    mb_jw_end_array(out(o));
    return status;
}

// ---- tools ---------------------------------------------------------------------------------------------------------

static void put_schema(mb_jw *w, const mb_json *schema) {
    mb_jw_key(w, "inputSchema");
    mb_jw_object(w);
    mb_jw_key(w, "json");
    mb_jw_object(w);
    if (!mb_json_get(schema, "type")) mb_jw_kstr(w, "type", "object"); // it must be said
    for (uint32_t i = 0; schema && i < schema->count; i++) put_member(w, &schema->children[i]);
    mb_jw_end_object(w);
    mb_jw_end_object(w);
}

static void put_tool(writer *o, const mb_json *tool) {
    const mb_json *function = mb_json_get(tool, "function"), *raw = mb_json_get(tool, "raw");
    mb_jw *w = out(o);
    if (raw) {
        mb_jw_value(w, raw);
        return;
    }
    char name[MB_WIRE_NAME_MAX + 1];
    const mb_json *description = mb_json_get(function, "description");
    mb_tool_wire_name(o->tools, mb_json_get_str(function, "name"), name);
    mb_jw_object(w);
    mb_jw_key(w, "toolSpec");
    mb_jw_object(w);
    mb_jw_kstr(w, "name", name);
    if (description && description->len) mb_jw_kvalue_if(w, "description", description); // an empty one is refused
    put_schema(w, mb_json_get(function, "parameters"));
    mb_jw_kvalue_if(w, "strict", mb_json_get(function, "strict"));
    mb_jw_end_object(w);
    mb_jw_end_object(w);
}

static void put_choice(writer *o, const mb_json *choice) {
    const mb_json *name = mb_json_path(choice, "function.name");
    mb_jw *w = out(o);
    mb_jw_key(w, "toolChoice");
    mb_jw_object(w);
    mb_jw_key(w, name ? "tool" : mb_json_str_is(choice, "required") ? "any" : "auto");
    mb_jw_object(w);
    if (name) {
        char wire_name[MB_WIRE_NAME_MAX + 1];
        mb_tool_wire_name(o->tools, name->str, wire_name);
        mb_jw_kstr(w, "name", wire_name);
    }
    mb_jw_end_object(w);
    mb_jw_end_object(w);
}

static bool has_calls(const mb_ask *ask) {
    const mb_json *messages = mb_json_get(ask->request, "messages");
    for (uint32_t i = 0; messages && i < messages->count; i++) {
        const mb_json *calls = mb_json_get(&messages->children[i], "tool_calls");
        if (calls && calls->count) return true;
    }
    return false;
}

// "none" can be said only by saying no tools, which a history with calls does not allow.
static int check_choice(writer *o, const mb_json **choice, bool *ret_leave_out) {
    bool is_none = mb_json_str_is(*choice, "none"), is_forced = !mb_json_str_is(*choice, "auto") && !is_none && *choice;
    const char *why = NULL;
    *ret_leave_out = is_none && !has_calls(o->ask);
    if (is_none && !*ret_leave_out) why = "it must be told the tools once one was called";
    if (is_forced && o->thinking.on && o->family == MB_MODEL_CLAUDE) why = "while it thinks no tool can be forced";
    if (is_none || why) *choice = NULL;
    return why ? mb_write_unsupported(o->ask, o->b.err, "tool_choice", why) : 0;
}

static void put_extra_table(writer *o, const char *key) {
    const mb_json *extra = mb_json_get(mb_json_get(o->ask->request, "extra_body"), key);
    if (extra) put_member(out(o), extra);
}

static int put_tools(writer *o) {
    const mb_json *choice = mb_write_get(o->ask, "tool_choice"), *extra;
    const mb_json *parallel = mb_write_get(o->ask, "parallel_tool_calls");
    bool leave_out = false;
    mb_jw *w = out(o);
    if (!o->tools || o->tools->count == 0) {
        put_extra_table(o, "toolConfig");
        return 0;
    }
    int status = check_choice(o, &choice, &leave_out);
    if (status == 0 && parallel && !mb_json_bool(parallel, true))
        status = mb_write_unsupported(o->ask, o->b.err, "parallel_tool_calls", "it has no word for one call at a time");
    if (status != 0) return status;
    if (leave_out) {
        put_extra_table(o, "toolConfig");
        return 0;
    }
    if (mb_converse_begin_table(w, o->ask, "toolConfig", &extra)) return 0;
    if (!mb_json_get(extra, "tools")) {
        mb_jw_key(w, "tools");
        mb_jw_array(w);
        for (uint32_t i = 0; i < o->tools->count; i++) {
            const mb_json *mark = mb_json_get(&o->tools->children[i], "cache");
            if (!mark && i + 1 == o->tools->count) mark = o->cache;
            put_tool(o, &o->tools->children[i]);
            // Nova keeps no tools, and refuses to be told so.
            if (mark && mb_json_bool(mark, true) && o->b.can_cache && o->family != MB_MODEL_NOVA)
                mb_converse_put_mark(w, mark);
        }
        mb_jw_end_array(w);
    }
    if (choice && !mb_json_get(extra, "toolChoice")) put_choice(o, choice);
    mb_converse_end_table(w, extra);
    return 0;
}

// ---- thinking ------------------------------------------------------------------------------------------------------

enum { BUDGET_MIN = 1024 }; // of Claude's thinking tokens; less is refused

static int64_t budget_of(const char *effort) {
    static const struct {
        const char *effort;
        int64_t tokens;
    } BUDGETS[] = {{"minimal", BUDGET_MIN}, {"low", 2048}, {"medium", 8192}, {"high", 16384}, {"max", 32000}};
    for (size_t i = 0; i < MB_COUNT(BUDGETS); i++)
        if (strcmp(BUDGETS[i].effort, effort) == 0) return BUDGETS[i].tokens;
    return 8192;
}

static const char *effort_of_three(const char *effort) {
    if (strcmp(effort, "minimal") == 0) return "low";
    return strcmp(effort, "max") == 0 ? "high" : effort;
}

static bool is_adaptive(const writer *o) {
    const char *key = o->ask->quirks->thinking_key;
    return o->family == MB_MODEL_CLAUDE && o->thinking.on && key && strcmp(key, "adaptive") == 0;
}

// Each maker has its own words; whose words another model knows cannot be told from its name.
static const char *why_no_thinking(const writer *o) {
    bool has_words = o->family == MB_MODEL_CLAUDE || o->family == MB_MODEL_NOVA || o->family == MB_MODEL_OPENAI;
    if (!o->ask->quirks->thinking_key || !has_words) return "this model has no field for it that we know";
    return NULL;
}

static int check_budget(writer *o) {
    thinking *t = &o->thinking;
    const char *why = NULL;
    if (t->budget == 0) return 0;
    if (o->family != MB_MODEL_CLAUDE || is_adaptive(o)) why = "it takes an effort only";
    if (!why && t->budget < BUDGET_MIN) why = "it takes 1024 or more";
    if (why) t->budget = 0;
    return why ? mb_write_unsupported(o->ask, o->b.err, "thinking.budget_tokens", why) : 0;
}

static int read_thinking(writer *o) {
    const mb_json *v = mb_write_get(o->ask, "thinking");
    thinking *t = &o->thinking;
    if (!v) return 0;
    const char *effort = v->type == MB_JSON_STRING ? v->str : mb_json_get_str(v, "effort");
    *t = (thinking){.is_said = true, .on = true, .effort = effort ? effort : "medium"};
    if (v->type == MB_JSON_BOOL) t->on = v->boolean;
    if (v->type == MB_JSON_OBJECT) t->on = mb_json_bool(mb_json_get(v, "enabled"), true);
    if (strcmp(t->effort, "none") == 0) t->on = false;
    t->budget = t->on ? mb_json_int(mb_json_get(v, "budget_tokens"), 0) : 0;
    const char *why = why_no_thinking(o);
    if (why) {
        bool on = t->on;
        *t = (thinking){0};
        return on ? mb_write_unsupported(o->ask, o->b.err, "thinking", why) : 0;
    }
    int status = check_budget(o);
    if (t->on && o->family == MB_MODEL_CLAUDE && !is_adaptive(o) && t->budget == 0) t->budget = budget_of(t->effort);
    return status;
}

static void put_claude_thinking(writer *o, const mb_json *extra) {
    const thinking *t = &o->thinking;
    mb_jw *w = out(o);
    if (mb_json_get(extra, "thinking") || mb_json_get(extra, "reasoning_config")) return;
    mb_jw_key(w, "thinking");
    mb_jw_object(w);
    mb_jw_kstr(w, "type", !t->on ? "disabled" : is_adaptive(o) ? "adaptive" : "enabled");
    if (t->budget) mb_jw_kint(w, "budget_tokens", t->budget);
    mb_jw_end_object(w);
}

static void put_nova_thinking(writer *o, const mb_json *extra) {
    mb_jw *w = out(o);
    if (mb_json_get(extra, "reasoningConfig")) return;
    mb_jw_key(w, "reasoningConfig");
    mb_jw_object(w);
    mb_jw_kstr(w, "type", o->thinking.on ? "enabled" : "disabled");
    if (o->thinking.on) mb_jw_kstr(w, "maxReasoningEffort", effort_of_three(o->thinking.effort));
    mb_jw_end_object(w);
}

// Of gpt-oss: it always thinks, low is the least.
static void put_openai_thinking(writer *o, const mb_json *extra) {
    if (mb_json_get(extra, "reasoning_effort")) return;
    mb_jw_kstr(out(o), "reasoning_effort", o->thinking.on ? effort_of_three(o->thinking.effort) : "low");
}

static void put_model_fields(writer *o) {
    const mb_json *extra;
    static const char KEY[] = "additionalModelRequestFields";
    if (!o->thinking.is_said && !mb_write_has_extra(o->ask, KEY)) return;
    if (mb_converse_begin_table(out(o), o->ask, KEY, &extra)) return;
    if (o->thinking.is_said && o->family == MB_MODEL_CLAUDE) put_claude_thinking(o, extra);
    if (o->thinking.is_said && o->family == MB_MODEL_NOVA) put_nova_thinking(o, extra);
    if (o->thinking.is_said && o->family == MB_MODEL_OPENAI) put_openai_thinking(o, extra);
    mb_converse_end_table(out(o), extra);
}

// ---- parameters ----------------------------------------------------------------------------------------------------

// What thinks must leave room for the answer.
static void put_max_tokens(writer *o, const mb_json *extra) {
    const mb_json *v = mb_write_get(o->ask, "max_tokens");
    const char *key = o->is_nova ? "max_new_tokens" : "maxTokens";
    if (!v || mb_json_get(extra, "maxTokens") || mb_json_get(extra, key)) return;
    int64_t said = mb_json_int(v, 1), budget = o->thinking.budget;
    int64_t max = said > budget ? said : budget > INT64_MAX - said ? INT64_MAX : budget + said;
    mb_jw_kint(out(o), key, max);
    if (max == said || !o->ask->warnings) return;
    if (o->ask->warnings->len) mb_buf_putc(o->ask->warnings, ',');
    mb_buf_putf(o->ask->warnings, "\"max_tokens was raised from %lld to %lld: the thinking budget counts among them\"",
                (long long)said, (long long)max);
}

static int check_sampling(writer *o) {
    const mb_json *temperature = mb_write_get(o->ask, "temperature"), *top_p = mb_write_get(o->ask, "top_p");
    bool thinks = o->thinking.on && o->family == MB_MODEL_CLAUDE;
    int status = 0;
    if (temperature && thinks && mb_json_double(temperature, 1) != 1)
        status = mb_write_unsupported(o->ask, o->b.err, "temperature", "while it thinks only 1 is taken");
    else if (temperature && mb_json_double(temperature, 0) > 1)
        status = mb_write_unsupported(o->ask, o->b.err, "temperature", "it goes from 0 to 1");
    if (status == 0 && top_p && thinks && mb_json_double(top_p, 1) < 0.95)
        status = mb_write_unsupported(o->ask, o->b.err, "top_p", "while it thinks only 0.95 to 1 is taken");
    return status;
}

static bool can_say(const writer *o, const char *key) {
    const mb_json *v = mb_write_get(o->ask, key);
    bool thinks = o->thinking.on && o->family == MB_MODEL_CLAUDE;
    double n = mb_json_double(v, 0);
    if (!v) return false;
    if (strcmp(key, "temperature") == 0) return n <= 1 && (!thinks || n == 1);
    return !thinks || n >= 0.95;
}

static int put_inference(writer *o) {
    static const char *const KEYS[] = {"max_tokens", "temperature", "top_p", "stop"};
    const mb_json *stop = mb_write_get(o->ask, "stop"), *extra;
    bool any = mb_write_has_extra(o->ask, "inferenceConfig");
    for (size_t i = 0; i < MB_COUNT(KEYS); i++) any |= mb_write_get(o->ask, KEYS[i]) != NULL;
    int status = check_sampling(o);
    if (status != 0 || !any || mb_converse_begin_table(out(o), o->ask, "inferenceConfig", &extra)) return status;
    put_max_tokens(o, extra);
    if (can_say(o, "temperature")) copy_unless(out(o), o->ask, "temperature", "temperature", extra);
    if (can_say(o, "top_p")) copy_unless(out(o), o->ask, "top_p", "topP", extra);
    if (stop && !mb_json_get(extra, "stopSequences")) {
        mb_jw_key(out(o), "stopSequences");
        if (stop->type == MB_JSON_STRING) mb_jw_array(out(o));
        mb_jw_value(out(o), stop);
        if (stop->type == MB_JSON_STRING) mb_jw_end_array(out(o));
    }
    mb_converse_end_table(out(o), extra);
    return 0;
}

// The schema goes as text inside the JSON.
static void put_format(writer *o, const mb_json *named, const mb_json *schema) {
    mb_jw *w = out(o);
    mb_buf text = MB_BUF(MB_LIMIT_REQUEST);
    mb_jw inner = mb_jw_to(&text);
    mb_jw_value(&inner, schema);
    mb_jw_key(w, "textFormat");
    mb_jw_object(w);
    mb_jw_kstr(w, "type", "json_schema");
    mb_jw_key(w, "structure");
    mb_jw_object(w);
    mb_jw_key(w, "jsonSchema");
    mb_jw_object(w);
    mb_jw_key(w, "schema");
    mb_jw_strn(w, mb_buf_text(&text), text.len);
    mb_jw_kvalue_if(w, "name", mb_json_get(named, "name"));
    mb_jw_kvalue_if(w, "description", mb_json_get(named, "description"));
    mb_jw_end_object(w);
    mb_jw_end_object(w);
    mb_jw_end_object(w);
    if (!mb_buf_ok(&text)) w->out->failed = text.failed;
    mb_buf_free(&text);
}

static int put_output(writer *o) {
    const mb_json *format = mb_write_get(o->ask, "response_format"), *extra;
    const mb_json *named = mb_json_get(format, "json_schema"), *schema = mb_json_get(named, "schema");
    const char *why = mb_json_str_is(mb_json_get(format, "type"), "json_object") ? "it makes JSON by a schema only"
                      : schema && o->is_nova                                     ? "Nova has it behind Converse only"
                                                                                 : NULL;
    if (why) {
        int status = mb_write_unsupported(o->ask, o->b.err, "response_format", why);
        if (status != 0) return status;
    }
    bool has_format = schema && !why;
    if (!has_format && !is_adaptive(o) && !mb_write_has_extra(o->ask, "outputConfig")) return 0;
    if (mb_converse_begin_table(out(o), o->ask, "outputConfig", &extra)) return 0;
    if (has_format && !mb_json_get(extra, "textFormat")) put_format(o, named, schema);
    if (is_adaptive(o) && !mb_json_get(extra, "effort"))
        mb_jw_kstr(out(o), "effort", strcmp(o->thinking.effort, "minimal") ? o->thinking.effort : "low");
    mb_converse_end_table(out(o), extra);
    return 0;
}

// ---- the request ---------------------------------------------------------------------------------------------------

// Members of extra_body that are no tables of ours.
static void put_rest(writer *o) {
    static const char *const TABLES[] = {"inferenceConfig", "toolConfig", "additionalModelRequestFields",
                                         "outputConfig"};
    const mb_json *extra = mb_json_get(o->ask->request, "extra_body");
    for (uint32_t i = 0; extra && i < extra->count; i++) {
        bool is_written = false;
        for (size_t j = 0; j < MB_COUNT(TABLES); j++) is_written |= strcmp(extra->children[i].key, TABLES[j]) == 0;
        if (!is_written) put_member(out(o), &extra->children[i]);
    }
}

static int begin(writer *o, mb_jw *w, const mb_ask *ask, membrane_error **err) {
    const mb_json *cache = mb_write_get(ask, "cache");
    *o = (writer){.b = {.ask = ask, .w = *w, .err = err}, .ask = ask};
    o->tools = mb_write_get(ask, "tools");
    o->family = mb_model_family_of(ask->model);
    o->b.can_cache = o->family == MB_MODEL_CLAUDE || o->family == MB_MODEL_NOVA || o->family == MB_MODEL_OTHER;
    o->cache = cache && mb_json_bool(cache, true) ? cache : NULL;
    int status = mb_tool_names_check(o->tools, err);
    return status ? status : read_thinking(o);
}

static int put_chat(writer *o) {
    int status = put_messages(o);
    if (status == 0) status = put_inference(o);
    if (status == 0) status = put_tools(o);
    if (status == 0) put_model_fields(o);
    if (status == 0) status = put_output(o);
    put_rest(o);
    return status;
}

int mb_converse_put_nova(mb_jw *w, const mb_ask *ask, membrane_error **err) {
    writer o;
    int status = begin(&o, w, ask, err);
    o.is_nova = true;
    if (!mb_write_has_extra(ask, "schemaVersion")) mb_jw_kstr(out(&o), "schemaVersion", "messages-v1");
    if (status == 0) status = put_chat(&o);
    *w = o.b.w;
    return status;
}

static int write_chat(const mb_ask *ask, mb_wire *wire, membrane_error **err) {
    const mb_quirks *q = ask->quirks;
    mb_jw w = mb_jw_to(&wire->body);
    writer o;
    int status = mb_write_target(ask, wire, "POST", ask->stream ? q->stream_path : q->chat_path, false, "chat", err);
    if (status == 0) status = begin(&o, &w, ask, err);
    if (status != 0) return status;
    mb_jw_object(out(&o));
    status = put_chat(&o);
    mb_jw_end_object(out(&o));
    return status;
}

static int write_count(const mb_ask *ask, mb_wire *wire, membrane_error **err) {
    mb_jw w = mb_jw_to(&wire->body);
    writer o;
    int status = mb_write_target(ask, wire, "POST", ask->quirks->count_path, false, "the tokens of a prompt", err);
    if (status == 0) status = begin(&o, &w, ask, err);
    if (status != 0) return status;
    mb_jw_object(out(&o));
    mb_jw_key(out(&o), "input");
    mb_jw_object(out(&o));
    mb_jw_key(out(&o), "converse");
    mb_jw_object(out(&o));
    status = put_messages(&o);
    if (status == 0) status = put_tools(&o);
    if (status == 0) put_model_fields(&o);
    put_rest(&o);
    mb_jw_end_object(out(&o));
    mb_jw_end_object(out(&o));
    mb_jw_end_object(out(&o));
    return status;
}

int mb_converse_write(const mb_ask *ask, mb_wire *wire, membrane_error **err) {
    int status = mb_write_check(ask, err);
    wire->stream = ask->stream && ask->kind == MB_ASK_CHAT;
    if (status == 0)
        status = ask->kind == MB_ASK_CHAT           ? write_chat(ask, wire, err)
                 : ask->kind == MB_ASK_COUNT_TOKENS ? write_count(ask, wire, err)
                                                    : mb_converse_server_write(ask, wire, err);
    return status ? status : mb_write_done(wire, err);
}
