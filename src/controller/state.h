/* SPDX-License-Identifier: Apache-2.0 */
/* The controller's state, shared by controller.c and debug.c, which shows it. Nobody else includes this. */
#pragma once

#include "base/log_gate.h"
#include "controller/cluster.h"
#include "controller/controller.h"
#include "controller/counting.h"
#include "controller/leaving.h"
#include "controller/observing.h"

/* A node write on its way: in flight until the server answers, then awaited until the watch shows its plan
 * id. */
typedef struct NodeWrite {
  Controller *controller;
  char *node;
  char *summary;
  char plan_id[MIG_PLAN_ID_SIZE];
  uint64_t sent_ms;
  bool answered;
  uint64_t give_up_ms;
} NodeWrite;

/* An Event on its way to the pod. */
typedef struct PodWord {
  Controller *controller;
  char *uid, *namespace_, *name;
} PodWord;

struct Controller {
  ControllerOptions options;
  char *instance;
  Host *host;
  KubeTransport *transport;
  KubeClient *client;
  ControllerLeader *leader; /* NULL: there is no other controller */
  KubeInformer *nodes;
  KubeInformer *pods;
  HostTimer pass_timer;
  ControllerCluster cluster;
  ControllerMemory memory;
  Map writes; /* node name -> NodeWrite */
  bool dirty;
  uint64_t batch_began_ms; /* when the first pod of this batch came; 0: no batch */
  uint64_t passes;
  uint64_t passed_ms;     /* when the last one ran */
  ARRAY(PodWord *) words; /* in flight */
  char *last_outcome;     /* of the last pass, so that an unchanged one is not logged again */
  Map warned;             /* warnings that were logged already */
  LogGate gate;           /* for failures that repeat with every try */
  ControllerLeaving leaving;
  ControllerCounting counting;
  ControllerObserving observing;
};
