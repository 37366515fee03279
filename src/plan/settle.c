/* SPDX-License-Identifier: Apache-2.0 */
/* The state is the layouts with all new slices placed, and counts of new slices by GPU and of changed GPUs by
 * node. Each move is weighed by what it changes of those, and made where that is better; so every move makes
 * the whole better, and they come to an end. */
#include "plan/settle.h"

#include "plan/rehearse.h"

enum {
  STEPS_MAX = 200000,  /* GPUs looked at: some 20 ms */
  PLACES_MAX = 200000, /* new slices times GPUs: nothing is tried beyond */
  EXCHANGED_MAX = 200, /* new slices; more are not exchanged in pairs */
  PASSES_MAX = 20,
};

typedef struct Settle {
  const PlanProblem *problem;
  PlanOffer *offer;
  MigLayout *layouts; /* by GPU, with what is created */
  int *created;       /* by GPU: slices */
  int *changed;       /* by host: GPUs */
  int *free;          /* by host, by kind: free slices that nobody takes */
  bool *movable;      /* by slice of the offer */
  int64_t *rooms;     /* by host, as PlanProblem.rooms; NULL: pods stay on their hosts */
  size_t room_width;
  int64_t steps;
} Settle;

/* What a move changes, in the order in which it matters; below 0 is better but for the holes. */
typedef struct Change {
  int slices, gpus, hosts;
  int64_t holes;
  int names;
} Change;

static void settle_deinit(Settle *settle) {
  free(settle->layouts);
  free(settle->created);
  free(settle->changed);
  free(settle->free);
  free(settle->movable);
  free(settle->rooms);
}

static bool is_better(const Change *change, const Change *than) {
  if (change->slices != than->slices)
    return change->slices < than->slices;
  if (change->gpus != than->gpus)
    return change->gpus < than->gpus;
  if (change->hosts != than->hosts)
    return change->hosts < than->hosts;
  if (change->holes != than->holes)
    return change->holes > than->holes;
  return change->names < than->names;
}

static int host_of(const Settle *settle, int gpu) {
  return settle->problem->gpus.items[gpu].host;
}

static const PlanClass *class_of(const Settle *settle, const PlanSlice *slice) {
  return plan_problem_class(settle->problem, slice->waiting);
}

static uint64_t worth_of(const Settle *settle, int gpu) {
  return plan_geometry_worth(plan_problem_geometry(settle->problem, gpu), ~settle->layouts[gpu].mask);
}

/* ---- the state ---- */

static void count_gpu(Settle *settle, int gpu, int sign) {
  bool was = settle->created[gpu] > 0;
  settle->created[gpu] += sign;
  settle->changed[host_of(settle, gpu)] += (settle->created[gpu] > 0) - was;
}

static void take_away(Settle *settle, const PlanSlice *slice) {
  mig_layout_remove(&settle->layouts[slice->gpu], slice->start);
  count_gpu(settle, slice->gpu, -1);
}

static void put(Settle *settle, const PlanSlice *slice) {
  mig_layout_place(&settle->layouts[slice->gpu], slice->profile, slice->start);
  count_gpu(settle, slice->gpu, 1);
}

static void take_free(Settle *settle) {
  const PlanProblem *problem = settle->problem;
  size_t kinds = problem->kinds.count, slice = 0;
  memcpy(settle->free, problem->free, problem->hosts.count * kinds * sizeof *settle->free);
  for (size_t i = 0; i < problem->waiting.count; i++) {
    const PlanClass *class_ = plan_problem_class(problem, (int)i);
    int host = settle->offer->hosts[i];
    for (int n = 0; host >= 0 && n < class_->need_count; n++)
      settle->free[(size_t)host * kinds + (size_t)class_->needs[n].kind] -= class_->needs[n].count;
    if (host >= 0 && settle->rooms)
      plan_rooms_take(problem, class_, &settle->rooms[(size_t)host * settle->room_width]);
    for (; slice < settle->offer->slices.count && settle->offer->slices.items[slice].waiting == (int)i;
         slice++)
      for (size_t kind = 0; kind < kinds; kind++) {
        const PlanSlice *made = &settle->offer->slices.items[slice];
        settle->free[(size_t)host * kinds + kind] +=
            plan_problem_model(problem, made->gpu)->profile_of_kind[kind] == made->profile;
      }
  }
}

static void settle_init(Settle *settle, const PlanProblem *problem, PlanOffer *offer) {
  size_t gpus = problem->gpus.count, hosts = problem->hosts.count;
  *settle = (Settle){.problem = problem,
                     .offer = offer,
                     .layouts = mem_alloc(gpus * sizeof *settle->layouts),
                     .created = mem_alloc(gpus * sizeof *settle->created),
                     .changed = mem_alloc(hosts * sizeof *settle->changed),
                     .free = mem_alloc(hosts * problem->kinds.count * sizeof *settle->free),
                     .movable = mem_alloc(offer->slices.count * sizeof *settle->movable),
                     .room_width = problem->resources.count + 1,
                     .steps = STEPS_MAX};
  if (problem->rooms && !problem->is_coupled) {
    settle->rooms = mem_alloc(hosts * settle->room_width * sizeof *settle->rooms);
    memcpy(settle->rooms, problem->rooms, hosts * settle->room_width * sizeof *settle->rooms);
  }
  for (int gpu = 0; gpu < (int)gpus; gpu++)
    settle->layouts[gpu] = *plan_problem_gpu(problem, gpu)->layout;
  take_free(settle);
  for (size_t i = 0; i < offer->slices.count; i++) {
    const PlanSlice *slice = &offer->slices.items[i];
    put(settle, slice);
    settle->movable[i] = plan_class_single_kind(class_of(settle, slice)) >= 0;
  }
}

/* ---- one slice ---- */

static bool may_go_to(const Settle *settle, const PlanClass *class_, int from, int to) {
  return from == to ||
         (settle->rooms && plan_class_admits(class_, to) &&
          plan_rooms_hold(settle->problem, class_, &settle->rooms[(size_t)to * settle->room_width]));
}

static void move_pod(Settle *settle, int waiting, int to) {
  const PlanClass *class_ = plan_problem_class(settle->problem, waiting);
  int *host = &settle->offer->hosts[waiting];
  if (*host == to)
    return;
  for (size_t i = 0; i < settle->room_width; i++)
    settle->rooms[(size_t)*host * settle->room_width + i] += class_->takes[i];
  plan_rooms_take(settle->problem, class_, &settle->rooms[(size_t)to * settle->room_width]);
  *host = to;
}

/* Where the least worth is lost; of equal places the last. -1: none. */
static int find_start(Settle *settle, int gpu, int profile) {
  const MigLayout *layout = &settle->layouts[gpu];
  const PlanGeometry *geometry = plan_problem_geometry(settle->problem, gpu);
  uint64_t best = 0;
  int chosen = -1;
  settle->steps--;
  for (uint32_t starts = mig_layout_free_starts(layout, profile); starts; starts &= starts - 1) {
    int start = __builtin_ctz(starts);
    uint64_t worth =
        plan_geometry_worth(geometry, ~(layout->mask | mig_placement_mask(layout->model, profile, start)));
    if (chosen >= 0 && worth < best)
      continue;
    best = worth;
    chosen = start;
  }
  return chosen;
}

/* The slice is taken away already. `worth` is that of its GPU with it. */
static bool weigh(Settle *settle, const PlanSlice *slice, uint64_t worth, int gpu, PlanSlice *ret_to,
                  Change *ret_change) {
  const PlanProblem *problem = settle->problem;
  int kind = plan_class_single_kind(class_of(settle, slice));
  int profile = plan_problem_model(problem, gpu)->profile_of_kind[kind];
  int from = host_of(settle, slice->gpu), to = host_of(settle, gpu);
  int start = profile < 0 ? -1 : find_start(settle, gpu, profile);
  if (start < 0)
    return false;
  const MigLayout *layout = &settle->layouts[gpu];
  const PlanGeometry *geometry = plan_problem_geometry(problem, gpu);
  uint64_t after =
      plan_geometry_worth(geometry, ~(layout->mask | mig_placement_mask(layout->model, profile, start)));
  bool left = settle->created[slice->gpu] == 0, opened = settle->created[gpu] == 0;
  *ret_to = (PlanSlice){
      .waiting = slice->waiting, .gpu = gpu, .profile = (uint8_t)profile, .start = (uint8_t)start};
  *ret_change = (Change){.gpus = opened - left,
                         .hosts = (settle->changed[to] == 0) - (settle->changed[from] == 0),
                         .names = opened && left ? gpu - slice->gpu : 0};
  if (plan_problem_model(problem, gpu)->shape != plan_problem_model(problem, slice->gpu)->shape)
    ret_change->names = 0; /* holes of different geometries are not compared */
  else if (gpu == slice->gpu)
    ret_change->holes = (int64_t)(after - worth);
  else
    ret_change->holes = (int64_t)(worth_of(settle, slice->gpu) - worth + after - worth_of(settle, gpu));
  return true;
}

static bool use_free(Settle *settle, size_t index) {
  const PlanSlice *slice = &settle->offer->slices.items[index];
  const PlanClass *class_ = class_of(settle, slice);
  int kind = plan_class_single_kind(class_), from = settle->offer->hosts[slice->waiting];
  for (int host = 0; host < (int)settle->problem->hosts.count; host++) {
    int *left = &settle->free[(size_t)host * settle->problem->kinds.count + (size_t)kind];
    if (*left <= 0 || !may_go_to(settle, class_, from, host))
      continue;
    --*left;
    take_away(settle, slice);
    move_pod(settle, slice->waiting, host);
    settle->movable[index] = settle->movable[settle->offer->slices.count - 1];
    settle->offer->slices.items[index] = settle->offer->slices.items[--settle->offer->slices.count];
    return true;
  }
  return false;
}

/* To whatever GPU, or (`only_changed`) to one that is changed all the same, whatever becomes of the holes. */
static bool relocate(Settle *settle, PlanSlice *slice, bool only_changed) {
  const PlanClass *class_ = class_of(settle, slice);
  PlanSlice before = *slice, best = {.gpu = -1}, to;
  Change least = {.slices = only_changed}, change;
  uint64_t worth = worth_of(settle, slice->gpu);
  int from = settle->offer->hosts[slice->waiting];
  take_away(settle, slice);
  for (int gpu = 0; gpu < (int)settle->problem->gpus.count && settle->steps > 0; gpu++) {
    if ((only_changed && (gpu == before.gpu || !settle->created[gpu])) ||
        !may_go_to(settle, class_, from, host_of(settle, gpu)) ||
        !weigh(settle, &before, worth, gpu, &to, &change) || !is_better(&change, &least))
      continue;
    least = change;
    best = to;
  }
  if (best.gpu >= 0) {
    *slice = best;
    move_pod(settle, slice->waiting, host_of(settle, best.gpu));
  }
  put(settle, slice);
  return best.gpu >= 0;
}

/* ---- several ---- */

static void put_back(Settle *settle, PlanSlice *slice, const PlanSlice *before) {
  take_away(settle, slice);
  *slice = *before;
  put(settle, slice);
  move_pod(settle, slice->waiting, host_of(settle, slice->gpu));
}

/* All new slices of the GPU to others that are changed. Largest first, because they find a place least. */
static bool empty(Settle *settle, int gpu) {
  PlanSlice *slices = settle->offer->slices.items, before[MIG_INSTANCES_MAX];
  size_t moved[MIG_INSTANCES_MAX];
  int count = 0, size, done = 0;
  for (size_t i = 0; i < settle->offer->slices.count; i++) {
    if (slices[i].gpu != gpu)
      continue;
    if (!settle->movable[i] || count == MIG_INSTANCES_MAX)
      return false;
    moved[count++] = i;
  }
  for (size = settle->layouts[gpu].model->slot_count; size > 0; size--)
    for (int i = done; i < count; i++) {
      size_t slice = moved[i];
      if (settle->layouts[gpu].model->profiles[slices[slice].profile].size != size)
        continue;
      moved[i] = moved[done];
      moved[done] = slice;
      before[done] = slices[slice];
      if (relocate(settle, &slices[slice], true)) {
        done++;
        continue;
      }
      while (done-- > 0)
        put_back(settle, &slices[moved[done]], &before[done]);
      return false;
    }
  return count > 0;
}

/* Two slices of different kinds change their GPUs, each with its pod. */
static bool exchange(Settle *settle, PlanSlice *one, PlanSlice *other) {
  const PlanProblem *problem = settle->problem;
  const PlanSlice before_one = *one, before_other = *other;
  int host_one = host_of(settle, one->gpu), host_other = host_of(settle, other->gpu);
  int kind_one = plan_class_single_kind(class_of(settle, one));
  int kind_other = plan_class_single_kind(class_of(settle, other));
  if (one->gpu == other->gpu || kind_one == kind_other || (host_one != host_other && !settle->rooms) ||
      plan_problem_model(problem, one->gpu)->shape != plan_problem_model(problem, other->gpu)->shape ||
      !plan_class_admits(class_of(settle, one), host_other) ||
      !plan_class_admits(class_of(settle, other), host_one))
    return false;
  int profile_one = plan_problem_model(problem, other->gpu)->profile_of_kind[kind_one];
  int profile_other = plan_problem_model(problem, one->gpu)->profile_of_kind[kind_other];
  if (profile_one < 0 || profile_other < 0)
    return false;
  uint64_t worth = worth_of(settle, one->gpu) + worth_of(settle, other->gpu);
  take_away(settle, one);
  take_away(settle, other);
  int start_one = find_start(settle, before_other.gpu, profile_one);
  int start_other = find_start(settle, before_one.gpu, profile_other);
  if (start_one >= 0 && start_other >= 0) {
    *one = (PlanSlice){before_one.waiting, before_other.gpu, (uint8_t)profile_one, (uint8_t)start_one};
    *other = (PlanSlice){before_other.waiting, before_one.gpu, (uint8_t)profile_other, (uint8_t)start_other};
  }
  put(settle, one);
  put(settle, other);
  bool is_less = worth_of(settle, before_one.gpu) + worth_of(settle, before_other.gpu) > worth;
  if (is_less && host_one != host_other) {
    move_pod(settle, one->waiting, host_other);
    move_pod(settle, other->waiting, host_one);
    for (int i = 0; i < 2 && is_less; i++) {
      const int64_t *rooms = &settle->rooms[(size_t)(i ? host_other : host_one) * settle->room_width];
      for (size_t r = 0; r < settle->room_width; r++)
        is_less &= rooms[r] >= 0;
    }
  }
  if (!is_less) {
    take_away(settle, one);
    take_away(settle, other);
    *one = before_one;
    *other = before_other;
    put(settle, one);
    put(settle, other);
    move_pod(settle, one->waiting, host_one);
    move_pod(settle, other->waiting, host_other);
  }
  return is_less;
}

/* ---- passes ---- */

static bool move_single(Settle *settle) {
  bool moved = false;
  for (size_t i = 0; i < settle->offer->slices.count; i++)
    if (settle->movable[i] &&
        (use_free(settle, i) || relocate(settle, &settle->offer->slices.items[i], false)))
      moved = true;
  return moved;
}

static bool empty_gpus(Settle *settle) {
  bool moved = false;
  for (int gpu = (int)settle->problem->gpus.count - 1; gpu >= 0; gpu--)
    moved |= settle->created[gpu] > 0 && empty(settle, gpu);
  return moved;
}

static bool exchange_pairs(Settle *settle) {
  PlanSlice *slices = settle->offer->slices.items;
  size_t count = settle->offer->slices.count;
  bool moved = false;
  for (size_t i = 0; i < count && count <= EXCHANGED_MAX; i++)
    for (size_t j = i + 1; j < count && settle->steps > 0; j++)
      moved |= settle->movable[i] && settle->movable[j] && exchange(settle, &slices[i], &slices[j]);
  return moved;
}

static bool settle_offer(const PlanProblem *problem, PlanOffer *offer) {
  CLEANUP(settle_deinit) Settle settle;
  bool settled = false, moved = true;
  plan_offer_sort(offer);
  settle_init(&settle, problem, offer);
  for (int pass = 0; pass < PASSES_MAX && moved && settle.steps > 0; pass++) {
    moved = empty_gpus(&settle);
    moved |= move_single(&settle);
    moved |= exchange_pairs(&settle);
    settled |= moved;
  }
  plan_offer_sort(offer);
  return settled;
}

static void copy_offer(const PlanProblem *problem, const PlanOffer *offer, PlanOffer *ret_copy) {
  plan_offer_init(ret_copy, problem);
  memcpy(ret_copy->hosts, offer->hosts, problem->waiting.count * sizeof *offer->hosts);
  memcpy(ret_copy->served, offer->served, (size_t)offer->tier_count * sizeof *offer->served);
  for (size_t i = 0; i < offer->slices.count; i++)
    *array_push(&ret_copy->slices) = offer->slices.items[i];
}

/* An offer is what a strategy has in mind; one that has to be carried out to see what comes of it cannot be
 * settled before. */
static bool has_all_places(const PlanProblem *problem, const PlanOffer *offer) {
  CLEANUP(cleanup_free) uint32_t *taken = mem_alloc(problem->gpus.count * sizeof *taken);
  for (size_t i = 0; i < offer->slices.count; i++) {
    const PlanSlice *slice = &offer->slices.items[i];
    const MigLayout *layout = plan_problem_gpu(problem, slice->gpu)->layout;
    uint32_t mask = mig_placement_mask(layout->model, slice->profile, slice->start);
    if (!mig_layout_can_place(layout, slice->profile, slice->start) || taken[slice->gpu] & mask)
      return false;
    taken[slice->gpu] |= mask;
  }
  return true;
}

/* What is withdrawn for those whom growth does not serve depends on where the others are. So where something
 * may be withdrawn, both are rehearsed. */
bool plan_settle(const PlanProblem *problem, PlanOffer *offer) {
  CLEANUP(plan_offer_deinit) PlanOffer outcome = {0}, settled = {0}, proof = {0};
  PlanDisturbance cost, cost_of_proof;
  if (!offer->slices.count || offer->withdrawals.count ||
      offer->slices.count * problem->gpus.count > PLACES_MAX || !has_all_places(problem, offer))
    return false;
  if (!problem->has_withdrawable)
    return settle_offer(problem, offer);
  plan_rehearse(problem, offer, &outcome, &cost);
  if (cost.withdrawn)
    return false;
  copy_offer(problem, offer, &settled);
  if (!settle_offer(problem, &settled))
    return false;
  plan_rehearse(problem, &settled, &proof, &cost_of_proof);
  if (plan_offer_is_better(&outcome, &proof) || plan_disturbs_less(&cost, &cost_of_proof))
    return false;
  plan_offer_swap(offer, &settled);
  return true;
}
