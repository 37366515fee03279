/* SPDX-License-Identifier: Apache-2.0 */
/* The whole story on virtual time: pods wait, the controller plans, agents cut, the scheduler binds, pods run
 * - also with other delays, and with every program killed in the middle.
 *
 * Whatever happens, after each change of an object no node offers more slices than its GPUs have; in the end
 * every running pod holds a slice of its own that exists, and every GPU's layout is legal. */
#include "base/test.h"

#include "base/log.h"
#include "base/text.h"
#include "sim/cluster/check.h"

enum { LIMIT_MS = 60000, QUIET_MS = 6000 };

typedef struct World {
  SimCluster *cluster;
  size_t expected; /* pods that shall run */
  uint64_t began_ms;
} World;

/* ---- looking ---- */

static const json_t *node_of(const SimCluster *cluster, int i) {
  return sim_api_store_find(sim_api_store(cluster->api), SIM_API_NODES, cluster->nodes[i].name);
}

static int offered(const json_t *node, const char *resource) {
  const json_t *amounts = json_object_get(json_object_get(node, "status"), "allocatable");
  const char *text = json_string_value(json_object_get(amounts, resource));
  return text ? (int)strtol(text, NULL, 10) : 0;
}

static void check(SimCluster *cluster) {
  Error err;
  assert_ok(sim_check_layouts(cluster, &err));
  assert_ok(sim_check_offers(cluster, &err));
  assert_ok(sim_check_held(cluster, &err));
}

static void on_change(void *userdata, const SimApiChange *change) {
  if (change->kind != SIM_API_EVENTS)
    check(userdata);
}

static const char *slice_of(const SimCluster *cluster, const json_t *pod) {
  for (int i = 0; i < cluster->node_count; i++)
    if (strcmp(cluster->nodes[i].name, sim_check_text(pod, "spec", "nodeName")) == 0)
      return string_or_empty(sim_disk_find_env(
          &cluster->nodes[i].disk, sim_check_text(pod, "metadata", "uid"), "NVIDIA_VISIBLE_DEVICES"));
  return "";
}

/* Every running pod has a slice of its own. */
static void check_slices(const SimCluster *cluster) {
  const Map *pods = &sim_api_store(cluster->api)->objects[SIM_API_PODS];
  CLEANUP(map_deinit) Map slices = {0};
  for (size_t i = 0; i < pods->count; i++) {
    const json_t *pod = pods->entries[i].value;
    if (strcmp(sim_check_text(pod, "status", "phase"), "Running") != 0)
      continue;
    const char *slice = slice_of(cluster, pod);
    assert_true(string_has_prefix(slice, "MIG-"));
    assert_null(map_put(&slices, slice, (void *)slice));
  }
}

static const char *find_note(const SimCluster *cluster, const char *pod, const char *reason) {
  const Map *events = &sim_api_store(cluster->api)->objects[SIM_API_EVENTS];
  const char *note = NULL;
  for (size_t i = 0; i < events->count; i++) {
    const json_t *event = events->entries[i].value;
    if (strcmp(sim_check_text(event, "regarding", "name"), pod) == 0 &&
        strcmp(string_or_empty(json_string_value(json_object_get(event, "reason"))), reason) == 0)
      note = json_string_value(json_object_get(event, "note"));
  }
  return note;
}

/* ---- running ---- */

static bool all_run(void *userdata) {
  const World *world = userdata;
  return sim_cluster_count_pods(world->cluster, "Running") == world->expected;
}

static void world_init(World *world, const SimClusterOptions *options) {
  Error err = {0};
  *world = (World){0};
  assert_ok(sim_cluster_new(options, &world->cluster, &err));
  world->cluster->on_change = on_change;
  world->cluster->change_userdata = world->cluster;
  assert_true(sim_cluster_settle(world->cluster));
  world->began_ms = world->cluster->host.now_ms;
}

static void world_deinit(World *world) {
  check_slices(world->cluster);
  check(world->cluster);
  sim_cluster_free(world->cluster);
}

static void ask(World *world, const char *profile, int count) {
  Error err = {0};
  assert_ok(sim_cluster_create_pods(world->cluster, profile, count, &err));
  world->expected += (size_t)count;
}

static void pass_time(World *world, uint64_t duration_ms) {
  sim_cluster_run(world->cluster, world->cluster->host.now_ms + duration_ms, NULL, NULL);
}

static void assert_all_run(World *world) {
  if (!sim_cluster_run(world->cluster, world->cluster->host.now_ms + LIMIT_MS, all_run, world))
    fail_msg("seed=%llu: %zu of %zu pods run, %zu failed", (unsigned long long)world->cluster->options.seed,
             sim_cluster_count_pods(world->cluster, "Running"), world->expected,
             sim_cluster_count_pods(world->cluster, "Failed"));
}

static SimClusterOptions slow_options(uint64_t seed) {
  SimClusterOptions options = sim_cluster_defaults();
  options.seed = seed;
  options.api = (SimApiOptions){.latency_ms = 1, .jitter_ms = 60};
  options.socket_jitter_ms = 20;
  return options;
}

/* ---- the story ---- */

static void five_pods_run_and_the_left_over_is_offered(void **state) {
  World world;
  SimClusterOptions options = sim_cluster_defaults();
  world_init(&world, &options);
  ask(&world, "1g.10gb", 5);
  assert_all_run(&world);
  uint64_t took_ms = world.cluster->host.now_ms - world.began_ms;
  assert_in_range(took_ms, 1000, 2000); /* five creations of 160 ms, the batch window, one container start */
  pass_time(&world, 1000);
  assert_int_equal(offered(node_of(world.cluster, 0), "nvidia.com/mig-1g.10gb"), 5);
  assert_int_equal(offered(node_of(world.cluster, 0), "nvidia.com/mig-2g.20gb"), 1);
  assert_string_equal(find_note(world.cluster, "p-1", "TriggeredRepartition"),
                      "Creating slices on node gpu-1 for this pod: 1 x nvidia.com/mig-1g.10gb");
  ask(&world, "2g.20gb", 1);
  assert_all_run(&world);
  world_deinit(&world);
}

static void a_demand_that_cannot_be_met_is_told_why(void **state) {
  World world;
  SimClusterOptions options = sim_cluster_defaults();
  world_init(&world, &options);
  ask(&world, "1g.10gb", 5);
  assert_all_run(&world);
  Error err = {0};
  assert_ok(sim_cluster_create_pods(world.cluster, "7g.80gb", 1, &err));
  pass_time(&world, QUIET_MS);
  assert_true(all_run(&world));
  assert_int_equal(sim_cluster_count_pods(world.cluster, "Pending"), 1);
  const char *note = find_note(world.cluster, "p-6", "NotTriggeredRepartition");
  assert_non_null(note);
  assert_non_null(strstr(note, "7g.80gb"));
  world_deinit(&world);
}

static void the_story_holds_for_other_delays(void **state) {
  for (uint64_t seed = 1; seed <= 40; seed++) {
    World world;
    SimClusterOptions options = slow_options(seed);
    world_init(&world, &options);
    ask(&world, "1g.10gb", 5);
    assert_all_run(&world);
    pass_time(&world, 2000);
    assert_int_equal(offered(node_of(world.cluster, 0), "nvidia.com/mig-2g.20gb"), 1);
    world_deinit(&world);
  }
}

static void mixed_demand_on_several_nodes_is_met(void **state) {
  for (uint64_t seed = 1; seed <= 10; seed++) {
    World world;
    SimClusterOptions options = slow_options(seed);
    options.node_count = 3;
    options.machine = "2xH100-SXM-80GB";
    world_init(&world, &options);
    ask(&world, "1g.10gb", 12);
    ask(&world, "2g.20gb", 5);
    pass_time(&world, 700);
    ask(&world, "7g.80gb", 1);
    ask(&world, "3g.40gb", 1);
    assert_all_run(&world);
    world_deinit(&world);
  }
}

/* ---- trouble in the middle ---- */

/* Kills and restarts something at that moment of the story. */
typedef void Strike(SimCluster *cluster);

static void strike_kubelet(SimCluster *cluster) {
  sim_cluster_kill_kubelet(cluster, 0);
  sim_cluster_start_kubelet(cluster, 0);
}

static void strike_agent(SimCluster *cluster) {
  sim_cluster_kill_agent(cluster, 0);
  sim_cluster_start_agent(cluster, 0);
}

static void strike_controller(SimCluster *cluster) {
  sim_cluster_kill_controller(cluster);
  sim_cluster_start_controller(cluster);
}

static void strike_watches(SimCluster *cluster) {
  sim_api_cut_watches(cluster->api);
}

static void strike_history(SimCluster *cluster) {
  sim_api_compact(cluster->api);
  sim_api_cut_watches(cluster->api);
}

static void strike_requests(SimCluster *cluster) {
  sim_api_fail_next(cluster->api, 3, 503);
}

static void strike_answers(SimCluster *cluster) {
  sim_api_lose_next(cluster->api, 3);
}

/* Pods that the kubelet rejected because the plugin was away for a moment, replaced as a Deployment does. */
static size_t replace_failed(World *world) {
  size_t failed = sim_cluster_count_pods(world->cluster, "Failed");
  Error err = {0};
  assert_ok(sim_cluster_create_pods(world->cluster, "1g.10gb", (int)failed, &err));
  return failed;
}

static size_t play_with(Strike *strike, uint64_t at_ms) {
  World world;
  SimClusterOptions options = sim_cluster_defaults();
  options.seed = at_ms + 1;
  world_init(&world, &options);
  ask(&world, "1g.10gb", 5);
  pass_time(&world, at_ms);
  strike(world.cluster);
  pass_time(&world, QUIET_MS);
  size_t failed = replace_failed(&world);
  assert_all_run(&world);
  pass_time(&world, 15000);
  assert_true(offered(node_of(world.cluster, 0), "nvidia.com/mig-1g.10gb") >= 5);
  world_deinit(&world);
  return failed;
}

static void no_pod_fails_whatever_happens_to_the_api_server_or_the_controller(void **state) {
  static Strike *const strikes[] = {strike_controller, strike_watches, strike_history, strike_requests,
                                    strike_answers};
  for (size_t i = 0; i < COUNT_OF(strikes); i++)
    for (uint64_t at_ms = 0; at_ms < 1500; at_ms += 37)
      assert_int_equal(play_with(strikes[i], at_ms), 0);
}

/* What they cannot help: a pod that comes while the kubelet has no plugin is lost. */
static void the_story_goes_on_after_the_agent_or_the_kubelet_was_killed(void **state) {
  static Strike *const strikes[] = {strike_agent, strike_kubelet};
  size_t failed = 0, plays = 0;
  for (size_t i = 0; i < COUNT_OF(strikes); i++)
    for (uint64_t at_ms = 0; at_ms < 1500; at_ms += 13, plays++)
      failed += play_with(strikes[i], at_ms);
  print_message("# %zu plays, %zu pods came while there was no plugin\n", plays, failed);
}

static void a_node_that_never_answers_delays_no_other(void **state) {
  for (uint64_t seed = 1; seed <= 5; seed++) {
    World world;
    SimClusterOptions options = slow_options(seed);
    options.node_count = 2;
    options.leftover = PLAN_LEFTOVER_NONE; /* what is cut on a guess would stay in the way */
    world_init(&world, &options);
    sim_cluster_kill_agent(world.cluster, 0);
    ask(&world, "1g.10gb", 10); /* seven fit on one GPU */
    pass_time(&world, 5000);
    size_t early = sim_cluster_count_pods(world.cluster, "Running");
    assert_in_range(early, 3, 7);
    pass_time(&world, 60000);
    assert_int_equal(sim_cluster_count_pods(world.cluster, "Running"), 7);
    assert_int_equal(sim_cluster_count_pods(world.cluster, "Failed"), 0);
    sim_cluster_start_agent(world.cluster, 0);
    assert_all_run(&world);
    world_deinit(&world);
  }
}

int main(void) {
  log_configure((LogConfig){.level = LOG_LEVEL_ERROR, .sink = sim_check_drop_log});
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(five_pods_run_and_the_left_over_is_offered),
      cmocka_unit_test(a_demand_that_cannot_be_met_is_told_why),
      cmocka_unit_test(the_story_holds_for_other_delays),
      cmocka_unit_test(mixed_demand_on_several_nodes_is_met),
      cmocka_unit_test(no_pod_fails_whatever_happens_to_the_api_server_or_the_controller),
      cmocka_unit_test(the_story_goes_on_after_the_agent_or_the_kubelet_was_killed),
      cmocka_unit_test(a_node_that_never_answers_delays_no_other),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
