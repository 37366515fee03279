/* SPDX-License-Identifier: Apache-2.0 */
/* Yes or no: do all these slices have a place on that host? A search asks this thousands of times, and
 * mostly the answer is no. */
#pragma once

#include "plan/budget.h"
#include "plan/cuts.h"

typedef struct PlanFits PlanFits;

/* Of the hosts as the snapshot has them now. */
PlanFits *plan_fits_new(const PlanProblem *problem, PlanMeans means, PlanBudget *budget);
void plan_fits_free(PlanFits *fits);
/* `asked`: by kind, by all pods of the host together. A yes is always right. A no may be wrong where the
 * question is too hard: more than eight GPUs that differ, say. */
bool plan_fits_ask(PlanFits *fits, int host, const int *asked);
/* So far no answer was a no that may be wrong. */
bool plan_fits_are_certain(const PlanFits *fits);
/* Where they go, as plan_realise_pack() says it: worth nothing but that there is a way. False where the
 * question has no answer in numbers. */
bool plan_fits_pack(PlanFits *fits, int host, const int *asked, int *ret_kept, PlanPacking *ret_packing);
