/* SPDX-License-Identifier: Apache-2.0 */
/* Three relaxations of the problem; the smallest result counts.
 *
 * Slices that may be withdrawn count as free slots, of which the profile that is there is one use; so the
 * free slices of a node are counted only as far as they are more than those. Floating claims are not looked
 * at: they only take.
 *
 *   slots    pods, smallest first, as long as the free slots of the whole cluster last;
 *   groups   each pod asks just one slice, its largest, of hosts that admit its class and have all the
 *            cpu and memory of the world;
 *   all      the same, and every host that admits somebody admits everybody.
 *
 * Hosts that admit the same classes are a group. It shares its free slices, and its GPUs of each geometry
 * serve what the counters allow (hole.h). A pod that could go to several groups is counted in each, but all
 * groups together serve no more pods than there are; the result is exact where every class has one home.
 * Where every class has several, each group may look large enough for all of them alone, and all hosts
 * together are not. */
#include "plan/bound.h"

#include "plan/bulk_state.h"

enum { ALL = -1 };

typedef struct Group { /* hosts that admit the same classes */
  const PlanProblem *problem;
  int host;    /* the first of them, or ALL */
  int *wanted; /* by kind: pods that want a slice here and found no free one */
  int served;
  int pods; /* that could come here */
} Group;

/* Slices of a profile that nobody may create any more have a use that the free slots have not. */
static bool is_room(const PlanModel *model, int profile) {
  return model->allowed >> profile & 1;
}

static int fixed_free(const PlanProblem *problem, int host, int kind) {
  const PlanHost *from = &problem->hosts.items[host];
  int count = problem->free[(size_t)host * problem->kinds.count + (size_t)kind];
  for (int gpu = from->first_gpu; count > 0 && gpu < from->first_gpu + from->gpu_count; gpu++) {
    const MigLayout *layout = plan_problem_gpu(problem, gpu)->layout;
    const PlanModel *model = plan_problem_model(problem, gpu);
    for (uint32_t starts = plan_problem_withdrawable(problem, gpu); starts; starts &= starts - 1) {
      int profile = mig_layout_find(layout, __builtin_ctz(starts))->profile;
      count -=
          model->stock_of_profile[profile] == problem->kinds.items[kind].stock && is_room(model, profile);
    }
  }
  return count > 0 ? count : 0;
}

/* Mostly nothing may be withdrawn, and the brief on the GPU says it all. */
static uint32_t fixed_slots(const PlanProblem *problem, int gpu) {
  const PlanHostGpu *host_gpu = &problem->gpus.items[gpu];
  const SnapshotGpuBrief brief = plan_problem_node(problem, host_gpu->host)->briefs[host_gpu->gpu];
  if (!brief.withdrawable && brief.occupied != UINT32_MAX)
    return brief.occupied;
  const MigLayout *layout = plan_problem_gpu(problem, gpu)->layout;
  uint32_t slots = layout->mask;
  for (uint32_t starts = plan_problem_withdrawable(problem, gpu); starts; starts &= starts - 1) {
    int start = __builtin_ctz(starts);
    slots &= ~mig_placement_mask(layout->model, mig_layout_find(layout, start)->profile, start);
  }
  return slots;
}

static int count_room(const PlanProblem *problem, int gpu) {
  const MigModel *model = plan_problem_model(problem, gpu)->model;
  return model->slot_count - __builtin_popcount(fixed_slots(problem, gpu));
}

static bool is_in_group(const Group *group, int host) {
  const PlanHost *hosts = group->problem->hosts.items;
  return group->host == ALL || hosts[host].signature == hosts[group->host].signature;
}

static bool admits(const Group *group, const PlanClass *class_) {
  if (group->host != ALL)
    return plan_class_admits(class_, group->host);
  uint64_t some = 0;
  for (size_t i = 0; i < (group->problem->hosts.count + 63) / 64; i++)
    some |= class_->admits[i];
  return some;
}

static void count_wanted(Group *group, const int *pods_of_class) {
  const PlanProblem *problem = group->problem;
  for (size_t i = 0; i < problem->classes.count; i++) {
    const PlanClass *class_ = &problem->classes.items[i];
    if (!admits(group, class_))
      continue;
    group->wanted[class_->needs[0].kind] += pods_of_class[i];
    group->pods += pods_of_class[i];
  }
}

static void serve_from_free(Group *group) {
  const PlanProblem *problem = group->problem;
  for (int host = group->host == ALL ? 0 : group->host; host < (int)problem->hosts.count; host++)
    for (int kind = 0; is_in_group(group, host) && kind < (int)problem->kinds.count; kind++) {
      int count = fixed_free(problem, host, kind);
      if (count > group->wanted[kind])
        count = group->wanted[kind];
      group->wanted[kind] -= count;
      group->served += count;
    }
}

/* The least that a slice of the kind takes on GPUs of the shape: a rank, -1 where that is unknown, -2 where
 * no such GPU has the kind. */
static int least_rank(const PlanProblem *problem, int shape, int kind) {
  int least = -2;
  for (size_t i = 0; i < problem->models.count; i++) {
    const PlanModel *model = &problem->models.items[i];
    if (model->shape != shape || model->profile_of_kind[kind] < 0)
      continue;
    int rank = plan_geometry_floor_rank(&problem->shapes.items[shape].geometry, model->model,
                                        model->profile_of_kind[kind]);
    least = least == -2 || rank < least ? rank : least;
  }
  return least;
}

static void serve_from_shape(Group *group, int shape, const PlanHoles *holes) {
  const PlanProblem *problem = group->problem;
  PlanAmounts amounts = {0};
  for (int kind = 0; kind < (int)problem->kinds.count; kind++) {
    int rank = group->wanted[kind] ? least_rank(problem, shape, kind) : -2;
    if (rank >= 0)
      amounts.count[rank] += group->wanted[kind];
    else if (rank == -1)
      group->served += group->wanted[kind];
  }
  group->served += plan_holes_most(&problem->shapes.items[shape].geometry, holes, &amounts);
}

/* GPUs that cannot be counted: as many pods as free slots. */
static void serve_from_uncounted(Group *group) {
  const PlanProblem *problem = group->problem;
  for (size_t i = 0; i < problem->gpus.count; i++)
    if (problem->gpus.items[i].pool < 0 && is_in_group(group, problem->gpus.items[i].host))
      group->served += count_room(problem, (int)i);
}

static bool is_first_of_group(const PlanProblem *problem, int host) {
  for (int before = 0; before < host; before++)
    if (problem->hosts.items[before].signature == problem->hosts.items[host].signature)
      return false;
  return true;
}

static int serve_group(const PlanProblem *problem, int host, const int *pods_of_class,
                       const PlanHoles *holes) {
  CLEANUP(cleanup_free) int *wanted = mem_alloc(problem->kinds.count * sizeof *wanted);
  Group group = {.problem = problem, .host = host, .wanted = wanted};
  count_wanted(&group, pods_of_class);
  serve_from_free(&group);
  CLEANUP(cleanup_free) PlanHoles *of_shape = mem_alloc(problem->shapes.count * sizeof *of_shape);
  for (size_t pool = 0; pool < problem->pools.count; pool++) {
    const PlanPool *from = &problem->pools.items[pool];
    if (is_in_group(&group, from->host))
      plan_holes_add(&problem->shapes.items[from->shape].geometry, &of_shape[from->shape], &holes[pool], 1);
  }
  for (size_t shape = 0; shape < problem->shapes.count; shape++)
    if (problem->shapes.items[shape].exact)
      serve_from_shape(&group, (int)shape, &of_shape[shape]);
  serve_from_uncounted(&group);
  return group.served < group.pods ? group.served : group.pods;
}

/* By pool: the holes of its GPUs. */
static void sum_holes(const PlanProblem *problem, PlanHoles *holes) {
  CLEANUP(cleanup_free) PlanStates *states = mem_alloc(problem->shapes.count * sizeof *states);
  for (size_t i = 0; i < problem->shapes.count; i++)
    plan_states_init(&states[i], &problem->shapes.items[i].geometry);
  for (int gpu = 0; gpu < (int)problem->gpus.count; gpu++) {
    int pool = problem->gpus.items[gpu].pool;
    if (pool < 0)
      continue;
    PlanStates *known = &states[problem->pools.items[pool].shape];
    int state = plan_states_look_up(known, fixed_slots(problem, gpu));
    plan_holes_add(known->geometry, &holes[pool], &known->items.items[state].holes, 1);
  }
  for (size_t i = 0; i < problem->shapes.count; i++)
    plan_states_deinit(&states[i]);
}

static int bound_by_holes(const PlanProblem *problem) {
  CLEANUP(cleanup_free) int *pods_of_class = mem_alloc(problem->classes.count * sizeof *pods_of_class);
  CLEANUP(cleanup_free) PlanHoles *holes = mem_alloc(problem->pools.count * sizeof *holes);
  int64_t served = 0;
  for (size_t i = 0; i < problem->waiting.count; i++)
    pods_of_class[problem->waiting.items[i].class_]++;
  sum_holes(problem, holes);
  for (int host = 0; host < (int)problem->hosts.count; host++)
    if (is_first_of_group(problem, host))
      served += serve_group(problem, host, pods_of_class, holes);
  int together = serve_group(problem, ALL, pods_of_class, holes);
  return served < together ? (int)served : together;
}

static int compare_sizes(const void *a, const void *b, void *userdata) {
  const PlanClass *classes = userdata;
  int left = classes[*(const int *)a].slot_count, right = classes[*(const int *)b].slot_count;
  return left < right ? -1 : left > right;
}

/* In the measure of PlanClass.slot_count. */
static int64_t count_slots(const PlanProblem *problem) {
  int64_t slots = 0;
  for (int gpu = 0; gpu < (int)problem->gpus.count; gpu++)
    slots += count_room(problem, gpu);
  for (int host = 0; host < (int)problem->hosts.count; host++)
    for (int kind = 0; kind < (int)problem->kinds.count; kind++)
      slots += (int64_t)fixed_free(problem, host, kind) * problem->kinds.items[kind].size;
  return slots;
}

static int bound_by_slots(const PlanProblem *problem) {
  size_t count = problem->classes.count;
  CLEANUP(cleanup_free) int *order = mem_alloc(count * sizeof *order);
  CLEANUP(cleanup_free) int64_t *pods = mem_alloc(count * sizeof *pods);
  for (size_t i = 0; i < problem->waiting.count; i++)
    pods[problem->waiting.items[i].class_]++;
  for (size_t i = 0; i < count; i++)
    order[i] = (int)i;
  if (count)
    qsort_r(order, count, sizeof *order, compare_sizes, problem->classes.items);
  int64_t slots = count_slots(problem), served = 0;
  for (size_t i = 0; i < count; i++) {
    int64_t size = problem->classes.items[order[i]].slot_count;
    int64_t fit = size > 0 && slots / size < pods[order[i]] ? slots / size : pods[order[i]];
    slots -= fit * size;
    served += fit;
    if (fit < pods[order[i]])
      break;
  }
  return (int)served;
}

int plan_bound_compute(const PlanProblem *problem) {
  int by_holes = bound_by_holes(problem), by_slots = bound_by_slots(problem);
  return by_holes < by_slots ? by_holes : by_slots;
}
