/* SPDX-License-Identifier: Apache-2.0 */
/* The second act: the GPUs are cut into small slices, some of them used, and pods of other profiles come.
 * Free slices go, used ones stay, and no reservation is left. */
#include "base/test.h"

#include "base/log.h"
#include "sim/cluster/check.h"

enum { LIMIT_MS = 30000, REST_MS = 20000 };

typedef struct World {
  SimCluster *cluster;
  size_t expected; /* pods that shall run */
  size_t rejected;
} World;

static void on_change(void *userdata, const SimApiChange *change) {
  World *world = userdata;
  Error err;
  assert_ok(sim_check_layouts(world->cluster, &err));
  assert_ok(sim_check_held(world->cluster, &err));
  assert_ok(sim_check_offers(world->cluster, &err));
}

static void on_rejected(void *userdata, const SimRejection *rejection) {
  ((World *)userdata)->rejected++;
}

static void world_init(World *world, const SimClusterOptions *options) {
  Error err = {0};
  *world = (World){0};
  assert_ok(sim_cluster_new(options, &world->cluster, &err));
  world->cluster->on_change = on_change;
  world->cluster->on_rejected = on_rejected;
  world->cluster->change_userdata = world->cluster->rejected_userdata = world;
  assert_true(sim_cluster_settle(world->cluster));
}

static void world_deinit(World *world) {
  assert_int_equal(world->rejected, 0);
  sim_cluster_free(world->cluster);
}

static void pass_time(World *world, uint64_t duration_ms) {
  sim_cluster_run(world->cluster, world->cluster->host.now_ms + duration_ms, NULL, NULL);
}

static bool all_run(void *userdata) {
  const World *world = userdata;
  return sim_cluster_count_pods(world->cluster, "Running") == world->expected;
}

/* Returns how long it took until all pods ran. */
static uint64_t await_all(World *world) {
  uint64_t began_ms = world->cluster->host.now_ms;
  if (!sim_cluster_run(world->cluster, began_ms + LIMIT_MS, all_run, world))
    fail_msg("seed=%llu: %zu of %zu pods run", (unsigned long long)world->cluster->options.seed,
             sim_cluster_count_pods(world->cluster, "Running"), world->expected);
  return world->cluster->host.now_ms - began_ms;
}

static void ask(World *world, const char *profile, int count) {
  Error err = {0};
  assert_ok(sim_cluster_create_pods(world->cluster, profile, count, &err));
  world->expected += (size_t)count;
}

static void leave(World *world, int first, int last) {
  for (int i = first; i <= last; i++) {
    char name[16];
    snprintf(name, sizeof name, "p-%d", i);
    sim_api_delete_pod(world->cluster->api, SIM_CLUSTER_NAMESPACE, name);
    world->expected--;
  }
  pass_time(world, REST_MS);
}

static void assert_at_rest(World *world) {
  Error err = {0};
  pass_time(world, REST_MS);
  assert_ok(sim_check_rest(world->cluster, &err));
  assert_ok(sim_check_served(world->cluster, &err));
}

/* Seven pods, of which those numbered so leave again. */
static void cut_small(World *world, int first, int last) {
  ask(world, "1g.10gb", 7);
  await_all(world);
  leave(world, first, last);
  assert_int_equal(sim_check_count_cut(world->cluster, "1g.10gb"), 7);
}

static void free_slices_are_re_cut_and_used_ones_stay(void **state) {
  World world;
  SimClusterOptions options = sim_cluster_defaults();
  world_init(&world, &options);
  cut_small(&world, 1, 7);
  ask(&world, "1g.10gb", 2);
  await_all(&world);
  ask(&world, "3g.40gb", 1);
  assert_in_range(await_all(&world), 1000, 4000);
  assert_true(sim_check_count_cut(world.cluster, "1g.10gb") >= 2);
  assert_int_equal(sim_check_count_cut(world.cluster, "3g.40gb"), 1);
  assert_at_rest(&world);
  world_deinit(&world);
}

static void a_whole_gpu_comes_out_of_seven_small_slices(void **state) {
  for (uint64_t seed = 1; seed <= 20; seed++) {
    World world;
    SimClusterOptions options = sim_cluster_defaults();
    options.seed = seed;
    options.api.jitter_ms = 60;
    options.socket_jitter_ms = 20;
    world_init(&world, &options);
    cut_small(&world, 1, 7);
    ask(&world, "7g.80gb", 1);
    await_all(&world);
    assert_int_equal(sim_check_count_cut(world.cluster, "1g.10gb"), 0);
    assert_at_rest(&world);
    world_deinit(&world);
  }
}

static void nothing_is_taken_from_pods_whatever_comes(void **state) {
  World world;
  SimClusterOptions options = sim_cluster_defaults();
  Error err = {0};
  world_init(&world, &options);
  cut_small(&world, 1, 1);
  assert_ok(sim_cluster_create_pods(world.cluster, "7g.80gb", 1, &err));
  assert_ok(sim_cluster_create_pods(world.cluster, "2g.20gb", 1, &err));
  assert_at_rest(&world);
  assert_true(all_run(&world));
  assert_int_equal(sim_check_count_cut(world.cluster, "1g.10gb"), 7);
  world_deinit(&world);
}

static void several_nodes_are_re_cut_at_once(void **state) {
  World world;
  SimClusterOptions options = sim_cluster_defaults();
  options.node_count = 3;
  world_init(&world, &options);
  ask(&world, "1g.10gb", 21);
  await_all(&world);
  leave(&world, 1, 21);
  ask(&world, "3g.40gb", 6);
  assert_in_range(await_all(&world), 1000, 6000);
  assert_at_rest(&world);
  world_deinit(&world);
}

/* ---- trouble in the middle ---- */

typedef void Strike(World *world);

static void strike_agent(World *world) {
  sim_cluster_kill_agent(world->cluster, 0);
  sim_cluster_start_agent(world->cluster, 0);
}

static void strike_controller(World *world) {
  sim_cluster_kill_controller(world->cluster);
  sim_cluster_start_controller(world->cluster);
}

static void strike_watches(World *world) {
  sim_api_compact(world->cluster->api);
  sim_api_cut_watches(world->cluster->api);
}

static void strike_requests(World *world) {
  sim_api_fail_next(world->cluster->api, 3, 503);
}

static void strike_answers(World *world) {
  sim_api_lose_next(world->cluster->api, 3);
}

/* Nobody else wants anything meanwhile, so nobody is in the way of the plugin's absence but the pod itself.
 */
static void a_re_cut_is_finished_after_whatever_strikes_in_the_middle(void **state) {
  static Strike *const strikes[] = {strike_agent, strike_controller, strike_watches, strike_requests,
                                    strike_answers};
  for (size_t i = 0; i < COUNT_OF(strikes); i++)
    for (uint64_t at_ms = 200; at_ms < 1000; at_ms += 31) {
      World world;
      SimClusterOptions options = sim_cluster_defaults();
      options.seed = at_ms;
      world_init(&world, &options);
      cut_small(&world, 1, 7);
      ask(&world, "3g.40gb", 1);
      pass_time(&world, at_ms);
      strikes[i](&world);
      pass_time(&world, REST_MS);
      world.expected = sim_cluster_count_pods(world.cluster, "Running"); /* it may have come too early */
      assert_int_equal(world.expected + world.rejected, 1);
      assert_at_rest(&world);
      world.rejected = 0;
      world_deinit(&world);
    }
}

int main(void) {
  log_configure((LogConfig){.level = LOG_LEVEL_ERROR, .sink = sim_check_drop_log});
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(free_slices_are_re_cut_and_used_ones_stay),
      cmocka_unit_test(a_whole_gpu_comes_out_of_seven_small_slices),
      cmocka_unit_test(nothing_is_taken_from_pods_whatever_comes),
      cmocka_unit_test(several_nodes_are_re_cut_at_once),
      cmocka_unit_test(a_re_cut_is_finished_after_whatever_strikes_in_the_middle),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
