/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "simulate/fleet.h"
#include "simulate/migbench.h"

static int profile_of(const MigLayout *layout, const char *name) {
  int profile = mig_model_find_profile(layout->model, name);
  assert_true(profile >= 0);
  return profile;
}

static void place(MigLayout *layout, const char *name, int start) {
  int profile = profile_of(layout, name);
  assert_true(simulate_layout_free_starts(layout, profile) >> start & 1);
  mig_layout_place(layout, profile, start);
}

static void it_allows_what_hardware_refuses(void **state) {
  MigLayout theirs, real;
  Error err;
  mig_layout_init(&theirs, &simulate_migbench_model()->model);
  mig_layout_init(&real, &simulate_fleet_find_model("H100-80GB", &err)->model);
  place(&theirs, "3g.40gb", 0);
  place(&real, "3g.40gb", 0);
  place(&theirs, "1g.10gb", 3);
  assert_false(simulate_layout_free_starts(&real, profile_of(&real, "1g.10gb")) >> 3 & 1);
}

static void memory_is_a_sum_beside_the_compute_slots(void **state) {
  MigLayout layout;
  mig_layout_init(&layout, &simulate_migbench_model()->model);
  place(&layout, "3g.40gb", 0);
  place(&layout, "1g.20gb", 5);
  assert_int_equal(simulate_memory_left(&layout), 2);
  assert_int_equal(simulate_layout_free_starts(&layout, profile_of(&layout, "2g.20gb")), 0); /* 5 is taken */
  assert_int_equal(simulate_layout_free_starts(&layout, profile_of(&layout, "1g.10gb")), 0x58);
  place(&layout, "1g.20gb", 6);
  assert_int_equal(simulate_memory_left(&layout), 0);
  assert_int_equal(simulate_layout_free_starts(&layout, profile_of(&layout, "1g.10gb")), 0);
}

static void memory_of_real_gpus_is_their_slots(void **state) {
  int count;
  const MigModelRow *rows = mig_model_rows(&count);
  for (int i = 0; i < count; i++) {
    const MigModel *model = &rows[i].model;
    MigLayout layout;
    assert_int_equal(simulate_memory_of_model(model), model->slot_count);
    mig_layout_init(&layout, model);
    for (int p = 0; p < model->profile_count; p++) {
      assert_int_equal(simulate_memory_of_profile(model, p), model->profiles[p].size);
      assert_int_equal(simulate_layout_free_starts(&layout, p), mig_layout_free_starts(&layout, p));
    }
  }
}

static void no_name_leads_to_it(void **state) {
  Error err;
  assert_null(simulate_fleet_find_model(simulate_migbench_model()->key, &err));
  assert_null(simulate_fleet_find_model(simulate_migbench_model()->model.name, &err));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(it_allows_what_hardware_refuses),
      cmocka_unit_test(memory_is_a_sum_beside_the_compute_slots),
      cmocka_unit_test(memory_of_real_gpus_is_their_slots),
      cmocka_unit_test(no_name_leads_to_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
