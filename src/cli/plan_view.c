/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/plan_view.h"

void cli_plan_view_deinit(CliPlanView *view) {
  arena_deinit(&view->arena);
}

/* The plan has them by node, then GPU: the nodes of the snapshot are sorted by name. */
static int compare_planned(const void *a, const void *b) {
  const PlanGpu *left = a, *right = b;
  return left->node != right->node ? left->node - right->node : left->gpu - right->gpu;
}

static const PlanGpu *find_planned(const Plan *plan, int node, int gpu) {
  const PlanGpu wanted = {.node = node, .gpu = gpu};
  if (!plan->gpus.count)
    return NULL;
  return bsearch(&wanted, plan->gpus.items, plan->gpus.count, sizeof wanted, compare_planned);
}

CliPlanGpu cli_plan_view_gpu(const CliPlanView *view, int node, int g) {
  const SnapshotGpu *gpu = &view->snapshot->nodes.items[node].gpus[g];
  const PlanGpu *changes = find_planned(view->plan, node, g);
  CliPlanGpu planned = {.layout = *gpu->layout, .changes = changes};
  uint32_t created = 0;
  for (int i = 0; changes && i < changes->destroy_count; i++)
    mig_layout_remove(&planned.layout, changes->destroys[i].start);
  for (int i = 0; changes && i < changes->create_count; i++) {
    mig_layout_place(&planned.layout, changes->creates[i].profile, changes->creates[i].start);
    created |= 1u << changes->creates[i].start;
  }
  for (int i = 0; i < planned.layout.count; i++) {
    int start = planned.layout.instances[i].start;
    planned.states[i] = created >> start & 1            ? PLAN_CREATE
                        : gpu->used_starts >> start & 1 ? PLAN_USED
                                                        : PLAN_KEEP;
  }
  return planned;
}

const char *cli_plan_view_node(const CliPlanView *view, const PlanPod *planned) {
  return planned->node >= 0 ? view->snapshot->nodes.items[planned->node].name : "";
}

int cli_plan_view_blocked(const Plan *plan) {
  return plan->pending - plan->already_fit - plan->admitted;
}
