/* SPDX-License-Identifier: Apache-2.0 */
/* Makes an offer better where nothing is proven: ruin and recreate. Some hosts give their pods up, and all
 * that wait are put back in another order, on whatever hosts take them; what serves no fewer pods, tier by
 * tier, and wastes about as little, stays. So chains of ejections and swaps of one for two happen by
 * themselves. */
#pragma once

#include "plan/budget.h"
#include "plan/prices.h"
#include "plan/realise.h"

enum {
  PLAN_IMPROVE_TYPES_MAX = 512,  /* classes in tiers; with more of them nothing is tried */
  PLAN_IMPROVE_HOSTS_MAX = 2048, /* also with more hosts: counting and one by one come close there */
};

/* Replaces the offer where a better one is found, and returns whether. With PLAN_BY_EXISTING one that serves
 * as many in each tier is enough. Nothing is
 * tried where pods depend on where others are, or where counting shows that there is no better one (most.h).
 * Stops when the budget is used up, or when it has tried in vain for long. */
bool plan_improve(const PlanProblem *problem, PlanMeans means, const PlanPrices *prices, PlanBudget *budget,
                  PlanOffer *offer);
