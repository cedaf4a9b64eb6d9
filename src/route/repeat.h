// SPDX-License-Identifier: MIT
// Most chunks of a stream say the same as the one before, but for the text inside one string. A chunk that was parsed
// and gave nothing but a piece of text is remembered as what stands before and after that string; the next one, if it
// is the same there and plain text in between, gives its piece without being parsed. Pure, and exact: anything else is
// parsed.
#ifndef MB_ROUTE_REPEAT_H
#define MB_ROUTE_REPEAT_H

#include <stdbool.h>
#include <stddef.h>

enum { MB_REPEAT_MAX = 1024 }; // longer chunks are not remembered

typedef struct mb_repeat {
    size_t head, tail; // bytes before and after the string's text; head 0: nothing is remembered
    char bytes[MB_REPEAT_MAX];
} mb_repeat;

// The chunk (valid JSON) held the member "key":"text" and nothing else of interest. Remembered only if that member
// stands there once, and written without escapes (a space behind the colon is known).
void mb_repeat_learn(mb_repeat *r, const char *chunk, size_t len, const char *key, const char *text, size_t text_len);
// The piece of text inside the chunk, if it differs from the remembered one there only. chunk is valid UTF-8.
bool mb_repeat_match(const mb_repeat *r, const char *chunk, size_t len, const char **ret_text, size_t *ret_len);

#endif
