/* SPDX-License-Identifier: Apache-2.0 */
#include "simulate/summary.h"

#include <math.h>

static const SimulateMeasureRow rows[SIMULATE_MEASURE_COUNT] = {
    [SIMULATE_ACCEPTANCE] = {"acceptance", "accepted", SIMULATE_SHARE, true},
    [SIMULATE_COMPUTE_USE] = {"compute_use", "compute", SIMULATE_SHARE, false},
    [SIMULATE_MEMORY_USE] = {"memory_use", "memory", SIMULATE_SHARE, false},
    [SIMULATE_FRAGMENTATION] = {"fragmentation", "fragmented", SIMULATE_SHARE, false},
    [SIMULATE_SCATTERED] = {"scattered", "scattered", SIMULATE_SHARE, false},
    [SIMULATE_STRANDED] = {"stranded", "stranded", SIMULATE_SHARE, false},
    [SIMULATE_FRAGMENTED_JOBS] = {"fragmented_jobs", "held up", SIMULATE_COUNT, false},
    [SIMULATE_WAIT_MEAN] = {"wait_mean_s", "wait mean", SIMULATE_SECONDS, true},
    [SIMULATE_WAIT_P50] = {"wait_p50_s", "wait p50", SIMULATE_SECONDS, true},
    [SIMULATE_WAIT_P95] = {"wait_p95_s", "wait p95", SIMULATE_SECONDS, true},
    [SIMULATE_WAIT_P99] = {"wait_p99_s", "wait p99", SIMULATE_SECONDS, true},
    [SIMULATE_WAIT_MAX] = {"wait_max_s", "wait max", SIMULATE_SECONDS, true},
    [SIMULATE_REPARTITIONS] = {"repartitions", "repartitions", SIMULATE_COUNT, false},
    [SIMULATE_CREATES] = {"creates", "created", SIMULATE_COUNT, false},
    [SIMULATE_DESTROYS] = {"destroys", "destroyed", SIMULATE_COUNT, false},
    [SIMULATE_END_TIME] = {"end_s", "end", SIMULATE_SECONDS, false},
};

const SimulateMeasureRow *simulate_measure(SimulateMeasure measure) {
  assert(measure < SIMULATE_MEASURE_COUNT);
  return &rows[measure];
}

/* What all jobs and those of one profile have in common; others are 0. */
static double value_of_tally(const SimulateTally *tally, SimulateMeasure measure) {
  switch (measure) {
  case SIMULATE_ACCEPTANCE:
    return tally->jobs ? (double)tally->served / tally->jobs : 1;
  case SIMULATE_WAIT_MEAN:
    return tally->waits.mean_ms / 1000;
  case SIMULATE_WAIT_P50:
    return (double)tally->waits.p50_ms / 1000;
  case SIMULATE_WAIT_P95:
    return (double)tally->waits.p95_ms / 1000;
  case SIMULATE_WAIT_P99:
    return (double)tally->waits.p99_ms / 1000;
  case SIMULATE_WAIT_MAX:
    return (double)tally->waits.max_ms / 1000;
  default:
    return 0;
  }
}

static double value_of(const SimulateResult *result, SimulateMeasure measure) {
  switch (measure) {
  case SIMULATE_COMPUTE_USE:
    return result->compute_use;
  case SIMULATE_MEMORY_USE:
    return result->memory_use;
  case SIMULATE_FRAGMENTATION:
    return result->fragmentation;
  case SIMULATE_SCATTERED:
    return result->gaps.scattered;
  case SIMULATE_STRANDED:
    return result->gaps.stranded;
  case SIMULATE_FRAGMENTED_JOBS:
    return result->fragmented_jobs;
  case SIMULATE_REPARTITIONS:
    return (double)result->repartitions;
  case SIMULATE_CREATES:
    return (double)result->creates;
  case SIMULATE_DESTROYS:
    return (double)result->destroys;
  case SIMULATE_END_TIME:
    return (double)result->end_ms / 1000;
  default:
    return value_of_tally(&result->all, measure);
  }
}

static void add(SimulateSums *sums, double value) {
  sums->sum += value;
  sums->squares += value * value;
}

void simulate_summary_add(SimulateSummary *summary, const SimulateResult *result, int kind_count) {
  summary->runs++;
  summary->jobs += result->all.jobs;
  summary->served += result->all.served;
  summary->gave_up += result->gave_up;
  summary->never += result->never;
  for (int m = 0; m < SIMULATE_MEASURE_COUNT; m++)
    add(&summary->measures[m], value_of(result, m));
  for (int kind = 0; kind < kind_count; kind++) {
    if (!result->kinds[kind].jobs)
      continue;
    summary->kind_runs[kind]++;
    summary->kind_jobs[kind] += result->kinds[kind].jobs;
    summary->kind_served[kind] += result->kinds[kind].served;
    for (int m = 0; m < SIMULATE_MEASURE_COUNT; m++)
      add(&summary->kinds[kind][m], value_of_tally(&result->kinds[kind], m));
  }
}

static SimulateMean mean_of(const SimulateSums *sums, int runs) {
  SimulateMean mean = {.mean = runs ? sums->sum / runs : 0};
  double squares = sums->squares - sums->sum * mean.mean;
  if (runs > 1 && squares > 0) /* rounding may leave less than nothing */
    mean.deviation = sqrt(squares / (runs - 1));
  return mean;
}

SimulateMean simulate_summary_mean(const SimulateSummary *summary, SimulateMeasure measure) {
  return mean_of(&summary->measures[measure], summary->runs);
}

SimulateMean simulate_summary_kind_mean(const SimulateSummary *summary, int kind, SimulateMeasure measure) {
  return mean_of(&summary->kinds[kind][measure], summary->kind_runs[kind]);
}
