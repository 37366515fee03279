/* SPDX-License-Identifier: Apache-2.0 */
#include "simulate/chance.h"

#include "base/test.h"

#include <stdbool.h>

static bool is_near(double a, double b, double tolerance) {
  return a - b < tolerance && b - a < tolerance;
}

static void the_logarithm_is_right_to_the_last_digits(void **state) {
  assert_true(is_near(simulate_natural_log(1), 0, 1e-300));
  assert_true(is_near(simulate_natural_log(2), 0.69314718055994530942, 1e-15));
  assert_true(is_near(simulate_natural_log(10), 2.30258509299404568402, 1e-15));
  assert_true(is_near(simulate_natural_log(0x1p-53), -36.7368005696771013991, 1e-13));
  assert_true(is_near(simulate_natural_log(0.70710678), -0.346573590279972654709, 2e-9));
  assert_true(is_near(simulate_natural_log(1e300), 690.775527898213705205, 1e-12));
}

static void raising_e_undoes_the_logarithm(void **state) {
  for (double x = 0.001; x < 1e6; x *= 1.7)
    assert_true(is_near(simulate_raise_e(simulate_natural_log(x)) / x, 1, 1e-12));
}

static void means_and_spreads_are_those_of_the_distributions(void **state) {
  enum { DRAWS = 200000 };
  Random random = {.state = 7};
  double exponential = 0, normal = 0, squares = 0;
  for (int i = 0; i < DRAWS; i++) {
    double uniform = simulate_chance_uniform(&random), z = simulate_chance_normal(&random);
    assert_true(uniform >= 0 && uniform < 1);
    exponential += simulate_chance_exponential(&random, 3);
    normal += z;
    squares += z * z;
  }
  assert_true(is_near(exponential / DRAWS, 3, 0.03));
  assert_true(is_near(normal / DRAWS, 0, 0.01));
  assert_true(is_near(squares / DRAWS, 1, 0.02));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_logarithm_is_right_to_the_last_digits),
      cmocka_unit_test(raising_e_undoes_the_logarithm),
      cmocka_unit_test(means_and_spreads_are_those_of_the_distributions),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
