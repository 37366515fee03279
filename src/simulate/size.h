/* SPDX-License-Identifier: Apache-2.0 */
/* The fewest GPUs that hold a given mix all at once, each slice on whichever GPU. Whether so many GPUs are
 * enough is asked of facet's planner, on empty ones; that fewer are not, is proven by its bound. */
#pragma once

#include "simulate/load.h"

enum {
  SIMULATE_SIZE_MODELS_MAX = 3,
  SIMULATE_SIZE_SLICES_MAX = 100000, /* of the mix, for one model */
  SIMULATE_SIZE_MIXED_MAX = 2000,    /* of the mix, for several: all their numbers are tried */
  SIMULATE_SIZE_CHOICES_MAX = 4096,
};

typedef struct SimulateDemand {
  char profiles[SIMULATE_KINDS_MAX][MIG_PROFILE_NAME_SIZE];
  int counts[SIMULATE_KINDS_MAX];
  int count;
} SimulateDemand;

typedef struct SimulateChoice { /* so many GPUs of each model are enough, and of none could be one less */
  int counts[SIMULATE_SIZE_MODELS_MAX];
  int total;
} SimulateChoice;

typedef struct SimulateSize {
  SimulateChoice best;           /* the fewest in all; of equals the most of the models named first */
  ARRAY(SimulateChoice) choices; /* by the number of the first model, ascending */
  bool proven;                   /* with one GPU less the planner's bound is below the mix, however shared */
  int slice_count, slot_count;   /* of the mix; slots on the first model that has the profile */
} SimulateSize;

/* Errors name a profile that no model has, and limits. */
int simulate_size_find(const SimulateDemand *demand, const MigModelRow *const *models, int model_count,
                       SimulateSize *ret_size, Error *err) MUST_CHECK;
void simulate_size_deinit(SimulateSize *size);
