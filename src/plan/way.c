/* SPDX-License-Identifier: Apache-2.0 */
/* A GPU's ways are gone through like its cuts (cuts.c): each free slice that may go stays or goes, then
 * slices are created start by start. A host's ways are put together GPU by GPU from what the balance of the
 * slices comes to, a number in mixed digits: of those with one balance only the one with the least toll is
 * kept. */
#include "plan/way.h"

enum {
  WAY_STEPS = 20,                              /* that a layout of a GPU costs */
  BALANCES_MAX = 1 << 16,                      /* different ones of a host */
  DIGIT_MAX = PLAN_AMOUNT_MAX - MIG_SLOTS_MAX, /* so that what one GPU adds is no overflow */
};

void plan_ways_init(PlanWays *ways, const PlanProblem *problem, const PlanTollScale *scale,
                    const PlanWayLimits *limits, int64_t steps) {
  *ways = (PlanWays){.problem = problem, .scale = scale, .limits = *limits, .steps = steps};
  ways->failed = problem->kinds.count > PLAN_AMOUNT_KINDS_MAX || problem->stocks.count > PLAN_WAY_STOCKS_MAX;
}

void plan_ways_deinit(PlanWays *ways) {
  for (size_t i = 0; i < ways->of_gpus.count; i++)
    array_deinit(&ways->of_gpus.items[i].items);
  for (size_t i = 0; i < ways->of_hosts.count; i++) {
    array_deinit(&ways->of_hosts.items[i].items);
    free(ways->of_hosts.items[i].chosen);
  }
  array_deinit(&ways->of_gpus);
  array_deinit(&ways->of_hosts);
  intern_deinit(&ways->states);
  intern_deinit(&ways->alike);
}

static bool take_steps(PlanWays *ways, int64_t steps) {
  ways->steps -= steps;
  ways->failed |= ways->steps < 0;
  return !ways->failed;
}

/* ---- what may become of a GPU ---- */

typedef struct Maker {
  PlanWays *ways;
  int gpu;
  const PlanModel *model;
  MigLayout before, layout;
  PlanWay way;
  PlanGpuWays *made;
  Intern known;                     /* by what comes of it */
  int order[PLAN_AMOUNT_KINDS_MAX]; /* kinds that the GPU may get, the largest first */
  int order_count;
} Maker;

/* The same with such a slice in its place offers no less and disturbs less. */
static bool goes_in_vain(const Maker *maker) {
  for (uint32_t starts = maker->way.withdraws; starts; starts &= starts - 1) {
    const MigInstance *instance = mig_layout_find(&maker->before, __builtin_ctz(starts));
    if (mig_layout_can_place(&maker->layout, instance->profile, instance->start))
      return true;
  }
  return false;
}

static void keep_way(Maker *maker) {
  PlanWay *way = &maker->way;
  if (goes_in_vain(maker))
    return;
  way->toll = (PlanToll){.changes = plan_toll_changes(__builtin_popcount(way->withdraws), way->count,
                                                      way->withdraws || way->count, 0)};
  plan_toll_add_places(maker->ways->scale, maker->gpu, maker->before.mask, -1, &way->toll);
  plan_toll_add_places(maker->ways->scale, maker->gpu, maker->layout.mask, 1, &way->toll);
  int number = intern_number(&maker->known, way, offsetof(PlanWay, toll));
  if (number == (int)maker->made->items.count)
    *array_push(&maker->made->items) = *way;
  else if (plan_toll_compare(&way->toll, &maker->made->items.items[number].toll, maker->ways->scale->words) <
           0)
    maker->made->items.items[number] = *way;
  maker->ways->failed |= maker->made->items.count > PLAN_WAYS_MAX;
}

/* From the n-th kind on, those of it that start before `end`. Large slices and late starts come first, so
 * that of equal ways the one with the largest ones there is kept. */
static void create(Maker *maker, int n, int end) {
  const PlanWayLimits *limits = &maker->ways->limits;
  PlanWay *way = &maker->way;
  keep_way(maker);
  if (!take_steps(maker->ways, WAY_STEPS) ||
      (__builtin_popcount(way->withdraws) == limits->withdrawn && way->count >= limits->created))
    return;
  for (int i = n; i < maker->order_count; i++, end = maker->layout.model->slot_count) {
    int kind = maker->order[i], profile = maker->model->profile_of_kind[kind];
    if (way->created.of_kind[kind] == limits->wanted.of_kind[kind])
      continue;
    for (int start = end - 1; start >= 0 && !maker->ways->failed; start--) {
      if (!mig_layout_can_place(&maker->layout, profile, start))
        continue;
      mig_layout_place(&maker->layout, profile, start);
      way->created.of_kind[kind]++;
      way->creates[way->count++] = (PlanWaySlice){(uint8_t)profile, (uint8_t)start};
      create(maker, i, start);
      way->count--;
      way->created.of_kind[kind]--;
      mig_layout_remove(&maker->layout, start);
    }
  }
}

static void order_kinds(Maker *maker) {
  const MigProfile *profiles = maker->model->model->profiles;
  for (int kind = 0; kind < (int)maker->ways->problem->kinds.count; kind++) {
    int profile = maker->model->profile_of_kind[kind], place = maker->order_count;
    if (profile < 0)
      continue;
    for (; place > 0; place--) {
      int other = maker->model->profile_of_kind[maker->order[place - 1]];
      if (profiles[other].size >= profiles[profile].size)
        break;
      maker->order[place] = maker->order[place - 1];
    }
    maker->order[place] = kind;
    maker->order_count++;
  }
}

static void withdraw(Maker *maker, uint32_t loose) {
  if (!loose || maker->ways->failed) {
    create(maker, 0, maker->layout.model->slot_count);
    return;
  }
  int start = __builtin_ctz(loose), profile = mig_layout_find(&maker->layout, start)->profile;
  uint8_t *gone = &maker->way.gone[maker->model->stock_of_profile[profile]];
  withdraw(maker, loose & (loose - 1));
  if (__builtin_popcount(maker->way.withdraws) == maker->ways->limits.withdrawn)
    return;
  mig_layout_remove(&maker->layout, start);
  maker->way.withdraws |= UINT32_C(1) << start;
  ++*gone;
  withdraw(maker, loose & (loose - 1));
  --*gone;
  maker->way.withdraws &= ~(UINT32_C(1) << start);
  mig_layout_place(&maker->layout, profile, start);
}

static void find_ways_of_gpu(PlanWays *ways, int gpu, PlanGpuWays *ret_ways) {
  const MigLayout *layout = plan_problem_gpu(ways->problem, gpu)->layout;
  Maker maker = {.ways = ways,
                 .gpu = gpu,
                 .model = plan_problem_model(ways->problem, gpu),
                 .before = *layout,
                 .layout = *layout,
                 .made = ret_ways};
  *ret_ways = (PlanGpuWays){.items = {0}};
  order_kinds(&maker);
  withdraw(&maker, ways->limits.withdrawn ? plan_problem_withdrawable(ways->problem, gpu) : 0);
  intern_deinit(&maker.known);
}

/* GPUs that are alike share their ways. */
static int find_state(PlanWays *ways, int gpu) {
  const MigLayout *layout = plan_problem_gpu(ways->problem, gpu)->layout;
  uint8_t key[2 * MIG_INSTANCES_MAX + 2 * sizeof(uint32_t)];
  const uint32_t head[2] = {(uint32_t)ways->problem->gpus.items[gpu].model,
                            plan_problem_withdrawable(ways->problem, gpu)};
  size_t size = sizeof head;
  memcpy(key, head, sizeof head);
  for (int i = 0; i < layout->count; i++) {
    key[size++] = layout->instances[i].profile;
    key[size++] = layout->instances[i].start;
  }
  int number = intern_number(&ways->states, key, size);
  if (number == (int)ways->of_gpus.count) {
    PlanGpuWays found;
    find_ways_of_gpu(ways, gpu, &found);
    *array_push(&ways->of_gpus) = found;
  }
  return number;
}

/* ---- what may become of a host ---- */

/* The digits of a host's balances. Counted stocks are those of which more slices could go than may: floating
 * claims need some of them. */
typedef struct Digits {
  int count, kinds;
  int stock[PLAN_AMOUNT_KINDS_MAX];  /* by digit; -1 */
  int lowest[PLAN_AMOUNT_KINDS_MAX]; /* by kind: how many may go */
  PlanAmount most;
  int64_t stride[PLAN_AMOUNT_KINDS_MAX];
  int64_t balances;
} Digits;

/* A way of a GPU, as what it does to a balance. */
typedef struct Move {
  PlanAmount plus, minus;
  int64_t index;
} Move;

static int free_of(const PlanWays *ways, int host, int kind) {
  return ways->problem->free[(size_t)host * ways->problem->kinds.count + (size_t)kind];
}

static bool add_digit(Digits *digits, int stock, int most) {
  if (digits->count == PLAN_AMOUNT_KINDS_MAX || most > DIGIT_MAX ||
      digits->balances * (most + 1) > BALANCES_MAX)
    return false;
  digits->stock[digits->count] = stock;
  digits->most.of_kind[digits->count] = (uint8_t)most;
  digits->stride[digits->count++] = digits->balances;
  digits->balances *= most + 1;
  return true;
}

static int least_of(int a, int64_t b) {
  return a < b ? a : (int)b;
}

static bool find_digits(const PlanWays *ways, int host, Digits *ret_digits) {
  const PlanProblem *problem = ways->problem;
  const PlanHost *on = &problem->hosts.items[host];
  int loose[PLAN_WAY_STOCKS_MAX] = {0}, slots = 0;
  *ret_digits = (Digits){.balances = 1, .kinds = (int)problem->kinds.count};
  for (int gpu = on->first_gpu; gpu < on->first_gpu + on->gpu_count; gpu++) {
    const MigLayout *layout = plan_problem_gpu(problem, gpu)->layout;
    uint32_t starts = ways->limits.withdrawn ? plan_problem_withdrawable(problem, gpu) : 0;
    slots += layout->model->slot_count;
    for (; starts; starts &= starts - 1)
      loose[plan_problem_model(problem, gpu)
                ->stock_of_profile[mig_layout_find(layout, __builtin_ctz(starts))->profile]]++;
  }
  for (int kind = 0; kind < ret_digits->kinds; kind++) {
    int stock = problem->kinds.items[kind].stock, wanted = ways->limits.wanted.of_kind[kind];
    int lowest = stock < 0 ? 0 : least_of(ways->limits.withdrawn, loose[stock]);
    int missing = wanted > free_of(ways, host, kind) ? wanted - free_of(ways, host, kind) : 0;
    int created = least_of(slots, least_of(wanted, missing + lowest));
    ret_digits->lowest[kind] = lowest;
    if (!add_digit(ret_digits, stock, lowest + created))
      return false;
  }
  for (int stock = 0; stock < (int)problem->stocks.count; stock++) {
    int64_t most =
        loose[stock] ? snapshot_free_of(plan_problem_node(problem, host), problem->stocks.items[stock]) : 0;
    if (loose[stock] > most &&
        !add_digit(ret_digits, stock, least_of(ways->limits.withdrawn, most < 0 ? 0 : most)))
      return false;
  }
  return true;
}

static void find_move(const Digits *digits, const PlanWay *way, Move *ret_move) {
  *ret_move = (Move){.index = 0};
  for (int digit = 0; digit < digits->count; digit++) {
    int gone = digits->stock[digit] < 0 ? 0 : way->gone[digits->stock[digit]];
    int plus = digit < digits->kinds ? way->created.of_kind[digit] : gone;
    int minus = digit < digits->kinds ? gone : 0;
    ret_move->plus.of_kind[digit] = (uint8_t)plus;
    ret_move->minus.of_kind[digit] = (uint8_t)minus;
    ret_move->index += (plus - minus) * digits->stride[digit];
  }
}

static bool apply_move(const PlanAmount *balance, const Move *move, const PlanAmount *most, int words,
                       PlanAmount *ret_balance) {
  *ret_balance = *balance;
  for (int i = 0; i < words; i++)
    ret_balance->words[i] += move->plus.words[i];
  if (!plan_amount_contains(ret_balance, &move->minus, words))
    return false;
  for (int i = 0; i < words; i++)
    ret_balance->words[i] -= move->minus.words[i];
  return plan_amount_contains(most, ret_balance, words);
}

static bool is_less(const PlanHostWay *a, const PlanHostWay *b, int words) {
  int order = plan_toll_compare(&a->toll, &b->toll, words);
  return order ? order < 0 : a->names > b->names;
}

/* `known`: by index of the balance, where it was put last. */
static void keep_host_way(const PlanWays *ways, PlanHostWays *made, int begin, int *known,
                          const PlanHostWay *way) {
  int place = known[way->index];
  if (place < begin || place >= (int)made->items.count || made->items.items[place].index != way->index) {
    known[way->index] = (int)made->items.count;
    *array_push(&made->items) = *way;
  } else if (is_less(way, &made->items.items[place], ways->scale->words)) {
    made->items.items[place] = *way;
  }
}

/* Puts the next GPU to each of the ways of those before it, which begin at `begin`. */
static void add_gpu(PlanWays *ways, const Digits *digits, PlanHostWays *made, int begin, int gpu, int state,
                    int *known) {
  const PlanGpuWays *of_gpu = &ways->of_gpus.items[state];
  size_t end = made->items.count;
  CLEANUP(cleanup_free) Move *moves = mem_alloc(of_gpu->items.count * sizeof *moves);
  for (size_t i = 0; i < of_gpu->items.count; i++)
    find_move(digits, &of_gpu->items.items[i], &moves[i]);
  for (size_t before = (size_t)begin; before < end; before++) {
    const PlanHostWay from = made->items.items[before];
    if (!take_steps(ways, (int64_t)of_gpu->items.count))
      return;
    for (size_t i = 0; i < of_gpu->items.count; i++) {
      const PlanWay *way = &of_gpu->items.items[i];
      PlanHostWay next;
      if (from.toll.changes + way->toll.changes > ways->limits.changes ||
          !apply_move(&from.balance, &moves[i], &made->most, made->words, &next.balance))
        continue;
      next.toll = from.toll;
      plan_toll_add(&next.toll, &way->toll, ways->scale->words);
      next.index = from.index + moves[i].index;
      next.names = from.names | (i ? UINT64_C(1) << (63 - gpu) : 0);
      next.before = (int)before;
      next.way = (int)i;
      keep_host_way(ways, made, (int)end, known, &next);
    }
    ways->failed |= made->items.count - end > PLAN_WAYS_MAX;
  }
}

static void find_ways_of_host(PlanWays *ways, int host, const Digits *digits, const int *states,
                              PlanHostWays *ret_ways) {
  const PlanHost *on = &ways->problem->hosts.items[host];
  CLEANUP(cleanup_free) int *known = mem_alloc((size_t)digits->balances * sizeof *known);
  PlanHostWay none = {.before = -1};
  *ret_ways = (PlanHostWays){.words = (digits->count + 7) / 8,
                             .most = digits->most,
                             .chosen = mem_alloc((size_t)digits->balances * sizeof *ret_ways->chosen)};
  memcpy(ret_ways->stride, digits->stride, sizeof digits->stride);
  for (int kind = 0; kind < digits->kinds; kind++) {
    none.balance.of_kind[kind] = (uint8_t)digits->lowest[kind];
    none.index += digits->lowest[kind] * digits->stride[kind];
  }
  ret_ways->base = none.balance;
  *array_push(&ret_ways->items) = none;
  for (int gpu = 0; gpu < on->gpu_count && !ways->failed; gpu++) {
    int begin = ret_ways->first;
    ret_ways->first = (int)ret_ways->items.count;
    add_gpu(ways, digits, ret_ways, begin, gpu, states[gpu], known);
  }
  for (size_t i = (size_t)ret_ways->first; i < ret_ways->items.count; i++)
    ret_ways->items.items[i].toll.changes += ret_ways->items.items[i].names != 0; /* a changed node */
}

int plan_ways_find(PlanWays *ways, int host) {
  const PlanProblem *problem = ways->problem;
  const PlanHost *on = &problem->hosts.items[host];
  int key[MIG_GPU_INDEX_MAX + 1 + 2 * PLAN_AMOUNT_KINDS_MAX] = {0}, size = 0;
  Digits digits;
  if (ways->failed || on->gpu_count > MIG_GPU_INDEX_MAX + 1 || !find_digits(ways, host, &digits)) {
    ways->failed = true;
    return -1;
  }
  for (int gpu = 0; gpu < on->gpu_count && !ways->failed; gpu++)
    key[size++] = find_state(ways, on->first_gpu + gpu);
  if (ways->failed)
    return -1;
  for (int kind = 0; kind < digits.kinds; kind++)
    key[size++] = free_of(ways, host, kind);
  for (int digit = digits.kinds; digit < digits.count; digit++)
    key[size++] = digits.most.of_kind[digit];
  int number = intern_number(&ways->alike, key, (size_t)size * sizeof *key);
  if (number == (int)ways->of_hosts.count) {
    PlanHostWays found;
    find_ways_of_host(ways, host, &digits, key, &found);
    *array_push(&ways->of_hosts) = found;
  }
  return ways->failed ? -1 : number;
}

/* The way with the least toll whose balance has what is needed; -1: none. */
static int choose(PlanWays *ways, const PlanHostWays *of_host, const PlanAmount *need) {
  int best = -1;
  if (!take_steps(ways, (int64_t)of_host->items.count - of_host->first))
    return -1;
  for (int i = of_host->first; i < (int)of_host->items.count; i++)
    if (plan_amount_contains(&of_host->items.items[i].balance, need, of_host->words) &&
        (best < 0 || is_less(&of_host->items.items[i], &of_host->items.items[best], ways->scale->words)))
      best = i;
  return best;
}

int plan_ways_choose(PlanWays *ways, int host, int found, const int *asked) {
  const PlanHostWays *of_host = &ways->of_hosts.items[found];
  PlanAmount need = {.words = {0}};
  int64_t index = 0;
  for (int kind = 0; kind < (int)ways->problem->kinds.count; kind++) {
    int balance = of_host->base.of_kind[kind] + asked[kind] - free_of(ways, host, kind);
    if (balance > of_host->most.of_kind[kind])
      return -1;
    need.of_kind[kind] = balance > 0 ? (uint8_t)balance : 0;
    index += need.of_kind[kind] * of_host->stride[kind];
  }
  if (!of_host->chosen[index])
    of_host->chosen[index] = choose(ways, of_host, &need) + 2;
  return of_host->chosen[index] - 2;
}

static bool pack_gpu(const PlanWays *ways, int host, int gpu, const PlanWay *way, PlanPacking *packing) {
  int first = ways->problem->hosts.items[host].first_gpu;
  if (packing->count + way->count > PLAN_SLICES_MAX)
    return false;
  for (int i = 0; i < way->count; i++)
    packing->slices[packing->count++] = (PlanSlice){.waiting = -1,
                                                    .gpu = first + gpu,
                                                    .profile = way->creates[i].profile,
                                                    .start = way->creates[i].start};
  packing->withdraws[gpu] = way->withdraws;
  packing->withdrawn += __builtin_popcount(way->withdraws);
  return true;
}

bool plan_ways_pack(PlanWays *ways, int host, int found, int way, const int *asked, int *ret_kept,
                    PlanPacking *ret_packing) {
  const PlanHostWays *of_host = &ways->of_hosts.items[found];
  const PlanHost *on = &ways->problem->hosts.items[host];
  memcpy(ret_kept, asked, ways->problem->kinds.count * sizeof *asked);
  plan_packing_clear(ret_packing);
  for (int gpu = on->gpu_count - 1; gpu >= 0; gpu--) {
    const PlanHostWay *of_gpus = &of_host->items.items[way];
    const PlanGpuWays *of_gpu = &ways->of_gpus.items[find_state(ways, on->first_gpu + gpu)];
    const PlanWay *chosen = &of_gpu->items.items[of_gpus->way];
    if (!pack_gpu(ways, host, gpu, chosen, ret_packing))
      return false;
    for (size_t kind = 0; kind < ways->problem->kinds.count; kind++)
      ret_kept[kind] -= chosen->created.of_kind[kind];
    way = of_gpus->before;
  }
  return true;
}
