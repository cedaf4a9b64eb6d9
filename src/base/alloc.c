// SPDX-License-Identifier: MIT
#include "base/alloc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

// One relaxed load on the hot path: the test machinery is armed or it is not.
static atomic_bool armed;
static atomic_long countdown;
static atomic_bool hit;
static atomic_bool counting;
static atomic_long live;

static bool fails(void) {
    if (mb_likely(!atomic_load_explicit(&armed, memory_order_relaxed))) return false;
    if (atomic_fetch_sub(&countdown, 1) != 1) return false;
    atomic_store(&hit, true);
    atomic_store(&armed, false);
    return true;
}

static void *counted(void *p) {
    if (p && atomic_load_explicit(&counting, memory_order_relaxed)) atomic_fetch_add(&live, 1);
    return p;
}

void *mb_malloc(size_t size) { return fails() ? NULL : counted(malloc(size ? size : 1)); }

void *mb_calloc(size_t count, size_t size) {
    return fails() ? NULL : counted(calloc(count ? count : 1, size ? size : 1));
}

void *mb_realloc(void *p, size_t size) {
    if (!p) return mb_malloc(size);
    return fails() ? NULL : realloc(p, size ? size : 1);
}

void mb_free(void *p) {
    if (p && atomic_load_explicit(&counting, memory_order_relaxed)) atomic_fetch_sub(&live, 1);
    free(p);
}

char *mb_strdup(const char *text) { return text ? mb_strndup(text, strlen(text)) : NULL; }

char *mb_strndup(const char *text, size_t len) {
    char *copy = mb_malloc(len + 1);
    if (!copy) return NULL;
    if (len) memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

void mb_alloc_fail_at(long n) {
    atomic_store(&hit, false);
    atomic_store(&countdown, n);
    atomic_store(&armed, n > 0);
}

bool mb_alloc_fail_hit(void) { return atomic_load(&hit); }

void mb_alloc_count_live(bool on) {
    atomic_store(&live, 0);
    atomic_store(&counting, on);
}

long mb_alloc_live(void) { return atomic_load(&live); }
