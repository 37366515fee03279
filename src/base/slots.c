/* SPDX-License-Identifier: Apache-2.0 */
/* Open addressing. A removal moves later members of the gap's probe chain back, so that there are no
 * tombstones and searches never meet a hole. */
#include "base/slots.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE_FIRST = 16 };

static void insert(Slots *slots, uint64_t hash, uint32_t item) {
  size_t at = slots_first(slots, hash);
  while (slots->items[at])
    at = slots_next(slots, at);
  slots->items[at] = item;
}

static void grow(Slots *slots, SlotsHash *hash_of, const void *owner) {
  Slots old = *slots;
  slots->size = old.size ? old.size * 2 : SIZE_FIRST;
  slots->items = mem_alloc(slots->size * sizeof *slots->items);
  for (size_t at = 0; at < old.size; at++)
    if (old.items[at])
      insert(slots, hash_of(owner, old.items[at] - 1), old.items[at]);
  free(old.items);
}

void slots_put(Slots *slots, uint64_t hash, uint32_t number, SlotsHash *hash_of, const void *owner) {
  assert(number < UINT32_MAX);
  if ((slots->count + 1) * 4 > slots->size * 3)
    grow(slots, hash_of, owner);
  insert(slots, hash, number + 1);
  slots->count++;
}

void slots_remove(Slots *slots, size_t gap, SlotsHash *hash_of, const void *owner) {
  assert(gap < slots->size && slots->items[gap]);
  size_t mask = slots->size - 1;
  for (size_t at = slots_next(slots, gap); slots->items[at]; at = slots_next(slots, at)) {
    size_t home = slots_first(slots, hash_of(owner, slots->items[at] - 1));
    if (((at - home) & mask) < ((at - gap) & mask))
      continue;
    slots->items[gap] = slots->items[at];
    gap = at;
  }
  slots->items[gap] = 0;
  slots->count--;
}

void slots_clear(Slots *slots) {
  slots->count = 0;
  if (slots->items)
    memset(slots->items, 0, slots->size * sizeof *slots->items);
}

void slots_deinit(Slots *slots) {
  free(slots->items);
  *slots = (Slots){0};
}
