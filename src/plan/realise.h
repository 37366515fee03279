/* SPDX-License-Identifier: Apache-2.0 */
/* From "these pods on that host" to slices: which are taken as they are, which are created where, and which
 * have to go. */
#pragma once

#include "plan/offer.h"

typedef enum PlanMeans {
  PLAN_BY_EXISTING,   /* no slice may be created */
  PLAN_BY_GROWTH,     /* no slice may be withdrawn */
  PLAN_BY_WITHDRAWAL, /* free slices may go */
} PlanMeans;

typedef struct PlanRealiseQuestion {
  const PlanProblem *problem;
  int host;
  const int *asked; /* slices, by kind, by all pods that come to the host */
  PlanMeans means;
  bool is_thorough; /* looks for the way that withdraws the fewest; else for any */
} PlanRealiseQuestion;

/* Is there a place for all that is asked? `steps` as in PlanPackQuestion. `ret_kept`, by kind, says how many
 * free slices are used as they are; the packing has the others. */
bool plan_realise_pack(const PlanRealiseQuestion *question, int64_t *steps, int *ret_kept,
                       PlanPacking *ret_packing);
/* Hands out to the offer's pods of the host what `kept`, by kind, says of its free slices, then the packing's
 * new ones, and adds its slices and withdrawals to the offer. There is exactly as much as they ask. */
void plan_realise_take(const PlanProblem *problem, int host, int *kept, PlanPacking *packing,
                       PlanOffer *offer);
/* Makes the offer's slices and withdrawals afresh, from its hosts. Pods of a host for which there turns out
 * to be no place are not served any more. */
void plan_realise(const PlanProblem *problem, PlanMeans means, PlanOffer *offer);
