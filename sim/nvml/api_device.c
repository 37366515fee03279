/* SPDX-License-Identifier: Apache-2.0 */
/* NVML: what one GPU says of itself, and its MIG mode. Where nvml.h lets a function take a MIG device, the
 * answer is about that slice. */
#include "sim/nvml/call.h"
#include "sim/nvml/instance.h"

#include <string.h>

/* What the driver keeps of a whole GPU for itself. */
enum { RESERVED_MIB = 512 };

NvmlReturn nvmlDeviceGetName(NvmlDevice device, char *name, unsigned length) {
  SimView view;
  NvmlReturn result = sim_view_handle(&view, __func__, device, SIM_DEVICES);
  if (result != NVML_SUCCESS)
    return result;
  const SimPlace *place = &view.place;
  if (place->kind == SIM_HANDLE_GPU)
    return sim_call_copy_text(place->gpu->product, name, length);
  char text[NVML_NAME_V2_SIZE];
  sim_name_mig(place->gpu->product, sim_gi_profile(place->gpu, place->gi), place->ci->slices, text);
  return sim_call_copy_text(text, name, length);
}

NvmlReturn nvmlDeviceGetUUID(NvmlDevice device, char *uuid, unsigned length) {
  SimView view;
  NvmlReturn result = sim_view_handle(&view, __func__, device, SIM_DEVICES);
  if (result != NVML_SUCCESS)
    return result;
  const SimPlace *place = &view.place;
  char text[NVML_UUID_SIZE];
  if (place->kind == SIM_HANDLE_GPU)
    sim_uuid_gpu(&view.state, place->gpu_index, text);
  else
    sim_uuid_mig(&view.state, place->gpu_index, place->gi, place->ci, text);
  return sim_call_copy_text(text, uuid, length);
}

NvmlReturn nvmlDeviceGetIndex(NvmlDevice device, unsigned *index) {
  SimView view;
  NvmlReturn result = sim_view_handle(&view, __func__, device, SIM_DEVICES);
  if (result != NVML_SUCCESS)
    return result;
  if (!index)
    return NVML_INVALID_ARGUMENT;
  *index = view.place.kind == SIM_HANDLE_GPU ? (unsigned)view.place.gpu_index : view.place.ci->mig_index;
  return NVML_SUCCESS;
}

NvmlReturn nvmlDeviceGetMinorNumber(NvmlDevice device, unsigned *minor) {
  SimView view;
  NvmlReturn result = sim_view_handle(&view, __func__, device, SIM_DEVICES);
  if (result != NVML_SUCCESS)
    return result;
  if (view.place.kind != SIM_HANDLE_GPU)
    return NVML_NOT_SUPPORTED;
  if (!minor)
    return NVML_INVALID_ARGUMENT;
  *minor = (unsigned)view.place.gpu_index;
  return NVML_SUCCESS;
}

NvmlReturn nvmlDeviceGetPciInfo_v3(NvmlDevice device, NvmlPciInfo *info) {
  SimView view;
  NvmlReturn result = sim_view_handle(&view, __func__, device, SIM_DEVICES);
  if (result != NVML_SUCCESS)
    return result;
  if (!info)
    return NVML_INVALID_ARGUMENT;
  unsigned bus = sim_gpu_pci_bus(view.place.gpu_index);
  *info = (NvmlPciInfo){.bus = bus, .pci_device_id = sim_gpu_pci_device_id(view.place.gpu)};
  snprintf(info->bus_id_legacy, sizeof info->bus_id_legacy, "0000:%02X:00.0", bus);
  snprintf(info->bus_id, sizeof info->bus_id, "00000000:%02X:00.0", bus);
  return NVML_SUCCESS;
}

NvmlReturn nvmlDeviceGetPciInfo_v2(NvmlDevice device, NvmlPciInfoV2 *info) {
  NvmlPciInfo found;
  NvmlReturn result = nvmlDeviceGetPciInfo_v3(device, info ? &found : NULL);
  if (result != NVML_SUCCESS)
    return result;
  *info = (NvmlPciInfoV2){.domain = found.domain,
                          .bus = found.bus,
                          .device = found.device,
                          .pci_device_id = found.pci_device_id,
                          .pci_subsystem_id = found.pci_subsystem_id};
  memcpy(info->bus_id, found.bus_id_legacy, sizeof info->bus_id);
  return NVML_SUCCESS;
}

/* The first version ended before the id of the subsystem. */
NvmlReturn nvmlDeviceGetPciInfo(NvmlDevice device, NvmlPciInfoV2 *info) {
  NvmlPciInfoV2 found;
  NvmlReturn result = nvmlDeviceGetPciInfo_v2(device, info ? &found : NULL);
  if (result == NVML_SUCCESS)
    memcpy(info, &found, offsetof(NvmlPciInfoV2, pci_subsystem_id));
  return result;
}

static const unsigned long long mib = 1024 * 1024;

NvmlReturn nvmlDeviceGetPciInfoExt(NvmlDevice device, NvmlPciInfoExt *info) {
  NvmlPciInfo found;
  if (info && info->version != NVML_STRUCT_VERSION(NvmlPciInfoExt, 1))
    return NVML_ARGUMENT_VERSION_MISMATCH;
  NvmlReturn result = nvmlDeviceGetPciInfo_v3(device, info ? &found : NULL);
  if (result != NVML_SUCCESS)
    return result;
  *info = (NvmlPciInfoExt){.version = info->version,
                           .domain = found.domain,
                           .bus = found.bus,
                           .device = found.device,
                           .pci_device_id = found.pci_device_id,
                           .pci_subsystem_id = found.pci_subsystem_id,
                           .base_class = 3, /* display controller */
                           .sub_class = 2}; /* 3D controller */
  memcpy(info->bus_id, found.bus_id, sizeof info->bus_id);
  return NVML_SUCCESS;
}

/* What the clients on the GPU, or on the slice's GPU instance, take of it. */
static unsigned long long used_of(const SimState *state, const SimPlace *place) {
  unsigned long long used = 0;
  int gi_id =
      place->gi ? (int)sim_gi_id(sim_gpu_model(place->gpu), place->gi->profile, place->gi->start) : -1;
  for (int i = 0; i < state->client_count; i++)
    if (state->clients[i].gpu_index == place->gpu_index && (gi_id < 0 || state->clients[i].gi_id == gi_id))
      used += state->clients[i].memory_mib * mib;
  return used;
}

/* Of the GPU or of the slice, whose memory is all there for its users. */
static NvmlMemoryV2 memory_of(const SimView *view) {
  const SimPlace *place = &view->place;
  bool is_slice = place->kind == SIM_HANDLE_MIG;
  NvmlMemoryV2 memory = {.reserved = is_slice ? 0 : RESERVED_MIB * mib};
  memory.total =
      (is_slice ? sim_gi_profile(place->gpu, place->gi)->memory_mib : sim_gpu_model(place->gpu)->memory_mib) *
      mib;
  unsigned long long room = memory.total - memory.reserved, used = used_of(&view->state, place);
  memory.used = used < room ? used : room;
  memory.free = room - memory.used;
  return memory;
}

NvmlReturn nvmlDeviceGetMemoryInfo(NvmlDevice device, NvmlMemory *memory) {
  SimView view;
  NvmlReturn result = sim_view_handle(&view, __func__, device, SIM_DEVICES);
  if (result != NVML_SUCCESS)
    return result;
  if (!memory)
    return NVML_INVALID_ARGUMENT;
  NvmlMemoryV2 found = memory_of(&view);
  /* Version 1 knows no reserved memory and counts it as used. */
  *memory = (NvmlMemory){.total = found.total, .free = found.free, .used = found.used + found.reserved};
  return NVML_SUCCESS;
}

NvmlReturn nvmlDeviceGetMemoryInfo_v2(NvmlDevice device, NvmlMemoryV2 *memory) {
  SimView view;
  NvmlReturn result = sim_view_handle(&view, __func__, device, SIM_DEVICES);
  if (result != NVML_SUCCESS)
    return result;
  if (!memory)
    return NVML_INVALID_ARGUMENT;
  unsigned version = NVML_STRUCT_VERSION(NvmlMemoryV2, 2);
  if (memory->version != version)
    return NVML_ARGUMENT_VERSION_MISMATCH;
  *memory = memory_of(&view);
  memory->version = version;
  return NVML_SUCCESS;
}

NvmlReturn nvmlDeviceGetMigMode(NvmlDevice device, unsigned *current, unsigned *pending) {
  SimView view;
  NvmlReturn result = sim_view_handle(&view, __func__, device, SIM_GPUS);
  if (result != NVML_SUCCESS)
    return result;
  if (!current || !pending)
    return NVML_INVALID_ARGUMENT;
  *current = view.place.gpu->mig_on ? NVML_MIG_ENABLE : NVML_MIG_DISABLE;
  *pending = view.place.gpu->mig_on_pending ? NVML_MIG_ENABLE : NVML_MIG_DISABLE;
  return NVML_SUCCESS;
}

/* The pending mode becomes the current one, or the reason why it does not. */
static NvmlReturn activate(SimEdit *edit) {
  SimGpu *gpu = edit->place.gpu;
  if (gpu->mig_on == gpu->mig_on_pending)
    return NVML_SUCCESS;
  if (sim_state_is_used(&edit->change.state, edit->place.gpu_index, -1, -1))
    return NVML_IN_USE;
  if (sim_gpu_model(gpu)->mode_needs_reset && !edit->change.state.options.mode_resets_itself)
    return NVML_RESET_REQUIRED;
  gpu->mig_on = gpu->mig_on_pending;
  return NVML_SUCCESS;
}

NvmlReturn nvmlDeviceSetMigMode(NvmlDevice device, unsigned mode, NvmlReturn *activation_status) {
  CLEANUP(sim_edit_end) SimEdit edit;
  NvmlReturn result = sim_edit_handle(&edit, __func__, device, SIM_GPUS);
  if (result != NVML_SUCCESS)
    return result;
  if (!activation_status || mode > NVML_MIG_ENABLE)
    return NVML_INVALID_ARGUMENT;
  SimGpu *gpu = edit.place.gpu;
  if (mode == NVML_MIG_DISABLE && gpu->gi_count > 0) {
    *activation_status = NVML_IN_USE;
    return NVML_IN_USE;
  }
  gpu->mig_on_pending = mode == NVML_MIG_ENABLE;
  NvmlReturn status = activate(&edit);
  sim_edit_post_change(&edit);
  result = sim_edit_commit(&edit);
  if (result == NVML_SUCCESS)
    *activation_status = status;
  return result;
}
