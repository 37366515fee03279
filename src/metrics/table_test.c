/* SPDX-License-Identifier: Apache-2.0 */
/* The table keeps to the conventions: https://prometheus.io/docs/practices/naming/ */
#include "base/test.h"

#include "base/text.h"
#include "metrics/table.h"

static void every_metric_has_a_name_of_its_own_that_begins_with_facet(void **state) {
  for (int i = 0; i < METRIC_COUNT; i++) {
    assert_true(string_has_prefix(metric_table[i].name, "facet_"));
    assert_int_equal(strspn(metric_table[i].name, "abcdefghijklmnopqrstuvwxyz_"),
                     strlen(metric_table[i].name));
    for (int j = 0; j < i; j++)
      assert_string_not_equal(metric_table[i].name, metric_table[j].name);
  }
}

static void suffixes_come_with_the_type_and_are_not_in_the_table(void **state) {
  static const char *const reserved[] = {"_total", "_info", "_count", "_sum", "_bucket", "_created"};
  for (int i = 0; i < METRIC_COUNT; i++)
    for (size_t j = 0; j < COUNT_OF(reserved); j++)
      assert_false(string_has_suffix(metric_table[i].name, reserved[j]));
}

static void every_help_is_a_sentence_on_one_line(void **state) {
  for (int i = 0; i < METRIC_COUNT; i++) {
    assert_true(string_has_suffix(metric_table[i].help, "."));
    assert_null(strpbrk(metric_table[i].help, "\n\\"));
  }
}

static void histograms_measure_seconds_in_rising_buckets_and_nothing_else_has_buckets(void **state) {
  for (int i = 0; i < METRIC_COUNT; i++) {
    const MetricInfo *info = &metric_table[i];
    bool is_histogram = info->type == METRIC_HISTOGRAM;
    assert_int_equal(is_histogram, info->bound_count > 0);
    assert_int_equal(is_histogram, string_has_suffix(info->name, "_seconds"));
    assert_true(info->bound_count <= METRIC_BUCKETS_MAX);
    for (size_t j = 1; j < info->bound_count; j++)
      assert_true(info->bounds[j] > info->bounds[j - 1]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_metric_has_a_name_of_its_own_that_begins_with_facet),
      cmocka_unit_test(suffixes_come_with_the_type_and_are_not_in_the_table),
      cmocka_unit_test(every_help_is_a_sentence_on_one_line),
      cmocka_unit_test(histograms_measure_seconds_in_rising_buckets_and_nothing_else_has_buckets),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
