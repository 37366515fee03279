/* SPDX-License-Identifier: Apache-2.0 */
/* Two tables say which annotations exist and where they go; the walk over the annotations knows none of them.
 */
#include "cluster/node_report.h"

#include "base/text.h"

#include <stddef.h>
#include <string.h>

typedef struct ReportKey {
  const char *key;
  size_t offset; /* of a const char * */
} ReportKey;

/* Annotations of the node: offsets in NodeReport. */
static const ReportKey node_keys[] = {
    {MIG_ANNOTATION_SPEC_PLAN, offsetof(NodeReport, spec_plan)},
    {MIG_ANNOTATION_STATUS_PLAN, offsetof(NodeReport, status_plan)},
    {MIG_ANNOTATION_PROFILES, offsetof(NodeReport, profiles)},
    {MIG_ANNOTATION_EXCLUDE, offsetof(NodeReport, exclude)},
    {MIG_ANNOTATION_ALLOWED, offsetof(NodeReport, allowed)},
    {MIG_ANNOTATION_PAUSED, offsetof(NodeReport, paused)},
};

/* Annotations of one GPU, the index behind the key: offsets in GpuReport. */
static const ReportKey gpu_keys[] = {
    {MIG_ANNOTATION_IDENTITY_PREFIX, offsetof(GpuReport, identity)},
    {MIG_ANNOTATION_STATUS_GPU_PREFIX, offsetof(GpuReport, status)},
    {MIG_ANNOTATION_KEEP_PREFIX, offsetof(GpuReport, keep)},
};

static void set_text(void *report, size_t offset, const char *text) {
  *(const char **)((char *)report + offset) = string_or_empty(text);
}

static bool take_node_key(NodeReport *report, const KeyValue *annotation) {
  for (size_t i = 0; i < COUNT_OF(node_keys); i++)
    if (strcmp(annotation->key, node_keys[i].key) == 0) {
      set_text(report, node_keys[i].offset, annotation->value);
      return true;
    }
  return false;
}

static bool take_gpu_key(NodeReport *report, const KeyValue *annotation) {
  for (size_t i = 0; i < COUNT_OF(gpu_keys); i++) {
    if (!string_has_prefix(annotation->key, gpu_keys[i].key))
      continue;
    int index = mig_key_parse_index(annotation->key, gpu_keys[i].key);
    if (index < 0)
      report->bad_key = annotation->key;
    else
      set_text(&report->gpus[index], gpu_keys[i].offset, annotation->value);
    return true;
  }
  return false;
}

/* Only whether there are any: few nodes have them, and whoever needs them walks over them again. */
static void take_count_key(NodeReport *report, const KeyValue *annotation) {
  int index;
  char profile[MIG_PROFILE_NAME_SIZE];
  MigUse use;
  if (mig_key_parse_count(annotation->key, MIG_ANNOTATION_STATUS_COUNT_PREFIX, &index, profile, &use))
    report->gpus[index].has_counts = true;
}

/* An exact status or a count without its GPU's identity is left over from a GPU that went away, unless the
 * node reports no identities at all. */
static uint64_t find_reported(const NodeReport *report) {
  uint64_t reported = 0;
  for (int i = 0; i <= MIG_GPU_INDEX_MAX; i++) {
    const GpuReport *gpu = &report->gpus[i];
    bool is_there = report->has_identity ? gpu->identity != NULL : gpu->status || gpu->has_counts;
    reported |= (uint64_t)is_there << i;
  }
  return reported;
}

void node_report_read(const Node *node, NodeReport *ret_report) {
  NodeReport report = {0};
  for (size_t i = 0; i < node->meta.annotations.count; i++) {
    const KeyValue *annotation = &node->meta.annotations.items[i];
    if (!take_node_key(&report, annotation) && !take_gpu_key(&report, annotation))
      take_count_key(&report, annotation);
  }
  for (int i = 0; i <= MIG_GPU_INDEX_MAX; i++)
    report.has_identity |= report.gpus[i].identity != NULL;
  report.reported = find_reported(&report);
  *ret_report = report;
}
