/* SPDX-License-Identifier: Apache-2.0 */
/* Every function that the simulator has, by name: what libnvidia-ml.so.1 exports, and what sim_nvml_symbol
 * finds where the simulator is part of the executable. */
#include "gpu/nvml_abi.h"
#include "sim/nvml/sim_nvml.h"

#include <assert.h>
#include <string.h>

#define SYMBOL(function)                                                                                     \
  { #function, (void *)function }

static const struct {
  const char *name;
  void *function;
} symbols[] = {
    SYMBOL(nvmlComputeInstanceDestroy),
    SYMBOL(nvmlComputeInstanceGetInfo_v2),
    SYMBOL(nvmlDeviceCreateGpuInstance),
    SYMBOL(nvmlDeviceCreateGpuInstanceWithPlacement),
    SYMBOL(nvmlDeviceGetAttributes_v2),
    SYMBOL(nvmlDeviceGetComputeInstanceId),
    SYMBOL(nvmlDeviceGetComputeRunningProcesses_v2),
    SYMBOL(nvmlDeviceGetComputeRunningProcesses_v3),
    SYMBOL(nvmlDeviceGetCount),
    SYMBOL(nvmlDeviceGetCount_v2),
    SYMBOL(nvmlDeviceGetDeviceHandleFromMigDeviceHandle),
    SYMBOL(nvmlDeviceGetGpuInstanceById),
    SYMBOL(nvmlDeviceGetGpuInstanceId),
    SYMBOL(nvmlDeviceGetGpuInstancePossiblePlacements),
    SYMBOL(nvmlDeviceGetGpuInstancePossiblePlacements_v2),
    SYMBOL(nvmlDeviceGetGpuInstanceProfileInfo),
    SYMBOL(nvmlDeviceGetGpuInstanceProfileInfoV),
    SYMBOL(nvmlDeviceGetGpuInstanceRemainingCapacity),
    SYMBOL(nvmlDeviceGetGpuInstances),
    SYMBOL(nvmlDeviceGetGraphicsRunningProcesses_v2),
    SYMBOL(nvmlDeviceGetGraphicsRunningProcesses_v3),
    SYMBOL(nvmlDeviceGetHandleByIndex),
    SYMBOL(nvmlDeviceGetHandleByIndex_v2),
    SYMBOL(nvmlDeviceGetHandleByPciBusId),
    SYMBOL(nvmlDeviceGetHandleByPciBusId_v2),
    SYMBOL(nvmlDeviceGetHandleByUUID),
    SYMBOL(nvmlDeviceGetIndex),
    SYMBOL(nvmlDeviceGetMaxMigDeviceCount),
    SYMBOL(nvmlDeviceGetMemoryInfo),
    SYMBOL(nvmlDeviceGetMemoryInfo_v2),
    SYMBOL(nvmlDeviceGetMigDeviceHandleByIndex),
    SYMBOL(nvmlDeviceGetMigMode),
    SYMBOL(nvmlDeviceGetMinorNumber),
    SYMBOL(nvmlDeviceGetName),
    SYMBOL(nvmlDeviceGetPciInfo_v3),
    SYMBOL(nvmlDeviceGetSupportedEventTypes),
    SYMBOL(nvmlDeviceGetUUID),
    SYMBOL(nvmlDeviceIsMigDeviceHandle),
    SYMBOL(nvmlDeviceRegisterEvents),
    SYMBOL(nvmlDeviceSetMigMode),
    SYMBOL(nvmlErrorString),
    SYMBOL(nvmlEventSetCreate),
    SYMBOL(nvmlEventSetFree),
    SYMBOL(nvmlEventSetWait_v2),
    SYMBOL(nvmlGpuInstanceCreateComputeInstance),
    SYMBOL(nvmlGpuInstanceCreateComputeInstanceWithPlacement),
    SYMBOL(nvmlGpuInstanceDestroy),
    SYMBOL(nvmlGpuInstanceGetComputeInstanceById),
    SYMBOL(nvmlGpuInstanceGetComputeInstancePossiblePlacements),
    SYMBOL(nvmlGpuInstanceGetComputeInstanceProfileInfo),
    SYMBOL(nvmlGpuInstanceGetComputeInstanceProfileInfoV),
    SYMBOL(nvmlGpuInstanceGetComputeInstanceRemainingCapacity),
    SYMBOL(nvmlGpuInstanceGetComputeInstances),
    SYMBOL(nvmlGpuInstanceGetInfo),
    SYMBOL(nvmlInit),
    SYMBOL(nvmlInitWithFlags),
    SYMBOL(nvmlInit_v2),
    SYMBOL(nvmlShutdown),
    SYMBOL(nvmlSystemGetCudaDriverVersion),
    SYMBOL(nvmlSystemGetCudaDriverVersion_v2),
    SYMBOL(nvmlSystemGetDriverVersion),
    SYMBOL(nvmlSystemGetNVMLVersion),
};

void *sim_nvml_symbol(const char *name) {
  for (size_t i = 0; i < COUNT_OF(symbols); i++)
    if (strcmp(symbols[i].name, name) == 0)
      return symbols[i].function;
  return NULL;
}

const char *sim_nvml_symbol_name(int index) {
  assert(index >= 0);
  return (size_t)index < COUNT_OF(symbols) ? symbols[index].name : NULL;
}
