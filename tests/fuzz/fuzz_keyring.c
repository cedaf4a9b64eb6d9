// SPDX-License-Identifier: MIT
// Any bytes as the file of the key ring. What must hold: what is taken is written again byte by byte, so that nothing
// in the file is not read; what is refused names the file, and a line of it unless it is of a newer version.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "seal/keyring.h"

static void check_rows(const mb_keyring_rows *r, const char *text, size_t len) {
    mb_buf out = MB_BUF(2 * MB_KEYRING_FILE);
    assert(r->sealed_len < len);
    for (size_t i = 0; i < r->count; i++) {
        const mb_keyring_row *row = &r->rows[i];
        assert(mb_keyring_is_name(row->name) && row->changed_ms >= 0);
        assert(row->box_len > MB_KEYRING_EXTRA && row->box_len <= MB_KEYRING_VALUE + MB_KEYRING_EXTRA);
        assert(i == 0 || strcmp(r->rows[i - 1].name, row->name) < 0);
    }
    mb_keyring_put(r, &out);
    assert(out.len == r->sealed_len);
    mb_keyring_put_end(r->mac, &out);
    assert(mb_buf_ok(&out) && out.len == len && memcmp(out.data, text, len) == 0);
    mb_buf_free(&out);
}

static void check_error(int code, const membrane_error *err) {
    const char *message = membrane_error_message(err);
    assert(code == membrane_error_code(err));
    assert(code == MEMBRANE_ECONFIG || code == MEMBRANE_ENEWER || code == MEMBRANE_ENOMEM);
    if (code == MEMBRANE_ENOMEM) return;
    assert(strncmp(message, "ring:", 5) == 0 && membrane_error_hint(err) && mb_utf8_valid(message, strlen(message)));
    if (code == MEMBRANE_ECONFIG) assert(atoi(message + 5) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    membrane_error *err = NULL;
    mb_arena arena = {0};
    mb_keyring_rows rows;
    if (len > MB_KEYRING_FILE) return 0;
    int code = mb_keyring_parse(&arena, "ring", (const char *)bytes, len, &rows, &err);
    if (code)
        check_error(code, err);
    else
        check_rows(&rows, (const char *)bytes, len);
    membrane_error_free(err);
    mb_arena_free(&arena);
    return 0;
}
