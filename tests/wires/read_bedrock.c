// SPDX-License-Identifier: MIT
// Requests of Amazon Bedrock: Converse and its count of tokens. What InvokeModel takes is read in read_invoke.c.
#include "read_bedrock.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"

// ---- objects -------------------------------------------------------------------------------------------------------

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

bedrock_extra bedrock_extra_begin(void) { return (bedrock_extra){.text = MB_BUF(MB_LIMIT_REQUEST)}; }

void bedrock_extra_put(bedrock_extra *e, const mb_json *member) {
    if (e->text.len) mb_buf_putc(&e->text, ',');
    mb_jw w = mb_jw_to(&e->text);
    mb_jw_key(&w, member->key);
    mb_jw_value(&w, member);
}

// Those members of a table that the canonical form has no word for, under the table's name.
void bedrock_extra_rest(bedrock_extra *e, const mb_json *table, const char *const *taken) {
    bool open = false;
    mb_jw w = mb_jw_to(&e->text);
    for (uint32_t i = 0; mb_json_is(table, MB_JSON_OBJECT) && i < table->count; i++) {
        bool skip = false;
        for (const char *const *k = taken; *k; k++) skip |= strcmp(*k, table->children[i].key) == 0;
        if (skip) continue;
        if (!open) {
            if (e->text.len) mb_buf_putc(&e->text, ',');
            mb_jw_key(&w, table->key);
            mb_jw_object(&w);
        }
        open = true;
        mb_jw_key(&w, table->children[i].key);
        mb_jw_value(&w, &table->children[i]);
    }
    if (open) mb_jw_end_object(&w);
}

void bedrock_extra_end(bedrock_extra *e, mb_jw *out) {
    if (e->text.len) {
        mb_jw_key(out, "extra_body");
        mb_jw_object(out);
        mb_jw_raw(out, mb_buf_text(&e->text), e->text.len);
        mb_jw_end_object(out);
    }
    mb_buf_free(&e->text);
}

void bedrock_path(const read_ask *ask, const char *stream) {
    const char *at = ask->path ? strstr(ask->path, "/model/") : NULL;
    char name[256];
    size_t n = 0;
    if (!at) return;
    for (at += 7; *at && *at != '/' && n + 1 < sizeof name; at++) {
        char hex[3] = {at[0] == '%' ? at[1] : '\0', at[0] == '%' ? at[2] : '\0', '\0'};
        name[n++] = hex[0] ? (char)strtol(hex, NULL, 16) : *at;
        if (hex[0]) at += 2;
    }
    name[n] = '\0';
    read_model(ask, name);
    *ask->ret_stream = strcmp(at, stream) == 0;
}

// ---- parts ---------------------------------------------------------------------------------------------------------

static bool is_mark(const mb_json *block) {
    const mb_json *point = mb_json_get(block, "cachePoint"), *ttl = mb_json_get(point, "ttl");
    return point && block->count == 1 && mb_json_str_is(mb_json_get(point, "type"), "default") &&
           HAS_ONLY(point, "type", "ttl") && (!ttl || ttl->type == MB_JSON_STRING);
}

static void put_mark(mb_jw *w, const mb_json *block) {
    const mb_json *ttl = mb_json_path(block, "cachePoint.ttl");
    mb_jw_key(w, "cache");
    if (!ttl) {
        mb_jw_bool(w, true);
        return;
    }
    mb_jw_object(w);
    mb_jw_kvalue_if(w, "ttl", ttl);
    mb_jw_end_object(w);
}

static const char *const DOCUMENTS[][2] = {
    {"pdf", "application/pdf"},
    {"txt", "text/plain"},
    {"md", "text/markdown"},
    {"html", "text/html"},
    {"csv", "text/csv"},
    {"doc", "application/msword"},
    {"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
    {"xls", "application/vnd.ms-excel"},
    {"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}};

static const char *document_type(const mb_json *document) {
    for (size_t i = 0; i < MB_COUNT(DOCUMENTS); i++)
        if (mb_json_str_is(mb_json_get(document, "format"), DOCUMENTS[i][0])) return DOCUMENTS[i][1];
    return NULL;
}

// Other names are not taken, and not written.
static bool is_plain_name(const char *name) {
    static const char PLAIN[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 -()[]";
    return name && *name && *name != ' ' && strlen(name) < 200 && name[strspn(name, PLAIN)] == '\0' &&
           !strstr(name, "  ");
}

static bool is_known_document(const mb_json *d) {
    const mb_json *source = mb_json_get(d, "source"), *uri = mb_json_path(source, "s3Location.uri");
    const char *name = mb_json_get_str(d, "name"), *format = mb_json_get_str(d, "format");
    if (!HAS_ONLY(d, "name", "format", "source") || !source || !is_plain_name(name) || !format || source->count != 1)
        return false;
    if (mb_json_is(mb_json_get(source, "bytes"), MB_JSON_STRING)) return document_type(d) != NULL;
    const char *dot = mb_json_str(uri) ? strrchr(mb_json_str(uri), '.') : NULL;
    return dot && strcmp(dot + 1, format) == 0 && HAS_ONLY(mb_json_get(source, "s3Location"), "uri");
}

static bool is_known_image(const mb_json *image) {
    static const char *const FORMATS[] = {"png", "jpeg", "gif", "webp"};
    const mb_json *source = mb_json_get(image, "source");
    bool has_format = false;
    for (size_t i = 0; i < MB_COUNT(FORMATS); i++)
        has_format |= mb_json_str_is(mb_json_get(image, "format"), FORMATS[i]);
    return has_format && HAS_ONLY(image, "format", "source") && HAS_ONLY(source, "bytes") &&
           mb_json_get_str(source, "bytes");
}

static bool is_text(const mb_json *block) {
    const mb_json *text = mb_json_get(block, "text");
    return block->count == 1 && mb_json_is(text, MB_JSON_STRING) && text->len;
}

// Whether the part may carry a mark: those in the provider's own words may not.
static bool put_part(mb_jw *w, const mb_json *block) {
    const mb_json *document = mb_json_get(block, "document"), *image = mb_json_get(block, "image");
    if (is_text(block)) {
        mb_jw_kstr(w, "type", "text");
        mb_jw_kvalue_if(w, "text", mb_json_get(block, "text"));
    } else if (image && block->count == 1 && is_known_image(image)) {
        mb_buf type = MB_BUF(256);
        mb_buf_putf(&type, "image/%s", mb_json_get_str(image, "format"));
        mb_jw_kstr(w, "type", "image");
        mb_jw_kvalue_if(w, "data", mb_json_path(image, "source.bytes"));
        mb_jw_kstr(w, "media_type", mb_buf_text(&type));
        mb_buf_free(&type);
    } else if (document && block->count == 1 && is_known_document(document)) {
        const mb_json *bytes = mb_json_path(document, "source.bytes");
        mb_jw_kstr(w, "type", "document");
        mb_jw_kvalue_if(w, "name", mb_json_get(document, "name"));
        mb_jw_kvalue_if(w, "data", bytes);
        if (bytes) mb_jw_kstr(w, "media_type", document_type(document));
        mb_jw_kvalue_if(w, "url", mb_json_path(document, "source.s3Location.uri"));
    } else {
        mb_jw_kstr(w, "type", "raw");
        mb_jw_kvalue_if(w, "raw", block);
        return false;
    }
    return true;
}

// All blocks but those of a kind that is a message or a call of its own.
static void put_parts(mb_jw *w, const mb_json *blocks, const char *except) {
    mb_jw_key(w, "content");
    mb_jw_array(w);
    for (uint32_t i = 0; mb_json_is(blocks, MB_JSON_ARRAY) && i < blocks->count; i++) {
        const mb_json *block = &blocks->children[i], *next = i + 1 < blocks->count ? block + 1 : NULL;
        if (except && mb_json_get(block, except)) continue;
        mb_jw_object(w);
        if (put_part(w, block) && next && is_mark(next)) {
            put_mark(w, next);
            i++;
        }
        mb_jw_end_object(w);
    }
    mb_jw_end_array(w);
}

// ---- messages ------------------------------------------------------------------------------------------------------

static void begin_message(mb_jw *w, const char *role) {
    mb_jw_object(w);
    mb_jw_kstr(w, "role", role);
}

static void begin_data(mb_jw *w, const read_ask *ask, const char *field) {
    mb_jw_key(w, "provider_data");
    mb_jw_object(w);
    mb_jw_kstr(w, "provider", ask->provider);
    mb_jw_key(w, "fields");
    mb_jw_object(w);
    mb_jw_key(w, field);
}

static void end_data(mb_jw *w) {
    mb_jw_end_object(w);
    mb_jw_end_object(w);
}

static void put_result(mb_jw *w, const read_ask *ask, const mb_json *result) {
    begin_message(w, "tool");
    mb_jw_kvalue_if(w, "tool_call_id", mb_json_get(result, "toolUseId"));
    put_parts(w, mb_json_get(result, "content"), NULL);
    begin_data(w, ask, "message");
    mb_jw_object(w);
    for (uint32_t i = 0; i < result->count; i++) {
        const mb_json *m = &result->children[i];
        if (strcmp(m->key, "toolUseId") != 0 && strcmp(m->key, "content") != 0) mb_jw_kvalue_if(w, m->key, m);
    }
    mb_jw_end_object(w);
    end_data(w);
    mb_jw_end_object(w);
}

static void put_user(mb_jw *w, const read_ask *ask, const mb_json *content) {
    uint32_t results = 0;
    for (uint32_t i = 0; i < content->count; i++) {
        const mb_json *result = mb_json_get(&content->children[i], "toolResult");
        if (!result) continue;
        put_result(w, ask, result);
        results++;
    }
    if (results && results == content->count) return;
    begin_message(w, "user");
    put_parts(w, content, "toolResult");
    mb_jw_end_object(w);
}

static const mb_json *call_in(const mb_json *block) {
    const mb_json *use = mb_json_get(block, "toolUse");
    bool is_named = mb_json_get_str(use, "toolUseId") && mb_json_get_str(use, "name");
    return is_named && block->count == 1 && HAS_ONLY(use, "toolUseId", "name", "input") ? use : NULL;
}

static void put_calls(mb_jw *w, const mb_json *content) {
    mb_jw_key(w, "tool_calls");
    mb_jw_array(w);
    for (uint32_t i = 0; i < content->count; i++) {
        const mb_json *use = call_in(&content->children[i]);
        if (!use) continue;
        mb_buf text = MB_BUF(MB_LIMIT_REQUEST);
        mb_jw args = mb_jw_to(&text);
        mb_jw_value(&args, mb_json_get(use, "input"));
        mb_jw_object(w);
        mb_jw_kvalue_if(w, "id", mb_json_get(use, "toolUseId"));
        mb_jw_key(w, "function");
        mb_jw_object(w);
        mb_jw_kvalue_if(w, "name", mb_json_get(use, "name"));
        mb_jw_key(w, "arguments");
        mb_jw_strn(w, mb_buf_text(&text), text.len);
        mb_jw_end_object(w);
        mb_jw_end_object(w);
        mb_buf_free(&text);
    }
    mb_jw_end_array(w);
}

// The list of blocks as route/echo.h keeps it, beside the joined text.
static void put_blocks(mb_jw *w, const read_ask *ask, const mb_json *content) {
    mb_buf text = MB_BUF(MB_LIMIT_REQUEST);
    for (uint32_t i = 0; i < content->count; i++) {
        const mb_json *t = is_text(&content->children[i]) ? mb_json_get(&content->children[i], "text") : NULL;
        if (t) mb_buf_put(&text, t->str, t->len);
    }
    mb_jw_key(w, "content");
    mb_jw_strn(w, mb_buf_text(&text), text.len);
    mb_buf_free(&text);
    begin_data(w, ask, "blocks");
    mb_jw_array(w);
    for (uint32_t i = 0; i < content->count; i++) {
        const mb_json *block = &content->children[i], *use = call_in(block);
        mb_jw_object(w);
        if (is_text(block))
            mb_jw_kint(w, "text", (int64_t)mb_json_get(block, "text")->len);
        else
            mb_jw_kvalue_if(w, use ? "call" : "raw", use ? mb_json_get(use, "toolUseId") : block);
        mb_jw_end_object(w);
    }
    mb_jw_end_array(w);
    end_data(w);
}

static bool is_canonical(const mb_json *content) { // texts with their marks, then calls
    bool calls = false;
    for (uint32_t i = 0; i < content->count; i++) {
        const mb_json *block = &content->children[i];
        bool is_call = call_in(block) != NULL, is_said = is_text(block) || (i && !calls && is_mark(block));
        if (!is_call && (calls || !is_said)) return false;
        calls |= is_call;
    }
    return true;
}

static void put_assistant(mb_jw *w, const read_ask *ask, const mb_json *content) {
    begin_message(w, "assistant");
    if (is_canonical(content))
        put_parts(w, content, "toolUse");
    else
        put_blocks(w, ask, content);
    put_calls(w, content);
    mb_jw_end_object(w);
}

// Whether each call has its result in the next message, results first, and none is without content.
static bool are_answered(const mb_json *calls, const mb_json *next) {
    uint32_t n = 0;
    for (uint32_t i = 0; calls && i < calls->count; i++) {
        const mb_json *id = mb_json_path(&calls->children[i], "toolUse.toolUseId");
        const mb_json *block = call_in(&calls->children[i]) ? mb_json_at(next, n++) : NULL;
        bool found = !call_in(&calls->children[i]);
        for (uint32_t j = 0; next && j < next->count; j++) {
            const mb_json *result = mb_json_path(&next->children[j], "toolResult.toolUseId");
            found |= result && id && mb_json_equal(id, result);
        }
        if (!found || (block && !mb_json_get(block, "toolResult"))) return false;
    }
    for (uint32_t i = 0; next && i < next->count; i++) {
        const mb_json *result = mb_json_get(&next->children[i], "toolResult"), *list = mb_json_get(result, "content");
        if (result && (i >= n || next->children[i].count != 1 || !mb_json_is(list, MB_JSON_ARRAY) || list->count == 0))
            return false;
    }
    return true;
}

static bool is_sayable(const mb_json *messages) {
    const mb_json *calls = NULL;
    for (uint32_t i = 0; i < messages->count; i++) {
        const mb_json *m = &messages->children[i], *content = mb_json_get(m, "content");
        bool is_assistant = mb_json_str_is(mb_json_get(m, "role"), "assistant");
        bool is_user = mb_json_str_is(mb_json_get(m, "role"), "user");
        bool is_known = (is_user || is_assistant) && HAS_ONLY(m, "role", "content") &&
                        mb_json_is(content, MB_JSON_ARRAY) && content->count;
        for (uint32_t j = 0; is_known && j < content->count; j++)
            is_known = content->children[j].type == MB_JSON_OBJECT;
        if (!is_known || !are_answered(calls, is_assistant ? NULL : content)) return false;
        calls = is_assistant ? content : NULL;
    }
    return are_answered(calls, NULL);
}

static bool read_messages(const read_ask *ask, const mb_json *body, mb_jw *out, bedrock_extra *extra) {
    const mb_json *messages = mb_json_get(body, "messages"), *system = mb_json_get(body, "system");
    if (!mb_json_is(messages, MB_JSON_ARRAY)) return false;
    mb_jw_key(out, "messages");
    mb_jw_array(out);
    if (system && system->count) {
        begin_message(out, "system");
        put_parts(out, system, NULL);
        mb_jw_end_object(out);
    }
    bool is_raw = !is_sayable(messages); // then the conversation stays in the provider's words
    if (is_raw) {
        bedrock_extra_put(extra, messages);
        begin_message(out, "user");
        mb_jw_kstr(out, "content", "");
        mb_jw_end_object(out);
    }
    for (uint32_t i = 0; i < messages->count && !is_raw; i++) {
        const mb_json *m = &messages->children[i], *content = mb_json_get(m, "content");
        if (mb_json_str_is(mb_json_get(m, "role"), "assistant"))
            put_assistant(out, ask, content);
        else
            put_user(out, ask, content);
    }
    mb_jw_end_array(out);
    return true;
}

// ---- tools ---------------------------------------------------------------------------------------------------------

static bool is_plain_tool(const mb_json *tool) {
    const mb_json *spec = mb_json_get(tool, "toolSpec"), *strict = mb_json_get(spec, "strict");
    const char *description = mb_json_get_str(spec, "description");
    return HAS_ONLY(tool, "toolSpec") && HAS_ONLY(spec, "name", "description", "inputSchema", "strict") &&
           mb_json_get_str(spec, "name") && (!mb_json_get(spec, "description") || (description && *description)) &&
           HAS_ONLY(mb_json_get(spec, "inputSchema"), "json") && mb_json_path(spec, "inputSchema.json.type") &&
           (!strict || strict->type == MB_JSON_BOOL);
}

static void put_tools(mb_jw *w, const mb_json *tools) {
    mb_jw_key(w, "tools");
    mb_jw_array(w);
    for (uint32_t i = 0; i < tools->count; i++) {
        const mb_json *tool = &tools->children[i], *spec = mb_json_get(tool, "toolSpec");
        mb_jw_object(w);
        if (is_plain_tool(tool)) {
            mb_jw_key(w, "function");
            mb_jw_object(w);
            mb_jw_kvalue_if(w, "name", mb_json_get(spec, "name"));
            mb_jw_kvalue_if(w, "description", mb_json_get(spec, "description"));
            mb_jw_kvalue_if(w, "parameters", mb_json_path(spec, "inputSchema.json"));
            mb_jw_kvalue_if(w, "strict", mb_json_get(spec, "strict"));
            mb_jw_end_object(w);
        } else {
            mb_jw_kstr(w, "type", "raw");
            mb_jw_kvalue_if(w, "raw", tool);
        }
        if (i + 1 < tools->count && is_mark(tool + 1)) {
            put_mark(w, tool + 1);
            i++;
        }
        mb_jw_end_object(w);
    }
    mb_jw_end_array(w);
}

static bool is_known_choice(const mb_json *choice) {
    const mb_json *tool = mb_json_get(choice, "tool"), *any = mb_json_get(choice, "any");
    const mb_json *other = any ? any : mb_json_get(choice, "auto");
    if (!choice) return true;
    if (tool) return choice->count == 1 && HAS_ONLY(tool, "name") && mb_json_get_str(tool, "name");
    return mb_json_is(other, MB_JSON_OBJECT) && other->count == 0 && choice->count == 1;
}

static void read_tools(const read_ask *ask, const mb_json *config, mb_jw *out, bedrock_extra *extra) {
    const mb_json *tools = mb_json_get(config, "tools"), *choice = mb_json_get(config, "toolChoice");
    const mb_json *name = mb_json_path(choice, "tool.name");
    if (!mb_json_is(tools, MB_JSON_ARRAY) || tools->count == 0) {
        if (config) bedrock_extra_put(extra, config);
        return;
    }
    put_tools(out, tools);
    if (ask->kind != MB_ASK_CHAT || !is_known_choice(choice)) { // no choice is made of tokens to be counted
        bedrock_extra_rest(extra, config, (const char *const[]){"tools", NULL});
        return;
    }
    if (name) {
        mb_jw_key(out, "tool_choice");
        mb_jw_object(out);
        mb_jw_key(out, "function");
        mb_jw_object(out);
        mb_jw_kvalue_if(out, "name", name);
        mb_jw_end_object(out);
        mb_jw_end_object(out);
    } else if (choice) {
        mb_jw_kstr(out, "tool_choice", mb_json_get(choice, "any") ? "required" : "auto");
    }
    bedrock_extra_rest(extra, config, (const char *const[]){"tools", "toolChoice", NULL});
}

// ---- parameters ----------------------------------------------------------------------------------------------------

void bedrock_sampling(const mb_json *table, const bedrock_names *names, mb_jw *out, bedrock_extra *extra) {
    const mb_json *max = mb_json_get(table, names->max_tokens), *stop = mb_json_get(table, names->stop);
    const char *taken[5] = {0};
    size_t n = 0;
    double temperature = mb_json_double(mb_json_get(table, "temperature"), -1);
    double top_p = mb_json_double(mb_json_get(table, names->top_p), -1);
    if (mb_json_int(max, 0) > 0) {
        read_copy(out, table, names->max_tokens, "max_tokens");
        taken[n++] = names->max_tokens;
    }
    if (temperature >= 0 && temperature <= 1) {
        read_copy(out, table, "temperature", "temperature");
        taken[n++] = "temperature";
    }
    if (top_p >= 0 && top_p <= 1) {
        read_copy(out, table, names->top_p, "top_p");
        taken[n++] = names->top_p;
    }
    if (mb_json_is(stop, MB_JSON_ARRAY) && stop->count) {
        read_copy(out, table, names->stop, "stop");
        taken[n++] = names->stop;
    }
    bedrock_extra_rest(extra, table, taken);
}

static bool read_format(const mb_json *config, mb_jw *out) {
    const mb_json *format = mb_json_get(config, "textFormat"), *structure = mb_json_get(format, "structure");
    const mb_json *named = mb_json_get(structure, "jsonSchema"), *tree = NULL, *schema = mb_json_get(named, "schema");
    const mb_json *name = mb_json_get(named, "name"), *description = mb_json_get(named, "description");
    bool is_known = HAS_ONLY(format, "type", "structure") && HAS_ONLY(structure, "jsonSchema") &&
                    mb_json_str_is(mb_json_get(format, "type"), "json_schema") && (!name || mb_json_str(name)) &&
                    (!description || mb_json_str(description));
    mb_arena arena = {0};
    bool good = is_known && mb_json_is(schema, MB_JSON_STRING) && HAS_ONLY(named, "schema", "name", "description") &&
                mb_json_parse(&arena, schema->str, schema->len, &tree, NULL) == 0 && tree->type == MB_JSON_OBJECT;
    if (good) {
        mb_jw_key(out, "response_format");
        mb_jw_object(out);
        mb_jw_kstr(out, "type", "json_schema");
        mb_jw_key(out, "json_schema");
        mb_jw_object(out);
        mb_jw_kvalue_if(out, "name", mb_json_get(named, "name"));
        mb_jw_kvalue_if(out, "description", mb_json_get(named, "description"));
        mb_jw_kvalue_if(out, "schema", tree);
        mb_jw_end_object(out);
        mb_jw_end_object(out);
    }
    mb_arena_free(&arena);
    return good;
}

// Claude's thinking, where nothing stands beside it that its budget would change.
static bool read_thinking(const read_ask *ask, const mb_json *body, const mb_json *thinking, mb_jw *out) {
    const mb_json *inference = mb_json_get(body, "inferenceConfig"), *budget = mb_json_get(thinking, "budget_tokens");
    const mb_json *max = mb_json_get(inference, "maxTokens"), *choice = mb_json_path(body, "toolConfig.toolChoice");
    bool disturbed = mb_json_get(inference, "temperature") || mb_json_get(inference, "topP") ||
                     (choice && !mb_json_get(choice, "auto")) || (max && mb_json_int(max, 0) <= mb_json_int(budget, 0));
    if (!strstr(ask->ret_model, "claude") || disturbed || mb_json_int(budget, 0) < 1024 ||
        !HAS_ONLY(thinking, "type", "budget_tokens") || !mb_json_str_is(mb_json_get(thinking, "type"), "enabled"))
        return false;
    mb_jw_key(out, "thinking");
    mb_jw_object(out);
    mb_jw_kvalue_if(out, "budget_tokens", budget);
    mb_jw_end_object(out);
    return true;
}

// The members that Converse and Nova behind InvokeModel share.
bool bedrock_body(const read_ask *ask, const mb_json *body, const bedrock_names *names, mb_jw *out,
                  bedrock_extra *extra) {
    const mb_json *fields = mb_json_get(body, "additionalModelRequestFields");
    const mb_json *output = mb_json_get(body, "outputConfig"), *inference = mb_json_get(body, "inferenceConfig");
    if (!read_messages(ask, body, out, extra)) return false;
    if (inference) bedrock_sampling(inference, names, out, extra);
    read_tools(ask, mb_json_get(body, "toolConfig"), out, extra);
    bool thinks = ask->kind == MB_ASK_CHAT && read_thinking(ask, body, mb_json_get(fields, "thinking"), out);
    bedrock_extra_rest(extra, fields, (const char *const[]){thinks ? "thinking" : "", NULL});
    bool formed = read_format(output, out);
    bedrock_extra_rest(extra, output, (const char *const[]){formed ? "textFormat" : "", NULL});
    if (fields && fields->count == 0) bedrock_extra_put(extra, fields); // empty, or null
    if (output && output->count == 0) bedrock_extra_put(extra, output);
    for (uint32_t i = 0; i < body->count; i++) {
        const mb_json alone = {.type = MB_JSON_OBJECT, .count = 1, .children = &body->children[i]};
        if (!HAS_ONLY(&alone, "messages", "system", "inferenceConfig", "toolConfig", "outputConfig",
                      "additionalModelRequestFields", "schemaVersion"))
            bedrock_extra_put(extra, &body->children[i]);
    }
    return true;
}

const bedrock_names BEDROCK_CONVERSE = {"maxTokens", "topP", "stopSequences"};

static bool read_converse(const read_ask *ask, mb_jw *out) {
    bedrock_extra extra = bedrock_extra_begin();
    bedrock_path(ask, "/converse-stream");
    bool good = bedrock_body(ask, ask->body, &BEDROCK_CONVERSE, out, &extra);
    bedrock_extra_end(&extra, out);
    return good;
}

static bool read_count(const read_ask *ask, mb_jw *out) {
    const mb_json *body = mb_json_path(ask->body, "input.converse");
    bedrock_extra extra = bedrock_extra_begin();
    bedrock_path(ask, "");
    bool good = body && bedrock_body(ask, body, &BEDROCK_CONVERSE, out, &extra);
    bedrock_extra_end(&extra, out);
    return good;
}

const wire_reader READERS_BEDROCK[] = {
    {"converse", read_converse, MB_ASK_CHAT},
    {"count_tokens", read_count, MB_ASK_COUNT_TOKENS},
    {0},
};
