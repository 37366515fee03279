/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/counting.h"

#include "mig/contract.h"

#include <stdlib.h>

void controller_counting_deinit(ControllerCounting *counting) {
  for (size_t i = 0; i < counting->told.count; i++)
    free(counting->told.entries[i].value);
  map_deinit(&counting->told);
}

/* ---- events ---- */

static void observe_stage(ControllerCounting *counting, const char *stage, uint64_t began_ms) {
  uint64_t now_ms = counting->host->now_ms;
  metrics_observe(counting->metrics, METRIC_STAGE_DURATION, METRIC_LABELS(stage),
                  now_ms > began_ms ? (double)(now_ms - began_ms) / 1000 : 0);
}

void controller_counting_note_pass(ControllerCounting *counting, const ControllerPass *pass,
                                   uint64_t began_us, uint64_t batch_began_ms) {
  Metrics *metrics = counting->metrics;
  metrics_observe_since(metrics, METRIC_PLAN_DURATION, NULL, began_us);
  if (batch_began_ms)
    observe_stage(counting, "batch", batch_began_ms);
  metrics_add(metrics, METRIC_PLANS, NULL, 1);
  metrics_add(metrics, METRIC_PLANS_STOPPED, NULL, pass->stopped_early);
  metrics_set(metrics, METRIC_PODS, METRIC_LABELS("admitted"), pass->admitted);
  metrics_set(metrics, METRIC_PODS, METRIC_LABELS("fits"), pass->already_fit);
  metrics_set(metrics, METRIC_PODS, METRIC_LABELS("blocked"), pass->blocked);
  metrics_set(metrics, METRIC_PODS, METRIC_LABELS("ignored"), pass->ignored);
  metrics_set(metrics, METRIC_PLAN_GAP, NULL,
              pass->bound > 0 ? (double)(pass->bound - pass->admitted) / pass->bound : 0);
}

void controller_counting_note_written(ControllerCounting *counting, const char *node, uint64_t sent_ms) {
  if (!counting->metrics)
    return;
  observe_stage(counting, "write", sent_ms);
  metrics_add(counting->metrics, METRIC_NODE_WRITES, METRIC_LABELS("written"), 1);
  uint64_t *at_ms = mem_alloc(sizeof *at_ms);
  *at_ms = counting->host->now_ms;
  free(map_put(&counting->told, node, at_ms));
}

void controller_counting_note_failure(ControllerCounting *counting, const char *where, const Error *why) {
  metrics_add(counting->metrics, METRIC_FAILURES, METRIC_LABELS(where, error_code_name(why->code)), 1);
}

void controller_counting_note_not_written(ControllerCounting *counting, bool outdated, const Error *why) {
  metrics_add(counting->metrics, METRIC_NODE_WRITES, METRIC_LABELS(outdated ? "outdated" : "failed"), 1);
  if (!outdated)
    controller_counting_note_failure(counting, "node_write", why);
}

void controller_counting_note_word(ControllerCounting *counting, const Error *why) {
  metrics_add(counting->metrics, METRIC_EVENTS, METRIC_LABELS(why ? "failed" : "written"), 1);
  if (why)
    controller_counting_note_failure(counting, "event", why);
}

void controller_counting_note_node(ControllerCounting *counting, const Node *node) {
  const uint64_t *told_ms = counting->metrics ? map_find(&counting->told, node->meta.name) : NULL;
  const char *wanted = key_values_find(&node->meta.annotations, MIG_ANNOTATION_SPEC_PLAN);
  if (!told_ms || !wanted ||
      !string_equal(wanted, key_values_find(&node->meta.annotations, MIG_ANNOTATION_STATUS_PLAN)))
    return;
  observe_stage(counting, "answer", *told_ms);
  controller_counting_forget_node(counting, node->meta.name);
}

void controller_counting_forget_node(ControllerCounting *counting, const char *node) {
  free(map_remove(&counting->told, node));
}

/* ---- gauges ---- */

static const char *state_of(const Node *node) {
  if (key_values_find(&node->meta.annotations, MIG_ANNOTATION_ERROR))
    return "failing";
  return key_values_find(&node->meta.annotations, MIG_ANNOTATION_PROFILES) ? "reporting" : "silent";
}

static void count_slice(Metrics *metrics, const char *profile, MigUse use, double count) {
  metrics_add(metrics, METRIC_SLICES, METRIC_LABELS(profile, use == MIG_USE_USED ? "used" : "free"), count);
}

static void count_exact(Metrics *metrics, const char *status) {
  MigList list;
  Error err;
  if (mig_list_parse(status, true, &list, &err) < 0)
    return;
  for (int i = 0; i < list.count; i++)
    count_slice(metrics, list.items[i].profile, list.items[i].use, 1);
}

/* By what the agents report: counts of a GPU whose exact status is there were trimmed (cluster/node_trim.h).
 */
static void count_slices(Metrics *metrics, const Node *node) {
  for (size_t i = 0; i < node->meta.annotations.count; i++) {
    const KeyValue *entry = &node->meta.annotations.items[i];
    char profile[MIG_PROFILE_NAME_SIZE];
    int index;
    MigUse use;
    if (mig_key_parse_index(entry->key, MIG_ANNOTATION_STATUS_GPU_PREFIX) >= 0)
      count_exact(metrics, string_or_empty(entry->value));
    else if (mig_key_parse_count(entry->key, MIG_ANNOTATION_STATUS_COUNT_PREFIX, &index, profile, &use) &&
             use != MIG_USE_NONE)
      count_slice(metrics, profile, use, (double)strtol(string_or_empty(entry->value), NULL, 10));
  }
}

void controller_counting_fill(const ControllerCounting *counting, const KubeInformer *nodes,
                              const KubeInformer *pods, bool leads) {
  static const char *const states[] = {"reporting", "failing", "silent"};
  Metrics *metrics = counting->metrics;
  if (!metrics)
    return;
  metrics_clear(metrics, METRIC_SLICES);
  for (size_t i = 0; i < COUNT_OF(states); i++)
    metrics_set(metrics, METRIC_NODES, METRIC_LABELS(states[i]), 0);
  for (size_t i = 0; i < kube_informer_count(nodes); i++) {
    const Node *node = kube_informer_at(nodes, i);
    if (!string_equal(key_values_find(&node->meta.labels, MIG_LABEL_PARTITIONING), "mig"))
      continue;
    metrics_add(metrics, METRIC_NODES, METRIC_LABELS(state_of(node)), 1);
    count_slices(metrics, node);
  }
  metrics_set(metrics, METRIC_OBJECTS, METRIC_LABELS("nodes"), (double)kube_informer_count(nodes));
  metrics_set(metrics, METRIC_OBJECTS, METRIC_LABELS("pods"), (double)kube_informer_count(pods));
  metrics_set(metrics, METRIC_LEADER, NULL, leads);
}
