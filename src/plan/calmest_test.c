/* SPDX-License-Identifier: Apache-2.0 */
/* For which clusters the least disturbance is computed, and what becomes of the others. That it is the least
 * is shown by exhaustive search (disturbance_test.c). */
#include "plan/plan_fixture.h"

#include "plan/calmest.h"
#include "plan/exact.h"

static const char *const profiles[] = {"1g.10gb", "2g.20gb", "3g.40gb", "4g.40gb", "1g.20gb", "7g.80gb"};

/* So many nodes with an empty A100 each, and so many pods of each of the first kinds. */
static void add_cluster(Fixture *f, int nodes, int kinds, int pods_each) {
  for (int i = 0; i < nodes; i++)
    fixture_gpu(f, fixture_node(f, arena_format(&f->arena, "n%02d", i)), A100, "");
  for (int kind = 0; kind < kinds; kind++)
    for (int i = 0; i < pods_each; i++)
      fixture_pod(f, arena_format(&f->arena, "p%d-%02d", kind, i), profiles[kind]);
}

/* Is the least known? Then the offer may be another one, else it is as it was. */
static bool is_known(Fixture *f) {
  CLEANUP(plan_problem_deinit) PlanProblem problem;
  CLEANUP(plan_offer_deinit) PlanOffer offer = {0}, before = {0};
  fixture_snapshot(f);
  plan_problem_init(&problem, &f->snapshot, 0);
  plan_exact_solve(&problem, &offer);
  plan_exact_solve(&problem, &before);
  bool known = plan_calmest_find(&problem, &offer);
  if (!known) {
    assert_int_equal(offer.slices.count, before.slices.count);
    for (size_t i = 0; i < offer.slices.count; i++)
      assert_memory_equal(&offer.slices.items[i], &before.slices.items[i], sizeof offer.slices.items[i]);
  }
  snapshot_deinit(&f->snapshot);
  return known;
}

/* The limit is PLAN_CALMEST_CHOICES_MAX: choices times nodes. */
static void the_least_is_known_for_as_many_choices_as_the_header_says(void **state) {
  static const struct {
    int nodes, kinds, pods_each;
    bool known;
  } rows[] = {
      {1, 1, 1, true},    {64, 2, 5, true},  /* 36 choices on 64 nodes */
      {16, 3, 7, true},                      /* 512 on 16 */
      {31, 3, 7, true},   {32, 3, 7, false}, /* 15,872 and 16,384 */
      {64, 1, 120, true},                    /* 121 on 64 */
      {64, 2, 20, false},                    /* 441 on 64 */
      {65, 1, 1, false},                     /* too many nodes for the search */
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    CLEANUP(fixture_deinit) Fixture f = {0};
    add_cluster(&f, rows[i].nodes, rows[i].kinds, rows[i].pods_each);
    if (is_known(&f) != rows[i].known)
      fail_msg("%d nodes, %d kinds, %d pods each", rows[i].nodes, rows[i].kinds, rows[i].pods_each);
  }
}

/* Whoever waits and is not served makes no choices: of 8 kinds and tiers only two pods fit. */
static void who_cannot_be_served_does_not_count(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  fixture_gpu(&f, fixture_node(&f, "n"), A100, "4g.40gb@0:used,1g.10gb@4:used");
  for (int i = 0; i < 100; i++)
    fixture_pod(&f, arena_format(&f.arena, "p%03d", i), profiles[i % 6])->priority = i % 2;
  assert_true(is_known(&f));
}

static void a_plan_that_changes_nothing_is_left_alone(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  fixture_gpu(&f, fixture_node(&f, "n"), A100, "1g.10gb@6:free");
  fixture_pod(&f, "p", "1g.10gb");
  assert_false(is_known(&f));
}

/* Two on each node by cpu: the GPU that has a hole of the size already is on the last one. */
static void rooms_are_counted_beside_slices(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  for (int i = 0; i < 3; i++) {
    Node *node = fixture_node(&f, arena_format(&f.arena, "n%d", i));
    fixture_set(&f, (KeyValues *)&node->allocatable, "cpu", "2");
    fixture_gpu(&f, node, A100, i < 2 ? "" : "4g.40gb@0:used,1g.10gb@6:used");
  }
  for (int i = 0; i < 3; i++)
    fixture_ask(&f, fixture_pod(&f, arena_format(&f.arena, "p%d", i), "1g.10gb"), "cpu", "1");
  fixture_plan(&f, NULL);
  assert_string_equal(fixture_changes(&f), "n0/0: 1g.10gb@6; n2/0: 1g.10gb@5 1g.10gb@4");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_least_is_known_for_as_many_choices_as_the_header_says),
      cmocka_unit_test(who_cannot_be_served_does_not_count),
      cmocka_unit_test(a_plan_that_changes_nothing_is_left_alone),
      cmocka_unit_test(rooms_are_counted_beside_slices),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
