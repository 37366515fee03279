/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/plan_view.h"
#include "cli/printable.h"

static json_t *slice_to_json(const MigProfile *profile, int start, PlanState state) {
  return json_pack("{s:s,s:i,s:i,s:s}", "profile", profile->name, "start", start, "size", profile->size,
                   "state", plan_state_name(state));
}

/* What goes first, then what will be there. */
static json_t *layout_to_json(const CliPlanGpu *planned) {
  const MigProfile *profiles = planned->layout.model->profiles;
  json_t *list = json_array();
  for (int i = 0; planned->changes && i < planned->changes->destroy_count; i++) {
    const PlanDestroy *destroy = &planned->changes->destroys[i];
    json_array_append_new(list, slice_to_json(&profiles[destroy->profile], destroy->start, PLAN_DESTROY));
  }
  for (int i = 0; i < planned->layout.count; i++) {
    const MigInstance *instance = &planned->layout.instances[i];
    json_array_append_new(list,
                          slice_to_json(&profiles[instance->profile], instance->start, planned->states[i]));
  }
  return list;
}

static json_t *gpu_to_json(CliPlanView *view, int node, int g) {
  const SnapshotGpu *gpu = &view->snapshot->nodes.items[node].gpus[g];
  json_t *layout = NULL;
  if (gpu->model) {
    CliPlanGpu planned = cli_plan_view_gpu(view, node, g);
    layout = layout_to_json(&planned);
  }
  return json_pack("{s:i,s:s,s:o}", "index", gpu->index, "model", cli_valid(&view->arena, gpu->model_label),
                   "layout", layout ? layout : json_array());
}

static json_t *nodes_to_json(CliPlanView *view) {
  json_t *list = json_array();
  for (size_t n = 0; n < view->snapshot->nodes.count; n++) {
    const SnapshotNode *node = &view->snapshot->nodes.items[n];
    if (!node->gpu_count)
      continue;
    json_t *gpus = json_array();
    for (int g = 0; g < node->gpu_count; g++)
      json_array_append_new(gpus, gpu_to_json(view, (int)n, g));
    json_array_append_new(list,
                          json_pack("{s:s,s:o}", "name", cli_valid(&view->arena, node->name), "gpus", gpus));
  }
  return list;
}

static json_t *pod_to_json(CliPlanView *view, const PlanPod *planned) {
  const ObjectMeta *meta = &view->snapshot->pods.items[plan_pod_index(view->plan, planned)].object->meta;
  return json_pack("{s:s,s:s,s:s,s:s,s:s}", "namespace", cli_valid(&view->arena, meta->namespace_), "name",
                   cli_valid(&view->arena, meta->name), "verdict", plan_verdict_name(planned->verdict),
                   "node", cli_valid(&view->arena, cli_plan_view_node(view, planned)), "reason",
                   cli_valid(&view->arena, planned->reason));
}

static json_t *pods_to_json(CliPlanView *view) {
  json_t *list = json_array();
  for (size_t i = 0; i < view->plan->pods.count; i++)
    json_array_append_new(list, pod_to_json(view, &view->plan->pods.items[i]));
  return list;
}

json_t *cli_plan_tree(CliPlanView *view) {
  const Plan *plan = view->plan;
  json_t *summary = json_pack("{s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:f,s:b}", "pending", plan->pending, "admitted",
                              plan->admitted, "already_fit", plan->already_fit, "create", plan->create,
                              "destroy", plan->destroy, "nodes_changed", plan->nodes_changed, "bound",
                              plan->bound, "gap", plan_gap(plan), "stopped_early", plan->stopped_early);
  return json_pack("{s:o,s:o,s:o}", "summary", summary, "nodes", nodes_to_json(view), "pods",
                   pods_to_json(view));
}
