/* SPDX-License-Identifier: Apache-2.0 */
/* NVML: events. Nothing ever happens to a simulated GPU, so a wait is a timeout. */
#include "sim/nvml/call.h"

/* Single and double bit ECC errors, Xid and clock changes: what data centre GPUs offer. */
enum { SUPPORTED_EVENTS = 0x1 | 0x2 | NVML_EVENT_XID | 0x10 };

NvmlReturn nvmlEventSetCreate(NvmlEventSet *set) {
  if (!set)
    return NVML_INVALID_ARGUMENT;
  int slot;
  NvmlReturn result = sim_event_set_take(&slot);
  if (result == NVML_SUCCESS)
    *set = sim_handle_events(slot);
  return result;
}

/* The slot of an event set that exists. */
static NvmlReturn find_set(NvmlEventSet set, int *ret_slot) {
  *ret_slot = sim_handle_event_slot(set);
  return sim_event_set_is_taken(*ret_slot) ? NVML_SUCCESS : NVML_INVALID_ARGUMENT;
}

NvmlReturn nvmlEventSetFree(NvmlEventSet set) {
  SimView view;
  int slot;
  NvmlReturn result = sim_view_open(&view);
  if (result == NVML_SUCCESS)
    result = find_set(set, &slot);
  if (result == NVML_SUCCESS)
    sim_event_set_release(slot);
  return result;
}

NvmlReturn nvmlDeviceGetSupportedEventTypes(NvmlDevice device, unsigned long long *types) {
  SimView view;
  NvmlReturn result = sim_view_handle(&view, device, SIM_GPUS);
  if (result != NVML_SUCCESS)
    return result;
  if (!types)
    return NVML_INVALID_ARGUMENT;
  *types = SUPPORTED_EVENTS;
  return NVML_SUCCESS;
}

NvmlReturn nvmlDeviceRegisterEvents(NvmlDevice device, unsigned long long types, NvmlEventSet set) {
  SimView view;
  int slot;
  NvmlReturn result = sim_view_handle(&view, device, SIM_GPUS);
  if (result == NVML_SUCCESS)
    result = find_set(set, &slot);
  if (result != NVML_SUCCESS)
    return result;
  return types & ~(unsigned long long)SUPPORTED_EVENTS ? NVML_NOT_SUPPORTED : NVML_SUCCESS;
}

NvmlReturn nvmlEventSetWait_v2(NvmlEventSet set, NvmlEventData *data, unsigned timeout_ms) {
  SimView view;
  int slot;
  NvmlReturn result = sim_view_open(&view);
  if (result == NVML_SUCCESS)
    result = find_set(set, &slot);
  if (result != NVML_SUCCESS)
    return result;
  if (!data)
    return NVML_INVALID_ARGUMENT;
  sim_call_sleep(view.nvml, timeout_ms);
  return NVML_TIMEOUT;
}
