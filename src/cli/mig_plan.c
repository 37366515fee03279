/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/mig_plan.h"

#include <string.h>

static int check_gpu(const GpuObserved *gpu, Error *err) {
  MigLayout layout;
  if (gpu->trouble[0])
    return error_set(err, ERROR_GPU, "GPU %d cannot be read in full: %s", gpu->index, gpu->trouble);
  if (!gpu->mig_capable)
    return error_set(err, ERROR_UNSUPPORTED, "GPU %d (%s) has no MIG", gpu->index, gpu->product);
  if (gpu->mode == MIG_MODE_OFF)
    return error_set(err, ERROR_UNSUPPORTED,
                     "GPU %d: MIG mode is off; `nvidia-smi -i %d -mig 1` turns it on%s", gpu->index,
                     gpu->index, gpu->model.mode_needs_reset ? ", and a GPU reset makes it so" : "");
  if (gpu->mode == MIG_MODE_PENDING)
    return error_set(
        err, ERROR_UNSUPPORTED,
        "GPU %d: MIG mode waits for a reset; `nvidia-smi -i %d --gpu-reset` does it while nothing "
        "uses the GPU",
        gpu->index, gpu->index);
  if (gpu_observed_layout(gpu, &layout))
    return error_set(err, ERROR_UNSUPPORTED,
                     "GPU %d (%s) holds a slice that facet does not know for this model", gpu->index,
                     gpu->product);
  return 0;
}

static uint32_t used_starts(const GpuObserved *gpu) {
  uint32_t starts = 0;
  for (int i = 0; i < gpu->instance_count; i++)
    if (gpu->instances[i].process_count)
      starts |= UINT32_C(1) << gpu->instances[i].start;
  return starts;
}

static void list_slice(MigList *list, const GpuObserved *gpu, int nvml_id, int start) {
  MigListItem *item = &list->items[list->count++];
  *item = (MigListItem){.start = start};
  snprintf(item->profile, sizeof item->profile, "%s", gpu_observed_profile_name(gpu, nvml_id));
}

static void compare(const GpuObserved *gpu, const MigLayout *wanted, CliMigPlanGpu *ret_change) {
  *ret_change = (CliMigPlanGpu){.index = gpu->index};
  memcpy(ret_change->uuid, gpu->uuid, sizeof ret_change->uuid);
  for (int i = 0; i < wanted->count; i++) {
    const MigProfile *profile = &wanted->model->profiles[wanted->instances[i].profile];
    const uint8_t start = wanted->instances[i].start;
    const GpuInstance *instance = gpu_observed_find(gpu, profile->nvml_id, start);
    gpu_places_add(&ret_change->goal,
                   (GpuPlace){.nvml_id = profile->nvml_id, .start = start, .size = profile->size});
    list_slice(instance && instance->uuid[0] ? &ret_change->kept : &ret_change->created, gpu,
               profile->nvml_id, start);
  }
  for (int i = 0; i < gpu->instance_count; i++)
    if (!gpu_places_have(&ret_change->goal, gpu->instances[i].nvml_id, gpu->instances[i].start))
      list_slice(&ret_change->destroyed, gpu, gpu->instances[i].nvml_id, gpu->instances[i].start);
}

int cli_mig_plan(const MigWish *wish, const GpuObservation *observation, bool takes_used,
                 CliMigPlan *ret_plan, Error *err) {
  *ret_plan = (CliMigPlan){.takes_used = takes_used};
  for (int i = 0; i < observation->gpu_count; i++) {
    const GpuObserved *gpu = &observation->gpus[i];
    MigLayout layout;
    if (!wish->gpus[i].named)
      continue;
    int r = check_gpu(gpu, err);
    if (r == 0)
      r = cli_mig_wish_bind(&wish->gpus[i], gpu, takes_used ? 0 : used_starts(gpu), &layout, err);
    if (r < 0)
      return r;
    compare(gpu, &layout, &ret_plan->gpus[ret_plan->count++]);
  }
  return 0;
}

static void format_list(const char *verb, const MigList *list, bool follows, Text *out) {
  for (int i = 0; i < list->count; i++)
    text_format(out, "%s %s%s@%d", follows || i ? "," : "", i ? "" : verb, list->items[i].profile,
                list->items[i].start);
}

void cli_mig_plan_format(const CliMigPlan *plan, Text *out) {
  for (int i = 0; i < plan->count; i++) {
    const CliMigPlanGpu *gpu = &plan->gpus[i];
    bool changes = gpu->destroyed.count || gpu->created.count, one = gpu->kept.count == 1;
    text_format(out, "GPU %d:%s", gpu->index, changes ? "" : " nothing to change");
    format_list("destroy ", &gpu->destroyed, false, out);
    format_list("create ", &gpu->created, gpu->destroyed.count, out);
    text_format(out, "; %d slice%s stay%s\n", gpu->kept.count, one ? "" : "s", one ? "s" : "");
  }
}

static json_t *list_to_tree(const MigList *list) {
  json_t *tree = json_array();
  for (int i = 0; i < list->count; i++)
    json_array_append_new(
        tree, json_pack("{s:s,s:i}", "profile", list->items[i].profile, "start", list->items[i].start));
  return tree;
}

json_t *cli_mig_plan_tree(const CliMigPlan *plan, bool done) {
  json_t *gpus = json_array();
  for (int i = 0; i < plan->count; i++) {
    const CliMigPlanGpu *gpu = &plan->gpus[i];
    json_t *tree = json_pack("{s:i,s:s,s:o,s:o,s:o,s:b}", "index", gpu->index, "uuid", gpu->uuid, "destroy",
                             list_to_tree(&gpu->destroyed), "create", list_to_tree(&gpu->created), "keep",
                             list_to_tree(&gpu->kept), "done", done && !gpu->failure[0]);
    if (gpu->failure[0])
      json_object_set_new(tree, "error", json_string(gpu->failure));
    json_array_append_new(gpus, tree);
  }
  return json_pack("{s:o}", "gpus", gpus);
}
