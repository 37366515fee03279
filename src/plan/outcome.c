/* SPDX-License-Identifier: Apache-2.0 */
/* Two passes, one in the order of the snapshot's pods and one in that of its GPUs, so that what is written
 * lies side by side: in their order of service both lie all over the memory. */
#include "plan/outcome.h"

/* ---- pods ---- */

enum { NOT_WAITING = -1 };

/* By pod of the snapshot: which waiting pod it is. */
static int *index_waiting(const PlanProblem *problem) {
  size_t pods = problem->snapshot->pods.count;
  int *waiting_of_pod = mem_alloc_raw(pods, sizeof *waiting_of_pod);
  for (size_t i = 0; i < pods; i++)
    waiting_of_pod[i] = NOT_WAITING;
  for (size_t i = 0; i < problem->waiting.count; i++)
    waiting_of_pod[problem->waiting.items[i].pod] = (int)i;
  return waiting_of_pod;
}

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

static PlanPod describe(const PlanOutcome *outcome, int pod, int waiting, bool is_admitted) {
  int host = outcome->hosts[waiting];
  if (host < 0)
    return (PlanPod){.pod = pod, .verdict = PLAN_BLOCKED, .node = -1, .turn = -1, .reason = ""};
  return (PlanPod){.pod = pod,
                   .verdict = is_admitted ? PLAN_ADMITTED : PLAN_FITS,
                   .node = outcome->problem->hosts.items[host].node,
                   .turn = outcome->turns ? outcome->turns[waiting] : waiting,
                   .recut = is_admitted && outcome->recuts && outcome->recuts[waiting],
                   .reason = ""};
}

static void write_pods(const PlanOutcome *outcome, Plan *plan) {
  const Snapshot *snapshot = outcome->problem->snapshot;
  CLEANUP(cleanup_free) const char **reasons = copy_reasons(outcome->problem, &plan->arena);
  CLEANUP(cleanup_free) int *waiting_of_pod = index_waiting(outcome->problem);
  CLEANUP(cleanup_free) bool *admitted = find_admitted(outcome);
  plan->pods.items = mem_alloc_raw(snapshot->pods.count, sizeof plan->pods.items[0]);
  plan->pods.count = plan->pods.capacity = snapshot->pods.count;
  for (int i = 0; i < (int)snapshot->pods.count; i++) {
    PlanPod *pod = &plan->pods.items[i];
    int waiting = waiting_of_pod[i];
    *pod = waiting == NOT_WAITING ? (PlanPod){.pod = i,
                                              .verdict = PLAN_IGNORED,
                                              .node = -1,
                                              .turn = -1,
                                              .reason = reasons[snapshot->pods.items[i].spec]}
                                  : describe(outcome, i, waiting, admitted[waiting]);
    plan->admitted += pod->verdict == PLAN_ADMITTED;
    plan->already_fit += pod->verdict == PLAN_FITS;
  }
}

/* ---- GPUs ---- */

typedef struct ByGpu { /* slices of one GPU stand together, the order among equals kept */
  PlanSlice *slices;
  int *first; /* by GPU, and the end; NULL: there are no slices */
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
  PlanSlice *sorted = mem_alloc_raw(count, sizeof *sorted);
  int *ends =
      mem_alloc((problem->gpus.count + 2) * sizeof *ends); /* of the GPU before, while they are filled */
  for (size_t i = 0; i < count; i++)
    ends[slices[i].gpu + 2]++;
  for (size_t gpu = 0; gpu < problem->gpus.count; gpu++)
    ends[gpu + 2] += ends[gpu + 1];
  for (size_t i = 0; i < count; i++)
    sorted[ends[slices[i].gpu + 1]++] = slices[i];
  *ret_by_gpu = (ByGpu){.slices = sorted, .first = ends};
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

static size_t count_changed(const PlanProblem *problem, const ByGpu *created, const ByGpu *destroyed) {
  PlanSlice *slices;
  size_t changed = 0;
  for (int gpu = 0; gpu < (int)problem->gpus.count; gpu++)
    changed += find_slices(created, gpu, &slices) || find_slices(destroyed, gpu, &slices);
  return changed;
}

/* There is room for them behind both. */
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
  array_reserve(&plan->gpus, count_changed(problem, &created, &destroyed));
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
