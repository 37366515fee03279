/* SPDX-License-Identifier: Apache-2.0 */
/* How long a plan takes, beside the obvious planner: nos' way, node after node, trying every pod that still
 * waits on every GPU, in the driver's own order of placements. Both start from the same snapshot.
 *
 *     bench-planner [NODES GPUS_PER_NODE]... */
#include "bench.h"
#include "cluster.h"
#include "plan/plan.h"
#include "plan/bulk.h"

enum { SEED = 20261122, GREEDY_NODES_MAX = 1000, SMALL_NODES = 1000 };

/* The profile that the pod asks for on this GPU, or -1. */
static int wanted_profile(const SnapshotPod *pod, const SnapshotGpu *gpu) {
  for (size_t i = 0; i < pod->requests.count; i++) {
    const char *name = pod->requests.items[i].name;
    if (mig_profile_is_resource(name))
      return mig_model_find_profile(gpu->model, name + strlen(MIG_RESOURCE_PREFIX));
  }
  return -1;
}

static bool cut_slice(Snapshot *snapshot, int node, const SnapshotPod *pod) {
  for (int g = 0; g < snapshot->nodes.items[node].gpu_count; g++) {
    const SnapshotGpu *gpu = &snapshot->nodes.items[node].gpus[g];
    int profile = wanted_profile(pod, gpu);
    int start = profile < 0 ? -1 : mig_layout_auto_start(&gpu->layout, profile);
    if (start >= 0) {
      snapshot_place(snapshot, node, g, profile, start);
      return true;
    }
  }
  return false;
}

static int plan_greedily(Snapshot *snapshot) {
  int admitted = 0;
  SchedVerdict verdict;
  size_t mark = snapshot_fork(snapshot);
  for (size_t node = 0; node < snapshot->nodes.count; node++)
    for (size_t p = 0; p < snapshot->pods.count; p++) {
      const SnapshotPod *pod = &snapshot->pods.items[p];
      if (pod->node >= 0 || !sched_admits(snapshot, (int)p, (int)node, &verdict) ||
          !cut_slice(snapshot, (int)node, pod))
        continue;
      snapshot_bind(snapshot, (int)p, (int)node);
      admitted++;
    }
  snapshot_rollback(snapshot, mark);
  return admitted;
}

typedef struct Times {
  double snapshot[BENCH_RUNS_MAX], plan[BENCH_RUNS_MAX], greedy[BENCH_RUNS_MAX];
  int admitted, bound, greedy_admitted;
} Times;

static void measure(const BenchCluster *cluster, int run, bool with_greedy, Times *times) {
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  double began = bench_cpu_s();
  bench_cluster_snapshot(cluster, &snapshot);
  times->snapshot[run] = bench_cpu_s() - began;
  const PlanOptions options = {.leftover = PLAN_LEFTOVER_NONE};
  for (int loop = getenv("PHASES") ? atoi(getenv("PHASES")) : 0; loop > 0; loop--) {
    PlanProblem problem; PlanOffer offer;
    began = bench_cpu_s();
    plan_problem_init(&problem, &snapshot);
    double a = bench_cpu_s();
    plan_bulk_solve(&problem, &offer);
    double b = bench_cpu_s();
    plan_offer_deinit(&offer); plan_problem_deinit(&problem);
    double c = bench_cpu_s();
    fprintf(stderr, "problem %.2f solve %.2f free %.2f\n", (a-began)*1e3, (b-a)*1e3, (c-b)*1e3);
  }
  CLEANUP(plan_deinit) Plan plan;
  began = bench_cpu_s();
  plan_compute(&snapshot, &options, &plan);
  times->plan[run] = bench_cpu_s() - began;
  times->admitted = plan.admitted;
  times->bound = plan.bound;
  if (!with_greedy)
    return;
  began = bench_cpu_s();
  times->greedy_admitted = plan_greedily(&snapshot);
  times->greedy[run] = bench_cpu_s() - began;
}

static void run_size(int node_count, int gpu_count, bool all_cut) {
  CLEANUP(bench_cluster_deinit) BenchCluster cluster;
  bench_cluster_init(&cluster, node_count, gpu_count, SEED);
  if (all_cut)
    bench_cluster_cut_all(&cluster, SEED);
  bool with_greedy = node_count <= GREEDY_NODES_MAX && !all_cut;
  int runs = node_count < SMALL_NODES ? 9 : 3;
  Times times = {0};
  for (int run = 0; run < runs; run++)
    measure(&cluster, run, with_greedy, &times);
  double plan = bench_median(times.plan, runs), greedy = bench_median(times.greedy, runs);
  printf("%6d x %d %8zu %12.2f %12.2f %8d %8d", node_count, gpu_count, cluster.pods.count,
         bench_median(times.snapshot, runs) * 1e3, plan * 1e3, times.admitted, times.bound);
  if (with_greedy)
    printf(" %12.2f %8d %8.1fx\n", greedy * 1e3, times.greedy_admitted, greedy / plan);
  else
    printf(" %12s %8s %9s\n", "-", "-", "-");
  fflush(stdout);
}

int main(int argc, char **argv) {
  static const int sizes[][2] = {{1, 1}, {100, 8}, {1000, 8}, {10000, 8}};
  printf("Planner, A100-80GB, 10 pods per node from 50 Deployments; medians in ms of processor time\n");
  printf(
      "nodes x GPUs     pods  snapshot ms      plan ms admitted    bound    greedy ms admitted     ratio\n");
  for (int i = 1; i + 1 < argc; i += 2)
    run_size((int)strtol(argv[i], NULL, 10), (int)strtol(argv[i + 1], NULL, 10), false);
  for (size_t i = 0; argc < 2 && i < COUNT_OF(sizes); i++)
    run_size(sizes[i][0], sizes[i][1], false);
  if (getenv("UNCUT"))
    return 0;
  printf("All GPUs cut, no room but free slices\n");
  for (int i = 1; i + 1 < argc; i += 2)
    run_size((int)strtol(argv[i], NULL, 10), (int)strtol(argv[i + 1], NULL, 10), true);
  for (size_t i = 0; argc < 2 && i < COUNT_OF(sizes); i++)
    run_size(sizes[i][0], sizes[i][1], true);
  return 0;
}
