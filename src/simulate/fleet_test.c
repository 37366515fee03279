/* SPDX-License-Identifier: Apache-2.0 */
#include "simulate/fleet.h"

#include "base/test.h"

static void factors_are_nodes_and_gpus_per_node(void **state) {
  CLEANUP(simulate_fleet_deinit) SimulateFleet fleet = {0};
  Error err;
  assert_ok(simulate_fleet_parse("2x4xH100-80GB,3xA100-80GB,A30", &fleet, &err));
  assert_int_equal(fleet.nodes.count, 4);
  assert_int_equal(fleet.gpus.count, 12);
  assert_int_equal(fleet.nodes.items[1].first_gpu, 4);
  assert_int_equal(fleet.nodes.items[2].gpu_count, 3);
  assert_int_equal(fleet.model_count, 3);
  assert_string_equal(fleet.models[0]->key, "H100-SXM-80GB");
  assert_int_equal(fleet.slot_count, 11 * 8 + 4);
  assert_int_equal(fleet.slice_count, 11 * 7 + 4);
}

static void what_makes_no_sense_is_refused_in_words(void **state) {
  static const struct {
    const char *text, *error;
  } cases[] = {
      {"0xA30", "--gpus: a node has 1 to 64 GPUs, not 0 (0xA30)"},
      {"65xA30", "--gpus: a node has 1 to 64 GPUs, not 65 (65xA30)"},
      {"20001x1xA30", "--gpus: a fleet has 1 to 20000 nodes and at most 100000 GPUs (20001x1xA30)"},
      {"20000x64xA30", "--gpus: a fleet has 1 to 20000 nodes and at most 100000 GPUs (20000x64xA30)"},
      {"99999999999999999999x1xA30",
       "--gpus: a fleet has 1 to 20000 nodes and at most 100000 GPUs (99999999999999999999x1xA30)"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    SimulateFleet fleet;
    Error err;
    assert_fails(simulate_fleet_parse(cases[i].text, &fleet, &err), cases[i].error);
  }
}

static void bad_forms_tell_the_right_one(void **state) {
  static const char *const texts[] = {"", ",", "2x", "A30,,A30", "2x2x", "-"};
  for (size_t i = 0; i < COUNT_OF(texts); i++) {
    SimulateFleet fleet;
    Error err;
    assert_true(simulate_fleet_parse(texts[i], &fleet, &err) < 0);
    assert_int_equal(strncmp(err.text, "--gpus", 6), 0);
  }
}

static void an_unknown_gpu_is_refused_with_those_that_are_known(void **state) {
  SimulateFleet fleet;
  Error err;
  assert_true(simulate_fleet_parse("4xV100", &fleet, &err) < 0);
  assert_non_null(strstr(err.text, "there is no GPU \"V100\"; known are A100-40GB"));
}

static void a_check_finds_what_does_not_fit_together(void **state) {
  CLEANUP(simulate_fleet_deinit) SimulateFleet fleet = {0};
  Error err;
  assert_ok(simulate_fleet_parse("A30", &fleet, &err));
  SimulateGpu *gpu = &fleet.gpus.items[0];
  assert_ok(simulate_gpu_check(gpu, &err));
  gpu->used_starts = 1;
  assert_fails(simulate_gpu_check(gpu, &err), "slot 0: it is not clear whether a job uses it");
  gpu->jobs[0] = 5;
  assert_fails(simulate_gpu_check(gpu, &err), "slot 0: job 5 uses a slice that does not exist");
  mig_layout_place(&gpu->layout, 0, 0);
  assert_ok(simulate_gpu_check(gpu, &err));
  assert_int_equal(simulate_gpu_used_mask(gpu), 1);
  assert_int_equal(simulate_gpu_free_starts(gpu), 0);
  simulate_fleet_reset(&fleet);
  assert_int_equal(gpu->layout.count, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(factors_are_nodes_and_gpus_per_node),
      cmocka_unit_test(what_makes_no_sense_is_refused_in_words),
      cmocka_unit_test(bad_forms_tell_the_right_one),
      cmocka_unit_test(an_unknown_gpu_is_refused_with_those_that_are_known),
      cmocka_unit_test(a_check_finds_what_does_not_fit_together),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
