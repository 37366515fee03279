/* SPDX-License-Identifier: Apache-2.0 */
/* Where a pod goes on one node when free slices may be withdrawn for it: with the fewest of them, then where
 * the least worth is lost. Takes none where there is room beside them.
 *
 * Complete within its steps: where no answer is found, no set of free slices makes room for the pod there. So
 * a node that said no will do so for the rest of a plan, which only takes. */
#pragma once

#include "plan/pack.h"

/* Asks the node as the snapshot has it now; `touched` as in PlanPackQuestion. Never withdrawn are slices that
 * are used or kept, that were placed in a fork, or on which bound pods count, those of the fork included. */
bool plan_recut(const PlanProblem *problem, const PlanClass *class_, int host, const bool *touched,
                PlanPacking *ret_packing);
