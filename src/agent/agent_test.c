/* SPDX-License-Identifier: Apache-2.0 */
/* The agent from start to report: the story, whose nodes it leaves alone, and the API server. */
#include "agent/world_fixture.h"

#define RESOURCE "nvidia.com/mig-1g.10gb"
#define STATUS   "facet.gpu/status-gpu-0"
#define ECHO     "nos.nebuly.com/status-partitioning-plan"

/* ---- the story ---- */

static void a_node_is_reported_once_and_then_it_is_quiet(void **state) {
  World *world = *state;
  start_agent(world);
  run(world);
  assert_story(world, "observe;patch;");
  assert_string_equal(annotation(world, "facet.gpu/gpu-0"), "GPU-0 NVIDIA-A100-SXM4-80GB mig=on");
  assert_string_equal(annotation(world, STATUS), "");
  run_for(world, 59999);
  assert_story(world, "");
  run_for(world, 600001);
  assert_story(world,
               "observe;observe;observe;observe;observe;observe;observe;observe;observe;observe;observe;");
}

static void a_slice_is_created_told_to_the_kubelet_known_there_and_then_reported(void **state) {
  World *world = *state;
  settle(world);
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  run_for(world, 1000);
  assert_story(world, "create 1g.10gb@6;list 1g.10gb: MIG-0-6;patch;");
  assert_string_equal(amount(world, "allocatable", RESOURCE), "1");
  assert_string_equal(amount(world, "capacity", RESOURCE), "1");
  assert_string_equal(annotation(world, STATUS), "1g.10gb@6:free");
  assert_string_equal(annotation(world, ECHO), "p1");
  assert_string_equal(annotation(world, "facet.gpu/error"), "(absent)");
}

static void slices_come_in_the_order_of_the_plan_and_are_reported_as_they_can_be_used(void **state) {
  World *world = *state;
  settle(world);
  set_plan(world, "p1", "GPU-0 1g.10gb@6,1g.10gb@5,2g.20gb@0");
  run_for(world, 5000);
  const char *story = text_string(&world->story);
  const char *first = strstr(story, "create 1g.10gb@6;"), *second = strstr(story, "create 1g.10gb@5;"),
             *third = strstr(story, "create 2g.20gb@0;"), *last = strstr(story, "list 2g.20gb: MIG-0-0;");
  assert_true(first && first < second && second < third && third < last);
  assert_non_null(strstr(last, "patch;"));
  assert_string_equal(amount(world, "allocatable", RESOURCE), "2");
  assert_string_equal(amount(world, "allocatable", "nvidia.com/mig-2g.20gb"), "1");
  assert_string_equal(annotation(world, ECHO), "p1");
}

static void a_slow_driver_does_not_hold_back_the_slices_that_exist(void **state) {
  World *world = *state;
  settle(world);
  set_plan(world, "p1", "GPU-0 1g.10gb@6,1g.10gb@5");
  memory_port_run(&world->port, &world->host); /* the first job */
  driver_turn(world);
  world->driver_is_mute = true;
  run_for(world, 1000);
  assert_story(world, "create 1g.10gb@6;create 1g.10gb@5;list 1g.10gb: MIG-0-6;patch;");
  assert_string_equal(amount(world, "allocatable", RESOURCE), "1");
  assert_string_equal(annotation(world, ECHO), "(absent)");
}

static void what_exists_at_the_start_is_adopted(void **state) {
  World *world = *state;
  observe_slices(&world->truth->gpus[0], "1g.10gb@6 1g.10gb@5");
  text_append(&world->kubelet.held, "MIG-0-5");
  start_agent(world);
  run_for(world, 1000);
  assert_story(world, "observe;list 1g.10gb: MIG-0-5 MIG-0-6;patch;");
  assert_string_equal(annotation(world, STATUS), "1g.10gb@5:used,1g.10gb@6:free");
  assert_string_equal(amount(world, "allocatable", RESOURCE), "2");
}

static void a_plan_that_is_carried_out_already_is_only_answered(void **state) {
  World *world = *state;
  observe_slices(&world->truth->gpus[0], "1g.10gb@6");
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  settle(world);
  assert_string_equal(annotation(world, ECHO), "p1");
  set_annotation(world, MIG_ANNOTATION_SPEC_PLAN, "p2");
  run(world);
  assert_story(world, "patch;");
  assert_string_equal(annotation(world, ECHO), "p2");
}

static void what_somebody_destroyed_after_the_plan_was_done_stays_destroyed(void **state) {
  World *world = *state;
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  settle(world);
  assert_string_equal(annotation(world, ECHO), "p1");
  world->truth->gpus[0].instance_count = 0;
  run_for(world, 2 * AGENT_OBSERVE_MS);
  assert_string_equal(annotation(world, STATUS), "");
  stop_agent(world); /* after a reboot the slices come back with the agent */
  start_agent(world);
  run_for(world, 1000);
  assert_string_equal(annotation(world, STATUS), "1g.10gb@6:free");
}

static void an_incomplete_slice_of_an_earlier_life_is_completed(void **state) {
  World *world = *state;
  observe_slices(&world->truth->gpus[0], "1g.10gb@6?");
  start_agent(world);
  run_for(world, 1000);
  assert_string_equal(annotation(world, STATUS), "1g.10gb@6:used");
  assert_string_equal(amount(world, "allocatable", RESOURCE), "(absent)");
  world->truth->gpus[0].instance_count = 0; /* creating it again is what completes it */
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  run_for(world, 1000);
  assert_string_equal(annotation(world, STATUS), "1g.10gb@6:free");
  assert_string_equal(amount(world, "allocatable", RESOURCE), "1");
}

/* ---- hands off ---- */

static void a_node_without_the_label_is_only_looked_at(void **state) {
  World *world = *state;
  set_label(world, NULL);
  observe_slices(&world->truth->gpus[0], "1g.10gb@5");
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  start_agent(world);
  run_for(world, 600000);
  assert_story(world, "observe;");
}

static void the_label_may_come_later_and_go_again(void **state) {
  World *world = *state;
  set_label(world, "mps");
  settle(world);
  set_label(world, "mig");
  run_for(world, 1000);
  assert_string_equal(annotation(world, "facet.gpu/gpu-0"), "GPU-0 NVIDIA-A100-SXM4-80GB mig=on");
  text_clear(&world->story);
  set_label(world, NULL);
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  run_for(world, 600000);
  /* Takes back what it said, and its label when the scheduler has seen that; asks whether that stands;
   * changes nothing. */
  assert_story(world, "patch;patch;patch;");
  assert_string_equal(annotation(world, "facet.gpu/gpu-0"), "(absent)");
}

static void a_paused_node_is_reported_and_not_changed(void **state) {
  World *world = *state;
  set_annotation(world, "facet.gpu/paused", "true");
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  start_agent(world);
  run_for(world, 10000);
  assert_story(world, "observe;patch;");
  assert_string_equal(annotation(world, ECHO), "(absent)");
  set_annotation(world, "facet.gpu/paused", NULL);
  run_for(world, 1000);
  assert_story(world, "create 1g.10gb@6;list 1g.10gb: MIG-0-6;patch;");
  assert_string_equal(annotation(world, ECHO), "p1");
}

static void a_node_that_is_not_there_yet_is_waited_for(void **state) {
  World *world = *state;
  remove_node(world);
  start_agent(world);
  run_for(world, 10000);
  assert_story(world, "observe;");
  add_node(world);
  run(world);
  assert_story(world, "patch;");
}

static void a_node_that_is_made_again_is_reported_again(void **state) {
  World *world = *state;
  observe_slices(&world->truth->gpus[0], "1g.10gb@6");
  settle(world);
  remove_node(world);
  run_for(world, 10000);
  assert_story(world, "");
  add_node(world);
  run_for(world, 1000);
  assert_story(world, "patch;");
  assert_string_equal(amount(world, "allocatable", RESOURCE), "1");
}

/* ---- the API server ---- */

static void a_lost_answer_is_no_second_report(void **state) {
  World *world = *state;
  settle(world);
  world->patch_is_lost = true;
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  run_for(world, 30000);
  assert_story(world, "create 1g.10gb@6;list 1g.10gb: MIG-0-6;patch;");
}

static void a_refused_report_is_tried_ever_more_rarely(void **state) {
  World *world = *state;
  world->refuse_status = 403;
  start_agent(world);
  run_for(world, 600000);
  assert_in_range(world->patch_count, 12, 17); /* 0.5, 1, 2, ... 32 s, then every minute */
  world->refuse_status = 0;
  run_for(world, AGENT_RETRY_MAX_MS);
  assert_string_equal(annotation(world, STATUS), "");
  text_clear(&world->story);
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  run_for(world, 1000);
  assert_story(world, "create 1g.10gb@6;list 1g.10gb: MIG-0-6;patch;"); /* and at once again */
}

static void a_report_that_somebody_undoes_is_made_again(void **state) {
  World *world = *state;
  settle(world);
  set_annotation(world, STATUS, "7g.80gb@0:free");
  run_for(world, 1000);
  assert_story(world, "patch;");
  assert_string_equal(annotation(world, STATUS), "");
}

static void a_report_that_the_watch_does_not_show_is_sent_again_after_two_seconds(void **state) {
  World *world = *state;
  settle(world);
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  world->watch_is_late = true;
  run_for(world, AGENT_SEEN_MS - 1);
  assert_story(world, "create 1g.10gb@6;list 1g.10gb: MIG-0-6;patch;");
  run_for(world, AGENT_SEEN_MS);
  assert_story(world, "patch;");
  world->watch_is_late = false;
  show(world, "MODIFIED");
  run_for(world, 30000);
  assert_story(world, "");
}

static void a_report_that_is_undone_each_time_is_not_made_in_haste(void **state) {
  World *world = *state;
  world->patch_is_undone = true;
  start_agent(world);
  run_for(world, 60000);
  assert_in_range(world->patch_count, 30, 31); /* every AGENT_SEEN_MS */
  world->patch_is_undone = false;
  run_for(world, AGENT_SEEN_MS);
  assert_string_equal(annotation(world, STATUS), "");
}

static void while_the_api_server_is_silent_slices_are_made_and_told_to_the_kubelet(void **state) {
  World *world = *state;
  settle(world);
  set_plan(world, "p1", "GPU-0 1g.10gb@6,1g.10gb@5");
  world->api_is_mute = true;
  run_for(world, 5000);
  assert_non_null(strstr(text_string(&world->story), "list 1g.10gb: MIG-0-5 MIG-0-6;"));
  world->api_is_mute = false;
  run_for(world, 60000);
  assert_string_equal(amount(world, "allocatable", RESOURCE), "2");
}

/* ---- a label that is not understood ---- */

#define ODD                                                                                                  \
  "the label nos.nebuly.com/gpu-partitioning says \"MIG\", which is neither mig nor mps: nothing happens "   \
  "on this node "                                                                                            \
  "until it says mig"

static void a_label_with_an_unknown_value_is_told_on_the_node_and_nothing_else_is_done(void **state) {
  World *world = *state;
  set_label(world, "MIG");
  start_agent(world);
  run_for(world, 120000);
  assert_string_equal(annotation(world, "facet.gpu/error"), ODD);
  assert_string_equal(annotation(world, "facet.gpu/gpu-0"), "(absent)");
  set_label(world, "mig");
  run_for(world, 10000);
  assert_string_equal(annotation(world, "facet.gpu/error"), "(absent)");
  assert_string_equal(annotation(world, "facet.gpu/gpu-0"), "GPU-0 NVIDIA-A100-SXM4-80GB mig=on");
}

static void a_label_that_went_is_not_complained_of_any_more(void **state) {
  World *world = *state;
  set_label(world, "MIG");
  start_agent(world);
  run_for(world, 1000);
  set_label(world, NULL);
  run_for(world, 10000);
  assert_string_equal(annotation(world, "facet.gpu/error"), "(absent)");
}

static void words_of_others_on_a_node_without_the_label_stay(void **state) {
  World *world = *state;
  set_label(world, NULL);
  set_annotation(world, "facet.gpu/error", "somebody else's");
  start_agent(world);
  run_for(world, 10000);
  assert_string_equal(annotation(world, "facet.gpu/error"), "somebody else's");
}

static void a_node_that_leaves_by_a_wrong_value_hears_why(void **state) {
  World *world = *state;
  settle(world);
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  run_for(world, 1000);
  set_label(world, "MIG");
  run_for(world, 70000);
  assert_string_equal(annotation(world, "facet.gpu/status-gpu-0"), "(absent)");
  assert_string_equal(annotation(world, "facet.gpu/error"), ODD);
}

static void an_agent_that_was_halted_leaves_node_and_gpus_as_they_are(void **state) {
  World *world = *state;
  settle(world);
  agent_halt(world->agent);
  set_annotation(world, "facet.gpu/error", "Kubernetes is too old");
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  run_for(world, 120000);
  assert_story(world, "");
  assert_string_equal(annotation(world, "facet.gpu/error"), "Kubernetes is too old");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      WORLD_TEST(a_node_is_reported_once_and_then_it_is_quiet),
      WORLD_TEST(a_slice_is_created_told_to_the_kubelet_known_there_and_then_reported),
      WORLD_TEST(slices_come_in_the_order_of_the_plan_and_are_reported_as_they_can_be_used),
      WORLD_TEST(a_slow_driver_does_not_hold_back_the_slices_that_exist),
      WORLD_TEST(what_exists_at_the_start_is_adopted),
      WORLD_TEST(a_plan_that_is_carried_out_already_is_only_answered),
      WORLD_TEST(what_somebody_destroyed_after_the_plan_was_done_stays_destroyed),
      WORLD_TEST(an_incomplete_slice_of_an_earlier_life_is_completed),
      WORLD_TEST(a_node_without_the_label_is_only_looked_at),
      WORLD_TEST(the_label_may_come_later_and_go_again),
      WORLD_TEST(a_paused_node_is_reported_and_not_changed),
      WORLD_TEST(a_node_that_is_not_there_yet_is_waited_for),
      WORLD_TEST(a_node_that_is_made_again_is_reported_again),
      WORLD_TEST(a_lost_answer_is_no_second_report),
      WORLD_TEST(a_refused_report_is_tried_ever_more_rarely),
      WORLD_TEST(a_report_that_somebody_undoes_is_made_again),
      WORLD_TEST(a_report_that_the_watch_does_not_show_is_sent_again_after_two_seconds),
      WORLD_TEST(a_report_that_is_undone_each_time_is_not_made_in_haste),
      WORLD_TEST(while_the_api_server_is_silent_slices_are_made_and_told_to_the_kubelet),
      WORLD_TEST(a_label_with_an_unknown_value_is_told_on_the_node_and_nothing_else_is_done),
      WORLD_TEST(a_label_that_went_is_not_complained_of_any_more),
      WORLD_TEST(words_of_others_on_a_node_without_the_label_stay),
      WORLD_TEST(a_node_that_leaves_by_a_wrong_value_hears_why),
      WORLD_TEST(an_agent_that_was_halted_leaves_node_and_gpus_as_they_are),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
