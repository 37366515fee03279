/* SPDX-License-Identifier: Apache-2.0 */
#include "simulate/simulate_fixture.h"

static void percentiles_are_by_nearest_rank(void **state) {
  static const int64_t values[] = {15, 20, 35, 40, 50};
  assert_int_equal(simulate_percentile(values, 5, 5), 15);
  assert_int_equal(simulate_percentile(values, 5, 30), 20);
  assert_int_equal(simulate_percentile(values, 5, 40), 20);
  assert_int_equal(simulate_percentile(values, 5, 50), 35);
  assert_int_equal(simulate_percentile(values, 5, 100), 50);
  assert_int_equal(simulate_percentile(values, 1, 99), 15);
  assert_int_equal(simulate_percentile(NULL, 0, 50), 0);
}

static SimulateOptions at_once(void) {
  SimulateOptions options = simulate_options_default();
  options.latency = (SimulateLatency){0};
  options.warm_up_ms = 0;
  options.check = true;
  return options;
}

/* Half of the memory for 10 s, three eighths more for 5 of them, nothing for 10 s, then the last arrival. */
static void use_is_the_mean_over_time_up_to_the_last_arrival(void **state) {
  CLEANUP(fixture_deinit) Fixture f;
  fixture_init(&f, "A100-80GB", "0 10 4g.40gb; 5 5 1g.10gb; 5 5 1g.20gb; 20 1000 7g.80gb");
  SimulateOptions options = at_once();
  CLEANUP(simulate_result_deinit) SimulateResult result;
  simulate_run(&f.load, &f.fleet, &simulate_policy_first_fit, &options, &result);
  assert_int_equal(result.window_ms, 20000);
  assert_true(result.memory_use > 0.34374 && result.memory_use < 0.34376);   /* (10 * 4 + 5 * 3) / (20 * 8) */
  assert_true(result.compute_use > 0.35713 && result.compute_use < 0.35715); /* (10 * 4 + 5 * 2) / (20 * 7) */
  assert_int_equal(result.end_ms, 1020000);
}

static void the_warm_up_does_not_count(void **state) {
  CLEANUP(fixture_deinit) Fixture f;
  fixture_init(&f, "A100-80GB", "0 10 7g.80gb; 20 1 7g.80gb");
  SimulateOptions options = at_once();
  options.warm_up_ms = 5000;
  CLEANUP(simulate_result_deinit) SimulateResult result;
  simulate_run(&f.load, &f.fleet, &simulate_policy_first_fit, &options, &result);
  assert_int_equal(result.window_ms, 15000);
  assert_true(result.memory_use > 0.333 && result.memory_use < 0.334);
}

static void waits_are_those_of_jobs_that_began_by_profile(void **state) {
  CLEANUP(fixture_deinit) Fixture f;
  fixture_init(&f, "A100-80GB", "0 10 7g.80gb; 1 10 7g.80gb; 2 10 1g.10gb; 3 10 1g.6gb");
  SimulateOptions options = at_once();
  CLEANUP(simulate_result_deinit) SimulateResult result;
  simulate_run(&f.load, &f.fleet, &simulate_policy_first_fit, &options, &result);
  assert_int_equal(result.all.jobs, 4);
  assert_int_equal(result.all.served, 3);
  assert_int_equal(result.never, 1); /* no A100 has 1g.6gb */
  assert_int_equal(result.kinds[0].served, 2);
  assert_int_equal(result.kinds[0].waits.max_ms, 9000);
  assert_int_equal(result.kinds[0].waits.p50_ms, 0);
  assert_int_equal(result.kinds[1].waits.p50_ms, 18000);
  assert_true(result.kinds[0].waits.mean_ms == 4500);
}

/* The job of 7g has eight free slots, too, but only six free compute slices. */
static void a_job_is_held_up_where_memory_and_compute_are_enough_but_apart(void **state) {
  CLEANUP(fixture_deinit) Fixture f;
  fixture_init(&f, "2xA100-80GB", "0 10 4g.40gb; 0 10 4g.40gb; 1 10 7g.80gb; 2 10 4g.40gb");
  SimulateOptions options = at_once();
  CLEANUP(simulate_result_deinit) SimulateResult result;
  simulate_run(&f.load, &f.fleet, &simulate_policy_first_fit, &options, &result);
  assert_int_equal(result.fragmented_jobs, 1);
}

static void samples_tell_the_state_over_time(void **state) {
  CLEANUP(fixture_deinit) Fixture f;
  fixture_init(&f, "A100-80GB", "0 10 7g.80gb; 1 5 7g.80gb");
  SimulateOptions options = at_once();
  CLEANUP(simulate_result_deinit) SimulateResult result;
  simulate_run(&f.load, &f.fleet, &simulate_policy_first_fit, &options, &result);
  static const SimulateSample expected[] = {{0, 8, 0}, {1000, 8, 1}, {10000, 8, 0}, {15000, 0, 0}};
  assert_int_equal(result.samples.count, COUNT_OF(expected));
  for (size_t i = 0; i < COUNT_OF(expected); i++) {
    assert_int_equal(result.samples.items[i].at_ms, expected[i].at_ms);
    assert_int_equal(result.samples.items[i].used_memory, expected[i].used_memory);
    assert_int_equal(result.samples.items[i].waiting, expected[i].waiting);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(percentiles_are_by_nearest_rank),
      cmocka_unit_test(use_is_the_mean_over_time_up_to_the_last_arrival),
      cmocka_unit_test(the_warm_up_does_not_count),
      cmocka_unit_test(waits_are_those_of_jobs_that_began_by_profile),
      cmocka_unit_test(a_job_is_held_up_where_memory_and_compute_are_enough_but_apart),
      cmocka_unit_test(samples_tell_the_state_over_time),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
