/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/use.h"

bool agent_use_is_used(const GpuInstance *instance, const Map *held) {
  return !held || !instance->uuid[0] || instance->process_count > 0 || map_find(held, instance->uuid);
}
