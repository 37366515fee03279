/* SPDX-License-Identifier: Apache-2.0 */
/* The agent restarts components after a change of slices, around the pure machine of restart.h: one after the
 * other, each by the deletion of its pods on this node. Shared by the agent's own files. */
#pragma once

#include "agent/restart.h"
#include "base/host.h"

typedef struct AgentRestarting {
  AgentRestart machine;
  AgentRestartTarget *target; /* at work on it; NULL: on none */
  AgentRestartPods pods;      /* of it, to be deleted */
  size_t deleted;             /* so many of them are */
  HostTimer timer;
} AgentRestarting;
