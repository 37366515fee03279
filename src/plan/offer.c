/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/offer.h"

void plan_offer_init(PlanOffer *offer, const PlanProblem *problem) {
  *offer = (PlanOffer){.tier_count = problem->tier_count};
  offer->hosts = mem_alloc(problem->waiting.count * sizeof *offer->hosts);
  for (size_t i = 0; i < problem->waiting.count; i++)
    offer->hosts[i] = -1;
  offer->served = mem_alloc((size_t)problem->tier_count * sizeof *offer->served);
}

void plan_offer_deinit(PlanOffer *offer) {
  free(offer->hosts);
  free(offer->served);
  array_deinit(&offer->slices);
}

bool plan_offer_is_better(const PlanOffer *offer, const PlanOffer *than) {
  for (int tier = 0; tier < offer->tier_count; tier++)
    if (offer->served[tier] != than->served[tier])
      return offer->served[tier] > than->served[tier];
  return false;
}

static int compare_slices(const void *a, const void *b) {
  const PlanSlice *left = a, *right = b;
  if (left->waiting != right->waiting)
    return left->waiting < right->waiting ? -1 : 1;
  if (left->gpu != right->gpu)
    return left->gpu < right->gpu ? -1 : 1;
  return left->start - right->start;
}

void plan_offer_sort(PlanOffer *offer) {
  if (offer->slices.count)
    qsort(offer->slices.items, offer->slices.count, sizeof offer->slices.items[0], compare_slices);
}
