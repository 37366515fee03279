/* SPDX-License-Identifier: Apache-2.0 */
/* By the notes on the functions in nvml.h: "Requires privileged user" and "Requires root user". */
#include "sim/nvml/permission.h"

#include "base/cleanup.h"

#include <fnmatch.h>

bool sim_permission_is_needed(const char *function) {
  static const char *const privileged[] = {
      "nvmlDeviceSetMigMode",
      "nvmlDeviceSetComputeMode",
      "nvmlDeviceCreateGpuInstance*",
      "nvmlGpuInstanceDestroy",
      "nvmlDeviceGetGpuInstances",
      "nvmlDeviceGetGpuInstanceById",
      "nvmlDeviceGetGpuInstancePossiblePlacements*",
      "nvmlDeviceGetGpuInstanceRemainingCapacity",
      "nvmlGpuInstanceCreateComputeInstance*",
      "nvmlComputeInstanceDestroy",
      "nvmlGpuInstanceGetComputeInstances",
      "nvmlGpuInstanceGetComputeInstanceById",
      "nvmlGpuInstanceGetComputeInstancePossiblePlacements",
      "nvmlGpuInstanceGetComputeInstanceRemainingCapacity",
  };
  for (size_t i = 0; i < COUNT_OF(privileged); i++)
    if (fnmatch(privileged[i], function, 0) == 0)
      return true;
  return false;
}
