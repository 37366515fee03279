/* SPDX-License-Identifier: Apache-2.0 */
/* Measured on real GPUs: wall time of creating a GPU instance with its compute instance, and of destroying
 * both, by the GPU instance's slices (artecs-group/RL_MIG_scheduler b5c1b9c, FAR_scheduler/algorithm.py).
 * Nobody published Blackwell's; it gets Hopper's. The pair is split three to one, because the GPU instance is
 * the part that moves memory. */
#include "sim/nvml/latency.h"

#include "base/cleanup.h"
#include "sim/nvml/instance.h"

#include <string.h>

typedef struct PairTime {
  const char *architecture;
  uint8_t slots;  /* 0: any */
  uint8_t slices; /* up to */
  uint16_t create_ms, destroy_ms;
} PairTime;

static const PairTime pair_times[] = {
    {"ampere", 4, 1, 110, 100}, {"ampere", 4, 2, 120, 100}, {"ampere", 4, 4, 130, 100},
    {"ampere", 0, 1, 160, 200}, {"ampere", 0, 2, 170, 200}, {"ampere", 0, 3, 200, 210},
    {"ampere", 0, 4, 210, 210}, {"ampere", 0, 7, 240, 220}, {NULL, 0, 1, 160, 210},
    {NULL, 0, 2, 210, 230},     {NULL, 0, 3, 330, 250},     {NULL, 0, 4, 380, 260},
    {NULL, 0, 8, 420, 260},
};

static const PairTime *find_time(const SimGpu *gpu, int gi_slices) {
  for (size_t i = 0; i < COUNT_OF(pair_times); i++) {
    const PairTime *time = &pair_times[i];
    if ((!time->architecture || strcmp(time->architecture, gpu->row->architecture) == 0) &&
        (!time->slots || time->slots == sim_gpu_model(gpu)->slot_count) && gi_slices <= time->slices)
      return time;
  }
  return &pair_times[COUNT_OF(pair_times) - 1];
}

uint32_t sim_latency_ms(const SimGpu *gpu, int gi_slices, SimWork work) {
  const PairTime *time = find_time(gpu, gi_slices);
  switch (work) {
  case SIM_WORK_CREATE_GI:
    return time->create_ms * 3u / 4;
  case SIM_WORK_CREATE_CI:
    return time->create_ms / 4u;
  case SIM_WORK_DESTROY_CI:
    return time->destroy_ms / 4u;
  case SIM_WORK_DESTROY_GI:
    break;
  }
  return time->destroy_ms * 3u / 4;
}
