/* SPDX-License-Identifier: Apache-2.0 */
/* From a wish to what has to happen on each GPU that it names. Pure. */
#pragma once

#include "base/text.h"
#include "cli/mig_wish.h"
#include "gpu/observed.h"

#include <jansson.h>

typedef struct CliMigPlanGpu {
  int index;
  char uuid[MIG_UUID_SIZE];
  GpuPlaces goal;
  MigList destroyed, created, kept;
  char failure[ERROR_TEXT_SIZE]; /* "" or why it did not become so; set by cli_mig_carry_out */
} CliMigPlanGpu;

typedef struct CliMigPlan {
  CliMigPlanGpu gpus[GPU_COUNT_MAX]; /* those that are named, in the order of the observation */
  int count;
  bool takes_used; /* slices that processes use may go as well */
} CliMigPlan;

/* Refuses what cannot be: MIG mode off, a GPU that cannot be read, a layout that its model does not allow,
 * and slices in use that would have to go. */
int cli_mig_plan(const MigWish *wish, const GpuObservation *observation, bool takes_used,
                 CliMigPlan *ret_plan, Error *err) MUST_CHECK;

/* "GPU 0: destroy 1g.10gb@6, create 3g.40gb@4; 2 slices stay", a line for each GPU that is named. */
void cli_mig_plan_format(const CliMigPlan *plan, Text *out);
/* The same for programs; done: what was planned was carried out, too. */
json_t *cli_mig_plan_tree(const CliMigPlan *plan, bool done);
