/* SPDX-License-Identifier: Apache-2.0 */
/* A planner that lives between plans. It is told of events, and keeps the snapshot and, where it can, the
 * plan:
 *
 *     plan_standing_put_node(standing, node); plan_standing_put_pod(standing, pod); ...
 *     const Plan *plan = plan_standing_compute(standing, &options);
 *
 * A plan is kept on clusters that are too large for the search, where each waiting pod asks one slice and is
 * not tied to other pods, and either everybody is served or no free slice could be withdrawn. Where all hosts
 * of a pod are alike to it, and none runs short of anything but slices, each pod gets the verdict that
 * plan_compute() would give it, with the same numbers and the same bound; where it is served may differ,
 * because who has a place keeps it: what he was told stays true. Elsewhere a plan is kept on large clusters
 * alone (searched_min), where one from scratch takes tens of milliseconds: nobody is left out for whom there
 * is a place, but others may be served than from scratch, some fewer at times, and the bound is one that
 * knows of slices only. In whose turn a pod is served nobody knows then (-1): in any. Reasons of blocked pods
 * are as old as the last plan from scratch, or as the first such pod.
 *
 * Everything else is planned from scratch, on a snapshot that is up to date all the same: when a node comes
 * or goes, is labelled or tainted anew, offers a GPU or a slice of a sort that it had not; when a pod comes
 * that is unlike all that waited, is tied to others, or is nominated; and after so many events that the
 * places deserve to be put in order. */
#pragma once

#include "cluster/live.h"
#include "plan/kept.h"

typedef ARRAY(PlanGpu) PlanGpus; /* by node, by GPU */

typedef struct PlanStanding {
  LiveCluster live;
  Plan plan; /* its GPUs are those of the last plan from scratch */
  PlanKept kept;
  bool is_kept;        /* the plan can be brought up to date by events */
  bool has_followed;   /* it could since it was made, so its GPUs are not what they were */
  bool is_aligned;     /* plan.pods and the lists below go by the indexes of the snapshot */
  size_t events;       /* since the last plan from scratch */
  uint64_t afresh;     /* plans from scratch so far */
  size_t searched_min; /* pods times hosts: as plan_compute_kept() says */
  int *first_gpu;      /* by node: in plan.gpus, -1: none; of the last plan from scratch */
  /* Nodes and pods of which something has changed since somebody settled them. */
  ARRAY(int) open_nodes, open_pods;
  ARRAY(int) place_of_node, place_of_pod; /* on these lists; -1: not there */
} PlanStanding;

void plan_standing_init(PlanStanding *standing);
void plan_standing_deinit(PlanStanding *standing);
/* As in cluster/live.h; an old object is still looked at while its successor is put. */
void plan_standing_put_node(PlanStanding *standing, const Node *node);
void plan_standing_remove_node(PlanStanding *standing, const char *name);
void plan_standing_put_pod(PlanStanding *standing, const Pod *pod);
void plan_standing_remove_pod(PlanStanding *standing, const Pod *pod);
void plan_standing_hold_node(PlanStanding *standing, const char *name, const char *held, bool growth_only);

/* The plan for the cluster as it is; valid until the next event. What is changed on GPUs,
 * plan_standing_take() tells: `create` counts the slices that pods ask for, and left-over ones where it was
 * made from scratch. */
const Plan *plan_standing_compute(PlanStanding *standing, const PlanOptions *options);
/* Of that plan, what changes on these nodes, by node and GPU. Left-over slots are cut as the options say. The
 * slices live in the arena, or in the plan. */
void plan_standing_take(PlanStanding *standing, const PlanOptions *options, const int *nodes, size_t count,
                        Arena *arena, PlanGpus *ret_gpus);

/* Whoever acts on the plan looks at open_nodes and open_pods, and settles what is done: the node or pod comes
 * back when its part of the plan or the node itself is another. Settling moves the last of the list into the
 * gap. */
void plan_standing_settle_node(PlanStanding *standing, int node);
void plan_standing_settle_pod(PlanStanding *standing, int pod);
/* The pod is open again, if it waits. */
void plan_standing_open_pod(PlanStanding *standing, const Pod *pod);
