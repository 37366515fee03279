/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "base/random.h"
#include "base/slots.h"

enum { NUMBERS = 200 };

/* Few different ones, so that chains are long, and some of them run over the table's end. */
static uint64_t hash_of(const void *owner, uint32_t number) {
  return UINT64_MAX - number % 7;
}

static size_t find(const Slots *slots, uint32_t number) {
  size_t at = slots_first(slots, hash_of(NULL, number));
  while (slots->items && slots->items[at] && slots->items[at] != number + 1)
    at = slots_next(slots, at);
  return slots->items && slots->items[at] ? at : SIZE_MAX;
}

static void nothing_is_found_where_nothing_was_put(void **state) {
  const Slots slots = {0};
  assert_true(find(&slots, 3) == SIZE_MAX);
}

/* Held against a plain table. */
static void what_comes_and_goes_at_random_is_found(void **state) {
  CLEANUP(slots_deinit) Slots slots = {0};
  bool is_in[NUMBERS] = {false};
  size_t count = 0;
  Random random = {.state = 11};
  for (int event = 0; event < 20000; event++) {
    uint32_t number = (uint32_t)random_below(&random, NUMBERS);
    if (is_in[number])
      slots_remove(&slots, find(&slots, number), hash_of, NULL);
    else
      slots_put(&slots, hash_of(NULL, number), number, hash_of, NULL);
    is_in[number] = !is_in[number];
    count += is_in[number] ? 1 : (size_t)-1;
    assert_int_equal(slots.count, count);
    assert_true(slots.count * 4 <= slots.size * 3);
    for (uint32_t i = 0; i < NUMBERS && event % 50 == 0; i++)
      assert_true((find(&slots, i) != SIZE_MAX) == is_in[i]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_is_found_where_nothing_was_put),
      cmocka_unit_test(what_comes_and_goes_at_random_is_found),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
