/* SPDX-License-Identifier: Apache-2.0 */
/* Of plans that serve as many pods, the one that disturbs least: it withdraws the fewest free slices, then
 * creates the fewest. On small clusters it is searched for (plan/search.h), whatever the other strategies
 * came to. */
#pragma once

#include "plan/offer.h"

/* Replaces the offer, and returns true, where another one, carried out, serves more pods, or as many in each
 * tier and disturbs less. */
bool plan_calm_down(const PlanProblem *problem, PlanOffer *offer);
