/* SPDX-License-Identifier: Apache-2.0 */
/* Would kube-scheduler 1.36 put this pod on that node? One file per filter plugin, in the scheduler's own
 * order and under its own names, with its words. Pods and nodes are given by their index in the snapshot;
 * pods that are bound in its fork count as placed. Left to the scheduler: NodeVolumeLimits, DynamicResources,
 * and plugins that are off by default. */
#pragma once

#include "base/text.h"
#include "cluster/snapshot.h"

typedef struct SchedVerdict {
  const char *plugin; /* the first filter that refuses, e.g. "NodeResourcesFit"; NULL: the pod fits */
  char reason[256];   /* the scheduler's words, e.g. "Insufficient nvidia.com/mig-1g.10gb" */
} SchedVerdict;

/* Filters of which the pod and the node know all. Each returns true where the node passes, else false with
 * ret_reason (the scheduler's message) filled. The others stand in sched/coupling.h and sched/volumes.h. */
typedef bool SchedFilter(const SnapshotPod *pod, const SnapshotNode *node, char *ret_reason, size_t size);
SchedFilter sched_node_unschedulable;
SchedFilter sched_node_name;
SchedFilter sched_taint_toleration;
SchedFilter sched_node_affinity;
SchedFilter sched_node_resources_fit; /* counts node->requested against node->allocatable */

/* The name of a filter by its place in the scheduler's order, from 0 on; NULL behind the last. */
const char *sched_plugin_name(int place);

/* Runs all filters in order until one refuses. Where pods of at least this priority are nominated for the
 * node, it must pass beside them and without them. */
bool sched_fits(Snapshot *snapshot, int pod, int node, SchedVerdict *ret_verdict);
/* Only those whose answer does not change while pods are placed: true where nothing but resources and other
 * pods could stand in the way. */
bool sched_admits(Snapshot *snapshot, int pod, int node, SchedVerdict *ret_verdict);
/* Only those that look at other pods: ports, spreading, affinity, shared volumes. True for pods that are not
 * coupled (sched/coupling.h). */
bool sched_agrees(Snapshot *snapshot, int pod, int node, SchedVerdict *ret_verdict);
/* What comes before all nodes: gates, contradictions, claims that are missing. False: no node would do. */
bool sched_may_begin(Snapshot *snapshot, int pod, SchedVerdict *ret_verdict);
/* Does the resource fit look at this resource? It leaves out what the kubelet does not count. */
bool sched_resource_is_counted(const char *resource);
/* The resources (other than MIG slices, if skip_mig) that are missing: true where none. */
bool sched_resources_fit(const SnapshotPod *pod, const SnapshotNode *node, bool skip_mig, char *ret_reason,
                         size_t size);
