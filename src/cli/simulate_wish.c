/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/simulate_wish.h"

#include "base/text.h"
#include "cli/input_file.h"
#include "simulate/migbench.h"

#include <errno.h>
#include <math.h>

#define DEFAULT_LOAD 0.85

enum {
  FILE_SIZE_MAX = 256 << 20,
  DEFAULT_JOBS = 1000,
  DEFAULT_DURATION_MS = 600000,
  MIGBENCH_JOBS = 500,
  MIGBENCH_BURST = 56,
  MIGBENCH_ARRIVAL_MS = 15000,
  MIGBENCH_SEEDS = 20,
  MIGBENCH_NODES = 2,
  MIGBENCH_NODE_GPUS = 4,
};

static const char migbench_gpus[] = "2x4xH100-80GB", migbench_burst_profile[] = "1g.10gb",
                  migbench_sigma[] = "0.8",
                  migbench_mix[] = "1g.10gb=35,1g.20gb=10,2g.20gb=25,3g.40gb=15,4g.40gb=10,7g.80gb=5";

void cli_simulate_wish_deinit(CliSimulateWish *wish) {
  simulate_fleet_deinit(&wish->fleet);
  simulate_recording_deinit(&wish->recording);
}

/* ---- values ---- */

static int parse_real(const char *option, const char *text, double most, double *ret_value, Error *err) {
  char *end;
  double value = strtod(text, &end);
  if (end == text || *end || !isfinite(value) || value < 0 || value > most)
    return error_set(err, ERROR_INVALID, "%s wants a number from 0 to %g, not \"%.40s\"", option, most, text);
  *ret_value = value;
  return 0;
}

static int check_range(const char *option, int64_t value, int64_t least, int64_t most, Error *err) {
  if (value >= least && value <= most)
    return 0;
  return error_set(err, ERROR_INVALID, "%s wants a number from %lld to %lld, not %lld", option,
                   (long long)least, (long long)most, (long long)value);
}

static int choose(const char *option, const char *text, const char *const *words, int count, int *ret_index,
                  Error *err) {
  CLEANUP(text_deinit) Text known = {0};
  for (int i = 0; i < count; i++) {
    if (strcmp(words[i], text) == 0) {
      *ret_index = i;
      return 0;
    }
    text_format(&known, "%s%s", i == 0 ? "" : i == count - 1 ? " or " : ", ", words[i]);
  }
  return error_set(err, ERROR_INVALID, "%s wants %s, not \"%.40s\"", option, text_string(&known), text);
}

/* ---- profiles ---- */

static bool fleet_has(const SimulateFleet *fleet, const char *profile) {
  for (int m = 0; m < fleet->model_count; m++)
    if (mig_model_find_profile(&fleet->models[m]->model, profile) >= 0)
      return true;
  return false;
}

static int refuse_profile(const SimulateFleet *fleet, const char *option, const char *profile, Error *err) {
  CLEANUP(text_deinit) Text known = {0};
  for (int m = 0; m < fleet->model_count; m++) {
    const MigModel *model = &fleet->models[m]->model;
    text_format(&known, "; %s has", fleet->models[m]->key);
    for (int i = 0; i < model->profile_count; i++)
      text_format(&known, "%s %s", i ? "," : "", model->profiles[i].name);
  }
  return error_set(err, ERROR_INVALID, "%s: no GPU here has the profile %.40s%s", option, profile,
                   text_string(&known));
}

static int parse_mix(const CliSimulateOptions *options, CliSimulateWish *wish, Error *err) {
  SimulateSynthetic *synthetic = &wish->synthetic;
  int result = simulate_mix_parse(options->mix, &synthetic->mix, err);
  for (int i = 0; result == 0 && i < synthetic->mix.count; i++)
    if (!fleet_has(&wish->fleet, synthetic->mix.profiles[i]))
      result = refuse_profile(&wish->fleet, "--mix", synthetic->mix.profiles[i], err);
  if (result < 0)
    return result;
  synthetic->burst_profile = options->burst_profile;
  if (options->burst_profile && !fleet_has(&wish->fleet, options->burst_profile))
    return refuse_profile(&wish->fleet, "--burst-profile", options->burst_profile, err);
  return 0;
}

/* ---- the recording ---- */

static int read_file(const char *path, Text *ret_text, Error *err) {
  CLEANUP(cli_input_file_freep) CliInputFile *file = NULL;
  char buffer[1 << 14];
  size_t size = 0;
  int result = cli_input_file_open(path, &file, err);
  while (result == 0 && (result = cli_input_file_read(file, buffer, sizeof buffer, &size, err)) == 0 &&
         size) {
    text_append_bytes(ret_text, buffer, size);
    if (ret_text->size > FILE_SIZE_MAX)
      result = error_set(err, ERROR_LIMIT, "it is larger than %d MiB", FILE_SIZE_MAX >> 20);
  }
  return result;
}

static void complain(const char *path, const SimulateRecording *recording, FILE *complaints) {
  if (!complaints)
    return;
  path = strcmp(path, "-") == 0 ? "standard input" : path;
  if (recording->bad)
    fprintf(complaints, "facet simulate: %s: %d %s left out: %s\n", path, recording->bad,
            recording->bad == 1 ? "row was" : "rows were", recording->first_bad);
  if (recording->without_gpu)
    fprintf(complaints, "facet simulate: %s: %d %s no GPU\n", path, recording->without_gpu,
            recording->without_gpu == 1 ? "row asks" : "rows ask");
}

static int read_recording(const CliSimulateOptions *options, FILE *complaints, CliSimulateWish *wish,
                          Error *err) {
  CLEANUP(text_deinit) Text text = {0};
  int result = read_file(options->csv, &text, err);
  if (result == 0)
    result = simulate_recording_parse(text_string(&text), text.size, &wish->fleet.models[0]->model,
                                      &wish->recording, err);
  if (result < 0)
    return error_prefix(err, "--csv %.200s", options->csv);
  wish->is_recorded = true;
  complain(options->csv, &wish->recording, complaints);
  const SimulateLoad *load = &wish->recording.load;
  for (int kind = 0; kind < load->kind_count; kind++)
    if (!fleet_has(&wish->fleet, load->kinds[kind]))
      return refuse_profile(&wish->fleet, "--csv", load->kinds[kind], err);
  return 0;
}

/* ---- times ---- */

/* Memory slots of a slice, in the mean over the models that have the profile. */
static double size_of(const SimulateFleet *fleet, const char *profile) {
  double size = 0;
  int count = 0;
  for (int m = 0; m < fleet->model_count; m++) {
    int index = mig_model_find_profile(&fleet->models[m]->model, profile);
    if (index < 0)
      continue;
    size += fleet->models[m]->model.profiles[index].size;
    count++;
  }
  return count ? size / count : 0;
}

static double mean_slots(const CliSimulateWish *wish) {
  double slots = 0;
  const SimulateLoad *load = &wish->recording.load;
  if (!wish->is_recorded) {
    const SimulateMix *mix = &wish->synthetic.mix;
    for (int i = 0; i < mix->count; i++)
      slots += mix->weights[i] / simulate_mix_total(mix) * size_of(&wish->fleet, mix->profiles[i]);
    return slots;
  }
  for (size_t i = 0; i < load->jobs.count; i++) {
    const SimulateClass *request = &load->classes.items[load->jobs.items[i].class_];
    slots += request->count * size_of(&wish->fleet, load->kinds[request->kind]);
  }
  return slots / (double)load->jobs.count;
}

/* The mean of the arrivals such that the jobs would keep this share of the fleet's memory slots busy. */
static int parse_arrivals(const CliSimulateOptions *options, CliSimulateWish *wish, Error *err) {
  double load = DEFAULT_LOAD;
  if (options->load && options->arrival_ms >= 0)
    return error_set(err, ERROR_INVALID,
                     "--load and --arrival-mean say the same in two ways: give one of them");
  if (options->arrival_ms >= 0) {
    wish->synthetic.arrival_mean_ms = (double)options->arrival_ms;
    return 0;
  }
  int result = options->load ? parse_real("--load", options->load, 100, &load, err) : 0;
  if (result < 0)
    return result;
  if (load <= 0)
    return error_set(err, ERROR_INVALID, "--load wants a number above 0, such as 0.85");
  wish->synthetic.arrival_mean_ms = simulate_synthetic_mean_duration_ms(&wish->synthetic) * mean_slots(wish) /
                                    (load * (double)wish->fleet.slot_count);
  if (wish->synthetic.arrival_mean_ms > (double)SIMULATE_TIME_MAX_S * 1000)
    return error_set(
        err, ERROR_INVALID,
        "--load %s with these lifetimes means less than one job in thirty years: raise it, or lower "
        "--duration or --duration-sigma",
        options->load ? options->load : "0.85");
  return 0;
}

static int parse_times(const CliSimulateOptions *options, CliSimulateWish *wish, Error *err) {
  static const char *const lifetimes[] = {"lognormal", "exponential", "fixed"};
  SimulateSynthetic *synthetic = &wish->synthetic;
  int lifetime = SIMULATE_LOGNORMAL;
  int result =
      choose("--lifetime", options->lifetime ? options->lifetime : "lognormal", lifetimes, 3, &lifetime, err);
  if (result == 0)
    result = parse_real("--duration-sigma", options->sigma ? options->sigma : migbench_sigma, 10,
                        &synthetic->duration_sigma, err);
  if (result < 0)
    return result;
  synthetic->lifetime = (SimulateLifetime)lifetime;
  synthetic->duration_ms = options->duration_ms >= 0 ? (double)options->duration_ms : DEFAULT_DURATION_MS;
  if (synthetic->duration_ms < 1)
    return error_set(err, ERROR_INVALID, "--duration wants more than 0");
  return parse_arrivals(options, wish, err);
}

static int parse_load(const CliSimulateOptions *options, CliSimulateWish *wish, Error *err) {
  SimulateSynthetic *synthetic = &wish->synthetic;
  int64_t jobs = wish->is_recorded    ? (int64_t)wish->recording.load.jobs.count
                 : options->jobs >= 0 ? options->jobs
                                      : DEFAULT_JOBS;
  int64_t burst = options->burst >= 0 ? options->burst : 0;
  int result = check_range("--jobs", jobs, 1, SIMULATE_JOBS_MAX, err);
  if (result == 0)
    result = check_range("--burst", burst, 0, jobs, err);
  if (result < 0)
    return result;
  synthetic->job_count = (int)jobs;
  synthetic->burst_count = (int)burst;
  bool asks_for_times = options->load || options->lifetime || options->sigma || options->burst >= 0 ||
                        options->arrival_ms >= 0 || options->duration_ms >= 0;
  if (wish->is_recorded && wish->recording.has_times && asks_for_times)
    return error_set(
        err, ERROR_INVALID,
        "--load, --arrival-mean, --burst, --lifetime, --duration and --duration-sigma say nothing "
        "here: the file has the times of all jobs");
  if (wish->is_recorded && wish->recording.has_times)
    return 0;
  return parse_times(options, wish, err);
}

/* ---- all ---- */

static CliSimulateOptions with_migbench(const CliSimulateOptions *given) {
  CliSimulateOptions options = *given;
  options.migbench |= given->migbench_geometry;
  if (!options.migbench)
    return options;
  options.gpus = given->gpus ? given->gpus : migbench_gpus;
  options.mix = given->mix ? given->mix : migbench_mix;
  options.burst_profile = given->burst_profile || given->mix ? given->burst_profile : migbench_burst_profile;
  options.jobs = given->jobs >= 0 ? given->jobs : MIGBENCH_JOBS;
  options.burst = given->burst >= 0 ? given->burst : MIGBENCH_BURST;
  options.arrival_ms = given->arrival_ms >= 0 || given->load ? given->arrival_ms : MIGBENCH_ARRIVAL_MS;
  options.seeds = given->seeds >= 0 ? given->seeds : MIGBENCH_SEEDS;
  return options;
}

static int check_presence(const CliSimulateOptions *options, Error *err) {
  if (!options->gpus)
    return error_set(err, ERROR_INVALID,
                     "on which GPUs? Say --gpus 2x4xH100-80GB for two nodes with four GPUs each");
  if (!options->mix && !options->csv)
    return error_set(
        err, ERROR_INVALID,
        "which jobs? Say --mix 1g.10gb=40,3g.40gb=7, or --csv FILE for recorded ones, or --migbench");
  if (options->csv && options->migbench)
    return error_set(err, ERROR_INVALID, "--migbench and --csv both say which jobs come: give one of them");
  if (options->migbench_geometry && options->size)
    return error_set(err, ERROR_INVALID, "--size counts real GPUs: leave --migbench-geometry out");
  if (options->mix && options->csv)
    return error_set(err, ERROR_INVALID, "--mix and --csv both say which jobs come: give one of them");
  if (options->csv && (options->jobs >= 0 || options->burst_profile))
    return error_set(err, ERROR_INVALID,
                     "--jobs and --burst-profile say nothing beside --csv: the file has the jobs");
  return 0;
}

static void describe(const CliSimulateOptions *options, CliSimulateWish *wish) {
  const SimulateSynthetic *synthetic = &wish->synthetic;
  snprintf(wish->fleet_text, sizeof wish->fleet_text, "%.200s%s", options->gpus,
           options->migbench_geometry ? " in MIGBench's geometry" : "");
  if (wish->is_recorded && wish->recording.has_times) {
    snprintf(wish->load_text, sizeof wish->load_text, "%zu recorded job%s", wish->recording.load.jobs.count,
             wish->recording.load.jobs.count == 1 ? "" : "s");
    return;
  }
  snprintf(wish->load_text, sizeof wish->load_text, "%d jobs%s, one every %.1f s in the mean, for %.0f s",
           synthetic->job_count, wish->is_recorded ? " of a file" : "", synthetic->arrival_mean_ms / 1000,
           simulate_synthetic_mean_duration_ms(synthetic) / 1000);
}

/* Without those that plan for real GPUs, where these are none. */
static int parse_policies(const CliSimulateOptions *options, CliSimulateWish *wish, Error *err) {
  int count = 0, kept = 0;
  int result =
      simulate_policies_parse(options->policy ? options->policy : "all", wish->policies, &count, err);
  for (int p = 0; result == 0 && p < count; p++) {
    if (!options->migbench_geometry || !wish->policies[p]->knows_hardware)
      wish->policies[kept++] = wish->policies[p];
    else if (options->policy && strcmp(options->policy, "all") != 0)
      return error_set(
          err, ERROR_INVALID,
          "--policy %s decides by the places that hardware has: leave it or --migbench-geometry out",
          wish->policies[p]->name);
  }
  wish->policy_count = kept;
  return result;
}

/* Nothing that decides what comes, or on what, is changed. */
static bool is_as_published(const CliSimulateOptions *given) {
  return (given->migbench || given->migbench_geometry) && !given->gpus && !given->mix && !given->load &&
         !given->lifetime && !given->sigma && !given->burst_profile && given->jobs < 0 && given->burst < 0 &&
         given->arrival_ms < 0 && given->duration_ms < 0 && given->patience_ms < 0 && given->warm_up_ms < 0 &&
         given->create_ms < 0 && given->destroy_ms < 0;
}

static int parse_run(const CliSimulateOptions *options, CliSimulateWish *wish, Error *err) {
  wish->run = simulate_options_default();
  if (options->patience_ms >= 0)
    wish->run.patience_ms = options->patience_ms;
  if (options->warm_up_ms >= 0)
    wish->run.warm_up_ms = options->warm_up_ms;
  if (options->create_ms >= 0)
    wish->run.latency.create_ms = options->create_ms;
  if (options->destroy_ms >= 0)
    wish->run.latency.destroy_ms = options->destroy_ms;
  wish->first_seed = options->seed >= 0 ? (uint64_t)options->seed : 1;
  int64_t seeds = options->seeds >= 0 ? options->seeds : 1;
  int result = check_range("--seeds", seeds, 1, CLI_SIMULATE_SEEDS_MAX, err);
  wish->seed_count = (int)seeds;
  bool same_always = wish->is_recorded && wish->recording.has_times;
  if (result == 0 && same_always && seeds > 1)
    return error_set(err, ERROR_INVALID, "--seeds says nothing here: the file has the times of all jobs");
  if (result < 0)
    return result;
  return parse_policies(options, wish, err);
}

/* MIGBench's geometry is only for its own fleet: no planner may see it. */
static int make_fleet(const CliSimulateOptions *options, SimulateFleet *fleet, Error *err) {
  if (!options->migbench_geometry)
    return simulate_fleet_parse(options->gpus, fleet, err);
  if (strcmp(options->gpus, migbench_gpus) != 0)
    return error_set(err, ERROR_INVALID, "--migbench-geometry is that of %s: leave --gpus out",
                     migbench_gpus);
  simulate_fleet_add(fleet, simulate_migbench_model(), MIGBENCH_NODES, MIGBENCH_NODE_GPUS);
  return 0;
}

static int parse_all(const CliSimulateOptions *options, FILE *complaints, CliSimulateWish *wish, Error *err) {
  static const char *const formats[] = {"table", "json", "svg"};
  int format = 0;
  int result =
      choose("-o", options->output ? options->output : "table", formats, options->size ? 2 : 3, &format, err);
  if (result == 0)
    result = check_presence(options, err);
  if (result == 0)
    result = make_fleet(options, &wish->fleet, err);
  if (result == 0)
    result = options->csv ? read_recording(options, complaints, wish, err) : parse_mix(options, wish, err);
  wish->format = (CliSimulateFormat)format;
  if (result < 0 || options->size)
    return result;
  result = parse_load(options, wish, err);
  if (result == 0)
    result = parse_run(options, wish, err);
  if (result == 0)
    describe(options, wish);
  return result;
}

int cli_simulate_wish_parse(const CliSimulateOptions *options, FILE *complaints, CliSimulateWish *ret_wish,
                            Error *err) {
  CLEANUP(cli_simulate_wish_deinit) CliSimulateWish wish = {0};
  CliSimulateOptions all = with_migbench(options);
  int result = parse_all(&all, complaints, &wish, err);
  if (result < 0)
    return result;
  wish.is_migbench = is_as_published(options);
  *ret_wish = wish;
  wish = (CliSimulateWish){0};
  return 0;
}

static void copy_load(const SimulateLoad *from, SimulateLoad *ret_load) {
  *ret_load = (SimulateLoad){.kind_count = from->kind_count};
  memcpy(ret_load->kinds, from->kinds, sizeof from->kinds);
  for (size_t i = 0; i < from->classes.count; i++)
    *array_push(&ret_load->classes) = from->classes.items[i];
  for (size_t i = 0; i < from->jobs.count; i++)
    *array_push(&ret_load->jobs) = from->jobs.items[i];
}

void cli_simulate_wish_make_load(const CliSimulateWish *wish, uint64_t seed, SimulateLoad *ret_load) {
  if (!wish->is_recorded) {
    simulate_load_generate(&wish->synthetic, seed, ret_load);
    return;
  }
  copy_load(&wish->recording.load, ret_load);
  if (!wish->recording.has_times)
    simulate_load_draw_times(ret_load, &wish->synthetic, seed);
}
