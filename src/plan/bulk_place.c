/* SPDX-License-Identifier: Apache-2.0 */
/* GPUs of one shape with the same slots occupied are alike: they share a state, which knows their holes and
 * what each place for each rank costs. To fill a pool, its GPUs are put into groups by the least that they
 * lose, and the groups are gone through from the cheapest one. Within a group those come first that were
 * changed already, then those on hosts that were, then the others, each by name.
 *
 * A place where the least worth is lost is nearly always the right one. Where it is not, because the hole is
 * not the least worthy one for the rank (plan_holes_safe), the counters are asked whether all that is
 * reserved still fits; once they say no, no other place of that loss is any better. */
#include "plan/bulk_place.h"

#include "base/intern.h"

enum { DIRECT_SLOTS_MAX = 16 };

typedef struct Way { /* to place one slice */
  uint64_t loss;
  int after; /* the state that comes of it, -1: not known yet */
  uint8_t start, type;
} Way;

typedef struct State {
  uint32_t occupied;
  PlanHoles holes;
  int first_way[PLAN_RANKS_MAX + 1]; /* of each rank in PlanStates.ways, the least loss first */
} State;

struct PlanStates {
  const PlanGeometry *geometry;
  ARRAY(State) items;
  ARRAY(Way) ways;
  int *direct;   /* by occupied slots: state + 1, where they are few */
  Intern others; /* where they are many */
};

static uint32_t slots_at(const PlanRank *rank, int start) {
  return (uint32_t)(((UINT64_C(1) << rank->size) - 1) << start);
}

static uint8_t type_at(const PlanGeometry *geometry, uint32_t slots) {
  int i = 0;
  while (geometry->regions[i].mask != slots)
    i++;
  assert(i < geometry->region_count);
  return geometry->regions[i].type;
}

/* Of equal losses the last start first, as everywhere. */
static void add_way(PlanStates *states, size_t base, Way way) {
  array_push(&states->ways);
  size_t place = states->ways.count - 1;
  for (; place > base && states->ways.items[place - 1].loss >= way.loss; place--)
    states->ways.items[place] = states->ways.items[place - 1];
  states->ways.items[place] = way;
}

static void add_ways(PlanStates *states, uint32_t occupied, int rank) {
  const PlanGeometry *geometry = states->geometry;
  const PlanRank *placed = &geometry->ranks[rank];
  size_t base = states->ways.count;
  uint64_t worth = plan_geometry_worth(geometry, ~occupied);
  for (uint32_t starts = placed->starts; starts; starts &= starts - 1) {
    int start = __builtin_ctz(starts);
    uint32_t slots = slots_at(placed, start);
    if (slots & occupied)
      continue;
    add_way(states, base,
            (Way){.loss = worth - plan_geometry_worth(geometry, ~(occupied | slots)),
                  .after = -1,
                  .start = (uint8_t)start,
                  .type = type_at(geometry, slots)});
  }
}

static int add_state(PlanStates *states, uint32_t occupied) {
  State *state = array_push(&states->items);
  state->occupied = occupied;
  plan_holes_of_slots(states->geometry, occupied, &state->holes);
  for (int rank = 0; rank < states->geometry->rank_count; rank++) {
    state->first_way[rank] = (int)states->ways.count;
    add_ways(states, occupied, rank);
    state->first_way[rank + 1] = (int)states->ways.count;
  }
  return (int)states->items.count - 1;
}

static int find_state(PlanStates *states, uint32_t occupied) {
  if (states->geometry->slot_count <= DIRECT_SLOTS_MAX) {
    occupied &= (UINT32_C(1) << states->geometry->slot_count) - 1;
    if (!states->direct[occupied])
      states->direct[occupied] = add_state(states, occupied) + 1;
    return states->direct[occupied] - 1;
  }
  int state = intern_number(&states->others, &occupied, sizeof occupied);
  return state == (int)states->items.count ? add_state(states, occupied) : state;
}

static void states_init(PlanStates *states, const PlanGeometry *geometry) {
  *states = (PlanStates){.geometry = geometry};
  if (geometry->slot_count <= DIRECT_SLOTS_MAX)
    states->direct = mem_alloc(((size_t)1 << geometry->slot_count) * sizeof *states->direct);
}

static void states_deinit(PlanStates *states) {
  array_deinit(&states->items);
  array_deinit(&states->ways);
  free(states->direct);
  intern_deinit(&states->others);
}

static PlanStates *states_of_pool(const PlanPlaces *places, int pool) {
  return &places->states[places->problem->pools.items[pool].shape];
}

static bool is_countable(const PlanProblem *problem, const PlanHostGpu *gpu) {
  return gpu->pool >= 0 && problem->models.items[gpu->model].is_counted;
}

static void group_gpus(PlanPlaces *places) {
  const PlanProblem *problem = places->problem;
  size_t pools = problem->pools.count;
  places->first_gpu = mem_alloc((pools + 2) * sizeof *places->first_gpu);
  int *ends = places->first_gpu + 1; /* while they are filled, afterwards the beginnings of the next */
  for (size_t i = 0; i < problem->gpus.count; i++)
    if (is_countable(problem, &problem->gpus.items[i]))
      ends[problem->gpus.items[i].pool + 1]++;
  for (size_t pool = 0; pool < pools; pool++)
    ends[pool + 1] += ends[pool];
  places->gpus = mem_alloc((size_t)ends[pools] * sizeof *places->gpus);
  for (size_t i = 0; i < problem->gpus.count; i++) {
    const PlanHostGpu *gpu = &problem->gpus.items[i];
    if (!is_countable(problem, gpu))
      continue;
    PlanStates *states = states_of_pool(places, gpu->pool);
    places->state[i] = find_state(states, gpu->occupied);
    plan_holes_add(states->geometry, &places->holes[gpu->pool], &states->items.items[places->state[i]].holes,
                   1);
    places->gpus[ends[gpu->pool]++] = (int)i;
  }
}

static void copy_rooms(PlanPlaces *places) {
  const PlanProblem *problem = places->problem;
  size_t size = problem->hosts.count * (problem->resources.count + 1) * sizeof *places->rooms;
  places->rooms = mem_alloc(size);
  if (problem->rooms && size)
    memcpy(places->rooms, problem->rooms, size);
}

void plan_places_init(PlanPlaces *places, const PlanProblem *problem, PlanOffer *offer) {
  size_t waiting = problem->waiting.count, hosts = problem->hosts.count;
  *places = (PlanPlaces){
      .problem = problem,
      .offer = offer,
      .states = mem_alloc(problem->shapes.count * sizeof *places->states),
      .state = mem_alloc(problem->gpus.count * sizeof *places->state),
      .holes = mem_alloc(problem->pools.count * sizeof *places->holes),
      .touched_gpus = mem_alloc(problem->gpus.count * sizeof *places->touched_gpus),
      .touched_hosts = mem_alloc(hosts * sizeof *places->touched_hosts),
      .full = mem_alloc(hosts * sizeof *places->full),
      .slices = mem_alloc(waiting * sizeof *places->slices),
      .next = mem_alloc(waiting * sizeof *places->next),
      .next_equal = mem_alloc(waiting * sizeof *places->next_equal),
  };
  for (size_t i = 0; i < problem->shapes.count; i++)
    states_init(&places->states[i], &problem->shapes.items[i].geometry);
  for (size_t i = 0; i < waiting; i++)
    places->slices[i].gpu = -1;
  copy_rooms(places);
  group_gpus(places);
}

void plan_places_deinit(PlanPlaces *places) {
  for (size_t i = 0; i < places->problem->shapes.count; i++)
    states_deinit(&places->states[i]);
  free(places->states);
  free(places->state);
  free(places->gpus);
  free(places->first_gpu);
  free(places->holes);
  free(places->rooms);
  free(places->touched_gpus);
  free(places->touched_hosts);
  free(places->full);
  free(places->slices);
  free(places->next);
  free(places->next_equal);
}

const PlanHoles *plan_places_holes(const PlanPlaces *places, int pool) {
  return &places->holes[pool];
}

static int64_t *rooms_of(const PlanPlaces *places, int host) {
  return &places->rooms[(size_t)host * (places->problem->resources.count + 1)];
}

static void seat(PlanPlaces *places, int waiting, int host) {
  const PlanProblem *problem = places->problem;
  plan_rooms_take(problem, plan_problem_class(problem, waiting), rooms_of(places, host));
  places->offer->hosts[waiting] = host;
  places->offer->served[problem->waiting.items[waiting].tier]++;
}

bool plan_places_seat(PlanPlaces *places, int waiting, int host) {
  if (plan_rooms_hold(places->problem, plan_problem_class(places->problem, waiting),
                      rooms_of(places, host))) {
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

/* GPUs that lose the same for one more slice. */
typedef struct Group {
  uint64_t loss;
  ARRAY(int) gpus;
  bool sorted, done;
} Group;

typedef struct Queue { /* the pods of one class in a batch that have no place yet */
  int class_;
  int first, last; /* -1: none */
} Queue;

typedef struct Filling {
  PlanPlaces *places;
  PlanStates *states;
  int pool, rank, number;
  PlanAmounts *reserved;
  PlanHoles *holes;
  uint64_t loss_min;   /* holes of less worth cannot be spared */
  int safe, safe_type; /* so many of the type can be taken without asking */
  ARRAY(Group) groups;
  ARRAY(int) group_of_state; /* index + 1, for loss_min 0 */
  ARRAY(Queue) queues;
  ARRAY(int) order; /* scratch */
  int next, left;   /* of the batch: the first pod without a place, and how many there are */
} Filling;

static void filling_deinit(Filling *filling) {
  for (size_t i = 0; i < filling->groups.count; i++)
    array_deinit(&filling->groups.items[i].gpus);
  array_deinit(&filling->groups);
  array_deinit(&filling->group_of_state);
  array_deinit(&filling->queues);
  array_deinit(&filling->order);
}

static void queue_pods(Filling *filling, const PlanBatch *batch) {
  PlanPlaces *places = filling->places;
  const PlanProblem *problem = places->problem;
  CLEANUP(cleanup_free) int *queue_of_class = mem_alloc(problem->classes.count * sizeof *queue_of_class);
  filling->next = batch->first;
  filling->left = batch->count;
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

static int find_group(Filling *filling, uint64_t loss) {
  for (size_t i = 0; i < filling->groups.count; i++)
    if (filling->groups.items[i].loss == loss)
      return (int)i;
  *array_push(&filling->groups) = (Group){.loss = loss, .sorted = true};
  return (int)filling->groups.count - 1;
}

static const State *state_of(const Filling *filling, int gpu) {
  return &filling->states->items.items[filling->places->state[gpu]];
}

/* The place of the least loss that can be spared; NULL where there is none. */
static Way *find_way(const Filling *filling, int gpu) {
  const State *state = state_of(filling, gpu);
  for (int i = state->first_way[filling->rank]; i < state->first_way[filling->rank + 1]; i++) {
    Way *way = &filling->states->ways.items[i];
    if (way->loss >= filling->loss_min)
      return way;
  }
  return NULL;
}

static void add_to_group(Filling *filling, int gpu, uint64_t loss) {
  Group *group = &filling->groups.items[find_group(filling, loss)];
  group->sorted &= !group->gpus.count || group->gpus.items[group->gpus.count - 1] < gpu;
  *array_push(&group->gpus) = gpu;
}

static void group_by_loss(Filling *filling) {
  const PlanPlaces *places = filling->places;
  while (filling->group_of_state.count < filling->states->items.count)
    *array_push(&filling->group_of_state) = 0;
  for (int i = places->first_gpu[filling->pool]; i < places->first_gpu[filling->pool + 1]; i++) {
    int gpu = places->gpus[i], *group = &filling->group_of_state.items[places->state[gpu]];
    if (!*group) {
      const Way *way = find_way(filling, gpu);
      *group = way ? find_group(filling, way->loss) + 1 : -1;
    }
    if (*group > 0)
      *array_push(&filling->groups.items[*group - 1].gpus) = gpu;
  }
}

static int compare_gpus(const void *a, const void *b) {
  return *(const int *)a < *(const int *)b ? -1 : *(const int *)a > *(const int *)b;
}

static int preference(const PlanPlaces *places, int gpu) {
  if (places->touched_gpus[gpu])
    return 0;
  return places->touched_hosts[places->problem->gpus.items[gpu].host] ? 1 : 2;
}

static void order_group(Filling *filling, Group *group) {
  if (!group->sorted)
    qsort(group->gpus.items, group->gpus.count, sizeof group->gpus.items[0], compare_gpus);
  array_clear(&filling->order);
  for (int wanted = 0; wanted < 3; wanted++)
    for (size_t i = 0; i < group->gpus.count; i++)
      if (preference(filling->places, group->gpus.items[i]) == wanted)
        *array_push(&filling->order) = group->gpus.items[i];
}

static bool has_room_for(const PlanPlaces *places, int class_, int host) {
  return plan_rooms_hold(places->problem, &places->problem->classes.items[class_], rooms_of(places, host));
}

/* The first pod that has room on the host, as an index of the queues; -1 where none has. */
static int choose_queue(const Filling *filling, int host) {
  int chosen = -1;
  for (size_t i = 0; i < filling->queues.count; i++) {
    const Queue *queue = &filling->queues.items[i];
    if (queue->first >= 0 && (chosen < 0 || queue->first < filling->queues.items[chosen].first) &&
        has_room_for(filling->places, queue->class_, host))
      chosen = (int)i;
  }
  return chosen;
}

/* Would all that is reserved still fit, the slice itself not counted? */
static bool is_spared(const Filling *filling, const State *before, const State *after) {
  PlanAmounts reserved = *filling->reserved;
  PlanHoles holes = *filling->holes;
  const PlanGeometry *geometry = filling->states->geometry;
  reserved.count[filling->rank]--;
  plan_holes_add(geometry, &holes, &after->holes, 1);
  plan_holes_add(geometry, &holes, &before->holes, -1);
  return plan_holes_fit(geometry, &holes, &reserved);
}

static bool may_take(Filling *filling, int gpu, const Way *way) {
  if (!filling->reserved || (filling->safe > 0 && filling->safe_type == way->type))
    return true;
  filling->safe_type = way->type;
  filling->safe = plan_holes_safe(filling->states->geometry, filling->holes, filling->rank, way->type);
  return filling->safe > 0 ||
         is_spared(filling, state_of(filling, gpu), &filling->states->items.items[way->after]);
}

static void place(Filling *filling, Queue *queue, int gpu, const Way *way) {
  PlanPlaces *places = filling->places;
  const PlanHostGpu *placed = &places->problem->gpus.items[gpu];
  const PlanGeometry *geometry = filling->states->geometry;
  int waiting = queue->first;
  int kind = plan_class_single_kind(&places->problem->classes.items[queue->class_]);
  places->slices[waiting] =
      (PlanSlice){.waiting = waiting,
                  .gpu = gpu,
                  .profile = (uint8_t)places->problem->models.items[placed->model].profile_of_kind[kind],
                  .start = way->start};
  plan_holes_add(geometry, filling->holes, &filling->states->items.items[way->after].holes, 1);
  plan_holes_add(geometry, filling->holes, &state_of(filling, gpu)->holes, -1);
  places->state[gpu] = way->after;
  places->touched_gpus[gpu] = true;
  places->touched_hosts[placed->host] = true;
  seat(places, waiting, placed->host);
  queue->first = places->next_equal[waiting];
  filling->safe--;
  filling->left--;
  if (filling->reserved)
    filling->reserved->count[filling->rank]--;
}

/* Sets the way's outcome. */
static const Way *know_outcome(Filling *filling, int gpu, Way *way) {
  if (way->after >= 0)
    return way;
  const PlanRank *rank = &filling->states->geometry->ranks[filling->rank];
  size_t index = (size_t)(way - filling->states->ways.items);
  uint32_t occupied = state_of(filling, gpu)->occupied | slots_at(rank, way->start);
  int after = find_state(filling->states, occupied); /* may move the ways */
  filling->states->ways.items[index].after = after;
  return &filling->states->ways.items[index];
}

/* Slices for the GPU as long as no more is lost than the group loses. False where holes of this worth cannot
 * be spared. */
static bool fill_gpu(Filling *filling, uint64_t loss, int gpu) {
  int host = filling->places->problem->gpus.items[gpu].host;
  if (filling->places->full[host] == filling->number)
    return true;
  Way *cheapest;
  while (filling->left && (cheapest = find_way(filling, gpu))) {
    if (cheapest->loss > loss) {
      add_to_group(filling, gpu, cheapest->loss);
      return true;
    }
    const Way *way = know_outcome(filling, gpu, cheapest);
    if (!may_take(filling, gpu, way))
      return false;
    int queue = choose_queue(filling, host);
    if (queue < 0) {
      filling->places->full[host] = filling->number;
      return true;
    }
    place(filling, &filling->queues.items[queue], gpu, way);
  }
  return true;
}

/* Once the worth cannot be spared, the other GPUs wait for their next places. */
static void fill_group(Filling *filling, size_t index) {
  uint64_t loss = filling->groups.items[index].loss;
  order_group(filling, &filling->groups.items[index]);
  filling->groups.items[index].done = true;
  for (size_t i = 0; i < filling->order.count && filling->left; i++) {
    int gpu = filling->order.items[i];
    if (filling->loss_min <= loss && fill_gpu(filling, loss, gpu))
      continue;
    filling->loss_min = loss + 1;
    const Way *way = find_way(filling, gpu);
    if (way)
      add_to_group(filling, gpu, way->loss);
  }
}

/* The group of the least loss that was not gone through; -1: none. */
static int next_group(const Filling *filling) {
  int next = -1;
  for (size_t i = 0; i < filling->groups.count; i++)
    if (!filling->groups.items[i].done &&
        (next < 0 || filling->groups.items[i].loss < filling->groups.items[next].loss))
      next = (int)i;
  return next;
}

void plan_places_fill(PlanPlaces *places, int pool, int rank, const PlanBatch *batch, PlanAmounts *reserved) {
  if (!batch->count)
    return;
  CLEANUP(filling_deinit)
  Filling filling = {.places = places,
                     .states = states_of_pool(places, pool),
                     .pool = pool,
                     .rank = rank,
                     .number = ++places->fillings,
                     .reserved = reserved,
                     .holes = &places->holes[pool]};
  queue_pods(&filling, batch);
  group_by_loss(&filling);
  for (int group = next_group(&filling); group >= 0 && filling.left; group = next_group(&filling))
    fill_group(&filling, (size_t)group);
  places->refused |= filling.left > 0; /* there were places enough, or nothing would have been reserved */
  if (reserved)
    reserved->count[rank] -= filling.left;
}

void plan_places_finish(PlanPlaces *places) {
  for (size_t i = 0; i < places->problem->waiting.count; i++)
    if (places->slices[i].gpu >= 0)
      *array_push(&places->offer->slices) = places->slices[i];
}
