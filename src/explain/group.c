/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes are alike where the same words hold for them and their GPUs are cut and used in the same way. Of each
 * such group the first node stands for all; whether the pod would be served there if it were alone is asked
 * of the planner, on a cluster of this node. */
#include "explain/inquiry.h"

enum { JUDGED_MAX = 64 /* groups for which the planner is asked */ };

/* ---- one node ---- */

static bool has_mig_resource(const SnapshotNode *node) {
  for (size_t i = 0; i < node->allocatable.count; i++)
    if (mig_profile_is_resource(node->allocatable.items[i].name))
      return true;
  return false;
}

static bool reports_gpus(const KeyValues *annotations) {
  for (size_t i = 0; i < annotations->count; i++)
    if (string_has_prefix(annotations->items[i].key, MIG_ANNOTATION_IDENTITY_PREFIX))
      return true;
  return false;
}

/* Could facet, or NVIDIA's plugin, have anything to do with it? */
static bool concerns(const SnapshotNode *node) {
  const KeyValues *labels = &node->object->meta.labels;
  return node->gpu_count || has_mig_resource(node) || key_values_find(labels, MIG_LABEL_PARTITIONING) ||
         key_values_find(labels, "nvidia.com/gpu.product") || reports_gpus(&node->object->meta.annotations);
}

static void add_obstacle(ExplainGroup *group, ExplainObstacleKind kind, const char *text) {
  ExplainObstacle *added = array_push(&group->obstacles);
  added->kind = kind;
  added->text = text;
}

static void look_at_node(Explanation *explanation, int n, ExplainGroup *group) {
  const SnapshotNode *node = &explanation->snapshot.nodes.items[n];
  Arena *arena = &explanation->arena;
  group->node = n;
  group->count = 1;
  group->state = EXPLAIN_NODE_BLOCKED;
  explain_refusals_find(&explanation->snapshot, explanation->waiting, n, arena, &group->obstacles);
  group->gpus = arena_alloc(arena, (size_t)node->gpu_count * sizeof *group->gpus);
  for (int g = 0; g < node->gpu_count && explanation->need_count; g++)
    explain_room_find(&explanation->holding, explanation->cluster, &explanation->snapshot, n, g,
                      explanation->needs[0].profile, arena, &group->gpus[g]);
}

/* ---- alike ---- */

/* The text with the node's own name written as a star. */
static void append_generic(Text *key, const char *text, const char *name) {
  size_t size = strlen(name);
  for (const char *found; (found = strstr(text, name)) && size; text = found + size) {
    text_append_bytes(key, text, (size_t)(found - text));
    text_append(key, "*");
  }
  text_append(key, text);
  text_append(key, "\n");
}

static void append_gpu(Text *key, const SnapshotNode *node, const SnapshotGpu *gpu) {
  text_format(key, "%s %d %d %x %x %x %x", gpu->model_label, gpu->mode, gpu->assumed, gpu->used_starts,
              gpu->keep_starts, gpu->allowed, explain_room_loose(node, gpu));
  for (int i = 0; gpu->model && i < gpu->layout->count; i++)
    text_format(key, " %d@%d", gpu->layout->instances[i].profile, gpu->layout->instances[i].start);
  append_generic(key, string_or_empty(gpu->blocked), node->name);
}

static void format_key(const Explanation *explanation, const ExplainGroup *group, Text *key) {
  const SnapshotNode *node = &explanation->snapshot.nodes.items[group->node];
  text_clear(key);
  text_format(key, "%d %d\n", node->gpu_count, node->being_recut);
  append_generic(key, string_or_empty(node->blocked), node->name);
  append_generic(key, string_or_empty(key_values_find(&node->object->meta.annotations, MIG_ANNOTATION_ERROR)),
                 node->name);
  for (size_t i = 0; i < group->obstacles.count; i++)
    append_generic(key, group->obstacles.items[i].text, node->name);
  for (int i = 0; i < explanation->need_count; i++) {
    char resource[MIG_RESOURCE_NAME_SIZE];
    mig_profile_format_resource(explanation->needs[i].profile, resource);
    text_format(key, "%lld\n", (long long)snapshot_free_of(node, resource));
  }
  for (int g = 0; g < node->gpu_count; g++)
    append_gpu(key, node, &node->gpus[g]);
}

/* ---- alone ---- */

/* The pods of each node, by a list that is sorted by node. */
typedef struct OnNode {
  int node;
  size_t pod;
} OnNode;

static int compare_on_node(const void *a, const void *b) {
  const OnNode *left = a, *right = b;
  if (left->node != right->node)
    return left->node < right->node ? -1 : 1;
  return left->pod < right->pod ? -1 : left->pod > right->pod;
}

static size_t list_bound_pods(const Explanation *explanation, OnNode *list) {
  size_t count = 0;
  for (size_t i = 0; i < explanation->cluster->pod_count; i++) {
    const char *name = explanation->cluster->pods[i]->node_name;
    int node = name && *name ? snapshot_find_node(&explanation->snapshot, name) : -1;
    if (node >= 0 && i != explanation->subject)
      list[count++] = (OnNode){.node = node, .pod = i};
  }
  if (count)
    qsort(list, count, sizeof *list, compare_on_node);
  return count;
}

/* The planner's word for the subject on a cluster of that node alone, with the pods that are on it. */
static bool serves_alone(Explanation *explanation, int node, const OnNode *list, size_t count,
                         const char **ret_reason) {
  size_t first = 0;
  while (first < count && list[first].node < node)
    first++;
  size_t end = first;
  while (end < count && list[end].node == node)
    end++;
  CLEANUP(cleanup_free) const Pod **pods = mem_alloc((end - first + 1) * sizeof *pods);
  for (size_t i = first; i < end; i++)
    pods[i - first] = explanation->cluster->pods[list[i].pod];
  pods[end - first] = explanation->cluster->pods[explanation->subject];
  const Node *object = explanation->snapshot.nodes.items[node].object;
  ExplainCluster alone = *explanation->cluster;
  alone.nodes = &object;
  alone.node_count = 1;
  alone.pods = pods;
  alone.pod_count = end - first + 1;
  CLEANUP(explain_trial_deinit) ExplainTrial trial = {0};
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  CLEANUP(plan_deinit) Plan plan;
  explain_trial_init(&trial, &alone);
  const PlanOptions options = explain_trial_options(&trial);
  int waiting = explain_trial_snapshot(&trial, end - first, &snapshot, NULL);
  plan_compute(&snapshot, &options, &plan);
  assert(waiting >= 0);
  *ret_reason = arena_strdup(&explanation->arena, plan.pods.items[waiting].reason);
  return plan.pods.items[waiting].node >= 0;
}

static bool has_open_gpu(const Explanation *explanation, const ExplainGroup *group) {
  int count = explanation->snapshot.nodes.items[group->node].gpu_count;
  for (int g = 0; g < count; g++)
    if (explain_room_is_open(group->gpus[g].room))
      return true;
  return false;
}

/* A node that facet may not change serves with the slices that it has. */
static void judge(Explanation *explanation, ExplainGroup *group, const OnNode *list, size_t count) {
  const SnapshotNode *node = &explanation->snapshot.nodes.items[group->node];
  const char *reason = "";
  bool waits = explanation->waiting >= 0 && explanation->verdict != EXPLAIN_IGNORED;
  group->is_judged = true;
  if (!group->obstacles.count && waits && serves_alone(explanation, group->node, list, count, &reason)) {
    group->state = EXPLAIN_NODE_ROOM;
    return;
  }
  bool is_refused = group->obstacles.count > 0;
  if (!node->may_change)
    add_obstacle(group, EXPLAIN_CLOSED, string_or_empty(node->blocked));
  else if (!is_refused && waits)
    add_obstacle(group, EXPLAIN_GPUS, has_open_gpu(explanation, group) ? reason : "no GPU has room");
}

static void judge_all(Explanation *explanation) {
  CLEANUP(cleanup_free) OnNode *list = mem_alloc(explanation->cluster->pod_count * sizeof *list);
  size_t count = list_bound_pods(explanation, list);
  int judged = 0;
  for (size_t i = 0; i < explanation->groups.count; i++) {
    ExplainGroup *group = &explanation->groups.items[i];
    if (group->state != EXPLAIN_NODE_CHOSEN && (group->obstacles.count || judged++ < JUDGED_MAX))
      judge(explanation, group, list, count);
  }
}

/* ---- all ---- */

/* The node that was chosen forms a group of its own. */
static bool is_chosen(const Explanation *explanation, int node) {
  return explanation->waiting >= 0 && explanation->plan.pods.items[explanation->waiting].node == node;
}

static void add_node(Explanation *explanation, int n, Map *seen, Text *key) {
  ExplainGroup group = {0};
  look_at_node(explanation, n, &group);
  format_key(explanation, &group, key);
  uintptr_t known = is_chosen(explanation, n) ? 0 : (uintptr_t)map_find(seen, text_string(key));
  if (known) {
    explanation->groups.items[known - 1].count++;
    array_deinit(&group.obstacles);
    return;
  }
  *array_push(&explanation->groups) = group;
  if (is_chosen(explanation, n))
    return;
  map_put(seen, text_string(key), (void *)(uintptr_t)explanation->groups.count);
}

/* The fewest slices in the way on a GPU of the node: a measure of how near it is. */
static int distance(const Explanation *explanation, const ExplainGroup *group) {
  int gpus = explanation->snapshot.nodes.items[group->node].gpu_count, least = EXPLAIN_FAR + 1;
  for (int g = 0; g < gpus; g++)
    if (group->gpus[g].room <= EXPLAIN_ROOM_NONE && group->gpus[g].in_the_way < least)
      least = group->gpus[g].in_the_way;
  return least;
}

static int rank(const ExplainGroup *group) {
  if (group->state != EXPLAIN_NODE_BLOCKED)
    return group->state == EXPLAIN_NODE_CHOSEN ? 0 : 1;
  return group->obstacles.count && group->obstacles.items[0].kind == EXPLAIN_GPUS ? 2 : 3;
}

static int compare_groups(const void *a, const void *b, void *userdata) {
  const ExplainGroup *left = a, *right = b;
  int order = rank(left) - rank(right);
  if (!order)
    order = distance(userdata, left) - distance(userdata, right);
  return order ? order : left->node - right->node;
}

void explain_groups_find(Explanation *explanation) {
  CLEANUP(map_deinit) Map seen = {0};
  CLEANUP(text_deinit) Text key = {0};
  if (explanation->waiting < 0)
    return;
  for (size_t n = 0; n < explanation->snapshot.nodes.count; n++) {
    if (concerns(&explanation->snapshot.nodes.items[n]))
      add_node(explanation, (int)n, &seen, &key);
    else
      explanation->other_nodes++;
  }
  for (size_t i = 0; i < explanation->groups.count; i++)
    if (is_chosen(explanation, explanation->groups.items[i].node)) {
      explanation->groups.items[i].state = EXPLAIN_NODE_CHOSEN;
      explanation->groups.items[i].is_judged = true;
    }
  judge_all(explanation);
  if (explanation->groups.count)
    qsort_r(explanation->groups.items, explanation->groups.count, sizeof explanation->groups.items[0],
            compare_groups, explanation);
}
