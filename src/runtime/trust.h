// SPDX-License-Identifier: MIT
// Which project configurations count: those whose path and hash the user has stored. Anything else that a checked-out
// tree brings along is passed over.
#ifndef MB_RUNTIME_TRUST_H
#define MB_RUNTIME_TRUST_H

#include <stdbool.h>

#include "base/error.h"
#include "seal/hash.h"

// $XDG_CONFIG_HOME/membrane or ~/.config/membrane, owned; *ret NULL without a home.
int mb_trust_user_dir(char **ret, membrane_error **err);
// .membrane/config.yaml (or .json) in dir (NULL: the current one) or the nearest folder above; *ret NULL if none.
int mb_trust_find(const char *dir, char **ret, membrane_error **err);
int mb_trust_check(const char *path, bool *ret_trusted, membrane_error **err);
int mb_trust_add(const char *path, char ret_hash[MB_HASH_HEX_SIZE], membrane_error **err);

#endif
