/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of a live cluster share; nobody else includes this. */
#pragma once

#include "cluster/live.h"

struct LiveNode {
  const Node *object;
  char *held;
  bool growth_only;
  int index;         /* in snapshot.nodes, unless all is stale */
  ARRAY(int) places; /* of its pods, in snapshot.placed */
};

/* Reads the node at its place, and charges its pods. */
void live_read_node(LiveCluster *live, LiveNode *node);
/* A pod that has no place gets one. */
void live_place_pod(LiveCluster *live, LivePod *pod, LiveChange *change);
/* Takes the place from a pod on a node, which is not read again. */
void live_unplace_pod(LiveCluster *live, LivePod *pod, LiveChange *change);
void live_add_stray(LiveCluster *live, LivePod *pod);
void live_remove_stray(LiveCluster *live, LivePod *pod);

/* While all else is up to date (live_nodes.c). */
void live_insert_node(LiveCluster *live, LiveNode *node);
/* Its pods are strays from now on. */
void live_extract_node(LiveCluster *live, LiveNode *node);
