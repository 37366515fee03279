/* SPDX-License-Identifier: Apache-2.0 */
/* A small cluster for the tests of rules, and what one rule says of it. Tests only.
 *
 *     Bench bench;
 *     bench_init(&bench);
 *     bench_node(&bench, "n1", (KeyValue[]){MIG, A100}, 2);                   labels and annotations mixed
 *     bench_expect(&bench, "label", "error node n1: its label ...\n  $ kubectl label ...\n"); */
#pragma once

#include "base/test.h"

#include "base/text.h"
#include "check/check.h"
#include "cluster/node_check.h"

enum { BENCH_OBJECTS_MAX = 8, BENCH_TEXTS_MAX = 12 };

typedef struct Bench {
  Node nodes[BENCH_OBJECTS_MAX];
  Pod pods[BENCH_OBJECTS_MAX];
  PodCommon commons[BENCH_OBJECTS_MAX];
  KeyValue labels[BENCH_OBJECTS_MAX][BENCH_TEXTS_MAX], annotations[BENCH_OBJECTS_MAX][BENCH_TEXTS_MAX];
  KeyValue pod_labels[BENCH_OBJECTS_MAX][BENCH_TEXTS_MAX];
  ResourceText capacity[BENCH_OBJECTS_MAX][BENCH_TEXTS_MAX];
  Container containers[BENCH_OBJECTS_MAX];
  ResourceText requests[BENCH_OBJECTS_MAX];
  Condition conditions[BENCH_OBJECTS_MAX];
  CheckCluster cluster;
} Bench;

#define MIG                                                                                                  \
  { "nos.nebuly.com/gpu-partitioning", "mig" }
#define PRESENT                                                                                              \
  { "nvidia.com/gpu.present", "true" }
#define A100                                                                                                 \
  { "facet.gpu/gpu-0", "GPU-0 NVIDIA-A100-SXM4-80GB mig=on" }
#define EMPTY                                                                                                \
  { "facet.gpu/status-gpu-0", "" }

static inline void bench_init(Bench *bench) {
  *bench = (Bench){.cluster = {.sees_nodes = true,
                               .sees_pods = true,
                               .now = 2000000000,
                               .namespace_ = "facet-system",
                               .controller_account = "facet-controller",
                               .agent_account = "facet-agent",
                               .server_version = "v1.36.2",
                               .has_namespace = CHECK_YES,
                               .has_priority_class = CHECK_YES,
                               .has_lease = CHECK_YES,
                               .lease_renewed = 2000000000}};
  for (size_t i = 0; i < CHECK_RIGHTS_MAX; i++)
    bench->cluster.allowed[i] = CHECK_YES;
}

static inline bool bench_is_label(const char *key) {
  return string_has_prefix(key, "nvidia.com/") || string_has_prefix(key, "feature.") ||
         string_equal(key, MIG_LABEL_PARTITIONING);
}

/* What is no label is an annotation; a key that begins with "capacity " is a resource. */
static inline Node *bench_node(Bench *bench, const char *name, const KeyValue *texts, size_t count) {
  size_t n = bench->cluster.node_count++;
  assert_true(n < BENCH_OBJECTS_MAX && count <= BENCH_TEXTS_MAX);
  Node *node = &bench->nodes[n];
  node->meta.name = name;
  node->kubelet_version = "v1.36.2";
  node->meta.labels.items = bench->labels[n];
  node->meta.annotations.items = bench->annotations[n];
  node->capacity.items = node->allocatable.items = bench->capacity[n];
  for (size_t i = 0; i < count; i++) {
    const char *key = texts[i].key;
    if (string_has_prefix(key, "capacity "))
      node->capacity.items[node->capacity.count++] =
          (ResourceText){key + strlen("capacity "), texts[i].value};
    else if (bench_is_label(key))
      node->meta.labels.items[node->meta.labels.count++] = texts[i];
    else
      node->meta.annotations.items[node->meta.annotations.count++] = texts[i];
  }
  node->allocatable = node->capacity;
  return node;
}

#define NODE(bench, name, ...)                                                                               \
  bench_node(bench, name, (const KeyValue[]){__VA_ARGS__},                                                   \
             sizeof((const KeyValue[]){__VA_ARGS__}) / sizeof(KeyValue))

/* Running on a node, or waiting where that is NULL. */
static inline Pod *bench_pod(Bench *bench, const char *name, const char *node, const KeyValue *labels,
                             size_t count) {
  size_t n = bench->cluster.pod_count++;
  assert_true(n < BENCH_OBJECTS_MAX && count <= BENCH_TEXTS_MAX);
  Pod *pod = &bench->pods[n];
  memcpy(bench->pod_labels[n], labels, count * sizeof *labels);
  pod->meta.name = name;
  pod->meta.namespace_ = "ops";
  pod->meta.labels.items = bench->pod_labels[n];
  pod->meta.labels.count = count;
  pod->node_name = node;
  pod->common = &bench->commons[n];
  pod->common->phase = node ? "Running" : "Pending";
  return pod;
}

#define POD(bench, name, node, ...)                                                                          \
  bench_pod(bench, name, node, (const KeyValue[]){__VA_ARGS__},                                              \
            sizeof((const KeyValue[]){__VA_ARGS__}) / sizeof(KeyValue))
#define FACET(component)                                                                                     \
  {"app.kubernetes.io/component", component}, {                                                              \
    "app.kubernetes.io/name", "facet"                                                                        \
  }

static inline Pod *bench_waiting(Bench *bench, const char *name, const char *resource) {
  size_t n = bench->cluster.pod_count;
  Pod *pod = POD(bench, name, NULL, {"app", "any"});
  bench->requests[n] = (ResourceText){resource, "1"};
  bench->containers[n].name = "c";
  bench->containers[n].requests.items = &bench->requests[n];
  bench->containers[n].requests.count = 1;
  pod->common->containers.items = &bench->containers[n];
  pod->common->containers.count = 1;
  return pod;
}

static inline void bench_run(Bench *bench, CheckFindings *findings) {
  const Node *nodes[BENCH_OBJECTS_MAX];
  const Pod *pods[BENCH_OBJECTS_MAX];
  CLEANUP(snapshot_deinit) Snapshot snapshot;
  SnapshotWarnings warnings = {0};
  snapshot_init(&snapshot);
  for (size_t i = 0; i < bench->cluster.node_count; i++) {
    nodes[i] = &bench->nodes[i];
    snapshot_add_node(&snapshot, nodes[i], &(SnapshotOptions){0}, &warnings);
  }
  for (size_t i = 0; i < snapshot.nodes.count; i++)
    node_check(&snapshot, &snapshot.nodes.items[i], &warnings);
  for (size_t i = 0; i < bench->cluster.pod_count; i++) {
    pods[i] = &bench->pods[i];
    snapshot_add_pod(&snapshot, pods[i], &warnings);
  }
  bench->cluster.snapshot = &snapshot;
  bench->cluster.warnings = &warnings;
  bench->cluster.nodes = nodes;
  bench->cluster.pods = pods;
  check_cluster(&bench->cluster, findings);
  array_deinit(&warnings);
}

/* What the rule says, and nothing else: "severity object: sentence\n  $ [where: ]command\n" for each finding.
 */
static inline void bench_expect(Bench *bench, const char *rule, const char *expected) {
  CLEANUP(check_findings_deinit) CheckFindings findings = {0};
  CLEANUP(text_deinit) Text said = {0};
  bench_run(bench, &findings);
  for (size_t i = 0; i < findings.items.count; i++) {
    const CheckFinding *finding = &findings.items.items[i];
    if (string_equal(finding->rule, rule))
      text_format(&said, "%s %s: %s\n  $ %s%s%s\n", check_severity_name(finding->severity), finding->object,
                  finding->sentence, string_or_empty(finding->where), finding->where ? ": " : "",
                  finding->command);
  }
  assert_string_equal(text_string(&said), expected);
}
