/* SPDX-License-Identifier: Apache-2.0 */
/* A change to one node, or to what the pod asks for, as a value: it can be tried alone, or with others. */
#pragma once

#include "explain/explain.h"

typedef enum ExplainChangeKind {
  EXPLAIN_CHANGE_UNCORDON,
  EXPLAIN_CHANGE_ANNOTATION, /* `key` goes */
  EXPLAIN_CHANGE_LABEL,      /* the node is handed to facet */
  EXPLAIN_CHANGE_AGENT,      /* of the node reports the GPUs that its labels tell of, as empty ones */
  EXPLAIN_CHANGE_MODE,       /* of GPU `item` becomes on */
  EXPLAIN_CHANGE_TAINT,      /* `item` of the node goes, or is tolerated */
  EXPLAIN_CHANGE_SELECTOR,   /* `item` of the pod goes */
  EXPLAIN_CHANGE_AFFINITY,   /* of the pod to nodes goes, what it requires */
  EXPLAIN_CHANGE_COMPANY,    /* its affinity to other pods goes, what it requires */
  EXPLAIN_CHANGE_LESS,       /* the pod asks what is free of everything but MIG slices */
} ExplainChangeKind;

typedef struct ExplainChange {
  ExplainChangeKind kind;
  int node; /* index in the snapshot */
  size_t item;
  const char *key; /* borrowed */
} ExplainChange;

/* Which advice it is, alone. */
ExplainAdviceKind explain_change_advice(ExplainChangeKind kind);
/* Applies it. Returns the words, in the trial's arena: "uncordon node n1", "if WHO asks cpu 3 in place of 4";
 * NULL where it is not possible. *ret_command: the command that does it, or NULL. `freed` is what others have
 * left of the node by then; NULL: nothing. */
const char *explain_change_apply(const Explanation *explanation, const ExplainChange *change, const char *who,
                                 const Resources *freed, ExplainTrial *trial, const char **ret_command);
