// SPDX-License-Identifier: MIT
// What both versions of Cohere's API have in common: words of the answer, and the questions beside a conversation.
#include <string.h>

#include "base/alloc.h"
#include "route/classify.h"
#include "route/cohere.h"
#include "route/openai.h"
#include "route/rerank.h"
#include "route/write.h"

// ---- words of an answer --------------------------------------------------------------------------------------------

static void take_number(int64_t *to, const mb_json *v) {
    int64_t n = mb_json_int(v, -1);
    if (n >= 0) *to = n;
}

void mb_cohere_usage(mb_turn *turn, const mb_json *usage) {
    const mb_json *tokens = mb_json_get(usage, "tokens"), *billed = mb_json_get(usage, "billed_units");
    if (!mb_json_is(tokens, MB_JSON_OBJECT)) tokens = billed;
    take_number(&turn->usage.input, mb_json_get(tokens, "input_tokens"));
    take_number(&turn->usage.output, mb_json_get(tokens, "output_tokens"));
    take_number(&turn->usage.reasoning, mb_json_get(tokens, "reasoning_tokens"));
    take_number(&turn->usage.cached, mb_json_get(usage, "cached_tokens"));
}

mb_finish mb_cohere_finish(const char *word) {
    static const struct {
        const char *word;
        mb_finish finish;
    } WORDS[] = {{"COMPLETE", MB_FINISH_STOP},        {"STOP_SEQUENCE", MB_FINISH_STOP},
                 {"MAX_TOKENS", MB_FINISH_LENGTH},    {"ERROR_LIMIT", MB_FINISH_LENGTH},
                 {"TOOL_CALL", MB_FINISH_TOOL_CALLS}, {"ERROR_TOXIC", MB_FINISH_CONTENT_FILTER},
                 {"ERROR", MB_FINISH_ERROR},          {"TIMEOUT", MB_FINISH_ERROR}};
    for (size_t i = 0; word && i < MB_COUNT(WORDS); i++)
        if (strcmp(WORDS[i].word, word) == 0) return WORDS[i].finish;
    return MB_FINISH_NONE;
}

int mb_cohere_ended_badly(mb_decode *d, const char *words) {
    return mb_error_set(&d->turn->error, MEMBRANE_ESTREAM, "%s ended the answer with an error%s%s", d->ask->provider,
                        words ? ": " : "", words ? words : "");
}

// ---- asking --------------------------------------------------------------------------------------------------------

static void put_model(mb_jw *w, const mb_ask *ask) {
    if (ask->model && !mb_write_has_extra(ask, "model")) mb_jw_kstr(w, "model", ask->model);
}

// A text that is too long is an error ("truncate": "NONE"): by default its end would be cut off without a word.
static void write_embed(const mb_ask *ask, mb_jw *w) {
    const mb_json *input = mb_json_get(ask->request, "input");
    put_model(w, ask);
    if (!mb_write_has_extra(ask, "texts") && !mb_write_has_extra(ask, "inputs") && !mb_write_has_extra(ask, "images")) {
        mb_jw_key(w, "texts");
        if (input->type == MB_JSON_STRING) mb_jw_array(w);
        mb_jw_value(w, input);
        if (input->type == MB_JSON_STRING) mb_jw_end_array(w);
    }
    if (!mb_write_has_extra(ask, "input_type")) mb_jw_kstr(w, "input_type", "search_document");
    mb_write_copy(w, ask, "dimensions", "output_dimension");
    if (!mb_write_has_extra(ask, "truncate")) mb_jw_kstr(w, "truncate", "NONE");
    if (!mb_write_has_extra(ask, "embedding_types")) {
        mb_jw_key(w, "embedding_types");
        mb_jw_array(w);
        mb_jw_str(w, "float");
        mb_jw_end_array(w);
    }
}

static int write_tokens(const mb_ask *ask, mb_jw *w, membrane_error **err) {
    const mb_json *text = mb_json_get(ask->request, "input");
    if (mb_json_is(text, MB_JSON_ARRAY) && text->count == 1) text = &text->children[0];
    if (!mb_json_is(text, MB_JSON_STRING))
        return mb_error_set(err, MEMBRANE_EUNSUPPORTED, "%s (%s) counts the tokens of one text only", ask->provider,
                            ask->quirks->kind);
    put_model(w, ask);
    mb_jw_key(w, "text");
    mb_jw_value(w, text);
    return 0;
}

static int write_body(const mb_ask *ask, mb_wire *wire, membrane_error **err) {
    bool embed = ask->kind == MB_ASK_EMBED;
    int status = mb_write_target(ask, wire, "POST", embed ? ask->quirks->embed_path : ask->quirks->tokenize_path, true,
                                 embed ? "embeddings" : "the tokens of a text", err);
    mb_jw w = mb_jw_to(&wire->body);
    if (status != 0) return status;
    mb_jw_object(&w);
    if (embed)
        write_embed(ask, &w);
    else
        status = write_tokens(ask, &w, err);
    mb_write_extra(&w, ask, NULL);
    mb_jw_end_object(&w);
    return status;
}

static int write_show(const mb_ask *ask, mb_wire *wire, membrane_error **err) {
    mb_buf path = MB_BUF(1024);
    mb_buf_puts(&path, ask->quirks->models_path ? ask->quirks->models_path : "");
    mb_buf_puts(&path, "/{model}");
    int status = !mb_buf_ok(&path)
                     ? mb_error_no_memory(err)
                     : mb_write_target(ask, wire, "GET", ask->quirks->models_path ? mb_buf_text(&path) : NULL, true,
                                       "a model", err);
    mb_buf_free(&path);
    return status;
}

// One page holds all models there are.
static int write_get(const mb_ask *ask, mb_wire *wire, membrane_error **err) {
    const char *path = ask->quirks->models_path;
    int status = 0;
    switch (ask->kind) {
    case MB_ASK_MODELS:
        status = mb_write_target(ask, wire, "GET", path, true, "its models", err);
        if (status == 0) mb_buf_puts(&wire->url, "?page_size=1000");
        return status;
    case MB_ASK_SHOW: return write_show(ask, wire, err);
    case MB_ASK_HEALTH:
        status = mb_write_target(ask, wire, "GET", path, true, "its health", err);
        if (status == 0) mb_buf_puts(&wire->url, "?page_size=1");
        return status;
    default: return mb_write_target(ask, wire, "GET", NULL, true, "this kind of request", err);
    }
}

int mb_cohere_write_other(const mb_ask *ask, mb_wire *wire, membrane_error **err) {
    int status;
    switch (ask->kind) {
    case MB_ASK_RERANK: return mb_rerank_write(ask, wire, err);
    case MB_ASK_EMBED:
    case MB_ASK_TOKENIZE:
    case MB_ASK_COUNT_TOKENS: status = write_body(ask, wire, err); break;
    default: status = write_get(ask, wire, err); break;
    }
    return status ? status : mb_write_done(wire, err);
}

// ---- answers -------------------------------------------------------------------------------------------------------

static int take_vectors(mb_decode *d, const mb_json *root) {
    static const char *const TYPES[] = {"float", "int8", "uint8", "binary", "ubinary"};
    const mb_json *list = mb_json_get(root, "embeddings"), *by_type = list;
    for (size_t i = 0; i < MB_COUNT(TYPES) && !mb_json_is(list, MB_JSON_ARRAY); i++)
        list = mb_json_get(by_type, TYPES[i]);
    if (!mb_json_is(list, MB_JSON_ARRAY)) return MEMBRANE_ERESPONSE;
    int status = 0;
    for (uint32_t i = 0; i < list->count && status == 0; i++) status = mb_turn_vector(d->turn, &list->children[i]);
    mb_cohere_usage(d->turn, mb_json_get(root, "meta"));
    return status;
}

static bool serves(const mb_json *model, const char *endpoint) {
    const mb_json *all = mb_json_get(model, "endpoints");
    for (uint32_t i = 0; mb_json_is(all, MB_JSON_ARRAY) && i < all->count; i++)
        if (mb_json_str_is(&all->children[i], endpoint)) return true;
    return false;
}

static void put_one(mb_jw *w, const mb_json *model, bool raw) {
    const mb_json *window = mb_json_get(model, "context_length");
    const char *kind = serves(model, "chat") ? "chat" : serves(model, "embed") ? "embed" : NULL;
    mb_jw_object(w);
    mb_jw_kstr(w, "model", mb_json_get_str(model, "name"));
    mb_jw_kstr_if(w, "kind", kind ? kind : serves(model, "rerank") ? "rerank" : NULL);
    if (mb_json_int(window, 0) > 0) mb_jw_kint(w, "context_window", mb_json_int(window, 0));
    if (raw) mb_jw_kvalue_if(w, "raw", model);
    mb_jw_end_object(w);
}

static int take_models(mb_decode *d, const mb_json *root) {
    const mb_json *list = mb_json_get(root, "models");
    mb_jw w = mb_jw_to(&d->turn->json);
    if (d->ask->kind == MB_ASK_SHOW) {
        if (!mb_json_get_str(root, "name")) return MEMBRANE_ERESPONSE;
        put_one(&w, root, true);
    } else {
        if (!mb_json_is(list, MB_JSON_ARRAY)) return MEMBRANE_ERESPONSE;
        mb_jw_array(&w);
        for (uint32_t i = 0; i < list->count; i++)
            if (mb_json_get_str(&list->children[i], "name")) put_one(&w, &list->children[i], false);
        mb_jw_end_array(&w);
    }
    if (mb_buf_ok(&d->turn->json)) return 0;
    return d->turn->json.failed == MEMBRANE_ENOMEM ? MEMBRANE_ENOMEM : MEMBRANE_ERESPONSE;
}

static int take_other(mb_decode *d, const mb_json *root) {
    switch (d->ask->kind) {
    case MB_ASK_EMBED: return take_vectors(d, root);
    case MB_ASK_RERANK: return mb_rerank_read(d, root);
    default: return take_models(d, root);
    }
}

int mb_cohere_body_other(mb_decode *d, const char *text, size_t len) {
    const unsigned here = 1u << MB_ASK_EMBED | 1u << MB_ASK_RERANK | 1u << MB_ASK_MODELS | 1u << MB_ASK_SHOW;
    const mb_json *root = NULL;
    if (!(here >> d->ask->kind & 1)) return mb_openai_server_body(d, text, len);
    int status = mb_json_parser_parse(d->parser, text, len, false, &root);
    if (status == MEMBRANE_ENOMEM) return status;
    status = status == 0 ? take_other(d, root) : MEMBRANE_ERESPONSE;
    d->turn->has_end = status == 0;
    return status == MEMBRANE_ERESPONSE ? mb_turn_no_answer(d->turn, d->ask->provider, text, len) : status;
}
