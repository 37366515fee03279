/* SPDX-License-Identifier: Apache-2.0 */
/* MIGBench's "saturated" table (dynamia-ai/migbench, September 2026), the mean of 20 seeds, beside ours. Its
 * geometry is not that of hardware; for hardware there is a replica (400 seeds) of a placement that breaks
 * the least valuable hole. */
#include "cli/simulate_show.h"
#include "simulate/migbench.h"

#include <math.h>

enum { NAME_WIDTH = 32, COLUMN_WIDTH = 16, THEIR_SEEDS = 20 };

static const SimulateMeasure columns[] = {SIMULATE_COMPUTE_USE, SIMULATE_MEMORY_USE, SIMULATE_SCATTERED,
                                          SIMULATE_STRANDED, SIMULATE_FRAGMENTED_JOBS};

static const struct Published {
  const char *policy; /* ours that it stands beside */
  const char *name;
  bool hardware;
  double values[COUNT_OF(columns)]; /* shares in % */
} published[] = {
    {"first-fit", "  published: first-fit", false, {94.4, 92.4, 3.60, 6.92, 250.8}},
    {"best-fit", "  published: HAMi model", false, {94.5, 92.8, 3.63, 9.15, 275.6}},
    {"spread", "  published: NVIDIA DRA model", false, {93.6, 92.0, 3.39, 8.59, 264.2}},
    {"facet-fifo", "  replica: least valuable hole", true, {94.7, 92.4, 3.14, 5.40, 291}},
};

/* "94.66 ±0.27 %": the noise, where it is known, is the standard error of a mean of as many seeds as theirs.
 */
static void put_value(SimulateMeasure measure, double value, double noise, Text *out) {
  bool is_share = simulate_measure(measure)->unit == SIMULATE_SHARE;
  char cell[64] = "";
  if (noise > 0)
    snprintf(cell, sizeof cell, "%.*f ±%.*f", is_share ? 2 : 1, value, is_share ? 2 : 1, noise);
  else
    snprintf(cell, sizeof cell, "%.*f", is_share ? 2 : 1, value);
  int width = COLUMN_WIDTH - 2 + (noise > 0); /* "±" is one column and two bytes */
  text_format(out, "%*s%s", width, cell, is_share ? " %" : "  ");
}

static void put_ours(const CliSimulateOutcome *outcome, int policy, Text *out) {
  text_format(out, "%-*s", NAME_WIDTH, outcome->wish->policies[policy]->name);
  for (size_t c = 0; c < COUNT_OF(columns); c++) {
    SimulateMean mean = simulate_summary_mean(&outcome->summaries[policy], columns[c]);
    double factor = simulate_measure(columns[c])->unit == SIMULATE_SHARE ? 100 : 1;
    put_value(columns[c], factor * mean.mean, factor * mean.deviation / sqrt(THEIR_SEEDS), out);
  }
  text_append(out, "\n");
}

static void put_theirs(const struct Published *theirs, Text *out) {
  text_format(out, "%-*s", NAME_WIDTH, theirs->name);
  for (size_t c = 0; c < COUNT_OF(columns); c++)
    put_value(columns[c], theirs->values[c], 0, out);
  text_append(out, "\n");
}

static void put_beside(const struct Published *theirs, const CliSimulateOutcome *outcome, Text *out) {
  for (int p = 0; p < outcome->wish->policy_count; p++)
    if (strcmp(outcome->wish->policies[p]->name, theirs->policy) == 0) {
      put_ours(outcome, p, out);
      put_theirs(theirs, out);
    }
}

void cli_simulate_show_published(const CliSimulateOutcome *outcome, Text *out) {
  bool hardware = outcome->wish->fleet.models[0] != simulate_migbench_model();
  text_append(out, hardware
                       ? "\nbeside a replica of 400 seeds; MIGBench's own table is for its own geometry "
                         "(--migbench-geometry)\n"
                       : "\nbeside MIGBench's published table; hardware refuses some of its layouts, such as "
                         "3g.40gb@0 beside 1g.10gb@3\n");
  text_append(out, "(±: standard error of a mean of 20 seeds, as many as were published)\n");
  text_format(out, "%-*s", NAME_WIDTH, "");
  for (size_t c = 0; c < COUNT_OF(columns); c++)
    text_format(out, "%*s", COLUMN_WIDTH, simulate_measure(columns[c])->title);
  text_append(out, "\n");
  for (size_t i = 0; i < COUNT_OF(published); i++)
    if (published[i].hardware == hardware)
      put_beside(&published[i], outcome, out);
}
