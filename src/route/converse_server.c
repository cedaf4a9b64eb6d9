// SPDX-License-Identifier: MIT
// What is asked of Bedrock beside answers: which models there are, what one of them can do, how many tokens a prompt
// has. The models are listed by the control plane, whose host is that of the runtime without "-runtime".
#include <string.h>

#include "base/alloc.h"
#include "route/converse.h"

// ---- which model ---------------------------------------------------------------------------------------------------

mb_model_family mb_model_family_of(const char *model) {
    static const struct {
        const char *part;
        mb_model_family family;
    } PARTS[] = {{"anthropic.", MB_MODEL_CLAUDE},  {"claude", MB_MODEL_CLAUDE},    {"amazon.titan", MB_MODEL_TITAN},
                 {"nova", MB_MODEL_NOVA},          {"openai.", MB_MODEL_OPENAI},   {"cohere.", MB_MODEL_COHERE},
                 {"amazon.", MB_MODEL_WITHOUT},    {"meta.", MB_MODEL_WITHOUT},    {"mistral.", MB_MODEL_WITHOUT},
                 {"ai21.", MB_MODEL_WITHOUT},      {"qwen.", MB_MODEL_WITHOUT},    {"deepseek.", MB_MODEL_WITHOUT},
                 {"moonshot", MB_MODEL_WITHOUT},   {"minimax.", MB_MODEL_WITHOUT}, {"zai.", MB_MODEL_WITHOUT},
                 {"google.", MB_MODEL_WITHOUT},    {"nvidia.", MB_MODEL_WITHOUT},  {"writer.", MB_MODEL_WITHOUT},
                 {"stability.", MB_MODEL_WITHOUT}, {"luma.", MB_MODEL_WITHOUT},    {"twelvelabs.", MB_MODEL_WITHOUT}};
    for (size_t i = 0; model && i < MB_COUNT(PARTS); i++)
        if (strstr(model, PARTS[i].part)) return PARTS[i].family;
    return MB_MODEL_OTHER;
}

// ---- questions -----------------------------------------------------------------------------------------------------

static int write_get(const mb_ask *ask, mb_wire *wire, const char *path, const char *what, membrane_error **err) {
    static const char RUNTIME[] = "://bedrock-runtime";
    const char *at = strstr(ask->base_url, RUNTIME);
    mb_buf base = MB_BUF(4096);
    mb_ask there = *ask;
    if (at) {
        mb_buf_put(&base, ask->base_url, (size_t)(at - ask->base_url));
        mb_buf_puts(&base, "://bedrock");
        mb_buf_puts(&base, at + sizeof RUNTIME - 1);
        there.base_url = mb_buf_text(&base);
    }
    int status = base.failed == MEMBRANE_ENOMEM ? mb_error_no_memory(err)
                                                : mb_write_target(&there, wire, "GET", path, false, what, err);
    mb_buf_free(&base);
    return status;
}

int mb_converse_server_write(const mb_ask *ask, mb_wire *wire, membrane_error **err) {
    const char *path = ask->quirks->models_path;
    mb_buf one = MB_BUF(4096);
    int status;
    switch (ask->kind) {
    case MB_ASK_MODELS: return write_get(ask, wire, path, "its models", err);
    case MB_ASK_HEALTH: return write_get(ask, wire, path, "its health", err);
    case MB_ASK_SHOW:
        mb_buf_putf(&one, "%s/{model}", path ? path : "");
        status = one.failed == MEMBRANE_ENOMEM ? mb_error_no_memory(err)
                                               : write_get(ask, wire, path ? mb_buf_text(&one) : NULL, "a model", err);
        mb_buf_free(&one);
        return status;
    case MB_ASK_COMPLETION: return mb_write_target(ask, wire, "POST", NULL, false, "completions", err);
    case MB_ASK_EMBED: return mb_write_target(ask, wire, "POST", NULL, false, "embeddings", err);
    case MB_ASK_RERANK: return mb_write_target(ask, wire, "POST", NULL, false, "reranking", err);
    default: return mb_write_target(ask, wire, "GET", NULL, false, "this kind of request", err);
    }
}

// ---- answers -------------------------------------------------------------------------------------------------------

static bool holds(const mb_json *list, const char *word) {
    for (uint32_t i = 0; mb_json_is(list, MB_JSON_ARRAY) && i < list->count; i++)
        if (mb_json_str_is(&list->children[i], word)) return true;
    return false;
}

// Models that make pictures are none that we can ask.
static bool is_ours(const mb_json *model) {
    const mb_json *out = mb_json_get(model, "outputModalities");
    return mb_json_get_str(model, "modelId") && (!out || holds(out, "TEXT") || holds(out, "EMBEDDING"));
}

static int models(mb_decode *d, const mb_json *root) {
    const mb_json *list = mb_json_get(root, "modelSummaries");
    mb_jw w = mb_jw_to(&d->turn->json);
    if (!mb_json_is(list, MB_JSON_ARRAY)) return MEMBRANE_ERESPONSE;
    mb_jw_array(&w);
    for (uint32_t i = 0; i < list->count; i++) {
        const mb_json *model = &list->children[i];
        if (!is_ours(model)) continue;
        mb_jw_object(&w);
        mb_jw_kstr(&w, "model", mb_json_get_str(model, "modelId"));
        if (holds(mb_json_get(model, "outputModalities"), "EMBEDDING")) mb_jw_kstr(&w, "kind", "embed");
        mb_jw_end_object(&w);
    }
    mb_jw_end_array(&w);
    return 0;
}

static int show(mb_decode *d, const mb_json *root) {
    const mb_json *model = mb_json_get(root, "modelDetails");
    mb_jw w = mb_jw_to(&d->turn->json);
    if (!mb_json_is(model, MB_JSON_OBJECT)) return MEMBRANE_ERESPONSE;
    mb_jw_object(&w);
    mb_jw_kstr(&w, "model", d->ask->model);
    mb_jw_kvalue_if(&w, "raw", model);
    mb_jw_end_object(&w);
    return 0;
}

static int health(mb_decode *d, const mb_json *root) {
    if (!mb_json_is(mb_json_get(root, "modelSummaries"), MB_JSON_ARRAY)) return MEMBRANE_ERESPONSE;
    mb_buf_puts(&d->turn->json, "{\"state\":\"ok\"}");
    return 0;
}

static int counted(mb_decode *d, const mb_json *root) {
    int64_t tokens = mb_json_int(mb_json_get(root, "inputTokens"), -1);
    if (tokens < 0) return MEMBRANE_ERESPONSE;
    d->turn->usage.input = tokens;
    return 0;
}

static int answer(mb_decode *d, const mb_json *root) {
    switch (d->ask->kind) {
    case MB_ASK_MODELS: return models(d, root);
    case MB_ASK_SHOW: return show(d, root);
    case MB_ASK_HEALTH: return health(d, root);
    case MB_ASK_COUNT_TOKENS: return counted(d, root);
    default: return MEMBRANE_ERESPONSE;
    }
}

int mb_converse_server_body(mb_decode *d, const char *text, size_t len) {
    const mb_json *root = NULL;
    int status = mb_json_parser_parse(d->parser, text, len, false, &root);
    if (status == MEMBRANE_ENOMEM) return status;
    status = status == 0 ? answer(d, root) : MEMBRANE_ERESPONSE;
    if (status == 0 && !mb_buf_ok(&d->turn->json))
        return d->turn->json.failed == MEMBRANE_ENOMEM ? MEMBRANE_ENOMEM : MEMBRANE_ERESPONSE;
    return status == MEMBRANE_ERESPONSE ? mb_turn_no_answer(d->turn, d->ask->provider, text, len) : status;
}
