/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of yes are carried out on copies of the layouts; answers of no are held against the packing, which
 * goes through the places one by one. */
#include "plan/fit.h"

#include "plan/random_cluster.h"

enum { CLUSTERS = 1500, QUESTIONS = 12, STEPS = 200000 };

/* What is withdrawn was free and not kept, what is created has a place, and together the host has all that is
 * asked. */
static void assert_packing_holds(const PlanProblem *problem, int host, const int *asked,
                                 const PlanPacking *packing) {
  const PlanHost *on = &problem->hosts.items[host];
  MigLayout layouts[8];
  int available[64];
  assert_true(on->gpu_count <= (int)COUNT_OF(layouts) && problem->kinds.count <= COUNT_OF(available));
  for (int kind = 0; kind < (int)problem->kinds.count; kind++)
    available[kind] = plan_problem_free(problem, host, kind);
  for (int i = 0; i < on->gpu_count; i++) {
    int gpu = on->first_gpu + i;
    layouts[i] = *plan_problem_gpu(problem, gpu)->layout;
    assert_int_equal(packing->withdraws[i] & ~plan_problem_withdrawable(problem, gpu), 0);
    for (uint32_t starts = packing->withdraws[i]; starts; starts &= starts - 1) {
      int stock = plan_problem_model(problem, gpu)
                      ->stock_of_profile[mig_layout_find(&layouts[i], __builtin_ctz(starts))->profile];
      for (int kind = 0; kind < (int)problem->kinds.count; kind++)
        available[kind] -= problem->kinds.items[kind].stock == stock;
      mig_layout_remove(&layouts[i], __builtin_ctz(starts));
    }
  }
  for (int i = 0; i < packing->count; i++) {
    const PlanSlice *slice = &packing->slices[i];
    MigLayout *layout = &layouts[slice->gpu - on->first_gpu];
    assert_true(mig_layout_can_place(layout, slice->profile, slice->start));
    mig_layout_place(layout, slice->profile, slice->start);
    for (int kind = 0; kind < (int)problem->kinds.count; kind++)
      available[kind] += plan_problem_model(problem, slice->gpu)->profile_of_kind[kind] == slice->profile;
  }
  for (int kind = 0; kind < (int)problem->kinds.count; kind++)
    assert_true(available[kind] >= asked[kind]);
}

static bool ask_places(const PlanProblem *problem, PlanMeans means, int host, const int *asked) {
  CLEANUP(cleanup_free) int *kept = mem_alloc(problem->kinds.count * sizeof *kept);
  PlanPacking packing;
  int64_t steps = STEPS;
  const PlanRealiseQuestion question = {
      .problem = problem, .host = host, .asked = asked, .means = means, .is_thorough = true};
  return plan_realise_pack(&question, &steps, kept, &packing);
}

/* Returns whether the answer was yes. */
static bool ask(PlanFits *fits, const PlanProblem *problem, PlanMeans means, int host, const int *asked) {
  CLEANUP(cleanup_free) int *kept = mem_alloc(problem->kinds.count * sizeof *kept);
  PlanPacking packing;
  bool fit = plan_fits_ask(fits, host, asked);
  assert_true(plan_fits_ask(fits, host, asked) == fit); /* also from memory */
  if (plan_fits_pack(fits, host, asked, kept, &packing)) {
    assert_true(fit);
    assert_packing_holds(problem, host, asked, &packing);
  }
  if (!fit)
    assert_false(ask_places(problem, means, host, asked));
  return fit;
}

static void compare(const RandomMix *mix, PlanMeans means, uint64_t seed) {
  Random random = {.state = seed};
  int yes = 0, no = 0;
  for (int i = 0; i < CLUSTERS; i++) {
    CLEANUP(fixture_deinit) Fixture f = {0};
    CLEANUP(plan_problem_deinit) PlanProblem problem;
    PlanBudget budget = {.steps = INT64_MAX};
    random_cluster(&f, &random, mix);
    fixture_snapshot(&f);
    f.planned = true; /* the snapshot goes with the fixture */
    plan_problem_init(&problem, &f.snapshot, 0);
    CLEANUP(cleanup_free) int *asked = mem_alloc(problem.kinds.count * sizeof *asked);
    PlanFits *fits = plan_fits_new(&problem, means, &budget);
    for (int q = 0; problem.hosts.count && q < QUESTIONS; q++) {
      for (size_t kind = 0; kind < problem.kinds.count; kind++)
        asked[kind] = random_below(&random, 2) ? (int)random_below(&random, 5) : 0;
      bool fit = ask(fits, &problem, means, (int)random_below(&random, problem.hosts.count), asked);
      yes += fit;
      no += !fit;
    }
    plan_fits_free(fits);
  }
  assert_true(yes > CLUSTERS && no > CLUSTERS); /* neither is rare */
}

static void growth_on_any_model(void **state) {
  compare(&(RandomMix){.every_model = true, .many_models = true, .other_profiles = true}, PLAN_BY_GROWTH, 1);
}

static void growth_beside_free_slices(void **state) {
  compare(&(RandomMix){.recut = true, .several_slices = true}, PLAN_BY_GROWTH, 2);
}

static void withdrawal(void **state) {
  compare(&(RandomMix){.recut = true, .many_models = true}, PLAN_BY_WITHDRAWAL, 3);
}

static void withdrawal_with_engines(void **state) {
  compare(&(RandomMix){.recut = true, .other_profiles = true, .several_slices = true}, PLAN_BY_WITHDRAWAL, 4);
}

static void placements_that_do_not_nest(void **state) {
  compare(&(RandomMix){.strange = true, .many_models = true, .other_profiles = true}, PLAN_BY_GROWTH, 5);
}

/* Two 3g and a 4g have no place on two GPUs beside 1g@0 and 1g@4, whatever the order. */
static void counts_that_only_places_forbid(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  CLEANUP(plan_problem_deinit) PlanProblem problem;
  PlanBudget budget = {.steps = 100000};
  Node *node = fixture_node(&f, "n1");
  fixture_gpu(&f, node, A100, "1g.10gb@0:used");
  fixture_gpu(&f, node, A100, "1g.10gb@4:used");
  fixture_pods(&f, 1, "p", "3g.40gb");
  fixture_pods(&f, 1, "q", "4g.40gb");
  fixture_snapshot(&f);
  f.planned = true;
  plan_problem_init(&problem, &f.snapshot, 0);
  int small = strcmp(problem.kinds.items[0].name, "3g.40gb") == 0 ? 0 : 1;
  int asked[2] = {0};
  PlanFits *fits = plan_fits_new(&problem, PLAN_BY_GROWTH, &budget);
  asked[small] = 1;
  asked[1 - small] = 1;
  assert_true(plan_fits_ask(fits, 0, asked));
  asked[small] = 2;
  assert_false(plan_fits_ask(fits, 0, asked));
  asked[1 - small] = 0;
  assert_true(plan_fits_ask(fits, 0, asked));
  assert_true(budget.steps < 100000); /* it is paid for */
  plan_fits_free(fits);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(growth_on_any_model),
      cmocka_unit_test(growth_beside_free_slices),
      cmocka_unit_test(withdrawal),
      cmocka_unit_test(withdrawal_with_engines),
      cmocka_unit_test(placements_that_do_not_nest),
      cmocka_unit_test(counts_that_only_places_forbid),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
