/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent_fixture.h"

#include "agent/use.h"

static void a_slice_is_free_when_both_witnesses_saw_nobody(void **state) {
  Fixture *f = *state;
  GpuInstance *slice = observe(f, "A30", "1g.6gb@3")->instances;
  CLEANUP(map_deinit) Map held = {0};
  map_put(&held, "MIG-0-2", f);
  assert_false(agent_use_is_used(slice, &held));
}

static void a_pod_is_enough(void **state) {
  Fixture *f = *state;
  GpuInstance *slice = observe(f, "A30", "1g.6gb@3")->instances;
  CLEANUP(map_deinit) Map held = {0};
  map_put(&held, "MIG-0-3", f);
  assert_true(agent_use_is_used(slice, &held));
}

static void a_process_is_enough(void **state) {
  Fixture *f = *state;
  GpuInstance *slice = observe(f, "A30", "1g.6gb@3")->instances;
  CLEANUP(map_deinit) Map held = {0};
  slice->process_count = 1;
  assert_true(agent_use_is_used(slice, &held));
}

static void while_nobody_knows_what_pods_hold_every_slice_is_used(void **state) {
  Fixture *f = *state;
  assert_true(agent_use_is_used(observe(f, "A30", "1g.6gb@3")->instances, NULL));
}

static void an_incomplete_slice_is_used(void **state) {
  Fixture *f = *state;
  CLEANUP(map_deinit) Map held = {0};
  assert_true(agent_use_is_used(observe(f, "A30", "1g.6gb@3?")->instances, &held));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      FIXTURE_TEST(a_slice_is_free_when_both_witnesses_saw_nobody),
      FIXTURE_TEST(a_pod_is_enough),
      FIXTURE_TEST(a_process_is_enough),
      FIXTURE_TEST(while_nobody_knows_what_pods_hold_every_slice_is_used),
      FIXTURE_TEST(an_incomplete_slice_is_used),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
