/* SPDX-License-Identifier: MIT */
/**
 * @file model.h
 * @brief Models as the providers tell of them: list, show, load, unload, warm.
 *
 * All functions here ask the providers over the network and block for at most timeout_ms (0: 10 s). They may be used
 * from any thread.
 *
 * @code
 * membrane_result *models = NULL;
 * if (membrane_model_list(m, NULL, 0, &models, &err) == 0) puts(membrane_result_json(models, NULL));
 * membrane_result_free(models);
 * @endcode
 */
#ifndef MEMBRANE_MODEL_H
#define MEMBRANE_MODEL_H

#include "membrane/options.h"
#include "membrane/result.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The models of one provider, or of all (NULL): {items:[{name, provider, model, kind?, loaded?, context_window?,
 * bytes?, capabilities?}], errors:[{provider, kind, message}]}, logical models of the configuration ({name, kind,
 * targets}, of kind "logical", or "alias" with the model that it is an alias of) first. A provider that does not answer
 * stands in errors; only if none answered the function fails.
 */
MEMBRANE_API int membrane_model_list(membrane_t *m, const char *provider, int64_t timeout_ms,
                                     membrane_result **ret_result, membrane_error **err);

/**
 * What its provider says of "provider/model": {name, provider, engine, model, context_window?, capabilities?, loaded?,
 * raw}, and where the server has them (llama.cpp's): health, slots:[{id, busy}], metrics:{text}.
 */
MEMBRANE_API int membrane_model_show(membrane_t *m, const char *name, int64_t timeout_ms, membrane_result **ret_result,
                                     membrane_error **err);

/**
 * Loads a model into its engine and says how long it took. keep_alive_ms: how long the engine keeps it after its last
 * use (MEMBRANE_FOREVER: for good; 0: the engine's default). MEMBRANE_EUNSUPPORTED where an engine cannot.
 *
 * Of a logical model all local targets of its main list are loaded, one at a time an engine, timeout_ms each:
 * {name, kind:"logical", targets:[{name, provider, engine, model, state, latency_ms, note?, error?:{kind, message}}]}
 * with the states loaded, there (its engine loads nothing on demand, and answers) and failed. It fails where all did.
 */
MEMBRANE_API int membrane_model_load(membrane_t *m, const char *name, int64_t keep_alive_ms, int64_t timeout_ms,
                                     membrane_result **ret_result, membrane_error **err);

/** Takes a model out of its engine's memory; of a logical one all local targets, told as by membrane_model_load. */
MEMBRANE_API int membrane_model_unload(membrane_t *m, const char *name, int64_t timeout_ms,
                                       membrane_result **ret_result, membrane_error **err);

/** Loads a model and lets it answer one token, so that the next call finds it ready. Works with every provider. */
MEMBRANE_API int membrane_model_warm(membrane_t *m, const char *name, int64_t timeout_ms, membrane_result **ret_result,
                                     membrane_error **err);

#ifdef __cplusplus
}
#endif
#endif
