/* SPDX-License-Identifier: Apache-2.0 */
/* NVML: MIG devices, each a compute instance as CUDA programs see it. A MIG device keeps its index while it
 * lives, so the indexes of one GPU have holes. */
#include "sim/nvml/call.h"
#include "sim/nvml/instance.h"

NvmlReturn nvmlDeviceGetMaxMigDeviceCount(NvmlDevice device, unsigned *count) {
  SimView view;
  NvmlReturn result = sim_view_handle(&view, __func__, device, SIM_GPUS);
  if (result != NVML_SUCCESS)
    return result;
  if (!count)
    return NVML_INVALID_ARGUMENT;
  *count = view.place.gpu->mig_on ? sim_gpu_mig_device_max(view.place.gpu) : 0;
  return NVML_SUCCESS;
}

NvmlReturn nvmlDeviceGetMigDeviceHandleByIndex(NvmlDevice device, unsigned index, NvmlDevice *mig_device) {
  SimView view;
  NvmlReturn result = sim_view_handle(&view, __func__, device, SIM_GPUS);
  if (result != NVML_SUCCESS)
    return result;
  const SimGpu *gpu = view.place.gpu;
  if (!gpu->mig_on)
    return NVML_NOT_SUPPORTED;
  if (!mig_device || index >= sim_gpu_mig_device_max(gpu))
    return NVML_INVALID_ARGUMENT;
  for (int i = 0; i < gpu->gi_count; i++)
    for (int k = 0; k < gpu->gis[i].ci_count; k++)
      if (gpu->gis[i].cis[k].mig_index == index) {
        *mig_device = sim_handle_mig(view.place.gpu_index, gpu, &gpu->gis[i], &gpu->gis[i].cis[k]);
        return NVML_SUCCESS;
      }
  return NVML_NOT_FOUND;
}

NvmlReturn nvmlDeviceGetDeviceHandleFromMigDeviceHandle(NvmlDevice mig_device, NvmlDevice *device) {
  SimView view;
  NvmlReturn result = sim_view_handle(&view, __func__, mig_device, SIM_MIGS);
  if (result != NVML_SUCCESS)
    return result;
  if (!device)
    return NVML_INVALID_ARGUMENT;
  *device = sim_handle_gpu(view.place.gpu_index);
  return NVML_SUCCESS;
}

NvmlReturn nvmlDeviceIsMigDeviceHandle(NvmlDevice device, unsigned *is_mig_device) {
  SimView view;
  NvmlReturn result = sim_view_handle(&view, __func__, device, SIM_DEVICES);
  if (result != NVML_SUCCESS)
    return result;
  if (!is_mig_device)
    return NVML_INVALID_ARGUMENT;
  *is_mig_device = view.place.kind == SIM_HANDLE_MIG;
  return NVML_SUCCESS;
}

NvmlReturn nvmlDeviceGetGpuInstanceId(NvmlDevice mig_device, unsigned *id) {
  SimView view;
  NvmlReturn result = sim_view_handle(&view, __func__, mig_device, SIM_MIGS);
  if (result != NVML_SUCCESS)
    return result;
  if (!id)
    return NVML_INVALID_ARGUMENT;
  *id = sim_gi_id(sim_gpu_model(view.place.gpu), view.place.gi->profile, view.place.gi->start);
  return NVML_SUCCESS;
}

NvmlReturn nvmlDeviceGetComputeInstanceId(NvmlDevice mig_device, unsigned *id) {
  SimView view;
  NvmlReturn result = sim_view_handle(&view, __func__, mig_device, SIM_MIGS);
  if (result != NVML_SUCCESS)
    return result;
  if (!id)
    return NVML_INVALID_ARGUMENT;
  *id = view.place.ci->id;
  return NVML_SUCCESS;
}

NvmlReturn nvmlDeviceGetAttributes_v2(NvmlDevice mig_device, NvmlDeviceAttributes *attributes) {
  SimView view;
  NvmlReturn result = sim_view_handle(&view, __func__, mig_device, SIM_DEVICES);
  if (result != NVML_SUCCESS)
    return result;
  if (view.place.kind != SIM_HANDLE_MIG)
    return NVML_NOT_SUPPORTED;
  if (!attributes)
    return NVML_INVALID_ARGUMENT;
  const SimPlace *place = &view.place;
  const MigProfile *profile = sim_gi_profile(place->gpu, place->gi);
  *attributes = (NvmlDeviceAttributes){.multiprocessor_count =
                                           sim_ci_multiprocessors(place->gpu, place->gi, place->ci->slices),
                                       .shared_copy_engine_count = profile->copy_engines,
                                       .shared_decoder_count = profile->decoders,
                                       .shared_encoder_count = profile->encoders,
                                       .shared_jpeg_count = profile->jpegs,
                                       .shared_ofa_count = profile->ofas,
                                       .gpu_instance_slice_count = profile->slice_count,
                                       .compute_instance_slice_count = place->ci->slices,
                                       .memory_size_mb = profile->memory_mib};
  return NVML_SUCCESS;
}
