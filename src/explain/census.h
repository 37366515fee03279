/* SPDX-License-Identifier: Apache-2.0 */
/* The slots of the cluster's GPUs: in use, in free slices, empty, and unusable, and what could still be made.
 *
 *     used      in a slice that a pod holds
 *     free      in a slice that nobody holds
 *     empty     in no slice, and some slice could be made there
 *     unusable  in no slice, and none fits there beside what is in use: the GPU's geometry forbids it
 *     closed    in no slice, and facet may make none: MIG mode off, excluded, paused, not ready */
#pragma once

#include "explain/trial.h"

typedef enum ExplainSlot {
  EXPLAIN_SLOT_USED,
  EXPLAIN_SLOT_FREE,
  EXPLAIN_SLOT_EMPTY,
  EXPLAIN_SLOT_UNUSABLE,
  EXPLAIN_SLOT_CLOSED,
  EXPLAIN_SLOT_KINDS,
} ExplainSlot;

typedef struct ExplainSlots {
  int64_t counts[EXPLAIN_SLOT_KINDS];
} ExplainSlots;

/* One profile of one GPU model. */
typedef struct ExplainTally {
  const MigModel *model; /* of the first such GPU */
  const MigProfile *profile;
  int64_t used, free;
  int64_t more; /* that could still be made, where free slices of other profiles give way */
} ExplainTally;

typedef struct ExplainCensus {
  int64_t node_count, gpu_count; /* that facet knows the GPUs of */
  int64_t unknown_count;         /* GPUs whose model is not known */
  ExplainSlots slots;
  ARRAY(ExplainTally) tallies; /* by model, then profile; those that exist or could be made */
  int64_t models_left_out;     /* more different models than fit */
} ExplainCensus;

/* What each slot of the GPU is; its model is known. */
void explain_census_slots(const SnapshotNode *node, const SnapshotGpu *gpu,
                          ExplainSlot ret_slots[MIG_SLOTS_MAX]);
void explain_slots_add(ExplainSlots *slots, const SnapshotNode *node, const SnapshotGpu *gpu);
int64_t explain_slots_total(const ExplainSlots *slots);
/* "used", "free", "empty", "unusable", "closed" */
const char *explain_slot_name(ExplainSlot slot);
/* Of all nodes, or of one (index, else -1). */
void explain_census_take(const Snapshot *snapshot, int only_node, ExplainCensus *ret_census);
void explain_census_deinit(ExplainCensus *census);
