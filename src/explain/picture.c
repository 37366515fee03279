/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/picture.h"

#include "explain/room.h"

int explain_picture_cells(const ExplainHolding *holding, const Snapshot *snapshot, int node, int gpu,
                          ExplainCell ret_cells[MIG_SLOTS_MAX]) {
  const SnapshotNode *on = &snapshot->nodes.items[node];
  const SnapshotGpu *drawn = &on->gpus[gpu];
  ExplainSlot slots[MIG_SLOTS_MAX];
  int count = 0;
  explain_census_slots(on, drawn, slots);
  for (int slot = 0; slot < drawn->model->slot_count;) {
    const MigInstance *instance = mig_layout_find(drawn->layout, slot);
    ExplainCell *cell = &ret_cells[count++];
    *cell = (ExplainCell){.start = slot, .size = 1, .slot = slots[slot]};
    if (instance) {
      cell->profile = &drawn->model->profiles[instance->profile];
      cell->size = cell->profile->size;
      cell->kept = drawn->keep_starts >> slot & 1;
      cell->promised = explain_room_promised(on, drawn) >> slot & 1;
      if (cell->slot == EXPLAIN_SLOT_USED)
        cell->holders = explain_holding_find(holding, node, cell->profile->name);
    }
    slot += cell->size;
  }
  return count;
}

const char *explain_picture_closed(const SnapshotNode *node, const SnapshotGpu *gpu) {
  return gpu->blocked ? gpu->blocked : node->may_change ? NULL : node->blocked;
}

static void append_look(Text *key, const SnapshotNode *node) {
  text_format(key, "%d", node->may_change);
  for (int g = 0; g < node->gpu_count; g++) {
    const SnapshotGpu *gpu = &node->gpus[g];
    text_format(key, "\n%s %d %d %d %x %x %x", gpu->model_label, gpu->mode, gpu->blocked != NULL,
                gpu->assumed, gpu->used_starts, gpu->keep_starts, gpu->allowed);
    text_format(key, " %x", gpu->model ? explain_room_promised(node, gpu) : 0);
    for (int i = 0; gpu->model && i < gpu->layout->count; i++)
      text_format(key, " %d@%d", gpu->layout->instances[i].profile, gpu->layout->instances[i].start);
  }
}

void explain_picture_looks(const Snapshot *snapshot, int only_node, bool merge, ExplainLooks *ret_looks) {
  CLEANUP(map_deinit) Map seen = {0};
  CLEANUP(text_deinit) Text key = {0};
  for (size_t n = 0; n < snapshot->nodes.count; n++) {
    const SnapshotNode *node = &snapshot->nodes.items[n];
    if (!node->gpu_count || (only_node >= 0 && (int)n != only_node))
      continue;
    text_clear(&key);
    append_look(&key, node);
    uintptr_t known = merge ? (uintptr_t)map_find(&seen, text_string(&key)) : 0;
    if (known) {
      ret_looks->items[known - 1].count++;
      continue;
    }
    *array_push(ret_looks) = (ExplainLook){.node = (int)n, .count = 1};
    if (merge)
      map_put(&seen, text_string(&key), (void *)(uintptr_t)ret_looks->count);
  }
}
