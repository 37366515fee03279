/* SPDX-License-Identifier: Apache-2.0 */
/* The snapshot knows layouts and resources; the draft keeps beside it what the strategies ask most: free
 * slices as numbers, holes by pool, what was changed. Every service is verified with the scheduler's own
 * filters, so no offer can claim what the scheduler would refuse. */
#include "plan/draft.h"

#include "sched/filter.h"

static void count_free(PlanDraft *draft) {
  const PlanProblem *problem = draft->problem;
  for (int host = 0; host < (int)problem->hosts.count; host++)
    for (int kind = 0; kind < (int)problem->kinds.count; kind++)
      *plan_draft_free(draft, host, kind) = plan_problem_free(problem, host, kind);
}

static void count_holes(PlanDraft *draft) {
  const PlanProblem *problem = draft->problem;
  for (size_t gpu = 0; gpu < problem->gpus.count; gpu++) {
    int pool = problem->gpus.items[gpu].pool;
    if (pool < 0)
      continue;
    PlanHoles holes;
    plan_problem_holes(problem, (int)gpu, &holes);
    plan_holes_add(plan_problem_geometry(problem, (int)gpu), &draft->holes[pool], &holes, 1);
  }
}

void plan_draft_init(PlanDraft *draft, const PlanProblem *problem) {
  size_t hosts = problem->hosts.count, pools = problem->pools.count;
  *draft = (PlanDraft){.problem = problem};
  draft->hosts = mem_alloc(problem->waiting.count * sizeof *draft->hosts);
  for (size_t i = 0; i < problem->waiting.count; i++)
    draft->hosts[i] = -1;
  draft->free = mem_alloc(hosts * problem->kinds.count * sizeof *draft->free);
  draft->touched_gpus = mem_alloc(problem->gpus.count * sizeof *draft->touched_gpus);
  draft->touched_hosts = mem_alloc(hosts * sizeof *draft->touched_hosts);
  draft->versions = mem_alloc(hosts * sizeof *draft->versions);
  draft->holes = mem_alloc(pools * sizeof *draft->holes);
  draft->reserved = mem_alloc(pools * sizeof *draft->reserved);
  draft->mark = snapshot_fork(problem->snapshot);
  count_free(draft);
  count_holes(draft);
}

void plan_draft_deinit(PlanDraft *draft) {
  snapshot_rollback(draft->problem->snapshot, draft->mark);
  free(draft->hosts);
  free(draft->free);
  free(draft->touched_gpus);
  free(draft->touched_hosts);
  free(draft->versions);
  free(draft->holes);
  free(draft->reserved);
  array_deinit(&draft->slices);
}

int *plan_draft_free(const PlanDraft *draft, int host, int kind) {
  return &draft->free[(size_t)host * draft->problem->kinds.count + (size_t)kind];
}

/* Creates the slice in the snapshot and keeps the holes of its pool in step. */
static void place_slice(PlanDraft *draft, const PlanSlice *slice) {
  const PlanProblem *problem = draft->problem;
  const PlanHostGpu *gpu = &problem->gpus.items[slice->gpu];
  PlanHoles before = {0}, after = {0};
  if (gpu->pool >= 0)
    plan_problem_holes(problem, slice->gpu, &before);
  snapshot_place(problem->snapshot, problem->hosts.items[gpu->host].node, gpu->gpu, slice->profile,
                 slice->start);
  if (gpu->pool < 0)
    return;
  const PlanGeometry *geometry = plan_problem_geometry(problem, slice->gpu);
  plan_problem_holes(problem, slice->gpu, &after);
  plan_holes_add(geometry, &draft->holes[gpu->pool], &after, 1);
  plan_holes_add(geometry, &draft->holes[gpu->pool], &before, -1);
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

/* The holes of the pools that the slices touch, before the slices came. */
static void restore_holes(PlanDraft *draft, const PlanSlice *slices, int count, size_t mark) {
  const PlanProblem *problem = draft->problem;
  for (int sign = -1; sign <= 1; sign += 2) {
    for (int i = 0; i < count; i++) {
      int pool = problem->gpus.items[slices[i].gpu].pool;
      bool is_first = true;
      for (int j = 0; j < i; j++)
        is_first &= slices[j].gpu != slices[i].gpu;
      if (pool < 0 || !is_first)
        continue;
      PlanHoles holes;
      plan_problem_holes(problem, slices[i].gpu, &holes);
      plan_holes_add(plan_problem_geometry(problem, slices[i].gpu), &draft->holes[pool], &holes, sign);
    }
    if (sign < 0)
      snapshot_rollback(problem->snapshot, mark);
  }
}

static void record(PlanDraft *draft, int waiting, int host, const PlanSlice *slices, int count) {
  const PlanProblem *problem = draft->problem;
  const PlanClass *class_ = plan_problem_class(problem, waiting);
  draft->hosts[waiting] = host;
  draft->versions[host]++;
  for (int n = 0; n < class_->need_count; n++) {
    int *left = plan_draft_free(draft, host, class_->needs[n].kind);
    *left = *left > class_->needs[n].count ? *left - class_->needs[n].count : 0;
  }
  for (int i = 0; i < count; i++) {
    PlanSlice *slice = array_push(&draft->slices);
    *slice = slices[i];
    slice->waiting = waiting;
    draft->touched_gpus[slice->gpu] = true;
    draft->touched_hosts[host] = true;
  }
}

PlanAnswer plan_draft_serve(PlanDraft *draft, int waiting, int host, const PlanSlice *slices, int count) {
  const PlanProblem *problem = draft->problem;
  SchedVerdict verdict;
  assert(draft->hosts[waiting] < 0);
  size_t mark = snapshot_fork(problem->snapshot);
  for (int i = 0; i < count; i++)
    place_slice(draft, &slices[i]);
  bool fits = sched_fits(plan_problem_pod(problem, waiting), plan_problem_node(problem, host), &verdict);
  if (!fits || !reserved_fit(draft, slices, count)) {
    restore_holes(draft, slices, count, mark);
    draft->scheduler_refused |= !fits;
    return fits ? PLAN_OTHERS_NEED_IT : PLAN_SCHEDULER_REFUSED;
  }
  snapshot_bind(problem->snapshot, problem->waiting.items[waiting].pod, problem->hosts.items[host].node);
  snapshot_commit(problem->snapshot, mark);
  record(draft, waiting, host, slices, count);
  return PLAN_SERVED;
}

void plan_draft_fill(PlanDraft *draft, int gpu, int profile, int start) {
  PlanSlice slice = {.waiting = -1, .gpu = gpu, .profile = (uint8_t)profile, .start = (uint8_t)start};
  place_slice(draft, &slice);
  *array_push(&draft->slices) = slice;
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

void plan_draft_apply(PlanDraft *draft, const PlanOffer *offer) {
  size_t next = 0;
  for (size_t waiting = 0; waiting < draft->problem->waiting.count; waiting++) {
    size_t first = next;
    while (next < offer->slices.count && offer->slices.items[next].waiting == (int)waiting)
      next++;
    if (offer->hosts[waiting] < 0)
      continue;
    /* A refusal cannot happen to an offer that a draft made; one that was computed otherwise is held to it.
     */
    (void)plan_draft_serve(draft, (int)waiting, offer->hosts[waiting], &offer->slices.items[first],
                           (int)(next - first));
  }
}
