/* SPDX-License-Identifier: Apache-2.0 */
/* A pod takes the pool with a slice to spare of which the least is reserved, slots and the hosts' resources
 * alike: so small pods fill up small holes everywhere before large ones are broken anywhere. Where none has
 * one, pods that have been counted may be in its way although they could as well be elsewhere: so a chain of
 * moves is looked for, breadth first, from the pools that the pod may use to one that has room. Each move
 * takes one slice of some class out of a pool, which must make room for the one that comes, and into the
 * next; no pool is passed twice. Nobody loses what he has.
 *
 * How many slices a pool has to spare is computed once (plan_holes_spare) and counted down. The chain that
 * helped a class last mostly helps it again. A class for which there is none is not asked again: reservations
 * only grow. */
#include "plan/bulk_count.h"

enum { STEPS_MAX = 300000, BALANCED_POOLS_MAX = 64 };

typedef struct Visit { /* of a pool by the search */
  int pool, rank;      /* a slice of this rank wants to come here */
  int before;          /* the visit that it comes from; -1: the pod that is to be served */
  int mover;           /* its class; not set for the pod itself */
} Visit;

struct PlanCountsSearch {
  ARRAY(Visit) visits;
  bool *visited; /* by pool */
};

static int contention_of(const PlanProblem *problem, int pool) {
  return problem->hosts.items[problem->pools.items[pool].host].contention;
}

static int compare_pools(const void *a, const void *b, void *userdata) {
  int left = *(const int *)a, right = *(const int *)b;
  int difference = contention_of(userdata, left) - contention_of(userdata, right);
  return difference ? difference : left - right;
}

static const PlanGeometry *geometry_of(const PlanCounts *counts, int pool) {
  const PlanProblem *problem = counts->problem;
  return &problem->shapes.items[problem->pools.items[pool].shape].geometry;
}

/* Slots, resources, pods. */
static size_t load_count(const PlanCounts *counts) {
  return counts->problem->resources.count + 2;
}

static void add_room(PlanCounts *counts, int pool, int host) {
  double *weight = &counts->weight[(size_t)pool * load_count(counts)];
  const int64_t *rooms = plan_problem_rooms(counts->problem, host);
  for (size_t i = 0; i <= counts->problem->resources.count; i++)
    weight[i + 1] += rooms[i] > 0 ? (double)rooms[i] : 0;
}

/* Sums up what the pools have, then turns it into weights. */
static void weigh_pools(PlanCounts *counts) {
  const PlanProblem *problem = counts->problem;
  size_t loads = load_count(counts);
  const PlanHostGpu *last = NULL;
  for (size_t i = 0; i < problem->gpus.count; i++) {
    const PlanHostGpu *gpu = &problem->gpus.items[i];
    if (gpu->pool < 0)
      continue;
    int slot_count = geometry_of(counts, gpu->pool)->slot_count;
    uint32_t slots = slot_count < 32 ? (UINT32_C(1) << slot_count) - 1 : UINT32_MAX;
    counts->weight[(size_t)gpu->pool * loads] += __builtin_popcount(slots & ~gpu->occupied);
    if (problem->rooms && !(last && last->host == gpu->host && last->pool == gpu->pool))
      add_room(counts, gpu->pool, gpu->host);
    last = gpu;
  }
  for (size_t i = 0; i < problem->pools.count * loads; i++)
    counts->weight[i] = counts->weight[i] > 0 ? 1 / counts->weight[i] : 0;
}

void plan_counts_init(PlanCounts *counts, const PlanProblem *problem, const PlanHoles *holes) {
  size_t pools = problem->pools.count, classes = problem->classes.count;
  *counts = (PlanCounts){.problem = problem,
                         .holes = holes,
                         .reserved = mem_alloc(pools * sizeof *counts->reserved),
                         .pools = mem_alloc(pools * sizeof *counts->pools),
                         .next_pools = mem_alloc(classes * sizeof *counts->next_pools),
                         .spare = mem_alloc(pools * PLAN_RANKS_MAX * sizeof *counts->spare),
                         .known = mem_alloc(pools * sizeof *counts->known),
                         .shares = mem_alloc(classes * sizeof *counts->shares),
                         .latest = mem_alloc(classes * sizeof *counts->latest),
                         .moves = mem_alloc(classes * sizeof *counts->moves),
                         .stuck = mem_alloc(classes * sizeof *counts->stuck),
                         .steps = STEPS_MAX,
                         .search = mem_alloc(sizeof *counts->search)};
  counts->load = mem_alloc(pools * load_count(counts) * sizeof *counts->load);
  counts->weight = mem_alloc(pools * load_count(counts) * sizeof *counts->weight);
  counts->is_balanced = pools > 1 && pools <= BALANCED_POOLS_MAX;
  if (counts->is_balanced)
    weigh_pools(counts);
  counts->search->visited = mem_alloc(pools * sizeof *counts->search->visited);
  for (size_t i = 0; i < pools; i++)
    counts->pools[i] = (int)i;
  if (pools)
    qsort_r(counts->pools, pools, sizeof *counts->pools, compare_pools, (void *)problem);
}

void plan_counts_deinit(PlanCounts *counts) {
  for (size_t i = 0; i < counts->problem->classes.count; i++)
    array_deinit(&counts->shares[i]);
  array_deinit(&counts->search->visits);
  free(counts->search->visited);
  free(counts->search);
  free(counts->reserved);
  free(counts->load);
  free(counts->weight);
  free(counts->pools);
  free(counts->next_pools);
  free(counts->spare);
  free(counts->known);
  free(counts->shares);
  free(counts->latest);
  free(counts->moves);
  free(counts->stuck);
}

void plan_counts_clear(PlanCounts *counts) {
  size_t pools = counts->problem->pools.count, classes = counts->problem->classes.count;
  memset(counts->reserved, 0, pools * sizeof *counts->reserved);
  memset(counts->known, 0, pools * sizeof *counts->known);
  memset(counts->load, 0, pools * load_count(counts) * sizeof *counts->load);
  for (size_t i = 0; i < classes; i++) {
    array_clear(&counts->shares[i]);
    counts->next_pools[i] = 0;
    counts->stuck[i] = false;
    counts->moves[i].count = 0;
  }
}

static bool has_spare(PlanCounts *counts, int pool, int rank) {
  assert(rank >= 0);
  int *spare = &counts->spare[pool * PLAN_RANKS_MAX + rank];
  if (!(counts->known[pool] >> rank & 1)) {
    counts->known[pool] |= UINT32_C(1) << rank;
    *spare = plan_holes_spare(geometry_of(counts, pool), &counts->holes[pool], &counts->reserved[pool], rank,
                              (int)counts->problem->waiting.count);
  }
  return *spare > 0;
}

static int rank_in(const PlanCounts *counts, int class_, int pool) {
  const PlanClass *asking = &counts->problem->classes.items[class_];
  return plan_class_rank(counts->problem, asking, plan_class_single_kind(asking), pool);
}

static int *share_of(PlanCounts *counts, int class_, int pool) {
  PlanShares *shares = &counts->shares[class_];
  size_t i = 0;
  while (i < shares->count && shares->items[i].pool != pool)
    i++;
  if (i == shares->count)
    *array_push(shares) = (PlanShare){.pool = pool, .rank = rank_in(counts, class_, pool)};
  counts->latest[class_] = (int)i;
  return &shares->items[i].count;
}

static void change_load(PlanCounts *counts, int class_, int pool, int rank, int by) {
  size_t first = (size_t)pool * load_count(counts);
  const int64_t *takes = counts->problem->classes.items[class_].takes;
  counts->load[first] += counts->weight[first] * geometry_of(counts, pool)->ranks[rank].size * by;
  for (size_t i = 0; takes && i <= counts->problem->resources.count; i++)
    counts->load[first + i + 1] += counts->weight[first + i + 1] * (double)takes[i] * by;
}

static double load_of(const PlanCounts *counts, int pool) {
  const double *load = &counts->load[(size_t)pool * load_count(counts)];
  double most = 0;
  for (size_t i = 0; i < load_count(counts); i++)
    most = load[i] > most ? load[i] : most;
  return most;
}

static void reserve(PlanCounts *counts, int pool, int rank, int by) {
  assert(rank >= 0);
  counts->reserved[pool].count[rank] += by;
  counts->known[pool] &= by > 0 ? UINT32_C(1) << rank : 0;
  counts->spare[pool * PLAN_RANKS_MAX + rank] -= by;
}

static void change(PlanCounts *counts, int class_, int pool, int rank, int by) {
  if (counts->is_balanced)
    change_load(counts, class_, pool, rank, by);
  *share_of(counts, class_, pool) += by;
  reserve(counts, pool, rank, by);
}

/* Would a slice of the rank fit into the pool, were one of rank `gone` not there? */
static bool makes_room(const PlanCounts *counts, int pool, int gone, int rank) {
  PlanAmounts reserved = counts->reserved[pool];
  reserved.count[gone]--;
  reserved.count[rank]++;
  return plan_holes_fit(geometry_of(counts, pool), &counts->holes[pool], &reserved);
}

/* The moves in their order: from the pool where the pod goes to the one that has room. */
static void carry_out(PlanCounts *counts, int class_, const PlanMoves *moves) {
  for (int i = moves->count - 1; i >= 0; i--) {
    const PlanMove *move = &moves->items[i];
    int into = i + 1 < moves->count ? moves->items[i + 1].pool : moves->last_pool;
    change(counts, move->class_, move->pool, rank_in(counts, move->class_, move->pool), -1);
    change(counts, move->class_, into, rank_in(counts, move->class_, into), 1);
  }
  int pool = moves->count ? moves->items[0].pool : moves->last_pool;
  change(counts, class_, pool, rank_in(counts, class_, pool), 1);
}

static bool is_possible(PlanCounts *counts, int class_, const PlanMoves *moves) {
  for (int i = 0; i < moves->count; i++) {
    const PlanMove *move = &moves->items[i];
    int comes = i ? moves->items[i - 1].class_ : class_;
    if (*share_of(counts, move->class_, move->pool) <= 0 ||
        !makes_room(counts, move->pool, rank_in(counts, move->class_, move->pool),
                    rank_in(counts, comes, move->pool)))
      return false;
  }
  int last = moves->count ? moves->items[moves->count - 1].class_ : class_;
  return has_spare(counts, moves->last_pool, rank_in(counts, last, moves->last_pool));
}

static void visit(PlanCounts *counts, int pool, int rank, int before, int mover) {
  struct PlanCountsSearch *search = counts->search;
  if (rank < 0 || search->visited[pool])
    return;
  search->visited[pool] = true;
  *array_push(&search->visits) = (Visit){.pool = pool, .rank = rank, .before = before, .mover = mover};
}

/* The chain that ends with this visit; false where it is too long. */
static bool trace(const PlanCounts *counts, int end, PlanMoves *ret_moves) {
  const Visit *visits = counts->search->visits.items;
  int count = 0;
  for (int i = end; visits[i].before >= 0; i = visits[i].before)
    count++;
  if (count > PLAN_MOVES_MAX)
    return false;
  *ret_moves = (PlanMoves){.count = count, .last_pool = visits[end].pool};
  for (int i = end; visits[i].before >= 0; i = visits[i].before)
    ret_moves->items[--count] = (PlanMove){.pool = visits[visits[i].before].pool, .class_ = visits[i].mover};
  return true;
}

/* Where could pods of the class go that is in the way? */
static void follow(PlanCounts *counts, int from, int mover) {
  const Visit at = counts->search->visits.items[from];
  int gone = rank_in(counts, mover, at.pool);
  counts->steps--;
  if (*share_of(counts, mover, at.pool) <= 0 || !makes_room(counts, at.pool, gone, at.rank))
    return;
  for (int pool = 0; pool < (int)counts->problem->pools.count; pool++)
    if (!counts->search->visited[pool])
      visit(counts, pool, rank_in(counts, mover, pool), from, mover);
}

static bool find_moves(PlanCounts *counts, int class_, PlanMoves *ret_moves) {
  struct PlanCountsSearch *search = counts->search;
  array_clear(&search->visits);
  memset(search->visited, 0, counts->problem->pools.count * sizeof *search->visited);
  for (int pool = 0; pool < (int)counts->problem->pools.count; pool++)
    visit(counts, pool, rank_in(counts, class_, pool), -1, -1);
  for (int i = 0; i < (int)search->visits.count && counts->steps > 0; i++) {
    const Visit *at = &search->visits.items[i];
    if (at->before >= 0 && has_spare(counts, at->pool, at->rank))
      return trace(counts, i, ret_moves);
    for (int mover = 0; mover < (int)counts->problem->classes.count && counts->steps > 0; mover++)
      if (counts->shares[mover].count && mover != class_)
        follow(counts, i, mover);
  }
  return false;
}

static bool make_room(PlanCounts *counts, int class_) {
  PlanMoves *moves = &counts->moves[class_];
  if (counts->stuck[class_])
    return false;
  if (!moves->count || !is_possible(counts, class_, moves)) {
    moves->count = 0;
    counts->stuck[class_] = !find_moves(counts, class_, moves);
  }
  if (!counts->stuck[class_])
    carry_out(counts, class_, moves);
  return !counts->stuck[class_];
}

/* A pool that is full for a class stays so, because reservations only grow. */
static int first_pool(PlanCounts *counts, int class_, int kind) {
  const PlanClass *asking = &counts->problem->classes.items[class_];
  for (int *next = &counts->next_pools[class_]; *next < (int)counts->problem->pools.count; ++*next) {
    int pool = counts->pools[*next], rank = plan_class_rank(counts->problem, asking, kind, pool);
    if (rank >= 0 && has_spare(counts, pool, rank))
      return pool;
  }
  return -1;
}

static int least_loaded_pool(PlanCounts *counts, int class_, int kind) {
  const PlanClass *asking = &counts->problem->classes.items[class_];
  int first = first_pool(counts, class_, kind), chosen = first;
  for (int i = counts->next_pools[class_] + 1; first >= 0 && i < (int)counts->problem->pools.count; i++) {
    int pool = counts->pools[i], rank = plan_class_rank(counts->problem, asking, kind, pool);
    if (rank >= 0 && load_of(counts, pool) < load_of(counts, chosen) && has_spare(counts, pool, rank))
      chosen = pool;
  }
  return chosen;
}

/* Where pools are filled one after the other, mostly pods do as the one of their class before them. Returns
 * how many do. */
static int add_as_before(PlanCounts *counts, int class_, int most) {
  PlanShares *shares = &counts->shares[class_];
  if (counts->is_balanced || !shares->count ||
      counts->next_pools[class_] >= (int)counts->problem->pools.count)
    return 0;
  PlanShare *share = &shares->items[counts->latest[class_]];
  int spare = counts->spare[share->pool * PLAN_RANKS_MAX + share->rank], added = spare < most ? spare : most;
  if (share->pool != counts->pools[counts->next_pools[class_]] ||
      !(counts->known[share->pool] >> share->rank & 1) || added <= 0)
    return 0;
  share->count += added;
  reserve(counts, share->pool, share->rank, added);
  return added;
}

static bool add_one(PlanCounts *counts, int class_, int kind) {
  int pool = counts->is_balanced ? least_loaded_pool(counts, class_, kind) : first_pool(counts, class_, kind);
  if (pool < 0)
    return make_room(counts, class_);
  change(counts, class_, pool, rank_in(counts, class_, pool), 1);
  return true;
}

int plan_counts_add(PlanCounts *counts, int class_, int kind, int most) {
  int added = 0;
  while (added < most) {
    int more = add_as_before(counts, class_, most - added);
    if (!more && !add_one(counts, class_, kind))
      break;
    added += more ? more : 1;
  }
  return added;
}
