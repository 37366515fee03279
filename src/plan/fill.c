/* SPDX-License-Identifier: Apache-2.0 */
/* A slice that exists serves the next pod at once, where an empty slot costs it a repartition. What was asked
 * for lately is likely to be asked again, so it comes first, each profile in proportion to its weight: the
 * next slice goes to the largest weight / (slices cut for it + 1), of equal ones to the larger profile. Where
 * nothing recent fits, the largest profile that does is cut. Both because fewer slices are cheaper to undo,
 * and because pods that ask less find a place on other GPUs more easily. A slice goes where the least worth
 * is lost: to use the rest, or to have more again, nothing has to be undone that need not be. */
#include "plan/fill.h"

#include "base/intern.h"
#include "base/real.h"

/* Where each plain profile would go on a GPU as it is; -1: nowhere. */
typedef struct Choices {
  int8_t starts[MIG_PROFILES_MAX];
  int8_t largest; /* profile, -1: none has a place */
} Choices;

typedef struct Fill {
  const PlanProblem *problem;
  const PlanOptions *options;
  int *cut;        /* by recent demand: slices cut for it so far */
  int8_t *demands; /* by model, by recent demand: the profile, -1: the model has none */
  Intern known;    /* model and occupied slots: these are filled alike, but for the demand */
  ARRAY(Choices) choices;
} Fill;

static void fill_deinit(Fill *fill) {
  free(fill->cut);
  free(fill->demands);
  intern_deinit(&fill->known);
  array_deinit(&fill->choices);
}

static void fill_init(Fill *fill, const PlanProblem *problem, const PlanOptions *options) {
  size_t demands = (size_t)options->recent_demand_count;
  *fill = (Fill){.problem = problem,
                 .options = options,
                 .cut = mem_alloc(demands * sizeof *fill->cut),
                 .demands = mem_alloc(problem->models.count * demands)};
  for (size_t model = 0; model < problem->models.count; model++)
    for (size_t i = 0; i < demands; i++)
      fill->demands[model * demands + i] = (int8_t)mig_model_find_profile(problem->models.items[model].model,
                                                                          options->recent_demand[i].profile);
}

double plan_fill_left(int64_t ms) {
  return real_exp2(-(double)ms / PLAN_DEMAND_HALF_LIFE_MS);
}

/* ---- what and where ---- */

/* Where the least worth is lost; of equal places the last, as everywhere. */
static int choose_start(const PlanGeometry *geometry, const MigModel *model, int profile, uint32_t starts,
                        uint32_t occupied) {
  uint64_t best = 0;
  int chosen = -1;
  for (; starts; starts &= starts - 1) {
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

/* Of one size, the profile with more compute slices: 2g.20gb before 1g.20gb. */
static bool is_larger(const MigProfile *profile, const MigProfile *than) {
  return profile->size != than->size ? profile->size > than->size : profile->slice_count > than->slice_count;
}

/* With a layout its rules count as well, otherwise the occupied slots alone. */
static Choices find_choices(const PlanProblem *problem, int model, uint32_t occupied,
                            const MigLayout *layout) {
  const PlanModel *from = &problem->models.items[model];
  const MigProfile *profiles = from->model->profiles;
  Choices choices = {.largest = -1};
  for (int i = 0; i < from->model->profile_count; i++) {
    bool may_fill = profiles[i].kind == MIG_PLAIN && from->allowed >> i & 1;
    uint32_t starts = !may_fill ? 0 : layout ? mig_layout_free_starts(layout, i) : profiles[i].starts;
    int start = choose_start(&problem->shapes.items[from->shape].geometry, from->model, i, starts, occupied);
    choices.starts[i] = (int8_t)start;
    if (start >= 0 && (choices.largest < 0 || is_larger(&profiles[i], &profiles[choices.largest])))
      choices.largest = (int8_t)i;
  }
  return choices;
}

static int choose_demanded(Fill *fill, int model, const Choices *choices) {
  const MigProfile *profiles = fill->problem->models.items[model].model->profiles;
  double most = 0;
  int count = fill->options->recent_demand_count, chosen = -1, chosen_profile = -1;
  for (int i = 0; i < count; i++) {
    int profile = fill->demands[model * count + i];
    double weight = fill->options->recent_demand[i].weight / (fill->cut[i] + 1);
    if (weight <= 0 || weight < most || profile < 0 || choices->starts[profile] < 0 ||
        (chosen >= 0 && weight == most && !is_larger(&profiles[profile], &profiles[chosen_profile])))
      continue;
    most = weight;
    chosen = i;
    chosen_profile = profile;
  }
  if (chosen >= 0)
    fill->cut[chosen]++;
  return chosen_profile;
}

/* The profile to cut next, -1: none fits. */
static int choose_profile(Fill *fill, int model, const Choices *choices) {
  int profile = choose_demanded(fill, model, choices);
  return profile >= 0 ? profile : choices->largest;
}

/* ---- a draft ---- */

static void fill_gpu(Fill *fill, PlanDraft *draft, int gpu) {
  int model = fill->problem->gpus.items[gpu].model;
  for (;;) {
    const MigLayout *layout = plan_problem_gpu(fill->problem, gpu)->layout;
    Choices choices = find_choices(fill->problem, model, layout->mask, layout);
    int profile = choose_profile(fill, model, &choices);
    if (profile < 0)
      return;
    plan_draft_fill(draft, gpu, profile, choices.starts[profile]);
  }
}

void plan_fill(PlanDraft *draft, const PlanOptions *options) {
  CLEANUP(fill_deinit) Fill fill;
  fill_init(&fill, draft->problem, options);
  for (size_t gpu = 0; gpu < draft->problem->gpus.count; gpu++)
    if (draft->touched_gpus[gpu])
      fill_gpu(&fill, draft, (int)gpu);
}

/* ---- an offer ---- */

static const Choices *choices_of(Fill *fill, int model, uint32_t occupied) {
  const struct {
    int32_t model;
    uint32_t occupied;
  } key = {.model = model, .occupied = occupied};
  int number = intern_number(&fill->known, &key, sizeof key);
  if (number == (int)fill->choices.count)
    *array_push(&fill->choices) = find_choices(fill->problem, model, occupied, NULL);
  return &fill->choices.items[number];
}

static void fill_slots(Fill *fill, int gpu, uint32_t occupied, PlanOffer *offer) {
  int model = fill->problem->gpus.items[gpu].model;
  for (;;) {
    const Choices *choices = choices_of(fill, model, occupied);
    int profile = choose_profile(fill, model, choices);
    if (profile < 0)
      return;
    int start = choices->starts[profile];
    *array_push(&offer->slices) =
        (PlanSlice){.waiting = -1, .gpu = gpu, .profile = (uint8_t)profile, .start = (uint8_t)start};
    occupied |= mig_placement_mask(fill->problem->models.items[model].model, profile, start);
  }
}

static uint32_t slots_of(const PlanProblem *problem, const PlanSlice *slice) {
  return mig_placement_mask(plan_problem_model(problem, slice->gpu)->model, slice->profile, slice->start);
}

void plan_fill_offer(const PlanProblem *problem, const PlanOptions *options, PlanOffer *offer) {
  CLEANUP(fill_deinit) Fill fill;
  CLEANUP(cleanup_free) uint32_t *taken = mem_alloc(problem->gpus.count * sizeof *taken);
  CLEANUP(cleanup_free) uint32_t *gone = mem_alloc(problem->gpus.count * sizeof *gone);
  fill_init(&fill, problem, options);
  for (size_t i = 0; i < offer->slices.count; i++)
    taken[offer->slices.items[i].gpu] |= slots_of(problem, &offer->slices.items[i]);
  for (size_t i = 0; i < offer->withdrawals.count; i++)
    gone[offer->withdrawals.items[i].gpu] |= slots_of(problem, &offer->withdrawals.items[i]);
  for (size_t gpu = 0; gpu < problem->gpus.count; gpu++)
    if (taken[gpu])
      fill_slots(&fill, (int)gpu, taken[gpu] | (problem->gpus.items[gpu].occupied & ~gone[gpu]), offer);
}
