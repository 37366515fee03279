/* SPDX-License-Identifier: Apache-2.0 */
/* A GPU instance without a compute instance is of no use to anybody and blocks its slots. Whoever fails
 * half-way takes it back, in the same job; only where the driver refused even that, or nobody was left to do
 * it, it may be there. */
#include "sim/chaos/check.h"

int chaos_check_halves(ChaosWorld *world, int node, Error *err) {
  if (sim_driver_left_half(world->cluster->nodes[node].driver))
    return 0;
  for (int g = 0; g < world->machine.gpu_count; g++)
    for (int i = 0; i < world->machine.gpus[g].gi_count; i++)
      if (!world->machine.gpus[g].gis[i].ci_count)
        return error_set(err, ERROR_GPU,
                         "GPU %d of %s has a GPU instance at slot %d without a compute instance", g,
                         chaos_world_node_name(world, node), world->machine.gpus[g].gis[i].start);
  return 0;
}
