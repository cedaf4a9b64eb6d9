// SPDX-License-Identifier: MIT
// Any bytes as JSON. What must hold: simdjson and our own exact reader agree on what JSON is; the strict, the lenient
// and the reusable parser give the same tree; a tree, a copy of it and its text read back are equal, and the text is
// the same the second time.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/json_parts.h"
#include "base/limits.h"
#include "base/utf8.h"

static mb_json_parser *parser; // lives on, as in a stream

static void write_tree(const mb_json *tree, mb_buf *out) {
    mb_jw w = mb_jw_to(out);
    mb_jw_value(&w, tree);
    assert(mb_buf_ok(out) && mb_utf8_valid(out->data, out->len));
}

static void check_tree(mb_arena *arena, const mb_json *tree) {
    mb_buf first = MB_BUF(MB_LIMIT_RESPONSE), second = MB_BUF(MB_LIMIT_RESPONSE);
    const mb_json *again, *copy = mb_json_copy(arena, tree);
    write_tree(tree, &first);
    assert(mb_json_parse_lenient(arena, first.data, first.len, &again, NULL) == 0);
    write_tree(again, &second);
    assert(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
    assert(mb_json_equal(tree, again) && mb_json_equal(tree, copy) && mb_json_equal(copy, again));
    mb_buf_free(&first);
    mb_buf_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    const char *text = (const char *)bytes, *fault;
    const mb_json *strict = NULL, *lenient = NULL, *pooled = NULL;
    membrane_error *err = NULL;
    mb_arena arena = {0};
    if (!parser) parser = mb_json_parser_new();
    bool is_json = mb_json_parse(&arena, text, len, &strict, &err) == 0;
    bool repairable = mb_json_parse_lenient(&arena, text, len, &lenient, NULL) == 0;
    bool taken = mb_json_parser_parse(parser, text, len, false, &pooled) == 0;
    mb_json_fault(text, len, &fault);
    assert(is_json == !fault && is_json == !err);
    assert(repairable == taken && (repairable || !is_json));
    if (repairable) {
        assert(mb_json_equal(lenient, pooled) && (!is_json || mb_json_equal(strict, lenient)));
        check_tree(&arena, lenient);
    }
    if (is_json) mb_json_number_lines(strict, text, len);
    membrane_error_free(err);
    mb_arena_free(&arena);
    return 0;
}
