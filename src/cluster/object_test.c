/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "cluster/object.h"
#include "cluster/test_objects.h"

static void a_value_is_found_by_its_key(void **state) {
  KeyValues labels = LIST_OF(KeyValue, {"a", "1"}, {"b", ""});
  assert_string_equal(key_values_find(&labels, "a"), "1");
  assert_string_equal(key_values_find(&labels, "b"), "");
  assert_null(key_values_find(&labels, "c"));
  assert_null(key_values_find(&(KeyValues){0}, "a"));
}

static void a_value_is_found_by_the_index_in_its_key(void **state) {
  KeyValues annotations = LIST_OF(KeyValue, {"gpu-1", "one"}, {"gpu-11", "eleven"});
  assert_string_equal(key_values_find_index(&annotations, "gpu-", 1), "one");
  assert_string_equal(key_values_find_index(&annotations, "gpu-", 11), "eleven");
  assert_null(key_values_find_index(&annotations, "gpu-", 0));
  assert_null(key_values_find_index(&annotations, "node-", 1));
}

static void only_succeeded_and_failed_pods_are_terminal(void **state) {
  static const struct {
    const char *phase;
    bool terminal;
  } cases[] = {{"Succeeded", true}, {"Failed", true},  {"Pending", false}, {"Running", false},
               {"Unknown", false},  {"failed", false}, {"", false},        {NULL, false}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    assert_int_equal(pod_is_terminal(&(Pod){.phase = cases[i].phase}), cases[i].terminal);
}

static void a_condition_is_found_by_its_type(void **state) {
  PodCommon common = {.conditions = LIST_OF(Condition, {.type = "Ready", .status = "False"},
                                            {.type = "PodScheduled", .status = "True"})};
  Pod pod = {.common = &common};
  assert_string_equal(pod_find_condition(&pod, "PodScheduled")->status, "True");
  assert_null(pod_find_condition(&pod, "Initialized"));
  Node node = {.conditions = LIST_OF(Condition, {.type = NULL}, {.type = "Ready", .status = "Unknown"})};
  assert_string_equal(node_find_condition(&node, "Ready")->status, "Unknown");
  assert_null(node_find_condition(&(Node){0}, "Ready"));
}

static void what_planning_does_not_read_is_trimmed(void **state) {
  Volume volumes[] = {{.name = "kube-api-access-x7k2p"},
                      {.name = "data", .claim_name = "data-0"},
                      {.name = "config"},
                      {.name = "scratch", .is_ephemeral = true}};
  KeyValue label = {"app", "web"}, annotation = {"cni.example.com/ip", "10.0.0.7"};
  PodCommon common = {.volumes = {volumes, 4}};
  Pod pod = {.meta = {.name = "p", .labels = {&label, 1}, .annotations = {&annotation, 1}},
             .common = &common};
  pod_trim(&pod, NULL);
  assert_int_equal(pod.meta.annotations.count, 0);
  assert_int_equal(pod.meta.labels.count, 1);
  assert_int_equal(common.volumes.count, 2);
  assert_string_equal(common.volumes.items[0].claim_name, "data-0");
  assert_string_equal(common.volumes.items[1].name, "scratch");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_value_is_found_by_its_key),
      cmocka_unit_test(a_value_is_found_by_the_index_in_its_key),
      cmocka_unit_test(only_succeeded_and_failed_pods_are_terminal),
      cmocka_unit_test(a_condition_is_found_by_its_type),
      cmocka_unit_test(what_planning_does_not_read_is_trimmed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
