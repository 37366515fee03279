/* SPDX-License-Identifier: Apache-2.0 */
/* A GPU instance without a compute instance is of no use to anybody and blocks its slots. Whoever fails
 * half-way takes it back, in the same job. Where the driver refused even that, or the worker died before, it
 * is there until the agent has found it, or tries again; at rest it has. */
#include "sim/chaos/check.h"

static int check_machine(const ChaosWorld *world, const SimState *machine, int node, Error *err) {
  for (int g = 0; g < machine->gpu_count; g++)
    for (int i = 0; i < machine->gpus[g].gi_count; i++)
      if (!machine->gpus[g].gis[i].ci_count)
        return error_set(err, ERROR_GPU,
                         "GPU %d of %s has a GPU instance at slot %d without a compute instance", g,
                         chaos_world_node_name(world, node), machine->gpus[g].gis[i].start);
  return 0;
}

int chaos_check_halves(ChaosWorld *world, int node, Error *err) {
  return sim_driver_left_half(world->cluster->nodes[node].driver)
             ? 0
             : check_machine(world, &world->machine, node, err);
}

int chaos_check_left_halves(ChaosWorld *world, int node, Error *err) {
  int result = 0;
  for (int i = 0; i < world->cluster->node_count && result == 0; i++) {
    result = sim_driver_load(world->cluster->nodes[i].driver, &world->machine, err);
    if (result == 0)
      result = check_machine(world, &world->machine, i, err);
  }
  return result;
}
