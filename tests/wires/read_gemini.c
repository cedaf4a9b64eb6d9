// SPDX-License-Identifier: MIT
// Requests of Gemini's generateContent, countTokens, batchEmbedContents and embedContent. Calls and results may have no
// ids: they are numbered, and a result belongs to the first call of its name that has none yet.
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "read.h"

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
    } else if (HAS_ONLY(part, "inlineData") && HAS_ONLY(blob, "mimeType", "data") && blob->count == 2) {
        put_blob(w, blob);
    } else if (HAS_ONLY(part, "fileData") && HAS_ONLY(file, "mimeType", "fileUri") && file->count == 2) {
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

static void put_parts(mb_jw *w, const mb_json *parts) {
    mb_jw_key(w, "content");
    mb_jw_array(w);
    for (uint32_t i = 0; parts && i < parts->count; i++) put_part(w, &parts->children[i]);
    mb_jw_end_array(w);
}

static void put_id(reader *r, const char *key, size_t call) {
    char made[32];
    const char *id = mb_json_get_str(r->calls[call], "id");
    snprintf(made, sizeof made, "call_%zu", r->first + call);
    mb_jw_kstr(r->w, key, id ? id : made);
}

// ---- results -------------------------------------------------------------------------------------------------------

static bool is_results(const mb_json *parts) {
    for (uint32_t i = 0; parts && i < parts->count; i++)
        if (!HAS_ONLY(&parts->children[i], "functionResponse")) return false;
    return parts && parts->count;
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

// {"output": "text"} is what we make of plain text.
static void put_result_content(mb_jw *w, const mb_json *response) {
    const mb_json *object = mb_json_get(response, "response"), *parts = mb_json_get(response, "parts");
    const mb_json *output = HAS_ONLY(object, "output") ? mb_json_get(object, "output") : NULL;
    mb_jw_key(w, "content");
    mb_jw_array(w);
    mb_jw_object(w);
    mb_jw_kstr(w, "type", "text");
    mb_jw_key(w, "text");
    if (mb_json_is(output, MB_JSON_STRING))
        mb_jw_value(w, output);
    else
        put_json_text(w, object);
    mb_jw_end_object(w);
    for (uint32_t i = 0; mb_json_is(parts, MB_JSON_ARRAY) && i < parts->count; i++) put_part(w, &parts->children[i]);
    mb_jw_end_array(w);
}

static void put_results(reader *r, const mb_json *parts) {
    for (uint32_t i = 0; i < parts->count; i++) {
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

static const mb_json *call_in(const mb_json *part) {
    const mb_json *call = mb_json_get(part, "functionCall");
    bool plain = HAS_ONLY(call, "name", "args", "id") && mb_json_is(mb_json_get(call, "args"), MB_JSON_OBJECT);
    return plain && mb_json_get_str(call, "name") ? call : NULL;
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

static void put_plain(mb_jw *w, const char *role, const mb_json *content) {
    mb_jw_object(w);
    mb_jw_kstr(w, "role", role);
    put_parts(w, parts_of(content));
    mb_jw_end_object(w);
}

static void put_messages(const read_ask *ask, mb_jw *w, const mb_json *body) {
    const mb_json *contents = mb_json_get(body, "contents"), *system = mb_json_get(body, "systemInstruction");
    static reader r;
    r = (reader){.ask = ask, .w = w};
    mb_jw_key(w, "messages");
    mb_jw_array(w);
    if (system) put_plain(w, "system", system);
    for (uint32_t i = 0; i < contents->count; i++) {
        const mb_json *content = &contents->children[i];
        if (mb_json_str_is(mb_json_get(content, "role"), "model"))
            put_model(&r, parts_of(content));
        else if (is_results(parts_of(content)))
            put_results(&r, parts_of(content));
        else
            put_plain(w, "user", content);
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
        const mb_json *f = &functions->children[i], *schema = schema_of(f);
        if (!HAS_ONLY(f, "name", "description", "parametersJsonSchema", "parameters_json_schema")) return false;
        if (!mb_json_get_str(f, "name") || (schema && schema->type != MB_JSON_OBJECT)) return false;
    }
    return true;
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

static bool put_tools(mb_jw *w, const mb_json *tools) {
    bool functions = false;
    if (!mb_json_is(tools, MB_JSON_ARRAY)) return false;
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
    return mb_json_str_is(mb_json_get(config, "responseMimeType"), "application/json") &&
           mb_json_is(mb_json_get(config, "responseJsonSchema"), MB_JSON_OBJECT);
}

static bool is_plain_json(const mb_json *config) {
    return mb_json_str_is(mb_json_get(config, "responseMimeType"), "application/json") && !is_schema(config) &&
           !mb_json_get(config, "responseJsonSchema");
}

static bool is_thinking(const mb_json *thinking) {
    const mb_json *shown = mb_json_get(thinking, "includeThoughts"), *budget = mb_json_get(thinking, "thinkingBudget");
    if (!HAS_ONLY(thinking, "includeThoughts", "thinkingBudget", "thinkingLevel")) return false;
    if (!shown) return thinking->count == 1 && budget && mb_json_int(budget, -1) == 0;
    if (!mb_json_bool(shown, false) || (budget && mb_json_get(thinking, "thinkingLevel"))) return false;
    return !budget || mb_json_int(budget, 0) > 0;
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

static bool is_ours(const mb_json *config, const char *key) {
    for (size_t i = 0; i < MB_COUNT(SETTINGS); i++)
        if (strcmp(SETTINGS[i].theirs, key) == 0) return true;
    if (strcmp(key, "responseMimeType") == 0) return is_schema(config) || is_plain_json(config);
    if (strcmp(key, "responseJsonSchema") == 0) return is_schema(config);
    return strcmp(key, "thinkingConfig") == 0 && is_thinking(mb_json_get(config, key));
}

static void put_settings(mb_jw *w, const mb_json *config) {
    for (size_t i = 0; i < MB_COUNT(SETTINGS); i++) read_copy(w, config, SETTINGS[i].theirs, SETTINGS[i].ours);
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
    if (is_thinking(mb_json_get(config, "thinkingConfig"))) put_thinking(w, mb_json_get(config, "thinkingConfig"));
}

// What is left goes as it came; empty settings are none.
static void put_extra(mb_jw *w, const mb_json *body, bool has_choice, bool has_settings) {
    static const char *const KNOWN[] = {"contents", "systemInstruction", "tools"};
    mb_jw_key(w, "extra_body");
    mb_jw_object(w);
    for (uint32_t i = 0; i < body->count; i++) {
        const mb_json *m = &body->children[i];
        bool known = false, config = strcmp(m->key, "generationConfig") == 0, tools = strcmp(m->key, "toolConfig") == 0;
        for (size_t j = 0; j < MB_COUNT(KNOWN); j++) known |= strcmp(KNOWN[j], m->key) == 0;
        if (known) continue;
        mb_jw_key(w, m->key);
        if ((!config && !tools) || m->type != MB_JSON_OBJECT) {
            mb_jw_value(w, m);
            continue;
        }
        mb_jw_object(w);
        for (uint32_t j = 0; j < m->count; j++) {
            const char *key = m->children[j].key;
            if (config && has_settings && is_ours(m, key)) continue;
            if (tools && has_choice && strcmp(key, "functionCallingConfig") == 0) continue;
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
    const mb_json *config = mb_json_get(ask->body, "generationConfig");
    const mb_json *choice = mb_json_get(mb_json_get(ask->body, "toolConfig"), "functionCallingConfig");
    if (!mb_json_is(mb_json_get(ask->body, "contents"), MB_JSON_ARRAY)) return false;
    read_path(ask);
    put_messages(ask, out, ask->body);
    bool has_tools = put_tools(out, mb_json_get(ask->body, "tools"));
    bool has_choice = has_tools && choice && put_choice(out, choice);
    put_settings(out, config);
    put_extra(out, ask->body, has_choice, true);
    return true;
}

static bool read_count(const read_ask *ask, mb_jw *out) {
    const mb_json *inside = mb_json_get(ask->body, "generateContentRequest"), *body = inside ? inside : ask->body;
    if (!mb_json_is(mb_json_get(body, "contents"), MB_JSON_ARRAY)) return false;
    read_path(ask);
    put_messages(ask, out, body);
    put_tools(out, mb_json_get(body, "tools"));
    if (!inside) put_extra(out, body, false, false);
    return true;
}

static const mb_json *embedded_text(const mb_json *request) {
    const mb_json *text = mb_json_path(request, "content.parts.0.text");
    return mb_json_is(text, MB_JSON_STRING) ? text : NULL;
}

static bool read_embed(const read_ask *ask, mb_jw *out) {
    static const char *const KNOWN[] = {"content", "model", "outputDimensionality", NULL};
    if (!embedded_text(ask->body)) return false;
    read_path(ask);
    mb_jw_kvalue_if(out, "input", embedded_text(ask->body));
    read_copy(out, ask->body, "outputDimensionality", "dimensions");
    read_extra(out, ask->body, KNOWN);
    return true;
}

static bool read_batch(const read_ask *ask, mb_jw *out) {
    static const char *const KNOWN[] = {"content", "model", "outputDimensionality", NULL};
    const mb_json *requests = mb_json_get(ask->body, "requests"), *first = mb_json_at(requests, 0);
    if (!mb_json_is(requests, MB_JSON_ARRAY) || !first) return false;
    read_path(ask);
    mb_jw_key(out, "input");
    mb_jw_array(out);
    for (uint32_t i = 0; i < requests->count; i++) mb_jw_value(out, embedded_text(&requests->children[i]));
    mb_jw_end_array(out);
    read_copy(out, first, "outputDimensionality", "dimensions"); // what is said of the first is said of all
    read_extra(out, first, KNOWN);
    return true;
}

const wire_reader READERS_GEMINI[] = {
    {"generateContent", read_generate, MB_ASK_CHAT},
    {"count_tokens", read_count, MB_ASK_COUNT_TOKENS},
    {"batchEmbedContents", read_batch, MB_ASK_EMBED},
    {"embedContent", read_embed, MB_ASK_EMBED},
    {0},
};
