/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster.h"

#include "base/random.h"

enum { DEPLOYMENTS = 50, PODS_PER_NODE = 10, REQUESTS = 3 };

/* Out of ten Deployments so many ask this profile. */
static const char *const wishes[] = {"1g.10gb", "1g.10gb", "2g.20gb", "2g.20gb", "3g.40gb",
                                     "3g.40gb", "4g.40gb", "7g.80gb", "7g.80gb", "7g.80gb"};
static const char *const used_slices[] = {
    "", "1g.10gb@2:used", "1g.10gb@0:used,2g.20gb@4:used", "2g.20gb@2:used", "3g.40gb@4:used", ""};

static void set(KeyValues *list, const char *key, const char *value) {
  list->items[list->count++] = (KeyValue){.key = key, .value = value};
}

static void add_gpu(BenchCluster *cluster, Node *node, int index, const char *slices) {
  KeyValues *annotations = &node->meta.annotations;
  set(annotations, arena_format(&cluster->arena, MIG_ANNOTATION_IDENTITY_PREFIX "%d", index),
      arena_format(&cluster->arena, "GPU-%s-%d NVIDIA-A100-SXM4-80GB mig=on", node->meta.name, index));
  set(annotations, arena_format(&cluster->arena, MIG_ANNOTATION_STATUS_GPU_PREFIX "%d", index), slices);
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

/* NULL: the GPUs are empty. */
static void add_node(BenchCluster *cluster, int number, int gpu_count, Random *random) {
  static KeyValue allocatable[] = {{"cpu", "128"}, {"memory", "1Ti"}, {"pods", "110"}};
  Arena *arena = &cluster->arena;
  Node *node = array_push(&cluster->nodes);
  node->meta.name = arena_format(arena, "node-%05d", number);
  node->meta.labels.items = arena_alloc(arena, 3 * sizeof(KeyValue));
  set(&node->meta.labels, "kubernetes.io/hostname", node->meta.name);
  set(&node->meta.labels, MIG_LABEL_PARTITIONING, "mig");
  node->meta.annotations.items = arena_alloc(arena, (size_t)gpu_count * 2 * sizeof(KeyValue));
  for (int i = 0; i < gpu_count; i++)
    add_gpu(cluster, node, i, random ? used_slices[random_below(random, COUNT_OF(used_slices))] : "");
  node->allocatable.items = allocatable;
  node->allocatable.count = COUNT_OF(allocatable);
}

/* Asks one slice, two cpus and 8 GiB. */
static void add_pod(BenchCluster *cluster, int number, int deployment, const char *profile) {
  static Condition unschedulable = {.type = "PodScheduled", .status = "False", .reason = "Unschedulable"};
  Arena *arena = &cluster->arena;
  Pod *pod = array_push(&cluster->pods);
  pod->meta.name = arena_format(arena, "web-%02d-%06d", deployment, number);
  pod->meta.namespace_ = "bench";
  pod->meta.creation_time = 1700000000 + number;
  pod->common = arena_alloc(arena, sizeof *pod->common);
  pod->common->phase = "Pending";
  pod->common->conditions.items = &unschedulable;
  pod->common->conditions.count = 1;
  pod->common->containers.items = arena_alloc(arena, sizeof *pod->common->containers.items);
  pod->common->containers.count = 1;
  Container *container = &pod->common->containers.items[0];
  KeyValues requests = {.items = arena_alloc(arena, REQUESTS * sizeof(KeyValue))};
  set(&requests, "cpu", "2");
  set(&requests, "memory", "8Gi");
  set(&requests, arena_format(arena, MIG_RESOURCE_PREFIX "%s", profile), "1");
  container->requests.items = requests.items;
  container->requests.count = requests.count;
}

static int compare_names(const void *a, const void *b) {
  return strcmp(((const Pod *)a)->meta.name, ((const Pod *)b)->meta.name);
}

void bench_cluster_init(BenchCluster *cluster, int node_count, int gpu_count, uint64_t seed) {
  Random random = {.state = seed};
  const char *profiles[DEPLOYMENTS];
  *cluster = (BenchCluster){0};
  for (size_t i = 0; i < DEPLOYMENTS; i++)
    profiles[i] = wishes[i % COUNT_OF(wishes)];
  for (int i = 0; i < node_count; i++)
    add_node(cluster, i, gpu_count, &random);
  for (int i = 0; i < node_count * PODS_PER_NODE; i++) {
    int deployment = (int)random_below(&random, DEPLOYMENTS);
    add_pod(cluster, i, deployment, profiles[deployment]);
  }
  qsort(cluster->pods.items, cluster->pods.count, sizeof cluster->pods.items[0], compare_names);
}

void bench_cluster_init_mix(BenchCluster *cluster, int node_count, int pod_count) {
  static const char *const mix[] = {"1g.10gb", "1g.10gb", "2g.20gb", "1g.10gb", "3g.40gb",
                                    "1g.10gb", "2g.20gb", "1g.10gb", "3g.40gb", "2g.20gb"};
  *cluster = (BenchCluster){0};
  for (int i = 0; i < node_count; i++)
    add_node(cluster, i, 8, NULL);
  for (int i = 0; i < pod_count; i++) {
    add_pod(cluster, i, 0, mix[i % (int)COUNT_OF(mix)]);
    cluster->pods.items[i].common->containers.items[0].requests.items += REQUESTS - 1; /* the slice alone */
    cluster->pods.items[i].common->containers.items[0].requests.count = 1;
  }
}

static const char *const zones[] = {"north", "east", "south", "west"};

static void couple_pod(BenchCluster *cluster, Pod *pod, int deployment) {
  Arena *arena = &cluster->arena;
  KeyValue *requests = pod_common(pod)->containers.items[0].requests.items;
  requests[0].value = arena_format(arena, "%d", 2 + deployment % 13);
  requests[1].value = arena_format(arena, "%dGi", 4 + 4 * (deployment % 7));
  if (deployment % 2)
    return;
  pod->common->node_selector.items = arena_alloc(arena, sizeof(KeyValue));
  set(&pod->common->node_selector, "topology.kubernetes.io/zone",
      zones[deployment / 2 % (int)COUNT_OF(zones)]);
}

void bench_cluster_couple(BenchCluster *cluster, uint64_t seed) {
  static KeyValue small[] = {{"cpu", "64"}, {"memory", "256Gi"}, {"pods", "110"}};
  Random random = {.state = seed};
  for (size_t i = 0; i < cluster->nodes.count; i++) {
    Node *node = &cluster->nodes.items[i];
    set(&node->meta.labels, "topology.kubernetes.io/zone", zones[random_below(&random, COUNT_OF(zones))]);
    if (random_below(&random, 2))
      node->allocatable.items = small;
  }
  for (size_t i = 0; i < cluster->pods.count; i++) {
    Pod *pod = &cluster->pods.items[i];
    couple_pod(cluster, pod, (int)strtol(pod->meta.name + strlen("web-"), NULL, 10));
  }
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
  snapshot_order_pods(ret_snapshot);
}
