/* SPDX-License-Identifier: Apache-2.0 */
/* The rule of nos (nebuly-ai/nos 12e0a72) as it is described, written anew:
 *
 *     for each node, by name, as long as slices are lacking:
 *       fork: copy all nodes
 *       each GPU of the node gets the known geometry that provides the most lacking slices
 *       each pod, smallest profile first: where the cluster as a whole lacks nothing for it, which is found
 *         out by adding up all nodes, and this node has a free slice, it is put there
 *       if no pod was, back to the copy
 *
 * Its mistakes are part of it. The geometries are a dozen multisets, two of which name a profile that the GPU
 * does not have. A pod that was put on a node is tried on the next one again, and, being small and early,
 * takes a slice there once more; but it is struck off the list of what is lacking only the first time. So
 * where the smallest profile is not served by the first node, it goes on lacking for ever, every further node
 * is cut for it, and the same pods take the slices: half of the pods of the benchmark get none.
 *
 * For each node and each pod all nodes are added up: cubic, where pods grow with nodes. */
#include "nos_rule.h"

#include "base/memory.h"

#include <stdbool.h>
#include <string.h>

enum { GEOMETRIES = 12, RESOURCES = NOS_PROFILES };

/* How many slices of each profile. */
static const uint8_t geometries[GEOMETRIES][NOS_PROFILES] = {{0, 0, 0, 0, 1},
                                                             {1, 1, 0, 1, 0},
                                                             {3, 0, 0, 1, 0},
                                                             {0, 0, 2, 0, 0},
                                                             {1, 1, 1, 0, 0},
                                                             {3, 0, 1, 0, 0},
                                                             {0, 2, 0 /* and one "3g.20gb" */, 0, 0},
                                                             {2, 0 /* and one "2g.10gb" */, 1, 0, 0},
                                                             {1, 3, 0, 0, 0},
                                                             {3, 2, 0, 0, 0},
                                                             {5, 1, 0, 0, 0},
                                                             {7, 0, 0, 0, 0}};

typedef struct Gpu {
  int free[NOS_PROFILES], used[NOS_PROFILES];
} Gpu;

typedef struct Node {
  Gpu gpus[NOS_GPUS_PER_NODE];
  int64_t allocatable[RESOURCES], requested[RESOURCES];
} Node;

typedef struct Rule {
  Node *nodes, *fork;
  int node_count;
  int lacking[NOS_PROFILES];
  bool *struck; /* pods that are off the list of what is lacking */
} Rule;

static bool is_anything_lacking(const Rule *rule) {
  for (int p = 0; p < NOS_PROFILES; p++)
    if (rule->lacking[p] > 0)
      return true;
  return false;
}

static int provided_by(const uint8_t *geometry, const Gpu *gpu, const int *lacking) {
  int provided = 0;
  for (int p = 0; p < NOS_PROFILES; p++) {
    if (geometry[p] < gpu->used[p])
      return 0;
    int more = geometry[p] - gpu->used[p];
    if (lacking[p] > 0 && gpu->free[p] < lacking[p])
      provided += more < lacking[p] ? more : lacking[p];
  }
  return provided;
}

/* Cuts the GPU, and takes what it provides off the list of what is lacking on this node. */
static void cut_gpu(Gpu *gpu, int *lacking) {
  int best = -1, most = 0;
  for (int g = 0; g < GEOMETRIES; g++) {
    int provided = provided_by(geometries[g], gpu, lacking);
    if (provided > most) {
      most = provided;
      best = g;
    }
  }
  for (int p = 0; p < NOS_PROFILES; p++) {
    if (best >= 0)
      gpu->free[p] = geometries[best][p] - gpu->used[p];
    lacking[p] -= gpu->free[p];
  }
}

static void cut_node(const Rule *rule, Node *node) {
  int lacking[NOS_PROFILES];
  memcpy(lacking, rule->lacking, sizeof lacking);
  memset(node->allocatable, 0, sizeof node->allocatable);
  for (int g = 0; g < NOS_GPUS_PER_NODE; g++) {
    cut_gpu(&node->gpus[g], lacking);
    for (int p = 0; p < NOS_PROFILES; p++)
      node->allocatable[p] += node->gpus[g].free[p] + node->gpus[g].used[p];
  }
}

/* All nodes and all their resources, for every pod. */
static bool lacks_nothing(const Rule *rule, int profile) {
  int64_t allocatable[RESOURCES] = {0}, requested[RESOURCES] = {0};
  for (int n = 0; n < rule->node_count; n++)
    for (int r = 0; r < RESOURCES; r++) {
      allocatable[r] += rule->nodes[n].allocatable[r];
      requested[r] += rule->nodes[n].requested[r];
    }
  return allocatable[profile] - requested[profile] >= 1;
}

static bool try_pod(const Rule *rule, Node *node, int profile) {
  if (!lacks_nothing(rule, profile) || node->allocatable[profile] - node->requested[profile] < 1)
    return false;
  for (int g = 0; g < NOS_GPUS_PER_NODE; g++) {
    Gpu *gpu = &node->gpus[g];
    if (gpu->free[profile] < 1)
      continue;
    gpu->free[profile]--;
    gpu->used[profile]++;
    node->requested[profile]++;
    return true;
  }
  return false;
}

static int add_pods(Rule *rule, Node *node, const uint8_t *profiles, int pod_count) {
  int added = 0;
  for (int pod = 0; pod < pod_count; pod++) {
    if (!try_pod(rule, node, profiles[pod]))
      continue;
    rule->lacking[profiles[pod]] -= !rule->struck[pod];
    rule->struck[pod] = true;
    added++;
  }
  return added;
}

/* Of each profile as many as there are slices and pods. */
static int count_served(const Rule *rule, const uint8_t *profiles, int pod_count) {
  int64_t asked[NOS_PROFILES] = {0}, served = 0;
  for (int pod = 0; pod < pod_count; pod++)
    asked[profiles[pod]]++;
  for (int p = 0; p < NOS_PROFILES; p++) {
    int64_t slices = 0;
    for (int n = 0; n < rule->node_count; n++)
      slices += rule->nodes[n].allocatable[p];
    served += slices < asked[p] ? slices : asked[p];
  }
  return (int)served;
}

NosResult nos_rule_plan(int node_count, const uint8_t *profiles, int pod_count) {
  NosResult result = {0};
  size_t size = (size_t)node_count * sizeof(Node);
  CLEANUP(cleanup_free) Node *nodes = mem_alloc(size);
  CLEANUP(cleanup_free) Node *fork = mem_alloc(size);
  CLEANUP(cleanup_free) bool *struck = mem_alloc((size_t)pod_count * sizeof *struck);
  Rule rule = {.nodes = nodes, .fork = fork, .node_count = node_count, .struck = struck};
  for (int pod = 0; pod < pod_count; pod++)
    rule.lacking[profiles[pod]]++;
  for (int n = 0; n < node_count && is_anything_lacking(&rule); n++) {
    memcpy(rule.fork, rule.nodes, size);
    cut_node(&rule, &rule.nodes[n]);
    int added = add_pods(&rule, &rule.nodes[n], profiles, pod_count);
    if (!added)
      memcpy(rule.nodes, rule.fork, size);
    result.added += added;
  }
  result.admitted = count_served(&rule, profiles, pod_count);
  return result;
}
