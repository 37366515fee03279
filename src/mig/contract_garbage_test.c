/* SPDX-License-Identifier: Apache-2.0 */
/* Annotations can hold anything. Whatever comes, a parser either accepts it, and then writing the value and
 * reading it again gives the same text, or refuses it with a printable sentence. Run it under the sanitizers.
 */
#include "mig/contract.h"

#include "mig/test.h"

#include "base/random.h"
#include "base/text.h"

#include <ctype.h>

static const MigModel *model;

static void check_refusal(const Error *err) {
  assert_true(err->code > 0);
  size_t size = strlen(err->text);
  assert_in_range(size, 1, ERROR_TEXT_SIZE - 1);
  for (size_t i = 0; i < size; i++)
    assert_true(isprint((unsigned char)err->text[i]));
}

static void try_list(const char *text, bool with_use) {
  MigList list;
  MigLayout layout;
  Error err = {0};
  if (mig_list_parse(text, with_use, &list, &err) < 0) {
    check_refusal(&err);
    return;
  }
  if (mig_list_bind(&list, model, &layout, &err) < 0)
    check_refusal(&err);
  char again[MIG_SPEC_TEXT_SIZE], twice[MIG_SPEC_TEXT_SIZE];
  MigSpec spec;
  mig_spec_format("GPU-1", &list, again, sizeof again);
  assert_ok(mig_spec_parse(again, &spec, &err));
  mig_spec_format(spec.uuid, &spec.list, twice, sizeof twice);
  assert_string_equal(again, twice);
}

static void try_status(const char *text) {
  MigLayout layout, again;
  uint32_t used_starts, used_again;
  Error err = {0};
  if (mig_status_parse(text, model, &layout, &used_starts, &err) < 0) {
    check_refusal(&err);
    return;
  }
  char formatted[MIG_STATUS_TEXT_SIZE];
  mig_status_format(&layout, used_starts, formatted, sizeof formatted);
  assert_ok(mig_status_parse(formatted, model, &again, &used_again, &err));
  assert_true(mig_layout_equal(&layout, &again));
  assert_int_equal(used_starts, used_again);
}

static void try_identity(const char *text) {
  MigIdentity identity;
  Error err = {0};
  if (mig_identity_parse(text, &identity, &err) < 0) {
    check_refusal(&err);
    return;
  }
  char formatted[MIG_IDENTITY_TEXT_SIZE];
  mig_identity_format(&identity, formatted, sizeof formatted);
  assert_string_equal(formatted, text);
}

static void try_profiles(const char *text) {
  MigModel models[MIG_NODE_MODELS_MAX];
  const MigModel *pointers[MIG_NODE_MODELS_MAX];
  int count, again;
  Error err = {0};
  if (mig_profiles_parse(text, models, &count, &err) < 0) {
    check_refusal(&err);
    return;
  }
  for (int i = 0; i < count; i++) {
    assert_ok(mig_model_check(&models[i], &err));
    pointers[i] = &models[i];
  }
  char formatted[MIG_PROFILES_TEXT_MAX];
  mig_profiles_format(pointers, count, formatted, sizeof formatted);
  assert_ok(mig_profiles_parse(formatted, models, &again, &err));
  assert_int_equal(again, count);
}

static void try_rest(const char *text) {
  MigSpec spec;
  uint64_t indexes;
  char names[MIG_PROFILES_MAX][MIG_PROFILE_NAME_SIZE], profile[MIG_PROFILE_NAME_SIZE];
  int count, index;
  MigUse use;
  Error err = {0};
  if (mig_spec_parse(text, &spec, &err) < 0)
    check_refusal(&err);
  if (mig_exclude_parse(text, &indexes, &err) < 0)
    check_refusal(&err);
  if (mig_allowed_parse(text, names, &count, &err) < 0)
    check_refusal(&err);
  if (mig_profile_parse_resource(text, profile, &err) < 0)
    check_refusal(&err);
  if (mig_key_parse_count(text, MIG_ANNOTATION_STATUS_COUNT_PREFIX, &index, profile, &use)) {
    char key[MIG_KEY_SIZE];
    mig_key_format_count(MIG_ANNOTATION_STATUS_COUNT_PREFIX, index, profile, use, key, sizeof key);
    assert_string_equal(key, text);
  }
  assert_in_range(mig_key_parse_index(text, MIG_ANNOTATION_SPEC_GPU_PREFIX) + 1, 0, MIG_GPU_INDEX_MAX + 1);
}

static void try_all(const char *text) {
  try_list(text, false);
  try_list(text, true);
  try_status(text);
  try_identity(text);
  try_profiles(text);
  try_rest(text);
}

static const char *const samples[] = {
    "1g.10gb@6,2g.20gb@0,1g.10gb+me@4",
    "1g.10gb@6:used,1g.10gb@4:free,3g.40gb@0:used",
    "GPU-8a2b6f0e-1c3d-4e5f-a6b7-c8d9e0f1a2b3 1g.10gb@6,2g.20gb@0",
    "GPU-8a2b6f0e-1c3d-4e5f-a6b7-c8d9e0f1a2b3 NVIDIA-A100-SXM4-80GB mig=pending",
    "NVIDIA-A30/4 1g.6gb:4x1@0,1,2,3 2g.12gb:2x2@0,2;NVIDIA-R300/16 1g.48gb+me.all:8x2@0,2,14",
    "2,3,63",
    "1g.10gb,2g.20gb,1g.24gb-me",
    "nos.nebuly.com/status-gpu-63-1g.10gb.me.all-free",
    "facet.gpu/spec-gpu-63",
    "nvidia.com/mig-1g.10gb.me",
};

static void a_text_cut_at_any_byte_is_read_or_refused(void **state) {
  for (size_t i = 0; i < COUNT_OF(samples); i++)
    for (size_t size = 0; size <= strlen(samples[i]); size++) {
      CLEANUP(text_deinit) Text text = {0};
      text_append_bytes(&text, samples[i], size);
      try_all(text_string(&text));
      try_all(samples[i] + size);
    }
}

static void a_text_with_any_byte_replaced_is_read_or_refused(void **state) {
  for (size_t i = 0; i < COUNT_OF(samples); i++)
    for (size_t at = 0; at < strlen(samples[i]); at++)
      for (int byte = 1; byte < 256; byte++) {
        CLEANUP(text_deinit) Text text = {0};
        text_append(&text, samples[i]);
        text.bytes[at] = (char)byte;
        try_all(text_string(&text));
      }
}

/* Bytes that mean something here, so that garbage gets far into the parsers. */
static char random_byte(Random *random) {
  static const char meaningful[] = "0123456789gb.+-@,:;/x me all free used GPU-MIG-nvidia.com/";
  if (random_below(random, 8) == 0)
    return (char)(1 + random_below(random, 255));
  return meaningful[random_below(random, sizeof meaningful - 1)];
}

static void splice(Text *text, Random *random) {
  const char *sample = samples[random_below(random, COUNT_OF(samples))];
  size_t from = random_below(random, strlen(sample)), size = random_below(random, strlen(sample) - from) + 1;
  text_append_bytes(text, sample + from, size);
}

static void random_texts_are_read_or_refused(void **state) {
  enum { TEXTS = 30000 };
  Random random = {.state = 20250103};
  print_message("# seed %llu\n", (unsigned long long)random.state);
  for (int i = 0; i < TEXTS; i++) {
    CLEANUP(text_deinit) Text text = {0};
    for (uint64_t parts = random_below(&random, 40); parts > 0; parts--) {
      if (random_below(&random, 4) == 0) {
        splice(&text, &random);
        continue;
      }
      char byte = random_byte(&random);
      text_append_bytes(&text, &byte, 1);
    }
    try_all(text_string(&text));
  }
}

static void overlong_texts_are_read_or_refused(void **state) {
  for (size_t i = 0; i < COUNT_OF(samples); i++) {
    CLEANUP(text_deinit) Text text = {0};
    for (size_t tried = 100; text.size < 100000; text_append(&text, samples[i]))
      if (text.size >= tried) {
        try_all(text_string(&text));
        tried *= 2;
      }
  }
  CLEANUP(text_deinit) Text digits = {0};
  for (int i = 0; i < 100000; i++)
    text_append(&digits, "9");
  try_all(text_string(&digits));
}

int main(void) {
  model = test_model("A100-80GB");
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_text_cut_at_any_byte_is_read_or_refused),
      cmocka_unit_test(a_text_with_any_byte_replaced_is_read_or_refused),
      cmocka_unit_test(random_texts_are_read_or_refused),
      cmocka_unit_test(overlong_texts_are_read_or_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
