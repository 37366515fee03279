/* SPDX-License-Identifier: Apache-2.0 */
/* What the kubelet is told: for each resource name the slices of this node, and answers to its questions.
 * Pure. */
#pragma once

#include "base/arena.h"
#include "base/map.h"
#include "gpu/driver.h"
#include "kubelet/wire.h"

typedef struct AgentResource {
  char name[MIG_RESOURCE_NAME_SIZE]; /* "nvidia.com/mig-1g.10gb" */
  KubeletPartitions partitions;      /* by UUID; ids borrowed from the observation */
} AgentResource;

typedef struct AgentResources {
  AgentResource *items; /* by name; in the arena */
  size_t count;
} AgentResources;

/* The slices of the observation by resource; only complete ones (with a compute instance). */
void agent_publish_resources(const GpuObservation *observation, Arena *arena, AgentResources *ret_resources);
/* Does the kubelet's answer (GetAllocatableResources) hold exactly these partitions of the resource? */
bool agent_publish_is_known(const AgentResource *resource, const KubeletHelds *allocatable);
/* The slice with that UUID, or NULL; its GPU in ret_gpu. */
const GpuInstance *agent_publish_find(const GpuObservation *observation, const char *uuid,
                                      const GpuObserved **ret_gpu);
/* GetPreferredAllocation: slices on the GPU with the fewest free ones first, so that GPUs fill up one after
 * the other; there the highest start first, which keeps low slots for large profiles. `used`: ids held by
 * pods. */
void agent_publish_prefer(const GpuObservation *observation, const Map *used, const KubeletPreferred *request,
                          Arena *arena, Strings *ret_ids);
