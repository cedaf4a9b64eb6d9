// SPDX-License-Identifier: MIT
// Any canonical request to any wire: the first byte chooses the row of providers.json, the rest is the request. What
// the check lets through must come out as JSON (or as a clear error), the same each time; a refused one leaves nothing.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "route/adapter.h"
#include "route/request.h"

typedef struct written {
    int status;
    mb_buf url, body, headers;
} written;

static void write_once(const mb_ask *ask, written *ret) {
    mb_wire wire = {.url = MB_BUF(65536), .body = MB_BUF(MB_LIMIT_REQUEST), .headers = MB_BUF(65536)};
    mb_buf warnings = MB_BUF(1 << 20);
    membrane_error *err = NULL;
    mb_ask own = *ask;
    own.warnings = &warnings;
    ret->status = mb_adapter_find(ask->quirks->wire)->write(&own, &wire, &err);
    assert((ret->status == 0) == (err == NULL) && ret->status <= 0);
    assert(ret->status == 0 || membrane_error_code(err) == ret->status);
    membrane_error_free(err);
    mb_buf_free(&warnings);
    ret->url = wire.url;
    ret->body = wire.body;
    ret->headers = wire.headers;
}

static void drop(written *w) {
    mb_buf_free(&w->url);
    mb_buf_free(&w->body);
    mb_buf_free(&w->headers);
}

static void check(const mb_ask *ask) {
    written first, second;
    mb_arena arena = {0};
    const mb_json *tree;
    write_once(ask, &first);
    write_once(ask, &second);
    assert(first.status == second.status);
    if (first.status == 0) {
        assert(first.url.len && strcmp(mb_buf_text(&first.url), mb_buf_text(&second.url)) == 0);
        assert(first.body.len == second.body.len &&
               memcmp(mb_buf_text(&first.body), mb_buf_text(&second.body), first.body.len) == 0);
        if (first.body.len) assert(mb_json_parse_lenient(&arena, first.body.data, first.body.len, &tree, NULL) == 0);
    }
    drop(&first);
    drop(&second);
    mb_arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    mb_arena arena = {0};
    const mb_json *request = NULL;
    mb_ask ask = {.provider = "p", .model = "m", .base_url = "http://h/v1"};
    const char *const *kinds = mb_quirks_kinds(&arena);
    size_t count = 0;
    while (kinds && kinds[count]) count++;
    if (len > 1 && mb_json_parse(&arena, (const char *)bytes + 1, len - 1, &request, NULL) == 0 &&
        mb_request_check(request, &ask.kind, NULL) == 0 &&
        mb_quirks_load(&arena, kinds[bytes[0] % count], NULL, &ask.quirks, NULL) == 0 &&
        mb_adapter_find(ask.quirks->wire)) {
        ask.request = request;
        ask.stream = mb_json_bool(mb_json_get(request, "stream"), false);
        check(&ask);
    }
    mb_arena_free(&arena);
    return 0;
}
