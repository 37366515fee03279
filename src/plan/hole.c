/* SPDX-License-Identifier: Apache-2.0 */
/* Why counting is exact. Placements are laminar: two of them nest or are disjoint. So free space is a forest
 * of regions, and a set of slices is placed largest first: each takes the least worthy hole that it fills
 * exactly, and once no remaining profile fills a hole exactly, the hole is broken into its children.
 *
 * That loses nothing: were a profile in a worthier hole Y while a less worthy one X is free of larger slices,
 * whatever sits inside X could move into Y, because X embeds in Y, and the profile into X. And because the
 * profiles form a chain, a smaller slice can always stand in for a larger one, so that the most slices are
 * reached by a prefix of the demand sorted by size. plan_geometry_init() checks these properties; tests
 * compare the result with exhaustive search. */
#include "plan/hole.h"

#include <assert.h>

/* A region whose slots are free is no hole where other rules forbid every profile that fills it. */
static bool may_be_filled(const PlanGeometry *geometry, const MigLayout *layout, const PlanRegion *region) {
  int start = __builtin_ctz(region->mask);
  for (uint32_t ranks = geometry->types[region->type].ranks; ranks; ranks &= ranks - 1) {
    int profile = mig_model_find_profile(layout->model, geometry->ranks[__builtin_ctz(ranks)].name);
    assert(profile >= 0);
    if (mig_layout_can_place(layout, profile, start))
      return true;
  }
  return false;
}

/* The regions are outermost first: a free one covers those inside it. */
static void find_holes(const PlanGeometry *geometry, uint32_t occupied, const MigLayout *layout,
                       PlanHoles *ret_holes) {
  uint32_t covered = occupied;
  *ret_holes = (PlanHoles){0};
  for (int i = 0; i < geometry->region_count; i++) {
    const PlanRegion *region = &geometry->regions[i];
    if (region->mask & covered || (layout && !may_be_filled(geometry, layout, region)))
      continue;
    ret_holes->count[region->type]++;
    covered |= region->mask;
  }
}

void plan_holes_of(const PlanGeometry *geometry, const MigLayout *layout, PlanHoles *ret_holes) {
  find_holes(geometry, layout->mask, layout, ret_holes);
}

void plan_holes_of_slots(const PlanGeometry *geometry, uint32_t occupied, PlanHoles *ret_holes) {
  find_holes(geometry, occupied, NULL, ret_holes);
}

void plan_holes_add(const PlanGeometry *geometry, PlanHoles *into, const PlanHoles *what, int sign) {
  for (int t = 0; t < geometry->type_count; t++) {
    into->count[t] += sign * what->count[t];
    assert(into->count[t] >= 0);
  }
}

/* Takes up to `need` holes that the rank fills exactly, least worthy first; returns how many were found. */
static int take_holes(const PlanGeometry *geometry, PlanHoles *holes, int rank, int need) {
  int taken = 0;
  for (int t = 0; t < geometry->type_count && taken < need; t++) {
    if (!(geometry->types[t].ranks >> rank & 1))
      continue;
    int take = holes->count[t] < need - taken ? holes->count[t] : need - taken;
    holes->count[t] -= take;
    taken += take;
  }
  return taken;
}

/* Breaks the holes that no profile below the rank fills exactly. */
static void break_holes(const PlanGeometry *geometry, PlanHoles *holes, int rank) {
  for (int t = geometry->type_count - 1; t > 0; t--) {
    if (__builtin_ctz(geometry->types[t].ranks) != rank || !holes->count[t])
      continue;
    for (int child = 0; child < t; child++)
      holes->count[child] += holes->count[t] * geometry->types[t].children[child];
    holes->count[t] = 0;
  }
}

bool plan_holes_fit(const PlanGeometry *geometry, const PlanHoles *holes, const PlanAmounts *slices) {
  PlanHoles left = *holes;
  for (int r = geometry->rank_count - 1; r >= 0; r--) {
    if (take_holes(geometry, &left, r, slices->count[r]) < slices->count[r])
      return false;
    break_holes(geometry, &left, r);
  }
  return true;
}

int plan_holes_spare(const PlanGeometry *geometry, const PlanHoles *holes, const PlanAmounts *slices,
                     int rank, int most) {
  PlanAmounts more = *slices;
  int fits = 0, above = most + 1; /* `fits` of the rank do, `above` do not */
  while (above - fits > 1) {
    int middle = fits + (above - fits) / 2;
    more.count[rank] = slices->count[rank] + middle;
    if (plan_holes_fit(geometry, holes, &more))
      fits = middle;
    else
      above = middle;
  }
  return fits;
}

int plan_holes_safe(const PlanGeometry *geometry, const PlanHoles *holes, int rank, int type) {
  PlanHoles left = *holes;
  for (int r = geometry->rank_count - 1; r > rank; r--)
    break_holes(geometry, &left, r);
  for (int t = 0; t < type; t++)
    if (geometry->types[t].ranks >> rank & 1 && left.count[t])
      return 0;
  return left.count[type];
}

int plan_holes_most(const PlanGeometry *geometry, const PlanHoles *holes, const PlanAmounts *wanted) {
  PlanAmounts taken = {0};
  int total = 0;
  for (int r = 0; r < geometry->rank_count; r++) {
    taken.count[r] = plan_holes_spare(geometry, holes, &taken, r, wanted->count[r]);
    total += taken.count[r];
  }
  return total;
}
