/* SPDX-License-Identifier: MIT */
/**
 * @file keys.h
 * @brief The key ring: API keys kept sealed in one file, named in the configuration as `sealed:NAME`.
 *
 * The ring is a file in the user's folder ($XDG_CONFIG_HOME/membrane/keys), readable by nobody else. Its values are
 * sealed with XChaCha20-Poly1305 under a master key: a file beside it (master.key, made when the first key is set), or
 * a key made of a passphrase by Argon2id if one is given when the ring is made. No function gives a value out: the
 * library alone opens them, when it reads a configuration that names them.
 *
 * @code
 * membrane_keys_options o;
 * membrane_keys_options_init(&o, sizeof o);
 * if (membrane_keys_set(&o, "cloud", value, len, &err) != 0) puts(membrane_error_message(err));
 * // and in the configuration: providers: {cloud: {kind: openai, api_key: sealed:cloud}}
 * @endcode
 *
 * Threads: every function may be used from any thread, and from several processes: a writer waits for its turn (at most
 * 10 s, then MEMBRANE_ECONFLICT), and readers see the ring before or after a change, never half of one. What was set is
 * on the disk when the function returns.
 *
 * Errors of all: MEMBRANE_EAUTH (no passphrase, a wrong one, another master key), MEMBRANE_ECONFIG (damaged or changed,
 * or a file that others may read), MEMBRANE_ENEWER, MEMBRANE_EIO, MEMBRANE_EINVAL, MEMBRANE_ENOMEM. Each has a hint.
 */
#ifndef MEMBRANE_KEYS_H
#define MEMBRANE_KEYS_H

#include "membrane/error.h"
#include "membrane/result.h"

#ifdef __cplusplus
extern "C" {
#endif

enum membrane_keys_flags {
    /** Without a passphrase in the options, MEMBRANE_PASSPHRASE of the environment is one. */
    MEMBRANE_KEYS_ENVIRONMENT = 1u << 0
};

/** Which ring, and what opens it. Fill with membrane_keys_options_init first; pointers are read during the call only.
 */
typedef struct membrane_keys_options {
    uint32_t struct_size;   /**< set by membrane_keys_options_init */
    uint32_t flags;         /**< membrane_keys_flags */
    const char *folder;     /**< where the ring is; NULL: the user's ($XDG_CONFIG_HOME/membrane, ~/.config/membrane) */
    const char *passphrase; /**< NULL or "": none; a ring that is made now is then sealed with a key file */
} membrane_keys_options;

/** Fills *options (size bytes, sizeof the caller's struct) with the defaults. */
MEMBRANE_API void membrane_keys_options_init(membrane_keys_options *options, size_t size);

/**
 * Seals len bytes of value (at most 64 KiB) under a name, replacing what had it; makes ring and master key where there
 * are none. A name is 1 to 128 letters, digits, "_", "-" and ".", not beginning with a dot. options may be NULL.
 */
MEMBRANE_API int membrane_keys_set(const membrane_keys_options *options, const char *name, const char *value,
                                   size_t len, membrane_error **err);

/**
 * The names and when each was set: {items:[{name, changed_ms}]}, by name; never a value. They stand openly in the file,
 * so no passphrase is needed; where there is one (or a key file), the file is also checked for changes.
 */
MEMBRANE_API int membrane_keys_list(const membrane_keys_options *options, membrane_result **ret_result,
                                    membrane_error **err);

/** Removes a key. MEMBRANE_ENOTFOUND: no such key. */
MEMBRANE_API int membrane_keys_remove(const membrane_keys_options *options, const char *name, membrane_error **err);

/**
 * How it stands with the ring: {path, state:"none"|"ok"|"locked"|"broken", master?:"file"|"passphrase", keys, kind?,
 * message?, hint?}. "locked": a passphrase is needed. Fails only when memory is out or the options make no sense.
 */
MEMBRANE_API int membrane_keys_status(const membrane_keys_options *options, membrane_result **ret_result,
                                      membrane_error **err);

#ifdef __cplusplus
}
#endif
#endif
