/* SPDX-License-Identifier: Apache-2.0 */
/* NVML by dlopen: the only file that knows NVML's types. Blocking; runs in the worker process. */
#pragma once

#include "gpu/driver.h"

typedef struct GpuNvml GpuNvml;

/* library NULL: "libnvidia-ml.so.1" from the usual places (also below /run/nvidia/driver). Errors are
 * sentences for an operator: not found and where it was looked for, older than R470, driver not loaded, ...
 */
int gpu_nvml_open(const char *library, GpuNvml **ret_nvml, Error *err) MUST_CHECK;
void gpu_nvml_close(GpuNvml *nvml);
DEFINE_CLEANUP(GpuNvml, gpu_nvml_close)
/* Carries out one job. Never fails as a function: failures are in the result. */
void gpu_nvml_run(GpuNvml *nvml, const GpuJob *job, GpuResult *ret_result);
