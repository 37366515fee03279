/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/geometry.h"

#include "base/test.h"

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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_a100_has_six_hole_types_in_the_order_of_their_worth),
      cmocka_unit_test(every_model_of_the_table_with_known_placements_is_exact),
      cmocka_unit_test(geometry_that_cannot_be_counted_is_refused),
      cmocka_unit_test(a_profile_without_a_rank_counts_as_what_has_a_place_inside_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
