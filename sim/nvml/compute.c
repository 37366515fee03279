/* SPDX-License-Identifier: Apache-2.0 */
/* Compute instances: the same game as GPU instances, one level below and in compute slices. What a GPU
 * instance of g slices can hold depends on g alone (nvidia-smi mig -lcip, NVIDIA's MIG User Guide). */
#include "sim/nvml/instance.h"

#include <assert.h>
#include <string.h>

static const SimComputeProfile compute_profiles[] = {
    {1, 1, 0, 0x01}, {2, 1, 0, 0x03}, {2, 2, 1, 0x01}, {3, 1, 0, 0x07}, {3, 2, 1, 0x01},
    {3, 3, 2, 0x01}, {4, 1, 0, 0x0f}, {4, 2, 1, 0x05}, {4, 4, 3, 0x01}, {7, 1, 0, 0x7f},
    {7, 2, 1, 0x15}, {7, 3, 2, 0x11}, {7, 4, 3, 0x01}, {7, 7, 4, 0x01},
};

const SimComputeProfile *sim_ci_profile_find(int gi_slices, unsigned index) {
  for (size_t i = 0; i < COUNT_OF(compute_profiles); i++)
    if (compute_profiles[i].gi_slices == gi_slices && compute_profiles[i].index == index)
      return &compute_profiles[i];
  return NULL;
}

const SimComputeProfile *sim_ci_profile_of(int gi_slices, int slices) {
  for (size_t i = 0; i < COUNT_OF(compute_profiles); i++)
    if (compute_profiles[i].gi_slices == gi_slices && compute_profiles[i].slices == slices)
      return &compute_profiles[i];
  return NULL;
}

unsigned sim_ci_multiprocessors(const SimGpu *gpu, const SimGi *gi, int slices) {
  const MigProfile *profile = sim_gi_profile(gpu, gi);
  if (slices == profile->slice_count)
    return profile->multiprocessors;
  /* A part of a GPU instance has what so many of the smallest instances have (H100: 16 of 2g's 32). */
  int smallest = sim_profile_find_index(sim_gpu_model(gpu), 0);
  assert(smallest >= 0);
  return (unsigned)slices * sim_gpu_model(gpu)->profiles[smallest].multiprocessors;
}

SimCi *sim_ci_find(SimGi *gi, unsigned id) {
  for (int i = 0; i < gi->ci_count; i++)
    if (gi->cis[i].id == id)
      return &gi->cis[i];
  return NULL;
}

uint32_t sim_ci_mask(int start, int slices) {
  return ((1u << slices) - 1) << start;
}

static uint32_t taken_slices(const SimGi *gi) {
  uint32_t taken = 0;
  for (int i = 0; i < gi->ci_count; i++)
    taken |= sim_ci_mask(gi->cis[i].start, gi->cis[i].slices);
  return taken;
}

/* The first of the profile's starts whose slices are free, or -1. */
static int first_free(uint32_t taken, const SimComputeProfile *profile) {
  for (int start = 0; profile->starts >> start; start++)
    if ((profile->starts >> start & 1) && !(taken & sim_ci_mask(start, profile->slices)))
      return start;
  return -1;
}

NvmlReturn sim_ci_choose(const SimGi *gi, const SimComputeProfile *profile, int start, int *ret_start) {
  uint32_t taken = taken_slices(gi);
  if (start < 0)
    start = first_free(taken, profile);
  else if (!(profile->starts >> start & 1))
    return NVML_INVALID_ARGUMENT;
  if (start < 0 || (taken & sim_ci_mask(start, profile->slices)))
    return NVML_INSUFFICIENT_RESOURCES;
  *ret_start = start;
  return NVML_SUCCESS;
}

/* MIG devices keep their index while they live; a new one takes the first gap. */
static uint8_t free_mig_index(const SimGpu *gpu) {
  uint32_t taken = 0;
  for (int i = 0; i < gpu->gi_count; i++)
    for (int k = 0; k < gpu->gis[i].ci_count; k++)
      taken |= 1u << gpu->gis[i].cis[k].mig_index;
  return (uint8_t)__builtin_ctz(~taken);
}

SimCi *sim_ci_add(SimGpu *gpu, SimGi *gi, const SimComputeProfile *profile, int start, uint32_t serial) {
  int chosen;
  assert(gi->ci_count < SIM_CIS_MAX && sim_ci_choose(gi, profile, start, &chosen) == NVML_SUCCESS);
  uint8_t mig_index = free_mig_index(gpu);
  int id = 0;
  while (id < gi->ci_count && gi->cis[id].id == id)
    id++;
  memmove(&gi->cis[id + 1], &gi->cis[id], (size_t)(gi->ci_count - id) * sizeof gi->cis[0]);
  gi->cis[id] = (SimCi){.id = (uint8_t)id,
                        .slices = profile->slices,
                        .start = (uint8_t)start,
                        .mig_index = mig_index,
                        .serial = serial};
  gi->ci_count++;
  return &gi->cis[id];
}

void sim_ci_remove(SimGi *gi, SimCi *ci) {
  int at = (int)(ci - gi->cis);
  assert(at >= 0 && at < gi->ci_count);
  gi->ci_count--;
  memmove(ci, ci + 1, (size_t)(gi->ci_count - at) * sizeof *ci);
}

unsigned sim_ci_remaining(const SimGi *gi, const SimComputeProfile *profile) {
  uint32_t taken = taken_slices(gi);
  unsigned count = 0;
  for (int start; (start = first_free(taken, profile)) >= 0; count++)
    taken |= sim_ci_mask(start, profile->slices);
  return count;
}
