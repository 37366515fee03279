/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent_fixture.h"

#include "agent/reservation.h"

#include <jansson.h>

static AgentRecut *recut_of(const char *const *resources, size_t count) {
  AgentTargets targets = {0};
  for (size_t i = 0; i < count; i++)
    snprintf(array_push(&targets)->resource, MIG_RESOURCE_NAME_SIZE, "%s", resources[i]);
  return agent_recut_new("facet-reservation-1", "p1", &targets, 0);
}

static json_t *format(const Node *node, const char *scheduler) {
  static const char *const resources[] = {"nvidia.com/mig-1g.10gb", "nvidia.com/mig-2g.20gb",
                                          "nvidia.com/mig-1g.10gb"};
  CLEANUP(text_deinit) Text body = {0};
  AgentRecut *recut = recut_of(resources, COUNT_OF(resources));
  agent_reservation_format(node, recut, &recut->targets, scheduler, &body);
  agent_recut_free(recut);
  json_t *pod = json_loads(text_string(&body), JSON_REJECT_DUPLICATES, NULL);
  assert_non_null(pod);
  return pod;
}

static const json_t *at(const json_t *pod, const char *path) {
  CLEANUP(cleanup_free) char *copy = mem_strdup(path);
  char *rest = copy;
  for (char *key; (key = strsep(&rest, "."));) {
    pod = json_is_array(pod) ? json_array_get(pod, strtoul(key, NULL, 10)) : json_object_get(pod, key);
    if (!pod)
      fail_msg("no %s", path);
  }
  return pod;
}

static const char *text_at(const json_t *pod, const char *path) {
  const char *text = json_string_value(at(pod, path));
  assert_non_null(text);
  return text;
}

static void it_asks_for_all_targets_on_its_node_only(void **state) {
  Fixture *f = *state;
  f->node.meta.uid.text = "u1";
  json_t *pod = format(&f->node, NULL);
  const json_t *limits = at(pod, "spec.containers.0.resources.limits");
  assert_int_equal(json_object_size(limits), 2);
  assert_string_equal(json_string_value(json_object_get(limits, "nvidia.com/mig-1g.10gb")), "2");
  assert_string_equal(json_string_value(json_object_get(limits, "nvidia.com/mig-2g.20gb")), "1");
  assert_string_equal(text_at(pod,
                              "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution."
                              "nodeSelectorTerms.0.matchFields.0.values.0"),
                      "n1");
  assert_string_equal(text_at(pod, "metadata.ownerReferences.0.uid"), "u1");
  json_decref(pod);
}

static void it_goes_through_the_scheduler_of_the_nodes_pods(void **state) {
  Fixture *f = *state;
  json_t *pod = format(&f->node, "volcano");
  assert_string_equal(text_at(pod, "spec.schedulerName"), "volcano");
  json_decref(pod);
  pod = format(&f->node, NULL);
  assert_null(json_object_get(json_object_get(pod, "spec"), "schedulerName"));
  json_decref(pod);
}

static void it_evicts_nobody_and_never_starts(void **state) {
  Fixture *f = *state;
  json_t *pod = format(&f->node, NULL);
  assert_string_equal(text_at(pod, "spec.priorityClassName"), "facet-reservation");
  assert_string_equal(text_at(pod, "spec.containers.0.imagePullPolicy"), "Never");
  assert_string_equal(text_at(pod, "spec.restartPolicy"), "Never");
  assert_int_equal(json_integer_value(at(pod, "spec.terminationGracePeriodSeconds")), 1);
  json_decref(pod);
}

static void a_witness_asks_for_nothing_and_fits_by_the_newest_offer_only(void **state) {
  Fixture *f = *state;
  static const char *const resources[] = {"nvidia.com/mig-1g.10gb"};
  CLEANUP(text_deinit) Text body = {0};
  AgentRecut *recut = recut_of(resources, 1);
  recut->offer = 42;
  agent_reservation_name(AGENT_WITNESS_PREFIX, 7, recut->witness);
  agent_reservation_format_witness(&f->node, recut, "volcano", &body);
  agent_recut_free(recut);
  json_t *pod = json_loads(text_string(&body), JSON_REJECT_DUPLICATES, NULL);
  assert_non_null(pod);
  assert_string_equal(text_at(pod, "metadata.name"), "facet-witness-000000000007");
  assert_string_equal(text_at(pod, "spec.schedulerName"), "volcano");
  assert_string_equal(text_at(pod, "spec.priorityClassName"), "facet-reservation");
  assert_null(json_object_get(at(pod, "spec.containers.0"), "resources"));
  const json_t *term = at(pod, "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution."
                               "nodeSelectorTerms.0");
  assert_string_equal(text_at(term, "matchFields.0.values.0"), "n1");
  assert_string_equal(text_at(term, "matchExpressions.0.key"), "facet.gpu/offer");
  assert_string_equal(text_at(term, "matchExpressions.0.operator"), "Gt");
  assert_string_equal(text_at(term, "matchExpressions.0.values.0"), "41");
  json_decref(pod);
}

static void it_ends_by_itself_where_nobody_lets_it_go(void **state) {
  Fixture *f = *state;
  json_t *pod = format(&f->node, NULL);
  assert_int_equal(json_integer_value(at(pod, "spec.activeDeadlineSeconds")), AGENT_RESERVATION_DEADLINE_S);
  json_decref(pod);
}

/* The API server refuses label values of more than 63 characters. */
static void long_node_names_make_short_labels(void **state) {
  char label[AGENT_LABEL_SIZE], other[AGENT_LABEL_SIZE];
  char name[254];
  agent_reservation_label("n1", label);
  assert_string_equal(label, "n1");
  memset(name, 'a', sizeof name - 1);
  name[63] = '\0';
  agent_reservation_label(name, label);
  assert_string_equal(label, name);
  name[63] = 'a';
  name[64] = '\0';
  agent_reservation_label(name, label);
  assert_int_equal(strlen(label), 63);
  name[60] = 'b';
  agent_reservation_label(name, other);
  assert_string_not_equal(label, other);
}

static void its_state_is_read_from_the_pod(void **state) {
  Condition unschedulable = {"PodScheduled", "False", "Unschedulable", "no room"};
  Condition waiting = {"PodScheduled", "False", "SchedulerError", "try again"};
  PodCommon waits = {.phase = "Pending", .conditions = {&waiting, 1}},
            refused = {.phase = "Pending", .conditions = {&unschedulable, 1}},
            failed = {.message = "no devices", .phase = "Failed"}, pending = {.phase = "Pending"};
  const struct {
    Pod pod;
    AgentPodState state;
    const char *says;
  } cases[] = {
      {{.common = &pending}, AGENT_POD_WAITING, NULL},
      {{.common = &waits}, AGENT_POD_WAITING, NULL},
      {{.common = &refused}, AGENT_POD_UNSCHEDULABLE, "no room"},
      {{.common = &pending, .node_name = "n1"}, AGENT_POD_BOUND, NULL},
      {{.common = &pending, .node_name = "n1", .meta = {.deletion_time = 1}}, AGENT_POD_LEAVING, NULL},
      {{.node_name = "n1", .common = &failed}, AGENT_POD_ENDED, "no devices"},
  };
  const char *says;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    assert_int_equal(agent_reservation_judge(&cases[i].pod, &says), cases[i].state);
    assert_true(string_equal(says, cases[i].says));
  }
  assert_int_equal(agent_reservation_judge(NULL, &says), AGENT_POD_ABSENT);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      FIXTURE_TEST(it_asks_for_all_targets_on_its_node_only),
      FIXTURE_TEST(it_goes_through_the_scheduler_of_the_nodes_pods),
      FIXTURE_TEST(it_evicts_nobody_and_never_starts),
      FIXTURE_TEST(a_witness_asks_for_nothing_and_fits_by_the_newest_offer_only),
      FIXTURE_TEST(it_ends_by_itself_where_nobody_lets_it_go),
      cmocka_unit_test(long_node_names_make_short_labels),
      cmocka_unit_test(its_state_is_read_from_the_pod),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
