/* SPDX-License-Identifier: Apache-2.0 */
/* What every strategy of the planner reads: the waiting pods, grouped by what they ask and in the order of
 * service, and the nodes that could serve them. Built once per plan (queue.c, fleet.c), in an order that does
 * not depend on that of the snapshot's objects. Indexes refer to the arrays here unless they say otherwise.
 *
 *     kind     a MIG resource that some pod asks
 *     class    pods with equal requests and equal constraints on nodes: one answer holds for all of them
 *     host     a node with slices, or with GPUs that may get some
 *     stock    the free slices of one profile on one host: what withdrawals take from
 *     pool     GPUs of one exact geometry on hosts that admit the same classes: any hole is as good */
#pragma once

#include "base/arena.h"
#include "base/array.h"
#include "cluster/snapshot.h"
#include "plan/hole.h"

enum {
  PLAN_SLICES_MAX = 512,   /* of one node; a pod that asks more fits nowhere */
  PLAN_RESOURCES_MAX = 64, /* that are counted by host */
};

typedef struct PlanKind {
  const char *resource;             /* "nvidia.com/mig-1g.10gb.me" */
  char name[MIG_PROFILE_NAME_SIZE]; /* "1g.10gb+me"; "" where the resource names no profile */
  int size;                         /* slots that a slice takes at least, whatever the GPU */
  int slice_count;                  /* compute slices: the number before the g */
  int stock;                        /* -1 where no GPU that may be changed has the profile */
} PlanKind;

typedef struct PlanNeed {
  int kind;
  int count; /* at most PLAN_SLICES_MAX + 1 */
} PlanNeed;

typedef struct PlanClass {
  const SnapshotPod *example;
  int pod;         /* the example's index in the snapshot */
  PlanNeed *needs; /* largest first */
  int need_count;
  int asks;         /* equal for classes with equal needs */
  int slot_count;   /* that a pod takes at least */
  int slice_count;  /* of compute: tells 1g.20gb from 2g.20gb, which is as large and worth more */
  int64_t *takes;   /* of PlanProblem.resources, 0 where it asks none; NULL where these are not counted */
  uint64_t *admits; /* bit per host: only MIG slices and other pods can stand in the way of a first pod */
  bool is_coupled;  /* other pods can: an answer holds only until the next pod is placed */
} PlanClass;

typedef struct PlanWaiting {
  int pod; /* index in the snapshot */
  int class_;
  int tier; /* 0 is the highest: by priority, in each those that have waited long first (plan/turn.h) */
} PlanWaiting;

typedef struct PlanShape { /* a geometry, shared by all models that have it */
  PlanGeometry geometry;
  bool exact;
  int8_t *rank_of_kind; /* -1 where the kind has no rank */
} PlanShape;

typedef struct PlanModel { /* a GPU model with what may be created on it */
  const MigModel *model;
  uint32_t allowed; /* bit per profile: what facet.gpu/allowed-profiles does not exclude */
  int shape;
  bool is_counted;         /* exact, and no instance limit forbids a plain profile what the slots allow */
  int8_t *profile_of_kind; /* -1 where the model has no such profile or it is not allowed */
  int stock_of_profile[MIG_PROFILES_MAX]; /* of all its profiles, asked for or not */
} PlanModel;

typedef struct PlanHost {
  int node;                 /* index in the snapshot */
  int first_gpu, gpu_count; /* those that may be changed */
  uint64_t signature;       /* equal for hosts that admit the same classes */
  int contention;           /* how many classes it admits */
} PlanHost;

typedef struct PlanHostGpu { /* many of them are read again and again: so they are small */
  int host;
  int gpu : 8; /* index in the snapshot's node */
  int model : 24;
  int pool;          /* -1 where the geometry is not exact */
  uint32_t occupied; /* slots where no plain profile can be placed, as the snapshot had it at the start */
} PlanHostGpu;

typedef struct PlanPool {
  int shape;
  int host; /* one of them */
  int gpu_count;
} PlanPool;

typedef struct PlanProblem {
  Arena arena;
  Snapshot *snapshot;
  ARRAY(PlanKind) kinds;
  ARRAY(PlanClass) classes;
  const char **ignored; /* by spec of the snapshot: why its pods are not planned for, NULL where they are */
  int *class_of_spec;   /* by spec of the snapshot; -1 where none of its pods waits */
  int *
      waiting_of_spec; /* by spec, twice: how many of its pods wait, of these how many have waited long apart */
  ARRAY(PlanWaiting) waiting; /* by tier, then smallest first, oldest first, name */
  uint64_t *tiers;            /* what makes them tiers, before turns are given (queue.c) */
  int tier_count;
  int64_t old_before; /* Unix seconds; 0: no pod has waited long */
  int asks_count;     /* different sets of slices that classes ask */
  bool is_coupled;    /* some class is */
  ARRAY(PlanShape) shapes;
  ARRAY(PlanModel) models;
  ARRAY(const char *) stocks; /* resource names of the profiles */
  ARRAY(PlanHost) hosts;      /* by name */
  ARRAY(PlanHostGpu) gpus;
  ARRAY(PlanPool) pools;
  ARRAY(const char *) resources; /* other than MIG slices that some class asks for, by name */
  int *free;                     /* by host, by kind: free slices at the start, PLAN_SLICES_MAX at most */
  int free_most;                 /* of all kinds together no host has more */
  int64_t *rooms; /* by host, by resource, then pods: what is left at the start; NULL: too many resources */
  int64_t *least_rooms;  /* by resource, then pods: no host has less left at the start */
  bool has_withdrawable; /* some free slice may be withdrawn */
  bool has_recut;        /* some host is being re-cut */
} PlanProblem;

/* The snapshot is borrowed and not changed. `old_before` as in PlanOptions. */
void plan_problem_init(PlanProblem *problem, Snapshot *snapshot, int64_t old_before);
void plan_problem_deinit(PlanProblem *problem);

const SnapshotPod *plan_problem_pod(const PlanProblem *problem, int waiting);
static inline const PlanClass *plan_problem_class(const PlanProblem *problem, int waiting) {
  return &problem->classes.items[problem->waiting.items[waiting].class_];
}
SnapshotNode *plan_problem_node(const PlanProblem *problem, int host);
/* The GPU in the snapshot, with whatever the current fork placed on it. */
SnapshotGpu *plan_problem_gpu(const PlanProblem *problem, int gpu);
const PlanModel *plan_problem_model(const PlanProblem *problem, int gpu);
const PlanGeometry *plan_problem_geometry(const PlanProblem *problem, int gpu);
static inline bool plan_class_admits(const PlanClass *class_, int host) {
  return class_->admits[host / 64] >> host % 64 & 1;
}
/* Where the tier of the waiting pod `first` ends: the tiers stand one behind the other. */
size_t plan_problem_tier_end(const PlanProblem *problem, size_t first);
/* GPUs of one model on one host stand together, in one pool: where those from `first` on end. */
static inline int plan_problem_gpus_end(const PlanProblem *problem, int first) {
  const PlanHostGpu *gpus = problem->gpus.items;
  int end = first + 1;
  while (end < (int)problem->gpus.count && gpus[end].host == gpus[first].host &&
         gpus[end].model == gpus[first].model)
    end++;
  return end;
}
/* The rank of the kind on GPUs of the pool, -1 where the class may not go there or the kind has none. */
static inline int plan_class_rank(const PlanProblem *problem, const PlanClass *class_, int kind, int pool) {
  const PlanPool *candidate = &problem->pools.items[pool];
  return plan_class_admits(class_, candidate->host)
             ? problem->shapes.items[candidate->shape].rank_of_kind[kind]
             : -1;
}
/* What is left on the host at the start: of each of PlanProblem.resources, then of pods. */
static inline int64_t *plan_problem_rooms(const PlanProblem *problem, int host) {
  assert(problem->rooms);
  return &problem->rooms[(size_t)host * (problem->resources.count + 1)];
}
/* How many free slices of a kind the host has in the snapshot now, PLAN_SLICES_MAX at most. */
int plan_problem_free(const PlanProblem *problem, int host, int kind);
/* Starts of the GPU's slices that may be withdrawn, as the snapshot has it now. */
uint32_t plan_problem_withdrawable(const PlanProblem *problem, int gpu);
/* The slots of the cluster's free slices, and its free slots unless existing_only, in the measure of
 * PlanClass.slot_count: the pods that are served have no more together. */
int64_t plan_problem_slots(const PlanProblem *problem, bool existing_only);
/* The kind of which the class asks one slice, and nothing else of MIG; -1 where it asks more. */
static inline int plan_class_single_kind(const PlanClass *class_) {
  return class_->need_count == 1 && class_->needs[0].count == 1 ? class_->needs[0].kind : -1;
}
/* What a quick look at a host tells, as the snapshot was at the start: room where the class asks one slice
 * and the host has a free one, or a place that only plain rules guard; none where there are no other rules.
 */
typedef enum PlanGlance { PLAN_GLANCE_UNSURE, PLAN_GLANCE_ROOM, PLAN_GLANCE_NONE } PlanGlance;
PlanGlance plan_problem_glance(const PlanProblem *problem, const PlanClass *class_, int host);
/* The holes of a GPU that is in a pool, as the snapshot has it now. */
void plan_problem_holes(const PlanProblem *problem, int gpu, PlanHoles *ret_holes);

/* The two halves of plan_problem_init(), in this order. */
void plan_queue_init(PlanProblem *problem); /* kinds, classes, and how many pods wait */
void plan_fleet_init(PlanProblem *problem); /* the rest, and what the classes know of it */
/* Counts what the hosts have left of everything that classes ask beside MIG slices: resources, rooms, takes.
 */
void plan_rooms_init(PlanProblem *problem);
/* Counts what the host has left now: of its free slices and its rooms. */
void plan_rooms_measure(PlanProblem *problem, int host);
/* Is there room for one more pod of the class, MIG slices aside? As the scheduler's resource fit says. */
bool plan_rooms_hold(const PlanProblem *problem, const PlanClass *class_, const int64_t *rooms);
/* Takes one pod of the class out of the rooms. */
void plan_rooms_take(const PlanProblem *problem, const PlanClass *class_, int64_t *rooms);
/* Lists the waiting pods in the order of service, once the kinds know their sizes. */
void plan_queue_sort(PlanProblem *problem);
