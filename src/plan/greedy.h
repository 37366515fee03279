/* SPDX-License-Identifier: Apache-2.0 */
/* One pod after the other, each where it destroys the least: first on slices that exist, then where the
 * fewest have to go, then where the least worth is lost, then where few GPUs and nodes are changed that this
 * plan left alone so far. */
#pragma once

#include "plan/draft.h"

/* As loss_min. */
#define PLAN_ONLY_EXISTING UINT64_MAX       /* no slice may be created */
#define PLAN_RECUT         (UINT64_MAX - 1) /* free slices may be withdrawn, and any worth lost */

typedef struct PlanQuotes PlanQuotes;

enum { PLAN_RANKED_HOSTS_MIN = 200 };

typedef struct PlanGreedy {
  PlanDraft *draft;
  size_t ranked_hosts_min;      /* with fewer hosts all are looked at for each pod; the answer is the same */
  PlanQuotes *quotes;           /* remembered answers of the hosts, for a few sets of slices at a time */
  struct PlanRanking *rankings; /* and their order, for a few classes at a time */
  uint32_t askings;             /* how often the memories were used for something new */
  uint64_t *refusals;           /* by class, bit per host: the scheduler refused, and will again */
  uint8_t *exhausted;           /* by class: what no host can serve any more */
  int *exhausted_after; /* by class: how many pods were served then; coupled classes may hope again later */
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
/* The same for the waiting pods from first to end; loss_min is 0 or PLAN_RECUT. */
void plan_greedy_serve_range(PlanGreedy *greedy, size_t first, size_t end, uint64_t loss_min);
/* Could the host, as the snapshot has it now, serve a pod of the class, be it by withdrawing free slices? */
bool plan_greedy_could_serve(const PlanProblem *problem, const PlanClass *class_, int host);
