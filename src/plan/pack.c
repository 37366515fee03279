/* SPDX-License-Identifier: Apache-2.0 */
/* Depth-first, one slice after the other. Two things keep the tree small: GPUs that are alike are tried once,
 * and a state that was reached before, by the same slices in another order, has failed before. States are
 * remembered by a hash that is changed with each slice, in a small table that forgets when two collide. */
#include "plan/pack.h"

enum { SEEN_SIZE = 512 };

typedef struct Place {
  int gpu; /* of the host */
  int start;
  uint64_t loss;
  bool touched;
} Place;

typedef struct Pack {
  const PlanPackQuestion *question;
  const PlanHost *host;
  ARRAY(MigLayout) layouts;   /* of the host's GPUs, working copies */
  int items[PLAN_SLICES_MAX]; /* kinds, largest first */
  int item_count;
  ARRAY(Place) places; /* a stack: those of each open item */
  uint64_t state;
  uint64_t seen[SEEN_SIZE];
  PlanPacking *packing;
} Pack;

static void pack_deinit(Pack *pack) {
  array_deinit(&pack->layouts);
  array_deinit(&pack->places);
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
        mig_layout_equal(&pack->layouts.items[other], &pack->layouts.items[gpu]))
      return true;
  return false;
}

static bool is_better(const Place *a, const Place *b) {
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

static void push_places_of(Pack *pack, size_t base, int gpu, int profile) {
  const MigLayout *layout = &pack->layouts.items[gpu];
  const PlanGeometry *geometry = plan_problem_geometry(pack->question->problem, pack->host->first_gpu + gpu);
  uint64_t before = plan_geometry_worth(geometry, ~layout->mask);
  bool touched = is_touched(pack, gpu);
  for (uint32_t starts = layout->model->profiles[profile].starts; starts; starts &= starts - 1) {
    int start = __builtin_ctz(starts);
    --*pack->question->steps;
    if (!mig_layout_can_place(layout, profile, start))
      continue;
    uint32_t left = ~(layout->mask | mig_placement_mask(layout->model, profile, start));
    uint64_t loss = before - plan_geometry_worth(geometry, left);
    if (loss >= pack->question->loss_min)
      push_place(pack, base, (Place){.gpu = gpu, .start = start, .loss = loss, .touched = touched});
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
  uint64_t key = mix(pack->state + (uint64_t)pack->packing->count + 1) | 1;
  uint64_t *slot = &pack->seen[key >> 1 & (SEEN_SIZE - 1)];
  bool seen = *slot == key;
  *slot = key;
  return seen;
}

static void place_slice(Pack *pack, const Place *place, int profile) {
  PlanPacking *packing = pack->packing;
  int gpu = pack->host->first_gpu + place->gpu;
  packing->loss += place->loss;
  packing->new_gpus += !place->touched;
  packing->slices[packing->count++] =
      (PlanSlice){.waiting = -1, .gpu = gpu, .profile = (uint8_t)profile, .start = (uint8_t)place->start};
  mig_layout_place(&pack->layouts.items[place->gpu], profile, place->start);
  pack->state ^= mix((uint64_t)place->gpu << 32 | (uint64_t)profile << 16 | (uint64_t)place->start);
}

static void take_slice_back(Pack *pack, const Place *place, int profile) {
  pack->state ^= mix((uint64_t)place->gpu << 32 | (uint64_t)profile << 16 | (uint64_t)place->start);
  mig_layout_remove(&pack->layouts.items[place->gpu], place->start);
  pack->packing->count--;
  pack->packing->new_gpus -= !place->touched;
  pack->packing->loss -= place->loss;
}

static bool place_rest(Pack *pack) {
  if (pack->packing->count == pack->item_count)
    return true;
  if (*pack->question->steps <= 0 || was_seen(pack))
    return false;
  int kind = pack->items[pack->packing->count];
  size_t base = pack->places.count;
  bool found = false;
  push_places(pack, base, kind);
  for (size_t i = base, end = pack->places.count; i < end && !found; i++) {
    Place place = pack->places.items[i];
    int profile = model_of(pack, place.gpu)->profile_of_kind[kind];
    place_slice(pack, &place, profile);
    found = place_rest(pack);
    if (!found)
      take_slice_back(pack, &place, profile);
  }
  pack->places.count = base;
  return found;
}

/* The kinds one by one, largest first; false where they are too many for any node. */
static bool collect_items(Pack *pack) {
  const PlanProblem *problem = pack->question->problem;
  for (int size = MIG_SLOTS_MAX; size > 0; size--)
    for (size_t kind = 0; kind < problem->kinds.count; kind++) {
      int missing = problem->kinds.items[kind].size == size ? pack->question->missing[kind] : 0;
      if (pack->item_count + missing > PLAN_SLICES_MAX)
        return false;
      for (; missing > 0; missing--)
        pack->items[pack->item_count++] = (int)kind;
    }
  return true;
}

static bool copy_layouts(Pack *pack) {
  int slots_missing = 0, slots_free = 0;
  for (int gpu = 0; gpu < pack->host->gpu_count; gpu++) {
    const MigLayout *layout = &plan_problem_gpu(pack->question->problem, pack->host->first_gpu + gpu)->layout;
    *array_push(&pack->layouts) = *layout;
    slots_free += layout->model->slot_count - __builtin_popcount(layout->mask);
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
    plan_holes_of_slots(&shape->geometry, pack->layouts.items[gpu].mask, &more);
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
  CLEANUP(pack_deinit)
  Pack pack = {
      .question = question, .host = &question->problem->hosts.items[question->host], .packing = ret_packing};
  ret_packing->count = 0;
  ret_packing->new_gpus = 0;
  ret_packing->loss = 0;
  return collect_items(&pack) && copy_layouts(&pack) && may_fit(&pack) && place_rest(&pack);
}
