/* SPDX-License-Identifier: Apache-2.0 */
/* All layouts that can be reached are gone through, start by start; those that have room for one slice more
 * are part of another and are left out. By withdrawal each free slice that may go stays or goes before;
 * one that nobody asks for goes, because nothing gets worse by that. */
#include "plan/cuts.h"

enum { CUTS_MAX = 2000, LAYOUTS_MAX = 20000, STEPS_EACH = 20 /* of a layout */ };

typedef struct Cutter {
  const PlanProblem *problem;
  const PlanModel *model;
  PlanCuts *cuts;
  MigLayout layout;
  PlanAmount amount;
  int words;
  int layouts; /* seen */
  bool failed;
} Cutter;

static void keep_cut(Cutter *cutter) {
  PlanCuts *cuts = cutter->cuts;
  size_t kept = 0;
  for (size_t i = 0; i < cuts->items.count; i++)
    if (plan_amount_contains(&cuts->items.items[i], &cutter->amount, cutter->words))
      return;
  for (size_t i = 0; i < cuts->items.count; i++)
    if (!plan_amount_contains(&cutter->amount, &cuts->items.items[i], cutter->words))
      cuts->items.items[kept++] = cuts->items.items[i];
  cuts->items.count = kept;
  *array_push(&cuts->items) = cutter->amount;
  cutter->failed |= cuts->items.count > CUTS_MAX;
}

/* Returns whether some slice could be placed at this start or behind it. */
static void create(Cutter *cutter, int from) {
  bool is_full = true;
  for (int start = 0; start < cutter->layout.model->slot_count && !cutter->failed; start++)
    for (int kind = 0; kind < (int)cutter->problem->kinds.count; kind++) {
      int profile = cutter->model->profile_of_kind[kind];
      if (profile < 0 || !mig_layout_can_place(&cutter->layout, profile, start))
        continue;
      is_full = false;
      if (start < from)
        continue;
      mig_layout_place(&cutter->layout, profile, start);
      cutter->amount.of_kind[kind]++;
      create(cutter, start + 1);
      cutter->amount.of_kind[kind]--;
      mig_layout_remove(&cutter->layout, start);
    }
  cutter->failed |= ++cutter->layouts > LAYOUTS_MAX;
  if (is_full && !cutter->failed)
    keep_cut(cutter);
}

static int kind_of(const PlanProblem *problem, const PlanModel *model, int profile) {
  for (int kind = 0; kind < (int)problem->kinds.count; kind++)
    if (problem->kinds.items[kind].stock >= 0 &&
        problem->kinds.items[kind].stock == model->stock_of_profile[profile])
      return kind;
  return -1;
}

static void withdraw(Cutter *cutter, uint32_t loose) {
  if (!loose) {
    create(cutter, 0);
    return;
  }
  int start = __builtin_ctz(loose);
  int profile = mig_layout_find(&cutter->layout, start)->profile,
      kind = kind_of(cutter->problem, cutter->model, profile);
  if (kind >= 0) {
    cutter->amount.of_kind[kind]++;
    withdraw(cutter, loose & (loose - 1));
    cutter->amount.of_kind[kind]--;
  }
  mig_layout_remove(&cutter->layout, start);
  withdraw(cutter, loose & (loose - 1));
  mig_layout_place(&cutter->layout, profile, start);
}

static void find_most(const PlanProblem *problem, PlanCuts *cuts) {
  for (size_t i = 0; i < cuts->items.count; i++) {
    int slots = plan_amount_slots(&cuts->items.items[i], problem);
    cuts->slots_most = slots > cuts->slots_most ? slots : cuts->slots_most;
    for (size_t kind = 0; kind < problem->kinds.count; kind++)
      if (cuts->items.items[i].of_kind[kind] > cuts->most.of_kind[kind])
        cuts->most.of_kind[kind] = cuts->items.items[i].of_kind[kind];
  }
}

static void find_cuts(PlanCutTable *table, int gpu, PlanCuts *ret_cuts) {
  const PlanProblem *problem = table->problem;
  *ret_cuts = (PlanCuts){.slots_most = 0};
  if (problem->kinds.count > PLAN_AMOUNT_KINDS_MAX)
    return;
  Cutter cutter = {.problem = problem,
                   .model = plan_problem_model(problem, gpu),
                   .cuts = ret_cuts,
                   .layout = *plan_problem_gpu(problem, gpu)->layout,
                   .words = (int)(problem->kinds.count + 7) / 8};
  withdraw(&cutter, table->means == PLAN_BY_WITHDRAWAL ? plan_problem_withdrawable(problem, gpu) : 0);
  find_most(problem, ret_cuts);
  ret_cuts->is_whole = !cutter.failed;
  table->steps += (int64_t)cutter.layouts * STEPS_EACH;
}

void plan_cut_table_init(PlanCutTable *table, const PlanProblem *problem, PlanMeans means) {
  *table = (PlanCutTable){.problem = problem, .means = means};
}

void plan_cut_table_deinit(PlanCutTable *table) {
  for (size_t i = 0; i < table->cuts.count; i++)
    array_deinit(&table->cuts.items[i].items);
  array_deinit(&table->cuts);
  intern_deinit(&table->states);
}

int plan_cut_table_find(PlanCutTable *table, int gpu) {
  const MigLayout *layout = plan_problem_gpu(table->problem, gpu)->layout;
  uint8_t key[2 * MIG_INSTANCES_MAX + 2 * sizeof(uint32_t)];
  uint32_t head[2] = {(uint32_t)table->problem->gpus.items[gpu].model,
                      plan_problem_withdrawable(table->problem, gpu)};
  size_t size = sizeof head;
  memcpy(key, head, sizeof head);
  for (int i = 0; i < layout->count; i++) {
    key[size++] = layout->instances[i].profile;
    key[size++] = layout->instances[i].start;
  }
  int number = intern_number(&table->states, key, size);
  if (number == (int)table->cuts.count)
    find_cuts(table, gpu, array_push(&table->cuts));
  return number;
}

int plan_cut_table_fixed(const PlanCutTable *table, int host, int kind) {
  const PlanProblem *problem = table->problem;
  const PlanHost *from = &problem->hosts.items[host];
  int count = problem->free[(size_t)host * problem->kinds.count + (size_t)kind];
  for (int gpu = from->first_gpu; gpu < from->first_gpu + from->gpu_count; gpu++) {
    const MigLayout *layout = plan_problem_gpu(problem, gpu)->layout;
    const PlanModel *model = plan_problem_model(problem, gpu);
    uint32_t starts = table->means == PLAN_BY_WITHDRAWAL ? plan_problem_withdrawable(problem, gpu) : 0;
    for (; starts; starts &= starts - 1)
      count -= model->stock_of_profile[mig_layout_find(layout, __builtin_ctz(starts))->profile] ==
               problem->kinds.items[kind].stock;
  }
  return count;
}

/* ---- from amounts back to places ---- */

typedef struct Placer {
  const PlanProblem *problem;
  const PlanModel *model;
  const PlanGeometry *geometry;
  MigLayout layout;
  PlanAmount left; /* to place */
  int left_count;
  uint32_t withdraws;
  int layouts; /* seen */
  bool found;
  MigLayout best;
  uint32_t best_withdraws;
  int best_created;
  uint64_t best_worth;
} Placer;

static void keep_placed(Placer *placer, int created) {
  uint64_t worth = plan_geometry_worth(placer->geometry, ~placer->layout.mask);
  int withdrawn = __builtin_popcount(placer->withdraws), best = __builtin_popcount(placer->best_withdraws);
  bool is_better = !placer->found || withdrawn < best ||
                   (withdrawn == best && (created < placer->best_created ||
                                          (created == placer->best_created && worth > placer->best_worth)));
  if (!is_better)
    return;
  placer->found = true;
  placer->best = placer->layout;
  placer->best_withdraws = placer->withdraws;
  placer->best_created = created;
  placer->best_worth = worth;
}

static void place(Placer *placer, int from, int created) {
  if (!placer->left_count) {
    keep_placed(placer, created);
    return;
  }
  if (++placer->layouts > LAYOUTS_MAX)
    return;
  for (int start = from; start < placer->layout.model->slot_count; start++)
    for (int kind = 0; kind < (int)placer->problem->kinds.count; kind++) {
      int profile = placer->model->profile_of_kind[kind];
      if (!placer->left.of_kind[kind] || profile < 0 ||
          !mig_layout_can_place(&placer->layout, profile, start))
        continue;
      mig_layout_place(&placer->layout, profile, start);
      placer->left.of_kind[kind]--;
      placer->left_count--;
      place(placer, start + 1, created + 1);
      placer->left_count++;
      placer->left.of_kind[kind]++;
      mig_layout_remove(&placer->layout, start);
    }
}

/* Each loose slice stays, and is one of those that are wanted where one is, or goes. */
static void place_beside(Placer *placer, uint32_t loose) {
  if (placer->found && __builtin_popcount(placer->withdraws) > __builtin_popcount(placer->best_withdraws))
    return;
  if (!loose) {
    place(placer, 0, 0);
    return;
  }
  int start = __builtin_ctz(loose), profile = mig_layout_find(&placer->layout, start)->profile;
  int kind = kind_of(placer->problem, placer->model, profile);
  bool counts = kind >= 0 && placer->left.of_kind[kind] > 0;
  if (counts)
    placer->left.of_kind[kind]--;
  placer->left_count -= counts;
  place_beside(placer, loose & (loose - 1));
  placer->left_count += counts;
  if (counts)
    placer->left.of_kind[kind]++;
  mig_layout_remove(&placer->layout, start);
  placer->withdraws |= UINT32_C(1) << start;
  place_beside(placer, loose & (loose - 1));
  placer->withdraws &= ~(UINT32_C(1) << start);
  mig_layout_place(&placer->layout, profile, start);
}

bool plan_cuts_place(const PlanProblem *problem, int gpu, PlanMeans means, const PlanAmount *amount,
                     PlanPacking *packing) {
  const MigLayout *before = plan_problem_gpu(problem, gpu)->layout;
  Placer placer = {.problem = problem,
                   .model = plan_problem_model(problem, gpu),
                   .geometry = plan_problem_geometry(problem, gpu),
                   .layout = *before,
                   .left = *amount};
  for (size_t kind = 0; kind < problem->kinds.count; kind++)
    placer.left_count += amount->of_kind[kind];
  place_beside(&placer, means == PLAN_BY_WITHDRAWAL ? plan_problem_withdrawable(problem, gpu) : 0);
  if (!placer.found || packing->count + placer.best_created > PLAN_SLICES_MAX)
    return false;
  for (int i = 0; i < placer.best.count; i++) {
    const MigInstance *instance = &placer.best.instances[i], *old = mig_layout_find(before, instance->start);
    if (old && !(placer.best_withdraws >> old->start & 1))
      continue;
    packing->slices[packing->count++] =
        (PlanSlice){.waiting = -1, .gpu = gpu, .profile = instance->profile, .start = instance->start};
  }
  packing->withdraws[gpu - problem->hosts.items[problem->gpus.items[gpu].host].first_gpu] |=
      placer.best_withdraws;
  packing->withdrawn += __builtin_popcount(placer.best_withdraws);
  return true;
}
