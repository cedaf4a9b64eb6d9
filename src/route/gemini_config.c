// SPDX-License-Identifier: MIT
// What of a request is no message: where it goes, tools, and the two objects into which Gemini gathers its settings.
// Members of extra_body.generationConfig and extra_body.toolConfig stand beside ours and win over them.
#include <string.h>

#include "base/alloc.h"
#include "route/gemini.h"
#include "route/write.h"

// ---- where ---------------------------------------------------------------------------------------------------------

bool mb_gemini_is_vertex(const mb_ask *ask) { // its row predicts what the Gemini API embeds
    const char *path = ask->quirks->embed_path;
    return path && strstr(path, ":predict");
}

static bool begins(const char *text, const char *prefix) { return strncmp(text, prefix, strlen(prefix)) == 0; }

// How much of the base URL stands before what the model's name says itself.
static size_t base_len(const char *base, const char *model) {
    static const struct {
        const char *name, *cut;
    } ROOTS[] = {{"publishers/", "/publishers/"}, {"endpoints/", "/publishers/"}, {"projects/", "/projects/"}};
    for (size_t i = 0; i < MB_COUNT(ROOTS); i++) {
        const char *at = begins(model, ROOTS[i].name) ? strstr(base, ROOTS[i].cut) : NULL;
        if (at) return (size_t)(at - base);
    }
    return strlen(base);
}

// Vertex AI lists models outside of projects.
static int server_target(const mb_ask *ask, mb_wire *wire, const char *path, const char *what, membrane_error **err) {
    const char *cut = mb_gemini_is_vertex(ask) ? strstr(ask->base_url, "/projects/") : NULL;
    if (!cut) return mb_write_target(ask, wire, "GET", path, false, what, err);
    mb_buf base = MB_BUF(65536);
    mb_buf_put(&base, ask->base_url, (size_t)(cut - ask->base_url));
    mb_ask there = *ask;
    there.base_url = mb_buf_text(&base);
    int status = mb_buf_ok(&base) ? 0 : mb_error_no_memory(err);
    if (status == 0) status = mb_write_target(&there, wire, "GET", path, false, what, err);
    mb_buf_free(&base);
    return status;
}

static const char *last_step(const char *model) {
    const char *slash = strrchr(model, '/');
    return slash ? slash + 1 : model;
}

int mb_gemini_write_get(const mb_ask *ask, mb_wire *wire, membrane_error **err) {
    const char *path = ask->quirks->models_path;
    switch (ask->kind) {
    case MB_ASK_MODELS: return server_target(ask, wire, path, "its models", err);
    case MB_ASK_HEALTH: return server_target(ask, wire, path, "its health", err);
    case MB_ASK_SHOW: break;
    case MB_ASK_COMPLETION:
        return mb_write_target(ask, wire, "POST", ask->quirks->completion_path, false, "completions", err);
    default: return mb_write_target(ask, wire, "GET", NULL, false, "this kind of request", err);
    }
    mb_ask named = *ask; // the list's path, then the name
    mb_buf own = MB_BUF(4096);
    mb_buf_put(&own, path, path ? strcspn(path, "?") : 0);
    mb_buf_puts(&own, "/{model}");
    named.model = last_step(ask->model ? ask->model : "");
    int status = mb_buf_ok(&own) ? 0 : mb_error_no_memory(err);
    if (status == 0) status = server_target(&named, wire, path ? mb_buf_text(&own) : NULL, "a model", err);
    mb_buf_free(&own);
    return status;
}

// A name with its own folders ("tunedModels/x", "publishers/p/models/x") replaces the path's "models/". Only its last
// step may hold odd characters.
static const char *folders_end(const char *model) {
    static const char *const FOLDERS[] = {"models/", "tunedModels/", "publishers/", "endpoints/", "projects/"};
    const char *last = strrchr(model, '/');
    static const char PLAIN[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_/";
    for (size_t i = 0; last && i < MB_COUNT(FOLDERS); i++)
        if (begins(model, FOLDERS[i]) && model + strspn(model, PLAIN) >= last) return last + 1;
    return NULL;
}

int mb_gemini_target(const mb_ask *ask, mb_wire *wire, const char *path, const char *what, membrane_error **err) {
    static const char HOLE[] = "/models/{model}";
    const char *model = ask->model ? ask->model : "", *name = folders_end(model);
    const char *hole = path && name ? strstr(path, HOLE) : NULL;
    if (!hole) return mb_write_target(ask, wire, "POST", path, false, what, err);
    mb_buf base = MB_BUF(65536), own = MB_BUF(65536);
    mb_buf_put(&base, ask->base_url, base_len(ask->base_url, model));
    mb_buf_put(&own, path, (size_t)(hole - path));
    mb_buf_putc(&own, '/');
    mb_buf_put(&own, model, (size_t)(name - model));
    mb_buf_puts(&own, "{model}");
    mb_buf_puts(&own, hole + sizeof HOLE - 1);
    mb_ask there = *ask;
    there.base_url = mb_buf_text(&base);
    there.model = name;
    int status = mb_buf_ok(&base) && mb_buf_ok(&own) ? 0 : mb_error_no_memory(err);
    if (status == 0) status = mb_write_target(&there, wire, "POST", mb_buf_text(&own), false, what, err);
    mb_buf_free(&base);
    mb_buf_free(&own);
    return status;
}

// ---- settings ------------------------------------------------------------------------------------------------------

typedef struct settings { // an object that is written only if it has a member
    const mb_ask *ask;
    mb_jw *w;
    const char *name;
    const mb_json *extra; // of extra_body, under that name
    bool is_open;
} settings;

static settings settings_of(const mb_ask *ask, mb_jw *w, const char *name) {
    const mb_json *extra = mb_json_get(mb_json_get(ask->request, "extra_body"), name);
    return (settings){ask, w, name, mb_json_is(extra, MB_JSON_OBJECT) ? extra : NULL, false};
}

static void open_settings(settings *s) {
    if (s->is_open) return;
    s->is_open = true;
    mb_jw_key(s->w, s->name);
    mb_jw_object(s->w);
}

// Whether the member is ours to write; its key is written then.
static bool begin(settings *s, const char *key) {
    if (mb_json_get(s->extra, key)) return false;
    open_settings(s);
    mb_jw_key(s->w, key);
    return true;
}

static void end_settings(settings *s) {
    for (uint32_t i = 0; s->extra && i < s->extra->count; i++) {
        open_settings(s);
        mb_jw_key(s->w, s->extra->children[i].key);
        mb_jw_value(s->w, &s->extra->children[i]);
    }
    if (s->is_open) mb_jw_end_object(s->w);
}

static void put_true(settings *s, const char *key) {
    if (begin(s, key)) mb_jw_bool(s->w, true);
}

static void put_sampling(settings *s) {
    static const struct {
        const char *ours, *theirs;
    } NAMES[] = {
        {"max_tokens", "maxOutputTokens"}, {"temperature", "temperature"}, {"top_p", "topP"}, {"seed", "seed"}};
    const mb_json *stop = mb_write_get(s->ask, "stop"), *logprobs = mb_write_get(s->ask, "logprobs");
    for (size_t i = 0; i < MB_COUNT(NAMES); i++) {
        const mb_json *v = mb_write_get(s->ask, NAMES[i].ours);
        if (v && begin(s, NAMES[i].theirs)) mb_jw_value(s->w, v);
    }
    if (stop && begin(s, "stopSequences")) {
        if (stop->type == MB_JSON_STRING) mb_jw_array(s->w);
        mb_jw_value(s->w, stop);
        if (stop->type == MB_JSON_STRING) mb_jw_end_array(s->w);
    }
    if (!logprobs || (logprobs->type == MB_JSON_BOOL && !logprobs->boolean)) return;
    put_true(s, "responseLogprobs");
    if (mb_json_int(logprobs, 0) > 0 && begin(s, "logprobs")) mb_jw_int(s->w, mb_json_int(logprobs, 0));
}

static void put_format(settings *s) {
    const mb_json *format = mb_write_get(s->ask, "response_format");
    const mb_json *schema = mb_json_path(format, "json_schema.schema");
    bool is_json = schema || mb_json_str_is(mb_json_get(format, "type"), "json_object");
    if (is_json && begin(s, "responseMimeType")) mb_jw_str(s->w, "application/json");
    if (schema && !mb_json_get(s->extra, "responseSchema") && begin(s, "responseJsonSchema")) mb_jw_value(s->w, schema);
}

// ---- thinking ------------------------------------------------------------------------------------------------------

bool mb_gemini_has_levels(const char *model) {
    static const char *const OLDER[] = {"gemini-1", "gemini-2", "-er-1"};
    for (size_t i = 0; i < MB_COUNT(OLDER); i++)
        if (strstr(model, OLDER[i])) return false;
    return strstr(model, "gemini") != NULL;
}

static const char *effort_of(const mb_json *v) {
    return mb_json_is(v, MB_JSON_OBJECT) ? mb_json_get_str(v, "effort") : mb_json_str(v);
}

static bool thinks(const mb_json *v) {
    const char *effort = effort_of(v);
    if (effort && strcmp(effort, "none") == 0) return false;
    return v->type == MB_JSON_OBJECT ? mb_json_bool(mb_json_get(v, "enabled"), true) : mb_json_bool(v, true);
}

static void put_effort(mb_jw *w, const char *model, const char *effort) {
    static const struct {
        const char *effort, *level;
        int64_t budget; // what Google's own layer for OpenAI's words makes of them
    } EFFORTS[] = {{"minimal", "minimal", 1024},
                   {"low", "low", 1024},
                   {"medium", "medium", 8192},
                   {"high", "high", 24576},
                   {"max", "high", 24576}};
    for (size_t i = 0; i < MB_COUNT(EFFORTS); i++) {
        if (strcmp(EFFORTS[i].effort, effort) != 0) continue;
        if (mb_gemini_has_levels(model))
            mb_jw_kstr(w, "thinkingLevel", EFFORTS[i].level);
        else
            mb_jw_kint(w, "thinkingBudget", EFFORTS[i].budget);
    }
}

static void put_thinking(settings *s) {
    const mb_json *v = mb_write_get(s->ask, "thinking");
    if (!v || !begin(s, "thinkingConfig")) return;
    const char *effort = effort_of(v);
    int64_t budget = mb_json_is(v, MB_JSON_OBJECT) ? mb_json_int(mb_json_get(v, "budget_tokens"), 0) : 0;
    mb_jw_object(s->w);
    if (!thinks(v)) {
        mb_jw_kint(s->w, "thinkingBudget", 0);
    } else {
        mb_jw_kbool(s->w, "includeThoughts", true);
        if (budget > 0)
            mb_jw_kint(s->w, "thinkingBudget", budget);
        else if (effort)
            put_effort(s->w, s->ask->model ? s->ask->model : "", effort);
    }
    mb_jw_end_object(s->w);
}

// ---- tools ---------------------------------------------------------------------------------------------------------

static bool is_strict(const mb_json *tools) {
    for (uint32_t i = 0; i < tools->count; i++)
        if (mb_json_bool(mb_json_get(mb_json_get(&tools->children[i], "function"), "strict"), false)) return true;
    return false;
}

// Strict tools need the mode in which arguments are held to their schemas; a forced call is held to them anyway.
static const char *mode_of(const mb_json *choice, const mb_json *tools) {
    if (choice && choice->type == MB_JSON_OBJECT) return "ANY";
    if (mb_json_str_is(choice, "required")) return "ANY";
    if (mb_json_str_is(choice, "none")) return "NONE";
    if (is_strict(tools)) return "VALIDATED";
    return choice ? "AUTO" : NULL;
}

static int put_tool_config(const mb_ask *ask, mb_jw *w, const mb_json *tools, membrane_error **err) {
    settings s = settings_of(ask, w, "toolConfig");
    const mb_json *choice = mb_write_get(ask, "tool_choice"), *parallel = mb_write_get(ask, "parallel_tool_calls");
    const mb_json *forced = mb_json_path(choice, "function.name");
    const char *mode = tools ? mode_of(choice, tools) : NULL;
    if (mode && begin(&s, "functionCallingConfig")) {
        mb_jw_object(w);
        mb_jw_kstr(w, "mode", mode);
        if (mb_json_is(forced, MB_JSON_STRING)) {
            char name[MB_WIRE_NAME_MAX + 1];
            mb_tool_wire_name(tools, forced->str, name);
            mb_jw_key(w, "allowedFunctionNames");
            mb_jw_array(w);
            mb_jw_str(w, name);
            mb_jw_end_array(w);
        }
        mb_jw_end_object(w);
    }
    end_settings(&s);
    if (!tools || !parallel || mb_json_bool(parallel, true)) return 0;
    return mb_write_unsupported(ask, err, "parallel_tool_calls", "the model may always call several tools at once");
}

int mb_gemini_put_config(const mb_ask *ask, mb_jw *w, bool has_tools, membrane_error **err) {
    settings s = settings_of(ask, w, "generationConfig");
    put_sampling(&s);
    put_format(&s);
    put_thinking(&s);
    end_settings(&s);
    return put_tool_config(ask, w, has_tools ? mb_write_get(ask, "tools") : NULL, err);
}
