/* SPDX-License-Identifier: Apache-2.0 */
/* A free slice is free room of which the profile that is there is one use. So the steps:
 *
 *   1. the fleet is counted with all free slices gone: that is the most that can be served (bulk.h), and says
 *      how many new slices of each rank each pool gets;
 *   2. free slices are kept as long as all that is left to place still fits beside them (hole.h); a pod that
 *      a kept one serves is not left any more. First all of a GPU, where the most slices would go;
 *   3. then one by one: those that serve, then the smallest, for a large one makes more room;
 *   4. the fleet is counted once more as it is now, and what lies in the way of a new slice goes.
 *
 * Each step keeps the most that step 1 found possible. */
#include "plan/opened.h"

typedef struct Opened {
  const PlanProblem *problem;
  PlanProblem fleet; /* without the slices that are open; what is not changed is the problem's own */
  uint32_t *open;    /* by GPU: starts of free slices that may go */
  int8_t *ranks;     /* by model, by profile; -1: none */
  PlanHoles *holes;  /* by pool */
  PlanAmounts *left; /* by pool: new slices that are needed beside those that stay */
} Opened;

static void opened_deinit(Opened *opened) {
  free(opened->fleet.gpus.items);
  free(opened->fleet.free);
  free(opened->open);
  free(opened->ranks);
  free(opened->holes);
  free(opened->left);
}

static const PlanHostGpu *gpu_of(const Opened *opened, int gpu) {
  return &opened->problem->gpus.items[gpu];
}

static const PlanGeometry *geometry_of(const Opened *opened, int pool) {
  const PlanProblem *problem = opened->problem;
  return &problem->shapes.items[problem->pools.items[pool].shape].geometry;
}

static int rank_of(const Opened *opened, int gpu, int profile) {
  return opened->ranks[gpu_of(opened, gpu)->model * MIG_PROFILES_MAX + profile];
}

static const MigInstance *instance_at(const Opened *opened, int gpu, int start) {
  return mig_layout_find(plan_problem_gpu(opened->problem, gpu)->layout, start);
}

static uint32_t slots_of(const Opened *opened, int gpu, int profile, int start) {
  return mig_placement_mask(plan_problem_model(opened->problem, gpu)->model, profile, start);
}

static void find_ranks(Opened *opened) {
  const PlanProblem *problem = opened->problem;
  opened->ranks = mem_alloc(problem->models.count * MIG_PROFILES_MAX * sizeof *opened->ranks);
  for (size_t i = 0; i < problem->models.count; i++) {
    const PlanModel *model = &problem->models.items[i];
    const PlanShape *shape = &problem->shapes.items[model->shape];
    for (int profile = 0; profile < model->model->profile_count; profile++)
      opened->ranks[i * MIG_PROFILES_MAX + (size_t)profile] =
          shape->exact && model->model->profiles[profile].kind == MIG_PLAIN
              ? (int8_t)plan_geometry_find_rank(&shape->geometry, model->model->profiles[profile].name)
              : -1;
  }
}

/* ---- which slices are open ---- */

/* Those of the GPU, where slots are all that new slices need. */
static uint32_t find_loose(const Opened *opened, int gpu) {
  const PlanHostGpu *on = gpu_of(opened, gpu);
  bool is_counted = on->pool >= 0 && opened->problem->models.items[on->model].is_counted;
  return is_counted && on->occupied != UINT32_MAX ? plan_problem_withdrawable(opened->problem, gpu) : 0;
}

static int stock_of(const Opened *opened, int gpu, int start) {
  return plan_problem_model(opened->problem, gpu)->stock_of_profile[instance_at(opened, gpu, start)->profile];
}

/* Where bound pods count on some slices of a profile, nobody knows on which: then none of it is open.
 * `counts`: room for a number per stock. */
static void close_claimed(Opened *opened, const PlanHost *host, int *counts) {
  const PlanProblem *problem = opened->problem;
  const SnapshotNode *node = &problem->snapshot->nodes.items[host->node];
  bool is_claimed = false;
  memset(counts, 0, problem->stocks.count * sizeof *counts);
  for (int gpu = host->first_gpu; gpu < host->first_gpu + host->gpu_count; gpu++)
    for (uint32_t starts = opened->open[gpu]; starts; starts &= starts - 1)
      counts[stock_of(opened, gpu, __builtin_ctz(starts))]++;
  for (size_t stock = 0; stock < problem->stocks.count; stock++) {
    counts[stock] = counts[stock] && counts[stock] > snapshot_free_of(node, problem->stocks.items[stock]);
    is_claimed |= counts[stock];
  }
  for (int gpu = host->first_gpu; is_claimed && gpu < host->first_gpu + host->gpu_count; gpu++)
    for (uint32_t starts = opened->open[gpu]; starts; starts &= starts - 1)
      if (counts[stock_of(opened, gpu, __builtin_ctz(starts))])
        opened->open[gpu] &= ~(starts & -starts);
}

/* Slices of a profile that may not be created any more have a use that their slots have not: as many stay as
 * are asked for. */
static void close_asked(Opened *opened) {
  const PlanProblem *problem = opened->problem;
  CLEANUP(cleanup_free) int *asked = mem_alloc(problem->stocks.count * sizeof *asked);
  for (size_t i = 0; i < problem->waiting.count; i++) {
    const PlanClass *class_ = plan_problem_class(problem, (int)i);
    for (int n = 0; n < class_->need_count; n++)
      if (problem->kinds.items[class_->needs[n].kind].stock >= 0)
        asked[problem->kinds.items[class_->needs[n].kind].stock] += class_->needs[n].count;
  }
  for (int gpu = 0; gpu < (int)problem->gpus.count; gpu++)
    for (uint32_t starts = opened->open[gpu]; starts; starts &= starts - 1) {
      int start = __builtin_ctz(starts), stock = stock_of(opened, gpu, start);
      bool may_return =
          plan_problem_model(problem, gpu)->allowed >> instance_at(opened, gpu, start)->profile & 1;
      if (!may_return && asked[stock]-- > 0)
        opened->open[gpu] &= ~(starts & -starts);
    }
}

/* The free slice is one that nobody can take (sign -1), or one that somebody can. */
static void count_free(Opened *opened, int gpu, int profile, int sign) {
  const PlanProblem *problem = opened->problem;
  int stock = plan_problem_model(problem, gpu)->stock_of_profile[profile];
  for (size_t kind = 0; kind < problem->kinds.count; kind++)
    if (problem->kinds.items[kind].stock == stock)
      opened->fleet.free[(size_t)gpu_of(opened, gpu)->host * problem->kinds.count + kind] += sign;
}

static void open_gpu(Opened *opened, int gpu) {
  for (uint32_t starts = opened->open[gpu]; starts; starts &= starts - 1) {
    int start = __builtin_ctz(starts), profile = instance_at(opened, gpu, start)->profile;
    opened->fleet.gpus.items[gpu].occupied &= ~slots_of(opened, gpu, profile, start);
    count_free(opened, gpu, profile, -1);
  }
}

static void *copy_of(const void *items, size_t count, size_t size) {
  void *copy = mem_alloc_raw(count, size);
  if (count)
    memcpy(copy, items, count * size);
  return copy;
}

/* Takes all open slices out of the fleet. Returns how many there are. */
static int open_all(Opened *opened) {
  const PlanProblem *problem = opened->problem;
  int count = 0;
  opened->fleet = *problem;
  opened->fleet.has_withdrawable = false;
  opened->fleet.gpus.items = copy_of(problem->gpus.items, problem->gpus.count, sizeof(PlanHostGpu));
  opened->fleet.free = copy_of(problem->free, problem->hosts.count * problem->kinds.count, sizeof(int));
  opened->open = mem_alloc(problem->gpus.count * sizeof *opened->open);
  for (int gpu = 0; gpu < (int)problem->gpus.count; gpu++)
    opened->open[gpu] = find_loose(opened, gpu);
  CLEANUP(cleanup_free) int *counts = mem_alloc(problem->stocks.count * sizeof *counts);
  for (size_t host = 0; host < problem->hosts.count; host++)
    close_claimed(opened, &problem->hosts.items[host], counts);
  close_asked(opened);
  for (int gpu = 0; gpu < (int)problem->gpus.count; gpu++) {
    open_gpu(opened, gpu);
    count += __builtin_popcount(opened->open[gpu]);
  }
  return count;
}

/* ---- which of them stay ---- */

static void count_needs(Opened *opened, const PlanOffer *most) {
  const PlanProblem *problem = opened->problem;
  opened->holes = mem_alloc(problem->pools.count * sizeof *opened->holes);
  opened->left = mem_alloc(problem->pools.count * sizeof *opened->left);
  for (size_t i = 0; i < most->slices.count; i++) {
    const PlanSlice *slice = &most->slices.items[i];
    opened->left[gpu_of(opened, slice->gpu)->pool].count[rank_of(opened, slice->gpu, slice->profile)]++;
  }
  for (size_t gpu = 0; gpu < problem->gpus.count; gpu++) {
    const PlanHostGpu *on = &opened->fleet.gpus.items[gpu];
    PlanHoles holes;
    if (on->pool < 0 || !problem->models.items[on->model].is_counted)
      continue;
    plan_holes_of_slots(geometry_of(opened, on->pool), on->occupied, &holes);
    plan_holes_add(geometry_of(opened, on->pool), &opened->holes[on->pool], &holes, 1);
  }
}

/* Keeps the open slices at these starts if all that is left to place still fits, without those who are served
 * by them. */
static void keep(Opened *opened, int gpu, uint32_t starts) {
  PlanHostGpu *on = &opened->fleet.gpus.items[gpu];
  const PlanGeometry *geometry = geometry_of(opened, on->pool);
  PlanAmounts left = opened->left[on->pool];
  PlanHoles all = opened->holes[on->pool], before, after;
  uint32_t slots = 0;
  for (uint32_t rest = starts; rest; rest &= rest - 1) {
    int start = __builtin_ctz(rest), profile = instance_at(opened, gpu, start)->profile;
    int rank = rank_of(opened, gpu, profile);
    slots |= slots_of(opened, gpu, profile, start);
    if (rank >= 0 && left.count[rank] > 0)
      left.count[rank]--;
  }
  plan_holes_of_slots(geometry, on->occupied, &before);
  plan_holes_of_slots(geometry, on->occupied | slots, &after);
  plan_holes_add(geometry, &all, &before, -1);
  plan_holes_add(geometry, &all, &after, 1);
  if (!plan_holes_fit(geometry, &all, &left))
    return;
  opened->holes[on->pool] = all;
  opened->left[on->pool] = left;
  opened->open[gpu] &= ~starts;
  on->occupied |= slots;
  for (uint32_t rest = starts; rest; rest &= rest - 1)
    count_free(opened, gpu, instance_at(opened, gpu, __builtin_ctz(rest))->profile, 1);
}

static void keep_used(Opened *opened, int gpu) {
  for (uint32_t starts = opened->open[gpu]; starts; starts &= starts - 1) {
    int rank = rank_of(opened, gpu, instance_at(opened, gpu, __builtin_ctz(starts))->profile);
    if (rank >= 0 && opened->left[gpu_of(opened, gpu)->pool].count[rank] > 0)
      keep(opened, gpu, starts & -starts);
  }
}

/* Those of the rank, one by one; -1: those that counting knows nothing of. */
static void keep_of_rank(Opened *opened, int gpu, int rank) {
  for (uint32_t starts = opened->open[gpu]; starts; starts &= starts - 1)
    if (rank_of(opened, gpu, instance_at(opened, gpu, __builtin_ctz(starts))->profile) == rank)
      keep(opened, gpu, starts & -starts);
}

/* The first names stay open longest. */
static void keep_all_possible(Opened *opened) {
  int gpus = (int)opened->problem->gpus.count;
  for (int count = MIG_SLOTS_MAX; count > 0; count--)
    for (int gpu = gpus - 1; gpu >= 0; gpu--)
      if (__builtin_popcount(opened->open[gpu]) == count)
        keep(opened, gpu, opened->open[gpu]);
  for (int gpu = 0; gpu < gpus; gpu++)
    keep_used(opened, gpu);
  for (int rank = -1; rank < PLAN_RANKS_MAX; rank++)
    for (int gpu = gpus - 1; gpu >= 0; gpu--)
      keep_of_rank(opened, gpu, rank);
}

/* ---- what comes of it ---- */

/* What is open and lies in the way of the slice goes for it. True where the very slice is there already. */
static bool make_way(Opened *opened, const PlanSlice *slice, PlanOffer *offer) {
  uint32_t slots = slots_of(opened, slice->gpu, slice->profile, slice->start);
  for (uint32_t starts = opened->open[slice->gpu]; starts; starts &= starts - 1) {
    int start = __builtin_ctz(starts), profile = instance_at(opened, slice->gpu, start)->profile;
    if (!(slots & slots_of(opened, slice->gpu, profile, start)))
      continue;
    opened->open[slice->gpu] &= ~(starts & -starts);
    if (start == slice->start && profile == slice->profile)
      return true;
    *array_push(&offer->withdrawals) = (PlanSlice){
        .waiting = slice->waiting, .gpu = slice->gpu, .profile = (uint8_t)profile, .start = (uint8_t)start};
  }
  return false;
}

/* The slices stand in the order of service. */
static void withdraw(Opened *opened, PlanOffer *offer) {
  size_t count = 0;
  for (size_t i = 0; i < offer->slices.count; i++)
    if (!make_way(opened, &offer->slices.items[i], offer))
      offer->slices.items[count++] = offer->slices.items[i];
  offer->slices.count = count;
}

static int count_withdrawable(const PlanProblem *problem) {
  int count = 0;
  for (int gpu = 0; gpu < (int)problem->gpus.count; gpu++)
    count += __builtin_popcount(plan_problem_withdrawable(problem, gpu));
  return count;
}

/* Enough of those who wait: what goes for the others is not known here. */
static bool can_count(const PlanProblem *problem) {
  size_t counted = 0;
  CLEANUP(cleanup_free) bool *left_out = mem_alloc(problem->classes.count * sizeof *left_out);
  for (size_t i = 0; i < problem->classes.count; i++)
    left_out[i] = plan_bulk_leaves_out(problem, &problem->classes.items[i]);
  for (size_t i = 0; i < problem->waiting.count; i++)
    counted += !left_out[problem->waiting.items[i].class_];
  return problem->has_withdrawable && 4 * counted > problem->waiting.count;
}

PlanBulkResult plan_opened_solve(const PlanProblem *problem, const PlanOffer *growth, PlanOffer *ret_offer) {
  CLEANUP(opened_deinit) Opened opened = {.problem = problem};
  CLEANUP(plan_offer_deinit) PlanOffer most = {0};
  *ret_offer = (PlanOffer){0};
  if (!can_count(problem))
    return PLAN_BULK_PARTIAL;
  find_ranks(&opened);
  bool all_open = open_all(&opened) == count_withdrawable(problem);
  PlanBulkResult result = plan_bulk_solve(&opened.fleet, &most);
  if (!plan_offer_is_better(&most, growth))
    return PLAN_BULK_PARTIAL;
  count_needs(&opened, &most);
  keep_all_possible(&opened);
  (void)plan_bulk_solve(&opened.fleet, ret_offer);
  if (!plan_offer_is_better(ret_offer, growth)) {
    plan_offer_deinit(ret_offer);
    *ret_offer = (PlanOffer){0};
    return PLAN_BULK_PARTIAL;
  }
  withdraw(&opened, ret_offer);
  bool is_proven = result == PLAN_BULK_PROVEN && all_open && !plan_offer_is_better(&most, ret_offer);
  return is_proven ? PLAN_BULK_PROVEN : PLAN_BULK_COMPLETE;
}
