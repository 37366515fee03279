/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "base/memory.h"
#include "sim/cluster/driver.h"

#include <string.h>

typedef struct World {
  Host host;
  SimDriver *driver;
  GpuResult *seen;   /* what is there, by hand */
  GpuResult *result; /* of the last job */
  bool is_answered;
} World;

static void look(World *world) {
  sim_driver_run_by_hand(world->driver, &(GpuJob){.kind = GPU_JOB_OBSERVE}, world->seen);
}

static void world_init(World *world) {
  Error err = {0};
  *world = (World){.seen = mem_alloc(sizeof *world->seen), .result = mem_alloc(sizeof *world->result)};
  host_init(&world->host, 1);
  const SimDriverOptions options = {.machine = "A100-SXM4-80GB", .seed = 1, .latency = 1};
  assert_ok(sim_driver_new(&world->host, &options, &world->driver, &err));
  look(world);
}

static void world_deinit(World *world) {
  sim_driver_free(world->driver);
  host_deinit(&world->host);
  free(world->seen);
  free(world->result);
}

static void on_result(void *userdata, const GpuResult *result) {
  World *world = userdata;
  *world->result = *result;
  world->is_answered = true;
}

/* Asks for a 1g.10gb at slot 0; returns how long the answer took. */
static uint64_t create(World *world) {
  const GpuObserved *gpu = &world->seen->observation.gpus[0];
  const MigProfile *profile = &gpu->model.profiles[mig_model_find_profile(&gpu->model, "1g.10gb")];
  GpuJob job = {.kind = GPU_JOB_CREATE, .nvml_id = profile->nvml_id, .size = profile->size};
  uint64_t began_ms = world->host.now_ms;
  snprintf(job.uuid, sizeof job.uuid, "%s", gpu->uuid);
  world->is_answered = false;
  sim_driver_seam(world->driver)->submit(sim_driver_seam(world->driver), &job, on_result, world);
  while (!world->is_answered) {
    host_advance(&world->host, host_next_ms(&world->host), 0);
    host_run_timers(&world->host);
  }
  look(world);
  return world->host.now_ms - began_ms;
}

static void arm(World *world, SimDriverFaultKind kind, uint32_t call) {
  sim_driver_fail(world->driver,
                  &(SimDriverFault){.kind = kind, .call = call, .times = 1, .code = NVML_UNKNOWN});
}

static int count(const World *world) {
  return world->seen->observation.gpus[0].instance_count;
}

static void a_refused_call_is_undone_and_the_next_goes_through(void **state) {
  World world;
  world_init(&world);
  arm(&world, SIM_DRIVER_REFUSES, 1);
  create(&world);
  assert_int_equal(world.result->err.code, ERROR_GPU);
  assert_int_equal(count(&world), 0);
  create(&world);
  assert_int_equal(world.result->err.code, 0);
  assert_int_equal(count(&world), 1);
  assert_false(sim_driver_left_half(world.driver));
  world_deinit(&world);
}

static void a_worker_that_dies_in_the_middle_leaves_what_was_done(void **state) {
  World world;
  world_init(&world);
  arm(&world, SIM_DRIVER_DIES, 2);
  assert_true(create(&world) < 1000);
  assert_int_equal(world.result->err.code, ERROR_UNAVAILABLE);
  assert_false(world.result->observed);
  assert_int_equal(count(&world), 1);
  assert_string_equal(world.seen->observation.gpus[0].instances[0].uuid, "");
  assert_true(sim_driver_left_half(world.driver));
  create(&world); /* by the next worker, which completes it */
  assert_int_equal(world.result->err.code, 0);
  assert_string_not_equal(world.seen->observation.gpus[0].instances[0].uuid, "");
  world_deinit(&world);
}

static void a_worker_that_hangs_is_noticed_by_the_clock(void **state) {
  World world;
  world_init(&world);
  arm(&world, SIM_DRIVER_HANGS, 1);
  assert_int_equal(create(&world), 30000);
  assert_int_equal(world.result->err.code, ERROR_TIMEOUT);
  assert_int_equal(count(&world), 0);
  world_deinit(&world);
}

static void a_lost_gpu_cannot_be_changed_until_it_is_back(void **state) {
  World world;
  world_init(&world);
  sim_driver_lose_gpu(world.driver, 0);
  create(&world);
  assert_non_null(strstr(world.result->err.text, "GPU is lost"));
  assert_non_null(strstr(world.result->observation.gpus[0].trouble, "GPU is lost"));
  sim_driver_lose_gpu(world.driver, -1);
  create(&world);
  assert_int_equal(world.result->err.code, 0);
  world_deinit(&world);
}

static void a_reset_takes_all_instances(void **state) {
  World world;
  world_init(&world);
  create(&world);
  sim_driver_reset(world.driver, false);
  look(&world);
  assert_int_equal(count(&world), 0);
  world_deinit(&world);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_refused_call_is_undone_and_the_next_goes_through),
      cmocka_unit_test(a_worker_that_dies_in_the_middle_leaves_what_was_done),
      cmocka_unit_test(a_worker_that_hangs_is_noticed_by_the_clock),
      cmocka_unit_test(a_lost_gpu_cannot_be_changed_until_it_is_back),
      cmocka_unit_test(a_reset_takes_all_instances),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
