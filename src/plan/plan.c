/* SPDX-License-Identifier: Apache-2.0 */
/* One plan, from top to bottom:
 *
 *   1. group the waiting pods and the nodes (queue.c, fleet.c)
 *   2. count and place (exact.c); where that proves nothing, try one by one as well (greedy.c) and search
 *      (search.c), keep the offer that serves more of the highest tier, and give its places to the oldest
 *      among equal pods (offer.c)
 *   3. carry the best offer out in a fork, tier by tier, every service verified by the scheduler's filters.
 *      For the pods of a tier that are still blocked, withdraw free slices (recut.c) before the next tier
 *   4. fill the rest of the changed GPUs (fill.c)
 *   5. take the result out, undo the fork, and say why the others are not helped (reason.c) */
#include "plan/plan.h"

#include "plan/bound.h"
#include "plan/exact.h"
#include "plan/fill.h"
#include "plan/greedy.h"
#include "plan/reason.h"
#include "plan/search.h"

static const char *const verdict_names[] = {[PLAN_IGNORED] = "ignored",
                                            [PLAN_FITS] = "fits",
                                            [PLAN_ADMITTED] = "admitted",
                                            [PLAN_BLOCKED] = "blocked"};
static const char *const state_names[] = {
    [PLAN_USED] = "used", [PLAN_KEEP] = "keep", [PLAN_CREATE] = "create", [PLAN_DESTROY] = "destroy"};

const char *plan_verdict_name(PlanVerdict verdict) {
  assert(verdict < COUNT_OF(verdict_names));
  return verdict_names[verdict];
}

const char *plan_state_name(PlanState state) {
  assert(state < COUNT_OF(state_names));
  return state_names[state];
}

static bool serves_all(const PlanProblem *problem, const PlanOffer *offer) {
  for (size_t i = 0; i < problem->waiting.count; i++)
    if (offer->hosts[i] < 0)
      return false;
  return true;
}

static void try_one_by_one(const PlanProblem *problem, PlanOffer *best) {
  CLEANUP(plan_draft_deinit) PlanDraft draft;
  CLEANUP(plan_greedy_deinit) PlanGreedy greedy;
  CLEANUP(plan_offer_deinit) PlanOffer offer;
  plan_draft_init(&draft, problem);
  plan_greedy_init(&greedy, &draft);
  plan_greedy_serve_rest(&greedy);
  plan_draft_get_offer(&draft, &offer);
  if (plan_offer_is_better(&offer, best)) {
    PlanOffer worse = *best;
    *best = offer;
    offer = worse;
  }
}

/* True where the offer is proven optimal. */
static bool solve(const PlanProblem *problem, PlanOffer *ret_offer) {
  if (plan_exact_solve(problem, ret_offer))
    return true;
  if (!serves_all(problem, ret_offer))
    try_one_by_one(problem, ret_offer);
  bool proven = serves_all(problem, ret_offer) || plan_search_improve(problem, ret_offer);
  if (ret_offer->slices.count)
    plan_search_existing(problem, ret_offer);
  return proven;
}

static PlanGpu *get_gpu(const PlanProblem *problem, Plan *plan, int gpu) {
  const PlanHostGpu *changed = &problem->gpus.items[gpu];
  int node = problem->hosts.items[changed->host].node;
  bool is_first = plan->gpus.count == 0;
  const PlanGpu *last = is_first ? NULL : &plan->gpus.items[plan->gpus.count - 1];
  if (!is_first && last->node == node && last->gpu == changed->gpu)
    return &plan->gpus.items[plan->gpus.count - 1];
  plan->nodes_changed += is_first || last->node != node;
  PlanGpu *added = array_push(&plan->gpus);
  added->node = node;
  added->gpu = changed->gpu;
  return added;
}

/* By GPU; what is asked for comes first, in the order of service. The order of placing is kept among equals,
 * so the slices are told apart by their places in the array. */
static int compare_creates(const void *a, const void *b) {
  const PlanSlice *left = a, *right = b;
  bool leftover_left = left->waiting < 0, leftover_right = right->waiting < 0;
  if (left->gpu != right->gpu)
    return left->gpu < right->gpu ? -1 : 1;
  if (leftover_left != leftover_right)
    return leftover_left ? 1 : -1;
  if (left->waiting != right->waiting)
    return left->waiting < right->waiting ? -1 : 1;
  return right->start - left->start;
}

static int compare_destroys(const void *a, const void *b) {
  const PlanSlice *left = a, *right = b;
  return left->gpu != right->gpu ? (left->gpu < right->gpu ? -1 : 1) : left->start - right->start;
}

static void add_create(const PlanProblem *problem, Plan *plan, const PlanSlice *slice) {
  PlanGpu *gpu = get_gpu(problem, plan, slice->gpu);
  assert(gpu->create_count < MIG_INSTANCES_MAX);
  gpu->creates[gpu->create_count++] =
      (PlanCreate){.profile = slice->profile, .start = slice->start, .leftover = slice->waiting < 0};
  plan->create++;
}

static void add_destroy(const PlanProblem *problem, Plan *plan, const PlanSlice *slice) {
  PlanGpu *gpu = get_gpu(problem, plan, slice->gpu);
  assert(gpu->destroy_count < MIG_INSTANCES_MAX);
  gpu->destroys[gpu->destroy_count++] = (PlanDestroy){.profile = slice->profile, .start = slice->start};
  plan->destroy++;
}

static void take_changes(PlanDraft *draft, Plan *plan) {
  size_t created = 0, destroyed = 0;
  if (draft->slices.count)
    qsort(draft->slices.items, draft->slices.count, sizeof draft->slices.items[0], compare_creates);
  if (draft->withdrawn.count)
    qsort(draft->withdrawn.items, draft->withdrawn.count, sizeof draft->withdrawn.items[0], compare_destroys);
  for (int gpu = 0; gpu < (int)draft->problem->gpus.count; gpu++) {
    for (; destroyed < draft->withdrawn.count && draft->withdrawn.items[destroyed].gpu == gpu; destroyed++)
      add_destroy(draft->problem, plan, &draft->withdrawn.items[destroyed]);
    for (; created < draft->slices.count && draft->slices.items[created].gpu == gpu; created++)
      add_create(draft->problem, plan, &draft->slices.items[created]);
  }
}

static void take_services(const PlanDraft *draft, int *hosts, Plan *plan) {
  const PlanProblem *problem = draft->problem;
  for (size_t i = 0; i < problem->waiting.count; i++) {
    PlanPod *pod = &plan->pods.items[problem->waiting.items[i].pod];
    hosts[i] = draft->hosts[i];
    pod->verdict = hosts[i] < 0 ? PLAN_BLOCKED : PLAN_FITS;
    pod->node = hosts[i] < 0 ? -1 : problem->hosts.items[hosts[i]].node;
    plan->already_fit += hosts[i] >= 0;
  }
  for (size_t i = 0; i < draft->slices.count; i++) {
    int waiting = draft->slices.items[i].waiting;
    PlanPod *pod = waiting < 0 ? NULL : &plan->pods.items[problem->waiting.items[waiting].pod];
    if (!pod || pod->verdict == PLAN_ADMITTED)
      continue;
    pod->verdict = PLAN_ADMITTED;
    pod->recut = draft->recuts[waiting];
    plan->admitted++;
    plan->already_fit--;
  }
}

/* Each tier grows before it takes anything away, and takes before a lower one is asked. What that one was
 * offered and is gone is served otherwise, if it can be. */
static void serve_tiers(PlanGreedy *greedy, const PlanOffer *offer) {
  const PlanProblem *problem = greedy->draft->problem;
  size_t end;
  for (size_t first = 0; first < problem->waiting.count; first = end) {
    int tier = problem->waiting.items[first].tier;
    for (end = first + 1; end < problem->waiting.count && problem->waiting.items[end].tier == tier;)
      end++;
    plan_draft_apply(greedy->draft, offer, first, end);
    plan_greedy_serve_range(greedy, first, end, 0);
    plan_greedy_serve_range(greedy, first, end, PLAN_RECUT);
  }
}

static void carry_out(const PlanProblem *problem, const PlanOptions *options, const PlanOffer *offer,
                      int *hosts, Plan *plan) {
  CLEANUP(plan_draft_deinit) PlanDraft draft;
  CLEANUP(plan_greedy_deinit) PlanGreedy greedy;
  plan_draft_init(&draft, problem);
  plan_greedy_init(&greedy, &draft);
  serve_tiers(&greedy, offer);
  plan_draft_reprieve(&draft);
  if (options->leftover == PLAN_LEFTOVER_FILL)
    plan_fill(&draft, options);
  take_services(&draft, hosts, plan);
  take_changes(&draft, plan);
}

static void ignore_pods(const Snapshot *snapshot, Plan *plan) {
  for (size_t i = 0; i < snapshot->pods.count; i++) {
    const SnapshotPod *pod = &snapshot->pods.items[i];
    const char *reason = pod->invalid ? pod->invalid : plan_ignore_reason(pod->object, &pod->requests);
    *array_push(&plan->pods) = (PlanPod){.pod = (int)i,
                                         .verdict = PLAN_IGNORED,
                                         .node = -1,
                                         .reason = arena_strdup(&plan->arena, string_or_empty(reason))};
  }
}

/* Pods of one class share one text. */
static void explain(const PlanProblem *problem, const int *hosts, Plan *plan) {
  CLEANUP(plan_reasons_deinit) PlanReasons reasons;
  CLEANUP(cleanup_free) const char **texts = mem_alloc(problem->classes.count * sizeof *texts);
  plan_reasons_init(&reasons, problem, hosts);
  for (size_t i = 0; i < problem->waiting.count; i++) {
    int class_ = problem->waiting.items[i].class_;
    PlanPod *pod = &plan->pods.items[problem->waiting.items[i].pod];
    pod->reason = "";
    if (pod->verdict != PLAN_BLOCKED)
      continue;
    if (!texts[class_]) {
      char text[PLAN_REASON_SIZE];
      plan_reasons_format(&reasons, class_, text);
      texts[class_] = arena_strdup(&plan->arena, text);
    }
    pod->reason = texts[class_];
    pod->premature = plan_reasons_are_premature(&reasons, class_);
  }
}

/* Counting and search prove what growth can do. */
static bool has_withdrawable(const PlanProblem *problem) {
  for (int gpu = 0; gpu < (int)problem->gpus.count; gpu++)
    if (plan_problem_withdrawable(problem, gpu))
      return true;
  return false;
}

static int bound_of(const PlanProblem *problem, const Plan *plan, bool proven) {
  bool serves_all = plan->admitted + plan->already_fit == (int)problem->waiting.count;
  if ((proven && problem->tier_count <= 1 && !has_withdrawable(problem)) || serves_all)
    return plan->admitted;
  int bound = plan_bound_compute(problem) - plan->already_fit;
  assert(bound >= plan->admitted);
  return bound;
}

void plan_compute(Snapshot *snapshot, const PlanOptions *options, Plan *ret_plan) {
  CLEANUP(plan_problem_deinit) PlanProblem problem;
  CLEANUP(plan_offer_deinit) PlanOffer offer;
  *ret_plan = (Plan){0};
  ignore_pods(snapshot, ret_plan);
  plan_problem_init(&problem, snapshot);
  CLEANUP(cleanup_free) int *hosts = mem_alloc(problem.waiting.count * sizeof *hosts);
  bool proven = solve(&problem, &offer);
  plan_offer_prefer_oldest(&offer, &problem);
  carry_out(&problem, options, &offer, hosts, ret_plan);
  explain(&problem, hosts, ret_plan);
  ret_plan->pending = (int)problem.waiting.count;
  ret_plan->bound = bound_of(&problem, ret_plan, proven);
}

void plan_deinit(Plan *plan) {
  array_deinit(&plan->pods);
  array_deinit(&plan->gpus);
  arena_deinit(&plan->arena);
}

void plan_gpu_list(const Snapshot *snapshot, const PlanGpu *gpu, MigList *ret_list) {
  const SnapshotGpu *existing = &snapshot->nodes.items[gpu->node].gpus[gpu->gpu];
  MigLayout stays = existing->layout;
  for (int i = 0; i < gpu->destroy_count; i++)
    mig_layout_remove(&stays, gpu->destroys[i].start);
  mig_list_from_layout(&stays, ret_list);
  for (int i = 0; i < gpu->create_count; i++) {
    assert(ret_list->count < MIG_INSTANCES_MAX);
    MigListItem *item = &ret_list->items[ret_list->count++];
    *item = (MigListItem){.start = gpu->creates[i].start};
    memcpy(item->profile, existing->model->profiles[gpu->creates[i].profile].name, sizeof item->profile);
  }
}
