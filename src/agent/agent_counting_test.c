/* SPDX-License-Identifier: Apache-2.0 */
/* What stands on the agent's pages for machines and people. */
#include "agent/world_fixture.h"

#include "metrics/openmetrics_testing.h"

static double value_of(World *world, const char *name, const char *labels) {
  CLEANUP(text_deinit) Text text = {0};
  CLEANUP(open_text_deinit) OpenText parsed = {0};
  Error err;
  agent_fill_metrics(world->agent);
  metrics_format(world->options.metrics, &text);
  assert_ok(open_text_parse(text_string(&text), &parsed, &err));
  return open_text_find(&parsed, name, labels);
}

#define ASSERT_VALUE(name, labels, value) assert_true(value_of(world, name, labels) == (value))
#define STAGES                            "facet_repartition_stage_duration_seconds_count"

static int set_up(void **state) {
  int r = world_init(state);
  ((World *)*state)->options.metrics = metrics_new(NULL);
  return r;
}

static int tear_down(void **state) {
  Metrics *metrics = ((World *)*state)->options.metrics;
  int r = world_deinit(state);
  metrics_free(metrics);
  return r;
}

static void the_stages_of_a_new_slice_are_counted(void **state) {
  World *world = *state;
  settle(world);
  ASSERT_VALUE(STAGES, "stage=\"create\"", -1);
  double published = value_of(world, STAGES, "stage=\"publish\"");
  double reports = value_of(world, "facet_agent_reports_total", "result=\"written\"");
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  run_for(world, 1000);
  ASSERT_VALUE(STAGES, "stage=\"create\"", 1);
  ASSERT_VALUE(STAGES, "stage=\"publish\"", published + 1);
  ASSERT_VALUE("facet_agent_reports_total", "result=\"written\"", reports + 1);
  ASSERT_VALUE(STAGES, "stage=\"report\"", reports + 1);
  ASSERT_VALUE("facet_slices", "profile=\"1g.10gb\",state=\"free\"", 1);
}

static void slices_are_counted_by_profile_and_state(void **state) {
  World *world = *state;
  observe_slices(&world->truth->gpus[0], "1g.10gb@6 1g.10gb@5 2g.20gb@0");
  text_append(&world->kubelet.held, "MIG-0-5");
  start_agent(world);
  run_for(world, 1000);
  ASSERT_VALUE("facet_slices", "profile=\"1g.10gb\",state=\"free\"", 1);
  ASSERT_VALUE("facet_slices", "profile=\"1g.10gb\",state=\"used\"", 1);
  ASSERT_VALUE("facet_slices", "profile=\"2g.20gb\",state=\"free\"", 1);
}

static void a_driver_that_fails_is_counted_by_where_and_why(void **state) {
  World *world = *state;
  error_set(&world->driver_error, ERROR_GPU, "Driver Not Loaded");
  start_agent(world);
  run_for(world, 1000);
  ASSERT_VALUE("facet_failures_total", "where=\"observe\",reason=\"gpu\"", 1);
  const char *why;
  assert_false(agent_is_ready(world->agent, &why));
  assert_string_equal(why, "the GPUs cannot be read");
}

static void an_agent_is_ready_when_it_knows_node_and_gpus(void **state) {
  World *world = *state;
  start_agent(world);
  const char *why;
  assert_false(agent_is_ready(world->agent, &why));
  assert_string_equal(why, "the node was not read at the API server yet");
  run_for(world, 1000);
  assert_true(agent_is_ready(world->agent, &why));
}

static void the_view_for_people_shows_gpus_slices_and_plan(void **state) {
  World *world = *state;
  settle(world);
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  run_for(world, 1000);
  CLEANUP(text_deinit) Text text = {0};
  agent_debug_format(world->agent, &text);
  const char *view = text_string(&text);
  assert_true(string_has_prefix(view, "facet agent " FACET_VERSION "\nnode: n1, handed to facet\n"
                                      "GPU 0: GPU-0, NVIDIA A100-SXM4-80GB, MIG on\n"
                                      "  1g.10gb@6 free, MIG-0-6\n"));
  assert_non_null(strstr(view, "\nplan: p1, done\ndriver: idle\n"
                               "resource nvidia.com/mig-1g.10gb: 1, the kubelet knows\nlast report: "));
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define COUNTING_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
      COUNTING_TEST(the_stages_of_a_new_slice_are_counted),
      COUNTING_TEST(slices_are_counted_by_profile_and_state),
      COUNTING_TEST(a_driver_that_fails_is_counted_by_where_and_why),
      COUNTING_TEST(an_agent_is_ready_when_it_knows_node_and_gpus),
      COUNTING_TEST(the_view_for_people_shows_gpus_slices_and_plan),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
