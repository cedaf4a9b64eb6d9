/* SPDX-License-Identifier: MIT */
/**
 * @file doctor.h
 * @brief Is everything as it should be? One check a line, each failure with the line that mends it.
 *
 * @code
 * membrane_result *r = NULL;
 * membrane_doctor(m, 5000, &r, &err);   // {ok, items:[{name, state:"ok"|"warn"|"fail", detail, fix?}]}
 * @endcode
 */
#ifndef MEMBRANE_DOCTOR_H
#define MEMBRANE_DOCTOR_H

#include "membrane/options.h"
#include "membrane/result.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Checks libraries, configuration, keys, key ring, certificates, the call log, the spawn helper and every provider
 * (over the network, at most timeout_ms; 0: 5 s): {ok, items:[{name, state, detail, fix?}]}. Fails only when memory is
 * out.
 */
MEMBRANE_API int membrane_doctor(membrane_t *m, int64_t timeout_ms, membrane_result **ret_result, membrane_error **err);

#ifdef __cplusplus
}
#endif
#endif
