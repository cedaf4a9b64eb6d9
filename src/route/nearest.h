// SPDX-License-Identifier: MIT
// Which known word somebody probably meant: for every message that refuses an unknown one.
#ifndef MB_ROUTE_NEAREST_H
#define MB_ROUTE_NEAREST_H

#include <stddef.h>

// The distance between two words: letters added, left out, changed, or two neighbours swapped. Words past 64 bytes
// are as far apart as they are long.
size_t mb_word_distance(const char *a, const char *b);
// The nearest of count words; NULL where none is near enough to be worth a question. known may hold NULLs.
const char *mb_nearest(const char *word, const char *const *known, size_t count);

#endif
