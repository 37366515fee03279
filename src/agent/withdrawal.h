/* SPDX-License-Identifier: Apache-2.0 */
/* Which existing slices a plan takes away. Pure. */
#pragma once

#include "base/array.h"
#include "base/map.h"
#include "cluster/object.h"
#include "gpu/driver.h"

/* One slice to take away. */
typedef struct AgentTarget {
  int gpu;                      /* index, for messages */
  char gpu_uuid[MIG_UUID_SIZE]; /* of its GPU */
  char uuid[MIG_UUID_SIZE];     /* of the slice */
  char profile[MIG_PROFILE_NAME_SIZE];
  char resource[MIG_RESOURCE_NAME_SIZE];
  int nvml_id;
  uint8_t start, size;
} AgentTarget;

typedef ARRAY(AgentTarget) AgentTargets;

/* Appends the slices that the exact wish for their GPU (facet.gpu/spec-gpu-<i>) leaves out, by GPU and start.
 * Never one that is in use (`used`: ids), incomplete, kept by facet.gpu/keep-gpu-<i> or on an excluded GPU;
 * and nothing of a GPU whose wish or keep cannot be understood: in doubt a slice stays. nos' counts alone
 * take nothing away. */
void agent_withdrawal_compute(const Node *node, const GpuObservation *observation, const Map *used,
                              AgentTargets *ret_targets);
/* Appends the other slices of the targets' resources that no pod holds: what the kubelet could give for them.
 */
void agent_withdrawal_add_free(const GpuObservation *observation, const Map *used, AgentTargets *targets);
void agent_targets_append(AgentTargets *into, const AgentTargets *from);
/* Is it the slice that was meant? One that somebody makes in its place may have got its UUID. */
bool agent_target_is(const AgentTarget *target, const GpuInstance *instance);
/* The target with that slice, or NULL. */
const AgentTarget *agent_targets_find(const AgentTargets *targets, const char *uuid);
/* How many of the targets are of the resource. */
int agent_targets_count(const AgentTargets *targets, const char *resource);
/* Is one of these ids a target of the resource? */
bool agent_targets_has_one(const AgentTargets *targets, const char *resource, const Strings *ids);
/* "gpu 0: 1g.10gb@4, 1g.10gb@5" for log lines. */
void agent_targets_format(const AgentTargets *targets, char *ret_text, size_t size);
