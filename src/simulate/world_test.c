/* SPDX-License-Identifier: Apache-2.0 */
#include "simulate/simulate_fixture.h"

enum { ONE_G = 0 };

static int profile_of(const Fixture *f, const char *name) {
  int profile = mig_model_find_profile(f->fleet.gpus.items[0].layout.model, name);
  assert_true(profile >= 0);
  return profile;
}

static void the_driver_does_one_thing_after_the_other(void **state) {
  CLEANUP(fixture_deinit) Fixture f;
  fixture_init(&f, "2xA100-80GB", "0 10 1g.10gb; 0 10 1g.10gb; 0 10 1g.10gb");
  fixture_arrive(&f, 3);
  int small = profile_of(&f, "1g.10gb");
  simulate_world_create(&f.world, 0, small, 6);
  simulate_world_create(&f.world, 0, small, 5);
  simulate_world_create(&f.world, 1, small, 6);
  simulate_world_take(&f.world, 0, 0, 6);
  simulate_world_take(&f.world, 1, 0, 5);
  simulate_world_take(&f.world, 2, 1, 6);
  assert_int_equal(f.world.jobs[0].start_ms, 250);
  assert_int_equal(f.world.jobs[1].start_ms, 500);
  assert_int_equal(f.world.jobs[2].start_ms, 250);
  assert_int_equal(f.world.creates, 3);
  assert_int_equal(f.world.repartitions, 2);
}

static void a_create_waits_for_the_destroy_before_it(void **state) {
  CLEANUP(fixture_deinit) Fixture f;
  fixture_init(&f, "A100-80GB", "0 10 2g.20gb");
  fixture_arrive(&f, 1);
  f.world.now_ms = 1000;
  simulate_world_create(&f.world, 0, profile_of(&f, "1g.10gb"), 4);
  f.world.now_ms = 2000;
  simulate_world_destroy(&f.world, 0, 4);
  simulate_world_create(&f.world, 0, profile_of(&f, "2g.20gb"), 4);
  simulate_world_take(&f.world, 0, 0, 4);
  assert_int_equal(f.world.jobs[0].start_ms, 2350);
  assert_int_equal(f.world.repartitions, 2);
}

static void a_job_begins_when_its_last_slice_is_ready(void **state) {
  CLEANUP(fixture_deinit) Fixture f;
  fixture_init(&f, "A100-80GB", "0 10 1g.10gb x2");
  fixture_arrive(&f, 1);
  simulate_world_create(&f.world, 0, ONE_G, 0);
  simulate_world_create(&f.world, 0, ONE_G, 1);
  assert_true(simulate_world_take_on(&f.world, 0, 0));
  assert_int_equal(f.world.jobs[0].start_ms, 500);
  assert_int_equal(f.world.jobs[0].state, SIMULATE_JOB_RUNNING);
  simulate_world_end(&f.world, 0);
  assert_string_equal(fixture_layout(&f, 0), "1g.10gb@0:free,1g.10gb@1:free");
}

static void the_scheduler_serves_the_oldest_and_takes_the_fullest_gpu(void **state) {
  CLEANUP(fixture_deinit) Fixture f;
  fixture_init(&f, "2xA100-80GB", "0 10 3g.40gb; 0 10 1g.10gb; 0 10 1g.10gb; 0 10 1g.10gb");
  fixture_arrive(&f, 1);
  simulate_world_create(&f.world, 1, profile_of(&f, "3g.40gb"), 4);
  simulate_world_schedule(&f.world);
  simulate_world_create(&f.world, 0, ONE_G, 6);
  simulate_world_create(&f.world, 1, ONE_G, 0);
  fixture_arrive(&f, 4);
  f.world.now_ms = 10000;
  simulate_world_schedule(&f.world);
  assert_int_equal(f.fleet.gpus.items[1].jobs[0], 1);
  assert_int_equal(f.fleet.gpus.items[0].jobs[6], 2);
  assert_int_equal(f.world.waiting_total, 1);
  assert_int_equal(f.world.jobs[3].state, SIMULATE_JOB_WAITING);
}

static void a_slice_that_is_ready_comes_before_one_that_is_being_made(void **state) {
  CLEANUP(fixture_deinit) Fixture f;
  fixture_init(&f, "2xA100-80GB", "0 10 1g.10gb");
  fixture_arrive(&f, 1);
  simulate_world_create(&f.world, 1, ONE_G, 3);
  f.world.now_ms = 1000;
  simulate_world_create(&f.world, 0, ONE_G, 6);
  simulate_world_schedule(&f.world);
  assert_int_equal(f.fleet.gpus.items[1].jobs[3], 0);
  assert_int_equal(f.world.jobs[0].start_ms, 1000);
}

static void slices_of_one_job_are_on_one_node(void **state) {
  CLEANUP(fixture_deinit) Fixture f;
  fixture_init(&f, "2x1xA100-80GB", "0 10 1g.10gb x2");
  fixture_arrive(&f, 1);
  simulate_world_create(&f.world, 0, ONE_G, 6);
  simulate_world_create(&f.world, 1, ONE_G, 6);
  simulate_world_schedule(&f.world);
  assert_int_equal(f.world.jobs[0].state, SIMULATE_JOB_WAITING);
  simulate_world_create(&f.world, 1, ONE_G, 5);
  simulate_world_schedule(&f.world);
  assert_int_equal(f.world.jobs[0].node, 1);
}

static void what_is_stuck_is_open_again_when_a_job_ends(void **state) {
  CLEANUP(fixture_deinit) Fixture f;
  fixture_init(&f, "A100-80GB", "0 10 7g.80gb; 0 10 7g.80gb");
  fixture_arrive(&f, 2);
  simulate_world_create(&f.world, 0, profile_of(&f, "7g.80gb"), 0);
  simulate_world_schedule(&f.world);
  f.world.stuck[0] = true;
  assert_false(simulate_world_has_open(&f.world));
  simulate_world_end(&f.world, 0);
  assert_true(simulate_world_has_open(&f.world));
}

static void unusable_slots_are_those_that_no_slice_of_the_mix_could_take(void **state) {
  CLEANUP(fixture_deinit) Fixture f;
  fixture_init(&f, "A100-80GB", "0 10 3g.40gb; 0 10 1g.10gb; 0 10 1g.10gb");
  fixture_arrive(&f, 3);
  double weights[SIMULATE_KINDS_MAX] = {1, 0}, both[SIMULATE_KINDS_MAX] = {1, 1};
  assert_true(simulate_world_unusable_slots(&f.world, weights, 0) == 0);
  simulate_world_create(&f.world, 0, profile_of(&f, "1g.10gb"), 0);
  assert_true(simulate_world_unusable_slots(&f.world, weights, 0) ==
              0); /* a free slice could be taken away */
  assert_true(simulate_world_take_on(&f.world, 1, 0));
  assert_true(simulate_world_unusable_slots(&f.world, weights, 0) == 3); /* 7 free, one 3g.40gb of 4 */
  assert_true(simulate_world_unusable_slots(&f.world, both, 0) == 2);    /* 1g.10gb: all but slot 7 */
}

static void who_gives_up_waits_no_longer(void **state) {
  CLEANUP(fixture_deinit) Fixture f;
  fixture_init(&f, "A100-80GB", "0 10 1g.10gb; 0 10 1g.10gb");
  fixture_arrive(&f, 2);
  simulate_world_give_up(&f.world, 0);
  assert_int_equal(f.world.waiting_total, 1);
  assert_int_equal(f.world.waiting_count[0], 1);
  assert_int_equal(f.world.jobs[0].state, SIMULATE_JOB_GONE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_driver_does_one_thing_after_the_other),
      cmocka_unit_test(a_create_waits_for_the_destroy_before_it),
      cmocka_unit_test(a_job_begins_when_its_last_slice_is_ready),
      cmocka_unit_test(the_scheduler_serves_the_oldest_and_takes_the_fullest_gpu),
      cmocka_unit_test(a_slice_that_is_ready_comes_before_one_that_is_being_made),
      cmocka_unit_test(slices_of_one_job_are_on_one_node),
      cmocka_unit_test(what_is_stuck_is_open_again_when_a_job_ends),
      cmocka_unit_test(unusable_slots_are_those_that_no_slice_of_the_mix_could_take),
      cmocka_unit_test(who_gives_up_waits_no_longer),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
