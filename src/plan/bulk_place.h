/* SPDX-License-Identifier: Apache-2.0 */
/* The second half of bulk.c: who sits where, once it is known who is served. Nobody else includes this. */
#pragma once

#include "plan/bulk_gpus.h"
#include "plan/offer.h"

typedef struct PlanPlaces {
  const PlanProblem *problem;
  PlanOffer *offer;               /* its hosts are kept up to date, the rest comes at the end */
  PlanStates *states;             /* by shape: what is worth knowing of a GPU with these slots occupied */
  PlanPoolGpus *pools;            /* those of its GPUs that can be counted */
  int *place;                     /* by GPU: there; -1: it cannot be counted */
  int *gpus, *on_host, *in_state; /* what the pools have of them */
  PlanHoles *holes;               /* by pool, as they are now */
  int64_t *rooms;                 /* as PlanProblem.rooms, as they are now on hosts that are tight */
  bool *touched_hosts;
  int *free_slots; /* by host: kept up to date where it is tight */
  bool *tight;     /* by host: it may run short of something else before it runs out of slices */
  bool any_tight;
  int *full; /* by host: the filling that found no pod for it */
  int fillings;
  PlanSlice *slices; /* by waiting pod that has a host; gpu -1: it needs no new one */
  int *ends, *next;  /* by the first one of pods that stand together in a batch: their end, and the first
                           * one of those that stand together behind them; -1 ends */
  int *next_equal;   /* by waiting pod: behind it in its batch, of its class; -1 ends */
  bool refused;      /* some pod did not get what it could have had, for lack of room on the hosts */
} PlanPlaces;

/* Waiting pods for slices of one rank in one pool, in the order of service. Zeroes are an empty batch. */
typedef struct PlanBatch {
  int count, first;
  int last; /* the first one of those that stand together at its end */
} PlanBatch;

/* Nothing is placed yet. The offer serves nobody. */
void plan_places_init(PlanPlaces *places, const PlanProblem *problem, PlanOffer *offer);
void plan_places_deinit(PlanPlaces *places);
static inline PlanStates *plan_places_states(const PlanPlaces *places, int pool) {
  return &places->states[places->problem->pools.items[pool].shape];
}
/* What a tight host has left: of each resource, then of pods. */
static inline int64_t *plan_places_rooms(const PlanPlaces *places, int host) {
  return &places->rooms[(size_t)host * (places->problem->resources.count + 1)];
}
/* Puts the pod on the host if there is room for it, slices aside. */
bool plan_places_seat(PlanPlaces *places, int waiting, int host);
/* Pods from first to end, behind all that are in the batch. */
static inline void plan_batch_add(PlanPlaces *places, PlanBatch *batch, int first, int end) {
  bool is_empty = !batch->count;
  batch->count += end - first;
  if (!is_empty && places->ends[batch->last] == first) {
    places->ends[batch->last] = end;
    return;
  }
  if (is_empty)
    batch->first = first;
  else
    places->next[batch->last] = first;
  batch->last = first;
  places->ends[first] = end;
  places->next[first] = -1;
}
/* Places as many of the batch as possible; with all that is reserved in the pool, their slices included, of
 * which no larger one is left. What was reserved for the batch is not any more. NULL: nothing is reserved. */
void plan_places_fill(PlanPlaces *places, int pool, int rank, const PlanBatch *batch, PlanAmounts *reserved);
/* Counts who is served, and hands the slices over to the offer. */
void plan_places_finish(PlanPlaces *places);
