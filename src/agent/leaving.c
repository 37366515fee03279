/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/leaving.h"

#include "agent/state.h"

/* Neither is known of a node that was not read yet. */
static bool is_handed_over(const Node *node) {
  return node && agent_wanted_is_managed(node);
}

static bool is_given_up(const Node *node) {
  return node && !agent_wanted_is_managed(node);
}

/* Slices that the kubelet may still give to somebody. */
static size_t count_free(const Agent *agent) {
  size_t count = 0;
  for (size_t i = 0; i < agent->resources.count; i++)
    count += agent_slices_count_free(agent, &agent->resources.items[i]);
  return count;
}

/* Of which the kubelet would put the amounts back. */
static bool has_any(const Agent *agent) {
  for (size_t i = 0; i < agent->resources.count; i++)
    if (agent->resources.items[i].partitions.count)
      return true;
  return false;
}

static bool offers_nothing(const Agent *agent, const Node *node) {
  for (size_t i = 0; node && i < agent->resources.count; i++) {
    AgentResource nothing = agent->resources.items[i];
    nothing.partitions.count = 0;
    if (!agent_report_shows(node, &nothing))
      return false;
  }
  return true;
}

static void begin(Agent *agent) {
  AgentLeaving *leaving = &agent->leaving;
  leaving->state = AGENT_CLEARING;
  leaving->began_ms = agent->host->now_ms;
  leaving->nothing_since_ms = leaving->ticked_ms = 0;
  leaving->has_ticked = leaving->is_clear = leaving->is_witnessed = leaving->is_confirmed = false;
  agent->report_again_ms = 0;
  log_info(AGENT_COMPONENT, "leaving", "why=" LOG_QUOTED " free_slices=%zu hint=" LOG_QUOTED,
           leaving->is_retirement ? "the node is not labelled any more" : "the agent ends", count_free(agent),
           leaving->is_end ? "promised pods are served first; a second signal ends at once" : "");
}

/* Who ends the agent waits less long than a node whose label went. */
static uint64_t patience_ends_ms(const AgentLeaving *leaving) {
  uint64_t retired_ms =
      leaving->is_retirement ? leaving->began_ms + AGENT_LEAVE_RETIREMENT_MAX_MS : HOST_NEVER;
  uint64_t ended_ms = leaving->is_end ? leaving->end_ms + AGENT_LEAVE_MAX_MS : HOST_NEVER;
  return retired_ms < ended_ms ? retired_ms : ended_ms;
}

static bool owes_words(const Agent *agent, const Node *node) {
  return is_given_up(node) &&
         (agent_takeover_owes(agent, node) || key_values_find(&node->meta.labels, MIG_LABEL_OFFER));
}

/* Once. Last of all, when our sockets are gone, a node that leaves facet loses our label, and gets its own
 * for NVIDIA's device plugin back. */
static void end(Agent *agent, const Node *node) {
  AgentLeaving *leaving = &agent->leaving;
  uint64_t last_ms = patience_ends_ms(leaving) + AGENT_LEAVE_WORDS_MS;
  if (!leaving->is_end || !leaving->on_left)
    return;
  if (owes_words(agent, node) && agent->host->now_ms < last_ms) {
    timer_set(agent->host, &leaving->timer, last_ms - agent->host->now_ms);
    return;
  }
  void (*on_left)(void *userdata) = leaving->on_left;
  leaving->on_left = NULL;
  on_left(leaving->userdata);
}

static void leave(Agent *agent, const Node *node, const char *how) {
  AgentLeaving *leaving = &agent->leaving;
  leaving->state = AGENT_LEFT;
  timer_cancel(agent->host, &leaving->timer);
  log_info(AGENT_COMPONENT, "left", "how=" LOG_QUOTED " took_ms=%llu", how,
           (unsigned long long)(agent->host->now_ms - leaving->began_ms));
  if (leaving->is_retirement)
    agent_slices_withdraw(agent);
  end(agent, node);
}

/* When from then on no write of the kubelet's is under way: just after a tick, or when the next one is over.
 */
static uint64_t lull_at(const Agent *agent, uint64_t then_ms) {
  const AgentLeaving *leaving = &agent->leaving;
  if (!agent_node(agent) || !agent->announced.count || !has_any(agent))
    return then_ms;
  uint64_t next_ms = leaving->ticked_ms + AGENT_KUBELET_TICK_MS;
  uint64_t at_ms = then_ms > agent->host->now_ms ? then_ms : agent->host->now_ms;
  bool is_early = leaving->has_ticked && at_ms + AGENT_KUBELET_LATE_MS <= next_ms;
  bool is_over = at_ms >= next_ms + AGENT_KUBELET_LATE_MS;
  return is_early || is_over ? then_ms : next_ms + AGENT_KUBELET_LATE_MS;
}

/* When everybody has been served as far as anybody can know; 0: not to be told yet. A slice may have become
 * free and been promised until the scheduler saw that there is nothing: so the kubelet is asked after that
 * whether all are used. */
static uint64_t served_at(const Agent *agent) {
  const AgentLeaving *leaving = &agent->leaving;
  if (!leaving->nothing_since_ms)
    return 0;
  if (!count_free(agent) && agent->used_ms >= leaving->nothing_since_ms)
    return lull_at(agent, agent->host->now_ms); /* what the kubelet puts back are all of them */
  uint64_t settled_ms = leaving->nothing_since_ms + AGENT_LEAVE_SETTLE_MS;
  uint64_t quiet_ms = leaving->allocated_ms + AGENT_LEAVE_QUIET_MS;
  return lull_at(agent, settled_ms > quiet_ms ? settled_ms : quiet_ms);
}

static void begin_settling(Agent *agent) {
  agent->leaving.nothing_since_ms = agent->host->now_ms;
  if (timer_is_set(&agent->use_timer))
    timer_set(agent->host, &agent->use_timer, 0);
}

/* The witness's label travels with the amounts; it goes also where all slices are used, because one may have
 * become free and been promised since we looked. What the kubelet restores is taken down anew, with a new
 * one.
 */
static void note_offer(Agent *agent, const Node *node) {
  AgentLeaving *leaving = &agent->leaving;
  bool was_clear = leaving->is_clear;
  leaving->is_clear = offers_nothing(agent, node);
  bool has_ticked = was_clear && !leaving->is_clear;
  if (has_ticked) {
    leaving->is_witnessed = leaving->is_confirmed = false;
    leaving->has_ticked = true;
    free(TAKE(leaving->confirmed_version));
  }
  if (has_ticked || (leaving->is_clear && !leaving->ticked_ms))
    leaving->ticked_ms = agent->host->now_ms;
  if (!leaving->is_witnessed && agent->announced.count) {
    leaving->is_witnessed = true;
    agent_recutting_call_witness(agent);
  }
  if (!leaving->is_clear || agent_recutting_awaits_witness(agent))
    leaving->nothing_since_ms = 0;
  else if (!leaving->nothing_since_ms)
    begin_settling(agent);
}

static void clear(Agent *agent, const Node *node) {
  AgentLeaving *leaving = &agent->leaving;
  uint64_t now_ms = agent->host->now_ms, last_ms = patience_ends_ms(leaving);
  note_offer(agent, node);
  /* NVIDIA's plugin goes on serving: there is only the node to be left in order. */
  uint64_t served_ms = agent_rereading_is_on(agent) ? now_ms : served_at(agent);
  bool is_served = served_ms && now_ms >= served_ms && (!node || agent_has_said_all(agent, node));
  bool knows = leaving->is_confirmed || !node || agent_rereading_is_on(agent);
  bool is_ready = is_served && (leaving->is_confirmed || !agent->recutting.recuts.count);
  if (is_ready && !knows && !leaving->is_confirming)
    agent_leaving_confirm(agent);
  if (is_ready && knows)
    leave(agent, node, "the node offers nothing, and who was promised a slice has it");
  else if (now_ms >= last_ms)
    leave(agent, node, "out of time: a pod that was promised a slice may be rejected");
  else
    timer_set(agent->host, &leaving->timer,
              (served_ms > now_ms && served_ms < last_ms ? served_ms : last_ms) - now_ms);
}

/* Does the kubelet have slices by us, or beside us? */
static bool has_slices(const Agent *agent) {
  return agent->announced.count || (agent_rereading_is_on(agent) && agent->resources.count);
}

bool agent_leaving_step(Agent *agent, const Node *node) {
  AgentLeaving *leaving = &agent->leaving;
  if (node)
    leaving->is_retirement = is_given_up(node);
  if (leaving->state == AGENT_STAYING && leaving->is_retirement && has_slices(agent))
    begin(agent);
  if (leaving->state != AGENT_STAYING && !leaving->is_end && is_handed_over(node)) {
    log_info(AGENT_COMPONENT, "staying: the node is labelled again", "node=%s", agent->node_name);
    timer_cancel(agent->host, &leaving->timer);
    leaving->state = AGENT_STAYING;
  }
  if (leaving->state == AGENT_CLEARING)
    clear(agent, node);
  else if (leaving->state == AGENT_LEFT)
    end(agent, node);
  return leaving->state != AGENT_STAYING;
}

void agent_leave(Agent *agent, void (*on_left)(void *userdata), void *userdata) {
  AgentLeaving *leaving = &agent->leaving;
  const Node *node = agent_node(agent);
  leaving->is_end = true;
  leaving->end_ms = agent->host->now_ms;
  leaving->on_left = on_left;
  leaving->userdata = userdata;
  bool owes_release = has_slices(agent) && agent->recutting.recuts.count;
  bool owes_label = is_given_up(node) && agent_takeover_owes(agent, node);
  if (leaving->state == AGENT_STAYING && (agent->announced.count || owes_release || owes_label))
    begin(agent);
  else if (leaving->state == AGENT_STAYING)
    on_left(userdata);
  agent_kick(agent);
}

static void on_timer(void *userdata) {
  agent_kick(userdata);
}

void agent_leaving_init(Agent *agent) {
  agent->leaving.timer = (HostTimer){.fire = on_timer, .userdata = agent};
}

void agent_leaving_deinit(Agent *agent) {
  timer_cancel(agent->host, &agent->leaving.timer);
  free(agent->leaving.confirmed_version);
}
