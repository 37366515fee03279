/* SPDX-License-Identifier: Apache-2.0 */
/* The hash takes eight bytes at a step. It need not be strong: equality is decided by the bytes, and whoever
 * makes many of them collide only makes this slow. */
#include "base/intern.h"

#include "base/memory.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

/* Of a number that is back: no bytes, and `size` is the next such one plus one. */
struct InternEntry {
  void *bytes;
  size_t size;
  uint64_t hash;
};

static uint64_t mix(uint64_t hash, uint64_t word) {
  hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
  return hash ^ hash >> 29;
}

static uint64_t hash_of(const unsigned char *bytes, size_t size) {
  uint64_t hash = size, word;
  for (; size >= sizeof word; bytes += sizeof word, size -= sizeof word) {
    memcpy(&word, bytes, sizeof word);
    hash = mix(hash, word);
  }
  word = 0;
  if (size)
    memcpy(&word, bytes, size);
  return mix(mix(hash, word), 0);
}

/* Where the bytes are; SIZE_MAX: nowhere. */
static size_t find(const Intern *intern, const void *bytes, size_t size, uint64_t hash) {
  const Slots *slots = &intern->slots;
  for (size_t at = slots_first(slots, hash); slots->items && slots->items[at]; at = slots_next(slots, at)) {
    const InternEntry *entry = &intern->entries[slots->items[at] - 1];
    if (entry->hash == hash && entry->size == size && (!size || memcmp(entry->bytes, bytes, size) == 0))
      return at;
  }
  return SIZE_MAX;
}

static uint64_t hash_of_number(const void *owner, uint32_t number) {
  return ((const Intern *)owner)->entries[number].hash;
}

static InternEntry *new_entry(Intern *intern) {
  if (intern->free) {
    InternEntry *entry = &intern->entries[intern->free - 1];
    intern->free = (uint32_t)entry->size;
    return entry;
  }
  assert(intern->count < INT_MAX);
  if (intern->count == intern->capacity) {
    intern->capacity = intern->capacity ? intern->capacity * 2 : 16;
    intern->entries = mem_grow(intern->entries, intern->capacity, sizeof *intern->entries);
  }
  return &intern->entries[intern->count++];
}

int intern_number(Intern *intern, const void *bytes, size_t size) {
  uint64_t hash = hash_of(bytes, size);
  size_t at = find(intern, bytes, size, hash);
  if (at != SIZE_MAX)
    return (int)intern->slots.items[at] - 1;
  void *copy = mem_alloc(size + 1); /* NULL means something else */
  if (size)
    memcpy(copy, bytes, size);
  InternEntry *entry = new_entry(intern);
  int number = (int)(entry - intern->entries);
  *entry = (InternEntry){.bytes = copy, .size = size, .hash = hash};
  slots_put(&intern->slots, hash, (uint32_t)number, hash_of_number, intern);
  return number;
}

void intern_forget(Intern *intern, int number) {
  assert(number >= 0 && (size_t)number < intern->count && intern->entries[number].bytes);
  InternEntry *entry = &intern->entries[number];
  slots_remove(&intern->slots, find(intern, entry->bytes, entry->size, entry->hash), hash_of_number, intern);
  free(entry->bytes);
  *entry = (InternEntry){.size = intern->free};
  intern->free = (uint32_t)number + 1;
}

void intern_deinit(Intern *intern) {
  for (size_t i = 0; i < intern->count; i++)
    free(intern->entries[i].bytes);
  free(intern->entries);
  slots_deinit(&intern->slots);
  *intern = (Intern){0};
}
