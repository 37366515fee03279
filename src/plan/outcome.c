/* SPDX-License-Identifier: Apache-2.0 */
/* Written in the order of the snapshot's pods and in that of its GPUs, side by side. In their order of
 * service pods lie all over the memory: so what becomes of them is noted in that order first, which is little
 * enough to stay in the cache. Slices are counted by GPU, and then each goes to its place. */
#include "plan/outcome.h"

#include "base/order.h"

/* ---- pods ---- */

/* By waiting pod: is a slice made for it? */
static bool *find_served_anew(const PlanOutcome *outcome) {
  bool *are_anew = mem_alloc(outcome->problem->waiting.count * sizeof *are_anew);
  for (size_t i = 0; i < outcome->create_count; i++)
    if (outcome->creates[i].waiting >= 0)
      are_anew[outcome->creates[i].waiting] = true;
  return are_anew;
}

/* What becomes of pods that nobody plans for. */
static void write_ignored(const PlanProblem *problem, Plan *plan) {
  const Snapshot *snapshot = problem->snapshot;
  CLEANUP(cleanup_free) const char **reasons = mem_alloc_raw(snapshot->specs.count, sizeof *reasons);
  for (size_t spec = 0; spec < snapshot->specs.count; spec++)
    reasons[spec] = problem->ignored[spec] ? arena_strdup(&plan->arena, problem->ignored[spec]) : "";
  for (size_t i = 0; i < snapshot->pods.count; i++)
    plan->pods.items[i] = (PlanPod){.node = -1,
                                    .turn = -1,
                                    .verdict = PLAN_IGNORED,
                                    .reason = reasons[snapshot->pods.items[i].spec->number]};
}

static void write_waiting(const PlanOutcome *outcome, Plan *plan) {
  const PlanProblem *problem = outcome->problem;
  const PlanWaiting *waiting = problem->waiting.items;
  const PlanHost *hosts = problem->hosts.items;
  const int *turns = outcome->turns;
  const bool *recuts = outcome->recuts;
  PlanPod *pods = plan->pods.items;
  int served = 0, served_anew = 0;
  CLEANUP(cleanup_free) bool *are_anew = find_served_anew(outcome);
  for (size_t i = 0; i < problem->waiting.count; i++) {
    int host = outcome->hosts[i], turn = turns ? turns[i] : (int)i;
    bool is_served = host >= 0, is_anew = is_served && are_anew[i];
    served += is_served;
    served_anew += is_anew;
    pods[waiting[i].pod] = (PlanPod){.reason = "",
                                     .node = is_served ? hosts[host].node : -1,
                                     .turn = is_served ? turn : -1,
                                     .verdict = is_anew     ? PLAN_ADMITTED
                                                : is_served ? PLAN_FITS
                                                            : PLAN_BLOCKED,
                                     .recut = is_anew && recuts && recuts[i]};
  }
  plan->admitted = served_anew;
  plan->already_fit = served - served_anew;
}

static void write_pods(const PlanOutcome *outcome, Plan *plan) {
  const PlanProblem *problem = outcome->problem;
  size_t count = problem->snapshot->pods.count;
  plan->pods.items = mem_alloc_raw(count, sizeof *plan->pods.items);
  plan->pods.count = plan->pods.capacity = count;
  if (problem->waiting.count < count)
    write_ignored(problem, plan);
  write_waiting(outcome, plan);
}

/* ---- GPUs ---- */

typedef struct ByGpu {
  const PlanSlice *slices; /* those of each GPU in the order that they shall have */
  size_t count;
  PlanSlice *sorted; /* owned; NULL: they came so */
  uint8_t *counts;   /* by GPU; NULL: none has any */
  int *next;         /* by GPU: the place of its next slice */
  size_t gpu_count;  /* that have some */
} ByGpu;

static void by_gpu_deinit(ByGpu *by_gpu) {
  free(by_gpu->sorted);
  free(by_gpu->counts);
  free(by_gpu->next);
}

/* What is asked for comes first, in the order of service, then the later starts; of what goes the earlier
 * ones. */
static inline uint64_t key_of(const PlanSlice *slice, bool goes) {
  if (goes)
    return slice->start;
  return (uint64_t)(uint32_t)slice->waiting << 8 | (UINT8_MAX - slice->start); /* -1 is the last one */
}

static PlanSlice *sort_slices(const PlanSlice *slices, size_t count, bool go) {
  CLEANUP(cleanup_free) OrderKey *keys = mem_alloc_raw(count, sizeof *keys);
  PlanSlice *sorted = mem_alloc_raw(count, sizeof *sorted);
  for (size_t i = 0; i < count; i++)
    keys[i] = (OrderKey){.low = key_of(&slices[i], go), .index = (int)i};
  order_sort(keys, count);
  for (size_t i = 0; i < count; i++)
    sorted[i] = slices[keys[i].index];
  return sorted;
}

/* Those of an offer mostly come in order. */
static void by_gpu_init(ByGpu *by_gpu, const PlanProblem *problem, const PlanSlice *slices, size_t count,
                        bool go) {
  size_t gpus = 0;
  uint64_t last = 0;
  bool is_in_order = true;
  *by_gpu = (ByGpu){0};
  if (!count)
    return;
  uint8_t *counts = mem_alloc(problem->gpus.count * sizeof *counts);
  for (size_t i = 0; i < count; i++) {
    uint64_t key = key_of(&slices[i], go);
    uint8_t *known = &counts[slices[i].gpu];
    is_in_order &= last <= key;
    last = key;
    gpus += !*known;
    assert(*known < MIG_INSTANCES_MAX);
    ++*known;
  }
  *by_gpu = (ByGpu){.slices = slices,
                    .count = count,
                    .counts = counts,
                    .next = mem_alloc_raw(problem->gpus.count, sizeof *by_gpu->next),
                    .gpu_count = gpus};
  if (!is_in_order)
    by_gpu->slices = by_gpu->sorted = sort_slices(slices, count, go);
}

/* Those of the GPU begin there. Returns how many they are. */
static inline int begin_at(ByGpu *by_gpu, int gpu, int begin) {
  if (!by_gpu->counts)
    return 0;
  by_gpu->next[gpu] = begin;
  return by_gpu->counts[gpu];
}

/* The rows of the GPUs that change, and where their slices begin. Which ones change nobody can foresee: so
 * each is written, and those that do not are written over. */
static void write_rows(const PlanProblem *problem, ByGpu *created, ByGpu *destroyed,
                       const PlanCreate *creates, const PlanDestroy *destroys, Plan *plan) {
  int create = 0, destroy = 0;
  array_reserve(&plan->gpus, created->gpu_count + destroyed->gpu_count + 1);
  PlanGpu *row = plan->gpus.items;
  for (size_t host = 0; host < problem->hosts.count; host++) {
    const PlanHost *on = &problem->hosts.items[host];
    const PlanGpu *first_row = row;
    for (int i = on->first_gpu; i < on->first_gpu + on->gpu_count; i++) {
      int comes = begin_at(created, i, create), goes = begin_at(destroyed, i, destroy);
      *row = (PlanGpu){.node = on->node,
                       .gpu = (uint8_t)problem->gpus.items[i].gpu,
                       .creates = &creates[create],
                       .create_count = (uint8_t)comes,
                       .destroys = &destroys[destroy],
                       .destroy_count = (uint8_t)goes};
      row += (comes | goes) != 0;
      create += comes;
      destroy += goes;
    }
    plan->nodes_changed += row != first_row;
  }
  plan->gpus.count = (size_t)(row - plan->gpus.items);
}

static void write_gpus(const PlanOutcome *outcome, Plan *plan) {
  const PlanProblem *problem = outcome->problem;
  CLEANUP(by_gpu_deinit) ByGpu created;
  CLEANUP(by_gpu_deinit) ByGpu destroyed;
  by_gpu_init(&created, problem, outcome->creates, outcome->create_count, false);
  by_gpu_init(&destroyed, problem, outcome->destroys, outcome->destroy_count, true);
  PlanCreate *creates = arena_alloc(&plan->arena, outcome->create_count * sizeof *creates);
  PlanDestroy *destroys = arena_alloc(&plan->arena, outcome->destroy_count * sizeof *destroys);
  write_rows(problem, &created, &destroyed, creates, destroys, plan);
  for (size_t i = 0; i < created.count; i++) {
    const PlanSlice *slice = &created.slices[i];
    creates[created.next[slice->gpu]++] =
        (PlanCreate){.profile = slice->profile, .start = slice->start, .leftover = slice->waiting < 0};
  }
  for (size_t i = 0; i < destroyed.count; i++) {
    const PlanSlice *slice = &destroyed.slices[i];
    destroys[destroyed.next[slice->gpu]++] = (PlanDestroy){.profile = slice->profile, .start = slice->start};
  }
  plan->create = (int)outcome->create_count;
  plan->destroy = (int)outcome->destroy_count;
}

void plan_outcome_write(const PlanOutcome *outcome, Plan *plan) {
  write_pods(outcome, plan);
  write_gpus(outcome, plan);
}
