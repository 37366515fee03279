/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of the slots that are left on GPUs which the plan changes anyway. */
#pragma once

#include "plan/draft.h"
#include "plan/plan.h"

enum { PLAN_DEMAND_HALF_LIFE_MS = 600000 };

/* What is left of the weight of a demand (PlanDemand) after so long: whoever remembers one lets it fade. */
double plan_fill_left(int64_t ms);

/* Fills every touched GPU of the draft with plain, allowed profiles. */
void plan_fill(PlanDraft *draft, const PlanOptions *options);

/* The same for an offer that is taken as it is, all of whose slices are on GPUs where the occupied slots
 * alone decide what fits (PlanModel.is_counted): the left-over slices are added to those of the offer. */
void plan_fill_offer(const PlanProblem *problem, const PlanOptions *options, PlanOffer *offer);
