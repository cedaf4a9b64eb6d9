// SPDX-License-Identifier: MIT
// A growing byte buffer that cannot be made without a maximum. Failure is sticky: after the first one (no memory, or
// the maximum passed) every put does nothing, and mb_buf_ok is asked once at the end. The bytes are always followed by
// a NUL and by MB_BUF_PADDING readable bytes, so that the JSON parser can read them in place.
#ifndef MB_BASE_BUF_H
#define MB_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MB_BUF_PADDING 64

typedef struct mb_buf {
    char *data; // NULL while nothing was ever put; see mb_buf_text
    size_t len;
    size_t cap; // usable bytes, without the padding
    size_t max;
    int failed; // 0, MEMBRANE_ENOMEM or MEMBRANE_EINVAL (the maximum passed)
} mb_buf;

#define MB_BUF(maximum) ((mb_buf){.max = (maximum)})

bool mb_buf_grow(mb_buf *b, size_t extra); // room for extra more bytes

static inline bool mb_buf_ok(const mb_buf *b) { return b->failed == 0; }
static inline const char *mb_buf_text(const mb_buf *b) { return b->data ? b->data : ""; }

static inline void mb_buf_put(mb_buf *b, const void *p, size_t n) {
    if (n == 0 || (b->cap - b->len < n && !mb_buf_grow(b, n))) return;
    if (b->failed) return;
    memcpy(b->data + b->len, p, n);
    b->len += n;
    b->data[b->len] = '\0';
}
static inline void mb_buf_puts(mb_buf *b, const char *text) { mb_buf_put(b, text, strlen(text)); }
static inline void mb_buf_putc(mb_buf *b, char c) { mb_buf_put(b, &c, 1); }

// 0, MEMBRANE_ENOMEM, or where the maximum was passed what the caller calls that.
int mb_buf_status(const mb_buf *b, int too_large);
void mb_buf_putf(mb_buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void mb_buf_vputf(mb_buf *b, const char *format, va_list args);
void mb_buf_put_int(mb_buf *b, int64_t n); // decimal, without printf
void mb_buf_cut(mb_buf *b, size_t len);    // shortens to len
void mb_buf_drop(mb_buf *b, size_t n);     // removes the first n bytes
void mb_buf_reset(mb_buf *b);              // empty and no longer failed; keeps its memory
void mb_buf_free(mb_buf *b);               // frees; usable again afterwards
char *mb_buf_take(mb_buf *b,
                  size_t *ret_len); // the bytes, owned by the caller; NULL if failed; the buffer is empty then

#endif
