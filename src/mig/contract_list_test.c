/* SPDX-License-Identifier: Apache-2.0 */
#include "mig/contract.h"

#include "mig/test.h"

#define NO_PROFILE(shown)                                                                                    \
  "\"" shown "\" is not a MIG profile: one looks like 1g.10gb, 1g.10gb+me, 1g.24gb+gfx, 1g.24gb+me.all or "  \
  "1g.24gb-me"
#define NO_SLICE(shown) "\"" shown "\" is not a slice: one looks like 1g.10gb@6"
#define NO_SLICE_WITH_USE(shown)                                                                             \
  "\"" shown "\" is not a slice: one looks like 1g.10gb@6:used or 1g.10gb@6:free"
#define NO_UUID(shown)                                                                                       \
  "\"" shown "\" is not the UUID of a GPU: one looks like GPU-8a2b6f0e-1c3d-4e5f-a6b7-c8d9e0f1a2b3"

static void a_list_names_slices_in_their_order(void **state) {
  MigList list;
  Error err;
  assert_ok(mig_list_parse("1g.10gb@6,2g.20gb@0,1g.24gb+me.all@31", false, &list, &err));
  assert_int_equal(list.count, 3);
  assert_string_equal(list.items[0].profile, "1g.10gb");
  assert_int_equal(list.items[0].start, 6);
  assert_int_equal(list.items[0].use, MIG_USE_NONE);
  assert_string_equal(list.items[1].profile, "2g.20gb");
  assert_int_equal(list.items[2].start, 31);
}

static void a_list_with_use_tells_free_from_used(void **state) {
  MigList list;
  Error err;
  assert_ok(mig_list_parse("1g.10gb@6:used,1g.10gb@4:free", true, &list, &err));
  assert_int_equal(list.items[0].use, MIG_USE_USED);
  assert_int_equal(list.items[1].use, MIG_USE_FREE);
}

static void nothing_and_blanks_are_the_empty_list(void **state) {
  MigList list;
  Error err;
  assert_ok(mig_list_parse("", false, &list, &err));
  assert_int_equal(list.count, 0);
  assert_ok(mig_list_parse("   ", true, &list, &err));
  assert_int_equal(list.count, 0);
}

static void blanks_around_a_slice_are_ignored(void **state) {
  MigList list;
  Error err;
  assert_ok(mig_list_parse(" 3g.40gb@0 , 1g.10gb@6 ", false, &list, &err));
  assert_int_equal(list.count, 2);
  assert_string_equal(list.items[1].profile, "1g.10gb");
}

static void what_is_no_list_is_refused_with_the_part_at_fault(void **state) {
  static const struct {
    const char *text;
    bool with_use;
    const char *expected;
  } cases[] = {
      {",", false, NO_SLICE("")},
      {"1g.10gb@6,", false, NO_SLICE("")},
      {",1g.10gb@6", false, NO_SLICE("")},
      {"1g.10gb", false, NO_SLICE("1g.10gb")},
      {"@6", false, NO_PROFILE("")},
      {"1g.10gb@", false, NO_SLICE("1g.10gb@")},
      {"1g.10gb@x", false, NO_SLICE("1g.10gb@x")},
      {"1g.10gb@-1", false, NO_SLICE("1g.10gb@-1")},
      {"1g.10gb@+1", false, NO_SLICE("1g.10gb@+1")},
      {"1g.10gb@01", false, NO_SLICE("1g.10gb@01")},
      {"1g.10gb@32", false, NO_SLICE("1g.10gb@32")},
      {"1g.10gb@4294967296", false, NO_SLICE("1g.10gb@4294967296")},
      {"1g.10gb@99999999999999999999999", false, NO_SLICE("1g.10gb@99999999999999999999999")},
      {"1g.10gb@6@6", false, NO_SLICE("1g.10gb@6@6")},
      {"1g.10gb @6", false, NO_PROFILE("1g.10gb ")},
      {"1g.10gb.me@6", false, NO_PROFILE("1g.10gb.me")},
      {"mig-1g.10gb@6", false, NO_PROFILE("mig-1g.10gb")},
      {"1g.10gb@6:used", false, NO_SLICE("1g.10gb@6:used")},
      {"1g.10gb@6", true, NO_SLICE_WITH_USE("1g.10gb@6")},
      {"1g.10gb@6:", true, NO_SLICE_WITH_USE("1g.10gb@6:")},
      {"1g.10gb@6:busy", true, NO_SLICE_WITH_USE("1g.10gb@6:busy")},
      {"1g.10gb@6:usedx", true, NO_SLICE_WITH_USE("1g.10gb@6:usedx")},
      {"1g.10gb@6:free,1g.10gb@4", true, NO_SLICE_WITH_USE("1g.10gb@4")},
      {"1g.10gb@6;1g.10gb@4", false, NO_SLICE("1g.10gb@6;1g.10gb@4")},
      {"1g.10gb@6,1g.10gb@6", false, "two slices start at slot 6: 1g.10gb and 1g.10gb"},
      {"1g.10gb@0,3g.40gb@0", false, "two slices start at slot 0: 1g.10gb and 3g.40gb"},
      {"\"\x01\xff@1", false, NO_PROFILE("???")},
      {"a-profile-name-that-goes-on-and-on-without-any-end-in-sight@0", false,
       NO_SLICE("a-profile-name-that-goes-on-and-on-without-a...")},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    MigList list = {.count = -7};
    Error err;
    assert_fails(mig_list_parse(cases[i].text, cases[i].with_use, &list, &err), cases[i].expected);
    assert_int_equal(err.code, ERROR_INVALID);
    assert_int_equal(list.count, -7);
  }
}

static void append_slices(char *text, size_t size, int count) {
  size_t used = 0;
  for (int i = 0; i < count; i++)
    used += (size_t)snprintf(text + used, size - used, "%s1g.10gb@%d", i ? "," : "", i % MIG_SLOTS_MAX);
}

static void a_list_is_as_long_as_a_gpu_at_most(void **state) {
  char text[1024];
  MigList list;
  Error err;
  append_slices(text, sizeof text, MIG_INSTANCES_MAX);
  assert_ok(mig_list_parse(text, false, &list, &err));
  assert_int_equal(list.count, MIG_INSTANCES_MAX);
  append_slices(text, sizeof text, MIG_INSTANCES_MAX + 1);
  assert_fails(mig_list_parse(text, false, &list, &err), "more than 32 slices on one GPU");
  assert_int_equal(err.code, ERROR_LIMIT);
}

static void binding_holds_a_list_against_a_model(void **state) {
  static const struct {
    const char *model, *list, *expected; /* NULL: it fits */
  } cases[] = {
      {"A100-80GB", "", NULL},
      {"A100-80GB", "1g.10gb@6,2g.20gb@4,4g.40gb@0", NULL},
      {"A100-80GB", "1g.5gb@6", "NVIDIA-A100-SXM4-80GB has no profile 1g.5gb"},
      {"A100-80GB", "2g.20gb@6", "2g.20gb cannot start at slot 6 of NVIDIA-A100-SXM4-80GB"},
      {"A100-80GB", "4g.40gb@0,1g.10gb@3", "1g.10gb@3 overlaps 4g.40gb@0"},
      {"A100-80GB", "1g.10gb@3,4g.40gb@0", "4g.40gb@0 overlaps 1g.10gb@3"},
      {"A100-80GB", "1g.10gb+me@0,1g.10gb+me@1", "NVIDIA-A100-SXM4-80GB can have only 1 of 1g.10gb+me"},
      {"A30", "1g.6gb+me@0,2g.12gb+me@2", "2g.12gb+me@2 and 1g.6gb+me@0 need the same media engines"},
      {"NVIDIA Thor", "1g.0gb@0", "1g.0gb cannot start at slot 0 of NVIDIA-Thor"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    MigList list;
    MigLayout layout;
    Error err;
    assert_ok(mig_list_parse(cases[i].list, false, &list, &err));
    if (!cases[i].expected)
      assert_ok(mig_list_bind(&list, test_model(cases[i].model), &layout, &err));
    else
      assert_fails(mig_list_bind(&list, test_model(cases[i].model), &layout, &err), cases[i].expected);
  }
}

static void a_spec_is_a_uuid_and_its_slices(void **state) {
  MigSpec spec;
  Error err;
  assert_ok(mig_spec_parse("GPU-11aa-22bb 1g.10gb@6,2g.20gb@0", &spec, &err));
  assert_string_equal(spec.uuid, "GPU-11aa-22bb");
  assert_int_equal(spec.list.count, 2);
  assert_ok(mig_spec_parse("GPU-11aa-22bb", &spec, &err));
  assert_int_equal(spec.list.count, 0);
  assert_ok(mig_spec_parse("GPU-11aa-22bb ", &spec, &err));
  assert_int_equal(spec.list.count, 0);
}

static void a_spec_is_written_in_the_order_in_which_slices_are_wanted(void **state) {
  MigList list;
  Error err;
  char text[MIG_SPEC_TEXT_SIZE];
  assert_ok(mig_list_parse("1g.10gb@6:used,2g.20gb@0:free,1g.10gb@4:free", true, &list, &err));
  mig_spec_format("GPU-1", &list, text, sizeof text);
  assert_string_equal(text, "GPU-1 1g.10gb@6,2g.20gb@0,1g.10gb@4");
  mig_spec_format("GPU-1", &(MigList){0}, text, sizeof text);
  assert_string_equal(text, "GPU-1");
}

static void what_is_no_spec_is_refused(void **state) {
  static const struct {
    const char *text, *expected;
  } cases[] = {
      {"", NO_UUID("")},
      {" GPU-1", NO_UUID("")},
      {"GPU-", NO_UUID("GPU-")},
      {"MIG-1", NO_UUID("MIG-1")},
      {"1g.10gb@6", NO_UUID("1g.10gb@6")},
      {"GPU-1,1g.10gb@6", NO_UUID("GPU-1,1g.10gb@6")},
      {"GPU-1\n1g.10gb@6", NO_UUID("GPU-1?1g.10gb@6")},
      {"GPU-1 1g.10gb", NO_SLICE("1g.10gb")},
      {"GPU-1 1g.10gb@6:free", NO_SLICE("1g.10gb@6:free")},
      {"GPU-1 GPU-2", NO_SLICE("GPU-2")},
      {"GPU-0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123",
       NO_UUID("GPU-0123456789012345678901234567890123456789...")},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    MigSpec spec;
    Error err;
    assert_fails(mig_spec_parse(cases[i].text, &spec, &err), cases[i].expected);
  }
}

static void a_uuid_may_be_as_long_as_nvml_allows(void **state) {
  char text[MIG_UUID_SIZE + 1];
  memset(text, 'a', sizeof text);
  memcpy(text, "GPU-", 4);
  text[MIG_UUID_SIZE - 1] = '\0';
  MigSpec spec;
  Error err;
  assert_ok(mig_spec_parse(text, &spec, &err));
  assert_string_equal(spec.uuid, text);
  text[MIG_UUID_SIZE - 1] = 'a';
  text[MIG_UUID_SIZE] = '\0';
  assert_true(mig_spec_parse(text, &spec, &err) < 0);
}

static void a_status_reports_instances_by_start_with_their_use(void **state) {
  MigLayout layout, again;
  uint32_t used_starts;
  Error err;
  char text[MIG_STATUS_TEXT_SIZE];
  assert_ok(mig_status_parse("2g.20gb@4:free,1g.10gb@6:used,1g.10gb+me@0:used", test_model("A100-80GB"),
                             &layout, &used_starts, &err));
  assert_int_equal(used_starts, 0x41);
  mig_status_format(&layout, used_starts, text, sizeof text);
  assert_string_equal(text, "1g.10gb+me@0:used,2g.20gb@4:free,1g.10gb@6:used");
  assert_ok(mig_status_parse("", test_model("A100-80GB"), &again, &used_starts, &err));
  assert_int_equal(again.count, 0);
  assert_int_equal(used_starts, 0);
  mig_status_format(&again, ~0u, text, sizeof text);
  assert_string_equal(text, "");
}

static void a_status_that_this_model_cannot_have_is_refused(void **state) {
  MigLayout layout;
  uint32_t used_starts;
  Error err;
  assert_fails(mig_status_parse("1g.10gb@6:used", test_model("A30"), &layout, &used_starts, &err),
               "NVIDIA-A30 has no profile 1g.10gb");
  assert_fails(mig_status_parse("1g.6gb@0", test_model("A30"), &layout, &used_starts, &err),
               NO_SLICE_WITH_USE("1g.6gb@0"));
}

static void assert_round_trips(const MigLayout *layout, void *userdata) {
  uint32_t *pattern = userdata, used_starts, starts = 0;
  *pattern = *pattern * 1664525u + 1013904223u;
  for (int i = 0; i < layout->count; i++)
    starts |= UINT32_C(1) << layout->instances[i].start;
  char text[MIG_SPEC_TEXT_SIZE];
  MigLayout again;
  Error err;
  mig_status_format(layout, *pattern, text, sizeof text);
  assert_ok(mig_status_parse(text, layout->model, &again, &used_starts, &err));
  assert_true(mig_layout_equal(layout, &again));
  assert_int_equal(used_starts, *pattern & starts);
  MigList list;
  MigSpec spec;
  mig_list_from_layout(layout, &list);
  mig_spec_format("GPU-1", &list, text, sizeof text);
  assert_ok(mig_spec_parse(text, &spec, &err));
  assert_ok(mig_list_bind(&spec.list, layout->model, &again, &err));
  assert_true(mig_layout_equal(layout, &again));
}

static void every_layout_of_every_model_survives_being_written_and_read(void **state) {
  int count;
  const MigModelRow *rows = mig_model_rows(&count);
  uint32_t pattern = 1;
  for (int i = 0; i < count; i++)
    mig_layout_enumerate(&rows[i].model, assert_round_trips, &pattern);
}

/* A GPU that no one has built: as many slots, and names as long, as there is room for. */
static void the_largest_layout_fits_into_the_promised_sizes(void **state) {
  MigModel model = {.name = "X", .slot_count = 32, .profile_count = 1};
  model.profiles[0] = (MigProfile){
      .name = "32g.9999gb+me.all", .kind = MIG_PLAIN, .size = 1, .starts = ~0u, .instance_count_max = 32};
  MigLayout layout;
  mig_layout_init(&layout, &model);
  for (int start = 0; start < 32; start++)
    mig_layout_place(&layout, 0, start);
  char uuid[MIG_UUID_SIZE] = {0}, text[MIG_SPEC_TEXT_SIZE];
  memset(uuid, 'a', sizeof uuid - 1);
  mig_status_format(&layout, ~0u, text, MIG_STATUS_TEXT_SIZE);
  assert_int_equal(strlen(text), 32 * strlen("32g.9999gb+me.all@0:used,") + 22 - 1);
  MigList list;
  mig_list_from_layout(&layout, &list);
  mig_spec_format(uuid, &list, text, sizeof text);
  assert_int_equal(strlen(text), MIG_UUID_SIZE + 32 * strlen("32g.9999gb+me.all@0,") + 22 - 1);
}

static void a_list_has_a_profile_at_its_own_start_only(void **state) {
  MigList list;
  Error err;
  assert_ok(mig_list_parse("1g.10gb@6,2g.20gb@0", false, &list, &err));
  assert_true(mig_list_has(&list, "1g.10gb", 6));
  assert_true(mig_list_has(&list, "2g.20gb", 0));
  assert_false(mig_list_has(&list, "1g.10gb", 0));
  assert_false(mig_list_has(&list, "3g.40gb", 6));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_list_names_slices_in_their_order),
      cmocka_unit_test(a_list_with_use_tells_free_from_used),
      cmocka_unit_test(nothing_and_blanks_are_the_empty_list),
      cmocka_unit_test(blanks_around_a_slice_are_ignored),
      cmocka_unit_test(what_is_no_list_is_refused_with_the_part_at_fault),
      cmocka_unit_test(a_list_is_as_long_as_a_gpu_at_most),
      cmocka_unit_test(binding_holds_a_list_against_a_model),
      cmocka_unit_test(a_spec_is_a_uuid_and_its_slices),
      cmocka_unit_test(a_spec_is_written_in_the_order_in_which_slices_are_wanted),
      cmocka_unit_test(what_is_no_spec_is_refused),
      cmocka_unit_test(a_uuid_may_be_as_long_as_nvml_allows),
      cmocka_unit_test(a_status_reports_instances_by_start_with_their_use),
      cmocka_unit_test(a_status_that_this_model_cannot_have_is_refused),
      cmocka_unit_test(every_layout_of_every_model_survives_being_written_and_read),
      cmocka_unit_test(the_largest_layout_fits_into_the_promised_sizes),
      cmocka_unit_test(a_list_has_a_profile_at_its_own_start_only),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
