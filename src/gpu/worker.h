/* SPDX-License-Identifier: Apache-2.0 */
/* The NVML worker: this executable once more ("facet nvml-worker"), a socket pair, one job at a time. NVML
 * calls block for hundreds of milliseconds, may hang, keep stale handles and hold the GPU; a worker can be
 * killed and started afresh, and a crash inside NVIDIA's library does not take the device plugins with it. */
#pragma once

#include "base/host.h"
#include "gpu/driver.h"

#include <uv.h>

enum { GPU_JOB_TIMEOUT_MS = 30000, GPU_WORKER_IDLE_MS = 10000 };

typedef struct GpuWorker GpuWorker;

typedef struct GpuWorkerOptions {
  const char *executable;   /* NULL: /proc/self/exe; any program that calls gpu_worker_main(3, ...) will do */
  const char *nvml_library; /* NULL: the default */
  /* NULL: SIGKILL. A test's can be in vain, as the kernel's is while a process hangs inside the driver. */
  void (*kill)(int pid);
} GpuWorkerOptions;

/* Starts no process before the first job. Its timers are the host's; a result may submit the next job. */
int gpu_worker_new(uv_loop_t *loop, Host *host, const GpuWorkerOptions *options, GpuWorker **ret_worker,
                   Error *err) MUST_CHECK;
/* Kills the process. Its libuv handles are released in later turns of the loop; no result comes any more. */
void gpu_worker_free(GpuWorker *worker);
DEFINE_CLEANUP(GpuWorker, gpu_worker_free)
GpuDriver *gpu_worker_seam(GpuWorker *worker);

/* The worker's own main: serves jobs on the socket until it closes. Returns the exit code. */
int gpu_worker_main(int socket_fd, const char *nvml_library);
