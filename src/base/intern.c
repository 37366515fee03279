/* SPDX-License-Identifier: Apache-2.0 */
/* The hash takes eight bytes at a step. It need not be strong: equality is decided by the bytes, and whoever
 * makes many of them collide only makes this slow. */
#include "base/intern.h"

#include "base/memory.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

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

static size_t find_slot(const Intern *intern, const void *bytes, size_t size, uint64_t hash) {
  size_t slot = (size_t)hash & (intern->slot_count - 1);
  for (; intern->slots[slot]; slot = (slot + 1) & (intern->slot_count - 1)) {
    const InternEntry *entry = &intern->entries[intern->slots[slot] - 1];
    if (entry->hash == hash && entry->size == size && (!size || memcmp(entry->bytes, bytes, size) == 0))
      break;
  }
  return slot;
}

static void grow(Intern *intern) {
  free(intern->slots);
  intern->slot_count = intern->slot_count ? intern->slot_count * 2 : 64;
  intern->slots = mem_alloc(intern->slot_count * sizeof *intern->slots);
  for (size_t i = 0; i < intern->count; i++) {
    size_t slot = (size_t)intern->entries[i].hash & (intern->slot_count - 1);
    while (intern->slots[slot])
      slot = (slot + 1) & (intern->slot_count - 1);
    intern->slots[slot] = (uint32_t)(i + 1);
  }
}

int intern_number(Intern *intern, const void *bytes, size_t size) {
  uint64_t hash = hash_of(bytes, size);
  if ((intern->count + 1) * 2 > intern->slot_count)
    grow(intern);
  size_t slot = find_slot(intern, bytes, size, hash);
  if (intern->slots[slot])
    return (int)intern->slots[slot] - 1;
  assert(intern->count < INT_MAX);
  if (intern->count == intern->capacity) {
    intern->capacity = intern->capacity ? intern->capacity * 2 : 16;
    intern->entries = mem_grow(intern->entries, intern->capacity, sizeof *intern->entries);
  }
  void *copy = mem_alloc(size);
  if (size)
    memcpy(copy, bytes, size);
  intern->entries[intern->count++] = (InternEntry){.bytes = copy, .size = size, .hash = hash};
  intern->slots[slot] = (uint32_t)intern->count;
  return (int)intern->count - 1;
}

void intern_deinit(Intern *intern) {
  for (size_t i = 0; i < intern->count; i++)
    free(intern->entries[i].bytes);
  free(intern->entries);
  free(intern->slots);
  *intern = (Intern){0};
}
