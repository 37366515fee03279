/* SPDX-License-Identifier: Apache-2.0 */
/* A snapshot that follows its cluster from event to event instead of being taken anew:
 *
 *     live_put_node(live, node); live_put_pod(live, pod, &change); ... live_remove_pod(live, pod, &change);
 *     const Snapshot *snapshot = live_snapshot(live);
 *
 * At any time it holds what snapshot_add_node() and snapshot_add_pod() would read of the same objects; nodes
 * by name, pods in an order of its own. A pod costs what is charged to its node, a node its annotations and
 * its pods; a node that comes or goes also a step for each other node and pod. Where many nodes come or go at
 * once, as in the beginning, all is read at the next question.
 *
 * Objects are borrowed until they have been replaced or removed. No fork may be open while anything changes.
 */
#pragma once

#include "cluster/live_pods.h"
#include "cluster/snapshot.h"

enum { LIVE_NODES_AT_ONCE = 16 /* nodes that come or go between two questions, one by one */ };

typedef struct LiveNode LiveNode;

typedef struct LiveCluster {
  Snapshot snapshot; /* by live_snapshot() only */
  LivePods pods;
  Map nodes;                 /* name -> LiveNode */
  ARRAY(LiveNode *) order;   /* by index in snapshot.nodes */
  ARRAY(LivePod *) strays;   /* whose nodes are not there */
  bool is_stale;             /* all has to be read again */
  int nodes_moved;           /* that came or went since the last question */
  size_t fresh_bytes;        /* that nodes and pods shared when all was read */
  SnapshotWarnings warnings; /* strings in `words` */
  Arena words;
} LiveCluster;

/* What an event did to the indexes of the snapshot. */
typedef struct LiveChange {
  bool all;     /* a node came or went, or everything is read again: no index is what it was */
  int came;     /* a waiting pod that was not there; -1 */
  int gone;     /* the index of a waiting pod that is not there any more; -1 */
  int moved;    /* the index that the pod had which is at `gone` now; -1: nobody is */
  int nodes[2]; /* those that were read again, or a pod was charged to */
  int node_count;
  int spec_gone; /* the number of a spec that no pod has any more: it may soon be another's; -1 */
} LiveChange;

void live_init(LiveCluster *live);
void live_deinit(LiveCluster *live);
/* Objects without a name are left out. `ret_change` may be NULL. */
void live_put_node(LiveCluster *live, const Node *node, LiveChange *ret_change);
void live_remove_node(LiveCluster *live, const char *name, LiveChange *ret_change);
void live_put_pod(LiveCluster *live, const Pod *pod, LiveChange *ret_change);
void live_remove_pod(LiveCluster *live, const Pod *pod, LiveChange *ret_change);
/* `held`: why nothing new goes to the node, copied; NULL: it is open. Of a node that is there. */
void live_hold_node(LiveCluster *live, const char *name, const char *held, bool growth_only,
                    LiveChange *ret_change);
/* As it was put last; NULL where it is not there. */
const Node *live_find_node(const LiveCluster *live, const char *name);
/* The index of the pod in the snapshot's `pods`; -1: it does not wait, or all is read again first. */
int live_find_waiting(LiveCluster *live, const Pod *pod);
/* The cluster as it is now; valid until the next event. */
Snapshot *live_snapshot(LiveCluster *live);
/* Forgets the warnings that were read. */
void live_clear_warnings(LiveCluster *live);
