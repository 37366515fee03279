/* SPDX-License-Identifier: Apache-2.0 */
/* An offer is what a strategy has in mind; what comes of it, with the withdrawals that follow, is seen by
 * carrying it out in a draft. */
#pragma once

#include "plan/greedy.h"

typedef struct PlanDisturbance { /* what a plan changes, in the order in which it matters */
  int withdrawn, created;
} PlanDisturbance;

bool plan_disturbs_less(const PlanDisturbance *cost, const PlanDisturbance *than);

/* Each tier grows before it takes anything away, and takes before a lower one is asked. What that one was
 * offered and is gone is served otherwise, if it can be. */
void plan_serve_tiers(PlanGreedy *greedy, const PlanOffer *offer);
/* What becomes of the offer in the end, and at which cost. The outcome does not list its withdrawals. */
void plan_rehearse(const PlanProblem *problem, const PlanOffer *offer, PlanOffer *ret_outcome,
                   PlanDisturbance *ret_cost);
