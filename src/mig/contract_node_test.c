/* SPDX-License-Identifier: Apache-2.0 */
#include "mig/contract.h"

#include "base/test.h"

static void an_identity_is_read_as_it_is_written(void **state) {
  static const struct {
    MigIdentity identity;
    const char *text;
  } cases[] = {
      {{"GPU-11aa", "NVIDIA-A100-SXM4-80GB", MIG_MODE_ON}, "GPU-11aa NVIDIA-A100-SXM4-80GB mig=on"},
      {{"GPU-11aa", "NVIDIA-A30", MIG_MODE_OFF}, "GPU-11aa NVIDIA-A30 mig=off"},
      {{"GPU-11aa", "X_1.2", MIG_MODE_PENDING}, "GPU-11aa X_1.2 mig=pending"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    char text[MIG_IDENTITY_TEXT_SIZE];
    MigIdentity identity;
    Error err;
    mig_identity_format(&cases[i].identity, text, sizeof text);
    assert_string_equal(text, cases[i].text);
    assert_ok(mig_identity_parse(text, &identity, &err));
    assert_string_equal(identity.uuid, cases[i].identity.uuid);
    assert_string_equal(identity.model, cases[i].identity.model);
    assert_int_equal(identity.mode, cases[i].identity.mode);
  }
}

static void the_longest_identity_fits_into_the_promised_size(void **state) {
  MigIdentity identity = {.mode = MIG_MODE_PENDING}, again;
  memset(identity.uuid, 'a', sizeof identity.uuid - 1);
  memcpy(identity.uuid, "GPU-", 4);
  memset(identity.model, 'm', sizeof identity.model - 1);
  char text[MIG_IDENTITY_TEXT_SIZE];
  Error err;
  mig_identity_format(&identity, text, sizeof text);
  assert_ok(mig_identity_parse(text, &again, &err));
  assert_string_equal(again.uuid, identity.uuid);
  assert_string_equal(again.model, identity.model);
}

#define NO_IDENTITY(shown)                                                                                   \
  "\"" shown "\" does not identify a GPU: expected its UUID, its model and its MIG mode"

static void what_is_no_identity_is_refused_with_the_part_at_fault(void **state) {
  static const struct {
    const char *text, *expected;
  } cases[] = {
      {"", NO_IDENTITY("")},
      {"GPU-1", NO_IDENTITY("GPU-1")},
      {"GPU-1 NVIDIA-A30", NO_IDENTITY("GPU-1 NVIDIA-A30")},
      {"GPU-1 NVIDIA-A30 ", "\"\" is not one of mig=off, mig=on, mig=pending"},
      {"GPU-1 NVIDIA-A30 mig=", "\"mig=\" is not one of mig=off, mig=on, mig=pending"},
      {"GPU-1 NVIDIA-A30 mig=yes", "\"mig=yes\" is not one of mig=off, mig=on, mig=pending"},
      {"GPU-1 NVIDIA-A30 mig=on ", "\"mig=on \" is not one of mig=off, mig=on, mig=pending"},
      {"GPU-1 NVIDIA A30 mig=on", "\"A30 mig=on\" is not one of mig=off, mig=on, mig=pending"},
      {"GPU-1  mig=on", "\"\" is not a GPU model: one looks like NVIDIA-A100-SXM4-80GB"},
      {"GPU-1 NVIDIA/A30 mig=on", "\"NVIDIA/A30\" is not a GPU model: one looks like NVIDIA-A100-SXM4-80GB"},
      {"GPU-1 0123456789012345678901234567890123456789012345678901234567890123 mig=on",
       "\"01234567890123456789012345678901234567890123...\" is not a GPU model: one looks like "
       "NVIDIA-A100-SXM4-80GB"},
      {"MIG-1 NVIDIA-A30 mig=on",
       "\"MIG-1\" is not the UUID of a GPU: one looks like GPU-8a2b6f0e-1c3d-4e5f-a6b7-c8d9e0f1a2b3"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    MigIdentity identity = {.mode = MIG_MODE_PENDING};
    Error err;
    assert_fails(mig_identity_parse(cases[i].text, &identity, &err), cases[i].expected);
    assert_int_equal(identity.mode, MIG_MODE_PENDING);
  }
}

static void excluded_gpus_are_bits(void **state) {
  static const struct {
    const char *text;
    uint64_t indexes;
  } cases[] = {
      {"", 0},
      {" ", 0},
      {"0", 1},
      {"2,3", 0xc},
      {" 2 , 3 ", 0xc},
      {"3,3", 8},
      {"63,0", UINT64_C(1) << 63 | 1},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    uint64_t indexes;
    Error err;
    assert_ok(mig_exclude_parse(cases[i].text, &indexes, &err));
    assert_true(indexes == cases[i].indexes);
  }
}

static void what_is_no_gpu_index_is_not_excluded(void **state) {
  static const struct {
    const char *text, *shown;
  } cases[] = {
      {"64", "64"},   {"-1", "-1"},
      {"1,", ""},     {",", ""},
      {"1;2", "1;2"}, {"all", "all"},
      {"0x1", "0x1"}, {"01", "01"},
      {"1 2", "1 2"}, {"18446744073709551616", "18446744073709551616"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    uint64_t indexes = 5;
    char expected[ERROR_TEXT_SIZE];
    Error err;
    snprintf(expected, sizeof expected, "\"%s\" is not a GPU index from 0 to 63", cases[i].shown);
    assert_fails(mig_exclude_parse(cases[i].text, &indexes, &err), expected);
    assert_true(indexes == 5);
  }
}

static void allowed_profiles_are_listed_once_each(void **state) {
  char names[MIG_PROFILES_MAX][MIG_PROFILE_NAME_SIZE];
  int count;
  Error err;
  assert_ok(mig_allowed_parse("1g.10gb, 1g.24gb+me.all,1g.10gb", names, &count, &err));
  assert_int_equal(count, 2);
  assert_string_equal(names[0], "1g.10gb");
  assert_string_equal(names[1], "1g.24gb+me.all");
  assert_ok(mig_allowed_parse("", names, &count, &err));
  assert_int_equal(count, 0);
}

static void what_is_no_profile_is_not_allowed(void **state) {
  static const struct {
    const char *text, *shown;
  } cases[] = {
      {"1g.10gb,", ""},
      {"1g.10gb.me", "1g.10gb.me"},
      {"1g.10gb 2g.20gb", "1g.10gb 2g.20gb"},
      {"nvidia.com/mig-1g.10gb", "nvidia.com/mig-1g.10gb"},
      {"1g.10gb,01234567890123456789012345678901234567890123456789",
       "01234567890123456789012345678901234567890123..."},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    char names[MIG_PROFILES_MAX][MIG_PROFILE_NAME_SIZE], expected[ERROR_TEXT_SIZE];
    int count;
    Error err;
    snprintf(
        expected, sizeof expected,
        "\"%s\" is not a MIG profile: one looks like 1g.10gb, 1g.10gb+me, 1g.24gb+gfx, 1g.24gb+me.all or "
        "1g.24gb-me",
        cases[i].shown);
    assert_fails(mig_allowed_parse(cases[i].text, names, &count, &err), expected);
  }
}

static void format_profiles(char *text, size_t size, int count) {
  size_t used = 0;
  for (int i = 0; i < count; i++)
    used += (size_t)snprintf(text + used, size - used, "%s1g.%dgb", i ? "," : "", i);
}

static void no_more_profiles_are_allowed_than_a_model_has(void **state) {
  char names[MIG_PROFILES_MAX][MIG_PROFILE_NAME_SIZE], text[512];
  int count;
  Error err;
  format_profiles(text, sizeof text, MIG_PROFILES_MAX);
  assert_ok(mig_allowed_parse(text, names, &count, &err));
  assert_int_equal(count, MIG_PROFILES_MAX);
  format_profiles(text, sizeof text, MIG_PROFILES_MAX + 1);
  assert_fails(mig_allowed_parse(text, names, &count, &err), "more than 24 profiles");
  assert_int_equal(err.code, ERROR_LIMIT);
}

static void a_label_that_is_not_understood_says_so_in_a_sentence(void **state) {
  char text[MIG_LABEL_TEXT_SIZE], longest[64];
  assert_false(mig_label_explain("mig", text));
  assert_false(mig_label_explain(NULL, text));
  assert_true(mig_label_explain("MIG", text));
  assert_string_equal(
      text, "the label nos.nebuly.com/gpu-partitioning says \"MIG\", which is neither mig nor mps: nothing "
            "happens on this node until it says mig");
  assert_true(mig_label_explain("mps", text));
  assert_string_equal(
      text, "the label nos.nebuly.com/gpu-partitioning says mps, which facet does not serve yet: nothing "
            "happens on this node until it says mig, which ends MPS sharing there");
  memset(longest, 'x', sizeof longest - 1);
  longest[sizeof longest - 1] = '\0';
  assert_true(mig_label_explain(longest, text));
  assert_non_null(strstr(text, "until it says mig"));
}

static void a_uuid_as_nvml_writes_it_is_sixteen_bytes(void **state) {
  static const char uuid[] = "GPU-8a2b6f0e-1c3d-4e5f-a6b7-c8d9e0f1a2b3";
  static const uint8_t expected[] = {0x8a, 0x2b, 0x6f, 0x0e, 0x1c, 0x3d, 0x4e, 0x5f,
                                     0xa6, 0xb7, 0xc8, 0xd9, 0xe0, 0xf1, 0xa2, 0xb3};
  uint8_t bytes[16];
  char again[MIG_UUID_SIZE];
  assert_true(mig_uuid_pack(uuid, bytes));
  assert_memory_equal(bytes, expected, sizeof expected);
  mig_uuid_unpack(bytes, again);
  assert_string_equal(again, uuid);
}

static void a_uuid_that_is_written_otherwise_is_not_packed(void **state) {
  static const char *const others[] = {
      "",
      "GPU-",
      "GPU-a",
      "GPU-8A2b6f0e-1c3d-4e5f-a6b7-c8d9e0f1a2b3",
      "GPU-8a2b6f0e-1c3d-4e5f-a6b7-c8d9e0f1a2b",
      "GPU-8a2b6f0e-1c3d-4e5f-a6b7-c8d9e0f1a2b30",
      "GPU-8a2b6f0e01c3d-4e5f-a6b7-c8d9e0f1a2b3",
      "GPU-8a2b6f0e-1c3d-4e5f-a6b7-c8d9e0f1a2bg",
      "MIG-8a2b6f0e-1c3d-4e5f-a6b7-c8d9e0f1a2b3",
      "GPU-------------------------------------",
  };
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
    uint8_t bytes[16];
    assert_false(mig_uuid_pack(others[i], bytes));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_identity_is_read_as_it_is_written),
      cmocka_unit_test(the_longest_identity_fits_into_the_promised_size),
      cmocka_unit_test(what_is_no_identity_is_refused_with_the_part_at_fault),
      cmocka_unit_test(a_uuid_as_nvml_writes_it_is_sixteen_bytes),
      cmocka_unit_test(a_uuid_that_is_written_otherwise_is_not_packed),
      cmocka_unit_test(excluded_gpus_are_bits),
      cmocka_unit_test(what_is_no_gpu_index_is_not_excluded),
      cmocka_unit_test(allowed_profiles_are_listed_once_each),
      cmocka_unit_test(a_label_that_is_not_understood_says_so_in_a_sentence),
      cmocka_unit_test(what_is_no_profile_is_not_allowed),
      cmocka_unit_test(no_more_profiles_are_allowed_than_a_model_has),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
