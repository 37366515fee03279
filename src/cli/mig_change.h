/* SPDX-License-Identifier: Apache-2.0 */
/* Carries a plan out, GPU by GPU, by the same engine as the agent's (gpu/transaction.h). */
#pragma once

#include "cli/mig_gpus.h"
#include "cli/mig_plan.h"

/* A GPU whose change fails gets its layout back, and the next one follows; SIGINT and SIGTERM let the GPU at
 * hand finish. Failures go to standard error and into the plan; steps, where they are asked for, to standard
 * output. Fails where any GPU is not as it was wished. */
int cli_mig_carry_out(CliMigPlan *plan, CliMigGpus *gpus, bool says_steps, Error *err) MUST_CHECK;
