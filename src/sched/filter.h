/* SPDX-License-Identifier: Apache-2.0 */
/* Would kube-scheduler 1.36 put this pod on that node? One file per filter plugin, in the scheduler's own
 * order and under its own names. Each filter is pure: a pod, a node of the snapshot, and words for a refusal.
 */
#pragma once

#include "base/text.h"
#include "cluster/snapshot.h"

typedef struct SchedVerdict {
  const char *plugin; /* the first filter that refuses, e.g. "NodeResourcesFit"; NULL: the pod fits */
  char reason[256];   /* the scheduler's words, e.g. "Insufficient nvidia.com/mig-1g.10gb" */
} SchedVerdict;

/* Each returns true where the node passes, else false with ret_reason (the scheduler's message) filled. */
typedef bool SchedFilter(const SnapshotPod *pod, const SnapshotNode *node, char *ret_reason, size_t size);
SchedFilter sched_node_unschedulable;
SchedFilter sched_node_name;
SchedFilter sched_taint_toleration;
SchedFilter sched_node_affinity;
SchedFilter sched_node_resources_fit; /* counts node->requested against node->allocatable */

typedef struct SchedPlugin {
  const char *name;
  SchedFilter *filter;
  bool is_resource_fit; /* depends on what is taken on the node, not only on its labels and taints */
} SchedPlugin;

/* All filters in the scheduler's order. */
const SchedPlugin *sched_plugins(int *ret_count);
/* Runs them in order until one refuses. */
bool sched_fits(const SnapshotPod *pod, const SnapshotNode *node, SchedVerdict *ret_verdict);
/* All filters but the resource fit: true where only resources could stand in the way. */
bool sched_admits(const SnapshotPod *pod, const SnapshotNode *node, SchedVerdict *ret_verdict);
/* Does the resource fit look at this resource? It leaves out what the kubelet does not count. */
bool sched_resource_is_counted(const char *resource);
/* The resources (other than MIG slices, if skip_mig) that are missing: true where none. */
bool sched_resources_fit(const SnapshotPod *pod, const SnapshotNode *node, bool skip_mig, char *ret_reason,
                         size_t size);
