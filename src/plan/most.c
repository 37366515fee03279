/* SPDX-License-Identifier: Apache-2.0 */
/* A state says how many pods of each type are served, but for one type, the last: of that only the most
 * matters beside the others, and it stands in a table by state. First the table of one host, where a host
 * that is too small for a set of pods is so for all larger ones. Its ways are the sets that no other
 * contains. Then host after host is added to the table of all, where more than wanted is no more than wanted.
 */
#include "plan/most.h"

typedef struct Way { /* of one host */
  int pods[PLAN_MOST_TYPES_MAX];
} Way;

typedef struct Most {
  const PlanProblem *problem;
  PlanFits *fits;
  PlanMostType types[PLAN_MOST_TYPES_MAX]; /* the last one is the most wanted */
  int last, state_count;
  int stride[PLAN_MOST_TYPES_MAX]; /* of a state's number, by type */
  int64_t steps;                   /* left */
  int *of_host, *of_all, *next;    /* by state: pods of the last type at most, -1: there is no such state */
  int *asked;                      /* by kind */
  ARRAY(Way) ways;
} Most;

static void most_deinit(Most *most) {
  free(most->of_host);
  free(most->of_all);
  free(most->next);
  free(most->asked);
  array_deinit(&most->ways);
}

/* False where there are too many states. */
static bool most_init(Most *most, const PlanProblem *problem, PlanFits *fits, const PlanMostType *types,
                      int type_count) {
  int64_t count = 1;
  *most = (Most){.problem = problem, .fits = fits, .last = type_count - 1, .steps = PLAN_MOST_STEPS_MAX};
  if (type_count > PLAN_MOST_TYPES_MAX)
    return false;
  int wanted_most = 0;
  for (int type = 0; type < type_count; type++) {
    most->types[type] = types[type];
    if (types[type].wanted > types[wanted_most].wanted)
      wanted_most = type;
  }
  most->types[wanted_most] = types[most->last];
  most->types[most->last] = types[wanted_most];
  for (int type = 0; type < most->last && count <= PLAN_MOST_STATES_MAX; type++) {
    most->stride[type] = (int)count;
    count *= most->types[type].wanted + 1;
  }
  if (count > PLAN_MOST_STATES_MAX)
    return false;
  most->state_count = (int)count;
  most->of_host = mem_alloc_raw((size_t)count, sizeof *most->of_host);
  most->of_all = mem_alloc_raw((size_t)count, sizeof *most->of_all);
  most->next = mem_alloc_raw((size_t)count, sizeof *most->next);
  most->asked = mem_alloc_raw(problem->kinds.count, sizeof *most->asked);
  return true;
}

static const PlanClass *class_of(const Most *most, int type) {
  return &most->problem->classes.items[most->types[type].class_];
}

/* ---- one host ---- */

/* All types but the last one. */
static void read_state(const Most *most, int state, int *ret_pods) {
  for (int type = 0; type < most->last; type++)
    ret_pods[type] = state / most->stride[type] % (most->types[type].wanted + 1);
}

static bool has_room(Most *most, int host, const int *pods) {
  const PlanProblem *problem = most->problem;
  const int64_t *rooms = plan_problem_rooms(problem, host);
  for (size_t i = 0; i <= problem->resources.count; i++) {
    int64_t taken = 0;
    for (int type = 0; type <= most->last; type++) {
      int64_t takes;
      if (__builtin_mul_overflow(class_of(most, type)->takes[i], pods[type], &takes) ||
          __builtin_add_overflow(taken, takes, &taken))
        return false;
    }
    if (taken > 0 && taken > rooms[i])
      return false;
  }
  return true;
}

static bool takes_all(Most *most, int host, const int *pods) {
  size_t kinds = most->problem->kinds.count;
  most->steps--;
  if (!has_room(most, host, pods))
    return false;
  memset(most->asked, 0, kinds * sizeof *most->asked);
  for (int type = 0; type <= most->last; type++) {
    const PlanClass *class_ = class_of(most, type);
    for (int n = 0; n < class_->need_count; n++)
      most->asked[class_->needs[n].kind] += pods[type] * class_->needs[n].count;
  }
  return plan_fits_ask(most->fits, host, most->asked);
}

/* How many of the last type have a place beside these; no more than have one beside fewer. */
static int count_last(Most *most, int host, int state, int *pods) {
  int count = plan_class_admits(class_of(most, most->last), host) ? most->types[most->last].wanted : 0;
  for (int type = 0; type < most->last; type++) {
    int fewer = pods[type] ? most->of_host[state - most->stride[type]] : count;
    if (pods[type] && !plan_class_admits(class_of(most, type), host))
      return -1;
    count = fewer < count ? fewer : count;
  }
  for (pods[most->last] = count; pods[most->last] >= 0; pods[most->last]--)
    if ((state == 0 && pods[most->last] == 0) || takes_all(most, host, pods))
      break;
  return pods[most->last];
}

/* Would one more pod of some type leave as many of the last? */
static bool is_contained(const Most *most, int state, const int *pods) {
  for (int type = 0; type < most->last; type++)
    if (pods[type] < most->types[type].wanted &&
        most->of_host[state + most->stride[type]] == most->of_host[state])
      return true;
  return false;
}

static void find_ways(Most *most, int host) {
  Way way;
  array_clear(&most->ways);
  for (int state = 0; state < most->state_count && most->steps > 0; state++) {
    read_state(most, state, way.pods);
    most->of_host[state] = count_last(most, host, state, way.pods);
  }
  for (int state = 0; state < most->state_count && most->steps > 0; state++) {
    read_state(most, state, way.pods);
    way.pods[most->last] = most->of_host[state];
    if (most->of_host[state] >= 0 && !is_contained(most, state, way.pods))
      *array_push(&most->ways) = way;
  }
  most->steps -= most->state_count / 4;
}

/* ---- all hosts ---- */

static int at_most(int count, int limit) {
  return count < limit ? count : limit;
}

static void add_way(Most *most, int state, const int *pods, const Way *way) {
  int sum = 0;
  for (int type = 0; type < most->last; type++)
    sum += most->stride[type] * at_most(pods[type] + way->pods[type], most->types[type].wanted);
  int count = at_most(most->of_all[state] + way->pods[most->last], most->types[most->last].wanted);
  if (count > most->next[sum])
    most->next[sum] = count;
}

static void add_host(Most *most) {
  int pods[PLAN_MOST_TYPES_MAX];
  memset(most->next, 0xff, (size_t)most->state_count * sizeof *most->next); /* -1 */
  for (int state = 0; state < most->state_count && most->steps > 0; state++) {
    if (most->of_all[state] < 0)
      continue;
    read_state(most, state, pods);
    for (size_t i = 0; i < most->ways.count; i++)
      add_way(most, state, pods, &most->ways.items[i]);
    most->steps -= (int64_t)most->ways.count;
  }
  int *free_now = most->of_all;
  most->of_all = most->next;
  most->next = free_now;
}

/* Those of the best state. */
static void sum_up(const Most *most, int *ret_served) {
  size_t size = (size_t)most->problem->tier_count * sizeof *ret_served;
  CLEANUP(cleanup_free) int *served = mem_alloc(size);
  int pods[PLAN_MOST_TYPES_MAX];
  memset(ret_served, 0, size);
  for (int state = 0; state < most->state_count; state++) {
    if (most->of_all[state] < 0)
      continue;
    read_state(most, state, pods);
    pods[most->last] = most->of_all[state];
    memset(served, 0, size);
    for (int type = 0; type <= most->last; type++)
      served[most->types[type].tier] += pods[type];
    int tier = 0;
    while (tier < most->problem->tier_count && served[tier] == ret_served[tier])
      tier++;
    if (tier < most->problem->tier_count && served[tier] > ret_served[tier])
      memcpy(ret_served, served, size);
  }
}

bool plan_most_count(const PlanProblem *problem, PlanFits *fits, const PlanMostType *types, int type_count,
                     int *ret_served) {
  CLEANUP(most_deinit) Most most;
  assert(problem->rooms && !problem->is_coupled && type_count > 0);
  if (!most_init(&most, problem, fits, types, type_count))
    return false;
  memset(most.of_all, 0xff, (size_t)most.state_count * sizeof *most.of_all); /* -1 */
  most.of_all[0] = 0;
  for (int host = 0; host < (int)problem->hosts.count && most.steps > 0; host++) {
    find_ways(&most, host);
    add_host(&most);
  }
  if (most.steps <= 0 || !plan_fits_are_certain(fits))
    return false;
  sum_up(&most, ret_served);
  return true;
}
