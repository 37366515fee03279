/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/chaos/check.h"

int chaos_check_layouts(ChaosWorld *world, int node, Error *err) {
  SimState state;
  int result = sim_driver_load(world->cluster->nodes[node].driver, &state, err);
  if (result == 0)
    result = sim_state_check(&state, err);
  return result < 0 ? error_prefix(err, "the GPUs of %s", chaos_world_node_name(world, node)) : 0;
}
