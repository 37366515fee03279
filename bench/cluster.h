/* SPDX-License-Identifier: Apache-2.0 */
/* A generated cluster: nodes with A100-80GB GPUs, two thirds of which carry slices in use here and there, and
 * ten waiting pods per node from fifty Deployments, each of which asks one profile. One seed decides all. */
#pragma once

#include "base/array.h"
#include "cluster/snapshot.h"

typedef struct BenchCluster {
  Arena arena;
  ARRAY(Node) nodes;
  ARRAY(Pod) pods;
} BenchCluster;

void bench_cluster_init(BenchCluster *cluster, int node_count, int gpu_count, uint64_t seed);
/* Leaves no GPU any room, but free slices of all sorts. */
void bench_cluster_cut_all(BenchCluster *cluster, uint64_t seed);
void bench_cluster_deinit(BenchCluster *cluster);
void bench_cluster_snapshot(const BenchCluster *cluster, Snapshot *ret_snapshot);
