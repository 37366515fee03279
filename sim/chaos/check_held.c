/* SPDX-License-Identifier: Apache-2.0 */
/* A pod has a slice from the moment at which the plugin answered for it until its container has ended. A
 * slice is remembered when it is first seen so, to tell one that was taken away from one that never was. What
 * other people took away is theirs to answer for, until the slice is made again. */
#include "sim/chaos/check.h"
#include "sim/cluster/check.h"

static int check_id(ChaosNode *node, const char *name, const SimState *state, const SimHeld *held,
                    const char *id, Error *err) {
  if (sim_check_has_slice(state, id)) {
    map_put(&node->given, id, node);
    return 0;
  }
  if (map_find(&node->gone, id))
    return 0;
  bool was_there = map_find(&node->given, id) != NULL;
  return error_set(err, ERROR_NOT_FOUND,
                   was_there ? "%s has a slice on %s that was destroyed: %s"
                             : "%s was admitted on %s with a slice that does not exist: %s",
                   held->pod, name, id);
}

int chaos_check_held(ChaosWorld *world, int node, Error *err) {
  const SimClusterNode *machine = &world->cluster->nodes[node];
  int result = 0;
  for (size_t i = 0; result == 0 && i < machine->disk.held.count; i++) {
    const SimHeld *held = machine->disk.held.items[i];
    if (!held->is_answered || strcmp(held->namespace_, SIM_CLUSTER_SYSTEM_NAMESPACE) == 0)
      continue;
    for (size_t k = 0; result == 0 && k < held->ids.count; k++)
      result = check_id(&world->nodes[node], machine->name, &world->machine, held, held->ids.items[k], err);
  }
  return result;
}
