/* SPDX-License-Identifier: Apache-2.0 */
/* How many jobs `facet simulate` plays in a second of processor time, policy by policy: a small fleet that is
 * saturated, and a large one. The others are the reference for what the events alone cost.
 *
 *     bench-simulate [JOBS] */
#include "bench.h"
#include "simulate/run.h"

#include <stdio.h>

enum { SEED = 20261128 };

typedef struct Setting {
  const char *title, *gpus;
  int jobs, arrival_ms;
} Setting;

/* A job takes 826 s in the mean, 2.45 slots: a load of 1.1 on both. */
static const Setting settings[] = {
    {"2 nodes x 4 H100-80GB", "2x4xH100-80GB", 20000, 28700},
    {"100 nodes x 8 H100-80GB", "100x8xH100-80GB", 10000, 287},
};

static void run_setting(const Setting *setting) {
  CLEANUP(simulate_fleet_deinit) SimulateFleet fleet = {0};
  CLEANUP(simulate_load_deinit) SimulateLoad load = {0};
  SimulateSynthetic synthetic = {.job_count = setting->jobs,
                                 .arrival_mean_ms = setting->arrival_ms,
                                 .lifetime = SIMULATE_LOGNORMAL,
                                 .duration_ms = 600000,
                                 .duration_sigma = 0.8};
  const char *mix = "1g.10gb=35,1g.20gb=10,2g.20gb=25,3g.40gb=15,4g.40gb=10,7g.80gb=5";
  Error err;
  if (simulate_mix_parse(mix, &synthetic.mix, &err) < 0 ||
      simulate_fleet_parse(setting->gpus, &fleet, &err) < 0) {
    fprintf(stderr, "%s\n", err.text);
    exit(1);
  }
  simulate_load_generate(&synthetic, SEED, &load);
  SimulateOptions options = simulate_options_default();
  int count;
  const SimulatePolicy *const *policies = simulate_policies(&count);
  for (int p = 0; p < count; p++) {
    CLEANUP(simulate_result_deinit) SimulateResult result;
    double began = bench_cpu_s();
    simulate_run(&load, &fleet, policies[p], &options, &result);
    double seconds = bench_cpu_s() - began;
    printf("%-26s %-12s %8d %10.2f %12.0f %10.1f\n", setting->title, policies[p]->name, setting->jobs,
           seconds, setting->jobs / seconds, 100 * result.memory_use);
    fflush(stdout);
  }
}

int main(int argc, char **argv) {
  printf("Simulation, MIGBench's mix at a load of 1.1; processor time\n");
  printf("%-26s %-12s %8s %10s %12s %10s\n", "fleet", "policy", "jobs", "s", "jobs/s", "memory %");
  for (size_t i = 0; i < COUNT_OF(settings); i++) {
    Setting setting = settings[i];
    setting.jobs = argc > 1 ? (int)strtol(argv[1], NULL, 10) : setting.jobs;
    run_setting(&setting);
  }
  return 0;
}
