/* SPDX-License-Identifier: Apache-2.0 */
/* A bar on standard error while a long run goes on; on a terminal only, and not for what is over in a moment.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct CliSimulateProgress {
  bool is_terminal, is_drawn;
  const char *what;
  int part, part_count; /* runs */
  int64_t began_ms, drawn_ms;
} CliSimulateProgress;

void cli_simulate_progress_init(CliSimulateProgress *progress, int part_count);
/* The next run begins. */
void cli_simulate_progress_begin(CliSimulateProgress *progress, const char *what, int part);
/* As SimulateOptions.on_progress; the userdata is the progress. */
void cli_simulate_progress_show(void *userdata, size_t done, size_t all);
/* Takes the bar away. */
void cli_simulate_progress_end(CliSimulateProgress *progress);
