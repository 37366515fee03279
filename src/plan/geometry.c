/* SPDX-License-Identifier: Apache-2.0 */
/* From placements to ranks, regions and hole types. Regions are the slots of placements, each once. They are
 * collected in the order of their worth, so the parts of a region come before it and types can be named
 * bottom up; at the end the list is turned round, because those who look for holes want the largest first. */
#include "plan/geometry.h"

#include <assert.h>
#include <string.h>

typedef struct Builder {
  PlanGeometry *geometry;
  uint64_t worths[PLAN_REGIONS_MAX]; /* of the regions */
} Builder;

static uint32_t rank_mask(const PlanRank *rank, int start) {
  return (uint32_t)(((UINT64_C(1) << rank->size) - 1) << start);
}

/* Smaller first; of one size, the one with more places first, then fewer compute slices. */
static bool comes_before(const MigProfile *a, const MigProfile *b) {
  int places_a = __builtin_popcount(a->starts), places_b = __builtin_popcount(b->starts);
  if (a->size != b->size)
    return a->size < b->size;
  return places_a != places_b ? places_a > places_b : a->slice_count < b->slice_count;
}

static bool collect_ranks(PlanGeometry *geometry, const MigModel *model, uint32_t allowed) {
  const MigProfile *order[PLAN_RANKS_MAX];
  assert(geometry->rank_count == 0);
  for (int i = 0; i < model->profile_count; i++) {
    const MigProfile *profile = &model->profiles[i];
    if (profile->kind != MIG_PLAIN || !profile->starts || !(allowed >> i & 1))
      continue;
    if (geometry->rank_count == PLAN_RANKS_MAX)
      return false;
    int place = geometry->rank_count++;
    for (; place > 0 && comes_before(profile, order[place - 1]); place--)
      order[place] = order[place - 1];
    order[place] = profile;
  }
  for (int r = 0; r < geometry->rank_count; r++) {
    PlanRank *rank = &geometry->ranks[r];
    memcpy(rank->name, order[r]->name, strnlen(order[r]->name, sizeof rank->name - 1));
    rank->size = order[r]->size;
    rank->starts = order[r]->starts;
  }
  return geometry->rank_count > 0;
}

static bool has_place_inside(const PlanRank *rank, uint32_t mask) {
  for (uint32_t starts = rank->starts; starts; starts &= starts - 1)
    if (!(rank_mask(rank, __builtin_ctz(starts)) & ~mask))
      return true;
  return false;
}

bool plan_geometry_has_place(const PlanGeometry *geometry, int rank, uint32_t free_slots) {
  return has_place_inside(&geometry->ranks[rank], free_slots);
}

static bool is_chain(const PlanGeometry *geometry) {
  for (int r = 1; r < geometry->rank_count; r++)
    for (uint32_t starts = geometry->ranks[r].starts; starts; starts &= starts - 1)
      if (!has_place_inside(&geometry->ranks[r - 1], rank_mask(&geometry->ranks[r], __builtin_ctz(starts))))
        return false;
  return true;
}

uint64_t plan_geometry_worth(const PlanGeometry *geometry, uint32_t free_slots) {
  uint64_t worth = 0;
  for (int r = 0; r < geometry->rank_count; r++) {
    const PlanRank *rank = &geometry->ranks[r];
    for (uint32_t starts = rank->starts; starts; starts &= starts - 1)
      if (!(rank_mask(rank, __builtin_ctz(starts)) & ~free_slots))
        worth += UINT64_C(1) << 6 * r;
  }
  return worth;
}

/* Regions in the order of their worth, least first: the parts of a region come before it. */
static bool add_region(Builder *builder, uint32_t mask) {
  PlanGeometry *geometry = builder->geometry;
  for (int i = 0; i < geometry->region_count; i++)
    if (geometry->regions[i].mask == mask)
      return true;
  if (geometry->region_count == PLAN_REGIONS_MAX)
    return false;
  uint64_t worth = plan_geometry_worth(geometry, mask);
  int place = geometry->region_count++;
  for (; place > 0 && worth < builder->worths[place - 1]; place--) {
    geometry->regions[place] = geometry->regions[place - 1];
    builder->worths[place] = builder->worths[place - 1];
  }
  geometry->regions[place].mask = mask;
  builder->worths[place] = worth;
  return true;
}

static bool collect_regions(Builder *builder) {
  for (int r = 0; r < builder->geometry->rank_count; r++) {
    const PlanRank *rank = &builder->geometry->ranks[r];
    for (uint32_t starts = rank->starts; starts; starts &= starts - 1)
      if (!add_region(builder, rank_mask(rank, __builtin_ctz(starts))))
        return false;
  }
  return true;
}

static bool is_laminar(const PlanGeometry *geometry) {
  for (int i = 0; i < geometry->region_count; i++)
    for (int j = 0; j < i; j++) {
      uint32_t a = geometry->regions[i].mask, b = geometry->regions[j].mask;
      if (a & b && a & ~b && b & ~a)
        return false;
    }
  return true;
}

static uint32_t exact_ranks(const PlanGeometry *geometry, uint32_t mask) {
  uint32_t ranks = 0;
  for (int r = 0; r < geometry->rank_count; r++) {
    int start = __builtin_ctz(mask);
    if (geometry->ranks[r].starts >> start & 1 && rank_mask(&geometry->ranks[r], start) == mask)
      ranks |= UINT32_C(1) << r;
  }
  return ranks;
}

/* The type of region i. Its parts come before it; the largest of them, taken from the right, are its
 * children. */
static PlanHoleType region_type(const PlanGeometry *geometry, int i) {
  PlanHoleType type = {.ranks = exact_ranks(geometry, geometry->regions[i].mask)};
  uint32_t covered = 0;
  for (int j = i - 1; j >= 0; j--) {
    const PlanRegion *part = &geometry->regions[j];
    if (part->mask & ~geometry->regions[i].mask || part->mask & covered)
      continue;
    type.children[part->type]++;
    covered |= part->mask;
  }
  return type;
}

static bool assign_types(PlanGeometry *geometry) {
  for (int i = 0; i < geometry->region_count; i++) {
    PlanHoleType type = region_type(geometry, i);
    int t = 0;
    while (t < geometry->type_count && memcmp(&geometry->types[t], &type, sizeof type) != 0)
      t++;
    if (t == PLAN_HOLE_TYPES_MAX)
      return false;
    if (t == geometry->type_count)
      geometry->types[geometry->type_count++] = type;
    geometry->regions[i].type = (uint8_t)t;
  }
  return true;
}

static bool parts_embed(const PlanGeometry *geometry, int a, int b);

/* Whatever can be placed in a hole of type a can be placed in one of type b. */
static bool embeds(const PlanGeometry *geometry, int a, int b) {
  if (a == b)
    return true;
  const PlanHoleType *into = &geometry->types[b];
  if (!(geometry->types[a].ranks & ~into->ranks) && parts_embed(geometry, a, b))
    return true;
  for (int child = 0; child < geometry->type_count; child++)
    if (into->children[child] && embeds(geometry, a, child))
      return true;
  return false;
}

/* Each part of a goes, worthiest first, to the least worthy part of b that is left and holds it. */
static bool parts_embed(const PlanGeometry *geometry, int a, int b) {
  uint8_t left[PLAN_HOLE_TYPES_MAX];
  memcpy(left, geometry->types[b].children, sizeof left);
  for (int part = geometry->type_count - 1; part >= 0; part--)
    for (int i = 0; i < geometry->types[a].children[part]; i++) {
      int home = 0;
      while (home < geometry->type_count && !(left[home] && embeds(geometry, part, home)))
        home++;
      if (home == geometry->type_count)
        return false;
      left[home]--;
    }
  return true;
}

/* The holes that one profile fills exactly are ordered: each embeds, itself aside, in the next worthier one.
 */
static bool is_ordered(const PlanGeometry *geometry) {
  for (int b = 0; b < geometry->type_count; b++)
    for (int a = 0; a < b; a++)
      if (geometry->types[a].ranks & geometry->types[b].ranks && !parts_embed(geometry, a, b))
        return false;
  return true;
}

static void reverse_regions(PlanGeometry *geometry) {
  for (int i = 0, j = geometry->region_count - 1; i < j; i++, j--) {
    PlanRegion region = geometry->regions[i];
    geometry->regions[i] = geometry->regions[j];
    geometry->regions[j] = region;
  }
}

bool plan_geometry_init(PlanGeometry *geometry, const MigModel *model, uint32_t allowed) {
  memset(geometry, 0, sizeof *geometry);
  geometry->slot_count = model->slot_count;
  Builder builder = {.geometry = geometry};
  bool exact = collect_ranks(geometry, model, allowed) && is_chain(geometry) && collect_regions(&builder) &&
               is_laminar(geometry) && assign_types(geometry) && is_ordered(geometry);
  reverse_regions(geometry);
  return exact;
}

int plan_geometry_find_rank(const PlanGeometry *geometry, const char *name) {
  for (int r = 0; r < geometry->rank_count; r++)
    if (strcmp(geometry->ranks[r].name, name) == 0)
      return r;
  return -1;
}

static bool always_holds(const PlanRank *rank, const MigModel *model, int profile) {
  for (uint32_t starts = model->profiles[profile].starts; starts; starts &= starts - 1)
    if (!has_place_inside(rank, mig_placement_mask(model, profile, __builtin_ctz(starts))))
      return false;
  return true;
}

int plan_geometry_floor_rank(const PlanGeometry *geometry, const MigModel *model, int profile) {
  int rank = geometry->rank_count - 1;
  while (rank >= 0 && !always_holds(&geometry->ranks[rank], model, profile))
    rank--;
  return rank;
}
