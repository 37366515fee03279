/* SPDX-License-Identifier: Apache-2.0 */
/* What is free on a GPU, in the two measures of MIGBench: how scattered it is, and how much of it nothing can
 * use. Both look at compute slots: a slice covers as many as it has compute slices, from where it starts.
 *
 *     H100   3g.40gb@0   1g.10gb@4 1g.10gb@6     compute slots  0  1  2  3  4  5  6
 *                                                               #  #  #  .  #  .  #
 *     two are free, the longest run is one: half of what is free is scattered; slot 3 has no memory, so only
 *     slot 5 can be used: half of it is stranded
 *
 * Slices that nobody uses count as free. */
#pragma once

#include "simulate/fleet.h"

typedef struct SimulateGaps { /* shares of what is free; 0 where nothing is */
  double scattered, stranded;
} SimulateGaps;

/* Remembers the answers, by model. */
typedef struct SimulateGapsMemo {
  int8_t *packs[SIMULATE_MODELS_MAX];
} SimulateGapsMemo;

void simulate_gaps_memo_deinit(SimulateGapsMemo *memo);
void simulate_gaps_measure(SimulateGapsMemo *memo, const SimulateGpu *gpu, SimulateGaps *ret_gaps);
