/* SPDX-License-Identifier: Apache-2.0 */
#include "simulate/simulate_fixture.h"

#include "simulate/summary.h"

static void means_and_deviations_are_those_of_the_runs(void **state) {
  SimulateSummary summary = {0};
  static const int64_t creates[] = {2, 4, 4, 6};
  for (size_t i = 0; i < COUNT_OF(creates); i++) {
    SimulateResult result = {.creates = creates[i], .all = {.jobs = 10, .served = 5}};
    simulate_summary_add(&summary, &result, 0);
  }
  SimulateMean mean = simulate_summary_mean(&summary, SIMULATE_CREATES);
  assert_true(mean.mean == 4);
  assert_true(mean.deviation > 1.6329 && mean.deviation < 1.6330); /* the root of 8 / 3 */
  assert_true(simulate_summary_mean(&summary, SIMULATE_ACCEPTANCE).mean == 0.5);
  assert_int_equal(summary.jobs, 40);
}

static void a_profile_that_nobody_asks_for_in_a_run_does_not_count(void **state) {
  SimulateSummary summary = {0};
  SimulateResult with = {.kinds[1] = {.jobs = 2, .served = 2, .waits = {.p95_ms = 4000}}}, without = {0};
  simulate_summary_add(&summary, &with, 2);
  simulate_summary_add(&summary, &without, 2);
  assert_int_equal(summary.kind_runs[1], 1);
  assert_true(simulate_summary_kind_mean(&summary, 1, SIMULATE_WAIT_P95).mean == 4);
  assert_true(simulate_summary_kind_mean(&summary, 1, SIMULATE_WAIT_P95).deviation == 0);
  assert_true(simulate_summary_kind_mean(&summary, 0, SIMULATE_WAIT_P95).mean == 0);
}

static void every_measure_has_a_name_of_its_own(void **state) {
  for (int a = 0; a < SIMULATE_MEASURE_COUNT; a++)
    for (int b = 0; b < a; b++)
      assert_string_not_equal(simulate_measure(a)->key, simulate_measure(b)->key);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(means_and_deviations_are_those_of_the_runs),
      cmocka_unit_test(a_profile_that_nobody_asks_for_in_a_run_does_not_count),
      cmocka_unit_test(every_measure_has_a_name_of_its_own),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
