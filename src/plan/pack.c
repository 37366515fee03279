/* SPDX-License-Identifier: Apache-2.0 */
/* Depth-first, one slice after the other. Two things keep the tree small: GPUs that are alike are tried once,
 * and a state that was reached before, by the same slices in another order, brings nothing new. States are
 * remembered by a hash that is changed with each slice, in a small table that forgets when two collide.
 *
 * Where free slices may be withdrawn, a place may overlap them, and each goes from the stock of its profile
 * on this node. The first packing that takes none is the answer; otherwise the best so far bounds the rest of
 * the search, which then gets fewer steps: a packing is there, it only might be a better one. */
#include "plan/pack.h"

enum { SEEN_SIZE = 512, IMPROVE_STEPS = 2000 };

typedef struct Place {
  int gpu; /* of the host */
  int start;
  uint32_t withdraws; /* starts of the slices that go first */
  uint64_t loss;
  bool touched;
} Place;

typedef struct Scratch { /* large, so it is not zeroed for the many who ask one slice */
  int items[PLAN_SLICES_MAX];
  uint64_t seen[SEEN_SIZE];
  PlanPacking best;
} Scratch;

typedef struct Pack {
  const PlanPackQuestion *question;
  const PlanHost *host;
  ARRAY(MigLayout) layouts;              /* of the host's GPUs, working copies */
  uint32_t loose[MIG_GPU_INDEX_MAX + 1]; /* by GPU: starts of the slices that may be withdrawn */
  int *stocks;                           /* how many may, by profile; NULL where there are none */
  int *items;                            /* kinds, largest first */
  int item_count;
  ARRAY(Place) places; /* a stack: those of each open item */
  uint64_t state;
  uint64_t *seen;       /* NULL: nothing can be met twice */
  PlanPacking *packing; /* the one that is tried */
  PlanPacking *best;
  bool found;
  int64_t tried;
} Pack;

static void pack_deinit(Pack *pack) {
  array_deinit(&pack->layouts);
  array_deinit(&pack->places);
  free(pack->stocks);
}

void plan_packing_clear(PlanPacking *packing) {
  packing->count = 0;
  memset(packing->withdraws, 0, sizeof packing->withdraws);
  packing->withdrawn = 0;
  packing->loss = 0;
  packing->new_gpus = 0;
  packing->tried = 0;
}

bool plan_packing_is_better(const PlanPacking *packing, const PlanPacking *than) {
  return packing->withdrawn != than->withdrawn ? packing->withdrawn < than->withdrawn
                                               : packing->loss < than->loss;
}

static const PlanModel *model_of(const Pack *pack, int gpu) {
  return plan_problem_model(pack->question->problem, pack->host->first_gpu + gpu);
}

static bool is_touched(const Pack *pack, int gpu) {
  if (pack->question->touched && pack->question->touched[pack->host->first_gpu + gpu])
    return true;
  for (int i = 0; i < pack->packing->count; i++)
    if (pack->packing->slices[i].gpu == pack->host->first_gpu + gpu)
      return true;
  return false;
}

/* An earlier GPU of the host is exactly like this one. */
static bool has_twin_before(const Pack *pack, int gpu) {
  for (int other = 0; other < gpu; other++)
    if (model_of(pack, other) == model_of(pack, gpu) && is_touched(pack, other) == is_touched(pack, gpu) &&
        pack->loose[other] == pack->loose[gpu] &&
        mig_layout_equal(&pack->layouts.items[other], &pack->layouts.items[gpu]))
      return true;
  return false;
}

static bool is_better(const Place *a, const Place *b) {
  int withdrawn_a = __builtin_popcount(a->withdraws), withdrawn_b = __builtin_popcount(b->withdraws);
  if (withdrawn_a != withdrawn_b)
    return withdrawn_a < withdrawn_b;
  if (a->loss != b->loss)
    return a->loss < b->loss;
  if (a->touched != b->touched)
    return a->touched;
  return a->gpu != b->gpu ? a->gpu < b->gpu : a->start > b->start;
}

static void push_place(Pack *pack, size_t base, Place place) {
  array_push(&pack->places);
  size_t i = pack->places.count - 1;
  for (; i > base && is_better(&place, &pack->places.items[i - 1]); i--)
    pack->places.items[i] = pack->places.items[i - 1];
  pack->places.items[i] = place;
}

/* The stock that each of the slices is of. */
static int *stock_of(const Pack *pack, int gpu, int start) {
  const MigInstance *instance = mig_layout_find(&pack->layouts.items[gpu], start);
  return &pack->stocks[model_of(pack, gpu)->stock_of_profile[instance->profile]];
}

static void change_stocks(const Pack *pack, int gpu, uint32_t starts, int sign) {
  for (; starts; starts &= starts - 1)
    *stock_of(pack, gpu, __builtin_ctz(starts)) += sign;
}

static bool may_withdraw(const Pack *pack, int gpu, uint32_t starts) {
  bool enough = true;
  if (starts & ~pack->loose[gpu])
    return false;
  change_stocks(pack, gpu, starts, -1);
  for (uint32_t rest = starts; rest; rest &= rest - 1)
    enough &= *stock_of(pack, gpu, __builtin_ctz(rest)) >= 0;
  change_stocks(pack, gpu, starts, 1);
  return enough;
}

static uint32_t slots_of(const MigLayout *layout, uint32_t starts) {
  uint32_t slots = 0;
  for (; starts; starts &= starts - 1) {
    int start = __builtin_ctz(starts);
    slots |= mig_placement_mask(layout->model, mig_layout_find(layout, start)->profile, start);
  }
  return slots;
}

/* What is withdrawn counts as free before: a small free slice is broken rather than a large one. */
static void weigh_place(Pack *pack, size_t base, int profile, Place place) {
  const MigLayout *layout = &pack->layouts.items[place.gpu];
  const PlanGeometry *geometry =
      plan_problem_geometry(pack->question->problem, pack->host->first_gpu + place.gpu);
  uint32_t before = layout->mask & ~slots_of(layout, place.withdraws);
  uint32_t after = before | mig_placement_mask(layout->model, profile, place.start);
  place.loss = plan_geometry_worth(geometry, ~before) - plan_geometry_worth(geometry, ~after);
  if (place.loss >= pack->question->loss_min)
    push_place(pack, base, place);
}

/* A place that is not free: what is in its way may go. At the instance limit one more of the profile has to,
 * wherever it is. */
static void weigh_recuts(Pack *pack, size_t base, int profile, Place place) {
  const MigLayout *layout = &pack->layouts.items[place.gpu];
  uint32_t obstacles = mig_layout_obstacles(layout, profile, place.start), same = 0;
  int others = 0; /* of the profile that stay */
  if (obstacles & ~pack->loose[place.gpu])
    return;
  for (int i = 0; i < layout->count; i++) {
    uint32_t start = UINT32_C(1) << layout->instances[i].start;
    if (layout->instances[i].profile != profile || obstacles & start)
      continue;
    others++;
    same |= start & pack->loose[place.gpu];
  }
  bool at_limit = others >= layout->model->profiles[profile].instance_count_max;
  if (!at_limit)
    same = 1; /* once, with nothing more to withdraw */
  for (; same; same &= same - 1) {
    place.withdraws = at_limit ? obstacles | (same & -same) : obstacles;
    if (may_withdraw(pack, place.gpu, place.withdraws))
      weigh_place(pack, base, profile, place);
  }
}

static void push_places_of(Pack *pack, size_t base, int gpu, int profile) {
  const MigLayout *layout = &pack->layouts.items[gpu];
  Place place = {.gpu = gpu, .touched = is_touched(pack, gpu)};
  for (uint32_t starts = layout->model->profiles[profile].starts; starts; starts &= starts - 1) {
    place.start = __builtin_ctz(starts);
    --*pack->question->steps;
    pack->tried++;
    if (mig_layout_can_place(layout, profile, place.start))
      weigh_place(pack, base, profile, place);
    else if (pack->stocks)
      weigh_recuts(pack, base, profile, place);
  }
}

static void push_places(Pack *pack, size_t base, int kind) {
  for (int gpu = 0; gpu < pack->host->gpu_count; gpu++) {
    int profile = model_of(pack, gpu)->profile_of_kind[kind];
    if (profile >= 0 && !has_twin_before(pack, gpu))
      push_places_of(pack, base, gpu, profile);
  }
}

static uint64_t mix(uint64_t value) {
  value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
  return value ^ value >> 31;
}

/* True where the state was met before with as many slices placed; remembers it. */
static bool was_seen(Pack *pack) {
  if (!pack->seen)
    return false;
  uint64_t key = mix(pack->state + (uint64_t)pack->packing->count + 1) | 1;
  uint64_t *slot = &pack->seen[key >> 1 & (SEEN_SIZE - 1)];
  bool seen = *slot == key;
  *slot = key;
  return seen;
}

static uint64_t hash_of(const Place *place, uint64_t profile, uint64_t start) {
  return mix((uint64_t)place->gpu << 32 | profile << 16 | start);
}

static void withdraw(Pack *pack, const Place *place) {
  MigLayout *layout = &pack->layouts.items[place->gpu];
  change_stocks(pack, place->gpu, place->withdraws, -1);
  for (uint32_t starts = place->withdraws; starts; starts &= starts - 1) {
    int start = __builtin_ctz(starts);
    pack->state ^= hash_of(place, MIG_PROFILES_MAX, (uint64_t)start);
    mig_layout_remove(layout, start);
  }
  pack->loose[place->gpu] &= ~place->withdraws;
  pack->packing->withdraws[place->gpu] |= place->withdraws;
  pack->packing->withdrawn += __builtin_popcount(place->withdraws);
}

static void place_slice(Pack *pack, const Place *place, int profile) {
  PlanPacking *packing = pack->packing;
  int gpu = pack->host->first_gpu + place->gpu;
  if (place->withdraws)
    withdraw(pack, place);
  packing->loss += place->loss;
  packing->new_gpus += !place->touched;
  packing->slices[packing->count++] =
      (PlanSlice){.waiting = -1, .gpu = gpu, .profile = (uint8_t)profile, .start = (uint8_t)place->start};
  mig_layout_place(&pack->layouts.items[place->gpu], profile, place->start);
  pack->state ^= hash_of(place, (uint64_t)profile, (uint64_t)place->start);
}

/* `before` and `state` are as they were before the slice was placed. */
static void take_slice_back(Pack *pack, const Place *place, const MigLayout *before, uint64_t state) {
  PlanPacking *packing = pack->packing;
  pack->state = state;
  pack->layouts.items[place->gpu] = *before;
  packing->count--;
  packing->new_gpus -= !place->touched;
  packing->loss -= place->loss;
  if (!place->withdraws)
    return;
  pack->loose[place->gpu] |= place->withdraws;
  packing->withdraws[place->gpu] &= ~place->withdraws;
  packing->withdrawn -= __builtin_popcount(place->withdraws);
  change_stocks(pack, place->gpu, place->withdraws, 1);
}

static void copy_packing(PlanPacking *into, const PlanPacking *from) {
  size_t count = (size_t)from->count;
  memcpy(into->slices, from->slices, count * sizeof *from->slices);
  memcpy(into->withdraws, from->withdraws, sizeof from->withdraws);
  into->count = from->count;
  into->withdrawn = from->withdrawn;
  into->loss = from->loss;
  into->new_gpus = from->new_gpus;
}

/* All slices are placed. True where nothing better can come. */
static bool finish(Pack *pack) {
  pack->found = true;
  copy_packing(pack->best, pack->packing);
  if (!pack->best->withdrawn)
    return true;
  if (*pack->question->steps > IMPROVE_STEPS)
    *pack->question->steps = IMPROVE_STEPS;
  return false;
}

static bool may_improve(const Pack *pack, const Place *place) {
  if (!pack->found)
    return true;
  int withdrawn = pack->packing->withdrawn + __builtin_popcount(place->withdraws);
  return withdrawn != pack->best->withdrawn ? withdrawn < pack->best->withdrawn
                                            : pack->packing->loss + place->loss < pack->best->loss;
}

/* True where the search is over. */
static bool place_rest(Pack *pack) {
  if (pack->packing->count == pack->item_count)
    return finish(pack);
  if (*pack->question->steps <= 0)
    return true;
  if (was_seen(pack))
    return false;
  int kind = pack->items[pack->packing->count];
  size_t base = pack->places.count;
  bool over = false;
  push_places(pack, base, kind);
  for (size_t i = base, end = pack->places.count; i < end && !over; i++) {
    Place place = pack->places.items[i];
    if (!may_improve(pack, &place))
      continue;
    MigLayout before = pack->layouts.items[place.gpu];
    uint64_t state = pack->state;
    place_slice(pack, &place, model_of(pack, place.gpu)->profile_of_kind[kind]);
    over = place_rest(pack);
    take_slice_back(pack, &place, &before, state);
  }
  pack->places.count = base;
  return over;
}

/* The kinds one by one, largest first; false where they are too many for any node. */
static bool collect_items(Pack *pack) {
  const PlanProblem *problem = pack->question->problem;
  int largest = 0;
  for (size_t kind = 0; kind < problem->kinds.count; kind++)
    if (pack->question->missing[kind] && problem->kinds.items[kind].size > largest)
      largest = problem->kinds.items[kind].size;
  for (int size = largest; size > 0; size--)
    for (size_t kind = 0; kind < problem->kinds.count; kind++) {
      int missing = problem->kinds.items[kind].size == size ? pack->question->missing[kind] : 0;
      if (pack->item_count + missing > PLAN_SLICES_MAX)
        return false;
      for (; missing > 0; missing--)
        pack->items[pack->item_count++] = (int)kind;
    }
  return true;
}

/* The slots that stay occupied whatever is withdrawn. */
static uint32_t fixed_slots(const Pack *pack, int gpu) {
  const MigLayout *layout = &pack->layouts.items[gpu];
  return layout->mask & ~slots_of(layout, pack->loose[gpu]);
}

/* Finds the free slices of the GPU that may go, and asks the node how many of each profile may. */
static void find_loose(Pack *pack, int gpu) {
  const PlanProblem *problem = pack->question->problem;
  if (!pack->question->kept)
    return;
  pack->loose[gpu] = plan_problem_withdrawable(problem, pack->host->first_gpu + gpu);
  if (!pack->loose[gpu] || pack->stocks)
    return;
  const SnapshotNode *node = plan_problem_node(problem, pack->question->host);
  pack->stocks = mem_alloc(problem->stocks.count * sizeof *pack->stocks);
  for (size_t stock = 0; stock < problem->stocks.count; stock++)
    pack->stocks[stock] = (int)snapshot_free_of(node, problem->stocks.items[stock]);
  for (size_t kind = 0; kind < problem->kinds.count; kind++)
    if (problem->kinds.items[kind].stock >= 0)
      pack->stocks[problem->kinds.items[kind].stock] -= pack->question->kept[kind];
}

static bool copy_layouts(Pack *pack) {
  int slots_missing = 0, slots_free = 0;
  for (int gpu = 0; gpu < pack->host->gpu_count; gpu++) {
    const MigLayout *layout = plan_problem_gpu(pack->question->problem, pack->host->first_gpu + gpu)->layout;
    *array_push(&pack->layouts) = *layout;
    find_loose(pack, gpu);
    slots_free += layout->model->slot_count - __builtin_popcount(fixed_slots(pack, gpu));
  }
  for (int i = 0; i < pack->item_count; i++)
    slots_missing += pack->question->problem->kinds.items[pack->items[i]].size;
  return slots_missing <= slots_free;
}

/* On a host whose GPUs are all of one exact geometry, counting tells at once that there is no packing. */
static bool may_fit(const Pack *pack) {
  const PlanProblem *problem = pack->question->problem;
  if (pack->item_count < 2 || !pack->host->gpu_count)
    return true;
  const PlanModel *model = model_of(pack, 0);
  const PlanShape *shape = &problem->shapes.items[model->shape];
  PlanHoles holes = {0}, more;
  PlanAmounts amounts = {0};
  for (int gpu = 0; gpu < pack->host->gpu_count; gpu++) {
    if (!shape->exact || model_of(pack, gpu)->shape != model->shape)
      return true;
    plan_holes_of_slots(&shape->geometry, fixed_slots(pack, gpu), &more);
    plan_holes_add(&shape->geometry, &holes, &more, 1);
  }
  for (int i = 0; i < pack->item_count; i++) {
    int profile = model->profile_of_kind[pack->items[i]];
    int rank = profile < 0 ? -1 : plan_geometry_floor_rank(&shape->geometry, model->model, profile);
    if (rank >= 0)
      amounts.count[rank]++;
  }
  return plan_holes_fit(&shape->geometry, &holes, &amounts);
}

bool plan_pack(const PlanPackQuestion *question, PlanPacking *ret_packing) {
  Scratch scratch;
  CLEANUP(pack_deinit)
  Pack pack = {.question = question,
               .host = &question->problem->hosts.items[question->host],
               .items = scratch.items,
               .packing = ret_packing,
               .best = &scratch.best};
  plan_packing_clear(ret_packing);
  if (!collect_items(&pack) || !copy_layouts(&pack) || !may_fit(&pack))
    return false;
  if (pack.item_count > 1) {
    memset(scratch.seen, 0, sizeof scratch.seen);
    pack.seen = scratch.seen;
  }
  (void)place_rest(&pack);
  if (pack.found)
    copy_packing(ret_packing, pack.best);
  ret_packing->tried = pack.tried;
  return pack.found;
}
