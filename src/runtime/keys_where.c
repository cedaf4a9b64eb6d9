// SPDX-License-Identifier: MIT
#include "base/alloc.h"
#include "runtime/keys.h"
#include "runtime/trust.h"

int mb_keys_where(mb_arena *arena, const char *folder, const char *passphrase, mb_keyring_where *ret,
                  membrane_error **err) {
    char *found = NULL;
    int code = folder ? 0 : mb_trust_user_dir(&found, err);
    if (code) return code;
    if (!folder && !found) return mb_error_set(err, MEMBRANE_EIO, "neither XDG_CONFIG_HOME nor HOME is set");
    *ret = (mb_keyring_where){.folder = mb_arena_strdup(arena, folder ? folder : found), .passphrase = passphrase};
    mb_free(found);
    return ret->folder ? 0 : mb_error_no_memory(err);
}
