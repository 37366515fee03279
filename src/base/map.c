/* SPDX-License-Identifier: Apache-2.0 */
/* Entries lie densely in insertion order; a separate open-addressed table of indexes finds them. Removal
 * moves the last entry into the gap and closes the probe chain by shifting back, so there are no tombstones.
 */
#include "base/map.h"

#include "base/memory.h"

#include <assert.h>
#include <string.h>

static uint64_t hash(const char *key) {
  uint64_t h = 14695981039346656037u; /* FNV-1a */
  for (; *key; key++)
    h = (h ^ (unsigned char)*key) * 1099511628211u;
  return h ^ h >> 32;
}

static size_t home(const Map *map, const char *key) {
  return (size_t)hash(key) & (map->slot_count - 1);
}

/* The slot that holds the key, or the empty slot where it would go. */
static size_t find_slot(const Map *map, const char *key) {
  size_t slot = home(map, key);
  while (map->slots[slot] && strcmp(map->entries[map->slots[slot] - 1].key, key) != 0)
    slot = (slot + 1) & (map->slot_count - 1);
  return slot;
}

static void rebuild(Map *map, size_t slot_count) {
  free(map->slots);
  map->slots = mem_alloc(slot_count * sizeof *map->slots);
  map->slot_count = slot_count;
  for (size_t i = 0; i < map->count; i++)
    map->slots[find_slot(map, map->entries[i].key)] = (uint32_t)(i + 1);
}

void *map_find(const Map *map, const char *key) {
  if (!map->count)
    return NULL;
  uint32_t index = map->slots[find_slot(map, key)];
  return index ? map->entries[index - 1].value : NULL;
}

void *map_put(Map *map, const char *key, void *value) {
  assert(value);
  if ((map->count + 1) * 2 > map->slot_count)
    rebuild(map, map->slot_count ? map->slot_count * 2 : 16);
  size_t slot = find_slot(map, key);
  if (map->slots[slot]) {
    MapEntry *entry = &map->entries[map->slots[slot] - 1];
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
  map->entries[map->count++] =
      (MapEntry){.key = map->borrows_keys ? (char *)key : mem_strdup(key), .value = value};
  map->slots[slot] = (uint32_t)map->count;
  return NULL;
}

/* Empties a slot and moves later members of its probe chain back, so that lookups never meet a hole. */
static void close_gap(Map *map, size_t gap) {
  size_t mask = map->slot_count - 1;
  for (size_t slot = (gap + 1) & mask; map->slots[slot]; slot = (slot + 1) & mask) {
    size_t wanted = home(map, map->entries[map->slots[slot] - 1].key);
    bool may_move = ((slot - wanted) & mask) >= ((slot - gap) & mask);
    if (!may_move)
      continue;
    map->slots[gap] = map->slots[slot];
    gap = slot;
  }
  map->slots[gap] = 0;
}

static void free_key(const Map *map, size_t i) {
  if (!map->borrows_keys)
    free(map->entries[i].key);
}

void *map_remove(Map *map, const char *key) {
  if (!map->count)
    return NULL;
  size_t slot = find_slot(map, key);
  if (!map->slots[slot])
    return NULL;
  size_t index = map->slots[slot] - 1;
  void *old = map->entries[index].value;
  close_gap(map, slot);
  free_key(map, index);
  size_t last = map->count - 1;
  if (index != last) {
    map->slots[find_slot(map, map->entries[last].key)] = (uint32_t)(index + 1);
    map->entries[index] = map->entries[last];
  }
  map->count--;
  return old;
}

void map_clear(Map *map) {
  for (size_t i = 0; i < map->count; i++)
    free_key(map, i);
  map->count = 0;
  if (map->slots)
    memset(map->slots, 0, map->slot_count * sizeof *map->slots);
}

void map_deinit(Map *map) {
  map_clear(map);
  free(map->entries);
  free(map->slots);
  *map = (Map){0};
}
