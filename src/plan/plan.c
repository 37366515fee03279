/* SPDX-License-Identifier: Apache-2.0 */
/* One plan, from top to bottom:
 *
 *   1. group the waiting pods and the nodes (queue.c, fleet.c)
 *   2. count and place (exact.c); where that proves nothing, try one by one as well (greedy.c) and search
 *      (search.c), keep the offer that serves more of the highest tier, and give its places to the oldest
 *      among equal pods (offer.c)
 *   3. carry the best offer out in a fork, every service verified by the scheduler's filters, and fill the
 *      rest of the changed GPUs (fill.c)
 *   4. take the result out, undo the fork, and say why the others are not helped (reason.c) */
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

static PlanGpu *find_gpu(const PlanProblem *problem, Plan *plan, int gpu) {
  int node = problem->hosts.items[problem->gpus.items[gpu].host].node;
  bool is_first = plan->gpus.count == 0;
  PlanGpu *last = is_first ? NULL : &plan->gpus.items[plan->gpus.count - 1];
  if (!is_first && last->node == node && last->gpu == problem->gpus.items[gpu].gpu)
    return last;
  plan->nodes_changed += is_first || last->node != node;
  PlanGpu *added = array_push(&plan->gpus);
  added->node = node;
  added->gpu = problem->gpus.items[gpu].gpu;
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

static void take_creates(PlanDraft *draft, Plan *plan) {
  if (draft->slices.count)
    qsort(draft->slices.items, draft->slices.count, sizeof draft->slices.items[0], compare_creates);
  for (size_t i = 0; i < draft->slices.count; i++) {
    const PlanSlice *slice = &draft->slices.items[i];
    PlanGpu *gpu = find_gpu(draft->problem, plan, slice->gpu);
    assert(gpu->create_count < MIG_INSTANCES_MAX);
    gpu->creates[gpu->create_count++] =
        (PlanCreate){.profile = slice->profile, .start = slice->start, .leftover = slice->waiting < 0};
    plan->create++;
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
    plan->admitted++;
    plan->already_fit--;
  }
}

static void carry_out(const PlanProblem *problem, const PlanOptions *options, const PlanOffer *offer,
                      int *hosts, Plan *plan) {
  CLEANUP(plan_draft_deinit) PlanDraft draft;
  CLEANUP(plan_greedy_deinit) PlanGreedy greedy;
  plan_draft_init(&draft, problem);
  plan_greedy_init(&greedy, &draft);
  plan_draft_apply(&draft, offer);
  plan_greedy_serve_rest(&greedy);
  if (options->leftover == PLAN_LEFTOVER_FILL)
    plan_fill(&draft, options);
  take_services(&draft, hosts, plan);
  take_creates(&draft, plan);
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
  }
}

static int bound_of(const PlanProblem *problem, const Plan *plan, bool proven) {
  if (proven && problem->tier_count <= 1)
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
