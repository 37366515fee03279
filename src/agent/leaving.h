/* SPDX-License-Identifier: Apache-2.0 */
/* Leaving a node: the agent ends, or the node is no longer handed to facet. Shared by the agent's own files.
 *
 * Without a device plugin the kubelet rejects every pod that comes for a slice, for good. So the scheduler is
 * stopped first, and what it has promised already is served:
 *
 *     STAYING  --> CLEARING   asked to end, or the label went
 *     CLEARING --> LEFT       the scheduler has seen that the node offers nothing (a witness pod, recut.h);
 *                             5 s have passed, and the kubelet has taken nothing for 1 s, or no slice is free
 *                             any more; at the latest after 60 s
 *     LEFT     --> STAYING    the label came back
 *
 * Both at once is what a DaemonSet does that selects nodes by the label: it ends the agent because the label
 * went. Then the node's time with facet is over, too, and the agent ends when the node has nothing of facet
 * any more.
 *
 * The kubelet writes the amounts back at its next tick; each time they are taken down again, and the 5 s
 * begin anew, also where only the server knows of it, who is asked last of all (leaving_confirm.c). They are
 * what the scheduler and the kubelet may take for a binding. A node that is no longer ours keeps the
 * witness's label until all that is known, and only then loses our last word. GPUs and slices stay as they
 * are. */
#pragma once

#include "base/host.h"

enum { AGENT_LEAVE_SETTLE_MS = 5000, AGENT_LEAVE_QUIET_MS = 1000, AGENT_LEAVE_MAX_MS = 60000 };

typedef enum AgentLeavingState { AGENT_STAYING, AGENT_CLEARING, AGENT_LEFT } AgentLeavingState;

typedef struct AgentLeaving {
  AgentLeavingState state;
  bool is_end;        /* of the agent: on_left waits */
  bool is_retirement; /* of the node's time with facet: its label went */
  void (*on_left)(void *userdata);
  void *userdata;
  uint64_t began_ms;
  uint64_t nothing_since_ms; /* the node has offered nothing, and the scheduler knows; 0: not yet */
  bool is_clear;             /* the node offered nothing when it was last looked at */
  bool is_witnessed;         /* a witness was called for that */
  bool is_confirming;        /* the server is asked whether that is so still */
  bool is_confirmed;
  uint64_t allocated_ms; /* when the kubelet last took a slice */
  HostTimer timer;
} AgentLeaving;
