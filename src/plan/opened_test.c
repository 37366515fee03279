/* SPDX-License-Identifier: Apache-2.0 */
/* Withdrawals that are counted, against plans of small clusters, which oracle_test.c proves. */
#include "plan/random_cluster.h"

#include "plan/offer_fixture.h"
#include "plan/opened.h"
#include "plan/rehearse.h"

enum { INSTANCES = 1500 };

typedef struct Tally {
  int proven, others, withdrawn, least_withdrawn;
} Tally;

/* The draft asks the scheduler's filters about each pod. */
static bool holds(const PlanProblem *problem, const PlanOffer *offer) {
  CLEANUP(plan_draft_deinit) PlanDraft draft;
  plan_draft_init(&draft, problem);
  plan_draft_apply(&draft, offer, 0, problem->waiting.count);
  return memcmp(draft.hosts, offer->hosts, problem->waiting.count * sizeof *draft.hosts) == 0 &&
         draft.slices.count == offer->slices.count && draft.withdrawn.count == offer->withdrawals.count;
}

static bool serves_most(const Fixture *f, const PlanProblem *problem, const PlanOffer *offer) {
  int served[RANDOM_TIERS_MAX], here[RANDOM_TIERS_MAX] = {0};
  random_count_served(f, served);
  for (size_t i = 0; i < problem->waiting.count; i++)
    here[RANDOM_TIERS_MAX - 1 - plan_problem_pod(problem, (int)i)->priority] += offer->hosts[i] >= 0;
  return memcmp(here, served, sizeof served) == 0;
}

static void compare_one(Random *random, const RandomMix *mix, Tally *tally) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  CLEANUP(plan_problem_deinit) PlanProblem problem;
  CLEANUP(plan_offer_deinit) PlanOffer growth, offer;
  unsigned long long from = random->state;
  random_cluster(&f, random, mix);
  fixture_plan(&f, NULL);
  plan_problem_init(&problem, &f.snapshot, 0);
  (void)plan_bulk_solve(&problem, &growth);
  PlanBulkResult result = plan_opened_solve(&problem, &growth, &offer);
  tally->others += result == PLAN_BULK_COMPLETE;
  if (result != PLAN_BULK_PARTIAL && !holds(&problem, &offer))
    fail_msg("state %llu: the scheduler would not follow", from);
  if (result != PLAN_BULK_PROVEN)
    return;
  if (!serves_most(&f, &problem, &offer))
    fail_msg("state %llu: others are served by %s", from, fixture_changes(&f));
  tally->proven++;
  tally->withdrawn += (int)offer.withdrawals.count;
  tally->least_withdrawn += f.plan.destroy;
}

/* So many are proven at least, or this would show nothing. */
static void compare(const RandomMix *mix, int proven_min) {
  Random random = {.state = 20261130};
  Tally tally = {0};
  for (int i = 0; i < INSTANCES; i++)
    compare_one(&random, mix, &tally);
  print_message("# %d proven with %d withdrawals, %d at least; %d others\n", tally.proven, tally.withdrawn,
                tally.least_withdrawn, tally.others);
  assert_true(tally.proven >= proven_min);
  assert_true(tally.withdrawn * 100 <= tally.least_withdrawn * 102);
}

static void counted_withdrawals_serve_the_most_on_one_model(void **state) {
  compare(&(RandomMix){.recut = true}, 140);
}

static void counted_withdrawals_serve_the_most_on_every_model(void **state) {
  compare(&(RandomMix){.recut = true, .every_model = true}, 140);
}

static void counted_withdrawals_hold_on_mixed_fleets(void **state) {
  const RandomMix mix = {
      .recut = true, .every_model = true, .many_models = true, .limits = true, .selectors = true};
  compare(&mix, 80);
}

/* A fleet on which nobody can be asked host by host. */
static void large_fleet(Fixture *f, int hosts, int pods) {
  const RandomMix mix = {.recut = true};
  const char *const names[] = {A100};
  Random random = {.state = 20261130};
  for (int i = 0; i < hosts; i++)
    add_random_gpu(f, &random, &mix, fixture_node(f, arena_format(&f->arena, "n%05d", i)), A100);
  for (int i = 0; i < pods; i++) {
    add_random_pod(f, &random, &mix, names, 1);
    f->pods.items[i]->priority = 0;
  }
}

static void on_a_large_fleet_nobody_waits_for_whom_withdrawals_make_room(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  const PlanOptions options = {.leftover = PLAN_LEFTOVER_FILL};
  large_fleet(&f, 1200, 4000);
  const Plan *plan = fixture_plan(&f, &options);
  print_message("# %d destroyed, %d created, %d of %d pods: %d fit, %d admitted, bound %d\n", plan->destroy,
                plan->create, plan->already_fit + plan->admitted, plan->pending, plan->already_fit,
                plan->admitted, plan->bound);
  assert_true(plan->destroy > 100);
  assert_true(plan->pending > plan->already_fit + plan->admitted);
  assert_int_equal(plan->admitted, plan->bound);
  fixture_carry_out(&f);
  Fixture after = {.nodes = f.nodes, .pods = f.pods};
  fixture_snapshot(&after);
  random_assert_holds(&after, &f);
  snapshot_deinit(&after.snapshot);
  int served = plan->admitted + plan->already_fit;
  const Plan *again = fixture_plan(&f, &options);
  assert_int_equal(again->already_fit, served);
  assert_int_equal(again->create + again->destroy, 0);
}

static void solve(Fixture *f, PlanProblem *problem, PlanOffer *ret_offer) {
  CLEANUP(plan_offer_deinit) PlanOffer growth;
  fixture_snapshot(f);
  plan_problem_init(problem, &f->snapshot, 0);
  (void)plan_bulk_solve(problem, &growth);
  (void)plan_opened_solve(problem, &growth, ret_offer);
}

static void where_hosts_run_short_of_cpu_the_oldest_of_equal_pods_are_served(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  CLEANUP(plan_problem_deinit) PlanProblem problem;
  CLEANUP(plan_offer_deinit) PlanOffer offer;
  const RandomMix mix = {.limits = true};
  const char *const names[] = {A100};
  Random random = {.state = 20261201};
  for (int i = 0; i < 70; i++) {
    Node *node = fixture_node(&f, arena_format(&f.arena, "n%02d", i));
    fixture_gpu(&f, node, A100, i % 2 ? "1g.10gb@0:free,3g.40gb@4:free" : "2g.20gb@2:free");
    fixture_set(&f, (KeyValues *)&node->allocatable, "cpu", arena_format(&f.arena, "%d", 1 + i % 8));
  }
  for (int i = 0; i < 200; i++) {
    add_random_pod(&f, &random, &mix, names, 1);
    f.pods.items[i]->priority = 0;
  }
  solve(&f, &problem, &offer);
  assert_true(offer.withdrawals.count > 0);
  assert_false(plan_offer_serves_all(&problem, &offer));
  offer_assert_oldest_served(&problem, &offer);
  assert_true(holds(&problem, &offer));
  snapshot_deinit(&f.snapshot);
}

static void slices_that_serve_and_slices_in_nobodys_way_stay(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  CLEANUP(plan_problem_deinit) PlanProblem problem;
  CLEANUP(plan_offer_deinit) PlanOffer offer;
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "7g.80gb@0:free");
  fixture_gpu(&f, fixture_node(&f, "n2"), A100,
              "2g.20gb@0:free,1g.10gb@2:free,1g.10gb@3:free,3g.40gb@4:free");
  fixture_gpu(&f, fixture_node(&f, "n3"), A100, "4g.40gb@0:free,3g.40gb@4:free");
  fixture_pods(&f, 2, "a", "1g.10gb");
  fixture_pods(&f, 3, "b", "3g.40gb");
  solve(&f, &problem, &offer);
  assert_true(plan_offer_serves_all(&problem, &offer));
  assert_int_equal(offer.withdrawals.count, 1); /* of n1, or the 4g of n3: either makes room */
  assert_int_equal(offer.slices.count, 1);
  snapshot_deinit(&f.snapshot);
}

/* The 1g.20gb could serve, but then two others would have to go. */
static void one_slice_goes_rather_than_two(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  CLEANUP(plan_problem_deinit) PlanProblem problem;
  CLEANUP(plan_offer_deinit) PlanOffer offer;
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "1g.20gb@2:free");
  fixture_gpu(&f, fixture_node(&f, "n2"), A100, "2g.20gb@0:free,1g.10gb@3:free");
  fixture_pod(&f, "a", "4g.40gb");
  fixture_pod(&f, "b", "1g.20gb");
  solve(&f, &problem, &offer);
  assert_true(plan_offer_serves_all(&problem, &offer));
  assert_int_equal(offer.withdrawals.count, 1);
  snapshot_deinit(&f.snapshot);
}

/* Nobody knows which of the two the bound pod will get. */
static void slices_that_bound_pods_may_count_on_stay(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  CLEANUP(plan_problem_deinit) PlanProblem problem;
  CLEANUP(plan_offer_deinit) PlanOffer offer;
  fixture_gpu(&f, fixture_node(&f, "n1"), A100, "3g.40gb@0:free,3g.40gb@4:free");
  fixture_pod(&f, "bound", "3g.40gb")->node_name = "n1";
  fixture_pods(&f, 2, "p", "2g.20gb");
  solve(&f, &problem, &offer);
  assert_int_equal(offer.withdrawals.count, 0);
  snapshot_deinit(&f.snapshot);
}

/* The profiles that the nodes allow were changed after the 2g had been created. */
static void slices_that_may_not_be_created_again_stay_for_those_who_ask_them(void **state) {
  CLEANUP(fixture_deinit) Fixture f = {0};
  CLEANUP(plan_problem_deinit) PlanProblem problem;
  CLEANUP(plan_offer_deinit) PlanOffer offer;
  Node *n1 = fixture_node(&f, "n1"), *n2 = fixture_node(&f, "n2");
  fixture_gpu(&f, n1, A100, "2g.20gb@0:free,1g.10gb@2:used,1g.10gb@3:used,3g.40gb@4:used");
  fixture_gpu(&f, n2, A100, "7g.80gb@0:free");
  fixture_set(&f, &n1->meta.annotations, MIG_ANNOTATION_ALLOWED, "1g.10gb");
  fixture_set(&f, &n2->meta.annotations, MIG_ANNOTATION_ALLOWED, "1g.10gb");
  fixture_pods(&f, 2, "a", "1g.10gb");
  fixture_pods(&f, 1, "b", "2g.20gb");
  solve(&f, &problem, &offer);
  assert_true(plan_offer_serves_all(&problem, &offer));
  assert_int_equal(offer.withdrawals.count, 1);
  snapshot_deinit(&f.snapshot);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(counted_withdrawals_serve_the_most_on_one_model),
      cmocka_unit_test(counted_withdrawals_serve_the_most_on_every_model),
      cmocka_unit_test(counted_withdrawals_hold_on_mixed_fleets),
      cmocka_unit_test(on_a_large_fleet_nobody_waits_for_whom_withdrawals_make_room),
      cmocka_unit_test(where_hosts_run_short_of_cpu_the_oldest_of_equal_pods_are_served),
      cmocka_unit_test(slices_that_serve_and_slices_in_nobodys_way_stay),
      cmocka_unit_test(one_slice_goes_rather_than_two),
      cmocka_unit_test(slices_that_bound_pods_may_count_on_stay),
      cmocka_unit_test(slices_that_may_not_be_created_again_stay_for_those_who_ask_them),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
