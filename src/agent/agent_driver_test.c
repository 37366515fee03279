/* SPDX-License-Identifier: Apache-2.0 */
/* The agent and its driver: failures, deaths and lies. */
#include "agent/world_fixture.h"

#define RESOURCE "nvidia.com/mig-1g.10gb"
#define STATUS   "facet.gpu/status-gpu-0"
#define ECHO     "nos.nebuly.com/status-partitioning-plan"

static void a_slice_that_cannot_be_created_is_named_and_the_plan_is_answered(void **state) {
  World *world = *state;
  settle(world);
  error_set(&world->driver_error, ERROR_GPU, "nvmlDeviceCreateGpuInstance: Insufficient Resources");
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  run_for(world, 60000 - 10001);
  assert_story(world, "create 1g.10gb@6;patch;");
  assert_string_equal(annotation(world, "facet.gpu/error"),
                      "creating 1g.10gb at slot 6 of GPU 0 failed: nvmlDeviceCreateGpuInstance: Insufficient "
                      "Resources");
  assert_string_equal(annotation(world, ECHO), "p1");
}

static void the_next_plan_tries_again_and_takes_the_error_back(void **state) {
  World *world = *state;
  settle(world);
  error_set(&world->driver_error, ERROR_GPU, "no");
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  run_for(world, 1000);
  world->driver_error = (Error){0};
  set_plan(world, "p2", "GPU-0 1g.10gb@6");
  run_for(world, 1000);
  assert_string_equal(annotation(world, "facet.gpu/error"), "(absent)");
  assert_string_equal(annotation(world, ECHO), "p2");
  assert_string_equal(amount(world, "allocatable", RESOURCE), "1");
}

static void after_one_failure_the_other_slices_follow(void **state) {
  World *world = *state;
  settle(world);
  set_plan(world, "p1", "GPU-0 1g.10gb@6,1g.10gb@5");
  memory_port_run(&world->port, &world->host);
  error_set(&world->driver_error, ERROR_GPU, "no");
  driver_turn(world);
  world->driver_error = (Error){0};
  run_for(world, 1000);
  assert_string_equal(annotation(world, STATUS), "1g.10gb@5:free");
  assert_string_equal(annotation(world, "facet.gpu/error"), "creating 1g.10gb at slot 6 of GPU 0 failed: no");
}

#define FAILED_EVENT "RepartitionFailed: creating 1g.10gb at slot 6 of GPU 0 failed: no;"

static void plan_in_vain(World *world, const char *plan) {
  error_set(&world->driver_error, ERROR_GPU, "no");
  set_plan(world, plan, "GPU-0 1g.10gb@6");
  run_for(world, 1000);
  world->driver_error = (Error){0};
}

static void what_fails_again_in_the_same_way_is_one_event_that_is_counted(void **state) {
  World *world = *state;
  settle(world);
  plan_in_vain(world, "p1");
  plan_in_vain(world, "p2");
  plan_in_vain(world, "p3");
  assert_string_equal(text_string(&world->events), FAILED_EVENT "again 2;again 3;");
}

/* An older role without the right to patch Events, or somebody deleted it. */
static void an_event_that_cannot_be_counted_is_created_again(void **state) {
  World *world = *state;
  settle(world);
  world->refuse_repetition = 403;
  plan_in_vain(world, "p1");
  plan_in_vain(world, "p2");
  plan_in_vain(world, "p3");
  assert_string_equal(text_string(&world->events), FAILED_EVENT "again 2;" FAILED_EVENT);
}

static int count_in_story(World *world, const char *what) {
  int count = 0;
  for (const char *at = text_string(&world->story); (at = strstr(at, what)); at += strlen(what))
    count++;
  text_clear(&world->story);
  return count;
}

/* No other plan comes. */
static void half_a_slice_that_the_driver_refuses_to_remove_is_tried_again_and_told_of(void **state) {
  World *world = *state;
  observe_slices(&world->truth->gpus[0], "1g.10gb@6?");
  world->destructions_left = -1;
  start_agent(world);
  run_for(world, 20000);
  assert_int_equal(count_in_story(world, "destroy 1g.10gb@6;"), 1);
  assert_string_equal(
      annotation(world, "facet.gpu/error"),
      "destroying 1g.10gb at slot 6 of GPU 0 failed: In use by another client; half of 1g.10gb "
      "at slot 6 of GPU 0 is left: the driver neither completed nor removed it; facet goes on "
      "trying, at least every 10 minutes");
  run_for(world, 30000);
  assert_int_equal(count_in_story(world, "destroy 1g.10gb@6;"), 1);
  run_for(world, 45000);
  assert_int_equal(count_in_story(world, "destroy 1g.10gb@6;"), 0);
  world->destructions_left = 0;
  run_for(world, 20000);
  assert_int_equal(count_in_story(world, "destroy 1g.10gb@6;"), 1);
  assert_int_equal(world->truth->gpus[0].instance_count, 0);
  assert_string_equal(annotation(world, "facet.gpu/error"),
                      "destroying 1g.10gb at slot 6 of GPU 0 failed: In use by another client");
}

static void half_a_slice_that_stays_holds_up_nothing_else_on_its_gpu(void **state) {
  World *world = *state;
  observe_slices(&world->truth->gpus[0], "1g.10gb@6?");
  world->destructions_left = -1;
  start_agent(world);
  run_for(world, 60000);
  set_plan(world, "p1", "GPU-0 1g.10gb@4");
  run_for(world, 1000);
  assert_string_equal(annotation(world, ECHO), "p1");
  assert_string_equal(amount(world, "allocatable", RESOURCE), "1");
}

static void a_worker_that_dies_is_tried_three_times_for_one_slice(void **state) {
  World *world = *state;
  settle(world);
  world->dying = 1000;
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  run_for(world, 1000);
  assert_story(world,
               "create 1g.10gb@6;observe;create 1g.10gb@6;observe;create 1g.10gb@6;observe;patch;patch;");
  assert_string_equal(annotation(world, "facet.gpu/error"),
                      "creating 1g.10gb at slot 6 of GPU 0 failed: the NVML worker died");
  assert_string_equal(annotation(world, ECHO), "p1");
}

static void a_worker_that_dies_twice_is_no_failure(void **state) {
  World *world = *state;
  settle(world);
  world->dying = 2;
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  run_for(world, 1000);
  assert_string_equal(annotation(world, STATUS), "1g.10gb@6:free");
  assert_string_equal(annotation(world, "facet.gpu/error"), "(absent)");
}

static void a_gpu_that_kills_the_worker_three_times_is_left_alone_and_the_next_one_goes_on(void **state) {
  World *world = *state;
  observe_in(world->truth, "A100-80GB", "");
  settle(world);
  world->dying = 3;
  set_annotation(world, "facet.gpu/spec-gpu-1", "GPU-1 1g.10gb@4");
  set_plan(world, "p1", "GPU-0 1g.10gb@6,1g.10gb@5");
  run_for(world, 1000);
  assert_string_equal(annotation(world, STATUS), "");
  assert_string_equal(annotation(world, "facet.gpu/status-gpu-1"), "1g.10gb@4:free");
  assert_string_equal(annotation(world, ECHO), "p1");
  assert_string_equal(text_string(&world->events),
                      "RepartitionFailed: creating 1g.10gb at slot 6 of GPU 0 failed: the NVML worker died;");
}

static void a_slice_that_was_made_before_the_worker_died_is_taken(void **state) {
  World *world = *state;
  settle(world);
  world->dying = 1;
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  memory_port_run(&world->port, &world->host);
  observe_slices(&world->truth->gpus[0], "1g.10gb@6");
  run_for(world, 1000);
  assert_story(world, "create 1g.10gb@6;observe;list 1g.10gb: MIG-0-6;patch;");
  assert_string_equal(annotation(world, ECHO), "p1");
}

static void a_driver_that_says_done_and_has_nothing_to_show_is_not_asked_for_ever(void **state) {
  World *world = *state;
  settle(world);
  world->driver_lies = true;
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  run_for(world, 30000);
  assert_story(world, "create 1g.10gb@6;patch;");
  assert_string_equal(
      annotation(world, "facet.gpu/error"),
      "creating 1g.10gb at slot 6 of GPU 0 failed: the driver reported success, but the slice is "
      "not there");
}

/* A change shows its own GPU afresh, and of the others what was seen before (gpu/driver.h). What somebody did
 * to those is found at the next look at all of them.
 */
static void changes_do_not_put_off_the_look_at_all_gpus(void **state) {
  World *world = *state;
  settle(world); /* the first look was 10 s ago */
  run_for(world, 30000);
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  run_for(world, 19999);
  assert_story(world, "create 1g.10gb@6;list 1g.10gb: MIG-0-6;patch;");
  run_for(world, 1);
  assert_story(world, "observe;");
}

static void gpus_that_cannot_be_read_are_said_so_and_looked_at_again(void **state) {
  World *world = *state;
  error_set(&world->driver_error, ERROR_GPU, "libnvidia-ml.so.1 was not found");
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  start_agent(world);
  run_for(world, 14999);
  assert_story(world, "observe;patch;observe;observe;");
  assert_string_equal(annotation(world, "facet.gpu/error"), "libnvidia-ml.so.1 was not found");
  world->driver_error = (Error){0};
  run_for(world, 1000);
  assert_string_equal(annotation(world, "facet.gpu/error"), "(absent)");
  assert_string_equal(annotation(world, STATUS), "1g.10gb@6:free");
}

static void gpus_that_become_unreadable_keep_their_report(void **state) {
  World *world = *state;
  observe_slices(&world->truth->gpus[0], "1g.10gb@6");
  settle(world);
  error_set(&world->driver_error, ERROR_TIMEOUT, "NVML hangs");
  run_for(world, 60000);
  assert_string_equal(annotation(world, "facet.gpu/error"), "NVML hangs");
  assert_string_equal(annotation(world, STATUS), "1g.10gb@6:free");
  assert_string_equal(amount(world, "allocatable", RESOURCE), "1");
}

static void a_node_that_has_nothing_to_partition_says_what_to_do(void **state) {
  static const struct {
    int gpu_count;
    bool capable;
    const char *error;
  } nodes[] = {
      {0, true,
       "NVML reports no GPU on this node, but the node is labelled for MIG partitioning: remove the label or "
       "check the "
       "driver with nvidia-smi"},
      {1, false,
       "no GPU of this node can be partitioned with MIG, but the node is labelled for it: remove the label"},
      {1, true,
       "no GPU of this node has MIG mode on: switch it on with `nvidia-smi -i <gpu> -mig 1` (A100 and A30 "
       "need a GPU "
       "reset or reboot after it)"},
  };
  for (size_t i = 0; i < COUNT_OF(nodes); i++) {
    void *own;
    world_init(&own);
    World *world = own;
    world->truth->gpu_count = nodes[i].gpu_count;
    world->truth->gpus[0].mode = MIG_MODE_OFF;
    world->truth->gpus[0].mig_capable = nodes[i].capable;
    start_agent(world);
    run_for(world, 1000);
    assert_string_equal(annotation(world, "facet.gpu/error"), nodes[i].error);
    world_deinit(&own);
  }
}

static void a_bad_wish_is_reported_and_the_plan_is_answered(void **state) {
  World *world = *state;
  settle(world);
  set_plan(world, "p1", "GPU-7 1g.10gb@6");
  run_for(world, 1000);
  assert_story(world, "patch;");
  assert_string_equal(annotation(world, "facet.gpu/error"),
                      "GPU 0 is GPU-0, but the plan was made for GPU-7: nothing was changed on it");
  assert_string_equal(annotation(world, ECHO), "p1");
}

static void a_plan_that_comes_while_a_slice_is_made_replaces_the_rest(void **state) {
  World *world = *state;
  settle(world);
  world->driver_is_mute = true;
  set_plan(world, "p1", "GPU-0 1g.10gb@6,1g.10gb@5");
  run_for(world, 100);
  set_plan(world, "p2", "GPU-0 1g.10gb@6,2g.20gb@0");
  run_for(world, 100);
  assert_story(world, "create 1g.10gb@6;");
  world->driver_is_mute = false;
  run_for(world, 1000);
  assert_null(strstr(text_string(&world->story), "1g.10gb@5"));
  assert_string_equal(annotation(world, STATUS), "2g.20gb@0:free,1g.10gb@6:free");
  assert_string_equal(annotation(world, ECHO), "p2");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      WORLD_TEST(a_slice_that_cannot_be_created_is_named_and_the_plan_is_answered),
      WORLD_TEST(the_next_plan_tries_again_and_takes_the_error_back),
      WORLD_TEST(after_one_failure_the_other_slices_follow),
      WORLD_TEST(what_fails_again_in_the_same_way_is_one_event_that_is_counted),
      WORLD_TEST(an_event_that_cannot_be_counted_is_created_again),
      WORLD_TEST(half_a_slice_that_the_driver_refuses_to_remove_is_tried_again_and_told_of),
      WORLD_TEST(half_a_slice_that_stays_holds_up_nothing_else_on_its_gpu),
      WORLD_TEST(a_worker_that_dies_is_tried_three_times_for_one_slice),
      WORLD_TEST(a_worker_that_dies_twice_is_no_failure),
      WORLD_TEST(a_gpu_that_kills_the_worker_three_times_is_left_alone_and_the_next_one_goes_on),
      WORLD_TEST(a_slice_that_was_made_before_the_worker_died_is_taken),
      WORLD_TEST(a_driver_that_says_done_and_has_nothing_to_show_is_not_asked_for_ever),
      WORLD_TEST(changes_do_not_put_off_the_look_at_all_gpus),
      WORLD_TEST(gpus_that_cannot_be_read_are_said_so_and_looked_at_again),
      WORLD_TEST(gpus_that_become_unreadable_keep_their_report),
      cmocka_unit_test(a_node_that_has_nothing_to_partition_says_what_to_do),
      WORLD_TEST(a_bad_wish_is_reported_and_the_plan_is_answered),
      WORLD_TEST(a_plan_that_comes_while_a_slice_is_made_replaces_the_rest),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
