/* SPDX-License-Identifier: Apache-2.0 */
/* What of a node stands in a pod's way, besides its GPUs, to the last detail: which taint, which label, by
 * how much which resource is short. The scheduler's own filters decide (sched/filter.h); here are the words.
 */
#pragma once

#include "plan/plan.h"

typedef enum ExplainObstacleKind {
  EXPLAIN_CORDON,
  EXPLAIN_NAME,
  EXPLAIN_TAINT,
  EXPLAIN_SELECTOR,
  EXPLAIN_AFFINITY,
  EXPLAIN_SCHEDULER, /* another filter, in the scheduler's words */
  EXPLAIN_RESOURCES, /* other than MIG slices */
  EXPLAIN_CLOSED,    /* facet may not change the node */
  EXPLAIN_GPUS,      /* none of its GPUs can have the slice, or the slices together */
} ExplainObstacleKind;

typedef struct ExplainObstacle {
  ExplainObstacleKind kind;
  const char *text; /* does not name the node, unless the node's own words do */
  size_t item;      /* of a taint: its index */
} ExplainObstacle;
typedef ARRAY(ExplainObstacle) ExplainObstacles;

/* "cordon", "taint", ... */
const char *explain_obstacle_name(ExplainObstacleKind kind);
/* Appends all of the scheduler's obstacles; strings in the arena. The pod is one that waits; both are
 * indexes. */
void explain_refusals_find(Snapshot *snapshot, int pod, int node, Arena *arena, ExplainObstacles *obstacles);
/* cpu in cores, memory in binary units, the others as they are: "3.5", "500m", "12.5Gi", "7". */
const char *explain_amount_format(Arena *arena, const char *resource, int64_t amount);
