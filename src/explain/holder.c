/* SPDX-License-Identifier: Apache-2.0 */
/* Pods that run hold what they ask: where these alone make up what is in use, the others of the profile hold
 * nothing yet and are left out of the set. */
#include "explain/holder.h"

enum { NAMED_MAX = 3 /* pods that a sentence names */ };

static ExplainHolders *get_holders(ExplainHolding *holding, int node, const char *profile) {
  ExplainNodeHolders *on_node = &holding->nodes[node];
  for (size_t i = 0; i < on_node->count; i++)
    if (strcmp(on_node->items[i].profile, profile) == 0)
      return &on_node->items[i];
  ExplainHolders *items = arena_alloc(&holding->arena, (on_node->count + 1) * sizeof *items);
  if (on_node->count)
    memcpy(items, on_node->items, on_node->count * sizeof *items);
  on_node->items = items;
  ExplainHolders *added = &items[on_node->count++];
  snprintf(added->profile, sizeof added->profile, "%s", profile);
  return added;
}

static void add_pod(ExplainHolding *holding, ExplainHolders *holders, size_t pod, int64_t count) {
  bool is_full = (holders->pod_count & (holders->pod_count - 1)) == 0; /* 0, 1, 2, 4, ...: room doubles */
  if (is_full) {
    size_t capacity = holders->pod_count ? holders->pod_count * 2 : 1;
    size_t *pods = arena_alloc(&holding->arena, capacity * sizeof *pods);
    int64_t *counts = arena_alloc(&holding->arena, capacity * sizeof *counts);
    for (size_t i = 0; i < holders->pod_count; i++) {
      pods[i] = holders->pods[i];
      counts[i] = holders->counts[i];
    }
    holders->pods = pods;
    holders->counts = counts;
  }
  holders->pods[holders->pod_count] = pod;
  holders->counts[holders->pod_count++] = count;
  holders->asked += count;
}

static void add_bound_pod(ExplainHolding *holding, const Snapshot *snapshot, size_t index, const Pod *pod) {
  CLEANUP(arena_deinit) Arena arena = {0};
  int node = snapshot_find_node(snapshot, pod->node_name);
  Resources requests = {0};
  Error err;
  if (node < 0 || pod_requests_compute(pod, &arena, &requests, &err) < 0)
    return;
  for (size_t i = 0; i < requests.count; i++) {
    char name[MIG_PROFILE_NAME_SIZE];
    if (requests.items[i].amount <= 0 || !mig_profile_is_resource(requests.items[i].name) ||
        mig_profile_parse_resource(requests.items[i].name, name, &err) < 0)
      continue;
    add_pod(holding, get_holders(holding, node, name), index, requests.items[i].amount);
  }
}

static void count_used(ExplainHolding *holding, const Snapshot *snapshot, int n) {
  const SnapshotNode *node = &snapshot->nodes.items[n];
  for (int g = 0; g < node->gpu_count; g++) {
    const SnapshotGpu *gpu = &node->gpus[g];
    for (int i = 0; gpu->model && i < gpu->layout->count; i++)
      if (gpu->used_starts >> gpu->layout->instances[i].start & 1)
        get_holders(holding, n, gpu->model->profiles[gpu->layout->instances[i].profile].name)->used++;
  }
}

static int64_t asked_by_running(const ExplainCluster *cluster, const ExplainHolders *holders) {
  int64_t asked = 0;
  for (size_t i = 0; i < holders->pod_count; i++)
    if (string_equal(pod_common(cluster->pods[holders->pods[i]])->phase, "Running"))
      asked += holders->counts[i];
  return asked;
}

static void keep_running(const ExplainCluster *cluster, ExplainHolders *holders) {
  size_t kept = 0;
  for (size_t i = 0; i < holders->pod_count; i++)
    if (string_equal(pod_common(cluster->pods[holders->pods[i]])->phase, "Running")) {
      holders->pods[kept] = holders->pods[i];
      holders->counts[kept++] = holders->counts[i];
    }
  holders->pod_count = kept;
}

static void judge(const ExplainCluster *cluster, ExplainHolders *holders) {
  holders->is_short = holders->asked < holders->used;
  holders->is_floating = holders->asked > holders->used;
  holders->is_complete = holders->asked == holders->used;
  if (!holders->is_floating || asked_by_running(cluster, holders) != holders->used)
    return;
  keep_running(cluster, holders);
  holders->is_complete = true;
}

static bool is_bound(const Pod *pod) {
  return pod->node_name && *pod->node_name && !pod_is_terminal(pod);
}

void explain_holding_init(ExplainHolding *holding, const ExplainCluster *cluster, const Snapshot *snapshot) {
  *holding = (ExplainHolding){.node_count = snapshot->nodes.count};
  holding->nodes = arena_alloc(&holding->arena, holding->node_count * sizeof *holding->nodes);
  for (size_t n = 0; n < snapshot->nodes.count; n++)
    count_used(holding, snapshot, (int)n);
  for (size_t i = 0; i < cluster->pod_count; i++)
    if (is_bound(cluster->pods[i]))
      add_bound_pod(holding, snapshot, i, cluster->pods[i]);
  for (size_t n = 0; n < holding->node_count; n++)
    for (size_t i = 0; i < holding->nodes[n].count; i++)
      judge(cluster, &holding->nodes[n].items[i]);
}

void explain_holding_deinit(ExplainHolding *holding) {
  arena_deinit(&holding->arena);
}

const ExplainHolders *explain_holding_find(const ExplainHolding *holding, int node, const char *profile) {
  const ExplainNodeHolders *on_node = &holding->nodes[node];
  for (size_t i = 0; i < on_node->count; i++)
    if (strcmp(on_node->items[i].profile, profile) == 0)
      return &on_node->items[i];
  return NULL;
}

int64_t explain_holders_sole(const ExplainHolders *holders) {
  return holders && holders->pod_count == 1 && !holders->is_short ? (int64_t)holders->pods[0] : -1;
}

void explain_pod_format(const Pod *pod, Text *text) {
  text_format(text, "%s/%s", string_or_empty(pod->meta.namespace_), string_or_empty(pod->meta.name));
}

void explain_holders_format(const ExplainHolders *holders, const ExplainCluster *cluster, Text *text) {
  if (!holders || !holders->pod_count) {
    text_append(text, "a pod that is not listed");
    return;
  }
  if (explain_holders_sole(holders) >= 0) {
    explain_pod_format(cluster->pods[holders->pods[0]], text);
    return;
  }
  text_append(text, "one of ");
  /* One more name is no longer than "and 1 more". */
  size_t named = holders->pod_count > NAMED_MAX + 1 ? NAMED_MAX : holders->pod_count;
  for (size_t i = 0; i < named; i++) {
    text_append(text, i ? ", " : "");
    explain_pod_format(cluster->pods[holders->pods[i]], text);
  }
  if (holders->pod_count > named)
    text_format(text, " and %zu more", holders->pod_count - named);
  if (holders->is_short)
    text_append(text, ", or a pod that is not listed");
}
