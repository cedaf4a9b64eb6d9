// SPDX-License-Identifier: MIT
// Patterns from configuration and the command line: PCRE2 with limits on matching, so that no pattern and no text can
// take for ever. "glob:" style names (gpt-4*, *) are mb_pattern_glob.
#ifndef MB_BASE_PATTERN_H
#define MB_BASE_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

typedef struct mb_pattern mb_pattern;

// MEMBRANE_ECONFIG with the position and PCRE2's words, or MEMBRANE_ENOMEM.
int mb_pattern_new(const char *regex, bool ignore_case, mb_pattern **ret, membrane_error **err);
void mb_pattern_free(mb_pattern *pattern);
// Fewer steps a match than the default, which is also the most; only while no other thread uses the pattern.
void mb_pattern_set_steps(mb_pattern *pattern, unsigned steps);
// 1 matches, 0 does not, negative: a limit was passed (MEMBRANE_EDENIED) or memory is out. Any thread.
int mb_pattern_match(const mb_pattern *pattern, const char *text, size_t len);
// * any run of characters, ? one character; no memory, linear time in text times stars.
bool mb_pattern_glob(const char *glob, const char *text);

#endif
