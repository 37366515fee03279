/* SPDX-License-Identifier: Apache-2.0 */
/* With prices v for resources and w for kinds of slices on each host, the bound is
 *
 *     sum over hosts   of  what it has * v  +  free slices * w  +  the dearest cutting of its GPUs at w
 *   + sum over classes of  what its pods gain: one each, less what they pay on the cheapest hosts for them,
 *                          as many on a host as its resources would take, and none that would lose
 *
 * which is the Lagrangian of the linear program with the hosts' limits relaxed. The cuttings are those of
 * plan/cuts.h, so free slices that may go are part of them. Floating claims are not looked at: they only
 * take. Hosts that are alike in everything share their prices: the program is symmetric in them. */
#include "plan/prices.h"

#include "plan/cuts.h"
#include "plan/frame.h"

#include "base/real.h"

#include <math.h>

enum {
  COST_MAX = 1000000,                 /* of a pod on a host that does not admit it */
  GROUPS_TIMES_CLASSES_MAX = 1000000, /* larger problems are not priced */
};

typedef struct Pace { /* of the steps, in the measure of prices, which are below one */
  int rounds;
  double first, decay;
} Pace;

static const Pace paces[] = {
    [false] = {.rounds = 400, .first = 0.08, .decay = 0.985},
    [true] = {.rounds = 150, .first = 0.1, .decay = 0.96},
};

typedef struct Group {
  int host, count; /* the first of so many that are alike */
} Group;

typedef struct Offering { /* of a group to a class */
  double gain;
  int group;
  double most; /* pods */
} Offering;

typedef struct Dual {
  const PlanProblem *problem;
  PlanBudget *budget;
  int kinds, resources, width; /* goods of a group: its resources, then its kinds */
  ARRAY(Group) groups;
  int *group_of;  /* by host */
  int *family_of; /* by group: equal for those that admit the same classes */
  size_t family_count;
  double *shared; /* by family, by good */
  double least;   /* bound so far, with the best prices */
  PlanCutTable table;
  int *cuts;          /* by GPU: their number in the table; of groups' first hosts only */
  uint64_t *frames;   /* by host */
  int *wanted;        /* by class: pods */
  double *asks, *has; /* by class and by group, by good; resources in units of what is asked in the mean */
  double *most;       /* by class, by group: pods that the group's resources would take */
  double *prices, *best, *slack, *squares; /* by group, by good */
  Offering *offerings;
} Dual;

static void dual_deinit(Dual *dual) {
  array_deinit(&dual->groups);
  free(dual->group_of);
  free(dual->family_of);
  free(dual->shared);
  free(dual->cuts);
  plan_cut_table_deinit(&dual->table);
  free(dual->frames);
  free(dual->wanted);
  free(dual->asks);
  free(dual->has);
  free(dual->most);
  free(dual->prices);
  free(dual->best);
  free(dual->slack);
  free(dual->squares);
  free(dual->offerings);
}

static double *row(const Dual *dual, double *table, int index) {
  return &table[(size_t)index * (size_t)dual->width];
}

/* ---- what there is ---- */

static int compare_hosts(const void *a, const void *b, void *userdata) {
  const Dual *dual = userdata;
  int left = *(const int *)a, right = *(const int *)b;
  if (dual->frames[left] != dual->frames[right])
    return dual->frames[left] < dual->frames[right] ? -1 : 1;
  uint64_t sign_left = dual->problem->hosts.items[left].signature,
           sign_right = dual->problem->hosts.items[right].signature;
  if (sign_left != sign_right)
    return sign_left < sign_right ? -1 : 1;
  return memcmp(plan_problem_rooms(dual->problem, left), plan_problem_rooms(dual->problem, right),
                (size_t)dual->resources * sizeof(int64_t));
}

static void group_hosts(Dual *dual) {
  int count = (int)dual->problem->hosts.count;
  CLEANUP(cleanup_free) int *order = mem_alloc((size_t)count * sizeof *order);
  for (int host = 0; host < count; host++)
    order[host] = host;
  qsort_r(order, (size_t)count, sizeof *order, compare_hosts, dual);
  for (int i = 0; i < count; i++) {
    if (i == 0 || compare_hosts(&order[i - 1], &order[i], dual) != 0)
      array_push(&dual->groups)->host = order[i];
    dual->groups.items[dual->groups.count - 1].count++;
    dual->group_of[order[i]] = (int)dual->groups.count - 1;
  }
}

static void find_families(Dual *dual) {
  CLEANUP(intern_deinit) Intern signatures = {0};
  dual->family_of = mem_alloc(dual->groups.count * sizeof *dual->family_of);
  for (size_t g = 0; g < dual->groups.count; g++) {
    uint64_t signature = dual->problem->hosts.items[dual->groups.items[g].host].signature;
    dual->family_of[g] = intern_number(&signatures, &signature, sizeof signature);
  }
  dual->family_count = signatures.count;
  dual->shared = mem_alloc(dual->family_count * (size_t)dual->width * sizeof *dual->shared);
}

/* What is asked of the resource in the mean, so that prices of cpus and of bytes are of one size. */
static double unit_of(const Dual *dual, int resource) {
  double sum = 0;
  int asking = 0;
  for (int class_ = 0; class_ < (int)dual->problem->classes.count; class_++) {
    sum += (double)dual->problem->classes.items[class_].takes[resource];
    asking += dual->problem->classes.items[class_].takes[resource] > 0;
  }
  return asking ? sum / asking : 1;
}

static int fixed_on(const Dual *dual, int group, int kind) {
  int fixed = plan_cut_table_fixed(&dual->table, dual->groups.items[group].host, kind);
  return fixed > 0 ? fixed : 0;
}

static void set_goods(Dual *dual) {
  int classes = (int)dual->problem->classes.count, groups = (int)dual->groups.count;
  for (int r = 0; r < dual->resources; r++) {
    double unit = unit_of(dual, r);
    for (int class_ = 0; class_ < classes; class_++)
      row(dual, dual->asks, class_)[r] = (double)dual->problem->classes.items[class_].takes[r] / unit;
    for (int group = 0; group < groups; group++) {
      double has = (double)plan_problem_rooms(dual->problem, dual->groups.items[group].host)[r] / unit;
      row(dual, dual->has, group)[r] = has > 0 ? has : 0;
    }
  }
  for (int kind = 0; kind < dual->kinds; kind++)
    for (int group = 0; group < groups; group++)
      row(dual, dual->has, group)[dual->resources + kind] = fixed_on(dual, group, kind);
  for (int class_ = 0; class_ < classes; class_++) {
    const PlanClass *asking = &dual->problem->classes.items[class_];
    for (int n = 0; n < asking->need_count; n++)
      row(dual, dual->asks, class_)[dual->resources + asking->needs[n].kind] = asking->needs[n].count;
  }
}

/* Whole pods on one host, which is where the program is sharper than its resources together. */
static double most_on(const Dual *dual, int class_, int group) {
  const int64_t *asks = dual->problem->classes.items[class_].takes;
  const int64_t *has = plan_problem_rooms(dual->problem, dual->groups.items[group].host);
  int64_t most = dual->wanted[class_];
  for (int r = 0; r < dual->resources; r++)
    if (asks[r] > 0 && (has[r] < 0 ? 0 : has[r] / asks[r]) < most)
      most = has[r] < 0 ? 0 : has[r] / asks[r];
  return (double)most * dual->groups.items[group].count;
}

static void set_most(Dual *dual) {
  for (int class_ = 0; class_ < (int)dual->problem->classes.count; class_++)
    for (int group = 0; group < (int)dual->groups.count; group++)
      dual->most[(size_t)class_ * dual->groups.count + (size_t)group] = most_on(dual, class_, group);
}

/* False where a GPU has more cuts than can be looked at, or all of them together. */
static bool find_cuts(Dual *dual) {
  bool are_whole = true;
  for (size_t g = 0; g < dual->groups.count && are_whole; g++) {
    const PlanHost *host = &dual->problem->hosts.items[dual->groups.items[g].host];
    int64_t before = dual->table.steps;
    for (int gpu = host->first_gpu; gpu < host->first_gpu + host->gpu_count; gpu++) {
      dual->cuts[gpu] = plan_cut_table_find(&dual->table, gpu);
      are_whole &= dual->table.cuts.items[dual->cuts[gpu]].is_whole;
    }
    are_whole &= plan_budget_take(dual->budget, 1 + dual->table.steps - before);
  }
  return are_whole;
}

static void dual_init(Dual *dual, const PlanProblem *problem, PlanBudget *budget) {
  *dual = (Dual){.problem = problem, .budget = budget};
  dual->kinds = (int)problem->kinds.count;
  dual->resources = (int)problem->resources.count + 1; /* and places for pods */
  dual->width = dual->kinds + dual->resources;
  dual->group_of = mem_alloc(problem->hosts.count * sizeof *dual->group_of);
  dual->frames = mem_alloc(problem->hosts.count * sizeof *dual->frames);
  for (int host = 0; host < (int)problem->hosts.count; host++)
    dual->frames[host] = plan_frame_of(problem, host);
  group_hosts(dual);
  find_families(dual);
  plan_cut_table_init(&dual->table, problem, PLAN_BY_WITHDRAWAL);
  dual->cuts = mem_alloc(problem->gpus.count * sizeof *dual->cuts);
  size_t goods = dual->groups.count * (size_t)dual->width;
  dual->wanted = mem_alloc(problem->classes.count * sizeof *dual->wanted);
  for (size_t i = 0; i < problem->waiting.count; i++)
    dual->wanted[problem->waiting.items[i].class_]++;
  dual->asks = mem_alloc(problem->classes.count * (size_t)dual->width * sizeof *dual->asks);
  dual->has = mem_alloc(goods * sizeof *dual->has);
  dual->most = mem_alloc(problem->classes.count * dual->groups.count * sizeof *dual->most);
  dual->prices = mem_alloc(goods * sizeof *dual->prices);
  dual->best = mem_alloc(goods * sizeof *dual->best);
  dual->slack = mem_alloc(goods * sizeof *dual->slack);
  dual->squares = mem_alloc(goods * sizeof *dual->squares);
  dual->offerings = mem_alloc(dual->groups.count * sizeof *dual->offerings);
  set_goods(dual);
  set_most(dual);
}

/* ---- the value of prices ---- */

/* Returns what the GPU is worth at these prices of kinds; what it has of each then is added to the slack. */
static double cut(const Dual *dual, int gpu, int count, const double *prices, double *slack) {
  const PlanCuts *cuts = &dual->table.cuts.items[dual->cuts[gpu]];
  double most = 0;
  int chosen = -1;
  for (int i = 0; i < (int)cuts->items.count; i++) {
    double worth = 0;
    for (int kind = 0; kind < dual->kinds; kind++)
      worth += cuts->items.items[i].of_kind[kind] * prices[kind];
    if (worth <= most)
      continue;
    most = worth;
    chosen = i;
  }
  for (int kind = 0; chosen >= 0 && kind < dual->kinds; kind++)
    slack[kind] += cuts->items.items[chosen].of_kind[kind] * count;
  return most;
}

/* Returns what one host of the group is worth; sets what all of them have. */
static double value_host(Dual *dual, int g, const double *prices) {
  const Group *group = &dual->groups.items[g];
  const PlanHost *host = &dual->problem->hosts.items[group->host];
  const double *has = row(dual, dual->has, g);
  double *slack = row(dual, dual->slack, g), worth = 0;
  for (int i = 0; i < dual->width; i++) {
    slack[i] = has[i] * group->count;
    worth += has[i] * prices[i];
  }
  for (int gpu = host->first_gpu; gpu < host->first_gpu + host->gpu_count; gpu++)
    worth += cut(dual, gpu, group->count, &prices[dual->resources], &slack[dual->resources]);
  return worth;
}

static double value_goods(Dual *dual) {
  double sum = 0;
  for (int g = 0; g < (int)dual->groups.count; g++)
    sum += value_host(dual, g, row(dual, dual->prices, g)) * dual->groups.items[g].count;
  return sum;
}

static double cost_of(const Dual *dual, double *prices, int class_, int group) {
  const double *asks = row(dual, dual->asks, class_), *price = row(dual, prices, group);
  double cost = 0;
  for (int i = 0; i < dual->width; i++)
    cost += asks[i] * price[i];
  return cost;
}

static int compare_offerings(const void *a, const void *b) {
  const Offering *left = a, *right = b;
  if (left->gain != right->gain)
    return left->gain > right->gain ? -1 : 1;
  return left->group - right->group;
}

static double value_pods(Dual *dual, int class_) {
  const PlanClass *asking = &dual->problem->classes.items[class_];
  const double *asks = row(dual, dual->asks, class_);
  double left = dual->wanted[class_], sum = 0;
  size_t count = 0;
  for (int g = 0; g < (int)dual->groups.count; g++) {
    double most = dual->most[(size_t)class_ * dual->groups.count + (size_t)g], gain;
    if (most <= 0 || !plan_class_admits(asking, dual->groups.items[g].host))
      continue;
    gain = 1 - cost_of(dual, dual->prices, class_, g);
    if (gain > 0)
      dual->offerings[count++] = (Offering){.gain = gain, .group = g, .most = most};
  }
  if (count)
    qsort(dual->offerings, count, sizeof *dual->offerings, compare_offerings);
  for (size_t i = 0; i < count && left > 0; i++) {
    const Offering *offering = &dual->offerings[i];
    double pods = offering->most < left ? offering->most : left;
    double *slack = row(dual, dual->slack, offering->group);
    for (int good = 0; good < dual->width; good++)
      slack[good] -= pods * asks[good];
    sum += pods * offering->gain;
    left -= pods;
  }
  return sum;
}

static double value(Dual *dual) {
  double sum = value_goods(dual);
  for (int class_ = 0; class_ < (int)dual->problem->classes.count; class_++)
    sum += value_pods(dual, class_);
  return sum;
}

/* ---- better prices ---- */

static void begin(Dual *dual) {
  double slots = 0;
  for (size_t i = 0; i < dual->problem->waiting.count; i++)
    slots += plan_problem_class(dual->problem, (int)i)->slot_count;
  double price = slots > 0 ? 0.5 * (double)dual->problem->waiting.count / slots : 0;
  for (int g = 0; g < (int)dual->groups.count; g++)
    for (int kind = 0; kind < dual->kinds; kind++)
      row(dual, dual->prices, g)[dual->resources + kind] = price * dual->problem->kinds.items[kind].size;
}

/* Against the slack: what is left over gets cheaper, what is short gets dearer, each good at the pace of its
 * own history, because a host's cpus and its slices have nothing in common. */
static void step(Dual *dual, double pace) {
  size_t goods = dual->groups.count * (size_t)dual->width;
  for (size_t i = 0; i < goods; i++) {
    if (dual->slack[i] == 0 || (dual->prices[i] <= 0 && dual->slack[i] > 0))
      continue;
    dual->squares[i] = 0.9 * dual->squares[i] + 0.1 * dual->slack[i] * dual->slack[i];
    double price = dual->prices[i] - pace * dual->slack[i] / sqrt(dual->squares[i]);
    dual->prices[i] = price > 0 ? price : 0;
  }
}

static int64_t steps_of(const Dual *dual) {
  int64_t per_group = (int64_t)dual->width * (int64_t)dual->problem->classes.count;
  return 1 + ((int64_t)dual->groups.count * per_group + (int64_t)dual->problem->gpus.count * 8) / 32;
}

/* Puts the slack of all hosts that admit the same classes to each of them: then their prices move together.
 */
static void share_slack(Dual *dual) {
  memset(dual->shared, 0, dual->family_count * (size_t)dual->width * sizeof *dual->shared);
  for (int g = 0; g < (int)dual->groups.count; g++)
    for (int i = 0; i < dual->width; i++)
      row(dual, dual->shared, dual->family_of[g])[i] += row(dual, dual->slack, g)[i];
  for (int g = 0; g < (int)dual->groups.count; g++)
    memcpy(row(dual, dual->slack, g), row(dual, dual->shared, dual->family_of[g]),
           (size_t)dual->width * sizeof *dual->slack);
}

/* True where nothing is left to find, or to find it with. */
static bool descend(Dual *dual, bool together, int served) {
  const Pace *pace = &paces[together];
  size_t size = dual->groups.count * (size_t)dual->width * sizeof *dual->prices;
  double step_size = pace->first;
  memset(dual->squares, 0, size);
  for (int round = 0; round < pace->rounds; round++) {
    double bound = value(dual);
    if (bound < dual->least) {
      dual->least = bound;
      memcpy(dual->best, dual->prices, size);
    }
    if (real_floor(dual->least + 1e-6) <= served || !plan_budget_take(dual->budget, steps_of(dual)))
      return true;
    if (together)
      share_slack(dual);
    step(dual, step_size);
    step_size *= pace->decay;
  }
  memcpy(dual->prices, dual->best, size);
  return false;
}

void plan_prices_init(PlanPrices *prices, const PlanProblem *problem, int served, PlanBudget *budget) {
  *prices = (PlanPrices){.bound = INFINITY};
  if (!problem->rooms)
    return;
  CLEANUP(dual_deinit) Dual dual;
  dual_init(&dual, problem, budget);
  if (dual.groups.count * problem->classes.count > GROUPS_TIMES_CLASSES_MAX || !find_cuts(&dual))
    return;
  dual.least = INFINITY;
  begin(&dual);
  if (!descend(&dual, true, served))
    (void)descend(&dual, false, served);
  prices->bound = dual.least;
  prices->worth = mem_alloc(problem->hosts.count * sizeof *prices->worth);
  for (int host = 0; host < (int)problem->hosts.count; host++)
    prices->worth[host] = value_host(&dual, dual.group_of[host], row(&dual, dual.best, dual.group_of[host]));
  prices->costs = mem_alloc(problem->classes.count * problem->hosts.count * sizeof *prices->costs);
  for (int class_ = 0; class_ < (int)problem->classes.count; class_++)
    for (int host = 0; host < (int)problem->hosts.count; host++)
      prices->costs[(size_t)class_ * problem->hosts.count + (size_t)host] =
          plan_class_admits(&problem->classes.items[class_], host)
              ? cost_of(&dual, dual.best, class_, dual.group_of[host])
              : COST_MAX;
}

void plan_prices_deinit(PlanPrices *prices) {
  free(prices->costs);
  free(prices->worth);
}

double plan_prices_cost(const PlanPrices *prices, const PlanProblem *problem, int class_, int host) {
  return prices->costs[(size_t)class_ * problem->hosts.count + (size_t)host];
}
