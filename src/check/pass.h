/* SPDX-License-Identifier: Apache-2.0 */
/* One pass over all rules, and what rules share. Private to check/. */
#pragma once

#include "base/text.h"
#include "check/check.h"

typedef struct CheckNode CheckNode;
typedef struct CheckPass CheckPass;

/* A node with the pods on it. */
struct CheckNode {
  const Node *object;
  const SnapshotNode *snapshot; /* its GPUs as planning reads them */
  const char *name;
  const Pod **pods; /* on it, terminal ones left out */
  size_t pod_count;
  const char *label; /* value of MIG_LABEL_PARTITIONING; NULL: none */
  bool is_ours;      /* the label says mig */
  bool has_gpus;     /* by whatever sign */
};

struct CheckPass {
  const CheckCluster *cluster;
  CheckFindings *findings;
  const char *rule; /* that is at work */
  CheckNode *nodes;
  size_t node_count;
  size_t ours;         /* nodes that carry the label with mig */
  bool has_agent_pods; /* facet's agents run as pods in this cluster, so a node without one lacks it */
};

/* The rules: each looks at one thing. Those about nodes are called for each node, with its label or without.
 */
typedef void CheckNodeRule(CheckPass *pass, const CheckNode *node);
typedef void CheckClusterRule(CheckPass *pass);

/* cluster_rules.c */
CheckClusterRule check_no_gpu, check_no_node, check_server, check_namespace, check_priority_class,
    check_controller;
CheckClusterRule check_account_rights;
/* node_rules.c */
CheckNodeRule check_label, check_ready, check_gpus_there, check_mig_capable, check_mig_mode, check_model,
    check_kubelet;
CheckNodeRule check_driver, check_paused;
/* agent_rules.c */
CheckNodeRule check_agent, check_answer, check_trouble, check_stage, check_left_orders;
CheckClusterRule check_annotations;
/* nvidia_rules.c */
CheckNodeRule check_mig_manager, check_strategy, check_device_plugin, check_sharing, check_validator,
    check_dcgm;
/* pod_rules.c */
CheckClusterRule check_nos, check_nos_scheduler, check_profiles;

/* Adds one; the texts are copied. A command that is for another machine begins with it: "on the node: ...".
 */
void check_add(CheckPass *pass, CheckSeverity severity, const char *object, const char *command,
               const char *format, ...) PRINTF_LIKE(5, 6);
void check_add_node(CheckPass *pass, CheckSeverity severity, const CheckNode *node, const char *command,
                    const char *format, ...) PRINTF_LIKE(5, 6);
/* Texts of this pass. */
const char *check_format(CheckPass *pass, const char *format, ...) PRINTF_LIKE(2, 3);
/* A word as a shell reads it back, whatever it holds. */
const char *check_word(CheckPass *pass, const char *word);
/* Of a text that anybody may have written, what a sentence can bear. */
const char *check_excerpt(CheckPass *pass, const char *text);

/* NULL: none. */
const char *check_label_of(const CheckNode *node, const char *key);
const char *check_annotation_of(const CheckNode *node, const char *key);
/* The first pod on the node with that label, or NULL. */
const Pod *check_pod_on(const CheckNode *node, const char *key, const char *value);
/* "ml/train" */
const char *check_pod_name(CheckPass *pass, const Pod *pod);
bool check_pod_runs(const Pod *pod); /* Running, with the condition Ready where it has one */
/* The name of the DaemonSet or so that owns it; its own where nobody does. */
const char *check_pod_owner(const Pod *pod);
/* Of facet itself: the label app.kubernetes.io/component tells "controller" from "agent". */
bool check_is_facet(const Pod *pod, const char *component);

/* `kubectl label node NAME KEYS --overwrite` */
const char *check_label_command(CheckPass *pass, const CheckNode *node, const char *keys);
/* The command that installs facet, or mends an installation. */
const char *check_install_command(CheckPass *pass);
