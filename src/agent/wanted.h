/* SPDX-License-Identifier: Apache-2.0 */
/* From what the node is told and what its GPUs hold to the next job for the driver. Pure, but for the
 * transactions, which remember what failed.
 *
 * A wanted slice whose place is free is created; one that exists is done; one whose place is taken by
 * something else is skipped: it may become free (withdrawal.h), or else the controller planned with an older
 * picture and will plan again. Whole slices are never destroyed here, only what a change that was cut in two
 * has left: a GPU instance without a compute instance, which nobody can have been promised. */
#pragma once

#include "cluster/object.h"
#include "gpu/transaction.h"

/* Is this node handed to facet (label gpu-partitioning=mig)? */
bool agent_wanted_is_managed(const Node *node);
/* facet.gpu/paused is there and not "false": whoever wrote it wanted something to stop. */
bool agent_wanted_is_paused(const Node *node);
enum { AGENT_BARE_MS = 10000 /* so old is half a slice, before it is taken for a leftover */ };

/* facet.gpu/exclude-gpus names the GPU, or cannot be read. */
bool agent_wanted_is_excluded(const Node *node, const GpuObserved *gpu);

/* Slices that pods rely on and that their GPU has lost; see relied.h. */
typedef struct AgentRelied AgentRelied;

typedef struct AgentTransactions {
  GpuTransaction items[GPU_COUNT_MAX]; /* of the present plan, one per GPU that it or anything else changes */
  int count;
} AgentTransactions;

typedef struct AgentWantedView {
  const Node *node;
  const GpuObservation *observation;
  const AgentRelied *relied; /* or NULL: nothing is lost */
  uint64_t now_ms;
  bool is_answered; /* nothing is taken away for the plan any more */
  bool is_done;     /* ... and nothing is created: what somebody destroyed since stays destroyed */
} AgentWantedView;

typedef enum AgentStep {
  AGENT_STEP_DONE, /* everything wanted exists or was skipped */
  AGENT_STEP_JOB,  /* ret_job is the next slice to create, or half of one to clear away */
} AgentStep;

typedef struct AgentWanted {
  AgentStep step;
  GpuJob job;
  int gpu; /* index of the job's GPU, for messages */
  char profile[MIG_PROFILE_NAME_SIZE];
  bool is_waiting;   /* a GPU could not be read just now: the next look tells what is to be done on it */
  int skipped;       /* wanted slices whose place is taken by others */
  char problem[512]; /* "" or a sentence about the spec (garbage, other GPU, unknown profile) */
} AgentWanted;

/* Can slices of this GPU be created and destroyed now, and may they? */
bool agent_wanted_is_workable(const Node *node, const GpuObserved *gpu);
/* Is it half of a slice, has been for longer than another program takes to complete it, and may go? */
bool agent_wanted_is_leftover(const AgentWantedView *view, const GpuObserved *gpu,
                              const GpuInstance *instance);
/* Begins a transaction where a GPU has none yet. First what pods rely on, on all GPUs, then the wish. */
void agent_wanted_compute(const AgentWantedView *view, AgentTransactions *transactions,
                          AgentWanted *ret_wanted);
/* The GPU's, begun with what it holds now where it had none. */
GpuTransaction *agent_wanted_begin(AgentTransactions *transactions, const GpuObserved *gpu);
/* The GPU's, or NULL where nothing was to be done on it. */
GpuTransaction *agent_wanted_transaction(AgentTransactions *transactions, const char *gpu_uuid);
