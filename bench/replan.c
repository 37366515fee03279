/* SPDX-License-Identifier: Apache-2.0 */
#include "replan.h"

#include "base/random.h"
#include "bench.h"
#include "plan/standing.h"

enum { EVENTS = 400, SCRATCH_RUNS = 5 };

typedef enum Event { POD_GOES, POD_COMES, NODE_REPORTS } Event;

static const char *const event_titles[] = {
    [POD_GOES] = "a pod goes", [POD_COMES] = "a pod comes", [NODE_REPORTS] = "a node reports"};

static const PlanOptions options = {.leftover = PLAN_LEFTOVER_NONE};

typedef struct Replan {
  BenchCluster *cluster;
  PlanStanding standing;
  Random random;
  int gone; /* the pod that is away; -1 */
} Replan;

/* Another slice of the GPU is in use. */
static void change_report(Node *node, Random *random) {
  static const char *const slices[] = {"1g.10gb@2:used", "1g.10gb@0:used,2g.20gb@4:used", "3g.40gb@4:used"};
  KeyValue *status =
      &node->meta.annotations.items[1 + 2 * random_below(random, node->meta.annotations.count / 2)];
  status->value = slices[random_below(random, COUNT_OF(slices))];
}

static void happen(Replan *replan, Event event) {
  size_t pod =
      replan->gone >= 0 ? (size_t)replan->gone : random_below(&replan->random, replan->cluster->pods.count);
  if (event == NODE_REPORTS) {
    Node *node = &replan->cluster->nodes.items[random_below(&replan->random, replan->cluster->nodes.count)];
    change_report(node, &replan->random);
    plan_standing_put_node(&replan->standing, node);
  } else if (event == POD_GOES) {
    replan->gone = (int)pod;
    plan_standing_remove_pod(&replan->standing, &replan->cluster->pods.items[pod]);
  } else {
    replan->gone = -1;
    plan_standing_put_pod(&replan->standing, &replan->cluster->pods.items[pod]);
  }
}

static void start(Replan *replan) {
  plan_standing_init(&replan->standing);
  for (size_t i = 0; i < replan->cluster->nodes.count; i++)
    plan_standing_put_node(&replan->standing, &replan->cluster->nodes.items[i]);
  for (size_t i = 0; i < replan->cluster->pods.count; i++)
    plan_standing_put_pod(&replan->standing, &replan->cluster->pods.items[i]);
  plan_standing_compute(&replan->standing, &options);
}

/* Snapshot and plan, in ms of processor time. */
static double measure_scratch(const Replan *replan, int *ret_admitted) {
  double times[SCRATCH_RUNS];
  for (int run = 0; run < SCRATCH_RUNS; run++) {
    CLEANUP(snapshot_deinit) Snapshot snapshot;
    CLEANUP(plan_deinit) Plan plan;
    double began = bench_cpu_s();
    snapshot_init(&snapshot);
    for (size_t i = 0; i < replan->cluster->nodes.count; i++)
      snapshot_add_node(&snapshot, &replan->cluster->nodes.items[i], NULL, NULL);
    for (size_t i = 0; i < replan->cluster->pods.count; i++)
      snapshot_add_pod(&snapshot, &replan->cluster->pods.items[i], NULL);
    plan_compute(&snapshot, &options, &plan);
    times[run] = (bench_cpu_s() - began) * 1e3;
    *ret_admitted = plan.admitted;
  }
  return bench_median(times, SCRATCH_RUNS);
}

static void print_event(Event event, double *times, int afresh) {
  bench_median(times, EVENTS); /* sorts them */
  printf("%27s %9.3f %9.3f %9.3f %13d\n", event_titles[event], times[EVENTS / 2], times[EVENTS * 99 / 100],
         times[EVENTS - 1], afresh);
}

void replan_run(BenchCluster *cluster, int node_count, int gpu_count, uint64_t seed) {
  static double times[NODE_REPORTS + 1][EVENTS];
  int afresh[NODE_REPORTS + 1] = {0}, admitted;
  Replan replan = {.cluster = cluster, .random = {.state = seed}, .gone = -1};
  start(&replan);
  for (int i = 0; i < EVENTS; i++)
    for (Event event = POD_GOES; event <= NODE_REPORTS; event++) {
      uint64_t before = replan.standing.afresh;
      double began = bench_cpu_s();
      happen(&replan, event);
      plan_standing_compute(&replan.standing, &options);
      times[event][i] = (bench_cpu_s() - began) * 1e3;
      afresh[event] += replan.standing.afresh != before;
    }
  double scratch = measure_scratch(&replan, &admitted);
  printf("%6d x %d %8zu %9.2f %9d %9d\n", node_count, gpu_count, cluster->pods.count, scratch, admitted,
         replan.standing.plan.admitted);
  for (Event event = POD_GOES; event <= NODE_REPORTS; event++)
    print_event(event, times[event], afresh[event]);
  fflush(stdout);
  plan_standing_deinit(&replan.standing);
}
