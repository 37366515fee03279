/* SPDX-License-Identifier: Apache-2.0 */
/* From handles to names. A MIG slice is three things in NVML:
 *
 *     GPU instance (memory slots)  >  compute instance over all of it  >  MIG device (for containers)
 *
 * The last one is found only by walking the GPU's MIG device indexes and comparing ids; the indexes have
 * holes. Nothing here is remembered: handles and ids are reused by the driver for other instances. */
#include "gpu/nvml_private.h"

#include <assert.h>
#include <string.h>

int gpu_nvml_list_instances(GpuNvml *nvml, NvmlDevice device, const MigProfile *profile,
                            NvmlGpuInstance ret_instances[MIG_INSTANCES_MAX], unsigned *ret_count,
                            Error *err) {
  /* NVML writes up to the profile's instance count and takes no size. */
  assert(profile->instance_count_max <= MIG_INSTANCES_MAX);
  unsigned count = MIG_INSTANCES_MAX;
  NvmlReturn code = nvml->calls.instances(device, (unsigned)profile->nvml_id, ret_instances, &count);
  if (code == NVML_NOT_SUPPORTED)
    count = 0; /* a profile that this GPU cannot have now, e.g. +gfx outside graphics mode */
  else if (code != NVML_SUCCESS)
    return gpu_nvml_fail(err, code, "listing the instances of %s", profile->name);
  if (count > MIG_INSTANCES_MAX)
    return error_set(err, ERROR_GPU, "listing the instances of %s: NVML says that there are %u",
                     profile->name, count);
  *ret_count = count;
  return 0;
}

/* ret_there false: a hole, or an instance that went away while we looked. */
static NvmlReturn read_mig_device(GpuNvml *nvml, NvmlDevice device, unsigned index, GpuMigDevices *devices) {
  NvmlDevice mig_device;
  NvmlReturn code = nvml->calls.mig_by_index(device, index, &mig_device);
  if (code != NVML_SUCCESS)
    return code;
  __typeof__(&devices->items[0]) item = &devices->items[devices->count];
  code = nvml->calls.mig_instance_id(mig_device, &item->instance_id);
  if (code == NVML_SUCCESS)
    code = nvml->calls.mig_compute_id(mig_device, &item->compute_id);
  if (code == NVML_SUCCESS)
    code = nvml->calls.uuid(mig_device, item->uuid, sizeof item->uuid);
  if (code == NVML_SUCCESS)
    devices->count++;
  return code;
}

int gpu_nvml_list_mig_devices(GpuNvml *nvml, NvmlDevice device, GpuMigDevices *ret_devices, Error *err) {
  unsigned count = 0;
  NvmlReturn code = nvml->calls.mig_count_max(device, &count);
  if (code != NVML_SUCCESS)
    return gpu_nvml_fail(err, code, "asking for the number of MIG devices");
  ret_devices->count = 0;
  for (unsigned i = 0; i < count && i < GPU_MIG_DEVICES_MAX; i++) {
    code = read_mig_device(nvml, device, i, ret_devices);
    bool hole = code == NVML_NOT_FOUND || code == NVML_INVALID_ARGUMENT;
    if (code != NVML_SUCCESS && !hole)
      return gpu_nvml_fail(err, code, "reading MIG device %u", i);
  }
  return 0;
}

const char *gpu_nvml_find_uuid(const GpuMigDevices *devices, unsigned instance_id, unsigned compute_id) {
  for (int i = 0; i < devices->count; i++)
    if (devices->items[i].instance_id == instance_id && devices->items[i].compute_id == compute_id)
      return devices->items[i].uuid;
  return NULL;
}

NvmlReturn gpu_nvml_next_compute_profile(GpuNvml *nvml, NvmlGpuInstance instance, unsigned slice_count,
                                         unsigned *index, NvmlComputeInstanceProfileInfo *ret_info) {
  while (*index < GPU_PROFILE_INDEXES_MAX) {
    unsigned i = (*index)++;
    NvmlReturn code =
        nvml->calls.compute_profile(instance, i, NVML_COMPUTE_INSTANCE_ENGINE_PROFILE_SHARED, ret_info);
    if (code == NVML_SUCCESS && (slice_count == GPU_ANY_SLICE_COUNT || ret_info->slice_count == slice_count))
      return NVML_SUCCESS;
    if (code == NVML_INVALID_ARGUMENT && i >= NVML_COMPUTE_INSTANCE_PROFILE_COUNT)
      return NVML_NOT_FOUND;
    if (code != NVML_SUCCESS && code != NVML_NOT_SUPPORTED && code != NVML_INVALID_ARGUMENT)
      return code;
  }
  return NVML_NOT_FOUND;
}

/* The id of the first compute instance of one profile. */
static NvmlReturn find_compute(GpuNvml *nvml, NvmlGpuInstance instance,
                               const NvmlComputeInstanceProfileInfo *profile, bool *ret_found,
                               unsigned *ret_compute_id) {
  NvmlComputeInstance computes[GPU_COMPUTES_MAX];
  unsigned count = GPU_COMPUTES_MAX;
  *ret_found = false;
  if (profile->instance_count > GPU_COMPUTES_MAX)
    return NVML_INSUFFICIENT_SIZE;
  NvmlReturn code = nvml->calls.computes(instance, profile->id, computes, &count);
  if (code == NVML_NOT_SUPPORTED || (code == NVML_SUCCESS && count == 0))
    return NVML_SUCCESS;
  if (code != NVML_SUCCESS)
    return code;
  NvmlComputeInstanceInfo info;
  code = nvml->calls.compute_info(computes[0], &info);
  if (code != NVML_SUCCESS)
    return code;
  *ret_found = true;
  *ret_compute_id = info.id;
  return NVML_SUCCESS;
}

int gpu_nvml_find_full_compute(GpuNvml *nvml, NvmlGpuInstance instance, unsigned slice_count, bool *ret_found,
                               unsigned *ret_compute_id, Error *err) {
  NvmlComputeInstanceProfileInfo profile;
  NvmlReturn code;
  *ret_found = false;
  for (unsigned index = 0; !*ret_found;) {
    code = gpu_nvml_next_compute_profile(nvml, instance, slice_count, &index, &profile);
    if (code == NVML_NOT_FOUND)
      return 0;
    if (code == NVML_SUCCESS)
      code = find_compute(nvml, instance, &profile, ret_found, ret_compute_id);
    if (code != NVML_SUCCESS)
      return gpu_nvml_fail(err, code, "listing compute instances");
  }
  return 0;
}

int gpu_nvml_count_computes(GpuNvml *nvml, NvmlGpuInstance instance, unsigned *ret_count, Error *err) {
  NvmlComputeInstanceProfileInfo profile;
  NvmlReturn code;
  unsigned sum = 0;
  for (unsigned index = 0; (code = gpu_nvml_next_compute_profile(nvml, instance, GPU_ANY_SLICE_COUNT, &index,
                                                                 &profile)) == NVML_SUCCESS;) {
    NvmlComputeInstance computes[GPU_COMPUTES_MAX];
    unsigned count = GPU_COMPUTES_MAX;
    code = profile.instance_count > GPU_COMPUTES_MAX
               ? NVML_INSUFFICIENT_SIZE
               : nvml->calls.computes(instance, profile.id, computes, &count);
    if (code != NVML_SUCCESS && code != NVML_NOT_SUPPORTED)
      break;
    sum += code == NVML_SUCCESS ? count : 0;
  }
  if (code != NVML_NOT_FOUND)
    return gpu_nvml_fail(err, code, "counting compute instances");
  *ret_count = sum;
  return 0;
}
