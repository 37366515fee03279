/* SPDX-License-Identifier: Apache-2.0 */
/* The place for one slice that is nearest to being free, and what is in the way there, in words. */
#pragma once

#include "base/text.h"
#include "plan/problem.h"

typedef struct PlanNearest {
  int gpu, start; /* gpu -1: none */
  int profile;
  int in_the_way; /* slices that have to stay */
  int used;       /* of these, by pods */
  int gpu_count;  /* that could have the profile at all */
} PlanNearest;

/* The place where the fewest slices have to stay, of those on open hosts (`open` is by host). Free slices
 * that may be withdrawn are not in the way. */
void plan_nearest_find(const PlanProblem *problem, int kind, const bool *open, PlanNearest *ret_nearest);
/* Appends the sentence. */
void plan_nearest_format(const PlanProblem *problem, const PlanNearest *nearest, Text *text);
