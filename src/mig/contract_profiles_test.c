/* SPDX-License-Identifier: Apache-2.0 */
#include "mig/contract.h"

#include "mig/test.h"

static void a_node_reports_its_models_in_one_line(void **state) {
  const MigModel *models[] = {test_model("A30"), test_model("RTX-PRO-6000")};
  char text[MIG_PROFILES_TEXT_MAX];
  mig_profiles_format(models, 2, text, sizeof text);
  assert_string_equal(
      text,
      "NVIDIA-A30/4 1g.6gb:4x1@0,1,2,3 1g.6gb+me:1x1@0,1,2,3 2g.12gb:2x2@0,2 2g.12gb+me:1x2@0,2 "
      "4g.24gb:1x4@0;"
      "NVIDIA-RTX-PRO-6000-Blackwell-Server-Edition/12 1g.24gb:4x3@0,3,6,9 1g.24gb+me:1x3@0,3,6,9 "
      "1g.24gb+gfx:4x3@0,3,6,9 1g.24gb+me.all:1x3@0,3,6,9 1g.24gb-me:4x3@0,3,6,9 2g.48gb:2x6@0,6 "
      "2g.48gb+gfx:2x6@0,6 2g.48gb+me.all:1x6@0,6 2g.48gb-me:2x6@0,6 4g.96gb:1x12@0 4g.96gb+gfx:1x12@0");
}

static void assert_profiles_equal(const MigProfile *a, const MigProfile *b) {
  assert_string_equal(a->name, b->name);
  assert_int_equal(a->kind, b->kind);
  assert_int_equal(a->slice_count, b->slice_count);
  assert_int_equal(a->size, b->size);
  assert_int_equal(a->instance_count_max, b->instance_count_max);
  assert_int_equal(a->starts, b->starts);
  assert_int_equal(a->auto_start_count, b->auto_start_count);
  assert_memory_equal(a->auto_starts, b->auto_starts, sizeof a->auto_starts);
  assert_int_equal(a->nvml_index, b->nvml_index);
  assert_int_equal(a->nvml_id, b->nvml_id);
  assert_int_equal(a->memory_mib, b->memory_mib);
  assert_int_equal(a->multiprocessors, b->multiprocessors);
  assert_int_equal(a->copy_engines, b->copy_engines);
  assert_int_equal(a->decoders, b->decoders);
  assert_int_equal(a->encoders, b->encoders);
  assert_int_equal(a->jpegs, b->jpegs);
  assert_int_equal(a->ofas, b->ofas);
}

static void every_model_of_the_table_comes_back_whole(void **state) {
  int row_count;
  const MigModelRow *rows = mig_model_rows(&row_count);
  for (int i = 0; i < row_count; i++) {
    if (!rows[i].placements_known)
      continue;
    const MigModel *model = &rows[i].model;
    char text[MIG_PROFILES_TEXT_MAX];
    MigModel parsed[MIG_NODE_MODELS_MAX];
    int count;
    Error err;
    mig_profiles_format(&model, 1, text, sizeof text);
    assert_ok(mig_profiles_parse(text, parsed, &count, &err));
    assert_int_equal(count, 1);
    assert_string_equal(parsed[0].name, model->name);
    assert_int_equal(parsed[0].slot_count, model->slot_count);
    assert_int_equal(parsed[0].memory_mib, model->memory_mib);
    assert_int_equal(parsed[0].mode_needs_reset, model->mode_needs_reset);
    assert_int_equal(parsed[0].profile_count, model->profile_count);
    for (int k = 0; k < model->profile_count; k++)
      assert_profiles_equal(&parsed[0].profiles[k], &model->profiles[k]);
  }
}

static void as_many_models_as_a_node_may_have_come_back_in_order(void **state) {
  int row_count;
  const MigModelRow *rows = mig_model_rows(&row_count);
  const MigModel *models[MIG_NODE_MODELS_MAX + 1];
  for (int i = 0; i <= MIG_NODE_MODELS_MAX; i++)
    models[i] = &rows[i].model;
  char text[MIG_PROFILES_TEXT_MAX];
  MigModel parsed[MIG_NODE_MODELS_MAX];
  int count;
  Error err;
  mig_profiles_format(models, MIG_NODE_MODELS_MAX, text, sizeof text);
  assert_ok(mig_profiles_parse(text, parsed, &count, &err));
  assert_int_equal(count, MIG_NODE_MODELS_MAX);
  for (int i = 0; i < count; i++)
    assert_string_equal(parsed[i].name, models[i]->name);
  mig_profiles_format(models, MIG_NODE_MODELS_MAX + 1, text, sizeof text);
  assert_fails(mig_profiles_parse(text, parsed, &count, &err), "more than 8 GPU models on one node");
  assert_int_equal(err.code, ERROR_LIMIT);
}

static void an_unknown_model_is_planned_with_ascending_starts(void **state) {
  MigModel models[MIG_NODE_MODELS_MAX];
  int count;
  Error err;
  assert_ok(mig_profiles_parse("NVIDIA-R300/16 1g.48gb:8x2@14,0,4 2g.96gb:1x16@0", models, &count, &err));
  assert_int_equal(count, 1);
  assert_string_equal(models[0].name, "NVIDIA-R300");
  assert_int_equal(models[0].slot_count, 16);
  assert_int_equal(models[0].profile_count, 2);
  const MigProfile *profile = &models[0].profiles[0];
  assert_int_equal(profile->starts, 0x4011);
  assert_int_equal(profile->auto_start_count, 3);
  assert_memory_equal(profile->auto_starts, ((uint8_t[]){0, 4, 14}), 3);
  assert_int_equal(profile->nvml_index, -1);
  assert_int_equal(profile->nvml_id, -1);
  assert_int_equal(profile->memory_mib, 0);
  assert_int_equal(models[0].memory_mib, 0);
}

/* A driver that allows other places than the table knows: the report wins, the order is the table's where it
 * can be. */
static void what_the_driver_reports_wins_over_the_table(void **state) {
  MigModel models[MIG_NODE_MODELS_MAX];
  int count;
  Error err;
  assert_ok(mig_profiles_parse("NVIDIA-A100-SXM4-80GB/8 1g.10gb:5x1@0,1,4,6,7 9g.99gb:1x8@0", models, &count,
                               &err));
  const MigProfile *profile = &models[0].profiles[0];
  assert_int_equal(profile->instance_count_max, 5);
  assert_int_equal(profile->starts, 0xd3);
  assert_int_equal(profile->auto_start_count, 5);
  assert_memory_equal(profile->auto_starts, ((uint8_t[]){6, 4, 0, 1, 7}), 5);
  assert_int_equal(profile->memory_mib, 9728);
  assert_int_equal(models[0].profiles[1].nvml_index, -1);
  assert_int_equal(models[0].memory_mib, 81920);
  assert_int_equal(models[0].mode_needs_reset, 1);
}

/* RTX PRO 5000: the guide knows its profiles, only the driver their places. */
static void a_model_known_without_placements_gets_them_from_the_driver(void **state) {
  MigModel models[MIG_NODE_MODELS_MAX];
  int count;
  Error err;
  assert_ok(mig_profiles_parse("NVIDIA-RTX-PRO-5000-Blackwell/4 1g.24gb:2x2@0,2 2g.48gb:1x4@0", models,
                               &count, &err));
  const MigProfile *profile = &models[0].profiles[0];
  assert_int_equal(profile->decoders, 1);
  assert_memory_equal(profile->auto_starts, ((uint8_t[]){0, 2}), 2);
  assert_ok(mig_model_check(&models[0], &err));
}

static void models_without_placements_are_not_reported(void **state) {
  const MigModel *models[] = {test_model("NVIDIA Thor"), test_model("A30"), test_model("RTX-PRO-4500-32GB")};
  char text[MIG_PROFILES_TEXT_MAX];
  mig_profiles_format(models, 3, text, sizeof text);
  assert_non_null(strstr(text, "NVIDIA-A30/4"));
  assert_null(strchr(text, ';'));
  mig_profiles_format(models, 1, text, sizeof text);
  assert_string_equal(text, "");
}

static void profiles_without_placements_are_not_reported(void **state) {
  MigModel model = *test_model("A30");
  model.profiles[0].starts = 0;
  model.profile_count = 3;
  const MigModel *models[] = {&model};
  char text[MIG_PROFILES_TEXT_MAX];
  mig_profiles_format(models, 1, text, sizeof text);
  assert_string_equal(text, "NVIDIA-A30/4 1g.6gb+me:1x1@0,1,2,3 2g.12gb:2x2@0,2");
}

static void a_model_that_does_not_fit_is_left_out_whole(void **state) {
  const MigModel *models[] = {test_model("A30"), test_model("A100-80GB"), test_model("A30")};
  char text[300], exact[103];
  mig_profiles_format(models, 1, exact, sizeof exact);
  assert_int_equal(strlen(exact), sizeof exact - 1);
  mig_profiles_format(models, 1, exact, sizeof exact - 1);
  assert_string_equal(exact, "");
  mig_profiles_format(models, 3, text, 250);
  assert_int_equal(strlen(text), 2 * (sizeof exact - 1) + 1);
}

#define NO_HEAD(shown) "\"" shown "\" is not a model with its number of slots: one looks like NVIDIA-A30/4"
#define NO_PLACEMENTS(shown)                                                                                 \
  "GPU model X: \"" shown "\" is not a profile with its placements: one looks like 1g.6gb:4x1@0,1,2,3"

static void what_is_no_report_is_refused_with_the_part_at_fault(void **state) {
  static const struct {
    const char *text, *expected;
  } cases[] = {
      {";", NO_HEAD("")},
      {"X", NO_HEAD("X")},
      {"X/", NO_HEAD("X/")},
      {"/8", NO_HEAD("/8")},
      {"X/0", NO_HEAD("X/0")},
      {"X/33", NO_HEAD("X/33")},
      {"X/-8", NO_HEAD("X/-8")},
      {"X/8x", NO_HEAD("X/8x")},
      {"X/8/8", NO_HEAD("X/8/8")},
      {"X+Y/8", NO_HEAD("X+Y/8")},
      {"X/4;", NO_HEAD("")},
      {"X/4;X/4", "GPU model X is there twice"},
      {"0123456789012345678901234567890123456789012345678901234567890123/8",
       NO_HEAD("01234567890123456789012345678901234567890123...")},
      {"X/4 1g.6gb", NO_PLACEMENTS("1g.6gb")},
      {"X/4 1g.6gb:", NO_PLACEMENTS("1g.6gb:")},
      {"X/4 1g.6gb:4", NO_PLACEMENTS("1g.6gb:4")},
      {"X/4 1g.6gb:4x1", NO_PLACEMENTS("1g.6gb:4x1")},
      {"X/4 1g.6gb:4x1@", NO_PLACEMENTS("1g.6gb:4x1@")},
      {"X/4 1g.6gb:4x1@0,", NO_PLACEMENTS("1g.6gb:4x1@0,")},
      {"X/4 1g.6gb:4x1@0,0", NO_PLACEMENTS("1g.6gb:4x1@0,0")},
      {"X/4 1g.6gb:4x1@0,32", NO_PLACEMENTS("1g.6gb:4x1@0,32")},
      {"X/4 1g.6gb:4x1@0-3", NO_PLACEMENTS("1g.6gb:4x1@0-3")},
      {"X/4 1g.6gb:33x1@0", NO_PLACEMENTS("1g.6gb:33x1@0")},
      {"X/4 1g.6gb:4x33@0", NO_PLACEMENTS("1g.6gb:4x33@0")},
      {"X/4 1g.6gb:-4x1@0", NO_PLACEMENTS("1g.6gb:-4x1@0")},
      {"X/4  1g.6gb:4x1@0", NO_PLACEMENTS("")},
      {"X/4 1g.6gb:0x1@0", "GPU model X: 1g.6gb may exist 0 times, which is not between 1 and 32"},
      {"X/4 1g.6gb:4x0@0", "GPU model X: 1g.6gb takes 0 of 4 slots"},
      {"X/4 1g.6gb:4x2@3", "GPU model X: 1g.6gb at slot 3 reaches beyond the last of 4 slots"},
      {"X/4 1g.6gb:4x1@0 1g.6gb:4x1@1", "GPU model X: 1g.6gb is there twice"},
      {"X/4 small:4x1@0",
       "GPU model X: \"small\" is not a MIG profile: one looks like 1g.10gb, 1g.10gb+me, 1g.24gb+gfx, "
       "1g.24gb+me.all or 1g.24gb-me"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    MigModel models[MIG_NODE_MODELS_MAX];
    int count = -7;
    Error err;
    assert_fails(mig_profiles_parse(cases[i].text, models, &count, &err), cases[i].expected);
    assert_int_equal(count, -7);
  }
}

static void an_overlong_profile_is_refused(void **state) {
  char text[400] = "X/4 1g.6gb:4x1@0,1,2,3,";
  memset(text + strlen(text), '3', 300);
  MigModel models[MIG_NODE_MODELS_MAX];
  int count;
  Error err;
  assert_fails(mig_profiles_parse(text, models, &count, &err),
               NO_PLACEMENTS("1g.6gb:4x1@0,1,2,3,3333333333333333333333333..."));
}

static size_t append_profiles(char *text, size_t size, int count) {
  size_t used = (size_t)snprintf(text, size, "X/4");
  for (int i = 0; i < count; i++)
    used += (size_t)snprintf(text + used, size - used, " 1g.%dgb:1x1@0", i);
  return used;
}

static void a_model_has_as_many_profiles_as_there_is_room_for(void **state) {
  char text[1024];
  MigModel models[MIG_NODE_MODELS_MAX];
  int count;
  Error err;
  append_profiles(text, sizeof text, MIG_PROFILES_MAX);
  assert_ok(mig_profiles_parse(text, models, &count, &err));
  assert_int_equal(models[0].profile_count, MIG_PROFILES_MAX);
  append_profiles(text, sizeof text, MIG_PROFILES_MAX + 1);
  assert_fails(mig_profiles_parse(text, models, &count, &err), "GPU model X: more than 24 profiles");
}

static void nothing_reported_is_no_model(void **state) {
  MigModel models[MIG_NODE_MODELS_MAX];
  int count;
  Error err;
  assert_ok(mig_profiles_parse("", models, &count, &err));
  assert_int_equal(count, 0);
  assert_ok(mig_profiles_parse("X/4", models, &count, &err));
  assert_int_equal(count, 1);
  assert_int_equal(models[0].profile_count, 0);
}

static void a_report_beyond_the_limit_is_not_even_read(void **state) {
  static char text[MIG_PROFILES_TEXT_MAX + 1];
  MigModel models[MIG_NODE_MODELS_MAX];
  int count;
  Error err;
  memset(text, ' ', MIG_PROFILES_TEXT_MAX - 1);
  assert_ok(mig_profiles_parse(text, models, &count, &err));
  text[MIG_PROFILES_TEXT_MAX - 1] = ' ';
  assert_fails(mig_profiles_parse(text, models, &count, &err),
               "the profiles of a node take 16384 bytes, more than 16383");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_node_reports_its_models_in_one_line),
      cmocka_unit_test(every_model_of_the_table_comes_back_whole),
      cmocka_unit_test(as_many_models_as_a_node_may_have_come_back_in_order),
      cmocka_unit_test(an_unknown_model_is_planned_with_ascending_starts),
      cmocka_unit_test(what_the_driver_reports_wins_over_the_table),
      cmocka_unit_test(a_model_known_without_placements_gets_them_from_the_driver),
      cmocka_unit_test(models_without_placements_are_not_reported),
      cmocka_unit_test(profiles_without_placements_are_not_reported),
      cmocka_unit_test(a_model_that_does_not_fit_is_left_out_whole),
      cmocka_unit_test(what_is_no_report_is_refused_with_the_part_at_fault),
      cmocka_unit_test(an_overlong_profile_is_refused),
      cmocka_unit_test(a_model_has_as_many_profiles_as_there_is_room_for),
      cmocka_unit_test(nothing_reported_is_no_model),
      cmocka_unit_test(a_report_beyond_the_limit_is_not_even_read),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
