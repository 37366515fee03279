/* SPDX-License-Identifier: Apache-2.0 */
/* What the simulator's tests share: a machine in use for one test, and folders that go away. Tests only. */
#pragma once

#include "base/test.h"
#include "sim/nvml/abi.h"
#include "sim/nvml/sim_nvml.h"

#include <dirent.h>
#include <sys/stat.h>

/* A new folder below the system's for temporary files. */
static inline void fixture_make_folder(char ret_folder[64]) {
  snprintf(ret_folder, 64, "/tmp/facet-sim-nvml-test-XXXXXX");
  assert_non_null(mkdtemp(ret_folder));
}

static inline void fixture_remove_folder(const char *folder) {
  static const char *const files[] = {"state",      "state.new",   "lock",   "faults",
                                      "faults.new", "faults.lock", "hold-0", "hold-1"};
  for (size_t i = 0; i < COUNT_OF(files); i++) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, files[i]);
    unlink(path);
  }
  rmdir(folder);
}

/* A machine on this folder (NULL: in memory) whose changes take no time, in use and initialized. */
static inline SimNvml *fixture_start(const char *machine, const char *folder) {
  SimNvml *nvml = NULL;
  Error err = {0};
  SimNvmlOptions options = {.machine = machine, .folder = folder, .seed = 1};
  assert_ok(sim_nvml_new(&options, &nvml, &err));
  sim_nvml_use(nvml);
  assert_int_equal(nvmlInit_v2(), NVML_SUCCESS);
  return nvml;
}

static inline void fixture_stop(SimNvml *nvml) {
  sim_nvml_use(NULL);
  sim_nvml_free(nvml);
}

static inline NvmlDevice fixture_gpu(unsigned index) {
  NvmlDevice device = NULL;
  assert_int_equal(nvmlDeviceGetHandleByIndex_v2(index, &device), NVML_SUCCESS);
  return device;
}

/* The profile's NVML id by its name on this GPU, through NVML. */
static inline unsigned fixture_profile_id(NvmlDevice gpu, const char *name) {
  for (unsigned i = 0; i < NVML_GPU_INSTANCE_PROFILE_COUNT; i++) {
    NvmlGpuInstanceProfileInfoV2 info = {.version = NVML_STRUCT_VERSION(NvmlGpuInstanceProfileInfoV2, 2)};
    if (nvmlDeviceGetGpuInstanceProfileInfoV(gpu, i, &info) == NVML_SUCCESS &&
        strcmp(info.name + strlen("MIG "), name) == 0)
      return info.id;
  }
  fail_msg("this GPU has no profile %s", name);
  return 0;
}

static inline NvmlGpuInstance fixture_create(NvmlDevice gpu, const char *profile) {
  NvmlGpuInstance instance = NULL;
  assert_int_equal(nvmlDeviceCreateGpuInstance(gpu, fixture_profile_id(gpu, profile), &instance),
                   NVML_SUCCESS);
  return instance;
}

static inline NvmlComputeInstance fixture_create_compute(NvmlGpuInstance instance, unsigned profile_id) {
  NvmlComputeInstance compute = NULL;
  assert_int_equal(nvmlGpuInstanceCreateComputeInstance(instance, profile_id, &compute), NVML_SUCCESS);
  return compute;
}

/* The MIG device of a compute instance, found among those of its GPU. */
static inline NvmlDevice fixture_mig_device(NvmlComputeInstance compute) {
  NvmlComputeInstanceInfo info;
  NvmlGpuInstanceInfo parent;
  NvmlDevice mig;
  unsigned count, gi_id, ci_id;
  assert_int_equal(nvmlComputeInstanceGetInfo_v2(compute, &info), NVML_SUCCESS);
  assert_int_equal(nvmlGpuInstanceGetInfo(info.gpu_instance, &parent), NVML_SUCCESS);
  assert_int_equal(nvmlDeviceGetMaxMigDeviceCount(info.device, &count), NVML_SUCCESS);
  for (unsigned i = 0; i < count; i++)
    if (nvmlDeviceGetMigDeviceHandleByIndex(info.device, i, &mig) == NVML_SUCCESS &&
        nvmlDeviceGetGpuInstanceId(mig, &gi_id) == NVML_SUCCESS && gi_id == parent.id &&
        nvmlDeviceGetComputeInstanceId(mig, &ci_id) == NVML_SUCCESS && ci_id == info.id)
      return mig;
  fail_msg("compute instance %u has no MIG device", info.id);
  return NULL;
}
