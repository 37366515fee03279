/* SPDX-License-Identifier: Apache-2.0 */
/* Each pod in turn is put on each host, or left out; after each choice the host's whole set of slices is
 * packed afresh, so that no order of placement is preferred. Three things keep the tree small:
 *
 *   bound    a branch that cannot serve more than the best offer, tier by tier, is left. Of a tier's pods
 *            that remain no more can be served than the smallest of them fill the free slots;
 *
 *   equals   equal pods go to hosts in ascending order; where one is left out, so are those behind it;
 *
 *   twins    of hosts that are alike and unused, only the first is tried.
 *
 * Where slices may be withdrawn, a branch also has to disturb less than the best offer, if it serves as many.
 * What a host's set of slices costs does not depend on how it came together, so it is asked once and
 * remembered. */
#include "plan/search.h"

#include "plan/realise.h"

#include "sched/filter.h"

enum {
  MEMORY_SIZE = 1 << 12,    /* remembered answers */
  WEIGH_STEPS = 20000,      /* places tried for one of them at most */
  WEIGH_STEPS_ALL = 100000, /* for all of them: some milliseconds */
};

/* What it takes to put a set of slices on a host. */
typedef struct Answer {
  uint64_t key; /* 0: none */
  PlanDisturbance cost;
  bool possible;
} Answer;

typedef struct Search {
  const PlanProblem *problem;
  int64_t steps; /* left */
  int64_t weigh_steps;
  int count;
  int order[PLAN_SEARCH_WAITING_MAX]; /* waiting pods: by tier, size, class */
  int hosts[PLAN_SEARCH_WAITING_MAX]; /* by position in `order`, -1: left out */
  int *free, *asked;                  /* by host, by kind */
  int pods_on[PLAN_SEARCH_HOSTS_MAX];
  int twins[PLAN_SEARCH_HOSTS_MAX]; /* the first host that is like this one */
  int64_t slots_left;               /* free slots of the cluster and those of free slices */
  int *served, *tier_sizes;
  PlanOffer *best;
  PlanMeans means;
  PlanDisturbance costs[PLAN_SEARCH_HOSTS_MAX]; /* by host, of the pods that are on it now */
  PlanDisturbance cost, best_cost;              /* of all hosts; by withdrawal only */
  Answer *memory;                               /* by withdrawal only */
  int *kept;                                    /* by kind: of no interest */
  int64_t *rooms;                               /* by host, as PlanProblem.rooms; by withdrawal only */
  bool improved;
} Search;

static void search_deinit(Search *search) {
  free(search->free);
  free(search->asked);
  free(search->served);
  free(search->tier_sizes);
  free(search->memory);
  free(search->kept);
  free(search->rooms);
}

static int *at(const Search *search, int *table, int host, int kind) {
  return &table[(size_t)host * search->problem->kinds.count + (size_t)kind];
}

static const PlanWaiting *waiting_at(const Search *search, int position) {
  return &search->problem->waiting.items[search->order[position]];
}

static const PlanClass *class_at(const Search *search, int position) {
  return &search->problem->classes.items[waiting_at(search, position)->class_];
}

static bool are_equal(const Search *search, int a, int b) {
  return waiting_at(search, a)->class_ == waiting_at(search, b)->class_ &&
         waiting_at(search, a)->tier == waiting_at(search, b)->tier;
}

static bool resources_equal(const Resources *a, const Resources *b) {
  if (a->count != b->count)
    return false;
  for (size_t i = 0; i < a->count; i++)
    if (strcmp(a->items[i].name, b->items[i].name) != 0 || a->items[i].amount != b->items[i].amount)
      return false;
  return true;
}

static bool are_twins(const PlanProblem *problem, int a, int b) {
  const PlanHost *host_a = &problem->hosts.items[a], *host_b = &problem->hosts.items[b];
  const SnapshotNode *node_a = plan_problem_node(problem, a), *node_b = plan_problem_node(problem, b);
  if (host_a->signature != host_b->signature || host_a->gpu_count != host_b->gpu_count ||
      node_a->pod_count != node_b->pod_count || node_a->pod_max != node_b->pod_max ||
      !resources_equal(&node_a->allocatable, &node_b->allocatable) ||
      !resources_equal(&node_a->requested, &node_b->requested))
    return false;
  for (int i = 0; i < host_a->gpu_count; i++) {
    int gpu_a = host_a->first_gpu + i, gpu_b = host_b->first_gpu + i;
    if (problem->gpus.items[gpu_a].model != problem->gpus.items[gpu_b].model ||
        plan_problem_withdrawable(problem, gpu_a) != plan_problem_withdrawable(problem, gpu_b) ||
        !mig_layout_equal(plan_problem_gpu(problem, gpu_a)->layout, plan_problem_gpu(problem, gpu_b)->layout))
      return false;
  }
  return true;
}

static void find_twins(Search *search) {
  for (int host = 0; host < (int)search->problem->hosts.count; host++) {
    search->twins[host] = 0;
    while (!are_twins(search->problem, search->twins[host], host))
      search->twins[host]++;
  }
}

static int compare_positions(const void *a, const void *b, void *userdata) {
  const PlanProblem *problem = userdata;
  int left = *(const int *)a, right = *(const int *)b;
  const PlanWaiting *first = &problem->waiting.items[left], *second = &problem->waiting.items[right];
  int sizes =
      problem->classes.items[first->class_].slot_count - problem->classes.items[second->class_].slot_count;
  if (first->tier != second->tier)
    return first->tier - second->tier;
  if (sizes)
    return sizes;
  return first->class_ != second->class_ ? first->class_ - second->class_ : left - right;
}

static size_t room_width(const PlanProblem *problem) {
  return problem->resources.count + 1;
}

/* What may be withdrawn is room as well. */
static int64_t count_slots(const PlanProblem *problem, PlanMeans means) {
  int64_t slots = plan_problem_slots(problem, means == PLAN_BY_EXISTING);
  for (int gpu = 0; gpu < (int)problem->gpus.count && means == PLAN_BY_WITHDRAWAL; gpu++)
    if (plan_problem_withdrawable(problem, gpu))
      slots += plan_problem_gpu(problem, gpu)->layout->model->slot_count;
  return slots;
}

static void search_init(Search *search, const PlanProblem *problem, PlanOffer *best, PlanMeans means) {
  size_t cells = problem->hosts.count * problem->kinds.count;
  *search = (Search){.problem = problem,
                     .steps = PLAN_SEARCH_STEPS_MAX,
                     .weigh_steps = WEIGH_STEPS_ALL,
                     .count = (int)problem->waiting.count,
                     .best = best,
                     .means = means,
                     .free = mem_alloc(cells * sizeof *search->free),
                     .asked = mem_alloc(cells * sizeof *search->asked),
                     .served = mem_alloc((size_t)problem->tier_count * sizeof *search->served),
                     .tier_sizes = mem_alloc((size_t)problem->tier_count * sizeof *search->tier_sizes)};
  if (means == PLAN_BY_WITHDRAWAL) {
    search->memory = mem_alloc(MEMORY_SIZE * sizeof *search->memory);
    search->kept = mem_alloc(problem->kinds.count * sizeof *search->kept);
    search->rooms = mem_alloc(problem->hosts.count * room_width(problem) * sizeof *search->rooms);
    memcpy(search->rooms, problem->rooms, problem->hosts.count * room_width(problem) * sizeof *search->rooms);
  }
  for (int i = 0; i < search->count; i++) {
    search->order[i] = i;
    search->tier_sizes[problem->waiting.items[i].tier]++;
  }
  qsort_r(search->order, (size_t)search->count, sizeof search->order[0], compare_positions, (void *)problem);
  for (int host = 0; host < (int)problem->hosts.count; host++)
    for (int kind = 0; kind < (int)problem->kinds.count; kind++)
      *at(search, search->free, host, kind) = plan_problem_free(problem, host, kind);
  find_twins(search);
  search->slots_left = count_slots(problem, means);
}

/* How many pods of the tier at this position and behind it can be served at most. */
static int most_of_tier(const Search *search, int position) {
  int tier = waiting_at(search, position)->tier, most = 0;
  int64_t slots = search->slots_left;
  for (int i = position; i < search->count && waiting_at(search, i)->tier == tier; i++) {
    slots -= class_at(search, i)->slot_count;
    if (slots < 0)
      break;
    most++;
  }
  return most;
}

static bool may_improve(const Search *search, int position) {
  int tier_here = position < search->count ? waiting_at(search, position)->tier : search->problem->tier_count;
  for (int tier = 0; tier < search->problem->tier_count; tier++) {
    int most = search->served[tier];
    if (tier == tier_here)
      most += most_of_tier(search, position);
    else if (tier > tier_here)
      most = search->tier_sizes[tier];
    if (most != search->best->served[tier])
      return most > search->best->served[tier];
  }
  return search->means == PLAN_BY_EXISTING ||
         (search->means == PLAN_BY_WITHDRAWAL && plan_disturbs_less(&search->cost, &search->best_cost));
}

/* Nothing is left to do, or to do it with. */
static bool is_over(Search *search) {
  return search->steps-- <= 0 || search->weigh_steps <= 0 ||
         (search->means == PLAN_BY_EXISTING && search->improved);
}

static void keep_best(Search *search) {
  for (int tier = 0; tier < search->problem->tier_count; tier++)
    search->best->served[tier] = search->served[tier];
  for (int i = 0; i < search->count; i++)
    search->best->hosts[search->order[i]] = search->hosts[i];
  search->best_cost = search->cost;
  search->improved = true;
}

static uint64_t mix(uint64_t value) {
  value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
  return value ^ value >> 31;
}

/* The slot of the memory for what is asked of the host now. */
static Answer *find_answer(const Search *search, int host, uint64_t *ret_key) {
  uint64_t key = (uint64_t)host + 1;
  for (size_t kind = 0; kind < search->problem->kinds.count; kind++)
    key = mix(key * 31 + (uint64_t)*at(search, search->asked, host, (int)kind));
  *ret_key = key | 1;
  return &search->memory[key >> 1 & (MEMORY_SIZE - 1)];
}

/* The least that has to change on the host for all pods that are on it now. */
static bool weigh_host(Search *search, int host) {
  uint64_t key;
  Answer *answer = find_answer(search, host, &key);
  if (answer->key != key) {
    PlanPacking packing;
    int64_t steps = WEIGH_STEPS;
    const PlanRealiseQuestion question = {.problem = search->problem,
                                          .host = host,
                                          .asked = at(search, search->asked, host, 0),
                                          .means = PLAN_BY_WITHDRAWAL,
                                          .is_thorough = true};
    answer->key = key;
    answer->possible = plan_realise_pack(&question, &steps, search->kept, &packing);
    answer->cost = (PlanDisturbance){.withdrawn = packing.withdrawn, .created = packing.count};
    search->weigh_steps -= WEIGH_STEPS - steps;
  }
  search->cost.withdrawn += answer->cost.withdrawn - search->costs[host].withdrawn;
  search->cost.created += answer->cost.created - search->costs[host].created;
  search->costs[host] = answer->cost;
  return answer->possible;
}

/* What has to be created on the host for all pods that are on it now. */
static bool pack_host(Search *search, int host) {
  PlanPacking packing;
  size_t kinds = search->problem->kinds.count;
  CLEANUP(cleanup_free) int *missing = mem_alloc(kinds * sizeof *missing);
  int total = 0;
  for (size_t kind = 0; kind < kinds; kind++) {
    int lacking = *at(search, search->asked, host, (int)kind) - *at(search, search->free, host, (int)kind);
    missing[kind] = lacking > 0 ? lacking : 0;
    total += missing[kind];
  }
  if (!total || search->means == PLAN_BY_EXISTING)
    return !total;
  PlanPackQuestion question = {
      .problem = search->problem, .host = host, .missing = missing, .steps = &search->steps};
  return plan_pack(&question, &packing);
}

static void ask(Search *search, int position, int host, int sign) {
  const PlanClass *class_ = class_at(search, position);
  for (int n = 0; n < class_->need_count; n++)
    *at(search, search->asked, host, class_->needs[n].kind) += sign * class_->needs[n].count;
  search->slots_left -= sign * class_->slot_count;
  search->pods_on[host] += sign;
  search->served[waiting_at(search, position)->tier] += sign;
}

/* Only MIG slices are left to the packing; all else is counted in the snapshot's fork. */
static bool bind(Search *search, int position, int host) {
  char reason[sizeof((SchedVerdict *)NULL)->reason];
  const PlanProblem *problem = search->problem;
  const SnapshotPod *pod = plan_problem_pod(problem, search->order[position]);
  if (!sched_resources_fit(pod, plan_problem_node(problem, host), true, reason, sizeof reason))
    return false;
  snapshot_bind(problem->snapshot, waiting_at(search, position)->pod, problem->hosts.items[host].node);
  return true;
}

static bool is_worth_trying(const Search *search, int position, int host) {
  if (!plan_class_admits(class_at(search, position), host))
    return false;
  for (int twin = search->twins[host]; twin < host; twin++)
    if (search->twins[twin] == search->twins[host] && !search->pods_on[twin] && !search->pods_on[host])
      return false;
  return true;
}

static void search_from(Search *search, int position);

/* The packing asks the snapshot what is free, so nothing is bound there; all but slices is counted here. */
static void search_calm_with(Search *search, int position, int host) {
  const PlanProblem *problem = search->problem;
  int64_t *rooms = &search->rooms[(size_t)host * room_width(problem)], before[PLAN_RESOURCES_MAX + 1];
  PlanDisturbance cost = search->cost, cost_of_host = search->costs[host];
  if (!plan_rooms_hold(problem, class_at(search, position), rooms))
    return;
  memcpy(before, rooms, room_width(problem) * sizeof *rooms);
  plan_rooms_take(problem, class_at(search, position), rooms);
  search->hosts[position] = host;
  ask(search, position, host, 1);
  if (weigh_host(search, host))
    search_from(search, position + 1);
  ask(search, position, host, -1);
  memcpy(rooms, before, room_width(problem) * sizeof *rooms);
  search->cost = cost;
  search->costs[host] = cost_of_host;
}

static void search_with(Search *search, int position, int host) {
  Snapshot *snapshot = search->problem->snapshot;
  size_t mark = snapshot_fork(snapshot);
  search->hosts[position] = host;
  ask(search, position, host, 1);
  if (bind(search, position, host) && pack_host(search, host))
    search_from(search, position + 1);
  ask(search, position, host, -1);
  snapshot_rollback(snapshot, mark);
}

static void search_from(Search *search, int position) {
  if (is_over(search) || !may_improve(search, position))
    return;
  if (position == search->count) {
    keep_best(search);
    return;
  }
  bool follows_equal = position > 0 && are_equal(search, position - 1, position);
  int first_host = follows_equal ? search->hosts[position - 1] : 0;
  for (int host = first_host; first_host >= 0 && host < (int)search->problem->hosts.count; host++)
    if (is_worth_trying(search, position, host))
      (search->means == PLAN_BY_WITHDRAWAL ? search_calm_with : search_with)(search, position, host);
  search->hosts[position] = -1;
  search_from(search, position + 1);
}

/* Whether a coupled pod can be served depends on the order, which is not searched. */
bool plan_search_is_possible(const PlanProblem *problem) {
  return !problem->is_coupled && problem->waiting.count <= PLAN_SEARCH_WAITING_MAX &&
         problem->hosts.count <= PLAN_SEARCH_HOSTS_MAX;
}

/* Returns true where the space was exhausted. */
static bool search_for(const PlanProblem *problem, PlanOffer *offer, PlanMeans means) {
  if (!plan_search_is_possible(problem))
    return false;
  CLEANUP(search_deinit) Search search;
  search_init(&search, problem, offer, means);
  search_from(&search, 0);
  bool exhausted = search.steps > 0;
  if (search.improved)
    plan_realise(problem, means, offer);
  return exhausted;
}

void plan_search_existing(const PlanProblem *problem, PlanOffer *offer) {
  (void)search_for(problem, offer, PLAN_BY_EXISTING);
}

bool plan_search_improve(const PlanProblem *problem, PlanOffer *offer) {
  return search_for(problem, offer, PLAN_BY_GROWTH);
}

bool plan_search_calm(const PlanProblem *problem, const PlanDisturbance *cost, PlanOffer *offer) {
  assert(plan_search_is_possible(problem));
  if (!problem->rooms)
    return false;
  CLEANUP(search_deinit) Search search;
  search_init(&search, problem, offer, PLAN_BY_WITHDRAWAL);
  search.best_cost = *cost;
  search_from(&search, 0);
  if (search.improved)
    plan_realise(problem, PLAN_BY_WITHDRAWAL, offer);
  return search.improved;
}
