/* SPDX-License-Identifier: MIT */
/**
 * @file membrane.h
 * @brief libmembrane: model calls, routed, in process. This header includes all others.
 *
 * Conventions, once for all headers: strings are UTF-8; structured data is JSON text; a function that can fail returns
 * 0 or a negative MEMBRANE_E… code and fills membrane_error ** last (NULL is allowed); ret_ arguments are written only
 * on success; _free and _close take NULL; objects may be freed in any order; times are milliseconds; sizes are bytes;
 * money is integer micro-dollars. Option structs begin with struct_size and are filled by their _init function.
 *
 * @code
 * #include <membrane/membrane.h>
 * #include <stdio.h>
 * int main(void) {
 *     membrane_options o; membrane_t *m = NULL; membrane_error *err = NULL; char *answer = NULL;
 *     membrane_options_init(&o, sizeof o);
 *     o.flags = MEMBRANE_USER_CONFIG;
 *     const char *ask = "{\"messages\":[{\"role\":\"user\",\"content\":\"Why is the sky blue?\"}]}";
 *     if (membrane_open(&o, &m, &err) == 0 && membrane_call_text(m, ask, 0, NULL, &answer, &err) == 0) puts(answer);
 *     else fprintf(stderr, "%s: %s\n", membrane_error_kind(err), membrane_error_message(err));
 *     membrane_string_free(answer); membrane_error_free(err); membrane_close(m, 1000);
 * }
 * @endcode
 */
#ifndef MEMBRANE_MEMBRANE_H
#define MEMBRANE_MEMBRANE_H

#include "membrane/budget.h"
#include "membrane/call.h"
#include "membrane/config.h"
#include "membrane/doctor.h"
#include "membrane/error.h"
#include "membrane/event.h"
#include "membrane/keys.h"
#include "membrane/log.h"
#include "membrane/metrics.h"
#include "membrane/model.h"
#include "membrane/options.h"
#include "membrane/provider.h"
#include "membrane/result.h"
#include "membrane/usage.h"
#include "membrane/version.h"

#endif
