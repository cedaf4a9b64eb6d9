// SPDX-License-Identifier: MIT
// A character is decided by its lead byte: how many bytes follow, and in which range the first of them lies (that range
// shuts out the overlong forms, the surrogates and what is above U+10FFFF). ASCII is passed over 64 bytes at a time.
#include "base/utf8.h"

#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

static const char REPLACEMENT[] = "\xEF\xBF\xBD"; // U+FFFD

int mb_utf8_next(const char *text, size_t len) {
    const unsigned char *s = (const unsigned char *)text;
    unsigned char low = 0x80, high = 0xBF;
    int more;
    if (s[0] < 0x80) return 1;
    if (s[0] < 0xC2) return -1;
    if (s[0] < 0xE0)
        more = 1;
    else if (s[0] < 0xF0)
        more = 2;
    else if (s[0] < 0xF5)
        more = 3;
    else
        return -1;
    if (s[0] == 0xE0) low = 0xA0;
    if (s[0] == 0xED) high = 0x9F;
    if (s[0] == 0xF0) low = 0x90;
    if (s[0] == 0xF4) high = 0x8F;
    for (int i = 1; i <= more; i++, low = 0x80, high = 0xBF)
        if ((size_t)i >= len || s[i] < low || s[i] > high) return -i;
    return more + 1;
}

// How many bytes from the start are ASCII.
static size_t ascii_run(const char *text, size_t len) {
    const uint64_t high_bits = 0x8080808080808080u;
    size_t i = 0;
#ifdef __SSE2__
    for (; len - i >= 64; i += 64) {
        const __m128i *p = (const __m128i *)(text + i);
        __m128i low = _mm_or_si128(_mm_loadu_si128(p), _mm_loadu_si128(p + 1));
        __m128i high = _mm_or_si128(_mm_loadu_si128(p + 2), _mm_loadu_si128(p + 3));
        if (_mm_movemask_epi8(_mm_or_si128(low, high))) break;
    }
#endif
    for (uint64_t word; len - i >= sizeof word; i += sizeof word) {
        memcpy(&word, text + i, sizeof word);
        if (word & high_bits) break;
    }
    while (i < len && !(text[i] & 0x80)) i++;
    return i;
}

// The length of the well-formed prefix.
static size_t valid_run(const char *text, size_t len) {
    for (size_t i = 0;;) {
        i += ascii_run(text + i, len - i);
        if (i == len) return len;
        // Text that is not ASCII seldom returns to it for long: stay with single characters for a while.
        for (int chars = 0; chars < 16 && i < len; chars++) {
            int n = mb_utf8_next(text + i, len - i);
            if (n < 0) return i;
            i += (size_t)n;
        }
    }
}

bool mb_utf8_valid(const char *text, size_t len) { return valid_run(text, len) == len; }

void mb_utf8_put_clean(mb_buf *out, const char *text, size_t len) {
    while (len > 0) {
        size_t good = valid_run(text, len);
        mb_buf_put(out, text, good);
        if (good == len || !mb_buf_ok(out)) return;
        mb_buf_put(out, REPLACEMENT, sizeof REPLACEMENT - 1);
        size_t bad = (size_t)-mb_utf8_next(text + good, len - good);
        text += good + bad;
        len -= good + bad;
    }
}

size_t mb_utf8_prefix(const char *text, size_t len, size_t max) {
    if (len <= max) return len;
    // At most three bytes back there is a lead byte, or the text is not UTF-8 and may be cut anywhere.
    for (size_t at = max; at + 3 >= max; at--) {
        if (((unsigned char)text[at] & 0xC0) != 0x80) return at;
        if (at == 0) break;
    }
    return max;
}
