/* SPDX-License-Identifier: Apache-2.0 */
/* What may become of GPUs and of hosts: all ways to withdraw free slices and to create new ones, of each that
 * comes to the same the one with the least toll. */
#pragma once

#include "base/intern.h"
#include "plan/cuts.h"
#include "plan/toll.h"

enum {
  PLAN_WAY_STOCKS_MAX = 64,
  PLAN_WAYS_MAX = 4000 /* of one GPU, and of one host with so many of its GPUs */
};

/* What is worth looking at. */
typedef struct PlanWayLimits {
  PlanAmount wanted; /* new slices, by kind */
  int withdrawn;     /* at most, */
  int created;       /* and where so many go at most so many */
  uint64_t changes;  /* of a toll: nothing that changes more */
} PlanWayLimits;

typedef struct PlanWaySlice {
  uint8_t profile, start;
} PlanWaySlice;

typedef struct PlanWay {             /* of one GPU */
  PlanAmount created;                /* by kind */
  uint8_t gone[PLAN_WAY_STOCKS_MAX]; /* by stock */
  PlanToll toll;
  uint32_t withdraws; /* starts */
  int count;
  PlanWaySlice creates[MIG_INSTANCES_MAX];
} PlanWay;

typedef struct PlanGpuWays {
  ARRAY(PlanWay) items; /* the first one changes nothing */
} PlanGpuWays;

typedef struct PlanHostWay {
  PlanAmount balance; /* by kind: new slices less those that go, and how many may go; then by counted stock */
  int64_t index;      /* of the balance */
  PlanToll toll;
  uint64_t names;  /* the changed GPUs: bit 63 is the first of the host. More is earlier */
  int before, way; /* of the same host without its last GPU, and what becomes of that one */
} PlanHostWay;

typedef struct PlanHostWays {
  ARRAY(PlanHostWay) items;              /* GPU by GPU */
  int first;                             /* those of all GPUs begin here */
  PlanAmount base;                       /* the balance of changing nothing */
  int words;                             /* of balances */
  PlanAmount most;                       /* balances have no more */
  int64_t stride[PLAN_AMOUNT_KINDS_MAX]; /* of the balances' numbers in their index */
  int *chosen; /* by index of what is needed: the way, plus two; 0: nobody asked yet */
} PlanHostWays;

typedef struct PlanWays {
  const PlanProblem *problem;
  const PlanTollScale *scale;
  PlanWayLimits limits;
  Intern states, alike; /* GPUs, hosts */
  ARRAY(PlanGpuWays) of_gpus;
  ARRAY(PlanHostWays) of_hosts;
  int64_t steps; /* left */
  bool failed;   /* there are too many */
} PlanWays;

/* `steps`: GPUs' ways that are put together at most. */
void plan_ways_init(PlanWays *ways, const PlanProblem *problem, const PlanTollScale *scale,
                    const PlanWayLimits *limits, int64_t steps);
void plan_ways_deinit(PlanWays *ways);
/* Those of the host as the snapshot has it now; equal hosts share them. -1, and failed, where there are too
 * many; an index of of_hosts otherwise. */
int plan_ways_find(PlanWays *ways, int host);
/* The way of the host with the least toll that leaves it with so many slices, by kind; -1: none. */
int plan_ways_choose(PlanWays *ways, int host, int found, const int *asked);
/* What becomes of the host's GPUs in this way: `packing` and, by kind, how many of the asked free slices are
 * used as they are. False where a packing cannot hold so much. */
bool plan_ways_pack(PlanWays *ways, int host, int found, int way, const int *asked, int *ret_kept,
                    PlanPacking *ret_packing);
