/* SPDX-License-Identifier: Apache-2.0 */
/* A slice that exists serves the next pod at once, where an empty slot costs it a repartition. What was asked
 * for lately is likely to be asked again, so it comes first, each profile in proportion to its weight: the
 * next slice goes to the largest weight / (slices cut for it + 1). Where nothing recent fits, the largest
 * profile that does is cut, because pods that ask less find a place on other GPUs more easily. */
#include "plan/fill.h"

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
