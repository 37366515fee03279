/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/turn.h"

#include "plan/queue.h"
#include "plan/search.h"

/* Kept slices stay for good. */
static bool may_have_room(const SnapshotGpu *gpu, int profile) {
  uint32_t kept = 0;
  for (int i = 0; i < gpu->layout->count; i++) {
    const MigInstance *instance = &gpu->layout->instances[i];
    if (gpu->keep_starts >> instance->start & 1)
      kept |= mig_placement_mask(gpu->model, instance->profile, instance->start);
  }
  for (uint32_t starts = gpu->model->profiles[profile].starts; starts; starts &= starts - 1)
    if (!(mig_placement_mask(gpu->model, profile, __builtin_ctz(starts)) & kept))
      return true;
  return false;
}

static bool may_have(const PlanProblem *problem, int host, int kind) {
  const PlanHost *on = &problem->hosts.items[host];
  for (int gpu = on->first_gpu; gpu < on->first_gpu + on->gpu_count; gpu++) {
    int profile = plan_problem_model(problem, gpu)->profile_of_kind[kind];
    if (profile >= 0 && may_have_room(plan_problem_gpu(problem, gpu), profile))
      return true;
  }
  return false;
}

static bool may_be_served(const PlanProblem *problem, const PlanClass *class_) {
  for (int host = 0; host < (int)problem->hosts.count; host++) {
    bool has_all = plan_class_admits(class_, host);
    for (int n = 0; n < class_->need_count && has_all; n++)
      has_all = may_have(problem, host, class_->needs[n].kind);
    if (has_all)
      return true;
  }
  return false;
}

typedef enum Chance { NOT_ASKED, SOME, NONE } Chance; /* of a class to be served some day */

static bool deserves_turn(const PlanProblem *problem, size_t waiting, Chance *chances) {
  int64_t created = plan_problem_pod(problem, (int)waiting)->object->meta.creation_time;
  Chance *chance = &chances[problem->waiting.items[waiting].class_];
  if (created <= 0 || created >= problem->old_before)
    return false;
  if (*chance == NOT_ASKED)
    *chance = may_be_served(problem, plan_problem_class(problem, (int)waiting)) ? SOME : NONE;
  return *chance == SOME;
}

/* The pods of one tier, the oldest first. */
static void order_by_age(const PlanProblem *problem, const PlanWaiting *waiting, size_t count,
                         int *ret_order) {
  CLEANUP(cleanup_free) int *places = mem_alloc_raw(problem->snapshot->pods.count, sizeof *places);
  for (size_t i = 0; i < count; i++) {
    places[waiting[i].pod] = (int)i;
    ret_order[i] = waiting[i].pod;
  }
  snapshot_sort_pods(problem->snapshot, ret_order, count);
  for (size_t i = 0; i < count; i++)
    ret_order[i] = places[ret_order[i]];
}

/* Those with a turn come first, each in a tier of its own, the others behind them as they are. Returns how
 * many have one: `turns` at most. */
static int give_turns(PlanProblem *problem, size_t first, size_t end, int turns, Chance *chances) {
  size_t count = end - first, others = 0;
  int given = 0;
  PlanWaiting *waiting = &problem->waiting.items[first];
  CLEANUP(cleanup_free) int *order = mem_alloc_raw(count, sizeof *order);
  CLEANUP(cleanup_free) PlanWaiting *sorted = mem_alloc_raw(count, sizeof *sorted);
  order_by_age(problem, waiting, count, order);
  for (size_t i = 0; i < count && given < turns; i++) {
    PlanWaiting *pod = &waiting[order[i]];
    if (!deserves_turn(problem, first + (size_t)order[i], chances))
      continue;
    sorted[given++] = (PlanWaiting){.pod = pod->pod, .class_ = pod->class_, .tier = problem->tier_count++};
    pod->tier = -1;
  }
  for (size_t i = 0; i < count; i++)
    if (waiting[i].tier >= 0) {
      sorted[(size_t)given + others] = waiting[i];
      sorted[(size_t)given + others++].tier = problem->tier_count;
    }
  problem->tier_count += others > 0;
  memcpy(waiting, sorted, count * sizeof *sorted);
  return given;
}

void plan_turns_give(PlanProblem *problem) {
  int turns = 1 + (int)problem->gpus.count / PLAN_TURN_GPUS_EACH;
  size_t end, count = problem->waiting.count;
  if (!problem->old_before || !plan_search_is_possible(problem))
    return;
  turns = turns < PLAN_TURNS_MAX ? turns : PLAN_TURNS_MAX;
  CLEANUP(cleanup_free) Chance *chances = mem_alloc(problem->classes.count * sizeof *chances);
  problem->tier_count = 0;
  for (size_t first = 0; first < count; first = end) {
    end = plan_problem_tier_end(problem, first);
    turns -= give_turns(problem, first, end, turns, chances);
  }
}
