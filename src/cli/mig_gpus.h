/* SPDX-License-Identifier: Apache-2.0 */
/* The GPUs of this machine for a command that asks and waits: the worker process behind a call that returns
 * when the answer is there, also where the driver hangs (after GPU_JOB_TIMEOUT_MS). */
#pragma once

#include "cli/shell.h"
#include "gpu/worker.h"

typedef struct CliMigGpus {
  CliShell shell;
  GpuWorker *worker;
  GpuResult result; /* of the last job; its observation is the newest picture */
  bool answered;
  bool ended; /* a signal came before the answer: there is no further job */
} CliMigGpus;

/* nvml_library NULL: the usual places. Starts no process before the first job. */
int cli_mig_gpus_new(const char *nvml_library, CliMigGpus **ret_gpus, Error *err) MUST_CHECK;
void cli_mig_gpus_free(CliMigGpus *gpus);
DEFINE_CLEANUP(CliMigGpus, cli_mig_gpus_free)
/* Waits for gpus->result; interrupted by a signal, it says so. */
void cli_mig_gpus_do(CliMigGpus *gpus, const GpuJob *job);
/* gpus->result.observation; fails where the GPUs cannot be read. */
int cli_mig_gpus_observe(CliMigGpus *gpus, Error *err) MUST_CHECK;
