/* SPDX-License-Identifier: Apache-2.0 */
/* A controller with --observe: plans and says, and writes no node. */
#include "controller/controller_fixture.h"

static Text said; /* log lines of the controller that runs */

static void listen_to_log(void *userdata, LogLevel level, const char *component, const char *message,
                          const char *fields) {
  text_format(&said, "%s %s\n", message, fields);
}

static int set_up(void **state) {
  int r = world_init_with(state, &(ControllerOptions){.batch_idle_ms = CONTROLLER_BATCH_IDLE_MS,
                                                      .batch_timeout_ms = CONTROLLER_BATCH_TIMEOUT_MS,
                                                      .leftover = PLAN_LEFTOVER_NONE,
                                                      .recut_limit = 1,
                                                      .observe = true});
  log_configure((LogConfig){.level = LOG_LEVEL_INFO, .sink = listen_to_log});
  return r;
}

static int tear_down(void **state) {
  int r = world_deinit(state);
  text_deinit(&said);
  return r;
}

static int count_lines(const char *line) {
  int count = 0;
  for (const char *p = text_string(&said); (p = strstr(p, line)); p++)
    count++;
  return count;
}

static void nothing_is_written_to_nodes_and_pods_hear_what_would_be(void **state) {
  World *world = *state;
  add_node(world, "n1");
  answer_lists(world);
  add_pod(world, "p", "1g.10gb");
  run_for(world, CONTROLLER_BATCH_IDLE_MS);
  const KubeCall *word = get_call(world, "POST", EVENTS);
  assert_non_null(strstr(word->request.body, "\"reason\":\"NotTriggeredRepartition\""));
  assert_non_null(
      strstr(word->request.body,
             "\"note\":\"Would create slices on node n1 for this pod: 1 x nvidia.com/mig-1g.10gb (the "
             "controller runs with --observe and changes nothing)\""));
  answer_events(world);
  run_for(world, 600000);
  assert_int_equal(count_calls(world, "PATCH"), 0);
  assert_int_equal(count_calls(world, "POST"), 1);
}

static void what_would_be_written_is_logged_once_for_each_change(void **state) {
  World *world = *state;
  add_node(world, "n1");
  answer_lists(world);
  add_pod(world, "p", "1g.10gb");
  for (int i = 0; i < 10; i++) {
    run_for(world, 5000);
    show_node(world, "n1");
  }
  assert_int_equal(count_lines("node not written: only observing node=n1 slices=\"gpu 0: +1g.10gb@6\""), 1);
  add_pod(world, "q", "1g.10gb");
  run_for(world, 5000);
  assert_int_equal(count_lines("node not written: only observing node=n1"), 2);
  assert_int_equal(count_lines("planned pending="), 2);
  answer_events(world);
}

static void a_plan_that_takes_slices_away_is_seen_as_often_as_one_looks(void **state) {
  World *world = *state;
  add_node(world, "n1");
  annotate(world, "n1", "facet.gpu/status-gpu-0", "1g.10gb@6:free");
  answer_lists(world);
  add_pod(world, "p", "7g.80gb");
  run_for(world, CONTROLLER_BATCH_IDLE_MS);
  for (int i = 0; i < 5; i++) {
    KubeCall *word = find_call(world, "POST", EVENTS);
    if (word)
      assert_non_null(strstr(word->request.body, "\"note\":\"Would re-cut free slices on node n1"));
    answer_events(world);
    show_node(world, "n1");
    run_for(world, 10000);
  }
  assert_int_equal(count_calls(world, "POST"), 1);
  assert_int_equal(count_calls(world, "PATCH"), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
      TEST(nothing_is_written_to_nodes_and_pods_hear_what_would_be),
      TEST(what_would_be_written_is_logged_once_for_each_change),
      TEST(a_plan_that_takes_slices_away_is_seen_as_often_as_one_looks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
