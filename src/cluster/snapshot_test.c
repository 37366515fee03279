/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "cluster/snapshot.h"
#include "cluster/test_objects.h"

#define SLICE_1G "nvidia.com/mig-1g.10gb"
#define SLICE_2G "nvidia.com/mig-2g.20gb"

#define MIG_NODE(name_, ...)                                                                                 \
  {                                                                                                          \
    .meta = {.name = name_,                                                                                  \
             .labels = LIST_OF(KeyValue, {"nos.nebuly.com/gpu-partitioning", "mig"}),                        \
             .annotations =                                                                                  \
                 LIST_OF(KeyValue, {"facet.gpu/gpu-0", "GPU-a NVIDIA-A100-SXM4-80GB mig=on"}, __VA_ARGS__)}, \
    .allocatable = LIST_OF(ResourceText, {"cpu", "8"}, {"pods", "110"}, {SLICE_1G, "7"})                     \
  }

#define POD_ON(node_, ...)                                                                                   \
  {                                                                                                          \
    .meta = {.namespace_ = "demo", .name = "p"}, .node_name = node_, .common = &(PodCommon) {                \
      .containers = LIST_OF(Container, {.name = "c", .requests = LIST_OF(ResourceText, __VA_ARGS__)})        \
    }                                                                                                        \
  }

static void assert_one_warning(const SnapshotWarnings *warnings, const char *object, const char *text) {
  assert_int_equal(warnings->count, 1);
  assert_string_equal(warnings->items[0].object, object);
  assert_string_equal(warnings->items[0].text, text);
}

static void nodes_are_found_by_name(void **state) {
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  snapshot_init(&snapshot);
  Node a = {.meta = {.name = "a"}}, b = {.meta = {.name = "b"}};
  snapshot_add_node(&snapshot, &a, NULL, NULL);
  snapshot_add_node(&snapshot, &b, NULL, NULL);
  assert_int_equal(snapshot_find_node(&snapshot, "a"), 0);
  assert_int_equal(snapshot_find_node(&snapshot, "b"), 1);
  assert_int_equal(snapshot_find_node(&snapshot, "c"), -1);
  assert_ptr_equal(snapshot.nodes.items[1].object, &b);
}

static void a_node_listed_twice_or_without_a_name_is_warned_of(void **state) {
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  SnapshotWarnings warnings = {0};
  snapshot_init(&snapshot);
  Node a = {.meta = {.name = "a"}}, nameless = {0};
  snapshot_add_node(&snapshot, &a, NULL, &warnings);
  snapshot_add_node(&snapshot, &a, NULL, &warnings);
  assert_one_warning(&warnings, "node a", "the node is listed twice: the first one counts");
  array_clear(&warnings);
  snapshot_add_node(&snapshot, &nameless, NULL, &warnings);
  assert_one_warning(&warnings, "a node", "it has no name and is ignored");
  assert_int_equal(snapshot.nodes.count, 1);
  array_deinit(&warnings);
}

static void a_bad_quantity_costs_only_its_resource(void **state) {
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  SnapshotWarnings warnings = {0};
  snapshot_init(&snapshot);
  Node node = {.meta = {.name = "n1"},
               .allocatable = LIST_OF(ResourceText, {"cpu", "lots"}, {"memory", "1Ki"}, {"pods", "3"})};
  snapshot_add_node(&snapshot, &node, NULL, &warnings);
  assert_one_warning(&warnings, "node n1",
                     "allocatable: cpu: \"lots\" is not a quantity such as 500m, 4 or 2Gi");
  assert_false(resources_has(&snapshot.nodes.items[0].allocatable, "cpu"));
  assert_int_equal(resources_get(&snapshot.nodes.items[0].allocatable, "memory"), 1024);
  assert_int_equal(snapshot.nodes.items[0].pod_max, 3);
  array_deinit(&warnings);
}

static void an_unlabelled_node_keeps_the_slices_of_its_status(void **state) {
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  snapshot_init(&snapshot);
  Node node = MIG_NODE("n1", {"facet.gpu/status-gpu-0", "1g.10gb@6:free"});
  node.meta.labels.count = 0;
  snapshot_add_node(&snapshot, &node, NULL, NULL);
  const SnapshotNode *item = &snapshot.nodes.items[0];
  assert_false(item->managed || item->may_change);
  assert_string_equal(item->blocked, "node n1 does not carry the label nos.nebuly.com/gpu-partitioning=mig");
  assert_int_equal(snapshot_free_of(item, SLICE_1G), 7);
}

static void what_exists_counts_on_a_managed_node_not_its_status(void **state) {
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  snapshot_init(&snapshot);
  Node node = MIG_NODE("n1", {"facet.gpu/status-gpu-0", "2g.20gb@0:free,1g.10gb@5:free,1g.10gb@6:free"});
  snapshot_add_node(&snapshot, &node, NULL, NULL);
  const SnapshotNode *item = &snapshot.nodes.items[0];
  assert_true(item->managed && item->may_change);
  assert_null(item->blocked);
  assert_int_equal(snapshot_free_of(item, SLICE_1G), 2);
  assert_int_equal(snapshot_free_of(item, SLICE_2G), 1);
  assert_int_equal(resources_get(&item->allocatable, "cpu"), 8000);
}

static void wanted_slices_that_do_not_exist_are_not_counted(void **state) {
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  snapshot_init(&snapshot);
  Node node = MIG_NODE("n1", {"facet.gpu/status-gpu-0", "1g.10gb@6:free"},
                       {"facet.gpu/spec-gpu-0", "GPU-a 1g.10gb@6,2g.20gb@0"},
                       {"nos.nebuly.com/spec-partitioning-plan", "8"},
                       {"nos.nebuly.com/status-partitioning-plan", "7"});
  snapshot_add_node(&snapshot, &node, NULL, NULL);
  const SnapshotNode *item = &snapshot.nodes.items[0];
  assert_int_equal(snapshot_free_of(item, SLICE_2G), 0);
  assert_int_equal(item->gpus[0].layout->count, 1);
  assert_string_equal(item->spec_plan, "8");
  assert_string_equal(item->status_plan, "7");
}

static void bound_pods_are_charged_to_their_node(void **state) {
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  snapshot_init(&snapshot);
  Node node = {.meta = {.name = "n1"}, .allocatable = LIST_OF(ResourceText, {"cpu", "8"}, {"pods", "9"})};
  Pod running = POD_ON("n1", {"cpu", "2"}), elsewhere = POD_ON("n2", {"cpu", "2"});
  Pod done = POD_ON("n1", {"cpu", "2"}), waiting = POD_ON("", {"cpu", "3"});
  done.common->phase = "Succeeded";
  snapshot_add_node(&snapshot, &node, NULL, NULL);
  snapshot_add_pod(&snapshot, &running, NULL);
  snapshot_add_pod(&snapshot, &elsewhere, NULL);
  snapshot_add_pod(&snapshot, &done, NULL);
  snapshot_add_pod(&snapshot, &waiting, NULL);
  const SnapshotNode *item = &snapshot.nodes.items[0];
  assert_int_equal(item->pod_count, 1);
  assert_int_equal(resources_get(&item->requested, "cpu"), 2000);
  assert_int_equal(snapshot.pods.count, 1);
  assert_ptr_equal(snapshot.pods.items[0].object, &waiting);
  assert_int_equal(snapshot.pods.items[0].node, -1);
  assert_int_equal(resources_get(&snapshot.pods.items[0].spec->requests, "cpu"), 3000);
}

/* Taken is the larger of requested and reported in use, at every moment of admission. */
static void a_bound_pod_claims_a_slice_before_it_uses_one(void **state) {
  static const struct {
    const char *status;
    int bound_count;
    int64_t taken;
  } cases[] = {
      {"1g.10gb@4:free,1g.10gb@5:free,1g.10gb@6:free", 0, 0},
      {"1g.10gb@4:free,1g.10gb@5:free,1g.10gb@6:free", 2, 2}, /* both float */
      {"1g.10gb@4:used,1g.10gb@5:free,1g.10gb@6:free", 2, 2}, /* one was admitted */
      {"1g.10gb@4:used,1g.10gb@5:used,1g.10gb@6:free", 2, 2},
      {"1g.10gb@4:used,1g.10gb@5:used,1g.10gb@6:used", 2, 3}, /* one is used by somebody else */
      {"1g.10gb@4:used,1g.10gb@5:free,1g.10gb@6:free", 0, 1},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    CLEANUP(snapshot_deinit) Snapshot snapshot;
    snapshot_init(&snapshot);
    Node node = MIG_NODE("n1", {"facet.gpu/status-gpu-0", cases[i].status});
    Pod pod = POD_ON("n1", {SLICE_1G, "1"});
    snapshot_add_node(&snapshot, &node, NULL, NULL);
    for (int k = 0; k < cases[i].bound_count; k++)
      snapshot_add_pod(&snapshot, &pod, NULL);
    assert_int_equal(resources_get(&snapshot.nodes.items[0].requested, SLICE_1G), cases[i].taken);
    assert_int_equal(snapshot_free_of(&snapshot.nodes.items[0], SLICE_1G), 3 - cases[i].taken);
  }
}

static void a_node_owes_nothing_below_zero(void **state) {
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  snapshot_init(&snapshot);
  Node node = MIG_NODE("n1", {"facet.gpu/status-gpu-0", ""});
  Pod pod = POD_ON("n1", {SLICE_1G, "3"});
  snapshot_add_node(&snapshot, &node, NULL, NULL);
  snapshot_add_pod(&snapshot, &pod, NULL);
  assert_int_equal(snapshot_free_of(&snapshot.nodes.items[0], SLICE_1G), 0);
}

static void negative_requests_free_nothing(void **state) {
  Resource allocatable = {SLICE_1G, INT64_MAX}, requested = {SLICE_1G, -5};
  SnapshotNode node = {.allocatable = {&allocatable, 1, 0}, .requested = {&requested, 1, 0}};
  assert_int_equal(snapshot_free_of(&node, SLICE_1G), INT64_MAX);
}

static void a_pod_with_a_bad_request_waits_with_the_reason(void **state) {
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  SnapshotWarnings warnings = {0};
  snapshot_init(&snapshot);
  Pod pod = POD_ON(NULL, {"cpu", "1"}, {"memory", "1.2.3"});
  snapshot_add_pod(&snapshot, &pod, &warnings);
  const char *expected =
      "requests of container c: memory: \"1.2.3\" is not a quantity such as 500m, 4 or 2Gi";
  assert_one_warning(&warnings, "pod demo/p", expected);
  assert_string_equal(snapshot.pods.items[0].spec->invalid, expected);
  array_deinit(&warnings);
}

static void a_bound_pod_with_a_bad_request_counts_as_a_pod(void **state) {
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  snapshot_init(&snapshot);
  Node node = {.meta = {.name = "n1"}};
  Pod pod = POD_ON("n1", {"cpu", "x"});
  snapshot_add_node(&snapshot, &node, NULL, NULL);
  snapshot_add_pod(&snapshot, &pod, NULL);
  assert_int_equal(snapshot.nodes.items[0].pod_count, 1);
}

static void a_node_changes_only_while_it_is_ready(void **state) {
  static const struct {
    const char *status;
    bool may_change;
  } cases[] = {{"True", true}, {"False", false}, {"Unknown", false}, {NULL, false}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    CLEANUP(snapshot_deinit) Snapshot snapshot;
    snapshot_init(&snapshot);
    Node node = MIG_NODE("n1", {"facet.gpu/status-gpu-0", ""});
    Condition ready = {.type = "Ready", .status = cases[i].status};
    node.conditions.items = &ready;
    node.conditions.count = 1;
    snapshot_add_node(&snapshot, &node, NULL, NULL);
    assert_true(snapshot.nodes.items[0].managed);
    assert_int_equal(snapshot.nodes.items[0].may_change, cases[i].may_change);
    if (!cases[i].may_change)
      assert_string_equal(snapshot.nodes.items[0].blocked, "node n1 is not ready");
  }
}

static void a_held_node_is_blocked_with_the_given_words(void **state) {
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  CLEANUP(map_deinit) Map held = {0};
  snapshot_init(&snapshot);
  char why[] = "node n1 did not answer plan 7";
  map_put(&held, "n1", why);
  SnapshotOptions options = {.held = &held};
  Node n1 = MIG_NODE("n1", {"facet.gpu/status-gpu-0", ""}),
       n2 = MIG_NODE("n2", {"facet.gpu/status-gpu-0", ""});
  snapshot_add_node(&snapshot, &n1, &options, NULL);
  snapshot_add_node(&snapshot, &n2, &options, NULL);
  memset(why, 'x', sizeof why - 1);
  assert_false(snapshot.nodes.items[0].may_change);
  assert_string_equal(snapshot.nodes.items[0].blocked, "node n1 did not answer plan 7");
  assert_true(snapshot.nodes.items[1].may_change);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nodes_are_found_by_name),
      cmocka_unit_test(a_node_listed_twice_or_without_a_name_is_warned_of),
      cmocka_unit_test(a_bad_quantity_costs_only_its_resource),
      cmocka_unit_test(an_unlabelled_node_keeps_the_slices_of_its_status),
      cmocka_unit_test(what_exists_counts_on_a_managed_node_not_its_status),
      cmocka_unit_test(wanted_slices_that_do_not_exist_are_not_counted),
      cmocka_unit_test(bound_pods_are_charged_to_their_node),
      cmocka_unit_test(a_bound_pod_claims_a_slice_before_it_uses_one),
      cmocka_unit_test(a_node_owes_nothing_below_zero),
      cmocka_unit_test(negative_requests_free_nothing),
      cmocka_unit_test(a_pod_with_a_bad_request_waits_with_the_reason),
      cmocka_unit_test(a_bound_pod_with_a_bad_request_counts_as_a_pod),
      cmocka_unit_test(a_node_changes_only_while_it_is_ready),
      cmocka_unit_test(a_held_node_is_blocked_with_the_given_words),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
