/* SPDX-License-Identifier: Apache-2.0 */
/* Each pool keeps its GPUs in buckets by state (bulk_state.h, bulk_gpus.h). To fill it, those are
 * taken first that lose the least; among them those come first that were changed already, then those on hosts
 * that were, then the others, each by name.
 *
 * A place where the least worth is lost is nearly always the right one. Where it is not, because the hole is
 * not the least worthy one for the rank (plan_holes_safe), the counters are asked whether all that is
 * reserved still fits; once they say no, no other place of that loss is any better. */
#include "plan/bulk_place.h"

/* What a host that is not tight has left nobody asks. */
static inline void seat(PlanPlaces *places, int waiting, int host) {
  const PlanProblem *problem = places->problem;
  if (places->tight[host])
    plan_rooms_take(problem, plan_problem_class(problem, waiting), plan_places_rooms(places, host));
  places->offer->hosts[waiting] = host;
}

bool plan_places_seat(PlanPlaces *places, int waiting, int host) {
  if (!places->tight[host] || plan_rooms_hold(places->problem, plan_problem_class(places->problem, waiting),
                                              plan_places_rooms(places, host))) {
    seat(places, waiting, host);
    return true;
  }
  places->refused = true;
  return false;
}

typedef struct Queue { /* pods of a batch that have no place yet, those of one class where that matters */
  int class_;
  int first, last; /* -1: none */
} Queue;

enum { NO_WAY = -1, UNKNOWN_WAY = -2 };

typedef struct Filling {
  PlanPlaces *places;
  PlanStates *states;
  PlanPoolGpus *gpus;
  int rank, kind, number;
  PlanAmounts *reserved;
  PlanHoles *holes;    /* without the ways that were taken since, which `taken` lists */
  ARRAY(int) taken;    /* ways, each with how often */
  uint64_t loss_min;   /* holes of less worth cannot be spared */
  ARRAY(int) cheapest; /* by state: the way of the least loss that can be spared */
  int safe, safe_type; /* so many of the type can be taken without asking */
  ARRAY(Queue) queues;
  const int *next;      /* by waiting pod: behind it in its queue */
  int left;             /* pods without a place */
  double slots_per_pod; /* of those to come */
  ARRAY(int) group;     /* the states whose GPUs are gone through */
  ARRAY(int) refused;   /* places of GPUs on hosts that have room for none of the pods: in no bucket */
} Filling;

static void filling_deinit(Filling *filling) {
  array_deinit(&filling->taken);
  array_deinit(&filling->cheapest);
  array_deinit(&filling->queues);
  array_deinit(&filling->group);
  array_deinit(&filling->refused);
}

/* Where no host is tight it does not matter of which class they are: one queue for all. */
static void queue_pods(Filling *filling, const PlanBatch *batch) {
  PlanPlaces *places = filling->places;
  const PlanProblem *problem = places->problem;
  CLEANUP(cleanup_free) int *queue_of_class = mem_alloc(problem->classes.count * sizeof *queue_of_class);
  filling->left = batch->count;
  filling->next = places->any_tight ? places->next_equal : places->next;
  if (!places->any_tight) {
    *array_push(&filling->queues) = (Queue){
        .class_ = problem->waiting.items[batch->first].class_, .first = batch->first, .last = batch->last};
    return;
  }
  for (int waiting = batch->first; waiting >= 0; waiting = places->next[waiting]) {
    int class_ = problem->waiting.items[waiting].class_;
    places->next_equal[waiting] = -1;
    if (queue_of_class[class_]) {
      Queue *queue = &filling->queues.items[queue_of_class[class_] - 1];
      places->next_equal[queue->last] = waiting;
      queue->last = waiting;
      continue;
    }
    *array_push(&filling->queues) = (Queue){.class_ = class_, .first = waiting, .last = waiting};
    queue_of_class[class_] = (int)filling->queues.count;
  }
}

/* Of what is reserved in the pool, this rank and the smaller ones. */
static double mean_size(const Filling *filling) {
  const PlanRank *ranks = filling->states->geometry->ranks;
  double slots = ranks[filling->rank].size, pods = 1;
  for (int rank = 0; rank <= filling->rank && filling->reserved; rank++) {
    slots += (double)ranks[rank].size * filling->reserved->count[rank];
    pods += filling->reserved->count[rank];
  }
  return slots / pods;
}

static PlanWay *way_at(const Filling *filling, int way) {
  return &filling->states->ways.items[way];
}

static int find_way(const Filling *filling, int number) {
  const PlanGpuState *state = &filling->states->items.items[number];
  for (int i = state->first_way[filling->rank]; i < state->first_way[filling->rank + 1]; i++)
    if (way_at(filling, i)->loss >= filling->loss_min)
      return i;
  return NO_WAY;
}

static int find_cheapest_way(Filling *filling, int state) {
  while ((int)filling->cheapest.count <= state)
    *array_push(&filling->cheapest) = UNKNOWN_WAY;
  return filling->cheapest.items[state] = find_way(filling, state);
}

/* The way of the least loss that can be spared, or NO_WAY. */
static inline int cheapest_way(Filling *filling, int state) {
  int known = state < (int)filling->cheapest.count ? filling->cheapest.items[state] : UNKNOWN_WAY;
  return known != UNKNOWN_WAY ? known : find_cheapest_way(filling, state);
}

/* Worth that cannot be spared once is not tried again. */
static void raise_loss_min(Filling *filling, uint64_t loss_min) {
  filling->loss_min = loss_min;
  array_clear(&filling->cheapest);
}

/* The states of the GPUs that lose the least. False where there are none left. */
static bool find_group(Filling *filling, uint64_t *ret_loss) {
  array_clear(&filling->group);
  for (int state = 0; state < (int)filling->gpus->buckets.count; state++) {
    int way = filling->gpus->buckets.items[state].count ? cheapest_way(filling, state) : NO_WAY;
    if (way < 0)
      continue;
    uint64_t loss = way_at(filling, way)->loss;
    if (filling->group.count && loss > *ret_loss)
      continue;
    if (filling->group.count && loss < *ret_loss)
      array_clear(&filling->group);
    *ret_loss = loss;
    *array_push(&filling->group) = state;
  }
  return filling->group.count > 0;
}

/* How much the pod takes of what falls to each of the pods that the host can still serve, of the resource
 * where that is the most. Above 1 it takes from others. */
static double share_of(const Filling *filling, const PlanClass *class_, int host) {
  const PlanPlaces *places = filling->places;
  const int64_t *rooms = plan_places_rooms(places, host);
  double pods = (double)places->free_slots[host] / filling->slots_per_pod, most = 0;
  for (size_t i = 0; i <= places->problem->resources.count; i++) {
    double share = class_->takes[i] <= 0 ? 0 : (double)class_->takes[i] * pods / (double)rooms[i];
    most = share > most ? share : most;
  }
  return most;
}

/* Heavy pods to the hosts that can bear them: of those that take no more than their share, the one that takes
 * the most; where all take more, the one that takes the least. */
static bool is_better_match(double share, double than) {
  return (share <= 1) != (than <= 1) ? share <= 1 : (share <= 1 ? share > than : share < than);
}

/* Of the pods that have room on the host, those of the first tier come first. NULL where none has. */
static Queue *match_queue(const Filling *filling, int host) {
  const PlanProblem *problem = filling->places->problem;
  Queue *chosen = NULL;
  double chosen_share = 0;
  for (size_t i = 0; i < filling->queues.count; i++) {
    Queue *queue = &filling->queues.items[i];
    const PlanClass *class_ = &problem->classes.items[queue->class_];
    if (queue->first < 0 || !plan_rooms_hold(problem, class_, plan_places_rooms(filling->places, host)))
      continue;
    double share = share_of(filling, class_, host);
    int tier = problem->waiting.items[queue->first].tier;
    int chosen_tier = chosen ? problem->waiting.items[chosen->first].tier : tier + 1;
    if (tier > chosen_tier || (tier == chosen_tier && !is_better_match(share, chosen_share)))
      continue;
    chosen = queue;
    chosen_share = share;
  }
  return chosen;
}

/* Of the pods that have room on the host, the first one's queue; NULL where none has. */
static Queue *find_queue(const Filling *filling, int host) {
  Queue *chosen = NULL;
  if (filling->places->tight[host])
    return match_queue(filling, host);
  for (size_t i = 0; i < filling->queues.count; i++) {
    Queue *queue = &filling->queues.items[i];
    if (queue->first >= 0 && (!chosen || queue->first < chosen->first))
      chosen = queue;
  }
  return chosen;
}

/* The same, while some pod waits. Resources only shrink, so a host is asked in vain once. */
static Queue *choose_queue(const Filling *filling, int host) {
  PlanPlaces *places = filling->places;
  if (!places->any_tight)
    return filling->queues.items;
  Queue *queue = places->full[host] == filling->number ? NULL : find_queue(filling, host);
  if (!queue)
    places->full[host] = filling->number;
  return queue;
}

/* Brings the holes of the pool up to date. */
static void count_holes(Filling *filling) {
  const PlanGpuState *states = filling->states->items.items;
  for (size_t i = 0; i < filling->taken.count; i++) {
    PlanWay *way = way_at(filling, filling->taken.items[i]);
    for (int type = 0; type < filling->states->geometry->type_count; type++)
      filling->holes->count[type] +=
          way->taken * (states[way->after].holes.count[type] - states[way->before].holes.count[type]);
    way->taken = 0;
  }
  array_clear(&filling->taken);
}

static void take_way(Filling *filling, PlanWay *way) {
  if (!way->taken++)
    *array_push(&filling->taken) = (int)(way - filling->states->ways.items);
}

/* Would all that is reserved still fit, the slice itself not counted? */
static bool is_spared(const Filling *filling, const PlanWay *way) {
  const PlanGpuState *states = filling->states->items.items;
  PlanAmounts reserved = *filling->reserved;
  PlanHoles holes = *filling->holes;
  reserved.count[filling->rank]--;
  for (int type = 0; type < filling->states->geometry->type_count; type++)
    holes.count[type] += states[way->after].holes.count[type] - states[way->before].holes.count[type];
  return plan_holes_fit(filling->states->geometry, &holes, &reserved);
}

static bool may_take(Filling *filling, const PlanWay *way) {
  if (!filling->reserved || (filling->safe > 0 && filling->safe_type == way->type))
    return true;
  count_holes(filling);
  filling->safe_type = way->type;
  filling->safe = plan_holes_safe(filling->states->geometry, filling->holes, filling->rank, way->type);
  return filling->safe > 0 || is_spared(filling, way);
}

/* All GPUs of the host are near one that was changed. */
static void touch_host(PlanPlaces *places, int host) {
  const PlanHost *touched = &places->problem->hosts.items[host];
  if (places->touched_hosts[host])
    return;
  places->touched_hosts[host] = true;
  for (int gpu = touched->first_gpu; gpu < touched->first_gpu + touched->gpu_count; gpu++)
    if (places->place[gpu] >= 0)
      plan_bit_set(places->pools[places->problem->gpus.items[gpu].pool].near, (unsigned)places->place[gpu]);
}

/* Sets the way's outcome. */
static void know_outcome(Filling *filling, int number) {
  PlanWay *way = way_at(filling, number);
  if (way->after >= 0)
    return;
  const PlanRank *rank = &filling->states->geometry->ranks[filling->rank];
  uint32_t occupied = filling->states->items.items[way->before].occupied | plan_rank_slots(rank, way->start);
  int after = plan_states_find(filling->states, occupied); /* may move the ways */
  way_at(filling, number)->after = after;
}

/* The next way for a GPU in the state, NULL where none can be spared that loses no more than this. Worth that
 * cannot be spared may be less than this, where what the GPU has left is worth less. */
static PlanWay *choose_way(Filling *filling, int state, uint64_t loss) {
  for (;;) {
    int number = cheapest_way(filling, state);
    if (number < 0 || way_at(filling, number)->loss > loss)
      return NULL;
    know_outcome(filling, number);
    if (may_take(filling, way_at(filling, number)))
      return way_at(filling, number);
    raise_loss_min(filling, way_at(filling, number)->loss + 1);
  }
}

/* The slice for the first pod of the queue. */
static void place(Filling *filling, Queue *queue, PlanSlice slice, int host) {
  PlanPlaces *places = filling->places;
  slice.waiting = queue->first;
  places->slices[slice.waiting] = slice;
  if (places->tight[host])
    places->free_slots[host] -= filling->states->geometry->ranks[filling->rank].size;
  seat(places, slice.waiting, host);
  queue->first = filling->next[slice.waiting];
  filling->safe--;
  filling->left--;
  if (filling->reserved)
    filling->reserved->count[filling->rank]--;
}

/* The GPU is in another state than before, or refused by all pods. */
static void move_gpu(Filling *filling, unsigned at, int host, int state, bool is_refused) {
  plan_pool_gpus_take(filling->gpus, at);
  if (state != filling->gpus->states[at]) {
    filling->gpus->states[at] = state;
    plan_bit_set(filling->gpus->changed, at);
    touch_host(filling->places, host);
  }
  if (is_refused)
    *array_push(&filling->refused) = (int)at;
  else
    plan_pool_gpus_put(filling->gpus, at);
}

/* Slices for the GPU as long as no more is lost than this. */
static void fill_gpu(Filling *filling, uint64_t loss, unsigned at) {
  const PlanProblem *problem = filling->places->problem;
  int gpu = filling->gpus->gpus[at], host = problem->gpus.items[gpu].host, state = filling->gpus->states[at];
  const PlanModel *model = &problem->models.items[problem->gpus.items[gpu].model];
  PlanSlice slice = {.gpu = gpu, .profile = (uint8_t)model->profile_of_kind[filling->kind]};
  bool is_refused = false;
  while (filling->left) {
    PlanWay *way = choose_way(filling, state, loss);
    if (!way)
      break;
    Queue *queue = choose_queue(filling, host);
    is_refused = !queue;
    if (is_refused)
      break;
    take_way(filling, way);
    slice.start = way->start;
    place(filling, queue, slice, host);
    state = way->after;
  }
  if (is_refused || state != filling->gpus->states[at])
    move_gpu(filling, at, host, state, is_refused);
}

/* What is read of these GPUs. */
static void fetch_ahead(const Filling *filling, size_t word, uint64_t bits) {
  const PlanHostGpu *gpus = filling->places->problem->gpus.items;
  for (; bits; bits &= bits - 1)
    __builtin_prefetch(&gpus[filling->gpus->gpus[word * 64 + (size_t)__builtin_ctzll(bits)]]);
}

/* Once the worth cannot be spared, the others stay where they are: they may have other places. */
static void fill_group(Filling *filling, uint64_t loss) {
  PlanPoolGpus *gpus = filling->gpus;
  plan_pool_gpus_group(gpus, filling->group.items, filling->group.count);
  for (int preference = 0; preference < PLAN_PREFERENCES; preference++) {
    const uint64_t *group = &gpus->group[(size_t)preference * gpus->word_count];
    for (size_t word = 0; word < gpus->word_count; word++) {
      if (word + 1 < gpus->word_count)
        fetch_ahead(filling, word + 1, group[word + 1]);
      for (uint64_t bits = group[word]; bits; bits &= bits - 1) {
        if (!filling->left || filling->loss_min > loss)
          return;
        fill_gpu(filling, loss, (unsigned)word * 64 + (unsigned)__builtin_ctzll(bits));
      }
    }
  }
}

void plan_places_fill(PlanPlaces *places, int pool, int rank, const PlanBatch *batch, PlanAmounts *reserved) {
  if (!batch->count)
    return;
  CLEANUP(filling_deinit)
  Filling filling = {.places = places,
                     .states = plan_places_states(places, pool),
                     .gpus = &places->pools[pool],
                     .rank = rank,
                     .kind = plan_class_single_kind(plan_problem_class(places->problem, batch->first)),
                     .number = ++places->fillings,
                     .reserved = reserved,
                     .holes = &places->holes[pool]};
  uint64_t loss = 0;
  filling.slots_per_pod = mean_size(&filling);
  queue_pods(&filling, batch);
  while (filling.left && find_group(&filling, &loss))
    fill_group(&filling, loss);
  count_holes(&filling);
  for (size_t i = 0; i < filling.refused.count; i++)
    plan_pool_gpus_put(filling.gpus, (unsigned)filling.refused.items[i]);
  places->refused |= filling.left > 0; /* there were places enough, or nothing would have been reserved */
  if (reserved)
    reserved->count[rank] -= filling.left;
}
