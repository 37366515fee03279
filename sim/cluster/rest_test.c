/* SPDX-License-Identifier: Apache-2.0 */
/* What an agent asks of the API server where nothing happens: ten thousand of them share one. */
#include "base/test.h"

#include "base/log.h"
#include "sim/cluster/check.h"

enum { MINUTE_MS = 60000, SETTLED_MS = 10 * MINUTE_MS, REST_MINUTES = 24 * 60 };

static void silence(void *userdata, LogLevel level, const char *component, const char *message,
                    const char *fields) {
}

static void run_for(SimCluster *cluster, uint64_t ms) {
  sim_cluster_run(cluster, cluster->host.now_ms + ms, NULL, NULL);
}

/* A running pod holds one of its slices, so that there is something to look after. */
static void an_agent_at_rest_asks_for_nothing_but_its_watches_again(void **state) {
  CLEANUP(sim_cluster_freep) SimCluster *cluster = NULL;
  SimClusterOptions options = sim_cluster_defaults();
  Error err = {0};
  log_configure((LogConfig){.level = LOG_LEVEL_ERROR, .sink = silence});
  assert_ok(sim_cluster_new(&options, &cluster, &err));
  assert_true(sim_cluster_settle(cluster));
  assert_ok(sim_cluster_create_pod(cluster, "1g.10gb", 0, &err));
  run_for(cluster, SETTLED_MS);
  assert_int_equal(sim_cluster_count_pods(cluster, "Running"), 1);
  const SimApiLine before = cluster->nodes[0].line;
  run_for(cluster, (uint64_t)REST_MINUTES * MINUTE_MS);
  const SimApiLine after = cluster->nodes[0].line;
  uint64_t watches = after.watches - before.watches;
  print_message("# %llu requests in %d minutes, of which %llu begin a watch again\n",
                (unsigned long long)(after.requests - before.requests), REST_MINUTES,
                (unsigned long long)watches);
  assert_int_equal(after.requests - before.requests, watches);
  assert_true(watches <= 2 * REST_MINUTES / 5); /* two watches, each at least five minutes long */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_agent_at_rest_asks_for_nothing_but_its_watches_again),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
