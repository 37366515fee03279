/* SPDX-License-Identifier: Apache-2.0 */
/* What the options of `facet simulate` ask for, checked. */
#pragma once

#include "simulate/recording.h"
#include "simulate/run.h"

enum { CLI_SIMULATE_SEEDS_MAX = 1000 };

typedef enum CliSimulateFormat { CLI_SIMULATE_TABLE, CLI_SIMULATE_JSON, CLI_SIMULATE_SVG } CliSimulateFormat;

typedef struct CliSimulateOptions { /* as they stand on the command line; NULL and -1: not given */
  const char *gpus, *mix, *csv, *policy, *output, *load, *lifetime, *sigma, *burst_profile;
  int64_t jobs, burst, seed, seeds;
  int64_t arrival_ms, duration_ms, patience_ms, warm_up_ms, create_ms, destroy_ms;
  bool migbench, migbench_geometry, size;
} CliSimulateOptions;

typedef struct CliSimulateWish {
  SimulateFleet fleet;
  SimulateSynthetic synthetic;
  bool is_recorded; /* the jobs come from a file */
  SimulateRecording recording;
  SimulateOptions run;
  const SimulatePolicy *policies[SIMULATE_POLICIES_MAX];
  int policy_count;
  uint64_t first_seed;
  int seed_count;
  CliSimulateFormat format;
  bool is_migbench; /* MIGBench's load on its fleet as published: its figures may stand beside */
  char fleet_text[256], load_text[256]; /* for people */
} CliSimulateWish;

/* Reads the recording, if there is one. What is wrong with some of its rows is told on `complaints`, which
 * may be NULL. Errors name the option. With --size, only the fleet's models and the mix or recording are
 * read. */
int cli_simulate_wish_parse(const CliSimulateOptions *options, FILE *complaints, CliSimulateWish *ret_wish,
                            Error *err) MUST_CHECK;
void cli_simulate_wish_deinit(CliSimulateWish *wish);
/* The load of one seed; the caller releases it. */
void cli_simulate_wish_make_load(const CliSimulateWish *wish, uint64_t seed, SimulateLoad *ret_load);
