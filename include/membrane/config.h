/* SPDX-License-Identifier: MIT */
/**
 * @file config.h
 * @brief Configuration: what is in force and where it comes from, checking a text, reloading, trusting a project.
 *
 * @code
 * if (membrane_config_check("config.yaml", text, len, &err) != 0) puts(membrane_error_message(err));
 * // config.yaml:7: unknown key "api_kye" in providers.cloud (did you mean "api_key"?)
 * @endcode
 */
#ifndef MEMBRANE_CONFIG_H
#define MEMBRANE_CONFIG_H

#include "membrane/keys.h"
#include "membrane/options.h"
#include "membrane/result.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Checks a configuration (YAML or JSON; name is used in messages). len 0 means up to the NUL. Sealed keys are not
 * opened: their names are checked, not that they are there.
 */
MEMBRANE_API int membrane_config_check(const char *name, const char *text, size_t len, membrane_error **err);

/**
 * What is in force: {config:{…}, origin:{"providers.local.base_url":"user /home/…/config.yaml:4", …}, files:[{path,
 * level, state}]}. Secrets are shown as their reference ("env:OPENAI_API_KEY") or as "***".
 */
MEMBRANE_API int membrane_config_show(membrane_t *m, membrane_result **ret_result, membrane_error **err);

/**
 * Reads files and environment again. Running calls end with what they began with; calls started afterwards use the
 * new configuration. On an error nothing changes.
 */
MEMBRANE_API int membrane_config_reload(membrane_t *m, membrane_error **err);

/** The files that MEMBRANE_USER_CONFIG would read, without opening the library: {items:[{level, path, state}]}. */
MEMBRANE_API int membrane_config_paths(const char *project_dir, membrane_result **ret_result, membrane_error **err);

/**
 * Stores path and hash of a project's configuration file (.membrane/config.yaml), so that it counts from now on; a
 * changed file must be trusted anew. path NULL: the one of the current folder or above. Gives {path, hash}.
 */
MEMBRANE_API int membrane_config_trust(const char *path, membrane_result **ret_result, membrane_error **err);

/**
 * Makes a configuration of a LiteLLM proxy's YAML (name is used in messages; len 0 means up to the NUL): {config, keys:
 * [{name, stored}], warnings:[{line, text}]}. config is YAML that membrane_config_check takes; warnings say, line by
 * line, what could not be taken over. os.environ/NAME becomes env:NAME. Keys that stand there themselves become
 * sealed:NAME: with keys (NULL: without) they are stored into that key ring, except where it has one of that name;
 * otherwise a warning says how to store them. Errors: MEMBRANE_ECONFIG (no YAML, or nothing of LiteLLM's), and with
 * keys those of keys.h.
 */
MEMBRANE_API int membrane_config_import(const char *name, const char *text, size_t len,
                                        const membrane_keys_options *keys, membrane_result **ret_result,
                                        membrane_error **err);

#ifdef __cplusplus
}
#endif
#endif
