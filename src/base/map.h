/* SPDX-License-Identifier: Apache-2.0 */
/* A map from strings to pointers. Keys are copied (unless borrows_keys), values are borrowed. Iteration is in
 * order of insertion, so that results never depend on hashing: for (size_t i = 0; i < map.count; i++)
 * use(map.entries[i].key, map.entries[i].value); map_remove() moves the last entry into the gap: entries
 * before it keep their places.
 */
#pragma once

#include "base/cleanup.h"
#include "base/slots.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct MapEntry {
  char *key;
  void *value;
} MapEntry;

typedef struct Map {
  MapEntry *entries;
  size_t count;
  size_t capacity;
  Slots slots;       /* of entries' indexes */
  bool borrows_keys; /* set while it is empty: keys are not copied; each must live as long as its value is in
                      */
} Map;

void *map_find(const Map *map, const char *key); /* NULL where there is none */
/* Adds or replaces; returns the value that was there before, or NULL. The value must not be NULL. */
void *map_put(Map *map, const char *key, void *value);
void *map_remove(Map *map, const char *key); /* the value that was there, or NULL */
/* A map that is empty again keeps the memory of a few entries; what a crowd had is given back. */
void map_clear(Map *map);
void map_deinit(Map *map); /* a cleanup function as it is */
