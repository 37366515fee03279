/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/realise.h"

enum { REALISE_STEPS_MAX = 500000 }; /* places tried on one host */

typedef struct Realise {
  const PlanProblem *problem;
  PlanMeans means;
  PlanOffer *offer;
  int *asked, *kept; /* by kind, on the current host */
  PlanPacking packing;
} Realise;

static void realise_deinit(Realise *realise) {
  free(realise->asked);
  free(realise->kept);
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the packing counts the steps down */
static bool pack(const PlanRealiseQuestion *question, const int *kept, int64_t *steps,
                 PlanPacking *ret_packing) {
  size_t kinds = question->problem->kinds.count;
  CLEANUP(cleanup_free) int *missing = mem_alloc(kinds * sizeof *missing);
  for (size_t kind = 0; kind < kinds; kind++)
    missing[kind] = question->asked[kind] - kept[kind];
  const PlanPackQuestion packed = {.problem = question->problem,
                                   .host = question->host,
                                   .missing = missing,
                                   .kept = question->means == PLAN_BY_WITHDRAWAL ? kept : NULL,
                                   .steps = steps};
  return plan_pack(&packed, ret_packing);
}

/* How many free slices of the kind have to be used as they are, because they cannot go. */
static int least_kept(const PlanRealiseQuestion *question, int kind, int most) {
  const PlanProblem *problem = question->problem;
  const PlanHost *host = &problem->hosts.items[question->host];
  for (int gpu = host->first_gpu; most > 0 && gpu < host->first_gpu + host->gpu_count; gpu++) {
    const MigLayout *layout = &plan_problem_gpu(problem, gpu)->layout;
    const PlanModel *model = plan_problem_model(problem, gpu);
    for (uint32_t starts = plan_problem_withdrawable(problem, gpu); starts && most > 0; starts &= starts - 1)
      most -= model->stock_of_profile[mig_layout_find(layout, __builtin_ctz(starts))->profile] ==
              problem->kinds.items[kind].stock;
  }
  return most;
}

/* All free slices as they are; where that leaves no room for the others, each may also be placed afresh. */
bool plan_realise_pack(const PlanRealiseQuestion *question, int64_t *steps, int *ret_kept,
                       PlanPacking *ret_packing) {
  int kinds = (int)question->problem->kinds.count, missing = 0, loose = 0;
  plan_packing_clear(ret_packing);
  for (int kind = 0; kind < kinds; kind++) {
    int available = plan_problem_free(question->problem, question->host, kind);
    ret_kept[kind] = available < question->asked[kind] ? available : question->asked[kind];
    missing += question->asked[kind] - ret_kept[kind];
  }
  if (!missing || question->means == PLAN_BY_EXISTING)
    return !missing;
  if (pack(question, ret_kept, steps, ret_packing))
    return true;
  for (int kind = 0; question->means == PLAN_BY_WITHDRAWAL && kind < kinds; kind++) {
    int least = least_kept(question, kind, ret_kept[kind]);
    loose += ret_kept[kind] - least;
    ret_kept[kind] = least;
  }
  return loose && pack(question, ret_kept, steps, ret_packing);
}

static void count_asked(Realise *realise, int host) {
  const PlanProblem *problem = realise->problem;
  memset(realise->asked, 0, problem->kinds.count * sizeof *realise->asked);
  for (size_t i = 0; i < problem->waiting.count; i++) {
    const PlanClass *class_ = plan_problem_class(problem, (int)i);
    for (int n = 0; realise->offer->hosts[i] == host && n < class_->need_count; n++)
      realise->asked[class_->needs[n].kind] += class_->needs[n].count;
  }
}

/* The pod takes free slices of the host first, then packed ones that nobody has taken. */
static void hand_out(Realise *realise, int waiting) {
  const PlanClass *class_ = plan_problem_class(realise->problem, waiting);
  for (int n = 0; n < class_->need_count; n++) {
    int lacking = class_->needs[n].count, *left = &realise->kept[class_->needs[n].kind];
    for (; lacking > 0 && *left > 0; lacking--)
      --*left;
    for (int i = 0; i < realise->packing.count && lacking > 0; i++) {
      PlanSlice *slice = &realise->packing.slices[i];
      const PlanModel *model = plan_problem_model(realise->problem, slice->gpu);
      if (slice->waiting >= 0 || slice->profile != model->profile_of_kind[class_->needs[n].kind])
        continue;
      slice->waiting = waiting;
      lacking--;
    }
    assert(lacking == 0);
  }
}

/* The first pod that needs the place; where a rule of the whole GPU made it go, the first that gets a slice
 * there. */
static int find_beneficiary(const Realise *realise, int gpu, const MigInstance *instance) {
  const MigModel *model = plan_problem_gpu(realise->problem, gpu)->model;
  uint32_t mask = mig_placement_mask(model, instance->profile, instance->start);
  int overlapping = -1, first = -1;
  for (int i = 0; i < realise->packing.count; i++) {
    const PlanSlice *slice = &realise->packing.slices[i];
    if (slice->gpu != gpu)
      continue;
    bool overlaps = mig_placement_mask(model, slice->profile, slice->start) & mask;
    if (overlaps && (overlapping < 0 || slice->waiting < overlapping))
      overlapping = slice->waiting;
    if (first < 0 || slice->waiting < first)
      first = slice->waiting;
  }
  assert(first >= 0);
  return overlapping >= 0 ? overlapping : first;
}

static void take_withdrawals(Realise *realise, int host) {
  const PlanHost *from = &realise->problem->hosts.items[host];
  for (int i = 0; i < from->gpu_count; i++) {
    int gpu = from->first_gpu + i;
    for (uint32_t starts = realise->packing.withdraws[i]; starts; starts &= starts - 1) {
      const MigInstance *instance =
          mig_layout_find(&plan_problem_gpu(realise->problem, gpu)->layout, __builtin_ctz(starts));
      *array_push(&realise->offer->withdrawals) =
          (PlanSlice){.waiting = find_beneficiary(realise, gpu, instance),
                      .gpu = gpu,
                      .profile = instance->profile,
                      .start = instance->start};
    }
  }
}

static void leave_out(Realise *realise, int host) {
  for (size_t i = 0; i < realise->problem->waiting.count; i++)
    if (realise->offer->hosts[i] == host)
      realise->offer->hosts[i] = -1;
}

static void realise_host(Realise *realise, int host) {
  PlanOffer *offer = realise->offer;
  int64_t steps = REALISE_STEPS_MAX;
  const PlanRealiseQuestion question = {
      .problem = realise->problem, .host = host, .asked = realise->asked, .means = realise->means};
  count_asked(realise, host);
  if (!plan_realise_pack(&question, &steps, realise->kept, &realise->packing)) {
    leave_out(realise, host);
    return;
  }
  for (size_t waiting = 0; waiting < realise->problem->waiting.count; waiting++)
    if (offer->hosts[waiting] == host)
      hand_out(realise, (int)waiting);
  for (int i = 0; i < realise->packing.count; i++)
    *array_push(&offer->slices) = realise->packing.slices[i];
  take_withdrawals(realise, host);
}

void plan_realise(const PlanProblem *problem, PlanMeans means, PlanOffer *offer) {
  size_t kinds = problem->kinds.count;
  CLEANUP(realise_deinit)
  Realise realise = {.problem = problem,
                     .means = means,
                     .offer = offer,
                     .asked = mem_alloc(kinds * sizeof *realise.asked),
                     .kept = mem_alloc(kinds * sizeof *realise.kept)};
  array_clear(&offer->slices);
  array_clear(&offer->withdrawals);
  for (int host = 0; host < (int)problem->hosts.count; host++)
    realise_host(&realise, host);
  memset(offer->served, 0, (size_t)offer->tier_count * sizeof *offer->served);
  for (size_t i = 0; i < problem->waiting.count; i++)
    offer->served[problem->waiting.items[i].tier] += offer->hosts[i] >= 0;
  plan_offer_sort(offer);
}
