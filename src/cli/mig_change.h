/* SPDX-License-Identifier: Apache-2.0 */
/* From a wish to the layouts of all GPUs concerned, and the way there, GPU by GPU, by the same engine as the
 * agent's (gpu/transaction.h). */
#pragma once

#include "base/text.h"
#include "cli/mig_gpus.h"
#include "cli/mig_wish.h"
#include "gpu/transaction.h"

typedef struct CliMigPlan {
  struct {
    char uuid[MIG_UUID_SIZE];
    GpuPlaces goal;
  } gpus[GPU_COUNT_MAX]; /* those that are named, in the order of the observation */
  int count;
  bool takes_used; /* slices that processes use may go as well */
} CliMigPlan;

/* Refuses, with nothing changed, what cannot be: MIG mode off, a GPU that cannot be read, a layout that its
 * model does not allow, and slices in use that would have to go. Pure. */
int cli_mig_plan(const MigWish *wish, const GpuObservation *observation, bool takes_used,
                 CliMigPlan *ret_plan, Error *err) MUST_CHECK;

/* "GPU 0: destroy 1g.10gb@6, create 3g.40gb@4; 2 slices stay", a line for each GPU that is named. */
void cli_mig_plan_format(const CliMigPlan *plan, const GpuObservation *observation, Text *out);

/* Carries it out and prints each step on standard output, failures on standard error. A GPU whose change
 * fails gets its layout back, and the next one follows; SIGINT and SIGTERM let the GPU at hand finish. Fails
 * where any GPU is not as it was wished. */
int cli_mig_carry_out(const CliMigPlan *plan, CliMigGpus *gpus, Error *err) MUST_CHECK;
