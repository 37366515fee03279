/* SPDX-License-Identifier: Apache-2.0 */
/* Counts first, places afterwards. Which pods are served is decided with the hole counters of the pools,
 * where a pod costs one question of a few additions; where their slices go is decided when all counts are
 * known, largest slices first. */
#pragma once

#include "plan/draft.h"

/* Returns true where the offer is proven optimal: nobody serves more pods of the first tier, of those who
 * serve as many nobody serves more of the second, and so on. Pods asking several slices, profiles without a
 * rank, and nodes that turn out to be full otherwise are served, but nothing is proven then. */
bool plan_exact_solve(const PlanProblem *problem, PlanOffer *ret_offer);
