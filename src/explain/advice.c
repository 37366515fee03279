/* SPDX-License-Identifier: Apache-2.0 */
/* One thing is changed at a time, and the planner is asked. What is changed follows from what was found in
 * the way: settings of nodes (of each group of equal nodes the first), what the pod asks, its place in the
 * queue, and the number of GPUs. */
#include "explain/inquiry.h"

#include "explain/change.h"
#include "explain/edit.h"

enum {
  GROUPS_MAX = 24,   /* whose settings are tried */
  PROFILES_MAX = 12, /* that the pod might ask in place of its own */
  TEMPLATES_MAX = 8, /* nodes that one more GPU is tried on */
  ASKS_MAX = 3,
};

static const SnapshotNode *node_of(const Explanation *explanation, const ExplainGroup *group) {
  return &explanation->snapshot.nodes.items[group->node];
}

/* ---- waiting ---- */

static void try_waiting(Explanation *explanation, const ExplainGroup *group) {
  const SnapshotNode *node = node_of(explanation, group);
  CLEANUP(explain_trial_deinit) ExplainTrial trial = {0};
  CLEANUP(text_deinit) Text text = {0};
  if (!node->being_recut)
    return;
  explain_trial_init(&trial, explanation->cluster);
  explain_edit_finish_recut(&trial, explain_node_index(explanation, group->node), node);
  text_format(&text, "wait until the re-cut of node %s is done", node->name);
  explain_advise(explanation, &trial, EXPLAIN_WAIT, text_string(&text), NULL);
}

/* ---- settings of nodes ---- */

/* Tries the change alone. */
static void try_change(Explanation *explanation, ExplainChange change) {
  CLEANUP(explain_trial_deinit) ExplainTrial trial = {0};
  const char *command;
  explain_trial_init(&trial, explanation->cluster);
  const char *words = explain_change_apply(explanation, &change, "it", NULL, &trial, &command);
  if (words)
    explain_advise(explanation, &trial, explain_change_advice(change.kind), words, command);
}

static void try_annotation(Explanation *explanation, const ExplainGroup *group, const char *key) {
  if (key_values_find(&node_of(explanation, group)->object->meta.annotations, key))
    try_change(explanation,
               (ExplainChange){.kind = EXPLAIN_CHANGE_ANNOTATION, .node = group->node, .key = key});
}

static void try_annotations(Explanation *explanation, const ExplainGroup *group) {
  const SnapshotNode *node = node_of(explanation, group);
  for (int g = 0; g < node->gpu_count; g++) {
    char key[MIG_KEY_SIZE];
    snprintf(key, sizeof key, MIG_ANNOTATION_KEEP_PREFIX "%d", node->gpus[g].index);
    try_annotation(explanation, group, key);
  }
  try_annotation(explanation, group, MIG_ANNOTATION_EXCLUDE);
  try_annotation(explanation, group, MIG_ANNOTATION_ALLOWED);
  try_annotation(explanation, group, MIG_ANNOTATION_PAUSED);
}

static void try_label(Explanation *explanation, const ExplainGroup *group) {
  const KeyValues *labels = &node_of(explanation, group)->object->meta.labels;
  if (!string_equal(key_values_find(labels, MIG_LABEL_PARTITIONING), "mig"))
    try_change(explanation, (ExplainChange){.kind = EXPLAIN_CHANGE_LABEL, .node = group->node});
}

static void try_agent(Explanation *explanation, const ExplainGroup *group) {
  const SnapshotNode *node = node_of(explanation, group);
  const char *label = key_values_find(&node->object->meta.labels, MIG_LABEL_PARTITIONING);
  if (!node->gpu_count && string_equal(label, "mig"))
    try_change(explanation, (ExplainChange){.kind = EXPLAIN_CHANGE_AGENT, .node = group->node});
}

static void try_modes(Explanation *explanation, const ExplainGroup *group) {
  const SnapshotNode *node = node_of(explanation, group);
  size_t before = explanation->advice.count;
  char uuid[MIG_UUID_SIZE];
  for (int g = 0; g < node->gpu_count && explanation->advice.count == before; g++)
    if (node->gpus[g].mode != MIG_MODE_ON && *snapshot_gpu_uuid(node, &node->gpus[g], uuid))
      try_change(explanation,
                 (ExplainChange){.kind = EXPLAIN_CHANGE_MODE, .node = group->node, .item = (size_t)g});
}

static void try_obstacle(Explanation *explanation, const ExplainGroup *group,
                         const ExplainObstacle *obstacle) {
  if (obstacle->kind == EXPLAIN_CORDON)
    try_change(explanation, (ExplainChange){.kind = EXPLAIN_CHANGE_UNCORDON, .node = group->node});
  else if (obstacle->kind == EXPLAIN_TAINT)
    try_change(explanation,
               (ExplainChange){.kind = EXPLAIN_CHANGE_TAINT, .node = group->node, .item = obstacle->item});
}

static void try_settings(Explanation *explanation, const ExplainGroup *group) {
  for (size_t i = 0; i < group->obstacles.count; i++)
    try_obstacle(explanation, group, &group->obstacles.items[i]);
  try_annotations(explanation, group);
  try_label(explanation, group);
  try_agent(explanation, group);
  try_modes(explanation, group);
}

/* ---- what the pod asks ---- */

/* Two entries of one profile in a pod would be one. */
static bool asks_already(const Explanation *explanation, const char *profile) {
  for (int i = 0; i < explanation->need_count; i++)
    if (strcmp(explanation->needs[i].profile, profile) == 0)
      return true;
  return false;
}

/* Other profiles of the cluster's models. */
static int list_profiles(const Explanation *explanation, ExplainNeed list[PROFILES_MAX]) {
  int count = 0;
  for (size_t i = 0; i < explanation->groups.count; i++) {
    const SnapshotNode *node = node_of(explanation, &explanation->groups.items[i]);
    for (int g = 0; g < node->gpu_count; g++)
      if (node->gpus[g].model)
        count = explain_edit_list_profiles(node->gpus[g].model, explanation->needs[0].profile, list, count,
                                           PROFILES_MAX);
  }
  return count;
}

static void try_profile(Explanation *explanation, const char *profile) {
  CLEANUP(explain_trial_deinit) ExplainTrial trial = {0};
  explain_trial_init(&trial, explanation->cluster);
  explain_edit_ask_profile(&trial, explanation->subject, explanation->needs[0].profile, profile);
  ExplainAdvice *advice = explain_advise(
      explanation, &trial, EXPLAIN_ASK,
      arena_format(&trial.arena, "if it asks %s in place of %s", profile, explanation->needs[0].profile),
      NULL);
  if (advice)
    advice->other_slice = true;
}

/* The largest smaller one that is served; where there is none, the smallest larger one. */
static void try_profiles(Explanation *explanation) {
  ExplainNeed list[PROFILES_MAX];
  size_t before = explanation->advice.count;
  int count = list_profiles(explanation, list), own = 0;
  while (own < count && explain_edit_is_larger(list[own].profile, explanation->needs[0].profile))
    own++;
  for (int i = own; i < count && explanation->advice.count == before; i++)
    if (!asks_already(explanation, list[i].profile))
      try_profile(explanation, list[i].profile);
  for (int i = own - 1; i >= 0 && explanation->advice.count == before; i--)
    if (!asks_already(explanation, list[i].profile))
      try_profile(explanation, list[i].profile);
}

static bool is_short_of_resources(const ExplainGroup *group) {
  for (size_t i = 0; i < group->obstacles.count; i++)
    if (group->obstacles.items[i].kind != EXPLAIN_RESOURCES)
      return false;
  return group->obstacles.count > 0;
}

static void try_constraints(Explanation *explanation) {
  const Pod *pod = explanation->cluster->pods[explanation->subject];
  if (!explanation->groups.count)
    return;
  int any = explanation->groups.items[0].node; /* these are changes to the pod */
  for (size_t i = 0; i < pod_common(pod)->node_selector.count && i < ASKS_MAX; i++)
    try_change(explanation, (ExplainChange){.kind = EXPLAIN_CHANGE_SELECTOR, .node = any, .item = i});
  if (pod->has_required_node_affinity)
    try_change(explanation, (ExplainChange){.kind = EXPLAIN_CHANGE_AFFINITY, .node = any});
  if (pod_common(pod)->affinity_terms.count)
    try_change(explanation, (ExplainChange){.kind = EXPLAIN_CHANGE_COMPANY, .node = any});
}

/* ---- its place in the queue ---- */

/* Just above pods of its own priority, else just above all that are served. */
static void try_priority(Explanation *explanation) {
  const Pod *pod = explanation->cluster->pods[explanation->subject];
  int32_t highest = pod->priority;
  for (size_t i = 0; i < explanation->plan.pods.count; i++) {
    const PlanPod *planned = &explanation->plan.pods.items[i];
    const Pod *other = explanation->snapshot.pods.items[i].object;
    if (planned->node >= 0 && other->priority > highest)
      highest = other->priority;
  }
  if (highest == INT32_MAX)
    return;
  for (int step = highest == pod->priority; step < 2; step++) {
    CLEANUP(explain_trial_deinit) ExplainTrial trial = {0};
    int32_t priority = (step ? highest : pod->priority) + 1;
    explain_trial_init(&trial, explanation->cluster);
    explain_trial_edit_pod(&trial, explanation->subject)->priority = priority;
    if (explain_advise(explanation, &trial, EXPLAIN_PRIORITY,
                       arena_format(&trial.arena,
                                    "with a priority of %d, at the cost of pods that come before "
                                    "it now",
                                    priority),
                       NULL))
      return;
  }
}

/* ---- one more GPU ---- */

/* Where pods compete, the order of names may decide who gets the new GPU: it has to help wherever the name of
 * its node comes. */
static const char *const probe_names[] = {"0-facet-one-more", "zz-facet-one-more"};

static bool serves_with_gpu(Explanation *explanation, const ExplainGroup *group, const char *model,
                            const char *name, ExplainAnswer *ret_answer) {
  CLEANUP(explain_trial_deinit) ExplainTrial trial = {0};
  explain_trial_init(&trial, explanation->cluster);
  explain_trial_add_node_like(&trial, explain_node_index(explanation, group->node), name, model);
  return explain_try(explanation, &trial, ret_answer);
}

static bool try_gpu(Explanation *explanation, const ExplainGroup *group, const char *model) {
  const SnapshotNode *node = node_of(explanation, group);
  const MigModelRow *row = mig_model_find(model);
  ExplainAnswer answer;
  for (size_t i = 0; i < COUNT_OF(probe_names); i++)
    if (!serves_with_gpu(explanation, group, model, probe_names[i], &answer))
      return false;
  const char *text =
      arena_format(&explanation->arena, "one more %s, in a node like %s", row ? row->key : model, node->name);
  ExplainAdvice *advice = explain_add_advice(explanation, EXPLAIN_GPU, text, NULL, &answer);
  advice->outcome = "facet makes room for it"; /* there, or where the new GPU leaves room */
  advice->node = "";
  return true;
}

/* Of the node's first GPU, else what its label says; NULL where it has not the profile or is not known. */
static const char *label_of_model(const SnapshotNode *node, const char *profile) {
  const char *label = key_values_find(&node->object->meta.labels, "nvidia.com/gpu.product");
  const MigModelRow *row = label ? mig_model_find(label) : NULL;
  const MigModel *model = node->gpu_count ? node->gpus[0].model : row ? &row->model : NULL;
  if (!model || mig_model_find_profile(model, profile) < 0)
    return NULL;
  return node->gpu_count ? node->gpus[0].model_label : row->model.name;
}

/* Models of the cluster first, one advice for each; where none of them helps, the first known one that does.
 */
static void try_gpus(Explanation *explanation) {
  CLEANUP(map_deinit) Map helped = {0};
  int tried = 0, count;
  for (size_t i = 0; i < explanation->groups.count && tried < TEMPLATES_MAX; i++) {
    const ExplainGroup *group = &explanation->groups.items[i];
    const SnapshotNode *node = node_of(explanation, group);
    const char *label = label_of_model(node, explanation->needs[0].profile);
    if (!label || map_find(&helped, label))
      continue;
    tried++;
    if (try_gpu(explanation, group, label))
      map_put(&helped, label, explanation);
  }
  const MigModelRow *rows = mig_model_rows(&count);
  for (int i = 0; !helped.count && i < count && explanation->groups.count && tried < TEMPLATES_MAX; i++) {
    if (!rows[i].placements_known ||
        mig_model_find_profile(&rows[i].model, explanation->needs[0].profile) < 0)
      continue;
    tried++;
    if (try_gpu(explanation, &explanation->groups.items[0], rows[i].model.name))
      return;
  }
}

/* ---- all ---- */

void explain_advice_find(Explanation *explanation) {
  size_t groups = explanation->groups.count < GROUPS_MAX ? explanation->groups.count : GROUPS_MAX;
  if (!explanation->need_count)
    return;
  for (size_t i = 0; i < groups; i++)
    try_waiting(explanation, &explanation->groups.items[i]);
  for (size_t i = 0; i < groups; i++)
    try_settings(explanation, &explanation->groups.items[i]);
  size_t before = explanation->advice.count;
  for (size_t i = 0; i < groups && explanation->advice.count == before; i++)
    if (is_short_of_resources(&explanation->groups.items[i]))
      try_change(explanation,
                 (ExplainChange){.kind = EXPLAIN_CHANGE_LESS, .node = explanation->groups.items[i].node});
  try_profiles(explanation);
  try_constraints(explanation);
  try_priority(explanation);
  try_gpus(explanation);
}
