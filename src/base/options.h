// SPDX-License-Identifier: MIT
// Sized option structs: a program hands over as many bytes as its header knew, and the rest counts as not set.
#ifndef MB_BASE_OPTIONS_H
#define MB_BASE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// For a _init function: clears what the caller has room for and writes that size into struct_size.
static inline void mb_options_init(void *options, size_t size, size_t known) {
    uint32_t written = (uint32_t)(size < known ? size : known);
    if (!options || size < sizeof written) return;
    memset(options, 0, size);
    memcpy(options, &written, sizeof written);
}

// Copies what the caller gave (NULL: nothing) into ours, the rest zero. False if struct_size makes no sense.
static inline bool mb_options_read(void *mine, size_t known, const void *theirs) {
    uint32_t given = 0;
    memset(mine, 0, known);
    if (!theirs) return true;
    memcpy(&given, theirs, sizeof given);
    if (given < sizeof given || given > 4096) return false;
    memcpy(mine, theirs, given < known ? given : known);
    return true;
}

#endif
