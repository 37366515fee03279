/* SPDX-License-Identifier: Apache-2.0 */
/* What `facet plan` says, for people and for programs. */
#pragma once

#include "base/text.h"
#include "plan/plan.h"

#include <jansson.h>

typedef struct CliPlanView {
  const Snapshot *snapshot;
  const Plan *plan;
  Arena arena; /* of what is printed */
} CliPlanView;

typedef struct CliPlanGpu { /* one GPU as it is planned */
  MigLayout layout;         /* with the creates in place of the destroys */
  PlanState states[MIG_INSTANCES_MAX];
  const PlanGpu *changes; /* NULL: none */
} CliPlanGpu;

void cli_plan_view_deinit(CliPlanView *view);
/* The GPU's model is known. */
CliPlanGpu cli_plan_view_gpu(const CliPlanView *view, int node, int gpu);
/* "" where the pod gets none. */
const char *cli_plan_view_node(const CliPlanView *view, const PlanPod *planned);
int cli_plan_view_blocked(const Plan *plan);

/* Drawn GPUs and a line for each pod; of large clusters only what changes, and pods that hear the same once.
 */
void cli_plan_table(CliPlanView *view, bool colours, Text *out);
/* The stable interface: {"summary": ..., "nodes": [...], "pods": [...]}. */
json_t *cli_plan_tree(CliPlanView *view);
