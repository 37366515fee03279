/* SPDX-License-Identifier: Apache-2.0 */
/* The view for programs: every node, GPU and slice. */
#include "cli/printable.h"
#include "cli/view.h"

static json_t *slots_to_tree(const ExplainSlots *slots) {
  json_t *tree = json_object();
  json_object_set_new(tree, "total", json_integer(explain_slots_total(slots)));
  for (int i = 0; i < EXPLAIN_SLOT_KINDS; i++)
    json_object_set_new(tree, explain_slot_name((ExplainSlot)i), json_integer(slots->counts[i]));
  return tree;
}

static json_t *summary_to_tree(const ExplainCensus *census) {
  int64_t total = explain_slots_total(&census->slots);
  double used = total ? (double)census->slots.counts[EXPLAIN_SLOT_USED] / (double)total : 0;
  return json_pack("{s:I,s:I,s:I,s:o,s:f}", "nodes", (json_int_t)census->node_count, "gpus",
                   (json_int_t)census->gpu_count, "unknown_gpus", (json_int_t)census->unknown_count, "slots",
                   slots_to_tree(&census->slots), "utilisation", used);
}

static json_t *tallies_to_tree(View *view) {
  json_t *list = json_array();
  for (size_t i = 0; i < view->census->tallies.count; i++) {
    const ExplainTally *tally = &view->census->tallies.items[i];
    json_array_append_new(list, json_pack("{s:s,s:s,s:I,s:I,s:I}", "model",
                                          cli_valid(&view->arena, tally->model->name), "profile",
                                          tally->profile->name, "used", (json_int_t)tally->used, "free",
                                          (json_int_t)tally->free, "more", (json_int_t)tally->more));
  }
  return list;
}

/* "exact": this pod. "one of": one of these. "incomplete": one of these, or a pod that is not listed.
 * "unknown": a pod that is not listed. */
static const char *name_knowledge(const ExplainHolders *holders) {
  if (!holders || !holders->pod_count)
    return "unknown";
  if (explain_holders_sole(holders) >= 0)
    return "exact";
  return holders->is_short ? "incomplete" : "one of";
}

static json_t *holders_to_tree(View *view, const ExplainHolders *holders) {
  json_t *list = json_array();
  for (size_t i = 0; holders && i < holders->pod_count; i++) {
    CLEANUP(text_deinit) Text text = {0};
    explain_pod_format(view->cluster->pods[holders->pods[i]], &text);
    json_array_append_new(list, json_string(cli_valid(&view->arena, text_string(&text))));
  }
  return list;
}

static json_t *slice_to_tree(View *view, const ExplainCell *cell) {
  json_t *tree = json_pack("{s:s,s:i,s:i,s:s,s:b,s:b}", "profile", cell->profile->name, "start", cell->start,
                           "size", cell->size, "state", explain_slot_name(cell->slot), "kept", cell->kept,
                           "promised", cell->promised);
  if (cell->slot == EXPLAIN_SLOT_USED) {
    json_object_set_new(tree, "known", json_string(name_knowledge(cell->holders)));
    json_object_set_new(tree, "holders", holders_to_tree(view, cell->holders));
  }
  return tree;
}

static void add_cells(View *view, json_t *tree, int node, int gpu) {
  ExplainCell cells[MIG_SLOTS_MAX];
  json_t *slices = json_array(), *unusable = json_array();
  int count = explain_picture_cells(view->holding, view->snapshot, node, gpu, cells);
  for (int i = 0; i < count; i++) {
    if (cells[i].profile)
      json_array_append_new(slices, slice_to_tree(view, &cells[i]));
    else if (cells[i].slot == EXPLAIN_SLOT_UNUSABLE)
      json_array_append_new(unusable, json_integer(cells[i].start));
  }
  json_object_set_new(tree, "slices", slices);
  json_object_set_new(tree, "unusable_slots", unusable);
}

static json_t *gpu_to_tree(View *view, int node, int g) {
  static const char *const modes[] = {
      [MIG_MODE_OFF] = "off", [MIG_MODE_ON] = "on", [MIG_MODE_PENDING] = "pending"};
  const SnapshotNode *on = &view->snapshot->nodes.items[node];
  const SnapshotGpu *gpu = &on->gpus[g];
  char uuid[MIG_UUID_SIZE];
  ExplainSlots slots = {0};
  explain_slots_add(&slots, on, gpu);
  json_t *tree = json_pack("{s:i,s:s,s:s,s:s,s:b,s:s,s:o}", "index", gpu->index, "uuid",
                           cli_valid(&view->arena, snapshot_gpu_uuid(on, gpu, uuid)), "model",
                           cli_valid(&view->arena, gpu->model_label), "mig", modes[gpu->mode], "guessed",
                           gpu->assumed, "closed", cli_valid(&view->arena, explain_picture_closed(on, gpu)),
                           "slots", slots_to_tree(&slots));
  if (gpu->model)
    add_cells(view, tree, node, g);
  return tree;
}

static json_t *nodes_to_tree(View *view) {
  json_t *list = json_array();
  for (size_t n = 0; n < view->snapshot->nodes.count; n++) {
    const SnapshotNode *node = &view->snapshot->nodes.items[n];
    if (!node->gpu_count || (view->only_node >= 0 && (int)n != view->only_node))
      continue;
    json_t *gpus = json_array();
    for (int g = 0; g < node->gpu_count; g++)
      json_array_append_new(gpus, gpu_to_tree(view, (int)n, g));
    json_array_append_new(list,
                          json_pack("{s:s,s:o}", "name", cli_valid(&view->arena, node->name), "gpus", gpus));
  }
  return list;
}

json_t *cli_view_tree(View *view) {
  return json_pack("{s:o,s:o,s:o}", "summary", summary_to_tree(view->census), "profiles",
                   tallies_to_tree(view), "nodes", nodes_to_tree(view));
}
