// SPDX-License-Identifier: MIT
// Any JSON as a request. What must hold: it is refused with words, or each wire writes it as one JSON text without a
// line break in a header, or says what it cannot do.
#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "route/adapter.h"
#include "route/request.h"

static const char *const ENGINES[] = {
    "openai",    "llamacpp",  "mistral",          "deepseek",         "openai-compatible",
    "ollama",    "anthropic", "vertex-anthropic", "openai-responses", "cohere",
    "cohere-v1", "triton",    "triton-vllm"};

static void check_headers(const char *text) {
    for (; *text; text += strcspn(text, "\n") + 1) {
        size_t name = strcspn(text, ":\n");
        assert(name > 0 && text[name] == ':');
    }
}

static void write_for(const char *engine, const mb_json *request, mb_ask_kind kind) {
    mb_arena arena = {0};
    mb_buf warnings = MB_BUF(65536);
    mb_ask ask = {
        .kind = kind, .request = request, .provider = engine, .model = "m", .base_url = "http://h/v1", .stream = true};
    mb_wire wire = {.url = MB_BUF(65536), .body = MB_BUF(MB_LIMIT_REQUEST), .headers = MB_BUF(65536)};
    membrane_error *err = NULL;
    const mb_json *body;
    ask.warnings = &warnings;
    assert(mb_quirks_load(&arena, engine, NULL, &ask.quirks, NULL) == 0);
    int status = mb_adapter_find(ask.quirks->wire)->write(&ask, &wire, &err);
    assert((status == 0) == (err == NULL));
    if (status == 0) {
        assert(strncmp(mb_buf_text(&wire.url), "http://h/", 9) == 0);
        assert(mb_json_parse(&arena, mb_buf_text(&wire.body), wire.body.len, &body, NULL) == 0);
        check_headers(mb_buf_text(&wire.headers));
    }
    membrane_error_free(err);
    mb_buf_free(&wire.url);
    mb_buf_free(&wire.body);
    mb_buf_free(&wire.headers);
    mb_buf_free(&warnings);
    mb_arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    mb_arena arena = {0};
    const mb_json *request;
    membrane_error *err = NULL;
    mb_ask_kind kind;
    if (mb_json_parse(&arena, (const char *)bytes, len, &request, NULL) == 0) {
        int status = mb_request_check(request, &kind, &err);
        assert((status == 0) == (err == NULL));
        for (size_t i = 0; status == 0 && i < MB_COUNT(ENGINES); i++) write_for(ENGINES[i], request, kind);
    }
    membrane_error_free(err);
    mb_arena_free(&arena);
    return 0;
}
