/* SPDX-License-Identifier: Apache-2.0 */
/* The scheduling simulation where pods depend on each other: 50 Deployments, each with a spread constraint
 * over zones and anti-affinity to another Deployment on one host, beside twenty pods on each node that have
 * neither. The reference does what the scheduler's plugins do for one pod: it counts the pods on all nodes
 * afresh. */
#include "bench.h"
#include "cluster.h"

#include "plan/plan.h"
#include "sched/coupling.h"
#include "sched/filter.h"

#include <stdio.h>
#include <stdlib.h>

enum { DEPLOYMENTS = 50, ZONES = 8, BOUND_PER_NODE = 20, ASKED_NODES = 1000 };

typedef struct Ties {
  KeyValue labels[DEPLOYMENTS];
  TopologySpreadConstraint spread[DEPLOYMENTS];
  PodAffinityTerm anti[DEPLOYMENTS];
} Ties;

static void make_ties(Arena *arena, Ties *ties) {
  for (int i = 0; i < DEPLOYMENTS; i++)
    ties->labels[i] = (KeyValue){"app", arena_format(arena, "app-%d", i)};
  for (int i = 0; i < DEPLOYMENTS; i++) {
    ties->spread[i] = (TopologySpreadConstraint){.topology_key = "zone",
                                                 .when_unsatisfiable = "DoNotSchedule",
                                                 .max_skew = 5,
                                                 .has_selector = true,
                                                 .selector = {.match_labels = {&ties->labels[i], 1}}};
    ties->anti[i] =
        (PodAffinityTerm){.topology_key = "kubernetes.io/hostname",
                          .has_selector = true,
                          .selector = {.match_labels = {&ties->labels[(i + 1) % DEPLOYMENTS], 1}}};
  }
}

static void label_nodes(BenchCluster *cluster) {
  for (size_t i = 0; i < cluster->nodes.count; i++) {
    KeyValues *labels = &cluster->nodes.items[i].meta.labels;
    KeyValue *items = arena_alloc(&cluster->arena, (labels->count + 1) * sizeof *items);
    memcpy(items, labels->items, labels->count * sizeof *items);
    items[labels->count++] = (KeyValue){"zone", arena_format(&cluster->arena, "z%zu", i % ZONES)};
    labels->items = items;
  }
}

/* The name of a pod begins with "web-<Deployment>-". */
static void tie_pods(BenchCluster *cluster, Ties *ties, bool tied) {
  for (size_t i = 0; i < cluster->pods.count; i++) {
    Pod *pod = &cluster->pods.items[i];
    int deployment = (int)strtol(pod->meta.name + strlen("web-"), NULL, 10);
    pod->meta.labels = (KeyValues){&ties->labels[deployment], 1};
    if (!tied)
      continue;
    pod->common->spread_constraints =
        (__typeof__(pod->common->spread_constraints)){&ties->spread[deployment], 1};
    pod->common->anti_affinity_terms =
        (__typeof__(pod->common->anti_affinity_terms)){&ties->anti[deployment], 1};
  }
}

static void add_bound(BenchCluster *cluster, Ties *ties) {
  for (size_t n = 0; n < cluster->nodes.count; n++)
    for (int i = 0; i < BOUND_PER_NODE; i++) {
      Pod *pod = array_push(&cluster->pods);
      pod->meta.name = arena_format(&cluster->arena, "bound-%zu-%d", n, i);
      pod->meta.namespace_ = "bench";
      pod->meta.labels = (KeyValues){&ties->labels[(n + (size_t)i) % DEPLOYMENTS], 1};
      pod->node_name = cluster->nodes.items[n].meta.name;
    }
}

/* What PodTopologySpread and InterPodAffinity look at for one pod: every pod of every node. */
static int64_t count_afresh(const Snapshot *snapshot, int pod) {
  const Pod *object = snapshot->pods.items[pod].object;
  int64_t counted = 0;
  for (size_t i = 0; i < snapshot->placed.count; i++) {
    const Pod *other = snapshot->placed.items[i].object;
    bool counts =
        !pod_common(object)->spread_constraints.count ||
                strcmp(object->meta.namespace_, other->meta.namespace_) != 0
            ? false
            : strcmp(key_values_find(&other->meta.labels, "app"),
                     pod_common(object)->spread_constraints.items[0].selector.match_labels.items[0].value) ==
                  0;
    counted += counts;
    for (size_t t = 0; t < pod_common(object)->anti_affinity_terms.count; t++)
      counted +=
          strcmp(key_values_find(&other->meta.labels, "app"),
                 pod_common(object)->anti_affinity_terms.items[t].selector.match_labels.items[0].value) == 0;
  }
  return counted;
}

static void measure(int node_count, bool tied, bool with_plan) {
  BenchCluster cluster;
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  Ties *ties = mem_alloc(sizeof *ties);
  SchedVerdict verdict;
  bench_cluster_init(&cluster, node_count, 8, 1);
  make_ties(&cluster.arena, ties);
  label_nodes(&cluster);
  tie_pods(&cluster, ties, tied);
  add_bound(&cluster, ties);
  double began = bench_cpu_s();
  bench_cluster_snapshot(&cluster, &snapshot);
  double taken = bench_cpu_s();
  (void)sched_coupling_get(&snapshot);
  double built = bench_cpu_s();
  int asked = node_count < ASKED_NODES ? node_count : ASKED_NODES, fits = 0;
  for (int pod = 0; pod < DEPLOYMENTS; pod++)
    for (int node = 0; node < asked; node++)
      fits += sched_agrees(&snapshot, pod, node, &verdict);
  double answered = bench_cpu_s();
  size_t mark = snapshot_fork(&snapshot);
  for (size_t pod = 0; pod < snapshot.pods.count; pod++)
    snapshot_bind(&snapshot, (int)pod, (int)(pod % (size_t)node_count));
  snapshot_rollback(&snapshot, mark);
  double bound = bench_cpu_s();
  int64_t counted = 0;
  for (int pod = 0; pod < 5; pod++)
    counted += count_afresh(&snapshot, pod);
  double recounted = bench_cpu_s();
  printf("%7d %8zu %8zu %6s %11.2f %11.2f %12.0f %12.0f %14.0f", node_count, snapshot.pods.count,
         snapshot.placed.count, tied ? "yes" : "no", 1e3 * (taken - began), 1e3 * (built - taken),
         1e9 * (answered - built) / (DEPLOYMENTS * asked),
         1e9 * (bound - answered) / (double)snapshot.pods.count, 1e6 * (recounted - bound) / 5);
  if (with_plan) {
    CLEANUP(plan_deinit) Plan plan;
    PlanOptions options = {.leftover = PLAN_LEFTOVER_NONE};
    double start = bench_cpu_s();
    plan_compute(&snapshot, &options, &plan);
    printf(" %10.1f %8d", 1e3 * (bench_cpu_s() - start), plan.admitted);
  }
  printf("%s\n", counted + fits < 0 ? " " : "");
  bench_cluster_deinit(&cluster);
  free(ties);
}

/* With a number of nodes: these alone. */
int main(int argc, char **argv) {
  printf("Pods that depend on each other: 50 Deployments, spread over 8 zones, anti-affinity by host; times "
         "of the "
         "processor\n");
  printf("  nodes  waiting    bound   tied snapshot ms coupling ms answer ns/pair  bind+undo ns recount "
         "us/pod    plan "
         "ms admitted\n");
  if (argc > 1) {
    measure((int)strtol(argv[1], NULL, 10), true, true);
    return 0;
  }
  measure(100, true, true);
  measure(1000, true, true);
  measure(10000, true, true);
  measure(10000, false, false);
  return 0;
}
