/* SPDX-License-Identifier: Apache-2.0 */
/* NVML: what monitoring programs want to know. Nothing runs here, so most of it never changes: an idle, cool,
 * healthy GPU of its model. What nobody could believe (power, clocks, fans) is not supported. */
#include "sim/nvml/abi.h"
#include "sim/nvml/call.h"
#include "sim/nvml/driver.h"
#include "sim/nvml/instance.h"

#include <string.h>

enum { TEMPERATURE_C = 34 };

/* One number about a GPU, or about what a MIG device lies on. */
static NvmlReturn answer(const char *function, NvmlDevice device, unsigned kinds, int value,
                         void *ret_value) {
  SimView view;
  NvmlReturn result = sim_view_handle(&view, function, device, kinds);
  if (result != NVML_SUCCESS)
    return result;
  if (!ret_value)
    return NVML_INVALID_ARGUMENT;
  memcpy(ret_value, &value, sizeof value);
  return NVML_SUCCESS;
}

NvmlReturn nvmlDeviceGetBrand(NvmlDevice device, int *brand) {
  return answer(__func__, device, SIM_DEVICES, NVML_BRAND_NVIDIA, brand);
}

NvmlReturn nvmlDeviceGetEccMode(NvmlDevice device, int *current, int *pending) {
  NvmlReturn result = answer(__func__, device, SIM_DEVICES, 1, current);
  return result == NVML_SUCCESS ? answer(NULL, device, SIM_DEVICES, 1, pending) : result;
}

NvmlReturn nvmlDeviceGetPersistenceMode(NvmlDevice device, int *mode) {
  return answer(__func__, device, SIM_DEVICES, 1, mode);
}

NvmlReturn nvmlDeviceGetAddressingMode(NvmlDevice device, NvmlAddressingMode *mode) {
  if (mode && mode->version != NVML_STRUCT_VERSION(NvmlAddressingMode, 1))
    return NVML_ARGUMENT_VERSION_MISMATCH;
  return answer(__func__, device, SIM_GPUS, 0, mode ? &mode->value : NULL);
}

NvmlReturn nvmlDeviceGetComputeMode(NvmlDevice device, int *mode) {
  SimView view;
  NvmlReturn result = sim_view_handle(&view, __func__, device, SIM_DEVICES);
  if (result != NVML_SUCCESS)
    return result;
  if (!mode)
    return NVML_INVALID_ARGUMENT;
  *mode = view.place.gpu->compute_mode;
  return NVML_SUCCESS;
}

/* With MIG mode on there is only the default; 1, exclusive thread, is no more. */
NvmlReturn nvmlDeviceSetComputeMode(NvmlDevice device, int mode) {
  CLEANUP(sim_edit_end) SimEdit edit;
  NvmlReturn result = sim_edit_handle(&edit, __func__, device, SIM_GPUS);
  if (result != NVML_SUCCESS)
    return result;
  if (mode < 0 || mode > SIM_COMPUTE_MODE_MAX)
    return NVML_INVALID_ARGUMENT;
  if (mode == 1 || (mode != 0 && edit.place.gpu->mig_on))
    return NVML_NOT_SUPPORTED;
  edit.place.gpu->compute_mode = (uint8_t)mode;
  return sim_edit_commit(&edit);
}

NvmlReturn nvmlDeviceGetDisplayMode(NvmlDevice device, int *display) {
  return answer(__func__, device, SIM_GPUS, 0, display);
}

NvmlReturn nvmlDeviceGetDisplayActive(NvmlDevice device, int *active) {
  return answer(__func__, device, SIM_GPUS, 0, active);
}

NvmlReturn nvmlDeviceGetVirtualizationMode(NvmlDevice device, int *mode) {
  return answer(__func__, device, SIM_DEVICES, 0, mode);
}

NvmlReturn nvmlDeviceGetMultiGpuBoard(NvmlDevice device, unsigned *multi_gpu) {
  return answer(__func__, device, SIM_GPUS, 0, multi_gpu);
}

NvmlReturn nvmlDeviceGetPerformanceState(NvmlDevice device, int *state) {
  return answer(__func__, device, SIM_GPUS, 0, state);
}

NvmlReturn nvmlDeviceGetTemperature(NvmlDevice device, int sensor, unsigned *temperature) {
  if (sensor != 0)
    return NVML_INVALID_ARGUMENT;
  return answer(__func__, device, SIM_GPUS, TEMPERATURE_C, temperature);
}

typedef struct Generation {
  const char *architecture, *key; /* of the model's row; key "": the rest */
  int number, major, minor;
} Generation;

static const Generation *find_generation(const SimGpu *gpu) {
  static const Generation rows[] = {
      {"ampere", "", NVML_ARCHITECTURE_AMPERE, 8, 0},
      {"hopper", "", NVML_ARCHITECTURE_HOPPER, 9, 0},
      {"blackwell", "B300", NVML_ARCHITECTURE_BLACKWELL, 10, 3},
      {"blackwell", "GB300", NVML_ARCHITECTURE_BLACKWELL, 10, 3},
      {"blackwell", "RTX", NVML_ARCHITECTURE_BLACKWELL, 12, 0},
      {"blackwell", "", NVML_ARCHITECTURE_BLACKWELL, 10, 0},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++)
    if (strcmp(gpu->row->architecture, rows[i].architecture) == 0 &&
        string_has_prefix(gpu->row->key, rows[i].key))
      return &rows[i];
  return NULL;
}

NvmlReturn nvmlDeviceGetArchitecture(NvmlDevice device, unsigned *architecture) {
  SimView view;
  NvmlReturn result = sim_view_handle(&view, __func__, device, SIM_DEVICES);
  if (result != NVML_SUCCESS)
    return result;
  const Generation *generation = find_generation(view.place.gpu);
  if (!architecture || !generation)
    return architecture ? NVML_NOT_SUPPORTED : NVML_INVALID_ARGUMENT;
  *architecture = (unsigned)generation->number;
  return NVML_SUCCESS;
}

NvmlReturn nvmlDeviceGetCudaComputeCapability(NvmlDevice device, int *major, int *minor) {
  SimView view;
  NvmlReturn result = sim_view_handle(&view, __func__, device, SIM_DEVICES);
  if (result != NVML_SUCCESS)
    return result;
  const Generation *generation = find_generation(view.place.gpu);
  if (!major || !minor || !generation)
    return major && minor ? NVML_NOT_SUPPORTED : NVML_INVALID_ARGUMENT;
  *major = generation->major;
  *minor = generation->minor;
  return NVML_SUCCESS;
}

/* A window on all of the memory, rounded up to a power of two; a GPU instance has its share, less one MiB
 * (nvidia-smi's tables in public logs: 131072 MiB for 80 GB, 65535 MiB for a 3g.40gb of it). */
NvmlReturn nvmlDeviceGetBAR1MemoryInfo(NvmlDevice device, NvmlBar1Memory *memory) {
  SimView view;
  NvmlReturn result = sim_view_handle(&view, __func__, device, SIM_DEVICES);
  if (result != NVML_SUCCESS)
    return result;
  if (!memory)
    return NVML_INVALID_ARGUMENT;
  const MigModel *model = sim_gpu_model(view.place.gpu);
  unsigned long long mib = 1;
  while (mib < model->memory_mib)
    mib *= 2;
  if (view.place.kind == SIM_HANDLE_MIG)
    mib = mib * sim_gi_profile(view.place.gpu, view.place.gi)->size / model->slot_count - 1;
  *memory = (NvmlBar1Memory){.total = mib << 20, .free = mib << 20};
  return NVML_SUCCESS;
}

/* With MIG mode on there is no utilization of the whole, and none of a part. */
NvmlReturn nvmlDeviceGetUtilizationRates(NvmlDevice device, NvmlUtilization *utilization) {
  SimView view;
  NvmlReturn result = sim_view_handle(&view, __func__, device, SIM_DEVICES);
  if (result != NVML_SUCCESS)
    return result;
  if (view.place.gpu->mig_on)
    return NVML_NOT_SUPPORTED;
  if (!utilization)
    return NVML_INVALID_ARGUMENT;
  *utilization = (NvmlUtilization){0};
  return NVML_SUCCESS;
}

static NvmlReturn count_errors(const char *function, NvmlDevice device, unsigned long long *count) {
  int none;
  NvmlReturn result = answer(function, device, SIM_DEVICES, 0, &none);
  if (result == NVML_SUCCESS && !count)
    return NVML_INVALID_ARGUMENT;
  if (result == NVML_SUCCESS)
    *count = 0;
  return result;
}

NvmlReturn nvmlDeviceGetMemoryErrorCounter(NvmlDevice device, int error, int counter, int location,
                                           unsigned long long *count) {
  return count_errors(__func__, device, count);
}

NvmlReturn nvmlDeviceGetTotalEccErrors(NvmlDevice device, int error, int counter, unsigned long long *count) {
  return count_errors(__func__, device, count);
}

static void fill_field(const SimView *view, NvmlFieldValue *value) {
  bool mode_needs_no_reset = !sim_gpu_model(view->place.gpu)->mode_needs_reset;
  const char *driver = view->state.driver;
  bool known =
      (value->field_id == NVML_FIELD_RESETLESS_MIG && sim_driver_is_at_least(driver, 535, 43)) ||
      (value->field_id == NVML_FIELD_MODE_INDEPENDENT_MIG && sim_driver_is_at_least(driver, 550, 40));
  value->timestamp = (long long)sim_call_now_ms() * 1000;
  value->latency_us = 0;
  value->value_type = NVML_VALUE_UNSIGNED_INT;
  value->result = known ? NVML_SUCCESS : NVML_NOT_SUPPORTED;
  value->value = known && mode_needs_no_reset ? 1 : 0;
}

NvmlReturn nvmlDeviceGetFieldValues(NvmlDevice device, int count, NvmlFieldValue *values) {
  SimView view;
  NvmlReturn result = sim_view_handle(&view, __func__, device, SIM_DEVICES);
  if (result != NVML_SUCCESS)
    return result;
  if (count < 1 || !values)
    return NVML_INVALID_ARGUMENT;
  for (int i = 0; i < count; i++)
    fill_field(&view, &values[i]);
  return NVML_SUCCESS;
}
