// SPDX-License-Identifier: MIT
// The request side of a cassette: what was recorded is read into canonical form, checked, written again by the adapter,
// and compared as JSON. Only rows of tests/wires/differences.h may differ.
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "cassettes.h"
#include "route/request.h"
#include "wires/read.h"

static bool write_again(const cassette *c, mb_ask *ask, const mb_json *want, mb_buf *why) {
    mb_wire wire = {.url = MB_BUF(65536), .body = MB_BUF(MB_LIMIT_REQUEST), .headers = MB_BUF(65536)};
    mb_buf warnings = MB_BUF(65536);
    mb_arena arena = {0};
    const mb_json *ours = NULL;
    membrane_error *err = NULL;
    ask->warnings = &warnings;
    if (mb_adapter_find(c->wire)->write(ask, &wire, &err) != 0)
        mb_buf_putf(why, "it is not written: %s; ", membrane_error_message(err));
    else if (mb_json_parse(&arena, mb_buf_text(&wire.body), wire.body.len, &ours, NULL) != 0)
        mb_buf_puts(why, "what was written is no JSON; ");
    else
        wire_differences(c->api, c->provider, want, ours, why);
    if (warnings.len) mb_buf_putf(why, "warnings: %s; ", mb_buf_text(&warnings));
    membrane_error_free(err);
    mb_buf_free(&wire.url);
    mb_buf_free(&wire.body);
    mb_buf_free(&wire.headers);
    mb_buf_free(&warnings);
    mb_arena_free(&arena);
    return why->len == 0;
}

static bool read_canonical(const read_ask *r, const wire_reader *reader, mb_arena *arena, const mb_json **ret,
                           mb_buf *why) {
    static const char *const NAMES[] = {
        [MB_ASK_CHAT] = "chat",     [MB_ASK_COMPLETION] = "completion",     [MB_ASK_EMBED] = "embed",
        [MB_ASK_RERANK] = "rerank", [MB_ASK_COUNT_TOKENS] = "count_tokens",
    };
    mb_buf text = MB_BUF(MB_LIMIT_REQUEST);
    mb_jw w = mb_jw_to(&text);
    membrane_error *err = NULL;
    mb_ask_kind kind;
    mb_jw_object(&w);
    mb_jw_kstr(&w, "kind", NAMES[reader->kind]);
    bool good = reader->read(r, &w);
    mb_jw_end_object(&w);
    if (!good)
        mb_buf_puts(why, "the reader does not understand it; ");
    else if (mb_json_parse(arena, mb_buf_text(&text), text.len, ret, &err) != 0 ||
             mb_request_check(*ret, &kind, &err) != 0)
        mb_buf_putf(why, "in canonical form it is refused: %s; ", membrane_error_message(err));
    membrane_error_free(err);
    mb_buf_free(&text);
    return why->len == 0;
}

bool cassette_request(const cassette *c, mb_buf *why) {
    const mb_json *request = mb_json_get(c->root, "request"), *body = mb_json_get(request, "body");
    const wire_reader *reader = wire_reader_find(c->wire, c->api);
    if (!mb_json_is(body, MB_JSON_OBJECT) || !reader) return false;
    for (const wire_reader *r = reader; r->api; r++) // one api may be asked different things
        if (strcmp(r->api, c->api) == 0 && r->kind == c->kind) reader = r;
    mb_arena arena = {0};
    bool stream = false;
    char model[256] = "";
    mb_ask ask = {.kind = reader->kind, .provider = c->provider, .base_url = "http://127.0.0.1/v1"};
    ask.quirks = cassette_quirks(c, &arena);
    read_ask r = {.kind = reader->kind,
                  .provider = c->provider,
                  .quirks = ask.quirks,
                  .path = mb_json_get_str(request, "path"),
                  .body = body,
                  .ret_stream = &stream,
                  .ret_model = model};
    if (read_canonical(&r, reader, &arena, &ask.request, why)) {
        ask.model = *model ? model : NULL;
        ask.stream = stream;
        write_again(c, &ask, body, why);
    }
    mb_arena_free(&arena);
    return true;
}
