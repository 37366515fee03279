/* SPDX-License-Identifier: Apache-2.0 */
/* A recorded load: a table with commas whose first line names the columns, in any order; other columns are
 * ignored. Three kinds of tables are understood:
 *
 *   - profile[,count][,arrival_s,duration_s]: facet's own, count slices (1) of the profile, all on one node
 *   - num_gpu,gpu_milli[,creation_time,deletion_time]: Alibaba's trace of shared GPUs ("openb"). A part of a
 *     GPU becomes the smallest plain profile with at least that part of the model's compute slices; whole
 *     GPUs become slices over the whole GPU, as many as are asked. Who asks no GPU is left out
 *   - Instance size: ParvaGPU's deployments, the smallest plain profile with so many compute slices
 *
 * Times are in seconds. A row with fewer fields than the first line has cannot be read.
 * Where a table has no times, the caller draws them (simulate_load_draw_times). */
#pragma once

#include "simulate/load.h"

enum { SIMULATE_LINE_MAX = 4096, SIMULATE_COLUMNS_MAX = 64 };

typedef struct SimulateRecording {
  SimulateLoad
      load; /* by arrival, which begins at 0; its kinds begin with the model's profiles, asked for or not */
  bool has_times;
  int without_gpu;                 /* rows that ask none */
  int bad;                         /* rows that could not be read */
  char first_bad[ERROR_TEXT_SIZE]; /* why, of the first of them: "line 7: ..." */
} SimulateRecording;

/* `model` decides which profiles parts of GPUs become. Fails where the header names none of these tables, and
 * where no row is left. */
int simulate_recording_parse(const char *text, size_t size, const MigModel *model,
                             SimulateRecording *ret_recording, Error *err) MUST_CHECK;
void simulate_recording_deinit(SimulateRecording *recording);
/* The smallest plain profile with at least so many compute slices, -1 where the model has none. */
int simulate_recording_find_profile(const MigModel *model, int slice_count);
