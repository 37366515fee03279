/* SPDX-License-Identifier: Apache-2.0 */
/* What the recorded verdicts (verdicts_test.c) do not touch: fields, empty terms, odd operators, the words.
 */
#include "base/test.h"

#include "cluster/test_objects.h"
#include "sched/filter.h"

static bool passes(SchedFilter *filter, const Pod *pod, const Node *node, char ret_reason[256]) {
  SnapshotPod snapshot_pod = {.object = pod, .node = -1};
  SnapshotNode snapshot_node = {.object = node, .name = node->meta.name};
  ret_reason[0] = '\0';
  return filter(&snapshot_pod, &snapshot_node, ret_reason, 256);
}

static void a_cordoned_node_takes_pods_that_tolerate_its_taint(void **state) {
  char reason[256];
  Node open = {.meta = {.name = "n1"}}, cordoned = {.meta = {.name = "n1"}, .unschedulable = true};
  Pod plain = {0};
  Pod tolerant = {
      .common = &(PodCommon){.tolerations = LIST_OF(Toleration, {.key = "node.kubernetes.io/unschedulable",
                                                                 .operator_ = "Exists",
                                                                 .effect = "NoSchedule"})}};
  assert_true(passes(sched_node_unschedulable, &plain, &open, reason));
  assert_true(passes(sched_node_unschedulable, &tolerant, &cordoned, reason));
  assert_false(passes(sched_node_unschedulable, &plain, &cordoned, reason));
  assert_string_equal(reason, "node(s) were unschedulable");
}

static void a_requested_node_name_must_match(void **state) {
  char reason[256];
  Node node = {.meta = {.name = "n1"}};
  Pod any = {0}, empty = {.node_name = ""}, same = {.node_name = "n1"}, other = {.node_name = "n2"};
  assert_true(passes(sched_node_name, &any, &node, reason));
  assert_true(passes(sched_node_name, &empty, &node, reason));
  assert_true(passes(sched_node_name, &same, &node, reason));
  assert_false(passes(sched_node_name, &other, &node, reason));
  assert_string_equal(reason, "node(s) didn't match the requested node name");
}

static void taints_are_tolerated_by_effect_key_and_value(void **state) {
  static const struct {
    const char *what;
    Taint taint;
    Toleration toleration;
    bool passes;
  } cases[] = {
      {"equal value", {"gpu", "a", "NoSchedule"}, {"gpu", "Equal", "a", "NoSchedule"}, true},
      {"no operator means Equal", {"gpu", "a", "NoSchedule"}, {"gpu", NULL, "a", "NoSchedule"}, true},
      {"empty operator means Equal", {"gpu", "a", "NoSchedule"}, {"gpu", "", "b", "NoSchedule"}, false},
      {"absent values are equal", {"gpu", NULL, "NoSchedule"}, {"gpu", "Equal", "", "NoSchedule"}, true},
      {"Exists ignores the value", {"gpu", "a", "NoSchedule"}, {"gpu", "Exists", "b", "NoSchedule"}, true},
      {"empty key with Exists matches all", {"gpu", "a", "NoExecute"}, {NULL, "Exists", NULL, NULL}, true},
      {"empty effect matches all", {"gpu", "a", "NoExecute"}, {"gpu", "Equal", "a", ""}, true},
      {"another effect", {"gpu", "a", "NoExecute"}, {"gpu", "Exists", NULL, "NoSchedule"}, false},
      {"another key", {"gpu", "a", "NoExecute"}, {"cpu", "Exists", NULL, NULL}, false},
      {"a preference keeps nobody away", {"gpu", "a", "PreferNoSchedule"}, {0}, true},
      {"comparing is not enabled", {"gpu", "5", "NoSchedule"}, {"gpu", "Gt", "3", NULL}, false},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    char reason[256];
    Taint taint = cases[i].taint;
    Toleration toleration = cases[i].toleration;
    Node node = {.meta = {.name = "n1"}, .taints = {&taint, 1}};
    Pod pod = {.common = &(PodCommon){.tolerations = {&toleration, 1}}};
    if (passes(sched_taint_toleration, &pod, &node, reason) != cases[i].passes)
      fail_msg("%s", cases[i].what);
    if (!cases[i].passes)
      assert_string_equal(reason, "node(s) had untolerated taint(s)");
  }
}

/* A node n1 with the labels zone=z1, cores=16, broken=x1. */
static bool matches(const Pod *pod) {
  char reason[256];
  Node node = {.meta = {.name = "n1",
                        .labels = LIST_OF(KeyValue, {"zone", "z1"}, {"cores", "16"}, {"broken", "x1"},
                                          {"empty", ""})}};
  bool passed = passes(sched_node_affinity, pod, &node, reason);
  if (!passed)
    assert_string_equal(reason, "node(s) didn't match Pod's node affinity/selector");
  return passed;
}

static void every_label_of_a_node_selector_must_match(void **state) {
  Pod both = {.common = &(PodCommon){.node_selector = LIST_OF(KeyValue, {"zone", "z1"}, {"empty", ""})}};
  Pod one = {.common = &(PodCommon){.node_selector = LIST_OF(KeyValue, {"zone", "z1"}, {"cores", "8"})}};
  Pod absent = {.common = &(PodCommon){.node_selector = LIST_OF(KeyValue, {"disk", ""})}};
  assert_true(matches(&(Pod){0}));
  assert_true(matches(&both));
  assert_false(matches(&one));
  assert_false(matches(&absent));
}

#define WORD_63 "012345678901234567890123456789012345678901234567890123456789012"

static void requirements_follow_their_operators(void **state) {
  static const struct {
    const char *key, *operator_;
    const char *values[2];
    size_t value_count;
    bool matches;
  } cases[] = {
      {"zone", "In", {"z0", "z1"}, 2, true},
      {"zone", "In", {"z0"}, 1, false},
      {"disk", "In", {""}, 1, false},
      {"empty", "In", {""}, 1, true},
      {"zone", "In", {NULL}, 0, false},
      {"zone", "NotIn", {"z0"}, 1, true},
      {"zone", "NotIn", {"z1"}, 1, false},
      {"disk", "NotIn", {"z1"}, 1, true},
      {"disk", "NotIn", {NULL}, 0, false}, /* an invalid term matches nothing */
      {"zone", "Exists", {NULL}, 0, true},
      {"disk", "Exists", {NULL}, 0, false},
      {"zone", "Exists", {"z1"}, 1, false},
      {"disk", "DoesNotExist", {NULL}, 0, true},
      {"zone", "DoesNotExist", {NULL}, 0, false},
      {"cores", "Gt", {"15"}, 1, true},
      {"cores", "Gt", {"16"}, 1, false},
      {"cores", "Lt", {"17"}, 1, true},
      {"cores", "Lt", {"16"}, 1, false},
      /* What no label can be makes the term invalid, numbers as well: kube-scheduler 1.36.2 says so. */
      {"cores", "Gt", {"-1"}, 1, false},
      {"cores", "Gt", {"+15"}, 1, false},
      {"cores", "Gt", {"015"}, 1, true},
      {"zone", "NotIn", {"a b"}, 1, false},
      {"zone", "NotIn", {"z0", "-"}, 2, false},
      {"zone", "NotIn", {"a-_.B"}, 1, true},
      {"zone", "NotIn", {WORD_63}, 1, true},
      {"zone", "NotIn", {WORD_63 "x"}, 1, false},
      {"disk.example.com/kind", "DoesNotExist", {NULL}, 0, true},
      {"Example.com/kind", "DoesNotExist", {NULL}, 0, false},
      {"example..com/kind", "DoesNotExist", {NULL}, 0, false},
      {"-example.com/kind", "DoesNotExist", {NULL}, 0, false},
      {"/kind", "DoesNotExist", {NULL}, 0, false},
      {"example.com/", "DoesNotExist", {NULL}, 0, false},
      {"example.com/a/b", "DoesNotExist", {NULL}, 0, false},
      {"", "DoesNotExist", {NULL}, 0, false},
      {"cores", "Gt", {"1", "2"}, 2, false},
      {"cores", "Gt", {"many"}, 1, false},
      {"cores", "Gt", {" 1"}, 1, false},
      {"cores", "Lt", {"9223372036854775808"}, 1, false},
      {"cores", "Lt", {"9223372036854775807"}, 1, true},
      {"broken", "Gt", {"0"}, 1, false},
      {"empty", "Lt", {"5"}, 1, false},
      {"disk", "Gt", {"0"}, 1, false},
      {"zone", "Like", {"z1"}, 1, false},
      {"zone", NULL, {"z1"}, 1, false},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    const char *values[] = {cases[i].values[0], cases[i].values[1]};
    Requirement requirement = {cases[i].key, cases[i].operator_, {values, cases[i].value_count}};
    NodeSelectorTerm term = {.match_expressions = {&requirement, 1}};
    Pod pod = {.has_required_node_affinity = true, .required_terms = {&term, 1}};
    if (matches(&pod) != cases[i].matches)
      fail_msg("case %zu: %s %s %s", i, cases[i].key, string_or_empty(cases[i].operator_),
               string_or_empty(values[0]));
  }
}

static void fields_know_the_name_only(void **state) {
  static const struct {
    const char *key, *operator_;
    const char *values[2];
    size_t value_count;
    bool matches;
  } cases[] = {
      {"metadata.name", "In", {"n1"}, 1, true},        {"metadata.name", "In", {"n2"}, 1, false},
      {"metadata.name", "NotIn", {"n2"}, 1, true},     {"metadata.name", "NotIn", {"n1"}, 1, false},
      {"metadata.name", "In", {"n1", "n2"}, 2, false}, /* exactly one value is allowed */
      {"metadata.name", "Exists", {"n1"}, 1, false},   {"metadata.uid", "In", {"u"}, 1, false},
      {"metadata.uid", "NotIn", {"u"}, 1, true},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    const char *values[] = {cases[i].values[0], cases[i].values[1]};
    Requirement requirement = {cases[i].key, cases[i].operator_, {values, cases[i].value_count}};
    NodeSelectorTerm term = {.match_fields = {&requirement, 1}};
    Pod pod = {.has_required_node_affinity = true, .required_terms = {&term, 1}};
    if (matches(&pod) != cases[i].matches)
      fail_msg("case %zu: %s %s", i, cases[i].key, cases[i].operator_);
  }
}

static void terms_are_alternatives_and_empty_ones_match_nothing(void **state) {
  Requirement here = {"zone", "In", LIST_OF(const char *, "z1")};
  Requirement there = {"zone", "In", LIST_OF(const char *, "z2")};
  Requirement name = {"metadata.name", "In", LIST_OF(const char *, "n2")};
  NodeSelectorTerm empty = {0}, match = {.match_expressions = {&here, 1}};
  NodeSelectorTerm miss = {.match_expressions = {&there, 1}};
  NodeSelectorTerm mixed = {.match_expressions = {&here, 1}, .match_fields = {&name, 1}};
  Pod any = {.has_required_node_affinity = true, .required_terms = LIST_OF(NodeSelectorTerm, miss, match)};
  Pod none = {.has_required_node_affinity = true, .required_terms = LIST_OF(NodeSelectorTerm, miss, empty)};
  Pod no_terms = {.has_required_node_affinity = true};
  Pod both = {.has_required_node_affinity = true, .required_terms = LIST_OF(NodeSelectorTerm, mixed)};
  Pod selector = any;
  selector.common = &(PodCommon){.node_selector = LIST_OF(KeyValue, {"zone", "z2"})};
  assert_true(matches(&any));
  assert_false(matches(&none));
  assert_false(matches(&no_terms));
  assert_false(matches(&both));
  assert_false(matches(&selector));
}

/* A node with room for two more pods, 1 cpu, 1 slice and 1 of everything else. */
static SnapshotNode make_node(void) {
  static Resource allocatable[] = {{"cpu", 3000},          {"ephemeral-storage", 1},
                                   {"example.com/nic", 1}, {"hugepages-2Mi", 1},
                                   {"memory", 1},          {"nvidia.com/mig-1g.10gb", 4}};
  static Resource requested[] = {{"cpu", 2000}, {"nvidia.com/mig-1g.10gb", 3}};
  return (SnapshotNode){.name = "n1",
                        .pod_count = 3,
                        .pod_max = 5,
                        .allocatable = {allocatable, COUNT_OF(allocatable), 0},
                        .requested = {requested, COUNT_OF(requested), 0}};
}

static void assert_fit(const Resources *requests, const SnapshotNode *node, bool skip_mig,
                       const char *missing) {
  const SnapshotSpec spec = {.requests = *requests};
  SnapshotPod pod = {.spec = &spec, .node = -1};
  char reason[256];
  assert_int_equal(sched_resources_fit(&pod, node, skip_mig, reason, sizeof reason), missing[0] == '\0');
  assert_string_equal(reason, missing);
}

static void what_is_left_may_be_used_up(void **state) {
  SnapshotNode node = make_node();
  Resources all = LIST_OF(Resource, {"cpu", 1000}, {"ephemeral-storage", 1}, {"example.com/nic", 1},
                          {"hugepages-2Mi", 1}, {"memory", 1}, {"nvidia.com/mig-1g.10gb", 1});
  assert_fit(&all, &node, false, "");
}

static void all_that_is_missing_is_named_in_the_schedulers_order(void **state) {
  SnapshotNode node = make_node();
  node.pod_count = 5;
  Resources all = LIST_OF(Resource, {"cpu", 1001}, {"ephemeral-storage", 2}, {"example.com/nic", 2},
                          {"hugepages-2Mi", 2}, {"memory", 2}, {"nvidia.com/mig-1g.10gb", 2});
  assert_fit(&all, &node, false,
             "Too many pods, Insufficient cpu, Insufficient memory, Insufficient ephemeral-storage, "
             "Insufficient example.com/nic, Insufficient hugepages-2Mi, Insufficient nvidia.com/mig-1g.10gb");
}

static void slices_are_left_out_where_asked(void **state) {
  SnapshotNode node = make_node();
  Resources slices = LIST_OF(Resource, {"nvidia.com/mig-1g.10gb", 2}, {"nvidia.com/mig-7g.80gb", 1});
  assert_fit(&slices, &node, true, "");
  assert_fit(&slices, &node, false,
             "Insufficient nvidia.com/mig-1g.10gb, Insufficient nvidia.com/mig-7g.80gb");
}

static void zero_and_uncounted_requests_fit_everywhere(void **state) {
  SnapshotNode node = make_node();
  Resources nothing = LIST_OF(Resource, {"example.com/other", 0}, {"pods", 9}, {"unknown", 9});
  assert_fit(&nothing, &node, false, "");
}

static void a_full_node_takes_no_pod_that_asks_for_nothing(void **state) {
  SnapshotNode node = make_node();
  node.pod_count = 4;
  assert_fit(&(Resources){0}, &node, false, "");
  node.pod_count = 5;
  assert_fit(&(Resources){0}, &node, false, "Too many pods");
}

static void amounts_at_the_edge_of_int64_are_compared_safely(void **state) {
  Resource allocatable = {"memory", INT64_MIN}, requested = {"memory", INT64_MAX};
  SnapshotNode node = {.pod_max = 1, .allocatable = {&allocatable, 1, 0}, .requested = {&requested, 1, 0}};
  Resources one = LIST_OF(Resource, {"memory", 1});
  assert_fit(&one, &node, false, "Insufficient memory");
}

static void a_long_list_is_cut_and_still_a_refusal(void **state) {
  SnapshotNode node = make_node();
  Resources many = LIST_OF(Resource, {"example.com/a", 1}, {"example.com/b", 1});
  const SnapshotSpec spec = {.requests = many};
  SnapshotPod pod = {.spec = &spec, .node = -1};
  char reason[32];
  assert_false(sched_resources_fit(&pod, &node, false, reason, sizeof reason));
  assert_string_equal(reason, "Insufficient example.com/a, Ins");
}

static void the_plugins_stand_in_the_schedulers_order(void **state) {
  static const char *const names[] = {"NodeUnschedulable",  "NodeName",        "TaintToleration",
                                      "NodeAffinity",       "NodePorts",       "NodeResourcesFit",
                                      "VolumeRestrictions", "VolumeBinding",   "VolumeZone",
                                      "PodTopologySpread",  "InterPodAffinity"};
  for (size_t i = 0; i < COUNT_OF(names); i++)
    assert_string_equal(sched_plugin_name((int)i), names[i]);
  assert_null(sched_plugin_name((int)COUNT_OF(names)));
  assert_null(sched_plugin_name(-1));
}

static void the_first_refusal_is_the_verdict(void **state) {
  Node node = {.meta = {.name = "n1"},
               .taints = LIST_OF(Taint, {.key = "a", .effect = "NoSchedule"}),
               .allocatable = LIST_OF(ResourceText, {"cpu", "3"}, {"pods", "5"})};
  Pod pod = {.meta = {.name = "p"},
             .common = &(PodCommon){
                 .node_selector = LIST_OF(KeyValue, {"zone", "z1"}),
                 .containers = LIST_OF(Container, {.requests = LIST_OF(ResourceText, {"cpu", "5"})})}};
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  SchedVerdict verdict;
  snapshot_init(&snapshot);
  snapshot_add_node(&snapshot, &node, NULL, NULL);
  snapshot_add_pod(&snapshot, &pod, NULL);
  assert_false(sched_fits(&snapshot, 0, 0, &verdict));
  assert_string_equal(verdict.plugin, "TaintToleration");
  assert_string_equal(verdict.reason, "node(s) had untolerated taint(s)");
  node.taints.count = 0;
  assert_false(sched_admits(&snapshot, 0, 0, &verdict));
  assert_string_equal(verdict.plugin, "NodeAffinity");
  pod.common->node_selector.count = 0;
  assert_true(sched_admits(&snapshot, 0, 0, &verdict));
  assert_null(verdict.plugin);
  assert_false(sched_fits(&snapshot, 0, 0, &verdict));
  assert_string_equal(verdict.plugin, "NodeResourcesFit");
  assert_string_equal(verdict.reason, "Insufficient cpu");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_cordoned_node_takes_pods_that_tolerate_its_taint),
      cmocka_unit_test(a_requested_node_name_must_match),
      cmocka_unit_test(taints_are_tolerated_by_effect_key_and_value),
      cmocka_unit_test(every_label_of_a_node_selector_must_match),
      cmocka_unit_test(requirements_follow_their_operators),
      cmocka_unit_test(fields_know_the_name_only),
      cmocka_unit_test(terms_are_alternatives_and_empty_ones_match_nothing),
      cmocka_unit_test(what_is_left_may_be_used_up),
      cmocka_unit_test(all_that_is_missing_is_named_in_the_schedulers_order),
      cmocka_unit_test(slices_are_left_out_where_asked),
      cmocka_unit_test(zero_and_uncounted_requests_fit_everywhere),
      cmocka_unit_test(a_full_node_takes_no_pod_that_asks_for_nothing),
      cmocka_unit_test(amounts_at_the_edge_of_int64_are_compared_safely),
      cmocka_unit_test(a_long_list_is_cut_and_still_a_refusal),
      cmocka_unit_test(the_plugins_stand_in_the_schedulers_order),
      cmocka_unit_test(the_first_refusal_is_the_verdict),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
