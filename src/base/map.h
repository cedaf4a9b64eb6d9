// SPDX-License-Identifier: MIT
// From a name to a pointer. Keys are copied; values belong to the caller. Seeded, so that names chosen by somebody
// else cannot make it slow. Iteration gives the order of insertion, deletions aside. One thread at a time.
//     for (size_t at = 0; mb_map_each(map, &at, &key, &value);) …
#ifndef MB_BASE_MAP_H
#define MB_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct mb_map_entry mb_map_entry;

typedef struct mb_map {
    mb_map_entry *entries; // in the order of insertion; a removed one stays as a hole until the next growth
    uint32_t *slots;       // index into entries + 1; 0 is free
    uint32_t used;         // entries, holes too
    uint32_t count;        // entries without the holes
    uint32_t slot_count;   // a power of two
    uint64_t seed;
} mb_map;

// An empty map needs no memory: (mb_map){0} is one.
void mb_map_free(mb_map *map); // empty and usable then

bool mb_map_put(mb_map *map, const char *key, void *value); // adds or replaces; false: out of memory, nothing changed
void *mb_map_get(const mb_map *map, const char *key);       // NULL: absent
void *mb_map_get_n(const mb_map *map, const char *key, size_t key_len);
bool mb_map_has(const mb_map *map, const char *key);
void *mb_map_remove(mb_map *map, const char *key); // its value; NULL: it was not there
static inline size_t mb_map_count(const mb_map *map) { return map->count; }

// The next entry at or after *at, which starts as 0. False at the end. The entry just given may be removed.
bool mb_map_each(const mb_map *map, size_t *at, const char **ret_key, void **ret_value);

#endif
