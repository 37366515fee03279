/* SPDX-License-Identifier: Apache-2.0 */
/* Minors are numbered by what could exist (open-gpu-kernel-modules): 1 and 2 are config and monitor, then
 * nine for each of the fifteen GPU instance ids of a GPU, one for itself and eight for its compute instances.
 */
#include "sim/nvml/capability.h"

#include "sim/nvml/file.h"
#include "sim/nvml/instance.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

enum {
  GI_IDS = 15,
  MINORS_OF_GI = 1 + SIM_CIS_MAX,
  MINOR_CONFIG = 1,
  MINOR_MONITOR = 2,
  MINOR_FIRST = 3,
  MODE_ROOT_READS = 256, /* 0400 */
  MODE_ALL_READ = 292,   /* 0444 */
};

#define CAPABILITIES "proc/driver/nvidia/capabilities"

unsigned sim_capability_minor(int gpu_index, unsigned gi_id, int ci_id) {
  return MINOR_FIRST + (unsigned)gpu_index * GI_IDS * MINORS_OF_GI + gi_id * MINORS_OF_GI +
         (unsigned)(ci_id + 1);
}

/* All folders above the last '/' of the path. */
static int make_folders(const char *path, Error *err) {
  char folder[PATH_MAX];
  for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
    if (mkdir(folder, 0777) < 0 && errno != EEXIST)
      return error_set_errno(err, ERROR_IO, errno, "simulated GPUs: cannot make the folder %s", folder);
  }
  return 0;
}

static int write_file(const char *root, const char *folder, const char *name, const char *text, Error *err) {
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/%s/%s", root, folder, name);
  if (access(path, F_OK) == 0)
    return 0;
  if (make_folders(path, err) < 0)
    return -err->code;
  path[strlen(path) - strlen(name) - 1] = '\0';
  CLEANUP(text_deinit) Text content = {0};
  text_append(&content, text);
  return sim_file_replace(path, name, &content, err);
}

/* One capability: its file below /proc and its device. */
static int grant(const char *root, const char *folder, const char *name, unsigned minor, unsigned mode,
                 Error *err) {
  char text[128], device[32];
  snprintf(text, sizeof text, "DeviceFileMinor: %u\nDeviceFileMode: %u\nDeviceFileModify: 1\n", minor, mode);
  snprintf(device, sizeof device, "nvidia-cap%u", minor);
  int result = write_file(root, folder, name, text, err);
  return result < 0 ? result : write_file(root, "dev/nvidia-caps", device, "", err);
}

/* Nobody minds what is not there. */
static void withdraw(const char *root, const char *folder, unsigned minor) {
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/%s/access", root, folder);
  unlink(path);
  snprintf(path, sizeof path, "%s/%s", root, folder);
  rmdir(path);
  snprintf(path, sizeof path, "%s/dev/nvidia-caps/nvidia-cap%u", root, minor);
  unlink(path);
}

static int write_gi(const char *root, int gpu_index, unsigned gi_id, SimGi *gi, Error *err) {
  char folder[128], ci_folder[160], path[PATH_MAX];
  snprintf(folder, sizeof folder, CAPABILITIES "/gpu%d/mig/gi%u", gpu_index, gi_id);
  snprintf(path, sizeof path, "%s/%s", root, folder);
  if (!gi && access(path, F_OK) < 0)
    return 0;
  int result = 0;
  for (int ci_id = 0; result == 0 && ci_id < SIM_CIS_MAX; ci_id++) {
    unsigned minor = sim_capability_minor(gpu_index, gi_id, ci_id);
    snprintf(ci_folder, sizeof ci_folder, "%s/ci%d", folder, ci_id);
    if (gi && sim_ci_find(gi, (unsigned)ci_id))
      result = grant(root, ci_folder, "access", minor, MODE_ALL_READ, err);
    else
      withdraw(root, ci_folder, minor);
  }
  unsigned minor = sim_capability_minor(gpu_index, gi_id, -1);
  if (result == 0 && gi)
    result = grant(root, folder, "access", minor, MODE_ALL_READ, err);
  else if (result == 0)
    withdraw(root, folder, minor);
  return result;
}

static int write_minors(const char *root, Error *err) {
  CLEANUP(text_deinit) Text text = {0};
  text_format(&text, "config %d\nmonitor %d\n", MINOR_CONFIG, MINOR_MONITOR);
  for (int gpu = 0; gpu < SIM_GPUS_MAX; gpu++)
    for (unsigned gi = 0; gi < GI_IDS; gi++) {
      text_format(&text, "gpu%d/gi%u/access %u\n", gpu, gi, sim_capability_minor(gpu, gi, -1));
      for (int ci = 0; ci < SIM_CIS_MAX; ci++)
        text_format(&text, "gpu%d/gi%u/ci%d/access %u\n", gpu, gi, ci, sim_capability_minor(gpu, gi, ci));
    }
  return write_file(root, "proc/driver/nvidia-caps", "mig-minors", text_string(&text), err);
}

int sim_capability_write(const SimState *state, Error *err) {
  const char *root = state->options.root;
  if (!root[0])
    return 0;
  int result = write_minors(root, err);
  if (result == 0)
    result = grant(root, CAPABILITIES "/mig", "config", MINOR_CONFIG, MODE_ROOT_READS, err);
  if (result == 0)
    result = grant(root, CAPABILITIES "/mig", "monitor", MINOR_MONITOR, MODE_ALL_READ, err);
  for (int g = 0; result == 0 && g < state->gpu_count; g++) {
    SimGpu gpu = state->gpus[g];
    for (unsigned gi_id = 0; result == 0 && gi_id < GI_IDS; gi_id++)
      result = write_gi(root, g, gi_id, sim_gi_find(&gpu, gi_id), err);
  }
  return result;
}
