/* SPDX-License-Identifier: Apache-2.0 */
/* Handles that the agent's own worker holds are never the reason why a slice cannot be destroyed: it waits
 * for errors of the GPUs, and on this machine whoever does is a client of them. */
#include "sim/cluster/crash_fixture.h"

#define IN_USE "1g.10gb@6" /* by the pod */

static SimNvml *machine_of(const World *world) {
  return sim_driver_machine(world->cluster->nodes[0].driver);
}

/* Of all destructions; a session that is in its own way is found out only after seconds. */
static unsigned slowest_ms;

static void note_log(void *userdata, LogLevel level, const char *component, const char *message,
                     const char *fields) {
  const char *took = strcmp(message, "slice destroyed") == 0 ? strstr(fields, "took_ms=") : NULL;
  unsigned took_ms = 0;
  if (took && sscanf(took, "took_ms=%u", &took_ms) == 1 && took_ms > slowest_ms)
    slowest_ms = took_ms;
  if (getenv("FACET_TEST_LOG"))
    show_log(userdata, level, component, message, fields);
}

/* Tries to destroy what the plan made, as an operator would, without success. */
static void assert_held(const World *world, uint8_t start) {
  CLEANUP(cleanup_free) GpuResult *result = mem_alloc(sizeof *result);
  SimDriver *driver = world->cluster->nodes[0].driver;
  sim_driver_run_by_hand(driver, &(GpuJob){.kind = GPU_JOB_OBSERVE}, result);
  const GpuObserved *gpu = &result->observation.gpus[0];
  GpuJob job = {.kind = GPU_JOB_DESTROY, .start = start};
  for (int i = 0; i < gpu->instance_count; i++)
    if (gpu->instances[i].start == start) {
      job.nvml_id = gpu->instances[i].nvml_id;
      job.size = gpu->instances[i].size;
    }
  snprintf(job.uuid, sizeof job.uuid, "%s", gpu->uuid);
  sim_driver_run_by_hand(driver, &job, result);
  assert_non_null(strstr(result->err.text, "In use by another client"));
}

static void the_agent_lets_go_of_what_it_watches_before_it_destroys(void **state) {
  World world = {0};
  Error err = {0};
  SimClusterOptions options = sim_cluster_defaults();
  options.machine = "A100-SXM4-80GB";
  options.driver_watches = true;
  world_begin(&world, &options, "1g.10gb", IN_USE);
  assert_ok(sim_nvml_set_option(machine_of(&world), "event-sets", "hold", &err));
  for (int i = 0; i < 10; i++) {
    bool is_even = i % 2 == 0;
    carry_out(&world, is_even ? "3g.40gb@0,1g.10gb@6" : "2g.20gb@0,2g.20gb@2,1g.10gb@6", "a switch");
    pass_time(&world, 7000 + (uint64_t)i * 3100, NULL);
    assert_held(&world, 0);
  }
  assert_int_equal(world.repeated, 0);
  assert_in_range(slowest_ms, 1, 2000);
  world_deinit(&world);
}

int main(void) {
  log_configure((LogConfig){.level = LOG_LEVEL_INFO, .sink = note_log});
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_agent_lets_go_of_what_it_watches_before_it_destroys)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
