/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/restart.h"

#include "base/host.h"
#include "base/memory.h"
#include "base/test.h"

#define POD(name, more)                                                                                      \
  "{\"metadata\":{\"namespace\":\"gpu\",\"name\":\"" name "\",\"uid\":\"u-" name "\"" more "}"
#define OWNED(kind) ",\"ownerReferences\":[{\"kind\":\"" kind "\",\"name\":\"o\",\"controller\":true}]"
#define LEAVING     ",\"deletionTimestamp\":\"2026-01-01T00:00:00Z\""
#define ON(node)    ",\"spec\":{\"nodeName\":\"" node "\"}}"

/* ---- which ---- */

static void components_are_namespaces_with_a_label(void **state) {
  AgentRestart restart = {0};
  Error err = {0};
  assert_ok(
      agent_restart_parse(&restart, "gpu-operator/app=nvidia-dcgm,ops/app.kubernetes.io/name=x_1", &err));
  assert_int_equal(restart.count, 2);
  assert_string_equal(restart.targets[0].namespace_, "gpu-operator");
  assert_string_equal(restart.targets[0].selector, "app=nvidia-dcgm");
  assert_string_equal(restart.targets[1].namespace_, "ops");
  assert_string_equal(restart.targets[1].selector, "app.kubernetes.io/name=x_1");
}

static void without_any_nothing_is_restarted(void **state) {
  static const char *const texts[] = {NULL, ""};
  for (size_t i = 0; i < COUNT_OF(texts); i++) {
    AgentRestart restart = {.count = 7};
    Error err = {0};
    assert_ok(agent_restart_parse(&restart, texts[i], &err));
    assert_int_equal(restart.count, 0);
    agent_restart_note_change(&restart);
    assert_null(agent_restart_next(&restart, 0));
    assert_true(agent_restart_wake_ms(&restart) == HOST_NEVER);
  }
}

static void what_is_no_such_pair_is_refused(void **state) {
  static const char *const texts[] = {
      "app=x",      "/app=x",    "ops/app",     "ops/app=",    "ops/=x",      "Ops/app=x",
      "ops/app!=x", "ops/a b=x", "ops/app=x y", "ops.a/app=x", "ops/app=x=y", "ops/app=x&watch=1",
  };
  for (size_t i = 0; i < COUNT_OF(texts); i++) {
    AgentRestart restart = {.count = 7};
    Error err = {0};
    CLEANUP(cleanup_free)
    char *expected = mem_format(
        "\"%s\" is not NAMESPACE/LABEL=VALUE, such as gpu-operator/app=nvidia-dcgm-exporter", texts[i]);
    assert_true(agent_restart_parse(&restart, texts[i], &err) < 0);
    assert_string_equal(err.text, expected);
    assert_int_equal(restart.count, 7);
  }
}

static void an_empty_one_between_others_is_refused(void **state) {
  AgentRestart restart = {0};
  Error err = {0};
  assert_true(agent_restart_parse(&restart, "ops/app=x,,ops/app=y", &err) < 0);
  assert_string_equal(err.text,
                      "\"\" is not NAMESPACE/LABEL=VALUE, such as gpu-operator/app=nvidia-dcgm-exporter");
}

static int parse_many(int count, AgentRestart *restart, Error *err) {
  CLEANUP(text_deinit) Text text = {0};
  for (int i = 0; i < count; i++)
    text_format(&text, "%sops/app=x%d", i ? "," : "", i);
  return agent_restart_parse(restart, text_string(&text), err);
}

static void sixteen_components_are_the_most(void **state) {
  AgentRestart restart = {0};
  Error err = {0};
  assert_ok(parse_many(AGENT_RESTART_MAX, &restart, &err));
  assert_int_equal(restart.count, AGENT_RESTART_MAX);
  assert_true(parse_many(AGENT_RESTART_MAX + 1, &restart, &err) < 0);
  assert_string_equal(err.text, "more than 16 components to be restarted");
}

/* namespace of so many bytes, and a selector of so many. */
static int parse_sized(size_t namespace_size, size_t selector_size, Error *err) {
  AgentRestart restart = {0};
  CLEANUP(text_deinit) Text text = {0};
  for (size_t i = 0; i < namespace_size; i++)
    text_append(&text, "n");
  text_append(&text, "/a=");
  for (size_t i = 0; i < selector_size - strlen("a="); i++)
    text_append(&text, "v");
  return agent_restart_parse(&restart, text_string(&text), err);
}

static void what_is_longer_than_kubernetes_allows_is_refused(void **state) {
  Error err = {0};
  assert_ok(parse_sized(AGENT_RESTART_NAMESPACE_SIZE - 1, AGENT_RESTART_SELECTOR_SIZE - 1, &err));
  assert_true(parse_sized(AGENT_RESTART_NAMESPACE_SIZE, 9, &err) < 0);
  assert_true(parse_sized(9, AGENT_RESTART_SELECTOR_SIZE, &err) < 0);
}

/* ---- when ---- */

static AgentRestart two(void) {
  AgentRestart restart = {0};
  Error err = {0};
  assert_ok(agent_restart_parse(&restart, "ops/app=a,ops/app=b", &err));
  return restart;
}

static void each_is_restarted_once_after_a_change(void **state) {
  AgentRestart restart = two();
  assert_null(agent_restart_next(&restart, 1000));
  agent_restart_note_change(&restart);
  agent_restart_note_change(&restart);
  for (int i = 0; i < 2; i++) {
    assert_ptr_equal(agent_restart_next(&restart, 1000), &restart.targets[i]);
    agent_restart_done(&restart.targets[i], 1000);
  }
  assert_null(agent_restart_next(&restart, 1000 + 1000 * AGENT_RESTART_PAUSE_MS));
  assert_true(agent_restart_wake_ms(&restart) == HOST_NEVER);
}

static void a_change_within_the_pause_is_served_at_its_end(void **state) {
  AgentRestart restart = two();
  restart.count = 1;
  agent_restart_note_change(&restart);
  agent_restart_done(agent_restart_next(&restart, 1000), 1000);
  agent_restart_note_change(&restart);
  assert_null(agent_restart_next(&restart, 1000 + AGENT_RESTART_PAUSE_MS - 1));
  assert_true(agent_restart_wake_ms(&restart) == 1000 + AGENT_RESTART_PAUSE_MS);
  assert_ptr_equal(agent_restart_next(&restart, 1000 + AGENT_RESTART_PAUSE_MS), &restart.targets[0]);
}

static void a_change_while_it_is_restarted_counts(void **state) {
  AgentRestart restart = two();
  restart.count = 1;
  agent_restart_note_change(&restart);
  AgentRestartTarget *target = agent_restart_next(&restart, 1000);
  agent_restart_note_change(&restart);
  agent_restart_done(target, 1000);
  assert_ptr_equal(agent_restart_next(&restart, 1000 + AGENT_RESTART_PAUSE_MS), target);
}

static void what_is_refused_is_tried_again_ever_more_rarely(void **state) {
  AgentRestart restart = two();
  agent_restart_note_change(&restart);
  uint64_t now_ms = 1000;
  static const uint32_t waits_ms[] = {60000, 120000, 240000, 480000, 960000, 1800000, 1800000};
  for (size_t i = 0; i < COUNT_OF(waits_ms); i++) {
    AgentRestartTarget *target = agent_restart_next(&restart, now_ms);
    assert_ptr_equal(target, &restart.targets[0]);
    agent_restart_refuse(target, now_ms);
    /* The other one need not wait for it. */
    assert_ptr_equal(agent_restart_next(&restart, now_ms), &restart.targets[1]);
    restart.targets[1].served_changes = restart.changes;
    assert_null(agent_restart_next(&restart, now_ms + waits_ms[i] - 1));
    assert_true(agent_restart_wake_ms(&restart) == now_ms + waits_ms[i]);
    restart.targets[1].served_changes = 0;
    now_ms += waits_ms[i];
  }
  agent_restart_done(agent_restart_next(&restart, now_ms), now_ms);
  agent_restart_note_change(&restart);
  now_ms += AGENT_RESTART_PAUSE_MS;
  agent_restart_refuse(agent_restart_next(&restart, now_ms), now_ms);
  assert_true(restart.targets[0].not_before_ms == now_ms + AGENT_RESTART_AGAIN_MS);
}

/* ---- its pods ---- */

typedef struct Choice {
  AgentRestartPods pods;
  Text strays;
} Choice;

static int choose(Choice *choice, const char *items, Error *err) {
  CLEANUP(cleanup_free) char *body = mem_format("{\"metadata\":{},\"items\":[%s]}", items);
  const KubeAnswer answer = {.status = 200, .format = KUBE_JSON, .body = body, .body_size = strlen(body)};
  return agent_restart_choose(&answer, "n1", &choice->pods, &choice->strays, err);
}

static void choice_deinit(Choice *choice) {
  array_deinit(&choice->pods);
  text_deinit(&choice->strays);
}

static void pods_of_a_daemonset_are_chosen(void **state) {
  CLEANUP(choice_deinit) Choice choice = {0};
  Error err = {0};
  assert_ok(
      choose(&choice, POD("a", OWNED("DaemonSet")) ON("n1") "," POD("b", OWNED("DaemonSet")) ON("n1"), &err));
  assert_int_equal(choice.pods.count, 2);
  assert_string_equal(choice.pods.items[1].namespace_, "gpu");
  assert_string_equal(choice.pods.items[1].name, "b");
  assert_string_equal(choice.pods.items[1].uid, "u-b");
  assert_string_equal(text_string(&choice.strays), "");
}

static void pods_that_no_daemonset_owns_are_named_instead(void **state) {
  CLEANUP(choice_deinit) Choice choice = {0};
  Error err = {0};
  assert_ok(choose(&choice,
                   POD("bare", "") ON("n1") "," POD("static", OWNED("Node"))
                       ON("n1") "," POD("many", OWNED("ReplicaSet")) ON("n1"),
                   &err));
  assert_int_equal(choice.pods.count, 0);
  assert_string_equal(text_string(&choice.strays), "bare, static, many");
}

static void pods_elsewhere_or_on_their_way_out_are_left_alone(void **state) {
  CLEANUP(choice_deinit) Choice choice = {0};
  Error err = {0};
  assert_ok(choose(&choice,
                   POD("far", OWNED("DaemonSet")) ON("n2") "," POD("old", OWNED("DaemonSet") LEAVING)
                       ON("n1") "," POD("stray", "") ON("n2"),
                   &err));
  assert_int_equal(choice.pods.count, 0);
  assert_string_equal(text_string(&choice.strays), "");
}

static void garbage_is_refused(void **state) {
  CLEANUP(choice_deinit) Choice choice = {0};
  Error err = {0};
  assert_true(choose(&choice, "7", &err) < 0);
  assert_true(err.text[0]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(components_are_namespaces_with_a_label),
      cmocka_unit_test(without_any_nothing_is_restarted),
      cmocka_unit_test(what_is_no_such_pair_is_refused),
      cmocka_unit_test(an_empty_one_between_others_is_refused),
      cmocka_unit_test(sixteen_components_are_the_most),
      cmocka_unit_test(what_is_longer_than_kubernetes_allows_is_refused),
      cmocka_unit_test(each_is_restarted_once_after_a_change),
      cmocka_unit_test(a_change_within_the_pause_is_served_at_its_end),
      cmocka_unit_test(a_change_while_it_is_restarted_counts),
      cmocka_unit_test(what_is_refused_is_tried_again_ever_more_rarely),
      cmocka_unit_test(pods_of_a_daemonset_are_chosen),
      cmocka_unit_test(pods_that_no_daemonset_owns_are_named_instead),
      cmocka_unit_test(pods_elsewhere_or_on_their_way_out_are_left_alone),
      cmocka_unit_test(garbage_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
