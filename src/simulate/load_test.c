/* SPDX-License-Identifier: Apache-2.0 */
#include "simulate/load.h"

#include "base/test.h"

static SimulateSynthetic some_synthetic(void) {
  SimulateSynthetic synthetic = {.job_count = 20000,
                                 .arrival_mean_ms = 1000,
                                 .lifetime = SIMULATE_LOGNORMAL,
                                 .duration_ms = 600000,
                                 .duration_sigma = 0.8};
  Error err;
  assert_ok(simulate_mix_parse("1g.10gb=3,2g.20gb=1,7g.80gb=0", &synthetic.mix, &err));
  return synthetic;
}

static bool is_near(double a, double b, double share) {
  return a > b * (1 - share) && a < b * (1 + share);
}

static void a_mix_is_profiles_with_weights(void **state) {
  SimulateMix mix;
  Error err;
  assert_ok(simulate_mix_parse("1g.10gb=35, 1g.10gb.me=2.5,3g.40gb+me=0", &mix, &err));
  assert_int_equal(mix.count, 3);
  assert_string_equal(mix.profiles[1], "1g.10gb+me");
  assert_string_equal(mix.profiles[2], "3g.40gb+me");
  assert_true(simulate_mix_total(&mix) == 37.5);
}

static void a_mix_that_makes_no_sense_is_refused_in_words(void **state) {
  static const struct {
    const char *text, *error;
  } cases[] = {
      {"", "--mix wants profiles with weights or counts, such as 1g.10gb=40,3g.40gb=7, not \"\""},
      {"1g.10gb",
       "--mix wants profiles with weights or counts, such as 1g.10gb=40,3g.40gb=7, not \"1g.10gb\""},
      {"1g.10gb=0",
       "--mix wants profiles with weights or counts, such as 1g.10gb=40,3g.40gb=7, not \"1g.10gb=0\""},
      {"1g.10gb=-1", "--mix: 1g.10gb: \"-1\" is no weight from 0 to a thousand million"},
      {"1g.10gb=nan", "--mix: 1g.10gb: \"nan\" is no weight from 0 to a thousand million"},
      {"1g.10gb=1e30", "--mix: 1g.10gb: \"1e30\" is no weight from 0 to a thousand million"},
      {"1g.10gb=", "--mix: 1g.10gb: \"\" is no weight from 0 to a thousand million"},
      {"half=1", "--mix: \"half\" is no MIG profile such as 1g.10gb"},
      {"1g.10gb=1,1g.10gb=2", "--mix names 1g.10gb twice"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    SimulateMix mix;
    Error err;
    assert_fails(simulate_mix_parse(cases[i].text, &mix, &err), cases[i].error);
  }
}

static void profiles_arrivals_and_lifetimes_are_as_asked(void **state) {
  SimulateSynthetic synthetic = some_synthetic();
  CLEANUP(simulate_load_deinit) SimulateLoad load;
  simulate_load_generate(&synthetic, 1, &load);
  double small = 0, duration_ms = 0;
  for (size_t i = 0; i < load.jobs.count; i++) {
    small += load.classes.items[load.jobs.items[i].class_].kind == 0;
    duration_ms += (double)load.jobs.items[i].duration_ms;
    assert_true(i == 0 || load.jobs.items[i].arrival_ms >= load.jobs.items[i - 1].arrival_ms);
    assert_true(load.classes.items[load.jobs.items[i].class_].kind != 2);
  }
  assert_true(is_near(small / 20000, 0.75, 0.02));
  assert_true(is_near(duration_ms / 20000, simulate_synthetic_mean_duration_ms(&synthetic), 0.03));
  assert_true(is_near(simulate_synthetic_mean_duration_ms(&synthetic), 826277, 0.0001)); /* 600 s * e^0.32 */
  assert_true(is_near((double)load.jobs.items[19999].arrival_ms, 20000e3, 0.03));
}

static void the_same_seed_gives_the_same_load_and_another_one_another(void **state) {
  SimulateSynthetic synthetic = some_synthetic();
  CLEANUP(simulate_load_deinit) SimulateLoad a, b, c;
  simulate_load_generate(&synthetic, 5, &a);
  simulate_load_generate(&synthetic, 5, &b);
  simulate_load_generate(&synthetic, 6, &c);
  assert_memory_equal(a.jobs.items, b.jobs.items, a.jobs.count * sizeof a.jobs.items[0]);
  assert_memory_not_equal(a.jobs.items, c.jobs.items, a.jobs.count * sizeof a.jobs.items[0]);
}

static void a_burst_comes_at_once_and_may_ask_for_one_profile(void **state) {
  SimulateSynthetic synthetic = some_synthetic();
  synthetic.burst_count = 56;
  synthetic.burst_profile = "7g.80gb";
  synthetic.lifetime = SIMULATE_FIXED;
  CLEANUP(simulate_load_deinit) SimulateLoad load;
  simulate_load_generate(&synthetic, 1, &load);
  for (int i = 0; i < 56; i++) {
    assert_int_equal(load.jobs.items[i].arrival_ms, 0);
    assert_int_equal(load.jobs.items[i].duration_ms, 600000);
    assert_string_equal(load.kinds[load.classes.items[load.jobs.items[i].class_].kind], "7g.80gb");
  }
  assert_true(load.jobs.items[56].arrival_ms > 0);
}

static void sorting_keeps_the_order_of_equals(void **state) {
  CLEANUP(simulate_load_deinit) SimulateLoad load = {0};
  for (int i = 0; i < 1000; i++)
    *array_push(&load.jobs) = (SimulateJob){.arrival_ms = (i * 7919) % 10, .duration_ms = i};
  simulate_load_sort(&load);
  for (size_t i = 1; i < load.jobs.count; i++) {
    const SimulateJob *before = &load.jobs.items[i - 1], *job = &load.jobs.items[i];
    assert_true(before->arrival_ms < job->arrival_ms ||
                (before->arrival_ms == job->arrival_ms && before->duration_ms < job->duration_ms));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_mix_is_profiles_with_weights),
      cmocka_unit_test(a_mix_that_makes_no_sense_is_refused_in_words),
      cmocka_unit_test(profiles_arrivals_and_lifetimes_are_as_asked),
      cmocka_unit_test(the_same_seed_gives_the_same_load_and_another_one_another),
      cmocka_unit_test(a_burst_comes_at_once_and_may_ask_for_one_profile),
      cmocka_unit_test(sorting_keeps_the_order_of_equals),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
