/* SPDX-License-Identifier: Apache-2.0 */
/* The values of the metrics of metrics/table.h, and how they are written for Prometheus.
 *
 * All functions take a Metrics of NULL and then do nothing: programs need not ask whether anybody looks.
 * Label values are given in the table's order:
 *
 *     metrics_add(metrics, METRIC_API_REQUESTS, METRIC_LABELS("GET", "200"), 1);
 *     metrics_set(metrics, METRIC_LEADER, NULL, 1); */
#pragma once

#include "base/text.h"
#include "metrics/table.h"

#include <stdint.h>

enum {
  METRICS_SERIES_MAX = 256,    /* of one metric; what more there is is counted under "other" */
  METRICS_LABEL_SIZE_MAX = 128 /* bytes of a label's value; the rest is cut off */
};

typedef struct Metrics Metrics;

#define METRIC_LABELS(...) ((const char *const[METRIC_LABELS_MAX]){__VA_ARGS__})

/* The clock is for durations alone, in microseconds; NULL: there is none, and they are all 0. */
Metrics *metrics_new(uint64_t (*read_us)(void));
void metrics_free(Metrics *metrics);
DEFINE_CLEANUP(Metrics, metrics_free)

/* labels: METRIC_LABELS_MAX values, NULL behind the last; or NULL where the metric has none. */
void metrics_set(Metrics *metrics, MetricId id, const char *const *labels, double value);
void metrics_add(Metrics *metrics, MetricId id, const char *const *labels, double value);
void metrics_observe(Metrics *metrics, MetricId id, const char *const *labels, double value);
/* Forgets all series of a gauge, before it is filled anew. */
void metrics_clear(Metrics *metrics, MetricId id);
uint64_t metrics_now_us(const Metrics *metrics);
/* A histogram gets the time since metrics_now_us() said began_us. */
void metrics_observe_since(Metrics *metrics, MetricId id, const char *const *labels, uint64_t began_us);

#define METRICS_CONTENT_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"
/* OpenMetrics 1.0 text, "# EOF" at its end. */
void metrics_format(const Metrics *metrics, Text *ret_text);
