/* SPDX-License-Identifier: Apache-2.0 */
/* What `facet mig` shows, for programs. */
#include "cli/mig_show.h"

#include "gpu/observed.h"

static json_t *instance_to_tree(const GpuObserved *gpu, const GpuInstance *instance) {
  const MigProfile *profile = mig_model_find_nvml_id(&gpu->model, instance->nvml_id);
  json_t *tree = json_pack("{s:s?,s:i,s:i,s:i,s:i}", "profile", profile ? profile->name : NULL, "profile_id",
                           instance->nvml_id, "start", instance->start, "size", instance->size,
                           "gpu_instance", (int)instance->gpu_instance_id);
  if (instance->uuid[0]) {
    json_object_set_new(tree, "compute_instance", json_integer(instance->compute_instance_id));
    json_object_set_new(tree, "uuid", json_string(instance->uuid));
  }
  json_object_set_new(tree, "processes", json_integer(instance->process_count));
  return tree;
}

static json_t *gpu_to_tree(const GpuObserved *gpu) {
  static const char *const modes[] = {
      [MIG_MODE_OFF] = "off", [MIG_MODE_ON] = "on", [MIG_MODE_PENDING] = "pending"};
  json_t *slices = json_array();
  for (int i = 0; i < gpu->instance_count; i++)
    json_array_append_new(slices, instance_to_tree(gpu, &gpu->instances[i]));
  json_t *tree = json_pack("{s:i,s:s,s:s,s:b,s:s,s:i,s:o}", "index", gpu->index, "uuid", gpu->uuid, "product",
                           gpu->product, "mig_capable", gpu->mig_capable, "mig", modes[gpu->mode], "slots",
                           gpu->model.slot_count, "slices", slices);
  if (gpu->trouble[0])
    json_object_set_new(tree, "trouble", json_string(gpu->trouble));
  return tree;
}

json_t *cli_mig_list_tree(const GpuObservation *observation) {
  json_t *gpus = json_array();
  for (int i = 0; i < observation->gpu_count; i++)
    json_array_append_new(gpus, gpu_to_tree(&observation->gpus[i]));
  return json_pack("{s:s,s:o}", "driver", observation->driver_version, "gpus", gpus);
}

static json_t *profile_to_tree(const MigProfile *profile) {
  json_t *starts = json_array();
  for (int slot = 0; slot < MIG_SLOTS_MAX; slot++)
    if (profile->starts >> slot & 1)
      json_array_append_new(starts, json_integer(slot));
  return json_pack("{s:s,s:i,s:i,s:i,s:I,s:i,s:o}", "profile", profile->name, "profile_id", profile->nvml_id,
                   "at_most", profile->instance_count_max, "size", profile->size, "memory_mib",
                   (json_int_t)profile->memory_mib, "multiprocessors", profile->multiprocessors, "starts",
                   starts);
}

json_t *cli_mig_profiles_tree(const GpuObservation *observation) {
  json_t *gpus = json_array();
  for (int i = 0; i < observation->gpu_count; i++) {
    const GpuObserved *gpu = &observation->gpus[i];
    json_t *profiles = json_array();
    for (int p = 0; p < gpu->model.profile_count; p++)
      json_array_append_new(profiles, profile_to_tree(&gpu->model.profiles[p]));
    json_array_append_new(gpus, json_pack("{s:i,s:s,s:s,s:i,s:b,s:o}", "index", gpu->index, "uuid", gpu->uuid,
                                          "product", gpu->product, "slots", gpu->model.slot_count,
                                          "from_table", gpu->model_from_table, "profiles", profiles));
  }
  return json_pack("{s:s,s:o}", "driver", observation->driver_version, "gpus", gpus);
}
