/* SPDX-License-Identifier: Apache-2.0 */
/* Which free slices go, where each pod asks one slice: counted instead of searched for. On large fleets to
 * ask host by host takes seconds, and leaves pods out that other withdrawals would have served. */
#pragma once

#include "plan/bulk.h"

/* Serves more than `growth`, which withdraws nothing. The answer is
 *
 *     PLAN_BULK_PROVEN     where nobody could serve more, whatever goes
 *     PLAN_BULK_COMPLETE   where that is open: pools have classes in common, hosts run short of something
 *                          else, or slices could go that were not looked at
 *     PLAN_BULK_PARTIAL    where nothing is gained, or cannot be counted: there is no offer
 *
 * Never withdrawn are slices that plan_problem_withdrawable() does not name, those on which pods that are
 * bound already may count, and of a profile that may not be created again as many as are asked for. */
PlanBulkResult plan_opened_solve(const PlanProblem *problem, const PlanOffer *growth, PlanOffer *ret_offer);
