/* SPDX-License-Identifier: Apache-2.0 */
/* Every metric of facet, in one table: what stands on /metrics and, later, in the documentation. */
#pragma once

#include <stddef.h>

typedef enum MetricId {
  METRIC_BUILD,
  METRIC_EVENT_LOOP_LAG,
  METRIC_API_REQUESTS,
  METRIC_API_DURATION,
  METRIC_FAILURES,
  METRIC_SLICES,
  METRIC_STAGE_DURATION,
  /* of the controller */
  METRIC_LEADER,
  METRIC_OBJECTS,
  METRIC_NODES,
  METRIC_PODS,
  METRIC_PLANS,
  METRIC_PLANS_STOPPED,
  METRIC_PLAN_DURATION,
  METRIC_PLAN_GAP,
  METRIC_NODE_WRITES,
  METRIC_EVENTS,
  /* of the agent */
  METRIC_REPORTS,
  METRIC_COUNT
} MetricId;

typedef enum MetricType { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM, METRIC_INFO } MetricType;

enum { METRIC_LABELS_MAX = 2, METRIC_BUCKETS_MAX = 16 };

typedef struct MetricInfo {
  const char *name; /* of the family: a counter's sample has "_total" behind it, an info's "_info" */
  MetricType type;
  const char *help;
  const char *labels[METRIC_LABELS_MAX]; /* NULL: no such label */
  const double *bounds; /* upper ones of a histogram's buckets, rising; +Inf is not among them */
  size_t bound_count;
} MetricInfo;

extern const MetricInfo metric_table[METRIC_COUNT];
