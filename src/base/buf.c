// SPDX-License-Identifier: MIT
#include "base/buf.h"

#include <stdio.h>

#include "base/alloc.h"
#include "membrane/error.h"

enum { FIRST_SIZE = 256 };

bool mb_buf_grow(mb_buf *b, size_t extra) {
    size_t need, cap = b->cap ? b->cap : FIRST_SIZE;
    if (b->failed) return false;
    if (!mb_size_add(b->len, extra, &need) || need > b->max) {
        b->failed = MEMBRANE_EINVAL;
        return false;
    }
    while (cap < need) cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    if (cap > b->max) cap = b->max;
    if (cap <= b->cap && b->data) return true;
    char *data = cap > SIZE_MAX - MB_BUF_PADDING ? NULL : mb_realloc(b->data, cap + MB_BUF_PADDING);
    if (!data) {
        b->failed = MEMBRANE_ENOMEM;
        return false;
    }
    memset(data + cap, 0, MB_BUF_PADDING);
    data[b->len] = '\0';
    b->data = data;
    b->cap = cap;
    return true;
}

void mb_buf_vputf(mb_buf *b, const char *format, va_list args) {
    char small[256];
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(small, sizeof small, format, args);
    if (n >= 0 && (size_t)n < sizeof small) {
        mb_buf_put(b, small, (size_t)n);
    } else if (n >= 0 && (b->cap - b->len >= (size_t)n || mb_buf_grow(b, (size_t)n)) && !b->failed) {
        vsnprintf(b->data + b->len, (size_t)n + 1, format, again); // the padding holds the NUL
        b->len += (size_t)n;
    }
    va_end(again);
}

void mb_buf_putf(mb_buf *b, const char *format, ...) {
    va_list args;
    va_start(args, format);
    mb_buf_vputf(b, format, args);
    va_end(args);
}

void mb_buf_put_int(mb_buf *b, int64_t n) {
    char digits[24], *p = digits + sizeof digits;
    uint64_t u = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
    do *--p = (char)('0' + u % 10);
    while (u /= 10);
    if (n < 0) *--p = '-';
    mb_buf_put(b, p, (size_t)(digits + sizeof digits - p));
}

void mb_buf_cut(mb_buf *b, size_t len) {
    if (len >= b->len) return;
    b->len = len;
    b->data[len] = '\0';
}

void mb_buf_drop(mb_buf *b, size_t n) {
    if (n == 0) return;
    if (n > b->len) n = b->len;
    memmove(b->data, b->data + n, b->len - n);
    b->len -= n;
    b->data[b->len] = '\0';
}

void mb_buf_reset(mb_buf *b) {
    b->len = 0;
    b->failed = 0;
    if (b->data) b->data[0] = '\0';
}

int mb_buf_status(const mb_buf *b, int too_large) { return b->failed == MEMBRANE_EINVAL ? too_large : b->failed; }

void mb_buf_free(mb_buf *b) {
    mb_free(b->data);
    *b = MB_BUF(b->max);
}

char *mb_buf_take(mb_buf *b, size_t *ret_len) {
    char *data = NULL;
    if (mb_buf_ok(b) && (b->data || mb_buf_grow(b, 1))) {
        data = b->data;
        if (ret_len) *ret_len = b->len;
        b->data = NULL;
    }
    mb_buf_free(b);
    return data;
}
