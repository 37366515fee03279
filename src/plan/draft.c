/* SPDX-License-Identifier: Apache-2.0 */
/* The snapshot knows layouts and resources; the draft keeps beside it what the strategies ask most: free
 * slices as numbers, holes by pool, what was changed. Every service is verified with the scheduler's own
 * filters, so no offer can claim what the scheduler would refuse. */
#include "plan/draft.h"

#include "sched/filter.h"

static void count_free_of(PlanDraft *draft, int host) {
  for (int kind = 0; kind < (int)draft->problem->kinds.count; kind++)
    *plan_draft_free(draft, host, kind) = plan_problem_free(draft->problem, host, kind);
}

/* Adds the holes of the GPU to its pool, or takes them out of it. */
static void count_holes_of(PlanDraft *draft, int gpu, int sign) {
  int pool = draft->problem->gpus.items[gpu].pool;
  if (pool < 0)
    return;
  PlanHoles holes;
  plan_problem_holes(draft->problem, gpu, &holes);
  plan_holes_add(plan_problem_geometry(draft->problem, gpu), &draft->holes[pool], &holes, sign);
}

void plan_draft_init(PlanDraft *draft, const PlanProblem *problem) {
  size_t hosts = problem->hosts.count, pools = problem->pools.count;
  *draft = (PlanDraft){.problem = problem};
  draft->hosts = mem_alloc(problem->waiting.count * sizeof *draft->hosts);
  for (size_t i = 0; i < problem->waiting.count; i++)
    draft->hosts[i] = -1;
  draft->recuts = mem_alloc(problem->waiting.count * sizeof *draft->recuts);
  draft->turns = mem_alloc(problem->waiting.count * sizeof *draft->turns);
  draft->free = mem_alloc(hosts * problem->kinds.count * sizeof *draft->free);
  draft->withdrawn_starts = mem_alloc(problem->gpus.count * sizeof *draft->withdrawn_starts);
  draft->touched_gpus = mem_alloc(problem->gpus.count * sizeof *draft->touched_gpus);
  draft->touched_hosts = mem_alloc(hosts * sizeof *draft->touched_hosts);
  draft->versions = mem_alloc(hosts * sizeof *draft->versions);
  draft->openings = mem_alloc(hosts * sizeof *draft->openings);
  draft->holes = mem_alloc(pools * sizeof *draft->holes);
  draft->reserved = mem_alloc(pools * sizeof *draft->reserved);
  draft->mark = snapshot_fork(problem->snapshot);
  for (int host = 0; host < (int)hosts; host++)
    count_free_of(draft, host);
  for (int gpu = 0; gpu < (int)problem->gpus.count; gpu++)
    count_holes_of(draft, gpu, 1);
}

void plan_draft_deinit(PlanDraft *draft) {
  snapshot_rollback(draft->problem->snapshot, draft->mark);
  free(draft->hosts);
  free(draft->recuts);
  free(draft->turns);
  free(draft->free);
  free(draft->withdrawn_starts);
  free(draft->touched_gpus);
  free(draft->touched_hosts);
  free(draft->versions);
  free(draft->openings);
  free(draft->holes);
  free(draft->reserved);
  array_deinit(&draft->slices);
  array_deinit(&draft->withdrawn);
  array_deinit(&draft->journal);
}

int *plan_draft_free(const PlanDraft *draft, int host, int kind) {
  return &draft->free[(size_t)host * draft->problem->kinds.count + (size_t)kind];
}

/* What one service changes on its host. */
typedef struct Change {
  const PlanSlice *slices; /* to create */
  int count;
  const PlanPacking *packing; /* NULL: nothing is withdrawn */
} Change;

static bool touches(const Change *change, const PlanHost *host, int index) {
  if (change->packing && change->packing->withdraws[index])
    return true;
  for (int i = 0; i < change->count; i++)
    if (change->slices[i].gpu == host->first_gpu + index)
      return true;
  return false;
}

/* Of the GPUs that the change touches. What moves may be withdrawn on one and created on another. */
static void count_holes(PlanDraft *draft, int host, const Change *change, int sign) {
  const PlanHost *changed = &draft->problem->hosts.items[host];
  for (int i = 0; i < changed->gpu_count; i++)
    if (touches(change, changed, i))
      count_holes_of(draft, changed->first_gpu + i, sign);
}

static void withdraw_slices(const PlanDraft *draft, int host, const PlanPacking *packing) {
  const PlanHost *from = &draft->problem->hosts.items[host];
  for (int gpu = 0; gpu < from->gpu_count; gpu++)
    for (uint32_t starts = packing->withdraws[gpu]; starts; starts &= starts - 1)
      snapshot_remove(draft->problem->snapshot, from->node,
                      draft->problem->gpus.items[from->first_gpu + gpu].gpu, __builtin_ctz(starts));
}

/* False where a place is not free: an offer was computed before others were served. */
static bool make(const PlanDraft *draft, int host, const Change *change) {
  const PlanProblem *problem = draft->problem;
  if (change->packing)
    withdraw_slices(draft, host, change->packing);
  for (int i = 0; i < change->count; i++) {
    const PlanSlice *slice = &change->slices[i];
    if (!mig_layout_can_place(plan_problem_gpu(problem, slice->gpu)->layout, slice->profile, slice->start))
      return false;
    snapshot_place(problem->snapshot, problem->hosts.items[host].node, problem->gpus.items[slice->gpu].gpu,
                   slice->profile, slice->start);
  }
  return true;
}

/* The slices of one pod may be in several pools, where GPUs of different models share a host. */
static bool reserved_fit(const PlanDraft *draft, const PlanSlice *slices, int count) {
  const PlanProblem *problem = draft->problem;
  for (int i = 0; i < count; i++) {
    int pool = problem->gpus.items[slices[i].gpu].pool;
    if (pool >= 0 && !plan_holes_fit(plan_problem_geometry(problem, slices[i].gpu), &draft->holes[pool],
                                     &draft->reserved[pool]))
      return false;
  }
  return true;
}

/* Remembers what goes, before it does. */
static void record_withdrawals(PlanDraft *draft, int host, const PlanPacking *packing) {
  const PlanHost *from = &draft->problem->hosts.items[host];
  for (int i = 0; i < from->gpu_count; i++) {
    const MigLayout *layout = plan_problem_gpu(draft->problem, from->first_gpu + i)->layout;
    for (uint32_t starts = packing->withdraws[i]; starts; starts &= starts - 1) {
      const MigInstance *instance = mig_layout_find(layout, __builtin_ctz(starts));
      draft->withdrawn_starts[from->first_gpu + i] |= UINT32_C(1) << instance->start;
      *array_push(&draft->withdrawn) = (PlanSlice){
          .waiting = -1, .gpu = from->first_gpu + i, .profile = instance->profile, .start = instance->start};
    }
  }
}

/* True where the slice is one that was to go: then it stays instead of being created again. What was
 * withdrawn there stands at the end mostly, because it was just now. */
static bool forget_withdrawal(PlanDraft *draft, const PlanSlice *slice) {
  if (!(draft->withdrawn_starts[slice->gpu] >> slice->start & 1))
    return false;
  size_t i = draft->withdrawn.count - 1;
  while (draft->withdrawn.items[i].gpu != slice->gpu || draft->withdrawn.items[i].start != slice->start)
    i--;
  if (draft->withdrawn.items[i].profile != slice->profile)
    return false;
  array_remove(&draft->withdrawn, i);
  draft->withdrawn_starts[slice->gpu] &= ~(UINT32_C(1) << slice->start);
  return true;
}

static void record_slice(PlanDraft *draft, const PlanSlice *slice) {
  if (!forget_withdrawal(draft, slice))
    *array_push(&draft->slices) = *slice;
}

static void record(PlanDraft *draft, int waiting, int host, const Change *change) {
  const PlanClass *class_ = plan_problem_class(draft->problem, waiting);
  draft->hosts[waiting] = host;
  draft->turns[waiting] = draft->services++;
  *array_push(&draft->journal) = host;
  draft->versions[host]++;
  for (int n = 0; n < class_->need_count; n++) {
    int *left = plan_draft_free(draft, host, class_->needs[n].kind);
    *left = *left > class_->needs[n].count ? *left - class_->needs[n].count : 0;
  }
  for (int i = 0; i < change->count; i++) {
    PlanSlice slice = change->slices[i];
    slice.waiting = waiting;
    record_slice(draft, &slice);
    draft->touched_gpus[slice.gpu] = true;
    draft->touched_hosts[host] = true;
  }
}

static PlanAnswer serve(PlanDraft *draft, int waiting, int host, const Change *change) {
  const PlanProblem *problem = draft->problem;
  SchedVerdict verdict;
  assert(draft->hosts[waiting] < 0);
  size_t mark = snapshot_fork(problem->snapshot), withdrawn = draft->withdrawn.count;
  count_holes(draft, host, change, -1);
  if (change->packing)
    record_withdrawals(draft, host, change->packing);
  bool made = make(draft, host, change);
  bool fits = made && sched_fits(problem->snapshot, problem->waiting.items[waiting].pod,
                                 problem->hosts.items[host].node, &verdict);
  if (fits)
    count_holes(draft, host, change, 1);
  if (fits && reserved_fit(draft, change->slices, change->count)) {
    snapshot_bind(problem->snapshot, problem->waiting.items[waiting].pod, problem->hosts.items[host].node);
    snapshot_commit(problem->snapshot, mark);
    record(draft, waiting, host, change);
    return PLAN_SERVED;
  }
  if (fits)
    count_holes(draft, host, change, -1);
  snapshot_rollback(problem->snapshot, mark);
  count_holes(draft, host, change, 1);
  while (draft->withdrawn.count > withdrawn) {
    const PlanSlice *stays = &draft->withdrawn.items[--draft->withdrawn.count];
    draft->withdrawn_starts[stays->gpu] &= ~(UINT32_C(1) << stays->start);
  }
  draft->scheduler_refused |= made && !fits;
  return made && !fits ? PLAN_SCHEDULER_REFUSED : PLAN_OTHERS_NEED_IT;
}

PlanAnswer plan_draft_serve(PlanDraft *draft, int waiting, int host, const PlanSlice *slices, int count) {
  return serve(draft, waiting, host, &(Change){.slices = slices, .count = count});
}

PlanAnswer plan_draft_recut(PlanDraft *draft, int waiting, int host, const PlanPacking *packing) {
  const Change change = {.slices = packing->slices, .count = packing->count, .packing = packing};
  PlanAnswer answer = serve(draft, waiting, host, &change);
  if (answer == PLAN_SERVED && packing->withdrawn) {
    draft->recuts[waiting] = true;
    draft->openings[host]++;
    count_free_of(draft, host);
  }
  return answer;
}

static void place_unasked(PlanDraft *draft, const PlanSlice *slice) {
  const PlanProblem *problem = draft->problem;
  const PlanHostGpu *gpu = &problem->gpus.items[slice->gpu];
  count_holes_of(draft, slice->gpu, -1);
  snapshot_place(problem->snapshot, problem->hosts.items[gpu->host].node, gpu->gpu, slice->profile,
                 slice->start);
  count_holes_of(draft, slice->gpu, 1);
}

void plan_draft_reprieve(PlanDraft *draft) {
  for (size_t i = draft->withdrawn.count; i-- > 0;) {
    const PlanSlice slice = draft->withdrawn.items[i];
    if (!mig_layout_can_place(plan_problem_gpu(draft->problem, slice.gpu)->layout, slice.profile,
                              slice.start))
      continue;
    place_unasked(draft, &slice);
    array_remove(&draft->withdrawn, i);
    draft->withdrawn_starts[slice.gpu] &= ~(UINT32_C(1) << slice.start);
  }
}

void plan_draft_fill(PlanDraft *draft, int gpu, int profile, int start) {
  PlanSlice slice = {.waiting = -1, .gpu = gpu, .profile = (uint8_t)profile, .start = (uint8_t)start};
  place_unasked(draft, &slice);
  record_slice(draft, &slice);
}

void plan_draft_get_offer(const PlanDraft *draft, PlanOffer *ret_offer) {
  const PlanProblem *problem = draft->problem;
  plan_offer_init(ret_offer, problem);
  for (size_t i = 0; i < problem->waiting.count; i++) {
    ret_offer->hosts[i] = draft->hosts[i];
    ret_offer->served[problem->waiting.items[i].tier] += draft->hosts[i] >= 0;
  }
  for (size_t i = 0; i < draft->slices.count; i++)
    *array_push(&ret_offer->slices) = draft->slices.items[i];
  plan_offer_sort(ret_offer);
}

/* Was nothing of it withdrawn or promised by those who were served meanwhile? */
static bool may_withdraw(const PlanDraft *draft, int host, const PlanSlice *slices, int count) {
  const SnapshotNode *node = plan_problem_node(draft->problem, host);
  for (int i = 0; i < count; i++) {
    char resource[MIG_RESOURCE_NAME_SIZE];
    int same = 0;
    if (!(plan_problem_withdrawable(draft->problem, slices[i].gpu) >> slices[i].start & 1))
      return false;
    mig_profile_format_resource(
        plan_problem_gpu(draft->problem, slices[i].gpu)->model->profiles[slices[i].profile].name, resource);
    for (int j = 0; j < count; j++)
      same +=
          strcmp(plan_problem_gpu(draft->problem, slices[j].gpu)->model->profiles[slices[j].profile].name,
                 plan_problem_gpu(draft->problem, slices[i].gpu)->model->profiles[slices[i].profile].name) ==
          0;
    if (same > snapshot_free_of(node, resource))
      return false;
  }
  return true;
}

/* The slices of one pod in an array that is sorted by pods; *next is where they begin, then where they end.
 */
static int count_of(const PlanSlice *slices, size_t count, int waiting, size_t *next) {
  size_t begin = *next;
  while (*next < count && slices[*next].waiting == waiting)
    ++*next;
  return (int)(*next - begin);
}

static void apply_withdrawing(PlanDraft *draft, int waiting, int host, PlanPacking *packing,
                              const PlanSlice *withdrawals, int count) {
  if (!may_withdraw(draft, host, withdrawals, count))
    return;
  packing->withdrawn = count;
  for (int i = 0; i < count; i++)
    packing->withdraws[withdrawals[i].gpu - draft->problem->hosts.items[host].first_gpu] |=
        UINT32_C(1) << withdrawals[i].start;
  (void)plan_draft_recut(draft, waiting, host, packing);
}

/* What is refused, because an earlier tier took the place, is served otherwise afterwards. */
void plan_draft_apply(PlanDraft *draft, const PlanOffer *offer, size_t first, size_t end) {
  PlanPacking packing;
  size_t next = plan_offer_find(offer->slices.items, offer->slices.count, (int)first);
  size_t next_gone = plan_offer_find(offer->withdrawals.items, offer->withdrawals.count, (int)first);
  for (size_t waiting = first; waiting < end; waiting++) {
    size_t begin = next, begin_gone = next_gone;
    int count = count_of(offer->slices.items, offer->slices.count, (int)waiting, &next);
    int gone_count = count_of(offer->withdrawals.items, offer->withdrawals.count, (int)waiting, &next_gone);
    if (offer->hosts[waiting] < 0)
      continue;
    const PlanSlice *slices = count ? &offer->slices.items[begin] : NULL;
    if (!gone_count) {
      (void)plan_draft_serve(draft, (int)waiting, offer->hosts[waiting], slices, count);
      continue;
    }
    plan_packing_clear(&packing);
    packing.count = count;
    if (count)
      memcpy(packing.slices, slices, (size_t)count * sizeof *slices);
    apply_withdrawing(draft, (int)waiting, offer->hosts[waiting], &packing,
                      &offer->withdrawals.items[begin_gone], gone_count);
  }
}
