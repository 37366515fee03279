/* SPDX-License-Identifier: Apache-2.0 */
/* One pod after the other, each where it destroys the least: first on slices that exist, then where the least
 * worth is lost, then where few GPUs and nodes are changed that this plan left alone so far. */
#pragma once

#include "plan/draft.h"

#define PLAN_ONLY_EXISTING UINT64_MAX /* as loss_min: no slice may be created */

typedef struct PlanQuotes PlanQuotes;

typedef struct PlanGreedy {
  PlanDraft *draft;
  PlanQuotes *quotes;   /* remembered answers of the hosts, for a few sets of slices at a time */
  uint64_t *refusals;   /* by class, bit per host: the scheduler refused, and will again */
  uint8_t *exhausted;   /* by class: what no host can serve any more */
  size_t refusal_words; /* of one class */
} PlanGreedy;

void plan_greedy_init(PlanGreedy *greedy, PlanDraft *draft);
void plan_greedy_deinit(PlanGreedy *greedy);
/* Forgets what was remembered: to be called where the draft reserves less than before. */
void plan_greedy_forget(PlanGreedy *greedy);

/* Serves the pod in the best place that loses at least so much worth; false where there is none. */
bool plan_greedy_serve(PlanGreedy *greedy, int waiting, uint64_t loss_min);
/* Serves, in order, every pod that is not served yet and can be. */
void plan_greedy_serve_rest(PlanGreedy *greedy);
/* Could the host, as the snapshot has it now, serve a pod of the class? */
bool plan_greedy_could_serve(const PlanProblem *problem, const PlanClass *class_, int host);
