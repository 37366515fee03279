/* SPDX-License-Identifier: Apache-2.0 */
/* {"fleet": {"gpus": "2x4xH100-80GB", ...}, "load": {"jobs": 500, ...}, "seeds": {"first": 1, "count": 20},
 *  "policies": [{"name": "facet", "acceptance": {"mean": 1, "deviation": 0}, ..., "profiles": [...]}]}
 * Shares are from 0 to 1. Nothing in it depends on when and where it was made. */
#include "cli/simulate_show.h"

#include <jansson.h>

enum { DIGITS = 6 };

static json_t *mean_object(SimulateMean mean, int runs) {
  return runs > 1 ? json_pack("{s:f, s:f}", "mean", mean.mean, "deviation", mean.deviation)
                  : json_pack("{s:f}", "mean", mean.mean);
}

static json_t *profile_object(const SimulateSummary *summary, int kind, const char *name) {
  json_t *object = json_pack("{s:s, s:i, s:i}", "profile", name, "jobs", summary->kind_jobs[kind], "served",
                             summary->kind_served[kind]);
  for (int m = 0; m < SIMULATE_MEASURE_COUNT; m++)
    if (simulate_measure(m)->by_profile)
      json_object_set_new(
          object, simulate_measure(m)->key,
          mean_object(simulate_summary_kind_mean(summary, kind, m), summary->kind_runs[kind]));
  return object;
}

static json_t *policy_object(const CliSimulateOutcome *outcome, int policy) {
  const SimulateSummary *summary = &outcome->summaries[policy];
  json_t *profiles = json_array();
  json_t *object = json_pack("{s:s, s:i, s:i, s:i, s:i}", "name", outcome->wish->policies[policy]->name,
                             "jobs", summary->jobs, "served", summary->served, "gave_up", summary->gave_up,
                             "never_served", summary->never);
  for (int m = 0; m < SIMULATE_MEASURE_COUNT; m++)
    json_object_set_new(object, simulate_measure(m)->key,
                        mean_object(simulate_summary_mean(summary, m), summary->runs));
  for (int kind = 0; kind < outcome->first_load.kind_count; kind++)
    if (summary->kind_jobs[kind])
      json_array_append_new(profiles, profile_object(summary, kind, outcome->first_load.kinds[kind]));
  json_object_set_new(object, "profiles", profiles);
  return object;
}

static void put_json(json_t *root, Text *out) {
  char *text = json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(DIGITS));
  text_append(out, text);
  text_append(out, "\n");
  free(text);
  json_decref(root);
}

void cli_simulate_show_json(const CliSimulateOutcome *outcome, Text *out) {
  const CliSimulateWish *wish = outcome->wish;
  json_t *policies = json_array();
  for (int p = 0; p < wish->policy_count; p++)
    json_array_append_new(policies, policy_object(outcome, p));
  put_json(json_pack("{s:{s:s, s:i, s:i, s:I, s:I}, s:{s:s, s:i}, s:{s:I, s:i}, s:o}", "fleet", "gpus",
                     wish->fleet_text, "gpu_count", (int)wish->fleet.gpus.count, "node_count",
                     (int)wish->fleet.nodes.count, "memory_slots", (json_int_t)wish->fleet.memory_count,
                     "compute_slices", (json_int_t)wish->fleet.slice_count, "load", "text", wish->load_text,
                     "jobs", (int)outcome->first_load.jobs.count, "seeds", "first",
                     (json_int_t)wish->first_seed, "count", wish->seed_count, "policies", policies),
           out);
}

static json_t *choice_object(const SimulateChoice *choice, const MigModelRow *const *models,
                             int model_count) {
  json_t *counts = json_object();
  for (int m = 0; m < model_count; m++)
    json_object_set_new(counts, models[m]->key, json_integer(choice->counts[m]));
  return json_pack("{s:i, s:o}", "total", choice->total, "gpus", counts);
}

void cli_simulate_show_size_json(const SimulateSize *size, const MigModelRow *const *models, int model_count,
                                 Text *out) {
  json_t *choices = json_array();
  for (size_t i = 0; i < size->choices.count; i++)
    json_array_append_new(choices, choice_object(&size->choices.items[i], models, model_count));
  put_json(json_pack("{s:i, s:b, s:o, s:o}", "slices", size->slice_count, "proven", size->proven, "fewest",
                     choice_object(&size->best, models, model_count), "choices", choices),
           out);
}
