/* SPDX-License-Identifier: Apache-2.0 */
/* Leaving a node: the agent ends, or the node is no longer handed to facet. Shared by the agent's own files.
 *
 * Without a device plugin the kubelet rejects every pod that comes for a slice, for good. So the scheduler is
 * stopped first, and what it has promised already is served:
 *
 *     STAYING  --> CLEARING   asked to end, or the label went
 *     CLEARING --> LEFT       the scheduler has seen that the node offers nothing (a witness pod, recut.h),
 *                             5 s have passed, and the kubelet has taken nothing for 1 s; or no slice is free
 *                             any more; at the latest 60 s after the agent was asked to end, or 240 s after
 *                             the label went
 *     LEFT     --> STAYING    the label came back
 *
 * Both at once is what a DaemonSet does that selects nodes by the label: it ends the agent because the label
 * went. Then the node's time with facet is over, too, and the agent ends when the node has nothing of facet
 * any more. What the scheduler has seen decides, whosever the node is: so the witness's label goes last.
 *
 * The kubelet writes the amounts back at its next tick; each time they are taken down again, and the 5 s
 * begin anew, also where only the server knows of it, who is asked last of all (leaving_confirm.c). They are
 * what the scheduler and the kubelet may take for a binding. And since such a write may be under way when the
 * plugin goes, it goes soon after one was seen, when the next tick is far, or when none has come for so long
 * that none will. GPUs and slices stay as they are. */
#pragma once

#include "base/host.h"

enum {
  AGENT_LEAVE_SETTLE_MS = 5000,
  AGENT_LEAVE_QUIET_MS = 1000,
  AGENT_LEAVE_MAX_MS = 60000,
  AGENT_LEAVE_RETIREMENT_MAX_MS = 240000, /* longer than a witness is waited for (recut.h) */
  AGENT_LEAVE_WORDS_MS = 5000,            /* beyond these, for the last patches of a node */
};

typedef enum AgentLeavingState { AGENT_STAYING, AGENT_CLEARING, AGENT_LEFT } AgentLeavingState;

typedef struct AgentLeaving {
  AgentLeavingState state;
  bool is_end;        /* of the agent: on_left waits */
  bool is_retirement; /* of the node's time with facet: its label went */
  void (*on_left)(void *userdata);
  void *userdata;
  uint64_t began_ms;
  uint64_t end_ms;           /* is_end: since when */
  uint64_t nothing_since_ms; /* the node has offered nothing, and the scheduler knows; 0: not yet */
  uint64_t ticked_ms; /* the kubelet last put the amounts back, or else first had reason to; 0: not yet */
  bool has_ticked;    /* it has put them back */
  bool is_clear;      /* the node offered nothing when it was last looked at */
  bool is_witnessed;  /* a witness was called for that */
  bool is_confirming; /* the server is asked whether that is so still */
  bool is_confirmed;
  char *confirmed_version; /* of the node: known when that was asked; NULL: it offered something since */
  uint64_t allocated_ms;   /* when the kubelet last took a slice */
  HostTimer timer;
} AgentLeaving;
