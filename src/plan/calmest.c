/* SPDX-License-Identifier: Apache-2.0 */
/* Pods of one class and tier are one type. A choice says how many pods of each type are served; there are
 * few, because what is served together in each tier is known. For each host its options are listed: what it
 * could serve, each with the toll of its best way (way.h). Then the hosts are gone through from the last to
 * the first: of each choice, the least toll at which this host and those behind it can serve it follows from
 * what those behind it can do with the rest. So tolls are compared, never plans. */
#include "plan/calmest.h"

#include "plan/rehearse.h"
#include "plan/search.h"
#include "plan/way.h"

enum {
  TYPES_MAX = PLAN_AMOUNT_KINDS_MAX,
  INDEXES_MAX = 1 << 16,
  VALUES_EACH = 4, /* options looked at for a step: most do not fit the choice */
};

typedef struct Type {
  int class_, tier;
  int count; /* of its pods that may be served */
  int64_t stride;
} Type;

typedef struct Choice {
  PlanAmount counts; /* by type */
  int64_t index;
} Choice;

typedef struct Option { /* of a host */
  Choice serves;
  int way;
  PlanToll toll;
  uint64_t names;
} Option;

typedef struct Value { /* of a choice, for a host and those behind it */
  PlanToll toll;
  int option; /* of the host; -1: it cannot be served */
  int rank;   /* by the names of what is changed; lower is earlier */
} Value;

typedef struct Calmest {
  const PlanProblem *problem;
  PlanOffer *offer;     /* as it comes to be */
  PlanDisturbance cost; /* of it */
  PlanTollScale scale;
  PlanWays ways;
  Type types[TYPES_MAX];
  int type_count, words;
  ARRAY(Choice) choices;
  int *number_of_index;  /* of a choice; -1: none */
  int *found;            /* by host: its ways */
  ARRAY(Option) options; /* host by host */
  int *first_option;     /* by host, and one more */
  Value *values;         /* by host, by choice; of the host behind the last one: of nothing left to do */
  int *asked;            /* by kind, while the options of a host are listed */
  int64_t rooms[PLAN_RESOURCES_MAX + 1];
} Calmest;

static void calmest_deinit(Calmest *calmest) {
  plan_toll_scale_deinit(&calmest->scale);
  plan_ways_deinit(&calmest->ways);
  array_deinit(&calmest->choices);
  array_deinit(&calmest->options);
  free(calmest->number_of_index);
  free(calmest->found);
  free(calmest->first_option);
  free(calmest->values);
  free(calmest->asked);
}

static const PlanClass *class_of(const Calmest *calmest, int type) {
  return &calmest->problem->classes.items[calmest->types[type].class_];
}

static Value *value_of(const Calmest *calmest, int host, int choice) {
  return &calmest->values[(size_t)host * calmest->choices.count + (size_t)choice];
}

static int find_type(const Calmest *calmest, int waiting) {
  const PlanWaiting *pod = &calmest->problem->waiting.items[waiting];
  for (int type = 0; type < calmest->type_count; type++)
    if (calmest->types[type].class_ == pod->class_ && calmest->types[type].tier == pod->tier)
      return type;
  return -1;
}

/* ---- choices ---- */

static bool find_types(Calmest *calmest) {
  for (int i = 0; i < (int)calmest->problem->waiting.count; i++) {
    const PlanWaiting *pod = &calmest->problem->waiting.items[i];
    int type = find_type(calmest, i), served = calmest->offer->served[pod->tier];
    if (!served)
      continue;
    if (type < 0 && calmest->type_count == TYPES_MAX)
      return false;
    if (type < 0) {
      type = calmest->type_count++;
      calmest->types[type] = (Type){.class_ = pod->class_, .tier = pod->tier};
    }
    calmest->types[type].count += calmest->types[type].count < served;
  }
  int64_t indexes = 1;
  for (int type = 0; type < calmest->type_count; type++) {
    calmest->types[type].stride = indexes;
    indexes *= calmest->types[type].count + 1;
    if (indexes > INDEXES_MAX)
      return false;
  }
  calmest->words = (calmest->type_count + 7) / 8;
  calmest->number_of_index = mem_alloc((size_t)indexes * sizeof *calmest->number_of_index);
  for (int64_t i = 0; i < indexes; i++)
    calmest->number_of_index[i] = -1;
  return true;
}

static int served_of_tier(const Calmest *calmest, const PlanAmount *counts, int tier) {
  int served = 0;
  for (int type = 0; type < calmest->type_count; type++)
    served += calmest->types[type].tier == tier ? counts->of_kind[type] : 0;
  return served;
}

/* Those of which the first types have the most come first. */
static bool list_choices(Calmest *calmest, Choice *choice, int n) {
  if (n == calmest->type_count) {
    calmest->number_of_index[choice->index] = (int)calmest->choices.count;
    *array_push(&calmest->choices) = *choice;
    return calmest->choices.count * calmest->problem->hosts.count <= PLAN_CALMEST_CHOICES_MAX;
  }
  const Type *type = &calmest->types[n];
  int left = calmest->offer->served[type->tier] - served_of_tier(calmest, &choice->counts, type->tier);
  int most = type->count < left ? type->count : left;
  bool listed = true;
  for (int count = most; count >= 0 && listed; count--) {
    choice->counts.of_kind[n] = (uint8_t)count;
    choice->index += count * type->stride;
    listed = list_choices(calmest, choice, n + 1);
    choice->index -= count * type->stride;
  }
  choice->counts.of_kind[n] = 0;
  return listed;
}

/* ---- options ---- */

static void change_asked(Calmest *calmest, const PlanClass *class_, int sign) {
  for (int n = 0; n < class_->need_count; n++)
    calmest->asked[class_->needs[n].kind] += sign * class_->needs[n].count;
  for (size_t i = 0; i <= calmest->problem->resources.count; i++)
    calmest->rooms[i] -= sign * class_->takes[i];
}

/* With ever more pods of the n-th type, as long as there is a way. `option` is that with none of them. */
static void list_options(Calmest *calmest, int host, const Option *option, int n) {
  Option more = *option;
  if (n == calmest->type_count) {
    if (calmest->number_of_index[option->serves.index] >= 0)
      *array_push(&calmest->options) = *option;
    return;
  }
  const PlanClass *class_ = class_of(calmest, n);
  int count = 0;
  list_options(calmest, host, &more, n + 1);
  while (count < calmest->types[n].count && plan_class_admits(class_, host) && !calmest->ways.failed &&
         plan_rooms_hold(calmest->problem, class_, calmest->rooms)) {
    count++;
    change_asked(calmest, class_, 1);
    more.way = plan_ways_choose(&calmest->ways, host, calmest->found[host], calmest->asked);
    if (more.way < 0)
      break;
    const PlanHostWay *way = &calmest->ways.of_hosts.items[calmest->found[host]].items.items[more.way];
    more.serves.counts.of_kind[n]++;
    more.serves.index += calmest->types[n].stride;
    more.toll = way->toll;
    more.names = way->names;
    list_options(calmest, host, &more, n + 1);
  }
  while (count-- > 0)
    change_asked(calmest, class_, -1);
}

static bool find_options(Calmest *calmest) {
  const PlanProblem *problem = calmest->problem;
  size_t hosts = problem->hosts.count;
  calmest->found = mem_alloc(hosts * sizeof *calmest->found);
  calmest->first_option = mem_alloc((hosts + 1) * sizeof *calmest->first_option);
  calmest->asked = mem_alloc(problem->kinds.count * sizeof *calmest->asked);
  for (int host = 0; host < (int)hosts; host++) {
    Option none = {.way = -1};
    calmest->found[host] = plan_ways_find(&calmest->ways, host);
    calmest->first_option[host] = (int)calmest->options.count;
    if (calmest->found[host] < 0)
      return false;
    memcpy(calmest->rooms, plan_problem_rooms(problem, host),
           (problem->resources.count + 1) * sizeof calmest->rooms[0]);
    list_options(calmest, host, &none, 0);
  }
  calmest->first_option[hosts] = (int)calmest->options.count;
  return !calmest->ways.failed;
}

/* ---- hosts, from the last to the first ---- */

static bool is_less(const Calmest *calmest, const Value *value, const Value *than, const Value *rests) {
  int order = plan_toll_compare(&value->toll, &than->toll, calmest->scale.words);
  uint64_t names = calmest->options.items[value->option].names;
  uint64_t names_than = calmest->options.items[than->option].names;
  if (order)
    return order < 0;
  return names != names_than ? names > names_than : rests[value->rank].rank < rests[than->rank].rank;
}

/* Until the values are ranked, the rank is the choice that is left to the hosts behind this one. */
static void find_value(const Calmest *calmest, int host, int choice, Value *ret_value) {
  const Choice *all = &calmest->choices.items[choice];
  const Value *rests = value_of(calmest, host + 1, 0);
  *ret_value = (Value){.option = -1};
  for (int i = calmest->first_option[host + 1] - 1; i >= calmest->first_option[host]; i--) {
    const Option *option = &calmest->options.items[i];
    if (!plan_amount_contains(&all->counts, &option->serves.counts, calmest->words))
      continue;
    int rest = calmest->number_of_index[all->index - option->serves.index];
    if (rests[rest].option < 0 ||
        rests[rest].toll.changes + option->toll.changes > calmest->ways.limits.changes)
      continue;
    Value value = {.toll = rests[rest].toll, .option = i, .rank = rest};
    plan_toll_add(&value.toll, &option->toll, calmest->scale.words);
    if (ret_value->option < 0 || is_less(calmest, &value, ret_value, rests))
      *ret_value = value;
  }
}

typedef struct Place { /* of a choice in the order of names */
  uint64_t names;
  int rank, choice;
} Place;

static int compare_places(const void *a, const void *b) {
  const Place *first = a, *second = b;
  if (first->names != second->names)
    return first->names > second->names ? -1 : 1;
  return (first->rank > second->rank) - (first->rank < second->rank);
}

static void rank_values(const Calmest *calmest, int host, Place *places) {
  const Value *rests = value_of(calmest, host + 1, 0);
  int count = 0, rank = 0;
  for (int choice = 0; choice < (int)calmest->choices.count; choice++) {
    const Value *value = value_of(calmest, host, choice);
    if (value->option >= 0)
      places[count++] = (Place){calmest->options.items[value->option].names, rests[value->rank].rank, choice};
  }
  if (count)
    qsort(places, (size_t)count, sizeof *places, compare_places);
  for (int i = 0; i < count; i++) {
    rank += i && compare_places(&places[i - 1], &places[i]) != 0;
    value_of(calmest, host, places[i].choice)->rank = rank;
  }
}

static bool find_values(Calmest *calmest) {
  int hosts = (int)calmest->problem->hosts.count;
  size_t choices = calmest->choices.count;
  CLEANUP(cleanup_free) Place *places = mem_alloc(choices * sizeof *places);
  calmest->values = mem_alloc(((size_t)hosts + 1) * choices * sizeof *calmest->values);
  for (int choice = 0; choice < (int)choices; choice++)
    value_of(calmest, hosts, choice)->option = calmest->choices.items[choice].index ? -1 : 0;
  for (int host = hosts - 1; host >= 0; host--) {
    calmest->ways.steps -=
        (int64_t)choices * (calmest->first_option[host + 1] - calmest->first_option[host]) / VALUES_EACH;
    if (calmest->ways.steps < 0)
      return false;
    for (int choice = 0; choice < (int)choices; choice++)
      find_value(calmest, host, choice, value_of(calmest, host, choice));
    rank_values(calmest, host, places);
  }
  return true;
}

/* ---- the offer ---- */

static bool serves_as_many(const Calmest *calmest, const Choice *choice) {
  for (int tier = 0; tier < calmest->problem->tier_count; tier++)
    if (served_of_tier(calmest, &choice->counts, tier) != calmest->offer->served[tier])
      return false;
  return true;
}

/* -1: none, because the offer takes what is not counted here. */
static int find_least(const Calmest *calmest) {
  int least = -1;
  for (int choice = 0; choice < (int)calmest->choices.count; choice++) {
    const Value *value = value_of(calmest, 0, choice), *best = least < 0 ? NULL : value_of(calmest, 0, least);
    if (value->option < 0 || !serves_as_many(calmest, &calmest->choices.items[choice]))
      continue;
    int order = best ? plan_toll_compare(&value->toll, &best->toll, calmest->scale.words) : -1;
    if (order < 0 || (order == 0 && value->rank < best->rank))
      least = choice;
  }
  return least;
}

/* The oldest of each type, and `asked` as they ask. */
static void put_pods(Calmest *calmest, int host, const Option *option, PlanOffer *offer) {
  PlanAmount left = option->serves.counts;
  memset(calmest->asked, 0, calmest->problem->kinds.count * sizeof *calmest->asked);
  for (int i = 0; i < (int)calmest->problem->waiting.count; i++) {
    int type = offer->hosts[i] < 0 ? find_type(calmest, i) : -1;
    if (type < 0 || !left.of_kind[type])
      continue;
    left.of_kind[type]--;
    offer->hosts[i] = host;
    offer->served[calmest->types[type].tier]++;
    change_asked(calmest, class_of(calmest, type), 1);
  }
}

static bool make_offer(Calmest *calmest, int choice, PlanOffer *ret_offer) {
  const PlanProblem *problem = calmest->problem;
  CLEANUP(cleanup_free) int *kept = mem_alloc(problem->kinds.count * sizeof *kept);
  PlanPacking packing;
  int64_t index = calmest->choices.items[choice].index;
  plan_offer_init(ret_offer, problem);
  for (int host = 0; host < (int)problem->hosts.count; host++) {
    const Value *value = value_of(calmest, host, calmest->number_of_index[index]);
    const Option *option = &calmest->options.items[value->option];
    index -= option->serves.index;
    if (!option->serves.index)
      continue;
    put_pods(calmest, host, option, ret_offer);
    if (!plan_ways_pack(&calmest->ways, host, calmest->found[host], option->way, calmest->asked, kept,
                        &packing))
      return false;
    plan_realise_take(problem, host, kept, &packing, ret_offer);
  }
  plan_offer_sort(ret_offer);
  return true;
}

/* What the offer changes: the less, the less there is to look at. Where its withdrawals are is not known. */
static uint64_t changes_of(const Calmest *calmest) {
  const PlanProblem *problem = calmest->problem;
  CLEANUP(cleanup_free) bool *gpus = mem_alloc(problem->gpus.count * sizeof *gpus);
  CLEANUP(cleanup_free) bool *hosts = mem_alloc(problem->hosts.count * sizeof *hosts);
  int gpu_count = 0, host_count = 0;
  if (calmest->cost.withdrawn)
    return plan_toll_changes(calmest->cost.withdrawn, calmest->cost.created, UINT16_MAX, UINT16_MAX);
  for (size_t i = 0; i < calmest->offer->slices.count; i++) {
    int gpu = calmest->offer->slices.items[i].gpu, host = problem->gpus.items[gpu].host;
    gpu_count += !gpus[gpu];
    host_count += !hosts[host];
    gpus[gpu] = hosts[host] = true;
  }
  return plan_toll_changes(0, calmest->cost.created, gpu_count, host_count);
}

static bool limit(Calmest *calmest) {
  PlanWayLimits limits = {
      .withdrawn = calmest->cost.withdrawn, .created = calmest->cost.created, .changes = changes_of(calmest)};
  if (calmest->cost.withdrawn > PLAN_TOLL_CHANGES_MAX || calmest->cost.created > PLAN_TOLL_CHANGES_MAX ||
      calmest->problem->kinds.count > PLAN_AMOUNT_KINDS_MAX)
    return false;
  for (int type = 0; type < calmest->type_count; type++) {
    const PlanClass *class_ = class_of(calmest, type);
    for (int n = 0; n < class_->need_count; n++) {
      int wanted =
          limits.wanted.of_kind[class_->needs[n].kind] + calmest->types[type].count * class_->needs[n].count;
      if (wanted > PLAN_AMOUNT_MAX)
        return false;
      limits.wanted.of_kind[class_->needs[n].kind] = (uint8_t)wanted;
    }
  }
  plan_ways_init(&calmest->ways, calmest->problem, &calmest->scale, &limits, PLAN_CALMEST_STEPS_MAX);
  return true;
}

static bool compute(Calmest *calmest, PlanOffer *ret_offer) {
  Choice none = {.index = 0};
  if (!find_types(calmest) || !list_choices(calmest, &none, 0) || !limit(calmest) ||
      !plan_toll_scale_init(&calmest->scale, calmest->problem) || !find_options(calmest) ||
      !find_values(calmest))
    return false;
  int least = find_least(calmest);
  return least >= 0 && make_offer(calmest, least, ret_offer);
}

bool plan_calmest_find(const PlanProblem *problem, PlanOffer *offer) {
  CLEANUP(plan_offer_deinit) PlanOffer outcome = {0}, calmest_offer = {0}, proof = {0};
  PlanDisturbance cost_of_proof;
  if (!plan_search_is_possible(problem) || !problem->rooms)
    return false;
  if (!offer->slices.count && !offer->withdrawals.count && !problem->has_withdrawable)
    return false;
  CLEANUP(calmest_deinit) Calmest calmest = {.problem = problem, .offer = &outcome};
  plan_rehearse(problem, offer, &outcome, &calmest.cost);
  if ((!calmest.cost.withdrawn && !calmest.cost.created) || !compute(&calmest, &calmest_offer))
    return false;
  plan_rehearse(problem, &calmest_offer, &proof, &cost_of_proof);
  if (plan_offer_is_better(&outcome, &proof) || plan_disturbs_less(&calmest.cost, &cost_of_proof))
    return false;
  plan_offer_swap(offer, &calmest_offer);
  return true;
}
