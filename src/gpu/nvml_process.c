/* SPDX-License-Identifier: Apache-2.0 */
/* Who runs on the instances of one GPU: NVML lists the processes of the whole GPU, each with the id of its
 * instance. Compute and graphics processes are two lists; one program may be in both, which does no harm.
 *
 * The _v2 functions serve every driver from R470 on and fill the same struct in all of them. A driver that
 * may not tell (NO_PERMISSION), cannot (NOT_SUPPORTED), or lacks the function is a witness that saw nothing:
 * what pods hold is known from the kubelet, and NVML itself refuses to destroy what is in use. */
#include "gpu/nvml_private.h"

#include "base/memory.h"

enum { TRIES_MAX = 4, ROOM_MIN = 64 };

typedef NvmlReturn ListProcesses(NvmlDevice device, unsigned *count, NvmlProcessInfo *infos);

/* Processes come and go: a list may have grown since its length was told. */
static NvmlReturn list_processes(ListProcesses *list, NvmlDevice device, NvmlProcessInfo **ret_infos,
                                 unsigned *ret_count) {
  NvmlReturn code = NVML_INSUFFICIENT_SIZE;
  unsigned room = ROOM_MIN;
  for (int i = 0; i < TRIES_MAX && code == NVML_INSUFFICIENT_SIZE && room <= GPU_PROCESSES_MAX; i++) {
    CLEANUP(cleanup_free) NvmlProcessInfo *infos = mem_alloc(room * sizeof *infos);
    unsigned count = room;
    code = list(device, &count, infos);
    if (code == NVML_SUCCESS && count <= room) {
      *ret_infos = TAKE(infos);
      *ret_count = count;
      return NVML_SUCCESS;
    }
    room = count < UINT32_MAX / 2 ? count * 2 : count;
  }
  return code;
}

static bool saw_nothing(NvmlReturn code) {
  return code == NVML_NOT_SUPPORTED || code == NVML_NO_PERMISSION || code == NVML_FUNCTION_NOT_FOUND;
}

static int count_list(ListProcesses *list, NvmlDevice device, const char *kind, GpuObserved *gpu,
                      Error *err) {
  CLEANUP(cleanup_free) NvmlProcessInfo *infos = NULL;
  unsigned count = 0;
  NvmlReturn code = list ? list_processes(list, device, &infos, &count) : NVML_NOT_SUPPORTED;
  if (saw_nothing(code))
    return 0;
  if (code != NVML_SUCCESS)
    return gpu_nvml_fail(err, code, "listing the %s processes", kind);
  for (unsigned i = 0; i < count; i++)
    for (int k = 0; k < gpu->instance_count; k++)
      gpu->instances[k].process_count += gpu->instances[k].gpu_instance_id == infos[i].gpu_instance_id;
  return 0;
}

int gpu_nvml_count_processes(GpuNvml *nvml, NvmlDevice device, GpuObserved *gpu, Error *err) {
  int r = count_list(nvml->calls.compute_processes, device, "compute", gpu, err);
  return r < 0 ? r : count_list(nvml->calls.graphics_processes, device, "graphics", gpu, err);
}

static size_t add_pids(GpuNvml *nvml, ListProcesses *list, NvmlDevice device, int instance_id, size_t count,
                       uint32_t ret_pids[GPU_HOLDER_PIDS_MAX]) {
  CLEANUP(cleanup_free) NvmlProcessInfo *infos = NULL;
  unsigned listed = 0;
  if (!list || list_processes(list, device, &infos, &listed) != NVML_SUCCESS)
    return count;
  for (unsigned i = 0; i < listed && count < GPU_HOLDER_PIDS_MAX; i++)
    if (instance_id < 0 || infos[i].gpu_instance_id == (unsigned)instance_id)
      ret_pids[count++] = infos[i].pid;
  return count;
}

size_t gpu_nvml_list_pids(GpuNvml *nvml, NvmlDevice device, int instance_id,
                          uint32_t ret_pids[GPU_HOLDER_PIDS_MAX]) {
  size_t count = add_pids(nvml, nvml->calls.compute_processes, device, instance_id, 0, ret_pids);
  return add_pids(nvml, nvml->calls.graphics_processes, device, instance_id, count, ret_pids);
}
