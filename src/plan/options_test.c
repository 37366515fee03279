/* SPDX-License-Identifier: Apache-2.0 */
/* What the options change: who comes first, and how long a better plan is looked for. */
#include "plan/plan_fixture.h"

/* ---- age ---- */

static void add_whole_and_small_pods(Fixture *f) {
  fixture_gpu(f, fixture_node(f, "n1"), A100, "");
  fixture_pod(f, "whole", "7g.80gb")->meta.creation_time = 1000;
  for (int i = 0; i < 7; i++)
    fixture_pod(f, arena_format(&f->arena, "small%d", i), "1g.10gb")->meta.creation_time = 2000 + i;
}

static void as_many_as_possible_are_served_while_nobody_has_waited_long(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  add_whole_and_small_pods(&f);
  assert_int_equal(fixture_plan(&f, &(PlanOptions){.old_before = 1000})->admitted, 7);
  assert_int_equal(fixture_plan(&f, NULL)->admitted, 7);
}

static void a_large_pod_that_has_waited_long_comes_before_many_small_ones(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  add_whole_and_small_pods(&f);
  const Plan *plan = fixture_plan(&f, &(PlanOptions){.leftover = PLAN_LEFTOVER_NONE, .old_before = 1001});
  assert_string_equal(fixture_changes(&f), "n1/0: 7g.80gb@0");
  assert_int_equal(plan->bound, 7);
}

static void age_does_not_lift_a_pod_above_a_higher_priority(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  add_whole_and_small_pods(&f);
  f.pods.items[3]->priority = 1;
  fixture_plan(&f, &(PlanOptions){.leftover = PLAN_LEFTOVER_NONE, .old_before = 1500});
  assert_int_equal(f.plan.pods.items[3].verdict, PLAN_ADMITTED);
  assert_int_equal(f.plan.pods.items[0].verdict, PLAN_BLOCKED);
}

/* One GPU gives one turn. */
static void the_oldest_of_those_that_have_waited_long_has_its_turn(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  add_whole_and_small_pods(&f);
  assert_int_equal(fixture_plan(&f, &(PlanOptions){.old_before = 9999})->admitted, 1);
  assert_int_equal(f.plan.pods.items[0].verdict, PLAN_ADMITTED);
}

static void who_can_never_be_served_takes_no_turn(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  add_whole_and_small_pods(&f);
  Pod *lost = fixture_pod(&f, "lost", "7g.80gb"), *kept_out = fixture_pod(&f, "kept-out", "4g.40gb");
  fixture_set(&f, &lost->common->node_selector, "zone", "nowhere");
  lost->meta.creation_time = 1;
  kept_out->meta.creation_time = 2;
  fixture_gpu(&f, f.nodes.items[0], A30, "");
  fixture_set(&f, &f.nodes.items[0]->meta.annotations, MIG_ANNOTATION_ALLOWED, "1g.10gb,7g.80gb");
  fixture_plan(&f, &(PlanOptions){.old_before = 9999});
  assert_int_equal(f.plan.pods.items[0].verdict, PLAN_ADMITTED);
}

/* Seven GPUs give one turn, eight give two. */
static void eight_gpus_give_another_turn(void **state) {
  for (int gpus = 7; gpus <= 8; gpus++) {
    CLEANUP(fixture_deinit) Fixture f = {0};
    Node *node = fixture_node(&f, "n1");
    for (int i = 0; i < gpus; i++)
      fixture_gpu(&f, node, A100, i < 2 ? "" : "7g.80gb@0:used");
    for (int i = 0; i < 2; i++)
      fixture_pod(&f, arena_format(&f.arena, "whole%d", i), "7g.80gb")->meta.creation_time = 100 + i;
    for (int i = 0; i < 14; i++)
      fixture_pod(&f, arena_format(&f.arena, "small%02d", i), "1g.10gb")->meta.creation_time = 200 + i;
    assert_int_equal(fixture_plan(&f, &(PlanOptions){.old_before = 9999})->admitted, gpus == 7 ? 8 : 2);
  }
}

static void of_the_others_that_have_waited_long_as_many_as_possible_are_served(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  add_whole_and_small_pods(&f);
  f.pods.items[0]->meta.creation_time = 3000; /* the first small one is older, and has the turn */
  assert_int_equal(fixture_plan(&f, &(PlanOptions){.old_before = 9999})->admitted, 7);
}

static void a_pod_whose_age_is_not_known_has_not_waited_long(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  add_whole_and_small_pods(&f);
  f.pods.items[0]->meta.creation_time = 0;
  assert_int_equal(fixture_plan(&f, &(PlanOptions){.old_before = 1500})->admitted, 7);
}

/* ---- time ---- */

/* Eight nodes on which cpu and slices are short in turn. */
static void add_knot(Fixture *f, uint64_t seed) {
  static const char *const profiles[] = {"1g.10gb", "2g.20gb", "3g.40gb", "4g.40gb", "1g.20gb"};
  Random random = {.state = seed};
  for (int i = 0; i < 8; i++) {
    Node *node = fixture_node(f, arena_format(&f->arena, "n%d", i));
    fixture_set(f, (KeyValues *)&node->allocatable, "cpu",
                arena_format(&f->arena, "%d", 3 + (int)random_below(&random, 9)));
    fixture_gpu(f, node, A100, i % 3 ? "" : "2g.20gb@2:used");
    fixture_gpu(f, node, A100, "");
  }
  for (int i = 0; i < 60; i++) {
    Pod *pod = fixture_pod(f, arena_format(&f->arena, "p%02d", i), profiles[random_below(&random, 5)]);
    fixture_ask(f, pod, "cpu", arena_format(&f->arena, "%dm", 500 + 250 * (int)random_below(&random, 8)));
  }
}

static void a_plan_says_that_it_stopped_early(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  add_knot(&f, 5);
  const Plan *plan = fixture_plan(&f, &(PlanOptions){.steps_max = 1});
  int quick = plan->admitted;
  assert_true(plan->stopped_early);
  assert_true(plan->bound >= quick);
  plan = fixture_plan(&f, NULL);
  assert_true(plan->admitted >= quick);
  assert_true(plan->bound >= plan->admitted);
}

/* Better growth can be searched for without end; it would not serve those whom only a re-cut serves. */
static void growth_leaves_steps_for_what_free_slices_make_room_for(void **state) {
  static const char *const statuses[] = {"2g.20gb@2:free", "1g.10gb@0:free,1g.10gb@3:free",
                                         "1g.20gb@2:free,1g.10gb@5:free", "3g.40gb@4:free"};
  int served = 0;
  for (uint64_t seed = 1; seed <= 5; seed++) {
    CLEANUP(fixture_deinit) Fixture f = {0};
    Random random = {.state = seed};
    add_knot(&f, seed);
    for (int i = 0; i < 16; i++)
      if (i % 2 || i / 2 % 3)
        fixture_status(&f, f.nodes.items[i / 2], i % 2, statuses[random_below(&random, 4)]);
    const Plan *plan = fixture_plan(&f, &(PlanOptions){.steps_max = 400000});
    served += plan->admitted + plan->already_fit;
  }
  assert_true(served >= 232); /* of 300; 224 where growth takes all steps, 239 with fifteen times as many */
}

static void what_counting_proves_takes_no_time(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  add_whole_and_small_pods(&f);
  const Plan *plan = fixture_plan(&f, &(PlanOptions){.steps_max = 1});
  assert_false(plan->stopped_early);
  assert_true(plan_gap(plan) == 0);
}

typedef struct Watch {
  int begun, looks, looks_max;
} Watch;

static void begin(void *userdata) {
  ((Watch *)userdata)->begun++;
}

static bool is_late(void *userdata) {
  Watch *watch = userdata;
  return ++watch->looks > watch->looks_max;
}

static void a_clock_ends_the_search_and_is_not_asked_again(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  Watch watch = {.looks_max = 2};
  const PlanClock clock = {.begin = begin, .is_late = is_late, .userdata = &watch};
  add_knot(&f, 5);
  const Plan *plan = fixture_plan(&f, &(PlanOptions){.clock = &clock});
  assert_int_equal(watch.begun, 1);
  assert_int_equal(watch.looks, 3);
  assert_true(plan->stopped_early);
}

static void the_gap_is_the_share_that_might_be_missing(void **state) {
  assert_true(plan_gap(&(Plan){.bound = 10, .admitted = 9}) > 0.099);
  assert_true(plan_gap(&(Plan){.bound = 10, .admitted = 9}) < 0.101);
  assert_true(plan_gap(&(Plan){.bound = 0}) == 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(as_many_as_possible_are_served_while_nobody_has_waited_long),
      cmocka_unit_test(a_large_pod_that_has_waited_long_comes_before_many_small_ones),
      cmocka_unit_test(age_does_not_lift_a_pod_above_a_higher_priority),
      cmocka_unit_test(the_oldest_of_those_that_have_waited_long_has_its_turn),
      cmocka_unit_test(who_can_never_be_served_takes_no_turn),
      cmocka_unit_test(eight_gpus_give_another_turn),
      cmocka_unit_test(of_the_others_that_have_waited_long_as_many_as_possible_are_served),
      cmocka_unit_test(a_pod_whose_age_is_not_known_has_not_waited_long),
      cmocka_unit_test(a_plan_says_that_it_stopped_early),
      cmocka_unit_test(growth_leaves_steps_for_what_free_slices_make_room_for),
      cmocka_unit_test(what_counting_proves_takes_no_time),
      cmocka_unit_test(a_clock_ends_the_search_and_is_not_asked_again),
      cmocka_unit_test(the_gap_is_the_share_that_might_be_missing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
