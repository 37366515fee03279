/* SPDX-License-Identifier: Apache-2.0 */
/* A metric is a map from its labels, as they are printed, to a series. So printing is copying. */
#include "metrics/metrics.h"

#include "base/array.h"
#include "base/map.h"

#include <assert.h>
#include <inttypes.h>

typedef struct Series {
  double value; /* a histogram's sum */
  uint64_t count;
  uint64_t buckets[METRIC_BUCKETS_MAX]; /* not cumulative; beyond the last bound only `count` tells */
} Series;

struct Metrics {
  Map series[METRIC_COUNT]; /* `method="GET",code="200"` -> Series, owned */
  uint64_t (*read_us)(void);
};

/* ---- labels ---- */

static void append_value(Text *key, const char *value) {
  for (int i = 0; value[i] && i < METRICS_LABEL_SIZE_MAX; i++) {
    if (value[i] == '\n')
      text_append(key, "\\n");
    else if (value[i] == '"' || value[i] == '\\')
      text_format(key, "\\%c", value[i]);
    else
      text_append_bytes(key, &value[i], 1);
  }
}

/* `other` takes the place of every value where the metric has too many. */
static void format_labels(MetricId id, const char *const *labels, const char *other, Text *ret_key) {
  for (int i = 0; i < METRIC_LABELS_MAX && metric_table[id].labels[i]; i++) {
    assert(labels && labels[i]);
    text_format(ret_key, "%s%s=\"", i ? "," : "", metric_table[id].labels[i]);
    append_value(ret_key, other ? other : labels[i]);
    text_append(ret_key, "\"");
  }
}

static Series *find_series(Metrics *metrics, MetricId id, const char *const *labels) {
  Map *all = &metrics->series[id];
  CLEANUP(text_deinit) Text key = {0};
  format_labels(id, labels, NULL, &key);
  Series *series = map_find(all, text_string(&key));
  if (!series && all->count >= METRICS_SERIES_MAX - 1) {
    text_clear(&key);
    format_labels(id, labels, "other", &key);
    series = map_find(all, text_string(&key));
  }
  if (series)
    return series;
  series = mem_alloc(sizeof *series);
  map_put(all, text_string(&key), series);
  return series;
}

/* ---- values ---- */

Metrics *metrics_new(uint64_t (*read_us)(void)) {
  Metrics *metrics = mem_alloc(sizeof *metrics);
  metrics->read_us = read_us;
  return metrics;
}

void metrics_clear(Metrics *metrics, MetricId id) {
  if (!metrics)
    return;
  Map *all = &metrics->series[id];
  for (size_t i = 0; i < all->count; i++)
    free(all->entries[i].value);
  map_clear(all);
}

void metrics_free(Metrics *metrics) {
  if (!metrics)
    return;
  for (int id = 0; id < METRIC_COUNT; id++) {
    metrics_clear(metrics, (MetricId)id);
    map_deinit(&metrics->series[id]);
  }
  free(metrics);
}

void metrics_set(Metrics *metrics, MetricId id, const char *const *labels, double value) {
  if (!metrics)
    return;
  assert(metric_table[id].type == METRIC_GAUGE || metric_table[id].type == METRIC_INFO);
  find_series(metrics, id, labels)->value = value;
}

void metrics_add(Metrics *metrics, MetricId id, const char *const *labels, double value) {
  if (!metrics)
    return;
  assert(metric_table[id].type == METRIC_GAUGE || (metric_table[id].type == METRIC_COUNTER && value >= 0));
  find_series(metrics, id, labels)->value += value;
}

void metrics_observe(Metrics *metrics, MetricId id, const char *const *labels, double value) {
  if (!metrics)
    return;
  const MetricInfo *info = &metric_table[id];
  assert(info->type == METRIC_HISTOGRAM);
  Series *series = find_series(metrics, id, labels);
  series->value += value;
  series->count++;
  for (size_t i = 0; i < info->bound_count; i++)
    if (value <= info->bounds[i]) {
      series->buckets[i]++;
      return;
    }
}

uint64_t metrics_now_us(const Metrics *metrics) {
  return metrics && metrics->read_us ? metrics->read_us() : 0;
}

void metrics_observe_since(Metrics *metrics, MetricId id, const char *const *labels, uint64_t began_us) {
  uint64_t now_us = metrics_now_us(metrics);
  metrics_observe(metrics, id, labels, now_us > began_us ? (double)(now_us - began_us) / 1e6 : 0);
}

/* ---- text ---- */

static const char *const type_names[] = {[METRIC_COUNTER] = "counter",
                                         [METRIC_GAUGE] = "gauge",
                                         [METRIC_HISTOGRAM] = "histogram",
                                         [METRIC_INFO] = "info"};

static void append_sample(Text *out, const char *name, const char *suffix, const char *labels, double value) {
  text_format(out, "%s%s%s%s%s %.15g\n", name, suffix, *labels ? "{" : "", labels, *labels ? "}" : "", value);
}

static void append_histogram(Text *out, const MetricInfo *info, const char *labels, const Series *series) {
  uint64_t below = 0;
  const char *comma = *labels ? "," : "";
  for (size_t i = 0; i < info->bound_count; i++) {
    below += series->buckets[i];
    text_format(out, "%s_bucket{%s%sle=\"%.15g\"} %" PRIu64 "\n", info->name, labels, comma, info->bounds[i],
                below);
  }
  text_format(out, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", info->name, labels, comma, series->count);
  append_sample(out, info->name, "_sum", labels, series->value);
  append_sample(out, info->name, "_count", labels, (double)series->count);
}

/* The table's texts hold neither line ends nor backslashes; quotes are escaped in help texts, too. */
static void append_help(Text *out, const char *help) {
  for (; *help; help++)
    text_format(out, "%s%c", *help == '"' ? "\\" : "", *help);
}

static void append_metric(Text *out, const MetricInfo *info, const Map *all) {
  text_format(out, "# TYPE %s %s\n# HELP %s ", info->name, type_names[info->type], info->name);
  append_help(out, info->help);
  text_append(out, "\n");
  const char *suffix = info->type == METRIC_COUNTER ? "_total" : info->type == METRIC_INFO ? "_info" : "";
  for (size_t i = 0; i < all->count; i++) {
    const Series *series = all->entries[i].value;
    if (info->type == METRIC_HISTOGRAM)
      append_histogram(out, info, all->entries[i].key, series);
    else
      append_sample(out, info->name, suffix, all->entries[i].key, series->value);
  }
}

void metrics_format(const Metrics *metrics, Text *ret_text) {
  for (int id = 0; metrics && id < METRIC_COUNT; id++)
    if (metrics->series[id].count)
      append_metric(ret_text, &metric_table[id], &metrics->series[id]);
  text_append(ret_text, "# EOF\n");
}
