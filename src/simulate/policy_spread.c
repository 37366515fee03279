/* SPDX-License-Identifier: Apache-2.0 */
#include "simulate/placer.h"

static int64_t count_used(const MigLayout *layout, int profile, int start) {
  return __builtin_popcount(layout->mask);
}

static int64_t decide(void *state, SimulateWorld *world) {
  return simulate_placer_decide(world, count_used);
}

const SimulatePolicy simulate_policy_spread = {.name = "spread", .title = "spread", .decide = decide};
