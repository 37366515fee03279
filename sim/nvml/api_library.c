/* SPDX-License-Identifier: Apache-2.0 */
/* NVML: the library itself, the driver, and the ways to a GPU's handle. */
#include "sim/nvml/call.h"
#include "sim/nvml/code.h"
#include "sim/nvml/driver.h"
#include "sim/nvml/instance.h"

#include <string.h>

const char *nvmlErrorString(NvmlReturn result) {
  return sim_code_text(result);
}

NvmlReturn nvmlInit(void) {
  return sim_call_init();
}

NvmlReturn nvmlInit_v2(void) {
  return sim_call_init();
}

NvmlReturn nvmlInitWithFlags(unsigned flags) {
  return sim_call_init();
}

NvmlReturn nvmlShutdown(void) {
  return sim_call_shutdown();
}

NvmlReturn nvmlSystemGetDriverVersion(char *version, unsigned length) {
  SimView view;
  NvmlReturn result = sim_view_open(&view, __func__);
  return result == NVML_SUCCESS ? sim_call_copy_text(view.state.driver, version, length) : result;
}

NvmlReturn nvmlSystemGetNVMLVersion(char *version, unsigned length) {
  SimView view;
  NvmlReturn result = sim_view_open(&view, __func__);
  if (result != NVML_SUCCESS)
    return result;
  char text[SIM_DRIVER_SIZE + 16];
  snprintf(text, sizeof text, "%d.%s", sim_driver_cuda_version(view.state.driver) / 1000, view.state.driver);
  return sim_call_copy_text(text, version, length);
}

NvmlReturn nvmlSystemGetCudaDriverVersion_v2(int *version) {
  SimView view;
  NvmlReturn result = sim_view_open(&view, __func__);
  if (result != NVML_SUCCESS)
    return result;
  if (!version)
    return NVML_INVALID_ARGUMENT;
  *version = sim_driver_cuda_version(view.state.driver);
  return NVML_SUCCESS;
}

NvmlReturn nvmlSystemGetCudaDriverVersion(int *version) {
  return nvmlSystemGetCudaDriverVersion_v2(version);
}

NvmlReturn nvmlDeviceGetCount_v2(unsigned *count) {
  SimView view;
  NvmlReturn result = sim_view_open(&view, __func__);
  if (result != NVML_SUCCESS)
    return result;
  if (!count)
    return NVML_INVALID_ARGUMENT;
  *count = view.state.gpu_count;
  return NVML_SUCCESS;
}

NvmlReturn nvmlDeviceGetCount(unsigned *count) {
  return nvmlDeviceGetCount_v2(count);
}

static NvmlReturn hand_out(const SimState *state, int gpu_index, NvmlDevice *ret_device) {
  if (state->gpus[gpu_index].lost)
    return NVML_GPU_IS_LOST;
  *ret_device = sim_handle_gpu(gpu_index);
  return NVML_SUCCESS;
}

NvmlReturn nvmlDeviceGetHandleByIndex_v2(unsigned index, NvmlDevice *device) {
  SimView view;
  NvmlReturn result = sim_view_open(&view, __func__);
  if (result != NVML_SUCCESS)
    return result;
  if (!device || index >= view.state.gpu_count)
    return NVML_INVALID_ARGUMENT;
  return hand_out(&view.state, (int)index, device);
}

NvmlReturn nvmlDeviceGetHandleByIndex(unsigned index, NvmlDevice *device) {
  return nvmlDeviceGetHandleByIndex_v2(index, device);
}

/* The MIG device with this UUID on one GPU, or NULL. */
static NvmlDevice find_mig_device(const SimState *state, int gpu_index, const char *uuid) {
  const SimGpu *gpu = &state->gpus[gpu_index];
  for (int i = 0; i < gpu->gi_count; i++) {
    const SimGi *gi = &gpu->gis[i];
    for (int k = 0; k < gi->ci_count; k++) {
      char mig_uuid[NVML_UUID_SIZE];
      sim_uuid_mig(state, gpu_index, gi, &gi->cis[k], mig_uuid);
      if (strcmp(mig_uuid, uuid) == 0)
        return sim_handle_mig(gpu_index, gpu, gi, &gi->cis[k]);
    }
  }
  return NULL;
}

NvmlReturn nvmlDeviceGetHandleByUUID(const char *uuid, NvmlDevice *device) {
  SimView view;
  NvmlReturn result = sim_view_open(&view, __func__);
  if (result != NVML_SUCCESS)
    return result;
  if (!uuid || !device)
    return NVML_INVALID_ARGUMENT;
  for (int i = 0; i < view.state.gpu_count; i++) {
    char gpu_uuid[NVML_UUID_SIZE];
    sim_uuid_gpu(&view.state, i, gpu_uuid);
    if (strcmp(gpu_uuid, uuid) == 0)
      return hand_out(&view.state, i, device);
    NvmlDevice found = find_mig_device(&view.state, i, uuid);
    if (found) {
      *device = found;
      return NVML_SUCCESS;
    }
  }
  return NVML_NOT_FOUND;
}

/* The 16 bytes of a UUID's hexadecimal digits, behind "GPU-" or "MIG-". */
static bool has_bytes(const char *uuid, const unsigned char *bytes) {
  int digits = 0;
  for (const char *c = uuid + 4; *c; c++) {
    if (*c == '-')
      continue;
    unsigned nibble = (unsigned)(*c <= '9' ? *c - '0' : *c - 'a' + 10);
    if (digits >= 32 || (digits % 2 ? bytes[digits / 2] & 15u : bytes[digits / 2] >> 4u) != nibble)
      return false;
    digits++;
  }
  return digits == 32;
}

/* The text of the UUID with these bytes; "" where there is none. */
static void find_uuid(const SimState *state, const unsigned char *bytes, char ret_uuid[NVML_UUID_SIZE]) {
  for (int i = 0; i < state->gpu_count; i++) {
    sim_uuid_gpu(state, i, ret_uuid);
    if (has_bytes(ret_uuid, bytes))
      return;
    const SimGpu *gpu = &state->gpus[i];
    for (int k = 0; k < gpu->gi_count; k++)
      for (int c = 0; c < gpu->gis[k].ci_count; c++) {
        sim_uuid_mig(state, i, &gpu->gis[k], &gpu->gis[k].cis[c], ret_uuid);
        if (has_bytes(ret_uuid, bytes))
          return;
      }
  }
  ret_uuid[0] = '\0';
}

NvmlReturn nvmlDeviceGetHandleByUUIDV(const NvmlUuid *uuid, NvmlDevice *device) {
  SimView view;
  NvmlReturn result = sim_view_open(&view, NULL); /* counted as nvmlDeviceGetHandleByUUID */
  if (result != NVML_SUCCESS)
    return result;
  if (!uuid)
    return NVML_INVALID_ARGUMENT;
  if (uuid->version != NVML_STRUCT_VERSION(NvmlUuid, 1))
    return NVML_ARGUMENT_VERSION_MISMATCH;
  char text[NVML_UUID_SIZE] = "";
  if (uuid->type == NVML_UUID_ASCII)
    snprintf(text, sizeof text, "%.40s", uuid->value);
  else if (uuid->type == NVML_UUID_BINARY)
    find_uuid(&view.state, (const unsigned char *)uuid->value, text);
  else
    return NVML_INVALID_ARGUMENT;
  return nvmlDeviceGetHandleByUUID(text, device);
}

/* Nothing here is excluded, and there are no units around the GPUs. */
static NvmlReturn answer_none(const char *function, unsigned *count) {
  SimView view;
  NvmlReturn result = sim_view_open(&view, function);
  if (result != NVML_SUCCESS)
    return result;
  if (!count)
    return NVML_INVALID_ARGUMENT;
  *count = 0;
  return NVML_SUCCESS;
}

NvmlReturn nvmlGetExcludedDeviceCount(unsigned *count) {
  return answer_none(__func__, count);
}

NvmlReturn nvmlGetBlacklistDeviceCount(unsigned *count) {
  return answer_none(__func__, count);
}

NvmlReturn nvmlUnitGetCount(unsigned *count) {
  return answer_none(__func__, count);
}

/* "00000000:07:00.0", "0000:07:00.0" or "07:00.0", as the tools write it. */
static bool parse_bus_id(const char *text, unsigned *ret_bus) {
  unsigned domain = 0, device, function = 0;
  int used = 0;
  if (sscanf(text, "%8x:%2x:%2x.%1x%n", &domain, ret_bus, &device, &function, &used) != 4 || text[used]) {
    domain = 0;
    if (sscanf(text, "%2x:%2x.%1x%n", ret_bus, &device, &function, &used) != 3 || text[used])
      return false;
  }
  return domain == 0 && device == 0 && function == 0;
}

NvmlReturn nvmlDeviceGetHandleByPciBusId_v2(const char *bus_id, NvmlDevice *device) {
  SimView view;
  NvmlReturn result = sim_view_open(&view, __func__);
  if (result != NVML_SUCCESS)
    return result;
  if (!bus_id || !device)
    return NVML_INVALID_ARGUMENT;
  unsigned bus;
  if (!parse_bus_id(bus_id, &bus))
    return NVML_NOT_FOUND;
  for (int i = 0; i < view.state.gpu_count; i++)
    if (sim_gpu_pci_bus(i) == bus)
      return hand_out(&view.state, i, device);
  return NVML_NOT_FOUND;
}

NvmlReturn nvmlDeviceGetHandleByPciBusId(const char *bus_id, NvmlDevice *device) {
  return nvmlDeviceGetHandleByPciBusId_v2(bus_id, device);
}
