// SPDX-License-Identifier: MIT
// The allocator seam: every allocation of our own goes through here, so that a test can let the n-th one fail and
// count what is still held. Sizes from outside go through mb_size_add and mb_size_mul first.
#ifndef MB_BASE_ALLOC_H
#define MB_BASE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define mb_likely(x)   __builtin_expect(!!(x), 1)
#define mb_unlikely(x) __builtin_expect(!!(x), 0)
#define MB_COUNT(a)    (sizeof(a) / sizeof((a)[0]))

void *mb_malloc(size_t size);
void *mb_calloc(size_t count, size_t size);
void *mb_realloc(void *p, size_t size);
void mb_free(void *p);
char *mb_strdup(const char *text); // NULL gives NULL
char *mb_strndup(const char *text, size_t len);

// False (and *ret untouched) where the result does not fit.
static inline bool mb_size_add(size_t a, size_t b, size_t *ret) { return !__builtin_add_overflow(a, b, ret); }
static inline bool mb_size_mul(size_t a, size_t b, size_t *ret) { return !__builtin_mul_overflow(a, b, ret); }

// Tests only. fail_at(n): the n-th allocation from now on (1 is the next) fails, once; 0 switches it off.
// fail_hit: whether it has happened. live: how many of our blocks are held (counted only after count_live(true)).
void mb_alloc_fail_at(long n);
bool mb_alloc_fail_hit(void);
void mb_alloc_count_live(bool on);
long mb_alloc_live(void);

#endif
