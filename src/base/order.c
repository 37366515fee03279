/* SPDX-License-Identifier: Apache-2.0 */
/* A radix sort, byte by byte from the least significant one. Bytes that are the same in all keys, which most
 * of them are, cost nothing but the look that finds it out. */
#include "base/order.h"

#include "base/memory.h"

#include <string.h>

enum { BYTES = sizeof(uint64_t) + sizeof(uint32_t) };

uint64_t order_key(int64_t number) {
  return (uint64_t)number ^ UINT64_C(1) << 63;
}

static unsigned byte_of(const OrderKey *key, size_t byte) {
  if (byte < sizeof key->low)
    return key->low >> 8 * byte & 0xff;
  return key->high >> 8 * (byte - sizeof key->low) & 0xff;
}

/* Which bits differ between keys, and whether the keys are in order as they are. */
static bool are_sorted(const OrderKey *keys, size_t count, uint64_t *ret_low, uint32_t *ret_high) {
  uint64_t low = 0;
  uint32_t high = 0;
  bool sorted = true;
  for (size_t i = 1; i < count; i++) {
    const OrderKey *a = &keys[i - 1], *b = &keys[i];
    low |= a->low ^ b->low;
    high |= a->high ^ b->high;
    sorted &= a->high < b->high || (a->high == b->high && a->low <= b->low);
  }
  *ret_low = low;
  *ret_high = high;
  return sorted;
}

static void scatter(const OrderKey *from, OrderKey *into, size_t count, size_t byte) {
  size_t ends[257] = {0};
  for (size_t i = 0; i < count; i++)
    ends[byte_of(&from[i], byte) + 1]++;
  for (int value = 0; value < 256; value++)
    ends[value + 1] += ends[value];
  for (size_t i = 0; i < count; i++)
    into[ends[byte_of(&from[i], byte)]++] = from[i];
}

void order_sort(OrderKey *keys, size_t count) {
  uint64_t low;
  uint32_t high;
  if (are_sorted(keys, count, &low, &high))
    return;
  const OrderKey differing = {.low = low, .high = high};
  CLEANUP(cleanup_free) OrderKey *other = mem_alloc(count * sizeof *other);
  OrderKey *from = keys, *into = other;
  for (size_t byte = 0; byte < BYTES; byte++) {
    if (!byte_of(&differing, byte))
      continue;
    scatter(from, into, count, byte);
    OrderKey *sorted = into;
    into = from;
    from = sorted;
  }
  if (from != keys)
    memcpy(keys, from, count * sizeof *keys);
}
