/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"

#include "metrics/metrics.h"
#include "metrics/openmetrics_testing.h"

static void parse(const Metrics *metrics, OpenText *ret_text) {
  CLEANUP(text_deinit) Text text = {0};
  Error err;
  metrics_format(metrics, &text);
  assert_ok(open_text_parse(text_string(&text), ret_text, &err));
}

static double read_back(const Metrics *metrics, const char *name, const char *labels) {
  CLEANUP(open_text_deinit) OpenText text = {0};
  parse(metrics, &text);
  return open_text_find(&text, name, labels);
}

static void nothing_measured_is_an_empty_text(void **state) {
  CLEANUP(metrics_freep) Metrics *metrics = metrics_new(NULL);
  CLEANUP(text_deinit) Text text = {0}, none = {0};
  metrics_format(metrics, &text);
  assert_string_equal(text_string(&text), "# EOF\n");
  metrics_format(NULL, &none);
  assert_string_equal(text_string(&none), "# EOF\n");
}

static void a_text_is_as_the_specification_writes_it(void **state) {
  CLEANUP(metrics_freep) Metrics *metrics = metrics_new(NULL);
  CLEANUP(text_deinit) Text text = {0};
  metrics_set(metrics, METRIC_BUILD, METRIC_LABELS("1.2.3"), 1);
  metrics_add(metrics, METRIC_NODE_WRITES, METRIC_LABELS("written"), 2);
  metrics_add(metrics, METRIC_NODE_WRITES, METRIC_LABELS("written"), 1);
  metrics_set(metrics, METRIC_PLAN_GAP, NULL, 0.25);
  metrics_format(metrics, &text);
  assert_string_equal(
      text_string(&text),
      "# TYPE facet_build info\n"
      "# HELP facet_build Which facet this is.\n"
      "facet_build_info{version=\"1.2.3\"} 1\n"
      "# TYPE facet_controller_plan_gap_ratio gauge\n"
      "# HELP facet_controller_plan_gap_ratio The share of the pods that the last plan could still have "
      "admitted, at most.\n"
      "facet_controller_plan_gap_ratio 0.25\n"
      "# TYPE facet_controller_node_writes counter\n"
      "# HELP facet_controller_node_writes Plans sent to nodes, by result: written, outdated (planned "
      "again), "
      "failed, observed (not sent, because of --observe).\n"
      "facet_controller_node_writes_total{result=\"written\"} 3\n"
      "# EOF\n");
}

static void every_metric_of_the_table_is_written_so_that_a_parser_reads_it(void **state) {
  CLEANUP(metrics_freep) Metrics *metrics = metrics_new(NULL);
  for (int id = 0; id < METRIC_COUNT; id++) {
    const char *const *labels = METRIC_LABELS("a", "b");
    if (metric_table[id].type == METRIC_HISTOGRAM)
      metrics_observe(metrics, (MetricId)id, labels, 0.003);
    else if (metric_table[id].type == METRIC_COUNTER)
      metrics_add(metrics, (MetricId)id, labels, 1);
    else
      metrics_set(metrics, (MetricId)id, labels, 1);
  }
  CLEANUP(open_text_deinit) OpenText text = {0};
  parse(metrics, &text);
  assert_int_equal(text.families.count, METRIC_COUNT);
  for (int id = 0; id < METRIC_COUNT; id++) {
    assert_string_equal(text.families.items[id].name, metric_table[id].name);
    assert_int_equal(strlen(text.families.items[id].help) > 0, true);
  }
}

static void a_histogram_counts_up_to_each_bound(void **state) {
  CLEANUP(metrics_freep) Metrics *metrics = metrics_new(NULL);
  static const double values[] = {0.01, 0.011, 0.3, 299, 301};
  for (size_t i = 0; i < COUNT_OF(values); i++)
    metrics_observe(metrics, METRIC_STAGE_DURATION, METRIC_LABELS("write"), values[i]);
#define STAGE "facet_repartition_stage_duration_seconds"
  assert_true(read_back(metrics, STAGE "_bucket", "stage=\"write\",le=\"0.01\"") == 1);
  assert_true(read_back(metrics, STAGE "_bucket", "stage=\"write\",le=\"0.025\"") == 2);
  assert_true(read_back(metrics, STAGE "_bucket", "stage=\"write\",le=\"0.5\"") == 3);
  assert_true(read_back(metrics, STAGE "_bucket", "stage=\"write\",le=\"300\"") == 4);
  assert_true(read_back(metrics, STAGE "_bucket", "stage=\"write\",le=\"+Inf\"") == 5);
  assert_true(read_back(metrics, STAGE "_count", "stage=\"write\"") == 5);
  assert_true(read_back(metrics, STAGE "_sum", "stage=\"write\"") > 600.3);
}

static void label_values_are_escaped_and_cut(void **state) {
  CLEANUP(metrics_freep) Metrics *metrics = metrics_new(NULL);
  char large[METRICS_LABEL_SIZE_MAX + 50];
  memset(large, 'x', sizeof large - 1);
  large[sizeof large - 1] = '\0';
  metrics_add(metrics, METRIC_FAILURES, METRIC_LABELS("a\"b\\c\nd", large), 7);
  large[METRICS_LABEL_SIZE_MAX] = '\0';
  CLEANUP(cleanup_free) char *labels = mem_format("where=\"a\\\"b\\\\c\\nd\",reason=\"%s\"", large);
  assert_true(read_back(metrics, "facet_failures_total", labels) == 7);
}

static void too_many_series_are_counted_together(void **state) {
  CLEANUP(metrics_freep) Metrics *metrics = metrics_new(NULL);
  char value[16];
  for (int i = 0; i < METRICS_SERIES_MAX + 100; i++) {
    snprintf(value, sizeof value, "%d", i);
    metrics_add(metrics, METRIC_EVENTS, METRIC_LABELS(value), 1);
  }
  CLEANUP(open_text_deinit) OpenText text = {0};
  parse(metrics, &text);
  assert_int_equal(text.families.items[0].samples.count, METRICS_SERIES_MAX);
  assert_true(open_text_find(&text, "facet_controller_events_total", "result=\"254\"") == 1);
  assert_true(open_text_find(&text, "facet_controller_events_total", "result=\"255\"") == -1);
  assert_true(open_text_find(&text, "facet_controller_events_total", "result=\"other\"") == 101);
}

static void a_gauge_is_filled_anew(void **state) {
  CLEANUP(metrics_freep) Metrics *metrics = metrics_new(NULL);
  metrics_add(metrics, METRIC_SLICES, METRIC_LABELS("1g.10gb", "free"), 1);
  metrics_add(metrics, METRIC_SLICES, METRIC_LABELS("2g.20gb", "free"), 1);
  metrics_clear(metrics, METRIC_SLICES);
  metrics_add(metrics, METRIC_SLICES, METRIC_LABELS("1g.10gb", "free"), 1);
  assert_true(read_back(metrics, "facet_slices", "profile=\"1g.10gb\",state=\"free\"") == 1);
  assert_true(read_back(metrics, "facet_slices", "profile=\"2g.20gb\",state=\"free\"") == -1);
}

static uint64_t clock_us;

static uint64_t read_clock(void) {
  return clock_us;
}

static void durations_come_from_the_clock_that_was_given(void **state) {
  CLEANUP(metrics_freep) Metrics *metrics = metrics_new(read_clock);
  clock_us = 1000000;
  uint64_t began_us = metrics_now_us(metrics);
  clock_us += 30000;
  metrics_observe_since(metrics, METRIC_PLAN_DURATION, NULL, began_us);
  assert_true(read_back(metrics, "facet_controller_plan_duration_seconds_sum", "") == 0.03);
  metrics_observe_since(NULL, METRIC_PLAN_DURATION, NULL, began_us);
  metrics_add(NULL, METRIC_PLANS, NULL, 1);
  metrics_set(NULL, METRIC_LEADER, NULL, 1);
  metrics_clear(NULL, METRIC_SLICES);
}

/* So that the parser can be trusted. */
static void the_parser_refuses_what_is_no_open_metrics(void **state) {
  static const struct {
    const char *text, *error;
  } mistakes[] = {
      {"# TYPE a gauge\na 1\n", "# EOF is missing"},
      {"# EOF", "the last line has no end"},
      {"# EOF\na 1\n", "something behind # EOF: a 1"},
      {"a 1\n# EOF\n", "a sample outside of its family: a 1"},
      {"# TYPE a gauge\nb 1\n# EOF\n", "a sample outside of its family: b 1"},
      {"# TYPE a counter\na 1\n# EOF\n", "the name does not fit a counter: a 1"},
      {"# TYPE a gauge\na{x=\"1} 1\n# EOF\n", "a sample that cannot be read: a{x=\"1} 1"},
      {"# TYPE a gauge\na{x=\"\\q\"} 1\n# EOF\n", "a sample that cannot be read: a{x=\"\\q\"} 1"},
      {"# TYPE a gauge\na one\n# EOF\n", "a sample that cannot be read: a one"},
      {"# TYPE a gauge\n# TYPE a gauge\n# EOF\n", "the family comes twice: # TYPE a gauge"},
      {"# HELP a text\n# EOF\n", "HELP that is not right behind its TYPE: # HELP a text"},
      {"# hello\n# EOF\n", "a comment that means nothing: # hello"},
      {"# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\na_count 1\n# EOF\n",
       "buckets of a do not rise: le=\"+Inf\""},
      {"# TYPE a histogram\na_bucket{le=\"1\"} 2\na_count 2\n# EOF\n",
       "a does not count what its buckets do"},
  };
  for (size_t i = 0; i < COUNT_OF(mistakes); i++) {
    CLEANUP(open_text_deinit) OpenText text = {0};
    Error err;
    assert_fails(open_text_parse(mistakes[i].text, &text, &err), mistakes[i].error);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_measured_is_an_empty_text),
      cmocka_unit_test(a_text_is_as_the_specification_writes_it),
      cmocka_unit_test(every_metric_of_the_table_is_written_so_that_a_parser_reads_it),
      cmocka_unit_test(a_histogram_counts_up_to_each_bound),
      cmocka_unit_test(label_values_are_escaped_and_cut),
      cmocka_unit_test(too_many_series_are_counted_together),
      cmocka_unit_test(a_gauge_is_filled_anew),
      cmocka_unit_test(durations_come_from_the_clock_that_was_given),
      cmocka_unit_test(the_parser_refuses_what_is_no_open_metrics),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
