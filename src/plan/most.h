/* SPDX-License-Identifier: Apache-2.0 */
/* How many of the waiting pods the hosts can serve at most: not estimated but counted, where pods are of few
 * types, so that nobody looks for what is not there. */
#pragma once

#include "plan/fit.h"

enum {
  PLAN_MOST_TYPES_MAX = 6,
  PLAN_MOST_STATES_MAX = 4096,  /* how many pods are served of each type but one: so many different answers */
  PLAN_MOST_STEPS_MAX = 100000, /* a millisecond or so */
};

/* Pods that are alike. */
typedef struct PlanMostType {
  int class_, tier;
  int wanted; /* pods */
} PlanMostType;

/* By tier: no plan serves more of the first tier, of those who serve as many none serves more of the second,
 * and so on; and there is a plan that serves so many. False where there is too much to count, or where it is
 * not certain what a host takes. The problem has rooms, and no pods that depend on where others are. */
bool plan_most_count(const PlanProblem *problem, PlanFits *fits, const PlanMostType *types, int type_count,
                     int *ret_served);
