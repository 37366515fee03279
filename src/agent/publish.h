/* SPDX-License-Identifier: Apache-2.0 */
/* What the kubelet is told: for each resource name the slices of this node, and answers to its questions.
 * Pure. */
#pragma once

#include "base/arena.h"
#include "base/map.h"
#include "gpu/driver.h"
#include "kubelet/wire.h"

#define AGENT_WHOLE_RESOURCE "nvidia.com/gpu"

typedef struct AgentResource {
  char name[MIG_RESOURCE_NAME_SIZE]; /* "nvidia.com/mig-1g.10gb", or that of whole GPUs */
  KubeletPartitions partitions;      /* by UUID; ids borrowed from the observation */
} AgentResource;

typedef struct AgentResources {
  AgentResource *items; /* by name; in the arena */
  size_t count;
} AgentResources;

/* What the node offers, by resource: slices (only complete ones, with a compute instance), every profile that
 * its GPUs in MIG mode can have, even where there is no slice of it, and GPUs that are not in MIG mode. */
void agent_publish_resources(const GpuObservation *observation, Arena *arena, AgentResources *ret_resources);
/* How many of the partitions are healthy: that is what the node offers. */
size_t agent_publish_amount(const AgentResource *resource);
/* Does the kubelet's answer (GetAllocatableResources) hold exactly these partitions of the resource? Kubelets
 * differ in whether they name unhealthy ones. */
bool agent_publish_is_known(const AgentResource *resource, const KubeletHelds *allocatable);
/* Is it one of the names that this agent may publish? */
bool agent_publish_is_resource(const char *name);
/* Can a container get this now: a complete slice, or a GPU that is offered whole? */
bool agent_publish_exists(const GpuObservation *observation, const char *id);
/* The GPU with that UUID, if it is offered whole, or NULL. */
const GpuObserved *agent_publish_find_whole(const GpuObservation *observation, const char *uuid);
/* The slice with that UUID, or NULL; its GPU in ret_gpu. */
const GpuInstance *agent_publish_find(const GpuObservation *observation, const char *uuid,
                                      const GpuObserved **ret_gpu);
/* GetPreferredAllocation: slices on the GPU with the fewest free ones first, so that GPUs fill up one after
 * the other; there the highest start first, which keeps low slots for large profiles. Whole GPUs by their
 * index. `used`: ids held by pods. */
void agent_publish_prefer(const GpuObservation *observation, const Map *used, const KubeletPreferred *request,
                          Arena *arena, Strings *ret_ids);
