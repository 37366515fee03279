/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster.h"

#include "base/random.h"

enum { DEPLOYMENTS = 50, PODS_PER_NODE = 10 };

/* Out of ten Deployments so many ask this profile. */
static const char *const wishes[] = {"1g.10gb", "1g.10gb", "2g.20gb", "2g.20gb", "3g.40gb",
                                     "3g.40gb", "4g.40gb", "7g.80gb", "7g.80gb", "7g.80gb"};
static const char *const used_slices[] = {
    "", "1g.10gb@2:used", "1g.10gb@0:used,2g.20gb@4:used", "2g.20gb@2:used", "3g.40gb@4:used", ""};

static void set(KeyValues *list, const char *key, const char *value) {
  list->items[list->count++] = (KeyValue){.key = key, .value = value};
}

static void add_gpu(BenchCluster *cluster, Node *node, int index, Random *random) {
  KeyValues *annotations = &node->meta.annotations;
  set(annotations, arena_format(&cluster->arena, MIG_ANNOTATION_IDENTITY_PREFIX "%d", index),
      arena_format(&cluster->arena, "GPU-%s-%d NVIDIA-A100-SXM4-80GB mig=on", node->meta.name, index));
  set(annotations, arena_format(&cluster->arena, MIG_ANNOTATION_STATUS_GPU_PREFIX "%d", index),
      used_slices[random_below(random, COUNT_OF(used_slices))]);
}

/* No room, and free slices of profiles that few or none ask for. */
static const char *const cut_slices[] = {"1g.20gb@0:free,1g.20gb@2:free,1g.20gb@4:free,1g.20gb@6:free",
                                         "1g.20gb@0:used,1g.20gb@2:free,1g.20gb@4:free,1g.20gb@6:free",
                                         "4g.40gb@0:free,1g.20gb@4:used,1g.20gb@6:free",
                                         "1g.20gb@0:free,1g.20gb@2:used,1g.20gb@4:free,1g.10gb+me@6:free"};

static void cut_gpus(Node *node, Random *random) {
  for (size_t i = 0; i < node->meta.annotations.count; i++)
    if (mig_key_parse_index(node->meta.annotations.items[i].key, MIG_ANNOTATION_STATUS_GPU_PREFIX) >= 0)
      node->meta.annotations.items[i].value = cut_slices[random_below(random, COUNT_OF(cut_slices))];
}

static void add_node(BenchCluster *cluster, int number, int gpu_count, Random *random) {
  static KeyValue allocatable[] = {{"cpu", "128"}, {"memory", "1Ti"}, {"pods", "110"}};
  Arena *arena = &cluster->arena;
  Node *node = array_push(&cluster->nodes);
  node->meta.name = arena_format(arena, "node-%05d", number);
  node->meta.labels.items = arena_alloc(arena, 2 * sizeof(KeyValue));
  set(&node->meta.labels, "kubernetes.io/hostname", node->meta.name);
  set(&node->meta.labels, MIG_LABEL_PARTITIONING, "mig");
  node->meta.annotations.items = arena_alloc(arena, (size_t)gpu_count * 2 * sizeof(KeyValue));
  for (int i = 0; i < gpu_count; i++)
    add_gpu(cluster, node, i, random);
  node->allocatable.items = allocatable;
  node->allocatable.count = COUNT_OF(allocatable);
}

static void add_pod(BenchCluster *cluster, int number, const char *const *profiles, Random *random) {
  static Condition unschedulable = {.type = "PodScheduled", .status = "False", .reason = "Unschedulable"};
  Arena *arena = &cluster->arena;
  int deployment = (int)random_below(random, DEPLOYMENTS);
  Pod *pod = array_push(&cluster->pods);
  pod->meta.name = arena_format(arena, "web-%d-%06d", deployment, number);
  pod->meta.namespace_ = "bench";
  pod->meta.creation_time = 1700000000 + number;
  pod->phase = "Pending";
  pod->conditions.items = &unschedulable;
  pod->conditions.count = 1;
  pod->containers.items = arena_alloc(arena, sizeof *pod->containers.items);
  pod->containers.count = 1;
  Container *container = &pod->containers.items[0];
  container->requests.items = arena_alloc(arena, 3 * sizeof(KeyValue));
  KeyValues requests = {.items = container->requests.items};
  set(&requests, "cpu", "2");
  set(&requests, "memory", "8Gi");
  set(&requests, arena_format(arena, MIG_RESOURCE_PREFIX "%s", profiles[deployment]), "1");
  container->requests.count = requests.count;
}

void bench_cluster_init(BenchCluster *cluster, int node_count, int gpu_count, uint64_t seed) {
  Random random = {.state = seed};
  const char *profiles[DEPLOYMENTS];
  *cluster = (BenchCluster){0};
  for (size_t i = 0; i < DEPLOYMENTS; i++)
    profiles[i] = wishes[i % COUNT_OF(wishes)];
  for (int i = 0; i < node_count; i++)
    add_node(cluster, i, gpu_count, &random);
  for (int i = 0; i < node_count * PODS_PER_NODE; i++)
    add_pod(cluster, i, profiles, &random);
}

void bench_cluster_cut_all(BenchCluster *cluster, uint64_t seed) {
  Random random = {.state = seed};
  for (size_t i = 0; i < cluster->nodes.count; i++)
    cut_gpus(&cluster->nodes.items[i], &random);
}

void bench_cluster_deinit(BenchCluster *cluster) {
  array_deinit(&cluster->nodes);
  array_deinit(&cluster->pods);
  arena_deinit(&cluster->arena);
}

void bench_cluster_snapshot(const BenchCluster *cluster, Snapshot *ret_snapshot) {
  snapshot_init(ret_snapshot);
  for (size_t i = 0; i < cluster->nodes.count; i++)
    snapshot_add_node(ret_snapshot, &cluster->nodes.items[i], NULL, NULL);
  for (size_t i = 0; i < cluster->pods.count; i++)
    snapshot_add_pod(ret_snapshot, &cluster->pods.items[i], NULL);
}
