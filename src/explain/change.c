/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/change.h"

#include "explain/edit.h"
#include "explain/inquiry.h"

typedef struct Site { /* of a change */
  const Explanation *explanation;
  const SnapshotNode *node;
  size_t index; /* of the node in the cluster */
  const char *who;
  ExplainTrial *trial;
  const char **command;
} Site;

ExplainAdviceKind explain_change_advice(ExplainChangeKind kind) {
  if (kind == EXPLAIN_CHANGE_TAINT)
    return EXPLAIN_TOLERATE;
  return kind < EXPLAIN_CHANGE_TAINT ? EXPLAIN_SETTING : EXPLAIN_ASK;
}

static const char *uncordon(const Site *site) {
  Arena *arena = &site->trial->arena;
  explain_trial_edit_node(site->trial, site->index)->unschedulable = false;
  *site->command = arena_format(arena, "kubectl uncordon %s", site->node->name);
  return arena_format(arena, "uncordon node %s", site->node->name);
}

static const char *remove_annotation(const Site *site, const char *key) {
  Arena *arena = &site->trial->arena;
  Node *edited = explain_trial_edit_node(site->trial, site->index);
  explain_set(site->trial, &edited->meta.annotations, key, NULL);
  *site->command = arena_format(arena, "kubectl annotate node %s %s-", site->node->name, key);
  return arena_format(arena, "remove %s from node %s", key, site->node->name);
}

static const char *hand_over(const Site *site) {
  Arena *arena = &site->trial->arena;
  Node *edited = explain_trial_edit_node(site->trial, site->index);
  explain_set(site->trial, &edited->meta.labels, MIG_LABEL_PARTITIONING, "mig");
  *site->command = arena_format(arena, "kubectl label node %s --overwrite %s=mig", site->node->name,
                                MIG_LABEL_PARTITIONING);
  bool is_shared =
      string_equal(key_values_find(&site->node->object->meta.labels, MIG_LABEL_PARTITIONING), "mps");
  return arena_format(
      arena, is_shared ? "take node %s away from MPS sharing and hand it to facet" : "hand node %s to facet",
      site->node->name);
}

static const char *start_agent(const Site *site) {
  Arena *arena = &site->trial->arena;
  const KeyValues *labels = &site->node->object->meta.labels;
  const MigModelRow *row = mig_model_find(string_or_empty(key_values_find(labels, "nvidia.com/gpu.product")));
  long count = strtol(string_or_empty(key_values_find(labels, "nvidia.com/gpu.count")), NULL, 10);
  if (!row || !row->placements_known || count < 1 || count > MIG_GPU_INDEX_MAX + 1)
    return NULL;
  explain_edit_report_empty(site->trial, site->index, row->model.name, (int)count);
  *site->command = arena_format(
      arena, "kubectl -n facet-system get pods -o wide --field-selector spec.nodeName=%s", site->node->name);
  return arena_format(arena,
                      "start the facet agent on node %s, which has %ld x %s by its labels, taken as empty",
                      site->node->name, count, row->key);
}

static const char *switch_mode_on(const Site *site, const SnapshotGpu *gpu) {
  Arena *arena = &site->trial->arena;
  explain_edit_mode_on(site->trial, site->index, site->node, gpu);
  if (gpu->mode == MIG_MODE_PENDING)
    return arena_format(arena, "reset GPU %d of node %s: its MIG mode is pending", gpu->index,
                        site->node->name);
  const char *needs_reset = gpu->model && gpu->model->mode_needs_reset ? ", then reset the GPU" : "";
  *site->command =
      arena_format(arena, "nvidia-smi -i %d -mig 1   # on node %s", gpu->index, site->node->name);
  return arena_format(arena, "switch MIG mode on for GPU %d of node %s%s", gpu->index, site->node->name,
                      needs_reset);
}

/* Several taints may go, from the last to the first: so the index stays right. */
static const char *drop_taint(const Site *site, size_t item) {
  Arena *arena = &site->trial->arena;
  const Taint *taint = &site->node->object->taints.items[item];
  explain_edit_drop_taint(site->trial, site->index, item);
  *site->command = arena_format(arena, "kubectl taint node %s %s:%s-", site->node->name,
                                string_or_empty(taint->key), taint->effect);
  return arena_format(arena, "tolerate taint %s:%s in the pod, or remove it from node %s",
                      string_or_empty(taint->key), taint->effect, site->node->name);
}

static const char *drop_selector(const Site *site, size_t item) {
  const Explanation *explanation = site->explanation;
  const KeyValue *selector =
      &pod_common(explanation->cluster->pods[explanation->subject])->node_selector.items[item];
  Pod *edited = explain_trial_edit_pod(site->trial, explanation->subject);
  explain_set(site->trial, &edited->common->node_selector, selector->key, NULL);
  return arena_format(&site->trial->arena, "without %s nodeSelector %s=%s", site->who, selector->key,
                      string_or_empty(selector->value));
}

static const char *drop_affinity(const Site *site) {
  Pod *edited = explain_trial_edit_pod(site->trial, site->explanation->subject);
  edited->has_required_node_affinity = false;
  edited->required_terms.count = 0;
  return arena_format(&site->trial->arena, "without %s required node affinity", site->who);
}

static const char *drop_company(const Site *site) {
  explain_trial_edit_pod(site->trial, site->explanation->subject)->common->affinity_terms.count = 0;
  return arena_format(&site->trial->arena, "without %s required pod affinity", site->who);
}

static const char *ask_less(const Site *site, const Resources *freed) {
  CLEANUP(text_deinit) Text text = {0};
  if (!explain_edit_ask_less(site->trial, site->explanation->subject, &site->explanation->requests,
                             site->node, freed, &text))
    return NULL;
  return arena_format(&site->trial->arena, "if %s asks %s", site->who, text_string(&text));
}

/* "it": "its"; "ml/a": "the ... of ml/a" would turn the words round, "ml/a's" does not. */
static const char *possessive(Arena *arena, const char *who) {
  return string_equal(who, "it") ? "its" : arena_format(arena, "%s's", who);
}

const char *explain_change_apply(const Explanation *explanation, const ExplainChange *change, const char *who,
                                 const Resources *freed, ExplainTrial *trial, const char **ret_command) {
  *ret_command = NULL;
  Site site = {.explanation = explanation,
               .node = &explanation->snapshot.nodes.items[change->node],
               .index = explain_node_index(explanation, change->node),
               .who = who,
               .trial = trial,
               .command = ret_command};
  switch (change->kind) {
  case EXPLAIN_CHANGE_UNCORDON:
    return uncordon(&site);
  case EXPLAIN_CHANGE_ANNOTATION:
    return remove_annotation(&site, change->key);
  case EXPLAIN_CHANGE_LABEL:
    return hand_over(&site);
  case EXPLAIN_CHANGE_AGENT:
    return start_agent(&site);
  case EXPLAIN_CHANGE_MODE:
    return switch_mode_on(&site, &site.node->gpus[change->item]);
  case EXPLAIN_CHANGE_TAINT:
    return drop_taint(&site, change->item);
  case EXPLAIN_CHANGE_SELECTOR:
    site.who = possessive(&trial->arena, who);
    return drop_selector(&site, change->item);
  case EXPLAIN_CHANGE_AFFINITY:
    site.who = possessive(&trial->arena, who);
    return drop_affinity(&site);
  case EXPLAIN_CHANGE_COMPANY:
    site.who = possessive(&trial->arena, who);
    return drop_company(&site);
  case EXPLAIN_CHANGE_LESS:
    return ask_less(&site, freed);
  }
  return NULL;
}
