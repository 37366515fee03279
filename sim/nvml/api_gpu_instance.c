/* SPDX-License-Identifier: Apache-2.0 */
/* NVML: GPU instances - their profiles, where they may go, and their life. */
#include "sim/nvml/call.h"
#include "sim/nvml/driver.h"
#include "sim/nvml/hold.h"
#include "sim/nvml/instance.h"
#include "sim/nvml/latency.h"

/* Ampere's driver loads the profiles with MIG mode; later ones know them always (open-gpu-kernel-modules). */
static bool knows_profiles(const SimGpu *gpu) {
  return gpu->mig_on || !sim_gpu_model(gpu)->mode_needs_reset;
}

/* The profile by NVML's index, in the newest form. */
static NvmlReturn find_profile(SimView *view, NvmlDevice device, unsigned index,
                               const MigProfile **ret_profile) {
  NvmlReturn result = sim_view_handle(view, "nvmlDeviceGetGpuInstanceProfileInfo", device, SIM_GPUS);
  if (result != NVML_SUCCESS)
    return result;
  if (index >= sim_driver_gi_profile_count(view->state.driver))
    return NVML_INVALID_ARGUMENT;
  const MigModel *model = sim_gpu_model(view->place.gpu);
  int profile = sim_profile_find_index(model, index);
  if (profile < 0 || !knows_profiles(view->place.gpu))
    return NVML_NOT_SUPPORTED;
  *ret_profile = &model->profiles[profile];
  return NVML_SUCCESS;
}

NvmlReturn nvmlDeviceGetGpuInstanceProfileInfo(NvmlDevice device, unsigned profile,
                                               NvmlGpuInstanceProfileInfo *info) {
  SimView view;
  const MigProfile *found = NULL;
  NvmlReturn result = find_profile(&view, device, profile, &found);
  if (result != NVML_SUCCESS)
    return result;
  if (!info)
    return NVML_INVALID_ARGUMENT;
  *info = (NvmlGpuInstanceProfileInfo){.id = (unsigned)found->nvml_id,
                                       .slice_count = found->slice_count,
                                       .instance_count = found->instance_count_max,
                                       .multiprocessor_count = found->multiprocessors,
                                       .copy_engine_count = found->copy_engines,
                                       .decoder_count = found->decoders,
                                       .encoder_count = found->encoders,
                                       .jpeg_count = found->jpegs,
                                       .ofa_count = found->ofas,
                                       .memory_size_mb = found->memory_mib};
  return NVML_SUCCESS;
}

static void fill_v2(NvmlGpuInstanceProfileInfoV2 *info, const MigProfile *profile) {
  *info = (NvmlGpuInstanceProfileInfoV2){.version = info->version,
                                         .id = (unsigned)profile->nvml_id,
                                         .slice_count = profile->slice_count,
                                         .instance_count = profile->instance_count_max,
                                         .multiprocessor_count = profile->multiprocessors,
                                         .copy_engine_count = profile->copy_engines,
                                         .decoder_count = profile->decoders,
                                         .encoder_count = profile->encoders,
                                         .jpeg_count = profile->jpegs,
                                         .ofa_count = profile->ofas,
                                         .memory_size_mb = profile->memory_mib};
  sim_name_mig(NULL, profile, profile->slice_count, info->name);
}

static void fill_v3(NvmlGpuInstanceProfileInfoV3 *info, const MigProfile *profile) {
  *info = (NvmlGpuInstanceProfileInfoV3){.version = info->version,
                                         .id = (unsigned)profile->nvml_id,
                                         .slice_count = profile->slice_count,
                                         .instance_count = profile->instance_count_max,
                                         .multiprocessor_count = profile->multiprocessors,
                                         .copy_engine_count = profile->copy_engines,
                                         .decoder_count = profile->decoders,
                                         .encoder_count = profile->encoders,
                                         .jpeg_count = profile->jpegs,
                                         .ofa_count = profile->ofas,
                                         .memory_size_mb = profile->memory_mib,
                                         .capabilities =
                                             profile->kind == MIG_GFX ? NVML_PROFILE_CAPABILITY_GFX : 0};
  sim_name_mig(NULL, profile, profile->slice_count, info->name);
}

/* Into the version of the struct that the caller brought. */
static NvmlReturn fill(const char *driver, void *info, const MigProfile *found) {
  if (!info)
    return NVML_INVALID_ARGUMENT;
  unsigned version = *(const unsigned *)info;
  if (version == NVML_STRUCT_VERSION(NvmlGpuInstanceProfileInfoV2, 2))
    fill_v2(info, found);
  else if (version == NVML_STRUCT_VERSION(NvmlGpuInstanceProfileInfoV3, 3) &&
           sim_driver_is_at_least(driver, 545, 23))
    fill_v3(info, found);
  else
    return NVML_ARGUMENT_VERSION_MISMATCH;
  return NVML_SUCCESS;
}

NvmlReturn nvmlDeviceGetGpuInstanceProfileInfoV(NvmlDevice device, unsigned profile, void *info) {
  SimView view;
  const MigProfile *found = NULL;
  NvmlReturn result = find_profile(&view, device, profile, &found);
  return result == NVML_SUCCESS ? fill(view.state.driver, info, found) : result;
}

/* The profile by its id; older drivers do not know all of a model's. */
static NvmlReturn find_profile_id(const SimState *state, const SimGpu *gpu, unsigned profile_id,
                                  int *ret_profile) {
  if (!knows_profiles(gpu))
    return NVML_NOT_SUPPORTED;
  const MigModel *model = sim_gpu_model(gpu);
  *ret_profile = sim_profile_find_id(model, profile_id);
  if (*ret_profile < 0 ||
      (unsigned)model->profiles[*ret_profile].nvml_index >= sim_driver_gi_profile_count(state->driver))
    return NVML_INVALID_ARGUMENT;
  return NVML_SUCCESS;
}

/* Likewise, where instances are concerned: they exist with MIG mode only. */
static NvmlReturn find_usable_profile(const SimState *state, const SimGpu *gpu, unsigned profile_id,
                                      int *ret_profile) {
  return gpu->mig_on ? find_profile_id(state, gpu, profile_id, ret_profile) : NVML_NOT_SUPPORTED;
}

NvmlReturn nvmlDeviceGetGpuInstanceProfileInfoByIdV(NvmlDevice device, unsigned profile_id, void *info) {
  SimView view;
  int profile;
  NvmlReturn result = sim_view_handle(&view, __func__, device, SIM_GPUS);
  if (result == NVML_SUCCESS)
    result = find_profile_id(&view.state, view.place.gpu, profile_id, &profile);
  if (result != NVML_SUCCESS)
    return result;
  return fill(view.state.driver, info, &sim_gpu_model(view.place.gpu)->profiles[profile]);
}

NvmlReturn nvmlDeviceGetGpuInstancePossiblePlacements_v2(NvmlDevice device, unsigned profile_id,
                                                         NvmlPlacement *placements, unsigned *count) {
  SimView view;
  int profile;
  NvmlReturn result = sim_view_handle(&view, __func__, device, SIM_GPUS);
  if (result == NVML_SUCCESS)
    result = find_profile_id(&view.state, view.place.gpu, profile_id, &profile);
  if (result != NVML_SUCCESS)
    return result;
  if (!count)
    return NVML_INVALID_ARGUMENT;
  const MigProfile *found = &sim_gpu_model(view.place.gpu)->profiles[profile];
  unsigned total = 0;
  for (unsigned start = 0; start < MIG_SLOTS_MAX; start++)
    if (found->starts >> start & 1) {
      if (placements)
        placements[total] = (NvmlPlacement){.start = start, .size = found->size};
      total++;
    }
  *count = total;
  return NVML_SUCCESS;
}

NvmlReturn nvmlDeviceGetGpuInstancePossiblePlacements(NvmlDevice device, unsigned profile_id,
                                                      NvmlPlacement *placements, unsigned *count) {
  if (!placements)
    return NVML_INVALID_ARGUMENT;
  return nvmlDeviceGetGpuInstancePossiblePlacements_v2(device, profile_id, placements, count);
}

NvmlReturn nvmlDeviceGetGpuInstanceRemainingCapacity(NvmlDevice device, unsigned profile_id,
                                                     unsigned *count) {
  SimView view;
  int profile;
  NvmlReturn result = sim_view_handle(&view, __func__, device, SIM_GPUS);
  if (result == NVML_SUCCESS)
    result = find_profile_id(&view.state, view.place.gpu, profile_id, &profile);
  /* From where nvidia-smi asks although MIG mode is off (550): nothing can be created, and that is no error.
   */
  if (result == NVML_SUCCESS && !view.place.gpu->mig_on &&
      !sim_driver_is_at_least(view.state.driver, 550, 40))
    result = NVML_NOT_SUPPORTED;
  if (result != NVML_SUCCESS)
    return result;
  if (!count)
    return NVML_INVALID_ARGUMENT;
  *count = view.place.gpu->mig_on ? sim_gi_remaining(view.place.gpu, profile) : 0;
  return NVML_SUCCESS;
}

/* start -1: the driver chooses. */
static NvmlReturn create(SimEdit *edit, int profile, int start, NvmlGpuInstance *ret_instance) {
  SimGpu *gpu = edit->place.gpu;
  NvmlReturn result = sim_gi_choose(gpu, profile, start, &start);
  if (result != NVML_SUCCESS)
    return result;
  /* The first instance takes the whole GPU apart. */
  if (gpu->gi_count == 0 && sim_state_is_used(&edit->change.state, edit->place.gpu_index, -1, -1))
    return NVML_IN_USE;
  sim_edit_spend(edit,
                 sim_latency_ms(gpu, sim_gpu_model(gpu)->profiles[profile].slice_count, SIM_WORK_CREATE_GI));
  const SimGi *gi = sim_gi_add(gpu, profile, start, sim_edit_next_serial(edit));
  sim_edit_post_change(edit);
  result = sim_edit_commit(edit);
  if (result == NVML_SUCCESS)
    *ret_instance = sim_handle_gi(edit->place.gpu_index, gpu, gi);
  return result;
}

NvmlReturn nvmlDeviceCreateGpuInstance(NvmlDevice device, unsigned profile_id, NvmlGpuInstance *instance) {
  CLEANUP(sim_edit_end) SimEdit edit;
  int profile;
  NvmlReturn result = sim_edit_handle(&edit, __func__, device, SIM_GPUS);
  if (result == NVML_SUCCESS)
    result = find_usable_profile(&edit.change.state, edit.place.gpu, profile_id, &profile);
  if (result != NVML_SUCCESS)
    return result;
  return instance ? create(&edit, profile, -1, instance) : NVML_INVALID_ARGUMENT;
}

NvmlReturn nvmlDeviceCreateGpuInstanceWithPlacement(NvmlDevice device, unsigned profile_id,
                                                    const NvmlPlacement *placement,
                                                    NvmlGpuInstance *instance) {
  CLEANUP(sim_edit_end) SimEdit edit;
  int profile;
  NvmlReturn result = sim_edit_handle(&edit, __func__, device, SIM_GPUS);
  if (result == NVML_SUCCESS)
    result = find_usable_profile(&edit.change.state, edit.place.gpu, profile_id, &profile);
  if (result != NVML_SUCCESS)
    return result;
  if (!placement || !instance || placement->start >= MIG_SLOTS_MAX ||
      placement->size != sim_gpu_model(edit.place.gpu)->profiles[profile].size)
    return NVML_INVALID_ARGUMENT;
  return create(&edit, profile, (int)placement->start, instance);
}

NvmlReturn nvmlGpuInstanceDestroy(NvmlGpuInstance instance) {
  CLEANUP(sim_edit_end) SimEdit edit;
  NvmlReturn result = sim_edit_handle(&edit, __func__, instance, SIM_GIS);
  if (result != NVML_SUCCESS)
    return result;
  SimGpu *gpu = edit.place.gpu;
  SimGi *gi = edit.place.gi;
  int gi_id = (int)sim_gi_id(sim_gpu_model(gpu), gi->profile, gi->start);
  if (gi->ci_count > 0 || gi->busy_until > sim_call_now_ms() ||
      sim_state_is_used(&edit.change.state, edit.place.gpu_index, gi_id, -1) ||
      sim_hold_exists(edit.nvml, &edit.change.state, edit.place.gpu_index))
    return NVML_IN_USE;
  sim_edit_spend(&edit, sim_latency_ms(gpu, sim_gi_profile(gpu, gi)->slice_count, SIM_WORK_DESTROY_GI));
  sim_gi_remove(gpu, gi);
  sim_edit_post_change(&edit);
  return sim_edit_commit(&edit);
}

NvmlReturn nvmlDeviceGetGpuInstances(NvmlDevice device, unsigned profile_id, NvmlGpuInstance *instances,
                                     unsigned *count) {
  SimView view;
  int profile;
  NvmlReturn result = sim_view_handle(&view, __func__, device, SIM_GPUS);
  if (result == NVML_SUCCESS)
    result = find_usable_profile(&view.state, view.place.gpu, profile_id, &profile);
  if (result != NVML_SUCCESS)
    return result;
  if (!instances || !count)
    return NVML_INVALID_ARGUMENT;
  const SimGpu *gpu = view.place.gpu;
  unsigned total = 0;
  for (int i = 0; i < gpu->gi_count; i++)
    if (gpu->gis[i].profile == profile)
      instances[total++] = sim_handle_gi(view.place.gpu_index, gpu, &gpu->gis[i]);
  *count = total;
  return NVML_SUCCESS;
}

NvmlReturn nvmlDeviceGetGpuInstanceById(NvmlDevice device, unsigned id, NvmlGpuInstance *instance) {
  SimView view;
  NvmlReturn result = sim_view_handle(&view, __func__, device, SIM_GPUS);
  if (result != NVML_SUCCESS)
    return result;
  if (!view.place.gpu->mig_on)
    return NVML_NOT_SUPPORTED;
  if (!instance)
    return NVML_INVALID_ARGUMENT;
  const SimGi *gi = sim_gi_find(view.place.gpu, id);
  if (!gi)
    return NVML_NOT_FOUND;
  *instance = sim_handle_gi(view.place.gpu_index, view.place.gpu, gi);
  return NVML_SUCCESS;
}

NvmlReturn nvmlGpuInstanceGetInfo(NvmlGpuInstance instance, NvmlGpuInstanceInfo *info) {
  SimView view;
  NvmlReturn result = sim_view_handle(&view, __func__, instance, SIM_GIS);
  if (result != NVML_SUCCESS)
    return result;
  if (!info)
    return NVML_INVALID_ARGUMENT;
  const SimGi *gi = view.place.gi;
  const MigProfile *profile = sim_gi_profile(view.place.gpu, gi);
  *info = (NvmlGpuInstanceInfo){.device = sim_handle_gpu(view.place.gpu_index),
                                .id = sim_gi_id(sim_gpu_model(view.place.gpu), gi->profile, gi->start),
                                .profile_id = (unsigned)profile->nvml_id,
                                .placement = {.start = gi->start, .size = profile->size}};
  return NVML_SUCCESS;
}
