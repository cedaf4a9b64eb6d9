// SPDX-License-Identifier: MIT
// Memory that lives as long as one request and is freed in one go. A debug build (MB_ARENA_MALLOC) gives each piece a
// block of its own, so that the sanitizers see every overrun.
#ifndef MB_BASE_ARENA_H
#define MB_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

typedef struct mb_arena_block mb_arena_block;

typedef struct mb_arena {
    mb_arena_block *blocks; // newest first
    char *at, *end;         // what is free in the newest
} mb_arena;

// Lends the arena its first piece of memory, so that small requests allocate nothing. It stays the caller's.
void mb_arena_lend(mb_arena *a, void *memory, size_t size);
void *mb_arena_alloc(mb_arena *a, size_t size); // aligned to 16, not cleared; NULL when memory is out
void *mb_arena_zalloc(mb_arena *a, size_t size);
char *mb_arena_strndup(mb_arena *a, const char *text, size_t len); // adds a NUL
char *mb_arena_strdup(mb_arena *a, const char *text);              // NULL gives NULL
char *mb_arena_printf(mb_arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
// A text that grows in an arena by doubling; what it outgrew is freed with the arena. False: out of memory.
typedef struct mb_arena_text {
    char *data; // no NUL behind it
    size_t len, cap;
} mb_arena_text;
bool mb_arena_append(mb_arena *a, mb_arena_text *t, const char *bytes, size_t len);
void mb_arena_free(mb_arena *a);   // everything; the arena is empty and usable then
void mb_arena_forget(mb_arena *a); // the same, and what stood in it is overwritten first

#endif
