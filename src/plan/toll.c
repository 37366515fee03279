/* SPDX-License-Identifier: Apache-2.0 */
/* Counts of places are digits of a large number, so that the first profile in which two sums differ decides
 * which of them is the larger. Digits may be negative; that is right as long as each difference of two sums
 * stays below half of what a digit can hold. */
#include "plan/toll.h"

#include "mig/layout.h"

enum { DIGIT_BITS = 12 };

static uint32_t memory_of(const MigProfile *profile) {
  MigProfile parsed;
  uint32_t memory_gb = 0;
  Error err;
  return mig_profile_parse_name(profile->name, &parsed, &memory_gb, &err) == 0 ? memory_gb : 0;
}

static bool is_larger(const MigProfile *a, const MigProfile *b) {
  uint32_t memory_a = memory_of(a), memory_b = memory_of(b);
  if (a->slice_count != b->slice_count)
    return a->slice_count > b->slice_count;
  return memory_a != memory_b ? memory_a > memory_b : strcmp(a->name, b->name) < 0;
}

static bool counts(const PlanModel *model, int profile) {
  return model->model->profiles[profile].kind == MIG_PLAIN && model->allowed >> profile & 1;
}

static void add_hole(PlanTollScale *scale, const MigProfile *profile) {
  size_t place = scale->holes.count;
  for (size_t i = 0; i < scale->holes.count; i++)
    if (strcmp(scale->holes.items[i]->name, profile->name) == 0)
      return;
  *array_push(&scale->holes) = profile;
  for (; place > 0 && is_larger(profile, scale->holes.items[place - 1]); place--)
    scale->holes.items[place] = scale->holes.items[place - 1];
  scale->holes.items[place] = profile;
}

static int find_hole(const PlanTollScale *scale, const PlanModel *model, int profile) {
  for (size_t i = 0; i < scale->holes.count && counts(model, profile); i++)
    if (strcmp(scale->holes.items[i]->name, model->model->profiles[profile].name) == 0)
      return (int)i;
  return -1;
}

bool plan_toll_scale_init(PlanTollScale *scale, const PlanProblem *problem) {
  *scale = (PlanTollScale){.problem = problem,
                           .hole_of_profile = mem_alloc(problem->models.count * MIG_PROFILES_MAX)};
  for (size_t m = 0; m < problem->models.count; m++)
    for (int p = 0; p < problem->models.items[m].model->profile_count; p++)
      if (counts(&problem->models.items[m], p))
        add_hole(scale, &problem->models.items[m].model->profiles[p]);
  for (size_t m = 0; m < problem->models.count; m++)
    for (int p = 0; p < problem->models.items[m].model->profile_count; p++)
      scale->hole_of_profile[m * MIG_PROFILES_MAX + (size_t)p] =
          (int8_t)find_hole(scale, &problem->models.items[m], p);
  scale->words = ((int)scale->holes.count + PLAN_TOLL_DIGITS - 1) / PLAN_TOLL_DIGITS;
  return scale->words <= PLAN_TOLL_WORDS;
}

void plan_toll_scale_deinit(PlanTollScale *scale) {
  array_deinit(&scale->holes);
  free(scale->hole_of_profile);
}

void plan_toll_add_places(const PlanTollScale *scale, int gpu, uint32_t occupied, int sign, PlanToll *toll) {
  int number = scale->problem->gpus.items[gpu].model;
  const MigModel *model = scale->problem->models.items[number].model;
  for (int p = 0; p < model->profile_count; p++) {
    int hole = scale->hole_of_profile[number * MIG_PROFILES_MAX + p], places = 0;
    if (hole < 0)
      continue;
    for (uint32_t starts = model->profiles[p].starts; starts; starts &= starts - 1)
      places += !(mig_placement_mask(model, p, __builtin_ctz(starts)) & occupied);
    toll->lost[hole / PLAN_TOLL_DIGITS] -=
        sign * ((int64_t)places << DIGIT_BITS * (PLAN_TOLL_DIGITS - 1 - hole % PLAN_TOLL_DIGITS));
  }
}
