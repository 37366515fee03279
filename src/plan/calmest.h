/* SPDX-License-Identifier: Apache-2.0 */
/* Of all plans that serve as many pods in each tier, the one that disturbs least (plan/toll.h), then the one
 * whose changed GPUs come first in the order of names. Not searched for but computed, so it is the least;
 * where the pods have too many ways to go to the hosts, nothing is said. That depends on what there is to
 * count, and on no clock:
 *
 *   - nothing is said where pods depend on where others are, nor beyond the limits of plan/search.h;
 *   - different choices of the pods that are served, equal ones told by number only, times hosts: at most
 *     PLAN_CALMEST_CHOICES_MAX. Ten pods of two kinds on 64 hosts are 2,304, twenty of three on 16 are 5,832;
 *   - then PLAN_CALMEST_STEPS_MAX steps: ways of a GPU, a host, a cluster that are put together. */
#pragma once

#include "plan/offer.h"

enum {
  PLAN_CALMEST_CHOICES_MAX = 16000,
  PLAN_CALMEST_STEPS_MAX = 2000000, /* some 20 ms */
};

/* Replaces the offer by what disturbs least of all that serves as many; false where that is not known, or
 * where the offer changes nothing. */
bool plan_calmest_find(const PlanProblem *problem, PlanOffer *offer);
