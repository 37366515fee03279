/* SPDX-License-Identifier: Apache-2.0 */
/* One batch of pods on its way into the GPUs of a pool: what the parts of bulk_place.c share. Nobody else
 * includes this. */
#pragma once

#include "plan/bulk_place.h"

typedef struct PlanQueue { /* pods of a batch that have no place yet, those of one class where that matters */
  int class_;
  int first, last; /* -1: none */
  int run;         /* where it does not matter: the first one of those with whom the first stands together */
} PlanQueue;

enum { PLAN_NO_WAY = -1, PLAN_UNKNOWN_WAY = -2, PLAN_COURSE_MAX = 8 };

/* All ways that a GPU in some state goes while no more is lost than this, one after the other. */
typedef struct PlanCourse {
  bool is_known;
  uint8_t type; /* of hole: they are all of one */
  int count;    /* 0: who goes there looks at each of them */
  int after;    /* the state in the end */
  int ways[PLAN_COURSE_MAX];
  uint8_t starts[PLAN_COURSE_MAX];
} PlanCourse;

typedef struct PlanFilling {
  PlanPlaces *places;
  PlanStates *states;
  PlanPoolGpus *gpus;
  int rank, kind, number;
  int profile; /* that the kind is; -1: it depends on the GPU's model */
  PlanAmounts *reserved;
  PlanHoles *holes;          /* without the ways that were taken since, which `taken` lists */
  ARRAY(int) taken;          /* ways, each with how often */
  uint64_t loss_min;         /* holes of less worth cannot be spared */
  ARRAY(int) cheapest;       /* by state: the way of the least loss that can be spared */
  ARRAY(PlanCourse) courses; /* by state */
  int safe, safe_type;       /* so many of the type can be taken without asking */
  ARRAY(PlanQueue) queues;
  int left;             /* pods without a place */
  double slots_per_pod; /* of those to come */
  ARRAY(int) group;     /* the states whose GPUs are gone through */
  ARRAY(int) refused;   /* places of GPUs on hosts that have room for none of the pods: in no bucket */
} PlanFilling;

static inline PlanWay *plan_filling_way(const PlanFilling *filling, int way) {
  return &filling->states->ways.items[way];
}

/* The first one has a place. */
static inline void plan_queue_advance(const PlanPlaces *places, PlanQueue *queue) {
  if (places->any_tight)
    queue->first = places->next_equal[queue->first];
  else if (++queue->first == places->ends[queue->run])
    queue->first = queue->run = places->next[queue->run];
}

/* Puts the pods of the batch into queues. */
void plan_filling_queue(PlanFilling *filling, const PlanBatch *batch);
/* While some pod waits: of those that have room on the host, the first one's queue; NULL where none has. */
PlanQueue *plan_filling_choose(const PlanFilling *filling, int host);
