/* SPDX-License-Identifier: Apache-2.0 */
/* A slice that exists serves the next pod at once, where an empty slot costs it a repartition. What was asked
 * for lately is likely to be asked again, so it comes first, each profile in proportion to its weight: the
 * next slice goes to the largest weight / (slices cut for it + 1). Where nothing recent fits, the largest
 * profile that does is cut, because pods that ask less find a place on other GPUs more easily. */
#include "plan/fill.h"

#include "base/intern.h"

typedef struct Fill {
  PlanDraft *draft;
  const PlanOptions *options;
  int *cut; /* by recent demand: slices cut for it so far */
} Fill;

static bool may_fill(const PlanModel *model, const MigLayout *layout, int profile) {
  return model->model->profiles[profile].kind == MIG_PLAIN && model->allowed >> profile & 1 &&
         mig_layout_free_starts(layout, profile);
}

static int choose_recent(Fill *fill, const PlanModel *model, const MigLayout *layout) {
  double most = 0;
  int chosen = -1, chosen_profile = -1;
  for (int i = 0; i < fill->options->recent_demand_count; i++) {
    const PlanDemand *demand = &fill->options->recent_demand[i];
    int profile = mig_model_find_profile(model->model, demand->profile);
    double weight = demand->weight / (fill->cut[i] + 1);
    if (weight <= most || profile < 0 || !may_fill(model, layout, profile))
      continue;
    most = weight;
    chosen = i;
    chosen_profile = profile;
  }
  if (chosen >= 0)
    fill->cut[chosen]++;
  return chosen_profile;
}

/* Of one size, the profile with more compute slices: 2g.20gb before 1g.20gb. */
static int choose_largest(const PlanModel *model, const MigLayout *layout) {
  const MigProfile *profiles = model->model->profiles;
  int chosen = -1;
  for (int profile = 0; profile < model->model->profile_count; profile++) {
    if (!may_fill(model, layout, profile))
      continue;
    if (chosen < 0 || profiles[profile].size > profiles[chosen].size ||
        (profiles[profile].size == profiles[chosen].size &&
         profiles[profile].slice_count > profiles[chosen].slice_count))
      chosen = profile;
  }
  return chosen;
}

/* Where the least worth is lost; of equal places the last, as everywhere. */
static int choose_start(const PlanGeometry *geometry, const MigLayout *layout, int profile) {
  uint64_t best = 0;
  int chosen = -1;
  for (uint32_t starts = mig_layout_free_starts(layout, profile); starts; starts &= starts - 1) {
    int start = __builtin_ctz(starts);
    uint32_t mask = layout->mask | mig_placement_mask(layout->model, profile, start);
    uint64_t worth = plan_geometry_worth(geometry, ~mask);
    if (chosen < 0 || worth >= best) {
      best = worth;
      chosen = start;
    }
  }
  return chosen;
}

static void fill_gpu(Fill *fill, int gpu) {
  const PlanProblem *problem = fill->draft->problem;
  const PlanModel *model = plan_problem_model(problem, gpu);
  const MigLayout *layout = &plan_problem_gpu(problem, gpu)->layout;
  for (;;) {
    int profile = choose_recent(fill, model, layout);
    if (profile < 0)
      profile = choose_largest(model, layout);
    if (profile < 0)
      return;
    int start = choose_start(plan_problem_geometry(problem, gpu), layout, profile);
    plan_draft_fill(fill->draft, gpu, profile, start);
  }
}

void plan_fill(PlanDraft *draft, const PlanOptions *options) {
  CLEANUP(cleanup_free) int *cut = mem_alloc((size_t)options->recent_demand_count * sizeof *cut);
  Fill fill = {.draft = draft, .options = options, .cut = cut};
  for (size_t gpu = 0; gpu < draft->problem->gpus.count; gpu++)
    if (draft->touched_gpus[gpu])
      fill_gpu(&fill, (int)gpu);
}

/* Where each plain profile would go on a GPU of one model with these slots occupied; -1: nowhere. */
typedef struct Choices {
  int8_t starts[MIG_PROFILES_MAX];
  int8_t largest; /* profile, -1: none has a place */
} Choices;

/* Filling by occupied slots: GPUs of one model with the same slots occupied are filled alike, as far as no
 * recent demand says otherwise. */
typedef struct OfferFill {
  const PlanProblem *problem;
  const PlanOptions *options;
  int *cut;        /* by recent demand: slices cut for it so far */
  int8_t *demands; /* by model, by recent demand: the profile, -1: the model has none */
  Intern known;    /* model and occupied slots */
  ARRAY(Choices) choices;
} OfferFill;

static void offer_fill_deinit(OfferFill *fill) {
  free(fill->cut);
  free(fill->demands);
  intern_deinit(&fill->known);
  array_deinit(&fill->choices);
}

static void offer_fill_init(OfferFill *fill, const PlanProblem *problem, const PlanOptions *options) {
  size_t demands = (size_t)options->recent_demand_count;
  *fill = (OfferFill){.problem = problem,
                      .options = options,
                      .cut = mem_alloc(demands * sizeof *fill->cut),
                      .demands = mem_alloc(problem->models.count * demands)};
  for (size_t model = 0; model < problem->models.count; model++)
    for (size_t i = 0; i < demands; i++)
      fill->demands[model * demands + i] = (int8_t)mig_model_find_profile(problem->models.items[model].model,
                                                                          options->recent_demand[i].profile);
}

/* Where the least worth is lost; of equal places the last. */
static int find_start(const PlanGeometry *geometry, const MigModel *model, int profile, uint32_t occupied) {
  uint64_t best = 0;
  int chosen = -1;
  for (uint32_t starts = model->profiles[profile].starts; starts; starts &= starts - 1) {
    int start = __builtin_ctz(starts);
    uint32_t mask = mig_placement_mask(model, profile, start);
    uint64_t worth = plan_geometry_worth(geometry, ~(occupied | mask));
    if (mask & occupied || (chosen >= 0 && worth < best))
      continue;
    best = worth;
    chosen = start;
  }
  return chosen;
}

static Choices find_choices(const PlanProblem *problem, int model, uint32_t occupied) {
  const PlanModel *from = &problem->models.items[model];
  const MigProfile *profiles = from->model->profiles;
  Choices choices = {.largest = -1};
  for (int i = 0; i < from->model->profile_count; i++) {
    bool may_fill = profiles[i].kind == MIG_PLAIN && from->allowed >> i & 1;
    int start =
        may_fill ? find_start(&problem->shapes.items[from->shape].geometry, from->model, i, occupied) : -1;
    int largest = choices.largest;
    choices.starts[i] = (int8_t)start;
    if (start >= 0 && (largest < 0 || profiles[i].size > profiles[largest].size ||
                       (profiles[i].size == profiles[largest].size &&
                        profiles[i].slice_count > profiles[largest].slice_count)))
      choices.largest = (int8_t)i;
  }
  return choices;
}

static const Choices *choices_of(OfferFill *fill, int model, uint32_t occupied) {
  const struct {
    int32_t model;
    uint32_t occupied;
  } key = {.model = model, .occupied = occupied};
  int number = intern_number(&fill->known, &key, sizeof key);
  if (number == (int)fill->choices.count)
    *array_push(&fill->choices) = find_choices(fill->problem, model, occupied);
  return &fill->choices.items[number];
}

/* As choose_recent() does. */
static int choose_demanded(OfferFill *fill, int model, const Choices *choices) {
  double most = 0;
  int count = fill->options->recent_demand_count, chosen = -1;
  for (int i = 0; i < count; i++) {
    int profile = fill->demands[model * count + i];
    double weight = fill->options->recent_demand[i].weight / (fill->cut[i] + 1);
    if (weight <= most || profile < 0 || choices->starts[profile] < 0)
      continue;
    most = weight;
    chosen = i;
  }
  if (chosen < 0)
    return -1;
  fill->cut[chosen]++;
  return fill->demands[model * count + chosen];
}

static void fill_slots(OfferFill *fill, int gpu, uint32_t occupied, PlanOffer *offer) {
  int model = fill->problem->gpus.items[gpu].model;
  for (;;) {
    const Choices *choices = choices_of(fill, model, occupied);
    int profile = choose_demanded(fill, model, choices);
    if (profile < 0)
      profile = choices->largest;
    if (profile < 0)
      return;
    int start = choices->starts[profile];
    *array_push(&offer->slices) =
        (PlanSlice){.waiting = -1, .gpu = gpu, .profile = (uint8_t)profile, .start = (uint8_t)start};
    occupied |= mig_placement_mask(fill->problem->models.items[model].model, profile, start);
  }
}

void plan_fill_offer(const PlanProblem *problem, const PlanOptions *options, PlanOffer *offer) {
  CLEANUP(offer_fill_deinit) OfferFill fill;
  CLEANUP(cleanup_free) uint32_t *taken = mem_alloc(problem->gpus.count * sizeof *taken);
  offer_fill_init(&fill, problem, options);
  for (size_t i = 0; i < offer->slices.count; i++) {
    const PlanSlice *slice = &offer->slices.items[i];
    taken[slice->gpu] |=
        mig_placement_mask(plan_problem_model(problem, slice->gpu)->model, slice->profile, slice->start);
  }
  for (size_t gpu = 0; gpu < problem->gpus.count; gpu++)
    if (taken[gpu])
      fill_slots(&fill, (int)gpu, taken[gpu] | problem->gpus.items[gpu].occupied, offer);
}
