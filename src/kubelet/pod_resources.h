/* SPDX-License-Identifier: Apache-2.0 */
/* A client of the kubelet's pod-resources API: which pod holds which slices, and which slices the kubelet
 * knows. Connects when needed and again after a failure. One question at a time per kind; the API is limited
 * to 100 a second with bursts of 10, so callers poll no faster than KUBELET_POLL_MS. */
#pragma once

#include "kubelet/grpc.h"
#include "kubelet/port.h"
#include "kubelet/wire.h"

enum { KUBELET_POLL_MS = 15, KUBELET_ANSWER_TIMEOUT_MS = 3000 };

typedef struct KubeletPodResources KubeletPodResources;
/* helds is borrowed for the call; err NULL on success. */
typedef void KubeletOnHelds(void *userdata, const KubeletHelds *helds, const Error *err);

/* socket: "/var/lib/kubelet/pod-resources/kubelet.sock" */
KubeletPodResources *kubelet_pod_resources_new(Host *host, KubeletPort *port, const char *socket);
void kubelet_pod_resources_free(KubeletPodResources *client); /* no callbacks */
DEFINE_CLEANUP(KubeletPodResources, kubelet_pod_resources_free)
/* false where the same question is still open: its answer will come to the first asker only. */
bool kubelet_pod_resources_list(KubeletPodResources *client, KubeletOnHelds *on_helds, void *userdata);
/* What one pod holds: nothing (no error) where the kubelet does not know the pod, or has not admitted it yet.
 */
bool kubelet_pod_resources_get(KubeletPodResources *client, const char *namespace_, const char *pod,
                               KubeletOnHelds *on_helds, void *userdata);
bool kubelet_pod_resources_allocatable(KubeletPodResources *client, KubeletOnHelds *on_helds, void *userdata);
