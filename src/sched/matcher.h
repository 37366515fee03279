/* SPDX-License-Identifier: Apache-2.0 */
/* Which pods an affinity term or a spread constraint of a pod means: a label selector, and namespaces.
 *
 * The API server adds what matchLabelKeys and mismatchLabelKeys of an affinity term say to its selector when
 * a pod is created, and the scheduler looks at the selector only. So they are added here where a snapshot may
 * hold pods that no API server has seen (Snapshot.is_complete is off); adding them twice changes nothing. */
#pragma once

#include "base/arena.h"
#include "cluster/snapshot.h"

typedef struct SchedMatcher {
  const char *namespace_; /* of the pod whose term it is */
  const Strings *namespaces;
  const LabelSelector *namespace_selector; /* NULL: none */
  const LabelSelector *selector;           /* NULL: no pod matches */
  Requirement *merged;                     /* of the label keys */
  size_t merged_count;
  bool is_valid;   /* its selectors can be read */
  bool is_anti;    /* in doubt a pod of an unknown namespace matches */
  bool is_foreign; /* of a pod that is there already: a namespace that does not exist has no labels */
} SchedMatcher;

void sched_matcher_of_term(const Snapshot *snapshot, const Pod *pod, const PodAffinityTerm *term,
                           bool is_anti, Arena *arena, SchedMatcher *ret_matcher);
void sched_matcher_of_spread(const Pod *pod, const TopologySpreadConstraint *constraint, Arena *arena,
                             SchedMatcher *ret_matcher);
/* DoNotSchedule: the others are wishes, which no filter looks at. */
bool sched_spread_is_hard(const TopologySpreadConstraint *constraint);
bool sched_matcher_matches(const Snapshot *snapshot, const SchedMatcher *matcher, const Pod *pod);
/* Its label selector alone. */
bool sched_matcher_selects(const SchedMatcher *matcher, const KeyValues *labels);
/* No requirement at all, so that its label selector matches every pod. */
bool sched_matcher_is_empty(const SchedMatcher *matcher);
