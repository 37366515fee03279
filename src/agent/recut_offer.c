/* SPDX-License-Identifier: Apache-2.0 */
/* Re-cutting: what the node's label facet.gpu/offer reaches. A re-cut has its own offer, told together with
 * the amounts that hold from then on; a witness pod that is placed by it shows that the scheduler has seen
 * them. */
#include "agent/state.h"

static int64_t highest_offer(const AgentRecutting *recutting) {
  int64_t offer = 0;
  for (size_t i = 0; i < recutting->recuts.count; i++)
    if (recutting->recuts.items[i]->offer > offer)
      offer = recutting->recuts.items[i]->offer;
  return offer;
}

/* A report that leaves an amount open, or is about to be followed by the next one, would be a false witness.
 * Who leaves takes down all of them.
 */
int64_t agent_recutting_offer(const Agent *agent) {
  bool is_withdrawn = agent->leaving.state != AGENT_STAYING && !agent_rereading_is_on(agent);
  bool is_whole = is_withdrawn || (agent_slices_all_known(agent) && !agent->recutting.awaits_first);
  return is_whole ? highest_offer(&agent->recutting) : 0;
}

/* Greater than any that the scheduler may have seen. Should somebody take the label away, the clock has gone
 * on. */
static int64_t new_offer(const Agent *agent) {
  const Node *node = agent_node(agent);
  int64_t shown = node ? agent_report_get_offer(node) : 0, given = highest_offer(&agent->recutting);
  int64_t offer = shown > given ? shown : given;
  return offer < agent->host->wall_ms ? agent->host->wall_ms : offer + 1;
}

void agent_recutting_give_offer(Agent *agent, AgentRecut *recut) {
  recut->offer = new_offer(agent);
  agent_kick(agent);
}

/* Since when can the kubelet not read the targets in its list any more? An earlier life of the agent had it
 * shortened before this one began. */
static uint64_t unlisted_ms(const Agent *agent, const AgentRecut *recut) {
  if (!recut->targets.count)
    return agent->started_ms;
  return recut->unlisted_ms ? recut->unlisted_ms : agent->host->now_ms;
}

void agent_recutting_plan_offer(Agent *agent, AgentRecut *recut) {
  uint64_t settles_ms = unlisted_ms(agent, recut) + AGENT_KUBELET_LATE_MS;
  recut->settles_ms = !recut->is_quiet && settles_ms > agent->host->now_ms ? settles_ms : 0;
  if (!recut->settles_ms)
    agent_recutting_give_offer(agent, recut);
}
