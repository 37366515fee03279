/* SPDX-License-Identifier: Apache-2.0 */
#include "replan.h"

#include "base/random.h"
#include "bench.h"
#include "controller/pass.h"

enum { EVENTS = 400, EVENTS_AFRESH = 5 /* where each plan is made from scratch */, SCRATCH_RUNS = 5 };

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

static void print_event(Event event, double *times, int count, int afresh) {
  bench_median(times, count); /* sorts them */
  printf("%27s %9.3f %9.3f %9.3f %13d\n", event_titles[event], times[count / 2], times[count * 99 / 100],
         times[count - 1], afresh);
}

void replan_run(BenchCluster *cluster, int node_count, int gpu_count, uint64_t seed) {
  static double times[NODE_REPORTS + 1][EVENTS];
  int afresh[NODE_REPORTS + 1] = {0}, admitted, count = 0;
  Replan replan = {.cluster = cluster, .random = {.state = seed}, .gone = -1};
  start(&replan);
  for (; count < EVENTS && !(count == EVENTS_AFRESH && afresh[POD_GOES] == count); count++)
    for (Event event = POD_GOES; event <= NODE_REPORTS; event++) {
      uint64_t before = replan.standing.afresh;
      double began = bench_cpu_s();
      happen(&replan, event);
      plan_standing_compute(&replan.standing, &options);
      times[event][count] = (bench_cpu_s() - began) * 1e3;
      afresh[event] += replan.standing.afresh != before;
    }
  double scratch = measure_scratch(&replan, &admitted);
  printf("%6d x %d %8zu %9.2f %9d %9d\n", node_count, gpu_count, cluster->pods.count, scratch, admitted,
         replan.standing.plan.admitted);
  for (Event event = POD_GOES; event <= NODE_REPORTS; event++)
    print_event(event, times[event], count, afresh[event]);
  fflush(stdout);
  plan_standing_deinit(&replan.standing);
}

/* ---- whole passes ---- */

typedef struct Passes {
  BenchCluster *cluster;
  ControllerCluster known;
  ControllerMemory memory;
  Random random;
  uint64_t now_ms;
} Passes;

/* All words can go out at once. */
static double run_pass(Passes *passes) {
  CLEANUP(controller_pass_deinit) ControllerPass pass;
  ControllerView view = {.cluster = &passes->known,
                         .leftover = PLAN_LEFTOVER_FILL,
                         .words_max = SIZE_MAX,
                         .plan_id = "bench",
                         .now_ms = passes->now_ms += 1000,
                         .recut_limit = CONTROLLER_RECUT_LIMIT};
  double began = bench_cpu_s();
  controller_pass_compute(&view, &passes->memory, &pass);
  return (bench_cpu_s() - began) * 1e3;
}

/* Every GPU is one slice in use. */
static void fill_up(BenchCluster *cluster) {
  for (size_t n = 0; n < cluster->nodes.count; n++) {
    KeyValues *annotations = &cluster->nodes.items[n].meta.annotations;
    for (size_t i = 1; i < annotations->count; i += 2)
      annotations->items[i].value = "7g.80gb@0:used";
  }
  for (size_t i = 0; i < cluster->pods.count; i++)
    cluster->pods.items[i].meta.uid.text = cluster->pods.items[i].meta.name;
}

static void learn(Passes *passes) {
  controller_cluster_init(&passes->known);
  for (size_t i = 0; i < passes->cluster->nodes.count; i++)
    controller_cluster_put_node(&passes->known, &passes->cluster->nodes.items[i]);
  for (size_t i = 0; i < passes->cluster->pods.count; i++)
    controller_cluster_put_pod(&passes->known, &passes->cluster->pods.items[i]);
}

static double pass_after(Passes *passes, Event event, Pod *pod) {
  double began = bench_cpu_s();
  if (event == POD_GOES)
    controller_cluster_remove_pod(&passes->known, pod);
  else if (event == POD_COMES)
    controller_cluster_put_pod(&passes->known, pod);
  else
    controller_cluster_put_node(
        &passes->known,
        &passes->cluster->nodes.items[random_below(&passes->random, passes->cluster->nodes.count)]);
  double told = (bench_cpu_s() - began) * 1e3;
  return told + run_pass(passes);
}

void replan_run_passes(BenchCluster *cluster, int node_count, int gpu_count, uint64_t seed) {
  static double times[NODE_REPORTS + 1][EVENTS];
  Passes passes = {.cluster = cluster, .random = {.state = seed}};
  fill_up(cluster);
  double began = bench_cpu_s();
  learn(&passes);
  double learned = (bench_cpu_s() - began) * 1e3, first = run_pass(&passes);
  uint64_t afresh = passes.known.standing.afresh;
  for (int i = 0; i < EVENTS; i++) {
    Pod *pod = &cluster->pods.items[random_below(&passes.random, cluster->pods.count)];
    for (Event event = POD_GOES; event <= NODE_REPORTS; event++)
      times[event][i] = pass_after(&passes, event, pod);
  }
  printf("%6d x %d %8zu %9.2f\n", node_count, gpu_count, cluster->pods.count, learned + first);
  for (Event event = POD_GOES; event <= NODE_REPORTS; event++)
    print_event(event, times[event], EVENTS, event ? 0 : (int)(passes.known.standing.afresh - afresh));
  fflush(stdout);
  controller_cluster_deinit(&passes.known);
  controller_memory_deinit(&passes.memory);
}
