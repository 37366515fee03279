/* SPDX-License-Identifier: Apache-2.0 */
/* Random plans for one GPU, with random faults of the driver and with agent and worker killed at random.
 * While they strike, the slice in use is never touched and the plan is answered in the end. Then they stop,
 * the same plan is made again, and the GPU holds exactly what it says: no wedge, no half of a slice, no error
 * left.
 *
 *     test-sim-cluster-random [plans [seed]]       default: 150 plans, seed 1 */
#include "base/test.h"

#include "sim/cluster/crash_fixture.h"

#include <stdlib.h>

#define MACHINE "A100-SXM4-80GB"
#define IN_USE  "1g.10gb@6" /* by the pod */

enum { FAULTS_MAX = 3 };

static int plan_count = 150;
static uint64_t seed = 1;

static uint32_t below(Random *random, uint32_t limit) {
  return (uint32_t)random_below(random, limit);
}

/* Any layout that leaves the slice in use where it is. */
static void draw_layout(Random *random, const MigModel *model, Text *text) {
  MigLayout layout;
  mig_layout_init(&layout, model);
  mig_layout_place(&layout, mig_model_find_profile(model, "1g.10gb"), 6);
  for (uint32_t tries = below(random, 12); tries > 0; tries--) {
    int profile = (int)below(random, model->profile_count);
    int start = (int)below(random, model->slot_count);
    if (mig_layout_can_place(&layout, profile, start))
      mig_layout_place(&layout, profile, start);
  }
  text_clear(text);
  for (int i = 0; i < layout.count; i++)
    text_format(text, "%s%s@%d", i ? "," : "", model->profiles[layout.instances[i].profile].name,
                layout.instances[i].start);
}

static void draw_fault(Random *random, Text *text) {
  static const char *const functions[] = {"*",        "*Get*",     "*CreateGpu*", "*CreateCompute*",
                                          "*Create*", "*Destroy*", "nvmlInit",    "nvmlDeviceGetMigDevice*"};
  static const char *const effects[] = {"kill",          "after:kill", "UNKNOWN", "after:UNKNOWN",
                                        "IN_USE",        "NOT_READY",  "TIMEOUT", "INSUFFICIENT_RESOURCES",
                                        "NO_PERMISSION", "hang=700",   "MEMORY",  "GPU_IS_LOST"};
  const char *function = functions[below(random, COUNT_OF(functions))];
  const char *effect = effects[below(random, COUNT_OF(effects))];
  text_clear(text);
  text_format(text, "%s %s call=%u times=%u", function, effect, 1 + below(random, function[1] ? 6 : 900),
              1 + below(random, 4));
}

/* Returns the story of this plan, for a failure's message. */
static void arm(World *world, Random *random, Text *story) {
  SimDriver *driver = world->cluster->nodes[0].driver;
  bool kills_agent = below(random, 2) == 0;
  CLEANUP(text_deinit) Text fault = {0};
  Error err = {0};
  text_clear(story);
  sim_driver_on_death(driver, kills_agent ? on_worker_death : NULL, world);
  for (uint32_t n = below(random, FAULTS_MAX + 1); n > 0; n--) {
    draw_fault(random, &fault);
    text_format(story, "%s; ", text_string(&fault));
    assert_ok(sim_nvml_add_fault(sim_driver_machine(driver), text_string(&fault), &err));
  }
  world->turns = 0;
  world->die_at = below(random, 3) == 0 ? 1 + below(random, 200) : 0;
  text_format(story, "agent dies %s at turn %llu", kills_agent ? "with its worker, and" : "",
              (unsigned long long)world->die_at);
}

static void disarm(World *world) {
  SimDriver *driver = world->cluster->nodes[0].driver;
  Error err = {0};
  assert_ok(sim_nvml_clear_faults(sim_driver_machine(driver), &err));
  world->die_at = 0;
}

static const MigModel *model_of(const World *world) {
  static SimState state;
  Error err = {0};
  assert_ok(sim_driver_load(world->cluster->nodes[0].driver, &state, &err));
  return &state.gpus[0].row->model;
}

static void whatever_happens_the_plan_is_carried_out_in_the_end(void **state) {
  World world;
  Random random = {.state = seed};
  CLEANUP(text_deinit) Text layout = {0}, story = {0};
  world_init(&world, MACHINE, "1g.10gb", IN_USE);
  int deaths = 0;
  for (int i = 0; i < plan_count; i++) {
    draw_layout(&random, model_of(&world), &layout);
    arm(&world, &random, &story);
    CLEANUP(cleanup_free)
    char *what = mem_format("seed=%llu plan=%d (%s)", (unsigned long long)seed, i, text_string(&story));
    world.deaths = 0;
    set_plan(&world, text_string(&layout));
    pass_time(&world, ANSWER_MS * 3, is_answered);
    if (!is_answered(&world))
      fail_msg("%s: the plan \"%s\" is never answered", what, text_string(&layout));
    pass_time(&world, REST_MS, is_at_rest);
    disarm(&world);
    deaths += world.deaths;
    carry_out(&world, text_string(&layout), what);
  }
  print_message("# seed=%llu: %d plans, the agent was killed %d times, its worker %d times\n",
                (unsigned long long)seed, plan_count, deaths,
                sim_driver_deaths(world.cluster->nodes[0].driver));
  world_deinit(&world);
}

int main(int argc, char **argv) {
  if (argc > 1)
    plan_count = (int)strtol(argv[1], NULL, 10);
  if (argc > 2)
    seed = strtoull(argv[2], NULL, 10);
  log_configure(
      (LogConfig){.level = LOG_LEVEL_INFO, .sink = getenv("FACET_TEST_LOG") ? show_log : sim_check_drop_log});
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(whatever_happens_the_plan_is_carried_out_in_the_end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
