/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "mig/contract.h"
#include "simulate/gaps.h"
#include "simulate/migbench.h"

/* Of one GPU with these slices in use: "3g.40gb@0:used,1g.10gb@4:free". */
static SimulateGaps measure(const MigModel *model, const char *slices) {
  CLEANUP(simulate_gaps_memo_deinit) SimulateGapsMemo memo = {0};
  SimulateGpu gpu = {0};
  SimulateGaps gaps, again;
  Error err;
  assert_ok(mig_status_parse(slices, model, &gpu.layout, &gpu.used_starts, &err));
  simulate_gaps_measure(&memo, &gpu, &gaps);
  simulate_gaps_measure(&memo, &gpu, &again);
  assert_memory_equal(&gaps, &again, sizeof gaps);
  return gaps;
}

static const MigModel *h100(void) {
  Error err;
  return &simulate_fleet_find_model("H100-80GB", &err)->model;
}

static void assert_gaps(SimulateGaps gaps, double scattered, double stranded) {
  assert_true(gaps.scattered > scattered - 1e-9 && gaps.scattered < scattered + 1e-9);
  assert_true(gaps.stranded > stranded - 1e-9 && gaps.stranded < stranded + 1e-9);
}

static void an_empty_and_a_full_gpu_have_no_gaps(void **state) {
  assert_gaps(measure(h100(), ""), 0, 0);
  assert_gaps(measure(h100(), "7g.80gb@0:used"), 0, 0);
  assert_gaps(measure(h100(), "4g.40gb@0:used,3g.40gb@4:used"), 0, 0);
}

static void what_lies_beside_the_longest_run_is_scattered(void **state) {
  assert_gaps(measure(h100(), "3g.40gb@0:used,1g.10gb@4:used,1g.10gb@6:used"), 1 / 2.0, 1 / 2.0);
  assert_gaps(measure(h100(), "1g.10gb@1:used,1g.10gb@3:used"), 2 / 5.0, 0);
}

static void what_has_no_memory_left_is_stranded(void **state) {
  assert_gaps(measure(h100(), "3g.40gb@0:used,3g.40gb@4:used"), 0, 1);
  assert_gaps(measure(h100(), "1g.20gb@0:used"), 0, 1 / 6.0);
}

static void free_slices_are_room(void **state) {
  assert_gaps(measure(h100(), "3g.40gb@0:free,3g.40gb@4:used"), 0, 0);
}

static void the_memory_of_migbench_is_a_sum(void **state) {
  const MigModel *model = &simulate_migbench_model()->model;
  assert_gaps(measure(model, "3g.40gb@0:used,3g.40gb@4:used"), 0, 1);
  assert_gaps(measure(model, "3g.40gb@0:used"), 0, 0); /* 4 slots, 40 GB */
  assert_gaps(measure(model, "3g.40gb@0:used,1g.20gb@3:used"), 0, 1 / 3.0);
}

static void check_layout(const MigLayout *layout, void *userdata) {
  CLEANUP(simulate_gaps_memo_deinit) SimulateGapsMemo memo = {0};
  SimulateGpu gpu = {.layout = *layout};
  SimulateGaps gaps;
  for (int i = 0; i < layout->count; i++)
    gpu.used_starts |= UINT32_C(1) << layout->instances[i].start;
  simulate_gaps_measure(&memo, &gpu, &gaps);
  assert_true(gaps.scattered >= 0 && gaps.scattered < 1);
  assert_true(gaps.stranded >= 0 && gaps.stranded <= 1);
  if (mig_layout_is_maximal(layout)) {
    bool full = gaps.stranded == 0 && gaps.scattered == 0;
    assert_true(full || gaps.stranded > 0);
  }
  ++*(int *)userdata;
}

/* No slice lies on another's compute slots, no more is packed than is free. */
static void shares_are_shares_for_every_layout(void **state) {
  static const char *const names[] = {"H100-80GB", "A30"};
  Error err;
  for (size_t i = 0; i < COUNT_OF(names); i++) {
    int layouts = 0;
    mig_layout_enumerate(&simulate_fleet_find_model(names[i], &err)->model, check_layout, &layouts);
    assert_true(layouts > 10);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_empty_and_a_full_gpu_have_no_gaps),
      cmocka_unit_test(what_lies_beside_the_longest_run_is_scattered),
      cmocka_unit_test(what_has_no_memory_left_is_stranded),
      cmocka_unit_test(free_slices_are_room),
      cmocka_unit_test(the_memory_of_migbench_is_a_sum),
      cmocka_unit_test(shares_are_shares_for_every_layout),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
