// SPDX-License-Identifier: MIT
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

enum { BLOCK_SIZE = 4096, ALIGN = 16 };

struct mb_arena_block {
    mb_arena_block *next;
    size_t size;
};

static char *new_block(mb_arena *a, size_t size) {
    mb_arena_block *block = mb_malloc(sizeof *block + size);
    if (!block) return NULL;
    block->next = a->blocks;
    block->size = size;
    a->blocks = block;
    return (char *)(block + 1);
}

void mb_arena_lend(mb_arena *a, void *memory, size_t size) {
    a->at = memory;
    a->end = (char *)memory + size;
}

void *mb_arena_alloc(mb_arena *a, size_t size) {
    if (size > SIZE_MAX / 2) return NULL;
    size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (size == 0) size = ALIGN;
#ifdef MB_ARENA_MALLOC
    return new_block(a, size);
#else
    if ((size_t)(a->end - a->at) < size) {
        // A large piece gets a block of its own; the half-filled one stays in use.
        if (size > BLOCK_SIZE / 4) return new_block(a, size);
        size_t block_size = a->blocks ? BLOCK_SIZE * 2 : BLOCK_SIZE;
        char *data = new_block(a, block_size);
        if (!data) return NULL;
        a->at = data;
        a->end = data + block_size;
    }
    void *p = a->at;
    a->at += size;
    return p;
#endif
}

void *mb_arena_zalloc(mb_arena *a, size_t size) {
    void *p = mb_arena_alloc(a, size);
    if (p) memset(p, 0, size);
    return p;
}

char *mb_arena_strndup(mb_arena *a, const char *text, size_t len) {
    char *copy = len < SIZE_MAX ? mb_arena_alloc(a, len + 1) : NULL;
    if (!copy) return NULL;
    if (len) memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

char *mb_arena_strdup(mb_arena *a, const char *text) { return text ? mb_arena_strndup(a, text, strlen(text)) : NULL; }

char *mb_arena_printf(mb_arena *a, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    char *text = n < 0 ? NULL : mb_arena_alloc(a, (size_t)n + 1);
    if (text) vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    va_end(args);
    return text;
}

bool mb_arena_append(mb_arena *a, mb_arena_text *t, const char *bytes, size_t len) {
    if (t->cap - t->len < len) {
        if (len > SIZE_MAX / 4 - t->len) return false;
        size_t cap = 2 * t->cap > t->len + len ? 2 * t->cap : t->len + len + 256;
        char *data = mb_arena_alloc(a, cap);
        if (!data) return false;
        if (t->len) memcpy(data, t->data, t->len);
        t->data = data;
        t->cap = cap;
    }
    if (len) memcpy(t->data + t->len, bytes, len);
    t->len += len;
    return true;
}

void mb_arena_free(mb_arena *a) {
    for (mb_arena_block *block = a->blocks, *next; block; block = next) {
        next = block->next;
        mb_free(block);
    }
    *a = (mb_arena){0};
}

void mb_arena_forget(mb_arena *a) {
    for (mb_arena_block *block = a->blocks; block; block = block->next) explicit_bzero(block + 1, block->size);
    mb_arena_free(a);
}
