/* SPDX-License-Identifier: Apache-2.0 */
/* The cluster that a verb looks at, out of files (-f) or, where there is none, from the API server, of which
 * lists are read and nothing else. Shared by all verbs that think about a cluster: plan, explain, view,
 * simulate.
 *
 *     static const CliOption options_table[] = {CLI_INPUT_OPTIONS(Options, input), ...};
 *
 *     CLEANUP(cluster_input_deinit) ClusterInput input = {0};
 *     r = cluster_input_read(&options.input, &input, err);          the objects
 *     CLEANUP(snapshot_deinit) Snapshot snapshot;
 *     snapshot_init(&snapshot);
 *     cluster_input_fill(&input, &snapshot);                        what the core works on
 *     cluster_input_report(&input, "facet plan");                   what was wrong with them, to stderr
 *     ...
 *     return cluster_input_exit_code(&input);
 *
 * Files are what kubectl prints, `kubectl get nodes,pods -A -o json` or `-o yaml`: Lists, NodeLists, PodLists
 * or single objects, any number of documents one after the other, JSON or YAML, plain or compressed with
 * gzip. They are read as a stream; what is kept of an object is what planning needs, and what many objects
 * share (a Deployment's labels, its containers) is kept once. Times of objects are Unix seconds.
 *
 * A broken object is left out and named in a problem; the others count. Where a whole document breaks off
 * (truncated, malformed), what was read before counts, and the exit code says that it is not all. */
#pragma once

#include "base/array.h"
#include "cli/connect.h"
#include "cli/verb.h"
#include "cluster/object.h"
#include "cluster/snapshot.h"
#include "kube/dump.h"
#include "kube/pool.h"

enum {
  CLUSTER_INPUT_OBJECTS_MAX = 8 << 20, /* objects kept; more are an error */
  CLUSTER_INPUT_PROBLEMS_MAX = 20,     /* problems told on one run; the others are counted */
};

typedef struct ClusterInputOptions {
  CliStrings files; /* "-": standard input. None: the live cluster */
  CliConnectOptions connect;
  bool takes_parts; /* what may not be listed of the live cluster is left out, and told in `unseen` */
} ClusterInputOptions;

/* Rows for an options table; `member` is the ClusterInputOptions inside the verb's struct. */
#define CLI_INPUT_OPTIONS(Struct, member)                                                                    \
  {"--file,-f", CLI_STRINGS, offsetof(Struct, member.files), "FILE",                                         \
   "Output of `kubectl get nodes,pods -A -o json` (or yaml, also gzipped) in place of the live cluster; - "  \
   "is standard input; may be repeated."},                                                                   \
      CLI_CONNECT_OPTIONS(Struct, member.connect)

typedef struct ClusterInputOther {
  const KubeType *type;
  const void *object;
} ClusterInputOther;

typedef struct ClusterInput {
  KubePool *pool;                  /* owns all objects */
  ARRAY(const Node *) nodes;       /* by name, each once */
  ARRAY(const Pod *) pods;         /* by namespace and name, each once */
  ARRAY(ClusterInputOther) others; /* namespaces, and what volumes come from */
  bool knows_volumes;              /* these were looked for: in files, not in the live cluster */
  bool is_recorded;                /* read from files */
  size_t skipped;                  /* objects of kinds that facet does not read */
  bool sees_nodes, sees_pods;      /* false where the API server did not let them be listed */
  ARRAY(char *) unseen;            /* sentences of the live cluster, fit for a terminal: what, and why */
  bool is_partial;                 /* a document could not be read to its end */
  ARRAY(char *) problems; /* sentences, already fit for a terminal; the first CLUSTER_INPUT_PROBLEMS_MAX */
  size_t problem_count;   /* all of them */
} ClusterInput;

/* Into an input of zeroes. Fails where there is nothing to work on: a file that cannot be opened, one that
 * holds no Kubernetes object at all, an API server that does not answer or refuses. */
int cluster_input_read(const ClusterInputOptions *options, ClusterInput *ret_input, Error *err) MUST_CHECK;
/* The same of one source, called `name` in problems. */
int cluster_input_read_source(const KubeDumpSource *source, const char *name, ClusterInput *ret_input,
                              Error *err) MUST_CHECK;
/* All nodes, then all pods, into a fresh snapshot, which borrows them from the input. What the snapshot finds
 * wrong with them (annotations, quantities) becomes a problem too. */
void cluster_input_fill(ClusterInput *input, Snapshot *snapshot);
/* The same, with what the snapshot finds left to the caller; the texts live in the snapshot. */
void cluster_input_fill_told(ClusterInput *input, Snapshot *snapshot, SnapshotWarnings *ret_warnings);
/* Reads, fills a fresh snapshot, and reports what is wrong as `program`: what plan, explain and view begin
 * with. The caller releases both, after an error, too. */
int cluster_input_open(const ClusterInputOptions *options, const char *program, ClusterInput *ret_input,
                       Snapshot *ret_snapshot, Error *err) MUST_CHECK;
/* Everything but nodes and pods, for those who choose among these. */
void cluster_input_fill_others(const ClusterInput *input, Snapshot *snapshot);
/* Writes the problems to stderr, each "PROGRAM: sentence". */
void cluster_input_report(const ClusterInput *input, const char *program);
/* The sentence of a failed read, likewise: it may quote a file. */
void cluster_input_complain(const char *program, const Error *err);
/* CLI_EXIT_OK, or CLI_EXIT_FAILED where the input is partial. */
int cluster_input_exit_code(const ClusterInput *input);
/* Who was created before that instant (Unix seconds) has waited so long; 0 where nobody shall have. A file is
 * as old as the newest object in it: so it gives the same answer tomorrow. The clock is asked of a live
 * cluster, and where a pod that waits does not say when it was created. */
int64_t cluster_input_old_before(const ClusterInput *input, int64_t starvation_ms);
/* The object of that name, or NULL. */
const Node *cluster_input_find_node(const ClusterInput *input, const char *name);
const Pod *cluster_input_find_pod(const ClusterInput *input, const char *namespace_, const char *name);
void cluster_input_deinit(ClusterInput *input);
