// SPDX-License-Identifier: MIT
// Text Generation Inference's own answers as a turn. A stream has an event a token; the last one holds the details, and
// with them the finish. A body holds the whole text, and each token in its details.
#include "route/tgi.h"

#include <string.h>

#include "base/alloc.h"
#include "route/classify.h"

#define IS(member, name) ((member)->key_len == sizeof(name) - 1 && memcmp((member)->key, name, sizeof(name) - 1) == 0)

// ---- tokens --------------------------------------------------------------------------------------------------------

static bool wants_logprobs(const mb_decode *d) {
    const mb_json *v = mb_json_get(d->ask->request, "logprobs");
    return v && mb_json_bool(v, true);
}

static void put_token(mb_jw *w, const mb_json *token) {
    const mb_json *text = mb_json_get(token, "text"), *logprob = mb_json_get(token, "logprob");
    mb_jw_key(w, "token");
    if (mb_json_is(text, MB_JSON_STRING))
        mb_jw_strn(w, text->str, text->len);
    else
        mb_jw_str(w, "");
    if (mb_json_is_number(logprob)) mb_jw_kvalue_if(w, "logprob", logprob);
}

static int put_logprob(mb_turn *turn, const mb_json *token, const mb_json *top) {
    if (turn->logprobs.len) mb_buf_putc(&turn->logprobs, ',');
    mb_jw w = mb_jw_to(&turn->logprobs);
    mb_jw_object(&w);
    put_token(&w, token);
    if (mb_json_is(top, MB_JSON_ARRAY) && top->count) {
        mb_jw_key(&w, "top_logprobs");
        mb_jw_array(&w);
        for (uint32_t i = 0; i < top->count; i++) {
            mb_jw_object(&w);
            put_token(&w, &top->children[i]);
            mb_jw_end_object(&w);
        }
        mb_jw_end_array(&w);
    }
    mb_jw_end_object(&w);
    return mb_buf_status(&turn->logprobs, MEMBRANE_EMALFORMED);
}

static int take_tokens(mb_decode *d, const mb_json *details) {
    const mb_json *tokens = mb_json_get(details, "tokens"), *tops = mb_json_get(details, "top_tokens");
    int status = 0;
    if (!mb_json_is(tokens, MB_JSON_ARRAY) || !wants_logprobs(d)) return 0;
    for (uint32_t i = 0; i < tokens->count && status == 0; i++)
        status = put_logprob(d->turn, &tokens->children[i], mb_json_at(tops, i));
    return status;
}

// ---- the end -------------------------------------------------------------------------------------------------------

static void take_number(int64_t *to, const mb_json *v) {
    int64_t n = mb_json_int(v, -1);
    if (n >= 0) *to = n;
}

static void take_details(mb_decode *d, const mb_json *details) {
    static const struct {
        const char *word;
        mb_finish finish;
    } WORDS[] = {{"eos_token", MB_FINISH_STOP}, {"stop_sequence", MB_FINISH_STOP}, {"length", MB_FINISH_LENGTH}};
    const char *reason = mb_json_get_str(details, "finish_reason");
    const mb_json *prefill = mb_json_get(details, "prefill");
    mb_finish finish = MB_FINISH_NONE;
    for (size_t i = 0; reason && i < MB_COUNT(WORDS); i++)
        if (strcmp(WORDS[i].word, reason) == 0) finish = WORDS[i].finish;
    if (reason) mb_turn_finish(d->turn, finish, reason);
    take_number(&d->turn->usage.output, mb_json_get(details, "generated_tokens"));
    if (mb_json_is(prefill, MB_JSON_ARRAY) && prefill->count) d->turn->usage.input = prefill->count;
    take_number(&d->turn->usage.input, mb_json_get(details, "input_length"));
}

static int take_error(mb_decode *d, const mb_json *root) {
    return mb_classify_json(d->ask->quirks->kind, d->ask->provider, 200, root, &d->turn->error);
}

// ---- streams -------------------------------------------------------------------------------------------------------

// The token that ends the text is special, and no part of it.
static int take_token(mb_decode *d, const mb_json *token, const mb_json *top) {
    const mb_json *text = NULL;
    bool special = false;
    if (token->type != MB_JSON_OBJECT) return 0;
    for (const mb_json *m = token->children, *end = m + token->count; m < end; m++) {
        if (IS(m, "text"))
            text = m;
        else if (IS(m, "special"))
            special = mb_json_bool(m, false);
    }
    int status = wants_logprobs(d) ? put_logprob(d->turn, token, top) : 0;
    if (status != 0 || special || !mb_json_is(text, MB_JSON_STRING)) return status;
    return mb_turn_text(d->turn, text->str, text->len);
}

static int frame(mb_decode *d, const mb_frame *f) {
    const mb_json *root, *token = NULL, *top = NULL, *details = NULL, *whole = NULL, *error = NULL;
    if (f->len == 0 || (f->len == 6 && memcmp(f->data, "[DONE]", 6) == 0)) return 0;
    int status = mb_json_parser_parse(d->parser, f->data, f->len, true, &root);
    if (status != 0) return status;
    if (root->type != MB_JSON_OBJECT) return MEMBRANE_EMALFORMED;
    for (const mb_json *m = root->children, *end = m + root->count; m < end; m++) {
        if (m->type == MB_JSON_NULL) continue;
        if (IS(m, "token"))
            token = m;
        else if (IS(m, "top_tokens"))
            top = m;
        else if (IS(m, "details"))
            details = m;
        else if (IS(m, "generated_text"))
            whole = m;
        else if (IS(m, "error"))
            error = m;
    }
    if (error || strcmp(f->event, "error") == 0) return take_error(d, root);
    if (token) status = take_token(d, token, top);
    if (status != 0 || (!details && !whole)) return status;
    if (details) take_details(d, details);
    d->turn->has_end = true;
    status = mb_turn_end(d->turn);
    return status ? status : 1;
}

// ---- whole bodies --------------------------------------------------------------------------------------------------

static int generation(mb_decode *d, const mb_json *root) {
    const mb_json *text = mb_json_get(root, "generated_text"), *details = mb_json_get(root, "details");
    if (!mb_json_is(text, MB_JSON_STRING)) return MEMBRANE_ERESPONSE;
    int status = mb_turn_text(d->turn, text->str, text->len);
    if (status == 0) status = take_tokens(d, details);
    if (status == 0) take_details(d, details);
    d->turn->has_end = true;
    if (status == 0) status = mb_turn_end(d->turn);
    return status == MEMBRANE_EMALFORMED ? MEMBRANE_ERESPONSE : status;
}

static void put_model(mb_jw *w, const mb_json *root, bool raw) {
    int64_t window = mb_json_int(mb_json_get(root, "max_total_tokens"), 0);
    mb_jw_object(w);
    mb_jw_kstr(w, "model", mb_json_get_str(root, "model_id"));
    if (window > 0) mb_jw_kint(w, "context_window", window);
    mb_jw_kbool(w, "loaded", true);
    if (raw) mb_jw_kvalue_if(w, "raw", root);
    mb_jw_end_object(w);
}

static int info(mb_decode *d, const mb_json *root) {
    mb_jw w = mb_jw_to(&d->turn->json);
    const char *version = mb_json_get_str(root, "version");
    if (d->ask->kind == MB_ASK_VERSION) {
        if (!version) return MEMBRANE_ERESPONSE;
        mb_jw_object(&w);
        mb_jw_kstr(&w, "version", version);
        mb_jw_end_object(&w);
        return mb_buf_status(&d->turn->json, MEMBRANE_ERESPONSE);
    }
    if (!mb_json_get_str(root, "model_id")) return MEMBRANE_ERESPONSE;
    bool one = d->ask->kind == MB_ASK_SHOW;
    if (!one) mb_jw_array(&w);
    put_model(&w, root, one);
    if (!one) mb_jw_end_array(&w);
    return mb_buf_status(&d->turn->json, MEMBRANE_ERESPONSE);
}

static int tokens(mb_decode *d, const mb_json *root) {
    if (!mb_json_is(root, MB_JSON_ARRAY)) return MEMBRANE_ERESPONSE;
    d->turn->usage.input = root->count;
    mb_buf_putf(&d->turn->json, "{\"tokens\":%u}", (unsigned)root->count);
    return mb_buf_status(&d->turn->json, MEMBRANE_ERESPONSE);
}

static int answer(mb_decode *d, const mb_json *root) {
    switch (d->ask->kind) {
    case MB_ASK_CHAT:
    case MB_ASK_COMPLETION: return generation(d, mb_json_is(root, MB_JSON_ARRAY) ? mb_json_at(root, 0) : root);
    case MB_ASK_TOKENIZE:
    case MB_ASK_COUNT_TOKENS: return tokens(d, root);
    case MB_ASK_MODELS:
    case MB_ASK_LOADED:
    case MB_ASK_SHOW:
    case MB_ASK_VERSION: return info(d, root);
    default: return MEMBRANE_ERESPONSE;
    }
}

static int page(mb_decode *d, const char *text, size_t len) {
    mb_jw w = mb_jw_to(&d->turn->json);
    if (d->ask->kind == MB_ASK_HEALTH) {
        mb_buf_puts(&d->turn->json, "{\"state\":\"ok\"}"); // a 200 says it, without a body
    } else {
        mb_jw_object(&w);
        mb_jw_key(&w, "text");
        mb_jw_strn(&w, text, len);
        mb_jw_end_object(&w);
    }
    return mb_buf_status(&d->turn->json, MEMBRANE_ERESPONSE);
}

static int body(mb_decode *d, const char *text, size_t len) {
    const mb_json *root = NULL;
    if (d->ask->kind == MB_ASK_HEALTH || d->ask->kind == MB_ASK_METRICS) return page(d, text, len);
    int status = mb_json_parser_parse(d->parser, text, len, false, &root);
    if (status == MEMBRANE_ENOMEM) return status;
    if (status == 0 && mb_json_get(root, "error")) return take_error(d, root);
    status = status == 0 ? answer(d, root) : MEMBRANE_ERESPONSE;
    if (status != MEMBRANE_ERESPONSE) return status;
    return mb_turn_no_answer(d->turn, d->ask->provider, text, len);
}

static int end(mb_decode *d) {
    if (d->turn->error) return membrane_error_code(d->turn->error);
    return d->turn->has_end ? 0 : MEMBRANE_ETRUNCATED;
}

const mb_adapter mb_adapter_tgi = {"tgi", MB_FRAMES_SSE, mb_tgi_write, frame, body, end};
