/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/trial.h"

void explain_trial_init(ExplainTrial *trial, const ExplainCluster *cluster) {
  *trial = (ExplainTrial){.cluster = cluster};
}

void explain_trial_deinit(ExplainTrial *trial) {
  arena_deinit(&trial->arena);
}

/* ---- key-value lists ---- */

static void copy_list(ExplainTrial *trial, KeyValues *list) {
  KeyValue *items = arena_alloc(&trial->arena, list->count * sizeof *items);
  if (list->count)
    memcpy(items, list->items, list->count * sizeof *items);
  list->items = items;
}

void explain_set(ExplainTrial *trial, KeyValues *list, const char *key, const char *value) {
  size_t place = 0;
  while (place < list->count && strcmp(list->items[place].key, key) < 0)
    place++;
  size_t same = place;
  while (same < list->count && strcmp(list->items[same].key, key) != 0)
    same++;
  if (same < list->count && value) {
    list->items[same].value = arena_strdup(&trial->arena, value);
  } else if (same < list->count) {
    memmove(&list->items[same], &list->items[same + 1], (list->count - same - 1) * sizeof *list->items);
    list->count--;
  } else if (value) {
    KeyValue *items = arena_alloc(&trial->arena, (list->count + 1) * sizeof *items);
    for (size_t i = 0; i < list->count; i++)
      items[i + (i >= place)] = list->items[i];
    items[place] =
        (KeyValue){.key = arena_strdup(&trial->arena, key), .value = arena_strdup(&trial->arena, value)};
    list->items = items;
    list->count++;
  }
}

/* ---- edits ---- */

static ExplainEdit *find_edit(ExplainEdit *edits, int count, size_t index) {
  for (int i = 0; i < count; i++)
    if (edits[i].index == index)
      return &edits[i];
  return NULL;
}

static ExplainEdit *get_edit(ExplainEdit *edits, int *count, size_t index) {
  ExplainEdit *edit = find_edit(edits, *count, index);
  if (edit)
    return edit;
  assert(*count < EXPLAIN_TRIAL_EDITS_MAX);
  edits[*count] = (ExplainEdit){.index = index};
  return &edits[(*count)++];
}

const Node *explain_trial_node(const ExplainTrial *trial, size_t node) {
  const ExplainEdit *edit = find_edit((ExplainEdit *)trial->nodes, trial->node_edits, node);
  return edit ? edit->object : trial->cluster->nodes[node];
}

const Pod *explain_trial_pod(const ExplainTrial *trial, size_t pod) {
  const ExplainEdit *edit = find_edit((ExplainEdit *)trial->pods, trial->pod_edits, pod);
  return edit ? edit->object : trial->cluster->pods[pod];
}

Node *explain_trial_edit_node(ExplainTrial *trial, size_t node) {
  assert(node < trial->cluster->node_count);
  Node *copy = arena_copy(&trial->arena, explain_trial_node(trial, node), sizeof *copy);
  copy_list(trial, &copy->meta.labels);
  copy_list(trial, &copy->meta.annotations);
  get_edit(trial->nodes, &trial->node_edits, node)->object = copy;
  return copy;
}

Pod *explain_trial_edit_pod(ExplainTrial *trial, size_t pod) {
  assert(pod < trial->cluster->pod_count && explain_trial_pod(trial, pod));
  Pod *copy = arena_copy(&trial->arena, explain_trial_pod(trial, pod), sizeof *copy);
  copy_list(trial, &copy->meta.labels);
  copy->common = arena_copy(&trial->arena, pod_common(copy), sizeof *copy->common);
  copy_list(trial, &copy->common->node_selector);
  get_edit(trial->pods, &trial->pod_edits, pod)->object = copy;
  return copy;
}

void explain_trial_remove_pod(ExplainTrial *trial, size_t pod) {
  assert(pod < trial->cluster->pod_count);
  get_edit(trial->pods, &trial->pod_edits, pod)->object = NULL;
}

static bool is_about_gpus(const char *key) {
  return string_has_prefix(key, "facet.gpu/") || string_has_prefix(key, "nos.nebuly.com/");
}

/* What people wrote on the node and what was reported of its GPUs stays behind; what NVML allows on the
 * model comes along. */
static void keep_profiles_only(KeyValues *annotations) {
  size_t kept = 0;
  for (size_t i = 0; i < annotations->count; i++)
    if (!is_about_gpus(annotations->items[i].key) ||
        strcmp(annotations->items[i].key, MIG_ANNOTATION_PROFILES) == 0)
      annotations->items[kept++] = annotations->items[i];
  annotations->count = kept;
}

Node *explain_trial_add_node_like(ExplainTrial *trial, size_t node, const char *name, const char *model) {
  Node *copy = arena_copy(&trial->arena, explain_trial_node(trial, node), sizeof *copy);
  copy_list(trial, &copy->meta.labels);
  copy_list(trial, &copy->meta.annotations);
  copy->meta.name = arena_strdup(&trial->arena, name);
  explain_set(trial, &copy->meta.labels, MIG_LABEL_PARTITIONING, "mig");
  explain_set(trial, &copy->meta.labels, "kubernetes.io/hostname", name);
  explain_set(trial, &copy->meta.labels, "nvidia.com/gpu.product", model);
  keep_profiles_only(&copy->meta.annotations);
  explain_set(trial, &copy->meta.annotations, MIG_ANNOTATION_IDENTITY_PREFIX "0",
              arena_format(&trial->arena, "GPU-%.60s %s mig=on", name, model));
  explain_set(trial, &copy->meta.annotations, MIG_ANNOTATION_STATUS_GPU_PREFIX "0", "");
  trial->added = copy;
  return copy;
}

/* ---- planning ---- */

static void add_nodes(const ExplainTrial *trial, Snapshot *snapshot, SnapshotWarnings *warnings) {
  const SnapshotOptions options = {0};
  for (size_t i = 0; i < trial->cluster->node_count; i++) {
    const Node *node = trial->node_edits ? explain_trial_node(trial, i) : trial->cluster->nodes[i];
    if (node)
      snapshot_add_node(snapshot, node, &options, warnings);
  }
  if (trial->added)
    snapshot_add_node(snapshot, trial->added, &options, warnings);
}

int explain_trial_snapshot(const ExplainTrial *trial, size_t subject, Snapshot *ret_snapshot,
                           SnapshotWarnings *warnings) {
  int found = -1;
  snapshot_init(ret_snapshot);
  if (trial->cluster->add_others)
    trial->cluster->add_others(trial->cluster->userdata, ret_snapshot);
  add_nodes(trial, ret_snapshot, warnings);
  for (size_t i = 0; i < trial->cluster->pod_count; i++) {
    const Pod *pod = trial->pod_edits ? explain_trial_pod(trial, i) : trial->cluster->pods[i];
    size_t before = ret_snapshot->pods.count;
    if (pod)
      snapshot_add_pod(ret_snapshot, pod, warnings);
    if (i == subject && ret_snapshot->pods.count > before)
      found = (int)before;
  }
  return found;
}

PlanOptions explain_trial_options(const ExplainTrial *trial) {
  return (PlanOptions){.leftover = PLAN_LEFTOVER_NONE, .old_before = trial->cluster->old_before};
}

bool explain_trial_serves(const ExplainTrial *trial, size_t subject, ExplainAnswer *ret_answer) {
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  CLEANUP(plan_deinit) Plan plan;
  const PlanOptions options = explain_trial_options(trial);
  *ret_answer = (ExplainAnswer){.verdict = PLAN_IGNORED};
  int pod = explain_trial_snapshot(trial, subject, &snapshot, NULL);
  plan_compute(&snapshot, &options, &plan);
  ret_answer->served = plan.admitted + plan.already_fit;
  if (pod < 0)
    return false;
  const PlanPod *planned = &plan.pods.items[pod];
  ret_answer->verdict = planned->verdict;
  if (planned->node >= 0)
    snprintf(ret_answer->node, sizeof ret_answer->node, "%s", snapshot.nodes.items[planned->node].name);
  return planned->verdict == PLAN_ADMITTED || planned->verdict == PLAN_FITS;
}
