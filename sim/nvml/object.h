/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a simulated driver; private to sim_nvml.c and call.c. */
#pragma once

#include "sim/nvml/sim_nvml.h"
#include "sim/nvml/store.h"

enum { SIM_EVENT_SETS_MAX = 64 };

struct SimNvml {
  SimStore store;
  SimSleep *sleep;
  void *sleep_userdata;
  double latency;
  unsigned init_count; /* nvmlInit minus nvmlShutdown */
  bool event_sets[SIM_EVENT_SETS_MAX];
};
