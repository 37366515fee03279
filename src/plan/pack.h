/* SPDX-License-Identifier: Apache-2.0 */
/* Where a set of slices goes on the GPUs of one node: the question below every strategy. */
#pragma once

#include "plan/problem.h"

typedef struct PlanSlice { /* a slice to create */
  int waiting; /* the pod that asked for it; -1 while that is open, or for good where nobody did */
  int gpu;
  uint8_t profile, start;
} PlanSlice;

typedef struct PlanPackQuestion {
  const PlanProblem *problem;
  int host;
  const int *missing;  /* how many slices to create, by kind */
  const int *kept;     /* by kind: free slices that are needed as they are. NULL: no slice may be withdrawn */
  const bool *touched; /* by GPU: changed by this plan already, preferred among equals; NULL: none is */
  uint64_t loss_min;   /* places where less worth is lost are skipped */
  int64_t *steps;      /* places that may be tried, counted down: out of steps means no */
} PlanPackQuestion;

typedef struct PlanPacking {
  PlanSlice slices[PLAN_SLICES_MAX];
  int count;
  uint32_t withdraws[MIG_GPU_INDEX_MAX + 1]; /* by GPU of the host: starts of the slices that go first */
  int withdrawn;                             /* how many */
  uint64_t loss;                             /* worth lost */
  int new_gpus;                              /* changed GPUs that were not touched before */
  int64_t tried;                             /* places: what the answer cost, whatever became of the steps */
} PlanPacking;

void plan_packing_clear(PlanPacking *packing);
/* Fewer slices go, or as many and less worth is lost. */
bool plan_packing_is_better(const PlanPacking *packing, const PlanPacking *than);

/* Tries the places in the order of the worth lost, largest slices first, and goes back where that leads
 * nowhere, so it finds a packing where there is one (within its steps). Where slices may be withdrawn, it
 * looks for the packing that takes the fewest, then for the least worth lost. The layouts are those of the
 * snapshot.
 */
bool plan_pack(const PlanPackQuestion *question, PlanPacking *ret_packing);
