/* SPDX-License-Identifier: Apache-2.0 */
/* Two controllers on one cluster, with a Lease between them. */
#include "base/test.h"

#include "base/log.h"
#include "sim/cluster/check.h"

enum { CONTROLLERS = 2, LIMIT_MS = 60000 };

typedef struct World {
  SimCluster *cluster;
  Controller *controllers[CONTROLLERS]; /* NULL: killed */
  size_t expected;
  bool overlapped; /* ever two leaders */
} World;

static void start_controller(World *world, int i) {
  CLEANUP(cleanup_free) char *identity = mem_format("controller-%d", i);
  const ControllerLeaseOptions lease = {
      .namespace_ = SIM_CLUSTER_SYSTEM_NAMESPACE, .name = "facet-controller", .identity = identity};
  const ControllerOptions options = {.batch_idle_ms = CONTROLLER_BATCH_IDLE_MS,
                                     .batch_timeout_ms = CONTROLLER_BATCH_TIMEOUT_MS,
                                     .leftover = PLAN_LEFTOVER_FILL,
                                     .instance = identity,
                                     .lease = &lease};
  world->controllers[i] = controller_new(&options, &world->cluster->host, sim_api_seam(world->cluster->api));
  controller_start(world->controllers[i]);
}

static int leader_of(World *world) {
  int leader = -1;
  for (int i = 0; i < CONTROLLERS; i++) {
    if (!world->controllers[i] || !controller_leads(world->controllers[i]))
      continue;
    world->overlapped |= leader >= 0;
    leader = i;
  }
  return leader;
}

static void world_init(World *world, uint64_t seed) {
  Error err = {0};
  SimClusterOptions options = sim_cluster_defaults();
  options.seed = seed;
  options.api = (SimApiOptions){.latency_ms = 1, .jitter_ms = 60};
  *world = (World){0};
  assert_ok(sim_cluster_new(&options, &world->cluster, &err));
  sim_cluster_kill_controller(world->cluster);
  for (int i = 0; i < CONTROLLERS; i++)
    start_controller(world, i);
  assert_true(sim_cluster_settle(world->cluster));
}

static void world_deinit(World *world) {
  Error err = {0};
  assert_ok(sim_check_layouts(world->cluster, &err));
  assert_false(world->overlapped);
  for (int i = 0; i < CONTROLLERS; i++)
    controller_free(world->controllers[i]);
  sim_cluster_free(world->cluster);
}

static void kill_leader(World *world) {
  int leader = leader_of(world);
  assert_true(leader >= 0);
  controller_free(TAKE(world->controllers[leader]));
}

static bool is_led(void *userdata) {
  return leader_of(userdata) >= 0;
}

static bool all_run(void *userdata) {
  World *world = userdata;
  (void)leader_of(world); /* watches for overlaps */
  return sim_cluster_count_pods(world->cluster, "Running") == world->expected;
}

static void ask(World *world, int count) {
  Error err = {0};
  assert_ok(sim_cluster_create_pods(world->cluster, "1g.10gb", count, &err));
  world->expected += (size_t)count;
}

static void run_until(World *world, bool (*is_done)(void *userdata)) {
  if (!sim_cluster_run(world->cluster, world->cluster->host.now_ms + LIMIT_MS, is_done, world))
    fail_msg("seed=%llu: %zu of %zu pods run", (unsigned long long)world->cluster->options.seed,
             sim_cluster_count_pods(world->cluster, "Running"), world->expected);
}

static void of_two_one_serves_and_when_it_dies_the_other_does(void **state) {
  for (uint64_t seed = 1; seed <= 20; seed++) {
    World world;
    world_init(&world, seed);
    run_until(&world, is_led);
    int first = leader_of(&world);
    ask(&world, 3);
    run_until(&world, all_run);
    kill_leader(&world);
    ask(&world, 2);
    uint64_t killed_ms = world.cluster->host.now_ms;
    run_until(&world, all_run);
    assert_true(world.cluster->host.now_ms - killed_ms > KUBE_ELECTION_RENEW_MS); /* nobody jumped in */
    assert_int_equal(leader_of(&world), 1 - first);
    start_controller(&world, first);
    ask(&world, 2);
    run_until(&world, all_run);
    assert_int_equal(leader_of(&world), 1 - first);
    world_deinit(&world);
  }
}

static void the_leader_may_die_in_the_middle_of_a_pass(void **state) {
  for (uint64_t at_ms = 0; at_ms < 1500; at_ms += 75) {
    World world;
    world_init(&world, at_ms + 1);
    run_until(&world, is_led);
    ask(&world, 5);
    sim_cluster_run(world.cluster, world.cluster->host.now_ms + at_ms, NULL, NULL);
    kill_leader(&world);
    run_until(&world, all_run);
    assert_int_equal(sim_cluster_count_pods(world.cluster, "Failed"), 0);
    world_deinit(&world);
  }
}

static void lost_and_refused_answers_give_no_second_leader(void **state) {
  for (uint64_t seed = 1; seed <= 20; seed++) {
    World world;
    world_init(&world, seed);
    for (int i = 0; i < 30; i++) {
      if (i % 2)
        sim_api_lose_next(world.cluster->api, 2);
      else
        sim_api_fail_next(world.cluster->api, 2, 503);
      sim_cluster_run(world.cluster, world.cluster->host.now_ms + 900, is_led, &world);
      sim_cluster_run(world.cluster, world.cluster->host.now_ms + 900, NULL, NULL);
      (void)leader_of(&world);
    }
    ask(&world, 5);
    run_until(&world, all_run);
    world_deinit(&world);
  }
}

static void on_left(void *userdata) {
  *(bool *)userdata = true;
}

static void who_leaves_hands_over_at_once(void **state) {
  for (uint64_t seed = 1; seed <= 10; seed++) {
    World world;
    world_init(&world, seed);
    run_until(&world, is_led);
    int first = leader_of(&world);
    bool has_left = false;
    controller_leave(world.controllers[first], on_left, &has_left);
    sim_cluster_run(world.cluster, world.cluster->host.now_ms + 1000, NULL, NULL);
    assert_true(has_left);
    controller_free(TAKE(world.controllers[first]));
    uint64_t left_ms = world.cluster->host.now_ms;
    run_until(&world, is_led);
    assert_int_equal(leader_of(&world), 1 - first);
    assert_true(world.cluster->host.now_ms - left_ms < 5000); /* its next look, no more */
    world_deinit(&world);
  }
}

int main(void) {
  log_configure((LogConfig){.level = LOG_LEVEL_ERROR, .sink = sim_check_drop_log});
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(of_two_one_serves_and_when_it_dies_the_other_does),
      cmocka_unit_test(the_leader_may_die_in_the_middle_of_a_pass),
      cmocka_unit_test(lost_and_refused_answers_give_no_second_leader),
      cmocka_unit_test(who_leaves_hands_over_at_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
