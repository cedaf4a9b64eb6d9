// SPDX-License-Identifier: MIT
// The key ring: a file of sealed values, FOLDER/keys. Each is sealed with XChaCha20-Poly1305, its name and date as
// associated data, under a master key that stands in FOLDER/master.key or is made of a passphrase. Writers take turns
// (FOLDER/keys.lock); readers need no turn, since the file is replaced as a whole.
#ifndef MB_SEAL_KEYRING_H
#define MB_SEAL_KEYRING_H

#include "seal/keyring_text.h"

typedef struct mb_keyring mb_keyring;

typedef struct mb_keyring_where {
    const char *folder;
    const char *passphrase; // NULL: none is there
    uint64_t ops, memory;   // of a ring that is made now; 0: libsodium's "interactive"
} mb_keyring_where;

// How a ring is kept, as far as that can be known without its master key. MEMBRANE_ENOTFOUND: there is none.
int mb_keyring_look(const mb_keyring_where *where, mb_keyring **ret, membrane_error **err);
// The same, then unlocks it: MEMBRANE_EAUTH (no passphrase, the wrong one, another master key), MEMBRANE_ECONFIG
// (damaged, or others may read it), MEMBRANE_EIO, MEMBRANE_ENEWER, MEMBRANE_ENOMEM.
int mb_keyring_open(const mb_keyring_where *where, mb_keyring **ret, membrane_error **err);
const mb_keyring_rows *mb_keyring_contents(const mb_keyring *ring);
const char *mb_keyring_path(const mb_keyring *ring);
// The value with a NUL behind it, in the arena, which should be forgotten, not only freed. MEMBRANE_ENOTFOUND.
int mb_keyring_get(const mb_keyring *ring, const char *name, mb_arena *arena, const char **ret, size_t *ret_len,
                   membrane_error **err);
void mb_keyring_free(mb_keyring *ring);

// Adds a key or replaces it; makes the ring (by a passphrase, if there is one) where none is. On the disk when it
// returns. MEMBRANE_ECONFLICT: another writer does not end.
int mb_keyring_set(const mb_keyring_where *where, const char *name, const char *value, size_t len, int64_t now_ms,
                   membrane_error **err);
int mb_keyring_remove(const mb_keyring_where *where, const char *name, membrane_error **err);

// Keeps memory out of swap where the system lets it, and out again, overwritten.
void mb_keep_in_memory(void *bytes, size_t len);
void mb_forget_kept(void *bytes, size_t len);

#endif
