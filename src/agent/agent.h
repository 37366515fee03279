/* SPDX-License-Identifier: Apache-2.0 */
/* The agent: one per GPU node. Observes the GPUs, creates what the controller wants, publishes slices to the
 * kubelet, and reports. A state machine over the four seams; everything is level-triggered: an event only
 * marks that something changed, agent_step() compares wanted, existing, published and reported, and starts
 * what is next.
 *
 *     node watch --> wanted --.
 *     NVML worker -> existing -+--> create (one job at a time)
 *     kubelet -----> published-+--> list, barrier (the kubelet shows it)
 *     pod-resources> used -----'--> one PATCH of nodes/status, when something changed */
#pragma once

#include "base/host.h"
#include "gpu/driver.h"
#include "kube/client.h"
#include "kube/informer.h"
#include "kubelet/plugins.h"
#include "kubelet/pod_resources.h"

typedef struct Agent Agent;

typedef struct AgentOptions {
  const char *node_name;
  const char *device_plugin_folder; /* "/var/lib/kubelet/device-plugins" */
  const char *pod_resources_socket; /* "/var/lib/kubelet/pod-resources/kubelet.sock" */
} AgentOptions;

typedef struct AgentSeams {
  Host *host;
  KubeTransport *transport;
  KubeletPort *port;
  GpuDriver *driver;
} AgentSeams;

Agent *agent_new(const AgentOptions *options, const AgentSeams *seams);
void agent_start(Agent *agent);
void agent_free(Agent *agent);
DEFINE_CLEANUP(Agent, agent_free)
