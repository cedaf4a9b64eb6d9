// SPDX-License-Identifier: MIT
// Any bytes as YAML. What must hold: an error says "NAME:LINE: " with a line of the text; a tree is within its limits,
// has a line on every node and is data that JSON can write and read back.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "base/yaml.h"

static size_t check_nodes(const mb_json *v, int depth) {
    size_t nodes = 1;
    assert(depth <= MB_LIMIT_JSON_DEPTH);
    for (uint32_t i = 0; (v->type == MB_JSON_ARRAY || v->type == MB_JSON_OBJECT) && i < v->count; i++) {
        const mb_json *child = &v->children[i];
        assert((child->key != NULL) == (v->type == MB_JSON_OBJECT) && child->line > 0);
        if (child->key) assert(mb_json_get(v, child->key) == child); // no name stands twice
        nodes += check_nodes(child, depth + 1);
    }
    return nodes;
}

static void check_error(const membrane_error *err, const char *text, size_t len) {
    size_t lines = 2; // the end of the text may count as the line behind it
    for (size_t i = 0; i < len; i++) lines += text[i] == '\n' || text[i] == '\r' || (text[i] & 0x80);
    if (membrane_error_code(err) == MEMBRANE_ENOMEM) return;
    assert(membrane_error_code(err) == MEMBRANE_ECONFIG);
    const char *message = membrane_error_message(err);
    assert(strncmp(message, "fuzz:", 5) == 0 && mb_utf8_valid(message, strlen(message)));
    unsigned long line = strtoul(message + 5, NULL, 10);
    assert(line >= 1 && line <= lines);
}

static void check_json(mb_arena *arena, const mb_json *tree) {
    mb_buf out = MB_BUF(MB_LIMIT_RESPONSE);
    mb_jw w = mb_jw_to(&out);
    const mb_json *again;
    mb_jw_value(&w, tree);
    assert(mb_buf_ok(&out) && mb_json_parse_lenient(arena, out.data, out.len, &again, NULL) == 0);
    assert(mb_json_equal(tree, again));
    mb_buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    const mb_json *tree = NULL;
    membrane_error *err = NULL;
    mb_arena arena = {0};
    int status = mb_yaml_parse(&arena, "fuzz", (const char *)bytes, len, &tree, &err);
    assert((status == 0) == (tree != NULL) && membrane_error_code(err) == status);
    if (status != 0) check_error(err, (const char *)bytes, len);
    if (status == 0) {
        size_t nodes = check_nodes(tree, 0);
        assert(nodes <= MB_LIMIT_YAML_NODES);
        if (nodes < 2000) check_json(&arena, tree); // comparing is quadratic
    }
    membrane_error_free(err);
    mb_arena_free(&arena);
    return 0;
}
