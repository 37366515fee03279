/* SPDX-License-Identifier: Apache-2.0 */
/* The beginning and the end of bulk_place.c: which GPUs are in which state, and which hosts may run short of
 * something else than slices. */
#include "plan/bulk_place.h"

static void sum_holes(PlanPlaces *places, int pool) {
  const PlanStates *states = plan_places_states(places, pool);
  const PlanPoolGpus *gpus = &places->pools[pool];
  for (size_t state = 0; state < gpus->buckets.count; state++)
    for (int type = 0; type < states->geometry->type_count; type++)
      places->holes[pool].count[type] +=
          states->items.items[state].holes.count[type] * gpus->buckets.items[state].count;
}

/* Makes room for the GPUs of each pool. */
static void divide_gpus(PlanPlaces *places) {
  const PlanProblem *problem = places->problem;
  size_t begin = 0;
  for (size_t i = 0; i < problem->pools.count; i++) {
    size_t count = (size_t)problem->pools.items[i].gpu_count;
    plan_pool_gpus_init(&places->pools[i], &places->gpus[begin], &places->on_host[begin],
                        &places->in_state[begin], count);
    begin += count;
  }
}

static int free_slots_of(const PlanProblem *problem, const PlanHostGpu *gpu) {
  int slot_count = problem->shapes.items[problem->models.items[gpu->model].shape].geometry.slot_count;
  uint32_t slots = slot_count < 32 ? (UINT32_C(1) << slot_count) - 1 : UINT32_MAX;
  return __builtin_popcount(slots & ~gpu->occupied);
}

/* Gives GPUs of one model and host their places in their pool. Returns their free slots. */
static int place_gpus(PlanPlaces *places, int first, int end) {
  const PlanHostGpu *gpus = places->problem->gpus.items;
  int host = gpus[first].host, model = gpus[first].model, free_slots = 0;
  PlanPoolGpus *pool = &places->pools[gpus[first].pool];
  PlanStates *states = plan_places_states(places, gpus[first].pool);
  pool->model = pool->count && pool->model != model ? -1 : model;
  for (int i = first; i < end; i++) {
    int place = (int)pool->count++, state = plan_states_look_up(states, gpus[i].occupied);
    places->place[i] = place;
    pool->gpus[place] = i;
    pool->hosts[place] = host;
    pool->states[place] = state;
    plan_pool_gpus_put(pool, (unsigned)place);
    free_slots += states->items.items[state].free_slots;
  }
  return free_slots;
}

static int leave_out_gpus(PlanPlaces *places, int first, int end) {
  int free_slots = 0;
  for (int i = first; i < end; i++) {
    places->place[i] = -1;
    free_slots += free_slots_of(places->problem, &places->problem->gpus.items[i]);
  }
  return free_slots;
}

/* Of those that can be counted. */
static void sort_gpus(PlanPlaces *places) {
  const PlanProblem *problem = places->problem;
  const PlanHostGpu *gpus = problem->gpus.items;
  divide_gpus(places);
  for (int first = 0, end; first < (int)problem->gpus.count; first = end) {
    bool is_counted = gpus[first].pool >= 0 && problem->models.items[gpus[first].model].is_counted;
    end = plan_problem_gpus_end(problem, first);
    places->free_slots[gpus[first].host] +=
        is_counted ? place_gpus(places, first, end) : leave_out_gpus(places, first, end);
  }
  for (int pool = 0; pool < (int)problem->pools.count; pool++)
    sum_holes(places, pool);
}

/* That the host can still take: those that get a free slice and those that get a new one. */
static int64_t most_pods(const PlanPlaces *places, int host) {
  int64_t pods = places->free_slots[host];
  for (size_t kind = 0; kind < places->problem->kinds.count; kind++)
    pods += places->problem->free[(size_t)host * places->problem->kinds.count + kind];
  return pods;
}

/* The same of any host, or more. */
static int64_t most_pods_anywhere(const PlanProblem *problem) {
  int64_t gpus = 0, slots = 0;
  for (size_t host = 0; host < problem->hosts.count; host++)
    gpus = problem->hosts.items[host].gpu_count > gpus ? problem->hosts.items[host].gpu_count : gpus;
  for (size_t i = 0; i < problem->shapes.count; i++) {
    int64_t count = problem->shapes.items[i].geometry.slot_count;
    slots = count > slots ? count : slots;
  }
  return gpus * slots + problem->free_most;
}

/* Could so many pods run short of anything but slices beside these rooms? Not where there is room for the
 * most demanding of them each time. */
static bool run_short(const PlanProblem *problem, const int64_t *most, int64_t pods, const int64_t *rooms) {
  for (size_t i = 0; i <= problem->resources.count; i++) {
    int64_t all;
    if (__builtin_mul_overflow(most[i], pods, &all) || (all > 0 && all > rooms[i]))
      return true;
  }
  return false;
}

static void find_tight_hosts(PlanPlaces *places) {
  const PlanProblem *problem = places->problem;
  int64_t most[PLAN_RESOURCES_MAX + 1] = {0};
  if (!problem->rooms)
    return;
  for (size_t i = 0; i < problem->classes.count; i++)
    for (size_t r = 0; r <= problem->resources.count; r++)
      if (problem->classes.items[i].takes[r] > most[r])
        most[r] = problem->classes.items[i].takes[r];
  if (!run_short(problem, most, most_pods_anywhere(problem), problem->least_rooms))
    return;
  for (int host = 0; host < (int)problem->hosts.count; host++) {
    places->tight[host] =
        run_short(problem, most, most_pods(places, host), plan_problem_rooms(problem, host));
    places->any_tight |= places->tight[host];
  }
}

/* What only tight hosts are asked. */
static void prepare_tight_hosts(PlanPlaces *places) {
  const PlanProblem *problem = places->problem;
  size_t count = problem->hosts.count * (problem->resources.count + 1);
  places->rooms = mem_alloc_raw(count, sizeof *places->rooms);
  memcpy(places->rooms, problem->rooms, count * sizeof *places->rooms);
  places->next_equal = mem_alloc_raw(problem->waiting.count, sizeof *places->next_equal);
}

void plan_places_init(PlanPlaces *places, const PlanProblem *problem, PlanOffer *offer) {
  size_t waiting = problem->waiting.count, hosts = problem->hosts.count;
  *places = (PlanPlaces){
      .problem = problem,
      .offer = offer,
      .states = mem_alloc(problem->shapes.count * sizeof *places->states),
      .pools = mem_alloc(problem->pools.count * sizeof *places->pools),
      .place = mem_alloc_raw(problem->gpus.count, sizeof *places->place),
      .gpus = mem_alloc_raw(problem->gpus.count, sizeof *places->gpus),
      .on_host = mem_alloc_raw(problem->gpus.count, sizeof *places->on_host),
      .in_state = mem_alloc_raw(problem->gpus.count, sizeof *places->in_state),
      .holes = mem_alloc(problem->pools.count * sizeof *places->holes),
      .touched_hosts = mem_alloc(hosts * sizeof *places->touched_hosts),
      .full = mem_alloc(hosts * sizeof *places->full),
      .free_slots = mem_alloc(hosts * sizeof *places->free_slots),
      .tight = mem_alloc(hosts * sizeof *places->tight),
      .slices = mem_alloc_raw(waiting, sizeof *places->slices),
      .ends = mem_alloc_raw(waiting, sizeof *places->ends),
      .next = mem_alloc_raw(waiting, sizeof *places->next),
  };
  for (size_t i = 0; i < problem->shapes.count; i++)
    plan_states_init(&places->states[i], &problem->shapes.items[i].geometry);
  sort_gpus(places);
  find_tight_hosts(places);
  if (places->any_tight)
    prepare_tight_hosts(places);
}

/* The tiers stand one behind the other. */
static void count_served(const PlanPlaces *places) {
  const PlanProblem *problem = places->problem;
  const int *hosts = places->offer->hosts;
  size_t end;
  for (size_t first = 0; first < problem->waiting.count; first = end) {
    int served = 0;
    end = plan_problem_tier_end(problem, first);
    for (size_t i = first; i < end; i++)
      served += hosts[i] >= 0;
    places->offer->served[problem->waiting.items[first].tier] = served;
  }
}

void plan_places_finish(PlanPlaces *places) {
  const int *hosts = places->offer->hosts;
  PlanSlice *slices = places->slices;
  size_t count = 0;
  count_served(places);
  for (size_t i = 0; i < places->problem->waiting.count; i++)
    if (hosts[i] >= 0 && slices[i].gpu >= 0)
      slices[count++] = slices[i];
  free(places->offer->slices.items);
  places->offer->slices.items = places->slices;
  places->offer->slices.count = count;
  places->offer->slices.capacity = places->problem->waiting.count;
  places->slices = NULL;
}

void plan_places_deinit(PlanPlaces *places) {
  for (size_t i = 0; i < places->problem->shapes.count; i++)
    plan_states_deinit(&places->states[i]);
  free(places->states);
  for (size_t pool = 0; pool < places->problem->pools.count; pool++)
    plan_pool_gpus_deinit(&places->pools[pool]);
  free(places->pools);
  free(places->place);
  free(places->gpus);
  free(places->on_host);
  free(places->in_state);
  free(places->holes);
  free(places->rooms);
  free(places->touched_hosts);
  free(places->full);
  free(places->free_slots);
  free(places->tight);
  free(places->slices);
  free(places->ends);
  free(places->next);
  free(places->next_equal);
}
