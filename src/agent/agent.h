/* SPDX-License-Identifier: Apache-2.0 */
/* The agent: one per GPU node. Observes the GPUs, makes them what the controller wants, publishes slices to
 * the kubelet, and reports. A state machine over the four seams; everything is level-triggered: an event only
 * marks that something changed, then one step compares wanted, existing, published and reported and starts
 * what is next.
 *
 *     node watch --> wanted ---.---> take away free slices (recut.h)
 *     NVML worker -> existing --+--> create, destroy (one job at a time)
 *     kubelet -----> published -+--> list, barrier (the kubelet shows it)
 *     pod-resources> used ------'--> one PATCH of nodes/status, when something changed */
#pragma once

#include "agent/cdi.h"
#include "agent/plugin_process.h"
#include "base/host.h"
#include "gpu/driver.h"
#include "kube/client.h"
#include "kube/informer.h"
#include "kubelet/plugins.h"
#include "kubelet/pod_resources.h"
#include "metrics/metrics.h"

enum {
  AGENT_OBSERVE_MS = 60000,      /* look at the GPUs again even if nothing happened */
  AGENT_OBSERVE_AGAIN_MS = 500,  /* after one GPU could not be read for the first time */
  AGENT_OBSERVE_RETRY_MS = 5000, /* after they could not be read */
  AGENT_USE_POLL_MS = 300,       /* which slices do pods hold? A free one may be what a waiting pod needs */
  AGENT_USE_QUIET_MS = 200,      /* ... but not so soon after it allocated one (slices.c) */
  AGENT_USE_QUIET_MAX_MS = 1000, /* ... unless it never stops */
  AGENT_USE_ANSWER_MS = 50,      /* so long it may take to say who holds what */
  AGENT_BARRIER_MS = 200,        /* reports wait so long for the kubelet to show a new slice */
  AGENT_BARRIER_POLL_MAX_MS = 1000,
  AGENT_KUBELET_TICK_MS = 10000, /* it looks for what to write so often (nodeStatusUpdateFrequency) */
  AGENT_ANSWER_MS =
      20000, /* of the API server, to small questions: it may let them wait in a queue for 15 s */
  AGENT_KUBELET_LATE_MS = 3500, /* a write of the kubelet's to the node may be under way so long */
  AGENT_SEEN_MS = 2000,         /* a report that the watch does not show by then is compared and sent again */
  AGENT_USE_WAIT_MS = 2000,     /* the first report waits so long for who holds what */
  AGENT_RETRY_FIRST_MS = 500,   /* after a report was refused, doubling */
  AGENT_RETRY_MAX_MS = 60000,
  AGENT_TAKEOVER_PAUSE_MS = 10000, /* between two writes of the label of NVIDIA's plugin */
  AGENT_RIVAL_LOOK_MS = 10000,     /* has another plugin taken our resources? */
  AGENT_RIVAL_GRACE_MS =
      180000,             /* so long a kubelet may take to remember all its pods: the API server may hang */
  AGENT_GIVEN_MAX = 4096, /* remembered ids that pods got */
  AGENT_TRIES_MAX = 3,    /* of one slice, where the worker died or hung */
};

typedef struct Agent Agent;

typedef struct AgentOptions {
  const char *node_name;
  const char *device_plugin_folder; /* "/var/lib/kubelet/device-plugins" */
  bool take_over;                   /* keep NVIDIA's own device plugin away from the node */
  AgentCdiOptions cdi;
  const char *pod_resources_socket; /* "/var/lib/kubelet/pod-resources/kubelet.sock" */
  /* Of the pods that reserve slices to be taken away. */
  const char *reservation_namespace; /* "facet-system" */
  const char *scheduler_name;        /* that serves this node's pods; NULL: the default one */
  /* NVIDIA's device plugin publishes, and is made to read the GPUs again; no sockets of our own. */
  bool nvidia_publishes;
  bool mig_mode_auto;                /* as facet.gpu/mig-mode: auto, where the node says nothing */
  const char *disabled_healthchecks; /* as agent_health_parse() reads it; NULL: none */
  const char *plugin_selector;       /* label selector of its pod; NULL: its usual labels */
  const char *restart_after_change;  /* as agent_restart_parse() reads it; NULL: nothing */
  Metrics *metrics;                  /* borrowed; NULL: nobody counts */
  bool naive_withdrawal;             /* a test: takes slices away without a reservation, which kills pods */
} AgentOptions;

typedef struct AgentSeams {
  Host *host;
  KubeTransport *transport;
  KubeletPort *port;
  GpuDriver *driver;
  bool driver_watches;                /* it can wait for errors of the GPUs */
  AgentPluginProcess *plugin_process; /* NULL: NVIDIA's plugin cannot be signalled */
} AgentSeams;

Agent *agent_new(const AgentOptions *options, const AgentSeams *seams);
void agent_start(Agent *agent);
/* Does it know its node and GPUs? Otherwise *ret_why is what is missing, a sentence. */
bool agent_is_ready(const Agent *agent, const char **ret_why);
/* What is only known when somebody asks: the slices. */
void agent_fill_metrics(const Agent *agent);
/* What it sees and waits for, for people. */
void agent_debug_format(const Agent *agent, Text *ret_text);
/* Before the end: nobody is promised a slice any more, and who was gets it. Then on_left, perhaps at once. */
void agent_leave(Agent *agent, void (*on_left)(void *userdata), void *userdata);
/* At any time, not from inside a callback of a seam. A job in the driver is not taken back: free the driver
 * before the loop turns again. */
/* Does nothing more, neither to GPUs nor to the node, until it is freed; what the kubelet has stays served.
 */
void agent_halt(Agent *agent);
void agent_free(Agent *agent);
DEFINE_CLEANUP(Agent, agent_free)
