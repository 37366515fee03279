/* SPDX-License-Identifier: Apache-2.0 */
/* A whole cluster in one thread: API server, scheduler, nodes with simulated GPUs and kubelets - and the real
 * controller and agents between them, over the four seams. Time is virtual: it jumps from one timer to the
 * next, and whoever wants to watch makes it wait (pace).
 *
 *     sim_cluster_new(&options, &cluster, &err);
 *     sim_cluster_settle(cluster);
 *     sim_cluster_create_pods(cluster, "1g.10gb", 5, &err);
 *     sim_cluster_run(cluster, until_ms, is_done, ...); */
#pragma once

#include "agent/agent.h"
#include "controller/controller.h"
#include "sim/apiserver/server.h"
#include "sim/cluster/driver.h"
#include "sim/cluster/scheduler.h"
#include "sim/kubelet/kubelet.h"

#define SIM_CLUSTER_NAMESPACE        "demo"
#define SIM_CLUSTER_SYSTEM_NAMESPACE "facet-system" /* of the reservation pods */

enum {
  SIM_CLUSTER_NODES_MAX = 1000,
  SIM_CLUSTER_SETTLE_MS = 5000, /* so long may the agents take for their first report */
};

typedef struct SimClusterOptions {
  uint64_t seed;
  int node_count;
  const char *machine;        /* of each node: "2xA100-SXM4-80GB" */
  bool driver_watches;        /* the agents wait for errors of the GPUs */
  const char *machine_folder; /* of a single node: its driver's jobs run in processes, and may be killed */
  SimApiOptions api;
  uint32_t socket_jitter_ms;
  double gpu_latency; /* factor on the times of real GPUs */
  uint32_t container_start_ms, container_stop_ms;
  PlanLeftover leftover;
  int pod_digits; /* at least so many in a pod's name, so that names sort by age */
} SimClusterOptions;

/* What the demo uses: one A100-80GB and the times of a real, quick cluster. */
SimClusterOptions sim_cluster_defaults(void);

typedef struct SimClusterNode {
  char name[32]; /* "gpu-1" */
  SimDriver *driver;
  SimPort *port;
  SimDisk disk;
  SimKubelet *kubelet; /* NULL: killed */
  Agent *agent;        /* NULL: killed */
  SimApiLine line;     /* the agent's */
} SimClusterNode;

typedef struct SimCluster {
  Host host;
  SimClusterOptions options;
  SimApi *api;
  SimScheduler *scheduler;
  Controller *controller; /* NULL: killed */
  SimClusterNode *nodes;
  int node_count;
  int pod_count;        /* ever created */
  uint64_t changed_ms;  /* when an object last changed */
  int64_t clock_off_ms; /* of the wall clock, from what it would be */
  uint64_t machines;    /* ever started: seeds of their GPUs */
  /* Set by the owner; may be NULL. */
  void (*on_change)(void *userdata, const SimApiChange *change);
  void *change_userdata;
  void (*on_rejected)(void *userdata, const SimRejection *rejection);
  void *rejected_userdata;
  bool (*pace)(void *userdata, uint64_t next_ms); /* before time goes on to next_ms; false stops the run */
  void *pace_userdata;
} SimCluster;

int sim_cluster_new(const SimClusterOptions *options, SimCluster **ret_cluster, Error *err) MUST_CHECK;
void sim_cluster_free(SimCluster *cluster);
DEFINE_CLEANUP(SimCluster, sim_cluster_free)

/* Runs until the moment, or until is_done (may be NULL) says so after some timers; true where it did. */
bool sim_cluster_run(SimCluster *cluster, uint64_t until_ms, bool (*is_done)(void *userdata), void *userdata);
/* Runs until every node with an agent has reported its GPUs. */
bool sim_cluster_settle(SimCluster *cluster);
/* n pods "p-<number>" that ask one slice each; numbers go on from the pods before. */
int sim_cluster_create_pods(SimCluster *cluster, const char *profile, int count, Error *err) MUST_CHECK;
/* One more such pod, whose container ends by itself after run_ms (0: never). */
int sim_cluster_create_pod(SimCluster *cluster, const char *profile, uint64_t run_ms, Error *err) MUST_CHECK;
size_t sim_cluster_count_pods(const SimCluster *cluster, const char *phase);

/* kill -9 and start afresh; of the node nodes[i]. */
void sim_cluster_kill_agent(SimCluster *cluster, int i);
void sim_cluster_start_agent(SimCluster *cluster, int i);
void sim_cluster_kill_kubelet(SimCluster *cluster, int i);
void sim_cluster_start_kubelet(SimCluster *cluster, int i);
/* The scheduler forgets what it was about to bind. */
void sim_cluster_restart_scheduler(SimCluster *cluster);
/* The node's object and its pods go; agent and kubelet were killed before. */
void sim_cluster_delete_node(SimCluster *cluster, int i);
/* The same name again, on the same machine or on a new one; agent and kubelet are to be started. */
int sim_cluster_create_node(SimCluster *cluster, int i, bool is_new_machine, Error *err) MUST_CHECK;
void sim_cluster_kill_controller(SimCluster *cluster);
void sim_cluster_start_controller(SimCluster *cluster);
