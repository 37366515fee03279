/* SPDX-License-Identifier: Apache-2.0 */
/* What a plan changes, as a value: tolls of GPUs add up to that of a plan, and the lower of two disturbs
 * less. In the order in which it matters:
 *
 *     free slices that go; new slices; changed GPUs; changed nodes; then
 *     places that are lost for the largest plain profile of the fleet, for the next one, ...
 *
 * A place is a start where the slots are free. Profiles of different models with one name count together;
 * more compute slices come first, then more memory. Of equal tolls the names decide, which do not add up and
 * are kept beside them. */
#pragma once

#include "plan/problem.h"

enum {
  PLAN_TOLL_WORDS = 6,
  PLAN_TOLL_DIGITS = 5, /* of a word, 12 bits each: differences below 2,048 */
  PLAN_TOLL_CHANGES_MAX = 128,
};

typedef struct PlanToll {
  uint64_t changes;              /* four counts of 16 bits, the one that matters most above the others */
  int64_t lost[PLAN_TOLL_WORDS]; /* places; below 0: there are more than before */
} PlanToll;

typedef struct PlanTollScale {
  const PlanProblem *problem;
  int words;                       /* in use */
  ARRAY(const MigProfile *) holes; /* plain profiles, the largest first */
  int8_t *hole_of_profile;         /* by model, by profile; -1: places for it do not count */
} PlanTollScale;

/* False where the fleet has too many profiles to be weighed. */
bool plan_toll_scale_init(PlanTollScale *scale, const PlanProblem *problem);
void plan_toll_scale_deinit(PlanTollScale *scale);
/* Adds the places that the GPU has beside the occupied slots, `sign` times. */
void plan_toll_add_places(const PlanTollScale *scale, int gpu, uint32_t occupied, int sign, PlanToll *toll);

static inline uint64_t plan_toll_changes(int withdrawn, int created, int gpus, int hosts) {
  return (uint64_t)withdrawn << 48 | (uint64_t)created << 32 | (uint64_t)gpus << 16 | (uint64_t)hosts;
}

static inline int plan_toll_gpus(const PlanToll *toll) {
  return (int)(toll->changes >> 16 & UINT16_MAX);
}

static inline void plan_toll_add(PlanToll *toll, const PlanToll *more, int words) {
  toll->changes += more->changes;
  for (int i = 0; i < words; i++)
    toll->lost[i] += more->lost[i];
}

/* Below 0: `a` disturbs less. */
static inline int plan_toll_compare(const PlanToll *a, const PlanToll *b, int words) {
  if (a->changes != b->changes)
    return a->changes < b->changes ? -1 : 1;
  for (int i = 0; i < words; i++)
    if (a->lost[i] != b->lost[i])
      return a->lost[i] < b->lost[i] ? -1 : 1;
  return 0;
}
