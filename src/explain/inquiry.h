/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of explain_compute(): the parts of one explanation, in the order in which they are made. */
#pragma once

#include "explain/change.h"

/* Groups of nodes and what is in the way there. */
void explain_groups_find(Explanation *explanation);
/* Everything but the ends of pods; after the groups. */
void explain_advice_find(Explanation *explanation);
/* Pods whose end would help, alone and then together. */
void explain_ends_find(Explanation *explanation);
/* Changes of several kinds together, where nothing else was found; after all others. */
void explain_together_find(Explanation *explanation);

enum { EXPLAIN_PODS_MAX = 8, EXPLAIN_CHANGES_MAX = 8 };

/* What happens together, on one node. */
typedef struct ExplainBundle {
  ExplainChange changes[EXPLAIN_CHANGES_MAX];
  int change_count;
  size_t pods[EXPLAIN_PODS_MAX]; /* these end */
  int pod_count;
} ExplainBundle;

/* Applies the changes, as explain_change_apply() says, who is the pod by its name; appends the words of each
 * with a comma, and the commands. False where one is not possible. */
bool explain_bundle_apply(const Explanation *explanation, const ExplainBundle *bundle, ExplainTrial *trial,
                          Text *words, Text *commands);
/* Is the subject served when all of it has happened, whichever slices the pods hold? */
bool explain_ends_serve(Explanation *explanation, const ExplainBundle *bundle, ExplainAnswer *ret_answer);

/* Plans; false where no tries are left. */
bool explain_try(Explanation *explanation, const ExplainTrial *trial, ExplainAnswer *ret_answer);
/* Adds the advice where the trial serves the subject. */
ExplainAdvice *explain_advise(Explanation *explanation, const ExplainTrial *trial, ExplainAdviceKind kind,
                              const char *text, const char *command);
ExplainAdvice *explain_add_advice(Explanation *explanation, ExplainAdviceKind kind, const char *text,
                                  const char *command, const ExplainAnswer *answer);
/* The index of the snapshot's node in the cluster. */
size_t explain_node_index(const Explanation *explanation, int node);
