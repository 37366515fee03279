/* SPDX-License-Identifier: Apache-2.0 */
/* Who holds which slice of a node, as far as that can be known.
 *
 * A node reports that a slice is in use, but not by whom; the pods bound to it say which profiles they ask.
 * Where one pod of the profile is there, it is the holder. Where several are, one of them holds the slice,
 * and nobody outside the node knows which: then they are named as a set. Nothing is invented:
 *
 *     slices in use   asked by pods   what is known of each slice
 *           1         1 by a          a
 *           2         2 by a          a
 *           2         1 by a, 1 by b  one of a, b
 *           1         1 by a (Running), 1 by b (not Running yet)    a; b will take some free slice
 *           2         1 by a          one of a, and somebody who is not among the pods
 *           1         nobody          somebody who is not among the pods */
#pragma once

#include "explain/trial.h"

/* The pods that ask slices of one profile on one node. */
typedef struct ExplainHolders {
  char profile[MIG_PROFILE_NAME_SIZE];
  size_t *pods;    /* indexes in the cluster */
  int64_t *counts; /* slices that each asks */
  size_t pod_count;
  int64_t used;     /* slices of the profile in use on the node */
  int64_t asked;    /* by these pods together */
  bool is_complete; /* every slice in use is held by one of them, and each of them holds what it asks */
  bool is_floating; /* more is asked than is in use: some of them have not taken their slices yet */
  bool is_short;    /* less is asked than is in use: somebody else holds slices, too */
} ExplainHolders;

typedef struct ExplainNodeHolders {
  ExplainHolders *items; /* of every profile that is used or asked on the node */
  size_t count;
} ExplainNodeHolders;

/* By node of the snapshot, in the order of the snapshot. */
typedef struct ExplainHolding {
  Arena arena;
  ExplainNodeHolders *nodes;
  size_t node_count;
} ExplainHolding;

/* The snapshot is one of the cluster as it is. */
void explain_holding_init(ExplainHolding *holding, const ExplainCluster *cluster, const Snapshot *snapshot);
void explain_holding_deinit(ExplainHolding *holding);
/* NULL where no pod asks the profile there and none is in use. */
const ExplainHolders *explain_holding_find(const ExplainHolding *holding, int node, const char *profile);
/* The pod that holds every slice in use of that profile on that node; -1 where there is no single one. */
int64_t explain_holders_sole(const ExplainHolders *holders);
/* "ml/a", "one of ml/a, ml/b", "one of ml/a, ml/b and 3 more", "a pod that is not listed". */
void explain_holders_format(const ExplainHolders *holders, const ExplainCluster *cluster, Text *text);
/* "ml/a" */
void explain_pod_format(const Pod *pod, Text *text);
