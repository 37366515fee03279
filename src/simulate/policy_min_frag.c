/* SPDX-License-Identifier: Apache-2.0 */
/* Minimum fragmentation increment. A GPU is fragmented where it has as many slots free as a profile needs,
 * but not where the profile may be placed: each legal place of such a profile that is not all free counts
 * with the profile's size. The place is taken that raises this sum the least.
 *
 * The measure follows the description of the scheduler of this name by Zambianco, Fasol and Doriguzzi-Corin,
 * "An Online Fragmentation-Aware GPU Scheduler for Multi-Tenant MIG-based Clouds" (2025). */
#include "simulate/placer.h"

static int64_t fragmentation_of(const MigModel *model, uint32_t used) {
  int64_t sum = 0;
  int free = model->slot_count - __builtin_popcount(used);
  for (int p = 0; p < model->profile_count; p++) {
    const MigProfile *profile = &model->profiles[p];
    if (profile->kind != MIG_PLAIN || profile->size > free)
      continue;
    for (uint32_t starts = profile->starts; starts; starts &= starts - 1)
      if (mig_placement_mask(model, p, __builtin_ctz(starts)) & used)
        sum += profile->size;
  }
  return sum;
}

static int64_t count_increment(const MigLayout *layout, int profile, int start) {
  uint32_t after = layout->mask | mig_placement_mask(layout->model, profile, start);
  return fragmentation_of(layout->model, after) - fragmentation_of(layout->model, layout->mask);
}

static int64_t decide(void *state, SimulateWorld *world) {
  return simulate_placer_decide(world, count_increment);
}

const SimulatePolicy simulate_policy_min_frag = {
    .name = "min-frag", .title = "minimum fragmentation increment", .decide = decide};
