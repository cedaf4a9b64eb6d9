// SPDX-License-Identifier: MIT
// Requests that are no conversation, through every wire that has them (TAP): any completion, any embedding, written,
// read and written again is the same request. Seeded: prompts [SEEDS [FIRST]].
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/rng.h"
#include "read.h"
#include "route/request.h"

static const struct {
    const char *kind, *api;
    mb_ask_kind ask;
} ROWS[] = {
    {"openai-compatible", "completions", MB_ASK_COMPLETION},
    {"openai-compatible", "embeddings", MB_ASK_EMBED},
    {"ollama", "ollama.generate", MB_ASK_COMPLETION},
    {"ollama", "ollama.embed", MB_ASK_EMBED},
    {"triton", "triton.generate", MB_ASK_COMPLETION},
    {"triton-vllm", "triton.generate.text", MB_ASK_COMPLETION},
    {"triton", "triton.infer", MB_ASK_EMBED},
};

static void put_text(mb_jw *w, mb_rng *rng) {
    static const char *const WORDS[] = {"", "one", "two \"three\"", "\n\n", "ä😀", "\\", "{}", "User: hi"};
    mb_buf text = MB_BUF(65536);
    for (int i = 0, n = 1 + (int)mb_rng_below(rng, 4); i < n; i++)
        mb_buf_puts(&text, WORDS[mb_rng_below(rng, MB_COUNT(WORDS))]);
    mb_jw_strn(w, mb_buf_text(&text), text.len);
    mb_buf_free(&text);
}

static void put_texts(mb_jw *w, mb_rng *rng) {
    mb_jw_array(w);
    for (int i = 0, n = 1 + (int)mb_rng_below(rng, 4); i < n; i++) put_text(w, rng);
    mb_jw_end_array(w);
}

static void put_sampling(mb_jw *w, mb_rng *rng) {
    if (mb_rng_below(rng, 2)) mb_jw_kint(w, "max_tokens", 1 + (int64_t)mb_rng_below(rng, 1000));
    if (mb_rng_below(rng, 2)) mb_jw_kint(w, "seed", (int64_t)mb_rng_below(rng, 1000));
    if (mb_rng_below(rng, 2)) {
        mb_jw_key(w, "temperature");
        mb_jw_double(w, (double)mb_rng_below(rng, 20) / 10);
    }
    if (mb_rng_below(rng, 2)) {
        mb_jw_key(w, "stop");
        if (mb_rng_below(rng, 2))
            put_texts(w, rng);
        else
            put_text(w, rng);
    }
}

static const mb_json *make(mb_ask_kind kind, uint64_t seed, mb_arena *arena) {
    mb_rng rng;
    mb_buf text = MB_BUF(1 << 20);
    mb_jw w = mb_jw_to(&text);
    const mb_json *request = NULL;
    mb_rng_seed_with(&rng, seed);
    mb_jw_object(&w);
    mb_jw_kstr(&w, "kind", kind == MB_ASK_EMBED ? "embed" : "completion");
    mb_jw_key(&w, kind == MB_ASK_EMBED ? "input" : "prompt");
    if (kind == MB_ASK_EMBED && mb_rng_below(&rng, 2))
        put_texts(&w, &rng);
    else
        put_text(&w, &rng);
    if (kind == MB_ASK_COMPLETION) put_sampling(&w, &rng);
    mb_jw_end_object(&w);
    if (mb_json_parse(arena, mb_buf_text(&text), text.len, &request, NULL) != 0) abort();
    mb_buf_free(&text);
    return request;
}

static const mb_json *write_it(size_t row, const mb_json *request, mb_arena *arena, mb_buf *path, mb_buf *why) {
    mb_wire wire = {.url = MB_BUF(65536), .body = MB_BUF(MB_LIMIT_REQUEST), .headers = MB_BUF(65536)};
    mb_ask ask = {.kind = ROWS[row].ask, .request = request, .provider = "p", .model = "m", .base_url = "http://h/v1"};
    membrane_error *err = NULL;
    const mb_json *body = NULL;
    int status = mb_quirks_load(arena, ROWS[row].kind, NULL, &ask.quirks, &err);
    if (status == 0) status = mb_adapter_find(ask.quirks->wire)->write(&ask, &wire, &err);
    if (status != 0)
        mb_buf_putf(why, "it is not written: %s", membrane_error_message(err));
    else if (mb_json_parse(arena, mb_buf_text(&wire.body), wire.body.len, &body, NULL) != 0)
        mb_buf_puts(why, "what is written is no JSON");
    mb_buf_puts(path, mb_buf_text(&wire.url));
    membrane_error_free(err);
    mb_buf_free(&wire.url);
    mb_buf_free(&wire.body);
    mb_buf_free(&wire.headers);
    return body;
}

static const mb_json *read_it(size_t row, const mb_json *body, const char *path, mb_arena *arena, mb_buf *why) {
    mb_buf text = MB_BUF(MB_LIMIT_REQUEST);
    mb_jw w = mb_jw_to(&text);
    const mb_json *request = NULL;
    const mb_quirks *quirks;
    mb_ask_kind kind;
    bool stream = false;
    char model[256] = "";
    if (mb_quirks_load(arena, ROWS[row].kind, NULL, &quirks, NULL) != 0) abort();
    const wire_reader *reader = wire_reader_find(quirks->wire, ROWS[row].api);
    read_ask ask = {ROWS[row].ask, "p", quirks, path, body, &stream, model};
    mb_jw_object(&w);
    mb_jw_kstr(&w, "kind", ROWS[row].ask == MB_ASK_EMBED ? "embed" : "completion");
    bool good = reader && reader->read(&ask, &w);
    mb_jw_end_object(&w);
    good = good && mb_json_parse(arena, mb_buf_text(&text), text.len, &request, NULL) == 0 &&
           mb_request_check(request, &kind, NULL) == 0;
    if (!good) mb_buf_putf(why, "it is not read: %s", mb_buf_text(&text));
    if (good && strcmp(model, "m") != 0) mb_buf_putf(why, "the model is \"%s\"", model);
    mb_buf_free(&text);
    return good ? request : NULL;
}

static void round_trip(size_t row, uint64_t seed, mb_buf *why) {
    mb_arena arena = {0};
    mb_buf path = MB_BUF(65536);
    const mb_json *first = write_it(row, make(ROWS[row].ask, seed, &arena), &arena, &path, why);
    const mb_json *again = first ? read_it(row, first, mb_buf_text(&path), &arena, why) : NULL;
    const mb_json *second = again ? write_it(row, again, &arena, &path, why) : NULL;
    if (second && !mb_json_equal(first, second)) {
        mb_jw w = mb_jw_to(why);
        mb_buf_puts(why, "written again it is ");
        mb_jw_value(&w, second);
        mb_buf_puts(why, " instead of ");
        w = mb_jw_to(why);
        mb_jw_value(&w, first);
    }
    if (why->len) mb_buf_putf(why, " (seed %llu)", (unsigned long long)seed);
    mb_buf_free(&path);
    mb_arena_free(&arena);
}

int main(int argc, char **argv) {
    int seeds = argc > 1 ? atoi(argv[1]) : 300, failures = 0;
    uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    mb_buf why = MB_BUF(1 << 22);
    printf("1..%zu\n", MB_COUNT(ROWS));
    for (size_t i = 0; i < MB_COUNT(ROWS); i++) {
        mb_buf_reset(&why);
        for (int s = 0; s < seeds && !why.len; s++) round_trip(i, first + (uint64_t)s, &why);
        failures += why.len > 0;
        printf("%s %zu - %s through %s\n", why.len ? "not ok" : "ok", i + 1, ROWS[i].api, ROWS[i].kind);
        if (why.len) printf("# %s\n", mb_buf_text(&why));
    }
    mb_buf_free(&why);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
