/* SPDX-License-Identifier: Apache-2.0 */
/* Each pool keeps its GPUs in buckets by state (bulk_state.h, bulk_gpus.h). To fill it, those are
 * taken first that lose the least; among them those come first that were changed already, then those on hosts
 * that were, then the others, each by name.
 *
 * A place where the least worth is lost is nearly always the right one. Where it is not, because the hole is
 * not the least worthy one for the rank (plan_holes_safe), the counters are asked whether all that is
 * reserved still fits; once they say no, no other place of that loss is any better.
 *
 * Where no host can run short of anything, it does not matter which pod goes where: then up to 64 GPUs go
 * from bucket to bucket at a time. */
#include "plan/bulk_filling.h"

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
    places->slices[waiting].gpu = -1;
    seat(places, waiting, host);
    return true;
  }
  places->refused = true;
  return false;
}

static void filling_deinit(PlanFilling *filling) {
  array_deinit(&filling->taken);
  array_deinit(&filling->cheapest);
  array_deinit(&filling->courses);
  array_deinit(&filling->queues);
  array_deinit(&filling->group);
  array_deinit(&filling->refused);
}

/* Of what is reserved in the pool, this rank and the smaller ones. */
static double mean_size(const PlanFilling *filling) {
  const PlanRank *ranks = filling->states->geometry->ranks;
  double slots = ranks[filling->rank].size, pods = 1;
  for (int rank = 0; rank <= filling->rank && filling->reserved; rank++) {
    slots += (double)ranks[rank].size * filling->reserved->count[rank];
    pods += filling->reserved->count[rank];
  }
  return slots / pods;
}

static int find_way(const PlanFilling *filling, int number) {
  const PlanGpuState *state = &filling->states->items.items[number];
  for (int i = state->first_way[filling->rank]; i < state->first_way[filling->rank + 1]; i++)
    if (plan_filling_way(filling, i)->loss >= filling->loss_min)
      return i;
  return PLAN_NO_WAY;
}

static int find_cheapest_way(PlanFilling *filling, int state) {
  while ((int)filling->cheapest.count <= state)
    *array_push(&filling->cheapest) = PLAN_UNKNOWN_WAY;
  return filling->cheapest.items[state] = find_way(filling, state);
}

/* The way of the least loss that can be spared, or PLAN_NO_WAY. */
static inline int cheapest_way(PlanFilling *filling, int state) {
  int known = state < (int)filling->cheapest.count ? filling->cheapest.items[state] : PLAN_UNKNOWN_WAY;
  return known != PLAN_UNKNOWN_WAY ? known : find_cheapest_way(filling, state);
}

/* Worth that cannot be spared once is not tried again. */
static void raise_loss_min(PlanFilling *filling, uint64_t loss_min) {
  filling->loss_min = loss_min;
  array_clear(&filling->cheapest);
  array_clear(&filling->courses);
}

/* The states of the GPUs that lose the least. False where there are none left. */
static bool find_group(PlanFilling *filling, uint64_t *ret_loss) {
  array_clear(&filling->group);
  for (int state = 0; state < (int)filling->gpus->buckets.count; state++) {
    int way = filling->gpus->buckets.items[state].count ? cheapest_way(filling, state) : PLAN_NO_WAY;
    if (way < 0)
      continue;
    uint64_t loss = plan_filling_way(filling, way)->loss;
    if (filling->group.count && loss > *ret_loss)
      continue;
    if (filling->group.count && loss < *ret_loss)
      array_clear(&filling->group);
    *ret_loss = loss;
    *array_push(&filling->group) = state;
  }
  return filling->group.count > 0;
}

/* Brings the holes of the pool up to date. */
static void count_holes(PlanFilling *filling) {
  const PlanGpuState *states = filling->states->items.items;
  for (size_t i = 0; i < filling->taken.count; i++) {
    PlanWay *way = plan_filling_way(filling, filling->taken.items[i]);
    for (int type = 0; type < filling->states->geometry->type_count; type++)
      filling->holes->count[type] +=
          way->taken * (states[way->after].holes.count[type] - states[way->before].holes.count[type]);
    way->taken = 0;
  }
  array_clear(&filling->taken);
}

static void take_way(PlanFilling *filling, PlanWay *way, int count) {
  if (!way->taken)
    *array_push(&filling->taken) = (int)(way - filling->states->ways.items);
  way->taken += count;
}

/* Would all that is reserved still fit, the slice itself not counted? */
static bool is_spared(const PlanFilling *filling, const PlanWay *way) {
  const PlanGpuState *states = filling->states->items.items;
  PlanAmounts reserved = *filling->reserved;
  PlanHoles holes = *filling->holes;
  reserved.count[filling->rank]--;
  for (int type = 0; type < filling->states->geometry->type_count; type++)
    holes.count[type] += states[way->after].holes.count[type] - states[way->before].holes.count[type];
  return plan_holes_fit(filling->states->geometry, &holes, &reserved);
}

static bool may_take(PlanFilling *filling, const PlanWay *way) {
  if (!filling->reserved || (filling->safe > 0 && filling->safe_type == way->type))
    return true;
  count_holes(filling);
  filling->safe_type = way->type;
  filling->safe = plan_holes_safe(filling->states->geometry, filling->holes, filling->rank, way->type);
  return filling->safe > 0 || is_spared(filling, way);
}

/* GPUs of one host stand together in a pool, and mostly all of them are in it. */
static bool set_near(PlanPlaces *places, const PlanHost *host) {
  int last_gpu = host->first_gpu + host->gpu_count - 1, pool = places->problem->gpus.items[last_gpu].pool;
  int first = places->place[host->first_gpu], last = places->place[last_gpu];
  if (first < 0 || last - first != last_gpu - host->first_gpu || last - first >= 64 ||
      places->problem->gpus.items[host->first_gpu].pool != pool)
    return false;
  plan_bits_set(places->pools[pool].near, (unsigned)first, (unsigned)(last - first) + 1);
  return true;
}

/* All GPUs of the host are near one that was changed. */
static void touch_host(PlanPlaces *places, int host) {
  const PlanHost *touched = &places->problem->hosts.items[host];
  places->touched_hosts[host] = true;
  if (set_near(places, touched))
    return;
  for (int gpu = touched->first_gpu; gpu < touched->first_gpu + touched->gpu_count; gpu++)
    if (places->place[gpu] >= 0)
      plan_bit_set(places->pools[places->problem->gpus.items[gpu].pool].near, (unsigned)places->place[gpu]);
}

/* Sets the way's outcome. */
static void know_outcome(PlanFilling *filling, int number) {
  PlanWay *way = plan_filling_way(filling, number);
  if (way->after >= 0)
    return;
  const PlanRank *rank = &filling->states->geometry->ranks[filling->rank];
  uint32_t occupied = filling->states->items.items[way->before].occupied | plan_rank_slots(rank, way->start);
  int after = plan_states_find(filling->states, occupied); /* may move the ways */
  plan_filling_way(filling, number)->after = after;
}

/* The next way for a GPU in the state, NULL where none can be spared that loses no more than this. Worth that
 * cannot be spared may be less than this, where what the GPU has left is worth less. */
static PlanWay *choose_way(PlanFilling *filling, int state, uint64_t loss) {
  for (;;) {
    int number = cheapest_way(filling, state);
    if (number < 0 || plan_filling_way(filling, number)->loss > loss)
      return NULL;
    know_outcome(filling, number);
    if (may_take(filling, plan_filling_way(filling, number)))
      return plan_filling_way(filling, number);
    raise_loss_min(filling, plan_filling_way(filling, number)->loss + 1);
  }
}

/* The slice for the first pod of the queue. */
static void place(PlanFilling *filling, PlanQueue *queue, PlanSlice slice, int host) {
  PlanPlaces *places = filling->places;
  slice.waiting = queue->first;
  places->slices[slice.waiting] = slice;
  if (places->tight[host])
    places->free_slots[host] -= filling->states->geometry->ranks[filling->rank].size;
  seat(places, slice.waiting, host);
  plan_queue_advance(places, queue);
  filling->safe--;
  filling->left--;
  if (filling->reserved)
    filling->reserved->count[filling->rank]--;
}

/* The GPU is in another state than before, or refused by all pods. */
static void move_gpu(PlanFilling *filling, unsigned at, int host, int state, bool is_refused) {
  plan_pool_gpus_take(filling->gpus, at);
  if (state != filling->gpus->states[at]) {
    filling->gpus->states[at] = state;
    plan_bit_set(filling->gpus->changed, at);
    if (!filling->places->touched_hosts[host])
      touch_host(filling->places, host);
  }
  if (is_refused)
    *array_push(&filling->refused) = (int)at;
  else
    plan_pool_gpus_put(filling->gpus, at);
}

/* That is to be created on the GPU. */
static inline PlanSlice slice_on(const PlanFilling *filling, int gpu) {
  const PlanProblem *problem = filling->places->problem;
  int profile = filling->profile;
  if (profile < 0)
    profile = problem->models.items[problem->gpus.items[gpu].model].profile_of_kind[filling->kind];
  return (PlanSlice){.gpu = gpu, .profile = (uint8_t)profile};
}

/* Slices for the GPU as long as no more is lost than this. */
static void fill_gpu(PlanFilling *filling, uint64_t loss, unsigned at) {
  int host = filling->gpus->hosts[at], state = filling->gpus->states[at];
  PlanSlice slice = slice_on(filling, filling->gpus->gpus[at]);
  bool is_refused = false;
  while (filling->left) {
    PlanWay *way = choose_way(filling, state, loss);
    if (!way)
      break;
    PlanQueue *queue = plan_filling_choose(filling, host);
    is_refused = !queue;
    if (is_refused)
      break;
    take_way(filling, way, 1);
    slice.start = way->start;
    place(filling, queue, slice, host);
    state = way->after;
  }
  if (is_refused || state != filling->gpus->states[at])
    move_gpu(filling, at, host, state, is_refused);
}

static void find_course(PlanFilling *filling, int state, uint64_t loss, PlanCourse *course) {
  course->is_known = true;
  course->after = state;
  for (int count = 0;; count++) {
    int number = cheapest_way(filling, course->after);
    if (number < 0 || plan_filling_way(filling, number)->loss > loss) {
      course->count = count;
      return;
    }
    know_outcome(filling, number);
    const PlanWay *way = plan_filling_way(filling, number);
    if (count == PLAN_COURSE_MAX || (count && way->type != course->type))
      return;
    course->type = way->type;
    course->ways[count] = number;
    course->starts[count] = way->start;
    course->after = way->after;
  }
}

static const PlanCourse *get_course(PlanFilling *filling, int state, uint64_t loss) {
  while ((int)filling->courses.count <= state)
    array_push(&filling->courses);
  PlanCourse *course = &filling->courses.items[state];
  if (!course->is_known)
    find_course(filling, state, loss, course);
  return course;
}

/* Which of the GPUs of the word are in the state. */
static inline uint64_t bits_in(const PlanPoolGpus *gpus, int state, size_t word, uint64_t bits) {
  return bits & gpus->buckets.items[state].bits[word];
}

/* May they all follow their courses, and nothing has to be asked on the way? */
static bool may_follow(PlanFilling *filling, uint64_t loss, size_t word, uint64_t bits) {
  int all = 0;
  for (size_t i = 0; i < filling->group.count; i++) {
    int state = filling->group.items[i];
    uint64_t here = bits_in(filling->gpus, state, word, bits);
    if (!here)
      continue;
    const PlanCourse *course = get_course(filling, state, loss);
    if (!course->count || (filling->reserved && filling->safe_type != course->type))
      return false;
    all += __builtin_popcountll(here) * course->count;
  }
  return filling->left >= all && (!filling->reserved || filling->safe >= all);
}

/* Slices for the GPU, whose bucket is another one from now on. */
static inline void follow(PlanFilling *filling, unsigned at) {
  PlanPlaces *places = filling->places;
  PlanQueue *queue = filling->queues.items;
  const PlanCourse *course = &filling->courses.items[filling->gpus->states[at]];
  PlanSlice slice = slice_on(filling, filling->gpus->gpus[at]);
  int host = filling->gpus->hosts[at];
  for (int i = 0; i < course->count; i++) {
    slice.waiting = queue->first;
    slice.start = course->starts[i];
    places->slices[slice.waiting] = slice;
    places->offer->hosts[slice.waiting] = host;
    plan_queue_advance(places, queue);
  }
  filling->gpus->states[at] = course->after;
  if (!places->touched_hosts[host])
    touch_host(places, host);
}

/* All that fill_gpu() does for each of the GPUs. */
static void follow_all(PlanFilling *filling, size_t word, uint64_t bits) {
  for (uint64_t rest = bits; rest; rest &= rest - 1)
    follow(filling, (unsigned)word * 64 + (unsigned)__builtin_ctzll(rest));
  filling->gpus->changed[word] |= bits;
  for (size_t i = 0; i < filling->group.count; i++) {
    int state = filling->group.items[i];
    uint64_t here = bits_in(filling->gpus, state, word, bits);
    if (!here)
      continue;
    const PlanCourse *course = &filling->courses.items[state];
    int count = __builtin_popcountll(here), slices = count * course->count;
    for (int k = 0; k < course->count; k++)
      take_way(filling, plan_filling_way(filling, course->ways[k]), count);
    plan_pool_gpus_move(filling->gpus, word, here, state, course->after);
    bits &= ~here;
    filling->safe -= slices;
    filling->left -= slices;
    if (filling->reserved)
      filling->reserved->count[filling->rank] -= slices;
  }
}

static void fill_word(PlanFilling *filling, uint64_t loss, size_t word, uint64_t bits) {
  if (!filling->places->any_tight && may_follow(filling, loss, word, bits)) {
    follow_all(filling, word, bits);
    return;
  }
  for (; bits && filling->left && filling->loss_min <= loss; bits &= bits - 1)
    fill_gpu(filling, loss, (unsigned)word * 64 + (unsigned)__builtin_ctzll(bits));
}

/* Once the worth cannot be spared, the others stay where they are: they may have other places. */
static void fill_group(PlanFilling *filling, uint64_t loss) {
  PlanPoolGpus *gpus = filling->gpus;
  array_clear(&filling->courses);
  plan_pool_gpus_group(gpus, filling->group.items, filling->group.count);
  for (int preference = 0; preference < PLAN_PREFERENCES; preference++) {
    const uint64_t *group = &gpus->group[(size_t)preference * gpus->word_count];
    for (size_t word = 0; word < gpus->word_count; word++) {
      if (!filling->left || filling->loss_min > loss)
        return;
      if (group[word])
        fill_word(filling, loss, word, group[word]);
    }
  }
}

void plan_places_fill(PlanPlaces *places, int pool, int rank, const PlanBatch *batch, PlanAmounts *reserved) {
  if (!batch->count)
    return;
  CLEANUP(filling_deinit)
  PlanFilling filling = {.places = places,
                         .states = plan_places_states(places, pool),
                         .gpus = &places->pools[pool],
                         .rank = rank,
                         .kind = plan_class_single_kind(plan_problem_class(places->problem, batch->first)),
                         .number = ++places->fillings,
                         .profile = -1,
                         .reserved = reserved,
                         .holes = &places->holes[pool]};
  uint64_t loss = 0;
  if (filling.gpus->model >= 0)
    filling.profile = places->problem->models.items[filling.gpus->model].profile_of_kind[filling.kind];
  filling.slots_per_pod = mean_size(&filling);
  plan_filling_queue(&filling, batch);
  while (filling.left && find_group(&filling, &loss))
    fill_group(&filling, loss);
  count_holes(&filling);
  for (size_t i = 0; i < filling.refused.count; i++)
    plan_pool_gpus_put(filling.gpus, (unsigned)filling.refused.items[i]);
  places->refused |= filling.left > 0; /* there were places enough, or nothing would have been reserved */
  if (reserved)
    reserved->count[rank] -= filling.left;
}
