/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for errors of the GPUs (Xid). The set of events is kept from one job to the next, so that nothing
 * is missed in between; it is made anew when other GPUs are to be watched. A GPU that cannot tell Xids is
 * left out. */
#include "gpu/nvml_private.h"

#include <string.h>

static bool can_watch(const GpuNvml *nvml) {
  const GpuNvmlCalls *calls = &nvml->calls;
  return calls->event_set_create && calls->event_set_free && calls->register_events && calls->event_wait;
}

void gpu_nvml_end_watch(GpuNvml *nvml) {
  if (nvml->events)
    nvml->calls.event_set_free(TAKE(nvml->events));
}

static int begin(GpuNvml *nvml, uint32_t skip, Error *err) {
  unsigned count = 0;
  NvmlReturn code = nvml->calls.count(&count);
  if (code == NVML_SUCCESS)
    code = nvml->calls.event_set_create(&nvml->events);
  if (code != NVML_SUCCESS)
    return gpu_nvml_fail(err, code, "preparing to watch the GPUs");
  nvml->events_skip = skip;
  for (unsigned i = 0; i < count && i < GPU_COUNT_MAX; i++) {
    NvmlDevice device;
    if (skip >> i & 1)
      continue;
    gpu_nvml_tell_gpu(nvml, i);
    if (nvml->calls.by_index(i, &device) == NVML_SUCCESS)
      (void)nvml->calls.register_events(device, NVML_EVENT_XID, nvml->events);
  }
  return 0;
}

static void take_event(GpuNvml *nvml, const NvmlEventData *data, GpuResult *result) {
  GpuXid *event = &result->xids[result->xid_count];
  *event = (GpuXid){.xid = data->event_data, .instance_id = -1};
  if (data->event_type != NVML_EVENT_XID ||
      nvml->calls.uuid(data->device, event->uuid, sizeof event->uuid) != NVML_SUCCESS)
    return;
  if (data->gpu_instance_id <= INT16_MAX)
    event->instance_id = (int)data->gpu_instance_id;
  result->xid_count++;
}

/* The first event ends the wait; what has come with it is taken along. */
int gpu_nvml_watch(GpuNvml *nvml, const GpuJob *job, GpuResult *result, Error *err) {
  if (!can_watch(nvml))
    return error_set(err, ERROR_UNSUPPORTED, "NVIDIA's library cannot tell errors of the GPUs (Xid)");
  if (nvml->events && nvml->events_skip != job->skip)
    gpu_nvml_end_watch(nvml);
  int r = nvml->events ? 0 : begin(nvml, job->skip, err);
  NvmlEventData data = {0};
  NvmlReturn code = NVML_SUCCESS;
  while (r == 0 && code == NVML_SUCCESS && result->xid_count < GPU_XIDS_MAX) {
    code = nvml->calls.event_wait(nvml->events, &data, result->xid_count ? 0 : job->wait_ms);
    if (code == NVML_SUCCESS)
      take_event(nvml, &data, result);
  }
  if (r < 0 || code == NVML_SUCCESS || code == NVML_TIMEOUT)
    return r;
  gpu_nvml_end_watch(nvml);
  return result->xid_count ? 0 : gpu_nvml_fail(err, code, "waiting for errors of the GPUs");
}
