/* SPDX-License-Identifier: Apache-2.0 */
/* The agent takes free slices away: the whole order of things, and everything that may come between. */
#include "agent/recut_fixture.h"

#include "agent/publish.h"
#include "agent/recutting.h"

static void slices_go_and_come_and_the_reservation_is_let_go(void **state) {
  World *world = *state;
  begin_recut(world);
  run_for(world, AGENT_KUBELET_LATE_MS + 900);
  CLEANUP(cleanup_free) char *expected = mem_format("reserve;%spatch;release;", CUT);
  assert_story(world, expected);
  assert_cut(world);
  assert_null(world->pod);
  assert_null(world->witness);
  run_for(world, 30000);
  assert_story(world, "");
}

static void nothing_is_taken_away_before_the_kubelet_follows_the_list(void **state) {
  World *world = *state;
  begin_recut(world);
  world->kubelet.hides_new_slices = true;
  run_for(world, 5000);
  assert_story(world, "reserve;list 1g.10gb: MIG-0-0 MIG-0-1 MIG-0-2 MIG-0-3;");
  world->kubelet.hides_new_slices = false;
  run_for(world, 900);
  assert_cut(world);
}

static void a_reservation_that_the_scheduler_refuses_is_deleted_and_the_plan_answered(void **state) {
  World *world = *state;
  world->scheduler_is_mute = true;
  begin_recut(world);
  run_for(world, 100);
  refuse_to_schedule(world, "0/1 nodes are available: 1 Insufficient nvidia.com/mig-1g.10gb.");
  run_for(world, 100);
  assert_story(world, "reserve;patch;release;");
  assert_uncut(world);
  assert_null(world->pod);
  assert_string_equal(annotation(world, MIG_ANNOTATION_STATUS_PLAN), "p1");
  assert_string_equal(annotation(world, MIG_ANNOTATION_ERROR), "(absent)"); /* a lost race is nothing wrong */
}

static void races_that_are_always_lost_are_reported(void **state) {
  World *world = *state;
  world->scheduler_is_mute = true;
  begin_recut(world);
  for (int i = 1; i <= AGENT_RECUT_LOSSES_MAX; i++) {
    char plan[8];
    snprintf(plan, sizeof plan, "p%d", i);
    set_annotation(world, MIG_ANNOTATION_SPEC_PLAN, plan);
    run_for(world, 100);
    refuse_to_schedule(world, "0/1 nodes are available: 1 Too many pods.");
    run_for(world, 100);
  }
  assert_string_equal(annotation(world, MIG_ANNOTATION_ERROR),
                      "free slices could not be taken away: 0/1 nodes are available: 1 Too many pods.");
}

static void a_scheduler_that_never_answers_is_not_waited_for_for_ever(void **state) {
  World *world = *state;
  world->scheduler_is_mute = true;
  begin_recut(world);
  run_for(world, AGENT_RECUT_PATIENCE_MS - 1);
  assert_story(world, "reserve;");
  run_for(world, 100);
  assert_story(world, "patch;release;");
  assert_uncut(world);
  assert_string_equal(
      annotation(world, MIG_ANNOTATION_ERROR),
      "free slices could not be taken away: the scheduler did not look at the reservation pod "
      "within 10 s");
}

static void other_slices_than_the_targets_are_given_back(void **state) {
  World *world = *state;
  begin_recut(world);
  text_clear(&world->kubelet.reserved);
  text_append(&world->kubelet.reserved, "MIG-0-3 MIG-0-5 MIG-0-6");
  run_for(world, 900);
  assert_story(world, "reserve;patch;release;");
  assert_uncut(world);
}

static void a_reservation_that_somebody_deletes_takes_nothing_away(void **state) {
  World *world = *state;
  begin_recut(world);
  world->kubelet.hides_new_slices = true;
  run_for(world, 500);
  assert_story(world, "reserve;list 1g.10gb: MIG-0-0 MIG-0-1 MIG-0-2 MIG-0-3;");
  remove_pod(world);
  run_for(world, 100);
  world->kubelet.hides_new_slices = false;
  run_for(world, 2000);
  assert_story(world, "list 1g.10gb: MIG-0-0 MIG-0-1 MIG-0-2 MIG-0-3 MIG-0-4 MIG-0-5 MIG-0-6;patch;");
  assert_uncut(world);
}

/* A forced deletion that our watch does not show: the kubelet gives the slices to others, and then follows
 * our list. */
static void slices_that_the_reservation_lost_behind_our_back_are_not_destroyed(void **state) {
  World *world = *state;
  begin_recut(world);
  world->kubelet.hides_new_slices = true;
  run_for(world, 500);
  assert_story(world, "reserve;list 1g.10gb: MIG-0-0 MIG-0-1 MIG-0-2 MIG-0-3;");
  text_clear(&world->kubelet.reserved);
  world->kubelet.hides_new_slices = false;
  run_for(world, 2000);
  assert_story(world,
               "list 1g.10gb: MIG-0-0 MIG-0-1 MIG-0-2 MIG-0-3 MIG-0-4 MIG-0-5 MIG-0-6;patch;release;patch;");
  assert_uncut(world);
}

static void a_reservation_that_somebody_is_deleting_is_waited_for(void **state) {
  World *world = *state;
  begin_recut(world);
  world->kubelet.hides_new_slices = true;
  run_for(world, 500);
  set_pod(world, "metadata", "deletionTimestamp", json_string("2026-01-01T00:00:01Z"));
  run_for(world, 100);
  world->kubelet.hides_new_slices = false;
  run_for(world, 20000);
  assert_story(world, "reserve;list 1g.10gb: MIG-0-0 MIG-0-1 MIG-0-2 MIG-0-3;"
                      "list 1g.10gb: MIG-0-0 MIG-0-1 MIG-0-2 MIG-0-3 MIG-0-4 MIG-0-5 MIG-0-6;patch;");
  assert_uncut(world);
  remove_pod(world);
  run_for(world, 20000);
  assert_story(world, "");
}

static void a_reservation_that_goes_in_the_middle_saves_what_is_left(void **state) {
  World *world = *state;
  begin_recut(world);
  world->driver_is_mute = true;
  run_for(world, 500);
  assert_story(world, "reserve;list 1g.10gb: MIG-0-0 MIG-0-1 MIG-0-2 MIG-0-3;destroy 1g.10gb@4;patch;");
  assert_string_equal(amount(world, "allocatable", SMALL), "4"); /* nobody is promised what is going */
  remove_pod(world);
  run_for(world, 100);
  assert_string_equal(amount(world, "allocatable", SMALL), "6"); /* without the one in the driver's hands */
  world->driver_is_mute = false;
  run_for(world, 5000);
  assert_int_equal(world->truth->gpus[0].instance_count, 6); /* no other was touched */
  assert_string_equal(amount(world, "allocatable", SMALL), "6");
}

/* NVML hung in its destruction, and its reservation went meanwhile: nobody knows whether it is there still.
 */
static void a_slice_of_unknown_fate_is_not_listed_before_the_gpus_were_looked_at(void **state) {
  World *world = *state;
  begin_recut(world);
  world->driver_is_mute = true;
  run_for(world, 500);
  assert_int_equal(world->job.kind, GPU_JOB_DESTROY);
  remove_pod(world);
  run_for(world, 100);
  text_clear(&world->story);
  world->dying = 1;
  world->driver_is_mute = false;
  assert_true(driver_turn(world));
  world->driver_is_mute = true;
  run_for(world, 2000);
  assert_story(world, "observe;");
  world->driver_is_mute = false;
  run_for(world, 100);
  assert_non_null(strstr(text_string(&world->story), "list 1g.10gb: MIG-0-0 MIG-0-1 MIG-0-2 MIG-0-3 MIG-0-4 "
                                                     "MIG-0-5 MIG-0-6;"));
}

static void what_is_left_of_a_long_re_cut_is_reserved_anew(void **state) {
  World *world = *state;
  begin_recut(world);
  world->driver_is_mute = true;
  run_for(world, AGENT_RECUT_READY_MS + 1000);
  remove_pod(world);
  world->driver_is_mute = false;
  run_for(world, 1000);
  text_append(&world->kubelet.reserved, "MIG-0-5 MIG-0-6");
  run_for(world, 5000);
  assert_cut(world);
  assert_null(world->pod);
}

static void a_reservation_that_the_kubelet_rejects_takes_nothing_away(void **state) {
  World *world = *state;
  begin_recut(world);
  text_clear(&world->kubelet.reserved);
  run_for(world, 100);
  set_pod(world, "status", "phase", json_string("Failed"));
  run_for(world, 900);
  assert_story(world, "reserve;patch;release;");
  assert_uncut(world);
}

static void slices_that_a_newer_plan_wants_again_stay(void **state) {
  World *world = *state;
  world->scheduler_is_mute = true;
  begin_recut(world);
  run_for(world, 100);
  set_plan(world, "p2", "GPU-0 1g.10gb@0,1g.10gb@1,1g.10gb@2,1g.10gb@3,1g.10gb@4,1g.10gb@5,1g.10gb@6");
  run_for(world, 100);
  assert_story(world, "reserve;patch;release;");
  assert_uncut(world);
  assert_string_equal(annotation(world, MIG_ANNOTATION_STATUS_PLAN), "p2");
}

static void a_newer_plan_that_takes_others_away_is_not_answered_for_the_older_one(void **state) {
  World *world = *state;
  world->scheduler_is_mute = true;
  begin_recut(world);
  run_for(world, 100);
  world->scheduler_is_mute = false;
  set_plan(world, "p2", "GPU-0 3g.40gb@0,1g.10gb@4,1g.10gb@5,1g.10gb@6");
  run_for(world, 10);
  text_append(&world->kubelet.reserved, "MIG-0-0 MIG-0-1 MIG-0-2 MIG-0-3");
  run_for(world, 5000);
  assert_string_equal(amount(world, "allocatable", LARGE), "1");
  assert_string_equal(annotation(world, MIG_ANNOTATION_STATUS_PLAN), "p2");
  assert_null(world->pod);
}

static void a_late_answer_speaks_of_the_pod_that_was_asked_for(void **state) {
  World *world = *state;
  begin_recut(world);
  world->kubelet.is_slow = true;
  run_for(world, 100);
  remove_pod(world);
  run_for(world, 100);
  assert_story(world, "reserve;patch;");
  set_plan(world, "p2", "GPU-0 3g.40gb@4,1g.10gb@0,1g.10gb@1,1g.10gb@2,1g.10gb@3");
  run_for(world, 100); /* the second pod is bound, and the kubelet has not taken it yet */
  kubelet_answer_late(&world->kubelet);
  run_for(world, 1000);
  assert_story(world, "patch;reserve;");
  assert_uncut(world);
}

static void a_kubelet_that_cannot_be_asked_for_one_pod_is_asked_for_all(void **state) {
  World *world = *state;
  world->kubelet.has_no_get = true;
  begin_recut(world);
  run_for(world, 5000);
  assert_cut(world);
  assert_null(world->pod);
}

static void another_plugin_on_other_resources_is_not_waited_for(void **state) {
  World *world = *state;
  observe_slices(&world->truth->gpus[0], "1g.10gb@0 3g.40gb@4");
  settle(world);
  world->kubelet.foreign = "MIG-9-9";
  run_for(world, 15000);
  assert_true(string_has_prefix(annotation(world, MIG_ANNOTATION_ERROR),
                                "another device plugin has registered " SMALL));
  text_append(&world->kubelet.reserved, "MIG-0-4");
  set_plan(world, "p1", "GPU-0 1g.10gb@0,2g.20gb@4");
  run_for(world, 5000);
  assert_string_equal(amount(world, "allocatable", LARGE), "0");
  assert_string_equal(amount(world, "allocatable", "nvidia.com/mig-2g.20gb"), "1");
  assert_null(world->pod);
}

static void a_used_slice_is_never_asked_for(void **state) {
  World *world = *state;
  text_append(&world->kubelet.held, "MIG-0-5");
  begin_recut(world);
  text_clear(&world->kubelet.reserved);
  text_append(&world->kubelet.reserved, "MIG-0-4 MIG-0-6");
  run_for(world, 5000);
  assert_int_equal(world->truth->gpus[0].instance_count, 5); /* the 3g.40gb has no room and is skipped */
  assert_non_null(agent_publish_find(world->truth, "MIG-0-5", NULL));
}

static void a_refused_reservation_says_so_on_the_node(void **state) {
  World *world = *state;
  world->refuse_pod = 403;
  begin_recut(world);
  run_for(world, 900);
  assert_story(world, "reserve;patch;");
  assert_uncut(world);
  assert_true(
      string_has_prefix(annotation(world, MIG_ANNOTATION_ERROR), "free slices could not be taken away: "));
}

static void a_slice_that_cannot_be_destroyed_goes_back_on_offer(void **state) {
  World *world = *state;
  begin_recut(world);
  error_set(&world->driver_error, ERROR_GPU, "in use by another client");
  run_for(world, 3000);
  assert_uncut(world);
  assert_string_equal(annotation(world, MIG_ANNOTATION_STATUS_PLAN), "p1");
  assert_true(string_has_prefix(annotation(world, MIG_ANNOTATION_ERROR),
                                "destroying 1g.10gb at slot 4 of GPU 0 failed: in use by another client"));
  run_for(world, 5000);
  assert_null(world->pod);
}

static void what_was_taken_away_comes_back_where_nothing_can_be_made_of_it(void **state) {
  World *world = *state;
  world->refused_profile = "3g.40gb";
  begin_recut(world);
  run_for(world, 5000);
  assert_uncut(world);
  assert_string_equal(annotation(world, MIG_ANNOTATION_STATUS_PLAN), "p1");
  assert_string_equal(annotation(world, MIG_ANNOTATION_ERROR),
                      "creating 3g.40gb at slot 4 of GPU 0 failed: Insufficient Resources; its last layout "
                      "was restored");
  assert_string_equal(
      text_string(&world->events),
      "RepartitionFailed: creating 3g.40gb at slot 4 of GPU 0 failed: Insufficient Resources; "
      "its last layout is being restored;");
  assert_null(world->pod);
  world->refused_profile = NULL;
  set_annotation(world, MIG_ANNOTATION_SPEC_PLAN, "p2");
  run_for(world, 100);
  text_append(&world->kubelet.reserved, "MIG-0-4 MIG-0-5 MIG-0-6");
  run_for(world, 5000);
  assert_string_equal(amount(world, "allocatable", LARGE), "1");
  assert_string_equal(annotation(world, MIG_ANNOTATION_ERROR), "(absent)");
}

static void after_a_crash_the_next_life_brings_back_what_the_node_told_of(void **state) {
  World *world = *state;
  begin_recut(world);
  world->driver_is_mute = true;
  run_for(world, 500);
  stop_agent(world);
  world->truth->gpus[0].instance_count = 4; /* 1g.10gb@0 to @3: the three targets are gone */
  set_annotation(world, "facet.gpu/status-gpu-0",
                 "1g.10gb@0:free,1g.10gb@1:free,1g.10gb@2:free,1g.10gb@3:free,"
                 "1g.10gb@4:free,1g.10gb@5:free,1g.10gb@6:free");
  world->driver_is_mute = false;
  world->refused_profile = "3g.40gb";
  start_agent(world);
  run_for(world, 5000);
  assert_uncut(world);
  assert_string_equal(annotation(world, MIG_ANNOTATION_STATUS_PLAN), "p1");
}

static void one_that_cannot_be_destroyed_brings_back_those_before_it(void **state) {
  World *world = *state;
  begin_recut(world);
  world->driver_is_mute = true;
  run_for(world, 500);
  world->driver_is_mute = false;
  world->destructions_left = 1; /* 1g.10gb@4 goes; then the driver refuses */
  run_for(world, 5000);
  assert_uncut(world);
  assert_string_equal(annotation(world, MIG_ANNOTATION_ERROR),
                      "destroying 1g.10gb at slot 5 of GPU 0 failed: In use by another client; its last "
                      "layout was restored");
}

static void an_answered_plan_takes_nothing_away(void **state) {
  World *world = *state;
  observe_slices(&world->truth->gpus[0], "1g.10gb@5 1g.10gb@6");
  set_annotation(world, MIG_ANNOTATION_STATUS_PLAN, "p0");
  set_plan(world, "p0", "GPU-0 1g.10gb@6");
  settle(world);
  assert_int_equal(world->truth->gpus[0].instance_count, 2);
  assert_null(world->pod);
}

static void a_paused_node_takes_nothing_away(void **state) {
  World *world = *state;
  set_annotation(world, MIG_ANNOTATION_PAUSED, "true");
  begin_recut(world);
  run_for(world, 5000);
  assert_story(world, "");
  assert_uncut(world);
}

/* Killed with its hands in the cake: after each millisecond of the way the next life brings it to its end. */
static void a_crash_at_any_moment_loses_nothing(void **state) {
  World *world = *state;
  begin_recut(world);
  for (uint64_t moment = 0; moment < 60; moment++) {
    run_for(world, moment % 7);
    bool was_over = !world->pod && world->truth->gpus[0].instance_count == 5;
    stop_agent(world);
    start_agent(world);
    if (was_over)
      break;
  }
  run_for(world, 30000);
  assert_cut(world);
  assert_null(world->pod);
}

static void on_preferred(void *userdata, const void *message, size_t size) {
  CLEANUP(arena_deinit) Arena arena = {0};
  KubeletIdLists lists = {0};
  Error err = {0};
  assert_ok(kubelet_preferred_answers_decode(message, size, &arena, &lists, &err));
  text_append(userdata, lists.items[0].items[0]);
}

static void on_preferred_end(void *userdata, GrpcStatus status, const char *text) {
  assert_int_equal(status, GRPC_OK);
}

/* What the agent answers a kubelet that has a free small slice of the targets and another one, and wants one.
 */
static void assert_preferred(World *world, const char *expected) {
  CLEANUP(text_deinit) Text request = {0}, answer = {0};
  const GrpcReply reply = {.on_message = on_preferred, .on_end = on_preferred_end, .userdata = &answer};
  const char *ids[] = {"MIG-0-0", "MIG-0-4"};
  KubeletPreferred asked = {.available = {ids, COUNT_OF(ids)}, .size = 1};
  kubelet_preferreds_encode(&(KubeletPreferreds){.items = &asked, .count = 1}, &request);
  for (size_t i = 0; i < world->kubelet.endpoints.count; i++)
    if (strcmp(world->kubelet.endpoints.items[i]->resource, SMALL) == 0)
      grpc_session_call(kubelet_connection_session(world->kubelet.endpoints.items[i]->connection),
                        KUBELET_METHOD_PREFERRED, request.bytes, request.size, 0, &reply);
  run_for(world, 100);
  assert_string_equal(text_string(&answer), expected);
}

static void begin_recut_of_one(World *world, const char *plan) {
  set_plan(world, plan, "GPU-0 1g.10gb@0,1g.10gb@1,1g.10gb@2,1g.10gb@3,1g.10gb@5,1g.10gb@6");
  run_for(world, 100);
}

static void after_a_loss_an_unknown_asker_counts_as_the_reservation(void **state) {
  World *world = *state;
  world->scheduler_is_mute = true; /* a kubelet whose watch is quicker than ours looks the same */
  observe_slices(&world->truth->gpus[0],
                 "1g.10gb@0 1g.10gb@1 1g.10gb@2 1g.10gb@3 1g.10gb@4 1g.10gb@5 1g.10gb@6");
  settle(world);
  begin_recut_of_one(world, "p1");
  assert_preferred(world, "MIG-0-0");
  refuse_to_schedule(world, "0/1 nodes are available: 1 Insufficient nvidia.com/mig-1g.10gb.");
  run_for(world, 1000);
  begin_recut_of_one(world, "p2");
  assert_preferred(world, "MIG-0-4");
}

static void while_the_node_is_not_known_no_reservation_is_let_go(void **state) {
  World *world = *state;
  begin_recut(world);
  world->kubelet.hides_new_slices = true;
  run_for(world, 500);
  remove_node(world);
  stop_agent(world);
  text_clear(&world->story);
  start_agent(world);
  run_for(world, 10000);
  assert_null(strstr(text_string(&world->story), "release"));
  assert_non_null(world->pod);
}

static void a_reservation_of_an_earlier_life_is_let_go(void **state) {
  World *world = *state;
  observe_slices(&world->truth->gpus[0], "1g.10gb@5 1g.10gb@6");
  world->pod =
      json_pack("{s:{s:s, s:s, s:s, s:{s:s}}, s:{s:s}, s:{s:s}}", "metadata", "name", "facet-reservation-1",
                "namespace", "facet-system", "uid", "r1", "annotations", "facet.gpu/reservation-plan", "old",
                "spec", "nodeName", "n1", "status", "phase", "Pending");
  settle(world);
  assert_null(world->pod);
  assert_int_equal(world->truth->gpus[0].instance_count, 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      WORLD_TEST(slices_go_and_come_and_the_reservation_is_let_go),
      WORLD_TEST(nothing_is_taken_away_before_the_kubelet_follows_the_list),
      WORLD_TEST(a_reservation_that_the_scheduler_refuses_is_deleted_and_the_plan_answered),
      WORLD_TEST(races_that_are_always_lost_are_reported),
      WORLD_TEST(a_scheduler_that_never_answers_is_not_waited_for_for_ever),
      WORLD_TEST(other_slices_than_the_targets_are_given_back),
      WORLD_TEST(a_reservation_that_somebody_deletes_takes_nothing_away),
      WORLD_TEST(slices_that_the_reservation_lost_behind_our_back_are_not_destroyed),
      WORLD_TEST(a_slice_of_unknown_fate_is_not_listed_before_the_gpus_were_looked_at),
      WORLD_TEST(a_reservation_that_somebody_is_deleting_is_waited_for),
      WORLD_TEST(a_reservation_that_goes_in_the_middle_saves_what_is_left),
      WORLD_TEST(what_is_left_of_a_long_re_cut_is_reserved_anew),
      WORLD_TEST(a_reservation_that_the_kubelet_rejects_takes_nothing_away),
      WORLD_TEST(slices_that_a_newer_plan_wants_again_stay),
      WORLD_TEST(a_newer_plan_that_takes_others_away_is_not_answered_for_the_older_one),
      WORLD_TEST(a_late_answer_speaks_of_the_pod_that_was_asked_for),
      WORLD_TEST(a_kubelet_that_cannot_be_asked_for_one_pod_is_asked_for_all),
      WORLD_TEST(another_plugin_on_other_resources_is_not_waited_for),
      WORLD_TEST(a_used_slice_is_never_asked_for),
      WORLD_TEST(a_refused_reservation_says_so_on_the_node),
      WORLD_TEST(a_slice_that_cannot_be_destroyed_goes_back_on_offer),
      WORLD_TEST(what_was_taken_away_comes_back_where_nothing_can_be_made_of_it),
      WORLD_TEST(after_a_crash_the_next_life_brings_back_what_the_node_told_of),
      WORLD_TEST(one_that_cannot_be_destroyed_brings_back_those_before_it),
      WORLD_TEST(an_answered_plan_takes_nothing_away),
      WORLD_TEST(a_paused_node_takes_nothing_away),
      WORLD_TEST(a_crash_at_any_moment_loses_nothing),
      WORLD_TEST(after_a_loss_an_unknown_asker_counts_as_the_reservation),
      WORLD_TEST(while_the_node_is_not_known_no_reservation_is_let_go),
      WORLD_TEST(a_reservation_of_an_earlier_life_is_let_go),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
