// SPDX-License-Identifier: MIT
// Where the key ring is and what opens it, for those who are not asked by a program: configuration and doctor.
#ifndef MB_RUNTIME_KEYS_H
#define MB_RUNTIME_KEYS_H

#include "membrane/keys.h"
#include "seal/keyring.h"

// folder NULL: the user's. The texts live as long as the arena and passphrase.
int mb_keys_where(mb_arena *arena, const char *folder, const char *passphrase, mb_keyring_where *ret,
                  membrane_error **err);

#endif
