/* SPDX-License-Identifier: Apache-2.0 */
/* The slots are counted by hand. */
#include "explain/explain_fixture.h"

#include "explain/census.h"

/* "used 1 free 2 empty 3 unusable 4 closed 5 | 1g.10gb 1/0/5 ..." (used/free/more). */
static const char *census_of(Scene *s) {
  CLEANUP(explain_census_deinit) ExplainCensus census;
  CLEANUP(text_deinit) Text text = {0};
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  CLEANUP(explain_trial_deinit) ExplainTrial trial;
  explain_trial_init(&trial, scene_cluster(s));
  explain_trial_snapshot(&trial, SIZE_MAX, &snapshot, NULL);
  explain_census_take(&snapshot, -1, &census);
  for (int i = 0; i < EXPLAIN_SLOT_KINDS; i++)
    text_format(&text, "%s %lld ", explain_slot_name((ExplainSlot)i), (long long)census.slots.counts[i]);
  text_append(&text, "|");
  for (size_t i = 0; i < census.tallies.count; i++) {
    const ExplainTally *tally = &census.tallies.items[i];
    text_format(&text, " %s %lld/%lld/%lld", tally->profile->name, (long long)tally->used,
                (long long)tally->free, (long long)tally->more);
  }
  return arena_strdup(&s->f.arena, text_string(&text));
}

static void an_empty_gpu_can_become_anything(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  fixture_gpu(&s.f, fixture_node(&s.f, "n1"), A30, "");
  assert_string_equal(census_of(&s),
                      "used 0 free 0 empty 4 unusable 0 closed 0 | 1g.6gb 0/0/4 1g.6gb+me 0/0/1 "
                      "2g.12gb 0/0/2 2g.12gb+me 0/0/1 4g.24gb 0/0/1");
}

static void the_eighth_slot_beside_seven_small_slices_is_unusable(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  fixture_gpu(&s.f, fixture_node(&s.f, "n1"), A100,
              "1g.10gb@0:used,1g.10gb@1:used,1g.10gb@2:used,1g.10gb@3:used,1g.10gb@4:used,1g.10gb@5:used,"
              "1g.10gb@6:used");
  assert_string_equal(census_of(&s), "used 7 free 0 empty 0 unusable 1 closed 0 | 1g.10gb 7/0/0");
}

static void free_slices_of_other_profiles_give_way_in_what_could_be_made(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  fixture_gpu(&s.f, fixture_node(&s.f, "n1"), A100, "3g.40gb@4:used,2g.20gb@0:free");
  assert_string_equal(
      census_of(&s),
      "used 4 free 2 empty 2 unusable 0 closed 0 | 1g.10gb 0/0/4 1g.10gb+me 0/0/1 1g.20gb 0/0/2 "
      "2g.20gb 0/1/1 3g.40gb 1/0/1 4g.40gb 0/0/1");
}

static void a_slice_that_a_bound_pod_will_take_does_not_give_way(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  fixture_gpu(&s.f, fixture_node(&s.f, "n1"), A100, "3g.40gb@4:used,4g.40gb@0:free");
  scene_running(&s, "a", "3g.40gb", "n1");
  scene_running(&s, "b", "4g.40gb", "n1")->common->phase = "Pending";
  assert_string_equal(census_of(&s),
                      "used 4 free 4 empty 0 unusable 0 closed 0 | 3g.40gb 1/0/0 4g.40gb 0/1/0");
}

static void what_facet_may_not_change_is_closed(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  Node *paused = fixture_node(&s.f, "n1");
  fixture_gpu(&s.f, paused, A100, "3g.40gb@4:used,2g.20gb@0:free");
  fixture_set(&s.f, &paused->meta.annotations, MIG_ANNOTATION_PAUSED, "true");
  Node *off = fixture_node(&s.f, "n2");
  fixture_gpu(&s.f, off, A30, "");
  fixture_set(&s.f, &off->meta.annotations, MIG_ANNOTATION_IDENTITY_PREFIX "0", "GPU-x NVIDIA-A30 mig=off");
  assert_string_equal(census_of(&s),
                      "used 4 free 2 empty 0 unusable 0 closed 6 | 2g.20gb 0/1/0 3g.40gb 1/0/0");
}

static void slots_that_no_allowed_profile_could_use_are_unusable(void **state) {
  CLEANUP(scene_deinit) Scene s = {0};
  Node *node = fixture_node(&s.f, "n1");
  fixture_gpu(&s.f, node, A100, "2g.20gb@0:used");
  fixture_set(&s.f, &node->meta.annotations, MIG_ANNOTATION_ALLOWED, "3g.40gb");
  assert_string_equal(census_of(&s),
                      "used 2 free 0 empty 4 unusable 2 closed 0 | 2g.20gb 1/0/0 3g.40gb 0/0/1");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_empty_gpu_can_become_anything),
      cmocka_unit_test(the_eighth_slot_beside_seven_small_slices_is_unusable),
      cmocka_unit_test(free_slices_of_other_profiles_give_way_in_what_could_be_made),
      cmocka_unit_test(a_slice_that_a_bound_pod_will_take_does_not_give_way),
      cmocka_unit_test(what_facet_may_not_change_is_closed),
      cmocka_unit_test(slots_that_no_allowed_profile_could_use_are_unusable),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
