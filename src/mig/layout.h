/* SPDX-License-Identifier: Apache-2.0 */
/* A layout: the placed instances of one GPU, as bits.
 *
 *     slots  0   1   2   3   4   5   6   7          (A100: eight memory slots)
 *          [ 3g.40gb       ][ 2g.20gb ][1g][  ]     mask 0b01111111
 *
 * Whether a profile fits at a start is one AND of masks, plus the profile's instance limit and the media
 * rule. Layouts change only through place and remove, each of which ends in the invariant checker. */
#pragma once

#include "mig/model.h"

enum { MIG_INSTANCES_MAX = 32 };

typedef struct MigInstance {
  uint8_t profile; /* index in the model's profiles */
  uint8_t start;
} MigInstance;

typedef struct MigLayout {
  const MigModel *model; /* borrowed; must outlive the layout */
  uint32_t mask;         /* occupied slots */
  uint8_t count;
  MigInstance instances[MIG_INSTANCES_MAX]; /* by start */
} MigLayout;

/* The mask of one placement. */
uint32_t mig_placement_mask(const MigModel *model, int profile, int start);

void mig_layout_init(MigLayout *layout, const MigModel *model);
bool mig_layout_equal(const MigLayout *a, const MigLayout *b); /* same instances at the same places */
int mig_layout_count(const MigLayout *layout, int profile);
/* The instance that starts at this slot, or NULL. */
const MigInstance *mig_layout_find(const MigLayout *layout, int start);
/* Legal start, free slots, instance limit, media engines (mig_layout_why_not says which rule forbids). */
bool mig_layout_can_place(const MigLayout *layout, int profile, int start);
/* 0 where it can be placed, else a sentence that names the rule and the instance in the way. */
int mig_layout_why_not(const MigLayout *layout, int profile, int start, Error *err) MUST_CHECK;
/* The starts of the instances that must go before the profile can be placed there: those that overlap it, and
 * those that need the same media engines. Its instance limit is not looked at. The start is a legal one. */
uint32_t mig_layout_obstacles(const MigLayout *layout, int profile, int start);
/* All starts where the profile can go now, as bits. */
uint32_t mig_layout_free_starts(const MigLayout *layout, int profile);
/* Asserted to be possible. */
void mig_layout_place(MigLayout *layout, int profile, int start);
void mig_layout_remove(MigLayout *layout, int start);
/* Where the driver itself would create the profile now (its order of preference), or -1. */
int mig_layout_auto_start(const MigLayout *layout, int profile);
/* The invariants: instances sorted and disjoint, legal starts, mask is their sum, limits and media rule kept.
 */
int mig_layout_check(const MigLayout *layout, Error *err) MUST_CHECK;

/* Calls visit for every legal layout of the model, the empty one first, each exactly once. */
void mig_layout_enumerate(const MigModel *model, void (*visit)(const MigLayout *layout, void *userdata),
                          void *userdata);
/* True where no profile can be placed any more. */
bool mig_layout_is_maximal(const MigLayout *layout);
