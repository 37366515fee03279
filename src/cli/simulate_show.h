/* SPDX-License-Identifier: Apache-2.0 */
/* What `facet simulate` prints: a table, JSON, or a picture. */
#pragma once

#include "base/text.h"
#include "cli/simulate_wish.h"
#include "simulate/size.h"
#include "simulate/summary.h"

typedef struct CliSimulateOutcome {
  const CliSimulateWish *wish;
  SimulateLoad first_load; /* of the first seed */
  SimulateSummary summaries[SIMULATE_POLICIES_MAX];
  SimulateResult first[SIMULATE_POLICIES_MAX]; /* of the first seed */
} CliSimulateOutcome;

void cli_simulate_show_table(const CliSimulateOutcome *outcome, Text *out);
/* Ours beside the figures that MIGBench published. */
void cli_simulate_show_published(const CliSimulateOutcome *outcome, Text *out);
void cli_simulate_show_json(const CliSimulateOutcome *outcome, Text *out);
/* Use of memory and waiting jobs over time, and how many jobs began within how long; of the first seed. */
void cli_simulate_show_svg(const CliSimulateOutcome *outcome, Text *out);

void cli_simulate_show_size(const SimulateSize *size, const MigModelRow *const *models, int model_count,
                            Text *out);
void cli_simulate_show_size_json(const SimulateSize *size, const MigModelRow *const *models, int model_count,
                                 Text *out);
