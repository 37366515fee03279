/* SPDX-License-Identifier: Apache-2.0 */
/* Where nothing helps alone, several things may together: a pod ends and the subject asks less, a node is
 * uncordoned and its pause is over.
 *
 * Node after node, everything at once that could be changed there is tried, then the same with the end of one
 * pod more. Where that helps, each change is left out in turn: what is left is needed. */
#include "explain/inquiry.h"

#include "explain/candidate.h"

enum {
  GROUPS_MAX = 8, /* of nodes, the nearest */
  ENDS_MAX = 6,   /* pods of a node */
};

static const SnapshotNode *node_of(const Explanation *explanation, const ExplainGroup *group) {
  return &explanation->snapshot.nodes.items[group->node];
}

/* ---- what could be changed ---- */

static void add(ExplainBundle *bundle, ExplainChange change) {
  if (bundle->change_count < EXPLAIN_CHANGES_MAX)
    bundle->changes[bundle->change_count++] = change;
}

static void add_annotation(ExplainBundle *bundle, const Explanation *explanation, const ExplainGroup *group,
                           const char *key) {
  if (key_values_find(&node_of(explanation, group)->object->meta.annotations, key))
    add(bundle, (ExplainChange){.kind = EXPLAIN_CHANGE_ANNOTATION, .node = group->node, .key = key});
}

static void add_settings(ExplainBundle *bundle, Explanation *explanation, const ExplainGroup *group) {
  const SnapshotNode *node = node_of(explanation, group);
  if (!string_equal(key_values_find(&node->object->meta.labels, MIG_LABEL_PARTITIONING), "mig"))
    add(bundle, (ExplainChange){.kind = EXPLAIN_CHANGE_LABEL, .node = group->node});
  add_annotation(bundle, explanation, group, MIG_ANNOTATION_PAUSED);
  add_annotation(bundle, explanation, group, MIG_ANNOTATION_EXCLUDE);
  add_annotation(bundle, explanation, group, MIG_ANNOTATION_ALLOWED);
  for (int g = 0; g < node->gpu_count; g++)
    add_annotation(bundle, explanation, group,
                   arena_format(&explanation->arena, MIG_ANNOTATION_KEEP_PREFIX "%d", node->gpus[g].index));
  char uuid[MIG_UUID_SIZE];
  for (int g = 0; g < node->gpu_count; g++)
    if (node->gpus[g].mode != MIG_MODE_ON && *snapshot_gpu_uuid(node, &node->gpus[g], uuid)) {
      add(bundle, (ExplainChange){.kind = EXPLAIN_CHANGE_MODE, .node = group->node, .item = (size_t)g});
      return;
    }
}

static void add_obstacle(ExplainBundle *bundle, const ExplainGroup *group, const ExplainObstacle *obstacle) {
  ExplainChange change = {.node = group->node, .item = obstacle->item};
  switch (obstacle->kind) {
  case EXPLAIN_CORDON:
    change.kind = EXPLAIN_CHANGE_UNCORDON;
    break;
  case EXPLAIN_TAINT:
    change.kind = EXPLAIN_CHANGE_TAINT;
    break;
  case EXPLAIN_SELECTOR:
    change.kind = EXPLAIN_CHANGE_SELECTOR;
    break;
  case EXPLAIN_AFFINITY:
    change.kind = EXPLAIN_CHANGE_AFFINITY;
    break;
  default:
    return;
  }
  add(bundle, change);
}

static bool has_obstacle(const ExplainGroup *group, ExplainObstacleKind kind) {
  for (size_t i = 0; i < group->obstacles.count; i++)
    if (group->obstacles.items[i].kind == kind)
      return true;
  return false;
}

/* The last taint first: the others keep their places. */
static void list_changes(Explanation *explanation, const ExplainGroup *group, ExplainBundle *ret_bundle) {
  const Pod *subject = explanation->cluster->pods[explanation->subject];
  *ret_bundle = (ExplainBundle){0};
  for (size_t i = group->obstacles.count; i > 0; i--)
    add_obstacle(ret_bundle, group, &group->obstacles.items[i - 1]);
  if (has_obstacle(group, EXPLAIN_SCHEDULER) && pod_common(subject)->affinity_terms.count)
    add(ret_bundle, (ExplainChange){.kind = EXPLAIN_CHANGE_COMPANY, .node = group->node});
  if (has_obstacle(group, EXPLAIN_RESOURCES))
    add(ret_bundle, (ExplainChange){.kind = EXPLAIN_CHANGE_LESS, .node = group->node});
  add_settings(ret_bundle, explanation, group);
}

/* ---- words ---- */

static const char *subject_name(const Explanation *explanation, Arena *arena) {
  CLEANUP(text_deinit) Text name = {0};
  explain_pod_format(explanation->cluster->pods[explanation->subject], &name);
  return arena_strdup(arena, text_string(&name));
}

static void sum_requests(const Explanation *explanation, const ExplainBundle *bundle, Arena *arena,
                         Resources *ret_sum) {
  *ret_sum = (Resources){0};
  for (int i = 0; i < bundle->pod_count; i++) {
    Resources requests;
    Error err;
    if (pod_requests_compute(explanation->cluster->pods[bundle->pods[i]], arena, &requests, &err) == 0)
      resources_add(ret_sum, &requests, 1, arena);
  }
}

bool explain_bundle_apply(const Explanation *explanation, const ExplainBundle *bundle, ExplainTrial *trial,
                          Text *words, Text *commands) {
  const char *who = subject_name(explanation, &trial->arena);
  Resources freed;
  sum_requests(explanation, bundle, &trial->arena, &freed);
  for (int i = 0; i < bundle->change_count; i++) {
    const char *command;
    const char *said = explain_change_apply(explanation, &bundle->changes[i], who, &freed, trial, &command);
    if (!said)
      return false;
    text_format(words, "%s%s", words->size ? ", and " : "", said);
    if (command)
      text_format(commands, "%s%s", commands->size ? " && " : "", command);
  }
  return true;
}

/* "when ml/a ends, and if ml/big asks cpu 6 in place of 8" */
static void advise(Explanation *explanation, const ExplainBundle *bundle, const ExplainAnswer *answer) {
  CLEANUP(explain_trial_deinit) ExplainTrial trial = {0};
  CLEANUP(text_deinit) Text words = {0}, commands = {0};
  for (int i = 0; i < bundle->pod_count; i++) {
    text_append(&words, i == 0 ? "when " : i == bundle->pod_count - 1 ? " and " : ", ");
    explain_pod_format(explanation->cluster->pods[bundle->pods[i]], &words);
  }
  text_append(&words, bundle->pod_count == 0 ? "" : bundle->pod_count == 1 ? " ends" : " have ended");
  explain_trial_init(&trial, explanation->cluster);
  (void)explain_bundle_apply(explanation, bundle, &trial, &words, &commands);
  ExplainAdvice *advice = explain_add_advice(explanation, EXPLAIN_SEVERAL, text_string(&words),
                                             commands.size ? text_string(&commands) : NULL, answer);
  memcpy(advice->pods, bundle->pods, sizeof advice->pods);
  advice->pod_count = bundle->pod_count;
}

/* ---- trying ---- */

static bool serves(Explanation *explanation, const ExplainBundle *bundle, ExplainAnswer *ret_answer) {
  if (bundle->pod_count)
    return explain_ends_serve(explanation, bundle, ret_answer);
  CLEANUP(explain_trial_deinit) ExplainTrial trial = {0};
  CLEANUP(text_deinit) Text words = {0}, commands = {0};
  explain_trial_init(&trial, explanation->cluster);
  return explain_bundle_apply(explanation, bundle, &trial, &words, &commands) &&
         explain_try(explanation, &trial, ret_answer);
}

/* Leaves out what is not needed. */
static void shrink(Explanation *explanation, ExplainBundle *bundle, ExplainAnswer *answer) {
  for (int left_out = 0; left_out < bundle->change_count;) {
    ExplainBundle smaller = *bundle;
    ExplainAnswer without;
    memmove(&smaller.changes[left_out], &smaller.changes[left_out + 1],
            (size_t)(smaller.change_count - left_out - 1) * sizeof smaller.changes[0]);
    smaller.change_count--;
    if (smaller.change_count + smaller.pod_count > 0 && serves(explanation, &smaller, &without)) {
      *bundle = smaller;
      *answer = without;
    } else {
      left_out++;
    }
  }
}

/* A single thing that helps was found before, or not looked for: then it is no matter of this file. */
static bool try_bundle(Explanation *explanation, ExplainBundle bundle) {
  ExplainAnswer answer;
  if (!serves(explanation, &bundle, &answer))
    return false;
  shrink(explanation, &bundle, &answer);
  if (bundle.change_count + bundle.pod_count > 1)
    advise(explanation, &bundle, &answer);
  return true;
}

static bool try_group(Explanation *explanation, const ExplainGroup *group) {
  ExplainBundle bundle;
  size_t pods[ENDS_MAX];
  if (has_obstacle(group, EXPLAIN_NAME))
    return false;
  list_changes(explanation, group, &bundle);
  if (!bundle.change_count)
    return false;
  if (bundle.change_count > 1 && try_bundle(explanation, bundle))
    return true;
  int count = explain_candidates_list(explanation, group->node, pods, ENDS_MAX);
  for (int i = 0; i < count; i++) {
    bundle.pods[0] = pods[i];
    bundle.pod_count = 1;
    if (try_bundle(explanation, bundle))
      return true;
  }
  return false;
}

/* By one thing alone, and with the slice that it asks. */
static bool is_helped(const Explanation *explanation) {
  for (size_t i = 0; i < explanation->advice.count; i++) {
    const ExplainAdvice *advice = &explanation->advice.items[i];
    if (advice->kind < EXPLAIN_SEVERAL && !advice->other_slice && advice->pod_count < 2)
      return true;
  }
  return false;
}

void explain_together_find(Explanation *explanation) {
  if (!explanation->need_count || is_helped(explanation))
    return;
  for (size_t i = 0; i < explanation->groups.count && i < GROUPS_MAX; i++)
    if (explanation->tries_left > 0 && try_group(explanation, &explanation->groups.items[i]))
      return;
}
