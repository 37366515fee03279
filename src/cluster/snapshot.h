/* SPDX-License-Identifier: Apache-2.0 */
/* The cluster at one instant, as the planner sees it: nodes with their GPUs, what is taken on each, and the
 * pods that wait. Changes are tried in a fork and kept or undone:
 *
 *     size_t mark = snapshot_fork(s);
 *     snapshot_remove(s, node, gpu, start);
 *     snapshot_place(s, node, gpu, profile, start); snapshot_bind(s, pod, node);
 *     if (better) snapshot_commit(s, mark); else snapshot_rollback(s, mark);
 *
 * Forks nest; a rollback replays an undo log, so it costs what was changed and never a copy.
 *
 * MIG resources: on a node that facet manages, what can be allocated of "nvidia.com/mig-<profile>" is the
 * number of such instances that exist on its GPUs, not what the node's status says. Wanted slices that do not
 * exist yet (facet.gpu/spec-gpu-<i>) are not counted: the plan is made afresh from what exists, so that a
 * left-over slice that is not cut yet never stands in the way of a pod that came later. Taken is the larger
 * of "requested by bound pods" and "reported in use": a pod that is bound but not yet admitted will take some
 * free slice, nobody knows which (a floating claim).
 *
 * A node whose unanswered plan takes slices away is the exception: it is shown as that plan wants it. */
#pragma once

#include "base/arena.h"
#include "base/array.h"
#include "base/intern.h"
#include "base/map.h"
#include "base/text.h"
#include "cluster/resources.h"
#include "mig/contract.h"

/* One GPU of a node as its agent reported it. A large cluster has eighty thousand: what is mostly the same on
 * many of them is shared, and its UUID, which few ask for, stays in the annotation (snapshot_gpu_uuid). */
typedef struct SnapshotGpu {
  const MigModel *model;   /* NULL: not known well enough to plan */
  const char *blocked;     /* why nothing may be created here, a sentence for people; NULL: may be planned */
  const MigLayout *layout; /* existing instances, and those placed in a fork; equal ones are one */
  const char *model_label;
  uint32_t existing_starts; /* instances that exist now (reported) */
  uint32_t used_starts;     /* of these, in use */
  uint32_t keep_starts;     /* of these, to be kept: facet.gpu/keep-gpu-<i> */
  uint32_t allowed;         /* bit per profile of the model that may be created: facet.gpu/allowed-profiles */
  MigMode mode;
  uint8_t index; /* on the node, as NVML counts */
  bool excluded; /* facet.gpu/exclude-gpus */
  bool assumed;  /* layout reconstructed from nos' counts: placements are a guess */
} SnapshotGpu;

/* What may be created on a GPU: mostly the same on all of them. */
typedef struct SnapshotGpuSort {
  const MigModel *model;
  uint32_t allowed;
} SnapshotGpuSort;

/* What every plan reads of eighty thousand GPUs, in eight bytes, those of a node side by side. Follows what
 * is placed and removed in a fork. */
typedef struct SnapshotGpuBrief {
  uint32_t occupied;         /* as snapshot_occupied() says */
  uint32_t sort : 31;        /* index in Snapshot.gpu_sorts + 1; 0: nothing may be created or withdrawn now */
  uint32_t withdrawable : 1; /* some slice is, as snapshot_withdrawable() says */
} SnapshotGpuBrief;

typedef struct SnapshotNode {
  /* What every plan reads of ten thousand nodes stands first. */
  SnapshotGpuBrief *briefs; /* by GPU; as the amounts below in the snapshot's arena */
  int gpu_count;
  bool managed;      /* carries the label gpu-partitioning=mig and reported its GPUs */
  bool may_change;   /* managed, not paused, ready, not held, not being re-cut */
  bool being_recut;  /* its plan takes slices away and is not answered: shown as it will be */
  bool growth_only;  /* none of its free slices may be withdrawn now */
  bool is_closed;    /* unschedulable or tainted: not for every pod */
  uint8_t brief_max; /* room for so many briefs, and amounts */
  uint8_t amount_max;
  Resources allocatable; /* MIG resources of managed nodes: counts of the layouts */
  Resources requested;   /* by pods on the node; of MIG slices at least those reported in use */
  int64_t pod_count, pod_max;
  const Node *object; /* borrowed from the caller */
  const char *name;
  Resources bound;   /* by pods that were on the node when the snapshot was taken */
  Resource *amounts; /* room for `allocatable` and `requested` */
  SnapshotGpu *gpus;
  const char *blocked;   /* why it may not change, for people; NULL where it may */
  const char *spec_plan; /* annotation values, NULL where absent */
  const char *status_plan;
  Arena arena; /* what was read of this node alone, and what forks have added */
} SnapshotNode;

/* What pods of one template have in common (pod_spec.c says what that is). One that nobody has any more is
 * empty until its number is another's. */
typedef struct SnapshotSpec {
  Resources requests;
  char *invalid; /* why the requests could not be read; NULL */
  int number;    /* index in Snapshot.specs */
  int holders;   /* pods that have it */
  int32_t priority;
} SnapshotSpec;

typedef struct SnapshotPod {
  const Pod *object; /* borrowed from the caller */
  int64_t creation_time;
  const SnapshotSpec *spec; /* pods with the same one differ in name and age only */
  int32_t priority;
  int node; /* index, or -1 while it waits */
} SnapshotPod;

typedef struct SnapshotQueued { /* a pod that waits, in the order of age */
  int pod, spec;                /* indexes */
} SnapshotQueued;

typedef struct SnapshotPlaced { /* a pod that was on a node when the snapshot was taken */
  const Pod *object;
  int node;
  int spec;
} SnapshotPlaced;

/* Who is told of every pod that is bound in a fork (sign 1), and of every such binding that is undone (-1).
 */
typedef struct SnapshotObserver {
  void *self; /* NULL: nobody */
  void (*on_bind)(void *self, int pod, int node, int sign);
  void (*free)(void *self);
} SnapshotObserver;

typedef struct SnapshotUndo SnapshotUndo;

typedef struct Snapshot {
  Arena arena;                 /* what many nodes and pods share */
  Arena words;                 /* of the warnings */
  ARRAY(SnapshotNode) nodes;   /* in the order they were added; sort by name before for determinism */
  ARRAY(SnapshotPod) pods;     /* pods that wait for a node, in the order they were added */
  Map node_index;              /* name -> index + 1 */
  bool is_unordered;           /* the nodes were not added in the order of their names */
  ARRAY(SnapshotSpec *) specs; /* owned */
  Intern spec_numbers;
  Text spec_key; /* scratch */
  Map profiles;  /* text of facet.gpu/profiles -> its models, which equal nodes share */
  ARRAY(SnapshotPlaced) placed;
  ARRAY(int) nominated;         /* of `pods`: a node was nominated for them */
  ARRAY(SnapshotQueued) by_age; /* as snapshot_order_pods() left it */
  ARRAY(int) reordered;         /* of `pods`: where another one stands since, or none */
  bool is_order_lost;           /* there were too many of these */
  Map namespaces;               /* name -> Namespace */
  Map claims;                   /* "namespace/name" -> PersistentVolumeClaim */
  Map volumes;                  /* name -> PersistentVolume */
  Map storage_classes;          /* name -> StorageClass */
  /* Volumes and what belongs to them are read: a claim that is not here is unknown. Where they never are,
   * pods are taken as if they had no volumes. */
  bool knows_volumes;
  /* All that the scheduler knows is here, as the API server admitted it: what is missing does not exist.
   * Otherwise nothing is concluded from what is missing. */
  bool is_complete;
  SnapshotObserver observer;
  ARRAY(SnapshotGpuSort) gpu_sorts;
  Intern gpu_sort_numbers;
  int gpu_sort; /* scratch: the last one */
  Map rows;     /* label of a GPU model -> its MigModelRow */
  Map names;    /* names that many objects have in common -> one copy of each */
  Intern layout_numbers;
  ARRAY(const MigLayout *) layouts; /* by number, in `arena` */
  SnapshotUndo *undo;
  size_t undo_count, undo_capacity;
} Snapshot;

typedef struct SnapshotOptions {
  /* Nodes that get nothing new at present: name -> why, a sentence (char *, copied). The controller keeps
   * this, e.g. where an agent owes an answer for too long; may be NULL. They are shown as they are, even
   * where their plan takes slices away: nobody knows any more whether it will come about. */
  const Map *held;
  /* Nodes of which no slice may be withdrawn at present, by name; may be NULL. */
  const Map *growth_only;
} SnapshotOptions;

/* Problem while reading an object (annotation garbage, bad quantity): the object is used as far as it goes.
 */
typedef struct SnapshotWarning {
  const char *object; /* "node n1", "pod demo/p" */
  const char *text;
} SnapshotWarning;
typedef ARRAY(SnapshotWarning) SnapshotWarnings; /* strings live in the snapshot */

void snapshot_init(Snapshot *snapshot);
void snapshot_deinit(Snapshot *snapshot);
/* First all nodes, then all pods (bound ones are charged to their node; terminal ones are skipped). Objects
 * are borrowed and must outlive the snapshot. Warnings may be NULL. */
void snapshot_add_node(Snapshot *snapshot, const Node *node, const SnapshotOptions *options,
                       SnapshotWarnings *warnings);
void snapshot_add_pod(Snapshot *snapshot, const Pod *pod, SnapshotWarnings *warnings);

/* In any order, before the first question about a pod. The objects are borrowed; the first of a name counts.
 */
void snapshot_add_namespace(Snapshot *snapshot, const Namespace *namespace_);
void snapshot_add_claim(Snapshot *snapshot, const PersistentVolumeClaim *claim);
void snapshot_add_volume(Snapshot *snapshot, const PersistentVolume *volume);
void snapshot_add_storage_class(Snapshot *snapshot, const StorageClass *class_);
const PersistentVolumeClaim *snapshot_find_claim(const Snapshot *snapshot, const char *namespace_,
                                                 const char *name);

/* Lists the waiting pods in `by_age`: the oldest first, those of one age by name. What was listed before is
 * taken as far as it goes. */
void snapshot_order_pods(Snapshot *snapshot);
/* Puts indexes of `pods` in the same order. */
void snapshot_sort_pods(const Snapshot *snapshot, int *pods, size_t count);

/* Index of a node by name, or -1. */
int snapshot_find_node(const Snapshot *snapshot, const char *name);
/* How many instances of the resource ("nvidia.com/mig-1g.10gb") the node can still give. */
int64_t snapshot_free_of(const SnapshotNode *node, const char *resource);

/* The GPU's UUID in `room`, "" where the agent has not reported it. */
const char *snapshot_gpu_uuid(const SnapshotNode *node, const SnapshotGpu *gpu, char room[MIG_UUID_SIZE]);
/* May slices be created on the GPU or withdrawn from it now? */
bool snapshot_may_change(const SnapshotNode *node, const SnapshotGpu *gpu);
/* Slots where no plain profile can be placed: one slice with all media engines leaves none to any. */
uint32_t snapshot_occupied(const MigLayout *layout);
/* Starts of the slices that may be withdrawn: they exist and are free, nobody said to keep them, and it is
 * known where they are. Of each profile no more than snapshot_free_of() may go on the whole node, because a
 * floating claim will take some free slice. */
uint32_t snapshot_withdrawable(const SnapshotNode *node, const SnapshotGpu *gpu);

size_t snapshot_fork(Snapshot *snapshot);
void snapshot_commit(Snapshot *snapshot, size_t mark); /* keeps; an outer fork can still undo it */
void snapshot_rollback(Snapshot *snapshot, size_t mark);
/* Changes, undone by rollback. place asserts that the layout allows it, remove that the slice may be
 * withdrawn; what was placed does not exist yet and cannot be. */
void snapshot_place(Snapshot *snapshot, int node, int gpu, int profile, int start);
void snapshot_remove(Snapshot *snapshot, int node, int gpu, int start);
void snapshot_bind(Snapshot *snapshot, int pod, int node);
/* Of everything that rollback must restore; for tests. */
uint64_t snapshot_hash(const Snapshot *snapshot);
