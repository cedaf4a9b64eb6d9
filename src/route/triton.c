// SPDX-License-Identifier: MIT
// Triton's generations and tensors as a turn. Which outputs an answer holds is the model's affair; "text_output" is all
// that the generate extension promises. Its stream has no last event: the server ends the chunked body, so a stream is
// whole if its bytes ended as HTTP ends them, or once a backend gave a finish reason.
#include "route/triton.h"

#include <string.h>

#include "base/alloc.h"
#include "route/classify.h"

#define IS(member, name) ((member)->key_len == sizeof(name) - 1 && memcmp((member)->key, name, sizeof(name) - 1) == 0)

// state[0]: the tokens that a chunk like the remembered one stands for. state[1]: flags.
enum { ANSWERED = 1, ENDED = 2 };

// ---- generation ----------------------------------------------------------------------------------------------------

// A tensor of one element comes as that element, others as a list: of several beams or sequences the first.
static const mb_json *first_of(const mb_json *v) { return v->type == MB_JSON_ARRAY ? mb_json_at(v, 0) : v; }

static int take_once(mb_turn *turn, const char **to, const mb_json *v) {
    if (*to || v->type != MB_JSON_STRING || v->len == 0) return 0;
    *to = mb_arena_strndup(&turn->arena, v->str, v->len);
    return *to ? 0 : MEMBRANE_ENOMEM;
}

static int64_t tokens_of(const mb_json *v) {
    int64_t n = mb_json_int(first_of(v), -1);
    return n <= INT32_MAX ? n : -1;
}

// Of each chunk on its own: they add up.
static void add_output(mb_turn *turn, int64_t tokens) {
    if (tokens >= 0) turn->usage.output = tokens + (turn->usage.output > 0 ? turn->usage.output : 0);
}

// The word of a chunk that is not the last one is Python's None.
static void take_finish(mb_turn *turn, const mb_json *v) {
    static const struct {
        const char *word;
        mb_finish finish;
    } WORDS[] = {
        {"stop", MB_FINISH_STOP}, {"length", MB_FINISH_LENGTH}, {"abort", MB_FINISH_ERROR}, {"error", MB_FINISH_ERROR}};
    const char *word = mb_json_str(first_of(v));
    if (!word || !*word || strcmp(word, "None") == 0) return;
    mb_finish finish = MB_FINISH_NONE;
    for (size_t i = 0; i < MB_COUNT(WORDS); i++)
        if (strcmp(WORDS[i].word, word) == 0) finish = WORDS[i].finish;
    mb_turn_finish(turn, finish, word);
}

static int take_object(mb_decode *d, const mb_json *root, bool *ret_has_text) {
    mb_turn *turn = d->turn;
    const mb_json *error = NULL;
    int status = 0;
    for (const mb_json *m = root->children, *end = m + root->count; m < end && status == 0; m++) {
        if (IS(m, "text_output")) {
            const mb_json *text = first_of(m);
            *ret_has_text = true;
            if (mb_json_is(text, MB_JSON_STRING)) status = mb_turn_text(turn, text->str, text->len);
        } else if (IS(m, "model_name"))
            status = take_once(turn, &turn->model, m);
        else if (IS(m, "id"))
            status = take_once(turn, &turn->response_id, m);
        else if (IS(m, "finish_reason"))
            take_finish(turn, m);
        else if (IS(m, "num_input_tokens")) {
            if (tokens_of(m) >= 0) turn->usage.input = tokens_of(m);
        } else if (IS(m, "num_output_tokens"))
            add_output(turn, tokens_of(m));
        else if (IS(m, "error") && m->type != MB_JSON_NULL)
            error = root;
    }
    if (status != 0 || !error) return status;
    return mb_classify_json(d->ask->quirks->kind, d->ask->provider, 200, error, &turn->error);
}

// The answer is whole.
static int finish_turn(mb_decode *d) {
    mb_turn *turn = d->turn;
    if (d->state[1] & ENDED) return 0;
    d->state[1] |= ENDED;
    turn->has_end = true;
    if (turn->finish == MB_FINISH_ERROR)
        return mb_error_set(&turn->error, MEMBRANE_ESTREAM, "%s ended the answer with finish_reason \"%s\"",
                            d->ask->provider, turn->finish_raw ? turn->finish_raw : "error");
    return mb_turn_end(turn);
}

// ---- streams -------------------------------------------------------------------------------------------------------

// A chunk that gave a piece of text and some tokens stands for those that follow.
static void learn(mb_decode *d, const mb_frame *f, size_t text_before, int64_t output_before) {
    const mb_turn *t = d->turn;
    d->repeat.head = 0;
    if (t->text.len == text_before || t->has_finish) return;
    d->state[0] = t->usage.output < 0 ? -1 : t->usage.output - (output_before > 0 ? output_before : 0);
    mb_repeat_learn(&d->repeat, f->data, f->len, "text_output", t->text.data + text_before, t->text.len - text_before);
}

static int frame(mb_decode *d, const mb_frame *f) {
    const mb_json *root;
    const char *text;
    size_t len, text_before = d->turn->text.len;
    int64_t output_before = d->turn->usage.output;
    bool has_text = false;
    if (mb_repeat_match(&d->repeat, f->data, f->len, &text, &len)) {
        add_output(d->turn, d->state[0]);
        return mb_turn_text(d->turn, text, len);
    }
    int status = mb_json_parser_parse(d->parser, f->data, f->len, true, &root);
    if (status != 0) return status;
    if (root->type != MB_JSON_OBJECT) return MEMBRANE_EMALFORMED;
    status = take_object(d, root, &has_text);
    if (status != 0) return status;
    d->state[1] |= ANSWERED;
    learn(d, f, text_before, output_before);
    if (!d->turn->has_finish) return 0;
    status = finish_turn(d);
    return status ? status : 1;
}

static int end(mb_decode *d) {
    if (d->turn->error) return membrane_error_code(d->turn->error);
    if (d->turn->has_finish) return finish_turn(d);
    if (d->is_cut || !(d->state[1] & ANSWERED)) return MEMBRANE_ETRUNCATED;
    return finish_turn(d);
}

// ---- tensors -------------------------------------------------------------------------------------------------------

// Numbers of the named output, or of the first one that is of floats.
static const mb_json *output_of(const mb_decode *d, const mb_json *root) {
    const mb_json *list = mb_json_get(root, "outputs");
    const char *wanted = d->ask->quirks->embed_output;
    for (uint32_t i = 0; mb_json_is(list, MB_JSON_ARRAY) && i < list->count; i++) {
        const mb_json *tensor = &list->children[i];
        const char *type = mb_json_get_str(tensor, "datatype");
        if (wanted ? mb_json_str_is(mb_json_get(tensor, "name"), wanted)
                   : type && (strncmp(type, "FP", 2) == 0 || strncmp(type, "BF", 2) == 0))
            return tensor;
    }
    return NULL;
}

static const mb_json *unwrap(const mb_json *v) { // lists that hold one list and nothing else
    while (v->type == MB_JSON_ARRAY && v->count == 1 && v->children[0].type == MB_JSON_ARRAY) v = v->children;
    return v;
}

// How many numbers each of count texts has; 0: the shape is not one vector a text ([n, d], with further ones).
static size_t dims_of(const mb_json *shape, size_t count) {
    size_t dims = 1, wide = 0;
    if (!mb_json_is(shape, MB_JSON_ARRAY) || shape->count == 0) return 0;
    const bool has_rows = shape->count > 1 && mb_json_int(shape->children, -1) == (int64_t)count;
    if (!has_rows && count != 1) return 0;
    for (uint32_t i = has_rows; i < shape->count; i++) {
        int64_t n = mb_json_int(&shape->children[i], -1);
        if (n <= 0 || n > INT32_MAX) return 0;
        if (n == 1) continue;
        dims = (size_t)n;
        wide++;
    }
    return wide <= 1 ? dims : 0;
}

static size_t texts_of(const mb_ask *ask) {
    const mb_json *input = mb_json_get(ask->request, "input");
    return mb_json_is(input, MB_JSON_ARRAY) ? input->count : 1;
}

static int take_row(mb_decode *d, const mb_json *row, size_t dims) {
    if (!mb_json_is(row, MB_JSON_ARRAY) || row->count != dims) return MEMBRANE_ERESPONSE;
    return mb_turn_vector(d->turn, row);
}

// Row-major, either flat or as lists of lists.
static int take_vectors(mb_decode *d, const mb_json *root) {
    const size_t count = texts_of(d->ask);
    const mb_json *tensor = output_of(d, root), *data = mb_json_get(tensor, "data");
    const size_t dims = dims_of(mb_json_get(tensor, "shape"), count);
    if (!mb_json_is(data, MB_JSON_ARRAY) || data->count == 0 || dims == 0) return MEMBRANE_ERESPONSE;
    const bool is_flat = data->children[0].type != MB_JSON_ARRAY;
    if (is_flat ? data->count / dims != count || data->count % dims : count > 1 && data->count != count)
        return MEMBRANE_ERESPONSE;
    int status = 0;
    for (size_t i = 0; i < count && status == 0; i++) {
        const mb_json slice = {.type = MB_JSON_ARRAY, .count = (uint32_t)dims, .children = data->children + i * dims};
        status = take_row(d, is_flat ? &slice : unwrap(count > 1 ? &data->children[i] : data), dims);
    }
    if (status == 0 && mb_json_get(root, "model_name"))
        status = take_once(d->turn, &d->turn->model, mb_json_get(root, "model_name"));
    return status;
}

// ---- whole bodies --------------------------------------------------------------------------------------------------

static int take_body(mb_decode *d, const mb_json *root) {
    bool has_text = false;
    if (root->type != MB_JSON_OBJECT) return MEMBRANE_ERESPONSE;
    if (d->ask->kind == MB_ASK_EMBED && !mb_json_get(root, "error")) return take_vectors(d, root);
    int status = take_object(d, root, &has_text);
    if (status != 0) return status == MEMBRANE_EMALFORMED ? MEMBRANE_ERESPONSE : status;
    return has_text ? finish_turn(d) : MEMBRANE_ERESPONSE;
}

static int body(mb_decode *d, const char *text, size_t len) {
    const mb_json *root = NULL;
    const unsigned here = 1u << MB_ASK_CHAT | 1u << MB_ASK_COMPLETION | 1u << MB_ASK_EMBED;
    if (!(here >> d->ask->kind & 1)) return mb_triton_server_body(d, text, len);
    int status = mb_json_parser_parse(d->parser, text, len, false, &root);
    if (status == MEMBRANE_ENOMEM) return status;
    status = status == 0 ? take_body(d, root) : MEMBRANE_ERESPONSE;
    return status == MEMBRANE_ERESPONSE && !d->turn->error ? mb_turn_no_answer(d->turn, d->ask->provider, text, len)
                                                           : status;
}

const mb_adapter mb_adapter_triton = {
    "triton", MB_FRAMES_SSE, mb_triton_write, frame, body, end, .refused = mb_triton_refused};
