/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for errors of the GPUs, on the simulated driver. */
#include "base/test.h"

#include "base/memory.h"
#include "gpu/nvml.h"
#include "sim/nvml/sim_nvml.h"

typedef struct World {
  SimNvml *machine;
  GpuNvml *nvml;
  uint32_t slept_ms;
} World;

static void *resolve(void *userdata, const char *name) {
  return sim_nvml_symbol(name);
}

static void sleep_ms(void *userdata, uint32_t duration_ms) {
  ((World *)userdata)->slept_ms += duration_ms;
}

static uint64_t now_ms(void *userdata) {
  return ((World *)userdata)->slept_ms;
}

static int world_init(void **state) {
  World *world = mem_alloc(sizeof *world);
  Error err = {0};
  assert_ok(sim_nvml_new(&(SimNvmlOptions){.machine = "3xA30", .seed = 1}, &world->machine, &err));
  sim_nvml_set_sleep(world->machine, sleep_ms, world);
  sim_nvml_use(world->machine);
  assert_ok(gpu_nvml_open_with(resolve, NULL, &world->nvml, &err));
  gpu_nvml_set_clock(world->nvml, &(GpuNvmlClock){.now_ms = now_ms, .sleep_ms = sleep_ms, .userdata = world});
  *state = world;
  return 0;
}

static int world_deinit(void **state) {
  World *world = *state;
  gpu_nvml_close(world->nvml);
  sim_nvml_use(NULL);
  sim_nvml_free(world->machine);
  free(world);
  return 0;
}

static GpuResult *watch(World *world, uint32_t skip) {
  GpuResult *result = mem_alloc(sizeof *result);
  gpu_nvml_run(world->nvml, &(GpuJob){.kind = GPU_JOB_WATCH, .wait_ms = 20000, .skip = skip}, result);
  return result;
}

static void post(World *world, unsigned gpu, uint64_t xid, int instance_id) {
  Error err = {0};
  assert_ok(sim_nvml_post_xid(world->machine, gpu, xid, instance_id, instance_id < 0 ? -1 : 0, &err));
}

static void nothing_happens_until_the_time_is_up(void **state) {
  World *world = *state;
  CLEANUP(cleanup_free) GpuResult *result = watch(world, 0);
  assert_int_equal(result->err.code, 0);
  assert_int_equal(result->xid_count, 0);
  assert_false(result->observed);
  assert_int_equal(world->slept_ms, 20000);
}

static void errors_between_two_watches_are_not_missed(void **state) {
  World *world = *state;
  CLEANUP(cleanup_free) GpuResult *first = watch(world, 0);
  assert_int_equal(first->xid_count, 0);
  post(world, 1, 94, 3);
  post(world, 2, 48, -1);
  CLEANUP(cleanup_free) GpuResult *result = watch(world, 0);
  assert_int_equal(result->xid_count, 2);
  assert_int_equal(result->xids[0].xid, 94);
  assert_int_equal(result->xids[0].instance_id, 3);
  assert_int_equal(result->xids[1].xid, 48);
  assert_int_equal(result->xids[1].instance_id, -1);
  assert_string_not_equal(result->xids[0].uuid, result->xids[1].uuid);
}

static void a_lost_gpu_tells_its_end_and_is_then_left_out(void **state) {
  World *world = *state;
  Error err = {0};
  CLEANUP(cleanup_free) GpuResult *first = watch(world, 0);
  assert_int_equal(first->xid_count, 0);
  assert_ok(sim_nvml_lose_gpu(world->machine, 0, &err));
  CLEANUP(cleanup_free) GpuResult *lost = watch(world, 0);
  assert_true(lost->err.code == ERROR_LOST || lost->xid_count == 1);
  CLEANUP(cleanup_free) GpuResult *without = watch(world, 1);
  assert_int_equal(without->err.code, 0);
  post(world, 2, 48, -1);
  CLEANUP(cleanup_free) GpuResult *other = watch(world, 1);
  assert_int_equal(other->xid_count, 1);
}

/* A watch whose time is up leaves its events registered, and this session must not stand in its own way. */
static void what_was_watched_can_be_destroyed(void **state) {
  World *world = *state;
  Error err = {0};
  assert_ok(sim_nvml_set_option(world->machine, "event-sets", "hold", &err));
  CLEANUP(cleanup_free) GpuResult *result = mem_alloc(sizeof *result);
  gpu_nvml_run(world->nvml, &(GpuJob){.kind = GPU_JOB_OBSERVE}, result);
  const GpuObserved *gpu = &result->observation.gpus[0];
  const MigProfile *profile = &gpu->model.profiles[0];
  GpuJob job = {.kind = GPU_JOB_CREATE, .nvml_id = profile->nvml_id, .start = 0, .size = profile->size};
  snprintf(job.uuid, sizeof job.uuid, "%s", gpu->uuid);
  gpu_nvml_run(world->nvml, &job, result);
  assert_int_equal(result->observation.gpus[0].instance_count, 1);
  CLEANUP(cleanup_free) GpuResult *watched = watch(world, 0);
  assert_int_equal(watched->err.code, 0);
  job.kind = GPU_JOB_DESTROY;
  world->slept_ms = 0;
  gpu_nvml_run(world->nvml, &job, result);
  assert_string_equal(result->err.text, "");
  assert_int_equal(result->observation.gpus[0].instance_count, 0);
  assert_int_equal(world->slept_ms, 0); /* nothing was tried again */
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, world_init, world_deinit)
  const struct CMUnitTest tests[] = {
      CASE(nothing_happens_until_the_time_is_up),
      CASE(errors_between_two_watches_are_not_missed),
      CASE(what_was_watched_can_be_destroyed),
      CASE(a_lost_gpu_tells_its_end_and_is_then_left_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
