/* SPDX-License-Identifier: Apache-2.0 */
/* A GPU is offered in one of two ways, never in both:
 *
 *     MIG mode on        each profile of its model, with the slices that exist, or empty
 *     MIG mode off       nvidia.com/gpu, the GPU as a whole
 *     pending, unknown   neither: only slices that are still there
 *
 * Empty resources register early, so that the kubelet knows the name before the first slice is made. */
#include "agent/publish.h"

#include "agent/use.h"
#include "base/text.h"
#include "gpu/observed.h"

#include <stdlib.h>
#include <string.h>

/* The resources while they are collected; each has room for every partition of the node. */
typedef struct Collection {
  AgentResources resources;
  size_t partitions_max;
  Arena *arena;
} Collection;

static AgentResource *get_resource(Collection *into, const char *name) {
  AgentResources *resources = &into->resources;
  for (size_t i = 0; i < resources->count; i++)
    if (strcmp(resources->items[i].name, name) == 0)
      return &resources->items[i];
  AgentResource *resource = &resources->items[resources->count++];
  snprintf(resource->name, sizeof resource->name, "%s", name);
  resource->partitions.items = arena_alloc(into->arena, into->partitions_max * sizeof(KubeletPartition));
  return resource;
}

static AgentResource *get_profile_resource(Collection *into, const MigProfile *profile) {
  char name[MIG_RESOURCE_NAME_SIZE];
  mig_profile_format_resource(profile->name, name);
  return get_resource(into, name);
}

static void add_partition(AgentResource *resource, const char *id, bool healthy) {
  KubeletPartitions *partitions = &resource->partitions;
  partitions->items[partitions->count++] = (KubeletPartition){.id = id, .healthy = healthy};
}

/* While MIG mode is on, or will be after a reset, the GPU is not there as a whole; and a GPU that could not
 * be read is not there at all. */
static bool is_whole(const GpuObserved *gpu) {
  return gpu->identified && gpu->mode == MIG_MODE_OFF;
}

static void collect(Collection *into, const GpuObserved *gpu) {
  if (is_whole(gpu))
    add_partition(get_resource(into, AGENT_WHOLE_RESOURCE), gpu->uuid,
                  !gpu->is_out_of_service && !gpu->is_sick);
  for (int i = 0; gpu->mode == MIG_MODE_ON && i < gpu->model.profile_count; i++)
    get_profile_resource(into, &gpu->model.profiles[i]);
  for (int i = 0; i < gpu->instance_count; i++) {
    const MigProfile *profile = mig_model_find_nvml_id(&gpu->model, gpu->instances[i].nvml_id);
    if (profile && gpu->instances[i].uuid[0])
      add_partition(get_profile_resource(into, profile), gpu->instances[i].uuid,
                    !gpu->is_out_of_service && !gpu->is_sick && !gpu->instances[i].is_sick);
  }
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
  size_t names_max = 1; /* the whole GPUs */
  Collection all = {.arena = arena, .partitions_max = (size_t)observation->gpu_count};
  for (int g = 0; g < observation->gpu_count; g++) {
    names_max += observation->gpus[g].model.profile_count;
    all.partitions_max += (size_t)observation->gpus[g].instance_count;
  }
  all.resources.items = arena_alloc(arena, names_max * sizeof(AgentResource));
  for (int g = 0; g < observation->gpu_count; g++)
    collect(&all, &observation->gpus[g]);
  for (size_t i = 0; i < all.resources.count; i++) {
    KubeletPartitions *partitions = &all.resources.items[i].partitions;
    if (partitions->count)
      qsort(partitions->items, partitions->count, sizeof(KubeletPartition), compare_partitions);
  }
  if (all.resources.count)
    qsort(all.resources.items, all.resources.count, sizeof(AgentResource), compare_resources);
  *ret_resources = all.resources;
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
  size_t known = 0;
  for (size_t i = 0; i < resource->partitions.count; i++) {
    bool is_there = is_listed(allocatable, resource->name, resource->partitions.items[i].id);
    if (!is_there && resource->partitions.items[i].healthy)
      return false;
    known += is_there;
  }
  return listed == known;
}

size_t agent_publish_amount(const AgentResource *resource) {
  size_t amount = 0;
  for (size_t i = 0; i < resource->partitions.count; i++)
    amount += resource->partitions.items[i].healthy;
  return amount;
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

const GpuObserved *agent_publish_find_whole(const GpuObservation *observation, const char *uuid) {
  const GpuObserved *gpu = gpu_observed_gpu(observation, uuid);
  return gpu && is_whole(gpu) ? gpu : NULL;
}

bool agent_publish_is_resource(const char *name) {
  return mig_profile_is_resource(name) || strcmp(name, AGENT_WHOLE_RESOURCE) == 0;
}

bool agent_publish_exists(const GpuObservation *observation, const char *id) {
  return agent_publish_find(observation, id, NULL) || agent_publish_find_whole(observation, id);
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
  const GpuObserved *gpu = agent_publish_find_whole(observation, id);
  if (gpu)
    return (Choice){.id = id, .gpu = gpu->index};
  const GpuInstance *instance = agent_publish_find(observation, id, &gpu);
  if (!instance) /* the kubelet's list is older than ours: last choice */
    return (Choice){.id = id, .free_on_gpu = MIG_INSTANCES_MAX + 1};
  Choice choice = {.id = id, .gpu = gpu->index, .start = instance->start};
  for (int i = 0; i < gpu->instance_count; i++)
    choice.free_on_gpu += !agent_use_is_used(&gpu->instances[i], used);
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
