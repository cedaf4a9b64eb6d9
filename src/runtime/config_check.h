// SPDX-License-Identifier: MIT
// The shape of a configuration: which keys may stand where, of which type. Unknown keys are errors with the nearest
// one.
#ifndef MB_RUNTIME_CONFIG_CHECK_H
#define MB_RUNTIME_CONFIG_CHECK_H

#include "runtime/config.h"

const char *mb_config_found(const mb_json *value); // "a list", "a text", … for "must be …, not …"
int mb_config_check_shape(const mb_config *config, membrane_error **err);
void mb_config_warn(mb_config *config, const char *format, ...) __attribute__((format(printf, 2, 3)));
// A time: milliseconds as a number, or "500ms", "30s", "2m". Not negative.
int mb_config_duration(const mb_config *config, const mb_json *value, int64_t *ret_ms, membrane_error **err);
// One of count words, a text's: its index. The error names the nearest.
int mb_config_choice(const mb_config *config, const mb_json *value, const char *path, const char *const *words,
                     size_t count, int *ret, membrane_error **err);

#endif
