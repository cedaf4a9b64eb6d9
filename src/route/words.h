// SPDX-License-Identifier: MIT
// Text as words and marks, for ranking and for counting: a word is a run of letters and digits, in lower case; each
// Chinese character and each katakana is a word of its own; everything else that is no space is a mark. Pure.
#ifndef MB_ROUTE_WORDS_H
#define MB_ROUTE_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MB_WORD_BYTES 48 // longer words are told apart by their beginning

typedef struct mb_word {
    bool is_mark; // text is empty then
    uint8_t len;
    char text[MB_WORD_BYTES]; // lower case, without a NUL
} mb_word;

// The next word or mark at or after *at; moves *at behind it. False at the end.
bool mb_word_next(const char *text, size_t len, size_t *at, mb_word *ret);
// Words that say nothing about what is asked ("the", "how", "do"; hiragana). English, because questions mostly are.
bool mb_word_is_stop(const mb_word *word);
size_t mb_word_count(const char *text, size_t len); // words and marks

#endif
