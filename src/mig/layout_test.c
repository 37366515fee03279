/* SPDX-License-Identifier: Apache-2.0 */
#include "mig/layout.h"

#include "mig/test.h"

#include "base/random.h"

static int profile_of(const MigModel *model, const char *name) {
  int profile = mig_model_find_profile(model, name);
  assert_true(profile >= 0);
  return profile;
}

static void place(MigLayout *layout, const char *name, int start) {
  mig_layout_place(layout, profile_of(layout->model, name), start);
}

static void an_instance_takes_the_slots_of_its_placement(void **state) {
  const MigModel *a100 = test_model("A100-80GB"), *pro = test_model("RTX-PRO-6000");
  assert_int_equal(mig_placement_mask(a100, profile_of(a100, "1g.10gb"), 6), 0x40);
  assert_int_equal(mig_placement_mask(a100, profile_of(a100, "3g.40gb"), 4), 0xf0);
  assert_int_equal(mig_placement_mask(a100, profile_of(a100, "7g.80gb"), 0), 0xff);
  assert_int_equal(mig_placement_mask(pro, profile_of(pro, "1g.24gb"), 9), 0xe00);
  assert_int_equal(mig_placement_mask(pro, profile_of(pro, "4g.96gb"), 0), 0xfff);
}

static void a_placement_may_fill_the_longest_axis(void **state) {
  MigModel model = {.name = "X", .slot_count = 32, .profile_count = 1};
  model.profiles[0] = (MigProfile){.name = "1g.1gb", .size = 32, .starts = 1, .instance_count_max = 1};
  assert_int_equal(mig_placement_mask(&model, 0, 0), 0xffffffff);
}

static void instances_are_kept_by_start_in_whatever_order_they_come(void **state) {
  MigLayout layout;
  mig_layout_init(&layout, test_model("A100-80GB"));
  place(&layout, "1g.10gb", 6);
  place(&layout, "3g.40gb", 0);
  place(&layout, "2g.20gb", 4);
  assert_int_equal(layout.count, 3);
  assert_int_equal(layout.mask, 0x7f);
  assert_int_equal(layout.instances[0].start, 0);
  assert_int_equal(layout.instances[1].start, 4);
  assert_int_equal(layout.instances[2].start, 6);
  assert_ptr_equal(mig_layout_find(&layout, 4), &layout.instances[1]);
  assert_null(mig_layout_find(&layout, 1));
  assert_int_equal(mig_layout_count(&layout, profile_of(layout.model, "2g.20gb")), 1);
  assert_int_equal(mig_layout_count(&layout, profile_of(layout.model, "7g.80gb")), 0);
}

static void what_was_removed_leaves_its_slots(void **state) {
  MigLayout layout, before;
  mig_layout_init(&layout, test_model("A100-80GB"));
  place(&layout, "1g.10gb", 6);
  before = layout;
  place(&layout, "3g.40gb", 0);
  assert_false(mig_layout_equal(&layout, &before));
  mig_layout_remove(&layout, 0);
  assert_true(mig_layout_equal(&layout, &before));
  mig_layout_remove(&layout, 6);
  assert_int_equal(layout.mask, 0);
  assert_int_equal(layout.count, 0);
}

static void the_same_slots_under_another_profile_are_another_layout(void **state) {
  MigLayout plain, with_media;
  mig_layout_init(&plain, test_model("A100-80GB"));
  mig_layout_init(&with_media, test_model("A100-80GB"));
  place(&plain, "1g.10gb", 3);
  place(&with_media, "1g.10gb+me", 3);
  assert_false(mig_layout_equal(&plain, &with_media));
}

typedef struct Placed {
  const char *profile;
  int start;
} Placed;

static void each_rule_refuses_in_its_own_words(void **state) {
  static const struct {
    const char *model;
    Placed there[4];
    Placed wanted;
    const char *text; /* NULL: allowed */
  } cases[] = {
      {"A100-80GB", {{0}}, {"2g.20gb", 6}, "2g.20gb cannot start at slot 6 of NVIDIA-A100-SXM4-80GB"},
      {"A100-80GB", {{0}}, {"1g.10gb", 7}, "1g.10gb cannot start at slot 7 of NVIDIA-A100-SXM4-80GB"},
      {"A100-80GB", {{0}}, {"1g.10gb", -1}, "1g.10gb cannot start at slot -1 of NVIDIA-A100-SXM4-80GB"},
      {"A100-80GB", {{0}}, {"1g.10gb", 99}, "1g.10gb cannot start at slot 99 of NVIDIA-A100-SXM4-80GB"},
      {"A100-80GB", {{"3g.40gb", 0}}, {"1g.10gb", 3}, "1g.10gb@3 overlaps 3g.40gb@0"},
      {"A100-80GB", {{"1g.10gb", 5}}, {"3g.40gb", 4}, "3g.40gb@4 overlaps 1g.10gb@5"},
      {"A100-80GB", {{"1g.10gb", 0}}, {"1g.10gb", 0}, "1g.10gb@0 overlaps 1g.10gb@0"},
      {"A100-80GB", {{"4g.40gb", 0}}, {"3g.40gb", 4}, NULL},
      {"A100-80GB",
       {{"1g.10gb+me", 0}},
       {"1g.10gb+me", 1},
       "NVIDIA-A100-SXM4-80GB can have only 1 of 1g.10gb+me"},
      {"A30",
       {{"1g.6gb+me", 0}},
       {"2g.12gb+me", 2},
       "2g.12gb+me@2 and 1g.6gb+me@0 need the same media engines"},
      {"A30",
       {{"2g.12gb+me", 0}},
       {"1g.6gb+me", 3},
       "1g.6gb+me@3 and 2g.12gb+me@0 need the same media engines"},
      {"A30", {{"2g.12gb+me", 0}}, {"2g.12gb", 2}, NULL},
      {"RTX-PRO-6000",
       {{"1g.24gb+me.all", 0}},
       {"1g.24gb", 9},
       "1g.24gb@9 and 1g.24gb+me.all@0 need the same media engines"},
      {"RTX-PRO-6000",
       {{"1g.24gb-me", 0}, {"1g.24gb+gfx", 3}},
       {"2g.48gb+me.all", 6},
       "2g.48gb+me.all@6 and 1g.24gb+gfx@3 need the same media engines"},
      {"RTX-PRO-6000",
       {{"1g.24gb+me.all", 0}},
       {"2g.48gb+me.all", 6},
       "2g.48gb+me.all@6 and 1g.24gb+me.all@0 need the same media engines"},
      {"RTX-PRO-6000", {{"1g.24gb-me", 0}, {"1g.24gb-me", 3}}, {"2g.48gb+me.all", 6}, NULL},
      {"RTX-PRO-6000", {{"2g.48gb+me.all", 6}}, {"1g.24gb-me", 0}, NULL},
      {"RTX-PRO-6000", {{"1g.24gb+me", 0}}, {"1g.24gb+gfx", 3}, NULL},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    MigLayout layout;
    mig_layout_init(&layout, test_model(cases[i].model));
    for (const Placed *there = cases[i].there; there->profile; there++)
      place(&layout, there->profile, there->start);
    int profile = profile_of(layout.model, cases[i].wanted.profile);
    Error err;
    assert_int_equal(mig_layout_can_place(&layout, profile, cases[i].wanted.start), !cases[i].text);
    if (!cases[i].text)
      assert_ok(mig_layout_why_not(&layout, profile, cases[i].wanted.start, &err));
    else
      assert_fails(mig_layout_why_not(&layout, profile, cases[i].wanted.start, &err), cases[i].text);
  }
}

static void a_limit_that_the_driver_reports_higher_holds(void **state) {
  MigModel model = *test_model("A100-80GB");
  model.profiles[profile_of(&model, "1g.10gb+me")].instance_count_max = 2;
  MigLayout layout;
  mig_layout_init(&layout, &model);
  place(&layout, "1g.10gb+me", 0);
  place(&layout, "1g.10gb+me", 1);
  assert_int_equal(mig_layout_free_starts(&layout, profile_of(&model, "1g.10gb+me")), 0);
}

static void free_starts_are_those_where_it_can_be_placed(void **state) {
  MigLayout layout;
  mig_layout_init(&layout, test_model("A100-80GB"));
  place(&layout, "2g.20gb", 2);
  assert_int_equal(mig_layout_free_starts(&layout, profile_of(layout.model, "1g.10gb")), 0x73);
  assert_int_equal(mig_layout_free_starts(&layout, profile_of(layout.model, "1g.20gb")), 0x51);
  assert_int_equal(mig_layout_free_starts(&layout, profile_of(layout.model, "3g.40gb")), 0x10);
  assert_int_equal(mig_layout_free_starts(&layout, profile_of(layout.model, "4g.40gb")), 0);
}

static void a_model_without_known_placements_has_room_for_nothing(void **state) {
  MigLayout layout;
  mig_layout_init(&layout, test_model("NVIDIA Thor"));
  for (int profile = 0; profile < layout.model->profile_count; profile++)
    assert_int_equal(mig_layout_auto_start(&layout, profile), -1);
  assert_true(mig_layout_is_maximal(&layout));
}

/* NVIDIA MIG User Guide, creation examples of "Getting started"; RTX PRO 6000: published -lgip/-lgipp log. */
static void the_driver_is_followed_in_its_documented_examples(void **state) {
  static const struct {
    const char *model;
    Placed steps[8]; /* start -1: the driver says Insufficient Resources */
  } cases[] = {
      {"A100-40GB",
       {{"1g.5gb", 6},
        {"1g.5gb", 4},
        {"1g.5gb", 5},
        {"1g.5gb", 0},
        {"1g.5gb", 1},
        {"1g.5gb", 2},
        {"1g.5gb", 3}}},
      {"A100-40GB", {{"3g.20gb", 4}, {"1g.5gb", 0}, {"2g.10gb", 2}, {"1g.5gb", 1}}},
      {"A100-40GB",
       {{"2g.10gb", 4}, {"1g.5gb", 6}, {"1g.5gb", 0}, {"1g.5gb", 1}, {"1g.5gb", 2}, {"1g.5gb", 3}}},
      {"A100-40GB", {{"1g.5gb", 6}, {"2g.10gb", 4}, {"4g.20gb", 0}}},
      {"A100-40GB", {{"3g.20gb", 4}, {"2g.10gb", 0}}},
      {"A100-40GB", {{"1g.5gb", 6}, {"1g.5gb", 4}, {"2g.10gb", 0}, {"3g.20gb", -1}}},
      {"RTX-PRO-6000", {{"1g.24gb", 0}, {"1g.24gb", 3}, {"1g.24gb", 6}, {"1g.24gb", 9}}},
      {"RTX-PRO-6000", {{"2g.48gb", 0}, {"1g.24gb", 6}, {"1g.24gb", 9}}},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    MigLayout layout;
    mig_layout_init(&layout, test_model(cases[i].model));
    for (const Placed *step = cases[i].steps; step->profile; step++) {
      int profile = profile_of(layout.model, step->profile);
      assert_int_equal(mig_layout_auto_start(&layout, profile), step->start);
      if (step->start >= 0)
        mig_layout_place(&layout, profile, step->start);
    }
  }
}

static MigLayout sound_layout(void) {
  MigLayout layout;
  mig_layout_init(&layout, test_model("A30"));
  place(&layout, "1g.6gb", 0);
  place(&layout, "2g.12gb", 2);
  return layout;
}

static void each_broken_invariant_is_named(void **state) {
  Error err;
  MigLayout layout = sound_layout();
  assert_ok(mig_layout_check(&layout, &err));
  layout.mask = 0xf;
  assert_fails(mig_layout_check(&layout, &err), "the mask is 0xf where the instances occupy 0xd");
  layout = sound_layout();
  layout.count = MIG_INSTANCES_MAX + 1;
  assert_fails(mig_layout_check(&layout, &err), "a layout has 33 instances, more than 32");
  layout = sound_layout();
  layout.instances[1].profile = 5;
  assert_fails(mig_layout_check(&layout, &err), "NVIDIA-A30 has no profile 5");
  layout = sound_layout();
  layout.instances[1].start = 0;
  assert_fails(mig_layout_check(&layout, &err), "the instances at slots 0 and 0 are not in order");
  layout = sound_layout();
  layout.instances[1].start = 1;
  assert_fails(mig_layout_check(&layout, &err), "2g.12gb cannot start at slot 1 of NVIDIA-A30");
  layout = sound_layout();
  layout.instances[0] = (MigInstance){.profile = 4, .start = 0};
  assert_fails(mig_layout_check(&layout, &err), "2g.12gb@2 overlaps 4g.24gb@0");
}

/* Whatever is created and destroyed in whatever order: place and remove end in the checker, and the mask is
 * what the instances say. */
static void any_order_of_creating_and_destroying_stays_sound(void **state) {
  enum { STEPS = 2000 };
  int count;
  const MigModelRow *rows = mig_model_rows(&count);
  Random random = {.state = 20250101};
  print_message("# seed %llu\n", (unsigned long long)random.state);
  for (int i = 0; i < count; i++) {
    if (!rows[i].placements_known)
      continue;
    MigLayout layout;
    mig_layout_init(&layout, &rows[i].model);
    for (int step = 0; step < STEPS; step++) {
      int profile = (int)random_below(&random, rows[i].model.profile_count);
      int start = (int)random_below(&random, rows[i].model.slot_count);
      if (mig_layout_find(&layout, start))
        mig_layout_remove(&layout, start);
      else if (mig_layout_can_place(&layout, profile, start))
        mig_layout_place(&layout, profile, start);
      Error err;
      assert_ok(mig_layout_check(&layout, &err));
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_instance_takes_the_slots_of_its_placement),
      cmocka_unit_test(a_placement_may_fill_the_longest_axis),
      cmocka_unit_test(instances_are_kept_by_start_in_whatever_order_they_come),
      cmocka_unit_test(what_was_removed_leaves_its_slots),
      cmocka_unit_test(the_same_slots_under_another_profile_are_another_layout),
      cmocka_unit_test(each_rule_refuses_in_its_own_words),
      cmocka_unit_test(a_limit_that_the_driver_reports_higher_holds),
      cmocka_unit_test(free_starts_are_those_where_it_can_be_placed),
      cmocka_unit_test(a_model_without_known_placements_has_room_for_nothing),
      cmocka_unit_test(the_driver_is_followed_in_its_documented_examples),
      cmocka_unit_test(each_broken_invariant_is_named),
      cmocka_unit_test(any_order_of_creating_and_destroying_stays_sound),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
