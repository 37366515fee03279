/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/plugin_pod.h"

#include "base/memory.h"
#include "base/test.h"

#define DAEMON    "\"ownerReferences\":[{\"kind\":\"DaemonSet\",\"name\":\"d\",\"controller\":true}]"
#define STATIC    "\"ownerReferences\":[{\"kind\":\"Node\",\"name\":\"n1\",\"controller\":true}]"
#define CONTAINER "\"containers\":[{\"name\":\"nvidia-device-plugin-ctr\"}]"
#define POD(name, meta, spec)                                                                                \
  "{\"metadata\":{\"namespace\":\"gpu\",\"name\":\"" name "\",\"uid\":\"u-" name "\"," meta "},"             \
  "\"spec\":{\"nodeName\":\"n1\"," spec "}}"

static int find(const char *items, bool is_certain, AgentNodePod *ret_pod, Error *err) {
  CLEANUP(cleanup_free) char *body = mem_format("{\"metadata\":{},\"items\":[%s]}", items);
  const KubeAnswer answer = {.status = 200, .format = KUBE_JSON, .body = body, .body_size = strlen(body)};
  return agent_plugin_pod_find(&answer, "n1", is_certain, ret_pod, err);
}

static void assert_found(const char *items, bool is_certain, const char *name) {
  AgentNodePod pod = {0};
  Error err = {0};
  assert_ok(find(items, is_certain, &pod, &err));
  assert_string_equal(pod.name, name);
}

static void assert_condition(const char *items, int condition) {
  AgentNodePod pod = {0};
  Error err = {0};
  assert_int_equal(find(items, false, &pod, &err), condition);
}

static void assert_refused(const char *items, const char *text) {
  AgentNodePod pod = {0};
  Error err = {0};
  assert_true(find(items, false, &pod, &err) < 0);
  assert_string_equal(err.text, text);
}

static void the_plugin_is_the_pod_with_its_container(void **state) {
  assert_found(POD("gfd", DAEMON, "\"containers\":[{\"name\":\"gpu-feature-discovery-ctr\"}]") "," POD(
                   "dp", DAEMON, CONTAINER),
               false, "dp");
}

static void its_namespace_and_uid_are_told(void **state) {
  AgentNodePod pod = {0};
  Error err = {0};
  assert_ok(find(POD("dp", DAEMON, CONTAINER), false, &pod, &err));
  assert_string_equal(pod.namespace_, "gpu");
  assert_string_equal(pod.uid, "u-dp");
  CLEANUP(text_deinit) Text body = {0};
  agent_node_pod_format_deletion(&pod, &body);
  assert_string_equal(text_string(&body), "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\","
                                          "\"preconditions\":{\"uid\":\"u-dp\"}}");
}

static void with_a_selector_of_ones_own_any_container_will_do(void **state) {
  assert_found(POD("dp", DAEMON, "\"containers\":[{\"name\":\"main\"}]"), true, "dp");
}

static void pods_of_other_nodes_and_pods_that_have_ended_do_not_count(void **state) {
  assert_condition("", AGENT_PLUGIN_POD_NONE);
  assert_condition("{\"metadata\":{\"name\":\"dp\"},\"spec\":{\"nodeName\":\"n2\"," CONTAINER "}}",
                   AGENT_PLUGIN_POD_NONE);
  assert_condition("{\"metadata\":{\"name\":\"dp\"},\"spec\":{\"nodeName\":\"n1\"," CONTAINER
                   "},\"status\":{\"phase\":\"Failed\"}}",
                   AGENT_PLUGIN_POD_NONE);
}

static void one_that_is_being_deleted_is_enough_unless_its_successor_is_there(void **state) {
  static const char leaving[] =
      POD("old", DAEMON ",\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"", CONTAINER);
  assert_condition(leaving, AGENT_PLUGIN_POD_LEAVING);
  CLEANUP(cleanup_free) char *both = mem_format("%s,%s", leaving, POD("new", DAEMON, CONTAINER));
  assert_found(both, false, "new");
}

static void between_two_nobody_guesses(void **state) {
  assert_refused(POD("a", DAEMON, CONTAINER) "," POD("b", DAEMON, CONTAINER),
                 "2 pods of this node may be it, one of them gpu/b: say which with --nvidia-plugin-selector");
}

static void a_pod_that_would_not_come_back_is_not_deleted(void **state) {
  static const char refusal[] =
      "its pod gpu/dp has no controller that would start it again after a deletion: let "
      "the agent see its process (hostPID: true)";
  assert_refused(POD("dp", "\"labels\":{}", CONTAINER), refusal);
  assert_refused(POD("dp", STATIC, CONTAINER), refusal);
}

static void garbage_is_refused(void **state) {
  AgentNodePod pod = {0};
  Error err = {0};
  assert_true(find("{\"metadata\":7", false, &pod, &err) < 0);
  assert_true(err.text[0]);
}

static void the_request_is_for_the_pods_of_the_node_with_the_label(void **state) {
  CLEANUP(text_deinit) Text path = {0};
  agent_node_pods_format_path(NULL, "n1.example", agent_plugin_pod_selector(1), &path);
  assert_string_equal(text_string(&path), "/api/v1/pods?fieldSelector=spec.nodeName%3Dn1.example"
                                          "&labelSelector=app.kubernetes.io%2Fname%3Dnvidia-device-plugin");
  assert_null(agent_plugin_pod_selector(4));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_plugin_is_the_pod_with_its_container),
      cmocka_unit_test(its_namespace_and_uid_are_told),
      cmocka_unit_test(with_a_selector_of_ones_own_any_container_will_do),
      cmocka_unit_test(pods_of_other_nodes_and_pods_that_have_ended_do_not_count),
      cmocka_unit_test(one_that_is_being_deleted_is_enough_unless_its_successor_is_there),
      cmocka_unit_test(between_two_nobody_guesses),
      cmocka_unit_test(a_pod_that_would_not_come_back_is_not_deleted),
      cmocka_unit_test(garbage_is_refused),
      cmocka_unit_test(the_request_is_for_the_pods_of_the_node_with_the_label),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
