/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/withdrawal.h"

#include "agent/use.h"
#include "agent/wanted.h"
#include "base/text.h"

/* The wanted slices of this very GPU; false where nothing exact is said, or it is not a layout that the GPU
 * can have. */
static bool read_wish(const Node *node, const GpuObserved *gpu, MigList *ret_list) {
  const char *text =
      key_values_find_index(&node->meta.annotations, MIG_ANNOTATION_SPEC_GPU_PREFIX, gpu->index);
  MigSpec spec;
  MigLayout layout;
  Error err;
  if (!text || mig_spec_parse(text, &spec, &err) < 0 || strcmp(spec.uuid, gpu->uuid) != 0 ||
      mig_list_bind(&spec.list, &gpu->model, &layout, &err) < 0)
    return false;
  *ret_list = spec.list;
  return true;
}

/* False where somebody wants to keep slices, and nobody can tell which. */
static bool read_keep(const Node *node, const GpuObserved *gpu, MigList *ret_list) {
  Error err;
  const char *text = key_values_find_index(&node->meta.annotations, MIG_ANNOTATION_KEEP_PREFIX, gpu->index);
  *ret_list = (MigList){0};
  return !text || mig_list_parse(text, false, ret_list, &err) == 0;
}

static void add_target(const GpuObserved *gpu, const GpuInstance *instance, const MigProfile *profile,
                       AgentTargets *targets) {
  AgentTarget *target = array_push(targets);
  *target = (AgentTarget){
      .gpu = gpu->index, .nvml_id = instance->nvml_id, .start = instance->start, .size = instance->size};
  snprintf(target->gpu_uuid, sizeof target->gpu_uuid, "%s", gpu->uuid);
  snprintf(target->uuid, sizeof target->uuid, "%s", instance->uuid);
  snprintf(target->profile, sizeof target->profile, "%s", profile->name);
  mig_profile_format_resource(profile->name, target->resource);
}

static void compare_gpu(const Node *node, const GpuObserved *gpu, const Map *used, AgentTargets *targets) {
  MigList wish, keep;
  if (gpu->mode != MIG_MODE_ON || gpu->is_out_of_service || agent_wanted_is_excluded(node, gpu) ||
      !read_wish(node, gpu, &wish) || !read_keep(node, gpu, &keep))
    return;
  for (int i = 0; i < gpu->instance_count; i++) {
    const GpuInstance *instance = &gpu->instances[i];
    const MigProfile *profile = mig_model_find_nvml_id(&gpu->model, instance->nvml_id);
    if (profile && !agent_use_is_used(instance, used) && !gpu->is_sick && !instance->is_sick &&
        !mig_list_has(&wish, profile->name, instance->start) &&
        !mig_list_has(&keep, profile->name, instance->start))
      add_target(gpu, instance, profile, targets);
  }
}

static int compare_targets(const void *a, const void *b) {
  const AgentTarget *left = a, *right = b;
  return left->gpu != right->gpu ? left->gpu - right->gpu : left->start - right->start;
}

void agent_withdrawal_compute(const Node *node, const GpuObservation *observation, const Map *used,
                              AgentTargets *ret_targets) {
  for (int g = 0; g < observation->gpu_count; g++)
    compare_gpu(node, &observation->gpus[g], used, ret_targets);
  if (ret_targets->count)
    qsort(ret_targets->items, ret_targets->count, sizeof *ret_targets->items, compare_targets);
}

static bool is_resource_of(const AgentTargets *targets, size_t count, const char *resource) {
  for (size_t i = 0; i < count; i++)
    if (strcmp(targets->items[i].resource, resource) == 0)
      return true;
  return false;
}

void agent_withdrawal_add_free(const GpuObservation *observation, const Map *used, AgentTargets *targets) {
  size_t target_count = targets->count;
  for (int g = 0; g < observation->gpu_count; g++)
    for (int i = 0; i < observation->gpus[g].instance_count; i++) {
      const GpuObserved *gpu = &observation->gpus[g];
      const GpuInstance *instance = &gpu->instances[i];
      const MigProfile *profile = mig_model_find_nvml_id(&gpu->model, instance->nvml_id);
      if (!profile || !instance->uuid[0] || map_find(used, instance->uuid) ||
          agent_targets_find(targets, instance->uuid))
        continue;
      add_target(gpu, instance, profile, targets);
      if (!is_resource_of(targets, target_count, targets->items[targets->count - 1].resource))
        targets->count--;
    }
}

void agent_targets_append(AgentTargets *into, const AgentTargets *from) {
  for (size_t i = 0; i < from->count; i++)
    *array_push(into) = from->items[i];
}

bool agent_target_is(const AgentTarget *target, const GpuInstance *instance) {
  return strcmp(target->uuid, instance->uuid) == 0 && target->nvml_id == instance->nvml_id &&
         target->start == instance->start;
}

const AgentTarget *agent_targets_find(const AgentTargets *targets, const char *uuid) {
  for (size_t i = 0; i < targets->count; i++)
    if (strcmp(targets->items[i].uuid, uuid) == 0)
      return &targets->items[i];
  return NULL;
}

int agent_targets_count(const AgentTargets *targets, const char *resource) {
  int count = 0;
  for (size_t i = 0; i < targets->count; i++)
    count += strcmp(targets->items[i].resource, resource) == 0;
  return count;
}

bool agent_targets_has_one(const AgentTargets *targets, const char *resource, const Strings *ids) {
  for (size_t i = 0; i < ids->count; i++) {
    const AgentTarget *target = agent_targets_find(targets, ids->items[i]);
    if (target && strcmp(target->resource, resource) == 0)
      return true;
  }
  return false;
}

void agent_targets_format(const AgentTargets *targets, char *ret_text, size_t size) {
  CLEANUP(text_deinit) Text text = {0};
  for (size_t i = 0; i < targets->count; i++) {
    const AgentTarget *target = &targets->items[i];
    if (i == 0 || targets->items[i - 1].gpu != target->gpu)
      text_format(&text, "%sgpu %d:", i ? "; " : "", target->gpu);
    else
      text_append(&text, ",");
    text_format(&text, " %s@%d", target->profile, target->start);
  }
  snprintf(ret_text, size, "%s", text_string(&text));
}
