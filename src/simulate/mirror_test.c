/* SPDX-License-Identifier: Apache-2.0 */
#include "simulate/mirror.h"

#include "simulate/simulate_fixture.h"

#include "cluster/snapshot.h"
#include "plan/plan.h"

typedef struct View { /* what the planner sees of the fixture's world */
  SimulateMirror mirror;
  Snapshot snapshot;
  Arena arena;
} View;

static void view_init(View *view, Fixture *f) {
  *view = (View){0};
  simulate_mirror_init(&view->mirror, &f->fleet);
  snapshot_init(&view->snapshot);
  for (int n = 0; n < (int)f->fleet.nodes.count; n++)
    snapshot_add_node(&view->snapshot, &simulate_mirror_update(&view->mirror, n)->object, NULL, NULL);
}

static void view_deinit(View *view) {
  snapshot_deinit(&view->snapshot);
  simulate_mirror_deinit(&view->mirror);
  arena_deinit(&view->arena);
}

static void the_planner_sees_the_same_layouts(void **state) {
  CLEANUP(fixture_deinit) Fixture f;
  fixture_init(&f, "A30,12xA100-80GB", "0 10 1g.10gb; 0 10 1g.10gb+me");
  fixture_arrive(&f, 2);
  simulate_world_create(&f.world, 12,
                        mig_model_find_profile(f.fleet.gpus.items[12].layout.model, "1g.10gb+me"), 6);
  simulate_world_create(&f.world, 12, mig_model_find_profile(f.fleet.gpus.items[12].layout.model, "1g.10gb"),
                        2);
  simulate_world_take(&f.world, 1, 12, 6);
  CLEANUP(view_deinit) View view;
  view_init(&view, &f);
  const SnapshotNode *node = &view.snapshot.nodes.items[1];
  assert_true(node->may_change);
  assert_int_equal(node->gpu_count, 12);
  for (int g = 0; g < 12; g++) {
    const SimulateGpu *gpu = &f.fleet.gpus.items[1 + g];
    assert_int_equal(node->gpus[g].index, g); /* also beyond 9 */
    assert_true(mig_layout_equal(node->gpus[g].layout, &gpu->layout));
    assert_int_equal(node->gpus[g].used_starts, gpu->used_starts);
  }
  assert_int_equal(snapshot_free_of(node, "nvidia.com/mig-1g.10gb"), 1);
  assert_int_equal(snapshot_free_of(node, "nvidia.com/mig-1g.10gb.me"), 0);
}

static void a_pod_of_a_job_is_one_that_the_planner_considers(void **state) {
  CLEANUP(fixture_deinit) Fixture f;
  fixture_init(&f, "A100-80GB", "0 10 1g.10gb");
  fixture_arrive(&f, 1);
  CLEANUP(view_deinit) View view;
  view_init(&view, &f);
  snapshot_add_pod(&view.snapshot, simulate_mirror_make_pod(&view.arena, "1g.10gb+me", 2, 5), NULL);
  snapshot_add_pod(&view.snapshot, simulate_mirror_make_pod(&view.arena, "1g.10gb", 3, 6), NULL);
  CLEANUP(plan_deinit) Plan plan;
  const PlanOptions options = {.leftover = PLAN_LEFTOVER_NONE};
  plan_compute(&view.snapshot, &options, &plan);
  assert_int_equal(plan.pods.items[0].verdict, PLAN_BLOCKED); /* one +me on a GPU */
  assert_int_equal(plan.pods.items[1].verdict, PLAN_ADMITTED);
  assert_int_equal(plan.create, 3);
}

static void nodes_that_are_alike_have_equal_states(void **state) {
  CLEANUP(fixture_deinit) Fixture f;
  fixture_init(&f, "2x2xA100-80GB,2xA100-40GB", "0 10 1g.10gb");
  fixture_arrive(&f, 1);
  SimulateMirror mirror;
  simulate_mirror_init(&mirror, &f.fleet);
  uint64_t first = simulate_mirror_update(&mirror, 0)->state;
  assert_true(simulate_mirror_update(&mirror, 1)->state == first);
  assert_true(simulate_mirror_update(&mirror, 2)->state != first);
  simulate_world_create(&f.world, 2, 0, 3);
  uint64_t free = simulate_mirror_update(&mirror, 1)->state;
  assert_true(free != first);
  simulate_world_schedule(&f.world);
  assert_true(simulate_mirror_update(&mirror, 1)->state != free);
  simulate_mirror_deinit(&mirror);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_planner_sees_the_same_layouts),
      cmocka_unit_test(a_pod_of_a_job_is_one_that_the_planner_considers),
      cmocka_unit_test(nodes_that_are_alike_have_equal_states),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
