/* SPDX-License-Identifier: Apache-2.0 */
/* How long the driver works on a change, in milliseconds. */
#pragma once

#include "sim/nvml/state.h"

typedef enum SimWork {
  SIM_WORK_CREATE_GI,
  SIM_WORK_CREATE_CI,
  SIM_WORK_DESTROY_CI,
  SIM_WORK_DESTROY_GI,
} SimWork;

uint32_t sim_latency_ms(const SimGpu *gpu, int gi_slices, SimWork work);
