/* SPDX-License-Identifier: Apache-2.0 */
/* The kubelet's state, shared by its own files: kubelet.c (life, sockets), endpoint.c (plugins and their
 * lists), admission.c (who gets what), pods.c (the life of pods), pod_resources.c, node_status.c. Nobody else
 * includes this. */
#pragma once

#include "kubelet/connection.h"
#include "kubelet/wire.h"
#include "sim/kubelet/kubelet.h"

typedef struct SimResource SimResource;

/* A plugin that registered: our connection to its socket. */
typedef struct SimEndpoint {
  SimKubelet *kubelet;
  char *resource;
  KubeletConnection *connection; /* NULL: lost */
  GrpcCall *registration;        /* waits until we have seen the plugin's options */
  bool prefers;
  int calls; /* open ones; the endpoint goes with the last of them when the connection is lost */
} SimEndpoint;

/* A connection to one of our own sockets. */
typedef struct SimPeer {
  SimKubelet *kubelet;
  KubeletConnection *connection;
  GrpcOnCall *on_call; /* gets the kubelet as its userdata */
} SimPeer;

typedef struct SimPartition {
  char *id;
  bool is_healthy;
} SimPartition;

struct SimResource {
  char *name;
  SimEndpoint *endpoint; /* that is asked to allocate; NULL: the plugin is away, nothing is healthy */
  SimEndpoint *client;   /* whose registration began last: it may still wait for its options */
  bool is_listed;        /* this plugin has sent its list */
  ARRAY(SimPartition) partitions;
};

typedef struct SimNeed {
  const char *container, *resource;
  size_t count;
} SimNeed;

typedef enum SimPodState {
  SIM_POD_QUEUED,
  SIM_POD_ADMITTING,
  SIM_POD_STARTING,
  SIM_POD_RUNNING,
  SIM_POD_STOPPING,
  SIM_POD_OVER, /* finished or rejected: holds nothing */
} SimPodState;

typedef enum SimNews { SIM_NEWS_NONE, SIM_NEWS_PHASE, SIM_NEWS_DELETION } SimNews;

typedef struct SimPod {
  SimKubelet *kubelet;
  Arena arena; /* owns the strings */
  const char *uid, *namespace_, *name;
  LIST(SimNeed) needs;
  uint64_t run_ms; /* 0: for ever */
  bool never_starts;
  bool has_run;
  SimPodState state;
  HostTimer timer; /* STARTING, RUNNING, STOPPING */
  /* what the API server is to be told */
  const char *phase; /* static; NULL: nothing */
  char message[ERROR_TEXT_SIZE];
  bool is_told;
  bool is_removed;   /* the API server has deleted it on our word */
  SimNews in_flight; /* what it is being told */
  /* what it told us */
  bool is_deleted; /* asked to go */
  bool is_gone;    /* freed when nothing needs it any more */
} SimPod;

typedef struct SimAdmission {
  SimPod *pod; /* NULL: none under way */
  size_t need;
  SimHeld *held;
  SimEndpoint *endpoint; /* of the open call */
  Arena arena;
  Strings available; /* when the need's turn came; in the arena */
  Text answer;
} SimAdmission;

struct SimKubelet {
  Host *host;
  KubeletPort *seam;
  SimPort *port;
  SimDisk *disk;
  SimKubeletOptions options;
  char *node_name;
  bool is_stopping;
  KubeClient *client;
  KubeInformer *nodes, *pods_watch;
  KubeletListener *registry, *pod_resources;
  ARRAY(SimPeer *) peers;
  ARRAY(SimEndpoint *) endpoints;
  ARRAY(SimResource *) resources;
  ARRAY(SimPod *) pods; /* in the order of their arrival */
  SimAdmission admission;
  HostTimer tell_timer;
  HostTimer tick_timer;
  HostTimer write_timer; /* until `status` is written */
  Text status;           /* body of the node's next write */
  uint32_t status_delay_ms;
};

/* kubelet.c: serves a connection to one of our sockets. */
void sim_kubelet_accept(SimKubelet *kubelet, KubeletStream *stream, GrpcOnCall *on_call);

/* endpoint.c */
SimResource *sim_endpoint_find(const SimKubelet *kubelet, const char *name); /* NULL: nobody registered */
/* A resource that somebody registered before this kubelet started: known, but without partitions. */
void sim_endpoint_remember(SimKubelet *kubelet, const char *name);
size_t sim_endpoint_count_healthy(const SimResource *resource);
void sim_endpoint_on_accept(void *userdata, KubeletStream *stream); /* of the registration socket */
void sim_endpoint_call(SimEndpoint *endpoint, const char *method, const Text *message,
                       const GrpcReply *reply);
void sim_endpoint_call_ended(SimEndpoint *endpoint);
void sim_endpoint_deinit(SimKubelet *kubelet);

/* admission.c: admits the next queued pod, if none is under way. */
void sim_admission_next(SimKubelet *kubelet);

/* pods.c */
void sim_pods_on_change(void *userdata, const void *old, const void *new_);
void sim_pods_on_synced(void *userdata);
void sim_pods_admitted(SimPod *pod);
void sim_pods_rejected(SimPod *pod, const char *why);
void sim_pods_withdrawn(SimPod *pod); /* deleted while it was being admitted */
bool sim_pods_is_known(const SimKubelet *kubelet, const char *uid);
void sim_pods_tell(void *userdata); /* sends what the API server does not know yet */
void sim_pods_deinit(SimKubelet *kubelet);

/* pod_resources.c */
void sim_pod_resources_on_accept(void *userdata, KubeletStream *stream);

/* node_status.c */
void sim_node_status_tick(void *userdata);
void sim_node_status_write(void *userdata); /* what the last tick found out */
