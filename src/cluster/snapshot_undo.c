/* SPDX-License-Identifier: Apache-2.0 */
/* Forks are positions in a log. Every change writes down how to take it back; a rollback walks the log back
 * to its fork, a commit leaves the log for the forks around it. Requested amounts are restored from their old
 * values, not subtracted again, because sums saturate. */
#include "cluster/snapshot.h"

#include "cluster/snapshot_parts.h"

#include <assert.h>
#include <string.h>

typedef enum UndoKind {
  UNDO_PLACE,     /* an instance was placed: node, gpu, profile, layout */
  UNDO_REMOVE,    /* an existing instance was removed: node, gpu, profile, start, layout */
  UNDO_BIND,      /* a pod was put on the node: node, pod */
  UNDO_REQUESTED, /* node's requested[name] was amount */
} UndoKind;

struct SnapshotUndo {
  UndoKind kind;
  int node, gpu, profile, start, pod;
  const MigLayout *layout; /* the GPU's before */
  const char *name;        /* of the pod's requests, which outlive the log */
  int64_t amount;
};

static void push_undo(Snapshot *snapshot, SnapshotUndo undo) {
  if (snapshot->undo_count == snapshot->undo_capacity) {
    snapshot->undo_capacity = snapshot->undo_capacity ? snapshot->undo_capacity * 2 : 64;
    snapshot->undo = mem_grow(snapshot->undo, snapshot->undo_capacity, sizeof *snapshot->undo);
  }
  snapshot->undo[snapshot->undo_count++] = undo;
}

static SnapshotNode *get_node(Snapshot *snapshot, int node) {
  assert(node >= 0 && (size_t)node < snapshot->nodes.count);
  return &snapshot->nodes.items[node];
}

size_t snapshot_fork(Snapshot *snapshot) {
  return snapshot->undo_count;
}

void snapshot_commit(Snapshot *snapshot, size_t mark) {
  assert(mark <= snapshot->undo_count);
}

static void tell_observer(const Snapshot *snapshot, int pod, int node, int sign) {
  if (snapshot->observer.self)
    snapshot->observer.on_bind(snapshot->observer.self, pod, node, sign);
}

static void undo_place(Snapshot *snapshot, SnapshotNode *node, const SnapshotUndo *undo) {
  SnapshotGpu *gpu = &node->gpus[undo->gpu];
  snapshot_add_slices(snapshot, node, &node->allocatable, gpu->model->profiles[undo->profile].name, -1);
  gpu->layout = undo->layout;
  snapshot_brief_gpu(snapshot, node, undo->gpu);
}

static void undo_remove(Snapshot *snapshot, SnapshotNode *node, const SnapshotUndo *undo) {
  SnapshotGpu *gpu = &node->gpus[undo->gpu];
  gpu->layout = undo->layout;
  gpu->existing_starts |= UINT32_C(1) << undo->start;
  snapshot_add_slices(snapshot, node, &node->allocatable, gpu->model->profiles[undo->profile].name, 1);
  snapshot_brief_gpu(snapshot, node, undo->gpu);
}

static void undo_change(Snapshot *snapshot, const SnapshotUndo *undo) {
  SnapshotNode *node = get_node(snapshot, undo->node);
  switch (undo->kind) {
  case UNDO_PLACE:
    undo_place(snapshot, node, undo);
    return;
  case UNDO_REMOVE:
    undo_remove(snapshot, node, undo);
    return;
  case UNDO_BIND:
    snapshot->pods.items[undo->pod].node = -1;
    node->pod_count--;
    tell_observer(snapshot, undo->pod, undo->node, -1);
    return;
  case UNDO_REQUESTED:
    resources_set(&node->requested, undo->name, undo->amount, &node->arena);
    return;
  }
}

void snapshot_rollback(Snapshot *snapshot, size_t mark) {
  assert(mark <= snapshot->undo_count);
  while (snapshot->undo_count > mark)
    undo_change(snapshot, &snapshot->undo[--snapshot->undo_count]);
}

void snapshot_place(Snapshot *snapshot, int node, int gpu, int profile, int start) {
  SnapshotNode *item = get_node(snapshot, node);
  assert(gpu >= 0 && gpu < item->gpu_count && item->gpus[gpu].model);
  SnapshotGpu *changed = &item->gpus[gpu];
  MigLayout layout = *changed->layout;
  assert(mig_layout_can_place(&layout, profile, start));
  push_undo(snapshot,
            (SnapshotUndo){
                .kind = UNDO_PLACE, .node = node, .gpu = gpu, .profile = profile, .layout = changed->layout});
  mig_layout_place(&layout, profile, start);
  changed->layout = snapshot_share_layout(snapshot, &layout);
  snapshot_add_slices(snapshot, item, &item->allocatable, changed->model->profiles[profile].name, 1);
  snapshot_brief_gpu(snapshot, item, gpu);
}

void snapshot_remove(Snapshot *snapshot, int node, int gpu, int start) {
  SnapshotNode *item = get_node(snapshot, node);
  assert(gpu >= 0 && gpu < item->gpu_count);
  SnapshotGpu *changed = &item->gpus[gpu];
  assert(snapshot_withdrawable(item, changed) >> start & 1);
  MigLayout layout = *changed->layout;
  int profile = mig_layout_find(&layout, start)->profile;
  push_undo(snapshot, (SnapshotUndo){.kind = UNDO_REMOVE,
                                     .node = node,
                                     .gpu = gpu,
                                     .profile = profile,
                                     .start = start,
                                     .layout = changed->layout});
  mig_layout_remove(&layout, start);
  changed->layout = snapshot_share_layout(snapshot, &layout);
  changed->existing_starts &= ~(UINT32_C(1) << start);
  snapshot_add_slices(snapshot, item, &item->allocatable, changed->model->profiles[profile].name, -1);
  snapshot_brief_gpu(snapshot, item, gpu);
}

void snapshot_bind(Snapshot *snapshot, int pod, int node) {
  SnapshotNode *item = get_node(snapshot, node);
  assert(pod >= 0 && (size_t)pod < snapshot->pods.count && snapshot->pods.items[pod].node < 0);
  const Resources *requests = &snapshot->pods.items[pod].spec->requests;
  for (size_t i = 0; i < requests->count; i++) {
    const char *name = requests->items[i].name;
    push_undo(snapshot, (SnapshotUndo){.kind = UNDO_REQUESTED,
                                       .node = node,
                                       .name = name,
                                       .amount = resources_get(&item->requested, name)});
  }
  push_undo(snapshot, (SnapshotUndo){.kind = UNDO_BIND, .node = node, .pod = pod});
  resources_add(&item->requested, requests, 1, &item->arena);
  item->pod_count++;
  snapshot->pods.items[pod].node = node;
  tell_observer(snapshot, pod, node, 1);
}

static void hash_bytes(uint64_t *hash, const void *bytes, size_t size) {
  for (size_t i = 0; i < size; i++)
    *hash = (*hash ^ ((const unsigned char *)bytes)[i]) * 1099511628211u; /* FNV-1a */
}

/* An amount of 0 is the same as no amount: a rollback leaves zeros behind. */
static void hash_resources(uint64_t *hash, const Resources *resources) {
  for (size_t i = 0; i < resources->count; i++)
    if (resources->items[i].amount) {
      hash_bytes(hash, resources->items[i].name, strlen(resources->items[i].name) + 1);
      hash_bytes(hash, &resources->items[i].amount, sizeof resources->items[i].amount);
    }
  hash_bytes(hash, "", 1); /* so that neighbouring lists do not run together */
}

static void hash_node(uint64_t *hash, const SnapshotNode *node) {
  hash_resources(hash, &node->allocatable);
  hash_resources(hash, &node->requested);
  hash_bytes(hash, &node->pod_count, sizeof node->pod_count);
  for (int i = 0; i < node->gpu_count; i++) {
    hash_bytes(hash, &node->briefs[i], sizeof node->briefs[i]);
    const MigLayout *layout = node->gpus[i].layout;
    hash_bytes(hash, &layout->mask, sizeof layout->mask);
    hash_bytes(hash, &layout->count, sizeof layout->count);
    hash_bytes(hash, layout->instances, layout->count * sizeof layout->instances[0]);
    hash_bytes(hash, &node->gpus[i].existing_starts, sizeof node->gpus[i].existing_starts);
  }
}

uint64_t snapshot_hash(const Snapshot *snapshot) {
  uint64_t hash = 14695981039346656037u;
  for (size_t i = 0; i < snapshot->nodes.count; i++)
    hash_node(&hash, &snapshot->nodes.items[i]);
  for (size_t i = 0; i < snapshot->pods.count; i++)
    hash_bytes(&hash, &snapshot->pods.items[i].node, sizeof snapshot->pods.items[i].node);
  return hash;
}
