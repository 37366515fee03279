/* SPDX-License-Identifier: Apache-2.0 */
/* Has a GPU a place for a slice, and if not, which slices are in the way, who holds them, and how much memory
 * is free but split. */
#pragma once

#include "explain/holder.h"

typedef enum ExplainRoom {
  EXPLAIN_ROOM_SLICE,      /* a free slice of the profile is there */
  EXPLAIN_ROOM_GROW,       /* a place is empty */
  EXPLAIN_ROOM_RECUT,      /* a place is empty once free slices give way */
  EXPLAIN_ROOM_NONE,       /* slices that have to stay are in the way */
  EXPLAIN_ROOM_NO_PROFILE, /* the model does not have it */
  EXPLAIN_ROOM_CLOSED,     /* nothing may be made on this GPU, or not this */
} ExplainRoom;

enum { EXPLAIN_FAR = MIG_INSTANCES_MAX + 1 };

typedef struct ExplainGpu {
  int gpu; /* index in the snapshot's node */
  ExplainRoom room;
  int slot_count, free_slots; /* free: in no slice that has to stay; a GPU of unknown model has 0 */
  bool is_split;              /* enough slots are free, but not where the slice can go */
  int in_the_way; /* slices in use or promised at the place that is nearest to being free; EXPLAIN_FAR where none can be
                   */
  const char *text;
} ExplainGpu;

/* "slice", "grow", "recut", "none", "no profile", "closed" */
const char *explain_room_name(ExplainRoom room);
bool explain_room_is_open(ExplainRoom room);
/* For one slice of the profile. */
void explain_room_find(const ExplainHolding *holding, const ExplainCluster *cluster, const Snapshot *snapshot,
                       int node, int gpu, const char *profile, Arena *arena, ExplainGpu *ret_gpu);
/* Free slices that bound pods will take, where they take all of the profile on the node: nobody knows which
 * ones they take of several. */
uint32_t explain_room_promised(const SnapshotNode *node, const SnapshotGpu *gpu);
/* Free slices that may give way, as far as nobody is promised them. */
uint32_t explain_room_loose(const SnapshotNode *node, const SnapshotGpu *gpu);
/* The layout without those. */
MigLayout explain_room_fixed(const SnapshotNode *node, const SnapshotGpu *gpu);
/* The fewest slices in use, or promised, that are in the way of the profile on this GPU, and where they
 * start, at the place that has the fewest; -1 where it can have no place at all, as where a kept slice is in
 * each way. */
int explain_room_nearest(const SnapshotNode *node, const SnapshotGpu *gpu, int profile, uint32_t *ret_starts);
/* Memory of one slot in GB, by the names of the profiles; 0 where unknown. */
int explain_room_slot_gb(const MigModel *model);
