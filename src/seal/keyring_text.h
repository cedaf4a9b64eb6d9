// SPDX-License-Identifier: MIT
// The file of the key ring, as a text and as rows; nothing in here opens anything.
//
//     membrane-keys 1
//     master argon2id 2 67108864 SALT CHECK        or: master file CHECK
//     key NAME MILLISECONDS BOX                     one a key, by name
//     end MAC                                       over all bytes before this line
//
// Binary parts are base64 (URL-safe, unpadded). There is one way to write a ring, and no other is read: so every byte
// of the file is either covered by the MAC or the MAC itself.
#ifndef MB_SEAL_KEYRING_TEXT_H
#define MB_SEAL_KEYRING_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

enum {
    MB_KEYRING_SALT = 16,
    MB_KEYRING_CHECK = 16,
    MB_KEYRING_MAC = 32,
    MB_KEYRING_NAME = 128,      // bytes of a name
    MB_KEYRING_VALUE = 65536,   // bytes of a value: a service account's JSON has 3,000
    MB_KEYRING_EXTRA = 24 + 16, // nonce and tag of a box
    MB_KEYRING_FILE = 1 << 20,  // bytes of the file: thousands of keys
};

typedef struct mb_keyring_row {
    const char *name;
    int64_t changed_ms;
    const unsigned char *box; // nonce, sealed value
    size_t box_len;
} mb_keyring_row;

typedef struct mb_keyring_rows {
    bool by_passphrase;
    uint64_t ops, memory; // Argon2id's
    unsigned char salt[MB_KEYRING_SALT], check[MB_KEYRING_CHECK], mac[MB_KEYRING_MAC];
    mb_keyring_row *rows; // by rising name
    size_t count;
    size_t sealed_len; // how much of the text the MAC covers
} mb_keyring_rows;

// 1 to 128 bytes of letters, digits, "_", "-" and ".", the first no dot.
bool mb_keyring_is_name(const char *name);
// 0, MEMBRANE_ENOMEM, MEMBRANE_ENEWER or MEMBRANE_ECONFIG ("PATH:LINE: …").
int mb_keyring_parse(mb_arena *arena, const char *path, const char *text, size_t len, mb_keyring_rows *ret,
                     membrane_error **err);
// What the MAC covers; then the line with the MAC.
void mb_keyring_put(const mb_keyring_rows *rows, mb_buf *out);
void mb_keyring_put_end(const unsigned char mac[MB_KEYRING_MAC], mb_buf *out);

#endif
