/* SPDX-License-Identifier: Apache-2.0 */
/*     label nvidia.com/gpu.product          <->  models of facet.gpu/gpu-<i>; on a mixed node it tells one of
 * them label nvidia.com/gpu.count            a number of GPUs at all? facet.gpu/gpu-<i> <->  each other: a
 * GPU is at one index mig=off                               <->  slices in facet.gpu/status-gpu-<i>
 *     nos.nebuly.com/status-gpu-<i>-...     <->  facet.gpu/status-gpu-<i>
 *     facet.gpu/spec-gpu-<i>                <->  the model's placements */
#include "cluster/node_check.h"

#include "cluster/snapshot_parts.h"

#include "base/text.h"

#include <string.h>

#define LABEL_PRODUCT "nvidia.com/gpu.product"
#define LABEL_COUNT   "nvidia.com/gpu.count"

typedef struct Check {
  Snapshot *snapshot;
  const SnapshotNode *node;
  SnapshotWarnings *warnings;
} Check;

static void warn(Check *check, const char *text) {
  Arena *arena = &check->snapshot->words;
  snapshot_warn(check->snapshot, check->warnings, arena_format(arena, "node %s", check->node->name), text);
}

static bool is_same_model(const char *label, const char *product) {
  const MigModelRow *a = mig_model_find(label), *b = mig_model_find(product);
  return !a || !b || a == b; /* of a name that nobody knows, nobody can say that it is another GPU */
}

static void check_product(Check *check) {
  const SnapshotNode *node = check->node;
  const char *product = key_values_find(&node->object->meta.labels, LABEL_PRODUCT), *other = NULL;
  for (int i = 0; product && i < node->gpu_count; i++) {
    const char *label = node->gpus[i].model_label;
    if (!*label)
      continue;
    if (is_same_model(label, product))
      return;
    other = label;
  }
  if (other)
    warn(check, arena_format(&check->snapshot->words,
                             "the label " LABEL_PRODUCT " says %.60s, the annotation of the GPU says %s: the "
                             "annotation counts",
                             product, other));
}

static void check_count(Check *check) {
  const char *count = key_values_find(&check->node->object->meta.labels, LABEL_COUNT);
  size_t size = count ? strlen(count) : 0;
  if (count && (size == 0 || size > 2 || strspn(count, "0123456789") != size ||
                (size == 2 && strcmp(count, "64") > 0)))
    warn(check,
         arena_format(&check->snapshot->words,
                      "the label " LABEL_COUNT " says \"%.20s\", which is no number of GPUs from 0 to 64",
                      count));
}

static void check_uuid(Check *check, int i) {
  const SnapshotGpu *gpus = check->node->gpus;
  char uuid[MIG_UUID_SIZE], other[MIG_UUID_SIZE];
  snapshot_gpu_uuid(check->node, &gpus[i], uuid);
  for (int before = 0; uuid[0] && before < i; before++)
    if (strcmp(snapshot_gpu_uuid(check->node, &gpus[before], other), uuid) == 0) {
      warn(check, arena_format(&check->snapshot->words, "GPU %d and GPU %d are both called %s",
                               gpus[before].index, gpus[i].index, uuid));
      return;
    }
}

static void check_mode(Check *check, const SnapshotGpu *gpu) {
  if (gpu->mode == MIG_MODE_OFF && gpu->existing_starts)
    warn(check, arena_format(&check->snapshot->words,
                             MIG_ANNOTATION_STATUS_GPU_PREFIX
                             "%d tells of slices, though " MIG_ANNOTATION_IDENTITY_PREFIX
                             "%d says that MIG mode is off",
                             gpu->index, gpu->index));
}

static void check_wish(Check *check, const SnapshotGpu *gpu) {
  Arena *arena = &check->snapshot->words;
  const char *key = arena_format(arena, MIG_ANNOTATION_SPEC_GPU_PREFIX "%d", gpu->index);
  const char *text = key_values_find(&check->node->object->meta.annotations, key);
  MigSpec spec;
  MigLayout layout;
  Error err;
  if (!text || !gpu->model)
    return;
  if (mig_spec_parse(text, &spec, &err) < 0 || mig_list_bind(&spec.list, gpu->model, &layout, &err) < 0)
    warn(check, arena_format(arena, "%s cannot be fulfilled: %s", key, err.text));
}

static int count_slices(const SnapshotGpu *gpu, int profile, MigUse use) {
  int count = 0;
  for (int i = 0; i < gpu->layout->count; i++) {
    bool is_used = gpu->used_starts >> gpu->layout->instances[i].start & 1;
    count += gpu->layout->instances[i].profile == profile && is_used == (use == MIG_USE_USED);
  }
  return count;
}

static const SnapshotGpu *find_gpu(const SnapshotNode *node, int index) {
  for (int i = 0; i < node->gpu_count; i++)
    if (node->gpus[i].index == index)
      return &node->gpus[i];
  return NULL;
}

/* Both forms of a report come in one patch of the agent's; where they differ, somebody else wrote. */
static void check_counts(Check *check, const KeyValue *annotation) {
  char profile[MIG_PROFILE_NAME_SIZE];
  int index;
  MigUse use;
  if (!mig_key_parse_count(annotation->key, MIG_ANNOTATION_STATUS_COUNT_PREFIX, &index, profile, &use))
    return;
  const SnapshotGpu *gpu = find_gpu(check->node, index);
  if (!gpu || !gpu->model || gpu->assumed || check->node->being_recut || gpu->blocked)
    return;
  int number = mig_model_find_profile(gpu->model, profile);
  int exact = number >= 0 ? count_slices(gpu, number, use) : 0;
  char told[16];
  snprintf(told, sizeof told, "%d", exact);
  if (strcmp(annotation->value, told) != 0)
    warn(check,
         arena_format(&check->snapshot->words,
                      "%.80s says %.20s, " MIG_ANNOTATION_STATUS_GPU_PREFIX "%d says %d: the latter counts",
                      annotation->key, annotation->value, index, exact));
}

void node_check(Snapshot *snapshot, const SnapshotNode *node, SnapshotWarnings *warnings) {
  Check check = {snapshot, node, warnings};
  check_product(&check);
  check_count(&check);
  for (int i = 0; i < node->gpu_count; i++) {
    check_uuid(&check, i);
    check_mode(&check, &node->gpus[i]);
    check_wish(&check, &node->gpus[i]);
  }
  for (size_t i = 0; i < node->object->meta.annotations.count; i++)
    check_counts(&check, &node->object->meta.annotations.items[i]);
}
