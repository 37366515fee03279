/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/mig_wish.h"

#include "base/test.h"
#include "gpu/observed.h"

#include <string.h>

/* Two A100s, an A30 and an H100 whose MIG mode is off. */
static GpuObservation *make_observation(void) {
  static const char *const keys[] = {"A100-80GB", "A100-80GB", "A30", "H100-SXM-80GB"};
  static GpuObservation observation;
  memset(&observation, 0, sizeof observation);
  observation.gpu_count = COUNT_OF(keys);
  for (int i = 0; i < observation.gpu_count; i++) {
    GpuObserved *gpu = &observation.gpus[i];
    const MigModelRow *row = mig_model_find(keys[i]);
    assert_non_null(row);
    gpu->index = i;
    gpu->mig_capable = true;
    gpu->mode = i < 3 ? MIG_MODE_ON : MIG_MODE_OFF;
    gpu->model = row->model;
    snprintf(gpu->uuid, sizeof gpu->uuid, "GPU-%d", i);
    snprintf(gpu->product, sizeof gpu->product, "%s", row->product_names[0]);
  }
  return &observation;
}

static void add_instance(GpuObserved *gpu, const char *profile, int start) {
  const MigProfile *found = &gpu->model.profiles[mig_model_find_profile(&gpu->model, profile)];
  gpu->instances[gpu->instance_count++] =
      (GpuInstance){.uuid = "MIG-1", .nvml_id = found->nvml_id, .start = (uint8_t)start, .size = found->size};
}

/* "3g.40gb@4,2g.20gb@0" of the layout that the text means for GPU 0, or the error. */
static const char *bind(const char *text, uint32_t fixed_starts, GpuObservation *observation) {
  static char said[ERROR_TEXT_SIZE];
  MigWish wish;
  MigLayout layout;
  Error err;
  if (cli_mig_wish_parse(text, observation, &wish, &err) < 0 ||
      cli_mig_wish_bind(&wish.gpus[0], &observation->gpus[0], fixed_starts, &layout, &err) < 0)
    return snprintf(said, sizeof said, "%s", err.text), said;
  assert_int_equal(mig_layout_check(&layout, &err), 0);
  said[0] = '\0';
  for (int i = 0; i < layout.count; i++)
    snprintf(said + strlen(said), sizeof said - strlen(said), "%s%s@%d", i ? "," : "",
             layout.model->profiles[layout.instances[i].profile].name, layout.instances[i].start);
  return said;
}

static void an_entry_names_gpus_in_four_ways(void **state) {
  static const struct {
    const char *text;
    const char *named; /* by place: '1' where named */
  } cases[] = {
      {"0: 1g.10gb", "1000"},
      {"0-1: 7x1g.10gb", "1100"},
      {"0,2:", "1010"},
      {"GPU-1: 2g.20gb@0", "0100"},
      {"all:", "1110"}, /* the last one's MIG mode is off */
      {"3:", "0001"},
      {"0: 1g.10gb@6 ; 2: 2g.12gb\n# a comment; 3: 1g.6gb\n\n  1 :7g.80gb # another", "1110"},
      {"\t0 :\t1g.10gb@6 ,\t2g.20gb@0\t\r\n \t# a comment\r\n\f2 , 3:\r\n", "1011"},
      {"", "0000"},
      {" ;; \n", "0000"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    MigWish wish;
    Error err;
    if (cli_mig_wish_parse(cases[i].text, make_observation(), &wish, &err) < 0)
      fail_msg("\"%s\": %s", cases[i].text, err.text);
    for (int g = 0; g < 4; g++)
      if (wish.gpus[g].named != (cases[i].named[g] == '1'))
        fail_msg("\"%s\": GPU %d", cases[i].text, g);
  }
}

static void garbage_is_refused_with_its_entry(void **state) {
  static const struct {
    const char *text, *said;
  } cases[] = {
      {"0", "\"0\": no ':'"},
      {"x: 1g.10gb", "\"x: 1g.10gb\": \"x\" is not a GPU"},
      {"7:", "\"7:\": there is no GPU 7 here"},
      {"0-9:", "\"0-9:\": there is no GPU 0-9 here"},
      {"3-1:", "\"3-1\" is not a GPU"},
      {"GPU-x:", "there is no GPU GPU-x here"},
      {"0: ; 0: 1g.10gb", "\"0: 1g.10gb\": GPU 0 is named twice"},
      {"all: ; GPU-0:", "GPU 0 is named twice"},
      {"0: 1g.10gb@", "is not a slice"},
      {"0: 1g.10gb@x", "is not a slice"},
      {"0: 1g.10gb@99", "is not a slice"},
      {"0: 2x1g.10gb@0", "is not a slice"},
      {"0: 0x1g.10gb", "is not a slice"},
      {"0: ,", "\"0: ,\": "},
      {"0: 1g.10gb,", "\"0: 1g.10gb,\": "},
      {"0: banana", "banana"},
      {"0: 99x1g.10gb", "more than 32 slices"},
      {"0: 99999999999999999999x1g.10gb", "is not a MIG profile"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    MigWish wish;
    Error err = {0};
    int r = cli_mig_wish_parse(cases[i].text, make_observation(), &wish, &err);
    if (r >= 0 || !strstr(err.text, cases[i].said))
      fail_msg("\"%s\" -> %d \"%s\"", cases[i].text, r, err.text);
  }
}

static void nothing_of_a_file_reaches_a_terminal_raw(void **state) {
  static const char *const texts[] = {"\033[31m",    "\033[31m: 1g.10gb",   "GPU-\033[31m:",
                                      "0: \033[31m", "0: 1g.10gb@\033[31m", "0: 1g.10gb@6,\033[31m"};
  for (size_t i = 0; i < COUNT_OF(texts); i++) {
    MigWish wish;
    Error err;
    assert_true(cli_mig_wish_parse(texts[i], make_observation(), &wish, &err) < 0);
    assert_null(strchr(err.text, '\033'));
  }
}

static void a_very_long_entry_is_refused(void **state) {
  char text[4096];
  MigWish wish;
  Error err;
  memset(text, '1', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  assert_true(cli_mig_wish_parse(text, make_observation(), &wish, &err) < 0);
  assert_non_null(strstr(err.text, "longer than"));
}

static void slices_go_where_they_are_told_or_where_they_fit(void **state) {
  static const struct {
    const char *text, *said;
  } cases[] = {
      {"0:", ""},
      {"0: 3g.40gb@4,2g.20gb@0", "2g.20gb@0,3g.40gb@4"},
      {"0: 7x1g.10gb", "1g.10gb@0,1g.10gb@1,1g.10gb@2,1g.10gb@3,1g.10gb@4,1g.10gb@5,1g.10gb@6"},
      {"0: 3g.40gb,4g.40gb", "4g.40gb@0,3g.40gb@4"},
      {"0: 3g.40gb@0,2g.20gb,1g.20gb", "3g.40gb@0,2g.20gb@4,1g.20gb@6"},
      {"0: 3x2g.20gb,1g.10gb", "2g.20gb@0,2g.20gb@2,2g.20gb@4,1g.10gb@6"},
      {"0: 2x4g.40gb", "GPU 0 (NVIDIA A100-SXM4-80GB): the wished slices do not fit together"},
      {"0: 1g.10gb@7", "GPU 0, 1g.10gb@7: "},
      {"0: 7g.80gb@0,1g.10gb@3", "GPU 0, 1g.10gb@3: "},
      {"0: 1g.6gb", "GPU 0 (NVIDIA A100-SXM4-80GB) has no profile 1g.6gb"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    const char *said = bind(cases[i].text, 0, make_observation());
    if (strncmp(said, cases[i].said, strlen(cases[i].said)) != 0 || (!cases[i].said[0] && said[0]))
      fail_msg("\"%s\" -> \"%s\"", cases[i].text, said);
  }
}

static void slices_of_today_stay_where_they_can(void **state) {
  GpuObservation *observation = make_observation();
  add_instance(&observation->gpus[0], "1g.10gb", 3);
  add_instance(&observation->gpus[0], "2g.20gb", 4);
  assert_string_equal(bind("0: 2x1g.10gb,2g.20gb", 0, observation), "1g.10gb@3,2g.20gb@4,1g.10gb@6");
  assert_string_equal(bind("0: 1g.10gb", 0, observation), "1g.10gb@3");
}

static void used_slices_stay_or_it_is_refused(void **state) {
  GpuObservation *observation = make_observation();
  add_instance(&observation->gpus[0], "2g.20gb", 2);
  uint32_t used = 1 << 2;
  assert_string_equal(bind("0: 2x2g.20gb", used, observation), "2g.20gb@2,2g.20gb@4");
  assert_string_equal(bind("0: 3g.40gb,2g.20gb", used, observation), "2g.20gb@2,3g.40gb@4");
  static const char *const refused[] = {"0:", "0: 7g.80gb", "0: 4g.40gb", "0: 2g.20gb@0", "0: 1g.10gb@2"};
  for (size_t i = 0; i < COUNT_OF(refused); i++)
    if (!strstr(bind(refused[i], used, observation), "2g.20gb@2 is in use and stays"))
      fail_msg("\"%s\" -> \"%s\"", refused[i], bind(refused[i], used, observation));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_entry_names_gpus_in_four_ways),
      cmocka_unit_test(garbage_is_refused_with_its_entry),
      cmocka_unit_test(nothing_of_a_file_reaches_a_terminal_raw),
      cmocka_unit_test(a_very_long_entry_is_refused),
      cmocka_unit_test(slices_go_where_they_are_told_or_where_they_fit),
      cmocka_unit_test(slices_of_today_stay_where_they_can),
      cmocka_unit_test(used_slices_stay_or_it_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
