// SPDX-License-Identifier: MIT
// Open addressing over an array of entries in insertion order:
//     slots:    [ 0 | 2 | 0 | 1 | 0 | 3 | … ]       entries: [ "a" ][ "b" ][ "c" ] …
// A slot holds an entry's index + 1. A removed entry keeps its slot as a tombstone (key NULL), so that probing goes on
// past it; growing writes both arrays anew without the holes. At most three quarters of the slots are in use.
#include "base/map.h"

#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"

enum { FIRST_SLOTS = 8, MAX_SLOTS = 1 << 30 };

struct mb_map_entry {
    char *key; // NULL: removed
    size_t key_len;
    uint64_t hash;
    void *value;
};

// FNV-1a over eight bytes at a time with a strong last mix: short names, a secret start.
static uint64_t hash_of(uint64_t seed, const char *key, size_t len) {
    uint64_t h = seed ^ (len * 0x9e3779b97f4a7c15u);
    while (len > 0) {
        uint64_t word = 0;
        size_t n = len < 8 ? len : 8;
        memcpy(&word, key, n);
        h = (h ^ word) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
        key += n;
        len -= n;
    }
    h *= 0xc4ceb9fe1a85ec53u;
    return h ^ (h >> 29);
}

static mb_map_entry *find(const mb_map *map, const char *key, size_t len) {
    if (map->count == 0) return NULL;
    uint64_t hash = hash_of(map->seed, key, len);
    for (uint32_t mask = map->slot_count - 1, i = (uint32_t)hash & mask; map->slots[i]; i = (i + 1) & mask) {
        mb_map_entry *e = &map->entries[map->slots[i] - 1];
        if (e->key && e->hash == hash && e->key_len == len && memcmp(e->key, key, len) == 0) return e;
    }
    return NULL;
}

static void place(mb_map *map, uint32_t index) {
    uint32_t mask = map->slot_count - 1, i = (uint32_t)map->entries[index].hash & mask;
    while (map->slots[i]) i = (i + 1) & mask;
    map->slots[i] = index + 1;
}

static uint32_t capacity(uint32_t slot_count) { return slot_count / 4 * 3; }

static bool grow(mb_map *map) {
    uint32_t slot_count = FIRST_SLOTS;
    while (slot_count < MAX_SLOTS && capacity(slot_count) < map->count + map->count / 2 + 1) slot_count *= 2;
    if (capacity(slot_count) <= map->count) return false;
    mb_map_entry *entries = mb_calloc(capacity(slot_count), sizeof *entries);
    uint32_t *slots = mb_calloc(slot_count, sizeof *slots);
    if (!entries || !slots) {
        mb_free(entries);
        mb_free(slots);
        return false;
    }
    if (map->count == 0) { // nothing was hashed yet
        mb_rng rng;
        mb_rng_seed(&rng);
        map->seed = mb_rng_next(&rng);
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < map->used; i++)
        if (map->entries[i].key) entries[kept++] = map->entries[i];
    mb_free(map->entries);
    mb_free(map->slots);
    *map = (mb_map){entries, slots, kept, kept, slot_count, map->seed};
    for (uint32_t i = 0; i < kept; i++) place(map, i);
    return true;
}

bool mb_map_put(mb_map *map, const char *key, void *value) {
    size_t len = strlen(key);
    mb_map_entry *e = find(map, key, len);
    if (e) {
        e->value = value;
        return true;
    }
    if (map->used >= capacity(map->slot_count) && !grow(map)) return false;
    char *copy = mb_strndup(key, len);
    if (!copy) return false;
    map->entries[map->used] = (mb_map_entry){copy, len, hash_of(map->seed, key, len), value};
    place(map, map->used++);
    map->count++;
    return true;
}

void *mb_map_get_n(const mb_map *map, const char *key, size_t key_len) {
    mb_map_entry *e = find(map, key, key_len);
    return e ? e->value : NULL;
}

void *mb_map_get(const mb_map *map, const char *key) { return mb_map_get_n(map, key, strlen(key)); }

bool mb_map_has(const mb_map *map, const char *key) { return find(map, key, strlen(key)) != NULL; }

void *mb_map_remove(mb_map *map, const char *key) {
    mb_map_entry *e = find(map, key, strlen(key));
    if (!e) return NULL;
    mb_free(e->key);
    e->key = NULL;
    map->count--;
    return e->value;
}

bool mb_map_each(const mb_map *map, size_t *at, const char **ret_key, void **ret_value) {
    while (*at < map->used) {
        mb_map_entry *e = &map->entries[(*at)++];
        if (!e->key) continue;
        if (ret_key) *ret_key = e->key;
        if (ret_value) *ret_value = e->value;
        return true;
    }
    return false;
}

void mb_map_free(mb_map *map) {
    for (uint32_t i = 0; i < map->used; i++) mb_free(map->entries[i].key);
    mb_free(map->entries);
    mb_free(map->slots);
    *map = (mb_map){0};
}
