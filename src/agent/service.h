/* SPDX-License-Identifier: Apache-2.0 */
/* Which GPUs can be worked with. One that is lost, that cannot be read three times in a row, or on which NVML
 * hangs or crashes is taken out of service: its slices are unhealthy, nothing is changed on it, and the other
 * GPUs go on. Where NVML hung it is not asked again for a while, because each time may cost a worker process
 * that not even a kill can end. Pure. */
#pragma once

#include "gpu/driver.h"

enum {
  AGENT_SERVICE_BAD_LOOKS = 3, /* one or two may be a moment's trouble */
  AGENT_SERVICE_DEATHS = 2,    /* of the worker at one GPU */
  AGENT_SERVICE_PROBE_MS = 60000,
  AGENT_SERVICE_PROBE_MAX_MS = 3600000,
};

typedef struct AgentServiceGpu {
  uint8_t bad_looks, deaths;
  bool is_set_aside;
  uint32_t probe_delay_ms;
  uint64_t probe_ms; /* NVML is asked about it again, to see whether it still hangs */
} AgentServiceGpu;

typedef struct AgentService {
  AgentServiceGpu gpus[GPU_COUNT_MAX];
  uint32_t stuck_count; /* workers that could not be killed */
} AgentService;

/* What came of a job. True where a GPU was set aside for it: the next look goes without that GPU. */
bool agent_service_note(AgentService *service, const GpuResult *result, uint64_t now_ms);
/* GPUs that NVML is not to be asked about now, as bits. */
uint32_t agent_service_skip(const AgentService *service, uint64_t now_ms);
/* Is it read well enough to be worked with? Of one that is not in MIG mode nobody needs to know profiles. */
bool agent_service_is_readable(const GpuObserved *gpu);
/* A GPU that could not be read keeps what it held last (`before`; may be NULL). */
void agent_service_judge(AgentService *service, const GpuObservation *before, GpuObservation *observation);
