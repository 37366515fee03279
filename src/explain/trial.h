/* SPDX-License-Identifier: Apache-2.0 */
/* One what-if: the cluster with a few objects changed, and what the planner makes of one pod there.
 *
 *     CLEANUP(explain_trial_deinit) ExplainTrial trial;
 *     explain_trial_init(&trial, cluster);
 *     explain_trial_remove_pod(&trial, 17);
 *     if (explain_trial_serves(&trial, subject, &answer)) ...
 *
 * Nothing is guessed: the changed objects are read into a snapshot of their own, as if the cluster had sent
 * them, and planned as the controller would. The cluster's objects are borrowed and not touched. */
#pragma once

#include "plan/plan.h"

/* All objects of a cluster, by name; borrowed. */
typedef struct ExplainCluster {
  const Node *const *nodes;
  size_t node_count;
  const Pod *const *pods;
  size_t pod_count;
  /* Adds what else belongs to the cluster: namespaces, volumes and where they come from. NULL: nothing. */
  void (*add_others)(const void *userdata, Snapshot *snapshot);
  const void *userdata;
  int64_t old_before; /* who has waited long, as in PlanOptions; 0: nobody has */
} ExplainCluster;

enum { EXPLAIN_TRIAL_EDITS_MAX = 16 };

typedef struct ExplainEdit {
  size_t index;
  const void *object; /* a Node or a Pod in place of the cluster's; NULL: it is gone */
} ExplainEdit;

typedef struct ExplainTrial {
  const ExplainCluster *cluster;
  Arena arena; /* of the changed objects */
  ExplainEdit nodes[EXPLAIN_TRIAL_EDITS_MAX];
  ExplainEdit pods[EXPLAIN_TRIAL_EDITS_MAX];
  int node_edits, pod_edits;
  const Node *added; /* one node more; NULL */
} ExplainTrial;

typedef struct ExplainAnswer {
  PlanVerdict verdict;
  char node[256]; /* "" where it is not served */
  int served;     /* pods in all that are admitted, or fit */
} ExplainAnswer;

void explain_trial_init(ExplainTrial *trial, const ExplainCluster *cluster);
void explain_trial_deinit(ExplainTrial *trial);
/* The cluster's object for changing: a copy, shallow but for its labels and annotations. */
Node *explain_trial_edit_node(ExplainTrial *trial, size_t node);
Pod *explain_trial_edit_pod(ExplainTrial *trial, size_t pod);
void explain_trial_remove_pod(ExplainTrial *trial, size_t pod);
/* A copy of the node under another name, with these GPUs only: empty ones of one model, in MIG mode. */
Node *explain_trial_add_node_like(ExplainTrial *trial, size_t node, const char *name, const char *model);
/* The object as the trial has it, NULL where it is gone. */
const Node *explain_trial_node(const ExplainTrial *trial, size_t node);
const Pod *explain_trial_pod(const ExplainTrial *trial, size_t pod);
/* Reads everything into a fresh snapshot. Returns the index of the subject among the snapshot's pods, -1
 * where it is not one that waits. */
int explain_trial_snapshot(const ExplainTrial *trial, size_t subject, Snapshot *ret_snapshot,
                           SnapshotWarnings *warnings);
/* How such a snapshot is planned: as the controller would, but for what nobody asked for. */
PlanOptions explain_trial_options(const ExplainTrial *trial);
/* Plans; true where the subject is admitted or fits. */
bool explain_trial_serves(const ExplainTrial *trial, size_t subject, ExplainAnswer *ret_answer);

/* Sets or, with a NULL value, removes a key of a list that explain_trial_edit_... returned. */
void explain_set(ExplainTrial *trial, KeyValues *list, const char *key, const char *value);
