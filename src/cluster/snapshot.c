/* SPDX-License-Identifier: Apache-2.0 */
/* Taking the snapshot: nodes first, so that every bound pod finds the node it is charged to. */
#include "cluster/snapshot.h"

#include "cluster/node_trim.h"
#include "cluster/snapshot_parts.h"

#include "base/text.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

enum {
  GIVEN_NAMES = 64, /* that a node's status lists, at most */
  SLICE_NAMES = 3,  /* of profiles that a node with GPUs has slices of, mostly */
  ASKED_NAMES = 5,  /* that pods on it ask for, mostly */
  TAKEN_NAMES = 6,  /* the same, or slices of them are in use */
  ASKED_BYTES = ASKED_NAMES * sizeof(Resource),
  PLAIN_BYTES = 240, /* for that and what is taken, of four resources, and that it is not facet's */
  STEP_BYTES = 256,
  GPU_BYTES = sizeof(SnapshotGpu),
};

void snapshot_init(Snapshot *snapshot) {
  *snapshot = (Snapshot){0};
}

void snapshot_deinit(Snapshot *snapshot) {
  if (snapshot->observer.self)
    snapshot->observer.free(snapshot->observer.self);
  for (size_t i = 0; i < snapshot->nodes.count; i++)
    arena_deinit(&snapshot->nodes.items[i].arena);
  for (size_t i = 0; i < snapshot->specs.count; i++)
    pod_spec_free(snapshot->specs.items[i]);
  array_deinit(&snapshot->nodes);
  array_deinit(&snapshot->pods);
  map_deinit(&snapshot->node_index);
  map_deinit(&snapshot->profiles);
  map_deinit(&snapshot->rows);
  map_deinit(&snapshot->names);
  array_deinit(&snapshot->specs);
  intern_deinit(&snapshot->spec_numbers);
  array_deinit(&snapshot->gpu_sorts);
  intern_deinit(&snapshot->gpu_sort_numbers);
  array_deinit(&snapshot->layouts);
  intern_deinit(&snapshot->layout_numbers);
  text_deinit(&snapshot->spec_key);
  array_deinit(&snapshot->placed);
  array_deinit(&snapshot->nominated);
  array_deinit(&snapshot->by_age);
  array_deinit(&snapshot->reordered);
  map_deinit(&snapshot->namespaces);
  map_deinit(&snapshot->claims);
  map_deinit(&snapshot->volumes);
  map_deinit(&snapshot->storage_classes);
  free(snapshot->undo);
  arena_deinit(&snapshot->arena);
  arena_deinit(&snapshot->words);
  *snapshot = (Snapshot){0};
}

void snapshot_warn(Snapshot *snapshot, SnapshotWarnings *warnings, const char *object, const char *text) {
  if (!warnings)
    return;
  SnapshotWarning *warning = array_push(warnings);
  warning->object = arena_strdup(&snapshot->words, object);
  warning->text = arena_strdup(&snapshot->words, text);
}

const char *snapshot_share_name(Snapshot *snapshot, const char *name) {
  const char *shared = map_find(&snapshot->names, name);
  if (shared)
    return shared;
  char *copy = arena_strdup(&snapshot->arena, name);
  map_put(&snapshot->names, name, copy);
  return copy;
}

/* A few dozen are most that is to be seen. */
const MigLayout *snapshot_share_layout(Snapshot *snapshot, const MigLayout *layout) {
  size_t size = offsetof(MigLayout, instances) + layout->count * sizeof layout->instances[0];
  int number = intern_number(&snapshot->layout_numbers, layout, size);
  if (number == (int)snapshot->layouts.count)
    *array_push(&snapshot->layouts) = arena_copy(&snapshot->arena, layout, sizeof *layout);
  return snapshot->layouts.items[number];
}

void snapshot_add_slices(Snapshot *snapshot, SnapshotNode *node, Resources *into, const char *profile,
                         int count) {
  char resource[MIG_RESOURCE_NAME_SIZE];
  mig_profile_format_resource(profile, resource);
  const char *name = resources_has(into, resource) ? resource : snapshot_share_name(snapshot, resource);
  resources_set(into, name, resources_get(into, resource) + count, &node->arena);
}

/* A quantity that cannot be read counts as absent; the others count. */
static void read_allocatable(Snapshot *snapshot, SnapshotNode *node, SnapshotWarnings *warnings) {
  CLEANUP(arena_deinit) Arena scratch = {0};
  for (size_t i = 0; i < node->object->allocatable.count; i++) {
    const ResourceText *text = &node->object->allocatable.items[i];
    ResourceText shared = {.key = snapshot_share_name(snapshot, text->key), .value = text->value};
    ResourceTexts one = {.items = &shared, .count = 1};
    Resources parsed;
    Error err;
    if (resources_parse(&one, &scratch, &parsed, &err) < 0)
      snapshot_warn(snapshot, warnings, arena_format(&scratch, "node %s", node->name),
                    arena_format(&scratch, "allocatable: %s", err.text));
    else
      resources_add(&node->allocatable, &parsed, 1, &node->arena);
  }
}

/* A node that tells nothing of its readiness (a hand-written dump) is taken for ready. */
static bool is_ready(const Node *node) {
  const Condition *ready = node_find_condition(node, "Ready");
  return !ready || string_equal(ready->status, "True");
}

/* After the node's own annotations had their say: what people asked for is told before what merely happens.
 */
static void judge_node(SnapshotNode *node, const char *held) {
  if (!node->blocked && !is_ready(node->object))
    node->blocked = arena_format(&node->arena, "node %s is not ready", node->name);
  if (!node->blocked && held)
    node->blocked = arena_strdup(&node->arena, held);
  node->may_change = node->managed && !node->blocked;
}

/* Mostly the same as of the GPU before. */
static int find_gpu_sort(Snapshot *snapshot, const SnapshotGpu *gpu) {
  const struct {
    const MigModel *model;
    uint64_t allowed;
  } key = {.model = gpu->model, .allowed = gpu->allowed};
  if (snapshot->gpu_sorts.count) {
    const SnapshotGpuSort *last = &snapshot->gpu_sorts.items[snapshot->gpu_sort];
    if (last->model == gpu->model && last->allowed == gpu->allowed)
      return snapshot->gpu_sort;
  }
  snapshot->gpu_sort = intern_number(&snapshot->gpu_sort_numbers, &key, sizeof key);
  if (snapshot->gpu_sort == (int)snapshot->gpu_sorts.count)
    *array_push(&snapshot->gpu_sorts) = (SnapshotGpuSort){.model = gpu->model, .allowed = gpu->allowed};
  return snapshot->gpu_sort;
}

void snapshot_brief_gpu(Snapshot *snapshot, SnapshotNode *node, int gpu) {
  const SnapshotGpu *from = &node->gpus[gpu];
  bool may_change = snapshot_may_change(node, from);
  node->briefs[gpu] = (SnapshotGpuBrief){.occupied = from->model ? snapshot_occupied(from->layout) : 0,
                                         .sort = may_change ? (uint32_t)find_gpu_sort(snapshot, from) + 1 : 0,
                                         .withdrawable = snapshot_withdrawable(node, from) != 0};
}

static size_t count_reported_gpus(const Node *node) {
  size_t gpus = 0;
  for (size_t i = 0; i < node->meta.annotations.count; i++)
    gpus += mig_key_parse_index(node->meta.annotations.items[i].key, MIG_ANNOTATION_IDENTITY_PREFIX) >= 0;
  return gpus;
}

/* So that all that is read of the node fits into the first block of its arena, and little is left. */
static size_t expect_bytes(const Node *node, size_t gpus) {
  return gpus ? ASKED_BYTES + gpus * GPU_BYTES : PLAIN_BYTES + node->allocatable.count * sizeof(Resource);
}

/* What plans read of nodes with GPUs stands side by side, in the order in which they are read first, and
 * keeps its place when a node is read again. Amounts of further names, should there be any, stand elsewhere.
 */
static void make_room_for_amounts(Snapshot *snapshot, SnapshotNode *node) {
  size_t names = node->object->allocatable.count;
  int allocatable = (names < GIVEN_NAMES ? (int)names : GIVEN_NAMES) + SLICE_NAMES;
  int all = allocatable + TAKEN_NAMES;
  if (all > node->amount_max) {
    node->amounts = arena_alloc(&snapshot->arena, (size_t)all * sizeof *node->amounts);
    node->amount_max = (uint8_t)all;
  }
  node->allocatable = (Resources){.items = node->amounts, .capacity = (size_t)allocatable};
  node->requested = (Resources){.items = node->amounts + allocatable, .capacity = TAKEN_NAMES};
}

/* Side by side as well. */
static void brief_gpus(Snapshot *snapshot, SnapshotNode *node) {
  if (node->gpu_count > node->brief_max) {
    node->briefs = arena_alloc(&snapshot->arena, (size_t)node->gpu_count * sizeof *node->briefs);
    node->brief_max = (uint8_t)node->gpu_count;
  }
  for (int gpu = 0; gpu < node->gpu_count; gpu++)
    snapshot_brief_gpu(snapshot, node, gpu);
}

void snapshot_read_node(Snapshot *snapshot, SnapshotNode *item, const Node *node, const char *held,
                        bool growth_only, SnapshotWarnings *warnings) {
  size_t gpus = count_reported_gpus(node);
  arena_deinit(&item->arena);
  *item = (SnapshotNode){.briefs = item->briefs,
                         .brief_max = item->brief_max,
                         .amounts = item->amounts,
                         .amount_max = item->amount_max,
                         .object = node,
                         .name = string_or_empty(node->meta.name),
                         .is_closed = node->unschedulable || node->taints.count > 0,
                         .growth_only = growth_only,
                         .arena = {.first = expect_bytes(node, gpus), .step = STEP_BYTES}};
  if (gpus) {
    make_room_for_amounts(snapshot, item);
    resources_reserve(&item->bound, ASKED_NAMES, &item->arena);
  } else {
    resources_reserve(&item->allocatable, node->allocatable.count, &item->arena);
  }
  read_allocatable(snapshot, item, warnings);
  item->pod_max = resources_get(&item->allocatable, "pods");
  node_gpus_read(snapshot, item, warnings);
  judge_node(item, held);
  node_recut_read(snapshot, item);
  brief_gpus(snapshot, item);
}

void snapshot_add_node(Snapshot *snapshot, const Node *node, const SnapshotOptions *options,
                       SnapshotWarnings *warnings) {
  assert(node && snapshot->undo_count == 0);
  const char *name = string_or_empty(node->meta.name);
  if (!*name || snapshot_find_node(snapshot, name) >= 0) {
    snapshot_warn(snapshot, warnings, *name ? arena_format(&snapshot->words, "node %s", name) : "a node",
                  *name ? "the node is listed twice: the first one counts" : "it has no name and is ignored");
    return;
  }
  if (snapshot->nodes.count && strcmp(snapshot->nodes.items[snapshot->nodes.count - 1].name, name) > 0)
    snapshot->is_unordered = true;
  SnapshotNode *item = array_push(&snapshot->nodes);
  map_put(&snapshot->node_index, name, (void *)(uintptr_t)snapshot->nodes.count);
  snapshot_read_node(snapshot, item, node, options && options->held ? map_find(options->held, name) : NULL,
                     options && options->growth_only && map_find(options->growth_only, name), warnings);
}

/* Slices reported in use and slices asked for by bound pods are mostly the same ones: the larger number
 * counts. */
static void charge_node(SnapshotNode *node, const Resources *requests) {
  node->pod_count++;
  resources_add(&node->bound, requests, 1, &node->arena);
  resources_max(&node->requested, &node->bound, &node->arena);
}

/* Where a node is shown without the slices that go, the reservation that holds them takes nothing else. */
static Resources without_slices(SnapshotNode *node, const Resources *requests) {
  Resources others = {0};
  for (size_t i = 0; i < requests->count; i++)
    if (!mig_profile_is_resource(requests->items[i].name))
      resources_set(&others, requests->items[i].name, requests->items[i].amount, &node->arena);
  return others;
}

void snapshot_charge_pod(Snapshot *snapshot, const Pod *pod, int node, int spec) {
  Resources requests = snapshot->specs.items[spec]->requests;
  SnapshotNode *item = &snapshot->nodes.items[node];
  if (item->being_recut && pod_is_reservation(pod))
    requests = without_slices(item, &requests);
  charge_node(item, &requests);
}

bool snapshot_is_nominated(const Snapshot *snapshot, const SnapshotPod *pod) {
  const char *node = pod_common(pod->object)->nominated_node_name;
  return !pod->spec->invalid && node && snapshot_find_node(snapshot, node) >= 0;
}

static void queue_pod(Snapshot *snapshot, const Pod *pod, int number) {
  SnapshotPod *item = array_push(&snapshot->pods);
  *item = (SnapshotPod){.object = pod,
                        .creation_time = pod->meta.creation_time,
                        .spec = snapshot->specs.items[number],
                        .priority = pod->priority,
                        .node = -1};
  snapshot_note_pod(snapshot, (int)snapshot->pods.count - 1);
  if (snapshot_is_nominated(snapshot, item))
    *array_push(&snapshot->nominated) = (int)snapshot->pods.count - 1;
}

void snapshot_add_pod(Snapshot *snapshot, const Pod *pod, SnapshotWarnings *warnings) {
  assert(pod && snapshot->undo_count == 0 && !snapshot->observer.self);
  if (pod_is_terminal(pod))
    return;
  bool is_bound = pod->node_name && *pod->node_name;
  int node = is_bound ? snapshot_find_node(snapshot, pod->node_name) : -1;
  if (is_bound && node < 0)
    return; /* on a node that is gone or was not listed: it takes nothing from the others */
  int number = pod_spec_hold(snapshot, pod);
  const SnapshotSpec *spec = snapshot->specs.items[number];
  if (spec->invalid && warnings)
    snapshot_warn(snapshot, warnings,
                  arena_format(&snapshot->words, "pod %s/%s", string_or_empty(pod->meta.namespace_),
                               string_or_empty(pod->meta.name)),
                  spec->invalid);
  if (!is_bound) {
    queue_pod(snapshot, pod, number);
    return;
  }
  snapshot_charge_pod(snapshot, pod, node, number);
  *array_push(&snapshot->placed) = (SnapshotPlaced){.object = pod, .node = node, .spec = number};
}

static void put_first(Map *map, const char *key, const void *value) {
  if (!map_find(map, key))
    map_put(map, key, (void *)value);
}

void snapshot_add_namespace(Snapshot *snapshot, const Namespace *namespace_) {
  put_first(&snapshot->namespaces, string_or_empty(namespace_->meta.name), namespace_);
}

void snapshot_add_claim(Snapshot *snapshot, const PersistentVolumeClaim *claim) {
  CLEANUP(text_deinit) Text key = {0};
  text_format(&key, "%s/%s", string_or_empty(claim->meta.namespace_), string_or_empty(claim->meta.name));
  put_first(&snapshot->claims, text_string(&key), claim);
}

void snapshot_add_volume(Snapshot *snapshot, const PersistentVolume *volume) {
  put_first(&snapshot->volumes, string_or_empty(volume->meta.name), volume);
}

void snapshot_add_storage_class(Snapshot *snapshot, const StorageClass *class_) {
  put_first(&snapshot->storage_classes, string_or_empty(class_->meta.name), class_);
}

const PersistentVolumeClaim *snapshot_find_claim(const Snapshot *snapshot, const char *namespace_,
                                                 const char *name) {
  CLEANUP(text_deinit) Text key = {0};
  text_format(&key, "%s/%s", string_or_empty(namespace_), string_or_empty(name));
  return map_find(&snapshot->claims, text_string(&key));
}

int snapshot_find_node(const Snapshot *snapshot, const char *name) {
  return (int)(uintptr_t)map_find(&snapshot->node_index, name) - 1;
}

int64_t snapshot_free_of(const SnapshotNode *node, const char *resource) {
  int64_t allocatable = resources_get(&node->allocatable, resource);
  int64_t requested = resources_get(&node->requested, resource);
  if (requested >= allocatable)
    return 0;
  return allocatable - (requested > 0 ? requested : 0); /* a negative request frees nothing */
}

const char *snapshot_gpu_uuid(const SnapshotNode *node, const SnapshotGpu *gpu, char room[MIG_UUID_SIZE]) {
  char whole[MIG_IDENTITY_TEXT_SIZE];
  const char *text = node_find_identity(node->object, gpu->index, whole);
  MigIdentity identity;
  Error err;
  room[0] = '\0';
  if (text && mig_identity_parse(text, &identity, &err) == 0)
    memcpy(room, identity.uuid, sizeof identity.uuid);
  return room;
}

bool snapshot_may_change(const SnapshotNode *node, const SnapshotGpu *gpu) {
  return node->may_change && gpu->model && gpu->mode == MIG_MODE_ON && !gpu->excluded && !gpu->blocked;
}

uint32_t snapshot_occupied(const MigLayout *layout) {
  for (int i = 0; i < layout->count; i++)
    if (layout->model->profiles[layout->instances[i].profile].kind == MIG_ALL_ME)
      return UINT32_MAX;
  return layout->mask;
}

uint32_t snapshot_withdrawable(const SnapshotNode *node, const SnapshotGpu *gpu) {
  if (!snapshot_may_change(node, gpu) || gpu->assumed || node->growth_only)
    return 0;
  return gpu->existing_starts & ~gpu->used_starts & ~gpu->keep_starts;
}
