/* SPDX-License-Identifier: Apache-2.0 */
/* What comes: jobs, each asking one or several slices of one profile on one node, for a time.
 *
 * A load is either made from distributions and a seed, or read from a recording (recording.h). Times are
 * milliseconds since the beginning. */
#pragma once

#include "base/array.h"
#include "mig/model.h"

enum {
  SIMULATE_JOBS_MAX = 1000000,
  SIMULATE_KINDS_MAX = 32,          /* different profiles of one load */
  SIMULATE_CLASSES_MAX = 1024,      /* different requests of one load */
  SIMULATE_JOB_SLICES_MAX = 64,     /* of one job */
  SIMULATE_TIME_MAX_S = 1000000000, /* some thirty years */
};

typedef struct SimulateClass { /* jobs of one class ask the same */
  int kind;
  int count; /* slices, all on one node */
} SimulateClass;

typedef struct SimulateJob {
  int64_t arrival_ms;
  int64_t duration_ms;
  int class_;
} SimulateJob;

typedef struct SimulateLoad {
  char kinds[SIMULATE_KINDS_MAX][MIG_PROFILE_NAME_SIZE];
  int kind_count;
  ARRAY(SimulateClass) classes;
  ARRAY(SimulateJob) jobs; /* by arrival */
} SimulateLoad;

void simulate_load_deinit(SimulateLoad *load);
/* Index of the profile, which is added where it is new; -1 where there are too many. */
int simulate_load_kind(SimulateLoad *load, const char *profile);
/* Index of the class, likewise. */
int simulate_load_class(SimulateLoad *load, int kind, int count);
/* By arrival; jobs of one instant keep their order. */
void simulate_load_sort(SimulateLoad *load);

/* Profiles with weights, or with counts. */
typedef struct SimulateMix {
  char profiles[SIMULATE_KINDS_MAX][MIG_PROFILE_NAME_SIZE];
  double weights[SIMULATE_KINDS_MAX];
  int count;
} SimulateMix;

/* "1g.10gb=35,2g.20gb=7.5"; "+" may be written ".". Errors begin with --mix. */
int simulate_mix_parse(const char *text, SimulateMix *ret_mix, Error *err) MUST_CHECK;
double simulate_mix_total(const SimulateMix *mix);

typedef enum SimulateLifetime { SIMULATE_LOGNORMAL, SIMULATE_EXPONENTIAL, SIMULATE_FIXED } SimulateLifetime;

typedef struct SimulateSynthetic {
  SimulateMix mix;
  int job_count;
  int burst_count;           /* of these, at 0 */
  const char *burst_profile; /* what they ask; NULL: the mix decides, as for the others */
  double arrival_mean_ms;    /* between two of the others, exponentially distributed */
  SimulateLifetime lifetime;
  double duration_ms;    /* the median of a lognormal lifetime, the mean of the others */
  double duration_sigma; /* of the logarithm */
} SimulateSynthetic;

/* The mean of the lifetimes. */
double simulate_synthetic_mean_duration_ms(const SimulateSynthetic *synthetic);
/* Gives the jobs, in their order, arrivals and lifetimes; the first burst_count arrive at 0. The same seed
 * gives the same times. */
void simulate_load_draw_times(SimulateLoad *load, const SimulateSynthetic *synthetic, uint64_t seed);
/* Jobs with times. The same seed gives the same load. */
void simulate_load_generate(const SimulateSynthetic *synthetic, uint64_t seed, SimulateLoad *ret_load);
