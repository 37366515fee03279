/* SPDX-License-Identifier: Apache-2.0 */
/* A GPU that cannot be worked with: the others go on, and its slices are not offered. */
#include "agent/world_fixture.h"

#include "agent/health.h"
#include "agent/service.h"

#define RESOURCE "nvidia.com/mig-1g.10gb"
#define ERROR    "facet.gpu/error"

/* Two GPUs with a slice each. */
static void settle_two(World *world) {
  observe_slices(&world->truth->gpus[0], "1g.10gb@6");
  observe_in(world->truth, "A100-80GB", "1g.10gb@6");
  settle(world);
  assert_string_equal(amount(world, "allocatable", RESOURCE), "2");
}

static const char *const HUNG = "GPU 0 is out of service, and its slices with it: NVML hung or crashed on it";

static void a_look_that_hangs_at_one_gpu_sets_it_aside(void **state) {
  World *world = *state;
  settle_two(world);
  world->hangs_at = 1;
  run_for(world, AGENT_OBSERVE_MS + 1000);
  assert_string_equal(annotation(world, ERROR), HUNG);
  assert_string_equal(amount(world, "allocatable", RESOURCE), "1");
  assert_string_equal(annotation(world, "facet.gpu/gpu-0"), "GPU-0 NVIDIA-A100-SXM4-80GB mig=pending");
  assert_string_equal(annotation(world, "facet.gpu/status-gpu-0"), "1g.10gb@6:used");
  CLEANUP(cleanup_free) char *event = mem_format("GpuOutOfService: %s;", HUNG);
  assert_string_equal(text_string(&world->events), event);
  set_annotation(world, "facet.gpu/spec-gpu-1", "GPU-1 1g.10gb@6,1g.10gb@5");
  set_plan(world, "p1", "GPU-0 1g.10gb@6,1g.10gb@5");
  run_for(world, 1000);
  assert_string_equal(annotation(world, "facet.gpu/status-gpu-1"), "1g.10gb@5:free,1g.10gb@6:free");
  assert_string_equal(annotation(world, MIG_ANNOTATION_STATUS_PLAN), "p1");
  assert_int_equal(world->truth->gpus[0].instance_count, 1);
}

static void it_comes_back_when_nvml_answers_again(void **state) {
  World *world = *state;
  settle_two(world);
  world->hangs_at = 1;
  run_for(world, AGENT_OBSERVE_MS + 1000);
  assert_string_equal(amount(world, "allocatable", RESOURCE), "1");
  world->hangs_at = 0;
  run_for(world, AGENT_SERVICE_PROBE_MS + AGENT_OBSERVE_RETRY_MS);
  assert_string_equal(amount(world, "allocatable", RESOURCE), "2");
  assert_string_equal(annotation(world, ERROR), "(absent)");
  assert_string_equal(annotation(world, "facet.gpu/gpu-0"), "GPU-0 NVIDIA-A100-SXM4-80GB mig=on");
}

/* Asking again could cost one more process that nobody can end. */
static void a_gpu_whose_worker_cannot_be_killed_is_left_alone_and_the_other_one_goes_on(void **state) {
  World *world = *state;
  settle_two(world);
  world->hangs_at = world->stuck_count = 1;
  run_for(world, AGENT_OBSERVE_MS + 1000);
  assert_string_equal(annotation(world, ERROR), HUNG);
  world->hangs_at = 0;
  run_for(world, 10 * AGENT_SERVICE_PROBE_MS);
  assert_string_equal(annotation(world, ERROR), HUNG);
  assert_string_equal(amount(world, "allocatable", RESOURCE), "1");
  set_annotation(world, "facet.gpu/spec-gpu-1", "GPU-1 1g.10gb@6,1g.10gb@5");
  set_plan(world, "p1", "GPU-0 1g.10gb@6,1g.10gb@5");
  run_for(world, 1000);
  assert_string_equal(annotation(world, "facet.gpu/status-gpu-1"), "1g.10gb@5:free,1g.10gb@6:free");
  assert_string_equal(annotation(world, "facet.gpu/status-gpu-0"), "1g.10gb@6:used");
  world->stuck_count = 0;
  run_for(world, AGENT_OBSERVE_MS + AGENT_OBSERVE_RETRY_MS);
  assert_string_equal(annotation(world, "facet.gpu/gpu-0"), "GPU-0 NVIDIA-A100-SXM4-80GB mig=on");
}

static void a_creation_that_hangs_sets_its_gpu_aside_and_the_next_one_goes_on(void **state) {
  World *world = *state;
  settle_two(world);
  set_annotation(world, "facet.gpu/spec-gpu-1", "GPU-1 1g.10gb@6,1g.10gb@5");
  world->hangs_at = 1;
  set_plan(world, "p1", "GPU-0 1g.10gb@6,1g.10gb@5");
  run_for(world, AGENT_OBSERVE_AGAIN_MS - 1);
  assert_story(world, "create 1g.10gb@5;observe;create 1g.10gb@5;list 1g.10gb: MIG-0-6 MIG-1-6;"
                      "list 1g.10gb: MIG-0-6 MIG-1-5 MIG-1-6;patch;patch;");
  run_for(world, 1);
  assert_story(world, "observe;"); /* the other slice of GPU 1 has not put it off */
  assert_string_equal(annotation(world, "facet.gpu/status-gpu-1"), "1g.10gb@5:free,1g.10gb@6:free");
  assert_string_equal(annotation(world, ERROR), HUNG);
}

static void lose(GpuObserved *gpu) {
  *gpu = (GpuObserved){.index = gpu->index,
                       .is_lost = true,
                       .trouble =
                           "opening it: GPU is lost (NVML code 15); it fell off the bus: reboot the node"};
}

static void a_lost_gpu_is_out_of_service_at_once(void **state) {
  World *world = *state;
  settle_two(world);
  GpuObserved was = world->truth->gpus[0];
  lose(&world->truth->gpus[0]);
  run_for(world, AGENT_OBSERVE_MS);
  assert_string_equal(amount(world, "allocatable", RESOURCE), "1");
  assert_string_equal(
      annotation(world, ERROR),
      "GPU 0 is out of service, and its slices with it: opening it: GPU is lost (NVML code 15); "
      "it fell off the bus: reboot the node");
  world->truth->gpus[0] = was;
  run_for(world, AGENT_OBSERVE_RETRY_MS + 1000);
  assert_string_equal(amount(world, "allocatable", RESOURCE), "2");
  assert_string_equal(annotation(world, ERROR), "(absent)");
}

static void one_bad_look_takes_nothing_away(void **state) {
  World *world = *state;
  settle_two(world);
  GpuObserved was = world->truth->gpus[0];
  world->truth->gpus[0] = (GpuObserved){.trouble = "listing the instances: Unknown Error (NVML code 999)"};
  run_for(world, AGENT_OBSERVE_MS - 8000);
  assert_string_equal(amount(world, "allocatable", RESOURCE), "2");
  world->truth->gpus[0] = was;
  run_for(world, 10000);
  assert_string_equal(amount(world, "allocatable", RESOURCE), "2");
  assert_int_equal(world->events.size, 0);
}

static void a_gpu_of_an_unknown_model_is_offered_whole_and_delays_no_plan(void **state) {
  World *world = *state;
  GpuObserved *gpu = observe_in(world->truth, "A100-80GB", "");
  gpu->mode = MIG_MODE_OFF;
  gpu->model.profile_count = 0;
  snprintf(gpu->trouble, sizeof gpu->trouble, "MIG is off, and facet's table does not know it");
  settle(world);
  set_plan(world, "p1", "GPU-0 1g.10gb@6");
  run_for(world, AGENT_OBSERVE_MS);
  assert_string_equal(amount(world, "allocatable", "nvidia.com/gpu"), "1");
  assert_string_equal(amount(world, "allocatable", RESOURCE), "1");
  assert_string_equal(annotation(world, MIG_ANNOTATION_STATUS_PLAN), "p1");
}

static void a_gpu_that_was_bad_from_the_start_keeps_the_words_of_its_node(void **state) {
  World *world = *state;
  set_annotation(world, "facet.gpu/gpu-0", "GPU-0 NVIDIA-A100-SXM4-80GB mig=on");
  set_annotation(world, "facet.gpu/status-gpu-0", "1g.10gb@6:used");
  lose(&world->truth->gpus[0]);
  observe_in(world->truth, "A100-80GB", "1g.10gb@6");
  settle(world);
  assert_string_equal(annotation(world, "facet.gpu/gpu-0"), "GPU-0 NVIDIA-A100-SXM4-80GB mig=pending");
  assert_string_equal(annotation(world, "facet.gpu/status-gpu-0"), "1g.10gb@6:used");
  assert_string_equal(amount(world, "allocatable", RESOURCE), "1");
}

/* ---- errors of the GPU ---- */

static void strike(World *world, uint64_t xid, int instance_id) {
  CLEANUP(cleanup_free) GpuResult *result = mem_alloc(sizeof *result);
  result->xids[0] = (GpuXid){.uuid = "GPU-0", .xid = xid, .instance_id = instance_id};
  result->xid_count = 1;
  assert_non_null(world->on_watched);
  GpuOnResult *on_watched = TAKE(world->on_watched);
  on_watched(world->result_userdata, result);
}

static void an_error_takes_its_slice_out_of_service_and_a_quiet_time_brings_it_back(void **state) {
  World *world = *state;
  world->driver_watches = true;
  settle_two(world);
  strike(world, 94, 1);
  run_for(world, 1000);
  assert_string_equal(amount(world, "allocatable", RESOURCE), "1");
  assert_string_equal(annotation(world, ERROR), "Xid 94 struck the slice at slot 6 of GPU 0: out of service");
  assert_string_equal(annotation(world, "facet.gpu/status-gpu-0"), "1g.10gb@6:used");
  assert_string_equal(text_string(&world->events),
                      "GpuError: Xid 94 struck the slice at slot 6 of GPU 0: out of service;");
  run_for(world, AGENT_SICK_MS);
  assert_string_equal(amount(world, "allocatable", RESOURCE), "2");
  assert_string_equal(annotation(world, ERROR), "(absent)");
}

static void an_error_that_repeats_is_one_event_that_is_counted(void **state) {
  World *world = *state;
  world->driver_watches = true;
  settle_two(world);
  strike(world, 94, 1);
  run_for(world, 1000);
  strike(world, 94, 1);
  run_for(world, 1000);
  assert_string_equal(annotation(world, ERROR),
                      "Xid 94 struck the slice at slot 6 of GPU 0: out of service (2 times)");
  assert_string_equal(text_string(&world->events),
                      "GpuError: Xid 94 struck the slice at slot 6 of GPU 0: out of service;again 2;");
}

static void an_error_of_a_program_takes_nothing_out_of_service(void **state) {
  World *world = *state;
  world->driver_watches = true;
  settle_two(world);
  strike(world, 31, 1);
  run_for(world, 1000);
  assert_string_equal(amount(world, "allocatable", RESOURCE), "2");
  assert_int_equal(world->events.size, 0);
}

static void nobody_watches_while_something_is_changed(void **state) {
  World *world = *state;
  world->driver_watches = true;
  settle_two(world);
  assert_non_null(world->on_watched);
  world->driver_is_mute = true;
  set_plan(world, "p1", "GPU-0 1g.10gb@6,1g.10gb@5");
  run_for(world, 1000);
  assert_story(world, "create 1g.10gb@5;");
  assert_null(world->on_watched);
  world->driver_is_mute = false;
  run_for(world, 1000);
  assert_non_null(world->on_watched);
}

static void time_is_up(World *world) {
  CLEANUP(cleanup_free) GpuResult *nothing = mem_alloc(sizeof *nothing);
  GpuOnResult *on_watched = TAKE(world->on_watched);
  on_watched(world->result_userdata, nothing);
}

/* The world's driver refuses a job while it watches, so a look that comes too early fails this test. */
static void a_watch_has_ended_when_the_next_look_is_due(void **state) {
  World *world = *state;
  world->driver_watches = true;
  settle_two(world);
  assert_int_equal(world->watch_ms, 20000);
  int watches = 0;
  while (strstr(text_string(&world->story), "observe;") == NULL) {
    assert_true(watches++ < 5);
    uint64_t end_ms = world->host.now_ms + world->watch_ms;
    run_for(world, world->watch_ms);
    assert_int_equal(world->host.now_ms, end_ms);
    assert_non_null(world->on_watched);
    time_is_up(world);
    run_for(world, 200);
  }
  assert_int_equal(watches, 3);
  assert_non_null(world->on_watched);
}

static void a_look_that_is_due_at_once_ends_the_watch(void **state) {
  World *world = *state;
  world->driver_watches = true;
  settle_two(world);
  strike(world, 31, 1);
  run_for(world, 0);
  assert_story(world, "observe;");
  assert_non_null(world->on_watched);
}

static void a_watch_whose_worker_died_is_not_repeated_soon(void **state) {
  World *world = *state;
  world->driver_watches = true;
  settle_two(world);
  CLEANUP(cleanup_free) GpuResult *result = mem_alloc(sizeof *result);
  error_set(&result->err, ERROR_UNAVAILABLE, "the NVML worker was killed by signal 11");
  GpuOnResult *on_watched = TAKE(world->on_watched);
  on_watched(world->result_userdata, result);
  run_for(world, 59000);
  assert_null(world->on_watched);
  run_for(world, 2000);
  assert_non_null(world->on_watched);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      WORLD_TEST(a_look_that_hangs_at_one_gpu_sets_it_aside),
      WORLD_TEST(it_comes_back_when_nvml_answers_again),
      WORLD_TEST(a_gpu_whose_worker_cannot_be_killed_is_left_alone_and_the_other_one_goes_on),
      WORLD_TEST(a_creation_that_hangs_sets_its_gpu_aside_and_the_next_one_goes_on),
      WORLD_TEST(a_lost_gpu_is_out_of_service_at_once),
      WORLD_TEST(one_bad_look_takes_nothing_away),
      WORLD_TEST(an_error_takes_its_slice_out_of_service_and_a_quiet_time_brings_it_back),
      WORLD_TEST(an_error_that_repeats_is_one_event_that_is_counted),
      WORLD_TEST(an_error_of_a_program_takes_nothing_out_of_service),
      WORLD_TEST(nobody_watches_while_something_is_changed),
      WORLD_TEST(a_watch_has_ended_when_the_next_look_is_due),
      WORLD_TEST(a_look_that_is_due_at_once_ends_the_watch),
      WORLD_TEST(a_watch_whose_worker_died_is_not_repeated_soon),
      WORLD_TEST(a_gpu_of_an_unknown_model_is_offered_whole_and_delays_no_plan),
      WORLD_TEST(a_gpu_that_was_bad_from_the_start_keeps_the_words_of_its_node),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
