/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/census.h"

#include "explain/room.h"

static const char *const names[] = {[EXPLAIN_SLOT_USED] = "used",
                                    [EXPLAIN_SLOT_FREE] = "free",
                                    [EXPLAIN_SLOT_EMPTY] = "empty",
                                    [EXPLAIN_SLOT_UNUSABLE] = "unusable",
                                    [EXPLAIN_SLOT_CLOSED] = "closed"};

const char *explain_slot_name(ExplainSlot slot) {
  assert(slot < COUNT_OF(names));
  return names[slot];
}

static bool may_make(const SnapshotNode *node, const SnapshotGpu *gpu) {
  return node->may_change && gpu->model && !gpu->blocked;
}

/* Slots that some slice that may be made would take, beside what has to stay. */
static uint32_t find_usable(const SnapshotNode *node, const SnapshotGpu *gpu) {
  MigLayout fixed = explain_room_fixed(node, gpu);
  uint32_t usable = 0;
  for (int p = 0; p < gpu->model->profile_count; p++)
    for (uint32_t starts = gpu->allowed >> p & 1 ? mig_layout_free_starts(&fixed, p) : 0; starts;
         starts &= starts - 1)
      usable |= mig_placement_mask(gpu->model, p, __builtin_ctz(starts));
  return usable;
}

void explain_census_slots(const SnapshotNode *node, const SnapshotGpu *gpu,
                          ExplainSlot ret_slots[MIG_SLOTS_MAX]) {
  assert(gpu->model);
  bool is_open = may_make(node, gpu);
  uint32_t usable = is_open ? find_usable(node, gpu) : 0;
  for (int slot = 0; slot < gpu->model->slot_count; slot++)
    ret_slots[slot] = !is_open             ? EXPLAIN_SLOT_CLOSED
                      : usable >> slot & 1 ? EXPLAIN_SLOT_EMPTY
                                           : EXPLAIN_SLOT_UNUSABLE;
  for (int i = 0; i < gpu->layout->count; i++) {
    const MigInstance *instance = &gpu->layout->instances[i];
    uint32_t mask = mig_placement_mask(gpu->model, instance->profile, instance->start);
    for (; mask; mask &= mask - 1)
      ret_slots[__builtin_ctz(mask)] =
          gpu->used_starts >> instance->start & 1 ? EXPLAIN_SLOT_USED : EXPLAIN_SLOT_FREE;
  }
}

void explain_slots_add(ExplainSlots *slots, const SnapshotNode *node, const SnapshotGpu *gpu) {
  ExplainSlot kinds[MIG_SLOTS_MAX];
  if (!gpu->model)
    return;
  explain_census_slots(node, gpu, kinds);
  for (int slot = 0; slot < gpu->model->slot_count; slot++)
    slots->counts[kinds[slot]]++;
}

int64_t explain_slots_total(const ExplainSlots *slots) {
  int64_t total = 0;
  for (int i = 0; i < EXPLAIN_SLOT_KINDS; i++)
    total += slots->counts[i];
  return total;
}

/* Slices of one profile are equally long, so taking the leftmost places first makes the most of them. */
static int count_more(const SnapshotNode *node, const SnapshotGpu *gpu, int profile) {
  if (!may_make(node, gpu) || !(gpu->allowed >> profile & 1))
    return 0;
  MigLayout layout = *gpu->layout;
  for (uint32_t loose = explain_room_loose(node, gpu); loose; loose &= loose - 1)
    if (mig_layout_find(&layout, __builtin_ctz(loose))->profile != profile)
      mig_layout_remove(&layout, __builtin_ctz(loose));
  int more = 0;
  for (int start = 0; start < gpu->model->slot_count; start++)
    if (mig_layout_can_place(&layout, profile, start)) {
      mig_layout_place(&layout, profile, start);
      more++;
    }
  return more;
}

enum { MODELS_MAX = 32 };

static ExplainTally *find_tally(ExplainCensus *census, const MigModel *model, int profile) {
  for (size_t i = 0; i < census->tallies.count; i++) {
    ExplainTally *tally = &census->tallies.items[i];
    if (strcmp(tally->model->name, model->name) == 0 &&
        strcmp(tally->profile->name, model->profiles[profile].name) == 0)
      return tally;
  }
  if (census->tallies.count == (size_t)MODELS_MAX * MIG_PROFILES_MAX)
    return NULL;
  ExplainTally *added = array_push(&census->tallies);
  added->model = model;
  added->profile = &model->profiles[profile];
  return added;
}

static void count_slices(const SnapshotGpu *gpu, int profile, ExplainTally *tally) {
  for (int i = 0; i < gpu->layout->count; i++) {
    if (gpu->layout->instances[i].profile != profile)
      continue;
    if (gpu->used_starts >> gpu->layout->instances[i].start & 1)
      tally->used++;
    else
      tally->free++;
  }
}

static void add_gpu(ExplainCensus *census, const SnapshotNode *node, const SnapshotGpu *gpu) {
  census->gpu_count++;
  if (!gpu->model) {
    census->unknown_count++;
    return;
  }
  explain_slots_add(&census->slots, node, gpu);
  for (int p = 0; p < gpu->model->profile_count; p++) {
    int count = mig_layout_count(gpu->layout, p), more = count_more(node, gpu, p);
    ExplainTally *tally = count || more ? find_tally(census, gpu->model, p) : NULL;
    if ((count || more) && !tally)
      census->models_left_out = 1;
    if (!tally)
      continue;
    count_slices(gpu, p, tally);
    tally->more += more;
  }
}

static int compare_tallies(const void *a, const void *b) {
  const ExplainTally *left = a, *right = b;
  int order = strcmp(left->model->name, right->model->name);
  if (!order && left->profile->size != right->profile->size)
    return left->profile->size < right->profile->size ? -1 : 1;
  return order ? order : strcmp(left->profile->name, right->profile->name);
}

void explain_census_take(const Snapshot *snapshot, int only_node, ExplainCensus *ret_census) {
  *ret_census = (ExplainCensus){0};
  for (size_t n = 0; n < snapshot->nodes.count; n++) {
    const SnapshotNode *node = &snapshot->nodes.items[n];
    if (!node->gpu_count || (only_node >= 0 && (int)n != only_node))
      continue;
    ret_census->node_count++;
    for (int g = 0; g < node->gpu_count; g++)
      add_gpu(ret_census, node, &node->gpus[g]);
  }
  if (ret_census->tallies.count)
    qsort(ret_census->tallies.items, ret_census->tallies.count, sizeof ret_census->tallies.items[0],
          compare_tallies);
}

void explain_census_deinit(ExplainCensus *census) {
  array_deinit(&census->tallies);
}
