/* SPDX-License-Identifier: Apache-2.0 */
/* What came of a run. Means over time are taken from the end of the warm-up to the last arrival. */
#pragma once

#include "simulate/gaps.h"
#include "simulate/world.h"

typedef struct SimulateWaits { /* of the jobs that began; ms; percentiles by nearest rank */
  int64_t p50_ms, p95_ms, p99_ms, max_ms;
  double mean_ms;
} SimulateWaits;

typedef struct SimulateTally {
  int jobs, served; /* served: they began */
  SimulateWaits waits;
} SimulateTally;

/* The state from this instant on. */
typedef struct SimulateSample {
  int64_t at_ms;
  int64_t used_memory; /* units (simulate/migbench.h) */
  int waiting;
} SimulateSample;

typedef struct SimulateResult {
  SimulateTally all;
  SimulateTally kinds[SIMULATE_KINDS_MAX]; /* by profile */
  int gave_up, never; /* not served: gave up, or still waiting when nothing could happen any more */
  double compute_use, memory_use; /* shares of the fleet's compute slices and memory that jobs use */
  double fragmentation;           /* share of the fleet's slots that are free and of no use to the load's
                                     profiles (simulate_world_unusable_slots) */
  SimulateGaps gaps;              /* in the mean over the GPUs */
  int fragmented_jobs; /* they waited at some instant although the free memory and compute slices of the whole
                          fleet together would have been enough */
  int64_t creates, destroys, repartitions;
  int64_t window_ms, end_ms;
  ARRAY(int64_t) waits;          /* sorted */
  ARRAY(SimulateSample) samples; /* by time */
} SimulateResult;

void simulate_result_deinit(SimulateResult *result);
/* The smallest value such that at least this share of all values is not larger; 0 where there are none. The
 * values are sorted. */
int64_t simulate_percentile(const int64_t *sorted, size_t count, int percent);

typedef struct SimulateWaste {
  double unusable; /* slots */
  SimulateGaps gaps;
} SimulateWaste;

/* Collects while a run goes on. */
typedef struct SimulateMeter {
  const SimulateWorld *world;
  int64_t from_ms, to_ms; /* the window */
  int64_t last_ms;
  double memory_ms, slices_ms;        /* integrals over the window */
  double weights[SIMULATE_KINDS_MAX]; /* of profiles in the load */
  SimulateWaste waste, waste_ms;      /* of all GPUs now; its integral */
  SimulateWaste *waste_of_gpu;
  uint64_t *looks; /* what of a GPU its waste was computed from */
  SimulateGapsMemo memo;
  size_t *seen; /* by class: how much of its queue is counted as held up, or began before */
  SimulateResult *result;
} SimulateMeter;

void simulate_meter_init(SimulateMeter *meter, const SimulateWorld *world, int64_t warm_up_ms,
                         SimulateResult *result);
void simulate_meter_deinit(SimulateMeter *meter);
/* The time passes to now_ms in the state that the meter saw last. */
void simulate_meter_advance(SimulateMeter *meter, int64_t now_ms);
/* Looks at the state of the world after a round. */
void simulate_meter_look(SimulateMeter *meter);
/* Fills the rest of the result. */
void simulate_meter_finish(SimulateMeter *meter);
