/* SPDX-License-Identifier: Apache-2.0 */
/* Pods whose end may help: those that may hold what is in the way first, and of these the least important,
 * and then the one with the least to lose. */
#pragma once

#include "explain/explain.h"

typedef struct ExplainCandidate {
  size_t pod;   /* index in the cluster */
  int node;     /* index in the snapshot */
  int distance; /* slices in use at the nearest place in whose way it may be; FAR where in none */
  int32_t priority;
  int64_t weight; /* GB of the slices that it asks, where it may be in the way */
} ExplainCandidate;
typedef ARRAY(ExplainCandidate) ExplainCandidates;

/* All pods that are bound to a node; the caller releases the array. */
void explain_candidates_find(Explanation *explanation, ExplainCandidates *ret_candidates);
/* Those of one node, also where it is closed to the subject; returns how many, at most `max`. */
int explain_candidates_list(const Explanation *explanation, int node, size_t *ret_pods, int max);
