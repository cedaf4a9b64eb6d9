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

int mb_sha256(const void *data, size_t len, unsigned char ret[MB_SHA256_SIZE]) {
    if (sodium_init() < 0) return MEMBRANE_EINTERNAL;
    return crypto_hash_sha256(ret, data, len) ? MEMBRANE_EINTERNAL : 0;
}

int mb_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len, unsigned char ret[MB_SHA256_SIZE]) {
    crypto_auth_hmacsha256_state state;
    if (sodium_init() < 0) return MEMBRANE_EINTERNAL;
    int failed = crypto_auth_hmacsha256_init(&state, key, key_len) | crypto_auth_hmacsha256_update(&state, data, len) |
                 crypto_auth_hmacsha256_final(&state, ret);
    sodium_memzero(&state, sizeof state);
    return failed ? MEMBRANE_EINTERNAL : 0;
}

void mb_hash_put_hex(const unsigned char hash[MB_SHA256_SIZE], char ret_hex[MB_HASH_HEX_SIZE]) {
    sodium_bin2hex(ret_hex, MB_HASH_HEX_SIZE, hash, MB_SHA256_SIZE);
}

void mb_forget(void *bytes, size_t len) { sodium_memzero(bytes, len); }
