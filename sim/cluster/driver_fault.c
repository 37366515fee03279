/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/cluster/driver_fault.h"

#include "base/cleanup.h"
#include "sim/nvml/sim_nvml.h"

#include <string.h>

static SimDriverFaults *faults;

void sim_driver_fault_use(SimDriverFaults *used) {
  faults = used;
}

/* ---- calls that change a GPU ---- */

/* Whether this call does its work; else what it returns. */
static bool goes_through(NvmlReturn *ret_code) {
  *ret_code = NVML_UNKNOWN;
  if (!faults || (!faults->over && !faults->next.kind))
    return true;
  if (faults->over)
    return false;
  SimDriverFault *next = &faults->next;
  if (next->call > 1) {
    next->call--;
    return true;
  }
  if (next->kind != SIM_DRIVER_REFUSES) {
    faults->left_half = true;
    faults->over = next->kind;
    next->kind = SIM_DRIVER_SOUND;
    return false;
  }
  *ret_code = next->code;
  if (next->times-- <= 1)
    next->kind = SIM_DRIVER_SOUND;
  return false;
}

static NvmlReturn create_instance(NvmlDevice device, unsigned profile_id, const NvmlPlacement *placement,
                                  NvmlGpuInstance *instance) {
  __typeof__(nvmlDeviceCreateGpuInstanceWithPlacement) *real =
      sim_nvml_symbol("nvmlDeviceCreateGpuInstanceWithPlacement");
  NvmlReturn code;
  return goes_through(&code) ? real(device, profile_id, placement, instance) : code;
}

static NvmlReturn destroy_instance(NvmlGpuInstance instance) {
  __typeof__(nvmlGpuInstanceDestroy) *real = sim_nvml_symbol("nvmlGpuInstanceDestroy");
  NvmlReturn code;
  if (goes_through(&code))
    return real(instance);
  faults->left_half = true;
  return code;
}

static NvmlReturn create_compute(NvmlGpuInstance instance, unsigned profile_id,
                                 NvmlComputeInstance *compute) {
  __typeof__(nvmlGpuInstanceCreateComputeInstance) *real =
      sim_nvml_symbol("nvmlGpuInstanceCreateComputeInstance");
  NvmlReturn code;
  return goes_through(&code) ? real(instance, profile_id, compute) : code;
}

static NvmlReturn destroy_compute(NvmlComputeInstance compute) {
  __typeof__(nvmlComputeInstanceDestroy) *real = sim_nvml_symbol("nvmlComputeInstanceDestroy");
  NvmlReturn code;
  return goes_through(&code) ? real(compute) : code;
}

/* ---- a lost GPU ---- */

static NvmlReturn by_index(unsigned index, NvmlDevice *device) {
  __typeof__(nvmlDeviceGetHandleByIndex_v2) *real = sim_nvml_symbol("nvmlDeviceGetHandleByIndex_v2");
  return faults && (int)index == faults->lost_gpu ? NVML_GPU_IS_LOST : real(index, device);
}

static NvmlReturn by_uuid(const char *uuid, NvmlDevice *device) {
  __typeof__(nvmlDeviceGetHandleByUUID) *real = sim_nvml_symbol("nvmlDeviceGetHandleByUUID");
  __typeof__(nvmlDeviceGetHandleByIndex_v2) *at = sim_nvml_symbol("nvmlDeviceGetHandleByIndex_v2");
  NvmlDevice lost;
  NvmlReturn code = real(uuid, device);
  if (code != NVML_SUCCESS || !faults || faults->lost_gpu < 0)
    return code;
  bool is_lost = at((unsigned)faults->lost_gpu, &lost) == NVML_SUCCESS && lost == *device;
  return is_lost ? NVML_GPU_IS_LOST : code;
}

static const struct {
  const char *name;
  void *function;
} functions[] = {
    {"nvmlDeviceCreateGpuInstanceWithPlacement", create_instance},
    {"nvmlGpuInstanceDestroy", destroy_instance},
    {"nvmlGpuInstanceCreateComputeInstance", create_compute},
    {"nvmlComputeInstanceDestroy", destroy_compute},
    {"nvmlDeviceGetHandleByIndex_v2", by_index},
    {"nvmlDeviceGetHandleByUUID", by_uuid},
};

void *sim_driver_fault_symbol(const char *name) {
  for (size_t i = 0; i < COUNT_OF(functions); i++)
    if (strcmp(functions[i].name, name) == 0)
      return functions[i].function;
  return sim_nvml_symbol(name);
}
