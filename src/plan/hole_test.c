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

static void an_a100_has_six_hole_types_in_the_order_of_their_worth(void **state) {
  PlanGeometry geometry = geometry_of("A100-80GB");
  const char *ranks[] = {"1g.10gb", "1g.20gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb"};
  assert_int_equal(geometry.rank_count, 6);
  for (int r = 0; r < 6; r++)
    assert_string_equal(geometry.ranks[r].name, ranks[r]);
  enum { S, B, A, U, L, E, TYPES };
  const PlanHoleType types[TYPES] = {
      [S] = {.ranks = 1 << 0},
      [B] = {.ranks = 1 << 1, .children = {[S] = 1}},
      [A] = {.ranks = 1 << 1 | 1 << 2, .children = {[S] = 2}},
      [U] = {.ranks = 1 << 3, .children = {[A] = 1, [B] = 1}},
      [L] = {.ranks = 1 << 3 | 1 << 4, .children = {[A] = 2}},
      [E] = {.ranks = 1 << 5, .children = {[L] = 1, [U] = 1}},
  };
  assert_int_equal(geometry.type_count, TYPES);
  for (int t = 0; t < TYPES; t++)
    assert_memory_equal(&geometry.types[t], &types[t], sizeof types[t]);
}

static void every_model_of_the_table_with_known_placements_is_exact(void **state) {
  int count;
  const MigModelRow *rows = mig_model_rows(&count);
  for (int i = 0; i < count; i++) {
    PlanGeometry geometry;
    if (rows[i].placements_known)
      assert_true(plan_geometry_init(&geometry, &rows[i].model, UINT32_MAX));
  }
}

typedef struct RefusedCase {
  const char *what;
  MigProfile profiles[3];
} RefusedCase;

static void geometry_that_cannot_be_counted_is_refused(void **state) {
  const RefusedCase cases[] = {
      {"overlap without nesting",
       {{.name = "1g", .size = 1, .starts = 0x7f}, {.name = "2g", .size = 2, .starts = 0x03}}},
      {"a larger profile where no smaller one has a place",
       {{.name = "1g", .size = 1, .starts = 0x01}, {.name = "2g", .size = 2, .starts = 0x04}}},
      {"two holes for 4g of which neither is worth more: one has the better pair, one more singles",
       {{.name = "1g", .size = 1, .starts = 0xd3},
        {.name = "2g", .size = 2, .starts = 0x11},
        {.name = "4g", .size = 4, .starts = 0x11}}},
      {"no plain profile", {{.name = "1g+me", .kind = MIG_ME, .size = 1, .starts = 1}}},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    MigModel model = {.slot_count = 8, .profile_count = 3};
    memcpy(model.profiles, cases[i].profiles, sizeof cases[i].profiles);
    PlanGeometry geometry;
    if (plan_geometry_init(&geometry, &model, UINT32_MAX))
      fail_msg("not refused: %s", cases[i].what);
  }
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

static void a_profile_without_a_rank_counts_as_what_has_a_place_inside_it(void **state) {
  PlanGeometry a100 = geometry_of("A100-80GB"), pro = geometry_of("RTX-PRO-6000");
  const MigModel *a100_model = model_of("A100-80GB"), *pro_model = model_of("RTX-PRO-6000");
  assert_int_equal(
      plan_geometry_floor_rank(&a100, a100_model, mig_model_find_profile(a100_model, "1g.10gb+me")), 0);
  assert_int_equal(
      plan_geometry_floor_rank(&pro, pro_model, mig_model_find_profile(pro_model, "2g.48gb+gfx")), 1);
  assert_int_equal(plan_geometry_find_rank(&a100, "1g.10gb+me"), -1);
  assert_int_equal(plan_geometry_find_rank(&a100, "3g.40gb"), 3);
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
      cmocka_unit_test(an_a100_has_six_hole_types_in_the_order_of_their_worth),
      cmocka_unit_test(every_model_of_the_table_with_known_placements_is_exact),
      cmocka_unit_test(geometry_that_cannot_be_counted_is_refused),
      cmocka_unit_test(an_instance_with_all_media_engines_leaves_no_hole_for_plain_profiles),
      cmocka_unit_test(a_profile_without_a_rank_counts_as_what_has_a_place_inside_it),
      cmocka_unit_test(counting_equals_exhaustive_search),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
