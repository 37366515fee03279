/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/plugin_process.h"

#include "base/memory.h"
#include "base/text.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PROGRAM "nvidia-device-plugin"

static void close_folder(DIR **folder) {
  if (*folder)
    closedir(*folder);
}

static void close_file(FILE **file) {
  if (*file)
    fclose(*file);
}

/* By argv[0]: `comm` has room for 15 characters only. */
static bool is_named(const AgentProcPlugin *plugin, const char *pid) {
  char path[256], program[256] = "";
  snprintf(path, sizeof path, "%s/%s/cmdline", plugin->proc, pid);
  CLEANUP(close_file) FILE *file = fopen(path, "re");
  if (!file || !fread(program, 1, sizeof program - 1, file))
    return false;
  const char *slash = strrchr(program, '/');
  return strcmp(slash ? slash + 1 : program, PROGRAM) == 0;
}

enum { IS_OURS, IS_OTHER };

static int judge_folder(const AgentProcPlugin *plugin, const char *pid, Error *err) {
  char path[512];
  struct stat ours, theirs;
  snprintf(path, sizeof path, "%s/%s/root%s", plugin->proc, pid, plugin->inner_folder);
  if (stat(plugin->folder, &ours) < 0)
    return error_set_errno(err, ERROR_IO, errno, "the device plugin folder %s cannot be looked at",
                           plugin->folder);
  if (stat(path, &theirs) < 0) {
    if (errno == ENOENT || errno == ESRCH)
      return IS_OTHER;
    return error_set_errno(err, ERROR_DENIED, errno, "process %s (" PROGRAM ") cannot be examined", pid);
  }
  return ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino ? IS_OURS : IS_OTHER;
}

static int hang_up(const AgentProcPlugin *plugin, const char *pid, int *ret_pid, Error *err) {
  pid_t number = (pid_t)strtol(pid, NULL, 10);
  if (plugin->kill(number, SIGHUP) < 0) {
    if (errno == ESRCH)
      return AGENT_PLUGIN_UNSEEN;
    return error_set_errno(err, ERROR_DENIED, errno, "process %s (" PROGRAM ") may not be sent SIGHUP", pid);
  }
  *ret_pid = number;
  return 0;
}

static int find_and_hang_up(AgentPluginProcess *process, int *ret_pid, Error *err) {
  const AgentProcPlugin *plugin = (const AgentProcPlugin *)process;
  CLEANUP(close_folder) DIR *folder = opendir(plugin->proc);
  if (!folder)
    return error_set_errno(err, ERROR_IO, errno, "%s cannot be read", plugin->proc);
  int result = AGENT_PLUGIN_UNSEEN;
  for (struct dirent *entry; (entry = readdir(folder));) {
    if (!isdigit((unsigned char)entry->d_name[0]) || !is_named(plugin, entry->d_name))
      continue;
    int r = judge_folder(plugin, entry->d_name, err);
    if (r == IS_OURS)
      return hang_up(plugin, entry->d_name, ret_pid, err);
    if (r < 0)
      result = r; /* unless there is another one */
  }
  return result;
}

void agent_proc_plugin_init(AgentProcPlugin *plugin, const char *folder) {
  *plugin = (AgentProcPlugin){.seam = {.hang_up = find_and_hang_up},
                              .proc = "/proc",
                              .inner_folder = "/var/lib/kubelet/device-plugins",
                              .folder = folder,
                              .kill = kill};
}
