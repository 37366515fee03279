/* SPDX-License-Identifier: Apache-2.0 */
/* Where a slice goes: where the least worth is lost, on a GPU that is changed already, then on a host that
 * is, then in the order of names among those that are looked at. Where there is no hole although the numbers
 * say that all fit, the fewest slots that are only planned are cleared elsewhere, and those who had them go
 * on, to smaller holes each time. */
#include "plan/kept.h"

enum { LOOKED_AT_MAX = 64 /* GPUs of one cut */, MOVES_MAX = 64 };

static const PlanGeometry *geometry_of(const PlanKept *kept, int pool) {
  return &kept->problem.shapes.items[kept->problem.pools.items[pool].shape].geometry;
}

static PlanStates *states_of(const PlanKept *kept, int pool) {
  return &kept->states[kept->problem.pools.items[pool].shape];
}

static const PlanHoles *holes_of(const PlanKept *kept, const KeptCut *cut) {
  return &states_of(kept, cut->pool)->items.items[cut->state].holes;
}

static uint64_t hash_of_slice(int gpu, int start) {
  uint64_t hash = ((uint64_t)gpu * MIG_SLOTS_MAX + (uint64_t)start) * UINT64_C(0x9e3779b97f4a7c15);
  return hash ^ hash >> 32;
}

static uint64_t hash_of_item(const void *owner, uint32_t number) {
  const KeptItem *item = &((const PlanKept *)owner)->items.items[number];
  return hash_of_slice(item->gpu, item->start);
}

/* Where the item with that slice is among `created_items`; SIZE_MAX: nowhere. */
static size_t find_created(const PlanKept *kept, int gpu, int start) {
  const Slots *slots = &kept->created_items;
  for (size_t at = slots_first(slots, hash_of_slice(gpu, start)); slots->items && slots->items[at];
       at = slots_next(slots, at)) {
    const KeptItem *item = &kept->items.items[slots->items[at] - 1];
    if (item->gpu == gpu && item->start == start)
      return at;
  }
  return SIZE_MAX;
}

int plan_kept_item_at(const PlanKept *kept, int gpu, int start) {
  size_t at = find_created(kept, gpu, start);
  return at == SIZE_MAX ? KEPT_NONE : (int)kept->created_items.items[at] - 1;
}

void plan_kept_note_created(PlanKept *kept, int item) {
  const KeptItem *noted = &kept->items.items[item];
  assert(plan_kept_item_at(kept, noted->gpu, noted->start) < 0);
  slots_put(&kept->created_items, hash_of_slice(noted->gpu, noted->start), (uint32_t)item, hash_of_item,
            kept);
}

void plan_kept_note_change(PlanKept *kept, int item) {
  KeptItem *changed = &kept->items.items[item];
  if (!changed->is_changed)
    *array_push(&kept->changed) = item;
  changed->is_changed = true;
}

static void note_host(PlanKept *kept, int host) {
  if (!kept->hosts[host].is_changed)
    *array_push(&kept->changed_hosts) = host;
  kept->hosts[host].is_changed = true;
}

static void count_created(PlanKept *kept, int host, int by) {
  KeptHost *changed = &kept->hosts[host];
  kept->created += by;
  kept->created_hosts -= changed->created > 0;
  changed->created += by;
  kept->created_hosts += changed->created > 0;
  note_host(kept, host);
}

/* ---- cuts ---- */

/* Zeroed before it is filled, padding included, so that equal ones are equal bytes. */
typedef struct CutKey {
  int32_t pool;
  uint32_t base;
  KeptPlanned planned[MIG_SLOTS_MAX];
} CutKey;

static void add_cut(PlanKept *kept, const KeptCut *like) {
  const PlanGeometry *geometry = geometry_of(kept, like->pool);
  KeptCut *cut = array_push(&kept->cuts);
  *cut = (KeptCut){.pool = like->pool, .base = like->base, .planned_count = like->planned_count};
  memcpy(cut->planned, like->planned, sizeof cut->planned);
  cut->occupied = cut->base;
  for (int i = 0; i < cut->planned_count; i++)
    cut->occupied |= plan_rank_slots(&geometry->ranks[cut->planned[i].rank], cut->planned[i].start);
  cut->state = plan_states_find(states_of(kept, cut->pool), cut->occupied);
  *array_push(&kept->pools[cut->pool].cuts) = (int)kept->cuts.count - 1;
}

static int find_cut(PlanKept *kept, const KeptCut *like) {
  CutKey key;
  memset(&key, 0, sizeof key);
  key.pool = like->pool;
  key.base = like->base;
  memcpy(key.planned, like->planned, (size_t)like->planned_count * sizeof *key.planned);
  /* Rank 0 at start 0 looks like nothing planned; so ranks count from 1 in the key. */
  for (int i = 0; i < like->planned_count; i++)
    key.planned[i].rank++;
  int number = intern_number(&kept->cut_numbers, &key, sizeof key);
  if (number == (int)kept->cuts.count)
    add_cut(kept, like);
  return number;
}

static void leave_cut(PlanKept *kept, int gpu) {
  KeptCut *cut = &kept->cuts.items[kept->cut_of_gpu[gpu]];
  int last = cut->gpus.items[--cut->gpus.count];
  cut->gpus.items[kept->seat_of_gpu[gpu]] = last;
  kept->seat_of_gpu[last] = kept->seat_of_gpu[gpu];
  kept->cut_of_gpu[gpu] = KEPT_NONE;
  plan_holes_add(geometry_of(kept, cut->pool), &kept->pools[cut->pool].now, holes_of(kept, cut), -1);
}

static void enter_cut(PlanKept *kept, int gpu, int number) {
  KeptCut *cut = &kept->cuts.items[number];
  kept->cut_of_gpu[gpu] = number;
  kept->seat_of_gpu[gpu] = (int)cut->gpus.count;
  *array_push(&cut->gpus) = gpu;
  plan_holes_add(geometry_of(kept, cut->pool), &kept->pools[cut->pool].now, holes_of(kept, cut), 1);
}

static void change_cut(PlanKept *kept, int gpu, const KeptCut *like) {
  int number = find_cut(kept, like);
  leave_cut(kept, gpu);
  enter_cut(kept, gpu, number);
}

static KeptCut copy_of_cut(const PlanKept *kept, int gpu) {
  const KeptCut *cut = &kept->cuts.items[kept->cut_of_gpu[gpu]];
  KeptCut copy = {.pool = cut->pool, .base = cut->base, .planned_count = cut->planned_count};
  memcpy(copy.planned, cut->planned, sizeof copy.planned);
  return copy;
}

/* The cut of the GPU while nothing is planned on it. Mostly there are few slots, so it need not be looked up.
 */
static int find_base(PlanKept *kept, int pool, uint32_t occupied) {
  int *known = occupied < KEPT_BASES ? &kept->bases[(size_t)pool * KEPT_BASES + occupied] : NULL;
  if (known && *known)
    return *known - 1;
  int number = find_cut(kept, &(KeptCut){.pool = pool, .base = occupied});
  if (known)
    *known = number + 1;
  return number;
}

static void change_base(PlanKept *kept, const KeptCut *base, int sign) {
  plan_holes_add(geometry_of(kept, base->pool), &kept->pools[base->pool].base, holes_of(kept, base), sign);
}

void plan_kept_set_gpu(PlanKept *kept, int gpu, bool is_open, uint32_t occupied) {
  PlanHostGpu *changed = &kept->problem.gpus.items[gpu];
  bool is_counted = changed->pool >= 0 && kept->problem.models.items[changed->model].is_counted;
  if (kept->cut_of_gpu[gpu] >= 0) {
    assert(!kept->cuts.items[kept->cut_of_gpu[gpu]].planned_count);
    change_base(kept, &kept->cuts.items[kept->cut_of_gpu[gpu]], -1);
    leave_cut(kept, gpu);
  }
  changed->occupied = is_open ? occupied : UINT32_MAX;
  if (!is_open || !is_counted)
    return;
  int number = find_base(kept, changed->pool, occupied);
  change_base(kept, &kept->cuts.items[number], 1);
  enter_cut(kept, gpu, number);
}

void plan_kept_plan_gpu(PlanKept *kept, int gpu) {
  KeptCut like = {0};
  int slot_count = geometry_of(kept, kept->problem.gpus.items[gpu].pool)->slot_count;
  for (int start = 0; start < slot_count; start++) {
    int item = plan_kept_item_at(kept, gpu, start);
    if (item < 0)
      continue;
    if (!like.planned_count)
      like = copy_of_cut(kept, gpu);
    like.planned[like.planned_count++] = (KeptPlanned){
        .rank = (uint8_t)plan_kept_rank_on(kept, kept->lines[kept->items.items[item].line].kind, gpu),
        .start = (uint8_t)start};
  }
  if (like.planned_count)
    change_cut(kept, gpu, &like);
}

/* ---- places ---- */

int plan_kept_rank_on(const PlanKept *kept, int kind, int gpu) {
  int pool = kept->problem.gpus.items[gpu].pool;
  return kept->problem.shapes.items[kept->problem.pools.items[pool].shape].rank_of_kind[kind];
}

static void sit_down(PlanKept *kept, int item, int host) {
  KeptHost *at = &kept->hosts[host];
  kept->items.items[item].host = host;
  kept->items.items[item].seat = (int)at->items.count;
  *array_push(&at->items) = item;
  plan_kept_change_room(kept, &kept->problem.classes.items[kept->items.items[item].class_], host, 1);
}

static void stand_up(PlanKept *kept, int item) {
  KeptItem *leaving = &kept->items.items[item];
  KeptHost *at = &kept->hosts[leaving->host];
  int last = at->items.items[--at->items.count];
  at->items.items[leaving->seat] = last;
  kept->items.items[last].seat = leaving->seat;
  plan_kept_change_room(kept, &kept->problem.classes.items[leaving->class_], leaving->host, -1);
  leaving->host = KEPT_NONE;
}

void plan_kept_note_home(PlanKept *kept, int host, int kind) {
  size_t cell = (size_t)host * kept->problem.kinds.count + (size_t)kind;
  if (kept->left[cell] <= 0 || kept->line_at[cell] < 0 || kept->is_home[cell])
    return;
  kept->is_home[cell] = true;
  *array_push(&kept->lines[kept->line_at[cell]].homes) = host;
}

static int kind_of(const PlanKept *kept, const KeptItem *item) {
  return kept->lines[item->line].kind;
}

static int *left_of(const PlanKept *kept, int host, int kind) {
  return &kept->left[(size_t)host * kept->problem.kinds.count + (size_t)kind];
}

static void unplan(PlanKept *kept, int gpu, int start) {
  KeptCut like = copy_of_cut(kept, gpu);
  int i = 0;
  while (like.planned[i].start != start)
    i++;
  for (; i + 1 < like.planned_count; i++)
    like.planned[i] = like.planned[i + 1];
  like.planned_count--;
  change_cut(kept, gpu, &like);
  slots_remove(&kept->created_items, find_created(kept, gpu, start), hash_of_item, kept);
}

static void plan_slice(PlanKept *kept, int gpu, int rank, int start) {
  KeptCut like = copy_of_cut(kept, gpu);
  int i = like.planned_count++;
  for (; i > 0 && like.planned[i - 1].start > start; i--)
    like.planned[i] = like.planned[i - 1];
  like.planned[i] = (KeptPlanned){.rank = (uint8_t)rank, .start = (uint8_t)start};
  change_cut(kept, gpu, &like);
}

void plan_kept_release(PlanKept *kept, int item) {
  KeptItem *leaving = &kept->items.items[item];
  int host = leaving->host;
  if (host < 0)
    return;
  plan_kept_note_change(kept, item);
  stand_up(kept, item);
  if (leaving->gpu < 0) {
    kept->existing--;
    ++*left_of(kept, host, kind_of(kept, leaving));
    plan_kept_note_home(kept, host, kind_of(kept, leaving));
    return;
  }
  unplan(kept, leaving->gpu, leaving->start);
  count_created(kept, host, -1);
  leaving->gpu = KEPT_NONE;
}

void plan_kept_hand_over(PlanKept *kept, int from, int to) {
  KeptItem *giver = &kept->items.items[from], *taker = &kept->items.items[to];
  assert(giver->host >= 0 && taker->host < 0);
  if (giver->gpu >= 0)
    kept->created_items.items[find_created(kept, giver->gpu, giver->start)] = (uint32_t)to + 1;
  taker->host = giver->host;
  taker->gpu = giver->gpu;
  taker->start = giver->start;
  taker->seat = giver->seat;
  kept->hosts[taker->host].items.items[taker->seat] = to;
  giver->host = giver->gpu = KEPT_NONE;
  plan_kept_note_change(kept, from);
  plan_kept_note_change(kept, to);
}

void plan_kept_put(PlanKept *kept, int item, int host, int gpu, int start) {
  KeptItem *placed = &kept->items.items[item];
  sit_down(kept, item, host);
  placed->gpu = gpu;
  if (gpu < 0) {
    kept->existing++;
    --*left_of(kept, host, kind_of(kept, placed));
    return;
  }
  placed->start = (uint8_t)start;
  plan_kept_note_created(kept, item);
  count_created(kept, host, 1);
  plan_slice(kept, gpu, plan_kept_rank_on(kept, kind_of(kept, placed), gpu), start);
}

bool plan_kept_take_existing(PlanKept *kept, int item) {
  KeptLine *line = &kept->lines[kept->items.items[item].line];
  while (line->homes.count) {
    int host = line->homes.items[line->homes.count - 1];
    if (*left_of(kept, host, line->kind) > 0) {
      plan_kept_put(kept, item, host, KEPT_NONE, 0);
      plan_kept_note_change(kept, item);
      return true;
    }
    kept->is_home[(size_t)host * kept->problem.kinds.count + (size_t)line->kind] = false;
    line->homes.count--;
  }
  return false;
}

/* ---- new slices ---- */

typedef struct Spot {
  int cut, start;  /* -1: none */
  uint64_t loss;   /* of worth, or slots to clear */
  bool is_changed; /* something is planned there already */
  bool fits;       /* those who are cleared away have holes to go to */
} Spot;

static void find_hole(const PlanKept *kept, int pool, int rank, Spot *ret_spot) {
  const PlanStates *states = states_of(kept, pool);
  *ret_spot = (Spot){.cut = KEPT_NONE};
  for (size_t i = 0; i < kept->pools[pool].cuts.count; i++) {
    int number = kept->pools[pool].cuts.items[i];
    const KeptCut *cut = &kept->cuts.items[number];
    const PlanGpuState *state = &states->items.items[cut->state];
    if (!cut->gpus.count || state->first_way[rank] == state->first_way[rank + 1])
      continue;
    const PlanWay *way = &states->ways.items[state->first_way[rank]];
    bool is_changed = cut->planned_count > 0;
    if (ret_spot->cut < 0 || way->loss < ret_spot->loss ||
        (way->loss == ret_spot->loss && is_changed && !ret_spot->is_changed))
      *ret_spot = (Spot){.cut = number, .start = way->start, .loss = way->loss, .is_changed = is_changed};
  }
}

/* Could those go elsewhere whose slots the slice would take? */
static bool would_fit(const PlanKept *kept, const KeptCut *cut, uint32_t slots) {
  const PlanGeometry *geometry = geometry_of(kept, cut->pool);
  PlanHoles holes = kept->pools[cut->pool].now, there;
  PlanAmounts cleared = {0};
  uint32_t occupied = cut->occupied | slots;
  for (int i = 0; i < cut->planned_count; i++) {
    uint32_t planned = plan_rank_slots(&geometry->ranks[cut->planned[i].rank], cut->planned[i].start);
    if (!(planned & slots))
      continue;
    cleared.count[cut->planned[i].rank]++;
    occupied &= ~(planned & ~slots);
  }
  plan_holes_add(geometry, &holes, holes_of(kept, cut), -1);
  plan_holes_of_slots(geometry, occupied, &there);
  plan_holes_add(geometry, &holes, &there, 1);
  return plan_holes_fit(geometry, &holes, &cleared);
}

/* So many slots would have to be cleared; UINT64_MAX: slices are in the way that stay, or are not smaller. */
static uint64_t cost_of(const PlanKept *kept, const KeptCut *cut, int rank, uint32_t slots) {
  const PlanGeometry *geometry = geometry_of(kept, cut->pool);
  uint64_t cost = 0;
  if (slots & cut->base)
    return UINT64_MAX;
  for (int i = 0; i < cut->planned_count; i++) {
    const PlanRank *planned = &geometry->ranks[cut->planned[i].rank];
    if (!(plan_rank_slots(planned, cut->planned[i].start) & slots))
      continue;
    if (cut->planned[i].rank >= rank)
      return UINT64_MAX;
    cost += planned->size;
  }
  return cost;
}

static void weigh_clearing(const PlanKept *kept, int number, int rank, int start, Spot *best) {
  const KeptCut *cut = &kept->cuts.items[number];
  uint32_t slots = plan_rank_slots(&geometry_of(kept, cut->pool)->ranks[rank], start);
  uint64_t cost = cost_of(kept, cut, rank, slots);
  if (cost == UINT64_MAX || (best->cut >= 0 && best->fits && cost >= best->loss))
    return;
  bool fits = would_fit(kept, cut, slots);
  if (best->cut < 0 || (fits && !best->fits) || (fits == best->fits && cost < best->loss))
    *best = (Spot){.cut = number, .start = start, .loss = cost, .fits = fits};
}

static void find_clearing(const PlanKept *kept, int pool, int rank, Spot *ret_spot) {
  *ret_spot = (Spot){.cut = KEPT_NONE};
  for (size_t i = 0; i < kept->pools[pool].cuts.count; i++) {
    int number = kept->pools[pool].cuts.items[i];
    if (!kept->cuts.items[number].gpus.count)
      continue;
    for (uint32_t starts = geometry_of(kept, pool)->ranks[rank].starts; starts; starts &= starts - 1)
      weigh_clearing(kept, number, rank, __builtin_ctz(starts), ret_spot);
  }
}

/* Of the last GPUs in the cut, the first on a host that is changed, else the first. */
static int choose_gpu(const PlanKept *kept, const KeptCut *cut) {
  int chosen = KEPT_NONE;
  bool chosen_changed = false;
  for (size_t i = cut->gpus.count, looked = 0; i-- > 0 && looked < LOOKED_AT_MAX; looked++) {
    int gpu = cut->gpus.items[i];
    bool is_changed = kept->hosts[kept->problem.gpus.items[gpu].host].created > 0;
    if (chosen >= 0 && (is_changed != chosen_changed ? chosen_changed : gpu > chosen))
      continue;
    chosen = gpu;
    chosen_changed = is_changed;
  }
  return chosen;
}

typedef ARRAY(int) Displaced;

static void clear_slots(PlanKept *kept, int gpu, uint32_t slots, Displaced *displaced) {
  const PlanGeometry *geometry = geometry_of(kept, kept->problem.gpus.items[gpu].pool);
  KeptCut before = copy_of_cut(kept, gpu);
  for (int i = 0; i < before.planned_count; i++) {
    const KeptPlanned *planned = &before.planned[i];
    if (!(plan_rank_slots(&geometry->ranks[planned->rank], planned->start) & slots))
      continue;
    int item = plan_kept_item_at(kept, gpu, planned->start);
    *array_push(displaced) = item;
    plan_kept_release(kept, item);
  }
}

static bool create(PlanKept *kept, int item, Displaced *displaced) {
  const KeptLine *line = &kept->lines[kept->items.items[item].line];
  Spot spot;
  if (line->pool < 0)
    return false;
  find_hole(kept, line->pool, line->rank, &spot);
  if (spot.cut < 0)
    find_clearing(kept, line->pool, line->rank, &spot);
  if (spot.cut < 0)
    return false;
  int gpu = choose_gpu(kept, &kept->cuts.items[spot.cut]);
  int host = kept->problem.gpus.items[gpu].host;
  clear_slots(kept, gpu, plan_rank_slots(&geometry_of(kept, line->pool)->ranks[line->rank], spot.start),
              displaced);
  plan_kept_put(kept, item, host, gpu, spot.start);
  plan_kept_note_change(kept, item);
  return true;
}

/* The largest of those who were displaced goes first. */
static int take_largest(const PlanKept *kept, Displaced *displaced) {
  size_t largest = 0;
  for (size_t i = 1; i < displaced->count; i++)
    if (kept->lines[kept->items.items[displaced->items[i]].line].rank >
        kept->lines[kept->items.items[displaced->items[largest]].line].rank)
      largest = i;
  int item = displaced->items[largest];
  array_remove(displaced, largest);
  return item;
}

bool plan_kept_create(PlanKept *kept, int item) {
  Displaced displaced = {0};
  bool created = create(kept, item, &displaced);
  for (int moves = 0; created && displaced.count && moves < MOVES_MAX; moves++)
    created = create(kept, take_largest(kept, &displaced), &displaced);
  created = created && !displaced.count;
  array_deinit(&displaced);
  return created;
}
