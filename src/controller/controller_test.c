/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/controller_fixture.h"

#include "base/log.h"

/* ---- when it plans ---- */

static void nothing_is_planned_before_both_caches_are_there(void **state) {
  World *world = *state;
  add_node(world, "n1");
  add_pod(world, "p", "1g.10gb");
  answer_list(world, NODES, &world->nodes);
  run_for(world, 10000);
  assert_int_equal(count_calls(world, "PATCH") + count_calls(world, "POST"), 0);
  answer_list(world, PODS, &world->pods);
  run_for(world, CONTROLLER_BATCH_IDLE_MS);
  assert_int_equal(count_calls(world, "PATCH"), 1);
}

static void a_pass_comes_when_no_pod_came_for_the_idle_time(void **state) {
  World *world = *state;
  settle(world);
  add_pod(world, "p", "1g.10gb");
  run_for(world, CONTROLLER_BATCH_IDLE_MS - 1);
  assert_int_equal(count_calls(world, "PATCH"), 0);
  run_for(world, 1);
  assert_int_equal(count_calls(world, "PATCH"), 1);
}

static void each_pod_extends_the_window_and_one_pass_serves_all(void **state) {
  World *world = *state;
  settle(world);
  add_pod(world, "p1", "1g.10gb");
  run_for(world, 150);
  add_pod(world, "p2", "1g.10gb");
  run_for(world, 150);
  add_pod(world, "p3", "1g.10gb");
  run_for(world, CONTROLLER_BATCH_IDLE_MS - 1);
  assert_int_equal(count_calls(world, "PATCH"), 0);
  run_for(world, 1);
  answer_write(world, "n1");
  assert_string_equal(spec_of(world, "n1"), "GPU-n1-0 1g.10gb@6,1g.10gb@5,1g.10gb@4");
  run_for(world, 1);
  assert_int_equal(count_calls(world, "PATCH"), 1);
  assert_int_equal(count_calls(world, "POST"), 3);
}

static void a_stream_of_pods_is_served_at_the_end_of_the_longest_window(void **state) {
  World *world = *state;
  settle(world);
  char name[16];
  for (int i = 0; i < 20; i++) { /* the window begins with the first pod */
    snprintf(name, sizeof name, "p%d", i);
    add_pod(world, name, "1g.10gb");
    run_for(world, i < 19 ? 100 : 99);
  }
  assert_int_equal(count_calls(world, "PATCH"), 0);
  run_for(world, 1);
  assert_int_equal(count_calls(world, "PATCH"), 1);
}

static void other_changes_do_not_extend_the_window(void **state) {
  World *world = *state;
  settle(world);
  add_pod(world, "p", "1g.10gb");
  run_for(world, 150);
  show_node(world, "n1");
  show(world, PODS, "MODIFIED", map_find(&world->pods, "p"));
  run_for(world, 50);
  assert_int_equal(count_calls(world, "PATCH"), 1);
}

static void pods_without_slices_lead_to_nothing(void **state) {
  World *world = *state;
  settle(world);
  add_pod(world, "p", "1g.10gb");
  json_t *pod = map_find(&world->pods, "p");
  json_object_set_new(json_object_get(pod, "spec"), "nodeName", json_string("n1"));
  show(world, PODS, "MODIFIED", pod);
  run_for(world, 10000);
  assert_int_equal(count_calls(world, "PATCH") + count_calls(world, "POST"), 0);
}

static void a_window_of_no_length_does_not_spin(void **state) {
  World *world = *state;
  plan_one(world);
  add_pod(world, "q", "7g.80gb"); /* while the write is under way */
  run_for(world, 5000);
  assert_int_equal(count_calls(world, "PATCH"), 1);
  answer_write(world, "n1");
  show_node(world, "n1");
  run_for(world, 5000);
  assert_int_equal(count_open(world, "PATCH"), 0);
  assert_int_equal(count_open(world, "POST"), 2); /* that p gets slices, and what q lacks */
}

/* ---- its writes ---- */

static void a_write_is_guarded_by_the_plan_that_was_seen(void **state) {
  World *world = *state;
  plan_one(world);
  const KubeCall *call = get_call(world, "PATCH", NODES "/n1");
  assert_string_equal(call->request.content_type, "application/json-patch+json");
  assert_true(string_has_prefix(call->request.body,
                                "[{\"op\":\"test\",\"path\":\"/metadata/annotations/"
                                "nos.nebuly.com~1spec-partitioning-plan\",\"value\":null},"));
}

static void the_next_pass_waits_for_the_answer_and_for_the_watch(void **state) {
  World *world = *state;
  plan_one(world);
  add_pod(world, "q", "1g.10gb");
  run_for(world, 5000);
  assert_int_equal(count_calls(world, "PATCH"), 1); /* not answered yet */
  answer_write(world, "n1");
  run_for(world, CONTROLLER_SEEN_MS - 1);
  assert_int_equal(count_calls(world, "PATCH"), 1); /* not shown yet */
  show_node(world, "n1");
  run_for(world, CONTROLLER_BATCH_IDLE_MS);
  answer_write(world, "n1");
  assert_string_equal(spec_of(world, "n1"), "GPU-n1-0 1g.10gb@5,1g.10gb@4");
}

static void the_watch_may_be_faster_than_the_answer(void **state) {
  World *world = *state;
  plan_one(world);
  add_pod(world, "q", "1g.10gb");
  run_for(world, 1000);
  KubeCall *call = get_call(world, "PATCH", NODES "/n1");
  assert_true(apply_patch(node_of(world, "n1"), call->request.body));
  show_node(world, "n1");
  run_for(world, 1000);
  assert_int_equal(count_calls(world, "PATCH"), 1);
  fake_answer(call, 200, "{}");
  run_for(world, CONTROLLER_BATCH_IDLE_MS);
  assert_int_equal(count_calls(world, "PATCH"), 2);
}

static void what_the_watch_never_shows_is_waited_for_two_seconds(void **state) {
  World *world = *state;
  plan_one(world);
  add_pod(world, "q", "1g.10gb");
  answer_write(world, "n1");
  run_for(world, CONTROLLER_SEEN_MS - 1);
  assert_int_equal(count_calls(world, "PATCH"), 1);
  run_for(world, 1);
  assert_int_equal(count_calls(world, "PATCH"), 2);
  answer_write(world, "n1"); /* the guard refuses it: the cache is old */
  assert_string_equal(spec_of(world, "n1"), "GPU-n1-0 1g.10gb@6");
}

static void an_answered_plan_is_done_and_nothing_more_is_written(void **state) {
  World *world = *state;
  plan_one(world);
  answer_write(world, "n1");
  show_node(world, "n1");
  run_for(world, 1000);
  carry_out(world, "n1", "1g.10gb@6:free");
  run_for(world, 600000);
  assert_int_equal(count_calls(world, "PATCH"), 1);
  assert_int_equal(count_calls(world, "POST"), 1);
}

static void a_refused_write_is_planned_again_at_once_and_then_rests(void **state) {
  World *world = *state;
  plan_one(world);
  annotate(world, "n1", MIG_ANNOTATION_SPEC_PLAN, "of another controller");
  answer_write(world, "n1"); /* 422, and the watch is late */
  run_for(world, CONTROLLER_BATCH_IDLE_MS);
  assert_int_equal(count_calls(world, "PATCH"), 2);
  answer_write(world, "n1");
  run_for(world, 1);
  assert_int_equal(answer_events(world), 1);
  run_for(world, CONTROLLER_RETRY_FIRST_MS - 2);
  assert_int_equal(count_calls(world, "PATCH"), 2);
  const KubeCall *event = get_call(world, "POST", EVENTS); /* the pod is told why it waits */
  assert_non_null(strstr(event->request.body, "the API server refuses to write the plan to node n1"));
  show_node(world, "n1");
  run_for(world, CONTROLLER_BATCH_IDLE_MS);
  answer_write(world, "n1");
  assert_string_equal(spec_of(world, "n1"), "GPU-n1-0 1g.10gb@6");
}

static void a_write_that_is_refused_for_ever_is_not_tried_often(void **state) {
  World *world = *state;
  plan_one(world);
  for (uint64_t end_ms = world->host.now_ms + 3600000; world->host.now_ms < end_ms;) {
    answer_events(world);
    if (find_call(world, "PATCH", NODES))
      fake_answer(get_call(world, "PATCH", NODES "/n1"), 403, REFUSAL(403, "Forbidden", "no"));
    run_for(world, 100);
  }
  assert_in_range(count_calls(world, "PATCH"), 12, 25); /* 5, 10, ... 160 s, then every 300 s */
}

static void a_server_that_went_away_is_asked_again_after_two_seconds(void **state) {
  World *world = *state;
  plan_one(world);
  fake_break(get_call(world, "PATCH", NODES "/n1"));
  run_for(world, CONTROLLER_SEEN_MS - 1);
  assert_int_equal(count_calls(world, "PATCH"), 1);
  run_for(world, 1);
  answer_write(world, "n1");
  assert_string_equal(spec_of(world, "n1"), "GPU-n1-0 1g.10gb@6");
}

static void count_warning(void *userdata, LogLevel level, const char *component, const char *message,
                          const char *fields) {
  *(int *)userdata += level == LOG_LEVEL_WARN;
}

static void a_server_that_stays_away_is_complained_of_once_a_minute(void **state) {
  World *world = *state;
  int warnings = 0;
  log_configure((LogConfig){.level = LOG_LEVEL_INFO, .sink = count_warning, .userdata = &warnings});
  int tries = 0;
  for (int second = 0; second < 600; second++) {
    for (KubeCall *call; (call = find_call(world, "GET", "")); tries++)
      fake_break(call);
    run_for(world, 1000);
  }
  log_configure((LogConfig){.level = LOG_LEVEL_DEBUG, .sink = silence});
  assert_true(tries > 40);
  assert_in_range(warnings, 2, 22); /* of pods and of nodes: ten minutes, and the first */
}

static void a_lost_answer_does_not_lead_to_a_second_write(void **state) {
  World *world = *state;
  plan_one(world);
  KubeCall *call = get_call(world, "PATCH", NODES "/n1");
  assert_true(apply_patch(node_of(world, "n1"), call->request.body));
  fake_break(call);
  show_node(world, "n1");
  run_for(world, 10000);
  assert_int_equal(count_calls(world, "PATCH"), 1);
}

static void a_node_that_goes_is_not_waited_for(void **state) {
  World *world = *state;
  plan_one(world);
  answer_write(world, "n1");
  remove_node(world, "n1");
  add_node(world, "n2");
  run_for(world, CONTROLLER_BATCH_IDLE_MS);
  assert_non_null(find_call(world, "PATCH", NODES "/n2"));
}

static void the_answer_for_a_node_that_went_is_survived(void **state) {
  World *world = *state;
  plan_one(world);
  remove_node(world, "n1");
  run_for(world, 1000);
  answer_write(world, "n1"); /* 404 */
  add_node(world, "n1");
  run_for(world, CONTROLLER_BATCH_IDLE_MS);
  answer_write(world, "n1");
  assert_string_equal(spec_of(world, "n1"), "GPU-n1-0 1g.10gb@6");
}

static void a_silent_node_loses_its_pod_to_another_by_the_clock_alone(void **state) {
  World *world = *state;
  plan_one(world);
  answer_write(world, "n1");
  show_node(world, "n1");
  add_node(world, "n2");
  run_for(world, CONTROLLER_ANSWER_MS - 1000);
  assert_int_equal(count_calls(world, "PATCH"), 1);
  run_for(world, 2000);
  answer_write(world, "n2");
  assert_string_equal(spec_of(world, "n2"), "GPU-n2-0 1g.10gb@6");
}

/* ---- at any time ---- */

static void it_can_be_freed_before_anything_was_answered(void **state) {
  run_for(*state, 10);
}

static void it_can_be_freed_while_writes_and_events_are_under_way(void **state) {
  World *world = *state;
  settle(world);
  add_pod(world, "p", "1g.10gb");
  run_for(world, CONTROLLER_BATCH_IDLE_MS + KUBE_PATIENCE_MS);
  assert_int_equal(count_open(world, "PATCH") + count_open(world, "POST"), 2);
}

static void it_can_be_freed_while_a_write_is_not_shown_yet(void **state) {
  World *world = *state;
  plan_one(world);
  answer_write(world, "n1");
}

/* Anything happens to any call, nodes and pods come and go: no call is made twice at a time, none is
 * unbounded, and once the server is well everybody who can be helped is. */
static void answer_somehow(World *world, Random *random) {
  static const int statuses[] = {201, 403, 409, 422, 429, 500};
  for (size_t i = 0; i < world->fake.calls.count; i++) {
    KubeCall *call = world->fake.calls.items[i];
    if (call->is_over || call->request.method[0] != 'P' || random_below(random, 3))
      continue;
    const char *name = strrchr(call->request.path, '/') + 1;
    if (strcmp(call->request.method, "PATCH") == 0 && random_below(random, 2))
      answer_write(world, name);
    else if (random_below(random, 2))
      fake_answer(call,
                  call->request.method[1] == 'A' ? 422 : statuses[random_below(random, COUNT_OF(statuses))],
                  REFUSAL(422, "Invalid", "no"));
    else
      fake_break(call);
  }
}

static void change_something(World *world, Random *random) {
  static const char *const profiles[] = {"1g.10gb", "2g.20gb", "7g.80gb", "1g.5gb"};
  char name[16];
  snprintf(name, sizeof name, "o%d", (int)random_below(random, 6));
  switch (random_below(random, 4)) {
  case 0:
    if (map_find(&world->pods, name))
      remove_pod(world, name);
    else
      add_pod(world, name, profiles[random_below(random, COUNT_OF(profiles))]);
    return;
  case 1:
    if (map_find(&world->nodes, name))
      remove_node(world, name);
    else
      add_node(world, name);
    return;
  case 2:
    if (map_find(&world->nodes, name))
      show_node(world, name);
    return;
  default:
    if (map_find(&world->nodes, name))
      carry_out(world, name, "");
  }
}

static void assert_calls_are_bounded(World *world) {
  CLEANUP(map_deinit) Map paths = {0};
  assert_true(count_open(world, "POST") <= CONTROLLER_EVENTS_IN_FLIGHT_MAX);
  for (size_t i = 0; i < world->fake.calls.count; i++) {
    const KubeCall *call = world->fake.calls.items[i];
    if (!call->is_over && strcmp(call->request.method, "PATCH") == 0)
      assert_null(map_put(&paths, call->request.path, world));
  }
}

static void whatever_happens_it_stays_bounded_and_can_be_freed(void **state) {
  for (uint64_t seed = 1; seed <= 40; seed++) {
    Random random = {.state = seed};
    void *begun;
    world_init(&begun);
    World *world = begun;
    print_message("# seed=%d\n", (int)seed);
    add_node(world, "o1");
    answer_lists(world);
    int steps = (int)random_below(&random, 150);
    for (int i = 0; i < steps; i++) {
      change_something(world, &random);
      answer_somehow(world, &random);
      assert_calls_are_bounded(world);
      run_for(world, random_below(&random, 3000));
    }
    world_deinit(&begun);
  }
}

static int init_without_window(void **state) {
  return world_init_with(state, &(ControllerOptions){.leftover = PLAN_LEFTOVER_NONE, .instance = ""});
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_init, world_deinit)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(nothing_is_planned_before_both_caches_are_there),
      TEST(a_pass_comes_when_no_pod_came_for_the_idle_time),
      TEST(each_pod_extends_the_window_and_one_pass_serves_all),
      TEST(a_stream_of_pods_is_served_at_the_end_of_the_longest_window),
      TEST(other_changes_do_not_extend_the_window),
      TEST(pods_without_slices_lead_to_nothing),
      cmocka_unit_test_setup_teardown(a_window_of_no_length_does_not_spin, init_without_window, world_deinit),
      TEST(a_write_is_guarded_by_the_plan_that_was_seen),
      TEST(the_next_pass_waits_for_the_answer_and_for_the_watch),
      TEST(the_watch_may_be_faster_than_the_answer),
      TEST(what_the_watch_never_shows_is_waited_for_two_seconds),
      TEST(an_answered_plan_is_done_and_nothing_more_is_written),
      TEST(a_refused_write_is_planned_again_at_once_and_then_rests),
      TEST(a_write_that_is_refused_for_ever_is_not_tried_often),
      TEST(a_server_that_went_away_is_asked_again_after_two_seconds),
      TEST(a_server_that_stays_away_is_complained_of_once_a_minute),
      TEST(a_lost_answer_does_not_lead_to_a_second_write),
      TEST(a_node_that_goes_is_not_waited_for),
      TEST(the_answer_for_a_node_that_went_is_survived),
      TEST(a_silent_node_loses_its_pod_to_another_by_the_clock_alone),
      TEST(it_can_be_freed_before_anything_was_answered),
      TEST(it_can_be_freed_while_writes_and_events_are_under_way),
      TEST(it_can_be_freed_while_a_write_is_not_shown_yet),
      cmocka_unit_test(whatever_happens_it_stays_bounded_and_can_be_freed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
