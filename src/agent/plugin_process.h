/* SPDX-License-Identifier: Apache-2.0 */
/* NVIDIA's device plugin as a process of this machine: a seam, for where the agent may see and signal it
 * (host PID namespace, or one shared with the plugin's pod). */
#pragma once

#include "base/error.h"

#include <sys/types.h>

/* Conditions of hang_up. */
enum { AGENT_PLUGIN_UNSEEN = 1 /* there is no such process, or it cannot be seen */ };

typedef struct AgentPluginProcess AgentPluginProcess;
struct AgentPluginProcess {
  /* Sends SIGHUP to the plugin that serves this node's kubelet. Does not block. */
  int (*hang_up)(AgentPluginProcess *process, int *ret_pid, Error *err) MUST_CHECK;
};

/* Looks in /proc: a process whose program is called nvidia-device-plugin, and whose device plugin folder is
 * the very folder of our kubelet. So neither a name that only resembles it nor the plugin of another kubelet
 * on the same machine is ever signalled. (A program that does not expect SIGHUP is ended by it.) */
typedef struct AgentProcPlugin {
  AgentPluginProcess seam;
  const char *proc;         /* "/proc" */
  const char *inner_folder; /* the folder as the plugin sees it, compiled into it */
  const char *folder;       /* ... and as we do */
  int (*kill)(pid_t pid, int number);
} AgentProcPlugin;

/* folder is borrowed. */
void agent_proc_plugin_init(AgentProcPlugin *plugin, const char *folder);
