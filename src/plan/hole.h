/* SPDX-License-Identifier: Apache-2.0 */
/* Counting instead of searching: on GPUs of exact geometry a handful of numbers, how many holes there are of
 * each type, decides whether a set of slices fits, and how many do at most. */
#pragma once

#include "plan/geometry.h"

typedef struct PlanHoles {
  int count[PLAN_HOLE_TYPES_MAX];
} PlanHoles;

typedef struct PlanAmounts { /* of slices, by rank */
  int count[PLAN_RANKS_MAX];
} PlanAmounts;

/* The free holes of one GPU, as large as possible, for plain profiles: where other rules forbid them, there
 * is no hole. The layout's model has the geometry. */
void plan_holes_of(const PlanGeometry *geometry, const MigLayout *layout, PlanHoles *ret_holes);
/* The same for slices of any kind, by the occupied slots alone. */
void plan_holes_of_slots(const PlanGeometry *geometry, uint32_t occupied, PlanHoles *ret_holes);
/* into += sign * what */
void plan_holes_add(const PlanGeometry *geometry, PlanHoles *into, const PlanHoles *what, int sign);
/* Can all these slices be placed in these holes? Exact, up to instance limits and media engines. */
bool plan_holes_fit(const PlanGeometry *geometry, const PlanHoles *holes, const PlanAmounts *slices);
/* How many more slices of the rank can be placed beside these, `most` at most. */
int plan_holes_spare(const PlanGeometry *geometry, const PlanHoles *holes, const PlanAmounts *slices,
                     int rank, int most);
/* All larger slices are placed: how many of this rank may go to holes of this type without keeping any
 * smaller one out? Those in the least worthy holes that there are for them; 0 where that must be tried. */
int plan_holes_safe(const PlanGeometry *geometry, const PlanHoles *holes, int rank, int type);
/* The most slices that can be placed, of at most `wanted` each. */
int plan_holes_most(const PlanGeometry *geometry, const PlanHoles *holes, const PlanAmounts *wanted);
