/* SPDX-License-Identifier: Apache-2.0 */
/* The planner: which slices to create so that the most waiting pods can be scheduled, and why not the others.
 *
 * Pods are served in priority tiers (higher spec.priority first), in each tier as many as possible, then the
 * oldest first. Pods asking one slice each on GPUs of laminar geometry are planned exactly (plan/exact.h);
 * the others one by one where they destroy the least (plan/greedy.h), and on small clusters by a bounded
 * search (plan/search.h). The result is deterministic: it depends on the objects in the snapshot, not on
 * their order, and on the options.
 *
 * Growth comes first. Only for a pod that no new slice beside the existing ones can serve are free slices
 * withdrawn, tier by tier, as few as possible (plan/recut.h): never one that is used, kept, or promised to a
 * bound pod or to one that this plan serves. On small clusters a plan with few
 * withdrawals, then few new slices is searched for (plan/calm.h). Where nothing goes, the new slices then
 * move until no move changes fewer GPUs or nodes or keeps larger holes (plan/settle.h). And where the pods
 * have few enough ways to go, the plan that disturbs least is computed (plan/calmest.h): the fewest
 * withdrawals, new slices, changed GPUs and nodes, the largest holes kept, the first names. */
#pragma once

#include "cluster/snapshot.h"
#include "plan/budget.h"
#include "sched/filter.h"

typedef enum PlanVerdict {
  PLAN_IGNORED,  /* partitioning cannot help, see reason */
  PLAN_FITS,     /* the scheduler can place it now, or on slices that are on their way */
  PLAN_ADMITTED, /* by slices that this plan creates */
  PLAN_BLOCKED,  /* see reason */
} PlanVerdict;

typedef enum PlanState { PLAN_USED, PLAN_KEEP, PLAN_CREATE, PLAN_DESTROY } PlanState;

typedef struct PlanPod { /* a hundred thousand of them are written: so they are small */
  const char *reason;    /* a sentence for people, "" for fits and admitted; in the plan's arena */
  int node;              /* where the plan counts on it; -1 for ignored and blocked */
  int turn : 28;         /* whom the plan serves first, second...: each fits where those before it are; -1 */
  PlanVerdict verdict : 2;
  bool recut : 1;     /* admitted where free slices have to go first */
  bool premature : 1; /* blocked, but a node that is being re-cut may serve it when it has answered */
} PlanPod;

/* A slice to create, in the order in which it shall be created. */
typedef struct PlanCreate {
  uint8_t profile;
  uint8_t start;
  bool leftover; /* nobody asked for it yet */
} PlanCreate;

/* A free slice that has to go first. */
typedef struct PlanDestroy {
  uint8_t profile;
  uint8_t start;
} PlanDestroy;

typedef struct PlanGpu {
  int node;    /* index in the snapshot */
  uint8_t gpu; /* index in the snapshot's node */
  uint8_t destroy_count, create_count;
  const PlanDestroy *destroys; /* by start; in the plan's arena, as the creates are */
  const PlanCreate *creates;   /* demanded ones first */
} PlanGpu;

typedef struct Plan {
  Arena arena;
  ARRAY(PlanPod) pods; /* one for each pod of the snapshot, same order */
  ARRAY(PlanGpu) gpus; /* changed ones only, by node then GPU */
  int pending;         /* pods considered: fits + admitted + blocked */
  int admitted, already_fit;
  int create, destroy, nodes_changed;
  /* No plan could admit more (already_fit not counted), not even one that ignores priorities. Equal to
   * `admitted` where all pods have one priority and the plan is proven optimal. */
  int bound;
  bool stopped_early; /* the search for a better plan ended because its time or its steps were used up */
} Plan;

typedef enum PlanLeftover { PLAN_LEFTOVER_FILL, PLAN_LEFTOVER_NONE } PlanLeftover;

/* Slices asked for in the recent past; the fill prefers profiles with more weight. */
typedef struct PlanDemand {
  char profile[MIG_PROFILE_NAME_SIZE];
  double weight;
} PlanDemand;

enum {
  PLAN_STEPS_DEFAULT = 6000000, /* where no clock is there: half a second at most */
  PLAN_TIME_DEFAULT_MS = 200,   /* for those who have one */
  PLAN_STARVATION_DEFAULT_MS = 600000,
  PLAN_ONE_BY_ONE_MAX = 2000000, /* pods times hosts: beyond that nothing is searched for */
};

typedef struct PlanOptions {
  PlanLeftover leftover;
  const PlanDemand *recent_demand;
  int recent_demand_count;
  /* Pods of one priority that were created before this instant (Unix seconds) come before all others of it,
   * and the oldest of them one after the other, whatever they ask (plan/turn.h): otherwise many small pods
   * would keep a large one waiting for ever. 0: none do. */
  int64_t old_before;
  int64_t steps_max;      /* of the search for better plans; 0: PLAN_STEPS_DEFAULT */
  const PlanClock *clock; /* ends that search as well; NULL: only the steps do, and the plan is the same on
                           * every machine */
} PlanOptions;

/* The pod's index in snapshot.pods. */
static inline int plan_pod_index(const Plan *plan, const PlanPod *pod) {
  return (int)(pod - plan->pods.items);
}
/* Plans on the snapshot and leaves it as it was. */
void plan_compute(Snapshot *snapshot, const PlanOptions *options, Plan *ret_plan);
void plan_deinit(Plan *plan);
/* (bound - admitted) / bound: the share of pods that a better plan could still admit, at most. */
double plan_gap(const Plan *plan);
/* The wanted instances of one changed GPU: existing ones without the destroys, then the creates in order. */
void plan_gpu_list(const Snapshot *snapshot, const PlanGpu *gpu, MigList *ret_list);
/* The words of the contract: "admitted", "fits", "blocked", "ignored"; "used", "keep", "create", "destroy".
 */
const char *plan_verdict_name(PlanVerdict verdict);
const char *plan_state_name(PlanState state);

/* Is partitioning able to help this pod at all? NULL: yes, else why not (static text). Unschedulable, not
 * gated, not deleting, no nominated node, not owned by a DaemonSet, no reservation, asks at least one MIG
 * slice. */
const char *plan_ignore_reason(const Pod *pod, const Resources *requests);
