/* SPDX-License-Identifier: Apache-2.0 */
/* A small kube-scheduler: the pods by priority and age, and for each the first node, by name, that passes the
 * real filters (sched/filter.h). It evicts nobody. What can be allocated is what the node's status says: it
 * knows nothing of facet. Pods that fit nowhere are marked Unschedulable in the real scheduler's words, and
 * tried again whenever a pod or node changes. */
#pragma once

#include "kube/client.h"
#include "kube/informer.h"

enum { SIM_SCHEDULER_DELAY_MS = 3 }; /* from a change to the decision */

typedef struct SimScheduler SimScheduler;

SimScheduler *sim_scheduler_new(Host *host, KubeTransport *transport);
void sim_scheduler_start(SimScheduler *scheduler);
/* While paused it decides nothing; bindings that are under way go on. */
void sim_scheduler_pause(SimScheduler *scheduler, bool is_paused);
/* From now on so many of a hundred bindings, by the host's random numbers, take up to that long: meanwhile
 * the pod is assumed, which nobody else can see. */
void sim_scheduler_delay_bindings(SimScheduler *scheduler, uint32_t percent, uint32_t max_ms);
/* From now on so many of a hundred pods go to any node that they fit on, not to the first. */
void sim_scheduler_wander(SimScheduler *scheduler, uint32_t percent);
/* The resource version of the node as it knows it; 0: it knows none. */
int64_t sim_scheduler_node_version(const SimScheduler *scheduler, const char *node);
void sim_scheduler_free(SimScheduler *scheduler); /* what it was about to bind is forgotten */
DEFINE_CLEANUP(SimScheduler, sim_scheduler_free)
