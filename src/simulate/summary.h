/* SPDX-License-Identifier: Apache-2.0 */
/* Results of several seeds as means and spreads, by a table of measures from which every output is made. */
#pragma once

#include "simulate/metrics.h"

typedef enum SimulateUnit { SIMULATE_SHARE, SIMULATE_SECONDS, SIMULATE_COUNT } SimulateUnit;

typedef enum SimulateMeasure {
  SIMULATE_ACCEPTANCE,
  SIMULATE_COMPUTE_USE,
  SIMULATE_MEMORY_USE,
  SIMULATE_FRAGMENTATION,
  SIMULATE_SCATTERED,
  SIMULATE_STRANDED,
  SIMULATE_FRAGMENTED_JOBS,
  SIMULATE_WAIT_MEAN,
  SIMULATE_WAIT_P50,
  SIMULATE_WAIT_P95,
  SIMULATE_WAIT_P99,
  SIMULATE_WAIT_MAX,
  SIMULATE_REPARTITIONS,
  SIMULATE_CREATES,
  SIMULATE_DESTROYS,
  SIMULATE_END_TIME,
  SIMULATE_MEASURE_COUNT
} SimulateMeasure;

typedef struct SimulateMeasureRow {
  const char *key;   /* in JSON: "wait_p95_s" */
  const char *title; /* for people: "wait p95" */
  SimulateUnit unit;
  bool by_profile; /* it has a meaning for the jobs of one profile, too */
} SimulateMeasureRow;

const SimulateMeasureRow *simulate_measure(SimulateMeasure measure);

typedef struct SimulateMean {
  double mean, deviation; /* the sample's standard deviation; 0 of a single run */
} SimulateMean;

typedef struct SimulateSums {
  double sum, squares;
} SimulateSums;

typedef struct SimulateSummary {
  int runs;
  int served, jobs, gave_up, never; /* of all runs together */
  SimulateSums measures[SIMULATE_MEASURE_COUNT];
  SimulateSums kinds[SIMULATE_KINDS_MAX][SIMULATE_MEASURE_COUNT];
  int kind_runs[SIMULATE_KINDS_MAX]; /* in which jobs asked for the profile */
  int kind_jobs[SIMULATE_KINDS_MAX], kind_served[SIMULATE_KINDS_MAX];
} SimulateSummary;

/* Adds a run. */
void simulate_summary_add(SimulateSummary *summary, const SimulateResult *result, int kind_count);
SimulateMean simulate_summary_mean(const SimulateSummary *summary, SimulateMeasure measure);
SimulateMean simulate_summary_kind_mean(const SimulateSummary *summary, int kind, SimulateMeasure measure);
