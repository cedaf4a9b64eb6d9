// SPDX-License-Identifier: MIT
// Any canonical request to Bedrock's two wires, which write it in the words of each model's maker: the first byte
// chooses the model. What the check lets through comes out as JSON, the same each time, or as an error.
#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "route/adapter.h"
#include "route/request.h"

static const char *const MODELS[] = {
    "anthropic.claude-x-v1:0", "us.amazon.nova-2-lite-v1:0",  "openai.gpt-oss-120b-1:0", "amazon.titan-text-express-v1",
    "cohere.command-text-v14", "cohere.command-r-v1:0",       "cohere.embed-english-v3", "amazon.titan-embed-text-v2:0",
    "cohere.rerank-v3-5:0",    "amazon.titan-embed-image-v1", "meta.llama3-8b-v1:0",     "arn:aws:bedrock:x:1:a/b"};

static int write_once(const mb_ask *ask, mb_wire *wire) {
    mb_buf warnings = MB_BUF(1 << 20);
    membrane_error *err = NULL;
    mb_ask own = *ask;
    *wire = (mb_wire){.url = MB_BUF(65536), .body = MB_BUF(MB_LIMIT_REQUEST), .headers = MB_BUF(65536)};
    own.warnings = &warnings;
    int status = mb_adapter_find(ask->quirks->wire)->write(&own, wire, &err);
    assert((status == 0) == (err == NULL) && status == membrane_error_code(err));
    membrane_error_free(err);
    mb_buf_free(&warnings);
    return status;
}

static void drop(mb_wire *w) {
    mb_buf_free(&w->url);
    mb_buf_free(&w->body);
    mb_buf_free(&w->headers);
}

static void check(const mb_ask *ask) {
    mb_wire first, second;
    mb_arena arena = {0};
    const mb_json *tree;
    int status = write_once(ask, &first);
    assert(status == write_once(ask, &second));
    if (status == 0) {
        assert(strncmp(mb_buf_text(&first.url), "http://h/v1/", 12) == 0);
        assert(strcmp(first.url.data, second.url.data) == 0 && first.body.len == second.body.len);
        assert(memcmp(mb_buf_text(&first.body), mb_buf_text(&second.body), first.body.len) == 0);
        if (first.body.len) assert(mb_json_parse_lenient(&arena, first.body.data, first.body.len, &tree, NULL) == 0);
    }
    drop(&first);
    drop(&second);
    mb_arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    static const char *const KINDS[] = {"bedrock", "bedrock-invoke"};
    mb_arena arena = {0};
    mb_ask ask = {.provider = "p", .base_url = "http://h/v1"};
    if (len > 1 && mb_json_parse(&arena, (const char *)bytes + 1, len - 1, &ask.request, NULL) == 0 &&
        mb_request_check(ask.request, &ask.kind, NULL) == 0) {
        ask.model = MODELS[(bytes[0] >> 1) % MB_COUNT(MODELS)];
        ask.stream = mb_json_bool(mb_json_get(ask.request, "stream"), false);
        assert(mb_quirks_load(&arena, KINDS[bytes[0] & 1], NULL, &ask.quirks, NULL) == 0);
        check(&ask);
    }
    mb_arena_free(&arena);
    return 0;
}
