/* SPDX-License-Identifier: Apache-2.0 */
/* The steps:
 *
 *   1. in the order of service (tier, smallest first), each pod takes a free slice that exists, or else a
 *      reservation in a pool whose counters say that it fits beside all reservations made before. Other pods
 *      (several slices, +me) are placed at once, where every reservation stays possible;
 *   2. the reservations are placed, the largest first, each in the hole of the least worth that leaves the
 *      others possible. That is the free hole of the least worth nearly always; where it is not (a 3g in a
 *      lower half, when the upper half of an empty GPU leaves one more place for 2g), the counters say so;
 *   3. what is left, because a node ran out of something else, is served one by one.
 *
 * Without 3, with single slices only and each class at home in one pool, step 1 is the exact optimum (hole.c)
 * and step 2 attains it. */
#include "plan/exact.h"

#include "plan/greedy.h"

typedef struct Reservation {
  int waiting;
  int pool;
  int rank;
} Reservation;

typedef struct Exact {
  const PlanProblem *problem;
  PlanDraft *draft;
  PlanGreedy *greedy;
  int *pools;      /* those that fewer classes can use first */
  int *next_pools; /* by class: the pools before this position are full for it */
  ARRAY(Reservation) reservations;
} Exact;

static void exact_deinit(Exact *exact) {
  free(exact->pools);
  free(exact->next_pools);
  array_deinit(&exact->reservations);
}

static int compare_pools(const void *a, const void *b, void *userdata) {
  const PlanProblem *problem = userdata;
  int left = *(const int *)a, right = *(const int *)b;
  int difference = problem->hosts.items[problem->pools.items[left].host].contention -
                   problem->hosts.items[problem->pools.items[right].host].contention;
  return difference ? difference : left - right;
}

static void exact_init(Exact *exact, PlanGreedy *greedy) {
  const PlanProblem *problem = greedy->draft->problem;
  *exact = (Exact){.problem = problem, .draft = greedy->draft, .greedy = greedy};
  exact->pools = mem_alloc(problem->pools.count * sizeof *exact->pools);
  exact->next_pools = mem_alloc(problem->classes.count * sizeof *exact->next_pools);
  for (size_t i = 0; i < problem->pools.count; i++)
    exact->pools[i] = (int)i;
  if (problem->pools.count)
    qsort_r(exact->pools, problem->pools.count, sizeof *exact->pools, compare_pools, (void *)problem);
}

/* The rank of the kind in a pool that the class may use, or -1. */
static int rank_in_pool(const PlanProblem *problem, const PlanClass *class_, int kind, int pool) {
  const PlanPool *candidate = &problem->pools.items[pool];
  if (!plan_class_admits(class_, candidate->host))
    return -1;
  return problem->shapes.items[candidate->shape].rank_of_kind[kind];
}

/* A pool that is full for a class stays so, because reservations only grow. */
static bool reserve(Exact *exact, int waiting, int kind) {
  const PlanProblem *problem = exact->problem;
  const PlanClass *class_ = plan_problem_class(problem, waiting);
  int *next = &exact->next_pools[problem->waiting.items[waiting].class_];
  for (; *next < (int)problem->pools.count; ++*next) {
    int pool = exact->pools[*next], rank = rank_in_pool(problem, class_, kind, pool);
    if (rank < 0)
      continue;
    PlanAmounts *reserved = &exact->draft->reserved[pool];
    reserved->count[rank]++;
    if (plan_holes_fit(&problem->shapes.items[problem->pools.items[pool].shape].geometry,
                       &exact->draft->holes[pool], reserved)) {
      *array_push(&exact->reservations) = (Reservation){.waiting = waiting, .pool = pool, .rank = rank};
      return true;
    }
    reserved->count[rank]--;
  }
  return false;
}

/* Has the class GPUs for a single slice of this kind that no pool counts? */
static bool has_uncounted_gpus(const PlanProblem *problem, const PlanClass *class_, int kind) {
  for (size_t i = 0; i < problem->gpus.count; i++) {
    const PlanHostGpu *gpu = &problem->gpus.items[i];
    bool is_counted = gpu->pool >= 0 && rank_in_pool(problem, class_, kind, gpu->pool) >= 0;
    if (!is_counted && problem->models.items[gpu->model].profile_of_kind[kind] >= 0 &&
        plan_class_admits(class_, gpu->host))
      return true;
  }
  return false;
}

static void accept_all(Exact *exact) {
  const PlanProblem *problem = exact->problem;
  CLEANUP(cleanup_free) bool *counted = mem_alloc(problem->classes.count * sizeof *counted);
  for (size_t i = 0; i < problem->classes.count; i++) {
    const PlanClass *class_ = &problem->classes.items[i];
    int kind = plan_class_single_kind(class_);
    counted[i] = !class_->is_coupled && kind >= 0 && !has_uncounted_gpus(problem, class_, kind);
  }
  for (size_t waiting = 0; waiting < problem->waiting.count; waiting++) {
    int class_ = problem->waiting.items[waiting].class_;
    if (plan_greedy_serve(exact->greedy, (int)waiting, PLAN_ONLY_EXISTING))
      continue;
    if (counted[class_])
      (void)reserve(exact, (int)waiting, plan_class_single_kind(&problem->classes.items[class_]));
    else
      (void)plan_greedy_serve(exact->greedy, (int)waiting, 0);
  }
}

static int compare_reservations(const void *a, const void *b) {
  const Reservation *left = a, *right = b;
  if (left->pool != right->pool)
    return left->pool < right->pool ? -1 : 1;
  if (left->rank != right->rank)
    return left->rank > right->rank ? -1 : 1;
  return left->waiting < right->waiting ? -1 : left->waiting > right->waiting;
}

/* Returns whether all reservations could be kept. */
static bool place_reservations(Exact *exact) {
  bool all_kept = true;
  plan_greedy_forget(exact->greedy);
  if (exact->reservations.count)
    qsort(exact->reservations.items, exact->reservations.count, sizeof exact->reservations.items[0],
          compare_reservations);
  for (size_t i = 0; i < exact->reservations.count; i++) {
    const Reservation *reservation = &exact->reservations.items[i];
    exact->draft->reserved[reservation->pool].count[reservation->rank]--;
    all_kept &= plan_greedy_serve(exact->greedy, reservation->waiting, 0);
  }
  return all_kept;
}

/* Where could a pod of this class go? `ret_home` is the first place found; true where all others are alike:
 * in hosts that admit the same classes and in one pool. */
static bool has_one_home(const PlanDraft *draft, const PlanClass *class_, int kind) {
  const PlanProblem *problem = draft->problem;
  int home = -1, pool = -1;
  for (size_t host = 0; host < problem->hosts.count; host++) {
    const PlanHost *candidate = &problem->hosts.items[host];
    bool useful = *plan_draft_free(draft, (int)host, kind) > 0;
    if (!plan_class_admits(class_, (int)host))
      continue;
    for (int i = 0; i < candidate->gpu_count; i++) {
      const PlanHostGpu *gpu = &problem->gpus.items[candidate->first_gpu + i];
      if (problem->models.items[gpu->model].profile_of_kind[kind] < 0)
        continue;
      if (pool >= 0 && gpu->pool != pool)
        return false;
      pool = gpu->pool;
      useful = true;
    }
    if (useful && home >= 0 && problem->hosts.items[home].signature != candidate->signature)
      return false;
    home = useful ? (int)host : home;
  }
  return true;
}

/* Before anything is served: is counting all that there is to this problem? */
static bool is_countable(const PlanDraft *draft) {
  const PlanProblem *problem = draft->problem;
  for (size_t i = 0; i < problem->classes.count; i++) {
    const PlanClass *class_ = &problem->classes.items[i];
    int kind = plan_class_single_kind(class_);
    if (class_->is_coupled || kind < 0 || has_uncounted_gpus(problem, class_, kind) ||
        !has_one_home(draft, class_, kind))
      return false;
  }
  return true;
}

bool plan_exact_solve(const PlanProblem *problem, PlanOffer *ret_offer) {
  CLEANUP(plan_draft_deinit) PlanDraft draft;
  CLEANUP(plan_greedy_deinit) PlanGreedy greedy;
  CLEANUP(exact_deinit) Exact exact;
  plan_draft_init(&draft, problem);
  plan_greedy_init(&greedy, &draft);
  exact_init(&exact, &greedy);
  bool countable = is_countable(&draft);
  accept_all(&exact);
  bool all_kept = place_reservations(&exact);
  bool scheduler_refused = draft.scheduler_refused;
  plan_greedy_forget(&greedy);
  plan_greedy_serve_rest(&greedy);
  plan_draft_get_offer(&draft, ret_offer);
  return countable && all_kept && !scheduler_refused;
}
