/* SPDX-License-Identifier: Apache-2.0 */
/* The agent beside NVIDIA's device plugin, which stays and publishes: makes it read the GPUs again, by SIGHUP
 * to its process or by deleting its pod, around the pure machine of reread.h. Shared by the agent's own
 * files. */
#pragma once

#include "agent/plugin_pod.h"
#include "agent/plugin_process.h"
#include "agent/reread.h"
#include "base/host.h"

enum { AGENT_REREAD_POLL_MS = 100, AGENT_REREAD_POLL_FAST_MS = 30000 /* since it was asked */ };

typedef struct AgentRereading {
  bool is_on;
  AgentPluginProcess *process; /* NULL: it cannot be signalled */
  char *selector;              /* of its pod; NULL: the common ones, in turn */
  size_t selector_index;
  AgentReread machine;
  uint64_t changes;               /* of the slices */
  uint64_t answered_changes;      /* when the kubelet last said what it shows */
  AgentNodePod pod;               /* being deleted */
  char silence[ERROR_TEXT_SIZE];  /* why it was not signalled; "" */
  char how[ERROR_TEXT_SIZE];      /* it was asked last */
  char hopeless[ERROR_TEXT_SIZE]; /* what it does that does not fit; "" */
  uint64_t told_began_ms;         /* the wait that since_ms speaks of */
  int64_t since_ms;               /* Unix time */
  char stage[ERROR_TEXT_SIZE];
  char error[ERROR_TEXT_SIZE];
  HostTimer timer;
} AgentRereading;
