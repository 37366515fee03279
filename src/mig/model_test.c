/* SPDX-License-Identifier: Apache-2.0 */
#include "mig/model.h"

#include "base/test.h"

static const MigModelRow *row_of(const char *key) {
  const MigModelRow *row = mig_model_find(key);
  assert_non_null(row);
  assert_string_equal(row->key, key);
  return row;
}

static void every_row_is_sound(void **state) {
  int count;
  const MigModelRow *rows = mig_model_rows(&count);
  assert_int_equal(count, 22);
  for (int i = 0; i < count; i++) {
    Error err;
    assert_ok(mig_model_check(&rows[i].model, &err));
    assert_true(rows[i].model.profile_count > 0);
    assert_int_equal(rows[i].placements_known, rows[i].model.slot_count > 0);
  }
}

static void a_model_is_named_by_the_label_of_its_first_product(void **state) {
  int count;
  const MigModelRow *rows = mig_model_rows(&count);
  for (int i = 0; i < count; i++) {
    char label[MIG_MODEL_NAME_SIZE];
    mig_model_format_label(rows[i].product_names[0], label, sizeof label);
    assert_string_equal(rows[i].model.name, label);
  }
}

static void a_model_is_found_under_each_of_its_names_and_ids(void **state) {
  int count;
  const MigModelRow *rows = mig_model_rows(&count);
  for (int i = 0; i < count; i++) {
    assert_ptr_equal(mig_model_find(rows[i].key), &rows[i]);
    for (int k = 0; rows[i].product_names[k]; k++)
      assert_ptr_equal(mig_model_find(rows[i].product_names[k]), &rows[i]);
    for (int k = 0; rows[i].pci_ids[k]; k++)
      assert_ptr_equal(mig_model_find_pci(rows[i].pci_ids[k]), &rows[i]);
  }
}

static void parts_of_a_key_may_be_left_out(void **state) {
  assert_ptr_equal(mig_model_find_short("H100-80GB"), row_of("H100-SXM-80GB"));
  assert_ptr_equal(mig_model_find_short("h100-80gb"), row_of("H100-SXM-80GB"));
  assert_ptr_equal(mig_model_find_short("A30"), row_of("A30"));
  assert_null(mig_model_find_short("80GB-H100"));
  assert_null(mig_model_find_short(""));
}

static void a_model_is_found_in_every_spelling(void **state) {
  static const struct {
    const char *spelling, *key;
  } cases[] = {
      {"NVIDIA A100 80GB PCIe", "A100-80GB"},
      {"NVIDIA-A100-80GB-PCIe", "A100-80GB"},
      {"NVIDIA-A100-SXM4-80GB-MIG-3g.40gb", "A100-80GB"},
      {"NVIDIA-A100-SXM4-80GB-MIG-INVALID", "A100-80GB"},
      {"NVIDIA-A100-SXM4-80GB-SHARED", "A100-80GB"},
      {"NVIDIA-A100-SXM4-80GB-MIG-1g.10gb-SHARED", "A100-80GB"},
      {"A100-SXM4-40GB", "A100-40GB"},
      {"NVIDIA B200 MIG 3g.90gb", "B200"},
      {"NVIDIA-RTX-PRO-6000-Blackwell-Max-Q-Workstation-Edition-MIG-1g.24gb-SHARED", "RTX-PRO-6000"},
      {"H100-PCIE-80GB", "H100-PCIE-80GB"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++)
    assert_ptr_equal(mig_model_find(cases[i].spelling), row_of(cases[i].key));
}

static void what_the_table_does_not_have_is_not_found(void **state) {
  static const char *const strangers[] = {
      "",
      "NVIDIA",
      "NVIDIA-",
      "-MIG-",
      "-SHARED",
      "Tesla-V100-SXM2-16GB",
      "NVIDIA A100",
      "NVIDIA-A100-SXM4-80GB-X",
      "nvidia a30",
      "NVIDIA L40S",
  };
  for (size_t i = 0; i < COUNT_OF(strangers); i++)
    assert_null(mig_model_find(strangers[i]));
  assert_null(mig_model_find_pci(0));
  assert_null(mig_model_find_pci(0x1DB410DE));
}

static void a_label_keeps_only_what_labels_may_hold(void **state) {
  char label[MIG_MODEL_NAME_SIZE], small[8], least[1];
  mig_model_format_label("NVIDIA (R) A100/80GB_v1.2 \n\xc3\xa9", label, sizeof label);
  assert_string_equal(label, "NVIDIA-R-A10080GB_v1.2-");
  mig_model_format_label("NVIDIA A30", small, sizeof small);
  assert_string_equal(small, "NVIDIA-");
  mig_model_format_label("NVIDIA A30", least, sizeof least);
  assert_string_equal(least, "");
}

/* NVIDIA's go-nvlib: eighths of the GPU that the memory needs, rounded up, of the GPU's size in whole GiB. */
static uint32_t memory_gb_of(uint32_t memory_mib, uint32_t total_mib) {
  uint32_t eighths = (memory_mib * 8 + total_mib - 1) / total_mib;
  uint32_t total_gb = (total_mib + 1023) / 1024;
  return (eighths * total_gb * 2 + 8) / 16;
}

static void the_memory_in_a_name_follows_from_the_memory(void **state) {
  int count;
  const MigModelRow *rows = mig_model_rows(&count);
  for (int i = 0; i < count; i++)
    for (int k = 0; rows[i].placements_known && k < rows[i].model.profile_count; k++) {
      const MigProfile *profile = &rows[i].model.profiles[k];
      MigProfile named;
      uint32_t memory_gb;
      Error err;
      assert_ok(mig_profile_parse_name(profile->name, &named, &memory_gb, &err));
      assert_int_equal(memory_gb, memory_gb_of(profile->memory_mib, rows[i].model.memory_mib));
    }
}

static void a_name_tells_slices_memory_and_kind(void **state) {
  static const struct {
    const char *name;
    int slices, memory_gb;
    MigProfileKind kind;
  } cases[] = {
      {"1g.5gb", 1, 5, MIG_PLAIN},
      {"7g.269gb", 7, 269, MIG_PLAIN},
      {"1g.10gb+me", 1, 10, MIG_ME},
      {"2g.48gb+gfx", 2, 48, MIG_GFX},
      {"1g.24gb-me", 1, 24, MIG_NO_ME},
      {"1g.24gb+me.all", 1, 24, MIG_ALL_ME},
      {"32g.9999gb+me.all", 32, 9999, MIG_ALL_ME},
      {"1g.0gb", 1, 0, MIG_PLAIN},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    MigProfile profile;
    uint32_t memory_gb;
    Error err;
    assert_ok(mig_profile_parse_name(cases[i].name, &profile, &memory_gb, &err));
    assert_string_equal(profile.name, cases[i].name);
    assert_int_equal(profile.slice_count, cases[i].slices);
    assert_int_equal(memory_gb, cases[i].memory_gb);
    assert_int_equal(profile.kind, cases[i].kind);
  }
}

static void what_is_no_profile_name_is_refused_as_shown(void **state) {
  static const struct {
    const char *name, *shown;
  } cases[] = {
      {"", ""},
      {"1g", "1g"},
      {"0g.5gb", "0g.5gb"},
      {"33g.5gb", "33g.5gb"},
      {"01g.5gb", "01g.5gb"},
      {"1g.05gb", "1g.05gb"},
      {"-1g.5gb", "-1g.5gb"},
      {"+1g.5gb", "+1g.5gb"},
      {"1g.10000gb", "1g.10000gb"},
      {"1g.99999999999999gb", "1g.99999999999999gb"},
      {"1g.5gb ", "1g.5gb "},
      {"1g.5gb+", "1g.5gb+"},
      {"1g.5gb+ME", "1g.5gb+ME"},
      {"1g.5gb.me", "1g.5gb.me"},
      {"1g.5gb+me+gfx", "1g.5gb+me+gfx"},
      {"1g.5gbx", "1g.5gbx"},
      {"1c.3g.20gb", "1c.3g.20gb"},
      {"1g.5\tgb\"", "1g.5?gb?"},
      {"1g.5gb\xff", "1g.5gb?"},
      {"1g.10gb+me.all.and.more", "1g.10gb+me.all.and.more"},
      {"1g.10gb+me.all.and.so.on.for.far.too.long.a.name", "1g.10gb+me.all.and.so.on.for.far.too.long.a...."},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    MigProfile profile;
    uint32_t memory_gb;
    Error err;
    char expected[ERROR_TEXT_SIZE];
    snprintf(
        expected, sizeof expected,
        "\"%s\" is not a MIG profile: one looks like 1g.10gb, 1g.10gb+me, 1g.24gb+gfx, 1g.24gb+me.all or "
        "1g.24gb-me",
        cases[i].shown);
    assert_fails(mig_profile_parse_name(cases[i].name, &profile, &memory_gb, &err), expected);
    assert_int_equal(err.code, ERROR_INVALID);
  }
}

static void names_keys_and_resources_translate_into_each_other(void **state) {
  static const struct {
    const char *name, *key, *resource;
  } cases[] = {
      {"1g.10gb", "1g.10gb", "nvidia.com/mig-1g.10gb"},
      {"1g.10gb+me", "1g.10gb.me", "nvidia.com/mig-1g.10gb.me"},
      {"2g.48gb+gfx", "2g.48gb.gfx", "nvidia.com/mig-2g.48gb.gfx"},
      {"1g.24gb+me.all", "1g.24gb.me.all", "nvidia.com/mig-1g.24gb.me.all"},
      {"1g.24gb-me", "1g.24gb-me", "nvidia.com/mig-1g.24gb-me"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    char text[MIG_RESOURCE_NAME_SIZE];
    Error err;
    mig_profile_format_key(cases[i].name, text);
    assert_string_equal(text, cases[i].key);
    assert_ok(mig_profile_parse_key(cases[i].key, text, &err));
    assert_string_equal(text, cases[i].name);
    mig_profile_format_resource(cases[i].name, text);
    assert_string_equal(text, cases[i].resource);
    assert_true(mig_profile_is_resource(text));
    assert_ok(mig_profile_parse_resource(cases[i].resource, text, &err));
    assert_string_equal(text, cases[i].name);
  }
}

static void keys_and_resources_of_other_forms_are_refused(void **state) {
  char name[MIG_PROFILE_NAME_SIZE];
  Error err;
  assert_fails(mig_profile_parse_key("1g.10gb+me", name, &err),
               "\"1g.10gb+me\" is not a MIG profile: one looks like 1g.10gb, 1g.10gb.me, 1g.24gb.gfx, "
               "1g.24gb.me.all or 1g.24gb-me");
  assert_fails(
      mig_profile_parse_resource("nvidia.com/mig-", name, &err),
      "\"\" is not a MIG profile: one looks like 1g.10gb, 1g.10gb.me, 1g.24gb.gfx, 1g.24gb.me.all or "
      "1g.24gb-me");
  assert_fails(mig_profile_parse_resource("nvidia.com/gpu", name, &err),
               "\"nvidia.com/gpu\" is not a MIG resource: it does not begin with nvidia.com/mig-");
  assert_false(mig_profile_is_resource("nvidia.com/gpu"));
}

static void break_name(MigModel *model) {
  model->name[0] = '\0';
}
static void break_slot_limit(MigModel *model) {
  model->slot_count = MIG_SLOTS_MAX + 1;
}
static void break_profile_limit(MigModel *model) {
  model->profile_count = MIG_PROFILES_MAX + 1;
}
static void break_profile_name(MigModel *model) {
  memcpy(model->profiles[0].name, "small", 6);
}
static void break_kind(MigModel *model) {
  model->profiles[0].kind = MIG_GFX;
}
static void break_slices(MigModel *model) {
  model->profiles[0].slice_count = 2;
}
static void break_uniqueness(MigModel *model) {
  model->profiles[2] = model->profiles[0];
}
static void break_size(MigModel *model) {
  model->profiles[0].size = 0;
}
static void break_large_size(MigModel *model) {
  model->profiles[0].size = 5;
}
static void break_starts(MigModel *model) {
  model->profiles[0].starts = 0;
}
static void break_end(MigModel *model) {
  model->profiles[2].starts = 0x8;
}
static void break_count(MigModel *model) {
  model->profiles[0].instance_count_max = 0;
}
static void break_large_count(MigModel *model) {
  model->profiles[0].instance_count_max = 33;
}
static void break_order(MigModel *model) {
  model->profiles[0].auto_starts[0] = 1;
}
static void break_order_range(MigModel *model) {
  model->profiles[0].auto_starts[0] = 32;
}
static void break_order_size(MigModel *model) {
  model->profiles[0].auto_start_count = 3;
}
static void break_axis(MigModel *model) {
  model->slot_count = 0;
}

static void each_way_to_be_unsound_is_named(void **state) {
  static const struct {
    void (*break_it)(MigModel *model);
    const char *text;
  } cases[] = {
      {break_name, "a GPU model has no name"},
      {break_slot_limit, "GPU model NVIDIA-A30: 33 slots are more than 32"},
      {break_profile_limit, "GPU model NVIDIA-A30: 25 profiles are more than 24"},
      {break_profile_name,
       "GPU model NVIDIA-A30: \"small\" is not a MIG profile: one looks like 1g.10gb, 1g.10gb+me, "
       "1g.24gb+gfx, 1g.24gb+me.all or 1g.24gb-me"},
      {break_kind, "GPU model NVIDIA-A30: 1g.6gb is not what its name says"},
      {break_slices, "GPU model NVIDIA-A30: 1g.6gb is not what its name says"},
      {break_uniqueness, "GPU model NVIDIA-A30: 1g.6gb is there twice"},
      {break_size, "GPU model NVIDIA-A30: 1g.6gb takes 0 of 4 slots"},
      {break_large_size, "GPU model NVIDIA-A30: 1g.6gb takes 5 of 4 slots"},
      {break_starts, "GPU model NVIDIA-A30: 1g.6gb has no slot to start at"},
      {break_end, "GPU model NVIDIA-A30: 2g.12gb at slot 3 reaches beyond the last of 4 slots"},
      {break_count, "GPU model NVIDIA-A30: 1g.6gb may exist 0 times, which is not between 1 and 32"},
      {break_large_count, "GPU model NVIDIA-A30: 1g.6gb may exist 33 times, which is not between 1 and 32"},
      {break_order,
       "GPU model NVIDIA-A30: the driver's order for 1g.6gb does not name each of its starts once"},
      {break_order_range,
       "GPU model NVIDIA-A30: the driver's order for 1g.6gb does not name each of its starts once"},
      {break_order_size,
       "GPU model NVIDIA-A30: the driver's order for 1g.6gb does not name each of its starts once"},
      {break_axis, "GPU model NVIDIA-A30: 1g.6gb takes 1 of 0 slots"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    MigModel model = row_of("A30")->model;
    cases[i].break_it(&model);
    Error err;
    assert_fails(mig_model_check(&model, &err), cases[i].text);
  }
}

static void a_profile_is_found_by_its_exact_name(void **state) {
  const MigModel *model = &row_of("A100-80GB")->model;
  assert_int_equal(mig_model_find_profile(model, "1g.10gb+me"), 1);
  assert_int_equal(mig_model_find_profile(model, "1g.10gb.me"), -1);
  assert_int_equal(mig_model_find_profile(model, ""), -1);
}

static void a_profile_is_found_by_nvmls_number(void **state) {
  const MigModel *model = &mig_model_find("A100-80GB")->model;
  for (int i = 0; i < model->profile_count; i++)
    assert_ptr_equal(mig_model_find_nvml_id(model, model->profiles[i].nvml_id), &model->profiles[i]);
  assert_null(mig_model_find_nvml_id(model, 4711));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_row_is_sound),
      cmocka_unit_test(a_model_is_named_by_the_label_of_its_first_product),
      cmocka_unit_test(a_model_is_found_under_each_of_its_names_and_ids),
      cmocka_unit_test(parts_of_a_key_may_be_left_out),
      cmocka_unit_test(a_model_is_found_in_every_spelling),
      cmocka_unit_test(what_the_table_does_not_have_is_not_found),
      cmocka_unit_test(a_label_keeps_only_what_labels_may_hold),
      cmocka_unit_test(the_memory_in_a_name_follows_from_the_memory),
      cmocka_unit_test(a_name_tells_slices_memory_and_kind),
      cmocka_unit_test(what_is_no_profile_name_is_refused_as_shown),
      cmocka_unit_test(names_keys_and_resources_translate_into_each_other),
      cmocka_unit_test(keys_and_resources_of_other_forms_are_refused),
      cmocka_unit_test(each_way_to_be_unsound_is_named),
      cmocka_unit_test(a_profile_is_found_by_its_exact_name),
      cmocka_unit_test(a_profile_is_found_by_nvmls_number),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
