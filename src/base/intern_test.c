/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "base/intern.h"

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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(equal_bytes_get_equal_numbers_in_the_order_of_their_first_coming),
      cmocka_unit_test(zero_bytes_and_lengths_count),
      cmocka_unit_test(thousands_are_told_apart),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
