/* SPDX-License-Identifier: Apache-2.0 */
/* The steps:
 *
 *   1. in the order of service (tier, smallest first), each pod takes a free slice that exists, or else is
 *      counted in a pool that has one to spare (bulk_count.c);
 *   2. pool by pool, the largest slices first, what was counted is placed where the least worth is lost, on
 *      GPUs that are changed already, then on hosts that are, then in the order of names (bulk_place.c);
 *   3. where a host ran out of something else, what is left tries all pools once more, tier by tier.
 *
 * Without 3, with each class at home in one pool, step 1 is the exact optimum (hole.c) and step 2 attains it.
 * Where that proves nothing, it is tried a second time, each tier through all steps before the next one.
 * Resources only shrink here, so whoever was refused once is refused for good, and nothing is asked twice. */
#include "plan/bulk.h"

#include "plan/bulk_count.h"
#include "plan/bulk_place.h"

typedef struct Home { /* a host with free slices of one kind */
  int host;
  int64_t count;
} Home;

typedef ARRAY(Home) Homes;

typedef struct Run { /* waiting pods of one class that stand together */
  int first, end;
} Run;

typedef ARRAY(Run) Runs;

typedef struct Bulk {
  const PlanProblem *problem;
  PlanPlaces places;
  PlanCounts counts;
  bool *left_out;     /* by class */
  Homes *homes;       /* by kind: where free slices are; hosts that fewer classes can use first */
  int *next_homes;    /* by class: those before this position have nothing for it any more */
  Runs counted;       /* they get new slices */
  size_t *next_share; /* by class: of its shares, the one that the next pod takes from */
  PlanBatch *batches; /* by pool, by rank */
} Bulk;

static void bulk_deinit(Bulk *bulk) {
  for (size_t kind = 0; kind < bulk->problem->kinds.count; kind++)
    array_deinit(&bulk->homes[kind]);
  plan_counts_deinit(&bulk->counts);
  plan_places_deinit(&bulk->places);
  free(bulk->left_out);
  free(bulk->homes);
  free(bulk->next_homes);
  array_deinit(&bulk->counted);
  free(bulk->next_share);
  free(bulk->batches);
}

static int contention_of(const PlanProblem *problem, int host) {
  return problem->hosts.items[host].contention;
}

static int compare_homes(const void *a, const void *b, void *userdata) {
  const Home *left = a, *right = b;
  int difference = contention_of(userdata, left->host) - contention_of(userdata, right->host);
  return difference ? difference : left->host - right->host;
}

static void find_homes(Bulk *bulk) {
  const PlanProblem *problem = bulk->problem;
  for (int host = 0; host < (int)problem->hosts.count && problem->free_most; host++)
    for (int kind = 0; kind < (int)problem->kinds.count; kind++) {
      int count = problem->free[(size_t)host * problem->kinds.count + (size_t)kind];
      if (count)
        *array_push(&bulk->homes[kind]) = (Home){.host = host, .count = count};
    }
  for (size_t kind = 0; kind < problem->kinds.count; kind++)
    if (bulk->homes[kind].count)
      qsort_r(bulk->homes[kind].items, bulk->homes[kind].count, sizeof(Home), compare_homes, (void *)problem);
}

/* Does some GPU that the class may use have its profile in a way that counters know nothing of? */
static bool has_uncounted_gpus(const PlanProblem *problem, const PlanClass *class_, int kind) {
  CLEANUP(cleanup_free) bool *uncounted = mem_alloc(problem->models.count);
  bool any = false;
  for (size_t i = 0; i < problem->models.count; i++) {
    const PlanModel *model = &problem->models.items[i];
    uncounted[i] = model->profile_of_kind[kind] >= 0 &&
                   !(model->is_counted && problem->shapes.items[model->shape].rank_of_kind[kind] >= 0);
    any |= uncounted[i];
  }
  for (size_t i = 0; i < problem->gpus.count && any; i++)
    if (uncounted[problem->gpus.items[i].model] && plan_class_admits(class_, problem->gpus.items[i].host))
      return true;
  return false;
}

bool plan_bulk_leaves_out(const PlanProblem *problem, const PlanClass *class_) {
  int kind = plan_class_single_kind(class_);
  return class_->is_coupled || kind < 0 || !class_->takes || has_uncounted_gpus(problem, class_, kind);
}

static void bulk_init(Bulk *bulk, const PlanProblem *problem, PlanOffer *offer) {
  size_t classes = problem->classes.count, pools = problem->pools.count;
  *bulk = (Bulk){
      .problem = problem,
      .left_out = mem_alloc(classes * sizeof *bulk->left_out),
      .homes = mem_alloc(problem->kinds.count * sizeof *bulk->homes),
      .next_homes = mem_alloc(classes * sizeof *bulk->next_homes),
      .next_share = mem_alloc(classes * sizeof *bulk->next_share),
      .batches = mem_alloc(pools * PLAN_RANKS_MAX * sizeof *bulk->batches),
  };
  for (size_t i = 0; i < classes; i++)
    bulk->left_out[i] = plan_bulk_leaves_out(problem, &problem->classes.items[i]);
  find_homes(bulk);
  plan_places_init(&bulk->places, problem, offer);
  plan_counts_init(&bulk->counts, problem, bulk->places.holes);
}

/* A host without a free slice for the class, or without room for it, stays so. */
static bool take_existing(Bulk *bulk, int waiting, int class_, int kind) {
  const PlanClass *asking = &bulk->problem->classes.items[class_];
  Homes *homes = &bulk->homes[kind];
  for (int *next = &bulk->next_homes[class_]; *next < (int)homes->count; ++*next) {
    Home *home = &homes->items[*next];
    if (home->count && plan_class_admits(asking, home->host) &&
        plan_places_seat(&bulk->places, waiting, home->host)) {
      home->count--;
      return true;
    }
  }
  return false;
}

/* The end of those from `first` on that are of its class. */
static int end_of_run(const PlanProblem *problem, int first, int end) {
  int run = first + 1;
  while (run < end && problem->waiting.items[run].class_ == problem->waiting.items[first].class_)
    run++;
  return run;
}

/* Pods of one class: who comes first gets what there is, and where one gets nothing, those behind it do not
 * either. */
static void accept_run(Bulk *bulk, int waiting, int end) {
  int class_ = bulk->problem->waiting.items[waiting].class_;
  int kind = plan_class_single_kind(&bulk->problem->classes.items[class_]);
  while (waiting < end && take_existing(bulk, waiting, class_, kind))
    waiting++;
  int counted = plan_counts_add(&bulk->counts, class_, kind, end - waiting);
  if (counted)
    *array_push(&bulk->counted) = (Run){.first = waiting, .end = waiting + counted};
}

static void accept(Bulk *bulk, int first, int end) {
  array_clear(&bulk->counted);
  for (int run; first < end; first = run) {
    run = end_of_run(bulk->problem, first, end);
    if (!bulk->left_out[bulk->problem->waiting.items[first].class_])
      accept_run(bulk, first, run);
  }
}

static void spread_run(Bulk *bulk, const Run *run) {
  int class_ = bulk->problem->waiting.items[run->first].class_;
  size_t *next = &bulk->next_share[class_];
  for (int waiting = run->first; waiting < run->end;) {
    PlanShare *share = &bulk->counts.shares[class_].items[*next];
    PlanBatch *batch = &bulk->batches[share->pool * PLAN_RANKS_MAX + share->rank];
    int more = share->count < run->end - waiting ? share->count : run->end - waiting;
    if (more)
      plan_batch_add(&bulk->places, batch, waiting, waiting + more);
    waiting += more;
    share->count -= more;
    *next += !share->count;
  }
}

/* The pods of a class are spread over the pools in which it has shares, the oldest first. */
static void spread(Bulk *bulk) {
  memset(bulk->next_share, 0, bulk->problem->classes.count * sizeof *bulk->next_share);
  memset(bulk->batches, 0, bulk->problem->pools.count * PLAN_RANKS_MAX * sizeof *bulk->batches);
  for (size_t i = 0; i < bulk->counted.count; i++)
    spread_run(bulk, &bulk->counted.items[i]);
}

static void place_reservations(Bulk *bulk) {
  spread(bulk);
  for (int pool = 0; pool < (int)bulk->problem->pools.count; pool++)
    for (int rank = PLAN_RANKS_MAX - 1; rank >= 0; rank--)
      plan_places_fill(&bulk->places, pool, rank, &bulk->batches[pool * PLAN_RANKS_MAX + rank],
                       &bulk->counts.reserved[pool]);
  plan_counts_clear(&bulk->counts);
}

/* Those of the kind from first to end who are not served yet and may use the pool. */
static PlanBatch collect_rest(Bulk *bulk, int first, int end, int kind, int pool) {
  const PlanProblem *problem = bulk->problem;
  PlanBatch batch = {0};
  for (int waiting = first; waiting < end; waiting++) {
    int class_ = problem->waiting.items[waiting].class_;
    const PlanClass *asking = &problem->classes.items[class_];
    if (bulk->places.offer->hosts[waiting] < 0 && !bulk->left_out[class_] &&
        plan_class_single_kind(asking) == kind && plan_class_rank(problem, asking, kind, pool) >= 0)
      plan_batch_add(&bulk->places, &batch, waiting, waiting + 1);
  }
  return batch;
}

static void serve_rest_of(Bulk *bulk, int first, int end, int kind) {
  const PlanProblem *problem = bulk->problem;
  for (size_t i = 0; i < problem->pools.count; i++) {
    int pool = bulk->counts.pools[i];
    int rank = problem->shapes.items[problem->pools.items[pool].shape].rank_of_kind[kind];
    if (rank < 0)
      continue;
    PlanBatch batch = collect_rest(bulk, first, end, kind, pool);
    plan_places_fill(&bulk->places, pool, rank, &batch, NULL);
  }
}

/* Pods of one tier and size stand together, mostly of one kind. */
static void serve_rest(Bulk *bulk, int first, int count) {
  const PlanProblem *problem = bulk->problem;
  const PlanWaiting *waiting = problem->waiting.items;
  for (int end; first < count; first = end) {
    const PlanClass *asking = &problem->classes.items[waiting[first].class_];
    for (end = first + 1; end < count && waiting[end].tier == waiting[first].tier; end++) {
      const PlanClass *other = &problem->classes.items[waiting[end].class_];
      if (other->slot_count != asking->slot_count || other->slice_count != asking->slice_count)
        break;
    }
    for (int kind = 0; kind < (int)problem->kinds.count; kind++)
      serve_rest_of(bulk, first, end, kind);
  }
}

static void serve(Bulk *bulk, int first, int end) {
  accept(bulk, first, end);
  place_reservations(bulk);
  if (bulk->places.refused)
    serve_rest(bulk, first, end);
}

/* All places where the class could be served are alike: in one pool, on hosts that admit the same classes. */
static bool has_one_home(const Bulk *bulk, const PlanClass *class_, int kind) {
  const PlanProblem *problem = bulk->problem;
  int home = -1, pools = 0;
  for (int pool = 0; pool < (int)problem->pools.count; pool++)
    if (plan_class_rank(problem, class_, kind, pool) >= 0) {
      home = problem->pools.items[pool].host;
      pools++;
    }
  for (size_t i = 0; i < bulk->homes[kind].count && pools < 2; i++) {
    int host = bulk->homes[kind].items[i].host;
    if (!plan_class_admits(class_, host))
      continue;
    if (home >= 0 && problem->hosts.items[home].signature != problem->hosts.items[host].signature)
      return false;
    home = host;
  }
  return pools < 2;
}

static bool are_all_at_home(const Bulk *bulk) {
  for (size_t i = 0; i < bulk->problem->classes.count; i++) {
    const PlanClass *class_ = &bulk->problem->classes.items[i];
    if (!bulk->left_out[i] && !has_one_home(bulk, class_, plan_class_single_kind(class_)))
      return false;
  }
  return true;
}

static PlanBulkResult judge(const Bulk *bulk) {
  for (size_t i = 0; i < bulk->problem->classes.count; i++)
    if (bulk->left_out[i])
      return PLAN_BULK_PARTIAL;
  return !bulk->places.refused && are_all_at_home(bulk) ? PLAN_BULK_PROVEN : PLAN_BULK_COMPLETE;
}

static PlanBulkResult solve(const PlanProblem *problem, bool by_tier, PlanOffer *ret_offer) {
  CLEANUP(bulk_deinit) Bulk bulk;
  plan_offer_init(ret_offer, problem);
  bulk_init(&bulk, problem, ret_offer);
  int count = (int)problem->waiting.count, end = 0;
  for (int first = 0; first < count; first = end) {
    end = by_tier ? (int)plan_problem_tier_end(problem, (size_t)first) : count;
    serve(&bulk, first, end);
  }
  plan_places_finish(&bulk.places);
  if (bulk.places.refused) /* younger ones may sit on other hosts */
    plan_offer_prefer_oldest(ret_offer, problem);
  PlanBulkResult result = judge(&bulk);
  return by_tier && result == PLAN_BULK_PROVEN ? PLAN_BULK_COMPLETE : result;
}

PlanBulkResult plan_bulk_solve(const PlanProblem *problem, PlanOffer *ret_offer) {
  PlanBulkResult result = solve(problem, false, ret_offer);
  if (result == PLAN_BULK_PROVEN || problem->tier_count <= 1)
    return result;
  CLEANUP(plan_offer_deinit) PlanOffer other;
  PlanBulkResult other_result = solve(problem, true, &other);
  if (!plan_offer_is_better(&other, ret_offer))
    return result;
  PlanOffer worse = *ret_offer;
  *ret_offer = other;
  other = worse;
  return other_result;
}
