/* SPDX-License-Identifier: Apache-2.0 */
/* Ten thousand pods at once, where each asks a single slice: numbers decide who is served, and only then are
 * places given out, GPU by GPU instead of pod by pod. The time grows with the pods and with the GPUs, never
 * with their product. */
#pragma once

#include "plan/offer.h"

typedef enum PlanBulkResult {
  PLAN_BULK_PARTIAL,  /* some pods ask what counting cannot answer, and were left out */
  PLAN_BULK_COMPLETE, /* who is not served cannot be, beside those who are, unless slices are withdrawn */
  PLAN_BULK_PROVEN, /* and nobody serves more pods of the first tier, of those who serve as many nobody serves
                     * more of the second, and so on, without withdrawing slices */
} PlanBulkResult;

/* The oldest pods of a class are served first. The offer's slices are in the order of their pods. */
PlanBulkResult plan_bulk_solve(const PlanProblem *problem, PlanOffer *ret_offer);
/* Does the class ask for what counting cannot answer? */
bool plan_bulk_leaves_out(const PlanProblem *problem, const PlanClass *class_);
