/* SPDX-License-Identifier: Apache-2.0 */
/* A generated cluster: nodes with A100-80GB GPUs, two thirds of which carry slices in use here and there, and
 * ten waiting pods per node from fifty Deployments, each of which asks one profile. The pods come as an API
 * server lists them, by name. One seed decides all. */
#pragma once

#include "base/array.h"
#include "cluster/snapshot.h"

typedef struct BenchCluster {
  Arena arena;
  ARRAY(Node) nodes;
  ARRAY(Pod) pods;
} BenchCluster;

void bench_cluster_init(BenchCluster *cluster, int node_count, int gpu_count, uint64_t seed);
/* Gives nodes a zone and less cpu, and the pods of each Deployment other cpu and memory, half of them a zone
 * as well: fifty classes, and nodes that run short of cpu before their GPUs are full. */
void bench_cluster_couple(BenchCluster *cluster, uint64_t seed);
/* Empty GPUs, and of ten pods five ask 1g.10gb, three 2g.20gb, two 3g.40gb. Nothing else is limited. */
void bench_cluster_init_mix(BenchCluster *cluster, int node_count, int pod_count);
/* Leaves no GPU any room, but free slices of all sorts. */
void bench_cluster_cut_all(BenchCluster *cluster, uint64_t seed);
void bench_cluster_deinit(BenchCluster *cluster);
void bench_cluster_snapshot(const BenchCluster *cluster, Snapshot *ret_snapshot);
