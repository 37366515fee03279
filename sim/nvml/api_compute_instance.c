/* SPDX-License-Identifier: Apache-2.0 */
/* NVML: compute instances - their profiles within a GPU instance, where they may go, and their life. */
#include "sim/nvml/call.h"
#include "sim/nvml/driver.h"
#include "sim/nvml/hold.h"
#include "sim/nvml/instance.h"
#include "sim/nvml/latency.h"

#include <assert.h>
#include <string.h>

static int slices_of(const SimPlace *place) {
  return sim_gi_profile(place->gpu, place->gi)->slice_count;
}

/* All numbers of a profile but its name; the versions of the struct differ around them. */
static NvmlComputeInstanceProfileInfo describe(const SimPlace *place, const SimComputeProfile *profile) {
  const MigProfile *parent = sim_gi_profile(place->gpu, place->gi);
  return (NvmlComputeInstanceProfileInfo){.id = profile->index,
                                          .slice_count = profile->slices,
                                          .instance_count = (unsigned)__builtin_popcount(profile->starts),
                                          .multiprocessor_count =
                                              sim_ci_multiprocessors(place->gpu, place->gi, profile->slices),
                                          .shared_copy_engine_count = parent->copy_engines,
                                          .shared_decoder_count = parent->decoders,
                                          .shared_encoder_count = parent->encoders,
                                          .shared_jpeg_count = parent->jpegs,
                                          .shared_ofa_count = parent->ofas};
}

static NvmlReturn find_profile(SimView *view, NvmlGpuInstance instance, unsigned index,
                               unsigned engine_profile, const SimComputeProfile **ret_profile) {
  NvmlReturn result =
      sim_view_handle(view, "nvmlGpuInstanceGetComputeInstanceProfileInfo", instance, SIM_GIS);
  if (result != NVML_SUCCESS)
    return result;
  if (index >= sim_driver_ci_profile_count(view->state.driver) ||
      engine_profile != NVML_COMPUTE_INSTANCE_ENGINE_PROFILE_SHARED)
    return NVML_INVALID_ARGUMENT;
  *ret_profile = sim_ci_profile_find(slices_of(&view->place), index);
  return *ret_profile ? NVML_SUCCESS : NVML_NOT_SUPPORTED;
}

NvmlReturn nvmlGpuInstanceGetComputeInstanceProfileInfo(NvmlGpuInstance instance, unsigned profile,
                                                        unsigned engine_profile,
                                                        NvmlComputeInstanceProfileInfo *info) {
  SimView view;
  const SimComputeProfile *found = NULL;
  NvmlReturn result = find_profile(&view, instance, profile, engine_profile, &found);
  if (result != NVML_SUCCESS)
    return result;
  if (!info)
    return NVML_INVALID_ARGUMENT;
  *info = describe(&view.place, found);
  return NVML_SUCCESS;
}

/* Version 3 is version 2 with one more word behind it. */
_Static_assert(offsetof(NvmlComputeInstanceProfileInfoV3, name) ==
                   offsetof(NvmlComputeInstanceProfileInfoV2, name),
               "one function fills both");

static void fill_v2(NvmlComputeInstanceProfileInfoV2 *info, const NvmlComputeInstanceProfileInfo *found) {
  *info = (NvmlComputeInstanceProfileInfoV2){.version = info->version,
                                             .id = found->id,
                                             .slice_count = found->slice_count,
                                             .instance_count = found->instance_count,
                                             .multiprocessor_count = found->multiprocessor_count,
                                             .shared_copy_engine_count = found->shared_copy_engine_count,
                                             .shared_decoder_count = found->shared_decoder_count,
                                             .shared_encoder_count = found->shared_encoder_count,
                                             .shared_jpeg_count = found->shared_jpeg_count,
                                             .shared_ofa_count = found->shared_ofa_count};
}

NvmlReturn nvmlGpuInstanceGetComputeInstanceProfileInfoV(NvmlGpuInstance instance, unsigned profile,
                                                         unsigned engine_profile, void *info) {
  SimView view;
  const SimComputeProfile *found = NULL;
  NvmlReturn result = find_profile(&view, instance, profile, engine_profile, &found);
  if (result != NVML_SUCCESS)
    return result;
  if (!info)
    return NVML_INVALID_ARGUMENT;
  unsigned version = *(const unsigned *)info;
  bool is_v3 = version == NVML_STRUCT_VERSION(NvmlComputeInstanceProfileInfoV3, 3) &&
               sim_driver_is_at_least(view.state.driver, 545, 23);
  if (!is_v3 && version != NVML_STRUCT_VERSION(NvmlComputeInstanceProfileInfoV2, 2))
    return NVML_ARGUMENT_VERSION_MISMATCH;
  NvmlComputeInstanceProfileInfo numbers = describe(&view.place, found);
  NvmlComputeInstanceProfileInfoV2 *filled = info;
  fill_v2(filled, &numbers);
  sim_name_mig(NULL, sim_gi_profile(view.place.gpu, view.place.gi), found->slices, filled->name);
  if (is_v3)
    ((NvmlComputeInstanceProfileInfoV3 *)info)->capabilities =
        sim_gi_profile(view.place.gpu, view.place.gi)->kind == MIG_GFX ? 1 : 0;
  return NVML_SUCCESS;
}

static NvmlReturn find_profile_id(const SimPlace *place, unsigned profile_id,
                                  const SimComputeProfile **ret_profile) {
  *ret_profile = sim_ci_profile_find(slices_of(place), profile_id);
  return *ret_profile ? NVML_SUCCESS : NVML_INVALID_ARGUMENT;
}

NvmlReturn nvmlGpuInstanceGetComputeInstancePossiblePlacements(NvmlGpuInstance instance, unsigned profile_id,
                                                               NvmlPlacement *placements, unsigned *count) {
  SimView view;
  const SimComputeProfile *profile = NULL;
  NvmlReturn result = sim_view_handle(&view, __func__, instance, SIM_GIS);
  if (result == NVML_SUCCESS)
    result = find_profile_id(&view.place, profile_id, &profile);
  if (result != NVML_SUCCESS)
    return result;
  if (!count)
    return NVML_INVALID_ARGUMENT;
  unsigned total = 0;
  for (unsigned start = 0; profile->starts >> start; start++)
    if (profile->starts >> start & 1) {
      if (placements)
        placements[total] = (NvmlPlacement){.start = start, .size = profile->slices};
      total++;
    }
  *count = total;
  return NVML_SUCCESS;
}

NvmlReturn nvmlGpuInstanceGetComputeInstanceRemainingCapacity(NvmlGpuInstance instance, unsigned profile_id,
                                                              unsigned *count) {
  SimView view;
  const SimComputeProfile *profile = NULL;
  NvmlReturn result = sim_view_handle(&view, __func__, instance, SIM_GIS);
  if (result == NVML_SUCCESS)
    result = find_profile_id(&view.place, profile_id, &profile);
  if (result != NVML_SUCCESS)
    return result;
  if (!count)
    return NVML_INVALID_ARGUMENT;
  *count = sim_ci_remaining(view.place.gi, profile);
  return NVML_SUCCESS;
}

/* start -1: the first that is free. */
static NvmlReturn create(SimEdit *edit, const SimComputeProfile *profile, int start,
                         NvmlComputeInstance *ret_compute) {
  SimPlace *place = &edit->place;
  NvmlReturn result = sim_ci_choose(place->gi, profile, start, &start);
  if (result != NVML_SUCCESS)
    return result;
  sim_edit_spend(edit, sim_latency_ms(place->gpu, profile->gi_slices, SIM_WORK_CREATE_CI));
  const SimCi *ci = sim_ci_add(place->gpu, place->gi, profile, start, sim_edit_next_serial(edit));
  sim_edit_post_change(edit);
  result = sim_edit_commit(edit);
  if (result == NVML_SUCCESS)
    *ret_compute = sim_handle_ci(place->gpu_index, place->gpu, place->gi, ci);
  return result;
}

NvmlReturn nvmlGpuInstanceCreateComputeInstance(NvmlGpuInstance instance, unsigned profile_id,
                                                NvmlComputeInstance *compute) {
  CLEANUP(sim_edit_end) SimEdit edit;
  const SimComputeProfile *profile = NULL;
  NvmlReturn result = sim_edit_handle(&edit, __func__, instance, SIM_GIS);
  if (result == NVML_SUCCESS)
    result = find_profile_id(&edit.place, profile_id, &profile);
  if (result != NVML_SUCCESS)
    return result;
  return compute ? create(&edit, profile, -1, compute) : NVML_INVALID_ARGUMENT;
}

NvmlReturn nvmlGpuInstanceCreateComputeInstanceWithPlacement(NvmlGpuInstance instance, unsigned profile_id,
                                                             const NvmlPlacement *placement,
                                                             NvmlComputeInstance *compute) {
  CLEANUP(sim_edit_end) SimEdit edit;
  const SimComputeProfile *profile = NULL;
  NvmlReturn result = sim_edit_handle(&edit, __func__, instance, SIM_GIS);
  if (result == NVML_SUCCESS)
    result = find_profile_id(&edit.place, profile_id, &profile);
  if (result != NVML_SUCCESS)
    return result;
  if (!placement || !compute || placement->start >= SIM_CIS_MAX || placement->size != profile->slices)
    return NVML_INVALID_ARGUMENT;
  return create(&edit, profile, (int)placement->start, compute);
}

NvmlReturn nvmlComputeInstanceDestroy(NvmlComputeInstance compute) {
  CLEANUP(sim_edit_end) SimEdit edit;
  NvmlReturn result = sim_edit_handle(&edit, __func__, compute, SIM_CIS);
  if (result != NVML_SUCCESS)
    return result;
  const SimPlace *place = &edit.place;
  int gi_id = (int)sim_gi_id(sim_gpu_model(place->gpu), place->gi->profile, place->gi->start);
  if (place->ci->process_count > 0 || place->ci->busy_until > sim_call_now_ms() ||
      sim_state_is_used(&edit.change.state, place->gpu_index, gi_id, place->ci->id) ||
      sim_hold_exists(edit.nvml, &edit.change.state, place->gpu_index))
    return NVML_IN_USE;
  sim_edit_spend(&edit, sim_latency_ms(edit.place.gpu, slices_of(&edit.place), SIM_WORK_DESTROY_CI));
  if (edit.change.state.options.linger_ms)
    place->gi->busy_until = sim_call_now_ms() + edit.change.state.options.linger_ms;
  sim_ci_remove(place->gi, place->ci);
  sim_edit_post_change(&edit);
  return sim_edit_commit(&edit);
}

NvmlReturn nvmlGpuInstanceGetComputeInstances(NvmlGpuInstance instance, unsigned profile_id,
                                              NvmlComputeInstance *computes, unsigned *count) {
  SimView view;
  const SimComputeProfile *profile = NULL;
  NvmlReturn result = sim_view_handle(&view, __func__, instance, SIM_GIS);
  if (result == NVML_SUCCESS)
    result = find_profile_id(&view.place, profile_id, &profile);
  if (result != NVML_SUCCESS)
    return result;
  if (!computes || !count)
    return NVML_INVALID_ARGUMENT;
  const SimPlace *place = &view.place;
  unsigned total = 0;
  for (int i = 0; i < place->gi->ci_count; i++)
    if (place->gi->cis[i].slices == profile->slices)
      computes[total++] = sim_handle_ci(place->gpu_index, place->gpu, place->gi, &place->gi->cis[i]);
  *count = total;
  return NVML_SUCCESS;
}

NvmlReturn nvmlGpuInstanceGetComputeInstanceById(NvmlGpuInstance instance, unsigned id,
                                                 NvmlComputeInstance *compute) {
  SimView view;
  NvmlReturn result = sim_view_handle(&view, __func__, instance, SIM_GIS);
  if (result != NVML_SUCCESS)
    return result;
  if (!compute)
    return NVML_INVALID_ARGUMENT;
  const SimCi *ci = sim_ci_find(view.place.gi, id);
  if (!ci)
    return NVML_NOT_FOUND;
  *compute = sim_handle_ci(view.place.gpu_index, view.place.gpu, view.place.gi, ci);
  return NVML_SUCCESS;
}

NvmlReturn nvmlComputeInstanceGetInfo_v2(NvmlComputeInstance compute, NvmlComputeInstanceInfo *info) {
  SimView view;
  NvmlReturn result = sim_view_handle(&view, __func__, compute, SIM_CIS);
  if (result != NVML_SUCCESS)
    return result;
  if (!info)
    return NVML_INVALID_ARGUMENT;
  const SimPlace *place = &view.place;
  const SimComputeProfile *profile = sim_ci_profile_of(slices_of(place), place->ci->slices);
  assert(profile);
  /* nvml.h says "parent device", and nvidia-smi prints its index as the GPU's; others have seen the MIG
   * device. */
  NvmlDevice device = view.state.options.compute_is_mig_device
                          ? sim_handle_mig(place->gpu_index, place->gpu, place->gi, place->ci)
                          : sim_handle_gpu(place->gpu_index);
  *info = (NvmlComputeInstanceInfo){.device = device,
                                    .gpu_instance = sim_handle_gi(place->gpu_index, place->gpu, place->gi),
                                    .id = place->ci->id,
                                    .profile_id = profile->index,
                                    .placement = {.start = place->ci->start, .size = place->ci->slices}};
  return NVML_SUCCESS;
}

/* The first version had no placement; the rest lies where it lay. */
NvmlReturn nvmlComputeInstanceGetInfo(NvmlComputeInstance compute, void *info) {
  NvmlComputeInstanceInfo found;
  NvmlReturn result = nvmlComputeInstanceGetInfo_v2(compute, info ? &found : NULL);
  if (result == NVML_SUCCESS)
    memcpy(info, &found, offsetof(NvmlComputeInstanceInfo, placement));
  return result;
}
