// SPDX-License-Identifier: MIT
// Edit distance with swaps (optimal string alignment) over three rows.
#include "route/nearest.h"

#include <string.h>

#define LONGEST 64

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

size_t mb_word_distance(const char *a, const char *b) {
    size_t la = strlen(a), lb = strlen(b);
    if (la > LONGEST || lb > LONGEST) return strcmp(a, b) == 0 ? 0 : la > lb ? la : lb;
    size_t rows[3][LONGEST + 1], *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= lb; j++) last[j] = j;
    for (size_t i = 1; i <= la; i++) {
        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            row[j] = least(least(last[j], row[j - 1]) + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
        size_t *free_row = before;
        before = last;
        last = row;
        row = free_row;
    }
    return last[lb];
}

const char *mb_nearest(const char *word, const char *const *known, size_t count) {
    const char *best = NULL;
    size_t best_distance = strlen(word) / 3 + 2; // about one letter in three may be wrong
    for (size_t i = 0; i < count; i++) {
        size_t distance = known[i] ? mb_word_distance(word, known[i]) : best_distance;
        if (distance >= best_distance) continue;
        best = known[i];
        best_distance = distance;
    }
    return best;
}
