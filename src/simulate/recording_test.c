/* SPDX-License-Identifier: Apache-2.0 */
#include "simulate/recording.h"

#include "base/test.h"
#include "base/text.h"

static const MigModel *a100(void) {
  return &mig_model_find("A100-80GB")->model;
}

static void parse(const char *text, SimulateRecording *ret_recording) {
  Error err;
  assert_ok(simulate_recording_parse(text, strlen(text), a100(), ret_recording, &err));
}

/* "0+60 1g.10gb x2; ..." */
static char *describe(const SimulateLoad *load) {
  Text text = {0};
  for (size_t i = 0; i < load->jobs.count; i++) {
    const SimulateJob *job = &load->jobs.items[i];
    const SimulateClass *request = &load->classes.items[job->class_];
    text_format(&text, "%s%lld+%lld %s x%d", i ? "; " : "", (long long)job->arrival_ms,
                (long long)job->duration_ms, load->kinds[request->kind], request->count);
  }
  return text_take(&text);
}

static void expect(const char *text, const char *jobs) {
  CLEANUP(simulate_recording_deinit) SimulateRecording recording;
  parse(text, &recording);
  CLEANUP(cleanup_free) char *found = describe(&recording.load);
  assert_string_equal(found, jobs);
}

static void what_spreadsheets_put_in_front_is_passed_over(void **state) {
  expect("\xef\xbb\xbf"
         "arrival_s,duration_s,profile\n0,60,1g.10gb\n",
         "0+60000 1g.10gb x1");
}

static void a_row_with_too_few_fields_says_so(void **state) {
  CLEANUP(simulate_recording_deinit) SimulateRecording recording;
  parse("arrival_s,duration_s,profile\n0;60;1g.10gb\n0,60\n0,60,1g.10gb,more\n", &recording);
  assert_int_equal(recording.load.jobs.count, 1);
  assert_int_equal(recording.bad, 2);
  assert_string_equal(recording.first_bad, "line 2: it has 1 of the 3 columns; they are cut at commas");
}

static void a_column_that_is_named_twice_is_refused(void **state) {
  const char *text = "arrival_s,duration_s,arrival_s,profile\n0,60,1,1g.10gb\n";
  SimulateRecording recording;
  Error err;
  assert_fails(simulate_recording_parse(text, strlen(text), a100(), &recording, &err),
               "its first line names arrival_s twice");
}

static void own_tables_have_columns_in_any_order(void **state) {
  expect("arrival_s,duration_s,profile\n3,1.5,1g.10gb\n1,60,3g.40gb\n",
         "0+60000 3g.40gb x1; 2000+1500 1g.10gb x1");
  expect("who,profile,count,duration_s,arrival_s\r\n\"me\", 1g.10gb+me ,2,60,0\r\n\r\nyou,2g.20gb,0,1,1",
         "0+60000 1g.10gb+me x2");
}

static void shares_of_gpus_become_the_smallest_profile_with_that_much(void **state) {
  expect(
      "name,num_gpu,gpu_milli,creation_time,deletion_time\n"
      "a,1,142,10,20\nb,1,143,10,20\nc,1,285,10,20\nd,1,428,10,20\ne,1,500,10,20\nf,1,572,10,20\ng,8,1000,10,"
      "20\n"
      "h,0,0,0,1\n",
      "0+10000 1g.10gb x1; 0+10000 2g.20gb x1; 0+10000 2g.20gb x1; 0+10000 3g.40gb x1; 0+10000 4g.40gb x1; "
      "0+10000 7g.80gb x1; 0+10000 7g.80gb x8");
}

static void a_table_without_times_says_so(void **state) {
  CLEANUP(simulate_recording_deinit) SimulateRecording recording;
  parse("num_gpu,gpu_milli\n0,0\n1,500\n", &recording);
  assert_false(recording.has_times);
  assert_int_equal(recording.without_gpu, 1);
  assert_int_equal(recording.load.jobs.count, 1);
}

static void deployments_are_read_by_the_size_of_their_instances(void **state) {
  expect("Num instance,Num GPU,Model,Placement,Instance size,Batch size,Num proc\n"
         "0,0,vgg16,4,3,16,3\n0,0,bert,2,2,16,1\n0,0,bert,0,1,32,1\n",
         "0+0 3g.40gb x1; 0+0 2g.20gb x1; 0+0 1g.10gb x1");
}

static void half_of_a_kind_of_table_is_not_that_kind(void **state) {
  expect("num_gpu,Instance size,deletion_time,creation_time\n8,2,20,10\n", "0+10000 2g.20gb x1");
}

static void a_bad_row_is_left_out_and_the_first_is_told(void **state) {
  static const struct {
    const char *row, *why;
  } cases[] = {
      {"x,1,1g.10gb,1", "line 3: arrival_s is no number: \"x\""},
      {"1,-1,1g.10gb,1", "line 3: duration_s is -1, which is not between 0 and 1000000000"},
      {"1,inf,1g.10gb,1", "line 3: duration_s is no number: \"inf\""},
      {"1,1e12,1g.10gb,1", "line 3: duration_s is 1e12, which is not between 0 and 1000000000"},
      {"1,1,1g.10gb,65", "line 3: count is 65, which is not between 0 and 64"},
      {"1,1,1g.10gb,1.5", "line 3: count is no whole number"},
      {"1,1,1g.10gb", "line 3: it has 3 of the 4 columns; they are cut at commas"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    CLEANUP(simulate_recording_deinit) SimulateRecording recording;
    CLEANUP(text_deinit) Text text = {0};
    text_format(&text, "arrival_s,duration_s,profile,count\n0,1,1g.10gb,1\n%s\n", cases[i].row);
    parse(text_string(&text), &recording);
    assert_int_equal(recording.load.jobs.count, 1);
    assert_int_equal(recording.bad, 1);
    assert_string_equal(recording.first_bad, cases[i].why);
  }
}

static void what_is_no_such_table_is_refused(void **state) {
  static const struct {
    const char *text, *error;
  } cases[] = {
      {"", "its first line names none of the tables that are understood: it needs a column \"profile\" (with "
           "\"arrival_s\" and \"duration_s\"), or \"num_gpu\" and \"gpu_milli\", or \"Instance size\""},
      {"profile,arrival_s\n", "it has a column for the begin but none for the end of jobs, or the reverse"},
      {"profile\n", "no row asks for a slice"},
      {"profile\nbig\n", "no row asks for a slice; line 2: \"big\" is no MIG profile key such as 1g.10gb"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    SimulateRecording recording;
    Error err;
    assert_true(simulate_recording_parse(cases[i].text, strlen(cases[i].text), a100(), &recording, &err) < 0);
    size_t same = i == 3 ? strlen("no row asks for a slice; line 2:") : strlen(cases[i].error);
    assert_int_equal(strncmp(err.text, cases[i].error, same), 0);
  }
}

static void lines_have_a_limit(void **state) {
  CLEANUP(simulate_recording_deinit) SimulateRecording recording = {0};
  CLEANUP(text_deinit) Text text = {0};
  Error err;
  text_append(&text, "profile\n1g.10gb");
  for (int i = 0; i < SIMULATE_LINE_MAX - 8; i++)
    text_append(&text, " ");
  assert_ok(simulate_recording_parse(text_string(&text), text.size, a100(), &recording, &err));
  simulate_recording_deinit(&recording);
  text_append(&text, " ");
  assert_fails(simulate_recording_parse(text_string(&text), text.size, a100(), &recording, &err),
               "line 2 is no line of a table: it has more than 4095 bytes");
  assert_fails(simulate_recording_parse("profile\n\0", 9, a100(), &recording, &err),
               "line 2 is no line of a table: it holds a NUL byte");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_spreadsheets_put_in_front_is_passed_over),
      cmocka_unit_test(a_row_with_too_few_fields_says_so),
      cmocka_unit_test(a_column_that_is_named_twice_is_refused),
      cmocka_unit_test(own_tables_have_columns_in_any_order),
      cmocka_unit_test(shares_of_gpus_become_the_smallest_profile_with_that_much),
      cmocka_unit_test(a_table_without_times_says_so),
      cmocka_unit_test(deployments_are_read_by_the_size_of_their_instances),
      cmocka_unit_test(half_of_a_kind_of_table_is_not_that_kind),
      cmocka_unit_test(a_bad_row_is_left_out_and_the_first_is_told),
      cmocka_unit_test(what_is_no_such_table_is_refused),
      cmocka_unit_test(lines_have_a_limit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
