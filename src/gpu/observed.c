/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu/observed.h"

#include <string.h>

int gpu_observed_layout(const GpuObserved *gpu, MigLayout *ret_layout) {
  int unknown = 0;
  mig_layout_init(ret_layout, &gpu->model);
  for (int i = 0; i < gpu->instance_count; i++) {
    const MigProfile *found = mig_model_find_nvml_id(&gpu->model, gpu->instances[i].nvml_id);
    int profile = found ? (int)(found - gpu->model.profiles) : -1;
    if (profile >= 0 && mig_layout_can_place(ret_layout, profile, gpu->instances[i].start))
      mig_layout_place(ret_layout, profile, gpu->instances[i].start);
    else
      unknown++;
  }
  return unknown;
}

const GpuInstance *gpu_observed_find(const GpuObserved *gpu, int nvml_id, int start) {
  for (int i = 0; i < gpu->instance_count; i++)
    if (gpu->instances[i].nvml_id == nvml_id && gpu->instances[i].start == start)
      return &gpu->instances[i];
  return NULL;
}

const char *gpu_observed_profile_name(const GpuObserved *gpu, int nvml_id) {
  const MigProfile *profile = mig_model_find_nvml_id(&gpu->model, nvml_id);
  return profile ? profile->name : "a slice";
}

const GpuObserved *gpu_observed_gpu(const GpuObservation *observation, const char *uuid) {
  for (int i = 0; i < observation->gpu_count; i++)
    if (strcmp(observation->gpus[i].uuid, uuid) == 0)
      return &observation->gpus[i];
  return NULL;
}

bool gpu_observed_is_bare(const GpuInstance *instance) {
  return !instance->uuid[0] && instance->compute_count == 0 && instance->process_count == 0;
}

bool gpu_places_have(const GpuPlaces *places, int nvml_id, int start) {
  for (int i = 0; i < places->count; i++)
    if (places->items[i].nvml_id == nvml_id && places->items[i].start == start)
      return true;
  return false;
}

void gpu_places_add(GpuPlaces *places, GpuPlace place) {
  if (places->count < MIG_INSTANCES_MAX && !gpu_places_have(places, place.nvml_id, place.start))
    places->items[places->count++] = place;
}
