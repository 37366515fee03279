/* SPDX-License-Identifier: Apache-2.0 */
/* Random clusters in which everything is short at once, and what an independent reader needs to know of them.
 *
 * A family has 2 to 50 nodes and some classes of pods. What the classes ask of which nodes is written down
 * here beside the objects, so that the oracle does not read the planner's or the filters' mind. */
#pragma once

#include "plan/plan_fixture.h"

enum { FAMILY_NODES_MAX = 50, FAMILY_CLASSES_MAX = 12, FAMILY_NEEDS_MAX = 3 };

typedef struct FamilyNeed {
  const char *profile;
  int count;
} FamilyNeed;

typedef struct FamilyAmounts { /* of what a node has and pods ask beside slices */
  int64_t cpu_milli, memory_mib, nics, pods;
} FamilyAmounts;

typedef struct FamilyClass {
  FamilyNeed needs[FAMILY_NEEDS_MAX];
  int need_count;
  FamilyAmounts asks; /* pods: 1 */
  int zone;           /* -1: any */
  bool tolerates;
  int count; /* how many of these pods wait */
} FamilyClass;

typedef struct FamilyNode {
  FamilyAmounts has;
  int zone;
  bool tainted;
} FamilyNode;

typedef struct FamilyMix { /* what the instances of a family have */
  const char *name;
  bool several_slices; /* of a pod, of several profiles and in several containers */
  bool short_cpu;      /* and memory, pods per node, network cards */
  bool constraints;    /* zones and taints */
  bool many_models;
  bool other_profiles; /* +me, +gfx */
  bool free_slices;    /* exist and may be withdrawn */
  int nodes_max;
} FamilyMix;

typedef struct Family {
  Fixture fixture;
  FamilyNode nodes[FAMILY_NODES_MAX]; /* in the order of the fixture's nodes */
  FamilyClass classes[FAMILY_CLASSES_MAX];
  int node_count, class_count;
} Family;

void family_generate(Family *family, const FamilyMix *mix, Random *random);
void family_deinit(Family *family);
bool family_admits(const FamilyNode *node, const FamilyClass *class_); /* zone and taint */
