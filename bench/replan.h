/* SPDX-License-Identifier: Apache-2.0 */
/* How long it takes to plan again after one event. */
#pragma once

#include "cluster.h"

/* Prints a line for each sort of event on a cluster of this size, beside the same plan from scratch; the
 * cluster's objects are changed. */
void replan_run(BenchCluster *cluster, int node_count, int gpu_count, uint64_t seed);
/* The same for the controller's whole pass, once the cluster is full and everything is said: each pod waits.
 */
void replan_run_passes(BenchCluster *cluster, int node_count, int gpu_count, uint64_t seed);
