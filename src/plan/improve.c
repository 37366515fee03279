/* SPDX-License-Identifier: Apache-2.0 */
/* The state is how many pods of each type (a class in a tier) are on each host, and what they ask there
 * together; where their slices go is asked of the packing only as a question of yes or no, whose answers are
 * remembered: a set of slices has a place on a host or not, whatever was there meanwhile. Hosts whose GPUs
 * are alike share them.
 *
 * The order of chances comes from a generator with a fixed seed, so the result depends on the problem and on
 * the budget, and on nothing else. */
#include "plan/improve.h"

#include "base/random.h"
#include "plan/fit.h"
#include "plan/most.h"

#include <limits.h>
#include <math.h>

enum {
  GLANCES_EACH = 10,       /* of a type at a host that is full for it: as long as one step */
  RUINED_MAX = 4,          /* hosts of one round */
  IDLE_ROUNDS_MAX = 60000, /* in vain */
  IDLE_ROUNDS_MIN = 9000,
  IDLE_ROUNDS_EACH = 300, /* of each type and host */
  FEW_PODS = 64,          /* where one more is worth a longer search */
};

typedef struct Type {
  int class_, tier;
  int wanted, served;
  double key; /* the order in which types are put back */
} Type;

typedef struct Move {
  int host, type, count;
} Move;

typedef struct Improve {
  const PlanProblem *problem;
  const PlanPrices *prices;
  PlanMeans means;
  PlanBudget *budget;
  Random random;
  Type *types;
  int type_count, host_count, kind_count;
  size_t room_width; /* resources, and places for pods */
  int *type_of;      /* by class, by tier: index + 1 */
  int *on;           /* by host, by type: pods */
  int *asked;        /* by host, by kind: slices */
  int64_t *rooms;    /* by host: what is left, as in PlanProblem.rooms */
  uint32_t *versions;
  uint32_t *full; /* by host, by type: the version, plus one, in which it took none of them */
  int *served;    /* by tier */
  int *order;     /* types, as they are put back */
  PlanFits *fits;
  const int *enough; /* by tier: no more is looked for; NULL: as many as possible */
  ARRAY(Move) moves; /* of this round */
} Improve;

static void improve_deinit(Improve *improve) {
  free(improve->types);
  free(improve->type_of);
  free(improve->on);
  free(improve->asked);
  free(improve->rooms);
  free(improve->versions);
  free(improve->full);
  free(improve->served);
  free(improve->order);
  plan_fits_free(improve->fits);
  array_deinit(&improve->moves);
}

static int *at(int *table, int host, int width, int column) {
  return &table[(size_t)host * (size_t)width + (size_t)column];
}

/* ---- the state ---- */

static void collect_types(Improve *improve) {
  const PlanProblem *problem = improve->problem;
  improve->types = mem_alloc((PLAN_IMPROVE_TYPES_MAX + 1) * sizeof *improve->types);
  improve->type_of =
      mem_alloc(problem->classes.count * (size_t)problem->tier_count * sizeof *improve->type_of);
  for (size_t i = 0; i < problem->waiting.count && improve->type_count <= PLAN_IMPROVE_TYPES_MAX; i++) {
    const PlanWaiting *waiting = &problem->waiting.items[i];
    int *known = at(improve->type_of, waiting->class_, problem->tier_count, waiting->tier);
    if (!*known) {
      improve->types[improve->type_count] = (Type){.class_ = waiting->class_, .tier = waiting->tier};
      *known = ++improve->type_count;
    }
    improve->types[*known - 1].wanted++;
  }
}

static const PlanClass *class_of(const Improve *improve, int type) {
  return &improve->problem->classes.items[improve->types[type].class_];
}

static int type_of(const Improve *improve, size_t waiting) {
  const PlanWaiting *pod = &improve->problem->waiting.items[waiting];
  return *at(improve->type_of, pod->class_, improve->problem->tier_count, pod->tier) - 1;
}

static void change(Improve *improve, int host, int type, int sign) {
  const PlanClass *class_ = class_of(improve, type);
  int64_t *rooms = &improve->rooms[(size_t)host * improve->room_width];
  for (int n = 0; n < class_->need_count; n++)
    *at(improve->asked, host, improve->kind_count, class_->needs[n].kind) += sign * class_->needs[n].count;
  for (size_t i = 0; i < improve->room_width; i++)
    rooms[i] -= sign * class_->takes[i];
  *at(improve->on, host, improve->type_count, type) += sign;
  improve->types[type].served += sign;
  improve->served[improve->types[type].tier] += sign;
  improve->versions[host]++;
}

static void move(Improve *improve, int host, int type, int sign) {
  change(improve, host, type, sign);
  *array_push(&improve->moves) = (Move){.host = host, .type = type, .count = sign};
}

static void undo(Improve *improve) {
  for (size_t i = improve->moves.count; i-- > 0;) {
    const Move *made = &improve->moves.items[i];
    change(improve, made->host, made->type, -made->count);
  }
}

static void init_tables(Improve *improve) {
  const PlanProblem *problem = improve->problem;
  size_t hosts = problem->hosts.count, kinds = problem->kinds.count, types = (size_t)improve->type_count;
  improve->host_count = (int)hosts;
  improve->kind_count = (int)kinds;
  improve->room_width = problem->resources.count + 1;
  improve->on = mem_alloc(hosts * types * sizeof *improve->on);
  improve->full = mem_alloc(hosts * types * sizeof *improve->full);
  improve->asked = mem_alloc(hosts * kinds * sizeof *improve->asked);
  improve->versions = mem_alloc(hosts * sizeof *improve->versions);
  improve->rooms = mem_alloc(hosts * improve->room_width * sizeof *improve->rooms);
  improve->served = mem_alloc((size_t)problem->tier_count * sizeof *improve->served);
  improve->order = mem_alloc(types * sizeof *improve->order);
  improve->fits = plan_fits_new(problem, improve->means, improve->budget);
  memcpy(improve->rooms, problem->rooms, hosts * improve->room_width * sizeof *improve->rooms);
}

static void start_from(Improve *improve, const PlanOffer *offer) {
  for (size_t i = 0; i < improve->problem->waiting.count; i++)
    if (offer->hosts[i] >= 0)
      change(improve, offer->hosts[i], type_of(improve, i), 1);
}

/* ---- what a host takes ---- */

/* Puts one more pod on the host if it takes it. */
static bool add(Improve *improve, int host, int type) {
  uint32_t *full = &improve->full[(size_t)host * (size_t)improve->type_count + (size_t)type];
  if (*full == improve->versions[host] + 1 || !plan_class_admits(class_of(improve, type), host))
    return false;
  plan_budget_take(improve->budget, 1);
  if (plan_rooms_hold(improve->problem, class_of(improve, type),
                      &improve->rooms[(size_t)host * improve->room_width])) {
    uint32_t before = improve->versions[host];
    change(improve, host, type, 1);
    if (plan_fits_ask(improve->fits, host, at(improve->asked, host, improve->kind_count, 0))) {
      *array_push(&improve->moves) = (Move){.host = host, .type = type, .count = 1};
      return true;
    }
    change(improve, host, type, -1);
    improve->versions[host] = before;
  }
  *full = improve->versions[host] + 1;
  return false;
}

/* ---- ruin ---- */

static void give_up(Improve *improve, int host, bool all) {
  for (int type = 0; type < improve->type_count; type++)
    for (int pods = *at(improve->on, host, improve->type_count, type); pods > 0; pods--)
      if (all || random_below(&improve->random, 2))
        move(improve, host, type, -1);
}

/* A type that waits, or -1: each round begins with a host that might take one. */
static int choose_waiting(Improve *improve) {
  int chosen = -1;
  uint64_t seen = 0;
  for (int type = 0; type < improve->type_count; type++)
    if (improve->types[type].served < improve->types[type].wanted && !random_below(&improve->random, ++seen))
      chosen = type;
  return chosen;
}

static int choose_host(Improve *improve, int type) {
  for (int tries = 0; tries < 8; tries++) {
    int host = (int)random_below(&improve->random, (uint64_t)improve->host_count);
    if (type < 0 || plan_class_admits(class_of(improve, type), host))
      return host;
  }
  return (int)random_below(&improve->random, (uint64_t)improve->host_count);
}

static int ruin(Improve *improve, int *ret_hosts) {
  int count = 1 + (int)random_below(&improve->random, RUINED_MAX), waiting = choose_waiting(improve);
  for (int i = 0; i < count; i++) {
    ret_hosts[i] = choose_host(improve, i == 0 || random_below(&improve->random, 2) ? waiting : -1);
    give_up(improve, ret_hosts[i], random_below(&improve->random, 3) == 0);
  }
  return count;
}

/* ---- recreate ---- */

static double chance(Improve *improve) {
  return (double)(random_next(&improve->random) >> 11) * 0x1p-53;
}

static double cost_on(const Improve *improve, int type, int host) {
  const Type *what = &improve->types[type];
  if (improve->prices->costs)
    return plan_prices_cost(improve->prices, improve->problem, what->class_, host);
  return class_of(improve, type)->slot_count;
}

static int compare_types(const void *a, const void *b, void *userdata) {
  const Type *types = userdata;
  const Type *left = &types[*(const int *)a], *right = &types[*(const int *)b];
  if (left->tier != right->tier)
    return left->tier - right->tier;
  if (left->key != right->key)
    return left->key < right->key ? -1 : 1;
  return *(const int *)a - *(const int *)b;
}

/* The cheapest first, more or less. */
static void shuffle_types(Improve *improve, int host) {
  double noise = chance(improve) < 0.2 ? 4 : 0.6;
  for (int type = 0; type < improve->type_count; type++) {
    improve->order[type] = type;
    improve->types[type].key = (cost_on(improve, type, host) + 0.05) * (1 + noise * (chance(improve) - 0.5));
  }
  qsort_r(improve->order, (size_t)improve->type_count, sizeof *improve->order, compare_types, improve->types);
}

/* Puts up to `most` pods of the type on the hosts, in their order from the first one; returns how many. */
static int put_back(Improve *improve, int type, const int *hosts, int host_count, int most) {
  Type *what = &improve->types[type];
  int count = 0;
  for (int i = 0; i < host_count; i++)
    while (count < most && what->served < what->wanted && add(improve, hosts[i], type))
      count++;
  return count;
}

static void put_anywhere(Improve *improve, int type) {
  const Type *what = &improve->types[type];
  int first = (int)random_below(&improve->random, (uint64_t)improve->host_count);
  for (int i = 0; i < improve->host_count && what->served < what->wanted; i++) {
    int host = (first + i) % improve->host_count;
    (void)put_back(improve, type, &host, 1, INT_MAX);
  }
}

/* The types of one tier, some pods of each in turn, so that they come together on a host in any mixture. */
static void recreate_tier(Improve *improve, int first, int end, const int *hosts, int host_count) {
  static const int portions[] = {1, 1, 2, INT_MAX, INT_MAX};
  int portion = portions[random_below(&improve->random, COUNT_OF(portions))], count;
  do {
    count = 0;
    for (int i = first; i < end; i++) {
      count += put_back(improve, improve->order[i], hosts, host_count, portion);
      if (portion == INT_MAX)
        put_anywhere(improve, improve->order[i]);
    }
  } while (count && portion < INT_MAX);
  for (int i = first; i < end && portion < INT_MAX; i++)
    put_anywhere(improve, improve->order[i]);
}

static void recreate(Improve *improve, const int *hosts, int host_count) {
  int end;
  shuffle_types(improve, hosts[0]);
  for (int first = 0; first < improve->type_count; first = end) {
    int tier = improve->types[improve->order[first]].tier;
    for (end = first + 1; end < improve->type_count && improve->types[improve->order[end]].tier == tier;)
      end++;
    recreate_tier(improve, first, end, hosts, host_count);
  }
}

/* ---- rounds ---- */

static int compare(const Improve *improve, const int *served, const int *than) {
  for (int tier = 0; tier < improve->problem->tier_count; tier++)
    if (served[tier] != than[tier])
      return served[tier] > than[tier] ? 1 : -1;
  return 0;
}

static int compare_served(const Improve *improve, const int *before) {
  return compare(improve, improve->served, before);
}

static bool serves_all(const Improve *improve) {
  for (int type = 0; type < improve->type_count; type++)
    if (improve->types[type].served < improve->types[type].wanted)
      return false;
  return true;
}

static int total(const Improve *improve) {
  int sum = 0;
  for (int tier = 0; tier < improve->problem->tier_count; tier++)
    sum += improve->served[tier];
  return sum;
}

static bool is_done(const Improve *improve) {
  bool is_most = improve->problem->tier_count == 1 && isfinite(improve->prices->bound) &&
                 total(improve) >= (int)(improve->prices->bound + 1e-6);
  return is_most || (improve->enough && compare_served(improve, improve->enough) >= 0) || serves_all(improve);
}

/* What the hosts' goods that nobody pays for are worth, squared host by host: of states that serve as many,
 * the one is nearer to serving more that has its waste in one place. 0 where there are no prices. */
static double waste(const Improve *improve) {
  double sum = 0;
  for (int host = 0; improve->prices->worth && host < improve->host_count; host++) {
    double left = improve->prices->worth[host];
    for (int type = 0; type < improve->type_count; type++) {
      int pods = *at(improve->on, host, improve->type_count, type);
      left -= pods ? pods * cost_on(improve, type, host) : 0;
    }
    sum += left * left;
  }
  return sum;
}

static int64_t idle_most(const Improve *improve) {
  int64_t most = (int64_t)IDLE_ROUNDS_EACH * improve->type_count * improve->host_count;
  most = most > IDLE_ROUNDS_MAX ? IDLE_ROUNDS_MAX : most;
  if (!improve->enough)
    most += most * FEW_PODS / (total(improve) + FEW_PODS / 8);
  most = most < IDLE_ROUNDS_MIN ? IDLE_ROUNDS_MIN : most;
  return improve->enough ? most / 3 : most;
}

/* A state that serves as many may waste a little worse, or all would end in the same corner. */
static void run_rounds(Improve *improve) {
  int hosts[RUINED_MAX] = {0};
  size_t size = (size_t)improve->problem->tier_count * sizeof *improve->served;
  CLEANUP(cleanup_free) int *before = mem_alloc(size);
  int64_t idle_max = idle_most(improve);
  double wasted = waste(improve);
  int64_t steps = 1 + (int64_t)improve->type_count * improve->host_count / GLANCES_EACH;
  bool over = false;
  for (int64_t idle = 0; idle < idle_max && !over && !is_done(improve); idle++) {
    memcpy(before, improve->served, size);
    array_clear(&improve->moves);
    int count = ruin(improve, hosts);
    recreate(improve, hosts, count);
    over = !plan_budget_take(improve->budget, steps);
    int order = compare_served(improve, before);
    double wastes = waste(improve);
    if (order > 0)
      idle = 0;
    else if (order < 0 || wastes < wasted - chance(improve) * chance(improve)) {
      undo(improve);
      continue;
    }
    wasted = wastes;
  }
}

static void take_offer(Improve *improve, PlanOffer *offer) {
  const PlanProblem *problem = improve->problem;
  CLEANUP(cleanup_free) int *next = mem_alloc((size_t)improve->type_count * sizeof *next);
  for (size_t i = 0; i < problem->waiting.count; i++) {
    int type = type_of(improve, i), *host = &next[type];
    while (*host < improve->host_count && !*at(improve->on, *host, improve->type_count, type))
      ++*host;
    offer->hosts[i] = *host < improve->host_count ? *host : -1;
    if (*host < improve->host_count)
      --*at(improve->on, *host, improve->type_count, type);
  }
  plan_realise(problem, improve->means, offer);
}

/* Without creating anything, no more pods can be served than there are free slices. */
static bool may_be_enough(const Improve *improve) {
  const PlanProblem *problem = improve->problem;
  int64_t slices = 0, pods = 0;
  for (size_t i = 0; i < problem->hosts.count * problem->kinds.count; i++)
    slices += problem->free[i];
  for (int tier = 0; improve->enough && tier < problem->tier_count; tier++)
    pods += improve->enough[tier];
  return pods <= slices;
}

/* Is the start one of the states that are counted? */
static bool is_sound(const Improve *improve) {
  for (int host = 0; host < improve->host_count; host++) {
    const int64_t *rooms = &improve->rooms[(size_t)host * improve->room_width];
    bool is_empty = true;
    for (int type = 0; type < improve->type_count; type++)
      if (*at(improve->on, host, improve->type_count, type)) {
        is_empty = false;
        if (!plan_class_admits(class_of(improve, type), host))
          return false;
        for (size_t i = 0; i < improve->room_width; i++)
          if (class_of(improve, type)->takes[i] > 0 && rooms[i] < 0)
            return false;
      }
    if (!is_empty && !plan_fits_ask(improve->fits, host, at(improve->asked, host, improve->kind_count, 0)))
      return false;
  }
  return true;
}

/* All that any round could come to is counted; where that is not worth a round, none is played. */
static bool is_in_vain(const Improve *improve, const int *served) {
  const PlanProblem *problem = improve->problem;
  PlanMostType types[PLAN_MOST_TYPES_MAX];
  CLEANUP(cleanup_free) int *most = mem_alloc((size_t)problem->tier_count * sizeof *most);
  if (improve->type_count > PLAN_MOST_TYPES_MAX || is_done(improve) || !is_sound(improve))
    return false;
  for (int type = 0; type < improve->type_count; type++)
    types[type] = (PlanMostType){.class_ = improve->types[type].class_,
                                 .tier = improve->types[type].tier,
                                 .wanted = improve->types[type].wanted};
  if (!plan_most_count(problem, improve->fits, types, improve->type_count, most))
    return false;
  int order = compare(improve, most, served);
  return order < 0 || (order == 0 && improve->means != PLAN_BY_EXISTING);
}

bool plan_improve(const PlanProblem *problem, PlanMeans means, const PlanPrices *prices, PlanBudget *budget,
                  PlanOffer *offer) {
  CLEANUP(improve_deinit)
  Improve improve = {
      .problem = problem, .prices = prices, .means = means, .budget = budget, .random = {.state = 1}};
  if (problem->is_coupled || !problem->rooms || !problem->hosts.count ||
      problem->hosts.count > PLAN_IMPROVE_HOSTS_MAX || budget->exhausted)
    return false;
  collect_types(&improve);
  if (improve.type_count > PLAN_IMPROVE_TYPES_MAX)
    return false;
  init_tables(&improve);
  if (means == PLAN_BY_EXISTING)
    improve.enough = offer->served;
  else
    start_from(&improve, offer);
  if (!may_be_enough(&improve) || is_in_vain(&improve, offer->served))
    return false;
  run_rounds(&improve);
  int order = compare_served(&improve, offer->served);
  if (order < 0 || (order == 0 && means != PLAN_BY_EXISTING))
    return false;
  take_offer(&improve, offer);
  return true;
}
