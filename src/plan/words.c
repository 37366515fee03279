/* SPDX-License-Identifier: Apache-2.0 */
/* A plan in the words and lists of the contract with people and agents. */
#include "plan/plan.h"

static const char *const verdict_names[] = {[PLAN_IGNORED] = "ignored",
                                            [PLAN_FITS] = "fits",
                                            [PLAN_ADMITTED] = "admitted",
                                            [PLAN_BLOCKED] = "blocked"};
static const char *const state_names[] = {
    [PLAN_USED] = "used", [PLAN_KEEP] = "keep", [PLAN_CREATE] = "create", [PLAN_DESTROY] = "destroy"};

const char *plan_verdict_name(PlanVerdict verdict) {
  assert(verdict < COUNT_OF(verdict_names));
  return verdict_names[verdict];
}

const char *plan_state_name(PlanState state) {
  assert(state < COUNT_OF(state_names));
  return state_names[state];
}

void plan_gpu_list(const Snapshot *snapshot, const PlanGpu *gpu, MigList *ret_list) {
  const SnapshotGpu *existing = &snapshot->nodes.items[gpu->node].gpus[gpu->gpu];
  MigLayout stays = *existing->layout;
  for (int i = 0; i < gpu->destroy_count; i++)
    mig_layout_remove(&stays, gpu->destroys[i].start);
  mig_list_from_layout(&stays, ret_list);
  for (int i = 0; i < gpu->create_count; i++) {
    assert(ret_list->count < MIG_INSTANCES_MAX);
    MigListItem *item = &ret_list->items[ret_list->count++];
    *item = (MigListItem){.start = gpu->creates[i].start};
    memcpy(item->profile, existing->model->profiles[gpu->creates[i].profile].name, sizeof item->profile);
  }
}
