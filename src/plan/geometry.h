/* SPDX-License-Identifier: Apache-2.0 */
/* The shape of a GPU model's free space: what its plain profiles' placements say about which holes there are.
 *
 * A hole is a free stretch of slots where some plain profile fits exactly. Holes of one type are alike: the
 * same profiles fill them, and they break into the same smaller holes. On an A100, whose profiles are by rank
 * 1g, 1g double, 2g, 3g, 4g, 7g:
 *
 *     E whole GPU  {7g}     -> L + U          A pair 0-1, 2-3, 4-5  {2g, 1g double}  -> 2 S
 *     L lower half {4g, 3g} -> A + A          B pair 6-7            {1g double}      -> S
 *     U upper half {3g}     -> A + B          S single 0..6         {1g}             -> nothing
 *
 * Types are numbered by worth, least first: S B A U L E. Nothing here knows a model: ranks and types come
 * from its placements, and a model without the properties that counting needs (hole.h) is refused. */
#pragma once

#include "mig/layout.h"

enum { PLAN_RANKS_MAX = 10, PLAN_HOLE_TYPES_MAX = 16, PLAN_REGIONS_MAX = 64 };

typedef struct PlanRank {
  char name[MIG_PROFILE_NAME_SIZE];
  uint8_t size;
  uint32_t starts;
} PlanRank;

typedef struct PlanHoleType {
  uint32_t ranks;                        /* bit r: the profile of rank r fills this hole exactly */
  uint8_t children[PLAN_HOLE_TYPES_MAX]; /* how many holes of each type it breaks into */
} PlanHoleType;

typedef struct PlanRegion {
  uint32_t mask;
  uint8_t type;
} PlanRegion;

typedef struct PlanGeometry { /* zeroed before it is filled, so that equal geometries are equal bytes */
  uint8_t slot_count;
  int rank_count, type_count, region_count;
  PlanRank ranks[PLAN_RANKS_MAX];          /* smallest profile first */
  PlanHoleType types[PLAN_HOLE_TYPES_MAX]; /* least worth first */
  PlanRegion regions[PLAN_REGIONS_MAX];    /* outermost first */
} PlanGeometry;

/* The geometry of the model's plain profiles among `allowed` (bit per profile). False where counting would
 * not be exact: placements that overlap without nesting, profiles that do not form a chain (wherever a larger
 * one sits, every smaller one has a place inside), or holes for one profile that cannot be ordered by worth.
 */
bool plan_geometry_init(PlanGeometry *geometry, const MigModel *model, uint32_t allowed);
/* The rank of a profile name, or -1. */
int plan_geometry_find_rank(const PlanGeometry *geometry, const char *name);
/* The highest rank that has a place inside every placement of the profile, -1 where none has: what a slice of
 * a profile without a rank (+me, +gfx) takes at least. */
int plan_geometry_floor_rank(const PlanGeometry *geometry, const MigModel *model, int profile);

/* Is there a place for the rank in these slots? */
bool plan_geometry_has_place(const PlanGeometry *geometry, int rank, uint32_t free_slots);
/* What free slots are worth: how many slices of each rank have a place in them, six bits each, the largest
 * profile the most significant. The best place for a slice is where the least worth is lost. */
uint64_t plan_geometry_worth(const PlanGeometry *geometry, uint32_t free_slots);
