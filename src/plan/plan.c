/* SPDX-License-Identifier: Apache-2.0 */
/* One plan, from top to bottom:
 *
 *   1. group the waiting pods and the nodes (queue.c, fleet.c)
 *   2. count and place all at once (bulk.c). Where that proves nothing and the cluster is small, count and
 *      place one by one (exact.c), try without counting as well (greedy.c), and search (search.c). Where the
 *      search does not come to its end, make the best offer still better (improve.c). Then give its places to
 *      the oldest among equal pods (offer.c)
 *   3. carry the best offer out in a fork, tier by tier, every service verified by the scheduler's filters.
 *      For the pods of a tier that are still blocked, withdraw free slices (recut.c) before the next tier.
 *      An offer of bulk.c to which nothing can be added is taken as it is. What comes of it is rehearsed
 *      before (rehearse.c), on small clusters replaced by what disturbs less and serves as many (calm.c), and
 *      where nothing is withdrawn, its new slices are moved as long as that disturbs less (settle.c). Then it
 *      is replaced by what disturbs least, where that can be told (calmest.c)
 *   4. fill the rest of the changed GPUs (fill.c)
 *   5. write the result down (outcome.c), undo the fork, and say why the others are not helped (reason.c) */
#include "plan/plan.h"

#include "plan/bound.h"
#include "plan/bulk.h"
#include "plan/calm.h"
#include "plan/calmest.h"
#include "plan/exact.h"
#include "plan/fill.h"
#include "plan/greedy.h"
#include "plan/improve.h"
#include "plan/kept.h"
#include "plan/opened.h"
#include "plan/outcome.h"
#include "plan/reason.h"
#include "plan/rehearse.h"
#include "plan/search.h"
#include "plan/settle.h"
#include "sched/coupling.h"

#include <math.h>

/* One in so many steps goes to better growth, where free slices may go as well. */
enum { GROWTH_PART = 4 };

/* What is spent on the search for better offers, and what came of it. */
typedef struct Work {
  PlanBudget budget;
  PlanPrices prices; /* asked for where counting leaves something open */
  bool stopped_early;
} Work;

static void work_init(Work *work, const PlanOptions *options) {
  *work = (Work){.budget = {.steps = options->steps_max ? options->steps_max : PLAN_STEPS_DEFAULT,
                            .clock = options->clock},
                 .prices = {.bound = INFINITY}};
  work->budget.next_look = work->budget.steps;
  if (options->clock)
    options->clock->begin(options->clock->userdata);
}

static void work_deinit(Work *work) {
  plan_prices_deinit(&work->prices);
}

static void keep_better(PlanOffer *offer, PlanOffer *other) {
  if (plan_offer_is_better(other, offer))
    plan_offer_swap(offer, other);
}

static void try_one_by_one(const PlanProblem *problem, PlanOffer *best) {
  CLEANUP(plan_draft_deinit) PlanDraft draft;
  CLEANUP(plan_greedy_deinit) PlanGreedy greedy;
  CLEANUP(plan_offer_deinit) PlanOffer offer;
  plan_draft_init(&draft, problem);
  plan_greedy_init(&greedy, &draft);
  plan_greedy_serve_rest(&greedy);
  plan_draft_get_offer(&draft, &offer);
  keep_better(best, &offer);
}

static void compute_prices(const PlanProblem *problem, const PlanOffer *offer, Work *work) {
  int served = 0;
  for (int tier = 0; tier < offer->tier_count; tier++)
    served += offer->served[tier];
  if (!work->prices.costs)
    plan_prices_init(&work->prices, problem, served, &work->budget);
}

/* Growth that is searched for. What free slices make room for is searched for afterwards, and decides who is
 * served: most of the budget is left to that. */
static void improve_growth(const PlanProblem *problem, Work *work, PlanOffer *offer) {
  PlanBudget part = work->budget;
  if (problem->has_withdrawable)
    part.steps /= GROWTH_PART;
  part.next_look = part.steps;
  int64_t before = part.steps;
  if (plan_improve(problem, PLAN_BY_GROWTH, &work->prices, &part, offer))
    (void)plan_improve(problem, PLAN_BY_EXISTING, &work->prices, &part, offer);
  work->stopped_early |= part.exhausted;
  work->budget.steps -= before - part.steps;
  work->budget.next_look = work->budget.steps;
  work->budget.exhausted |= part.exhausted && (part.steps > 0 || work->budget.steps <= 0); /* it is late */
}

/* On clusters that are small, or where pods ask for more than counting can answer. True where it is proven
 * optimal. */
static bool solve_one_by_one(const PlanProblem *problem, PlanOffer *ret_offer) {
  plan_exact_solve(problem, ret_offer);
  if (!plan_offer_serves_all(problem, ret_offer))
    try_one_by_one(problem, ret_offer);
  bool proven = plan_offer_serves_all(problem, ret_offer) || plan_search_improve(problem, ret_offer);
  if (ret_offer->slices.count)
    plan_search_existing(problem, ret_offer);
  plan_offer_prefer_oldest(ret_offer, problem);
  return proven;
}

/* To ask each host for each pod takes seconds beyond this. */
static bool is_large(const PlanProblem *problem) {
  return problem->waiting.count * problem->hosts.count > PLAN_ONE_BY_ONE_MAX;
}

typedef struct Solution {
  PlanOffer offer;
  bool proven;   /* optimal, as far as growth goes */
  bool is_final; /* nothing can be added, so it need not be carried out to see what else is possible, or in
                  * which order pods fit beside each other */
} Solution;

static void solution_deinit(Solution *solution) {
  plan_offer_deinit(&solution->offer);
}

static void solve(const PlanProblem *problem, Work *work, Solution *ret_solution) {
  CLEANUP(plan_offer_deinit) PlanOffer other = {0};
  *ret_solution = (Solution){0};
  PlanBulkResult result = plan_bulk_solve(problem, &ret_solution->offer);
  bool all = plan_offer_serves_all(problem, &ret_solution->offer);
  ret_solution->proven = all || result == PLAN_BULK_PROVEN;
  ret_solution->is_final =
      !problem->is_coupled && (all || (result >= PLAN_BULK_COMPLETE && !problem->has_withdrawable));
  if (ret_solution->proven || is_large(problem))
    return;
  ret_solution->is_final = false;
  ret_solution->proven = solve_one_by_one(problem, &other);
  keep_better(&other, &ret_solution->offer);
  plan_offer_swap(&other, &ret_solution->offer);
  if (ret_solution->proven)
    return;
  compute_prices(problem, &ret_solution->offer, work);
  improve_growth(problem, work, &ret_solution->offer);
}

/* Withdrawing for one pod after the other leaves some out for whom there would be room as well. What serves
 * more, and does so when it is carried out, replaces the offer. */
static void withdraw_better(const PlanProblem *problem, Work *work, PlanOffer *offer) {
  CLEANUP(plan_offer_deinit) PlanOffer outcome, better = {0}, proof = {0};
  PlanDisturbance cost;
  plan_rehearse(problem, offer, &outcome, &cost);
  if (plan_offer_serves_all(problem, &outcome))
    return;
  compute_prices(problem, &outcome, work);
  plan_rehearse(problem, offer, &better, &cost);
  if (!plan_improve(problem, PLAN_BY_WITHDRAWAL, &work->prices, &work->budget, &better))
    return;
  plan_rehearse(problem, &better, &proof, &cost);
  if (plan_offer_is_better(&proof, &outcome))
    plan_offer_swap(offer, &better);
}

/* Nobody serves more, whatever is withdrawn. */
static bool is_most(const PlanProblem *problem, const PlanOffer *offer) {
  int served = 0;
  for (int tier = 0; tier < offer->tier_count; tier++)
    served += offer->served[tier];
  return problem->tier_count <= 1 && served >= plan_bound_compute(problem);
}

/* Whom withdrawals serve that are found one after the other. */
static bool is_better_rehearsed(const PlanProblem *problem, const PlanOffer *offer, const PlanOffer *than) {
  CLEANUP(plan_offer_deinit) PlanOffer outcome, other;
  PlanDisturbance cost;
  plan_rehearse(problem, offer, &outcome, &cost);
  plan_rehearse(problem, than, &other, &cost);
  return plan_offer_is_better(&outcome, &other);
}

/* The same by counting, in a hundredth of the time. */
static void withdraw_counted(const PlanProblem *problem, Solution *solution) {
  CLEANUP(plan_offer_deinit) PlanOffer counted;
  PlanBulkResult result = plan_opened_solve(problem, &solution->offer, &counted);
  if (result == PLAN_BULK_PARTIAL)
    return;
  solution->is_final = result == PLAN_BULK_PROVEN || is_most(problem, &counted);
  if (solution->is_final || is_large(problem) || is_better_rehearsed(problem, &counted, &solution->offer))
    plan_offer_swap(&solution->offer, &counted);
}

/* Small clusters are searched for the plan that disturbs least. */
static void withdraw(const PlanProblem *problem, Work *work, Solution *solution) {
  if (!plan_search_is_possible(problem))
    withdraw_counted(problem, solution);
  if (!solution->is_final && !is_large(problem))
    withdraw_better(problem, work, &solution->offer);
}

/* What comes of the offer replaces it. */
static void carry_out(const PlanProblem *problem, const PlanOptions *options, PlanOffer *offer, Plan *plan) {
  CLEANUP(plan_draft_deinit) PlanDraft draft;
  CLEANUP(plan_greedy_deinit) PlanGreedy greedy;
  plan_draft_init(&draft, problem);
  plan_greedy_init(&greedy, &draft);
  plan_serve_tiers(&greedy, offer);
  plan_draft_reprieve(&draft);
  if (options->leftover == PLAN_LEFTOVER_FILL)
    plan_fill(&draft, options);
  const PlanOutcome outcome = {.problem = problem,
                               .hosts = draft.hosts,
                               .recuts = draft.recuts,
                               .turns = draft.turns,
                               .creates = draft.slices.items,
                               .create_count = draft.slices.count,
                               .destroys = draft.withdrawn.items,
                               .destroy_count = draft.withdrawn.count};
  plan_outcome_write(&outcome, plan);
  plan_offer_deinit(offer);
  plan_draft_get_offer(&draft, offer);
  for (size_t i = 0; i < draft.withdrawn.count; i++)
    *array_push(&offer->withdrawals) = draft.withdrawn.items[i];
}

static void take_offer(const PlanProblem *problem, const PlanOptions *options, PlanOffer *offer, Plan *plan) {
  if (options->leftover == PLAN_LEFTOVER_FILL)
    plan_fill_offer(problem, options, offer);
  CLEANUP(cleanup_free)
  bool *recuts = offer->withdrawals.count ? mem_alloc(problem->waiting.count * sizeof *recuts) : NULL;
  for (size_t i = 0; i < offer->withdrawals.count; i++)
    recuts[offer->withdrawals.items[i].waiting] = true;
  const PlanOutcome outcome = {.problem = problem,
                               .hosts = offer->hosts,
                               .recuts = recuts,
                               .creates = offer->slices.items,
                               .create_count = offer->slices.count,
                               .destroys = offer->withdrawals.items,
                               .destroy_count = offer->withdrawals.count};
  plan_outcome_write(&outcome, plan);
}

/* What is told to a blocked pod of the class. */
typedef struct Explanation {
  const char *text; /* NULL: nobody asked yet */
  bool premature;
} Explanation;

/* Pods of one class share one text. */
static void explain(const PlanProblem *problem, const int *hosts, Plan *plan) {
  CLEANUP(plan_reasons_deinit) PlanReasons reasons;
  CLEANUP(cleanup_free) Explanation *known = mem_alloc(problem->classes.count * sizeof *known);
  plan_reasons_init(&reasons, problem, hosts);
  for (size_t i = 0; i < problem->waiting.count; i++) {
    int class_ = problem->waiting.items[i].class_;
    if (hosts[i] >= 0)
      continue;
    PlanPod *pod = &plan->pods.items[problem->waiting.items[i].pod];
    if (pod->verdict != PLAN_BLOCKED)
      continue;
    Explanation *explanation = &known[class_];
    if (!explanation->text) {
      char text[PLAN_REASON_SIZE];
      plan_reasons_format(&reasons, class_, text);
      explanation->text = arena_strdup(&plan->arena, text);
      explanation->premature = plan_reasons_are_premature(&reasons, class_);
    }
    pod->reason = explanation->text;
    pod->premature = explanation->premature;
  }
}

/* Counting and search prove what growth can do. */
static int bound_of(const PlanProblem *problem, const PlanPrices *prices, const Plan *plan, bool proven) {
  bool serves_all = plan->admitted + plan->already_fit == (int)problem->waiting.count;
  if ((proven && !problem->is_coupled && problem->tier_count <= 1 && !problem->has_withdrawable) ||
      serves_all)
    return plan->admitted;
  int bound = plan_bound_compute(problem);
  if (prices->bound + 1e-6 < bound)
    bound = (int)(prices->bound + 1e-6);
  bound -= plan->already_fit;
  assert(bound >= plan->admitted);
  return bound;
}

/* The scheduler makes room for them, so they come before all that is planned. Returns the mark of a fork. */
static size_t place_nominated(Snapshot *snapshot) {
  (void)sched_coupling_get(snapshot); /* which is made before anything is bound */
  size_t mark = snapshot_fork(snapshot);
  for (size_t i = 0; i < snapshot->nominated.count; i++) {
    int pod = snapshot->nominated.items[i];
    snapshot_bind(
        snapshot, pod,
        snapshot_find_node(snapshot, pod_common(snapshot->pods.items[pod].object)->nominated_node_name));
  }
  return mark;
}

/* The texts that blocked pods were given, by class. */
static void keep_reasons(PlanKept *kept, const Plan *plan) {
  for (size_t i = 0; i < kept->items.count; i++) {
    const KeptItem *item = &kept->items.items[i];
    if (item->host < 0)
      kept->reasons[item->class_] = plan->pods.items[item->pod].reason;
  }
}

/* On small clusters the search may find a calmer plan, which nobody could keep up. */
static bool keep(PlanProblem *problem, const Solution *solution, const Plan *plan, size_t searched_min,
                 PlanKept *ret_kept) {
  if (solution->offer.withdrawals.count || plan_search_is_possible(problem) ||
      !plan_kept_build(ret_kept, problem, &solution->offer, searched_min))
    return false;
  keep_reasons(ret_kept, plan);
  return true;
}

/* `ret_kept`: NULL where nobody wants it. */
static bool compute(Snapshot *snapshot, const PlanOptions *options, size_t searched_min, Plan *ret_plan,
                    PlanKept *ret_kept) {
  CLEANUP(plan_problem_deinit) PlanProblem problem;
  CLEANUP(solution_deinit) Solution solution;
  *ret_plan = (Plan){0};
  size_t mark = place_nominated(snapshot);
  plan_problem_init(&problem, snapshot, options->old_before);
  CLEANUP(work_deinit) Work work;
  work_init(&work, options);
  solve(&problem, &work, &solution);
  if (problem.has_withdrawable && !solution.is_final)
    withdraw(&problem, &work, &solution);
  if (plan_calm_down(&problem, &solution.offer))
    solution.is_final = false;
  if ((!solution.is_final || plan_search_is_possible(&problem)) && plan_settle(&problem, &solution.offer))
    solution.is_final = false;
  if (plan_calmest_find(&problem, &solution.offer))
    solution.is_final = false;
  if (solution.is_final)
    take_offer(&problem, options, &solution.offer, ret_plan);
  else
    carry_out(&problem, options, &solution.offer, ret_plan);
  explain(&problem, solution.offer.hosts, ret_plan);
  ret_plan->pending = (int)problem.waiting.count;
  ret_plan->bound = bound_of(&problem, &work.prices, ret_plan, solution.proven);
  ret_plan->stopped_early = work.stopped_early || work.budget.exhausted;
  snapshot_rollback(snapshot, mark);
  return ret_kept && keep(&problem, &solution, ret_plan, searched_min, ret_kept);
}

void plan_compute(Snapshot *snapshot, const PlanOptions *options, Plan *ret_plan) {
  (void)compute(snapshot, options, 0, ret_plan, NULL);
}

bool plan_compute_kept(Snapshot *snapshot, const PlanOptions *options, size_t searched_min, Plan *ret_plan,
                       PlanKept *ret_kept) {
  return compute(snapshot, options, searched_min, ret_plan, ret_kept);
}

void plan_deinit(Plan *plan) {
  array_deinit(&plan->pods);
  array_deinit(&plan->gpus);
  arena_deinit(&plan->arena);
}

double plan_gap(const Plan *plan) {
  return plan->bound > 0 ? (double)(plan->bound - plan->admitted) / plan->bound : 0;
}
