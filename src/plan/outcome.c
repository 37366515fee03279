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
  size_t pods = problem->snapshot->pods.count;
  int *places = mem_alloc_raw(pods, sizeof *places);
  for (size_t i = 0; i < pods; i++)
    places[i] = -1;
  for (int i = 0; i < (int)problem->waiting.count; i++)
    places[problem->waiting.items[i].pod] = i;
  return places;
}

/* Of a pod that is served, what is new to a blocked one. */
static void write_served(const PlanOutcome *outcome, const bool *admitted, int waiting, PlanPod *pod) {
  pod->node = outcome->problem->hosts.items[outcome->hosts[waiting]].node;
  pod->turn = outcome->turns ? outcome->turns[waiting] : waiting;
  pod->verdict = admitted[waiting] ? PLAN_ADMITTED : PLAN_FITS;
  pod->recut = admitted[waiting] && outcome->recuts && outcome->recuts[waiting];
}

static void write_pods(const PlanOutcome *outcome, Plan *plan) {
  const Snapshot *snapshot = outcome->problem->snapshot;
  CLEANUP(cleanup_free) const char **reasons = copy_reasons(outcome->problem, &plan->arena);
  CLEANUP(cleanup_free) bool *admitted = find_admitted(outcome);
  CLEANUP(cleanup_free) int *places = find_places(outcome->problem);
  int verdicts[PLAN_BLOCKED + 1] = {0};
  PlanPod *pods = mem_alloc_raw(snapshot->pods.count, sizeof *pods);
  for (int i = 0; i < (int)snapshot->pods.count; i++) {
    PlanPod pod = {.pod = i, .node = -1, .turn = -1, .verdict = PLAN_BLOCKED, .reason = ""};
    if (places[i] < 0) {
      pod.verdict = PLAN_IGNORED;
      pod.reason = reasons[snapshot->pods.items[i].spec->number];
    } else if (outcome->hosts[places[i]] >= 0) {
      write_served(outcome, admitted, places[i], &pod);
    }
    verdicts[pod.verdict]++;
    pods[i] = pod;
  }
  plan->admitted = verdicts[PLAN_ADMITTED];
  plan->already_fit = verdicts[PLAN_FITS];
  plan->pods.items = pods;
  plan->pods.count = plan->pods.capacity = snapshot->pods.count;
}

/* ---- GPUs ---- */

typedef struct ByGpu { /* slices of one GPU stand together, the order among equals kept */
  PlanSlice *slices;
  int *first;       /* by GPU, and the end; NULL: there are no slices */
  size_t gpu_count; /* that have some */
} ByGpu;

static void by_gpu_deinit(ByGpu *by_gpu) {
  free(by_gpu->slices);
  free(by_gpu->first);
}

static void sort_by_gpu(const PlanProblem *problem, const PlanSlice *slices, size_t count,
                        ByGpu *ret_by_gpu) {
  *ret_by_gpu = (ByGpu){0};
  if (!count)
    return;
  size_t gpus = 0;
  PlanSlice *sorted = mem_alloc_raw(count, sizeof *sorted);
  int *ends =
      mem_alloc((problem->gpus.count + 2) * sizeof *ends); /* of the GPU before, while they are filled */
  for (size_t i = 0; i < count; i++)
    ends[slices[i].gpu + 2]++;
  for (size_t gpu = 0; gpu < problem->gpus.count; gpu++) {
    gpus += ends[gpu + 2] > 0;
    ends[gpu + 2] += ends[gpu + 1];
  }
  for (size_t i = 0; i < count; i++)
    sorted[ends[slices[i].gpu + 1]++] = slices[i];
  *ret_by_gpu = (ByGpu){.slices = sorted, .first = ends, .gpu_count = gpus};
}

static int find_slices(const ByGpu *by_gpu, int gpu, PlanSlice **ret_slices) {
  if (!by_gpu->first)
    return 0;
  *ret_slices = &by_gpu->slices[by_gpu->first[gpu]];
  return by_gpu->first[gpu + 1] - by_gpu->first[gpu];
}

/* What is asked for comes first, in the order of service. */
static bool goes_before(const PlanSlice *slice, const PlanSlice *other) {
  bool leftover = slice->waiting < 0, leftover_other = other->waiting < 0;
  if (leftover != leftover_other)
    return leftover_other;
  return slice->waiting != other->waiting ? slice->waiting < other->waiting : slice->start > other->start;
}

/* Those of one GPU are few. */
static void sort_creates(PlanSlice *slices, int count) {
  for (int i = 1; i < count; i++) {
    PlanSlice slice = slices[i];
    int place = i;
    for (; place > 0 && goes_before(&slice, &slices[place - 1]); place--)
      slices[place] = slices[place - 1];
    slices[place] = slice;
  }
}

static void sort_destroys(PlanSlice *slices, int count) {
  for (int i = 1; i < count; i++) {
    PlanSlice slice = slices[i];
    int place = i;
    for (; place > 0 && slice.start < slices[place - 1].start; place--)
      slices[place] = slices[place - 1];
    slices[place] = slice;
  }
}

/* There is room. */
static void write_gpu(const PlanProblem *problem, int gpu, PlanGpu written, Plan *plan) {
  const PlanHostGpu *changed = &problem->gpus.items[gpu];
  written.node = problem->hosts.items[changed->host].node;
  written.gpu = changed->gpu;
  assert(written.create_count <= MIG_INSTANCES_MAX && written.destroy_count <= MIG_INSTANCES_MAX);
  plan->nodes_changed += !plan->gpus.count || plan->gpus.items[plan->gpus.count - 1].node != written.node;
  plan->create += written.create_count;
  plan->destroy += written.destroy_count;
  plan->gpus.items[plan->gpus.count++] = written;
}

static void write_gpus(const PlanOutcome *outcome, Plan *plan) {
  const PlanProblem *problem = outcome->problem;
  CLEANUP(by_gpu_deinit) ByGpu created;
  CLEANUP(by_gpu_deinit) ByGpu destroyed;
  sort_by_gpu(problem, outcome->creates, outcome->create_count, &created);
  sort_by_gpu(problem, outcome->destroys, outcome->destroy_count, &destroyed);
  PlanCreate *creates = arena_alloc(&plan->arena, outcome->create_count * sizeof *creates);
  PlanDestroy *destroys = arena_alloc(&plan->arena, outcome->destroy_count * sizeof *destroys);
  array_reserve(&plan->gpus, created.gpu_count + destroyed.gpu_count);
  for (int gpu = 0; gpu < (int)problem->gpus.count; gpu++) {
    PlanSlice *create = NULL, *destroy = NULL;
    int create_count = find_slices(&created, gpu, &create);
    int destroy_count = find_slices(&destroyed, gpu, &destroy);
    if (!create_count && !destroy_count)
      continue;
    sort_creates(create, create_count);
    sort_destroys(destroy, destroy_count);
    for (int i = 0; i < create_count; i++)
      creates[i] = (PlanCreate){
          .profile = create[i].profile, .start = create[i].start, .leftover = create[i].waiting < 0};
    for (int i = 0; i < destroy_count; i++)
      destroys[i] = (PlanDestroy){.profile = destroy[i].profile, .start = destroy[i].start};
    write_gpu(problem, gpu,
              (PlanGpu){.creates = creates,
                        .create_count = create_count,
                        .destroys = destroys,
                        .destroy_count = destroy_count},
              plan);
    creates += create_count;
    destroys += destroy_count;
  }
}

void plan_outcome_write(const PlanOutcome *outcome, Plan *plan) {
  write_pods(outcome, plan);
  write_gpus(outcome, plan);
}
