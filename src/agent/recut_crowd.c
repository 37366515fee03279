/* SPDX-License-Identifier: Apache-2.0 */
/* Re-cutting: one re-cut after the other on the same profile. The reservation of the last one is counted by
 * the scheduler until it has gone, though the slices are: the next one would be refused for nothing. */
#include "agent/state.h"

/* What has a reservation asked for that the scheduler still counts, though the slices are gone? */
static int count_ghosts(const AgentRecutting *recutting, const char *resource) {
  int count = 0;
  for (size_t i = 0; i < recutting->recuts.count; i++) {
    const AgentRecut *recut = recutting->recuts.items[i];
    bool has_pod = !agent_recut_is_active(recut) && recut->pod[0];
    count += has_pod ? agent_targets_count(&recut->targets, resource) : 0;
  }
  return count;
}

const char *agent_recutting_find_crowded(const Agent *agent) {
  const AgentRecutting *recutting = &agent->recutting;
  for (size_t i = 0; i < agent->resources.count; i++) {
    const AgentResource *resource = &agent->resources.items[i];
    int ghosts = count_ghosts(recutting, resource->name);
    int wanted = agent_targets_count(&recutting->wanted, resource->name);
    int free_count = ghosts && wanted ? (int)agent_slices_count_free(agent, resource) : 0;
    int asked = agent_rereading_is_on(agent) ? free_count : wanted;
    if (ghosts && wanted && free_count - ghosts < asked)
      return resource->name;
  }
  return NULL;
}

/* NVIDIA's plugin has its shorter list too late for haste. */
void agent_recutting_hurry(Agent *agent, const char *resource) {
  AgentRecutting *recutting = &agent->recutting;
  for (size_t i = 0; i < recutting->recuts.count; i++) {
    AgentRecut *recut = recutting->recuts.items[i];
    bool is_in_the_way = agent_targets_count(&recut->targets, resource) && !recut->unsteered;
    if (is_in_the_way && recut->settles_ms > agent->host->now_ms)
      recut->settles_ms = agent->host->now_ms;
  }
}
