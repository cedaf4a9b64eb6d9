// SPDX-License-Identifier: MIT
// Hashes of bytes: BLAKE2b-256 as hexadecimal text, SHA-256 and HMAC-SHA-256. seal/ is the only user of libsodium.
#ifndef MB_SEAL_HASH_H
#define MB_SEAL_HASH_H

#include <stddef.h>

#define MB_HASH_HEX_SIZE 65 // 64 digits and a NUL
#define MB_SHA256_SIZE   32

// Each 0, or MEMBRANE_EINTERNAL.
int mb_hash_hex(const void *data, size_t len, char ret_hex[MB_HASH_HEX_SIZE]);
int mb_sha256(const void *data, size_t len, unsigned char ret[MB_SHA256_SIZE]);
int mb_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len, unsigned char ret[MB_SHA256_SIZE]);

void mb_hash_put_hex(const unsigned char hash[MB_SHA256_SIZE], char ret_hex[MB_HASH_HEX_SIZE]);
void mb_forget(void *bytes, size_t len); // overwritten, however little the compiler sees in it

#endif
