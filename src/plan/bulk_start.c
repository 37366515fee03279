/* SPDX-License-Identifier: Apache-2.0 */
/* The beginning and the end of bulk_place.c: which GPUs are in which state, and which hosts may run short of
 * something else than slices. */
#include "plan/bulk_place.h"

static void sum_holes(PlanPlaces *places, int pool) {
  const PlanStates *states = plan_places_states(places, pool);
  for (size_t number = 0; number < places->buckets[pool].count; number++)
    for (int type = 0; type < states->geometry->type_count; type++)
      places->holes[pool].count[type] +=
          states->items.items[number].holes.count[type] * (int)places->buckets[pool].items[number].count;
}

static void sort_gpus(PlanPlaces *places) {
  const PlanProblem *problem = places->problem;
  for (size_t i = 0; i < problem->gpus.count; i++) {
    const PlanHostGpu *gpu = &problem->gpus.items[i];
    if (gpu->pool < 0 || !problem->models.items[gpu->model].is_counted)
      continue;
    places->state[i] = plan_states_find(plan_places_states(places, gpu->pool), gpu->occupied);
    plan_places_put_back(places, gpu->pool, (int)i);
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

/* Could pods run short of anything but slices on the host? Not where there is room for the most demanding of
 * them on each free slot. */
static bool is_tight(const PlanPlaces *places, const int64_t *most, int host) {
  for (size_t i = 0; i <= places->problem->resources.count; i++) {
    int64_t all;
    if (__builtin_mul_overflow(most[i], most_pods(places, host), &all) ||
        (all > 0 && all > plan_places_rooms(places, host)[i]))
      return true;
  }
  return false;
}

static void count_free_slots(PlanPlaces *places) {
  const PlanProblem *problem = places->problem;
  CLEANUP(cleanup_free) uint32_t *slots = mem_alloc(problem->models.count * sizeof *slots);
  for (size_t i = 0; i < problem->models.count; i++) {
    int slot_count = problem->shapes.items[problem->models.items[i].shape].geometry.slot_count;
    slots[i] = slot_count < 32 ? (UINT32_C(1) << slot_count) - 1 : UINT32_MAX;
  }
  for (size_t i = 0; i < problem->gpus.count; i++) {
    const PlanHostGpu *gpu = &problem->gpus.items[i];
    places->free_slots[gpu->host] += __builtin_popcount(slots[gpu->model] & ~gpu->occupied);
  }
}

static void find_tight_hosts(PlanPlaces *places) {
  const PlanProblem *problem = places->problem;
  int64_t most[PLAN_RESOURCES_MAX + 1] = {0};
  count_free_slots(places);
  if (!problem->rooms)
    return;
  for (size_t i = 0; i < problem->classes.count; i++)
    for (size_t r = 0; r <= problem->resources.count; r++)
      if (problem->classes.items[i].takes[r] > most[r])
        most[r] = problem->classes.items[i].takes[r];
  for (int host = 0; host < (int)problem->hosts.count; host++) {
    places->tight[host] = is_tight(places, most, host);
    places->any_tight |= places->tight[host];
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
      .buckets = mem_alloc(problem->pools.count * sizeof *places->buckets),
      .marks = mem_alloc((problem->gpus.count / 64 + 1) * sizeof *places->marks),
      .holes = mem_alloc(problem->pools.count * sizeof *places->holes),
      .touched_gpus = mem_alloc(problem->gpus.count * sizeof *places->touched_gpus),
      .touched_hosts = mem_alloc(hosts * sizeof *places->touched_hosts),
      .full = mem_alloc(hosts * sizeof *places->full),
      .free_slots = mem_alloc(hosts * sizeof *places->free_slots),
      .tight = mem_alloc(hosts * sizeof *places->tight),
      .slices = mem_alloc(waiting * sizeof *places->slices),
      .next = mem_alloc(waiting * sizeof *places->next),
      .next_equal = mem_alloc(waiting * sizeof *places->next_equal),
  };
  for (size_t i = 0; i < problem->shapes.count; i++)
    plan_states_init(&places->states[i], &problem->shapes.items[i].geometry);
  for (size_t i = 0; i < waiting; i++)
    places->slices[i].gpu = -1;
  copy_rooms(places);
  find_tight_hosts(places);
  sort_gpus(places);
}

void plan_places_deinit(PlanPlaces *places) {
  for (size_t i = 0; i < places->problem->shapes.count; i++)
    plan_states_deinit(&places->states[i]);
  free(places->states);
  free(places->state);
  for (size_t pool = 0; pool < places->problem->pools.count; pool++) {
    for (size_t i = 0; i < places->buckets[pool].count; i++)
      array_deinit(&places->buckets[pool].items[i]);
    array_deinit(&places->buckets[pool]);
  }
  free(places->buckets);
  free(places->marks);
  free(places->holes);
  free(places->rooms);
  free(places->touched_gpus);
  free(places->touched_hosts);
  free(places->full);
  free(places->free_slots);
  free(places->tight);
  free(places->slices);
  free(places->next);
  free(places->next_equal);
}
