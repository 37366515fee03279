/* SPDX-License-Identifier: Apache-2.0 */
/* Components that stumble over slices which come and go are restarted after a change: DCGM holds the
 * instances that it has seen, dcgm-exporter has no figures of those that came after it began. Which ones, and
 * when? Pure.
 *
 *     changed    a slice was made or taken away
 *        |       the plan is answered, and it was not restarted in the last minute
 *     asked      its pods on this node are looked for and deleted
 *        |
 *     served     ... after this change; what changes meanwhile is remembered
 *
 * What is refused is tried again ever more rarely. Changes of an earlier life of the agent are forgotten. */
#pragma once

#include "agent/node_pods.h"

enum {
  AGENT_RESTART_MAX = 16, /* components */
  AGENT_RESTART_PAUSE_MS = 60000,
  AGENT_RESTART_AGAIN_MS = 60000, /* after a refusal, doubling */
  AGENT_RESTART_AGAIN_MAX_MS = 1800000,
  AGENT_RESTART_NAMESPACE_SIZE = 64,
  AGENT_RESTART_SELECTOR_SIZE = 384,
};

typedef struct AgentRestartTarget {
  char namespace_[AGENT_RESTART_NAMESPACE_SIZE];
  char selector[AGENT_RESTART_SELECTOR_SIZE]; /* LABEL=VALUE */
  uint64_t asked_changes;
  uint64_t served_changes;
  uint64_t not_before_ms;
  uint32_t wait_ms; /* after the last refusal; 0: it was none */
} AgentRestartTarget;

typedef struct AgentRestart {
  AgentRestartTarget targets[AGENT_RESTART_MAX];
  int count;
  uint64_t changes; /* slices that came or went */
} AgentRestart;

typedef ARRAY(AgentNodePod) AgentRestartPods;

/* "NAMESPACE/LABEL=VALUE,..."; NULL or "": none. */
int agent_restart_parse(AgentRestart *restart, const char *text, Error *err) MUST_CHECK;
void agent_restart_note_change(AgentRestart *restart);
/* The next that is to be restarted now, or NULL; agent_restart_done or _refuse tells how it went. */
AgentRestartTarget *agent_restart_next(AgentRestart *restart, uint64_t now_ms);
void agent_restart_done(AgentRestartTarget *target, uint64_t now_ms);
void agent_restart_refuse(AgentRestartTarget *target, uint64_t now_ms);
/* When there is a next one although nothing happens; HOST_NEVER. */
uint64_t agent_restart_wake_ms(const AgentRestart *restart);

/* The pods in the answer that a DaemonSet of this node brings back. Those that nobody would, or others, are
 * named in ret_strays, parted by ", ". The caller releases both, also after a failure. */
int agent_restart_choose(const KubeAnswer *answer, const char *node, AgentRestartPods *ret_pods,
                         Text *ret_strays, Error *err) MUST_CHECK;
