/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/candidate.h"

enum { FAR = 1000 };

static bool may_hold(const Explanation *explanation, int node, const char *profile, size_t pod) {
  const ExplainHolders *holders = explain_holding_find(&explanation->holding, node, profile);
  for (size_t i = 0; holders && i < holders->pod_count; i++)
    if (holders->pods[i] == pod)
      return true;
  return false;
}

static int measure_on_gpu(const Explanation *explanation, int n, const SnapshotGpu *gpu, size_t pod) {
  int profile = gpu->model ? mig_model_find_profile(gpu->model, explanation->needs[0].profile) : -1;
  uint32_t starts = 0;
  if (profile < 0)
    return FAR;
  int nearest = explain_room_nearest(&explanation->snapshot.nodes.items[n], gpu, profile, &starts);
  for (; nearest > 0 && starts; starts &= starts - 1) {
    const MigInstance *instance = mig_layout_find(gpu->layout, __builtin_ctz(starts));
    if (may_hold(explanation, n, gpu->model->profiles[instance->profile].name, pod))
      return nearest;
  }
  return FAR;
}

/* By node, asked for once: is the pod kept away from it by more than a lack of resources? */
typedef enum Door { DOOR_UNKNOWN, DOOR_OPEN, DOOR_SHORT, DOOR_CLOSED } Door;

static Door find_door(Explanation *explanation, int n) {
  ExplainObstacles obstacles = {0};
  explain_refusals_find(&explanation->snapshot, explanation->waiting, n, &explanation->arena, &obstacles);
  Door door = obstacles.count ? DOOR_SHORT : DOOR_OPEN;
  for (size_t i = 0; i < obstacles.count; i++)
    if (obstacles.items[i].kind != EXPLAIN_RESOURCES)
      door = DOOR_CLOSED;
  array_deinit(&obstacles);
  return door;
}

/* Of pods that would do, the one with the least to lose is asked for first. */
static int64_t weigh(const Explanation *explanation, size_t pod) {
  CLEANUP(arena_deinit) Arena arena = {0};
  Resources requests;
  int64_t weight = 0;
  Error err;
  if (pod_requests_compute(explanation->cluster->pods[pod], &arena, &requests, &err) < 0)
    return 0;
  for (size_t i = 0; i < requests.count; i++) {
    char name[MIG_PROFILE_NAME_SIZE];
    MigProfile profile = {0};
    uint32_t gb = 0;
    if (mig_profile_is_resource(requests.items[i].name) && requests.items[i].amount <= MIG_INSTANCES_MAX &&
        mig_profile_parse_resource(requests.items[i].name, name, &err) == 0 &&
        mig_profile_parse_name(name, &profile, &gb, &err) == 0)
      weight += gb * requests.items[i].amount;
  }
  return weight;
}

/* On a node that is short of something any pod may hold it. */
static int measure(Explanation *explanation, int n, size_t pod, Door *doors) {
  const SnapshotNode *node = &explanation->snapshot.nodes.items[n];
  int least = FAR;
  if (doors[n] == DOOR_UNKNOWN)
    doors[n] = find_door(explanation, n);
  if (doors[n] == DOOR_CLOSED)
    return FAR + 1;
  for (int g = 0; g < node->gpu_count; g++) {
    int distance = measure_on_gpu(explanation, n, &node->gpus[g], pod);
    least = distance < least ? distance : least;
  }
  return doors[n] == DOOR_SHORT && least > 2 ? 2 : least;
}

static int compare_candidates(const void *a, const void *b) {
  const ExplainCandidate *left = a, *right = b;
  if (left->distance != right->distance)
    return left->distance < right->distance ? -1 : 1;
  if (left->priority != right->priority)
    return left->priority < right->priority ? -1 : 1;
  if (left->weight != right->weight)
    return left->weight < right->weight ? -1 : 1;
  return left->pod < right->pod ? -1 : left->pod > right->pod;
}

/* A reservation of facet's own ends by itself, when the re-cut is done. */
void explain_candidates_find(Explanation *explanation, ExplainCandidates *ret_candidates) {
  CLEANUP(cleanup_free) Door *doors = mem_alloc((explanation->snapshot.nodes.count + 1) * sizeof *doors);
  for (size_t i = 0; i < explanation->cluster->pod_count; i++) {
    const Pod *pod = explanation->cluster->pods[i];
    if (!pod->node_name || !*pod->node_name || pod_is_terminal(pod) || pod_is_reservation(pod))
      continue;
    int node = snapshot_find_node(&explanation->snapshot, pod->node_name);
    if (node < 0 || explanation->snapshot.nodes.items[node].being_recut) /* that comes first anyway */
      continue;
    int distance = measure(explanation, node, i, doors);
    *array_push(ret_candidates) = (ExplainCandidate){.pod = i,
                                                     .node = node,
                                                     .distance = distance,
                                                     .priority = pod->priority,
                                                     .weight = distance < FAR ? weigh(explanation, i) : 0};
  }
  if (ret_candidates->count)
    qsort(ret_candidates->items, ret_candidates->count, sizeof ret_candidates->items[0], compare_candidates);
}

int explain_candidates_list(const Explanation *explanation, int node, size_t *ret_pods, int max) {
  const SnapshotNode *on = &explanation->snapshot.nodes.items[node];
  ExplainCandidates candidates = {0};
  for (size_t i = 0; i < explanation->cluster->pod_count; i++) {
    const Pod *pod = explanation->cluster->pods[i];
    if (!string_equal(pod->node_name, on->name) || pod_is_terminal(pod) || pod_is_reservation(pod))
      continue;
    ExplainCandidate *candidate = array_push(&candidates);
    *candidate = (ExplainCandidate){.pod = i, .node = node, .distance = FAR, .priority = pod->priority};
    for (int g = 0; g < on->gpu_count; g++) {
      int distance = measure_on_gpu(explanation, node, &on->gpus[g], i);
      candidate->distance = distance < candidate->distance ? distance : candidate->distance;
    }
  }
  if (candidates.count)
    qsort(candidates.items, candidates.count, sizeof candidates.items[0], compare_candidates);
  int count = candidates.count < (size_t)max ? (int)candidates.count : max;
  for (int i = 0; i < count; i++)
    ret_pods[i] = candidates.items[i].pod;
  array_deinit(&candidates);
  return count;
}
