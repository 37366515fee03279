/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/frame.h"

static uint64_t mix(uint64_t value) {
  value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
  return value ^ value >> 31;
}

static uint64_t hash_layout(uint64_t hash, const SnapshotGpu *gpu) {
  for (int i = 0; i < gpu->layout->count; i++) {
    const MigInstance *instance = &gpu->layout->instances[i];
    hash = mix(hash + ((uint64_t)instance->profile << 8 | instance->start) + 1);
  }
  return hash;
}

uint64_t plan_frame_of(const PlanProblem *problem, int host) {
  const PlanHost *from = &problem->hosts.items[host];
  uint64_t hash = 1;
  for (int gpu = from->first_gpu; gpu < from->first_gpu + from->gpu_count; gpu++) {
    hash = mix(hash + (uint64_t)problem->gpus.items[gpu].model + 1);
    hash = mix(hash + plan_problem_withdrawable(problem, gpu));
    hash = hash_layout(hash, plan_problem_gpu(problem, gpu));
  }
  for (int kind = 0; kind < (int)problem->kinds.count; kind++)
    hash = mix(hash + (uint64_t)plan_problem_free(problem, host, kind));
  for (size_t stock = 0; stock < problem->stocks.count; stock++)
    hash = mix(hash +
               (uint64_t)snapshot_free_of(plan_problem_node(problem, host), problem->stocks.items[stock]));
  return hash;
}
