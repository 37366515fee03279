/* SPDX-License-Identifier: Apache-2.0 */
/* Written in the order of the snapshot's pods and in that of its GPUs, side by side. In their order of
 * service pods lie all over the memory: so their places in that order are noted first, which is little enough
 * to stay in the cache. */
#include "plan/outcome.h"

/* ---- pods ---- */

/* By waiting pod: a new slice is for it. */
static bool *find_admitted(const PlanOutcome *outcome) {
  bool *admitted = mem_alloc(outcome->problem->waiting.count * sizeof *admitted);
  for (size_t i = 0; i < outcome->create_count; i++)
    if (outcome->creates[i].waiting >= 0)
      admitted[outcome->creates[i].waiting] = true;
  return admitted;
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
  const int *hosts = outcome->hosts, *turns = outcome->turns;
  const bool *recuts = outcome->recuts;
  size_t count = problem->snapshot->pods.count;
  int served = 0, served_anew = 0;
  CLEANUP(cleanup_free) const char **reasons = copy_reasons(problem, &plan->arena);
  CLEANUP(cleanup_free) bool *admitted = find_admitted(outcome);
  CLEANUP(cleanup_free) int *places = find_places(problem);
  PlanPod *pods = mem_alloc_raw(count, sizeof *pods);
  for (size_t i = 0; i < count; i++) {
    int place = places[i];
    pods[i] = (PlanPod){.pod = (int)i, .node = -1, .turn = -1, .verdict = PLAN_BLOCKED, .reason = ""};
    if (place < 0) {
      pods[i].verdict = PLAN_IGNORED;
      pods[i].reason = reasons[from[i].spec->number];
    } else if (hosts[place] >= 0) {
      pods[i].node = problem->hosts.items[hosts[place]].node;
      pods[i].turn = turns ? turns[place] : place;
      pods[i].verdict = admitted[place] ? PLAN_ADMITTED : PLAN_FITS;
      pods[i].recut = recuts && admitted[place] && recuts[place];
      served++;
      served_anew += admitted[place];
    }
  }
  plan->admitted = served_anew;
  plan->already_fit = served - served_anew;
  plan->pods.items = pods;
  plan->pods.count = plan->pods.capacity = count;
}

/* ---- GPUs ---- */

typedef struct ByGpu { /* the slices of each GPU, in the order that they have */
  const PlanSlice *slices;
  int *first; /* by GPU, -1: none; NULL: there are no slices */
  int *next;  /* by slice: of the same GPU, -1 ends */
  size_t gpu_count;
} ByGpu;

static void by_gpu_deinit(ByGpu *by_gpu) {
  free(by_gpu->first);
  free(by_gpu->next);
}

static void by_gpu_init(ByGpu *by_gpu, const PlanProblem *problem, const PlanSlice *slices, size_t count) {
  size_t gpus = 0;
  *by_gpu = (ByGpu){.slices = slices};
  if (!count)
    return;
  int *first = mem_alloc_none(problem->gpus.count), *next = mem_alloc_raw(count, sizeof *next);
  for (size_t i = count; i-- > 0;) {
    int *place = &first[slices[i].gpu];
    gpus += *place < 0;
    next[i] = *place;
    *place = (int)i;
  }
  *by_gpu = (ByGpu){.slices = slices, .first = first, .next = next, .gpu_count = gpus};
}

/* Returns how many. */
static int copy_slices(const ByGpu *by_gpu, int gpu, PlanSlice ret_slices[MIG_INSTANCES_MAX]) {
  int count = 0;
  for (int i = by_gpu->first[gpu]; i >= 0; i = by_gpu->next[i]) {
    assert(count < MIG_INSTANCES_MAX);
    ret_slices[count++] = by_gpu->slices[i];
  }
  return count;
}

/* What is asked for comes first, in the order of service. */
static bool goes_before(const PlanSlice *slice, const PlanSlice *other) {
  bool leftover = slice->waiting < 0, leftover_other = other->waiting < 0;
  if (leftover != leftover_other)
    return leftover_other;
  return slice->waiting != other->waiting ? slice->waiting < other->waiting : slice->start > other->start;
}

/* Those of one GPU are few. Returns the place behind the last one. */
static PlanCreate *write_creates(PlanSlice *slices, int count, PlanCreate *creates) {
  for (int i = 1; i < count; i++) {
    PlanSlice slice = slices[i];
    int place = i;
    for (; place > 0 && goes_before(&slice, &slices[place - 1]); place--)
      slices[place] = slices[place - 1];
    slices[place] = slice;
  }
  for (int i = 0; i < count; i++)
    *creates++ = (PlanCreate){
        .profile = slices[i].profile, .start = slices[i].start, .leftover = slices[i].waiting < 0};
  return creates;
}

static PlanDestroy *write_destroys(PlanSlice *slices, int count, PlanDestroy *destroys) {
  for (int i = 1; i < count; i++) {
    PlanSlice slice = slices[i];
    int place = i;
    for (; place > 0 && slice.start < slices[place - 1].start; place--)
      slices[place] = slices[place - 1];
    slices[place] = slice;
  }
  for (int i = 0; i < count; i++)
    *destroys++ = (PlanDestroy){.profile = slices[i].profile, .start = slices[i].start};
  return destroys;
}

static void write_gpus(const PlanOutcome *outcome, Plan *plan) {
  const PlanProblem *problem = outcome->problem;
  PlanSlice create[MIG_INSTANCES_MAX], destroy[MIG_INSTANCES_MAX];
  CLEANUP(by_gpu_deinit) ByGpu created;
  CLEANUP(by_gpu_deinit) ByGpu destroyed;
  by_gpu_init(&created, problem, outcome->creates, outcome->create_count);
  by_gpu_init(&destroyed, problem, outcome->destroys, outcome->destroy_count);
  PlanCreate *creates = arena_alloc(&plan->arena, outcome->create_count * sizeof *creates);
  PlanDestroy *destroys = arena_alloc(&plan->arena, outcome->destroy_count * sizeof *destroys);
  array_reserve(&plan->gpus, created.gpu_count + destroyed.gpu_count);
  int last_node = -1;
  for (int gpu = 0; gpu < (int)problem->gpus.count; gpu++) {
    int create_count = created.first ? copy_slices(&created, gpu, create) : 0;
    int destroy_count = destroyed.first ? copy_slices(&destroyed, gpu, destroy) : 0;
    if (!create_count && !destroy_count)
      continue;
    const PlanHostGpu *changed = &problem->gpus.items[gpu];
    int node = problem->hosts.items[changed->host].node;
    plan->nodes_changed += node != last_node;
    last_node = node;
    plan->gpus.items[plan->gpus.count++] = (PlanGpu){.node = node,
                                                     .gpu = changed->gpu,
                                                     .creates = creates,
                                                     .create_count = create_count,
                                                     .destroys = destroys,
                                                     .destroy_count = destroy_count};
    creates = write_creates(create, create_count, creates);
    destroys = write_destroys(destroy, destroy_count, destroys);
  }
  plan->create = (int)outcome->create_count;
  plan->destroy = (int)outcome->destroy_count;
}

void plan_outcome_write(const PlanOutcome *outcome, Plan *plan) {
  write_pods(outcome, plan);
  write_gpus(outcome, plan);
}
