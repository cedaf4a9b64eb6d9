// SPDX-License-Identifier: MIT
// Requests of Gemini's generateContent, countTokens, batchEmbedContents and embedContent. Calls and results may have no
// ids: they are numbered, and a result belongs to the first call of its name that has none yet.
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "read.h"
#include "route/gemini.h"

#define CALLS_MAX 256

typedef struct reader {
    const read_ask *ask;
    mb_jw *w;
    const mb_json *calls[CALLS_MAX]; // of the last model's content: functionCall objects
    bool answered[CALLS_MAX];
    size_t count, first; // how many, and the number of the first
    size_t numbered;
} reader;

static bool has_only(const mb_json *object, const char *const *keys) {
    for (uint32_t i = 0; mb_json_is(object, MB_JSON_OBJECT) && i < object->count; i++) {
        bool known = false;
        for (const char *const *k = keys; *k; k++) known |= strcmp(*k, object->children[i].key) == 0;
        if (!known) return false;
    }
    return mb_json_is(object, MB_JSON_OBJECT);
}
#define HAS_ONLY(object, ...) has_only(object, (const char *const[]){__VA_ARGS__, NULL})

static const mb_json *parts_of(const mb_json *content) {
    const mb_json *parts = mb_json_get(content, "parts");
    return mb_json_is(parts, MB_JSON_ARRAY) ? parts : NULL;
}

static void put_json_text(mb_jw *w, const mb_json *v) {
    mb_buf text = MB_BUF(1 << 24);
    mb_jw inner = mb_jw_to(&text);
    mb_jw_value(&inner, v);
    mb_jw_strn(w, mb_buf_text(&text), text.len);
    mb_buf_free(&text);
}

// ---- what a user says ----------------------------------------------------------------------------------------------

static bool is_typed(const mb_json *v, const char *key) {
    return v && v->count == 2 && mb_json_get_str(v, "mimeType") && mb_json_get_str(v, key);
}

static void put_blob(mb_jw *w, const mb_json *blob) {
    const char *type = mb_json_get_str(blob, "mimeType");
    mb_jw_kstr(w, "type", strncmp(type, "image/", 6) == 0 ? "image" : "document");
    mb_jw_kvalue_if(w, "data", mb_json_get(blob, "data"));
    mb_jw_kstr(w, "media_type", type);
}

static void put_part(mb_jw *w, const mb_json *part) {
    const mb_json *blob = mb_json_get(part, "inlineData"), *file = mb_json_get(part, "fileData");
    mb_jw_object(w);
    if (HAS_ONLY(part, "text") && mb_json_get_str(part, "text")) {
        mb_jw_kstr(w, "type", "text");
        mb_jw_kvalue_if(w, "text", mb_json_get(part, "text"));
    } else if (HAS_ONLY(part, "inlineData") && HAS_ONLY(blob, "mimeType", "data") && is_typed(blob, "data")) {
        put_blob(w, blob);
    } else if (HAS_ONLY(part, "fileData") && HAS_ONLY(file, "mimeType", "fileUri") && is_typed(file, "fileUri")) {
        mb_jw_kstr(w, "type", "document");
        mb_jw_kvalue_if(w, "url", mb_json_get(file, "fileUri"));
        mb_jw_kvalue_if(w, "media_type", mb_json_get(file, "mimeType"));
    } else {
        mb_jw_kstr(w, "type", "raw");
        mb_jw_key(w, "raw");
        mb_jw_value(w, part);
    }
    mb_jw_end_object(w);
}

static void put_parts(mb_jw *w, const mb_json *parts, uint32_t from) {
    mb_jw_key(w, "content");
    mb_jw_array(w);
    for (uint32_t i = from; parts && i < parts->count; i++) put_part(w, &parts->children[i]);
    mb_jw_end_array(w);
}

static void put_id(reader *r, const char *key, size_t call) {
    char made[32];
    const char *id = mb_json_get_str(r->calls[call], "id");
    snprintf(made, sizeof made, "call_%zu", r->first + call);
    mb_jw_kstr(r->w, key, id ? id : made);
}

// ---- results -------------------------------------------------------------------------------------------------------

// How many parts are results, at the front of a content.
static uint32_t results_in(const mb_json *parts) {
    uint32_t n = 0;
    while (parts && n < parts->count && mb_json_get(&parts->children[n], "functionResponse")) n++;
    return n;
}

static size_t call_of(reader *r, const mb_json *response) {
    const mb_json *id = mb_json_get(response, "id"), *name = mb_json_get(response, "name");
    for (size_t i = 0; i < r->count; i++) {
        const mb_json *call_id = mb_json_get(r->calls[i], "id");
        if (r->answered[i] || !mb_json_equal(mb_json_get(r->calls[i], "name"), name)) continue;
        if (!id == !call_id && (!id || mb_json_equal(id, call_id))) return i;
    }
    return CALLS_MAX;
}

static bool is_object_text(const mb_json *v) {
    mb_arena arena = {0};
    const mb_json *tree = NULL;
    bool is = mb_json_parse(&arena, v->str, v->len, &tree, NULL) == 0 && tree->type == MB_JSON_OBJECT;
    mb_arena_free(&arena);
    return is;
}

// {"output": "text"} is what we make of plain text; of the text of an object, an object.
static void put_result_content(mb_jw *w, const mb_json *response) {
    const mb_json *object = mb_json_get(response, "response"), *parts = mb_json_get(response, "parts");
    const mb_json *output = HAS_ONLY(object, "output") ? mb_json_get(object, "output") : NULL;
    mb_jw_key(w, "content");
    mb_jw_array(w);
    mb_jw_object(w);
    mb_jw_kstr(w, "type", "text");
    mb_jw_key(w, "text");
    if (mb_json_is(output, MB_JSON_STRING) && !is_object_text(output))
        mb_jw_value(w, output);
    else
        put_json_text(w, object);
    mb_jw_end_object(w);
    for (uint32_t i = 0; mb_json_is(parts, MB_JSON_ARRAY) && i < parts->count; i++) put_part(w, &parts->children[i]);
    mb_jw_end_array(w);
}

static void put_results(reader *r, const mb_json *parts, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        const mb_json *response = mb_json_get(&parts->children[i], "functionResponse");
        size_t call = call_of(r, response);
        mb_jw_object(r->w);
        mb_jw_kstr(r->w, "role", "tool");
        if (call < CALLS_MAX) {
            r->answered[call] = true;
            put_id(r, "tool_call_id", call);
        } else {
            mb_jw_kstr(r->w, "tool_call_id", "nobody");
        }
        put_result_content(r->w, response);
        mb_jw_end_object(r->w);
    }
}

// ---- what a model said ---------------------------------------------------------------------------------------------

static bool is_text(const mb_json *part) {
    return mb_json_get_str(part, "text") && !mb_json_get(part, "thought") && !mb_json_get(part, "functionCall");
}

// Names that the writer keeps.
static bool is_plain_name(const char *name) {
    static const char PLAIN[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    return name && *name && strlen(name) <= 64 && name[strspn(name, PLAIN)] == '\0';
}

// An id that cannot be told from those that we make for calls without one.
static bool is_made(const mb_json *id) {
    const char *text = mb_json_str(id);
    if (!id || !text || strncmp(text, "call_", 5) != 0) return id && !(text && *text);
    size_t digits = strspn(text + 5, "0123456789");
    return digits <= 3 && text[5 + digits] == '\0';
}

static const mb_json *call_in(const mb_json *part) {
    const mb_json *call = mb_json_get(part, "functionCall");
    bool plain = HAS_ONLY(call, "name", "args", "id") && mb_json_is(mb_json_get(call, "args"), MB_JSON_OBJECT);
    return plain && is_plain_name(mb_json_get_str(call, "name")) && !is_made(mb_json_get(call, "id")) ? call : NULL;
}

static void put_call(reader *r, size_t i) {
    mb_jw *w = r->w;
    mb_jw_object(w);
    put_id(r, "id", i);
    mb_jw_key(w, "function");
    mb_jw_object(w);
    mb_jw_kvalue_if(w, "name", mb_json_get(r->calls[i], "name"));
    mb_jw_key(w, "arguments");
    put_json_text(w, mb_json_get(r->calls[i], "args"));
    mb_jw_end_object(w);
    mb_jw_end_object(w);
}

static void put_with(mb_jw *w, const mb_json *part, const char *content) {
    if (part->count < 2) return;
    mb_jw_key(w, "with");
    mb_jw_object(w);
    for (uint32_t i = 0; i < part->count; i++) {
        if (strcmp(part->children[i].key, content) == 0) continue;
        mb_jw_key(w, part->children[i].key);
        mb_jw_value(w, &part->children[i]);
    }
    mb_jw_end_object(w);
}

static void put_blocks(reader *r, const mb_json *parts) {
    mb_jw *w = r->w;
    size_t calls = 0;
    mb_jw_array(w);
    for (uint32_t i = 0; i < parts->count; i++) {
        const mb_json *part = &parts->children[i];
        mb_jw_object(w);
        if (is_text(part)) {
            mb_jw_kint(w, "text", (int64_t)mb_json_get(part, "text")->len);
            put_with(w, part, "text");
        } else if (call_in(part)) {
            put_id(r, "call", calls++);
            put_with(w, part, "functionCall");
        } else {
            mb_jw_key(w, "raw");
            mb_jw_value(w, part);
        }
        mb_jw_end_object(w);
    }
    mb_jw_end_array(w);
}

// The text of all parts as one, the calls, and the parts as they stood.
static void put_model(reader *r, const mb_json *parts) {
    mb_jw *w = r->w;
    mb_buf text = MB_BUF(1 << 24);
    r->count = 0;
    r->first = r->numbered;
    memset(r->answered, 0, sizeof r->answered);
    for (uint32_t i = 0; parts && i < parts->count; i++) {
        const mb_json *part = &parts->children[i], *said = is_text(part) ? mb_json_get(part, "text") : NULL;
        if (said) mb_buf_put(&text, said->str, said->len);
        if (!said && call_in(part) && r->count < CALLS_MAX) r->calls[r->count++] = call_in(part);
    }
    r->numbered += r->count;
    if (r->numbered + CALLS_MAX > 999) r->numbered = 0; // only so many are known as made
    mb_jw_object(w);
    mb_jw_kstr(w, "role", "assistant");
    mb_jw_key(w, "content");
    mb_jw_strn(w, mb_buf_text(&text), text.len);
    mb_buf_free(&text);
    if (r->count) {
        mb_jw_key(w, "tool_calls");
        mb_jw_array(w);
        for (size_t i = 0; i < r->count; i++) put_call(r, i);
        mb_jw_end_array(w);
    }
    mb_jw_key(w, "provider_data");
    mb_jw_object(w);
    mb_jw_kstr(w, "provider", r->ask->provider);
    mb_jw_key(w, "fields");
    mb_jw_object(w);
    if (parts) {
        mb_jw_key(w, "blocks");
        put_blocks(r, parts);
    }
    mb_jw_end_object(w);
    mb_jw_end_object(w);
    mb_jw_end_object(w);
}

// ---- contents ------------------------------------------------------------------------------------------------------

static void put_plain(mb_jw *w, const char *role, const mb_json *content, uint32_t from) {
    mb_jw_object(w);
    mb_jw_kstr(w, "role", role);
    put_parts(w, parts_of(content), from);
    mb_jw_end_object(w);
}

static bool are_objects(const mb_json *list) {
    for (uint32_t i = 0; list && i < list->count; i++)
        if (list->children[i].type != MB_JSON_OBJECT) return false;
    return list && list->count;
}

// A result in words that the canonical form has, of the call whose turn it is.
static bool take_result(const mb_json *part, const mb_json *call) {
    const mb_json *response = mb_json_get(part, "functionResponse"), *parts = mb_json_get(response, "parts");
    const mb_json *id = mb_json_get(response, "id"), *call_id = mb_json_get(call, "id");
    if (!HAS_ONLY(part, "functionResponse") || !HAS_ONLY(response, "id", "name", "response", "parts")) return false;
    if (!mb_json_is(mb_json_get(response, "response"), MB_JSON_OBJECT) || (parts && !are_objects(parts))) return false;
    return mb_json_equal(mb_json_get(response, "name"), mb_json_get(call, "name")) && !id == !call_id &&
           (!id || mb_json_equal(id, call_id));
}

static bool take_user(reader *r, const mb_json *parts) {
    uint32_t results = results_in(parts);
    for (uint32_t i = 0; i < results; i++, r->first++)
        if (r->first == r->count || !take_result(&parts->children[i], r->calls[r->first])) return false;
    for (uint32_t i = results; i < parts->count; i++)
        if (mb_json_get(&parts->children[i], "functionResponse")) return false;
    return results == parts->count || r->first == r->count;
}

static bool take_model(reader *r, const mb_json *parts) {
    if (r->first < r->count) return false;
    r->count = r->first = 0;
    for (uint32_t i = 0; i < parts->count; i++) {
        if (!call_in(&parts->children[i])) continue;
        if (r->count == CALLS_MAX) return false;
        r->calls[r->count++] = call_in(&parts->children[i]);
    }
    return true;
}

// Whether it is a conversation that the writer leaves as it is: each call has one result, in their order. Another one
// is kept in the provider's own words.
static bool is_regular(const mb_json *contents) {
    static reader r;
    r.count = r.first = 0;
    for (uint32_t i = 0; i < contents->count; i++) {
        const mb_json *content = &contents->children[i], *role = mb_json_get(content, "role");
        bool is_model = mb_json_str_is(role, "model");
        if (!HAS_ONLY(content, "role", "parts") || !are_objects(parts_of(content))) return false;
        if (role && !is_model && !mb_json_str_is(role, "user")) return false;
        if (!(is_model ? take_model(&r, parts_of(content)) : take_user(&r, parts_of(content)))) return false;
    }
    return contents->count && r.first == r.count;
}

static bool is_system(const mb_json *system) {
    return HAS_ONLY(system, "role", "parts") && are_objects(parts_of(system));
}

static void put_messages(const read_ask *ask, mb_jw *w, const mb_json *body, bool regular) {
    const mb_json *contents = mb_json_get(body, "contents"), *system = mb_json_get(body, "systemInstruction");
    static reader r;
    r = (reader){.ask = ask, .w = w};
    mb_jw_key(w, "messages");
    mb_jw_array(w);
    if (is_system(system)) put_plain(w, "system", system, 0);
    if (!regular) put_plain(w, "user", NULL, 0);
    for (uint32_t i = 0; regular && i < contents->count; i++) {
        const mb_json *content = &contents->children[i];
        uint32_t results = results_in(parts_of(content));
        if (mb_json_str_is(mb_json_get(content, "role"), "model")) {
            put_model(&r, parts_of(content));
            continue;
        }
        put_results(&r, parts_of(content), results);
        if (results < parts_of(content)->count) put_plain(w, "user", content, results);
    }
    mb_jw_end_array(w);
}

// ---- tools ---------------------------------------------------------------------------------------------------------

static const mb_json *schema_of(const mb_json *function) {
    const mb_json *schema = mb_json_get(function, "parametersJsonSchema");
    return schema ? schema : mb_json_get(function, "parameters_json_schema");
}

static bool is_plain_tool(const mb_json *tool) {
    const mb_json *functions = mb_json_get(tool, "functionDeclarations");
    if (!HAS_ONLY(tool, "functionDeclarations") || !mb_json_is(functions, MB_JSON_ARRAY)) return false;
    for (uint32_t i = 0; i < functions->count; i++) {
        const mb_json *f = &functions->children[i], *schema = schema_of(f), *said = mb_json_get(f, "description");
        for (uint32_t j = 0; j < i; j++) // two of one name
            if (mb_json_equal(mb_json_get(f, "name"), mb_json_get(&functions->children[j], "name"))) return false;
        if (said && said->type != MB_JSON_STRING) return false;
        if (!HAS_ONLY(f, "name", "description", "parametersJsonSchema", "parameters_json_schema")) return false;
        if (!is_plain_name(mb_json_get_str(f, "name")) || (schema && schema->type != MB_JSON_OBJECT)) return false;
    }
    return functions->count > 0;
}

static void put_function(mb_jw *w, const mb_json *function) {
    mb_jw_object(w);
    mb_jw_key(w, "function");
    mb_jw_object(w);
    mb_jw_kvalue_if(w, "name", mb_json_get(function, "name"));
    mb_jw_kvalue_if(w, "description", mb_json_get(function, "description"));
    mb_jw_kvalue_if(w, "parameters", schema_of(function));
    mb_jw_end_object(w);
    mb_jw_end_object(w);
}

static bool are_tools(const mb_json *tools) { return mb_json_is(tools, MB_JSON_ARRAY) && are_objects(tools); }

static bool put_tools(mb_jw *w, const mb_json *tools) {
    bool functions = false;
    if (!are_tools(tools)) return false;
    mb_jw_key(w, "tools");
    mb_jw_array(w);
    for (uint32_t i = 0; i < tools->count; i++) {
        const mb_json *tool = &tools->children[i], *list = mb_json_get(tool, "functionDeclarations");
        if (is_plain_tool(tool) && !functions) { // all functions are written as one tool
            functions = true;
            for (uint32_t j = 0; j < list->count; j++) put_function(w, &list->children[j]);
            continue;
        }
        mb_jw_object(w);
        mb_jw_kstr(w, "type", "raw");
        mb_jw_key(w, "raw");
        mb_jw_value(w, tool);
        mb_jw_end_object(w);
    }
    mb_jw_end_array(w);
    return functions;
}

// Whether toolConfig.functionCallingConfig is one that we have words for.
static bool put_choice(mb_jw *w, const mb_json *config) {
    const mb_json *mode = mb_json_get(config, "mode"), *names = mb_json_get(config, "allowedFunctionNames");
    if (!HAS_ONLY(config, "mode", "allowedFunctionNames")) return false;
    if (mb_json_str_is(mode, "ANY") && mb_json_is(names, MB_JSON_ARRAY) && names->count == 1) {
        if (!is_plain_name(mb_json_str(&names->children[0]))) return false;
        mb_jw_key(w, "tool_choice");
        mb_jw_object(w);
        mb_jw_key(w, "function");
        mb_jw_object(w);
        mb_jw_kvalue_if(w, "name", &names->children[0]);
        mb_jw_end_object(w);
        mb_jw_end_object(w);
        return true;
    }
    const char *choice = mb_json_str_is(mode, "ANY")    ? "required"
                         : mb_json_str_is(mode, "NONE") ? "none"
                         : mb_json_str_is(mode, "AUTO") ? "auto"
                                                        : NULL;
    if (names || !choice) return false;
    mb_jw_kstr(w, "tool_choice", choice);
    return true;
}

// ---- settings ------------------------------------------------------------------------------------------------------

static const struct {
    const char *theirs, *ours;
} SETTINGS[] = {{"maxOutputTokens", "max_tokens"},
                {"temperature", "temperature"},
                {"topP", "top_p"},
                {"seed", "seed"},
                {"stopSequences", "stop"}};

static bool is_schema(const mb_json *config) {
    return !mb_json_get(config, "responseSchema") &&
           mb_json_str_is(mb_json_get(config, "responseMimeType"), "application/json") &&
           mb_json_is(mb_json_get(config, "responseJsonSchema"), MB_JSON_OBJECT);
}

static bool is_plain_json(const mb_json *config) {
    return mb_json_str_is(mb_json_get(config, "responseMimeType"), "application/json") && !is_schema(config) &&
           !mb_json_get(config, "responseJsonSchema");
}

static bool is_level(const mb_json *level, const char *model) {
    static const char *const LEVELS[] = {"minimal", "low", "medium", "high"};
    for (size_t i = 0; i < MB_COUNT(LEVELS); i++)
        if (mb_json_str_is(level, LEVELS[i])) return mb_gemini_has_levels(model);
    return false;
}

static bool is_thinking(const mb_json *thinking, const char *model) {
    const mb_json *shown = mb_json_get(thinking, "includeThoughts"), *budget = mb_json_get(thinking, "thinkingBudget");
    const mb_json *level = mb_json_get(thinking, "thinkingLevel");
    if (!HAS_ONLY(thinking, "includeThoughts", "thinkingBudget", "thinkingLevel")) return false;
    if (budget && !read_is_canonical(MB_ASK_CHAT, "max_tokens", budget)) // a whole number, 1 or more …
        return thinking->count == 1 && budget->type == MB_JSON_INT && budget->integer == 0; // … or none alone
    if (!mb_json_bool(shown, false) || (budget && level)) return false;
    return !level || is_level(level, model);
}

static void put_thinking(mb_jw *w, const mb_json *thinking) {
    mb_jw_key(w, "thinking");
    mb_jw_object(w);
    mb_jw_kbool(w, "enabled", mb_json_get(thinking, "includeThoughts") != NULL);
    mb_jw_kvalue_if(w, "effort", mb_json_get(thinking, "thinkingLevel"));
    if (mb_json_int(mb_json_get(thinking, "thinkingBudget"), 0) > 0)
        mb_jw_kvalue_if(w, "budget_tokens", mb_json_get(thinking, "thinkingBudget"));
    mb_jw_end_object(w);
}

static bool is_setting(size_t i, const mb_json *v) {
    bool stop = strcmp(SETTINGS[i].ours, "stop") == 0; // one string is another thing
    return read_is_canonical(MB_ASK_CHAT, SETTINGS[i].ours, v) && (!stop || v->type == MB_JSON_ARRAY);
}

static bool is_ours(const mb_json *config, const char *key, const char *model) {
    for (size_t i = 0; i < MB_COUNT(SETTINGS); i++)
        if (strcmp(SETTINGS[i].theirs, key) == 0) return is_setting(i, mb_json_get(config, key));
    if (strcmp(key, "responseMimeType") == 0) return is_schema(config) || is_plain_json(config);
    if (strcmp(key, "responseJsonSchema") == 0) return is_schema(config);
    return strcmp(key, "thinkingConfig") == 0 && is_thinking(mb_json_get(config, key), model);
}

static void put_settings(mb_jw *w, const mb_json *config, const char *model) {
    for (size_t i = 0; i < MB_COUNT(SETTINGS); i++)
        if (is_setting(i, mb_json_get(config, SETTINGS[i].theirs)))
            read_copy(w, config, SETTINGS[i].theirs, SETTINGS[i].ours);
    if (is_schema(config) || is_plain_json(config)) {
        mb_jw_key(w, "response_format");
        mb_jw_object(w);
        mb_jw_kstr(w, "type", is_schema(config) ? "json_schema" : "json_object");
        if (is_schema(config)) {
            mb_jw_key(w, "json_schema");
            mb_jw_object(w);
            mb_jw_kvalue_if(w, "schema", mb_json_get(config, "responseJsonSchema"));
            mb_jw_end_object(w);
        }
        mb_jw_end_object(w);
    }
    if (is_thinking(mb_json_get(config, "thinkingConfig"), model))
        put_thinking(w, mb_json_get(config, "thinkingConfig"));
}

// What of the request was read.
typedef struct done {
    bool contents, choice, settings;
    const char *model;
} done;

static bool is_done(const done *d, const mb_json *m) {
    if (strcmp(m->key, "contents") == 0) return d->contents;
    if (strcmp(m->key, "systemInstruction") == 0) return is_system(m);
    return strcmp(m->key, "tools") == 0 && are_tools(m);
}

// What is left goes as it came; empty settings are none.
static void put_extra(mb_jw *w, const mb_json *body, const done *d) {
    mb_jw_key(w, "extra_body");
    mb_jw_object(w);
    for (uint32_t i = 0; i < body->count; i++) {
        const mb_json *m = &body->children[i];
        bool config = strcmp(m->key, "generationConfig") == 0, tools = strcmp(m->key, "toolConfig") == 0;
        if (is_done(d, m)) continue;
        mb_jw_key(w, m->key);
        if ((!config && !tools) || m->type != MB_JSON_OBJECT) {
            mb_jw_value(w, m);
            continue;
        }
        mb_jw_object(w);
        for (uint32_t j = 0; j < m->count; j++) {
            const char *key = m->children[j].key;
            if (config && d->settings && is_ours(m, key, d->model)) continue;
            if (tools && d->choice && strcmp(key, "functionCallingConfig") == 0) continue;
            mb_jw_key(w, key);
            mb_jw_value(w, &m->children[j]);
        }
        mb_jw_end_object(w);
    }
    mb_jw_end_object(w);
}

// ---- requests ------------------------------------------------------------------------------------------------------

static void read_path(const read_ask *ask) {
    const char *at = ask->path ? strstr(ask->path, "/models/") : NULL;
    char name[256] = "";
    if (at) snprintf(name, sizeof name, "%.*s", (int)strcspn(at + 8, ":?"), at + 8);
    read_model(ask, name);
    *ask->ret_stream = ask->path && strstr(ask->path, ":streamGenerateContent");
}

static bool read_generate(const read_ask *ask, mb_jw *out) {
    const mb_json *config = mb_json_get(ask->body, "generationConfig"), *contents = mb_json_get(ask->body, "contents");
    const mb_json *choice = mb_json_get(mb_json_get(ask->body, "toolConfig"), "functionCallingConfig");
    if (!mb_json_is(contents, MB_JSON_ARRAY)) return false;
    read_path(ask);
    done d = {.contents = is_regular(contents), .settings = true, .model = ask->ret_model};
    put_messages(ask, out, ask->body, d.contents);
    bool has_tools = put_tools(out, mb_json_get(ask->body, "tools"));
    d.choice = has_tools && choice && put_choice(out, choice);
    put_settings(out, config, d.model);
    put_extra(out, ask->body, &d);
    return true;
}

// The writer puts a whole request inside where there is more to count than contents, and only at the Gemini API.
static bool is_counted_so(const read_ask *ask, const mb_json *inside) {
    const mb_json *body = inside ? inside : ask->body;
    bool more = mb_json_get(body, "systemInstruction") || mb_json_get(body, "tools");
    if (!inside) return !more || strcmp(ask->provider, "gemini") != 0;
    return more && ask->body->count == 1 && HAS_ONLY(inside, "model", "contents", "systemInstruction", "tools") &&
           is_regular(mb_json_get(inside, "contents"));
}

static bool read_count(const read_ask *ask, mb_jw *out) {
    static const char *const NOTHING[] = {NULL};
    const mb_json *inside = mb_json_get(ask->body, "generateContentRequest"), *body = inside ? inside : ask->body;
    if (!mb_json_is(mb_json_get(body, "contents"), MB_JSON_ARRAY)) return false;
    bool ours = is_counted_so(ask, inside);
    done d = {.contents = ours && is_regular(mb_json_get(body, "contents"))};
    read_path(ask);
    if (!ours) {
        mb_jw_kstr(out, "input", "");
        read_extra(out, ask->body, NOTHING);
        return true;
    }
    put_messages(ask, out, body, d.contents);
    put_tools(out, mb_json_get(body, "tools"));
    if (!inside) put_extra(out, body, &d);
    return true;
}

static const mb_json *embedded_text(const mb_json *request) {
    const mb_json *content = mb_json_get(request, "content"), *parts = parts_of(content), *part = mb_json_at(parts, 0);
    const mb_json *text = mb_json_get(part, "text");
    bool plain = HAS_ONLY(content, "parts") && parts && parts->count == 1 && HAS_ONLY(part, "text");
    return plain && mb_json_is(text, MB_JSON_STRING) ? text : NULL;
}

static const char *const EMBEDDED[] = {"content", "model", "outputDimensionality", NULL};

static bool is_embedded(const mb_json *request) {
    const mb_json *dimensions = mb_json_get(request, "outputDimensionality");
    return embedded_text(request) && (!dimensions || read_is_canonical(MB_ASK_EMBED, "dimensions", dimensions));
}

static bool read_embed(const read_ask *ask, mb_jw *out) {
    static const char *const KNOWN[] = {"content", "outputDimensionality", NULL}, *const NOTHING[] = {NULL};
    bool plain = is_embedded(ask->body);
    if (!mb_json_is(mb_json_get(ask->body, "content"), MB_JSON_OBJECT)) return false;
    read_path(ask);
    if (!plain) mb_jw_kstr(out, "input", "");
    if (plain) mb_jw_kvalue_if(out, "input", embedded_text(ask->body));
    if (plain) read_copy(out, ask->body, "outputDimensionality", "dimensions");
    read_extra(out, ask->body, plain ? KNOWN : NOTHING);
    return true;
}

// What is said of the first text is said of all.
static bool are_alike(const mb_json *requests) {
    const mb_json *first = mb_json_at(requests, 0);
    for (uint32_t i = 0; i < requests->count; i++) {
        const mb_json *request = &requests->children[i];
        if (!is_embedded(request) || request->count != first->count) return false;
        for (uint32_t j = 0; j < request->count; j++) {
            const char *key = request->children[j].key;
            if (strcmp(key, "content") != 0 && !mb_json_equal(&request->children[j], mb_json_get(first, key)))
                return false;
        }
    }
    return requests->count > 0;
}

static bool read_batch(const read_ask *ask, mb_jw *out) {
    static const char *const NOTHING[] = {NULL};
    const mb_json *requests = mb_json_get(ask->body, "requests"), *first = mb_json_at(requests, 0);
    if (!mb_json_is(requests, MB_JSON_ARRAY)) return false;
    read_path(ask);
    if (ask->body->count > 1 || !are_alike(requests)) { // images, or each in its own way
        mb_jw_kstr(out, "input", "");
        read_extra(out, ask->body, NOTHING);
        return true;
    }
    mb_jw_key(out, "input");
    mb_jw_array(out);
    for (uint32_t i = 0; i < requests->count; i++) mb_jw_value(out, embedded_text(&requests->children[i]));
    mb_jw_end_array(out);
    read_copy(out, first, "outputDimensionality", "dimensions");
    read_extra(out, first, EMBEDDED);
    return true;
}

// Vertex AI's older way: what is said of the first instance is said of all.
static bool are_instances(const mb_json *list) {
    for (uint32_t i = 0; mb_json_is(list, MB_JSON_ARRAY) && i < list->count; i++) {
        const mb_json *one = &list->children[i], *first = &list->children[0];
        if (!mb_json_get_str(one, "content") || one->count != first->count) return false;
        for (uint32_t j = 0; j < one->count; j++) {
            const char *key = one->children[j].key;
            if (strcmp(key, "content") != 0 && !mb_json_equal(&one->children[j], mb_json_get(first, key))) return false;
        }
    }
    return mb_json_is(list, MB_JSON_ARRAY) && list->count;
}

static bool read_predict(const read_ask *ask, mb_jw *out) {
    const mb_json *list = mb_json_get(ask->body, "instances"), *parameters = mb_json_get(ask->body, "parameters");
    if (!HAS_ONLY(ask->body, "instances", "parameters") || !are_instances(list)) return false;
    read_path(ask);
    mb_jw_key(out, "input");
    mb_jw_array(out);
    for (uint32_t i = 0; i < list->count; i++) mb_jw_value(out, mb_json_get(&list->children[i], "content"));
    mb_jw_end_array(out);
    mb_jw_key(out, "extra_body");
    mb_jw_object(out);
    mb_jw_kvalue_if(out, "parameters", parameters);
    for (uint32_t i = 0; i < list->children[0].count; i++) {
        const mb_json *m = &list->children[0].children[i];
        if (strcmp(m->key, "content") == 0) continue;
        mb_jw_key(out, m->key);
        mb_jw_value(out, m);
    }
    mb_jw_end_object(out);
    return true;
}

const wire_reader READERS_GEMINI[] = {
    {"generateContent", read_generate, MB_ASK_CHAT},  {"count_tokens", read_count, MB_ASK_COUNT_TOKENS},
    {"batchEmbedContents", read_batch, MB_ASK_EMBED}, {"embedContent", read_embed, MB_ASK_EMBED},
    {"predict", read_predict, MB_ASK_EMBED},          {0},
};
