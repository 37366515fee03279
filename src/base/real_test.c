/* SPDX-License-Identifier: Apache-2.0 */
#include "base/real.h"

#include "base/cleanup.h"
#include "base/test.h"

#include <math.h>
#include <stdbool.h>

static bool is_near(double a, double b, double tolerance) {
  return a - b < tolerance && b - a < tolerance;
}

static void the_whole_part_is_never_above(void **state) {
  static const double cases[][2] = {{0, 0},   {0.5, 0},   {-0.5, -1},        {3, 3},
                                    {-3, -3}, {-3.1, -4}, {1e15 + 0.5, 1e15}};
  for (size_t i = 0; i < COUNT_OF(cases); i++)
    assert_true(real_floor(cases[i][0]) == cases[i][1]);
}

static void the_logarithm_is_right_to_the_last_digits(void **state) {
  assert_true(is_near(real_log(1), 0, 1e-300));
  assert_true(is_near(real_log(2), 0.69314718055994530942, 1e-15));
  assert_true(is_near(real_log(10), 2.30258509299404568402, 1e-15));
  assert_true(is_near(real_log(0x1p-53), -36.7368005696771013991, 1e-13));
  assert_true(is_near(real_log(0.70710678), -0.346573590279972654709, 2e-9));
  assert_true(is_near(real_log(1e300), 690.775527898213705205, 1e-12));
}

static void powers_of_two_are_right_to_the_last_digits(void **state) {
  assert_true(real_exp2(0) == 1 && real_exp2(10) == 1024 && real_exp2(-1) == 0.5);
  assert_true(is_near(real_exp2(0.5), 1.41421356237309504880, 1e-15));
  assert_true(is_near(real_exp2(-0.3) / 0.81225239635623552, 1, 1e-14));
  assert_true(real_exp2(-5000) == 0 && real_exp2(5000) == HUGE_VAL && real_exp2(-1074) == 0x1p-1074);
}

static void raising_e_undoes_the_logarithm(void **state) {
  for (double x = 0.001; x < 1e6; x *= 1.7)
    assert_true(is_near(real_exp(real_log(x)) / x, 1, 1e-12));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_whole_part_is_never_above),
      cmocka_unit_test(the_logarithm_is_right_to_the_last_digits),
      cmocka_unit_test(powers_of_two_are_right_to_the_last_digits),
      cmocka_unit_test(raising_e_undoes_the_logarithm),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
