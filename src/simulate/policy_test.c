/* SPDX-License-Identifier: Apache-2.0 */
/* Each policy on cases that a person can work out. */
#include "simulate/simulate_fixture.h"

static void the_list_of_policies_is_parsed(void **state) {
  const SimulatePolicy *policies[SIMULATE_POLICIES_MAX];
  int count, all;
  Error err;
  assert_ok(simulate_policies_parse("nos,facet", policies, &count, &err));
  assert_int_equal(count, 2);
  assert_ptr_equal(policies[0], &simulate_policy_nos);
  assert_ok(simulate_policies_parse("all", policies, &count, &err));
  (void)simulate_policies(&all);
  assert_int_equal(count, all);
  assert_fails(
      simulate_policies_parse("facet,worst-fit", policies, &count, &err),
      "--policy: there is no policy \"worst-fit\"; there are facet, facet-fifo, first-fit, best-fit, "
      "spread, min-frag, nos");
  assert_fails(simulate_policies_parse("nos,nos", policies, &count, &err), "--policy names nos twice");
  assert_true(simulate_policies_parse("", policies, &count, &err) < 0);
}

static void first_fit_takes_the_first_place(void **state) {
  CLEANUP(fixture_deinit) Fixture f;
  fixture_init(&f, "2xA100-80GB", "0 10 3g.40gb; 0 10 1g.10gb; 0 10 1g.20gb; 0 10 4g.40gb");
  fixture_arrive(&f, 4);
  fixture_decide(&f, &simulate_policy_first_fit);
  assert_string_equal(fixture_layout(&f, 0), "3g.40gb@0:used,1g.10gb@4:used,1g.20gb@6:used");
  assert_string_equal(fixture_layout(&f, 1), "4g.40gb@0:used");
}

static void slices_go_with_their_job_where_they_are_made_for_it(void **state) {
  CLEANUP(fixture_deinit) Fixture f;
  fixture_init(&f, "A100-80GB", "0 10 1g.10gb; 0 10 7g.80gb");
  fixture_arrive(&f, 2);
  fixture_decide(&f, &simulate_policy_first_fit);
  assert_string_equal(fixture_layout(&f, 0), "1g.10gb@0:used");
  simulate_world_end(&f.world, 0);
  fixture_decide(&f, &simulate_policy_first_fit);
  assert_string_equal(fixture_layout(&f, 0), "7g.80gb@0:used");
  assert_int_equal(f.world.jobs[1].start_ms, 250 + 100 + 250); /* made, unmade, made */
}

static void best_fit_takes_the_fullest_gpu(void **state) {
  CLEANUP(fixture_deinit) Fixture f;
  fixture_init(&f, "3xA100-80GB",
               "0 10 4g.40gb; 0 10 4g.40gb; 0 10 2g.20gb; 0 10 2g.20gb; 0 10 7g.80gb; 0 10 1g.10gb");
  fixture_arrive(&f, 6);
  fixture_decide(&f, &simulate_policy_best_fit);
  assert_string_equal(fixture_layout(&f, 0), "4g.40gb@0:used,2g.20gb@4:used,1g.10gb@6:used");
  assert_string_equal(fixture_layout(&f, 1), "4g.40gb@0:used,2g.20gb@4:used");
  assert_string_equal(fixture_layout(&f, 2), "7g.80gb@0:used");
}

/* A single 1g: at slot 0 to 3 the places of 2g, 3g, 4g and 7g that overlap it are more than at 4 to 6, of
 * which 6 is in the way of 1g.20gb and 3g only. */
static void minimum_fragmentation_keeps_what_is_worth_most(void **state) {
  CLEANUP(fixture_deinit) Fixture f;
  fixture_init(&f, "2xA100-80GB", "0 10 1g.10gb; 0 10 1g.10gb; 0 10 3g.40gb");
  fixture_arrive(&f, 1);
  fixture_decide(&f, &simulate_policy_min_frag);
  assert_string_equal(fixture_layout(&f, 0), "1g.10gb@6:used");
  fixture_arrive(&f, 2);
  fixture_decide(&f, &simulate_policy_min_frag);
  assert_string_equal(fixture_layout(&f, 1), "");
  fixture_arrive(&f, 3);
  fixture_decide(&f, &simulate_policy_min_frag);
  assert_string_equal(fixture_layout(&f, 1), "");
}

static void who_does_not_fit_is_passed_by(void **state) {
  CLEANUP(fixture_deinit) Fixture f;
  fixture_init(&f, "A100-80GB", "0 10 4g.40gb; 0 10 4g.40gb; 0 10 3g.40gb");
  fixture_arrive(&f, 3);
  fixture_decide(&f, &simulate_policy_facet_fifo);
  assert_string_equal(fixture_layout(&f, 0), "4g.40gb@0:used,3g.40gb@4:used");
  assert_int_equal(f.world.waiting_total, 1);
  assert_int_equal(f.world.jobs[1].state, SIMULATE_JOB_WAITING);
  assert_true(f.world.stuck[0]);
}

static void facet_fills_the_rest_and_hands_slices_on(void **state) {
  CLEANUP(fixture_deinit) Fixture f;
  fixture_init(&f, "A100-80GB", "0 10 3g.40gb; 0 10 4g.40gb; 0 10 3g.40gb");
  fixture_arrive(&f, 1);
  fixture_decide(&f, &simulate_policy_facet);
  assert_string_equal(fixture_layout(&f, 0), "4g.40gb@0:free,3g.40gb@4:used");
  fixture_arrive(&f, 3);
  fixture_decide(&f, &simulate_policy_facet);
  assert_string_equal(fixture_layout(&f, 0), "4g.40gb@0:used,3g.40gb@4:used");
  assert_int_equal(f.world.waiting_total, 1);
  simulate_world_end(&f.world, 0);
  fixture_decide(&f, &simulate_policy_facet);
  assert_int_equal(f.world.creates, 2);
  assert_int_equal(f.world.waiting_total, 0);
}

static void facet_takes_free_slices_away_where_a_job_needs_their_slots(void **state) {
  CLEANUP(fixture_deinit) Fixture f;
  fixture_init(&f, "A100-80GB", "0 10 1g.10gb; 0 10 7g.80gb");
  fixture_arrive(&f, 1);
  fixture_decide(&f, &simulate_policy_facet);
  assert_true(f.world.creates > 1);
  simulate_world_end(&f.world, 0);
  fixture_arrive(&f, 2);
  fixture_decide(&f, &simulate_policy_facet);
  assert_string_equal(fixture_layout(&f, 0), "7g.80gb@0:used");
}

static void facet_serves_the_most_jobs_and_of_equals_the_oldest(void **state) {
  CLEANUP(fixture_deinit) Fixture f;
  fixture_init(&f, "A100-80GB", "0 10 7g.80gb; 0 10 3g.40gb; 0 10 3g.40gb; 0 10 3g.40gb");
  fixture_arrive(&f, 4);
  fixture_decide(&f, &simulate_policy_facet);
  assert_int_equal(f.world.jobs[1].state, SIMULATE_JOB_RUNNING);
  assert_int_equal(f.world.jobs[2].state, SIMULATE_JOB_RUNNING);
  assert_int_equal(f.world.waiting_total, 2);
}

/* More nodes that are alike than pods, and more pods than room: the planner is told less, and nothing
 * changes. */
static void facet_is_told_enough(void **state) {
  CLEANUP(fixture_deinit) Fixture f;
  char jobs[4000] = "";
  for (int i = 0; i < 60; i++)
    snprintf(jobs + strlen(jobs), sizeof jobs - strlen(jobs), "0 10 %s;", i % 3 ? "3g.40gb" : "7g.80gb");
  fixture_init(&f, "20x1xA100-80GB", jobs);
  fixture_arrive(&f, 3);
  fixture_decide(&f, &simulate_policy_facet);
  assert_int_equal(f.world.waiting_total, 0);
  fixture_arrive(&f, 60);
  fixture_decide(&f, &simulate_policy_facet);
  assert_int_equal(f.world.used_slots, 20 * 8);
  assert_int_equal(f.world.waiting_total, 60 - 39); /* a 7g holds a GPU, 38 of 3g the others */
}

static void nos_waits_for_its_batch(void **state) {
  CLEANUP(fixture_deinit) Fixture f;
  fixture_init(&f, "A100-80GB", "0 100 1g.10gb; 5 100 1g.10gb");
  CLEANUP(simulate_result_deinit) SimulateResult result;
  fixture_run(&f, &simulate_policy_nos, &result);
  assert_int_equal(result.all.served, 2);
  assert_int_equal(result.all.waits.max_ms, 15000 + 250); /* idle for 10 s after the second; the slice */
}

static void nos_knows_neither_4g_beside_3g_nor_double_memory(void **state) {
  CLEANUP(fixture_deinit) Fixture f;
  fixture_init(&f, "A100-80GB", "0 100000 4g.40gb; 0 10 3g.40gb; 0 10 1g.20gb");
  CLEANUP(simulate_result_deinit) SimulateResult result;
  fixture_run(&f, &simulate_policy_nos, &result);
  assert_int_equal(result.kinds[2].served, 0);
  assert_int_equal(result.all.served, 2);
  assert_true(result.all.waits.max_ms > 100); /* one after the other */
  CLEANUP(simulate_result_deinit) SimulateResult facet;
  fixture_run(&f, &simulate_policy_facet, &facet);
  assert_int_equal(facet.all.served, 3);
}

static void nos_never_touches_used_slices(void **state) {
  CLEANUP(fixture_deinit) Fixture f;
  fixture_init(&f, "A100-80GB", "0 1000 2g.20gb; 20 1000 3g.40gb; 40 1000 1g.10gb; 60 10 7g.80gb");
  CLEANUP(simulate_result_deinit) SimulateResult result;
  fixture_run(&f, &simulate_policy_nos, &result);
  assert_int_equal(result.all.served, 4);
  assert_true(result.kinds[3].waits.max_ms > 900000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_list_of_policies_is_parsed),
      cmocka_unit_test(first_fit_takes_the_first_place),
      cmocka_unit_test(slices_go_with_their_job_where_they_are_made_for_it),
      cmocka_unit_test(best_fit_takes_the_fullest_gpu),
      cmocka_unit_test(minimum_fragmentation_keeps_what_is_worth_most),
      cmocka_unit_test(who_does_not_fit_is_passed_by),
      cmocka_unit_test(facet_fills_the_rest_and_hands_slices_on),
      cmocka_unit_test(facet_takes_free_slices_away_where_a_job_needs_their_slots),
      cmocka_unit_test(facet_serves_the_most_jobs_and_of_equals_the_oldest),
      cmocka_unit_test(facet_is_told_enough),
      cmocka_unit_test(nos_waits_for_its_batch),
      cmocka_unit_test(nos_knows_neither_4g_beside_3g_nor_double_memory),
      cmocka_unit_test(nos_never_touches_used_slices),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
