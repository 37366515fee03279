/* SPDX-License-Identifier: Apache-2.0 */
#include "simulate/size.h"

#include "base/random.h"
#include "base/test.h"
#include "simulate/fleet.h"

static const MigModelRow *model(const char *key) {
  const MigModelRow *row = mig_model_find(key);
  assert_non_null(row);
  return row;
}

static void find(const SimulateDemand *demand, const char *a, const char *b, SimulateSize *ret_size) {
  const MigModelRow *models[2] = {model(a), b ? model(b) : NULL};
  Error err;
  assert_ok(simulate_size_find(demand, models, b ? 2 : 1, ret_size, &err));
}

/* How many instances of 1, 2, 3, 4 and 7 compute slices the six published deployments of ParvaGPU (SC 2024;
 * its artifact, MIT licence, folder deployment/, SLO1 to SLO6, column "Instance size") consist of, and on how
 * many A100 they were put. */
static const struct Deployment {
  int counts[5];
  int gpus;
} deployments[] = {
    {{3, 2, 1, 0, 0}, 2},  {{3, 7, 1, 0, 0}, 3},     {{8, 5, 5, 0, 0}, 5},
    {{11, 8, 7, 0, 0}, 7}, {{28, 13, 12, 0, 0}, 13}, {{40, 4, 14, 2, 2}, 16},
};

static void the_deployments_of_parvagpu_need_as_many_as_published(void **state) {
  for (size_t i = 0; i < COUNT_OF(deployments); i++) {
    CLEANUP(simulate_size_deinit) SimulateSize size;
    SimulateDemand demand = {.profiles = {"1g.10gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb"}, .count = 5};
    memcpy(demand.counts, deployments[i].counts, sizeof deployments[i].counts);
    find(&demand, "A100-80GB", NULL, &size);
    assert_int_equal(size.best.total, deployments[i].gpus);
    assert_true(size.proven);
  }
}

static void nothing_needs_nothing(void **state) {
  CLEANUP(simulate_size_deinit) SimulateSize size;
  SimulateDemand demand = {.profiles = {"1g.10gb"}, .count = 1};
  find(&demand, "A100-80GB", NULL, &size);
  assert_int_equal(size.best.total, 0);
  assert_true(size.proven);
}

static void media_engines_are_one_for_each_gpu(void **state) {
  CLEANUP(simulate_size_deinit) SimulateSize size;
  SimulateDemand demand = {.profiles = {"1g.10gb+me", "1g.10gb"}, .counts = {3, 4}, .count = 2};
  find(&demand, "A100-80GB", NULL, &size);
  assert_int_equal(size.best.total, 3);
}

/* Slow and obvious: every way to put the slices, one after the other, largest first. */
static bool fits(MigLayout *layouts, int gpus, int *counts, const int *profiles, int kinds) {
  int kind = kinds - 1;
  while (kind >= 0 && !counts[kind])
    kind--;
  if (kind < 0)
    return true;
  counts[kind]--;
  for (int g = 0; g < gpus; g++)
    for (uint32_t starts = mig_layout_free_starts(&layouts[g], profiles[kind]); starts;
         starts &= starts - 1) {
      int start = __builtin_ctz(starts);
      mig_layout_place(&layouts[g], profiles[kind], start);
      bool done = fits(layouts, gpus, counts, profiles, kinds);
      mig_layout_remove(&layouts[g], start);
      if (done) {
        counts[kind]++;
        return true;
      }
    }
  counts[kind]++;
  return false;
}

static void small_mixes_agree_with_exhaustive_search(void **state) {
  static const char *const names[] = {"1g.10gb", "1g.20gb", "2g.20gb", "3g.40gb", "4g.40gb"};
  const MigModelRow *a100 = model("A100-80GB");
  Random random = {.state = 11};
  int profiles[5];
  for (int i = 0; i < 5; i++)
    profiles[i] = mig_model_find_profile(&a100->model, names[i]);
  for (int round = 0; round < 60; round++) {
    CLEANUP(simulate_size_deinit) SimulateSize size;
    SimulateDemand demand = {.count = 5};
    for (int i = 0; i < 5; i++) {
      snprintf(demand.profiles[i], MIG_PROFILE_NAME_SIZE, "%s", names[i]);
      demand.counts[i] = (int)random_below(&random, 3);
    }
    find(&demand, "A100-80GB", NULL, &size);
    int gpus = 0, counts[5];
    MigLayout layouts[8];
    memcpy(counts, demand.counts, sizeof counts);
    for (bool enough = false; !enough; gpus += !enough) {
      assert_true(gpus < 8);
      for (int g = 0; g < 8; g++)
        mig_layout_init(&layouts[g], &a100->model);
      enough = fits(layouts, gpus, counts, profiles, 5);
    }
    assert_int_equal(size.best.total, gpus);
  }
}

static void of_several_models_all_choices_are_told_and_the_fewest_is_best(void **state) {
  CLEANUP(simulate_size_deinit) SimulateSize size;
  SimulateDemand demand = {.profiles = {"1g.10gb", "3g.40gb", "1g.6gb"}, .counts = {7, 2, 5}, .count = 3};
  find(&demand, "A100-80GB", "A30", &size);
  assert_int_equal(size.choices.count, 1); /* the models share no profile */
  assert_int_equal(size.best.counts[0], 2);
  assert_int_equal(size.best.counts[1], 2);
  assert_true(size.proven);
}

static void models_that_share_profiles_are_exchanged(void **state) {
  CLEANUP(simulate_size_deinit) SimulateSize size;
  SimulateDemand demand = {.profiles = {"1g.10gb", "7g.80gb"}, .counts = {14, 1}, .count = 2};
  find(&demand, "A100-40GB", "A100-80GB", &size); /* 1g.10gb takes two slots of A100-40GB: four on each */
  static const int expected[][2] = {{0, 3}, {2, 2}, {4, 1}};
  assert_int_equal(size.choices.count, COUNT_OF(expected));
  for (size_t i = 0; i < COUNT_OF(expected); i++) {
    assert_int_equal(size.choices.items[i].counts[0], expected[i][0]);
    assert_int_equal(size.choices.items[i].counts[1], expected[i][1]);
  }
  assert_int_equal(size.best.total, 3);
}

static void an_unknown_profile_and_too_many_slices_are_refused(void **state) {
  const MigModelRow *models[] = {model("A30"), model("A100-80GB")};
  SimulateDemand strange = {.profiles = {"5g.60gb"}, .counts = {1}, .count = 1};
  SimulateDemand large = {.profiles = {"1g.10gb"}, .counts = {SIMULATE_SIZE_MIXED_MAX + 1}, .count = 1};
  SimulateSize size;
  Error err;
  assert_fails(simulate_size_find(&strange, models, 2, &size, &err),
               "none of these GPUs has the profile 5g.60gb");
  assert_fails(simulate_size_find(&large, models, 2, &size, &err),
               "the mix has more than 2000 slices, the most for several models");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_deployments_of_parvagpu_need_as_many_as_published),
      cmocka_unit_test(nothing_needs_nothing),
      cmocka_unit_test(media_engines_are_one_for_each_gpu),
      cmocka_unit_test(small_mixes_agree_with_exhaustive_search),
      cmocka_unit_test(of_several_models_all_choices_are_told_and_the_fewest_is_best),
      cmocka_unit_test(models_that_share_profiles_are_exchanged),
      cmocka_unit_test(an_unknown_profile_and_too_many_slices_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
