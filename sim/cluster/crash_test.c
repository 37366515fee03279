/* SPDX-License-Identifier: Apache-2.0 */
/* Killed at every point: an agent and its worker are carrying out a plan, and one of them dies by SIGKILL
 * before or after its n-th call of NVML, or between two events of the agent's loop. n is counted up until the
 * plan is carried out without a death. Whatever happens: the slice in use is never touched, and the next
 * start comes to the same layout.
 *
 * One pod holds a slice of the first GPU all the time. The plans go round in a circle, so that each change
 * begins where the one before ended.
 *
 *     test-sim-cluster-crash all      each single call; else each change of a GPU, and a part of the other
 *                                     calls */
#include "sim/cluster/crash_fixture.h"

/* Of an A30. The pod holds 1g.6gb@3. */
static const char *const circle[] = {
    "1g.6gb@0,1g.6gb@1,1g.6gb@2,1g.6gb@3",
    "2g.12gb@0,1g.6gb@2,1g.6gb@3",
    "1g.6gb@2,1g.6gb@3",
    "1g.6gb@0,1g.6gb@3",
    "2g.12gb@0,1g.6gb@3",
};

static bool runs_all;

/* ---- every point ---- */

/* Carries out one plan after the other with that fault; true where it struck at least once. */
static bool go_round(World *world, const char *fault) {
  Error err = {0};
  SimDriver *driver = world->cluster->nodes[0].driver;
  bool has_struck = false;
  for (size_t i = 0; i < COUNT_OF(circle); i++) {
    int deaths = sim_driver_deaths(driver);
    world->turns = world->deaths = 0;
    if (*fault)
      assert_ok(sim_nvml_add_fault(sim_driver_machine(driver), fault, &err));
    carry_out(world, circle[i], fault);
    assert_ok(sim_nvml_clear_faults(sim_driver_machine(driver), &err));
    has_struck = has_struck || sim_driver_deaths(driver) > deaths || world->deaths;
  }
  return has_struck;
}

static int kill_at_each(World *world, const char *functions, const char *effect, int stride) {
  int n = 1;
  for (;; n += stride) {
    char fault[96];
    snprintf(fault, sizeof fault, "%s %s call=%d", functions, effect, n);
    if (!go_round(world, fault))
      return n / stride;
  }
}

static void kill_everywhere(bool kills_agent) {
  static const char *const functions[] = {"*Create*", "*Destroy*", "*"};
  static const char *const effects[] = {"kill", "after:kill"};
  World world;
  int points = 0;
  world_init(&world, "A30", "1g.6gb", "1g.6gb@3");
  if (kills_agent)
    sim_driver_on_death(world.cluster->nodes[0].driver, on_worker_death, &world);
  for (size_t f = 0; f < COUNT_OF(functions); f++)
    for (size_t e = 0; e < COUNT_OF(effects); e++) {
      bool is_each_call = functions[f][1] == '\0';
      points += kill_at_each(&world, functions[f], effects[e], is_each_call && !runs_all ? 211 : 1);
    }
  print_message("# killed at %d points of each of %zu changes; %d plans lost a race and were made again\n",
                points, COUNT_OF(circle), world.repeated);
  world_deinit(&world);
}

static void a_worker_killed_at_any_call_changes_nothing(void **state) {
  kill_everywhere(false);
}

static void an_agent_killed_with_its_worker_at_any_call_goes_on(void **state) {
  kill_everywhere(true);
}

static void an_agent_killed_between_any_two_events_goes_on(void **state) {
  World world;
  world_init(&world, "A30", "1g.6gb", "1g.6gb@3");
  int points = 0;
  for (world.die_at = 1;; world.die_at += runs_all ? 1 : 29, points++)
    if (!go_round(&world, ""))
      break;
  print_message("# killed at %d points of each of %zu changes; %d plans lost a race and were made again\n",
                points, COUNT_OF(circle), world.repeated);
  world_deinit(&world);
}

/* ---- the GPU loses everything ---- */

/* Its instances are gone, and with them the slice of the pod, which goes on waiting for it. */
static void reset_machine(World *world, bool reboot) {
  Error err = {0};
  assert_ok(sim_nvml_reset(sim_driver_machine(world->cluster->nodes[0].driver), reboot, &err));
}

static void assert_restored(World *world, const char *layout) {
  Error err = {0};
  CLEANUP(text_deinit) Text text = {0};
  format_layout(world, &text);
  assert_string_equal(text_string(&text), layout);
  assert_ok(sim_check_held(world->cluster, &err));
}

static void after_a_reboot_the_layout_is_there_again(void **state) {
  World world;
  world_init(&world, "A30", "1g.6gb", "1g.6gb@3");
  for (size_t i = 0; i < COUNT_OF(circle); i++) {
    carry_out(&world, circle[i], "before the reboot");
    world.cluster->on_change = NULL;
    kill_agent(&world);
    reset_machine(&world, true);
    pass_time(&world, 10000, NULL);
    assert_restored(&world, circle[i]);
    world.cluster->on_change = on_change;
  }
  world_deinit(&world);
}

/* The agent has never been away, and the plan is long done: only what a pod holds is made again. */
static void what_a_pod_holds_comes_back_after_a_reset_under_a_running_agent(void **state) {
  World world;
  world_init(&world, "A30", "1g.6gb", "1g.6gb@3");
  carry_out(&world, circle[0], "before the reset");
  world.cluster->on_change = NULL;
  reset_machine(&world, false);
  pass_time(&world, AGENT_OBSERVE_MS + 10000, NULL);
  assert_restored(&world, "1g.6gb@3");
  world_deinit(&world);
}

int main(int argc, char **argv) {
  runs_all = argc > 1 && strcmp(argv[1], "all") == 0;
  log_configure(
      (LogConfig){.level = LOG_LEVEL_INFO, .sink = getenv("FACET_TEST_LOG") ? show_log : sim_check_drop_log});
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_worker_killed_at_any_call_changes_nothing),
      cmocka_unit_test(an_agent_killed_with_its_worker_at_any_call_goes_on),
      cmocka_unit_test(an_agent_killed_between_any_two_events_goes_on),
      cmocka_unit_test(after_a_reboot_the_layout_is_there_again),
      cmocka_unit_test(what_a_pod_holds_comes_back_after_a_reset_under_a_running_agent),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
