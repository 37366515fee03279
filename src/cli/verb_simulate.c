/* SPDX-License-Identifier: Apache-2.0 */
/* facet simulate: how a fleet would serve a load under facet's planner and under others. */
#include "cli/cluster_input.h"
#include "cli/simulate_progress.h"
#include "cli/simulate_show.h"
#include "cli/verb.h"

static const CliOption options_table[] = {
    {"--gpus", CLI_STRING, offsetof(CliSimulateOptions, gpus), "LIST",
     "The fleet: 4xA100-80GB is a node with four GPUs, 2x4xH100-80GB,A30 two with four and one with one."},
    {"--mix", CLI_STRING, offsetof(CliSimulateOptions, mix), "LIST",
     "Which slices jobs ask for, with weights: 1g.10gb=35,3g.40gb=15; with --size, how many: whole numbers."},
    {"--csv", CLI_STRING, offsetof(CliSimulateOptions, csv), "FILE",
     "Recorded jobs in place of --mix; - is standard input. Columns: see above."},
    {"--jobs", CLI_NUMBER, offsetof(CliSimulateOptions, jobs), "N", "How many jobs come (default: 1000)."},
    {"--load", CLI_STRING, offsetof(CliSimulateOptions, load), "SHARE",
     "Share of the fleet's memory that the jobs would keep busy (default: 0.85); sets the arrivals."},
    {"--arrival-mean", CLI_DURATION_MS, offsetof(CliSimulateOptions, arrival_ms), "TIME",
     "Mean time between two jobs, exponentially distributed, in place of --load."},
    {"--lifetime", CLI_STRING, offsetof(CliSimulateOptions, lifetime), "lognormal|exponential|fixed",
     "How the jobs' times are distributed (default: lognormal)."},
    {"--duration", CLI_DURATION_MS, offsetof(CliSimulateOptions, duration_ms), "TIME",
     "Median of lognormal times, mean of the others (default: 600s)."},
    {"--duration-sigma", CLI_STRING, offsetof(CliSimulateOptions, sigma), "X",
     "Spread of lognormal times: standard deviation of the logarithm (default: 0.8)."},
    {"--burst", CLI_NUMBER, offsetof(CliSimulateOptions, burst), "N",
     "So many of the jobs come at the very beginning (default: 0)."},
    {"--burst-profile", CLI_STRING, offsetof(CliSimulateOptions, burst_profile), "PROFILE",
     "What these ask for (default: as the mix has it)."},
    {"--patience", CLI_DURATION_MS, offsetof(CliSimulateOptions, patience_ms), "TIME",
     "Who has waited so long gives up; 0 is served at once or never (default: nobody gives up)."},
    {"--policy", CLI_STRING, offsetof(CliSimulateOptions, policy), "LIST",
     "Of facet, facet-fifo, first-fit, best-fit, spread, min-frag, nos (default: all)."},
    {"--seed", CLI_NUMBER, offsetof(CliSimulateOptions, seed), "N", "The first seed (default: 1)."},
    {"--seeds", CLI_NUMBER, offsetof(CliSimulateOptions, seeds), "N",
     "How many seeds, one after the other; means and spreads are shown (default: 1)."},
    {"--create", CLI_DURATION_MS, offsetof(CliSimulateOptions, create_ms), "TIME",
     "What it takes to create a slice (default: 250ms)."},
    {"--destroy", CLI_DURATION_MS, offsetof(CliSimulateOptions, destroy_ms), "TIME",
     "What it takes to destroy one (default: 100ms)."},
    {"--warm-up", CLI_DURATION_MS, offsetof(CliSimulateOptions, warm_up_ms), "TIME",
     "Use is measured from then to the last arrival (default: 30s)."},
    {"--migbench", CLI_FLAG, offsetof(CliSimulateOptions, migbench), NULL,
     "MIGBench's saturated setting: 500 jobs on 2x4xH100-80GB, 20 seeds; other options change it."},
    {"--migbench-geometry", CLI_FLAG, offsetof(CliSimulateOptions, migbench_geometry), NULL,
     "The same on GPUs as MIGBench has them: 7 compute slots and a sum of memory. Hardware refuses some of "
     "it."},
    {"--size", CLI_FLAG, offsetof(CliSimulateOptions, size), NULL,
     "No simulation: the fewest GPUs of the given models that hold the mix all at once."},
    {"--output,-o", CLI_STRING, offsetof(CliSimulateOptions, output), "table|json|svg",
     "Format (default: table)."},
};

static void outcome_deinit(CliSimulateOutcome *outcome) {
  simulate_load_deinit(&outcome->first_load);
  for (int p = 0; p < SIMULATE_POLICIES_MAX; p++)
    simulate_result_deinit(&outcome->first[p]);
}

static void run_seed(CliSimulateWish *wish, int index, CliSimulateProgress *progress,
                     CliSimulateOutcome *outcome) {
  CLEANUP(simulate_load_deinit) SimulateLoad load;
  cli_simulate_wish_make_load(wish, wish->first_seed + (uint64_t)index, &load);
  for (int p = 0; p < wish->policy_count; p++) {
    CLEANUP(simulate_result_deinit) SimulateResult result;
    cli_simulate_progress_begin(progress, wish->policies[p]->name, index * wish->policy_count + p);
    simulate_run(&load, &wish->fleet, wish->policies[p], &wish->run, &result);
    simulate_summary_add(&outcome->summaries[p], &result, load.kind_count);
    if (index > 0)
      continue;
    outcome->first[p] = result;
    result = (SimulateResult){0};
  }
  if (index > 0)
    return;
  outcome->first_load = load;
  load = (SimulateLoad){0};
}

static void simulate(CliSimulateWish *wish, Text *out) {
  CLEANUP(outcome_deinit) CliSimulateOutcome outcome = {.wish = wish};
  CliSimulateProgress progress;
  cli_simulate_progress_init(&progress, wish->seed_count * wish->policy_count);
  wish->run.on_progress = cli_simulate_progress_show;
  wish->run.userdata = &progress;
  for (int i = 0; i < wish->seed_count; i++)
    run_seed(wish, i, &progress, &outcome);
  cli_simulate_progress_end(&progress);
  if (wish->format == CLI_SIMULATE_JSON)
    cli_simulate_show_json(&outcome, out);
  else if (wish->format == CLI_SIMULATE_SVG)
    cli_simulate_show_svg(&outcome, out);
  else
    cli_simulate_show_table(&outcome, out);
}

/* ---- --size ---- */

static int add_demand(SimulateDemand *demand, const char *profile, double count, Error *err) {
  if (count > SIMULATE_SIZE_SLICES_MAX || count != (double)(int)count)
    return error_set(err, ERROR_INVALID,
                     "--size: --mix says how many slices there are: whole numbers up to %d, not %s=%g",
                     SIMULATE_SIZE_SLICES_MAX, profile, count);
  snprintf(demand->profiles[demand->count], MIG_PROFILE_NAME_SIZE, "%s", profile);
  demand->counts[demand->count++] = (int)count;
  return 0;
}

static int read_demand(const CliSimulateWish *wish, SimulateDemand *demand, Error *err) {
  const SimulateLoad *load = &wish->recording.load;
  const SimulateMix *mix = &wish->synthetic.mix;
  int result = 0;
  for (int i = 0; !wish->is_recorded && result == 0 && i < mix->count; i++)
    result = add_demand(demand, mix->profiles[i], mix->weights[i], err);
  for (int kind = 0; wish->is_recorded && result == 0 && kind < load->kind_count; kind++) {
    double count = 0;
    for (size_t i = 0; i < load->jobs.count; i++) {
      const SimulateClass *request = &load->classes.items[load->jobs.items[i].class_];
      count += request->kind == kind ? request->count : 0;
    }
    result = add_demand(demand, load->kinds[kind], count, err);
  }
  return result;
}

static int find_size(const CliSimulateWish *wish, Text *out, Error *err) {
  CLEANUP(simulate_size_deinit) SimulateSize size = {0};
  SimulateDemand demand = {0};
  const SimulateFleet *fleet = &wish->fleet;
  int result = read_demand(wish, &demand, err);
  if (result == 0 && fleet->model_count > SIMULATE_SIZE_MODELS_MAX)
    result = error_set(err, ERROR_LIMIT, "--size compares at most %d models", SIMULATE_SIZE_MODELS_MAX);
  if (result == 0)
    result = simulate_size_find(&demand, fleet->models, fleet->model_count, &size, err);
  if (result < 0)
    return result;
  if (wish->format == CLI_SIMULATE_JSON)
    cli_simulate_show_size_json(&size, fleet->models, fleet->model_count, out);
  else
    cli_simulate_show_size(&size, fleet->models, fleet->model_count, out);
  return 0;
}

static int run(const CliVerb *verb, int argc, char **argv) {
  CliSimulateOptions options = {.jobs = -1,
                                .burst = -1,
                                .seed = -1,
                                .seeds = -1,
                                .arrival_ms = -1,
                                .duration_ms = -1,
                                .patience_ms = -1,
                                .warm_up_ms = -1,
                                .create_ms = -1,
                                .destroy_ms = -1};
  CLEANUP(cli_simulate_wish_deinit) CliSimulateWish wish = {0};
  CLEANUP(text_deinit) Text out = {0};
  int exit_code;
  Error err;
  if (!cli_begin(verb, argc, argv, &options, &exit_code))
    return exit_code;
  int result = cli_simulate_wish_parse(&options, stderr, &wish, &err);
  if (result == 0 && options.size)
    result = find_size(&wish, &out, &err);
  else if (result == 0)
    simulate(&wish, &out);
  if (result < 0) {
    cluster_input_complain("facet simulate", &err);
    return err.code == ERROR_IO ? CLI_EXIT_FAILED : CLI_EXIT_USAGE;
  }
  fputs(text_string(&out), stdout);
  return CLI_EXIT_OK;
}

const CliVerb cli_verb_simulate = {
    .name = "simulate",
    .help = "play a load on a fleet that does not exist, under facet's planner and under others",
    .more =
        "    facet simulate --gpus 2x4xH100-80GB --mix 1g.10gb=35,2g.20gb=25,3g.40gb=15 --load 0.85 "
        "--seeds 10\n"
        "    facet simulate --size --gpus A100-80GB --mix 1g.10gb=40,3g.40gb=7\n"
        "    facet simulate --gpus 8x8xA100-80GB --csv jobs.csv -o svg > jobs.svg\n\n"
        "Needs no GPU and no cluster, and changes nothing. The same options give the same result.\n\n"
        "A file has one job a line; its first line names the columns, others than these are ignored:\n"
        "    arrival_s,duration_s,profile,count                seconds; count: slices on one node, 1 "
        "where left out\n"
        "    creation_time,deletion_time,num_gpu,gpu_milli     Alibaba's openb trace: a part of a GPU "
        "becomes the\n"
        "                                                      smallest profile of the first model with "
        "that much\n"
        "    Instance size                                     ParvaGPU's deployments, for --size\n"
        "Where it has no times, they are drawn as for --mix.\n\n"
        "Policies: facet plans as its controller does, and slices stay behind their job; facet-fifo "
        "takes only its\n"
        "places, one job after the other. first-fit (as the DRA driver's allocator), best-fit, spread "
        "and min-frag\n"
        "(minimum fragmentation increment) make a slice for each job and unmake it. nos plans a batch "
        "when nothing came\n"
        "for 10 s, 60 s after its first pod at the latest, by its own geometries, but without its mistakes "
        "in counting.",
    .options = options_table,
    .option_count = COUNT_OF(options_table),
    .run = run,
};
