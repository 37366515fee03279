/* SPDX-License-Identifier: Apache-2.0 */
/* Which free slices go, counted instead of searched for: for fleets on which to ask host by host takes seconds,
 * and leaves pods out that other withdrawals would have served. Only where each pod asks one slice. */
#pragma once

#include "plan/bulk.h"

/* Serves more than `growth`, which withdraws nothing: as many as possible where the answer is
 * PLAN_BULK_PROVEN. PLAN_BULK_PARTIAL where nothing is gained or it cannot be counted; there is no offer then.
 * Never withdrawn are slices that plan_problem_withdrawable() does not name, and those on which pods that are
 * bound already may count. */
PlanBulkResult plan_opened_solve(const PlanProblem *problem, const PlanOffer *growth, PlanOffer *ret_offer);
