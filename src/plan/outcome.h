/* SPDX-License-Identifier: Apache-2.0 */
/* What a plan does, whoever found it out, written down: for each pod what becomes of it, for each GPU what
 * changes. */
#pragma once

#include "plan/pack.h"
#include "plan/plan.h"

typedef struct PlanOutcome {
  const PlanProblem *problem;
  const int *hosts;   /* by waiting pod, -1: not served */
  const bool *recuts; /* by waiting pod; NULL: none */
  const int *turns;   /* by waiting pod; NULL: in the order of the queue */
  const PlanSlice *creates, *destroys;
  size_t create_count, destroy_count;
} PlanOutcome;

/* Fills the plan's pods and GPUs, and counts them. Blocked pods get an empty reason. */
void plan_outcome_write(const PlanOutcome *outcome, Plan *plan);
