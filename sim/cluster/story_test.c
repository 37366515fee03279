/* SPDX-License-Identifier: Apache-2.0 */
/* The whole story on virtual time: pods wait, the controller plans, agents cut, the scheduler binds, pods
 * run. */
#include "base/test.h"

#include "base/log.h"
#include "base/text.h"
#include "sim/cluster/cluster.h"

typedef struct World {
  SimCluster *cluster;
  size_t expected;
} World;

static bool all_run(void *userdata) {
  const World *world = userdata;
  return sim_cluster_count_pods(world->cluster, "Running") == world->expected;
}

static void five_pods_run(void **state) {
  World world = {.expected = 5};
  Error err = {0};
  SimClusterOptions options = sim_cluster_defaults();
  assert_ok(sim_cluster_new(&options, &world.cluster, &err));
  assert_true(sim_cluster_settle(world.cluster));
  assert_ok(sim_cluster_create_pods(world.cluster, "1g.10gb", 5, &err));
  assert_true(sim_cluster_run(world.cluster, 60000, all_run, &world));
  print_message("%llu ms\n", (unsigned long long)world.cluster->host.now_ms);
  sim_cluster_free(world.cluster);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(five_pods_run)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
