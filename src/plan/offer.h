/* SPDX-License-Identifier: Apache-2.0 */
/* What a strategy proposes, as a value: which host serves which pod, with which new slices. */
#pragma once

#include "plan/pack.h"

typedef struct PlanOffer {
  int *hosts; /* by waiting pod: the host that serves it, or -1 */
  ARRAY(PlanSlice) slices;
  ARRAY(PlanSlice) withdrawals; /* free slices that go first, each for the pod that needs its place */
  int *served;                  /* by tier */
  int tier_count;
} PlanOffer;

void plan_offer_init(PlanOffer *offer, const PlanProblem *problem); /* serves nobody */
void plan_offer_deinit(PlanOffer *offer);
/* Pods of one tier and class are interchangeable: the oldest of them get what the offer gives to any. */
void plan_offer_prefer_oldest(PlanOffer *offer, const PlanProblem *problem);
void plan_offer_sort(PlanOffer *offer); /* puts the slices in the order of their pods, as apply wants them */
/* The first of these slices of this waiting pod or a later one. */
size_t plan_offer_find(const PlanSlice *slices, size_t count, int waiting);
/* Serves more pods in the first tier in which the two differ. */
bool plan_offer_is_better(const PlanOffer *offer, const PlanOffer *than);
/* Nobody who waits is left out. */
bool plan_offer_serves_all(const PlanProblem *problem, const PlanOffer *offer);
void plan_offer_swap(PlanOffer *a, PlanOffer *b);
