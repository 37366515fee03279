/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/simulate_show.h"

enum { NAME_WIDTH = 12, COLUMN_WIDTH = 15, CELL_SIZE = 48 };

static const SimulateMeasure columns[] = {SIMULATE_ACCEPTANCE, SIMULATE_COMPUTE_USE, SIMULATE_MEMORY_USE,
                                          SIMULATE_FRAGMENTATION, SIMULATE_FRAGMENTED_JOBS};
static const SimulateMeasure wait_columns[] = {SIMULATE_WAIT_MEAN, SIMULATE_WAIT_P50, SIMULATE_WAIT_P95,
                                               SIMULATE_WAIT_P99, SIMULATE_WAIT_MAX};
static const SimulateMeasure change_columns[] = {SIMULATE_REPARTITIONS, SIMULATE_CREATES, SIMULATE_DESTROYS,
                                                 SIMULATE_SCATTERED, SIMULATE_STRANDED};

/* "94.7 +-0.6 %", "12.3 s", "291" */
static void format_cell(SimulateMeasure measure, SimulateMean mean, bool with_spread, char cell[CELL_SIZE]) {
  SimulateUnit unit = simulate_measure(measure)->unit;
  double factor = unit == SIMULATE_SHARE ? 100 : 1;
  int digits = unit == SIMULATE_COUNT || (unit == SIMULATE_SECONDS && mean.mean >= 1000) ? 0 : 1;
  const char *sign = unit == SIMULATE_SHARE ? " %" : unit == SIMULATE_SECONDS ? " s" : "";
  if (with_spread)
    snprintf(cell, CELL_SIZE, "%.*f ±%.*f%s", digits, mean.mean * factor, digits, mean.deviation * factor,
             sign);
  else
    snprintf(cell, CELL_SIZE, "%.*f%s", digits, mean.mean * factor, sign);
}

/* "±" is one column and two bytes. */
static int width_of(const char *text) {
  int width = 0;
  for (; *text; text++)
    width += ((unsigned char)*text & 0xc0) != 0x80;
  return width;
}

static void put_right(Text *out, const char *text, int width) {
  text_format(out, "%*s%s", width > width_of(text) ? width - width_of(text) : 0, "", text);
}

static void put_table(const CliSimulateOutcome *outcome, const SimulateMeasure *measures, size_t count,
                      Text *out) {
  bool with_spread = outcome->wish->seed_count > 1;
  int width = with_spread ? COLUMN_WIDTH + 2 : COLUMN_WIDTH;
  text_format(out, "\n%-*s", NAME_WIDTH, "policy");
  for (size_t c = 0; c < count; c++)
    put_right(out, simulate_measure(measures[c])->title, width);
  for (int p = 0; p < outcome->wish->policy_count; p++) {
    text_format(out, "\n%-*s", NAME_WIDTH, outcome->wish->policies[p]->name);
    for (size_t c = 0; c < count; c++) {
      char cell[CELL_SIZE];
      format_cell(measures[c], simulate_summary_mean(&outcome->summaries[p], measures[c]), with_spread, cell);
      put_right(out, cell, width);
    }
  }
  text_append(out, "\n");
}

/* The waits of each profile's jobs: two numbers tell whether large jobs starve. */
static void put_profiles(const CliSimulateOutcome *outcome, Text *out) {
  const SimulateLoad *load = &outcome->first_load;
  text_format(out, "\nwait p50/p95 in s, and how many of the jobs began, by profile\n%-*s", NAME_WIDTH,
              "profile");
  for (int p = 0; p < outcome->wish->policy_count; p++)
    put_right(out, outcome->wish->policies[p]->name, 20);
  for (int kind = 0; kind < load->kind_count; kind++) {
    if (!outcome->summaries[0].kind_jobs[kind])
      continue;
    text_format(out, "\n%-*s", NAME_WIDTH, load->kinds[kind]);
    for (int p = 0; p < outcome->wish->policy_count; p++) {
      const SimulateSummary *summary = &outcome->summaries[p];
      char cell[CELL_SIZE];
      double share = 100.0 * summary->kind_served[kind] / summary->kind_jobs[kind];
      snprintf(cell, sizeof cell, "%.0f/%.0f %3.0f %%",
               simulate_summary_kind_mean(summary, kind, SIMULATE_WAIT_P50).mean,
               simulate_summary_kind_mean(summary, kind, SIMULATE_WAIT_P95).mean, share);
      put_right(out, cell, 20);
    }
  }
  text_append(out, "\n");
}

void cli_simulate_show_table(const CliSimulateOutcome *outcome, Text *out) {
  const CliSimulateWish *wish = outcome->wish;
  text_format(out, "%s\non %s: %zu GPU%s, %lld slots; ", wish->load_text, wish->fleet_text,
              wish->fleet.gpus.count, wish->fleet.gpus.count == 1 ? "" : "s",
              (long long)wish->fleet.slot_count);
  if (wish->seed_count > 1)
    text_format(out, "mean ± standard deviation of seeds %llu to %llu\n",
                (unsigned long long)wish->first_seed,
                (unsigned long long)wish->first_seed + (unsigned)wish->seed_count - 1);
  else
    text_format(out, "seed %llu\n", (unsigned long long)wish->first_seed);
  put_table(outcome, columns, COUNT_OF(columns), out);
  put_table(outcome, wait_columns, COUNT_OF(wait_columns), out);
  put_table(outcome, change_columns, COUNT_OF(change_columns), out);
  put_profiles(outcome, out);
  text_append(
      out, "\ncompute, memory: in use by jobs. fragmented: slots that are free and of no use to this mix.\n"
           "held up: jobs that waited at some instant though the fleet's free slots would have been enough.\n"
           "scattered: of a GPU's free compute slots those beside their longest run; stranded: those that no "
           "slice can "
           "use.\n");
  if (wish->is_migbench)
    cli_simulate_show_published(outcome, out);
}

/* ---- --size ---- */

static void put_choice(const SimulateChoice *choice, const MigModelRow *const *models, int model_count,
                       Text *out) {
  bool first = true;
  for (int m = 0; m < model_count; m++) {
    if (!choice->counts[m])
      continue;
    text_format(out, "%s%d x %s", first ? "" : " + ", choice->counts[m], models[m]->key);
    first = false;
  }
}

void cli_simulate_show_size(const SimulateSize *size, const MigModelRow *const *models, int model_count,
                            Text *out) {
  text_format(out, "%d %s %d %s: ", size->slice_count, size->slice_count == 1 ? "slice needs" : "slices need",
              size->best.total, size->best.total == 1 ? "GPU" : "GPUs");
  put_choice(&size->best, models, model_count, out);
  text_append(out, size->proven ? "\nproven: with one GPU less some slice finds no place\n"
                                : "\nnot proven: fewer may do, but the planner did not find how\n");
  if (model_count == 1)
    return;
  text_append(out, "\nall choices from which no GPU can be left out:\n");
  for (size_t i = 0; i < size->choices.count; i++) {
    text_format(out, "%6d  ", size->choices.items[i].total);
    put_choice(&size->choices.items[i], models, model_count, out);
    text_append(out, "\n");
  }
}
