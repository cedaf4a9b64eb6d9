// SPDX-License-Identifier: MIT
// UTF-8: is it well formed, and what a reader makes of it when it is not (one U+FFFD for each maximal wrong part, as
// the WHATWG decoder does).
#ifndef MB_BASE_UTF8_H
#define MB_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

bool mb_utf8_valid(const char *text, size_t len);
void mb_utf8_put_clean(mb_buf *out, const char *text, size_t len); // valid text is copied as it is
// The length of the character at text (len > 0), or minus the length of the wrong part there (1 to 3).
int mb_utf8_next(const char *text, size_t len);
// The longest prefix of at most max bytes that cuts no character in two.
size_t mb_utf8_prefix(const char *text, size_t len, size_t max);

#endif
