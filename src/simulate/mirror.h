/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated cluster as Kubernetes objects, as its agents would report it: what facet's planner reads. */
#pragma once

#include "base/arena.h"
#include "cluster/object.h"
#include "simulate/world.h"

typedef struct SimulateMirrorNode {
  Arena arena;
  Node object;
  uint64_t state; /* equal for nodes that are alike to the planner, up to their names */
} SimulateMirrorNode;

typedef struct SimulateMirror {
  const SimulateFleet *fleet; /* borrowed */
  SimulateMirrorNode *nodes;
} SimulateMirror;

void simulate_mirror_init(SimulateMirror *mirror, const SimulateFleet *fleet);
void simulate_mirror_deinit(SimulateMirror *mirror);
/* The node's object, brought up to date if the fleet's node is marked as changed; the mark is not cleared.
 * The order of the names is that of the fleet. */
const SimulateMirrorNode *simulate_mirror_update(SimulateMirror *mirror, int index);
/* A waiting pod that asks so many slices of the profile; the larger `number`, the younger. */
Pod *simulate_mirror_make_pod(Arena *arena, const char *profile, int count, int number);
