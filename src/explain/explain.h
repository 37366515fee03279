/* SPDX-License-Identifier: Apache-2.0 */
/* Why a pod waits, where it was tried, and the cheapest things that would let it in.
 *
 *     the planner's verdict and its sentence      plan/plan.h, on the cluster as it is
 *     every node and GPU, equal ones once         what stands in the way there (refusal.h, room.h)
 *     advice                                      each verified by the planner on a changed cluster (trial.h)
 *
 * Nothing is advised that was not planned: "when ml/a ends" means that the planner admits the pod on a
 * cluster without ml/a, wherever its slice may be. */
#pragma once

#include "explain/refusal.h"
#include "explain/room.h"

typedef enum ExplainVerdict {
  EXPLAIN_IGNORED,  /* as in plan/plan.h */
  EXPLAIN_FITS,     /* "" */
  EXPLAIN_ADMITTED, /* "" */
  EXPLAIN_BLOCKED,  /* "" */
  EXPLAIN_BOUND,    /* it has a node */
  EXPLAIN_ENDED,    /* it is over and holds nothing */
} ExplainVerdict;

typedef enum ExplainAdviceKind {                  /* in the order of their cost */
                                 EXPLAIN_WAIT,    /* for a node that is being re-cut */
                                 EXPLAIN_SETTING, /* of a node: an annotation, a label, a cordon, the MIG mode
                                                   */
                                 EXPLAIN_END,     /* pods end */
                                 EXPLAIN_ASK,     /* the pod asks for something else */
                                 EXPLAIN_TOLERATE, /* a taint: somebody put it there to keep pods away */
                                 EXPLAIN_SEVERAL,  /* of these together: none alone would do */
                                 EXPLAIN_PRIORITY, /* it comes before others, who lose */
                                 EXPLAIN_GPU,      /* one GPU more */
} ExplainAdviceKind;

typedef struct ExplainAdvice {
  ExplainAdviceKind kind;
  const char *text;    /* "when ml/a ends" */
  const char *outcome; /* "facet makes room for it on node n1" */
  const char *command; /* that does it; NULL */
  const char *node;    /* where the pod goes then */
  size_t pods[8];      /* EXPLAIN_END, EXPLAIN_SEVERAL: who ends; indexes in the cluster */
  int pod_count;
  bool other_slice; /* EXPLAIN_ASK: another slice than it asks, not less of something else */
} ExplainAdvice;

typedef enum ExplainNodeState {
  EXPLAIN_NODE_CHOSEN, /* the plan serves the pod there */
  EXPLAIN_NODE_ROOM,   /* it would be served there if it were alone */
  EXPLAIN_NODE_BLOCKED,
} ExplainNodeState;

typedef struct ExplainGroup { /* nodes that are alike in everything that matters here */
  int node;                   /* the first of them by name; index in the snapshot */
  int count;
  ExplainNodeState state;
  bool is_judged; /* false: it was one too many to ask the planner whether the pod would be served there alone
                   */
  ExplainObstacles obstacles;
  ExplainGpu *gpus; /* as many as the node has */
} ExplainGroup;

typedef struct ExplainNeed {
  char profile[MIG_PROFILE_NAME_SIZE];
  int64_t count;
} ExplainNeed;

typedef struct Explanation {
  Arena arena;
  const ExplainCluster *cluster;
  size_t subject; /* index in the cluster */
  Snapshot snapshot;
  Plan plan;
  ExplainHolding holding;
  int waiting;        /* index in the snapshot; -1: it does not wait */
  Resources requests; /* of the subject */
  ExplainVerdict verdict;
  const char *node;   /* "" where it has none and gets none */
  const char *reason; /* one sentence */
  ExplainNeed *needs; /* MIG slices, largest first */
  int need_count;
  int ahead;                   /* blocked pods that ask the same slices and come before it */
  ARRAY(ExplainAdvice) advice; /* cheapest first */
  ARRAY(ExplainGroup) groups;  /* nearest first */
  int other_nodes;             /* without anything that facet could give */
  int tries, tries_left;       /* plans made for the advice */
  bool all_ends_tried;         /* each bound pod alone: where no advice says so, no single one helps */
  int more_ends;               /* that were not tried, because enough help already */
} Explanation;

typedef struct ExplainOptions {
  int tries_max; /* plans; 0: as many as a few seconds allow */
} ExplainOptions;

void explain_compute(const ExplainCluster *cluster, size_t subject, const ExplainOptions *options,
                     Explanation *ret_explanation);
void explain_deinit(Explanation *explanation);
/* Whom the plan serves on the node: the first `max` of them, as indexes in the snapshot. Returns how many
 * there are. */
int explain_served_find(const Explanation *explanation, int node, int max, int *ret_pods);
/* "blocked", ...; "running", "ended" */
const char *explain_verdict_name(ExplainVerdict verdict);
/* "wait", "setting", "end", "ask", "tolerate", "several", "priority", "gpu" */
const char *explain_advice_name(ExplainAdviceKind kind);
/* "chosen", "room", "blocked" */
const char *explain_node_state_name(ExplainNodeState state);
