/* SPDX-License-Identifier: Apache-2.0 */
/* NVML by dlopen: the gpu/nvml_*.c files are the only ones that know NVML's types. Blocking; runs in the
 * worker process. */
#pragma once

#include "gpu/driver.h"

typedef struct GpuNvml GpuNvml;

/* library NULL: "libnvidia-ml.so.1" from the usual places (also below /run/nvidia/driver). Errors are
 * sentences for an operator: not found and where it was looked for, older than R470, driver not loaded, ...
 */
int gpu_nvml_open(const char *library, GpuNvml **ret_nvml, Error *err) MUST_CHECK;

/* Returns the address of an NVML function by its exported name, NULL where there is none. */
typedef void *GpuNvmlResolve(void *userdata, const char *name);
/* The same with an NVML that is already in this process. */
int gpu_nvml_open_with(GpuNvmlResolve *resolve, void *userdata, GpuNvml **ret_nvml, Error *err) MUST_CHECK;

void gpu_nvml_close(GpuNvml *nvml);
DEFINE_CLEANUP(GpuNvml, gpu_nvml_close)

/* Changes wait for a GPU that is busy for a moment; on virtual time the clock is somebody else's. */
typedef struct GpuNvmlClock {
  uint64_t (*now_ms)(void *userdata);
  void (*sleep_ms)(void *userdata, uint32_t duration_ms);
  void *userdata;
} GpuNvmlClock;
void gpu_nvml_set_clock(GpuNvml *nvml, const GpuNvmlClock *clock);

/* Called before NVML is asked about a GPU, by its index. */
void gpu_nvml_set_on_gpu(GpuNvml *nvml, void (*on_gpu)(void *userdata, uint32_t gpu), void *userdata);

/* Carries out one job. Never fails as a function: failures are in the result. CREATE is idempotent: where
 * the instance exists already it is done, where a crash left it without its compute instance it is completed.
 * Whatever happened, the result carries a fresh observation if NVML still answers. */
void gpu_nvml_run(GpuNvml *nvml, const GpuJob *job, GpuResult *ret_result);
