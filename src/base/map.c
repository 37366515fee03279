/* SPDX-License-Identifier: Apache-2.0 */
/* Entries lie densely in insertion order; their indexes are found by base/slots.h. Removal moves the last
 * entry into the gap. */
#include "base/map.h"

#include "base/memory.h"

#include <assert.h>
#include <string.h>

enum { KEPT_ENTRIES_MAX = 1024 };

static uint64_t hash(const char *key) {
  uint64_t h = 14695981039346656037u; /* FNV-1a */
  for (; *key; key++)
    h = (h ^ (unsigned char)*key) * 1099511628211u;
  return h ^ h >> 32;
}

static uint64_t hash_of_entry(const void *owner, uint32_t number) {
  return hash(((const Map *)owner)->entries[number].key);
}

/* Where the key is among the slots; SIZE_MAX: nowhere. */
static size_t find(const Map *map, const char *key, uint64_t hash_of_key) {
  const Slots *slots = &map->slots;
  for (size_t at = slots_first(slots, hash_of_key); slots->items && slots->items[at];
       at = slots_next(slots, at))
    if (strcmp(map->entries[slots->items[at] - 1].key, key) == 0)
      return at;
  return SIZE_MAX;
}

void *map_find(const Map *map, const char *key) {
  if (!map->count)
    return NULL;
  size_t at = find(map, key, hash(key));
  return at == SIZE_MAX ? NULL : map->entries[map->slots.items[at] - 1].value;
}

void *map_put(Map *map, const char *key, void *value) {
  assert(value);
  uint64_t hash_of_key = hash(key);
  size_t at = find(map, key, hash_of_key);
  if (at != SIZE_MAX) {
    MapEntry *entry = &map->entries[map->slots.items[at] - 1];
    void *old = entry->value;
    entry->value = value;
    if (map->borrows_keys)
      entry->key = (char *)key; /* that of the old value may go with it */
    return old;
  }
  if (map->count == map->capacity) {
    map->capacity = map->capacity ? map->capacity * 2 : 8;
    map->entries = mem_grow(map->entries, map->capacity, sizeof *map->entries);
  }
  map->entries[map->count] =
      (MapEntry){.key = map->borrows_keys ? (char *)key : mem_strdup(key), .value = value};
  slots_put(&map->slots, hash_of_key, (uint32_t)map->count, hash_of_entry, map);
  map->count++;
  return NULL;
}

static void free_key(const Map *map, size_t i) {
  if (!map->borrows_keys)
    free(map->entries[i].key);
}

/* Of a map that is empty. */
static void forget_crowd(Map *map) {
  if (map->capacity <= KEPT_ENTRIES_MAX)
    return;
  free(map->entries);
  map->entries = NULL;
  map->capacity = 0;
  slots_deinit(&map->slots);
}

void *map_remove(Map *map, const char *key) {
  size_t at = map->count ? find(map, key, hash(key)) : SIZE_MAX;
  if (at == SIZE_MAX)
    return NULL;
  size_t index = map->slots.items[at] - 1;
  void *old = map->entries[index].value;
  slots_remove(&map->slots, at, hash_of_entry, map);
  free_key(map, index);
  const MapEntry *last = &map->entries[map->count - 1];
  if (index != map->count - 1) {
    map->slots.items[find(map, last->key, hash(last->key))] = (uint32_t)(index + 1);
    map->entries[index] = *last;
  }
  map->count--;
  if (!map->count)
    forget_crowd(map);
  return old;
}

void map_clear(Map *map) {
  for (size_t i = 0; i < map->count; i++)
    free_key(map, i);
  map->count = 0;
  slots_clear(&map->slots);
  forget_crowd(map);
}

void map_deinit(Map *map) {
  map_clear(map);
  free(map->entries);
  slots_deinit(&map->slots);
  *map = (Map){0};
}
