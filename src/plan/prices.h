/* SPDX-License-Identifier: Apache-2.0 */
/* What things are worth where they are scarce, and the bound that follows.
 *
 * The linear program behind a plan - how many pods of each class on each host, within its cpu, memory, ...,
 * and within what its GPUs can be cut into - has a dual: a price for each resource and each kind of slice on
 * each host. Whatever the prices, no plan serves more pods than the hosts' goods are worth together, plus
 * what the pods gain that pay less than one for all they ask. Good prices are found step by step, by raising
 * what is asked too much of and lowering the rest; they need not be the best for the bound to be true. */
#pragma once

#include "plan/budget.h"
#include "plan/problem.h"

typedef struct PlanPrices {
  double *costs; /* by class, by host: what one pod has to pay there; NULL: not known */
  double *worth; /* by host: of all that it has; NULL: not known */
  double bound;  /* no plan serves more pods, whatever their tiers, withdrawals included */
} PlanPrices;

/* `served`: pods that some plan serves, for the size of the steps; it changes no truth. */
void plan_prices_init(PlanPrices *prices, const PlanProblem *problem, int served, PlanBudget *budget);
void plan_prices_deinit(PlanPrices *prices);
double plan_prices_cost(const PlanPrices *prices, const PlanProblem *problem, int class_, int host);
