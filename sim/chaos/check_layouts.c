/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/chaos/check.h"

int chaos_check_layouts(ChaosWorld *world, int node, Error *err) {
  int result = sim_state_check(&world->machine, err);
  return result < 0 ? error_prefix(err, "the GPUs of %s", chaos_world_node_name(world, node)) : 0;
}
