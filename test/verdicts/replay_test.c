/* SPDX-License-Identifier: Apache-2.0 */
/* testdata/verdicts.jsonl.gz is an excerpt of 2,500 recorded cases of kube-scheduler 1.36.2, with every
 * plugin and every wording that occurs in them. */
#include "replay.h"

#include "base/test.h"

static void on_mismatch(void *userdata, const char *text) {
  print_message("# %s\n", text);
}

static void assert_all_agree(const char *path) {
  ReplayCounts counts = {0};
  Error err;
  assert_ok(replay_file(path, &counts, on_mismatch, NULL, &err));
  print_message("# %zu cases, %zu verdicts\n", counts.cases, counts.verdicts);
  assert_true(counts.cases >= 100 && counts.verdicts >= 400);
  assert_int_equal(counts.mismatches, 0);
}

static void the_filters_say_what_kube_scheduler_said(void **state) {
  assert_all_agree(VERDICTS_TESTDATA "/verdicts.jsonl.gz");
}

static void they_do_so_on_random_objects_of_all_kinds(void **state) {
  assert_all_agree(VERDICTS_TESTDATA "/random.jsonl.gz");
}

static void keep_text(void *userdata, const char *text) {
  snprintf(userdata, 256, "%s", text);
}

static void a_wrong_verdict_is_a_mismatch_with_both_words(void **state) {
  char text[256] = "";
  ReplayCounts counts = {0};
  Error err;
  assert_ok(replay_case("{\"nodes\":[{\"metadata\":{\"name\":\"n0\"},\"spec\":{\"unschedulable\":true}}],"
                        "\"pod\":{\"metadata\":{\"name\":\"p\"}},"
                        "\"verdicts\":[{\"Node\":\"n0\",\"Code\":\"Success\"}]}",
                        7, &counts, keep_text, text, &err));
  assert_int_equal(counts.mismatches, 1);
  assert_string_equal(text, "line 7, node n0: facet says NodeUnschedulable (node(s) were unschedulable), "
                            "kube-scheduler it fits ()");
}

static void the_order_of_what_is_insufficient_is_left_to_chance(void **state) {
  static const struct {
    const char *why;
    size_t mismatches;
  } cases[] = {{"Insufficient a.b/c, Insufficient a.b/d", 0},
               {"Insufficient a.b/d, Insufficient a.b/c", 0},
               {"Insufficient a.b/d, Insufficient a.b/d", 1},
               {"Insufficient a.b/d", 1},
               {"Insufficient a.b/d, Insufficient a.b/e", 1}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    char text[256], json[512];
    ReplayCounts counts = {0};
    Error err;
    snprintf(
        json, sizeof json,
        "{\"nodes\":[{\"metadata\":{\"name\":\"n0\"},\"status\":{\"allocatable\":{\"pods\":\"9\"}}}],"
        "\"pod\":{\"metadata\":{\"name\":\"p\"},\"spec\":{\"containers\":[{\"name\":\"c\",\"resources\":{"
        "\"requests\":{\"a.b/c\":\"1\",\"a.b/d\":\"1\"}}}]}},"
        "\"verdicts\":[{\"Node\":\"n0\",\"Plugin\":\"NodeResourcesFit\",\"Why\":\"%s\"}]}",
        cases[i].why);
    assert_ok(replay_case(json, 1, &counts, keep_text, text, &err));
    assert_int_equal(counts.mismatches, cases[i].mismatches);
  }
}

static void a_line_that_makes_no_sense_is_named(void **state) {
  ReplayCounts counts = {0};
  Error err;
  assert_true(replay_case("{\"pod\":7", 3, &counts, keep_text, NULL, &err) < 0);
  assert_string_equal(err.text, "line 3 is no JSON: '}' expected near end of file");
  assert_true(
      replay_case("{\"pod\":{},\"verdicts\":[{\"Node\":\"n9\"}]}", 4, &counts, keep_text, NULL, &err) < 0);
  assert_string_equal(err.text, "line 4: there is no node \"n9\"");
  assert_int_equal(counts.cases, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_filters_say_what_kube_scheduler_said),
      cmocka_unit_test(they_do_so_on_random_objects_of_all_kinds),
      cmocka_unit_test(a_wrong_verdict_is_a_mismatch_with_both_words),
      cmocka_unit_test(the_order_of_what_is_insufficient_is_left_to_chance),
      cmocka_unit_test(a_line_that_makes_no_sense_is_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
