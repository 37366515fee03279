/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of explain_compute(): the parts of one explanation, in the order in which they are made. */
#pragma once

#include "explain/explain.h"

/* Groups of nodes and what is in the way there. */
void explain_groups_find(Explanation *explanation);
/* Everything but the ends of pods; after the groups. */
void explain_advice_find(Explanation *explanation);
/* Pods whose end would help, alone and then together. */
void explain_ends_find(Explanation *explanation);

/* Plans; false where no tries are left. */
bool explain_try(Explanation *explanation, const ExplainTrial *trial, ExplainAnswer *ret_answer);
/* Adds the advice where the trial serves the subject. */
ExplainAdvice *explain_advise(Explanation *explanation, const ExplainTrial *trial, ExplainAdviceKind kind,
                              const char *text, const char *command);
ExplainAdvice *explain_add_advice(Explanation *explanation, ExplainAdviceKind kind, const char *text,
                                  const char *command, const ExplainAnswer *answer);
/* The index of the snapshot's node in the cluster. */
size_t explain_node_index(const Explanation *explanation, int node);
