/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/problem.h"

void plan_problem_init(PlanProblem *problem, Snapshot *snapshot, int64_t old_before) {
  *problem = (PlanProblem){.snapshot = snapshot, .old_before = old_before};
  plan_queue_init(problem);
  plan_fleet_init(problem);
}

void plan_problem_deinit(PlanProblem *problem) {
  array_deinit(&problem->kinds);
  array_deinit(&problem->classes);
  array_deinit(&problem->waiting);
  array_deinit(&problem->shapes);
  array_deinit(&problem->models);
  array_deinit(&problem->stocks);
  array_deinit(&problem->hosts);
  array_deinit(&problem->gpus);
  array_deinit(&problem->pools);
  array_deinit(&problem->resources);
  arena_deinit(&problem->arena);
}

const SnapshotPod *plan_problem_pod(const PlanProblem *problem, int waiting) {
  return &problem->snapshot->pods.items[problem->waiting.items[waiting].pod];
}

size_t plan_problem_tier_end(const PlanProblem *problem, size_t first) {
  const PlanWaiting *waiting = problem->waiting.items;
  size_t low = first + 1, high = problem->waiting.count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (waiting[middle].tier == waiting[first].tier)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

SnapshotNode *plan_problem_node(const PlanProblem *problem, int host) {
  return &problem->snapshot->nodes.items[problem->hosts.items[host].node];
}

SnapshotGpu *plan_problem_gpu(const PlanProblem *problem, int gpu) {
  const PlanHostGpu *host_gpu = &problem->gpus.items[gpu];
  return &plan_problem_node(problem, host_gpu->host)->gpus[host_gpu->gpu];
}

const PlanModel *plan_problem_model(const PlanProblem *problem, int gpu) {
  return &problem->models.items[problem->gpus.items[gpu].model];
}

const PlanGeometry *plan_problem_geometry(const PlanProblem *problem, int gpu) {
  return &problem->shapes.items[plan_problem_model(problem, gpu)->shape].geometry;
}

int plan_problem_free(const PlanProblem *problem, int host, int kind) {
  int64_t count = snapshot_free_of(plan_problem_node(problem, host), problem->kinds.items[kind].resource);
  return count < 0 ? 0 : (count > PLAN_SLICES_MAX ? PLAN_SLICES_MAX : (int)count);
}

uint32_t plan_problem_withdrawable(const PlanProblem *problem, int gpu) {
  return snapshot_withdrawable(plan_problem_node(problem, problem->gpus.items[gpu].host),
                               plan_problem_gpu(problem, gpu));
}

int64_t plan_problem_slots(const PlanProblem *problem, bool existing_only) {
  int64_t slots = 0;
  for (int gpu = 0; gpu < (int)problem->gpus.count && !existing_only; gpu++) {
    const MigLayout *layout = plan_problem_gpu(problem, gpu)->layout;
    slots += layout->model->slot_count - __builtin_popcount(layout->mask);
  }
  for (int host = 0; host < (int)problem->hosts.count; host++)
    for (int kind = 0; kind < (int)problem->kinds.count; kind++)
      slots += (int64_t)plan_problem_free(problem, host, kind) * problem->kinds.items[kind].size;
  return slots;
}

PlanGlance plan_problem_glance(const PlanProblem *problem, const PlanClass *class_, int host) {
  int kind = plan_class_single_kind(class_), last_model = -1, rank = -1;
  if (kind < 0)
    return PLAN_GLANCE_UNSURE;
  if (problem->free[(size_t)host * problem->kinds.count + (size_t)kind] > 0)
    return PLAN_GLANCE_ROOM;
  const PlanHost *from = &problem->hosts.items[host];
  const PlanGeometry *geometry = NULL;
  bool is_sure = !problem->has_withdrawable;
  for (int i = from->first_gpu; i < from->first_gpu + from->gpu_count; i++) {
    const PlanHostGpu *gpu = &problem->gpus.items[i];
    if (gpu->model != last_model) {
      const PlanModel *model = &problem->models.items[gpu->model];
      const PlanShape *shape = &problem->shapes.items[model->shape];
      last_model = gpu->model;
      rank = model->is_counted ? shape->rank_of_kind[kind] : -1;
      geometry = &shape->geometry;
      is_sure &= rank >= 0 || model->profile_of_kind[kind] < 0;
    }
    if (rank >= 0 && plan_geometry_has_place(geometry, rank, ~gpu->occupied))
      return PLAN_GLANCE_ROOM;
  }
  return is_sure ? PLAN_GLANCE_NONE : PLAN_GLANCE_UNSURE;
}

void plan_problem_holes(const PlanProblem *problem, int gpu, PlanHoles *ret_holes) {
  assert(problem->gpus.items[gpu].pool >= 0);
  plan_holes_of(plan_problem_geometry(problem, gpu), plan_problem_gpu(problem, gpu)->layout, ret_holes);
}
