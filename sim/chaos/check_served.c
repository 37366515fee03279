/* SPDX-License-Identifier: Apache-2.0 */
/* All pods are of one tier and ask for one slice each. So a pod that waits was passed over if, with
 * everything cleared away that no pod holds, its slice has a place on any GPU that is in MIG mode. What pods
 * hold is read from the kubelets and the GPUs, not from what facet wrote. */
#include "sim/chaos/check.h"
#include "sim/cluster/check.h"
#include "sim/nvml/instance.h"

static bool is_held(const SimDisk *disk, const char *uuid) {
  for (size_t i = 0; i < disk->held.count; i++)
    for (size_t k = 0; k < disk->held.items[i]->ids.count; k++)
      if (strcmp(disk->held.items[i]->ids.items[k], uuid) == 0)
        return true;
  return false;
}

static bool is_used(const SimDisk *disk, const SimState *state, int g, const SimGi *gi) {
  for (int c = 0; c < gi->ci_count; c++) {
    char uuid[NVML_UUID_SIZE];
    sim_uuid_mig(state, g, gi, &gi->cis[c], uuid);
    if (is_held(disk, uuid))
      return true;
  }
  return false;
}

static bool has_place(const SimDisk *disk, const SimState *state, int g, const char *name) {
  const SimGpu *gpu = &state->gpus[g];
  int profile = mig_model_find_profile(sim_gpu_model(gpu), name);
  MigLayout layout;
  if (!gpu->mig_on || profile < 0)
    return false;
  mig_layout_init(&layout, sim_gpu_model(gpu));
  for (int i = 0; i < gpu->gi_count; i++)
    if (is_used(disk, state, g, &gpu->gis[i]))
      mig_layout_place(&layout, gpu->gis[i].profile, gpu->gis[i].start);
  return mig_layout_free_starts(&layout, profile) != 0;
}

static int check_node(const ChaosWorld *world, int node, const char *pod, const char *profile, Error *err) {
  const SimClusterNode *machine = &world->cluster->nodes[node];
  SimState state;
  int result = sim_driver_load(machine->driver, &state, err);
  for (int g = 0; result == 0 && g < state.gpu_count; g++)
    if (has_place(&machine->disk, &state, g, profile))
      return error_set(err, ERROR_CONFLICT, "%s still waits for a %s, which could be cut on GPU %d of %s",
                       pod, profile, g, machine->name);
  return result;
}

static const char *find_resource(const json_t *pod) {
  const json_t *container = json_array_get(json_object_get(json_object_get(pod, "spec"), "containers"), 0);
  json_t *limits = json_object_get(json_object_get(container, "resources"), "limits");
  return json_object_iter_key(json_object_iter(limits));
}

static int check_pod(const ChaosWorld *world, const json_t *pod, Error *err) {
  char profile[MIG_PROFILE_NAME_SIZE];
  bool waits = strcmp(sim_check_text(pod, "status", "phase"), "Pending") == 0;
  if (!waits || strcmp(sim_check_text(pod, "metadata", "namespace"), SIM_CLUSTER_NAMESPACE) != 0)
    return 0;
  const char *name = sim_check_text(pod, "metadata", "name"), *node = sim_check_text(pod, "spec", "nodeName");
  if (*node)
    return error_set(err, ERROR_CONFLICT, "%s is bound to %s and does not start", name, node);
  int result = mig_profile_parse_resource(find_resource(pod), profile, err);
  for (int i = 0; result == 0 && i < world->cluster->node_count; i++)
    result = check_node(world, i, name, profile, err);
  return result;
}

int chaos_check_served(ChaosWorld *world, int node, Error *err) {
  const Map *pods = &sim_api_store(world->cluster->api)->objects[SIM_API_PODS];
  for (size_t i = 0; i < pods->count; i++) {
    int result = check_pod(world, pods->entries[i].value, err);
    if (result < 0)
      return result;
  }
  return 0;
}
