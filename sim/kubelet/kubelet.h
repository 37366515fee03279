/* SPDX-License-Identifier: Apache-2.0 */
/* The kubelet of one simulated node, as far as device plugins see it (after pkg/kubelet/cm/devicemanager of
 * Kubernetes 1.36): registration, lists, allocation, pod-resources; it admits the pods of its node one after
 * the other, starts and finishes their containers, and writes its part of the node's status at a tick of its
 * own.
 *
 * A pod for which no healthy partition is left is rejected for good (Failed, UnexpectedAdmissionError). */
#pragma once

#include "kube/client.h"
#include "kube/informer.h"
#include "mig/contract.h"
#include "sim/kubelet/disk.h"
#include "sim/kubelet/port.h"

#define SIM_KUBELET_PLUGIN_FOLDER "/var/lib/kubelet/device-plugins"
#define SIM_KUBELET_POD_RESOURCES "/var/lib/kubelet/pod-resources/kubelet.sock"
/* A pod's annotation: its container ends by itself after so many milliseconds. */
#define SIM_KUBELET_RUN_MS "sim.facet.gpu/run-ms"
/* The pods with this label have an image that exists nowhere: admitted, they hold what they got and stay
 * Pending. (The typed pods that informers keep have no images.) */
#define SIM_KUBELET_NO_IMAGE MIG_LABEL_RESERVATION

typedef struct SimKubelet SimKubelet;

/* A pod that was rejected for good. */
typedef struct SimRejection {
  const char *namespace_, *pod, *why;
  /* Something that it asked for had no plugin, or one that had not sent its list yet. */
  bool is_plugin_away;
} SimRejection;

typedef struct SimKubeletOptions {
  const char *node_name;
  uint32_t container_start_ms; /* from admission to Running */
  uint32_t container_stop_ms;  /* from the wish to delete a pod to the end of its container */
  uint32_t status_tick_ms;
  void (*on_rejected)(void *userdata, const SimRejection *rejection); /* may be NULL */
  void *userdata;
} SimKubeletOptions;

/* Port and disk are those of the node and outlive it. */
SimKubelet *sim_kubelet_new(const SimKubeletOptions *options, Host *host, KubeTransport *transport,
                            SimPort *port, SimDisk *disk);
void sim_kubelet_start(SimKubelet *kubelet);
/* From now on what a tick found out is written so much later, whatever happened meanwhile. */
void sim_kubelet_delay_status(SimKubelet *kubelet, uint32_t delay_ms);
void sim_kubelet_free(SimKubelet *kubelet); /* kill -9: sockets stay, containers run on */
DEFINE_CLEANUP(SimKubelet, sim_kubelet_free)
