/* SPDX-License-Identifier: Apache-2.0 */
/* What `facet mig apply` is asked for, as text, and the layout of each GPU that it means.
 *
 *     0: 3g.40gb@4,2g.20gb@0; 1-3: 7x1g.10gb; GPU-5fd1…: ; all: …
 *
 * Entries are parted by ';' or a line's end; '#' begins a comment. An entry names GPUs by index, range of
 * indexes, UUID or "all" (whose MIG mode is on), and lists slices: with "@slot" exactly there, without it
 * wherever all of them fit. An empty list means no slices. GPUs that are not named stay as they are. `facet
 * mig save` writes this form. Pure. */
#pragma once

#include "gpu/driver.h"
#include "mig/layout.h"

typedef struct MigWishSlice {
  char profile[MIG_PROFILE_NAME_SIZE];
  int start; /* -1: anywhere */
} MigWishSlice;

typedef struct MigWishGpu {
  bool named; /* false: stays as it is */
  MigWishSlice slices[MIG_INSTANCES_MAX];
  int count;
} MigWishGpu;

typedef struct MigWish {
  MigWishGpu gpus[GPU_COUNT_MAX]; /* by place in the observation */
} MigWish;

/* Errors name the entry: garbage, a GPU that does not exist or is named twice, more than 32 slices. */
int cli_mig_wish_parse(const char *text, const GpuObservation *observation, MigWish *ret_wish,
                       Error *err) MUST_CHECK;

/* The layout that the wish means for this GPU: legal, with every instance of `fixed_starts` (bit k: the one
 * that starts at slot k now) kept, and among such layouts one that keeps the most instances of today. Errors
 * say which slice is in the way or does not fit. */
int cli_mig_wish_bind(const MigWishGpu *wish, const GpuObserved *gpu, uint32_t fixed_starts,
                      MigLayout *ret_layout, Error *err) MUST_CHECK;
