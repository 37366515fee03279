/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "cluster/snapshot.h"
#include "cluster/test_objects.h"

#define SLICE_1G "nvidia.com/mig-1g.10gb"
#define SLICE_3G "nvidia.com/mig-3g.40gb"
#define SENTENCE "node n1 is carrying out plan p2, which takes slices away; facet plans again when it is done"

/* A node with one A100 that was told plan p2 and answered p1. */
#define TOLD_NODE(...)                                                                                       \
  {                                                                                                          \
    .meta = {.name = "n1",                                                                                   \
             .labels = LIST_OF(KeyValue, {MIG_LABEL_PARTITIONING, "mig"}),                                   \
             .annotations = LIST_OF(KeyValue, {"facet.gpu/gpu-0", "GPU-a NVIDIA-A100-SXM4-80GB mig=on"},     \
                                    {MIG_ANNOTATION_SPEC_PLAN, "p2"}, {MIG_ANNOTATION_STATUS_PLAN, "p1"},    \
                                    __VA_ARGS__)},                                                           \
    .allocatable = LIST_OF(ResourceText, {"cpu", "8"}, {"pods", "110"})                                      \
  }

static void take(Snapshot *snapshot, const Node *node, const Map *held) {
  snapshot_init(snapshot);
  snapshot_add_node(snapshot, node, &(SnapshotOptions){.held = held}, NULL);
}

static void assert_layout(const Snapshot *snapshot, const char *expected) {
  char text[MIG_STATUS_TEXT_SIZE];
  const SnapshotGpu *gpu = &snapshot->nodes.items[0].gpus[0];
  mig_status_format(gpu->layout, gpu->used_starts, text, sizeof text);
  assert_string_equal(text, expected);
}

static void a_node_that_loses_slices_is_seen_as_it_will_be(void **state) {
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  Node node = TOLD_NODE({"facet.gpu/spec-gpu-0", "GPU-a 1g.10gb@0,3g.40gb@4"},
                        {"facet.gpu/status-gpu-0", "1g.10gb@0:used,1g.10gb@4:free,1g.10gb@5:free"});
  take(&snapshot, &node, NULL);
  const SnapshotNode *seen = &snapshot.nodes.items[0];
  assert_true(seen->being_recut);
  assert_false(seen->may_change);
  assert_string_equal(seen->blocked, SENTENCE);
  assert_layout(&snapshot, "1g.10gb@0:used,3g.40gb@4:free");
  assert_int_equal(snapshot_free_of(seen, SLICE_1G), 0);
  assert_int_equal(snapshot_free_of(seen, SLICE_3G), 1);
  assert_int_equal(snapshot_withdrawable(seen, &seen->gpus[0]), 0);
}

static void a_plan_that_only_creates_changes_nothing(void **state) {
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  Node node = TOLD_NODE({"facet.gpu/spec-gpu-0", "GPU-a 1g.10gb@0,3g.40gb@4"},
                        {"facet.gpu/status-gpu-0", "1g.10gb@0:free"});
  take(&snapshot, &node, NULL);
  assert_false(snapshot.nodes.items[0].being_recut);
  assert_true(snapshot.nodes.items[0].may_change);
  assert_layout(&snapshot, "1g.10gb@0:free");
}

static void an_answered_plan_is_over(void **state) {
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  Node node =
      TOLD_NODE({"facet.gpu/spec-gpu-0", "GPU-a 3g.40gb@4"}, {"facet.gpu/status-gpu-0", "1g.10gb@4:free"});
  node.meta.annotations.items[2].value = "p2";
  take(&snapshot, &node, NULL);
  assert_true(snapshot.nodes.items[0].may_change);
  assert_layout(&snapshot, "1g.10gb@4:free");
}

/* The agent never takes those, whatever it was told. */
static void used_and_kept_slices_stay_where_the_plan_leaves_them_out(void **state) {
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  Node node =
      TOLD_NODE({"facet.gpu/spec-gpu-0", "GPU-a 3g.40gb@4"}, {"facet.gpu/keep-gpu-0", "1g.10gb@1"},
                {"facet.gpu/status-gpu-0", "1g.10gb@0:used,1g.10gb@1:free,1g.10gb@2:free,1g.10gb@6:used"});
  take(&snapshot, &node, NULL);
  assert_true(snapshot.nodes.items[0].being_recut);
  assert_layout(&snapshot, "1g.10gb@0:used,1g.10gb@1:free,1g.10gb@6:used");
}

static void a_node_that_owes_its_answer_for_too_long_is_seen_as_it_is(void **state) {
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  CLEANUP(map_deinit) Map held = {0};
  char why[] = "node n1 has not answered";
  map_put(&held, "n1", why);
  Node node =
      TOLD_NODE({"facet.gpu/spec-gpu-0", "GPU-a 3g.40gb@4"}, {"facet.gpu/status-gpu-0", "1g.10gb@4:free"});
  take(&snapshot, &node, &held);
  assert_false(snapshot.nodes.items[0].being_recut);
  assert_string_equal(snapshot.nodes.items[0].blocked, why);
  assert_layout(&snapshot, "1g.10gb@4:free");
}

static void a_wish_for_another_gpu_takes_nothing(void **state) {
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  Node node = TOLD_NODE({"facet.gpu/spec-gpu-0", "GPU-other 3g.40gb@4"},
                        {"facet.gpu/status-gpu-0", "1g.10gb@4:free"});
  take(&snapshot, &node, NULL);
  assert_true(snapshot.nodes.items[0].may_change);
}

/* The reservation holds the very slices that the picture leaves out. */
static void a_reservation_takes_only_what_goes(void **state) {
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  Node node = TOLD_NODE({"facet.gpu/spec-gpu-0", "GPU-a 1g.10gb@0,3g.40gb@4"},
                        {"facet.gpu/status-gpu-0", "1g.10gb@0:free,1g.10gb@4:free"});
  Container container = {.name = "c", .requests = LIST_OF(ResourceText, {SLICE_1G, "1"}, {"cpu", "1"})};
  Pod pod = {.meta = {.namespace_ = "facet-system",
                      .name = "r",
                      .labels = LIST_OF(KeyValue, {MIG_LABEL_RESERVATION, "n1"})},
             .node_name = "n1",
             .common = &(PodCommon){.containers = {&container, 1}}};
  take(&snapshot, &node, NULL);
  snapshot_add_pod(&snapshot, &pod, NULL);
  assert_int_equal(snapshot_free_of(&snapshot.nodes.items[0], SLICE_1G), 1);
  assert_int_equal(resources_get(&snapshot.nodes.items[0].requested, "cpu"), 1000);
  assert_int_equal(snapshot.nodes.items[0].pod_count, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_node_that_loses_slices_is_seen_as_it_will_be),
      cmocka_unit_test(a_plan_that_only_creates_changes_nothing),
      cmocka_unit_test(an_answered_plan_is_over),
      cmocka_unit_test(used_and_kept_slices_stay_where_the_plan_leaves_them_out),
      cmocka_unit_test(a_node_that_owes_its_answer_for_too_long_is_seen_as_it_is),
      cmocka_unit_test(a_wish_for_another_gpu_takes_nothing),
      cmocka_unit_test(a_reservation_takes_only_what_goes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
