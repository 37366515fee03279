/* SPDX-License-Identifier: Apache-2.0 */
/* One look at every GPU, in steps of growing need: who it is, what it can be cut into, what it is cut
 * into, who runs there.
 *
 *     identity     uuid, product, PCI id, MIG mode      every GPU answers
 *     model        profiles, placements                 only where MIG exists (nvml_model.c)
 *     instances    start, size, id, UUID                only where MIG is active
 *     processes    how many run on each instance        where the driver tells (nvml_process.c)
 *
 * What cannot be read of one GPU becomes its `trouble`, with as much of it as was read before, and never
 * hides the other GPUs. Everything is asked anew each time, because other programs cut GPUs too; only between
 * the steps of a change do the other GPUs stay as they were a moment ago. */
#include "gpu/nvml_private.h"

#include "base/memory.h"

#include <limits.h>
#include <string.h>

/* MIG instances exist while the mode is active now, whatever it will be after a reset. */
static int observe_mode(GpuNvml *nvml, NvmlDevice device, GpuObserved *gpu, bool *ret_active, Error *err) {
  unsigned current = NVML_MIG_DISABLE, pending = NVML_MIG_DISABLE;
  NvmlReturn code = nvml->calls.mig_mode(device, &current, &pending);
  if (code != NVML_SUCCESS && code != NVML_NOT_SUPPORTED)
    return gpu_nvml_fail(err, code, "asking for the MIG mode");
  gpu->identified = true;
  gpu->mig_capable = code == NVML_SUCCESS;
  if (current != pending)
    gpu->mode = MIG_MODE_PENDING;
  else
    gpu->mode = current == NVML_MIG_ENABLE ? MIG_MODE_ON : MIG_MODE_OFF;
  *ret_active = current == NVML_MIG_ENABLE;
  return 0;
}

int gpu_nvml_observe_identity(GpuNvml *nvml, NvmlDevice device, GpuObserved *gpu, bool *ret_active,
                              Error *err) {
  NvmlPciInfo pci = {0};
  NvmlReturn code = nvml->calls.uuid(device, gpu->uuid, sizeof gpu->uuid);
  if (code != NVML_SUCCESS)
    return gpu_nvml_fail(err, code, "asking for the UUID");
  code = nvml->calls.name(device, gpu->product, sizeof gpu->product);
  if (code != NVML_SUCCESS)
    return gpu_nvml_fail(err, code, "asking for the product's name");
  code = nvml->calls.pci_info(device, &pci);
  if (code != NVML_SUCCESS)
    return gpu_nvml_fail(err, code, "asking for the PCI id");
  gpu->pci_device_id = pci.pci_device_id;
  unsigned minor;
  code = nvml->calls.minor(device, &minor);
  gpu->minor = code == NVML_SUCCESS && minor < INT_MAX ? (int)minor : -1;
  return observe_mode(nvml, device, gpu, ret_active, err);
}

/* The numbers go into bytes and array places later: what does not fit is refused here. The UUID stays ""
 * where the compute instance over the whole of it is missing. */
static int observe_instance(GpuNvml *nvml, NvmlGpuInstance instance, const MigProfile *profile,
                            const GpuMigDevices *devices, GpuObserved *gpu, Error *err) {
  NvmlGpuInstanceInfo info;
  NvmlReturn code = nvml->calls.instance_info(instance, &info);
  if (code != NVML_SUCCESS)
    return gpu_nvml_fail(err, code, "reading an instance of %s", profile->name);
  if (info.placement.start >= MIG_SLOTS_MAX || info.placement.size > MIG_SLOTS_MAX)
    return error_set(err, ERROR_GPU, "NVML reports an instance of %s with %u slots at slot %u", profile->name,
                     info.placement.size, info.placement.start);
  if (gpu->instance_count == MIG_INSTANCES_MAX)
    return error_set(err, ERROR_LIMIT, "NVML reports more than %d instances", MIG_INSTANCES_MAX);
  bool complete;
  unsigned compute_id;
  int r = gpu_nvml_find_full_compute(nvml, instance, profile->slice_count, &complete, &compute_id, err);
  if (r < 0)
    return r;
  const char *uuid = complete ? gpu_nvml_find_uuid(devices, info.id, compute_id) : NULL;
  unsigned compute_count = 0;
  r = uuid ? 0 : gpu_nvml_count_computes(nvml, instance, &compute_count, err);
  if (r < 0)
    return r;
  GpuInstance *seen = &gpu->instances[gpu->instance_count++];
  *seen = (GpuInstance){.gpu_instance_id = info.id,
                        .compute_instance_id = uuid ? compute_id : 0,
                        .nvml_id = (int)info.profile_id,
                        .start = (uint8_t)info.placement.start,
                        .size = (uint8_t)info.placement.size,
                        .compute_count = (uint8_t)(compute_count < UINT8_MAX ? compute_count : UINT8_MAX)};
  snprintf(seen->uuid, sizeof seen->uuid, "%s", uuid ? uuid : "");
  return 0;
}

static int compare_instances(const void *left, const void *right) {
  const GpuInstance *a = left, *b = right;
  return a->start - b->start;
}

static int observe_instances(GpuNvml *nvml, NvmlDevice device, GpuObserved *gpu, Error *err) {
  GpuMigDevices devices;
  int r = gpu_nvml_list_mig_devices(nvml, device, &devices, err);
  for (int i = 0; r == 0 && i < gpu->model.profile_count; i++) {
    const MigProfile *profile = &gpu->model.profiles[i];
    NvmlGpuInstance instances[MIG_INSTANCES_MAX];
    unsigned count = 0;
    r = gpu_nvml_list_instances(nvml, device, profile, instances, &count, err);
    for (unsigned k = 0; r == 0 && k < count; k++)
      r = observe_instance(nvml, instances[k], profile, &devices, gpu, err);
  }
  qsort(gpu->instances, (size_t)gpu->instance_count, sizeof gpu->instances[0], compare_instances);
  return r < 0 ? r : gpu_nvml_count_processes(nvml, device, gpu, err);
}

static int observe_gpu(GpuNvml *nvml, GpuObserved *gpu, Error *err) {
  NvmlDevice device;
  bool active = false;
  NvmlReturn code = nvml->calls.by_index((unsigned)gpu->index, &device);
  if (code != NVML_SUCCESS)
    return gpu_nvml_fail(err, code, "opening it");
  int r = gpu_nvml_observe_identity(nvml, device, gpu, &active, err);
  if (r < 0 || !gpu->mig_capable)
    return r;
  r = gpu_nvml_observe_model(nvml, device, gpu, err);
  if (r < 0 || !active)
    return r;
  return observe_instances(nvml, device, gpu, err);
}

/* Only what exists is copied, and so becomes resident. */
static void copy(GpuObservation *ret_copy, const GpuObservation *observation) {
  memcpy(ret_copy, observation,
         offsetof(GpuObservation, gpus) + (size_t)observation->gpu_count * sizeof observation->gpus[0]);
}

static void remember(GpuNvml *nvml, uint32_t skip, const GpuObservation *observation) {
  if (!nvml->last)
    nvml->last = mem_alloc_raw(1, sizeof *nvml->last);
  copy(nvml->last, observation);
  nvml->last_skip = skip;
}

bool gpu_nvml_observe_again(GpuNvml *nvml, uint32_t skip, const char *uuid, GpuObservation *ret_observation) {
  Error err;
  if (!nvml->last || nvml->last_skip != skip)
    return false;
  for (int i = 0; i < nvml->last->gpu_count; i++) {
    GpuObserved *gpu = &nvml->last->gpus[i];
    if (strcmp(gpu->uuid, uuid) != 0)
      continue;
    gpu_nvml_tell_gpu(nvml, (uint32_t)i);
    *gpu = (GpuObserved){.index = i};
    if (observe_gpu(nvml, gpu, &err) < 0 || strcmp(gpu->uuid, uuid) != 0)
      return false;
    copy(ret_observation, nvml->last);
    return true;
  }
  return false;
}

int gpu_nvml_observe(GpuNvml *nvml, uint32_t skip, GpuObservation *ret_observation, Error *err) {
  unsigned count = 0;
  NvmlReturn code = nvml->calls.count(&count);
  if (code != NVML_SUCCESS)
    return gpu_nvml_fail(err, code, "asking NVML for the number of GPUs");
  if (count > GPU_COUNT_MAX)
    return error_set(err, ERROR_LIMIT, "this node has %u GPUs; facet handles up to %d", count, GPU_COUNT_MAX);
  snprintf(ret_observation->driver_version, sizeof ret_observation->driver_version, "%s",
           nvml->driver_version);
  for (unsigned i = 0; i < count; i++) {
    GpuObserved *gpu = &ret_observation->gpus[i];
    Error trouble;
    *gpu = (GpuObserved){.index = (int)i};
    if (skip >> i & 1) {
      snprintf(gpu->trouble, sizeof gpu->trouble, "NVML hung or crashed on it");
      continue;
    }
    gpu_nvml_tell_gpu(nvml, i);
    if (observe_gpu(nvml, gpu, &trouble) == 0)
      continue;
    gpu->is_lost = trouble.code == ERROR_LOST;
    snprintf(gpu->trouble, sizeof gpu->trouble, "%.*s", (int)sizeof gpu->trouble - 1, trouble.text);
  }
  ret_observation->gpu_count = (int)count;
  remember(nvml, skip, ret_observation);
  return 0;
}
