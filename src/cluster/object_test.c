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
    assert_int_equal(pod_is_terminal(&(Pod){.common = &(PodCommon){.phase = cases[i].phase}}),
                     cases[i].terminal);
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
  OwnerReference owners[] = {{.kind = "ReplicaSet", .name = "web-1"}, {.kind = "DaemonSet", .name = "agent"}};
  PodCommon common = {.annotations = {&annotation, 1}, .owners = {owners, 2}, .volumes = {volumes, 4}};
  Pod pod = {.meta = {.name = "p", .labels = {&label, 1}}, .common = &common};
  pod_trim(&pod, NULL);
  assert_int_equal(common.annotations.count, 0);
  assert_int_equal(common.owners.count, 2);
  assert_string_equal(owners[0].kind, "ReplicaSet");
  assert_null(owners[0].name);
  assert_string_equal(owners[1].name, "agent");
  assert_int_equal(pod.meta.labels.count, 1);
  assert_int_equal(common.volumes.count, 2);
  assert_string_equal(common.volumes.items[0].claim_name, "data-0");
  assert_string_equal(common.volumes.items[1].name, "scratch");
}

static void a_uid_that_fits_is_kept_as_its_bytes(void **state) {
  static const struct {
    const char *text;
    bool fits;
  } cases[] = {{"8a2b6f0e-1c3d-4e5f-a6b7-c8d9e0f1a2b3", true},
               {"00000000-0000-4000-8000-000000000000", true},
               {"ffffffff-ffff-4fff-bfff-ffffffffffff", true},
               {"8a2b6f0e-1c3d-4e5f-26b7-c8d9e0f1a2b3", false},
               {"8a2b6f0e-1c3d-4e5f-c6b7-c8d9e0f1a2b3", false},
               {"8A2b6f0e-1c3d-4e5f-a6b7-c8d9e0f1a2b3", false},
               {"8a2b6f0e-1c3d-4e5f-a6b7-c8d9e0f1a2b", false},
               {"8a2b6f0e-1c3d-4e5f-a6b7-c8d9e0f1a2b34", false},
               {"8a2b6f0e+1c3d-4e5f-a6b7-c8d9e0f1a2b3", false},
               {"8a2b6f0e1c3d4e5fa6b7c8d9e0f1a2b3", false},
               {"u-1", false},
               {"", false}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    ObjectUid uid = {.text = cases[i].text}, plain = uid;
    assert_int_equal(object_uid_pack(&uid), cases[i].fits);
    assert_int_equal(uid.low != 0, cases[i].fits);
    assert_string_equal(OBJECT_UID(uid), cases[i].text);
    for (size_t k = 0; k < COUNT_OF(cases); k++) {
      ObjectUid other = {.text = cases[k].text};
      assert_int_equal(object_uid_equal(uid, other), i == k);
      assert_int_equal(object_uid_equal(other, plain), i == k);
    }
    assert_false(object_uid_equal(uid, (ObjectUid){0}));
  }
  ObjectUid none = {0};
  assert_true(object_uid_pack(&none));
  assert_null(OBJECT_UID(none));
  assert_true(object_uid_equal(none, none));
}

static void a_version_that_is_a_number_is_kept_as_one(void **state) {
  static const struct {
    const char *text;
    bool fits;
  } cases[] = {{"1", true},
               {"12", true},
               {"999999999999999999", true},
               {"1000000000000000000", false},
               {"0", false},
               {"01", false},
               {"12a", false},
               {"-1", false},
               {"", false}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    ObjectVersion version = {.text = cases[i].text}, plain = version;
    assert_int_equal(object_version_pack(&version), cases[i].fits);
    assert_string_equal(OBJECT_VERSION(version), cases[i].text);
    for (size_t k = 0; k < COUNT_OF(cases); k++) {
      ObjectVersion other = {.text = cases[k].text};
      assert_int_equal(object_version_equal(version, other), i == k);
      assert_int_equal(object_version_equal(other, plain), i == k);
    }
    assert_false(object_version_equal(version, (ObjectVersion){0}));
  }
  assert_null(OBJECT_VERSION((ObjectVersion){0}));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_value_is_found_by_its_key),
      cmocka_unit_test(a_value_is_found_by_the_index_in_its_key),
      cmocka_unit_test(only_succeeded_and_failed_pods_are_terminal),
      cmocka_unit_test(a_condition_is_found_by_its_type),
      cmocka_unit_test(what_planning_does_not_read_is_trimmed),
      cmocka_unit_test(a_uid_that_fits_is_kept_as_its_bytes),
      cmocka_unit_test(a_version_that_is_a_number_is_kept_as_one),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
