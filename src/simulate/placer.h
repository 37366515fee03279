/* SPDX-License-Identifier: Apache-2.0 */
/* What the policies share that make a slice for each job and unmake it behind it: the oldest job first, who
 * does not fit is passed by. They differ in what a place costs. */
#pragma once

#include "simulate/policy.h"

/* What it costs to place the profile at the start, which the layout allows: the least is taken, of equal
 * places the first by node, GPU, start. */
typedef int64_t SimulateCost(const MigLayout *layout, int profile, int start);

int64_t simulate_placer_decide(SimulateWorld *world, SimulateCost *cost);
