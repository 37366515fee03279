/* SPDX-License-Identifier: Apache-2.0 */
/* NVML: events. */
#include "sim/nvml/abi.h"
#include "sim/nvml/event.h"

#include <string.h>

NvmlReturn nvmlEventSetCreate(NvmlEventSet *set) {
  return set ? sim_event_set_take(set) : NVML_INVALID_ARGUMENT;
}

NvmlReturn nvmlEventSetFree(NvmlEventSet set) {
  return sim_event_set_release(set);
}

NvmlReturn nvmlDeviceGetSupportedEventTypes(NvmlDevice device, unsigned long long *types) {
  SimView view;
  NvmlReturn result = sim_view_handle(&view, __func__, device, SIM_GPUS);
  if (result != NVML_SUCCESS)
    return result;
  if (!types)
    return NVML_INVALID_ARGUMENT;
  *types = SIM_EVENTS_SUPPORTED;
  return NVML_SUCCESS;
}

NvmlReturn nvmlDeviceRegisterEvents(NvmlDevice device, unsigned long long types, NvmlEventSet set) {
  SimView view;
  NvmlReturn result = sim_view_handle(&view, __func__, device, SIM_GPUS);
  return result == NVML_SUCCESS ? sim_event_set_register(set, view.place.gpu_index, types) : result;
}

static unsigned instance_of(int16_t id) {
  return id < 0 ? NVML_NO_INSTANCE : (unsigned)id;
}

NvmlReturn nvmlEventSetWait_v2(NvmlEventSet set, NvmlEventData *data, unsigned timeout_ms) {
  SimEvent event;
  if (!data)
    return NVML_INVALID_ARGUMENT;
  NvmlReturn result = sim_event_set_wait(set, timeout_ms, &event);
  if (result == NVML_SUCCESS)
    *data = (NvmlEventData){.device = sim_handle_gpu(event.gpu_index),
                            .event_type = event.type,
                            .event_data = event.data,
                            .gpu_instance_id = instance_of(event.gi_id),
                            .compute_instance_id = instance_of(event.ci_id)};
  return result;
}

/* The first version knew no instances; the rest lies where it lay. */
NvmlReturn nvmlEventSetWait(NvmlEventSet set, void *data, unsigned timeout_ms) {
  NvmlEventData found;
  NvmlReturn result = nvmlEventSetWait_v2(set, data ? &found : NULL, timeout_ms);
  if (result == NVML_SUCCESS)
    memcpy(data, &found, offsetof(NvmlEventData, gpu_instance_id));
  return result;
}
