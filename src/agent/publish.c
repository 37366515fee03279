/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/publish.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

static const MigProfile *profile_of(const GpuObserved *gpu, const GpuInstance *instance) {
  for (int i = 0; i < gpu->model.profile_count; i++)
    if (gpu->model.profiles[i].nvml_id == instance->nvml_id)
      return &gpu->model.profiles[i];
  return NULL;
}

static AgentResource *get_resource(AgentResources *resources, const char *name, size_t partitions_max,
                                   Arena *arena) {
  for (size_t i = 0; i < resources->count; i++)
    if (strcmp(resources->items[i].name, name) == 0)
      return &resources->items[i];
  AgentResource *resource = &resources->items[resources->count++];
  snprintf(resource->name, sizeof resource->name, "%s", name);
  resource->partitions.items = arena_alloc(arena, partitions_max * sizeof(KubeletPartition));
  return resource;
}

static int compare_partitions(const void *a, const void *b) {
  const KubeletPartition *left = a, *right = b;
  return strcmp(left->id, right->id);
}

static int compare_resources(const void *a, const void *b) {
  const AgentResource *left = a, *right = b;
  return strcmp(left->name, right->name);
}

void agent_publish_resources(const GpuObservation *observation, Arena *arena, AgentResources *ret_resources) {
  size_t most = 0;
  for (int g = 0; g < observation->gpu_count; g++)
    most += (size_t)observation->gpus[g].instance_count;
  AgentResources resources = {.items = arena_alloc(arena, most * sizeof(AgentResource))};
  for (int g = 0; g < observation->gpu_count; g++) {
    const GpuObserved *gpu = &observation->gpus[g];
    for (int i = 0; i < gpu->instance_count; i++) {
      const GpuInstance *instance = &gpu->instances[i];
      const MigProfile *profile = profile_of(gpu, instance);
      if (!profile || !instance->uuid[0])
        continue;
      char name[MIG_RESOURCE_NAME_SIZE];
      mig_profile_format_resource(profile->name, name);
      KubeletPartitions *partitions = &get_resource(&resources, name, most, arena)->partitions;
      partitions->items[partitions->count++] = (KubeletPartition){.id = instance->uuid, .healthy = true};
    }
  }
  for (size_t i = 0; i < resources.count; i++)
    qsort(resources.items[i].partitions.items, resources.items[i].partitions.count, sizeof(KubeletPartition),
          compare_partitions);
  if (resources.count)
    qsort(resources.items, resources.count, sizeof *resources.items, compare_resources);
  *ret_resources = resources;
}

static bool is_listed(const KubeletHelds *allocatable, const char *resource, const char *id) {
  for (size_t i = 0; i < allocatable->count; i++) {
    const KubeletHeld *held = &allocatable->items[i];
    if (!string_equal(held->resource, resource))
      continue;
    for (size_t k = 0; k < held->ids.count; k++)
      if (strcmp(held->ids.items[k], id) == 0)
        return true;
  }
  return false;
}

bool agent_publish_is_known(const AgentResource *resource, const KubeletHelds *allocatable) {
  size_t listed = 0;
  for (size_t i = 0; i < allocatable->count; i++)
    if (string_equal(allocatable->items[i].resource, resource->name))
      listed += allocatable->items[i].ids.count;
  if (listed != resource->partitions.count)
    return false;
  for (size_t i = 0; i < resource->partitions.count; i++)
    if (!is_listed(allocatable, resource->name, resource->partitions.items[i].id))
      return false;
  return true;
}

const GpuInstance *agent_publish_find(const GpuObservation *observation, const char *uuid,
                                      const GpuObserved **ret_gpu) {
  if (!*uuid) /* as those have that are not complete */
    return NULL;
  for (int g = 0; g < observation->gpu_count; g++)
    for (int i = 0; i < observation->gpus[g].instance_count; i++)
      if (strcmp(observation->gpus[g].instances[i].uuid, uuid) == 0) {
        if (ret_gpu)
          *ret_gpu = &observation->gpus[g];
        return &observation->gpus[g].instances[i];
      }
  return NULL;
}

typedef struct Choice {
  const char *id;
  int free_on_gpu;
  int gpu;
  int start;
} Choice;

static int compare_choices(const void *a, const void *b) {
  const Choice *left = a, *right = b;
  if (left->free_on_gpu != right->free_on_gpu)
    return left->free_on_gpu - right->free_on_gpu;
  if (left->gpu != right->gpu)
    return left->gpu - right->gpu;
  if (left->start != right->start)
    return right->start - left->start;
  return strcmp(left->id, right->id);
}

static Choice describe(const GpuObservation *observation, const Map *used, const char *id) {
  const GpuObserved *gpu = NULL;
  const GpuInstance *instance = agent_publish_find(observation, id, &gpu);
  if (!instance) /* the kubelet's list is older than ours: last choice */
    return (Choice){.id = id, .free_on_gpu = MIG_INSTANCES_MAX + 1};
  Choice choice = {.id = id, .gpu = gpu->index, .start = instance->start};
  for (int i = 0; i < gpu->instance_count; i++)
    choice.free_on_gpu += gpu->instances[i].uuid[0] && !map_find(used, gpu->instances[i].uuid);
  return choice;
}

static bool contains(const Strings *ids, const char *id) {
  for (size_t i = 0; i < ids->count; i++)
    if (strcmp(ids->items[i], id) == 0)
      return true;
  return false;
}

void agent_publish_prefer(const GpuObservation *observation, const Map *used, const KubeletPreferred *request,
                          Arena *arena, Strings *ret_ids) {
  size_t wanted = request->size > 0 ? (size_t)request->size : 0;
  Choice *choices = arena_alloc(arena, request->available.count * sizeof *choices);
  for (size_t i = 0; i < request->available.count; i++)
    choices[i] = describe(observation, used, request->available.items[i]);
  if (request->available.count)
    qsort(choices, request->available.count, sizeof *choices, compare_choices);
  size_t most = request->must_include.count + request->available.count;
  Strings ids = {.items = arena_alloc(arena, most * sizeof *ids.items)};
  for (size_t i = 0; i < request->must_include.count && ids.count < wanted; i++)
    ids.items[ids.count++] = request->must_include.items[i];
  for (size_t i = 0; i < request->available.count && ids.count < wanted; i++)
    if (!contains(&request->must_include, choices[i].id))
      ids.items[ids.count++] = choices[i].id;
  *ret_ids = ids;
}
