/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/health.h"

#include "base/host.h"
#include "base/text.h"
#include "gpu/observed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Errors of a program, not of the GPU: NVIDIA's device plugin (internal/rm/health.go) leaves these out, and
 * https://docs.nvidia.com/deploy/xid-errors calls them so: graphics engine exception, memory page fault,
 * stopped processing, preemptive cleanup after another error, video processor exception, context switch
 * timeout. */
static const uint64_t of_programs[] = {13, 31, 43, 45, 68, 109};

int agent_health_parse(AgentHealth *health, const char *disabled, Error *err) {
  const char *rest = string_or_empty(disabled);
  if (strcmp(rest, "all") == 0 || strcmp(rest, "xids") == 0) {
    health->ignores_all = true;
    return 0;
  }
  while (*rest) {
    char *end;
    unsigned long xid = strtoul(rest, &end, 10);
    if (end == rest || *rest < '0' || *rest > '9' || (*end && *end != ',') ||
        health->ignored_count == AGENT_XIDS_MAX)
      return error_set(
          err, ERROR_INVALID,
          "health checks to disable are \"all\", \"xids\" or up to %d numbers such as \"13,31\", not "
          "\"%.64s\"",
          AGENT_XIDS_MAX, disabled);
    health->ignored[health->ignored_count++] = xid;
    rest = *end ? end + 1 : end;
  }
  return 0;
}

bool agent_health_is_critical(const AgentHealth *health, uint64_t xid) {
  for (size_t i = 0; i < COUNT_OF(of_programs); i++)
    if (of_programs[i] == xid)
      return false;
  for (int i = 0; i < health->ignored_count; i++)
    if (health->ignored[i] == xid)
      return false;
  return !health->ignores_all;
}

/* The slot of the slice that the error names, or -1. */
static int find_start(const GpuObserved *gpu, int instance_id) {
  for (int i = 0; instance_id >= 0 && i < gpu->instance_count; i++)
    if (gpu->instances[i].gpu_instance_id == (uint32_t)instance_id)
      return gpu->instances[i].start;
  return -1;
}

static AgentSick *find(AgentHealth *health, const GpuObserved *gpu, int start) {
  for (size_t i = 0; i < health->sick.count; i++)
    if (health->sick.items[i].start == start && strcmp(health->sick.items[i].gpu, gpu->uuid) == 0)
      return &health->sick.items[i];
  if (health->sick.count == AGENT_SICK_MAX)
    array_remove(&health->sick, 0);
  AgentSick *sick = array_push(&health->sick);
  *sick = (AgentSick){.index = gpu->index, .start = start};
  snprintf(sick->gpu, sizeof sick->gpu, "%s", gpu->uuid);
  return sick;
}

const AgentSick *agent_health_note(AgentHealth *health, const GpuObservation *observation,
                                   const GpuXid *event, uint64_t now_ms) {
  const GpuObserved *gpu = gpu_observed_gpu(observation, event->uuid);
  if (!gpu || !agent_health_is_critical(health, event->xid))
    return NULL;
  int start = find_start(gpu, event->instance_id);
  if (start < 0 && event->instance_id >= 0)
    return NULL; /* the slice is gone */
  AgentSick *sick = find(health, gpu, start);
  uint32_t doublings = sick->count < 6 ? sick->count : 6;
  uint64_t duration_ms = (uint64_t)AGENT_SICK_MS << doublings;
  sick->xid = event->xid;
  sick->count++;
  sick->until_ms = now_ms + (duration_ms < AGENT_SICK_MAX_MS ? duration_ms : AGENT_SICK_MAX_MS);
  health->count++;
  return sick;
}

static bool is_sick(const AgentHealth *health, const GpuObserved *gpu, int start, uint64_t now_ms) {
  for (size_t i = 0; i < health->sick.count; i++) {
    const AgentSick *sick = &health->sick.items[i];
    if (now_ms < sick->until_ms && (sick->start < 0 || sick->start == start) &&
        strcmp(sick->gpu, gpu->uuid) == 0)
      return true;
  }
  return false;
}

bool agent_health_apply(const AgentHealth *health, GpuObservation *observation, uint64_t now_ms) {
  bool changed = false;
  for (int g = 0; g < observation->gpu_count; g++) {
    GpuObserved *gpu = &observation->gpus[g];
    bool was_sick = gpu->is_sick;
    gpu->is_sick = is_sick(health, gpu, -1, now_ms);
    changed = changed || was_sick != gpu->is_sick;
    for (int i = 0; i < gpu->instance_count; i++) {
      was_sick = gpu->instances[i].is_sick;
      gpu->instances[i].is_sick = is_sick(health, gpu, gpu->instances[i].start, now_ms);
      changed = changed || was_sick != gpu->instances[i].is_sick;
    }
  }
  return changed;
}

uint64_t agent_health_wake_ms(const AgentHealth *health, uint64_t now_ms) {
  uint64_t wake_ms = HOST_NEVER;
  for (size_t i = 0; i < health->sick.count; i++)
    if (health->sick.items[i].until_ms > now_ms && health->sick.items[i].until_ms < wake_ms)
      wake_ms = health->sick.items[i].until_ms;
  return wake_ms;
}

void agent_health_format_sick(const AgentSick *sick, char *ret_text, size_t size) {
  char what[48] = "";
  if (sick->start >= 0)
    snprintf(what, sizeof what, "the slice at slot %d of ", sick->start);
  snprintf(ret_text, size, "Xid %llu struck %sGPU %d: out of service", (unsigned long long)sick->xid, what,
           sick->index);
}

void agent_health_append(const AgentHealth *health, uint64_t now_ms, Text *text) {
  for (size_t i = 0; i < health->sick.count; i++) {
    char sentence[ERROR_TEXT_SIZE];
    const AgentSick *sick = &health->sick.items[i];
    if (now_ms >= sick->until_ms)
      continue;
    agent_health_format_sick(sick, sentence, sizeof sentence);
    text_append_item(text, "; ", sentence);
    if (sick->count > 1)
      text_format(text, " (%u times)", sick->count);
  }
}

void agent_health_deinit(AgentHealth *health) {
  array_deinit(&health->sick);
}
