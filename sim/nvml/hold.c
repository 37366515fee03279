/* SPDX-License-Identifier: Apache-2.0 */
/* On a shared machine a hold is a shared lock on a file of its GPU, which ends with its process whatever
 * happens to it, and an exclusive lock is the question whether anybody has one: descriptors of the same
 * process exclude each other too. A machine in memory has one process, whose event sets say it all. */
#include "sim/nvml/hold.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>

static int open_file(const SimNvml *nvml, int gpu_index) {
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/hold-%d", nvml->store.folder, gpu_index);
  return open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
}

int sim_hold_take(const SimNvml *nvml, const SimState *state, int gpu_index) {
  if (!nvml->store.folder || !state->options.event_sets_hold)
    return -1;
  CLEANUP(cleanup_close) int fd = open_file(nvml, gpu_index);
  if (fd < 0 || flock(fd, LOCK_SH) < 0)
    return -1;
  int held = fd;
  fd = -1;
  return held;
}

bool sim_hold_exists(const SimNvml *nvml, const SimState *state, int gpu_index) {
  if (!state->options.event_sets_hold)
    return false;
  if (nvml->store.folder) {
    CLEANUP(cleanup_close) int fd = open_file(nvml, gpu_index);
    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0;
  }
  for (int i = 0; i < SIM_EVENT_SETS_MAX; i++)
    if (nvml->event_sets[i].taken && nvml->event_sets[i].types[gpu_index])
      return true;
  return false;
}
