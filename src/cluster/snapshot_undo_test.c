/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "cluster/snapshot.h"
#include "cluster/test_objects.h"

#include "base/random.h"

#include <inttypes.h>

#define SLICE_1G "nvidia.com/mig-1g.10gb"

enum { NODES = 3, PODS = 12 };

/* Three nodes with two GPUs each and a dozen waiting pods. */
typedef struct Cluster {
  Snapshot snapshot;
  Node nodes[NODES];
  Pod pods[PODS];
} Cluster;

static void cluster_deinit(Cluster *cluster) {
  snapshot_deinit(&cluster->snapshot);
}

static void cluster_init(Cluster *cluster) {
  static const char *const names[NODES] = {"n1", "n2", "n3"};
  static KeyValue labels[] = {{"nos.nebuly.com/gpu-partitioning", "mig"}};
  static KeyValue annotations[] = {{"facet.gpu/gpu-0", "GPU-a NVIDIA-A100-SXM4-80GB mig=on"},
                                   {"facet.gpu/gpu-1", "GPU-b NVIDIA-A30 mig=on"},
                                   {"facet.gpu/status-gpu-0", "1g.10gb@6:used,2g.20gb@4:free"},
                                   {"facet.gpu/status-gpu-1", ""}};
  static ResourceText allocatable[] = {{"cpu", "8"}, {"pods", "20"}};
  static ResourceText requests[] = {{SLICE_1G, "1"}, {"cpu", "100m"}, {"memory", "9E"}};
  static Container container = {.name = "c", .requests = {.items = requests, .count = COUNT_OF(requests)}};
  static PodCommon common = {.containers = {&container, 1}};
  *cluster = (Cluster){0};
  snapshot_init(&cluster->snapshot);
  for (int i = 0; i < NODES; i++) {
    cluster->nodes[i] = (Node){.meta = {.name = names[i],
                                        .labels = {labels, COUNT_OF(labels)},
                                        .annotations = {annotations, COUNT_OF(annotations)}},
                               .allocatable = {allocatable, COUNT_OF(allocatable)}};
    snapshot_add_node(&cluster->snapshot, &cluster->nodes[i], NULL, NULL);
  }
  for (int i = 0; i < PODS; i++) {
    cluster->pods[i] = (Pod){.common = &common};
    snapshot_add_pod(&cluster->snapshot, &cluster->pods[i], NULL);
  }
}

static int find_profile(const Cluster *cluster, int node, int gpu, const char *name) {
  return mig_model_find_profile(cluster->snapshot.nodes.items[node].gpus[gpu].model, name);
}

static void a_placed_slice_can_be_allocated(void **state) {
  CLEANUP(cluster_deinit) Cluster cluster;
  cluster_init(&cluster);
  SnapshotNode *node = &cluster.snapshot.nodes.items[0];
  assert_int_equal(snapshot_free_of(node, SLICE_1G), 0);
  snapshot_place(&cluster.snapshot, 0, 0, find_profile(&cluster, 0, 0, "1g.10gb"), 0);
  assert_int_equal(snapshot_free_of(node, SLICE_1G), 1);
  assert_int_equal(node->gpus[0].layout->count, 3);
  assert_int_equal(node->gpus[0].existing_starts, 1 << 4 | 1 << 6);
  snapshot_place(&cluster.snapshot, 0, 1, find_profile(&cluster, 0, 1, "4g.24gb"), 0);
  assert_int_equal(snapshot_free_of(node, "nvidia.com/mig-4g.24gb"), 1);
}

/* Equal layouts are one, so a change on one GPU must be no change on the others. */
static void a_layout_that_two_gpus_share_changes_for_one(void **state) {
  CLEANUP(cluster_deinit) Cluster cluster;
  cluster_init(&cluster);
  SnapshotNode *first = &cluster.snapshot.nodes.items[0], *second = &cluster.snapshot.nodes.items[1];
  int profile = find_profile(&cluster, 0, 0, "1g.10gb");
  const MigLayout *before = first->gpus[0].layout;
  assert_ptr_equal(before, second->gpus[0].layout);
  snapshot_place(&cluster.snapshot, 0, 0, profile, 0);
  assert_int_equal(first->gpus[0].layout->count, 3);
  assert_int_equal(second->gpus[0].layout->count, 2);
  snapshot_place(&cluster.snapshot, 1, 0, profile, 0);
  assert_ptr_equal(first->gpus[0].layout, second->gpus[0].layout);
  snapshot_rollback(&cluster.snapshot, 0);
  assert_ptr_equal(first->gpus[0].layout, before);
  assert_ptr_equal(second->gpus[0].layout, before);
}

static void a_bound_pod_takes_its_requests(void **state) {
  CLEANUP(cluster_deinit) Cluster cluster;
  cluster_init(&cluster);
  snapshot_bind(&cluster.snapshot, 3, 1);
  const SnapshotNode *node = &cluster.snapshot.nodes.items[1];
  assert_int_equal(cluster.snapshot.pods.items[3].node, 1);
  assert_int_equal(node->pod_count, 1);
  assert_int_equal(resources_get(&node->requested, "cpu"), 100);
  assert_int_equal(resources_get(&node->requested, SLICE_1G), 2); /* the one in use is somebody else's */
}

static void a_rollback_restores_sums_that_had_saturated(void **state) {
  CLEANUP(cluster_deinit) Cluster cluster;
  cluster_init(&cluster);
  snapshot_bind(&cluster.snapshot, 0, 0);
  int64_t before = resources_get(&cluster.snapshot.nodes.items[0].requested, "memory");
  size_t mark = snapshot_fork(&cluster.snapshot);
  snapshot_bind(&cluster.snapshot, 1, 0);
  assert_int_equal(resources_get(&cluster.snapshot.nodes.items[0].requested, "memory"), INT64_MAX);
  snapshot_rollback(&cluster.snapshot, mark);
  assert_int_equal(resources_get(&cluster.snapshot.nodes.items[0].requested, "memory"), before);
}

static void a_committed_fork_is_undone_by_the_one_around_it(void **state) {
  CLEANUP(cluster_deinit) Cluster cluster;
  cluster_init(&cluster);
  uint64_t before = snapshot_hash(&cluster.snapshot);
  size_t outer = snapshot_fork(&cluster.snapshot);
  size_t inner = snapshot_fork(&cluster.snapshot);
  snapshot_place(&cluster.snapshot, 2, 1, find_profile(&cluster, 2, 1, "2g.12gb"), 2);
  snapshot_commit(&cluster.snapshot, inner);
  assert_int_not_equal(snapshot_hash(&cluster.snapshot), before);
  snapshot_rollback(&cluster.snapshot, outer);
  assert_int_equal(snapshot_hash(&cluster.snapshot), before);
}

static void a_removed_slice_is_gone_until_the_rollback(void **state) {
  CLEANUP(cluster_deinit) Cluster cluster;
  cluster_init(&cluster);
  const SnapshotNode *node = &cluster.snapshot.nodes.items[0];
  uint64_t before = snapshot_hash(&cluster.snapshot);
  size_t mark = snapshot_fork(&cluster.snapshot);
  assert_int_equal(snapshot_withdrawable(node, &node->gpus[0]), 1 << 4); /* the other one is in use */
  snapshot_remove(&cluster.snapshot, 0, 0, 4);
  assert_int_equal(snapshot_free_of(node, "nvidia.com/mig-2g.20gb"), 0);
  assert_int_equal(node->gpus[0].layout->count, 1);
  snapshot_place(&cluster.snapshot, 0, 0, find_profile(&cluster, 0, 0, "2g.20gb"), 4);
  assert_int_equal(snapshot_withdrawable(node, &node->gpus[0]), 0); /* what was placed does not exist */
  assert_int_not_equal(snapshot_hash(&cluster.snapshot), before);
  snapshot_rollback(&cluster.snapshot, mark);
  assert_int_equal(snapshot_hash(&cluster.snapshot), before);
}

/* A rollback of nothing changes nothing, and the hash sees each kind of change. */
static void every_kind_of_change_changes_the_hash(void **state) {
  CLEANUP(cluster_deinit) Cluster cluster;
  cluster_init(&cluster);
  uint64_t start = snapshot_hash(&cluster.snapshot);
  snapshot_rollback(&cluster.snapshot, snapshot_fork(&cluster.snapshot));
  assert_int_equal(snapshot_hash(&cluster.snapshot), start);
  snapshot_place(&cluster.snapshot, 0, 0, find_profile(&cluster, 0, 0, "1g.10gb"), 0);
  uint64_t placed = snapshot_hash(&cluster.snapshot);
  assert_int_not_equal(placed, start);
  snapshot_bind(&cluster.snapshot, 0, 0);
  assert_int_not_equal(snapshot_hash(&cluster.snapshot), placed);
}

static void place_something(Cluster *cluster, Random *random) {
  int node = (int)random_below(random, NODES), gpu = (int)random_below(random, 2);
  const MigLayout *layout = cluster->snapshot.nodes.items[node].gpus[gpu].layout;
  int profile = (int)random_below(random, layout->model->profile_count);
  uint32_t starts = mig_layout_free_starts(layout, profile);
  if (starts)
    snapshot_place(&cluster->snapshot, node, gpu, profile, __builtin_ctz(starts));
}

static void remove_something(Cluster *cluster, Random *random) {
  int node = (int)random_below(random, NODES);
  const SnapshotNode *from = &cluster->snapshot.nodes.items[node];
  uint32_t starts = snapshot_withdrawable(from, &from->gpus[0]);
  if (starts)
    snapshot_remove(&cluster->snapshot, node, 0, __builtin_ctz(starts));
}

static void bind_something(Cluster *cluster, Random *random) {
  int pod = (int)random_below(random, PODS);
  if (cluster->snapshot.pods.items[pod].node < 0)
    snapshot_bind(&cluster->snapshot, pod, (int)random_below(random, NODES));
}

/* Changes, forks and ends forks at random to the given depth; every rollback must find the hash of its fork.
 */
static void play(Cluster *cluster, Random *random, int depth, uint64_t seed) {
  uint64_t before = snapshot_hash(&cluster->snapshot);
  size_t mark = snapshot_fork(&cluster->snapshot);
  for (uint64_t steps = random_below(random, 8); steps > 0; steps--) {
    uint64_t choice = random_below(random, 6);
    if (choice < 2)
      place_something(cluster, random);
    else if (choice < 4)
      bind_something(cluster, random);
    else if (choice < 5)
      remove_something(cluster, random);
    else if (depth > 0)
      play(cluster, random, depth - 1, seed);
  }
  if (random_below(random, 3) == 0) {
    snapshot_commit(&cluster->snapshot, mark);
    return;
  }
  snapshot_rollback(&cluster->snapshot, mark);
  if (snapshot_hash(&cluster->snapshot) != before)
    fail_msg("seed=%" PRIu64 ": a rollback at depth %d did not restore the snapshot", seed, depth);
}

static void random_forks_are_restored_exactly(void **state) {
  for (uint64_t seed = 1; seed <= 300; seed++) {
    CLEANUP(cluster_deinit) Cluster cluster;
    cluster_init(&cluster);
    uint64_t before = snapshot_hash(&cluster.snapshot);
    Random random = {.state = seed};
    for (int round = 0; round < 10; round++)
      play(&cluster, &random, 4, seed);
    snapshot_rollback(&cluster.snapshot, 0);
    if (snapshot_hash(&cluster.snapshot) != before)
      fail_msg("seed=%" PRIu64 ": rolling back everything did not restore the snapshot", seed);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_placed_slice_can_be_allocated),
      cmocka_unit_test(a_layout_that_two_gpus_share_changes_for_one),
      cmocka_unit_test(a_bound_pod_takes_its_requests),
      cmocka_unit_test(a_removed_slice_is_gone_until_the_rollback),
      cmocka_unit_test(a_rollback_restores_sums_that_had_saturated),
      cmocka_unit_test(a_committed_fork_is_undone_by_the_one_around_it),
      cmocka_unit_test(every_kind_of_change_changes_the_hash),
      cmocka_unit_test(random_forks_are_restored_exactly),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
