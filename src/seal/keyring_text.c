// SPDX-License-Identifier: MIT
#include "seal/keyring_text.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>

#include "base/alloc.h"

enum { VERSION = 1, BASE64 = sodium_base64_VARIANT_URLSAFE_NO_PADDING, MEMORY_MAX = 1 << 30, OPS_MAX = 64 };

static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char NAMES[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.";

bool mb_keyring_is_name(const char *name) {
    size_t len = strspn(name, NAMES);
    return len > 0 && len <= MB_KEYRING_NAME && name[len] == '\0' && name[0] != '.';
}

// ---- writing -------------------------------------------------------------------------------------------------------

static void put_base64(mb_buf *out, const unsigned char *data, size_t len) {
    size_t room = sodium_base64_ENCODED_LEN(len, BASE64); // with a NUL, which the buffer's padding holds
    mb_buf_putc(out, ' ');
    if (!mb_buf_ok(out) || (out->cap - out->len < room && !mb_buf_grow(out, room))) return;
    sodium_bin2base64(out->data + out->len, room, data, len, BASE64);
    out->len += room - 1;
}

void mb_keyring_put(const mb_keyring_rows *r, mb_buf *out) {
    mb_buf_putf(out, "membrane-keys %d\nmaster", VERSION);
    if (r->by_passphrase) {
        mb_buf_putf(out, " argon2id %" PRIu64 " %" PRIu64, r->ops, r->memory);
        put_base64(out, r->salt, sizeof r->salt);
    } else {
        mb_buf_puts(out, " file");
    }
    put_base64(out, r->check, sizeof r->check);
    mb_buf_putc(out, '\n');
    for (size_t i = 0; i < r->count; i++) {
        mb_buf_putf(out, "key %s %" PRId64, r->rows[i].name, r->rows[i].changed_ms);
        put_base64(out, r->rows[i].box, r->rows[i].box_len);
        mb_buf_putc(out, '\n');
    }
}

void mb_keyring_put_end(const unsigned char mac[MB_KEYRING_MAC], mb_buf *out) {
    mb_buf_puts(out, "end");
    put_base64(out, mac, MB_KEYRING_MAC);
    mb_buf_putc(out, '\n');
}

// ---- reading -------------------------------------------------------------------------------------------------------

typedef struct reader {
    mb_arena *arena;
    const char *path, *at, *end;
    int line;
    membrane_error **err;
} reader;

static int damaged(reader *r, const char *what) {
    int code = mb_error_set(r->err, MEMBRANE_ECONFIG, "%s:%d: the key ring is damaged: %s", r->path, r->line, what);
    if (r->err) mb_error_hint(*r->err, "put back a copy of the file, or remove it and set the keys anew");
    return code;
}

// The text, if it stands here.
static bool take(reader *r, const char *text) {
    size_t len = strlen(text);
    if ((size_t)(r->end - r->at) < len || memcmp(r->at, text, len) != 0) return false;
    r->at += len;
    return true;
}

static bool take_number(reader *r, uint64_t max, uint64_t *ret) {
    uint64_t n = 0;
    const char *start = r->at;
    for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++) {
        unsigned digit = (unsigned)(*r->at - '0');
        if (n > (max - digit) / 10) return false;
        n = n * 10 + digit;
    }
    *ret = n;
    return r->at > start && n <= max && (*start != '0' || r->at == start + 1);
}

// A word. libsodium's decoder refuses bits that its encoder leaves empty, but takes some bytes beyond ASCII for digits.
static bool take_base64(reader *r, unsigned char *ret, size_t room, size_t *ret_len) {
    const char *start = r->at, *stopped;
    while (r->at < r->end && *r->at && strchr(DIGITS, *r->at)) r->at++;
    size_t len = (size_t)(r->at - start);
    return sodium_base642bin(ret, room, start, len, NULL, ret_len, &stopped, BASE64) == 0 && stopped == r->at;
}

static bool take_bytes(reader *r, unsigned char *ret, size_t exactly) {
    size_t len;
    return take_base64(r, ret, exactly, &len) && len == exactly;
}

static bool take_line_end(reader *r) {
    bool is_there = take(r, "\n");
    r->line += is_there;
    return is_there;
}

static int read_version(reader *r) {
    uint64_t version;
    if (!take(r, "membrane-keys ") || !take_number(r, 1000000, &version) || version == 0)
        return damaged(r, "this is no key ring");
    if (version > VERSION) {
        int code = mb_error_set(r->err, MEMBRANE_ENEWER,
                                "%s: version %" PRIu64 " of the key ring is newer than this library, which reads "
                                "version %d",
                                r->path, version, VERSION);
        if (r->err) mb_error_hint(*r->err, "use the version of membrane that wrote it, or a later one");
        return code;
    }
    return take_line_end(r) ? 0 : damaged(r, "something follows the version");
}

static int read_master(reader *r, mb_keyring_rows *ret) {
    bool good = false;
    if (take(r, "master argon2id ")) {
        ret->by_passphrase = true;
        // Limits, since they are spent before anything can be known to be genuine.
        good = take_number(r, OPS_MAX, &ret->ops) && take(r, " ") && take_number(r, MEMORY_MAX, &ret->memory) &&
               ret->ops >= crypto_pwhash_argon2id_OPSLIMIT_MIN && ret->memory >= crypto_pwhash_argon2id_MEMLIMIT_MIN &&
               take(r, " ") && take_bytes(r, ret->salt, sizeof ret->salt);
    } else {
        good = take(r, "master file");
    }
    good = good && take(r, " ") && take_bytes(r, ret->check, sizeof ret->check) && take_line_end(r);
    return good ? 0 : damaged(r, "the line of the master key is wrong");
}

static int read_row(reader *r, const char *before, mb_keyring_row *row) {
    const char *start = r->at, *space = memchr(start, ' ', (size_t)(r->end - start));
    uint64_t when;
    size_t len = space ? (size_t)(space - start) : 0;
    if (len == 0 || len > MB_KEYRING_NAME) return damaged(r, "a key's name is wrong");
    char *name = mb_arena_strndup(r->arena, start, len);
    if (!name) return mb_error_no_memory(r->err);
    if (strlen(name) != len || !mb_keyring_is_name(name)) return damaged(r, "a key's name is wrong");
    if (before && strcmp(before, name) >= 0) return damaged(r, "the names are not in order");
    r->at = space + 1;
    if (!take_number(r, INT64_MAX, &when) || !take(r, " ")) return damaged(r, "a key's date is wrong");
    const char *stop = memchr(r->at, '\n', (size_t)(r->end - r->at));
    size_t room = stop ? (size_t)(stop - r->at) / 4 * 3 + 3 : 0;
    if (room > MB_KEYRING_VALUE + MB_KEYRING_EXTRA + 3) return damaged(r, "a key's value is too long");
    unsigned char *box = mb_arena_alloc(r->arena, room ? room : 1);
    if (!box) return mb_error_no_memory(r->err);
    *row = (mb_keyring_row){name, (int64_t)when, box, 0};
    if (!room || !take_base64(r, box, room, &row->box_len) || row->box_len <= MB_KEYRING_EXTRA || !take_line_end(r))
        return damaged(r, "a key's value is wrong");
    return 0;
}

static size_t count_lines(const char *text, size_t len) {
    size_t lines = 0;
    for (size_t i = 0; i < len; i++) lines += text[i] == '\n';
    return lines;
}

int mb_keyring_parse(mb_arena *arena, const char *path, const char *text, size_t len, mb_keyring_rows *ret,
                     membrane_error **err) {
    reader r = {arena, path, text, text + len, 1, err};
    mb_keyring_rows rows = {0};
    int code = read_version(&r);
    if (code == 0) code = read_master(&r, &rows);
    if (code) return code;
    size_t room = count_lines(text, len);
    rows.rows = mb_arena_alloc(arena, (room + 1) * sizeof *rows.rows); // one more: a caller may add a key
    if (!rows.rows) return mb_error_no_memory(err);
    while (take(&r, "key ")) {
        code = read_row(&r, rows.count ? rows.rows[rows.count - 1].name : NULL, &rows.rows[rows.count]);
        if (code) return code;
        rows.count++;
    }
    rows.sealed_len = (size_t)(r.at - text);
    if (!take(&r, "end ") || !take_bytes(&r, rows.mac, sizeof rows.mac) || !take(&r, "\n") || r.at != r.end)
        return damaged(&r, "its last line is wrong");
    *ret = rows;
    return 0;
}
