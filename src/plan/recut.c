/* SPDX-License-Identifier: Apache-2.0 */
/* A pod that asks several slices may find some of them free, but where another of its slices has to go. So
 * the packing is asked with all of them taken as they are, then with fewer: those are withdrawn, and placed
 * afresh elsewhere. A pod that asks one slice leaves no such choice. */
#include "plan/recut.h"

enum { STEPS_MAX = 20000 }; /* places tried on one node for one pod */

typedef struct Recut {
  const PlanProblem *problem;
  const PlanClass *class_;
  int host;
  const bool *touched;
  int *missing, *kept; /* by kind */
  int64_t steps;
  PlanPacking *best;
  bool found;
} Recut;

static void recut_deinit(Recut *recut) {
  free(recut->missing);
  free(recut->kept);
}

/* How many slices of the stock could go from the host at most. */
static int count_withdrawable(const Recut *recut, int stock) {
  const PlanHost *host = &recut->problem->hosts.items[recut->host];
  int count = 0;
  for (int gpu = host->first_gpu; gpu < host->first_gpu + host->gpu_count; gpu++) {
    const MigLayout *layout = plan_problem_gpu(recut->problem, gpu)->layout;
    const PlanModel *model = plan_problem_model(recut->problem, gpu);
    for (uint32_t starts = plan_problem_withdrawable(recut->problem, gpu); starts; starts &= starts - 1)
      count += model->stock_of_profile[mig_layout_find(layout, __builtin_ctz(starts))->profile] == stock;
  }
  return count;
}

static void pack(Recut *recut) {
  PlanPacking packing;
  PlanPackQuestion question = {.problem = recut->problem,
                               .host = recut->host,
                               .missing = recut->missing,
                               .kept = recut->kept,
                               .touched = recut->touched,
                               .steps = &recut->steps};
  if (!plan_pack(&question, &packing) || (recut->found && !plan_packing_is_better(&packing, recut->best)))
    return;
  *recut->best = packing;
  recut->found = true;
}

/* Decides how many free slices the pod takes as they are, need by need, as many as possible first. */
static void choose_kept(Recut *recut, int n) {
  if (n == recut->class_->need_count) {
    pack(recut);
    return;
  }
  const PlanNeed *need = &recut->class_->needs[n];
  int available = plan_problem_free(recut->problem, recut->host, need->kind);
  int most = available < need->count ? available : need->count, least = 0;
  if (most > 0) {
    int loose = plan_class_single_kind(recut->class_) >= 0
                    ? 0
                    : count_withdrawable(recut, recut->problem->kinds.items[need->kind].stock);
    least = most > loose ? most - loose : 0;
  }
  for (int kept = most; kept >= least && recut->steps > 0; kept--) {
    recut->kept[need->kind] = kept;
    recut->missing[need->kind] = need->count - kept;
    choose_kept(recut, n + 1);
    if (recut->found && recut->best->withdrawn == 0)
      return;
  }
}

bool plan_recut(const PlanProblem *problem, const PlanClass *class_, int host, const bool *touched,
                PlanPacking *ret_packing) {
  CLEANUP(recut_deinit)
  Recut recut = {.problem = problem,
                 .class_ = class_,
                 .host = host,
                 .touched = touched,
                 .missing = mem_alloc(problem->kinds.count * sizeof *recut.missing),
                 .kept = mem_alloc(problem->kinds.count * sizeof *recut.kept),
                 .steps = STEPS_MAX,
                 .best = ret_packing};
  choose_kept(&recut, 0);
  return recut.found;
}
