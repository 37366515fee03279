/* SPDX-License-Identifier: Apache-2.0 */
/* The counters against exhaustive search, on every model of the table and every subset of allowed profiles.
 */
#include "plan/hole.h"

#include "base/test.h"

#include "base/random.h"

enum { SEED = 20261122, GPUS_MAX = 3, VECTORS_MAX = 20000 };

static const MigModel *model_of(const char *key) {
  const MigModelRow *row = mig_model_find(key);
  assert_non_null(row);
  return &row->model;
}

static PlanGeometry geometry_of(const char *key) {
  PlanGeometry geometry;
  assert_true(plan_geometry_init(&geometry, model_of(key), UINT32_MAX));
  return geometry;
}

static void an_instance_with_all_media_engines_leaves_no_hole_for_plain_profiles(void **state) {
  PlanGeometry geometry = geometry_of("RTX-PRO-6000");
  const MigModel *model = model_of("RTX-PRO-6000");
  MigLayout layout;
  mig_layout_init(&layout, model);
  mig_layout_place(&layout, mig_model_find_profile(model, "1g.24gb+me.all"), 0);
  PlanHoles holes;
  plan_holes_of(&geometry, &layout, &holes);
  for (int t = 0; t < geometry.type_count; t++)
    assert_int_equal(holes.count[t], 0);
}

/* The oracle: which amounts of slices can be added to some GPUs, by trying every placement on each and adding
 * the amounts up. Amounts beyond what is wanted are cut, so the sets stay small. */
typedef struct Vectors {
  PlanAmounts items[VECTORS_MAX];
  int count;
} Vectors;

static void add_vector(Vectors *vectors, const PlanAmounts *vector) {
  for (int i = 0; i < vectors->count; i++)
    if (memcmp(&vectors->items[i], vector, sizeof *vector) == 0)
      return;
  assert_true(vectors->count < VECTORS_MAX);
  vectors->items[vectors->count++] = *vector;
}

static void add_all(const PlanGeometry *geometry, MigLayout *layout, const PlanAmounts *wanted,
                    const PlanAmounts *placed, int first_start, Vectors *vectors) {
  add_vector(vectors, placed);
  for (int start = first_start; start < layout->model->slot_count; start++)
    for (int r = 0; r < geometry->rank_count; r++) {
      int profile = mig_model_find_profile(layout->model, geometry->ranks[r].name);
      if (placed->count[r] == wanted->count[r] || !mig_layout_can_place(layout, profile, start))
        continue;
      PlanAmounts more = *placed;
      more.count[r]++;
      mig_layout_place(layout, profile, start);
      add_all(geometry, layout, wanted, &more, start + 1, vectors);
      mig_layout_remove(layout, start);
    }
}

static void sum_vectors(const PlanGeometry *geometry, Vectors *sum, const Vectors *more,
                        const PlanAmounts *wanted) {
  static Vectors result;
  result.count = 0;
  for (int i = 0; i < sum->count; i++)
    for (int j = 0; j < more->count; j++) {
      PlanAmounts both = sum->items[i];
      for (int r = 0; r < geometry->rank_count; r++) {
        both.count[r] += more->items[j].count[r];
        if (both.count[r] > wanted->count[r])
          both.count[r] = wanted->count[r];
      }
      add_vector(&result, &both);
    }
  memcpy(sum, &result, sizeof result);
}

static int total_of(const PlanAmounts *amounts) {
  int total = 0;
  for (int r = 0; r < PLAN_RANKS_MAX; r++)
    total += amounts->count[r];
  return total;
}

static void place_randomly(Random *random, MigLayout *layout) {
  const MigModel *model = layout->model;
  for (int tries = (int)random_below(random, 8); tries > 0; tries--) {
    int profile = (int)random_below(random, model->profile_count);
    int start = (int)random_below(random, model->slot_count);
    if (mig_layout_can_place(layout, profile, start))
      mig_layout_place(layout, profile, start);
  }
}

static void compare_with_oracle(Random *random, const PlanGeometry *geometry, const MigModel *model) {
  static Vectors all, one;
  PlanAmounts wanted = {0};
  for (int pods = (int)random_below(random, 9); pods > 0; pods--)
    wanted.count[random_below(random, (uint64_t)geometry->rank_count)]++;
  PlanHoles holes = {0}, of_gpu;
  memset(&all, 0, sizeof all.items[0]);
  all.count = 1;
  for (int gpus = 1 + (int)random_below(random, GPUS_MAX); gpus > 0; gpus--) {
    MigLayout layout;
    mig_layout_init(&layout, model);
    place_randomly(random, &layout);
    plan_holes_of(geometry, &layout, &of_gpu);
    plan_holes_add(geometry, &holes, &of_gpu, 1);
    one.count = 0;
    add_all(geometry, &layout, &wanted, &(PlanAmounts){0}, 0, &one);
    sum_vectors(geometry, &all, &one, &wanted);
  }
  int most = 0, wanted_fits = 0;
  for (int i = 0; i < all.count; i++) {
    int total = total_of(&all.items[i]);
    most = total > most ? total : most;
    wanted_fits |= total == total_of(&wanted);
    assert_true(plan_holes_fit(geometry, &holes, &all.items[i]));
  }
  assert_int_equal(plan_holes_fit(geometry, &holes, &wanted), wanted_fits);
  assert_int_equal(plan_holes_most(geometry, &holes, &wanted), most);
}

static void counting_equals_exhaustive_search(void **state) {
  const char *models[] = {"A100-40GB", "A100-80GB", "H100-SXM-80GB", "B200", "A30", "RTX-PRO-6000"};
  print_message("# seed %d\n", SEED);
  Random random = {.state = SEED};
  int counted = 0;
  for (int i = 0; i < 12000; i++) {
    const MigModel *model = model_of(models[random_below(&random, COUNT_OF(models))]);
    uint32_t allowed = random_below(&random, 3) ? UINT32_MAX : (uint32_t)random_next(&random);
    PlanGeometry geometry;
    if (!plan_geometry_init(&geometry, model, allowed))
      continue;
    counted++;
    compare_with_oracle(&random, &geometry, model);
  }
  assert_true(counted > 10000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_instance_with_all_media_engines_leaves_no_hole_for_plain_profiles),
      cmocka_unit_test(counting_equals_exhaustive_search),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
