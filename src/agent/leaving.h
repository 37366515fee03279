/* SPDX-License-Identifier: Apache-2.0 */
/* Leaving a node: the agent ends, or the node is no longer handed to facet. Shared by the agent's own files.
 *
 * Without a device plugin the kubelet rejects every pod that comes for a slice, for good. So the scheduler is
 * stopped first, and what it has promised already is served:
 *
 *     STAYING  --> CLEARING   asked to end, or the label went
 *     CLEARING --> LEFT       the node has offered nothing for 5 s and the kubelet has taken nothing for 1 s,
 *                             or no slice is free any more; at the latest after 20 s
 *     LEFT     --> STAYING    the label came back
 *
 * The kubelet writes the amounts back at its next tick; each time they are taken down again, and the 5 s
 * begin anew. They are what the scheduler and the kubelet may take for a binding. GPUs and slices stay as
 * they are. */
#pragma once

#include "base/host.h"

enum { AGENT_LEAVE_SETTLE_MS = 5000, AGENT_LEAVE_QUIET_MS = 1000, AGENT_LEAVE_MAX_MS = 20000 };

typedef enum AgentLeavingState { AGENT_STAYING, AGENT_CLEARING, AGENT_LEFT } AgentLeavingState;

typedef struct AgentLeaving {
  AgentLeavingState state;
  bool is_end; /* of the agent; else of the node's time with facet */
  void (*on_left)(void *userdata);
  void *userdata;
  uint64_t began_ms;
  uint64_t nothing_since_ms; /* the node has offered nothing; 0: it does */
  uint64_t allocated_ms;     /* when the kubelet last took a slice */
  HostTimer timer;
} AgentLeaving;
