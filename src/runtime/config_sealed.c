// SPDX-License-Identifier: MIT
// "sealed:NAME" in a configuration. The ring is opened once for all keys of a configuration, since a passphrase costs a
// tenth of a second, and closed when the configuration is compiled.
#include "runtime/config.h"
#include "runtime/keys.h"

// The ring's error, with the place in the configuration that asked for the key.
static int tell(const mb_config *config, const mb_json *where, membrane_error *cause, membrane_error **err) {
    int code = membrane_error_code(cause);
    bool is_kept = code == MEMBRANE_EAUTH || code == MEMBRANE_EIO || code == MEMBRANE_ENEWER;
    if (code == MEMBRANE_ENOMEM) {
        mb_error_no_memory(err);
    } else {
        mb_config_error(config, err, where, "%s", membrane_error_message(cause));
        if (!is_kept) code = MEMBRANE_ECONFIG;
        if (err && !mb_error_is_static(*err)) {
            (*err)->code = code;
            mb_error_hint(*err, "%s", membrane_error_hint(cause) ? membrane_error_hint(cause) : "membrane doctor");
        }
    }
    membrane_error_free(cause);
    return code;
}

static int open_ring(mb_config *config, const mb_environment *env, membrane_error **err) {
    mb_keyring_where where;
    const char *passphrase = config->passphrase;
    if (!passphrase) passphrase = env->get(env->user, "MEMBRANE_PASSPHRASE");
    int code = mb_keys_where(&config->arena, NULL, passphrase, &where, err);
    return code ? code : mb_keyring_open(&where, &config->ring, err);
}

int mb_config_sealed(mb_config *config, const mb_environment *env, const mb_json *where, const char *name,
                     const char **ret, membrane_error **err) {
    membrane_error *cause = NULL;
    if (!mb_keyring_is_name(name)) return mb_config_error(config, err, where, "sealed: is followed by a key's name");
    if (config->is_check) return 0; // a text is checked, nothing is opened
    int code = config->ring ? 0 : open_ring(config, env, &cause);
    if (code == 0) code = mb_keyring_get(config->ring, name, &config->arena, ret, NULL, &cause);
    if (code == MEMBRANE_ENOTFOUND && !config->ring) mb_error_hint(cause, "membrane keys set %s", name);
    return code ? tell(config, where, cause, err) : 0;
}

void mb_config_close_ring(mb_config *config) {
    mb_keyring_free(config->ring);
    config->ring = NULL;
}
