/* SPDX-License-Identifier: Apache-2.0 */
/* How long a plan takes, and for how many pods it finds a place, at growing sizes, beside two references: the
 * obvious planner, node after node, trying every pod that still waits on every GPU in the driver's own order
 * of placements; and nos, as it was measured and as its rule says.
 *
 *     bench-planner [NODES GPUS_PER_NODE]...       only these sizes, without the comparison with nos */
#include "bench.h"
#include "cluster.h"
#include "nos_rule.h"
#include "plan/bulk.h"
#include "plan/plan.h"
#include "replan.h"

#include <malloc.h>

/* Memory that is freed stays with the process, or goes back to the kernel and comes anew, page by page, as in
 * the controller (mem_stay_small). glibc changes its mind about that with each large block that is freed. */
typedef enum Memory { MEMORY_KEPT, MEMORY_ANEW } Memory;

static void choose_memory(Memory memory) {
  enum { SMALL = 64 * 1024, LARGE = 32 * 1024 * 1024 };
  mallopt(M_MMAP_THRESHOLD, memory == MEMORY_KEPT ? LARGE : SMALL);
  mallopt(M_TRIM_THRESHOLD, memory == MEMORY_KEPT ? 16 * LARGE : SMALL);
}

enum { SEED = 20261122, GREEDY_NODES_MAX = 1000, SMALL_NODES = 1000 };

typedef enum Scene { UNCOUPLED, COUPLED, ALL_CUT, ALL_CUT_COUPLED } Scene;

static const char *const scene_titles[] = {
    [UNCOUPLED] = "One slice per pod, cpu and memory for all",
    [COUPLED] = "Cpu and memory run short, half of the 50 classes are bound to a zone",
    [ALL_CUT] = "All GPUs cut, no room but free slices",
    [ALL_CUT_COUPLED] = "All GPUs cut, cpu and memory run short, half of the 50 classes are bound to a zone",
};

static const int sizes[][2] = {{1, 1}, {100, 8}, {300, 8}, {1000, 8}, {3000, 8}, {10000, 8}};

/* The profile that the pod asks for on this GPU, or -1. */
static int wanted_profile(const SnapshotPod *pod, const SnapshotGpu *gpu) {
  for (size_t i = 0; i < pod->spec->requests.count; i++) {
    const char *name = pod->spec->requests.items[i].name;
    if (mig_profile_is_resource(name))
      return mig_model_find_profile(gpu->model, name + strlen(MIG_RESOURCE_PREFIX));
  }
  return -1;
}

static bool cut_slice(Snapshot *snapshot, int node, const SnapshotPod *pod) {
  for (int g = 0; g < snapshot->nodes.items[node].gpu_count; g++) {
    const SnapshotGpu *gpu = &snapshot->nodes.items[node].gpus[g];
    int profile = wanted_profile(pod, gpu);
    int start = profile < 0 ? -1 : mig_layout_auto_start(gpu->layout, profile);
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
  char reason[sizeof verdict.reason];
  size_t mark = snapshot_fork(snapshot);
  for (size_t node = 0; node < snapshot->nodes.count; node++)
    for (size_t p = 0; p < snapshot->pods.count; p++) {
      const SnapshotPod *pod = &snapshot->pods.items[p];
      const SnapshotNode *on = &snapshot->nodes.items[node];
      if (pod->node >= 0 || !sched_admits(snapshot, (int)p, (int)node, &verdict) ||
          !sched_resources_fit(pod, on, true, reason, sizeof reason) || !cut_slice(snapshot, (int)node, pod))
        continue;
      snapshot_bind(snapshot, (int)p, (int)node);
      admitted++;
    }
  snapshot_rollback(snapshot, mark);
  return admitted;
}

/* In seconds of processor time. */
typedef struct Times {
  double snapshot[BENCH_RUNS_MAX], group[BENCH_RUNS_MAX], place[BENCH_RUNS_MAX], plan[BENCH_RUNS_MAX];
  double anew[BENCH_RUNS_MAX]; /* the plan, in memory that the kernel gives anew */
  double greedy;
  int admitted, bound, greedy_admitted;
} Times;

/* The first two steps of a plan, alone. */
static void measure_steps(Snapshot *snapshot, int run, Times *times) {
  PlanProblem problem;
  PlanOffer offer;
  double began = bench_cpu_s();
  plan_problem_init(&problem, snapshot, 0);
  double grouped = bench_cpu_s();
  plan_bulk_solve(&problem, &offer);
  times->place[run] = bench_cpu_s() - grouped;
  times->group[run] = grouped - began;
  plan_offer_deinit(&offer);
  plan_problem_deinit(&problem);
}

static double measure_plan(Snapshot *snapshot, Memory memory, Times *times) {
  const PlanOptions options = {.leftover = PLAN_LEFTOVER_NONE};
  CLEANUP(plan_deinit) Plan plan;
  choose_memory(memory);
  double began = bench_cpu_s();
  plan_compute(snapshot, &options, &plan);
  double seconds = bench_cpu_s() - began;
  times->admitted = plan.admitted;
  times->bound = plan.bound;
  return seconds;
}

static void measure(const BenchCluster *cluster, int run, bool with_greedy, Times *times) {
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  choose_memory(MEMORY_KEPT);
  double began = bench_cpu_s();
  bench_cluster_snapshot(cluster, &snapshot);
  times->snapshot[run] = bench_cpu_s() - began;
  measure_steps(&snapshot, run, times);
  times->plan[run] = measure_plan(&snapshot, MEMORY_KEPT, times);
  times->anew[run] = measure_plan(&snapshot, MEMORY_ANEW, times);
  if (!with_greedy)
    return;
  began = bench_cpu_s();
  times->greedy_admitted = plan_greedily(&snapshot);
  times->greedy = bench_cpu_s() - began;
}

static void make_cluster(BenchCluster *cluster, int node_count, int gpu_count, Scene scene) {
  bench_cluster_init(cluster, node_count, gpu_count, SEED);
  if (scene == COUPLED || scene == ALL_CUT_COUPLED)
    bench_cluster_couple(cluster, SEED);
  if (scene >= ALL_CUT)
    bench_cluster_cut_all(cluster, SEED);
}

static void run_size(int node_count, int gpu_count, Scene scene) {
  CLEANUP(bench_cluster_deinit) BenchCluster cluster;
  make_cluster(&cluster, node_count, gpu_count, scene);
  bool with_greedy = node_count <= GREEDY_NODES_MAX && scene < ALL_CUT;
  int runs = scene >= ALL_CUT && node_count >= SMALL_NODES ? 3 : 9;
  Times times = {0};
  for (int run = 0; run < runs; run++)
    measure(&cluster, run, with_greedy && run == 0, &times);
  double plan = bench_median(times.plan, runs);
  printf("%6d x %d %8zu %9.2f %9.2f %9.2f %9.2f %9.2f %9d %8d", node_count, gpu_count, cluster.pods.count,
         bench_median(times.snapshot, runs) * 1e3, bench_median(times.group, runs) * 1e3,
         bench_median(times.place, runs) * 1e3, plan * 1e3, bench_median(times.anew, runs) * 1e3,
         times.admitted, times.bound);
  if (with_greedy)
    printf(" %10.2f %9d\n", times.greedy * 1e3, times.greedy_admitted);
  else
    printf(" %10s %9s\n", "-", "-");
  fflush(stdout);
}

static void run_scene(Scene scene, int argc, char **argv) {
  printf("%s\n", scene_titles[scene]);
  printf(
      "nodes x GPUs    pods  snapshot     group     place      plan      anew  admitted    bound     greedy  "
      "admitted\n");
  for (int i = 1; i + 1 < argc; i += 2)
    run_size((int)strtol(argv[i], NULL, 10), (int)strtol(argv[i + 1], NULL, 10), scene);
  for (size_t i = 0; argc < 2 && i < COUNT_OF(sizes); i++)
    run_size(sizes[i][0], sizes[i][1], scene);
}

typedef void Replan(BenchCluster *cluster, int node_count, int gpu_count, uint64_t seed);

static void run_events(Scene scene, Replan *run, int argc, char **argv) {
  printf("                      event    median       p99      most  from scratch\n");
  for (size_t i = 0; i < (argc > 1 ? (size_t)(argc - 1) / 2 : COUNT_OF(sizes)); i++) {
    CLEANUP(bench_cluster_deinit) BenchCluster cluster;
    int nodes = argc > 1 ? (int)strtol(argv[2 * i + 1], NULL, 10) : sizes[i][0];
    int gpus = argc > 1 ? (int)strtol(argv[2 * i + 2], NULL, 10) : sizes[i][1];
    make_cluster(&cluster, nodes, gpus, scene);
    if (nodes > 1)
      run(&cluster, nodes, gpus, SEED);
  }
  printf("\n");
}

static void run_all_events(int argc, char **argv) {
  static const Scene scenes[] = {UNCOUPLED, COUPLED};
  for (size_t i = 0; i < COUNT_OF(scenes); i++) {
    printf("Planned again after one event, the event included, beside snapshot and plan from scratch\n%s\n",
           scene_titles[scenes[i]]);
    printf("nodes x GPUs    pods   scratch  admitted  again: admitted\n");
    run_events(scenes[i], replan_run, argc, argv);
  }
  printf("The controller's pass after one event, on a full cluster, beside its first one\n");
  printf("nodes x GPUs    pods     first\n");
  run_events(UNCOUPLED, replan_run_passes, argc, argv);
}

/* nos 12e0a72 itself: its partitioner against a real API server and scheduler 1.36.2 of Kubernetes, a
 * stand-in for its device agents, 8 A100-80GB per node; 1-3 runs a size. */
static const struct {
  int nodes, pods;
  const char *seconds, *cpu_seconds, *admitted;
} nos_measured[] = {
    {10, 100, "0.09", "0.05", "100"}, {10, 300, "0.17", "0.18", "150"}, {20, 200, "0.27", "0.26", "161-165"},
    {40, 400, "0.71", "0.89", "200"}, {80, 800, "7.1", "6.6", "400"},   {160, 1600, "34.6", "46.8", "800"},
};

static void sort_profiles(uint8_t *profiles, int count) {
  for (int i = 0; i < count; i++) /* five of ten, three of ten, two of ten */
    profiles[i] = i < count / 2 ? 0 : (i < count / 2 + count * 3 / 10 ? 1 : 2);
}

static double run_rule(int nodes, int pods, NosResult *ret_result) {
  CLEANUP(cleanup_free) uint8_t *profiles = mem_alloc((size_t)pods);
  sort_profiles(profiles, pods);
  double began = bench_cpu_s();
  *ret_result = nos_rule_plan(nodes, profiles, pods);
  return bench_cpu_s() - began;
}

static void compare_with_nos(size_t row) {
  int nodes = nos_measured[row].nodes, pods = nos_measured[row].pods;
  CLEANUP(bench_cluster_deinit) BenchCluster cluster;
  NosResult result;
  Times times = {0};
  enum { RUNS = 9 };
  bench_cluster_init_mix(&cluster, nodes, pods);
  for (int run = 0; run < RUNS; run++)
    measure(&cluster, run, false, &times);
  double rule = run_rule(nodes, pods, &result);
  printf("%6d %6d %10s %10s %10s %12.2f %9d %7d %9.2f %9.2f %9d\n", nodes, pods, nos_measured[row].seconds,
         nos_measured[row].cpu_seconds, nos_measured[row].admitted, rule * 1e3, result.admitted, result.added,
         bench_median(times.snapshot, RUNS) * 1e3, bench_median(times.plan, RUNS) * 1e3, times.admitted);
  fflush(stdout);
}

int main(int argc, char **argv) {
  printf("Planner, A100-80GB, 10 pods per node from 50 Deployments; medians in ms of processor time.\n"
         "plan = group + place + write it down and say why pods are blocked, from scratch each time; the "
         "snapshot comes\n"
         "before: what it keeps for plans is the spec of each pod and the order of their ages, and of each "
         "GPU its "
         "slots\nand its sort. anew = the plan in memory that the kernel gives page by page, as to the "
         "controller, which gives back what it\nfrees; elsewhere memory is used again.\n\n");
  for (Scene scene = UNCOUPLED; scene <= ALL_CUT_COUPLED; scene++) {
    run_scene(scene, argc, argv);
    printf("\n");
  }
  run_all_events(argc, argv);
  if (argc > 1)
    return 0;
  printf("Beside nos: 8 empty A100-80GB per node, 1g.10gb, 2g.20gb and 3g.40gb as 5:3:2, room for all\n");
  printf(
      " nodes   pods      nos s  nos cpu s   admitted  its rule, ms  admitted   added  snapshot      plan  "
      "admitted\n");
  for (size_t row = 0; row < COUNT_OF(nos_measured); row++)
    compare_with_nos(row);
  return 0;
}
