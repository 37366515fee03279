/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/service.h"

#include "base/backoff.h"

#include <string.h>

static void set_aside(AgentService *service, uint32_t gpu, uint64_t now_ms) {
  AgentServiceGpu *entry = &service->gpus[gpu];
  entry->probe_delay_ms =
      backoff_next_ms(entry->probe_delay_ms, AGENT_SERVICE_PROBE_MS, AGENT_SERVICE_PROBE_MAX_MS);
  entry->probe_ms = now_ms + entry->probe_delay_ms;
  entry->is_set_aside = true;
}

bool agent_service_note(AgentService *service, const GpuResult *result, uint64_t now_ms) {
  service->stuck_count = result->stuck_count;
  bool has_hung = result->err.code == ERROR_TIMEOUT, has_died = result->err.code == ERROR_UNAVAILABLE;
  if (!result->stuck_gpu || result->stuck_gpu > GPU_COUNT_MAX || result->observed || !(has_hung || has_died))
    return false;
  uint32_t gpu = result->stuck_gpu - 1;
  if (has_died && ++service->gpus[gpu].deaths < AGENT_SERVICE_DEATHS)
    return false;
  set_aside(service, gpu, now_ms);
  return true;
}

uint32_t agent_service_skip(const AgentService *service, uint64_t now_ms) {
  uint32_t skip = 0;
  for (int i = 0; i < GPU_COUNT_MAX; i++)
    if (service->gpus[i].is_set_aside && (service->stuck_count || now_ms < service->gpus[i].probe_ms))
      skip |= UINT32_C(1) << i;
  return skip;
}

bool agent_service_is_readable(const GpuObserved *gpu) {
  return !gpu->trouble[0] || (gpu->identified && gpu->mode == MIG_MODE_OFF && !gpu->is_lost);
}

/* As it was, and unfit. Another GPU at the same index is not the one that was there. */
static void keep_last(const GpuObserved *old, GpuObserved *gpu, bool is_bad) {
  GpuObserved bad = *gpu;
  bool is_other = bad.uuid[0] && strcmp(bad.uuid, old->uuid) != 0;
  if (old->identified && !is_other)
    *gpu = *old;
  memcpy(gpu->trouble, bad.trouble, sizeof gpu->trouble);
  gpu->is_lost = bad.is_lost;
  gpu->is_out_of_service = is_bad;
}

void agent_service_judge(AgentService *service, const GpuObservation *before, GpuObservation *observation) {
  for (int i = 0; i < observation->gpu_count; i++) {
    GpuObserved *gpu = &observation->gpus[i];
    AgentServiceGpu *entry = &service->gpus[i];
    static const GpuObserved nothing;
    if (agent_service_is_readable(gpu)) {
      memset(entry, 0, sizeof *entry);
      continue;
    }
    entry->bad_looks += entry->bad_looks < AGENT_SERVICE_BAD_LOOKS;
    bool is_bad = gpu->is_lost || entry->is_set_aside || entry->bad_looks >= AGENT_SERVICE_BAD_LOOKS;
    keep_last(before && i < before->gpu_count ? &before->gpus[i] : &nothing, gpu, is_bad);
  }
}
