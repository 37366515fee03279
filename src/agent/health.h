/* SPDX-License-Identifier: Apache-2.0 */
/* Slices that an error of the GPU (Xid) has struck: out of service for a while, longer each time, and back
 * when it stays quiet. An error without a GPU instance strikes the whole GPU. Errors that a faulty program
 * causes itself count for nothing, as in NVIDIA's device plugin. Pure. */
#pragma once

#include "base/array.h"
#include "base/text.h"
#include "gpu/driver.h"

enum {
  AGENT_SICK_MS = 60000, /* doubling with each error of the same slice */
  AGENT_SICK_MAX_MS = 3600000,
  AGENT_SICK_MAX = 256, /* remembered places */
  AGENT_XIDS_MAX = 64,  /* in the option */
};

typedef struct AgentSick {
  char gpu[MIG_UUID_SIZE];
  int index;      /* of the GPU, for messages */
  int start;      /* slot of the slice; -1: the whole GPU */
  uint64_t xid;   /* the last one */
  uint32_t count; /* so many struck it */
  uint64_t until_ms;
} AgentSick;

typedef struct AgentHealth {
  bool ignores_all;
  uint64_t ignored[AGENT_XIDS_MAX]; /* beside those of faulty programs */
  int ignored_count;
  ARRAY(AgentSick) sick;
  uint64_t count; /* critical errors since the start */
} AgentHealth;

/* "": none; "all" or "xids": no error counts; "13,31": these do not, either (as DP_DISABLE_HEALTHCHECKS of
 * NVIDIA's device plugin). */
int agent_health_parse(AgentHealth *health, const char *disabled, Error *err) MUST_CHECK;
bool agent_health_is_critical(const AgentHealth *health, uint64_t xid);
/* An error happened; returns what it struck, or NULL where it counts for nothing. */
const AgentSick *agent_health_note(AgentHealth *health, const GpuObservation *observation,
                                   const GpuXid *event, uint64_t now_ms);
/* Marks the slices of the observation. True where that changes any. */
bool agent_health_apply(const AgentHealth *health, GpuObservation *observation, uint64_t now_ms);
/* When the next one is well again; HOST_NEVER. */
uint64_t agent_health_wake_ms(const AgentHealth *health, uint64_t now_ms);
/* "Xid 94 struck the slice at slot 6 of GPU 0: out of service": the same words each time, for one Event. */
void agent_health_format_sick(const AgentSick *sick, char *ret_text, size_t size);
/* That of each that is out of service now, with the number of times, parted by "; ". */
void agent_health_append(const AgentHealth *health, uint64_t now_ms, Text *text);
void agent_health_deinit(AgentHealth *health);
