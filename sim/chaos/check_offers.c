/* SPDX-License-Identifier: Apache-2.0 */
/* What a reservation pod holds may be offered although it is gone: the scheduler counts it as taken. */
#include "sim/chaos/check.h"
#include "sim/cluster/check.h"

int chaos_check_offers(ChaosWorld *world, int node, Error *err) {
  int result = sim_check_node_offers(world->cluster, node, &world->machine, err);
  if (result == 0)
    chaos_world_end_lie(world, node);
  return chaos_world_is_excused(world, node) ? 0 : result;
}
