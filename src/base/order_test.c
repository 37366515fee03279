/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/order.h"
#include "base/random.h"

static void the_high_key_decides_then_the_low_one(void **state) {
  OrderKey keys[] = {{.high = 1, .low = 5, .index = 0},
                     {.high = 0, .low = order_key(7), .index = 1},
                     {.high = 0, .low = order_key(-7), .index = 2},
                     {.high = UINT32_MAX, .low = 0, .index = 3},
                     {.high = 1, .low = 4, .index = 4}};
  static const int expected[] = {2, 1, 4, 0, 3};
  order_sort(keys, COUNT_OF(keys));
  for (size_t i = 0; i < COUNT_OF(keys); i++)
    assert_int_equal(keys[i].index, expected[i]);
}

static void numbers_keep_their_order_as_keys(void **state) {
  static const int64_t numbers[] = {INT64_MIN, -1000000, -1, 0, 1, 1000000, INT64_MAX};
  for (size_t i = 1; i < COUNT_OF(numbers); i++)
    assert_true(order_key(numbers[i - 1]) < order_key(numbers[i]));
}

static void few_and_none_are_sorted_too(void **state) {
  OrderKey one = {.low = 3, .index = 9};
  order_sort(NULL, 0);
  order_sort(&one, 1);
  assert_int_equal(one.index, 9);
}

static void equals_keep_their_order(void **state) {
  enum { COUNT = 5000 };
  static OrderKey keys[COUNT];
  for (uint64_t seed = 1; seed <= 20; seed++) {
    Random random = {.state = seed};
    int count = seed % 2 ? COUNT : 4 * (int)seed; /* many; few, and some more than few */
    for (int i = 0; i < count; i++)
      keys[i] = (OrderKey){.high = (uint32_t)random_below(&random, 3) << 30,
                           .low = random_below(&random, 4) << random_below(&random, 62),
                           .index = i};
    order_sort(keys, (size_t)count);
    for (int i = 1; i < count; i++) {
      const OrderKey *a = &keys[i - 1], *b = &keys[i];
      bool in_order = a->high < b->high || (a->high == b->high && a->low < b->low);
      bool equal = a->high == b->high && a->low == b->low;
      if (!in_order && !(equal && a->index < b->index))
        fail_msg("seed %llu: place %d", (unsigned long long)seed, i);
    }
  }
}

/* Both ways of sorting, and where one ends and the other begins. */
static void keys_far_from_zero_and_close_together_are_sorted(void **state) {
  enum { COUNT = 3000 };
  static OrderKey keys[COUNT];
  for (unsigned bits = 30; bits <= 34; bits++) {
    Random random = {.state = bits};
    for (int i = 0; i < COUNT; i++)
      keys[i] = (OrderKey){.high = UINT32_MAX - (uint32_t)random_below(&random, 2),
                           .low = order_key(1700000000) + random_below(&random, UINT64_C(1) << (bits - 1)),
                           .index = COUNT - i};
    order_sort(keys, COUNT);
    for (int i = 1; i < COUNT; i++)
      assert_true(keys[i - 1].high < keys[i].high ||
                  (keys[i - 1].high == keys[i].high && keys[i - 1].low <= keys[i].low));
    Random again = {.state = bits}; /* each key still has its own index */
    static OrderKey expected[COUNT + 1];
    for (int i = 0; i < COUNT; i++)
      expected[COUNT - i] =
          (OrderKey){.high = UINT32_MAX - (uint32_t)random_below(&again, 2),
                     .low = order_key(1700000000) + random_below(&again, UINT64_C(1) << (bits - 1))};
    for (int i = 0; i < COUNT; i++) {
      assert_true(keys[i].high == expected[keys[i].index].high);
      assert_true(keys[i].low == expected[keys[i].index].low);
    }
  }
}

static void assert_words_sorted(uint64_t seed, size_t count, unsigned shift, unsigned bits) {
  Random random = {.state = seed};
  CLEANUP(cleanup_free) uint64_t *words = mem_alloc_raw(count, sizeof *words);
  CLEANUP(cleanup_free) uint64_t *before = mem_alloc_raw(count, sizeof *before);
  uint64_t mask = bits < 64 ? (UINT64_C(1) << bits) - 1 : UINT64_MAX, places = (UINT64_C(1) << shift) - 1;
  for (size_t i = 0; i < count; i++) /* below the shift stands the place, so that equals are told apart */
    before[i] = words[i] = (random_next(&random) & ~places) | i;
  order_sort_words(words, count, shift, bits);
  for (size_t i = 0; i < count; i++) {
    uint64_t last = i ? words[i - 1] >> shift & mask : 0, this = words[i] >> shift & mask;
    bool in_order = !i || last < this || (last == this && (words[i - 1] & places) < (words[i] & places));
    if (!in_order || words[i] != before[words[i] & places])
      fail_msg("seed %llu, %zu words, %u bits from %u: place %zu", (unsigned long long)seed, count, bits,
               shift, i);
  }
}

static void words_are_sorted_by_the_bits_that_are_asked_for(void **state) {
  static const size_t counts[] = {0, 1, 2, 100, 2047, 2048, 5000};
  for (uint64_t seed = 1; seed <= 5; seed++)
    for (size_t i = 0; i < COUNT_OF(counts); i++)
      for (unsigned bits = 0; bits <= 51; bits += 3)
        assert_words_sorted(seed, counts[i], 13, bits);
}

static void a_number_takes_as_many_bits_as_it_has(void **state) {
  assert_int_equal(order_bits(0), 0);
  assert_int_equal(order_bits(1), 1);
  assert_int_equal(order_bits(255), 8);
  assert_int_equal(order_bits(256), 9);
  assert_int_equal(order_bits(UINT64_MAX), 64);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_high_key_decides_then_the_low_one),
      cmocka_unit_test(numbers_keep_their_order_as_keys),
      cmocka_unit_test(few_and_none_are_sorted_too),
      cmocka_unit_test(equals_keep_their_order),
      cmocka_unit_test(keys_far_from_zero_and_close_together_are_sorted),
      cmocka_unit_test(words_are_sorted_by_the_bits_that_are_asked_for),
      cmocka_unit_test(a_number_takes_as_many_bits_as_it_has),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
