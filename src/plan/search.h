/* SPDX-License-Identifier: Apache-2.0 */
/* Small clusters deserve the optimum, whatever their constraints: a bounded branch and bound over the pods.
 */
#pragma once

#include "plan/realise.h"
#include "plan/rehearse.h"

enum {
  PLAN_SEARCH_WAITING_MAX = 128, /* pods; more are not searched */
  PLAN_SEARCH_HOSTS_MAX = 64,
  PLAN_SEARCH_STEPS_MAX = 50000, /* places tried: the limit is a count, so the answer depends on no clock */
};

/* Otherwise nothing is searched. */
bool plan_search_is_possible(const PlanProblem *problem);
/* Looks for an offer that serves as many pods in each tier and creates nothing: so that what an earlier plan
 * created for some pods is not taken by others at first sight, and created again. */
void plan_search_existing(const PlanProblem *problem, PlanOffer *offer);
/* Replaces the offer where the search finds a better one. Returns true where the space was exhausted: then
 * the offer is optimal. */
bool plan_search_improve(const PlanProblem *problem, PlanOffer *offer);

/* Replaces the offer, which is carried out at this cost, where one is found that serves more, or as many and
 * disturbs less. Free slices may be withdrawn for it. */
bool plan_search_calm(const PlanProblem *problem, const PlanDisturbance *cost, PlanOffer *offer);
