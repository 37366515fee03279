/* SPDX-License-Identifier: Apache-2.0 */
#include "simulate/chance.h"

#include "base/test.h"

#include <stdbool.h>

static bool is_near(double a, double b, double tolerance) {
  return a - b < tolerance && b - a < tolerance;
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
      cmocka_unit_test(means_and_spreads_are_those_of_the_distributions),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
