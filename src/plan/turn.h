/* SPDX-License-Identifier: Apache-2.0 */
/* Whoever has waited long comes first, and of those the oldest one after the other.
 *
 * Under load nearly all who wait have waited long, and to serve as many of them as possible means the small
 * ones again. So the oldest have turns, one for eight GPUs: each is a tier of its own, and gets the next room
 * that is large enough, however many smaller pods that room would serve. Turns are for pods that could be
 * served some day: a node with all that they ask admits them. No place is kept empty for them until then. On
 * clusters that are too large for the search (plan/search.h) there are none: plans that follow events know no
 * turns. */
#pragma once

#include "plan/problem.h"

enum {
  PLAN_TURNS_MAX = 16,     /* of one plan */
  PLAN_TURN_GPUS_EACH = 8, /* one turn, and another for each of so many GPUs */
};

/* The waiting pods are in the order of service; those with a turn get tiers of their own. */
void plan_turns_give(PlanProblem *problem);
