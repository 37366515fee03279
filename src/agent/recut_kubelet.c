/* SPDX-License-Identifier: Apache-2.0 */
/* Re-cutting, as far as the kubelet has a say: which slices the reservation pod holds, and which it should be
 * given. */
#include "agent/state.h"
#include "agent/steer.h"

/* A late answer may speak of the pod before. */
static bool is_slice_of(const Agent *agent, const AgentRecut *recut, const KubeletHeld *held) {
  return string_equal(held->namespace_, agent->recutting.namespace_) && string_equal(held->pod, recut->pod) &&
         mig_profile_is_resource(held->resource);
}

static void note_held(Agent *agent, const KubeletHelds *helds, uint32_t round) {
  AgentRecutting *recutting = &agent->recutting;
  const AgentRecut *active = agent_recutting_find_active(recutting);
  bool is_asking =
      active && (active->state == AGENT_RECUT_LEARNING || active->state == AGENT_RECUT_CONFIRMING);
  if (!is_asking || round != recutting->round)
    return;
  arena_deinit(&recutting->held_arena);
  recutting->held_arena = (Arena){0};
  size_t most = 0;
  for (size_t i = 0; i < helds->count; i++)
    most += helds->items[i].ids.count;
  recutting->held =
      (Strings){.items = arena_alloc(&recutting->held_arena, most * sizeof *recutting->held.items)};
  for (size_t i = 0; i < helds->count; i++)
    for (size_t k = 0; is_slice_of(agent, active, &helds->items[i]) && k < helds->items[i].ids.count; k++)
      recutting->held.items[recutting->held.count++] =
          arena_strdup(&recutting->held_arena, helds->items[i].ids.items[k]);
  recutting->held_known = true;
  agent_kick(agent);
}

void agent_recutting_note_list_asked(Agent *agent) {
  agent->recutting.list_round = agent->recutting.round;
}

void agent_recutting_note_list(Agent *agent, const KubeletHelds *helds) {
  note_held(agent, helds, agent->recutting.list_round);
}

void agent_recutting_ask_anew(Agent *agent) {
  AgentRecutting *recutting = &agent->recutting;
  recutting->round++;
  recutting->held_known = false;
  recutting->held.count = 0;
  timer_cancel(agent->host, &recutting->ask_timer);
}

/* An older kubelet does not know the question, and says it of all pods. */
static void on_held(void *userdata, const KubeletHelds *helds, const Error *err) {
  Agent *agent = userdata;
  if (!err)
    note_held(agent, helds, agent->recutting.get_round);
  else if (timer_is_set(&agent->use_timer))
    timer_set(agent->host, &agent->use_timer, 0);
}

void agent_recutting_ask_kubelet(Agent *agent, const AgentRecut *recut) {
  AgentRecutting *recutting = &agent->recutting;
  if (timer_is_set(&recutting->ask_timer))
    return;
  bool is_quick = agent->host->now_ms - recut->since_ms < 1000;
  timer_set(agent->host, &recutting->ask_timer, is_quick ? KUBELET_POLL_MS : AGENT_RECUT_ASK_SLOWLY_MS);
  if (kubelet_pod_resources_get(agent->pod_resources, recutting->namespace_, recut->pod, on_held, agent))
    recutting->get_round = recutting->round;
}

/* Could it be the reservation at work that the kubelet asks for? It asks for one resource after the other. */
static const AgentRecut *find_asker(const Agent *agent, const char *resource,
                                    const KubeletPreferred *request) {
  const AgentRecut *active = agent_recutting_find_active(&agent->recutting);
  bool is_like = active && active->state <= AGENT_RECUT_LEARNING &&
                 !agent_targets_has_one(&active->targets, resource, &agent->recutting.held) &&
                 request->size == agent_targets_count(&active->targets, resource);
  return is_like ? active : NULL;
}

/* The kubelet does not say which pod it asks for. A reservation that is bound and has none of these slices
 * yet is a likely asker; before our watch shows it bound, only a request of several slices is unlikely enough
 * to be anybody else's. A kubelet whose watch is much quicker than ours would make us guess wrong each time,
 * so after a loss we guess the other way. */
static bool is_for_reservation(const Agent *agent, const char *resource, const KubeletPreferred *request) {
  const AgentRecut *asker = find_asker(agent, resource, request);
  return asker &&
         (request->size > 1 || agent->recutting.losses % 2 == 1 || agent_recutting_is_bound(agent, asker));
}

/* The kubelet's watch and ours show the binding at the same time, and its question may be the first to
 * arrive. */
uint32_t agent_recutting_delay_ms(const Agent *agent, const char *resource, const KubeletPreferred *request) {
  const AgentRecut *asker = find_asker(agent, resource, request);
  return asker && !agent_recutting_is_bound(agent, asker) ? AGENT_RECUT_SHOWN_MS : 0;
}

void agent_recutting_prefer(const Agent *agent, const char *resource, const KubeletPreferred *request,
                            Arena *arena, Strings *ret_ids) {
  const AgentRecut *active = agent_recutting_find_active(&agent->recutting);
  const AgentTargets *targets = active ? &active->targets : &agent->recutting.wanted;
  agent_steer_prefer(agent->observation, &agent->used, targets, is_for_reservation(agent, resource, request),
                     request, arena, ret_ids);
}
