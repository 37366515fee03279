/* SPDX-License-Identifier: Apache-2.0 */
#include "simulate/gaps.h"

#include "base/memory.h"
#include "simulate/migbench.h"

enum { REMEMBERED_SLOTS_MAX = 12, MEMORY_MAX = 32, UNKNOWN = -1 };

void simulate_gaps_memo_deinit(SimulateGapsMemo *memo) {
  for (int m = 0; m < SIMULATE_MODELS_MAX; m++)
    free(memo->packs[m]);
  *memo = (SimulateGapsMemo){0};
}

/* The compute slot of each start: the smallest slices lie side by side on the compute slots. */
static int compute_slot(const MigModel *model, int start) {
  const MigProfile *smallest = &model->profiles[0];
  return start * smallest->slice_count / smallest->size;
}

/* As many compute slices as further slices can have, at most: the lowest start that is left is taken by one
 * of the profiles, or by none. */
static int pack(const MigModel *model, uint32_t used, int memory, int start) {
  int best = 0;
  for (; start < model->slot_count; start++)
    for (int p = 0; p < model->profile_count; p++) {
      const MigProfile *profile = &model->profiles[p];
      int takes = simulate_memory_of_profile(model, p);
      if (profile->kind != MIG_PLAIN || !(profile->starts >> start & 1) || takes > memory)
        continue;
      uint32_t mask = mig_placement_mask(model, p, start);
      if (used & mask)
        continue;
      int count = profile->slice_count + pack(model, used | mask, memory - takes, start + 1);
      best = count > best ? count : best;
    }
  return best;
}

static int find_pack(SimulateGapsMemo *memo, const SimulateGpu *gpu, uint32_t used, int memory) {
  const MigModel *model = gpu->layout.model;
  assert(model->slot_count <= REMEMBERED_SLOTS_MAX && memory >= 0 && memory < MEMORY_MAX);
  size_t size = (size_t)MEMORY_MAX << model->slot_count;
  int8_t **packs = &memo->packs[gpu->model];
  if (!*packs) {
    *packs = mem_alloc(size);
    memset(*packs, UNKNOWN, size);
  }
  int8_t *known = &(*packs)[(size_t)used * MEMORY_MAX + (size_t)memory];
  if (*known == UNKNOWN)
    *known = (int8_t)pack(model, used, memory, 0);
  return *known;
}

static int count_longest_run(uint32_t bits) {
  int count = 0;
  for (; bits; bits &= bits << 1)
    count++;
  return count;
}

void simulate_gaps_measure(SimulateGapsMemo *memo, const SimulateGpu *gpu, SimulateGaps *ret_gaps) {
  const MigModel *model = gpu->layout.model;
  uint32_t used = 0, computing = 0;
  for (int i = 0; i < gpu->layout.count; i++) {
    const MigInstance *instance = &gpu->layout.instances[i];
    if (!(gpu->used_starts >> instance->start & 1))
      continue;
    int slices = model->profiles[instance->profile].slice_count;
    used |= mig_placement_mask(model, instance->profile, instance->start);
    computing |= ((UINT32_C(1) << slices) - 1) << compute_slot(model, instance->start);
  }
  uint32_t free = ~computing & ((UINT32_C(1) << simulate_model_slices(model)) - 1);
  int count = __builtin_popcount(free);
  *ret_gaps = (SimulateGaps){0};
  if (!count)
    return;
  ret_gaps->scattered = (double)(count - count_longest_run(free)) / count;
  ret_gaps->stranded = (double)(count - find_pack(memo, gpu, used, simulate_gpu_memory_left(gpu))) / count;
}
