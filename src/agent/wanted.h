/* SPDX-License-Identifier: Apache-2.0 */
/* From what the node is told and what its GPUs hold to the next slice to create. Pure.
 *
 * A wanted slice whose place is free is created; one that exists is done; one whose place is taken by
 * something else is skipped: it may become free (withdrawal.h), or else the controller planned with an older
 * picture and will plan again. */
#pragma once

#include "cluster/object.h"
#include "gpu/driver.h"

/* Is this node handed to facet (label gpu-partitioning=mig)? */
bool agent_wanted_is_managed(const Node *node);
/* facet.gpu/paused is there and not "false": whoever wrote it wanted something to stop. */
bool agent_wanted_is_paused(const Node *node);
/* facet.gpu/exclude-gpus names the GPU, or cannot be read. */
bool agent_wanted_is_excluded(const Node *node, const GpuObserved *gpu);

typedef enum AgentStep {
  AGENT_STEP_DONE,   /* everything wanted exists or was skipped */
  AGENT_STEP_CREATE, /* ret_job is the next slice */
} AgentStep;

typedef struct AgentWanted {
  AgentStep step;
  GpuJob job;
  int gpu; /* index of the job's GPU, for messages */
  char profile[MIG_PROFILE_NAME_SIZE];
  int skipped;       /* wanted slices whose place is taken by others */
  char problem[512]; /* "" or a sentence about the spec (garbage, other GPU, unknown profile) */
} AgentWanted;

/* Slices that were tried and failed in this plan: no second try until the plan changes. */
typedef struct AgentFailed {
  int gpu;
  int start;
  char profile[MIG_PROFILE_NAME_SIZE];
} AgentFailed;

void agent_wanted_compute(const Node *node, const GpuObservation *observation, const AgentFailed *failed,
                          size_t failed_count, AgentWanted *ret_wanted);

/* Does the slice of the job exist, complete? */
bool agent_wanted_exists(const GpuObservation *observation, const GpuJob *job);

/* The layout of a GPU as observed; instances that its model does not know are left out (and counted). */
int agent_layout_of(const GpuObserved *gpu, MigLayout *ret_layout);
