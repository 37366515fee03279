/* SPDX-License-Identifier: Apache-2.0 */
#include "simulate/placer.h"

static int64_t no_cost(const MigLayout *layout, int profile, int start) {
  return 0;
}

static int64_t decide(void *state, SimulateWorld *world) {
  return simulate_placer_decide(world, no_cost);
}

const SimulatePolicy simulate_policy_first_fit = {
    .name = "first-fit", .title = "first fit", .decide = decide};
