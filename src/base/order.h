/* SPDX-License-Identifier: Apache-2.0 */
/* Sorting many things by numbers, without comparing them: by the high key, then by the low one. The order
 * among equals is kept. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct OrderKey {
  uint64_t low;
  uint32_t high;
  int index; /* of the thing */
} OrderKey;

/* A signed number as a key. */
static inline uint64_t order_key(int64_t number) {
  return (uint64_t)number ^ UINT64_C(1) << 63;
}

void order_sort(OrderKey *keys, size_t count);
/* Sorts words by so many of their bits from `shift` on; the others are whatever the caller keeps there. */
void order_sort_words(uint64_t *words, size_t count, unsigned shift, unsigned bits);
/* How many bits the number takes. */
unsigned order_bits(uint64_t number);
