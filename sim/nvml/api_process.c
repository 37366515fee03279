/* SPDX-License-Identifier: Apache-2.0 */
/* NVML: the processes on a GPU or MIG device. Nothing really runs here; how many processes are to be seen on
 * a MIG device is told from outside (sim_nvml_set_processes), and while there are any it cannot be destroyed.
 */
#include "sim/nvml/call.h"
#include "sim/nvml/instance.h"

#include <assert.h>

enum { PID_FIRST = 100000, MEMORY_BYTES = 256 << 20 };

static NvmlProcessInfo describe(const SimGpu *gpu, const SimGi *gi, const SimCi *ci, unsigned k) {
  return (NvmlProcessInfo){.pid = PID_FIRST + ci->serial * UINT8_MAX + k,
                           .used_gpu_memory = MEMORY_BYTES,
                           .gpu_instance_id = sim_gi_id(sim_gpu_model(gpu), gi->profile, gi->start),
                           .compute_instance_id = ci->id};
}

static bool is_asked_for(const SimPlace *place, const SimCi *ci) {
  return place->kind == SIM_HANDLE_GPU || place->ci == ci;
}

/* Fills at most `room`; returns how many there are. */
static unsigned list(const SimPlace *place, NvmlProcessInfo *infos, unsigned room) {
  const SimGpu *gpu = place->gpu;
  unsigned total = 0;
  for (int i = 0; i < gpu->gi_count; i++)
    for (int c = 0; c < gpu->gis[i].ci_count; c++) {
      const SimCi *ci = &gpu->gis[i].cis[c];
      for (unsigned k = 0; is_asked_for(place, ci) && k < ci->process_count; k++, total++)
        if (total < room)
          infos[total] = describe(gpu, &gpu->gis[i], ci, k);
    }
  return total;
}

NvmlReturn nvmlDeviceGetComputeRunningProcesses_v3(NvmlDevice device, unsigned *count,
                                                   NvmlProcessInfo *infos) {
  SimView view;
  NvmlReturn result = sim_view_handle(&view, __func__, device, SIM_DEVICES);
  if (result != NVML_SUCCESS)
    return result;
  if (!count || (*count > 0 && !infos))
    return NVML_INVALID_ARGUMENT;
  unsigned room = *count;
  *count = list(&view.place, infos, room);
  return *count > room ? NVML_INSUFFICIENT_SIZE : NVML_SUCCESS;
}

NvmlReturn nvmlDeviceGetComputeRunningProcesses_v2(NvmlDevice device, unsigned *count,
                                                   NvmlProcessInfo *infos) {
  return nvmlDeviceGetComputeRunningProcesses_v3(device, count, infos);
}

/* Nobody draws. */
NvmlReturn nvmlDeviceGetGraphicsRunningProcesses_v3(NvmlDevice device, unsigned *count,
                                                    NvmlProcessInfo *infos) {
  SimView view;
  NvmlReturn result = sim_view_handle(&view, __func__, device, SIM_DEVICES);
  if (result != NVML_SUCCESS)
    return result;
  if (!count)
    return NVML_INVALID_ARGUMENT;
  *count = 0;
  return NVML_SUCCESS;
}

NvmlReturn nvmlDeviceGetGraphicsRunningProcesses_v2(NvmlDevice device, unsigned *count,
                                                    NvmlProcessInfo *infos) {
  return nvmlDeviceGetGraphicsRunningProcesses_v3(device, count, infos);
}
