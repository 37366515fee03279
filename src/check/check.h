/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in facet's way on a cluster: rules over nodes, pods and a few facts beside them, each finding
 * with the command that mends it. Pure; the rules are a table in check.c.
 *
 *     CheckCluster cluster = {.snapshot = &snapshot, .nodes = ..., .pods = ..., ...};
 *     CLEANUP(check_findings_deinit) CheckFindings findings = {0};
 *     check_cluster(&cluster, &findings);
 *
 * A fact that nobody could look at is CHECK_UNKNOWN or NULL, and no rule concludes anything from it: whoever
 * looked says what he could not see. Names and labels in findings are those of the objects, as they came. */
#pragma once

#include "base/arena.h"
#include "base/array.h"
#include "cluster/snapshot.h"

typedef enum CheckSeverity {
  CHECK_NOTE,    /* good to know */
  CHECK_WARNING, /* something does not work as it could, or will not later */
  CHECK_ERROR,   /* facet does not work here, or pods may come to harm */
} CheckSeverity;

const char *check_severity_name(CheckSeverity severity); /* "error" */

typedef struct CheckFinding {
  CheckSeverity severity;
  const char *rule;     /* "mig-manager": stable, of the table */
  const char *object;   /* "node gpu-1", "pod ml/train", "cluster" */
  const char *sentence; /* without the object's name, so that equal findings of many objects are equal */
  const char *command;  /* fit for a shell, whatever names it holds */
  const char *where;    /* "on the node": the machine that it is for; NULL: where kubectl works */
} CheckFinding;

typedef struct CheckFindings {
  ARRAY(CheckFinding) items; /* errors first; else in the order of the rules and of the objects */
  Arena arena;               /* of their texts */
} CheckFindings;

typedef enum CheckFact { CHECK_UNKNOWN, CHECK_NO, CHECK_YES } CheckFact;

/* What facet's two accounts need; deploy/rbac.yaml in the same words. */
typedef struct CheckRight {
  bool is_agent;           /* else the controller's */
  const char *verb;        /* "patch" */
  const char *group;       /* "" is the core group */
  const char *resource;    /* "nodes" */
  const char *subresource; /* "status", or "" */
  bool is_namespaced;      /* in facet's own namespace; else everywhere */
} CheckRight;

const CheckRight *check_rights(size_t *ret_count);
enum { CHECK_RIGHTS_MAX = 32 };

typedef struct CheckCluster {
  /* All borrowed. The snapshot holds these nodes; warnings are what it had to say about them. */
  const Snapshot *snapshot;
  const SnapshotWarnings *warnings;
  const Node *const *nodes;
  size_t node_count;
  bool sees_nodes;
  const Pod *const *pods;
  size_t pod_count;
  bool sees_pods;
  int64_t now;                    /* Unix seconds; 0: of a dump nobody knows when it was made */
  const char *namespace_;         /* where facet is, or would be */
  const char *controller_account; /* names in that namespace */
  const char *agent_account;
  const char *server_version; /* "v1.36.2"; NULL: unknown */
  CheckFact has_namespace;
  CheckFact has_priority_class;
  CheckFact has_lease;                 /* of the controllers; then: */
  int64_t lease_renewed;               /* Unix seconds */
  CheckFact allowed[CHECK_RIGHTS_MAX]; /* as check_rights() has them */
} CheckCluster;

/* Into findings of zeroes. */
void check_cluster(const CheckCluster *cluster, CheckFindings *ret_findings);
int check_count(const CheckFindings *findings, CheckSeverity severity);
void check_findings_deinit(CheckFindings *findings);
