/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "base/intern.h"
#include "base/random.h"

static void equal_bytes_get_equal_numbers_in_the_order_of_their_first_coming(void **state) {
  CLEANUP(intern_deinit) Intern intern = {0};
  assert_int_equal(intern_number(&intern, "zone=a", 6), 0);
  assert_int_equal(intern_number(&intern, "zone=b", 6), 1);
  assert_int_equal(intern_number(&intern, "", 0), 2);
  assert_int_equal(intern_number(&intern, NULL, 0), 2);
  assert_int_equal(intern_number(&intern, "zone=a", 6), 0);
}

static void zero_bytes_and_lengths_count(void **state) {
  CLEANUP(intern_deinit) Intern intern = {0};
  assert_int_equal(intern_number(&intern, "\0", 1), 0);
  assert_int_equal(intern_number(&intern, "\0\0", 2), 1);
  assert_int_equal(intern_number(&intern, "\0\0\0\0\0\0\0\0", 8), 2);
  assert_int_equal(intern_number(&intern, "\0\0\0\0\0\0\0\0\0", 9), 3);
  assert_int_equal(intern_number(&intern, "\0", 1), 0);
}

static void thousands_are_told_apart(void **state) {
  CLEANUP(intern_deinit) Intern intern = {0};
  for (int round = 0; round < 2; round++)
    for (int i = 0; i < 5000; i++)
      assert_int_equal(intern_number(&intern, &i, sizeof i), i);
  assert_int_equal(intern.count, 5000);
}

static void a_number_that_was_given_back_is_given_to_others(void **state) {
  CLEANUP(intern_deinit) Intern intern = {0};
  assert_int_equal(intern_number(&intern, "a", 1), 0);
  assert_int_equal(intern_number(&intern, "b", 1), 1);
  assert_int_equal(intern_number(&intern, "", 0), 2);
  intern_forget(&intern, 0);
  intern_forget(&intern, 2);
  assert_int_equal(intern_number(&intern, "b", 1), 1);
  assert_int_equal(intern_number(&intern, "c", 1), 2);
  assert_int_equal(intern_number(&intern, "a", 1), 0);
  assert_int_equal(intern_number(&intern, "", 0), 3);
}

/* Held against a plain table; the numbers in use stay as dense as what is in use was at its most. */
static void what_is_forgotten_at_random_leaves_the_others_to_be_found(void **state) {
  enum { KEYS = 500, IN_USE = 100, EVENTS = 20000 };
  CLEANUP(intern_deinit) Intern intern = {0};
  int numbers[KEYS], in_use = 0;
  for (int i = 0; i < KEYS; i++)
    numbers[i] = -1;
  Random random = {.state = 7};
  for (int event = 0; event < EVENTS; event++) {
    int key = (int)random_below(&random, KEYS);
    if (numbers[key] >= 0 && (in_use == IN_USE || random_below(&random, 2))) {
      intern_forget(&intern, numbers[key]);
      numbers[key] = -1;
      in_use--;
    } else if (numbers[key] >= 0 || in_use < IN_USE) {
      int number = intern_number(&intern, &key, sizeof key);
      assert_true(numbers[key] < 0 || numbers[key] == number);
      in_use += numbers[key] < 0;
      numbers[key] = number;
      assert_in_range(number, 0, IN_USE - 1);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(equal_bytes_get_equal_numbers_in_the_order_of_their_first_coming),
      cmocka_unit_test(zero_bytes_and_lengths_count),
      cmocka_unit_test(a_number_that_was_given_back_is_given_to_others),
      cmocka_unit_test(what_is_forgotten_at_random_leaves_the_others_to_be_found),
      cmocka_unit_test(thousands_are_told_apart),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
