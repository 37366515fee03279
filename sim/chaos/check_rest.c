/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/chaos/check.h"
#include "sim/cluster/check.h"

int chaos_check_rest(ChaosWorld *world, int node, Error *err) {
  return sim_check_rest(world->cluster, err);
}
