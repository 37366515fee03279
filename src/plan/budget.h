/* SPDX-License-Identifier: Apache-2.0 */
/* How much work a plan may cost. Steps are counted, so that the same snapshot gives the same plan; a deadline
 * is somebody else's clock, asked now and then, because the planner has none. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Somebody's clock: begun when a plan begins, asked now and then whether its time is over. */
typedef struct PlanClock {
  void (*begin)(void *userdata);
  bool (*is_late)(void *userdata);
  void *userdata;
} PlanClock;

typedef struct PlanBudget {
  int64_t steps;          /* left: about a place that is looked at each */
  const PlanClock *clock; /* NULL: only steps count */
  int64_t next_look;      /* at how many steps the deadline is asked again */
  bool exhausted;         /* it was used up: somebody stopped early */
} PlanBudget;

enum { PLAN_BUDGET_LOOK_STEPS = 20000 }; /* some milliseconds */

/* Takes steps; false where none are left. */
static inline bool plan_budget_take(PlanBudget *budget, int64_t steps) {
  if (budget->exhausted)
    return false;
  budget->steps -= steps;
  if (budget->clock && budget->steps < budget->next_look) {
    budget->next_look = budget->steps - PLAN_BUDGET_LOOK_STEPS;
    budget->exhausted = budget->clock->is_late(budget->clock->userdata);
  }
  budget->exhausted |= budget->steps <= 0;
  return !budget->exhausted;
}
