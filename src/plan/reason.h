/* SPDX-License-Identifier: Apache-2.0 */
/* Why a pod is not helped, in one short sentence that names what blocks it. */
#pragma once

#include "plan/problem.h"

enum { PLAN_REASON_SIZE = 400 };

/* What other pods mean for a coupled class, once all that the plan serves are placed. */
typedef struct PlanCompany {
  uint64_t *refuses; /* bit per host; NULL: the class is not coupled */
  char words[256];   /* of the first refusal */
} PlanCompany;

typedef struct PlanReasons {
  const PlanProblem *problem;
  const int *hosts;           /* by waiting pod: which host serves it, -1: none */
  int *pods_on;               /* by host: pods that the plan serves there */
  int *served, *first_served; /* those pods, host by host; NULL until many hosts were asked for */
  int searches;               /* hosts whose pods were searched for until then */
  SnapshotNode **after;       /* by host: the node with these pods bound; NULL until it is asked for */
  Arena arena;
  PlanCompany *company; /* by class; NULL: no class is coupled */
  int8_t *rooms; /* by set of slices and host: 1 room for them before the plan, -1 none, 0 not asked yet */
} PlanReasons;

/* The snapshot is as it was before planning; `hosts` says, by waiting pod, which host serves it (-1: none),
 * and is borrowed. */
void plan_reasons_init(PlanReasons *reasons, const PlanProblem *problem, const int *hosts);
void plan_reasons_deinit(PlanReasons *reasons);
/* A node that is being re-cut might serve a pod of this class once it is done: no reason is final until then.
 */
bool plan_reasons_are_premature(const PlanReasons *reasons, int class_);
/* For a pod of this class that is not served. */
void plan_reasons_format(PlanReasons *reasons, int class_, char ret_reason[PLAN_REASON_SIZE]);
