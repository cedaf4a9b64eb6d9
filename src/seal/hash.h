// SPDX-License-Identifier: MIT
// BLAKE2b-256 of bytes as hexadecimal text. seal/ is the only user of libsodium.
#ifndef MB_SEAL_HASH_H
#define MB_SEAL_HASH_H

#include <stddef.h>

#define MB_HASH_HEX_SIZE 65 // 64 digits and a NUL

int mb_hash_hex(const void *data, size_t len, char ret_hex[MB_HASH_HEX_SIZE]); // 0, or MEMBRANE_EINTERNAL

#endif
