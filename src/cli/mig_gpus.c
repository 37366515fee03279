/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/mig_gpus.h"

#include "base/memory.h"
#include "cli/worker_path.h"

#include <limits.h>

int cli_mig_gpus_new(const char *nvml_library, CliMigGpus **ret_gpus, Error *err) {
  char path[PATH_MAX];
  CLEANUP(cli_mig_gpus_freep) CliMigGpus *gpus = mem_alloc(sizeof *gpus);
  int r = cli_shell_init(&gpus->shell, err);
  if (r < 0)
    return r;
  GpuWorkerOptions options = {.executable = cli_worker_path(path, sizeof path), .nvml_library = nvml_library};
  r = gpu_worker_new(&gpus->shell.loop, &gpus->shell.host, &options, &gpus->worker, err);
  if (r < 0)
    return r;
  *ret_gpus = TAKE(gpus);
  return 0;
}

void cli_mig_gpus_free(CliMigGpus *gpus) {
  if (gpus->worker)
    gpu_worker_free(gpus->worker);
  cli_shell_deinit(&gpus->shell);
  free(gpus);
}

static void on_result(void *userdata, const GpuResult *result) {
  CliMigGpus *gpus = userdata;
  gpus->result = *result;
  gpus->answered = true;
  gpus->shell.stop = true;
}

void cli_mig_gpus_do(CliMigGpus *gpus, const GpuJob *job) {
  GpuDriver *driver = gpu_worker_seam(gpus->worker);
  gpus->result = (GpuResult){0};
  gpus->answered = gpus->shell.stop = false;
  if (!gpus->ended) {
    driver->submit(driver, job, on_result, gpus);
    cli_shell_run(&gpus->shell);
  }
  gpus->ended = !gpus->answered;
  if (gpus->ended)
    error_set(&gpus->result.err, ERROR_UNAVAILABLE, "interrupted before the driver answered");
}

int cli_mig_gpus_observe(CliMigGpus *gpus, Error *err) {
  static const GpuJob look = {.kind = GPU_JOB_OBSERVE};
  cli_mig_gpus_do(gpus, &look);
  if (gpus->result.observed)
    return 0;
  *err = gpus->result.err;
  return -err->code;
}
