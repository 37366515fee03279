/* SPDX-License-Identifier: Apache-2.0 */
/* What a reservation pod holds may be offered although it is gone: the scheduler counts it as taken. */
#include "sim/chaos/check.h"
#include "sim/cluster/check.h"

int chaos_check_offers(ChaosWorld *world, int node, Error *err) {
  if (world->cluster->host.now_ms < world->nodes[node].lies_until_ms)
    return 0;
  return sim_check_node_offers(world->cluster, node, &world->machine, err);
}
