/* SPDX-License-Identifier: Apache-2.0 */
#include "simulate/placer.h"

static int64_t count_left(const MigLayout *layout, int profile, int start) {
  uint32_t mask = layout->mask | mig_placement_mask(layout->model, profile, start);
  return layout->model->slot_count - __builtin_popcount(mask);
}

static int64_t decide(void *state, SimulateWorld *world) {
  return simulate_placer_decide(world, count_left);
}

const SimulatePolicy simulate_policy_best_fit = {.name = "best-fit", .title = "best fit", .decide = decide};
