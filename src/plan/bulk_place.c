/* SPDX-License-Identifier: Apache-2.0 */
/* Each pool keeps its GPUs in buckets by state (bulk_state.h). To fill it, those are
 * taken first that lose the least; among them those come first that were changed already, then those on hosts
 * that were, then the others, each by name.
 *
 * A place where the least worth is lost is nearly always the right one. Where it is not, because the hole is
 * not the least worthy one for the rank (plan_holes_safe), the counters are asked whether all that is
 * reserved still fits; once they say no, no other place of that loss is any better. */
#include "plan/bulk_place.h"

void plan_places_put_back(PlanPlaces *places, int pool, int gpu) {
  PlanBuckets *buckets = &places->buckets[pool];
  while ((int)buckets->count <= places->state[gpu])
    array_push(buckets);
  *array_push(&buckets->items[places->state[gpu]]) = gpu;
}

static void change_holes(const PlanStates *states, PlanHoles *holes, const PlanGpuState *before,
                         const PlanGpuState *after) {
  for (int type = 0; type < states->geometry->type_count; type++)
    holes->count[type] += after->holes.count[type] - before->holes.count[type];
}

const PlanHoles *plan_places_holes(const PlanPlaces *places, int pool) {
  return &places->holes[pool];
}

/* What a host that is not tight has left nobody asks. */
static void seat(PlanPlaces *places, int waiting, int host) {
  const PlanProblem *problem = places->problem;
  if (places->tight[host])
    plan_rooms_take(problem, plan_problem_class(problem, waiting), plan_places_rooms(places, host));
  places->offer->hosts[waiting] = host;
  places->offer->served[problem->waiting.items[waiting].tier]++;
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

void plan_batch_add(PlanPlaces *places, PlanBatch *batch, int waiting) {
  if (batch->count++)
    places->next[batch->last] = waiting;
  else
    batch->first = waiting;
  batch->last = waiting;
  places->next[waiting] = -1;
}

typedef struct Queue { /* pods of a batch that have no place yet, those of one class where that matters */
  int class_;
  int first, last; /* -1: none */
} Queue;

typedef struct Filling {
  PlanPlaces *places;
  PlanStates *states;
  PlanBuckets *buckets;
  int pool, rank, number;
  PlanAmounts *reserved;
  PlanHoles *holes;
  uint64_t loss_min;   /* holes of less worth cannot be spared */
  int safe, safe_type; /* so many of the type can be taken without asking */
  ARRAY(Queue) queues;
  const int *next;      /* by waiting pod: behind it in its queue */
  int left;             /* pods without a place */
  double slots_per_pod; /* of those to come */
  ARRAY(int) group;     /* the GPUs that are gone through */
  ARRAY(int) refused;   /* on hosts that have room for none of the pods */
  int *order;           /* the group, best first */
  uint8_t *preferences;
} Filling;

static void filling_deinit(Filling *filling) {
  array_deinit(&filling->queues);
  array_deinit(&filling->group);
  array_deinit(&filling->refused);
  free(filling->order);
  free(filling->preferences);
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

static const PlanGpuState *state_of(const Filling *filling, int gpu) {
  return &filling->states->items.items[filling->places->state[gpu]];
}

/* The place of the least loss that can be spared; NULL where there is none. */
static PlanWay *find_way(const Filling *filling, int number) {
  const PlanGpuState *state = &filling->states->items.items[number];
  for (int i = state->first_way[filling->rank]; i < state->first_way[filling->rank + 1]; i++) {
    PlanWay *way = &filling->states->ways.items[i];
    if (way->loss >= filling->loss_min)
      return way;
  }
  return NULL;
}

/* Takes the GPUs of the least loss out of their buckets and marks them. False where there are none left. */
static bool mark_group(Filling *filling, uint64_t *ret_loss) {
  bool found = false;
  for (int number = 0; number < (int)filling->buckets->count; number++) {
    const PlanWay *way = filling->buckets->items[number].count ? find_way(filling, number) : NULL;
    if (way && (!found || way->loss < *ret_loss))
      *ret_loss = way->loss;
    found |= way != NULL;
  }
  for (int number = 0; found && number < (int)filling->buckets->count; number++) {
    PlanBucket *bucket = &filling->buckets->items[number];
    const PlanWay *way = bucket->count ? find_way(filling, number) : NULL;
    if (!way || way->loss != *ret_loss)
      continue;
    for (size_t i = 0; i < bucket->count; i++)
      filling->places->marks[bucket->items[i] / 64] |= UINT64_C(1) << bucket->items[i] % 64;
    array_clear(bucket);
  }
  return found;
}

/* The marked GPUs in their order. Those of a pool lie anywhere among the others. */
static bool take_group(Filling *filling, uint64_t *ret_loss) {
  array_clear(&filling->group);
  if (!mark_group(filling, ret_loss))
    return false;
  uint64_t *marks = filling->places->marks;
  for (size_t word = 0; word * 64 < filling->places->problem->gpus.count; word++) {
    for (; marks[word]; marks[word] &= marks[word] - 1)
      *array_push(&filling->group) = (int)word * 64 + __builtin_ctzll(marks[word]);
  }
  return true;
}

/* 0: the GPU was changed already, 1: its host was, 2: neither. */
static int preference(const PlanPlaces *places, int gpu) {
  if (places->touched_gpus[gpu])
    return 0;
  return places->touched_hosts[places->problem->gpus.items[gpu].host] ? 1 : 2;
}

static void order_group(Filling *filling) {
  const int *gpus = filling->group.items;
  size_t count = filling->group.count, ends[4] = {0};
  filling->order = mem_grow(filling->order, count, sizeof *filling->order);
  filling->preferences = mem_grow(filling->preferences, count, sizeof *filling->preferences);
  for (size_t i = 0; i < count; i++) {
    filling->preferences[i] = (uint8_t)preference(filling->places, gpus[i]);
    ends[filling->preferences[i] + 1]++;
  }
  ends[2] += ends[1];
  for (size_t i = 0; i < count; i++)
    filling->order[ends[filling->preferences[i]]++] = gpus[i];
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
static Queue *choose_queue(const Filling *filling, int host) {
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

/* Would all that is reserved still fit, the slice itself not counted? */
static bool is_spared(const Filling *filling, const PlanGpuState *before, const PlanGpuState *after) {
  PlanAmounts reserved = *filling->reserved;
  PlanHoles holes = *filling->holes;
  reserved.count[filling->rank]--;
  change_holes(filling->states, &holes, before, after);
  return plan_holes_fit(filling->states->geometry, &holes, &reserved);
}

static bool may_take(Filling *filling, int gpu, const PlanWay *way) {
  if (!filling->reserved || (filling->safe > 0 && filling->safe_type == way->type))
    return true;
  filling->safe_type = way->type;
  filling->safe = plan_holes_safe(filling->states->geometry, filling->holes, filling->rank, way->type);
  return filling->safe > 0 ||
         is_spared(filling, state_of(filling, gpu), &filling->states->items.items[way->after]);
}

static void place(Filling *filling, Queue *queue, int gpu, const PlanWay *way) {
  PlanPlaces *places = filling->places;
  const PlanHostGpu *placed = &places->problem->gpus.items[gpu];
  int waiting = queue->first;
  int kind = plan_class_single_kind(&places->problem->classes.items[queue->class_]);
  places->slices[waiting] =
      (PlanSlice){.waiting = waiting,
                  .gpu = gpu,
                  .profile = (uint8_t)places->problem->models.items[placed->model].profile_of_kind[kind],
                  .start = way->start};
  change_holes(filling->states, filling->holes, state_of(filling, gpu),
               &filling->states->items.items[way->after]);
  places->state[gpu] = way->after;
  places->free_slots[placed->host] -= filling->states->geometry->ranks[filling->rank].size;
  places->touched_gpus[gpu] = true;
  places->touched_hosts[placed->host] = true;
  seat(places, waiting, placed->host);
  queue->first = filling->next[waiting];
  filling->safe--;
  filling->left--;
  if (filling->reserved)
    filling->reserved->count[filling->rank]--;
}

/* Sets the way's outcome. */
static const PlanWay *know_outcome(Filling *filling, int gpu, PlanWay *way) {
  if (way->after >= 0)
    return way;
  const PlanRank *rank = &filling->states->geometry->ranks[filling->rank];
  size_t index = (size_t)(way - filling->states->ways.items);
  uint32_t occupied = state_of(filling, gpu)->occupied | plan_rank_slots(rank, way->start);
  int after = plan_states_find(filling->states, occupied); /* may move the ways */
  filling->states->ways.items[index].after = after;
  return &filling->states->ways.items[index];
}

/* Slices for the GPU as long as no more is lost than this. A worth that cannot be spared once is not tried
 * again: it may be less than this, where what the GPU has left is worth less. */
static void fill_gpu(Filling *filling, uint64_t loss, int gpu) {
  int host = filling->places->problem->gpus.items[gpu].host;
  while (filling->left) {
    PlanWay *cheapest = find_way(filling, filling->places->state[gpu]);
    if (!cheapest || cheapest->loss > loss)
      break;
    const PlanWay *way = know_outcome(filling, gpu, cheapest);
    if (!may_take(filling, gpu, way)) {
      filling->loss_min = way->loss + 1;
      continue;
    }
    Queue *queue = filling->places->full[host] != filling->number ? choose_queue(filling, host) : NULL;
    if (!queue) {
      filling->places->full[host] = filling->number;
      *array_push(&filling->refused) = gpu;
      return;
    }
    place(filling, queue, gpu, way);
  }
  plan_places_put_back(filling->places, filling->pool, gpu);
}

/* Once the worth cannot be spared, the GPUs go back: they may have other places. */
static void fill_group(Filling *filling, uint64_t loss) {
  order_group(filling);
  for (size_t i = 0; i < filling->group.count; i++) {
    int gpu = filling->order[i];
    if (filling->left && filling->loss_min <= loss)
      fill_gpu(filling, loss, gpu);
    else
      plan_places_put_back(filling->places, filling->pool, gpu);
  }
}

void plan_places_fill(PlanPlaces *places, int pool, int rank, const PlanBatch *batch, PlanAmounts *reserved) {
  if (!batch->count)
    return;
  CLEANUP(filling_deinit)
  Filling filling = {.places = places,
                     .states = plan_places_states(places, pool),
                     .buckets = &places->buckets[pool],
                     .pool = pool,
                     .rank = rank,
                     .number = ++places->fillings,
                     .reserved = reserved,
                     .holes = &places->holes[pool]};
  uint64_t loss = 0;
  filling.slots_per_pod = mean_size(&filling);
  queue_pods(&filling, batch);
  while (filling.left && take_group(&filling, &loss))
    fill_group(&filling, loss);
  for (size_t i = 0; i < filling.refused.count; i++)
    plan_places_put_back(places, pool, filling.refused.items[i]);
  places->refused |= filling.left > 0; /* there were places enough, or nothing would have been reserved */
  if (reserved)
    reserved->count[rank] -= filling.left;
}

void plan_places_finish(PlanPlaces *places) {
  size_t count = 0;
  for (size_t i = 0; i < places->problem->waiting.count; i++)
    if (places->slices[i].gpu >= 0)
      places->slices[count++] = places->slices[i];
  free(places->offer->slices.items);
  places->offer->slices.items = places->slices;
  places->offer->slices.count = count;
  places->offer->slices.capacity = places->problem->waiting.count;
  places->slices = NULL;
}
