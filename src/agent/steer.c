/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/steer.h"

static Strings pick(const Strings *ids, const AgentTargets *targets, bool are_targets, Arena *arena) {
  Strings picked = {.items = arena_alloc(arena, ids->count * sizeof *picked.items)};
  for (size_t i = 0; i < ids->count; i++)
    if ((agent_targets_find(targets, ids->items[i]) != NULL) == are_targets)
      picked.items[picked.count++] = ids->items[i];
  return picked;
}

void agent_steer_prefer(const GpuObservation *observation, const Map *used, const AgentTargets *targets,
                        bool for_reservation, const KubeletPreferred *request, Arena *arena,
                        Strings *ret_ids) {
  Strings first, second;
  KubeletPreferred asked = *request;
  asked.available = pick(&request->available, targets, for_reservation, arena);
  agent_publish_prefer(observation, used, &asked, arena, &first);
  asked.available = pick(&request->available, targets, !for_reservation, arena);
  asked.must_include = first; /* what is settled comes first in the answer */
  agent_publish_prefer(observation, used, &asked, arena, &second);
  *ret_ids = second;
}
