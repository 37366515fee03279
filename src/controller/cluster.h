/* SPDX-License-Identifier: Apache-2.0 */
/* What the controller knows of its cluster, from pass to pass. It is told of every change, so that a pass
 * looks at what changed and not at everything: the planner lives here (plan/standing.h), and lists of what
 * the next pass has to look at. Objects are borrowed until they have been replaced or removed. */
#pragma once

#include "plan/standing.h"

enum { CONTROLLER_SCHEDULERS_MAX = 100 }; /* different ones that are told of */

typedef struct ControllerCluster {
  PlanStanding standing;
  Map to_judge; /* names of nodes of which something changed, or which time may change */
  Map to_count; /* "namespace/name" -> Pod: has a node and asks for slices, and is not part of the demand yet
                 */
  Map schedulers; /* through which pods ask for slices -> the first of these pods, "namespace/name", owned */
  Text key;       /* scratch */
} ControllerCluster;

void controller_cluster_init(ControllerCluster *cluster);
void controller_cluster_deinit(ControllerCluster *cluster);
void controller_cluster_put_node(ControllerCluster *cluster, const Node *node);
void controller_cluster_remove_node(ControllerCluster *cluster, const Node *node);
void controller_cluster_put_pod(ControllerCluster *cluster, const Pod *pod);
void controller_cluster_remove_pod(ControllerCluster *cluster, const Pod *pod);
/* The next pass judges the node, if it is there. */
void controller_cluster_judge(ControllerCluster *cluster, const char *node);
/* The pod did not hear what it was told: the next pass tells it again, if it still waits. */
void controller_cluster_tell_again(ControllerCluster *cluster, const char *namespace_, const char *name);
