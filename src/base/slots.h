/* SPDX-License-Identifier: Apache-2.0 */
/* Finds numbers by a hash of what they stand for, which lies elsewhere: the table under maps.
 *
 *     size_t at = slots_first(&slots, hash);
 *     for (; slots.items && slots.items[at]; at = slots_next(&slots, at))
 *       if (is_it(slots.items[at] - 1)) ...
 *
 * A Slots of zeroes is empty and usable. */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Slots {
  uint32_t *items; /* number + 1; 0 is empty */
  size_t size;     /* of items: a power of two; at most three quarters are in use */
  size_t count;    /* numbers */
} Slots;

/* The hash that the number was put in with. */
typedef uint64_t SlotsHash(const void *owner, uint32_t number);

static inline size_t slots_first(const Slots *slots, uint64_t hash) {
  return slots->size ? (size_t)hash & (slots->size - 1) : 0;
}

static inline size_t slots_next(const Slots *slots, size_t at) {
  return (at + 1) & (slots->size - 1);
}

/* A number that is not in. */
void slots_put(Slots *slots, uint64_t hash, uint32_t number, SlotsHash *hash_of, const void *owner);
/* The number at the place `gap`, which is in. Others may move there. */
void slots_remove(Slots *slots, size_t gap, SlotsHash *hash_of, const void *owner);
void slots_clear(Slots *slots);  /* keeps its memory */
void slots_deinit(Slots *slots); /* a cleanup function as it is */
