/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/realise.h"

#include "plan/fit.h"

enum {
  REALISE_STEPS_MAX = 50000, /* places tried on one host */
  AFRESH_STEPS_MAX = 10000,  /* more of them, where free slices need not be used as they are */
};

typedef struct Realise {
  const PlanProblem *problem;
  PlanMeans means;
  PlanOffer *offer;
  int *asked, *kept; /* by kind, on the current host */
  PlanPacking packing;
  PlanFits *fits; /* NULL until they are asked */
  PlanBudget budget;
} Realise;

static void realise_deinit(Realise *realise) {
  free(realise->asked);
  free(realise->kept);
  plan_fits_free(realise->fits);
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
    const MigLayout *layout = plan_problem_gpu(problem, gpu)->layout;
    const PlanModel *model = plan_problem_model(problem, gpu);
    for (uint32_t starts = plan_problem_withdrawable(problem, gpu); starts && most > 0; starts &= starts - 1)
      most -= model->stock_of_profile[mig_layout_find(layout, __builtin_ctz(starts))->profile] ==
              problem->kinds.items[kind].stock;
  }
  return most;
}

/* Decides kind by kind how many free slices are used as they are; the others of them are placed afresh. */
typedef struct Choice {
  const PlanRealiseQuestion *question;
  int64_t steps; /* left */
  int *kept;     /* by kind, as it is tried */
  int *ret_kept; /* of the best packing */
  PlanPacking *best;
  bool found;
} Choice;

static bool disturbs_less(const PlanPacking *packing, const PlanPacking *than) {
  if (packing->withdrawn == than->withdrawn && packing->count != than->count)
    return packing->count < than->count;
  return plan_packing_is_better(packing, than);
}

static void try_kept(Choice *choice) {
  PlanPacking packing;
  int64_t steps = choice->steps;
  bool fits = pack(choice->question, choice->kept, &steps, &packing);
  choice->steps -= packing.tried;
  if (!fits || (choice->found && !disturbs_less(&packing, choice->best)))
    return;
  *choice->best = packing;
  choice->found = true;
  memcpy(choice->ret_kept, choice->kept, choice->question->problem->kinds.count * sizeof *choice->kept);
}

static void choose_kept(Choice *choice, int kind) {
  if (kind == (int)choice->question->problem->kinds.count) {
    try_kept(choice);
    return;
  }
  int most = choice->kept[kind], least = least_kept(choice->question, kind, most);
  for (; choice->kept[kind] >= least && choice->steps > 0; choice->kept[kind]--)
    choose_kept(choice, kind + 1);
  choice->kept[kind] = most;
}

/* Looks for a better way than the one that is known, if one is. */
/* NOLINTNEXTLINE(readability-non-const-parameter): the choice writes there */
static bool choose_least(const PlanRealiseQuestion *question, const int *most, bool found, int *ret_kept,
                         PlanPacking *ret_packing, int64_t *steps) {
  size_t size = question->problem->kinds.count * sizeof *ret_kept;
  CLEANUP(cleanup_free) int *kept = mem_alloc(size);
  memcpy(kept, most, size);
  Choice choice = {.question = question,
                   .steps = *steps < AFRESH_STEPS_MAX ? *steps : AFRESH_STEPS_MAX,
                   .kept = kept,
                   .ret_kept = ret_kept,
                   .best = ret_packing,
                   .found = found};
  int64_t before = choice.steps;
  choose_kept(&choice, 0);
  *steps -= before - choice.steps;
  return choice.found;
}

/* Whoever is thorough has steps for several packings, of which each counts as it is: the packing itself takes
 * all but a few once it has found a way. */
static bool pack_once(const PlanRealiseQuestion *question, const int *kept, int64_t *steps,
                      PlanPacking *ret_packing) {
  int64_t left = *steps;
  if (!question->is_thorough)
    return pack(question, kept, steps, ret_packing);
  bool found = pack(question, kept, &left, ret_packing);
  *steps -= ret_packing->tried;
  return found;
}

/* All free slices as they are; where that leaves no room for the others, each may also be placed afresh. What
 * withdraws one slice is the least already, because with none there would be no need to. */
bool plan_realise_pack(const PlanRealiseQuestion *question, int64_t *steps, int *ret_kept,
                       PlanPacking *ret_packing) {
  int kinds = (int)question->problem->kinds.count, missing = 0, loose = 0;
  CLEANUP(cleanup_free) int *most = mem_alloc((size_t)kinds * sizeof *most);
  plan_packing_clear(ret_packing);
  for (int kind = 0; kind < kinds; kind++) {
    int available = plan_problem_free(question->problem, question->host, kind);
    most[kind] = available < question->asked[kind] ? available : question->asked[kind];
    missing += question->asked[kind] - most[kind];
  }
  memcpy(ret_kept, most, (size_t)kinds * sizeof *most);
  if (!missing || question->means == PLAN_BY_EXISTING)
    return !missing;
  bool found = pack_once(question, ret_kept, steps, ret_packing);
  if (question->means != PLAN_BY_WITHDRAWAL ||
      (found && (ret_packing->withdrawn <= 1 || !question->is_thorough)))
    return found;
  for (int kind = 0; !found && kind < kinds; kind++) {
    int least = least_kept(question, kind, ret_kept[kind]);
    loose += ret_kept[kind] - least;
    ret_kept[kind] = least;
  }
  if (loose)
    found = pack_once(question, ret_kept, steps, ret_packing);
  return question->is_thorough ? choose_least(question, most, found, ret_kept, ret_packing, steps) : found;
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
static void hand_out(const PlanProblem *problem, int *kept, PlanPacking *packing, int waiting) {
  const PlanClass *class_ = plan_problem_class(problem, waiting);
  for (int n = 0; n < class_->need_count; n++) {
    int lacking = class_->needs[n].count, *left = &kept[class_->needs[n].kind];
    for (; lacking > 0 && *left > 0; lacking--)
      --*left;
    for (int i = 0; i < packing->count && lacking > 0; i++) {
      PlanSlice *slice = &packing->slices[i];
      const PlanModel *model = plan_problem_model(problem, slice->gpu);
      if (slice->waiting >= 0 || slice->profile != model->profile_of_kind[class_->needs[n].kind])
        continue;
      slice->waiting = waiting;
      lacking--;
    }
    assert(lacking == 0);
  }
}

/* Does the new slice need the place of the old one, or its engines, or does it replace it? What moves has to
 * go before the first new one of its profile comes, or else the pods that are bound by then seem to need it.
 */
static bool needs_withdrawal(const PlanProblem *problem, const PlanSlice *slice, int gpu,
                             const MigInstance *old) {
  if (plan_problem_model(problem, slice->gpu)->stock_of_profile[slice->profile] ==
      plan_problem_model(problem, gpu)->stock_of_profile[old->profile])
    return true;
  return slice->gpu == gpu &&
         mig_layout_obstacles(plan_problem_gpu(problem, gpu)->layout, slice->profile, slice->start) >>
                 old->start &
             1;
}

/* The first pod that needs the withdrawal; where only a rule of the whole GPU made the slice go, the first
 * that gets one there. */
static int find_beneficiary(const PlanProblem *problem, const PlanPacking *packing, int gpu,
                            const MigInstance *old) {
  int needing = -1, first = -1;
  for (int i = 0; i < packing->count; i++) {
    const PlanSlice *slice = &packing->slices[i];
    if (needs_withdrawal(problem, slice, gpu, old) && (needing < 0 || slice->waiting < needing))
      needing = slice->waiting;
    if (slice->gpu == gpu && (first < 0 || slice->waiting < first))
      first = slice->waiting;
  }
  assert(needing >= 0 || first >= 0);
  return needing >= 0 ? needing : first;
}

static void take_withdrawals(const PlanProblem *problem, int host, const PlanPacking *packing,
                             PlanOffer *offer) {
  const PlanHost *from = &problem->hosts.items[host];
  for (int i = 0; i < from->gpu_count; i++) {
    int gpu = from->first_gpu + i;
    for (uint32_t starts = packing->withdraws[i]; starts; starts &= starts - 1) {
      const MigInstance *instance =
          mig_layout_find(plan_problem_gpu(problem, gpu)->layout, __builtin_ctz(starts));
      *array_push(&offer->withdrawals) =
          (PlanSlice){.waiting = find_beneficiary(problem, packing, gpu, instance),
                      .gpu = gpu,
                      .profile = instance->profile,
                      .start = instance->start};
    }
  }
}

void plan_realise_take(const PlanProblem *problem, int host, int *kept, PlanPacking *packing,
                       PlanOffer *offer) {
  for (size_t waiting = 0; waiting < problem->waiting.count; waiting++)
    if (offer->hosts[waiting] == host)
      hand_out(problem, kept, packing, (int)waiting);
  for (int i = 0; i < packing->count; i++)
    *array_push(&offer->slices) = packing->slices[i];
  take_withdrawals(problem, host, packing, offer);
}

static void leave_out(Realise *realise, int host) {
  for (size_t i = 0; i < realise->problem->waiting.count; i++)
    if (realise->offer->hosts[i] == host)
      realise->offer->hosts[i] = -1;
}

/* Going through places may come to no end where choosing among the cuts of whole GPUs does. */
static bool pack_by_cuts(Realise *realise, int host) {
  if (realise->means == PLAN_BY_EXISTING)
    return false;
  if (!realise->fits)
    realise->fits = plan_fits_new(realise->problem, realise->means, &realise->budget);
  return plan_fits_pack(realise->fits, host, realise->asked, realise->kept, &realise->packing);
}

static void realise_host(Realise *realise, int host) {
  int64_t steps = REALISE_STEPS_MAX;
  const PlanRealiseQuestion question = {.problem = realise->problem,
                                        .host = host,
                                        .asked = realise->asked,
                                        .means = realise->means,
                                        .is_thorough = realise->means == PLAN_BY_WITHDRAWAL};
  count_asked(realise, host);
  if (!plan_realise_pack(&question, &steps, realise->kept, &realise->packing) &&
      !pack_by_cuts(realise, host)) {
    leave_out(realise, host);
    return;
  }
  plan_realise_take(realise->problem, host, realise->kept, &realise->packing, realise->offer);
}

void plan_realise(const PlanProblem *problem, PlanMeans means, PlanOffer *offer) {
  size_t kinds = problem->kinds.count;
  CLEANUP(realise_deinit)
  Realise realise = {.problem = problem,
                     .means = means,
                     .offer = offer,
                     .budget = {.steps = INT64_MAX},
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
