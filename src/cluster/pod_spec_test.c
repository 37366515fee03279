/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "cluster/snapshot.h"
#include "cluster/test_objects.h"

enum { VARIANTS_MAX = 64 };

static Requirement expression = {.key = "zone", .operator_ = "In", .values = LIST_OF(const char *, "a", "b")};
static Requirement field = {.key = "metadata.name", .operator_ = "In", .values = LIST_OF(const char *, "n1")};
static NodeSelectorTerm term = {.match_expressions = {&expression, 1}, .match_fields = {&field, 1}};
static Container main_container = {.name = "main",
                                   .requests = LIST_OF(ResourceText, {"cpu", "1"}),
                                   .limits = LIST_OF(ResourceText, {"nvidia.com/mig-1g.10gb", "1"})};
static Container init_container = {
    .name = "init", .restart_policy = "Always", .requests = LIST_OF(ResourceText, {"cpu", "2"})};

static KeyValue labels[] = {{"app", "a"}};
static KeyValue other_labels[][1] = {{{"app", "b"}}, {{"app", NULL}}, {{"app", ""}}};
static OwnerReference owner = {.kind = "ReplicaSet"}, daemon_set = {.kind = "DaemonSet"};
static KeyValue selector[] = {{"pool", "gpu"}}, overhead[] = {{"memory", "1Mi"}}, own[] = {{"memory", "1Gi"}};
static Toleration tolerations[] = {{"key", "Equal", "value", "NoSchedule"},
                                   {"key", "Exists", "value", "NoSchedule"},
                                   {"key", "Equal", "value", "NoExecute"}};
static Condition conditions[] = {{.type = "PodScheduled", .status = "False", .reason = "Unschedulable"},
                                 {.type = "PodScheduled", .status = "True", .reason = "Unschedulable"},
                                 {.type = "PodScheduled", .status = "False", .reason = "SchedulerError"}};

static Requirement other_values = {.key = "zone", .operator_ = "In", .values = LIST_OF(const char *, "ab")};
static Requirement other_operator = {
    .key = "zone", .operator_ = "NotIn", .values = LIST_OF(const char *, "a", "b")};
static NodeSelectorTerm terms[] = {{.match_expressions = {&other_values, 1}},
                                   {.match_expressions = {&other_operator, 1}},
                                   {.match_fields = {&other_values, 1}},
                                   {.match_fields = {NULL, 0}}};
static Container containers[] = {
    {.name = "main", .requests = LIST_OF(ResourceText, {"cpu", "1"})},
    {.name = "main", .requests = LIST_OF(ResourceText, {"cpu", "1"}, {"nvidia.com/mig-1g.10gb", "1"})},
    {.name = "main",
     .requests = LIST_OF(ResourceText, {"cpu", "1"}),
     .limits = LIST_OF(ResourceText, {"nvidia.com/mig-1g.10gb", "2"})}};

/* A pod that says something in every field; its common part is filled. */
static Pod make_pod(PodCommon *common) {
  *common = (PodCommon){.owners = {&owner, 1},
                        .node_selector = {selector, 1},
                        .tolerations = {tolerations, 1},
                        .init_containers = {&init_container, 1},
                        .containers = {&main_container, 1},
                        .overhead = {overhead, 1},
                        .has_pod_resources = true,
                        .pod_requests = {own, 1},
                        .conditions = {conditions, 1}};
  return (Pod){.meta = {.name = "p", .namespace_ = "demo", .labels = {labels, 1}},
               .has_required_node_affinity = true,
               .required_terms = {&term, 1},
               .common = common};
}

/* Pods that differ from the first in one field each. Returns how many there are. */
static int make_variants(Pod pods[VARIANTS_MAX]) {
  static PodCommon commons[VARIANTS_MAX];
  int n = 0;
  for (int i = 0; i < VARIANTS_MAX; i++)
    pods[i] = make_pod(&commons[i]);
  n++; /* the pod itself */
  pods[n++].meta.namespace_ = "other";
  pods[n++].priority = 7;
  pods[n++].meta.labels.count = 0;
  for (size_t i = 0; i < COUNT_OF(other_labels); i++)
    pods[n++].meta.labels.items = other_labels[i];
  pods[n++].common->owners.items = &daemon_set;
  pods[n++].common->owners.count = 0;
  pods[n++].meta.deletion_time = 1;
  pods[n++].node_name = "";
  pods[n++].common->nominated_node_name = "n1";
  pods[n++].common->scheduling_gates.count = 1;
  pods[n++].common->node_selector.count = 0;
  pods[n++].has_required_node_affinity = false;
  pods[n++].required_terms.count = 0;
  for (size_t i = 0; i < COUNT_OF(terms); i++)
    pods[n++].required_terms.items = &terms[i];
  pods[n++].common->tolerations.count = 0;
  for (size_t i = 1; i < COUNT_OF(tolerations); i++)
    pods[n++].common->tolerations.items = &tolerations[i];
  for (size_t i = 0; i < COUNT_OF(containers); i++)
    pods[n++].common->containers.items = &containers[i];
  pods[n++].common->init_containers.count = 0;
  pods[n++].common->overhead.count = 0;
  pods[n++].common->has_pod_resources = false;
  pods[n++].common->pod_requests.count = 0;
  pods[n++].common->conditions.count = 0;
  for (size_t i = 1; i < COUNT_OF(conditions); i++)
    pods[n++].common->conditions.items = &conditions[i];
  assert_true(n <= VARIANTS_MAX);
  return n;
}

static void names_and_ages_make_no_difference(void **state) {
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  snapshot_init(&snapshot);
  PodCommon commons[2];
  Pod a = make_pod(&commons[0]), b = make_pod(&commons[1]);
  b.meta.name = "q";
  b.meta.uid.text = "u";
  b.meta.creation_time = 5;
  snapshot_add_pod(&snapshot, &a, NULL);
  snapshot_add_pod(&snapshot, &b, NULL);
  assert_int_equal(snapshot.specs.count, 1);
  assert_ptr_equal(snapshot.pods.items[0].spec->requests.items, snapshot.pods.items[1].spec->requests.items);
  assert_int_equal(snapshot.pods.items[1].creation_time, 5);
}

static void the_node_that_a_bound_pod_is_on_makes_no_difference(void **state) {
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  snapshot_init(&snapshot);
  Node nodes[] = {{.meta = {.name = "n1"}}, {.meta = {.name = "n2"}}};
  PodCommon commons[2];
  Pod a = make_pod(&commons[0]), b = make_pod(&commons[1]);
  a.node_name = "n1";
  b.node_name = "n2";
  for (size_t i = 0; i < COUNT_OF(nodes); i++)
    snapshot_add_node(&snapshot, &nodes[i], NULL, NULL);
  snapshot_add_pod(&snapshot, &a, NULL);
  snapshot_add_pod(&snapshot, &b, NULL);
  assert_int_equal(snapshot.specs.count, 1);
}

static void every_field_that_planning_reads_makes_one(void **state) {
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  static Pod pods[VARIANTS_MAX];
  snapshot_init(&snapshot);
  int count = make_variants(pods);
  for (int i = 0; i < count; i++) {
    snapshot_add_pod(&snapshot, &pods[i], NULL);
    if ((int)snapshot.specs.count != i + 1)
      fail_msg("pod %d has the spec of pod %d", i, snapshot.pods.items[i].spec->number);
  }
}

static void each_pod_is_warned_of_that_cannot_be_read(void **state) {
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  SnapshotWarnings warnings = {0};
  snapshot_init(&snapshot);
  Container bad = {.name = "c", .requests = LIST_OF(ResourceText, {"cpu", "much"})};
  Pod a = {.meta = {.name = "a"}, .common = &(PodCommon){.containers = {&bad, 1}}}, b = a;
  b.meta.name = "b";
  snapshot_add_pod(&snapshot, &a, &warnings);
  snapshot_add_pod(&snapshot, &b, &warnings);
  assert_int_equal(snapshot.specs.count, 1);
  assert_int_equal(warnings.count, 2);
  assert_string_equal(warnings.items[1].object, "pod /b");
  assert_string_equal(snapshot.pods.items[1].spec->invalid, snapshot.pods.items[0].spec->invalid);
  array_deinit(&warnings);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(names_and_ages_make_no_difference),
      cmocka_unit_test(the_node_that_a_bound_pod_is_on_makes_no_difference),
      cmocka_unit_test(every_field_that_planning_reads_makes_one),
      cmocka_unit_test(each_pod_is_warned_of_that_cannot_be_read),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
