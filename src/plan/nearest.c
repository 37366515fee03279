/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/nearest.h"

enum { LISTED_MAX = 3 /* slices that a sentence names */ };

typedef enum Bond {
  LOOSE,
  USED,
  KEPT,
  RESTING,
  GUESSED,
  PROMISED
} Bond; /* what holds a slice in its place */

/* As many free slices of a profile as floating claims may take have to stay; of those at one place, the last.
 */
static bool is_promised(const SnapshotNode *node, const SnapshotGpu *gpu, uint32_t starts, int start) {
  const MigLayout *layout = gpu->layout;
  int profile = mig_layout_find(layout, start)->profile, before = 0;
  char resource[MIG_RESOURCE_NAME_SIZE];
  mig_profile_format_resource(gpu->model->profiles[profile].name, resource);
  for (uint32_t others = starts & ((UINT32_C(1) << start) - 1); others; others &= others - 1)
    before += mig_layout_find(layout, __builtin_ctz(others))->profile == profile;
  return before >= snapshot_free_of(node, resource);
}

static Bond find_bond(const SnapshotNode *node, const SnapshotGpu *gpu, uint32_t overlapped, int start) {
  uint32_t loose = snapshot_withdrawable(node, gpu);
  if (gpu->used_starts >> start & 1)
    return USED;
  if (gpu->keep_starts >> start & 1)
    return KEPT;
  if (!(loose >> start & 1))
    return node->growth_only ? RESTING : GUESSED;
  return is_promised(node, gpu, overlapped & loose, start) ? PROMISED : LOOSE;
}

static uint32_t find_overlapped(const SnapshotGpu *gpu, int profile, int start) {
  const MigLayout *layout = gpu->layout;
  uint32_t mask = mig_placement_mask(gpu->model, profile, start), overlapped = 0;
  for (int i = 0; i < layout->count; i++) {
    const MigInstance *instance = &layout->instances[i];
    if (mig_placement_mask(gpu->model, instance->profile, instance->start) & mask)
      overlapped |= UINT32_C(1) << instance->start;
  }
  return overlapped;
}

static void weigh_place(PlanNearest *nearest, const SnapshotNode *node, const SnapshotGpu *gpu, int index,
                        int profile, int start) {
  uint32_t overlapped = find_overlapped(gpu, profile, start);
  int in_the_way = 0, used = 0;
  for (uint32_t rest = overlapped; rest; rest &= rest - 1) {
    Bond bond = find_bond(node, gpu, overlapped, __builtin_ctz(rest));
    in_the_way += bond != LOOSE;
    used += bond == USED;
  }
  if (nearest->gpu >= 0 &&
      (used > nearest->used || (used == nearest->used && in_the_way >= nearest->in_the_way)))
    return;
  nearest->gpu = index;
  nearest->start = start;
  nearest->profile = profile;
  nearest->in_the_way = in_the_way;
  nearest->used = used;
}

void plan_nearest_find(const PlanProblem *problem, int kind, const bool *open, PlanNearest *ret_nearest) {
  *ret_nearest = (PlanNearest){.gpu = -1};
  for (int i = 0; i < (int)problem->gpus.count; i++) {
    int host = problem->gpus.items[i].host;
    const SnapshotGpu *gpu = plan_problem_gpu(problem, i);
    int profile = plan_problem_model(problem, i)->profile_of_kind[kind];
    if (profile < 0 || !open[host])
      continue;
    ret_nearest->gpu_count++;
    for (uint32_t starts = gpu->model->profiles[profile].starts; starts; starts &= starts - 1)
      weigh_place(ret_nearest, plan_problem_node(problem, host), gpu, i, profile, __builtin_ctz(starts));
  }
}

static void append_bond(Text *text, const SnapshotGpu *gpu, Bond bond) {
  static const char *const words[] = {
      [LOOSE] = "free",
      [USED] = "used by a pod",
      [KEPT] = ("kept by " MIG_ANNOTATION_KEEP_PREFIX),
      [RESTING] = "free, but its node was re-cut too often in the last minute",
      [GUESSED] = "free, but only counts tell of it and not its place",
      [PROMISED] = "free, but promised to a pod that is on its way",
  };
  text_append(text, words[bond]);
  if (bond == KEPT)
    text_format(text, "%d", gpu->index);
}

static void append_slices_in_the_way(Text *text, const SnapshotNode *node, const SnapshotGpu *gpu,
                                     const PlanNearest *nearest) {
  int listed = 0, more = 0;
  uint32_t overlapped = find_overlapped(gpu, nearest->profile, nearest->start);
  for (uint32_t rest = overlapped; rest; rest &= rest - 1) {
    int start = __builtin_ctz(rest);
    Bond bond = find_bond(node, gpu, overlapped, start);
    if (bond == LOOSE)
      continue;
    if (listed == LISTED_MAX) {
      more++;
      continue;
    }
    text_format(text, "%s%s@%d ", listed++ ? ", " : " (",
                gpu->model->profiles[mig_layout_find(gpu->layout, start)->profile].name, start);
    append_bond(text, gpu, bond);
  }
  if (more)
    text_format(text, ", and %d more", more);
  text_append(text, ")");
}

/* "GPU 0 of node n1 empty, but 5 slices are on it (...)" or "slots 4-7 of ..., but 1 slice is in the way
 * (...)". */
static void append_place(Text *text, const SnapshotNode *node, const SnapshotGpu *gpu,
                         const PlanNearest *nearest) {
  const MigProfile *profile = &gpu->model->profiles[nearest->profile];
  bool is_whole = profile->size == gpu->model->slot_count;
  text_format(text, "%s needs ", profile->name);
  if (profile->size == 1)
    text_format(text, "slot %d of ", nearest->start);
  else if (!is_whole)
    text_format(text, "slots %d-%d of ", nearest->start, nearest->start + profile->size - 1);
  text_format(text, "GPU %d of node %s%s, but %d slice%s %s", gpu->index, node->name,
              is_whole ? " empty" : "", nearest->in_the_way, nearest->in_the_way == 1 ? " is" : "s are",
              is_whole ? "on it" : "in the way");
  append_slices_in_the_way(text, node, gpu, nearest);
}

/* No slice that has to stay overlaps the place, so a limit of the whole GPU must forbid it. */
static void append_rule(Text *text, const SnapshotNode *node, const SnapshotGpu *gpu,
                        const PlanNearest *nearest) {
  MigLayout layout = *gpu->layout;
  Error err;
  for (uint32_t loose = snapshot_withdrawable(node, gpu); loose; loose &= loose - 1)
    mig_layout_remove(&layout, __builtin_ctz(loose));
  int r = mig_layout_why_not(&layout, nearest->profile, nearest->start, &err);
  text_format(text, "%s has no place on GPU %d of node %s: %s", gpu->model->profiles[nearest->profile].name,
              gpu->index, node->name, r < 0 ? err.text : "it needs more steps to plan than facet takes");
}

void plan_nearest_format(const PlanProblem *problem, const PlanNearest *nearest, Text *text) {
  assert(nearest->gpu >= 0);
  const SnapshotNode *node = plan_problem_node(problem, problem->gpus.items[nearest->gpu].host);
  const SnapshotGpu *gpu = plan_problem_gpu(problem, nearest->gpu);
  if (nearest->in_the_way)
    append_place(text, node, gpu, nearest);
  else
    append_rule(text, node, gpu, nearest);
  if (nearest->gpu_count > 1)
    text_format(text, "; no other of the %d GPUs for it is nearer", nearest->gpu_count);
}
