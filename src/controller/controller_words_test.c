/* SPDX-License-Identifier: Apache-2.0 */
/* What a controller tells pods by Events. */
#include "controller/controller_fixture.h"

static void a_lost_refusal_is_said_again_after_its_time(void **state) {
  World *world = *state;
  settle(world);
  add_pod(world, "p", "1g.5gb");
  run_for(world, CONTROLLER_BATCH_IDLE_MS);
  fake_break(get_call(world, "POST", EVENTS));
  run_for(world, CONTROLLER_REPEAT_MS - 1);
  assert_int_equal(count_calls(world, "POST"), 1);
  run_for(world, 1);
  assert_int_equal(answer_events(world), 1);
  run_for(world, 600000);
  assert_int_equal(count_calls(world, "POST"), 2);
}

static void an_event_that_the_server_refuses_is_not_repeated(void **state) {
  World *world = *state;
  settle(world);
  add_pod(world, "p", "1g.5gb");
  run_for(world, CONTROLLER_BATCH_IDLE_MS);
  fake_answer(get_call(world, "POST", EVENTS), 403, REFUSAL(403, "Forbidden", "no"));
  run_for(world, 600000);
  assert_int_equal(count_calls(world, "POST"), 1);
}

static void a_failing_event_stops_no_write(void **state) {
  World *world = *state;
  settle(world);
  add_pod(world, "p", "1g.10gb");
  run_for(world, CONTROLLER_BATCH_IDLE_MS);
  run_for(world, KUBE_PATIENCE_MS); /* the node's write is slow */
  fake_break(get_call(world, "POST", EVENTS));
  answer_write(world, "n1");
  assert_string_equal(spec_of(world, "n1"), "GPU-n1-0 1g.10gb@6");
}

static void plans_go_before_events(void **state) {
  World *world = *state;
  plan_one(world);
  assert_null(find_call(world, "POST", EVENTS));
  answer_write(world, "n1");
  run_for(world, 1);
  assert_non_null(find_call(world, "POST", EVENTS));
}

static void a_pod_may_go_while_its_event_is_under_way(void **state) {
  World *world = *state;
  settle(world);
  add_pod(world, "p", "1g.5gb");
  run_for(world, CONTROLLER_BATCH_IDLE_MS);
  remove_pod(world, "p");
  fake_break(get_call(world, "POST", EVENTS));
  run_for(world, 600000);
  assert_int_equal(count_calls(world, "POST"), 1);
}

static void ten_thousand_pods_are_all_told_a_few_at_a_time(void **state) {
  enum { PODS_MANY = 10000 };
  World *world = *state;
  add_node(world, "n1");
  char name[16];
  for (int i = 0; i < PODS_MANY; i++) {
    snprintf(name, sizeof name, "p%d", i);
    add_pod(world, name, "7g.80gb");
  }
  answer_lists(world);
  run_for(world, CONTROLLER_BATCH_TIMEOUT_MS);
  answer_write(world, "n1");
  run_for(world, 1);
  assert_int_equal(count_calls(world, "POST"), CONTROLLER_EVENTS_IN_FLIGHT_MAX);
  show_node(world, "n1");
  while (count_calls(world, "POST") < PODS_MANY) {
    int told = answer_events(world);
    assert_in_range(told, 1, CONTROLLER_EVENTS_IN_FLIGHT_MAX);
    run_for(world, CONTROLLER_AGAIN_MS);
  }
  answer_events(world);
  run_for(world, 10000);
  /* The first ones hear half a minute later that another pod got the node. */
  assert_in_range(count_calls(world, "POST"), PODS_MANY, PODS_MANY + 2 * CONTROLLER_EVENTS_IN_FLIGHT_MAX);
  assert_int_equal(count_calls(world, "PATCH"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_init, world_deinit)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(a_lost_refusal_is_said_again_after_its_time),
      TEST(an_event_that_the_server_refuses_is_not_repeated),
      TEST(a_failing_event_stops_no_write),
      TEST(plans_go_before_events),
      TEST(a_pod_may_go_while_its_event_is_under_way),
      TEST(ten_thousand_pods_are_all_told_a_few_at_a_time),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
