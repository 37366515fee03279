/* SPDX-License-Identifier: Apache-2.0 */
/* GPU instances are placements of a MigLayout: legality, the driver's preference and the instance limits come
 * from mig/layout.h, so the simulator and facet's planner can only be wrong about a GPU together with its
 * table. Here is what the layout does not know: ids, serials and the compute instances inside. */
#include "sim/nvml/instance.h"

#include <assert.h>
#include <string.h>

const MigModel *sim_gpu_model(const SimGpu *gpu) {
  return &gpu->row->model;
}

uint32_t sim_gpu_pci_device_id(const SimGpu *gpu) {
  uint32_t id = 0;
  for (int i = 0; i < MIG_PRODUCT_NAMES_MAX && gpu->row->product_names[i]; i++) {
    if (gpu->row->pci_ids[i])
      id = gpu->row->pci_ids[i];
    if (gpu->row->product_names[i] == gpu->product)
      break;
  }
  return id;
}

unsigned sim_gpu_pci_bus(int gpu_index) {
  return 7 + 7 * (unsigned)gpu_index;
}

MigLayout sim_gpu_layout(const SimGpu *gpu) {
  MigLayout layout;
  mig_layout_init(&layout, sim_gpu_model(gpu));
  for (int i = 0; i < gpu->gi_count; i++)
    mig_layout_place(&layout, gpu->gis[i].profile, gpu->gis[i].start);
  return layout;
}

unsigned sim_gpu_mig_device_max(const SimGpu *gpu) {
  const MigModel *model = sim_gpu_model(gpu);
  unsigned slices = 0;
  for (int i = 0; i < model->profile_count; i++)
    if (model->profiles[i].slice_count > slices)
      slices = model->profiles[i].slice_count;
  return slices;
}

int sim_profile_find_id(const MigModel *model, unsigned nvml_id) {
  for (int i = 0; i < model->profile_count; i++)
    if (model->profiles[i].nvml_id >= 0 && (unsigned)model->profiles[i].nvml_id == nvml_id)
      return i;
  return -1;
}

int sim_profile_find_index(const MigModel *model, unsigned nvml_index) {
  for (int i = 0; i < model->profile_count; i++)
    if (model->profiles[i].nvml_index >= 0 && (unsigned)model->profiles[i].nvml_index == nvml_index)
      return i;
  return -1;
}

unsigned sim_gi_id(const MigModel *model, int profile, int start) {
  unsigned size = model->profiles[profile].size;
  /* A level of the tree that splits the GPU in n parts comes behind the n - 1 numbers of the levels above. */
  return model->slot_count / size - 1 + (unsigned)start / size;
}

const MigProfile *sim_gi_profile(const SimGpu *gpu, const SimGi *gi) {
  return &sim_gpu_model(gpu)->profiles[gi->profile];
}

SimGi *sim_gi_find(SimGpu *gpu, unsigned id) {
  for (int i = 0; i < gpu->gi_count; i++)
    if (sim_gi_id(sim_gpu_model(gpu), gpu->gis[i].profile, gpu->gis[i].start) == id)
      return &gpu->gis[i];
  return NULL;
}

NvmlReturn sim_gi_choose(const SimGpu *gpu, int profile, int start, int *ret_start) {
  MigLayout layout = sim_gpu_layout(gpu);
  if (start < 0)
    start = mig_layout_auto_start(&layout, profile);
  else if (!(layout.model->profiles[profile].starts >> start & 1))
    return NVML_INVALID_ARGUMENT;
  if (start < 0 || !mig_layout_can_place(&layout, profile, start))
    return NVML_INSUFFICIENT_RESOURCES;
  *ret_start = start;
  return NVML_SUCCESS;
}

SimGi *sim_gi_add(SimGpu *gpu, int profile, int start, uint32_t serial) {
  int chosen;
  assert(gpu->gi_count < SIM_GIS_MAX && sim_gi_choose(gpu, profile, start, &chosen) == NVML_SUCCESS);
  int at = 0;
  while (at < gpu->gi_count && gpu->gis[at].start < start)
    at++;
  memmove(&gpu->gis[at + 1], &gpu->gis[at], (size_t)(gpu->gi_count - at) * sizeof gpu->gis[0]);
  gpu->gis[at] = (SimGi){.profile = (uint8_t)profile, .start = (uint8_t)start, .serial = serial};
  gpu->gi_count++;
  return &gpu->gis[at];
}

void sim_gi_remove(SimGpu *gpu, SimGi *gi) {
  int at = (int)(gi - gpu->gis);
  assert(at >= 0 && at < gpu->gi_count && gi->ci_count == 0);
  gpu->gi_count--;
  memmove(gi, gi + 1, (size_t)(gpu->gi_count - at) * sizeof *gi);
}

unsigned sim_gi_remaining(const SimGpu *gpu, int profile) {
  MigLayout layout = sim_gpu_layout(gpu);
  unsigned count = 0;
  for (int start; (start = mig_layout_auto_start(&layout, profile)) >= 0; count++)
    mig_layout_place(&layout, profile, start);
  return count;
}
