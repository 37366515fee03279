/* SPDX-License-Identifier: Apache-2.0 */
#include "mig/contract.h"

#include "mig/test.h"

static void an_index_key_ends_with_a_number_and_nothing_else(void **state) {
  static const struct {
    const char *key;
    int index;
  } cases[] = {
      {"facet.gpu/spec-gpu-0", 0},
      {"facet.gpu/spec-gpu-63", 63},
      {"facet.gpu/spec-gpu-64", -1},
      {"facet.gpu/spec-gpu-", -1},
      {"facet.gpu/spec-gpu-x", -1},
      {"facet.gpu/spec-gpu-03", -1},
      {"facet.gpu/spec-gpu--1", -1},
      {"facet.gpu/spec-gpu-3 ", -1},
      {"facet.gpu/spec-gpu-3-1g.10gb", -1},
      {"facet.gpu/status-gpu-3", -1},
      {"facet.gpu/spec-gpu-1e1", -1},
      {"", -1},
      {"spec-gpu-3", -1},
      {"facet.gpu/spec-gpu-4294967299", -1},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++)
    assert_int_equal(mig_key_parse_index(cases[i].key, MIG_ANNOTATION_SPEC_GPU_PREFIX), cases[i].index);
}

static void a_count_key_is_read_as_it_is_written(void **state) {
  static const struct {
    const char *prefix;
    int index;
    const char *profile;
    MigUse use;
    const char *key;
  } cases[] = {
      {MIG_ANNOTATION_STATUS_COUNT_PREFIX, 0, "1g.10gb", MIG_USE_FREE,
       "nos.nebuly.com/status-gpu-0-1g.10gb-free"},
      {MIG_ANNOTATION_STATUS_COUNT_PREFIX, 63, "1g.10gb+me", MIG_USE_USED,
       "nos.nebuly.com/status-gpu-63-1g.10gb.me-used"},
      {MIG_ANNOTATION_STATUS_COUNT_PREFIX, 7, "1g.24gb-me", MIG_USE_FREE,
       "nos.nebuly.com/status-gpu-7-1g.24gb-me-free"},
      {MIG_ANNOTATION_SPEC_COUNT_PREFIX, 1, "1g.24gb-me", MIG_USE_NONE,
       "nos.nebuly.com/spec-gpu-1-1g.24gb-me"},
      {MIG_ANNOTATION_SPEC_COUNT_PREFIX, 1, "2g.48gb+me.all", MIG_USE_NONE,
       "nos.nebuly.com/spec-gpu-1-2g.48gb.me.all"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    char key[MIG_KEY_SIZE], profile[MIG_PROFILE_NAME_SIZE];
    int index;
    MigUse use;
    mig_key_format_count(cases[i].prefix, cases[i].index, cases[i].profile, cases[i].use, key, sizeof key);
    assert_string_equal(key, cases[i].key);
    assert_true(mig_key_parse_count(key, cases[i].prefix, &index, profile, &use));
    assert_int_equal(index, cases[i].index);
    assert_string_equal(profile, cases[i].profile);
    assert_int_equal(use, cases[i].use);
  }
}

static void keys_of_other_forms_are_no_count_keys(void **state) {
  static const char *const keys[] = {
      "",
      "nos.nebuly.com/status-gpu-",
      "nos.nebuly.com/status-gpu-0",
      "nos.nebuly.com/status-gpu-0-",
      "nos.nebuly.com/status-gpu-0-free",
      "nos.nebuly.com/status-gpu-0-10gb-free", /* an MPS share */
      "nos.nebuly.com/status-gpu-0-1g.10gb-",
      "nos.nebuly.com/status-gpu-0-1g.10gb-busy",
      "nos.nebuly.com/status-gpu-0-1g.10gb-free-used",
      "nos.nebuly.com/status-gpu-0-1g.10gb+me-free",
      "nos.nebuly.com/status-gpu-00-1g.10gb-free",
      "nos.nebuly.com/status-gpu-64-1g.10gb-free",
      "nos.nebuly.com/status-gpu--1-1g.10gb-free",
      "nos.nebuly.com/status-gpu-0_1g.10gb-free",
      "nos.nebuly.com/status-partitioning-plan",
      "nos.nebuly.com/spec-gpu-0-1g.10gb",
      /* NOLINTNEXTLINE(bugprone-suspicious-missing-comma): one long key */
      "nos.nebuly.com/"
      "status-gpu-0-1g.10gb-freeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
      "eeeeeeeeeeeeeeeeeeeeeeeeee-free",
  };
  for (size_t i = 0; i < COUNT_OF(keys); i++) {
    int index = -7;
    char profile[MIG_PROFILE_NAME_SIZE] = "untouched";
    MigUse use = MIG_USE_USED;
    assert_false(mig_key_parse_count(keys[i], MIG_ANNOTATION_STATUS_COUNT_PREFIX, &index, profile, &use));
    assert_int_equal(index, -7);
    assert_string_equal(profile, "untouched");
    assert_int_equal(use, MIG_USE_USED);
  }
}

static void counts_are_placed_as_the_driver_would_largest_first(void **state) {
  int counts[MIG_PROFILES_MAX] = {[0] = 2, [3] = 1, [4] = 1}; /* 1g.10gb, 2g.20gb, 3g.40gb */
  MigLayout layout;
  Error err;
  char text[MIG_STATUS_TEXT_SIZE];
  assert_ok(mig_counts_bind(test_model("A100-80GB"), counts, &layout, &err));
  mig_status_format(&layout, 0, text, sizeof text);
  assert_string_equal(text, "2g.20gb@0:free,1g.10gb@2:free,1g.10gb@3:free,3g.40gb@4:free");
}

/* Profiles come in the order in which NVML lists them, which is not by size. */
static void the_order_of_a_models_profiles_does_not_matter(void **state) {
  const MigModel *a30 = test_model("A30");
  MigModel reversed = *a30;
  for (int i = 0; i < a30->profile_count; i++)
    reversed.profiles[i] = a30->profiles[a30->profile_count - 1 - i];
  int counts[MIG_PROFILES_MAX] = {[4] = 2, [2] = 1}; /* 1g.6gb, 2g.12gb */
  MigLayout layout;
  Error err;
  char text[MIG_STATUS_TEXT_SIZE];
  assert_ok(mig_counts_bind(&reversed, counts, &layout, &err));
  mig_status_format(&layout, 0, text, sizeof text);
  assert_string_equal(text, "2g.12gb@0:free,1g.6gb@2:free,1g.6gb@3:free");
}

static void counts_that_cannot_be_are_refused(void **state) {
  static const struct {
    int counts[MIG_PROFILES_MAX];
    const char *expected;
  } cases[] = {
      {{[0] = 8}, "NVIDIA-A100-SXM4-80GB has room for 7 of 1g.10gb where 8 are counted"},
      {{[0] = 2147483647}, "NVIDIA-A100-SXM4-80GB has room for 7 of 1g.10gb where 2147483647 are counted"},
      {{[0] = -1}, "-1 is not a count of 1g.10gb"},
      {{[1] = 2}, "NVIDIA-A100-SXM4-80GB has room for 1 of 1g.10gb+me where 2 are counted"},
      {{[6] = 1, [0] = 1}, "NVIDIA-A100-SXM4-80GB has room for 0 of 1g.10gb where 1 are counted"},
      {{[4] = 2, [5] = 1}, "NVIDIA-A100-SXM4-80GB has room for 1 of 3g.40gb where 2 are counted"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    MigLayout layout;
    Error err;
    assert_fails(mig_counts_bind(test_model("A100-80GB"), cases[i].counts, &layout, &err), cases[i].expected);
  }
}

static void assert_counts_can_be_placed(const MigLayout *layout, void *userdata) {
  int counts[MIG_PROFILES_MAX] = {0};
  for (int i = 0; i < layout->model->profile_count; i++)
    counts[i] = mig_layout_count(layout, i);
  MigLayout guessed;
  Error err;
  assert_ok(mig_counts_bind(layout->model, counts, &guessed, &err));
  for (int i = 0; i < layout->model->profile_count; i++)
    assert_int_equal(mig_layout_count(&guessed, i), counts[i]);
}

static void the_counts_of_every_layout_can_be_placed(void **state) {
  int count;
  const MigModelRow *rows = mig_model_rows(&count);
  for (int i = 0; i < count; i++)
    mig_layout_enumerate(&rows[i].model, assert_counts_can_be_placed, NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_index_key_ends_with_a_number_and_nothing_else),
      cmocka_unit_test(a_count_key_is_read_as_it_is_written),
      cmocka_unit_test(keys_of_other_forms_are_no_count_keys),
      cmocka_unit_test(counts_are_placed_as_the_driver_would_largest_first),
      cmocka_unit_test(the_order_of_a_models_profiles_does_not_matter),
      cmocka_unit_test(counts_that_cannot_be_are_refused),
      cmocka_unit_test(the_counts_of_every_layout_can_be_placed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
