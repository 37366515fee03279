/* SPDX-License-Identifier: Apache-2.0 */
/* What partitioners before this one got wrong, each as one named case. That a node which does not answer
 * delays no other is controller/pass_test.c's. */
#include "plan/plan_fixture.h"

static const PlanOptions fill = {.leftover = PLAN_LEFTOVER_FILL};

/* ---- a need that is hidden ---- */

static void a_free_slice_behind_a_taint_hides_no_need(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  static Taint taints[] = {{.key = "dedicated", .value = "ml", .effect = "NoSchedule"}};
  Node *tainted = fixture_node(&f, "n1");
  tainted->taints.items = taints;
  tainted->taints.count = 1;
  fixture_gpu(&f, tainted, A100, "1g.10gb@6:free");
  fixture_gpu(&f, fixture_node(&f, "n2"), A100, "");
  fixture_pods(&f, 1, "p", "1g.10gb");
  fixture_plan(&f, NULL);
  assert_string_equal(fixture_changes(&f), "n2/0: 1g.10gb@6");
  assert_string_equal(fixture_verdicts(&f), "p0 admitted n2");
}

static void a_free_slice_on_a_full_node_hides_no_need(void **state) {
  static const char *const scarce[] = {"cpu", "memory", "pods", "example.com/port"};
  for (size_t i = 0; i < COUNT_OF(scarce); i++) {
    CLEANUP(fixture_deinit) Fixture f = {0};
    Node *full = fixture_node(&f, "n1"), *other = fixture_node(&f, "n2");
    fixture_gpu(&f, full, A100, "1g.10gb@6:free");
    fixture_gpu(&f, other, A100, "");
    fixture_set(&f, (KeyValues *)&other->allocatable, "example.com/port", "1");
    fixture_set(&f, (KeyValues *)&full->allocatable, scarce[i], "0");
    Pod *pod = fixture_pod(&f, "p", "1g.10gb");
    if (strcmp(scarce[i], "pods") != 0)
      fixture_ask(&f, pod, scarce[i], "1");
    fixture_plan(&f, NULL);
    assert_string_equal(fixture_changes(&f), "n2/0: 1g.10gb@6");
  }
}

static void one_free_slice_does_not_hide_the_need_of_ten_pods(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  Node *node = fixture_node(&f, "n1");
  fixture_gpu(&f, node, A100, "2g.20gb@4:free");
  for (int i = 0; i < 3; i++)
    fixture_gpu(&f, node, A100, "");
  fixture_pods(&f, 10, "p", "2g.20gb");
  const Plan *plan = fixture_plan(&f, NULL);
  assert_int_equal(plan->already_fit, 1);
  assert_int_equal(plan->admitted, 9);
  assert_int_equal(plan->create, 9);
}

/* ---- layouts ---- */

/* Seven slots are free, but the two in use stand where every larger placement would be. */
static void a_layout_that_counts_allow_and_placements_forbid_is_not_planned(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "1g.10gb@1:used,1g.10gb@5:used");
  fixture_gpu(&f, fixture_node(&f, "n2"), A100, "1g.10gb@0:used,1g.10gb@3:used,1g.10gb@5:used");
  fixture_pods(&f, 1, "half", "3g.40gb");
  fixture_pods(&f, 3, "quarter", "2g.20gb");
  const Plan *plan = fixture_plan(&f, NULL);
  assert_string_equal(fixture_changes(&f), "n1/0: 2g.20gb@2");
  assert_int_equal(plan->admitted, 1);
  assert_int_equal(plan->bound, 1);
}

typedef struct Whole { /* a layout that fills an A100-40GB */
  const char *profiles[8];
  const char *changes;
} Whole;

static void every_layout_that_the_hardware_knows_is_planned(void **state) {
  const Whole layouts[] = {
      {{"4g.20gb", "3g.20gb"}, "n1/0: 3g.20gb@4 4g.20gb@0"},
      {{"3g.20gb", "1g.5gb", "1g.5gb", "1g.5gb", "1g.5gb"}, NULL},
      {{"3g.20gb", "3g.20gb"}, NULL},
      {{"4g.20gb", "2g.10gb", "1g.5gb"}, NULL},
      {{"4g.20gb", "1g.5gb", "1g.5gb", "1g.5gb"}, NULL},
      {{"3g.20gb", "2g.10gb", "2g.10gb"}, NULL},
      {{"3g.20gb", "2g.10gb", "1g.5gb", "1g.5gb"}, NULL},
      {{"2g.10gb", "2g.10gb", "2g.10gb", "1g.5gb"}, NULL},
      {{"1g.5gb", "1g.5gb", "1g.5gb", "1g.5gb", "1g.5gb", "1g.5gb", "1g.5gb"}, NULL},
      {{"7g.40gb"}, "n1/0: 7g.40gb@0"},
  };
  for (size_t i = 0; i < COUNT_OF(layouts); i++) {
    CLEANUP(fixture_deinit) Fixture f = {0};
    fixture_gpu(&f, fixture_node(&f, "n1"), A100_40, "");
    int asked = 0;
    for (; asked < 8 && layouts[i].profiles[asked]; asked++)
      fixture_pod(&f, arena_format(&f.arena, "p%d", asked), layouts[i].profiles[asked]);
    const Plan *plan = fixture_plan(&f, NULL);
    if (plan->admitted != asked || plan->create != asked)
      fail_msg("%d of %d: %s", plan->admitted, asked, fixture_changes(&f));
    if (layouts[i].changes)
      assert_string_equal(fixture_changes(&f), layouts[i].changes);
  }
}

/* Nobody would cut it like that, and nvidia-smi did. */
static void a_hand_made_layout_is_as_good_as_any(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100,
              "1g.10gb@5:used,1g.20gb@2:used,1g.10gb@0:free,1g.10gb+me@6:used");
  fixture_pods(&f, 3, "p", "1g.10gb");
  const Plan *plan = fixture_plan(&f, NULL);
  assert_string_equal(fixture_changes(&f), "n1/0: 1g.10gb@4 1g.10gb@1");
  assert_int_equal(plan->already_fit, 1);
  assert_int_equal(plan->admitted, 2);
}

static void a_gpu_that_reported_nothing_does_not_shift_the_others(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  Node *node = fixture_node(&f, "n1");
  fixture_set(&f, &node->meta.annotations, "facet.gpu/gpu-1", "GPU-n1-1 " A100 " mig=on");
  fixture_set(&f, &node->meta.annotations, "facet.gpu/gpu-3", "GPU-n1-3 " A100 " mig=on");
  fixture_pods(&f, 2, "p", "7g.80gb");
  fixture_plan(&f, NULL);
  assert_string_equal(fixture_changes(&f), "n1/1: 7g.80gb@0; n1/3: 7g.80gb@0");
}

static void no_profile_of_another_card_is_planned(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "");
  fixture_pods(&f, 1, "p", "3g.20gb");
  const Plan *plan = fixture_plan(&f, &fill);
  assert_string_equal(fixture_changes(&f), "");
  assert_int_equal(plan->bound, 0);
}

/* ---- who is counted, and how often ---- */

static void no_pod_is_planned_on_two_nodes(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  for (int i = 0; i < 20; i++) {
    Node *node = fixture_node(&f, arena_format(&f.arena, "n%02d", i));
    for (int gpu = 0; gpu < 8; gpu++)
      fixture_gpu(&f, node, A100, "");
  }
  fixture_pods(&f, 100, "a", "1g.10gb");
  fixture_pods(&f, 60, "b", "2g.20gb");
  fixture_pods(&f, 40, "c", "3g.40gb");
  const Plan *plan = fixture_plan(&f, NULL);
  assert_int_equal(plan->create, 200); /* one for each, not one per node that could serve it */
  assert_int_equal(plan->admitted, 200);
  for (size_t i = 0; i < plan->pods.count; i++)
    assert_true(plan->pods.items[i].node >= 0);
}

/* Eight GPUs a node have room for all of them with ease, and one plan says so. */
static void an_empty_fleet_with_room_for_all_admits_all(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  for (int i = 0; i < 10; i++) {
    Node *node = fixture_node(&f, arena_format(&f.arena, "n%02d", i));
    for (int gpu = 0; gpu < 8; gpu++)
      fixture_gpu(&f, node, A100, "");
  }
  fixture_pods(&f, 150, "a", "1g.10gb");
  fixture_pods(&f, 90, "b", "2g.20gb");
  fixture_pods(&f, 60, "c", "3g.40gb");
  assert_int_equal(fixture_plan(&f, NULL)->admitted, 300);
}

static void what_is_in_use_is_never_taken_away(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "1g.10gb@0:used,2g.20gb@4:free");
  fixture_pods(&f, 1, "urgent", "7g.80gb");
  f.pods.items[0]->priority = 1000000;
  fixture_pods(&f, 1, "p", "3g.40gb");
  fixture_plan(&f, &fill);
  assert_string_equal(fixture_changes(&f), "n1/0: -2g.20gb@4 3g.40gb@4 +2g.20gb@2 +1g.10gb@1");
}

/* ---- tries ---- */

/* The 4g is tried, and there is no cpu; so is the pair, whose second slice has no place. */
static void what_was_tried_in_vain_is_undone(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  Node *node = fixture_node(&f, "n1");
  fixture_gpu(&f, node, A100, "1g.10gb@6:free");
  fixture_set(&f, (KeyValues *)&node->allocatable, "cpu", "4");
  fixture_ask(&f, fixture_pod(&f, "greedy", "4g.40gb"), "cpu", "5");
  Pod *pair = fixture_pod(&f, "pair", "4g.40gb");
  fixture_ask_slices(&f, pair, "7g.80gb", 1);
  fixture_ask(&f, fixture_pod(&f, "modest", "3g.40gb"), "cpu", "4");
  fixture_snapshot(&f);
  uint64_t before = snapshot_hash(&f.snapshot);
  plan_compute(&f.snapshot, &fill, &f.plan);
  f.planned = true;
  assert_true(snapshot_hash(&f.snapshot) == before);
  assert_string_equal(fixture_changes(&f), "n1/0: 3g.40gb@0 +2g.20gb@4");
}

static void answers_are_the_same_from_run_to_run(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  Random random = {.state = 7};
  for (int i = 0; i < 6; i++) {
    Node *node = fixture_node(&f, arena_format(&f.arena, "n%d", i));
    fixture_set(&f, (KeyValues *)&node->allocatable, "cpu", "4");
    fixture_gpu(&f, node, i % 2 ? A100 : H100, "");
    fixture_gpu(&f, node, A100, "1g.10gb@6:free");
  }
  static const char *const profiles[] = {"1g.10gb", "2g.20gb", "3g.40gb", "4g.40gb"};
  for (int i = 0; i < 30; i++) {
    Pod *pod = fixture_pod(&f, arena_format(&f.arena, "p%02d", i), profiles[i % 4]);
    pod->meta.creation_time = 1; /* all at once: only the names tell them apart */
    fixture_ask(&f, pod, "cpu", i % 3 ? "1" : "500m");
  }
  fixture_plan(&f, &fill);
  const char *changes = fixture_changes(&f), *verdicts = fixture_verdicts(&f);
  for (int run = 0; run < 10; run++) {
    fixture_shuffle(&f, &random);
    fixture_plan(&f, &fill);
    assert_string_equal(fixture_changes(&f), changes);
    assert_string_equal(fixture_verdicts(&f), verdicts);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_free_slice_behind_a_taint_hides_no_need),
      cmocka_unit_test(a_free_slice_on_a_full_node_hides_no_need),
      cmocka_unit_test(one_free_slice_does_not_hide_the_need_of_ten_pods),
      cmocka_unit_test(a_layout_that_counts_allow_and_placements_forbid_is_not_planned),
      cmocka_unit_test(every_layout_that_the_hardware_knows_is_planned),
      cmocka_unit_test(a_hand_made_layout_is_as_good_as_any),
      cmocka_unit_test(a_gpu_that_reported_nothing_does_not_shift_the_others),
      cmocka_unit_test(no_profile_of_another_card_is_planned),
      cmocka_unit_test(no_pod_is_planned_on_two_nodes),
      cmocka_unit_test(an_empty_fleet_with_room_for_all_admits_all),
      cmocka_unit_test(what_is_in_use_is_never_taken_away),
      cmocka_unit_test(what_was_tried_in_vain_is_undone),
      cmocka_unit_test(answers_are_the_same_from_run_to_run),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
