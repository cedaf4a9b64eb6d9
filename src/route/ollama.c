// SPDX-License-Identifier: MIT
// Ollama's answers as a turn: the same object in every line of a stream and in a whole body, "done" in the last one.
#include "route/ollama.h"

#include <string.h>

#include "base/alloc.h"
#include "route/classify.h"

#define IS(member, name) ((member)->key_len == sizeof(name) - 1 && memcmp((member)->key, name, sizeof(name) - 1) == 0)

// ---- generation ----------------------------------------------------------------------------------------------------

static int take_calls(mb_turn *turn, const mb_json *calls) {
    int status = 0;
    for (uint32_t i = 0; calls->type == MB_JSON_ARRAY && i < calls->count && status == 0; i++) {
        const mb_json *call = &calls->children[i], *function = mb_json_get(call, "function");
        status = mb_turn_tool_call(turn, mb_json_get_str(call, "id"), mb_json_get_str(function, "name"),
                                   mb_json_get(function, "arguments"));
    }
    return status;
}

static int take_message(mb_turn *turn, const mb_json *message) {
    const mb_json *content = NULL, *thinking = NULL, *calls = NULL;
    if (message->type != MB_JSON_OBJECT) return 0;
    for (const mb_json *m = message->children, *end = m + message->count; m < end; m++) {
        if (IS(m, "content"))
            content = m;
        else if (IS(m, "thinking"))
            thinking = m;
        else if (IS(m, "tool_calls"))
            calls = m;
    }
    int status = 0;
    if (mb_json_is(thinking, MB_JSON_STRING)) status = mb_turn_thinking(turn, thinking->str, thinking->len);
    if (status == 0 && mb_json_is(content, MB_JSON_STRING)) status = mb_turn_text(turn, content->str, content->len);
    return status == 0 && calls ? take_calls(turn, calls) : status;
}

static int take_logprobs(mb_turn *turn, const mb_json *list) {
    for (uint32_t i = 0; list->type == MB_JSON_ARRAY && i < list->count; i++) {
        if (turn->logprobs.len) mb_buf_putc(&turn->logprobs, ',');
        mb_jw w = mb_jw_to(&turn->logprobs);
        mb_jw_value(&w, &list->children[i]);
    }
    return mb_buf_status(&turn->logprobs, MEMBRANE_EMALFORMED);
}

static int take_model(mb_turn *turn, const mb_json *v) {
    if (turn->model || v->type != MB_JSON_STRING || v->len == 0) return 0;
    turn->model = mb_arena_strndup(&turn->arena, v->str, v->len);
    return turn->model ? 0 : MEMBRANE_ENOMEM;
}

// done_reason is "stop" even with calls, and was not said at all by older versions.
static void take_finish(mb_turn *turn, const char *reason) {
    mb_finish finish = MB_FINISH_STOP;
    if (reason && strcmp(reason, "length") == 0) finish = MB_FINISH_LENGTH;
    mb_turn_finish(turn, finish, reason);
}

static int take_object(mb_decode *d, const mb_json *root) {
    mb_turn *turn = d->turn;
    const mb_json *reason = NULL, *error = NULL;
    bool done = false;
    int status = 0;
    for (const mb_json *m = root->children, *end = m + root->count; m < end && status == 0; m++) {
        if (IS(m, "message"))
            status = take_message(turn, m);
        else if (IS(m, "response") && m->type == MB_JSON_STRING)
            status = mb_turn_text(turn, m->str, m->len);
        else if (IS(m, "thinking") && m->type == MB_JSON_STRING)
            status = mb_turn_thinking(turn, m->str, m->len);
        else if (IS(m, "tool_calls"))
            status = take_calls(turn, m);
        else if (IS(m, "done"))
            done = mb_json_bool(m, false);
        else if (IS(m, "model"))
            status = take_model(turn, m);
        else if (IS(m, "done_reason"))
            reason = m;
        else if (IS(m, "prompt_eval_count"))
            turn->usage.input = mb_json_int(m, -1);
        else if (IS(m, "eval_count"))
            turn->usage.output = mb_json_int(m, -1);
        else if (IS(m, "logprobs"))
            status = take_logprobs(turn, m);
        else if (IS(m, "error") && m->type != MB_JSON_NULL)
            error = m;
    }
    if (status == 0 && error) return mb_classify_json(d->ask->quirks->kind, d->ask->provider, 200, root, &turn->error);
    if (status != 0 || !done) return status;
    take_finish(turn, mb_json_str(reason));
    turn->has_end = true;
    return mb_turn_end(turn);
}

static int frame(mb_decode *d, const mb_frame *f) {
    const mb_json *root;
    int status = mb_json_parser_parse(d->parser, f->data, f->len, true, &root);
    if (status != 0) return status;
    if (root->type != MB_JSON_OBJECT) return MEMBRANE_EMALFORMED;
    status = take_object(d, root);
    return status == 0 && d->turn->has_end ? 1 : status;
}

// ---- models --------------------------------------------------------------------------------------------------------

static void put_model(mb_jw *w, const mb_json *model, bool loaded) {
    const char *name = mb_json_get_str(model, "model");
    const mb_json *family = mb_json_path(model, "details.family");
    int64_t window = mb_json_int(mb_json_get(model, "context_length"), 0);
    mb_jw_object(w);
    mb_jw_kstr(w, "model", name ? name : mb_json_get_str(model, "name"));
    if (mb_json_is(family, MB_JSON_STRING) && strstr(family->str, "bert")) mb_jw_kstr(w, "kind", "embed");
    if (window > 0) mb_jw_kint(w, "context_window", window);
    if (mb_json_is_number(mb_json_get(model, "size"))) mb_jw_kvalue_if(w, "bytes", mb_json_get(model, "size"));
    if (loaded) mb_jw_kbool(w, "loaded", true);
    mb_jw_end_object(w);
}

static int models(mb_decode *d, const mb_json *root, bool loaded) {
    const mb_json *list = mb_json_get(root, "models");
    mb_jw w = mb_jw_to(&d->turn->json);
    if (!list || (list->type != MB_JSON_ARRAY && list->type != MB_JSON_NULL)) return MEMBRANE_ERESPONSE;
    mb_jw_array(&w);
    for (uint32_t i = 0; list->type == MB_JSON_ARRAY && i < list->count; i++) put_model(&w, &list->children[i], loaded);
    mb_jw_end_array(&w);
    return mb_buf_status(&d->turn->json, MEMBRANE_ERESPONSE);
}

// num_ctx of the model's own parameters ("num_ctx    4096" in a text of lines), else what its architecture allows.
static int64_t window_of(const mb_json *root) {
    const char *parameters = mb_json_get_str(root, "parameters");
    const char *line = parameters ? strstr(parameters, "num_ctx") : NULL;
    int64_t window = 0;
    for (const char *p = line ? line + strlen("num_ctx") : ""; *p && *p != '\n' && window < INT32_MAX; p++)
        if (*p >= '0' && *p <= '9') window = 10 * window + (*p - '0');
    if (window > 0) return window;
    const mb_json *info = mb_json_get(root, "model_info");
    for (uint32_t i = 0; mb_json_is(info, MB_JSON_OBJECT) && i < info->count; i++) {
        const mb_json *m = &info->children[i];
        const char *dot = strchr(m->key, '.');
        if (dot && strcmp(dot, ".context_length") == 0) return mb_json_int(m, 0);
    }
    return 0;
}

static int show(mb_decode *d, const mb_json *root) {
    mb_jw w = mb_jw_to(&d->turn->json);
    int64_t window = window_of(root);
    mb_jw_object(&w);
    mb_jw_kstr(&w, "model", d->ask->model);
    if (window > 0) mb_jw_kint(&w, "context_window", window);
    mb_jw_kvalue_if(&w, "capabilities", mb_json_get(root, "capabilities"));
    mb_jw_kvalue_if(&w, "raw", root);
    mb_jw_end_object(&w);
    return mb_buf_status(&d->turn->json, MEMBRANE_ERESPONSE);
}

static int version(mb_decode *d, const mb_json *root) {
    const char *text = mb_json_get_str(root, "version");
    mb_jw w = mb_jw_to(&d->turn->json);
    if (!text) return MEMBRANE_ERESPONSE;
    mb_jw_object(&w);
    mb_jw_kstr(&w, "version", text);
    mb_jw_end_object(&w);
    return mb_buf_status(&d->turn->json, MEMBRANE_ERESPONSE);
}

// ---- whole bodies --------------------------------------------------------------------------------------------------

static int take_vectors(mb_decode *d, const mb_json *root) {
    const mb_json *list = mb_json_get(root, "embeddings");
    int status = mb_json_is(list, MB_JSON_ARRAY) ? 0 : MEMBRANE_ERESPONSE;
    for (uint32_t i = 0; status == 0 && i < list->count; i++) status = mb_turn_vector(d->turn, &list->children[i]);
    d->turn->usage.input = mb_json_int(mb_json_get(root, "prompt_eval_count"), -1);
    const mb_json *model = mb_json_get(root, "model");
    return status == 0 && model ? take_model(d->turn, model) : status;
}

static int put_text(mb_decode *d, const char *text) {
    mb_buf_puts(&d->turn->json, text);
    return mb_buf_status(&d->turn->json, MEMBRANE_ERESPONSE);
}

static int generation(mb_decode *d, const mb_json *root) {
    if (root->type != MB_JSON_OBJECT) return MEMBRANE_ERESPONSE;
    int status = take_object(d, root);
    if (status != 0) return status == MEMBRANE_EMALFORMED ? MEMBRANE_ERESPONSE : status;
    return d->turn->has_end ? 0 : MEMBRANE_ERESPONSE;
}

static int answer(mb_decode *d, const mb_json *root) {
    if (mb_json_is(mb_json_get(root, "error"), MB_JSON_STRING))
        return mb_classify_json(d->ask->quirks->kind, d->ask->provider, 200, root, &d->turn->error);
    switch (d->ask->kind) {
    case MB_ASK_CHAT:
    case MB_ASK_COMPLETION: return generation(d, root);
    case MB_ASK_EMBED: return take_vectors(d, root);
    case MB_ASK_MODELS: return models(d, root, false);
    case MB_ASK_LOADED: return models(d, root, true);
    case MB_ASK_SHOW: return show(d, root);
    case MB_ASK_VERSION: return version(d, root);
    case MB_ASK_HEALTH: return put_text(d, "{\"state\":\"ok\"}");
    default: return put_text(d, "{}");
    }
}

static int body(mb_decode *d, const char *text, size_t len) {
    const mb_json *root = NULL;
    int status = mb_json_parser_parse(d->parser, text, len, false, &root);
    if (status == MEMBRANE_ENOMEM) return status;
    status = status == 0 ? answer(d, root) : MEMBRANE_ERESPONSE;
    if (status != MEMBRANE_ERESPONSE || d->turn->error) return status;
    return mb_turn_no_answer(d->turn, d->ask->provider, text, len);
}

static int end(mb_decode *d) {
    if (d->turn->error) return membrane_error_code(d->turn->error);
    return d->turn->has_end ? 0 : MEMBRANE_ETRUNCATED;
}

const mb_adapter mb_adapter_ollama = {"ollama", MB_FRAMES_NDJSON, mb_ollama_write, frame, body, end};
