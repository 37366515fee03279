/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent_fixture.h"

#include "agent/withdrawal.h"

static void assert_targets(Fixture *f, const Map *used, const char *expected) {
  AgentTargets targets = {0};
  char text[256];
  agent_withdrawal_compute(&f->node, f->observation, used, &targets);
  agent_targets_format(&targets, text, sizeof text);
  assert_string_equal(text, expected);
  array_deinit(&targets);
}

static const Map nobody = {0};

static void what_the_wish_leaves_out_goes(void **state) {
  Fixture *f = *state;
  observe(f, "A100-80GB", "1g.10gb@6 1g.10gb@4 2g.20gb@0");
  annotate(f, "facet.gpu/spec-gpu-0", "GPU-0 2g.20gb@0,2g.20gb@4");
  assert_targets(f, &nobody, "gpu 0: 1g.10gb@4, 1g.10gb@6");
}

static void another_profile_at_the_same_place_goes(void **state) {
  Fixture *f = *state;
  observe(f, "A100-80GB", "2g.20gb@0");
  annotate(f, "facet.gpu/spec-gpu-0", "GPU-0 1g.10gb@0");
  assert_targets(f, &nobody, "gpu 0: 2g.20gb@0");
}

static void an_empty_wish_takes_everything(void **state) {
  Fixture *f = *state;
  observe(f, "A100-80GB", "2g.20gb@0");
  observe(f, "A100-80GB", "1g.10gb@3 1g.10gb@1");
  annotate(f, "facet.gpu/spec-gpu-0", "GPU-0");
  annotate(f, "facet.gpu/spec-gpu-1", "GPU-1");
  assert_targets(f, &nobody, "gpu 0: 2g.20gb@0; gpu 1: 1g.10gb@1, 1g.10gb@3");
}

static void without_an_exact_wish_everything_stays(void **state) {
  Fixture *f = *state;
  observe(f, "A100-80GB", "2g.20gb@0 1g.10gb@6");
  annotate(f, "nos.nebuly.com/spec-gpu-0-1g.10gb", "1");
  assert_targets(f, &nobody, "");
}

static void used_and_incomplete_slices_stay(void **state) {
  Fixture *f = *state;
  CLEANUP(map_deinit) Map used = {0};
  map_put(&used, "MIG-0-6", f);
  observe(f, "A100-80GB", "1g.10gb@6 1g.10gb@5? 1g.10gb@4 1g.10gb@3");
  f->observation->gpus[0].instances[3].process_count = 1;
  annotate(f, "facet.gpu/spec-gpu-0", "GPU-0");
  assert_targets(f, &used, "gpu 0: 1g.10gb@4");
}

static void kept_slices_and_excluded_gpus_stay(void **state) {
  Fixture *f = *state;
  observe(f, "A100-80GB", "1g.10gb@6 1g.10gb@5");
  observe(f, "A100-80GB", "1g.10gb@6");
  annotate(f, "facet.gpu/spec-gpu-0", "GPU-0");
  annotate(f, "facet.gpu/spec-gpu-1", "GPU-1");
  annotate(f, "facet.gpu/keep-gpu-0", "1g.10gb@5");
  annotate(f, "facet.gpu/exclude-gpus", "1");
  assert_targets(f, &nobody, "gpu 0: 1g.10gb@6");
}

static void in_doubt_everything_stays(void **state) {
  static const struct {
    const char *key, *value;
  } doubts[] = {
      {"facet.gpu/spec-gpu-0", "GPU-0 1g.10gb"},             /* garbage */
      {"facet.gpu/spec-gpu-0", "GPU-7 3g.40gb@0"},           /* another GPU */
      {"facet.gpu/spec-gpu-0", "GPU-0 9g.90gb@0"},           /* no such profile */
      {"facet.gpu/spec-gpu-0", "GPU-0 3g.40gb@1"},           /* no such place */
      {"facet.gpu/spec-gpu-0", "GPU-0 3g.40gb@0,2g.20gb@2"}, /* no layout */
      {"facet.gpu/keep-gpu-0", "all"},
      {"facet.gpu/exclude-gpus", "none"},
  };
  Fixture *f = *state;
  observe(f, "A100-80GB", "1g.10gb@6");
  for (size_t i = 0; i < COUNT_OF(doubts); i++) {
    annotate(f, "facet.gpu/spec-gpu-0", "GPU-0");
    annotate(f, doubts[i].key, doubts[i].value);
    assert_targets(f, &nobody, "");
    annotate(f, doubts[i].key, NULL);
  }
}

static void nothing_goes_while_mig_mode_is_off_or_pending(void **state) {
  Fixture *f = *state;
  observe(f, "A100-80GB", "1g.10gb@6");
  annotate(f, "facet.gpu/spec-gpu-0", "GPU-0");
  f->observation->gpus[0].mode = MIG_MODE_PENDING;
  assert_targets(f, &nobody, "");
}

static void targets_are_counted_by_resource(void **state) {
  Fixture *f = *state;
  AgentTargets targets = {0};
  observe(f, "A100-80GB", "1g.10gb@6 1g.10gb+me@5 1g.10gb@4");
  annotate(f, "facet.gpu/spec-gpu-0", "GPU-0");
  agent_withdrawal_compute(&f->node, f->observation, &nobody, &targets);
  assert_int_equal(agent_targets_count(&targets, "nvidia.com/mig-1g.10gb"), 2);
  assert_int_equal(agent_targets_count(&targets, "nvidia.com/mig-1g.10gb.me"), 1);
  assert_int_equal(agent_targets_find(&targets, "MIG-0-5")->start, 5);
  assert_null(agent_targets_find(&targets, "MIG-0-1"));
  const char *held[] = {"MIG-0-1", "MIG-0-5"};
  assert_true(agent_targets_has_one(&targets, "nvidia.com/mig-1g.10gb.me", &(Strings){held, 2}));
  assert_false(agent_targets_has_one(&targets, "nvidia.com/mig-1g.10gb", &(Strings){held, 2}));
  array_deinit(&targets);
}

/* A process that no pod explains does not keep the kubelet from giving the slice away. */
static void what_the_kubelet_could_give_instead_are_the_free_slices_of_the_same_resources(void **state) {
  Fixture *f = *state;
  CLEANUP(map_deinit) Map used = {0};
  AgentTargets targets = {0};
  char text[256];
  observe(f, "A100-80GB", "1g.10gb@6 1g.10gb@5 2g.20gb@0");
  GpuObserved *other = observe(f, "A100-80GB", "1g.10gb@3 1g.10gb@2 1g.10gb@1 1g.10gb@0?");
  other->instances[0].process_count = 1;
  map_put(&used, "MIG-1-2", f);
  annotate(f, "facet.gpu/spec-gpu-0", "GPU-0 1g.10gb@5,2g.20gb@0");
  agent_withdrawal_compute(&f->node, f->observation, &used, &targets);
  agent_withdrawal_add_free(f->observation, &used, &targets);
  agent_targets_format(&targets, text, sizeof text);
  assert_string_equal(text, "gpu 0: 1g.10gb@6, 1g.10gb@5; gpu 1: 1g.10gb@3, 1g.10gb@1");
  array_deinit(&targets);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      FIXTURE_TEST(what_the_wish_leaves_out_goes),
      FIXTURE_TEST(another_profile_at_the_same_place_goes),
      FIXTURE_TEST(an_empty_wish_takes_everything),
      FIXTURE_TEST(without_an_exact_wish_everything_stays),
      FIXTURE_TEST(used_and_incomplete_slices_stay),
      FIXTURE_TEST(kept_slices_and_excluded_gpus_stay),
      FIXTURE_TEST(in_doubt_everything_stays),
      FIXTURE_TEST(nothing_goes_while_mig_mode_is_off_or_pending),
      FIXTURE_TEST(targets_are_counted_by_resource),
      FIXTURE_TEST(what_the_kubelet_could_give_instead_are_the_free_slices_of_the_same_resources),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
