/* SPDX-License-Identifier: Apache-2.0 */
/* A radix sort from the least significant digit. Keys mostly lie close together: then what tells them apart
 * fits beside the index into one word, which is half as much to move, and a digit may have eleven bits. Other
 * keys are sorted byte by byte; bytes that are the same in all of them cost nothing but the look that finds
 * it out. A few keys are inserted one by one. */
#include "base/order.h"

#include "base/memory.h"

#include <string.h>

enum {
  FEW = 32, /* keys for which counting digits is more work than comparing */
  BYTES = sizeof(uint64_t) + sizeof(uint32_t),
  DIGIT_BITS = 11,
  SHORT = 2048, /* words, for which so many digits would not pay */
  SHORT_DIGIT_BITS = 6,
  INDEX_BITS = 32,
};

/* ---- words ---- */

unsigned order_bits(uint64_t number) {
  return number ? 64 - (unsigned)__builtin_clzll(number) : 0;
}

static void scatter_words(const uint64_t *from, uint64_t *into, size_t count, unsigned shift, unsigned bits) {
  uint32_t begins[1 << DIGIT_BITS], sum = 0;
  uint64_t mask = (UINT64_C(1) << bits) - 1;
  memset(begins, 0, (mask + 1) * sizeof *begins);
  for (size_t i = 0; i < count; i++)
    begins[from[i] >> shift & mask]++;
  for (uint64_t digit = 0; digit <= mask; digit++) {
    uint32_t digit_count = begins[digit];
    begins[digit] = sum;
    sum += digit_count;
  }
  for (size_t i = 0; i < count; i++)
    into[begins[from[i] >> shift & mask]++] = from[i];
}

void order_sort_words(uint64_t *words, size_t count, unsigned shift, unsigned bits) {
  CLEANUP(cleanup_free) uint64_t *other = mem_alloc_raw(count, sizeof *other);
  uint64_t *from = words, *into = other;
  unsigned digit_bits = count < SHORT ? SHORT_DIGIT_BITS : DIGIT_BITS;
  unsigned rounds = (bits + digit_bits - 1) / digit_bits;
  for (unsigned round = 0; round < rounds; round++) {
    unsigned begin = bits * round / rounds, end = bits * (round + 1) / rounds;
    scatter_words(from, into, count, shift + begin, end - begin);
    uint64_t *sorted = into;
    into = from;
    from = sorted;
  }
  if (from != words)
    memcpy(words, from, count * sizeof *words);
}

/* ---- keys ---- */

static unsigned byte_of(const OrderKey *key, size_t byte) {
  if (byte < sizeof key->low)
    return key->low >> 8 * byte & 0xff;
  return key->high >> 8 * (byte - sizeof key->low) & 0xff;
}

typedef struct Range { /* of the keys */
  OrderKey least, most;
  bool sorted; /* they are in order as they are */
} Range;

static Range find_range(const OrderKey *keys, size_t count) {
  Range range = {.least = keys[0], .most = keys[0], .sorted = true};
  for (size_t i = 1; i < count; i++) {
    const OrderKey *a = &keys[i - 1], *b = &keys[i];
    range.least.low = b->low < range.least.low ? b->low : range.least.low;
    range.most.low = b->low > range.most.low ? b->low : range.most.low;
    range.least.high = b->high < range.least.high ? b->high : range.least.high;
    range.most.high = b->high > range.most.high ? b->high : range.most.high;
    range.sorted &= a->high < b->high || (a->high == b->high && a->low <= b->low);
  }
  return range;
}

/* Keys that lie close together. */
static void sort_packed(OrderKey *keys, size_t count, const Range *range, unsigned low_bits, unsigned bits) {
  CLEANUP(cleanup_free) uint64_t *words = mem_alloc_raw(count, sizeof *words);
  const OrderKey *least = &range->least;
  for (size_t i = 0; i < count; i++) {
    uint64_t value = (uint64_t)(keys[i].high - least->high) << low_bits | (keys[i].low - least->low);
    words[i] = value << INDEX_BITS | (uint32_t)keys[i].index;
  }
  order_sort_words(words, count, INDEX_BITS, bits);
  for (size_t i = 0; i < count; i++) {
    uint64_t value = words[i] >> INDEX_BITS;
    keys[i] = (OrderKey){.low = least->low + (value & ((UINT64_C(1) << low_bits) - 1)),
                         .high = least->high + (uint32_t)(value >> low_bits),
                         .index = (int)(uint32_t)words[i]};
  }
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

static void sort_bytes(OrderKey *keys, size_t count) {
  OrderKey differing = {0};
  for (size_t i = 1; i < count; i++) {
    differing.low |= keys[i].low ^ keys[0].low;
    differing.high |= keys[i].high ^ keys[0].high;
  }
  CLEANUP(cleanup_free) OrderKey *other = mem_alloc_raw(count, sizeof *other);
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

/* ---- few ---- */

static bool is_before(const OrderKey *a, const OrderKey *b) {
  return a->high != b->high ? a->high < b->high : a->low < b->low;
}

static void sort_few(OrderKey *keys, size_t count) {
  for (size_t i = 1; i < count; i++) {
    OrderKey key = keys[i];
    size_t place = i;
    for (; place > 0 && is_before(&key, &keys[place - 1]); place--)
      keys[place] = keys[place - 1];
    keys[place] = key;
  }
}

void order_sort(OrderKey *keys, size_t count) {
  if (count <= FEW) {
    sort_few(keys, count);
    return;
  }
  Range range = find_range(keys, count);
  unsigned low_bits = order_bits(range.most.low - range.least.low);
  unsigned bits = low_bits + order_bits(range.most.high - range.least.high);
  if (range.sorted)
    return;
  if (bits <= 64 - INDEX_BITS)
    sort_packed(keys, count, &range, low_bits, bits);
  else
    sort_bytes(keys, count);
}
