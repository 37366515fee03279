/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/offer.h"

#include "base/order.h"

enum { STARTS_BITS = 8 };

void plan_offer_init(PlanOffer *offer, const PlanProblem *problem) {
  *offer = (PlanOffer){.tier_count = problem->tier_count};
  offer->hosts = mem_alloc_none(problem->waiting.count);
  offer->served = mem_alloc((size_t)problem->tier_count * sizeof *offer->served);
}

void plan_offer_deinit(PlanOffer *offer) {
  free(offer->hosts);
  free(offer->served);
  array_deinit(&offer->slices);
  array_deinit(&offer->withdrawals);
}

bool plan_offer_is_better(const PlanOffer *offer, const PlanOffer *than) {
  for (int tier = 0; tier < offer->tier_count; tier++)
    if (offer->served[tier] != than->served[tier])
      return offer->served[tier] > than->served[tier];
  return false;
}

bool plan_offer_serves_all(const PlanProblem *problem, const PlanOffer *offer) {
  for (size_t i = 0; i < problem->waiting.count; i++)
    if (offer->hosts[i] < 0)
      return false;
  return true;
}

void plan_offer_swap(PlanOffer *a, PlanOffer *b) {
  PlanOffer other = *a;
  *a = *b;
  *b = other;
}

/* By pod, GPU and start, the least significant first. */
static void sort_slices(PlanSlice *slices, size_t count) {
  CLEANUP(cleanup_free) OrderKey *keys = mem_alloc_raw(count, sizeof *keys);
  CLEANUP(cleanup_free) PlanSlice *before = mem_alloc_raw(count, sizeof *before);
  for (size_t i = 0; i < count; i++) {
    before[i] = slices[i];
    keys[i] = (OrderKey){.low = (uint64_t)slices[i].gpu << STARTS_BITS | slices[i].start, .index = (int)i};
  }
  order_sort(keys, count);
  for (size_t i = 0; i < count; i++)
    keys[i].low = order_key(before[keys[i].index].waiting);
  order_sort(keys, count);
  for (size_t i = 0; i < count; i++)
    slices[i] = before[keys[i].index];
}

void plan_offer_sort(PlanOffer *offer) {
  sort_slices(offer->slices.items, offer->slices.count);
  sort_slices(offer->withdrawals.items, offer->withdrawals.count);
}

size_t plan_offer_find(const PlanSlice *slices, size_t count, int waiting) {
  size_t low = 0, high = count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (slices[middle].waiting < waiting)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static bool are_equals(const PlanProblem *problem, int a, int b) {
  const PlanWaiting *left = &problem->waiting.items[a], *right = &problem->waiting.items[b];
  return left->tier == right->tier && left->class_ == right->class_;
}

/* Who takes the place of each pod that is served. */
static void find_heirs(const PlanOffer *offer, const PlanProblem *problem, int *ret_heirs) {
  size_t count = problem->waiting.count;
  CLEANUP(cleanup_free) OrderKey *order = mem_alloc(count * sizeof *order);
  for (size_t i = 0; i < count; i++) /* the queue has the oldest of equal pods first */
    order[i] = (OrderKey){.high = (uint32_t)problem->waiting.items[i].tier,
                          .low = (uint64_t)problem->waiting.items[i].class_,
                          .index = (int)i};
  order_sort(order, count);
  size_t oldest = 0; /* of the equals of order[i] that take no place yet */
  for (size_t i = 0; i < count; i++) {
    if (i > 0 && !are_equals(problem, order[i - 1].index, order[i].index))
      oldest = i;
    if (offer->hosts[order[i].index] >= 0)
      ret_heirs[order[i].index] = order[oldest++].index;
  }
}

static bool are_heirs_themselves(const PlanOffer *offer, const int *heirs, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (offer->hosts[i] >= 0 && heirs[i] != (int)i)
      return false;
  return true;
}

void plan_offer_prefer_oldest(PlanOffer *offer, const PlanProblem *problem) {
  size_t count = problem->waiting.count;
  CLEANUP(cleanup_free) int *heirs = mem_alloc(count * sizeof *heirs);
  find_heirs(offer, problem, heirs);
  if (are_heirs_themselves(offer, heirs, count))
    return;
  int *hosts = mem_alloc_none(count);
  for (size_t i = 0; i < count; i++)
    if (offer->hosts[i] >= 0)
      hosts[heirs[i]] = offer->hosts[i];
  free(offer->hosts);
  offer->hosts = hosts;
  for (size_t i = 0; i < offer->slices.count; i++)
    offer->slices.items[i].waiting = heirs[offer->slices.items[i].waiting];
  for (size_t i = 0; i < offer->withdrawals.count; i++)
    offer->withdrawals.items[i].waiting = heirs[offer->withdrawals.items[i].waiting];
  plan_offer_sort(offer);
}
