/* SPDX-License-Identifier: Apache-2.0 */
/* One thing is changed at a time, and the planner is asked. What is changed follows from what was found in
 * the way: settings of nodes (of each group of equal nodes the first), what the pod asks, its place in the
 * queue, and the number of GPUs. */
#include "explain/inquiry.h"

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
  text_format(&text, "wait: node %s is being re-cut; when it is done", node->name);
  explain_advise(explanation, &trial, EXPLAIN_WAIT, text_string(&text), NULL);
}

/* ---- settings of nodes ---- */

static void try_annotation(Explanation *explanation, const ExplainGroup *group, const char *key) {
  const SnapshotNode *node = node_of(explanation, group);
  if (!key_values_find(&node->object->meta.annotations, key))
    return;
  CLEANUP(explain_trial_deinit) ExplainTrial trial = {0};
  explain_trial_init(&trial, explanation->cluster);
  Node *edited = explain_trial_edit_node(&trial, explain_node_index(explanation, group->node));
  explain_set(&trial, &edited->meta.annotations, key, NULL);
  explain_advise(explanation, &trial, EXPLAIN_SETTING,
                 arena_format(&trial.arena, "remove %s from node %s", key, node->name),
                 arena_format(&trial.arena, "kubectl annotate node %s %s-", node->name, key));
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
  const SnapshotNode *node = node_of(explanation, group);
  if (string_equal(key_values_find(&node->object->meta.labels, MIG_LABEL_PARTITIONING), "mig"))
    return;
  CLEANUP(explain_trial_deinit) ExplainTrial trial = {0};
  explain_trial_init(&trial, explanation->cluster);
  Node *edited = explain_trial_edit_node(&trial, explain_node_index(explanation, group->node));
  explain_set(&trial, &edited->meta.labels, MIG_LABEL_PARTITIONING, "mig");
  explain_advise(explanation, &trial, EXPLAIN_SETTING,
                 arena_format(&trial.arena, "hand node %s to facet", node->name),
                 arena_format(&trial.arena, "kubectl label node %s --overwrite %s=mig", node->name,
                              MIG_LABEL_PARTITIONING));
}

static void try_mode(Explanation *explanation, const ExplainGroup *group, const SnapshotGpu *gpu) {
  const SnapshotNode *node = node_of(explanation, group);
  CLEANUP(explain_trial_deinit) ExplainTrial trial = {0};
  if (gpu->mode == MIG_MODE_ON || !*gpu->uuid)
    return;
  explain_trial_init(&trial, explanation->cluster);
  explain_edit_mode_on(&trial, explain_node_index(explanation, group->node), gpu);
  const char *needs_reset = gpu->model && gpu->model->mode_needs_reset ? ", then reset the GPU" : "";
  explain_advise(
      explanation, &trial, EXPLAIN_SETTING,
      gpu->mode == MIG_MODE_PENDING
          ? arena_format(&trial.arena, "reset GPU %d of node %s: its MIG mode is pending", gpu->index,
                         node->name)
          : arena_format(&trial.arena, "switch MIG mode on for GPU %d of node %s%s", gpu->index, node->name,
                         needs_reset),
      gpu->mode == MIG_MODE_PENDING
          ? NULL
          : arena_format(&trial.arena, "nvidia-smi -i %d -mig 1   # on node %s", gpu->index, node->name));
}

static void try_modes(Explanation *explanation, const ExplainGroup *group) {
  const SnapshotNode *node = node_of(explanation, group);
  size_t before = explanation->advice.count;
  for (int g = 0; g < node->gpu_count && explanation->advice.count == before; g++)
    try_mode(explanation, group, &node->gpus[g]);
}

static void try_obstacle(Explanation *explanation, const ExplainGroup *group,
                         const ExplainObstacle *obstacle) {
  const SnapshotNode *node = node_of(explanation, group);
  CLEANUP(explain_trial_deinit) ExplainTrial trial = {0};
  explain_trial_init(&trial, explanation->cluster);
  if (obstacle->kind == EXPLAIN_CORDON) {
    explain_trial_edit_node(&trial, explain_node_index(explanation, group->node))->unschedulable = false;
    explain_advise(explanation, &trial, EXPLAIN_SETTING,
                   arena_format(&trial.arena, "uncordon node %s", node->name),
                   arena_format(&trial.arena, "kubectl uncordon %s", node->name));
  } else if (obstacle->kind == EXPLAIN_TAINT) {
    const Taint *taint = &node->object->taints.items[obstacle->item];
    explain_edit_drop_taint(&trial, explain_node_index(explanation, group->node), obstacle->item);
    explain_advise(explanation, &trial, EXPLAIN_TOLERATE,
                   arena_format(&trial.arena, "tolerate taint %s:%s in the pod, or remove it from node %s",
                                string_or_empty(taint->key), taint->effect, node->name),
                   arena_format(&trial.arena, "kubectl taint node %s %s:%s-", node->name,
                                string_or_empty(taint->key), taint->effect));
  }
}

static void try_settings(Explanation *explanation, const ExplainGroup *group) {
  for (size_t i = 0; i < group->obstacles.count; i++)
    try_obstacle(explanation, group, &group->obstacles.items[i]);
  try_annotations(explanation, group);
  try_label(explanation, group);
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
  explain_advise(
      explanation, &trial, EXPLAIN_ASK,
      arena_format(&trial.arena, "if it asks %s in place of %s", profile, explanation->needs[0].profile),
      NULL);
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

/* As little less as makes it fit on the node with the most left. */
static void try_less(Explanation *explanation, const ExplainGroup *group) {
  const SnapshotNode *node = node_of(explanation, group);
  CLEANUP(explain_trial_deinit) ExplainTrial trial = {0};
  CLEANUP(text_deinit) Text text = {0};
  explain_trial_init(&trial, explanation->cluster);
  if (explain_edit_ask_less(&trial, explanation->subject, &explanation->requests, node, &text))
    explain_advise(explanation, &trial, EXPLAIN_ASK, text_string(&text), NULL);
}

static bool is_short_of_resources(const ExplainGroup *group) {
  for (size_t i = 0; i < group->obstacles.count; i++)
    if (group->obstacles.items[i].kind != EXPLAIN_RESOURCES)
      return false;
  return group->obstacles.count > 0;
}

static void try_constraints(Explanation *explanation) {
  const Pod *pod = explanation->cluster->pods[explanation->subject];
  for (size_t i = 0; i < pod->node_selector.count && i < ASKS_MAX; i++) {
    CLEANUP(explain_trial_deinit) ExplainTrial trial = {0};
    explain_trial_init(&trial, explanation->cluster);
    const KeyValue *selector = &pod->node_selector.items[i];
    Pod *edited = explain_trial_edit_pod(&trial, explanation->subject);
    explain_set(&trial, &edited->node_selector, selector->key, NULL);
    explain_advise(explanation, &trial, EXPLAIN_ASK,
                   arena_format(&trial.arena, "without its nodeSelector %s=%s", selector->key,
                                string_or_empty(selector->value)),
                   NULL);
  }
  if (!pod->has_required_node_affinity)
    return;
  CLEANUP(explain_trial_deinit) ExplainTrial trial = {0};
  explain_trial_init(&trial, explanation->cluster);
  explain_trial_edit_pod(&trial, explanation->subject)->has_required_node_affinity = false;
  explain_trial_edit_pod(&trial, explanation->subject)->required_terms.count = 0;
  explain_advise(explanation, &trial, EXPLAIN_ASK, "without its required node affinity", NULL);
}

/* ---- its place in the queue ---- */

/* Just above pods of its own priority, else just above all that are served. */
static void try_priority(Explanation *explanation) {
  const Pod *pod = explanation->cluster->pods[explanation->subject];
  int32_t highest = pod->priority;
  for (size_t i = 0; i < explanation->plan.pods.count; i++) {
    const PlanPod *planned = &explanation->plan.pods.items[i];
    const Pod *other = explanation->snapshot.pods.items[planned->pod].object;
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

/* Models of the cluster first, one advice for each; where none of them helps, the first known one that does.
 */
static void try_gpus(Explanation *explanation) {
  CLEANUP(map_deinit) Map helped = {0};
  int tried = 0, count;
  for (size_t i = 0; i < explanation->groups.count && tried < TEMPLATES_MAX; i++) {
    const ExplainGroup *group = &explanation->groups.items[i];
    const SnapshotNode *node = node_of(explanation, group);
    const SnapshotGpu *gpu = node->gpu_count ? &node->gpus[0] : NULL;
    if (!gpu || !gpu->model || map_find(&helped, gpu->model_label) ||
        mig_model_find_profile(gpu->model, explanation->needs[0].profile) < 0)
      continue;
    tried++;
    if (try_gpu(explanation, group, gpu->model_label))
      map_put(&helped, gpu->model_label, explanation);
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
      try_less(explanation, &explanation->groups.items[i]);
  try_profiles(explanation);
  try_constraints(explanation);
  try_priority(explanation);
  try_gpus(explanation);
}
