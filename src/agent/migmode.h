/* SPDX-License-Identifier: Apache-2.0 */
/* MIG mode of GPUs that the node hands over whole (facet.gpu/mig-mode: auto, or the agent's option). It is
 * switched on only where that needs no reset and nobody uses the GPU; else the node says what is needed.
 *
 * A GPU without MIG mode is offered as a whole, and may have been promised to a pod that nobody sees yet. So,
 * as when slices are taken away, it is first taken off the kubelet's list and the node; a witness pod shows
 * that the scheduler has seen it; whoever was promised it has AGENT_MIGMODE_SETTLE_MS to come. */
#pragma once

#include "base/host.h"
#include "base/map.h"
#include "cluster/object.h"
#include "gpu/driver.h"

enum { AGENT_MIGMODE_SETTLE_MS = 5000, AGENT_MIGMODE_RETRY_MS = 300000 /* after it failed */ };

typedef enum AgentMigModeVerdict {
  AGENT_MIGMODE_NOTHING, /* it is on, cannot be, or nobody wants it */
  AGENT_MIGMODE_ENABLE,  /* idle, and needs no reset */
  AGENT_MIGMODE_BUSY,    /* somebody uses it */
  AGENT_MIGMODE_RESET,   /* not without a reset, or it waits for one */
  AGENT_MIGMODE_LOST, /* it had MIG mode on when the node last said so, and nobody wants us to switch it on */
} AgentMigModeVerdict;

typedef struct AgentMigMode {
  bool is_on;      /* the agent's option */
  bool is_read;    /* `was_on` is known */
  uint32_t was_on; /* GPU indexes that had MIG mode on in an earlier life, as bits */
  uint32_t failed; /* GPU indexes, as bits: not tried before retry_ms */
  uint64_t retry_ms;
  uint32_t withheld;           /* GPU indexes that are off the list now */
  bool is_witnessed;           /* the witness for them was called */
  uint64_t settled_ms;         /* the scheduler has seen it since; 0: not yet */
  char error[ERROR_TEXT_SIZE]; /* "" or why it failed */
  HostTimer timer;
} AgentMigMode;

/* held: ids that pods hold; NULL: nobody knows, and then every GPU is busy. Pure. */
AgentMigModeVerdict agent_migmode_judge(const AgentMigMode *mode, const Node *node, const GpuObserved *gpu,
                                        const Map *held);
/* A sentence for the node, or "". Pure. */
void agent_migmode_format(const GpuObserved *gpu, AgentMigModeVerdict verdict, char *ret_text, size_t size);
