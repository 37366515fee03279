/* SPDX-License-Identifier: Apache-2.0 */
/* Tests only: what holds for offers, however they were found. */
#pragma once

#include "base/test.h"

#include "plan/offer.h"

/* Of one class and tier the oldest stand first. */
static inline void offer_assert_oldest_served(const PlanProblem *problem, const PlanOffer *offer) {
  const PlanWaiting *waiting = problem->waiting.items;
  for (size_t i = 0; i < problem->waiting.count; i++)
    for (size_t j = i + 1; j < problem->waiting.count && offer->hosts[i] < 0; j++)
      if (offer->hosts[j] >= 0 && waiting[i].tier == waiting[j].tier &&
          waiting[i].class_ == waiting[j].class_)
        fail_msg("pod %zu is served, and %zu, which is older, is not", j, i);
}
