/* SPDX-License-Identifier: Apache-2.0 */
/* A plan that is searched holds two things after each event: what it says can be carried out, and nobody is
 * left out for whom there is a place.
 *
 * Hosts only get more to give when somebody leaves them or they change themselves. So those who have waited
 * already ask only these hosts, and only those who came or lost their place ask all. Where they find none,
 * one of a lower tier gives way, or a larger one of the same tier, as from scratch the smaller come first:
 * the largest, as that makes the most room; or several of lower tiers do on one GPU. They come later in the
 * order of service, so the rounds come to an end. */
#include "plan/kept.h"

enum { ROUNDS_MAX = 16, GLANCES_MAX = 4096 /* at those who may give way */ };

typedef struct Spot {
  int host, gpu, start; /* host -1: none; gpu -1: a free slice */
  uint64_t loss;
  bool is_changed; /* the host gets new slices already */
} Spot;

int64_t *plan_kept_rooms(const PlanKept *kept, int host) {
  return &kept->rooms[(size_t)host * (kept->problem.resources.count + 1)];
}

void plan_kept_open_host(PlanKept *kept, int host) {
  if (!kept->hosts[host].is_opened)
    *array_push(&kept->opened) = host;
  kept->hosts[host].is_opened = true;
}

void plan_kept_change_room(PlanKept *kept, const PlanClass *class_, int host, int sign) {
  if (!kept->is_searched)
    return;
  int64_t *rooms = plan_kept_rooms(kept, host);
  for (size_t i = 0; i <= kept->problem.resources.count; i++)
    rooms[i] -= sign * class_->takes[i];
  if (sign < 0)
    plan_kept_open_host(kept, host);
}

/* ---- places ---- */

static bool is_better(const Spot *a, const Spot *b) {
  if ((a->gpu < 0) != (b->gpu < 0))
    return a->gpu < 0;
  if (a->loss != b->loss)
    return a->loss < b->loss;
  if (a->is_changed != b->is_changed)
    return a->is_changed;
  return a->gpu < b->gpu;
}

static void look_at_gpu(const PlanKept *kept, int kind, int gpu, Spot *best) {
  if (kept->cut_of_gpu[gpu] < 0)
    return;
  const KeptCut *cut = &kept->cuts.items[kept->cut_of_gpu[gpu]];
  const PlanStates *states = &kept->states[kept->problem.pools.items[cut->pool].shape];
  const PlanGpuState *state = &states->items.items[cut->state];
  int rank = plan_kept_rank_on(kept, kind, gpu);
  if (rank < 0 || state->first_way[rank] == state->first_way[rank + 1])
    return;
  const PlanWay *way = &states->ways.items[state->first_way[rank]];
  int host = kept->problem.gpus.items[gpu].host;
  const Spot spot = {.host = host,
                     .gpu = gpu,
                     .start = way->start,
                     .loss = way->loss,
                     .is_changed = kept->hosts[host].created > 0};
  if (best->host < 0 || is_better(&spot, best))
    *best = spot;
}

static bool has_room(const PlanKept *kept, int class_, int host) {
  const PlanClass *asking = &kept->problem.classes.items[class_];
  return plan_class_admits(asking, host) &&
         plan_rooms_hold(&kept->problem, asking, plan_kept_rooms(kept, host));
}

static void look_at_host(const PlanKept *kept, int class_, int host, Spot *best) {
  int kind = kept->lines[class_].kind;
  const PlanHost *at = &kept->problem.hosts.items[host];
  bool has_free = kept->left[(size_t)host * kept->problem.kinds.count + (size_t)kind] > 0;
  if ((best->host >= 0 && best->gpu < 0) || !has_room(kept, class_, host))
    return;
  if (has_free)
    *best = (Spot){.host = host, .gpu = KEPT_NONE};
  for (int gpu = at->first_gpu; !has_free && gpu < at->first_gpu + at->gpu_count; gpu++)
    look_at_gpu(kept, kind, gpu, best);
}

static Spot find_spot(const PlanKept *kept, int class_, bool in_all) {
  Spot best = {.host = KEPT_NONE};
  for (size_t i = 0; i < kept->opened.count; i++)
    look_at_host(kept, class_, kept->opened.items[i], &best);
  for (int host = 0; in_all && best.host < 0 && host < (int)kept->problem.hosts.count; host++)
    look_at_host(kept, class_, host, &best);
  return best;
}

static void take_spot(PlanKept *kept, KeptQueue *queue, const Spot *spot) {
  int item = queue->items.items[queue->served++];
  plan_kept_put(kept, item, spot->host, spot->gpu, spot->start);
  plan_kept_note_change(kept, item);
}

/* ---- giving way ---- */

static bool would_do(const PlanKept *kept, int class_, const KeptItem *other) {
  const PlanProblem *problem = &kept->problem;
  const PlanClass *asking = &problem->classes.items[class_],
                  *leaving = &problem->classes.items[other->class_];
  if (other->gpu < 0 || !plan_class_admits(asking, other->host))
    return false;
  int rank = plan_kept_rank_on(kept, kept->lines[class_].kind, other->gpu);
  if (rank < 0 || plan_kept_rank_on(kept, kept->lines[other->line].kind, other->gpu) < rank)
    return false;
  const int64_t *rooms = plan_kept_rooms(kept, other->host);
  for (size_t i = 0; i <= problem->resources.count; i++)
    if (asking->takes[i] > 0 && asking->takes[i] > rooms[i] + leaving->takes[i])
      return false;
  return true;
}

static bool is_larger(const KeptLine *line, const KeptLine *than) {
  return line->slot_count != than->slot_count ? line->slot_count > than->slot_count
                                              : line->slice_count > than->slice_count;
}

static bool is_later_tier(const KeptTier *tier, const KeptTier *than) {
  return tier->priority != than->priority ? tier->priority < than->priority : than->is_old && !tier->is_old;
}

/* Does he have to give way to the class in this tier? */
static bool comes_later(const KeptItem *item, const PlanKept *kept, int tier, int class_) {
  if (item->tier != tier)
    return is_later_tier(&kept->tiers.items[item->tier], &kept->tiers.items[tier]);
  return is_larger(&kept->lines[item->line], &kept->lines[class_]);
}

/* One of the queue, the last of those who came; -1: none. */
static int find_giving(const PlanKept *kept, int class_, const KeptQueue *queue, int *glances) {
  for (int i = queue->served; i-- > 0 && --*glances > 0;)
    if (would_do(kept, class_, &kept->items.items[queue->items.items[i]]))
      return queue->items.items[i];
  return KEPT_NONE;
}

/* Of the last tier first, of each the largest. */
static int find_victim(const PlanKept *kept, size_t tier, int class_) {
  int glances = GLANCES_MAX;
  for (size_t t = kept->tier_order.count; t-- > tier;)
    for (int i = kept->line_count; i-- > 0;) {
      int line = kept->line_order[i];
      if (t == tier && !is_larger(&kept->lines[line], &kept->lines[class_]))
        break;
      int victim =
          find_giving(kept, class_, &kept->tiers.items[kept->tier_order.items[t]].queues[line], &glances);
      if (victim >= 0)
        return victim;
    }
  return KEPT_NONE;
}

/* The same on the hosts that have more to give: who did not fit beside those who are there may now fit in the
 * place of one of them. */
static int find_victim_on_opened(const PlanKept *kept, int tier, int class_) {
  int victim = KEPT_NONE;
  for (size_t h = 0; h < kept->opened.count; h++) {
    const KeptHost *host = &kept->hosts[kept->opened.items[h]];
    for (size_t i = 0; i < host->items.count; i++) {
      const KeptItem *item = &kept->items.items[host->items.items[i]];
      if (comes_later(item, kept, tier, class_) && would_do(kept, class_, item) &&
          (victim < 0 ||
           comes_later(item, kept, kept->items.items[victim].tier, kept->items.items[victim].line)))
        victim = host->items.items[i];
    }
  }
  return victim;
}

static bool displace(PlanKept *kept, size_t tier, int class_, KeptQueue *queue) {
  int victim = queue->is_hungry ? find_victim(kept, tier, class_)
                                : find_victim_on_opened(kept, kept->tier_order.items[tier], class_);
  if (victim < 0)
    return false;
  Spot spot = {.host = KEPT_NONE};
  int host = kept->items.items[victim].host;
  plan_kept_lose(kept, victim);
  look_at_host(kept, class_, host, &spot);
  assert(spot.host == host);
  take_spot(kept, queue, &spot);
  return true;
}

/* ---- several who give way ---- */

typedef struct Clearing {
  int gpu, start, count; /* of those who give way; gpu -1: none */
} Clearing;

static uint32_t slots_at(const PlanKept *kept, int kind, int gpu, int start) {
  const PlanGeometry *geometry = plan_problem_geometry(&kept->problem, gpu);
  return plan_rank_slots(&geometry->ranks[plan_kept_rank_on(kept, kind, gpu)], start);
}

/* An item on these slots of the GPU; -1: none. */
static int item_on(const PlanKept *kept, int gpu, uint32_t slots, int from) {
  const KeptCut *cut = kept->cut_of_gpu[gpu] >= 0 ? &kept->cuts.items[kept->cut_of_gpu[gpu]] : NULL;
  const PlanGeometry *geometry = plan_problem_geometry(&kept->problem, gpu);
  for (int i = 0; cut && i < cut->planned_count; i++) {
    const KeptPlanned *planned = &cut->planned[i];
    if (planned->start >= from && plan_rank_slots(&geometry->ranks[planned->rank], planned->start) & slots)
      return plan_kept_item_at(kept, gpu, planned->start);
  }
  return KEPT_NONE;
}

/* How many pods, all of lower tiers, have to leave these slots; -1: that cannot be, or does not help. */
static int count_leaving(const PlanKept *kept, const KeptTier *tier, int class_, int gpu, uint32_t slots) {
  const PlanProblem *problem = &kept->problem;
  int64_t rooms[PLAN_RESOURCES_MAX + 1];
  int count = 0;
  memcpy(rooms, plan_kept_rooms(kept, problem->gpus.items[gpu].host),
         (problem->resources.count + 1) * sizeof *rooms);
  for (int item = item_on(kept, gpu, slots, 0); item >= 0;
       item = item_on(kept, gpu, slots, kept->items.items[item].start + 1), count++) {
    const KeptItem *leaving = &kept->items.items[item];
    if (!is_later_tier(&kept->tiers.items[leaving->tier], tier))
      return -1;
    for (size_t i = 0; i <= problem->resources.count; i++)
      rooms[i] += problem->classes.items[leaving->class_].takes[i];
  }
  return plan_rooms_hold(problem, &problem->classes.items[class_], rooms) ? count : -1;
}

static void weigh_clearing(const PlanKept *kept, const KeptTier *tier, int class_, int gpu, Clearing *best) {
  const PlanProblem *problem = &kept->problem;
  int kind = kept->lines[class_].kind;
  if (kept->cut_of_gpu[gpu] < 0 ||
      !plan_class_admits(&problem->classes.items[class_], problem->gpus.items[gpu].host) ||
      plan_kept_rank_on(kept, kind, gpu) < 0)
    return;
  uint32_t base = kept->cuts.items[kept->cut_of_gpu[gpu]].base;
  const PlanRank *rank = &plan_problem_geometry(problem, gpu)->ranks[plan_kept_rank_on(kept, kind, gpu)];
  for (uint32_t starts = rank->starts; starts; starts &= starts - 1) {
    int start = __builtin_ctz(starts);
    uint32_t slots = plan_rank_slots(rank, start);
    int count = slots & base ? -1 : count_leaving(kept, tier, class_, gpu, slots);
    if (count > 0 && (best->gpu < 0 || count < best->count))
      *best = (Clearing){.gpu = gpu, .start = start, .count = count};
  }
}

static bool has_later_tier(const PlanKept *kept, size_t tier) {
  for (size_t t = tier + 1; t < kept->tier_order.count; t++)
    for (int line = 0; line < kept->line_count; line++)
      if (kept->tiers.items[kept->tier_order.items[t]].queues[line].served)
        return true;
  return false;
}

/* The fewest pods of lower tiers leave their slots on one GPU. */
static bool clear(PlanKept *kept, size_t tier, int class_, KeptQueue *queue) {
  const KeptTier *asking = &kept->tiers.items[kept->tier_order.items[tier]];
  Clearing best = {.gpu = KEPT_NONE};
  if (!has_later_tier(kept, tier))
    return false;
  for (int gpu = 0; gpu < (int)kept->problem.gpus.count; gpu++)
    weigh_clearing(kept, asking, class_, gpu, &best);
  if (best.gpu < 0)
    return false;
  const Spot spot = {.host = kept->problem.gpus.items[best.gpu].host, .gpu = best.gpu, .start = best.start};
  uint32_t slots = slots_at(kept, kept->lines[class_].kind, best.gpu, best.start);
  for (int item; (item = item_on(kept, best.gpu, slots, 0)) >= 0;)
    plan_kept_lose(kept, item);
  take_spot(kept, queue, &spot);
  return true;
}

/* ---- rounds ---- */

static bool has_waiting(const KeptQueue *queue) {
  return queue->served < (int)queue->items.count;
}

/* Returns how many gave way. */
static int serve_queue(PlanKept *kept, size_t tier, int class_) {
  KeptQueue *queue = &kept->tiers.items[kept->tier_order.items[tier]].queues[class_];
  int displaced = 0;
  while (has_waiting(queue)) {
    Spot spot = find_spot(kept, class_, queue->is_hungry);
    if (spot.host >= 0)
      take_spot(kept, queue, &spot);
    else if (displace(kept, tier, class_, queue) || (queue->is_hungry && clear(kept, tier, class_, queue)))
      displaced++;
    else
      break;
  }
  queue->is_hungry = false;
  return displaced;
}

bool plan_kept_search(PlanKept *kept) {
  int displaced = 1;
  for (int round = 0; displaced && round < ROUNDS_MAX; round++) {
    displaced = 0;
    for (size_t tier = 0; tier < kept->tier_order.count; tier++)
      for (int i = 0; i < kept->line_count; i++)
        displaced += serve_queue(kept, tier, kept->line_order[i]);
  }
  for (size_t i = 0; i < kept->opened.count; i++)
    kept->hosts[kept->opened.items[i]].is_opened = false;
  array_clear(&kept->opened);
  return !displaced;
}

/* As if every host admitted everybody and had all the cpu and memory of the world. */
int plan_kept_bound(const PlanKept *kept) {
  const PlanProblem *problem = &kept->problem;
  CLEANUP(cleanup_free) int *wanted = mem_alloc(problem->kinds.count * sizeof *wanted);
  CLEANUP(cleanup_free) PlanHoles *holes = mem_alloc(problem->shapes.count * sizeof *holes);
  int pending = 0, served = 0;
  for (size_t tier = 0; tier < kept->tiers.count; tier++)
    for (int line = 0; line < kept->line_count; line++)
      wanted[kept->lines[line].kind] += (int)kept->tiers.items[tier].queues[line].items.count;
  for (size_t kind = 0; kind < problem->kinds.count; kind++)
    pending += wanted[kind];
  for (size_t cell = 0; cell < problem->hosts.count * problem->kinds.count; cell++) {
    int *want = &wanted[cell % problem->kinds.count], free = problem->free[cell];
    int taken = free < *want ? free : *want;
    *want -= taken;
    served += taken;
  }
  for (size_t pool = 0; pool < problem->pools.count; pool++)
    plan_holes_add(&problem->shapes.items[problem->pools.items[pool].shape].geometry,
                   &holes[problem->pools.items[pool].shape], &kept->pools[pool].base, 1);
  for (size_t i = 0; i < problem->shapes.count; i++) {
    PlanAmounts amounts = {0};
    for (size_t kind = 0; kind < problem->kinds.count; kind++)
      if (problem->shapes.items[i].rank_of_kind[kind] >= 0)
        amounts.count[problem->shapes.items[i].rank_of_kind[kind]] += wanted[kind];
    if (problem->shapes.items[i].exact)
      served += plan_holes_most(&problem->shapes.items[i].geometry, &holes[i], &amounts);
  }
  return served < pending ? served : pending;
}
