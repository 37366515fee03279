/* SPDX-License-Identifier: Apache-2.0 */
/* More GPUs never hold less. So the last model's number is found by halving, or, where those of the others
 * grow step by step, by going down from the answer before. What is not dominated is a choice. */
#include "simulate/size.h"

#include "simulate/mirror.h"

#include "plan/plan.h"

enum { NODE_GPUS = 8 };

typedef struct Search {
  const SimulateDemand *demand;
  const MigModelRow *const *models;
  int model_count;
  int most[SIMULATE_SIZE_MODELS_MAX]; /* of each model, when it serves all that it can alone */
  SimulateSize *size;
} Search;

static void add_nodes(SimulateFleet *fleet, const MigModelRow *model, int gpus) {
  simulate_fleet_add(fleet, model, gpus / NODE_GPUS, NODE_GPUS);
  if (gpus % NODE_GPUS)
    simulate_fleet_add(fleet, model, 1, gpus % NODE_GPUS);
}

/* The bound of a plan with so many GPUs, where not all find a place; -1 where they do. */
static int find_lack(const Search *search, const int counts[]) {
  CLEANUP(simulate_fleet_deinit) SimulateFleet fleet = {0};
  CLEANUP(arena_deinit) Arena arena = {0};
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  CLEANUP(plan_deinit) Plan plan;
  snapshot_init(&snapshot);
  for (int m = 0; m < search->model_count; m++)
    add_nodes(&fleet, search->models[m], counts[m]);
  SimulateMirror mirror;
  simulate_mirror_init(&mirror, &fleet);
  for (int n = 0; n < (int)fleet.nodes.count; n++)
    snapshot_add_node(&snapshot, &simulate_mirror_update(&mirror, n)->object, NULL, NULL);
  int number = 0;
  for (int i = 0; i < search->demand->count; i++)
    for (int k = 0; k < search->demand->counts[i]; k++)
      snapshot_add_pod(&snapshot, simulate_mirror_make_pod(&arena, search->demand->profiles[i], 1, number++),
                       NULL);
  const PlanOptions options = {.leftover = PLAN_LEFTOVER_NONE};
  plan_compute(&snapshot, &options, &plan);
  int lack = plan.admitted == number ? -1 : plan.bound;
  simulate_mirror_deinit(&mirror);
  return lack;
}

static bool is_enough(const Search *search, const int counts[]) {
  return find_lack(search, counts) < 0;
}

/* Enough for all that the model can serve: of each profile its own GPUs. */
static int count_most(const SimulateDemand *demand, const MigModel *model) {
  int most = 0;
  for (int i = 0; i < demand->count; i++) {
    int profile = mig_model_find_profile(model, demand->profiles[i]);
    if (profile < 0)
      continue;
    int limit = model->profiles[profile].instance_count_max, places = 0;
    uint32_t used = 0;
    for (uint32_t starts = model->profiles[profile].starts; starts; starts &= starts - 1) {
      uint32_t mask = mig_placement_mask(model, profile, __builtin_ctz(starts));
      places += !(used & mask);
      used |= mask;
    }
    places = places < limit ? places : limit;
    assert(places > 0); /* the places of the model are known */
    most += (demand->counts[i] + places - 1) / places;
  }
  return most;
}

/* The fewest of the last model beside the others; -1 where no number is enough. `before` is the answer for
 * one less of another model, which is enough here; -1 where there was none. */
static int find_least(const Search *search, int counts[], int before) {
  int *last = &counts[search->model_count - 1];
  if (before >= 0) {
    for (*last = before; *last > 0; --*last) {
      --*last;
      bool enough = is_enough(search, counts);
      ++*last;
      if (!enough)
        break;
    }
    return *last;
  }
  int enough = search->most[search->model_count - 1], lacking = -1;
  *last = enough;
  if (!is_enough(search, counts))
    return -1;
  while (enough - lacking > 1) {
    *last = lacking + (enough - lacking) / 2;
    if (is_enough(search, counts))
      enough = *last;
    else
      lacking = *last;
  }
  return enough;
}

static bool is_dominated(const SimulateSize *size, const SimulateChoice *choice, int model_count) {
  for (size_t i = 0; i < size->choices.count; i++) {
    bool all = true;
    for (int m = 0; m < model_count; m++)
      all &= size->choices.items[i].counts[m] <= choice->counts[m];
    if (all)
      return true;
  }
  return false;
}

/* Numbers are tried in ascending order, so what comes later never dominates what came before. */
static void add_choice(const Search *search, const int counts[]) {
  SimulateChoice choice = {0};
  for (int m = 0; m < search->model_count; m++) {
    choice.counts[m] = counts[m];
    choice.total += counts[m];
  }
  if (is_dominated(search->size, &choice, search->model_count) ||
      search->size->choices.count == SIMULATE_SIZE_CHOICES_MAX)
    return;
  *array_push(&search->size->choices) = choice;
  if (search->size->choices.count == 1 || choice.total <= search->size->best.total)
    search->size->best = choice;
}

/* Returns the number of the last model, as find_least() takes it. */
static int try_last(const Search *search, int counts[], int before) {
  int least = find_least(search, counts, before);
  counts[search->model_count - 1] = least;
  if (least >= 0)
    add_choice(search, counts);
  return least;
}

static void try_models(const Search *search, int model, int counts[]) {
  int before = -1;
  if (model == search->model_count - 1) {
    (void)try_last(search, counts, -1);
    return;
  }
  for (int count = 0; count <= search->most[model]; count++) {
    counts[model] = count;
    if (model < search->model_count - 2)
      try_models(search, model + 1, counts);
    else
      before = try_last(search, counts, before);
  }
}

static int check_demand(const Search *search, Error *err) {
  int limit = search->model_count > 1 ? SIMULATE_SIZE_MIXED_MAX : SIMULATE_SIZE_SLICES_MAX;
  for (int i = 0; i < search->demand->count; i++) {
    const char *name = search->demand->profiles[i];
    int found = -1;
    for (int m = 0; m < search->model_count && found < 0; m++) {
      const MigModel *model = &search->models[m]->model;
      found = mig_model_find_profile(model, name);
      if (found >= 0)
        search->size->slot_count += model->profiles[found].size * search->demand->counts[i];
    }
    if (found < 0)
      return error_set(err, ERROR_INVALID, "none of these GPUs has the profile %s", name);
    search->size->slice_count += search->demand->counts[i];
    if (search->size->slice_count > limit)
      return error_set(err, ERROR_LIMIT, "the mix has more than %d slices, the most for %s", limit,
                       search->model_count > 1 ? "several models" : "one model");
  }
  return 0;
}

/* However `left` GPUs are shared among the models from this one on, some slice finds no place. */
static bool all_lack(const Search *search, int model, int left, int counts[]) {
  if (model == search->model_count - 1) {
    int lack;
    counts[model] = left;
    lack = find_lack(search, counts);
    return lack >= 0 && lack < search->size->slice_count;
  }
  for (counts[model] = 0; counts[model] <= left; counts[model]++)
    if (!all_lack(search, model + 1, left - counts[model], counts))
      return false;
  return true;
}

int simulate_size_find(const SimulateDemand *demand, const MigModelRow *const *models, int model_count,
                       SimulateSize *ret_size, Error *err) {
  assert(model_count >= 1 && model_count <= SIMULATE_SIZE_MODELS_MAX);
  CLEANUP(simulate_size_deinit) SimulateSize size = {0};
  Search search = {.demand = demand, .models = models, .model_count = model_count, .size = &size};
  int counts[SIMULATE_SIZE_MODELS_MAX] = {0};
  int result = check_demand(&search, err);
  if (result < 0)
    return result;
  for (int m = 0; m < model_count; m++)
    search.most[m] = count_most(demand, &models[m]->model);
  try_models(&search, 0, counts);
  size.proven = size.best.total == 0 || all_lack(&search, 0, size.best.total - 1, counts);
  *ret_size = size;
  size = (SimulateSize){0};
  return 0;
}

void simulate_size_deinit(SimulateSize *size) {
  array_deinit(&size->choices);
}
