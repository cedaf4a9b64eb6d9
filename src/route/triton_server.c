// SPDX-License-Identifier: MIT
// What Triton says about itself and the models of its repository: KServe's metadata and the repository extension.
#include <string.h>

#include "base/alloc.h"
#include "route/triton.h"

static int out_status(const mb_turn *turn) {
    if (mb_buf_ok(&turn->json)) return 0;
    return turn->json.failed == MEMBRANE_ENOMEM ? MEMBRANE_ENOMEM : MEMBRANE_ERESPONSE;
}

static int put_text(mb_decode *d, const char *text) {
    mb_buf_puts(&d->turn->json, text);
    return out_status(d->turn);
}

// ---- the repository ------------------------------------------------------------------------------------------------

static bool same_name(const mb_json *list, uint32_t a, uint32_t b) {
    const char *other = mb_json_get_str(mb_json_at(list, b), "name");
    return other && strcmp(mb_json_get_str(mb_json_at(list, a), "name"), other) == 0;
}

// The versions of a model stand one after another. Where there are several, each is named as it can be asked for.
static void put_model(mb_jw *w, const mb_json *list, uint32_t i, mb_buf *name) {
    const mb_json *model = &list->children[i];
    const char *version = mb_json_get_str(model, "version"), *reason = mb_json_get_str(model, "reason");
    const bool is_one_of_several = (i > 0 && same_name(list, i, i - 1)) || same_name(list, i, i + 1);
    mb_buf_reset(name);
    mb_buf_puts(name, mb_json_get_str(model, "name"));
    if (is_one_of_several && version && *version) mb_buf_putf(name, "/versions/%s", version);
    mb_jw_object(w);
    mb_jw_kstr(w, "model", mb_buf_text(name));
    mb_jw_kbool(w, "loaded", mb_json_str_is(mb_json_get(model, "state"), "READY"));
    mb_jw_kstr_if(w, "version", version);
    mb_jw_kstr_if(w, "state", mb_json_get_str(model, "state"));
    if (reason && *reason) mb_jw_kstr(w, "reason", reason);
    mb_jw_end_object(w);
}

static int models(mb_decode *d, const mb_json *root) {
    mb_jw w = mb_jw_to(&d->turn->json);
    mb_buf name = MB_BUF(65536);
    if (!mb_json_is(root, MB_JSON_ARRAY)) return MEMBRANE_ERESPONSE;
    mb_jw_array(&w);
    for (uint32_t i = 0; i < root->count; i++)
        if (mb_json_get_str(&root->children[i], "name")) put_model(&w, root, i, &name);
    mb_jw_end_array(&w);
    if (!mb_buf_ok(&name)) d->turn->json.failed = name.failed;
    mb_buf_free(&name);
    return out_status(d->turn);
}

// ---- one model -----------------------------------------------------------------------------------------------------

// Tensors under "inputs" (metadata) or "input" (configuration).
static bool has_tensor(const mb_json *root, const char *list_name, const char *other_name, const char *name) {
    const mb_json *list = mb_json_get(root, list_name);
    if (!list) list = mb_json_get(root, other_name);
    for (uint32_t i = 0; mb_json_is(list, MB_JSON_ARRAY) && i < list->count; i++)
        if (mb_json_str_is(mb_json_get(&list->children[i], "name"), name)) return true;
    return false;
}

static int show(mb_decode *d, const mb_json *root) {
    const mb_quirks *q = d->ask->quirks;
    const char *name = d->ask->model ? d->ask->model : mb_json_get_str(root, "name");
    if (!mb_json_is(root, MB_JSON_OBJECT) || !mb_json_get_str(root, "name")) return MEMBRANE_ERESPONSE;
    mb_jw w = mb_jw_to(&d->turn->json);
    mb_jw_object(&w);
    mb_jw_kstr(&w, "model", name);
    mb_jw_key(&w, "capabilities");
    mb_jw_array(&w);
    if (has_tensor(root, "inputs", "input", "text_input") && has_tensor(root, "outputs", "output", "text_output"))
        mb_jw_str(&w, "completion");
    if (q->embed_input && has_tensor(root, "inputs", "input", q->embed_input) && q->embed_output &&
        has_tensor(root, "outputs", "output", q->embed_output))
        mb_jw_str(&w, "embedding");
    mb_jw_end_array(&w);
    mb_jw_kvalue_if(&w, "raw", root);
    mb_jw_end_object(&w);
    return out_status(d->turn);
}

// ---- the server ----------------------------------------------------------------------------------------------------

static int version(mb_decode *d, const mb_json *root) {
    const char *text = mb_json_get_str(root, "version");
    const mb_json *extensions = mb_json_get(root, "extensions");
    if (!text) return MEMBRANE_ERESPONSE;
    mb_jw w = mb_jw_to(&d->turn->json);
    mb_jw_object(&w);
    mb_jw_kstr(&w, "version", text);
    mb_jw_kstr_if(&w, "name", mb_json_get_str(root, "name"));
    if (mb_json_is(extensions, MB_JSON_ARRAY)) mb_jw_kvalue_if(&w, "extensions", extensions);
    mb_jw_end_object(&w);
    return out_status(d->turn);
}

static int answer(mb_decode *d, const mb_json *root) {
    switch (d->ask->kind) {
    case MB_ASK_MODELS:
    case MB_ASK_LOADED: return models(d, root);
    case MB_ASK_SHOW: return show(d, root);
    case MB_ASK_VERSION: return version(d, root);
    default: return MEMBRANE_ERESPONSE;
    }
}

int mb_triton_server_body(mb_decode *d, const char *text, size_t len) {
    const mb_json *root = NULL;
    switch (d->ask->kind) { // the status says it all
    case MB_ASK_HEALTH: return put_text(d, "{\"state\":\"ok\"}");
    case MB_ASK_LOAD:
    case MB_ASK_UNLOAD: return put_text(d, "{}");
    default: break;
    }
    int status = mb_json_parser_parse(d->parser, text, len, false, &root);
    if (status == MEMBRANE_ENOMEM) return status;
    status = status == 0 ? answer(d, root) : MEMBRANE_ERESPONSE;
    return status == MEMBRANE_ERESPONSE ? mb_turn_no_answer(d->turn, d->ask->provider, text, len) : status;
}

// ---- refusals ------------------------------------------------------------------------------------------------------

static int not_ready(mb_decode *d, int status) {
    return mb_error_set(&d->turn->error, MEMBRANE_EOVERLOADED,
                        "%s is not ready (HTTP %d): a model that it is to serve is not loaded", d->ask->provider,
                        status);
}

static int no_repository(mb_decode *d, int status) {
    mb_error_set(&d->turn->error, MEMBRANE_EUNSUPPORTED, "%s has no model repository that can be asked (HTTP %d)",
                 d->ask->provider, status);
    mb_error_hint(d->turn->error, "only Triton has this extension of KServe's protocol; or check base_url");
    return MEMBRANE_EUNSUPPORTED;
}

int mb_triton_refused(mb_decode *d, int status, const char *text, size_t len) {
    const bool is_unknown = status == 404 || status == 405 || status == 501;
    switch (d->ask->kind) {
    case MB_ASK_HEALTH: return status == 400 || status == 503 ? not_ready(d, status) : 0;
    case MB_ASK_MODELS:
    case MB_ASK_LOADED: return is_unknown ? no_repository(d, status) : 0;
    case MB_ASK_LOAD:
    case MB_ASK_UNLOAD: // "failed to load 'a', …" is about the model
        return is_unknown && !memmem(text, len, "load", 4) ? no_repository(d, status) : 0;
    default: return 0;
    }
}
