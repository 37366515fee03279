/* SPDX-License-Identifier: Apache-2.0 */
/* Switching MIG mode on. The call may succeed and leave the mode waiting - for a client to go, or for a
 * reset. Then it is taken back: a GPU that waits is of use to nobody, and a reset is not ours to order. */
#include "gpu/nvml_private.h"

static int name_holder(GpuNvml *nvml, NvmlDevice device, Error *err) {
  uint32_t pids[GPU_HOLDER_PIDS_MAX];
  char holder[GPU_HOLDER_TEXT_SIZE];
  unsigned minor;
  const GpuHolderQuery query = {.proc = nvml->proc,
                                .minor = nvml->calls.minor(device, &minor) == NVML_SUCCESS ? (int)minor : -1,
                                .instance_id = -1,
                                .pids = pids,
                                .pid_count = gpu_nvml_list_pids(nvml, device, -1, pids)};
  gpu_holder_describe(&query, holder, sizeof holder);
  return error_set(err, ERROR_GPU, "the GPU is in use by another client (NVML code 19)%s%s",
                   holder[0] ? "; " : "; a process on the GPU or a monitor such as DCGM may hold it", holder);
}

static int enable(GpuNvml *nvml, const GpuJob *job, Error *err) {
  NvmlDevice device;
  GpuObserved gpu = {0};
  bool is_active;
  NvmlReturn status = NVML_SUCCESS, ignored;
  NvmlReturn code = nvml->calls.by_uuid(job->uuid, &device);
  if (code != NVML_SUCCESS)
    return gpu_nvml_fail(err, code, "finding the GPU on this node");
  int r = gpu_nvml_observe_identity(nvml, device, &gpu, &is_active, err);
  if (r < 0)
    return r;
  if (gpu.mode == MIG_MODE_ON)
    return 0;
  if (!nvml->calls.set_mig_mode)
    return error_set(err, ERROR_UNSUPPORTED, "NVIDIA's library has no nvmlDeviceSetMigMode");
  code = nvml->calls.set_mig_mode(device, NVML_MIG_ENABLE, &status);
  if (code == NVML_SUCCESS && status == NVML_SUCCESS)
    return 0;
  if (code == NVML_SUCCESS)
    (void)nvml->calls.set_mig_mode(device, NVML_MIG_DISABLE, &ignored);
  code = code == NVML_SUCCESS ? status : code;
  if (code == NVML_IN_USE)
    return name_holder(nvml, device, err);
  if (code == NVML_RESET_REQUIRED)
    return error_set(
        err, ERROR_GPU,
        "it needs a reset: drain the node, then `nvidia-smi -i %u -mig 1` and `nvidia-smi --gpu-reset "
        "-i %u`, or reboot",
        job->gpu, job->gpu);
  return gpu_nvml_fail(err, code, "setting the mode");
}

int gpu_nvml_enable_mig(GpuNvml *nvml, const GpuJob *job, Error *err) {
  return enable(nvml, job, err) < 0 ? error_prefix(err, "switching MIG mode on for GPU %u", job->gpu) : 0;
}
