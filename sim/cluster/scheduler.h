/* SPDX-License-Identifier: Apache-2.0 */
/* A small kube-scheduler: the first node, by name, that passes the real filters (sched/filter.h) gets the
 * pod. What can be allocated is what the node's status says: it knows nothing of facet. Pods that fit nowhere
 * are marked Unschedulable in the real scheduler's words, and tried again whenever a pod or node changes. */
#pragma once

#include "kube/client.h"
#include "kube/informer.h"

enum { SIM_SCHEDULER_DELAY_MS = 3 }; /* from a change to the decision */

typedef struct SimScheduler SimScheduler;

SimScheduler *sim_scheduler_new(Host *host, KubeTransport *transport);
void sim_scheduler_start(SimScheduler *scheduler);
void sim_scheduler_free(SimScheduler *scheduler);
DEFINE_CLEANUP(SimScheduler, sim_scheduler_free)
