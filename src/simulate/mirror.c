/* SPDX-License-Identifier: Apache-2.0 */
#include "simulate/mirror.h"

#include "mig/contract.h"

void simulate_mirror_init(SimulateMirror *mirror, const SimulateFleet *fleet) {
  *mirror = (SimulateMirror){.fleet = fleet};
  mirror->nodes = mem_alloc((fleet->nodes.count + 1) * sizeof *mirror->nodes);
}

void simulate_mirror_deinit(SimulateMirror *mirror) {
  for (size_t i = 0; i < mirror->fleet->nodes.count; i++)
    arena_deinit(&mirror->nodes[i].arena);
  free(mirror->nodes);
}

static uint64_t mix_hash(uint64_t hash, const char *text) {
  for (; *text; text++)
    hash = (hash ^ (unsigned char)*text) * 1099511628211u; /* FNV-1a */
  return (hash ^ '|') * 1099511628211u;
}

/* Appends to a list that has room. */
static void add(Arena *arena, KeyValues *list, const char *key, const char *value) {
  list->items[list->count++] = (KeyValue){.key = key, .value = arena_strdup(arena, value)};
}

static void describe_gpu(SimulateMirrorNode *node, const SimulateGpu *gpu, int index) {
  char status[MIG_STATUS_TEXT_SIZE];
  KeyValues *annotations = &node->object.meta.annotations;
  const char *model = gpu->layout.model->name;
  add(&node->arena, annotations, arena_format(&node->arena, MIG_ANNOTATION_IDENTITY_PREFIX "%d", index),
      arena_format(&node->arena, "GPU-%s-%d %s mig=on", node->object.meta.name, index, model));
  mig_status_format(&gpu->layout, gpu->used_starts, status, sizeof status);
  add(&node->arena, annotations, arena_format(&node->arena, MIG_ANNOTATION_STATUS_GPU_PREFIX "%d", index),
      status);
  node->state = mix_hash(mix_hash(node->state, model), status);
}

static int compare_keys(const void *a, const void *b) {
  return strcmp(((const KeyValue *)a)->key, ((const KeyValue *)b)->key);
}

/* More than any pod of the simulation asks: only GPUs are short. */
static void describe_rest(SimulateMirrorNode *node) {
  static const KeyValue allocatable[] = {{"cpu", "1000000"}, {"memory", "1000Ti"}, {"pods", "1000000"}};
  node->object.allocatable.items = arena_copy(&node->arena, allocatable, sizeof allocatable);
  node->object.allocatable.count = COUNT_OF(allocatable);
  node->object.meta.labels.items = arena_alloc(&node->arena, sizeof(KeyValue));
  add(&node->arena, &node->object.meta.labels, MIG_LABEL_PARTITIONING, "mig");
}

const SimulateMirrorNode *simulate_mirror_update(SimulateMirror *mirror, int index) {
  const SimulateNode *from = &mirror->fleet->nodes.items[index];
  SimulateMirrorNode *node = &mirror->nodes[index];
  if (!from->changed && node->object.meta.name)
    return node;
  arena_deinit(&node->arena);
  node->object = (Node){.meta.name = arena_format(&node->arena, "n%06d", index)};
  node->state = 14695981039346656037u;
  KeyValues *annotations = &node->object.meta.annotations;
  annotations->items = arena_alloc(&node->arena, 2 * (size_t)from->gpu_count * sizeof *annotations->items);
  for (int i = 0; i < from->gpu_count; i++)
    describe_gpu(node, &mirror->fleet->gpus.items[from->first_gpu + i], i);
  qsort(annotations->items, annotations->count, sizeof *annotations->items, compare_keys);
  describe_rest(node);
  return node;
}

Pod *simulate_mirror_make_pod(Arena *arena, const char *profile, int count, int number) {
  struct {
    Pod pod;
    PodCommon common;
    Container container;
    ResourceText request;
    Condition condition;
    char resource[MIG_RESOURCE_NAME_SIZE];
  } *all = arena_alloc(arena, sizeof *all);
  mig_profile_format_resource(profile, all->resource);
  all->request = (ResourceText){.key = all->resource, .value = arena_format(arena, "%d", count)};
  all->container = (Container){.name = "main", .requests = {.items = &all->request, .count = 1}};
  all->condition = (Condition){.type = "PodScheduled", .status = "False", .reason = "Unschedulable"};
  all->common = (PodCommon){.phase = "Pending",
                            .containers = {.items = &all->container, .count = 1},
                            .conditions = {.items = &all->condition, .count = 1}};
  all->pod = (Pod){.meta = {.name = arena_format(arena, "job-%07d", number),
                            .namespace_ = "jobs",
                            .creation_time = number},
                   .common = &all->common};
  return &all->pod;
}
