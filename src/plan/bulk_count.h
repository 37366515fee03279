/* SPDX-License-Identifier: Apache-2.0 */
/* The first half of bulk.c: how many pods of each class get a slice in each pool. Nobody else includes this.
 */
#pragma once

#include "plan/problem.h"

typedef struct PlanShare { /* of a class in one pool */
  int pool, rank, count;
} PlanShare;

typedef ARRAY(PlanShare) PlanShares;

typedef struct PlanMove { /* one slice less of the class in this pool, one more in the next one */
  int pool, class_;
} PlanMove;

enum { PLAN_MOVES_MAX = 6 };

typedef struct PlanMoves { /* ends in a pool that has room */
  PlanMove items[PLAN_MOVES_MAX];
  int count, last_pool;
} PlanMoves;

typedef struct PlanCounts {
  const PlanProblem *problem;
  const PlanHoles *holes; /* by pool; borrowed */
  PlanAmounts *reserved;  /* by pool */
  int *pools;             /* those that fewer classes can use first */
  int *next_pools;        /* by class: the pools before this position are full for it */
  bool is_balanced;       /* the pools are few enough to ask all of them for each pod */
  double *load;       /* by pool: what part of its slots is reserved, then of each of the hosts' resources */
  double *weight;     /* by pool, likewise: what part one unit is */
  int *spare;         /* by pool, by rank: slices that still fit beside the reserved ones */
  uint32_t *known;    /* by pool: bit per rank whose spare is known */
  PlanShares *shares; /* by class */
  int *latest;        /* by class: the share that grew last */
  PlanMoves *moves;   /* by class: what made room for it last */
  bool *stuck;        /* by class: nothing makes room for it */
  int64_t steps;      /* of looking for moves, counted down */
  struct PlanCountsSearch *search;
} PlanCounts;

/* The holes are borrowed; they must not change between the first count and plan_counts_clear(). */
void plan_counts_init(PlanCounts *counts, const PlanProblem *problem, const PlanHoles *holes);
void plan_counts_deinit(PlanCounts *counts);
/* More pods of the class, `most` at most, each of which asks one slice of the kind: a pod gets it where there
 * is one to spare, or where pods of other classes can make room by moving to other pools. Returns how many
 * get one; where that is not all, no pod of the class gets one any more. */
int plan_counts_add(PlanCounts *counts, int class_, int kind, int most);
/* Forgets all that was counted: it is placed now, or nobody wants it any more. */
void plan_counts_clear(PlanCounts *counts);
