/* SPDX-License-Identifier: Apache-2.0 */
/* What stands on the controller's pages for machines and people, as a strict parser reads it. */
#include "controller/controller_fixture.h"

#include "metrics/openmetrics_testing.h"

static Metrics *metrics; /* of the test that runs */

static int set_up(void **state) {
  metrics = metrics_new(NULL);
  return world_init_with(state, &(ControllerOptions){.batch_idle_ms = CONTROLLER_BATCH_IDLE_MS,
                                                     .batch_timeout_ms = CONTROLLER_BATCH_TIMEOUT_MS,
                                                     .leftover = PLAN_LEFTOVER_NONE,
                                                     .metrics = metrics});
}

static int tear_down(void **state) {
  int r = world_deinit(state);
  metrics_free(metrics);
  return r;
}

static double value_of(World *world, const char *name, const char *labels) {
  CLEANUP(text_deinit) Text text = {0};
  CLEANUP(open_text_deinit) OpenText parsed = {0};
  Error err;
  controller_fill_metrics(world->controller);
  metrics_format(metrics, &text);
  assert_ok(open_text_parse(text_string(&text), &parsed, &err));
  return open_text_find(&parsed, name, labels);
}

#define ASSERT_VALUE(name, labels, value) assert_true(value_of(world, name, labels) == (value))

static char *debug_of(const World *world) {
  Text text = {0};
  controller_debug_format(world->controller, &text);
  return text_take(&text);
}

static void a_plan_its_write_and_its_answer_are_counted(void **state) {
  World *world = *state;
  add_node(world, "n1");
  answer_lists(world);
  add_pod(world, "p", "1g.10gb");
  add_pod(world, "q", "7g.80gb");
  run_for(world, CONTROLLER_BATCH_IDLE_MS);
  ASSERT_VALUE("facet_controller_pending_pods", "verdict=\"admitted\"", 1);
  ASSERT_VALUE("facet_controller_pending_pods", "verdict=\"blocked\"", 1);
  ASSERT_VALUE("facet_controller_plans_total", "", 1);
  ASSERT_VALUE("facet_controller_plan_duration_seconds_count", "", 1);
  ASSERT_VALUE("facet_controller_plan_gap_ratio", "", 0);
#define STAGE "facet_repartition_stage_duration_seconds"
  ASSERT_VALUE(STAGE "_sum", "stage=\"batch\"", 0.2);
  run_for(world, 30);
  answer_write(world, "n1");
  run_for(world, 1);
  answer_events(world);
  ASSERT_VALUE("facet_controller_node_writes_total", "result=\"written\"", 1);
  ASSERT_VALUE("facet_controller_events_total", "result=\"written\"", 2);
  ASSERT_VALUE(STAGE "_sum", "stage=\"write\"", 0.03);
  run_for(world, 1199);
  show_node(world, "n1");
  ASSERT_VALUE(STAGE "_count", "stage=\"answer\"", -1);
  carry_out(world, "n1", "1g.10gb@6:free");
  ASSERT_VALUE(STAGE "_sum", "stage=\"answer\"", 1.2);
  show_node(world, "n1");
  ASSERT_VALUE(STAGE "_count", "stage=\"answer\"", 1);
}

static void pods_that_no_slice_could_help_are_counted_apart(void **state) {
  World *world = *state;
  add_node(world, "n1");
  answer_lists(world);
  add_pod(world, "p", "1g.10gb");
  json_t *pod =
      json_pack("{s:{s:s, s:s, s:s}, s:{s:[{s:s}]}, s:{s:s}}", "metadata", "name", "q", "namespace", "demo",
                "uid", "uid-q", "spec", "containers", "name", "main", "status", "phase", "Pending");
  assert_null(map_put(&world->pods, "q", pod));
  show(world, PODS, "ADDED", pod);
  run_for(world, CONTROLLER_BATCH_IDLE_MS);
  ASSERT_VALUE("facet_controller_pending_pods", "verdict=\"admitted\"", 1);
  ASSERT_VALUE("facet_controller_pending_pods", "verdict=\"ignored\"", 1);
}

static void slices_and_nodes_are_counted_as_the_nodes_report_them(void **state) {
  World *world = *state;
  add_node(world, "n1");
  add_node(world, "n2");
  add_node(world, "n3");
  annotate(world, "n1", "facet.gpu/profiles", "x");
  annotate(world, "n1", "nos.nebuly.com/status-gpu-2-1g.10gb-free", "2");
  annotate(world, "n1", "nos.nebuly.com/status-gpu-1-1g.10gb-free", "3");
  annotate(world, "n1", "nos.nebuly.com/status-gpu-1-3g.40gb-used", "1");
  annotate(world, "n2", "facet.gpu/error", "broken");
  annotate(world, "n2", "facet.gpu/status-gpu-0", "1g.10gb@6:free,3g.40gb@0:used");
  annotate(world, "n2", "nos.nebuly.com/status-gpu-0-1g.10gb-free", "1");
  annotate(world, "n2", "nos.nebuly.com/status-gpu-0-3g.40gb-used", "1");
  answer_lists(world);
  ASSERT_VALUE("facet_slices", "profile=\"1g.10gb\",state=\"free\"", 6);
  ASSERT_VALUE("facet_slices", "profile=\"3g.40gb\",state=\"used\"", 2);
  ASSERT_VALUE("facet_slices", "profile=\"1g.10gb\",state=\"used\"", -1);
  ASSERT_VALUE("facet_controller_nodes", "state=\"reporting\"", 1);
  ASSERT_VALUE("facet_controller_nodes", "state=\"failing\"", 1);
  ASSERT_VALUE("facet_controller_nodes", "state=\"silent\"", 1);
  ASSERT_VALUE("facet_controller_objects", "kind=\"nodes\"", 3);
  ASSERT_VALUE("facet_controller_leader", "", 1);
  remove_node(world, "n1");
  ASSERT_VALUE("facet_slices", "profile=\"1g.10gb\",state=\"free\"", 1);
  ASSERT_VALUE("facet_controller_nodes", "state=\"reporting\"", 0);
}

static void failures_are_counted_by_where_and_why(void **state) {
  World *world = *state;
  add_node(world, "n1");
  answer_lists(world);
  add_pod(world, "p", "1g.10gb");
  run_for(world, CONTROLLER_BATCH_IDLE_MS);
  fake_answer(get_call(world, "PATCH", NODES), 403, REFUSAL(403, "Forbidden", "no"));
  run_for(world, 1);
  fake_break(get_call(world, "POST", EVENTS));
  ASSERT_VALUE("facet_controller_node_writes_total", "result=\"failed\"", 1);
  ASSERT_VALUE("facet_controller_events_total", "result=\"failed\"", 1);
  ASSERT_VALUE("facet_failures_total", "where=\"node_write\",reason=\"denied\"", 1);
  ASSERT_VALUE("facet_failures_total", "where=\"event\",reason=\"unavailable\"", 1);
  fake_break(get_call(world, "GET", PODS));
  fake_break(get_call(world, "GET", NODES));
  run_for(world, 1000);
  fake_answer(get_call(world, "GET", NODES), 403, REFUSAL(403, "Forbidden", "no"));
  ASSERT_VALUE("facet_failures_total", "where=\"watch\",reason=\"denied\"", 1);
}

static void an_outdated_write_is_no_failure(void **state) {
  World *world = *state;
  add_node(world, "n1");
  answer_lists(world);
  add_pod(world, "p", "1g.10gb");
  run_for(world, CONTROLLER_BATCH_IDLE_MS);
  fake_answer(get_call(world, "PATCH", NODES), 422, REFUSAL(422, "Invalid", "the test failed"));
  ASSERT_VALUE("facet_controller_node_writes_total", "result=\"outdated\"", 1);
  ASSERT_VALUE("facet_failures_total", "where=\"node_write\",reason=\"conflict\"", -1);
}

static void a_controller_is_ready_when_both_lists_have_come(void **state) {
  World *world = *state;
  const char *why;
  assert_false(controller_is_ready(world->controller, &why));
  assert_string_equal(why, "the nodes were not listed yet");
  answer_list(world, NODES, &world->nodes);
  assert_false(controller_is_ready(world->controller, &why));
  assert_string_equal(why, "the pods were not listed yet");
  answer_list(world, PODS, &world->pods);
  assert_true(controller_is_ready(world->controller, &why));
}

static void the_view_for_people_says_what_it_sees_plans_and_waits_for(void **state) {
  World *world = *state;
  CLEANUP(cleanup_free) char *empty = debug_of(world);
  assert_string_equal(empty, "facet controller " FACET_VERSION "\n"
                             "role: alone (no leader election)\n"
                             "cluster: 0 nodes, 0 pods; the nodes were not listed yet\n"
                             "last plan: none yet\n"
                             "next plan: nothing to plan\n"
                             "node writes under way: 0\n"
                             "Events under way: 0\n"
                             "nodes that get nothing new now: 0\n");
  add_node(world, "n1");
  answer_lists(world);
  add_pod(world, "p", "1g.10gb");
  run_for(world, CONTROLLER_BATCH_IDLE_MS);
  run_for(world, 1500);
  CLEANUP(cleanup_free) char *view = debug_of(world);
  assert_non_null(
      strstr(view, "cluster: 1 nodes, 1 pods\nlast plan: 1.5 s ago, number 1: pending=1 admitted=1 "));
  assert_non_null(strstr(view, "node writes under way: 1\n  n1: plan "));
  assert_non_null(
      strstr(view, ", sent 1.5 s ago, not answered yet; gpu 0: +1g.10gb@6\nEvents under way: 1\n"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
      TEST(a_plan_its_write_and_its_answer_are_counted),
      TEST(pods_that_no_slice_could_help_are_counted_apart),
      TEST(slices_and_nodes_are_counted_as_the_nodes_report_them),
      TEST(failures_are_counted_by_where_and_why),
      TEST(an_outdated_write_is_no_failure),
      TEST(a_controller_is_ready_when_both_lists_have_come),
      TEST(the_view_for_people_says_what_it_sees_plans_and_waits_for),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
