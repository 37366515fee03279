/* SPDX-License-Identifier: Apache-2.0 */
/* Written in the order of the snapshot's pods and in that of its GPUs, side by side. In their order of
 * service pods lie all over the memory: so what becomes of them is noted in that order first, which is little
 * enough to stay in the cache. Slices are counted by GPU, and then each goes to its place. */
#include "plan/outcome.h"

#include "base/order.h"

/* ---- pods ---- */

typedef struct Fate { /* what becomes of a pod */
  int node;
  PlanVerdict verdict : 8;
  bool recut;
} Fate;

/* By waiting pod. Counts them. */
static Fate *find_fates(const PlanOutcome *outcome, Plan *plan) {
  const PlanProblem *problem = outcome->problem;
  size_t count = problem->waiting.count;
  int served = 0, served_anew = 0;
  Fate *fates = mem_alloc_raw(count, sizeof *fates);
  for (size_t i = 0; i < count; i++) {
    int host = outcome->hosts[i];
    fates[i] = host < 0 ? (Fate){.node = -1, .verdict = PLAN_BLOCKED}
                        : (Fate){.node = problem->hosts.items[host].node, .verdict = PLAN_FITS};
    served += host >= 0;
  }
  for (size_t i = 0; i < outcome->create_count; i++) {
    int waiting = outcome->creates[i].waiting;
    if (waiting < 0 || fates[waiting].verdict != PLAN_FITS)
      continue;
    fates[waiting].verdict = PLAN_ADMITTED;
    fates[waiting].recut = outcome->recuts && outcome->recuts[waiting];
    served_anew++;
  }
  plan->admitted = served_anew;
  plan->already_fit = served - served_anew;
  return fates;
}

/* By spec: what its pods are told, where they are not planned for. */
static const char **copy_reasons(const PlanProblem *problem, Arena *arena) {
  size_t specs = problem->snapshot->specs.count;
  const char **reasons = mem_alloc_raw(specs, sizeof *reasons);
  for (size_t spec = 0; spec < specs; spec++)
    reasons[spec] = problem->ignored[spec] ? arena_strdup(arena, problem->ignored[spec]) : "";
  return reasons;
}

/* By pod of the snapshot: which of those that wait it is; -1: none of them. */
static int *find_places(const PlanProblem *problem) {
  int *places = mem_alloc_none(problem->snapshot->pods.count);
  for (int i = 0; i < (int)problem->waiting.count; i++)
    places[problem->waiting.items[i].pod] = i;
  return places;
}

static void write_pods(const PlanOutcome *outcome, Plan *plan) {
  const PlanProblem *problem = outcome->problem;
  const SnapshotPod *from = problem->snapshot->pods.items;
  const int *turns = outcome->turns;
  size_t count = problem->snapshot->pods.count;
  CLEANUP(cleanup_free) const char **reasons = copy_reasons(problem, &plan->arena);
  CLEANUP(cleanup_free) Fate *fates = find_fates(outcome, plan);
  CLEANUP(cleanup_free) int *places = find_places(problem);
  PlanPod *pods = mem_alloc_raw(count, sizeof *pods);
  for (size_t i = 0; i < count; i++) {
    int place = places[i];
    if (place < 0) {
      pods[i] = (PlanPod){.pod = (int)i,
                          .node = -1,
                          .turn = -1,
                          .verdict = PLAN_IGNORED,
                          .reason = reasons[from[i].spec->number]};
      continue;
    }
    Fate fate = fates[place];
    pods[i] = (PlanPod){.pod = (int)i,
                        .node = fate.node,
                        .turn = fate.node < 0 ? -1
                                : turns       ? turns[place]
                                              : place,
                        .verdict = fate.verdict,
                        .recut = fate.recut,
                        .reason = ""};
  }
  plan->pods.items = pods;
  plan->pods.count = plan->pods.capacity = count;
}

/* ---- GPUs ---- */

typedef struct ByGpu {
  const PlanSlice *slices; /* those of each GPU in the order that they shall have */
  size_t count;
  PlanSlice *sorted; /* owned; NULL: they came so */
  uint8_t *counts;   /* by GPU */
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
static inline OrderKey key_of(const PlanSlice *slice, bool goes) {
  if (goes)
    return (OrderKey){.low = slice->start};
  return (OrderKey){.high = (uint32_t)slice->waiting, /* -1 is the last one */
                    .low = UINT8_MAX - slice->start};
}

/* Of an offer they mostly come in order. */
static inline bool are_in_order(const PlanSlice *slices, size_t count, bool go) {
  for (size_t i = 1; i < count; i++) {
    OrderKey left = key_of(&slices[i - 1], go), right = key_of(&slices[i], go);
    if (left.high > right.high || (left.high == right.high && left.low > right.low))
      return false;
  }
  return true;
}

static PlanSlice *sort_slices(const PlanSlice *slices, size_t count, bool go) {
  CLEANUP(cleanup_free) OrderKey *keys = mem_alloc_raw(count, sizeof *keys);
  PlanSlice *sorted = mem_alloc_raw(count, sizeof *sorted);
  for (size_t i = 0; i < count; i++) {
    keys[i] = key_of(&slices[i], go);
    keys[i].index = (int)i;
  }
  order_sort(keys, count);
  for (size_t i = 0; i < count; i++)
    sorted[i] = slices[keys[i].index];
  return sorted;
}

static void by_gpu_init(ByGpu *by_gpu, const PlanProblem *problem, const PlanSlice *slices, size_t count,
                        bool go) {
  size_t gpus = problem->gpus.count;
  *by_gpu = (ByGpu){.slices = slices,
                    .count = count,
                    .counts = mem_alloc(gpus * sizeof *by_gpu->counts),
                    .next = mem_alloc_raw(gpus, sizeof *by_gpu->next)};
  if (go ? !are_in_order(slices, count, true) : !are_in_order(slices, count, false))
    by_gpu->slices = by_gpu->sorted = sort_slices(slices, count, go);
  for (size_t i = 0; i < count; i++) {
    uint8_t *known = &by_gpu->counts[slices[i].gpu];
    by_gpu->gpu_count += !*known;
    assert(*known < MIG_INSTANCES_MAX);
    ++*known;
  }
}

/* The rows of the GPUs that change, and where their slices begin. */
static void write_rows(const PlanProblem *problem, ByGpu *created, ByGpu *destroyed,
                       const PlanCreate *creates, const PlanDestroy *destroys, Plan *plan) {
  int create = 0, destroy = 0, last_node = -1;
  array_reserve(&plan->gpus, created->gpu_count + destroyed->gpu_count);
  for (size_t gpu = 0; gpu < problem->gpus.count; gpu++) {
    created->next[gpu] = create;
    destroyed->next[gpu] = destroy;
    if (!created->counts[gpu] && !destroyed->counts[gpu])
      continue;
    const PlanHostGpu *changed = &problem->gpus.items[gpu];
    int node = problem->hosts.items[changed->host].node;
    plan->nodes_changed += node != last_node;
    last_node = node;
    plan->gpus.items[plan->gpus.count++] = (PlanGpu){.node = node,
                                                     .gpu = changed->gpu,
                                                     .creates = &creates[create],
                                                     .create_count = created->counts[gpu],
                                                     .destroys = &destroys[destroy],
                                                     .destroy_count = destroyed->counts[gpu]};
    create += created->counts[gpu];
    destroy += destroyed->counts[gpu];
  }
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
