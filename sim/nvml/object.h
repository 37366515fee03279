/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a simulated driver; private to sim_nvml.c and call.c. */
#pragma once

#include "sim/nvml/fault.h"
#include "sim/nvml/sim_nvml.h"
#include "sim/nvml/store.h"

enum { SIM_EVENT_SETS_MAX = 64 };

typedef struct SimEventSet {
  bool taken;
  uint32_t seen; /* the serial of the newest event that was delivered or lies before its creation */
  uint64_t types[SIM_GPUS_MAX]; /* registered, by GPU */
  int holds[SIM_GPUS_MAX];      /* descriptors of hold.h + 1; 0: none */
} SimEventSet;

struct SimNvml {
  SimStore store;
  SimSleep *sleep;
  void *sleep_userdata;
  double latency;
  bool unprivileged;   /* the caller may neither list nor change instances */
  bool trace;          /* each call in a line on stderr */
  unsigned init_count; /* nvmlInit minus nvmlShutdown */
  SimEventSet event_sets[SIM_EVENT_SETS_MAX];
  pthread_mutex_t faults_mutex; /* guards what follows */
  SimFaults faults;             /* of this process alone; the shared ones are a file */
};
