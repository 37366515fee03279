/* SPDX-License-Identifier: Apache-2.0 */
/* The agent in its world, with components that it restarts after a change. Their pods live in "ops", and a
 * DaemonSet brings each back. */
#include "agent/recut_fixture.h"

#include "agent/restart.h"

#define BOTH      "ops/app=a,ops/app=b"
#define LOOK_AT_A "GET /api/v1/namespaces/ops/pods?fieldSelector=spec.nodeName%3Dn1&labelSelector=app%3Da;"
#define LOOK_AT_B "GET /api/v1/namespaces/ops/pods?fieldSelector=spec.nodeName%3Dn1&labelSelector=app%3Db;"

typedef struct Components {
  Text calls;        /* what was asked of them */
  int generation;    /* of their pods' names */
  const char *owner; /* kind of what owns the pods of a */
  const char *node;  /* ... and where they are */
  int refuse_list;   /* status of each list; 0: it succeeds */
  int refuse_deletion;
  bool is_mute;
} Components;

static void answer_components(World *world, KubeCall *call) {
  Components *components = world->plugin;
  const char *label = strstr(call->request.path, "labelSelector=app%3D") + strlen("labelSelector=app%3D");
  if (components->refuse_list) {
    fake_answer(call, components->refuse_list, "{\"kind\":\"Status\",\"message\":\"no\"}");
    return;
  }
  json_t *pod =
      json_pack("{s:{s:s, s:o, s:s, s:[{s:s, s:s, s:b}]}, s:{s:s}}", "metadata", "namespace", "ops", "name",
                json_sprintf("%s-%d", label, components->generation), "uid", "u", "ownerReferences", "kind",
                components->owner, "name", "d", "controller", 1, "spec", "nodeName", components->node);
  answer_list(world, call, pod);
  json_decref(pod);
}

static bool components_turn(World *world) {
  Components *components = world->plugin;
  KubeCall *call = find_call_of(world, "GET", "/api/v1/namespaces/ops/", false);
  bool is_list = call != NULL;
  if (!call)
    call = find_call_of(world, "DELETE", "/api/v1/namespaces/ops/pods/", false);
  if (!call || components->is_mute)
    return false;
  text_format(&components->calls, "%s %s;", call->request.method, call->request.path);
  if (is_list)
    answer_components(world, call);
  else if (components->refuse_deletion)
    fake_answer(call, components->refuse_deletion, "{\"kind\":\"Status\",\"message\":\"no\"}");
  else
    fake_answer(call, 200, "{}");
  return true;
}

static int components_init(void **state) {
  int r = world_init(state);
  World *world = *state;
  Components *components = mem_alloc(sizeof *components);
  *components = (Components){.owner = "DaemonSet", .node = "n1"};
  world->plugin = components;
  world->plugin_turn = components_turn;
  world->options.restart_after_change = "ops/app=a";
  return r;
}

static int components_deinit(void **state) {
  Components *components = ((World *)*state)->plugin;
  text_deinit(&components->calls);
  free(components);
  return world_deinit(state);
}

static Components *components_of(World *world) {
  return world->plugin;
}

static void assert_calls(World *world, const char *expected) {
  Text *calls = &components_of(world)->calls;
  assert_string_equal(text_string(calls), expected);
  text_clear(calls);
}

static void assert_event(World *world, const char *expected) {
  assert_string_equal(text_string(&world->events), expected);
  text_clear(&world->events);
}

/* One slice is made and its plan answered. */
static void grow(World *world, const char *plan, const char *spec) {
  set_plan(world, plan, spec);
  run_for(world, 3000);
  assert_string_equal(annotation(world, MIG_ANNOTATION_STATUS_PLAN), plan);
}

static void after_a_change_the_pods_of_each_component_are_deleted(void **state) {
  World *world = *state;
  world->options.restart_after_change = BOTH;
  settle(world);
  grow(world, "p1", "GPU-0 1g.10gb@6,1g.10gb@5");
  assert_calls(world, LOOK_AT_A "DELETE /api/v1/namespaces/ops/pods/a-0;" LOOK_AT_B
                                "DELETE /api/v1/namespaces/ops/pods/b-0;");
  run_for(world, 3600000);
  assert_calls(world, "");
  assert_string_equal(annotation(world, MIG_ANNOTATION_ERROR), "(absent)");
}

static void while_a_plan_is_not_answered_nothing_is_restarted(void **state) {
  World *world = *state;
  settle(world);
  world->refuse_status = 500;
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  run_for(world, 5000);
  assert_non_null(strstr(text_string(&world->story), "create 1g.10gb@6;"));
  assert_calls(world, "");
  world->refuse_status = 0;
  run_for(world, AGENT_RETRY_MAX_MS);
  assert_calls(world, LOOK_AT_A "DELETE /api/v1/namespaces/ops/pods/a-0;");
}

static void a_plan_that_changes_nothing_restarts_nothing(void **state) {
  World *world = *state;
  observe_slices(&world->truth->gpus[0], "1g.10gb@6");
  settle(world);
  grow(world, "p1", "GPU-0 1g.10gb@6");
  assert_calls(world, "");
}

static void a_recut_restarts_once_when_it_is_answered(void **state) {
  World *world = *state;
  begin_recut(world);
  run_for(world, 900);
  CLEANUP(cleanup_free) char *expected = mem_format("reserve;%s", CUT);
  assert_story(world, expected);
  assert_calls(world, LOOK_AT_A "DELETE /api/v1/namespaces/ops/pods/a-0;");
}

static void slices_that_are_only_taken_away_count_as_a_change(void **state) {
  World *world = *state;
  observe_slices(&world->truth->gpus[0], "1g.10gb@5 1g.10gb@6");
  settle(world);
  text_append(&world->kubelet.reserved, "MIG-0-6");
  set_plan(world, "p1", "GPU-0 1g.10gb@5");
  run_for(world, 3000);
  assert_string_equal(amount(world, "allocatable", SMALL), "1");
  assert_null(strstr(text_string(&world->story), "create"));
  assert_calls(world, LOOK_AT_A "DELETE /api/v1/namespaces/ops/pods/a-0;");
}

static void changes_soon_afterwards_are_served_together_later(void **state) {
  World *world = *state;
  settle(world);
  grow(world, "p1", "GPU-0 1g.10gb@6");
  assert_calls(world, LOOK_AT_A "DELETE /api/v1/namespaces/ops/pods/a-0;");
  components_of(world)->generation++;
  grow(world, "p2", "GPU-0 1g.10gb@6,1g.10gb@5");
  grow(world, "p3", "GPU-0 1g.10gb@6,1g.10gb@5,1g.10gb@4");
  run_for(world, AGENT_RESTART_PAUSE_MS - 10000);
  assert_calls(world, "");
  run_for(world, 10000);
  assert_calls(world, LOOK_AT_A "DELETE /api/v1/namespaces/ops/pods/a-1;");
  run_for(world, 3600000);
  assert_calls(world, "");
}

static void pods_of_other_nodes_and_of_no_daemonset_are_left_alone(void **state) {
  World *world = *state;
  components_of(world)->node = "n2";
  settle(world);
  grow(world, "p1", "GPU-0 1g.10gb@6");
  assert_calls(world, LOOK_AT_A);
  components_of(world)->node = "n1";
  components_of(world)->owner = "ReplicaSet";
  grow(world, "p2", "GPU-0 1g.10gb@6,1g.10gb@5");
  run_for(world, AGENT_RESTART_PAUSE_MS);
  assert_calls(world, LOOK_AT_A);
  assert_string_equal(annotation(world, MIG_ANNOTATION_ERROR), "(absent)");
}

static void a_refusal_is_told_until_it_works(void **state) {
  World *world = *state;
  components_of(world)->refuse_list = 403;
  settle(world);
  grow(world, "p1", "GPU-0 1g.10gb@6");
  assert_event(world, "RestartFailed: "
                      "restarting ops/app=a after a change of slices: the API server refused GET "
                      "/api/v1/namespaces/ops/pods: no (403 Forbidden); give this account the verb \"list\" "
                      "on pods;");
  assert_string_equal(annotation(world, MIG_ANNOTATION_ERROR), "(absent)");
  assert_string_equal(amount(world, "allocatable", "nvidia.com/mig-1g.10gb"), "1");
  assert_calls(world, LOOK_AT_A);
  components_of(world)->refuse_list = 0;
  components_of(world)->refuse_deletion = 403;
  run_for(world, AGENT_RESTART_AGAIN_MS);
  assert_event(world, "RestartFailed: "
                      "restarting ops/app=a after a change of slices: the API server refused DELETE "
                      "/api/v1/namespaces/ops/pods/a-0: no (403 Forbidden); give this account the verb "
                      "\"delete\" on pods;");
  assert_calls(world, LOOK_AT_A "DELETE /api/v1/namespaces/ops/pods/a-0;");
  components_of(world)->refuse_deletion = 0;
  run_for(world, 2 * AGENT_RESTART_AGAIN_MS);
  assert_event(world, "");
  assert_calls(world, LOOK_AT_A "DELETE /api/v1/namespaces/ops/pods/a-0;");
}

static void a_namespace_that_is_not_there_is_named(void **state) {
  World *world = *state;
  components_of(world)->refuse_list = 404;
  settle(world);
  grow(world, "p1", "GPU-0 1g.10gb@6");
  assert_event(
      world,
      "RestartFailed: restarting ops/app=a after a change of slices: there is no namespace ops: correct "
      "--restart-after-change;");
}

static void a_pod_that_somebody_else_deleted_is_gone_all_the_same(void **state) {
  World *world = *state;
  components_of(world)->refuse_deletion = 404;
  settle(world);
  grow(world, "p1", "GPU-0 1g.10gb@6");
  run_for(world, 3600000);
  assert_calls(world, LOOK_AT_A "DELETE /api/v1/namespaces/ops/pods/a-0;");
  assert_string_equal(annotation(world, MIG_ANNOTATION_ERROR), "(absent)");
}

static void by_default_nothing_is_restarted(void **state) {
  World *world = *state;
  world->options.restart_after_change = NULL;
  settle(world);
  grow(world, "p1", "GPU-0 1g.10gb@6");
  run_for(world, 3600000);
  assert_calls(world, "");
}

static void an_agent_that_ends_while_it_waits_for_an_answer_leaves_nothing_behind(void **state) {
  World *world = *state;
  components_of(world)->is_mute = true;
  settle(world);
  grow(world, "p1", "GPU-0 1g.10gb@6");
  stop_agent(world); /* the world's end looks for timers and calls */
  assert_calls(world, "");
}

#define RESTART_TEST(name) cmocka_unit_test_setup_teardown(name, components_init, components_deinit)

int main(void) {
  const struct CMUnitTest tests[] = {
      RESTART_TEST(after_a_change_the_pods_of_each_component_are_deleted),
      RESTART_TEST(while_a_plan_is_not_answered_nothing_is_restarted),
      RESTART_TEST(a_plan_that_changes_nothing_restarts_nothing),
      RESTART_TEST(a_recut_restarts_once_when_it_is_answered),
      RESTART_TEST(slices_that_are_only_taken_away_count_as_a_change),
      RESTART_TEST(changes_soon_afterwards_are_served_together_later),
      RESTART_TEST(pods_of_other_nodes_and_of_no_daemonset_are_left_alone),
      RESTART_TEST(a_refusal_is_told_until_it_works),
      RESTART_TEST(a_namespace_that_is_not_there_is_named),
      RESTART_TEST(a_pod_that_somebody_else_deleted_is_gone_all_the_same),
      RESTART_TEST(by_default_nothing_is_restarted),
      RESTART_TEST(an_agent_that_ends_while_it_waits_for_an_answer_leaves_nothing_behind),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
