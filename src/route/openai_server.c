// SPDX-License-Identifier: MIT
// What servers of the openai wire say about models and about themselves. The lists agree on "id" only; how large a
// window is, or whether a model is loaded, each says under a name of its own.
#include <string.h>

#include "base/alloc.h"
#include "route/openai.h"

static int out_status(const mb_turn *turn) {
    if (mb_buf_ok(&turn->json)) return 0;
    return turn->json.failed == MEMBRANE_ENOMEM ? MEMBRANE_ENOMEM : MEMBRANE_ERESPONSE;
}

// ---- models --------------------------------------------------------------------------------------------------------

static int64_t first_number(const mb_json *v, const char *const *paths, size_t count) {
    for (size_t i = 0; i < count; i++) {
        int64_t n = mb_json_int(mb_json_path(v, paths[i]), 0);
        if (n > 0) return n;
    }
    return 0;
}

static int64_t window_of(const mb_json *model) {
    static const char *const PATHS[] = {"meta.n_ctx",       "max_model_len",      "loaded_context_length",
                                        "context_length",   "max_context_length", "context_window",
                                        "max_input_tokens", "meta.n_ctx_train",   "limits.max_context_length"};
    return first_number(model, PATHS, MB_COUNT(PATHS));
}

// 1 or 0, -1 where nobody says.
static int is_loaded(const mb_json *model) {
    const mb_json *status = mb_json_path(model, "status.value"), *state = mb_json_get(model, "state");
    if (mb_json_is(status, MB_JSON_STRING)) return mb_json_str_is(status, "loaded");
    return mb_json_is(state, MB_JSON_STRING) ? mb_json_str_is(state, "loaded") : -1;
}

static const char *kind_of(const mb_json *model) {
    const char *word = mb_json_get_str(model, "mode");
    if (!word) word = mb_json_get_str(model, "type");
    if (!word) return NULL;
    if (strncmp(word, "embed", 5) == 0) return "embed";
    return strcmp(word, "chat") == 0 || strcmp(word, "llm") == 0 || strcmp(word, "vlm") == 0 ? "chat" : NULL;
}

static const char *id_of(const mb_json *model) {
    const char *id = mb_json_get_str(model, "id");
    if (!id) id = mb_json_get_str(model, "name");
    return id ? id : mb_json_get_str(model, "model");
}

static void put_model(mb_jw *w, const mb_json *model, bool raw) {
    static const char *const BYTES[] = {"meta.size", "size_bytes"};
    int64_t window = window_of(model), bytes = first_number(model, BYTES, MB_COUNT(BYTES));
    const mb_json *capabilities = mb_json_get(model, "capabilities");
    mb_jw_object(w);
    mb_jw_kstr(w, "model", id_of(model));
    mb_jw_kstr_if(w, "kind", kind_of(model));
    if (window) mb_jw_kint(w, "context_window", window);
    if (bytes) mb_jw_kint(w, "bytes", bytes);
    if (is_loaded(model) >= 0) mb_jw_kbool(w, "loaded", is_loaded(model));
    if (mb_json_is(capabilities, MB_JSON_ARRAY)) mb_jw_kvalue_if(w, "capabilities", capabilities);
    if (raw) mb_jw_kvalue_if(w, "raw", model);
    mb_jw_end_object(w);
}

static const mb_json *list_of(const mb_json *root) {
    const mb_json *list = mb_json_is(root, MB_JSON_ARRAY) ? root : mb_json_get(root, "data");
    if (!mb_json_is(list, MB_JSON_ARRAY)) list = mb_json_get(root, "models");
    return mb_json_is(list, MB_JSON_ARRAY) ? list : NULL;
}

static int models(mb_decode *d, const mb_json *root, bool loaded_only) {
    const mb_json *list = list_of(root);
    mb_jw w = mb_jw_to(&d->turn->json);
    if (!list) return MEMBRANE_ERESPONSE;
    mb_jw_array(&w);
    for (uint32_t i = 0; i < list->count; i++) {
        const mb_json *model = &list->children[i];
        if (id_of(model) && !(loaded_only && is_loaded(model) == 0)) put_model(&w, model, false);
    }
    mb_jw_end_array(&w);
    return out_status(d->turn);
}

// ---- one model -----------------------------------------------------------------------------------------------------

static void put_flag(mb_jw *w, bool is, const char *name) {
    if (is) mb_jw_str(w, name);
}

// llama.cpp's /props.
static int props(mb_decode *d, const mb_json *root) {
    mb_jw w = mb_jw_to(&d->turn->json);
    int64_t window = mb_json_int(mb_json_path(root, "default_generation_settings.n_ctx"), 0);
    mb_jw_object(&w);
    mb_jw_kstr(&w, "model", d->ask->model ? d->ask->model : mb_json_get_str(root, "model_alias"));
    if (window > 0) mb_jw_kint(&w, "context_window", window);
    mb_jw_key(&w, "capabilities");
    mb_jw_array(&w);
    mb_jw_str(&w, "completion");
    put_flag(&w, mb_json_bool(mb_json_path(root, "chat_template_caps.supports_tool_calls"), false), "tools");
    put_flag(&w, mb_json_bool(mb_json_path(root, "modalities.vision"), false), "vision");
    put_flag(&w, mb_json_bool(mb_json_path(root, "modalities.audio"), false), "audio");
    mb_jw_end_array(&w);
    mb_jw_kvalue_if(&w, "raw", root);
    mb_jw_end_object(&w);
    return out_status(d->turn);
}

static int show(mb_decode *d, const mb_json *root) {
    const mb_json *list = list_of(root);
    if (mb_json_get(root, "default_generation_settings")) return props(d, root);
    for (uint32_t i = 0; list && i < list->count; i++) {
        const char *id = id_of(&list->children[i]);
        if (!id || (d->ask->model && strcmp(id, d->ask->model) != 0)) continue;
        mb_jw w = mb_jw_to(&d->turn->json);
        put_model(&w, &list->children[i], true);
        return out_status(d->turn);
    }
    if (!list) return MEMBRANE_ERESPONSE;
    return mb_error_set(&d->turn->error, MEMBRANE_EMODEL, "%s has no model \"%s\"", d->ask->provider, d->ask->model);
}

// ---- the server ----------------------------------------------------------------------------------------------------

static int health(mb_decode *d, const mb_json *root) {
    const mb_json *status = mb_json_get(root, "status");
    bool loading = mb_json_is(status, MB_JSON_STRING) && strstr(status->str, "load");
    mb_buf_puts(&d->turn->json, loading ? "{\"state\":\"loading\"}" : "{\"state\":\"ok\"}");
    return out_status(d->turn);
}

static int version(mb_decode *d, const mb_json *root) {
    static const char *const KEYS[] = {"version", "build_info", "litellm_version"};
    const char *found = NULL;
    for (size_t i = 0; i < MB_COUNT(KEYS) && !found; i++) found = mb_json_get_str(root, KEYS[i]);
    if (!found) return MEMBRANE_ERESPONSE;
    mb_jw w = mb_jw_to(&d->turn->json);
    mb_jw_object(&w);
    mb_jw_kstr(&w, "version", found);
    mb_jw_end_object(&w);
    return out_status(d->turn);
}

static int tokens(mb_decode *d, const mb_json *root) {
    const mb_json *list = mb_json_get(root, "tokens");
    int64_t listed = mb_json_is(list, MB_JSON_ARRAY) ? (int64_t)list->count : -1;
    int64_t count = mb_json_int(mb_json_get(root, "count"), listed);
    if (count < 0) count = mb_json_int(mb_json_get(root, "input_tokens"), -1); // OpenAI's own count
    if (count < 0) return MEMBRANE_ERESPONSE;
    d->turn->usage.input = count;
    mb_buf_putf(&d->turn->json, "{\"tokens\":%lld}", (long long)count);
    return out_status(d->turn);
}

static int slots(mb_decode *d, const mb_json *root) {
    if (!mb_json_is(root, MB_JSON_ARRAY)) return MEMBRANE_ERESPONSE;
    mb_jw w = mb_jw_to(&d->turn->json);
    mb_jw_array(&w);
    for (uint32_t i = 0; i < root->count; i++) {
        const mb_json *slot = &root->children[i];
        mb_jw_object(&w);
        mb_jw_kint(&w, "id", mb_json_int(mb_json_get(slot, "id"), i));
        mb_jw_kbool(&w, "busy", mb_json_bool(mb_json_get(slot, "is_processing"), false));
        mb_jw_end_object(&w);
    }
    mb_jw_end_array(&w);
    return out_status(d->turn);
}

static int page(mb_decode *d, const char *text, size_t len) {
    mb_jw w = mb_jw_to(&d->turn->json);
    mb_jw_object(&w);
    mb_jw_key(&w, "text");
    mb_jw_strn(&w, text, len);
    mb_jw_end_object(&w);
    return out_status(d->turn);
}

static int answer(mb_decode *d, const mb_json *root) {
    switch (d->ask->kind) {
    case MB_ASK_MODELS: return models(d, root, false);
    case MB_ASK_LOADED: return models(d, root, true);
    case MB_ASK_SHOW: return show(d, root);
    case MB_ASK_HEALTH: return health(d, root);
    case MB_ASK_VERSION: return version(d, root);
    case MB_ASK_TOKENIZE:
    case MB_ASK_COUNT_TOKENS: return tokens(d, root);
    case MB_ASK_SLOTS: return slots(d, root);
    default: mb_buf_puts(&d->turn->json, "{}"); return out_status(d->turn);
    }
}

int mb_openai_server_body(mb_decode *d, const char *text, size_t len) {
    const mb_json *root = NULL;
    d->turn->has_end = true;
    if (d->ask->kind == MB_ASK_METRICS) return page(d, text, len);
    int status = mb_json_parser_parse(d->parser, text, len, false, &root);
    if (status == MEMBRANE_ENOMEM) return status;
    bool may_be_text = d->ask->kind == MB_ASK_HEALTH || d->ask->kind == MB_ASK_LOAD || d->ask->kind == MB_ASK_UNLOAD;
    status = status == 0 || may_be_text ? answer(d, root) : MEMBRANE_ERESPONSE;
    if (status != MEMBRANE_ERESPONSE) return status;
    return mb_error_set(&d->turn->error, MEMBRANE_ERESPONSE, "%s answered 200 with something else: %.*s",
                        d->ask->provider, (int)(len < 200 ? len : 200), text);
}
