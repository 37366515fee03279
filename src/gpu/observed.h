/* SPDX-License-Identifier: Apache-2.0 */
/* Questions about one observed GPU. Pure. */
#pragma once

#include "gpu/driver.h"

/* A slice as it is wanted or exists: a profile at a place. */
typedef struct GpuPlace {
  int nvml_id;
  uint8_t start, size;
} GpuPlace;

typedef struct GpuPlaces {
  GpuPlace items[MIG_INSTANCES_MAX];
  int count;
} GpuPlaces;

/* The layout; instances that its model does not know are left out (and counted). */
int gpu_observed_layout(const GpuObserved *gpu, MigLayout *ret_layout);
/* The instance of that very profile at that slot, or NULL. */
const GpuInstance *gpu_observed_find(const GpuObserved *gpu, int nvml_id, int start);
/* The name of the profile with that number of NVML's; "a slice" where the GPU's model has none. For messages.
 */
const char *gpu_observed_profile_name(const GpuObserved *gpu, int nvml_id);
/* The GPU with that UUID, or NULL. */
const GpuObserved *gpu_observed_gpu(const GpuObservation *observation, const char *uuid);
/* A GPU instance that holds no compute instance at all: nobody can use it, or was ever promised it. An agent
 * that is killed in the middle of a change leaves such a thing. */
bool gpu_observed_is_bare(const GpuInstance *instance);

bool gpu_places_have(const GpuPlaces *places, int nvml_id, int start);
/* Where it is not in there yet and there is room. */
void gpu_places_add(GpuPlaces *places, GpuPlace place);
