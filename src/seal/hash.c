// SPDX-License-Identifier: MIT
#include "seal/hash.h"

#include <sodium.h>

#include "membrane/error.h"

int mb_hash_hex(const void *data, size_t len, char ret_hex[MB_HASH_HEX_SIZE]) {
    unsigned char hash[32];
    if (sodium_init() < 0) return MEMBRANE_EINTERNAL;
    if (crypto_generichash(hash, sizeof hash, data, len, NULL, 0) != 0) return MEMBRANE_EINTERNAL;
    sodium_bin2hex(ret_hex, MB_HASH_HEX_SIZE, hash, sizeof hash);
    return 0;
}
