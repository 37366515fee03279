/* SPDX-License-Identifier: Apache-2.0 */
/* Who holds a slice is said where it is certain, and never invented. */
#include "explain/explain_fixture.h"

/* "1g.10gb: demo/a; 3g.40gb: one of demo/b, demo/c" for the node n1. */
static const char *holders_of(Scene *s) {
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  CLEANUP(explain_holding_deinit) ExplainHolding holding;
  CLEANUP(explain_trial_deinit) ExplainTrial trial;
  CLEANUP(text_deinit) Text text = {0};
  explain_trial_init(&trial, scene_cluster(s));
  explain_trial_snapshot(&trial, SIZE_MAX, &snapshot, NULL);
  explain_holding_init(&holding, &s->cluster, &snapshot);
  for (size_t i = 0; i < holding.nodes[0].count; i++) {
    text_format(&text, "%s%s: ", i ? "; " : "", holding.nodes[0].items[i].profile);
    explain_holders_format(&holding.nodes[0].items[i], &s->cluster, &text);
  }
  return arena_strdup(&s->f.arena, text_string(&text));
}

static void the_only_pod_of_a_profile_holds_its_slices(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  fixture_gpu(&s.f, fixture_node(&s.f, "n1"), A100, "1g.10gb@0:used,1g.10gb@1:used,3g.40gb@4:used");
  Pod *pod = scene_running(&s, "a", NULL, "n1");
  fixture_ask_slices(&s.f, pod, "1g.10gb", 2);
  scene_running(&s, "b", "3g.40gb", "n1");
  assert_string_equal(holders_of(&s), "1g.10gb: demo/a; 3g.40gb: demo/b");
}

static void several_pods_of_a_profile_are_named_as_a_set(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  fixture_gpu(&s.f, fixture_node(&s.f, "n1"), A100, "1g.10gb@0:used,1g.10gb@1:used");
  scene_running(&s, "a", "1g.10gb", "n1");
  scene_running(&s, "b", "1g.10gb", "n1");
  assert_string_equal(holders_of(&s), "1g.10gb: one of demo/a, demo/b");
}

static void of_many_pods_three_are_named(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  fixture_gpu(&s.f, fixture_node(&s.f, "n1"), A100,
              "1g.10gb@0:used,1g.10gb@1:used,1g.10gb@2:used,1g.10gb@3:used,1g.10gb@4:used");
  for (int i = 0; i < 5; i++)
    scene_running(&s, arena_format(&s.f.arena, "p%d", i), "1g.10gb", "n1");
  assert_string_equal(holders_of(&s), "1g.10gb: one of demo/p0, demo/p1, demo/p2 and 2 more");
}

static void a_slice_that_no_listed_pod_asks_is_held_by_somebody_else(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  fixture_gpu(&s.f, fixture_node(&s.f, "n1"), A100, "1g.10gb@0:used,3g.40gb@4:used,2g.20gb@2:used");
  scene_running(&s, "a", "1g.10gb", "n2");
  scene_running(&s, "b", "3g.40gb", "n1")->common->phase = "Succeeded";
  assert_string_equal(holders_of(&s), "1g.10gb: a pod that is not listed; 2g.20gb: a pod that is not listed; "
                                      "3g.40gb: a pod that is not listed");
}

static void where_less_is_asked_than_used_nobody_is_certain(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  fixture_gpu(&s.f, fixture_node(&s.f, "n1"), A100, "1g.10gb@0:used,1g.10gb@1:used");
  scene_running(&s, "a", "1g.10gb", "n1");
  assert_string_equal(holders_of(&s), "1g.10gb: one of demo/a, or a pod that is not listed");
}

static void a_pod_that_does_not_run_yet_holds_nothing_where_the_running_ones_make_up_all(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  fixture_gpu(&s.f, fixture_node(&s.f, "n1"), A100, "1g.10gb@0:used,1g.10gb@1:free");
  scene_running(&s, "a", "1g.10gb", "n1");
  scene_running(&s, "b", "1g.10gb", "n1")->common->phase = "Pending";
  assert_string_equal(holders_of(&s), "1g.10gb: demo/a");
}

static void a_bound_pod_may_hold_a_slice_before_it_runs(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  fixture_gpu(&s.f, fixture_node(&s.f, "n1"), A100, "1g.10gb@0:used,1g.10gb@1:free");
  scene_running(&s, "a", "1g.10gb", "n1")->common->phase = "Pending";
  scene_running(&s, "b", "1g.10gb", "n1")->common->phase = "Pending";
  assert_string_equal(holders_of(&s), "1g.10gb: one of demo/a, demo/b");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_only_pod_of_a_profile_holds_its_slices),
      cmocka_unit_test(several_pods_of_a_profile_are_named_as_a_set),
      cmocka_unit_test(of_many_pods_three_are_named),
      cmocka_unit_test(a_slice_that_no_listed_pod_asks_is_held_by_somebody_else),
      cmocka_unit_test(where_less_is_asked_than_used_nobody_is_certain),
      cmocka_unit_test(a_pod_that_does_not_run_yet_holds_nothing_where_the_running_ones_make_up_all),
      cmocka_unit_test(a_bound_pod_may_hold_a_slice_before_it_runs),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
