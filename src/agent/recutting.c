/* SPDX-License-Identifier: Apache-2.0 */
/* Level-triggered like the rest of the agent: each step computes afresh what the plan takes away, sees to it
 * that one re-cut is at work on that, and lets every re-cut make its step. A reservation pod that no re-cut
 * knows was left behind by an earlier life. */
#include "agent/recutting.h"

#include "agent/reservation.h"
#include "agent/state.h"

/* ---- what is known ---- */

static const Pod *find_pod(const AgentRecutting *recutting, const char *name) {
  CLEANUP(cleanup_free) char *key = mem_format("%s/%s", recutting->namespace_, name);
  return kube_informer_find(recutting->pods, key);
}

AgentRecut *agent_recutting_find_active(const AgentRecutting *recutting) {
  for (size_t i = 0; i < recutting->recuts.count; i++)
    if (agent_recut_is_active(recutting->recuts.items[i]))
      return recutting->recuts.items[i];
  return NULL;
}

AgentRecut *agent_recutting_find(const AgentRecutting *recutting, const char *pod) {
  for (size_t i = 0; i < recutting->recuts.count; i++)
    if (strcmp(recutting->recuts.items[i]->pod, pod) == 0)
      return recutting->recuts.items[i];
  return NULL;
}

bool agent_recutting_withholds(const Agent *agent, const char *uuid) {
  if (agent->is_doomed && strcmp(agent->doomed.uuid, uuid) == 0)
    return true; /* whatever became of its reservation */
  for (size_t i = 0; i < agent->recutting.recuts.count; i++)
    if (agent_recut_withholds(agent->recutting.recuts.items[i], uuid))
      return true;
  return false;
}

bool agent_recutting_owns(const Agent *agent, const KubeletHeld *held) {
  return string_equal(held->namespace_, agent->recutting.namespace_) && held->pod &&
         string_has_prefix(held->pod, AGENT_RESERVATION_PREFIX);
}

bool agent_recutting_is_pending(const Agent *agent) {
  return agent->recutting.unjudged || agent->recutting.wanted.count ||
         agent_recutting_find_active(&agent->recutting);
}

bool agent_recutting_is_bound(const Agent *agent, const AgentRecut *recut) {
  const char *says;
  return agent_reservation_judge(find_pod(&agent->recutting, recut->pod), &says) == AGENT_POD_BOUND;
}

bool agent_recutting_is_cutting(const Agent *agent) {
  const AgentRecut *active = agent_recutting_find_active(&agent->recutting);
  return (active && active->state == AGENT_RECUT_CUTTING) || agent->recutting.awaits_first;
}

/* What another plugin has taken is not waited for. node NULL: it has nothing to say any more; but where
 * NVIDIA's plugin stays, the kubelet may still show slices that are gone. */
static bool node_agrees(const Agent *agent, const Node *node) {
  bool is_shown_to_somebody = node || agent_rereading_is_on(agent);
  for (size_t i = 0; is_shown_to_somebody && i < agent->resources.count; i++) {
    const AgentResource *resource = &agent->resources.items[i];
    bool is_shown = agent->known[i] && (!node || agent_report_shows(node, resource));
    if (!is_shown && !kubelet_plugins_has_yielded(agent->plugins, resource->name))
      return false;
  }
  return !node || agent->is_published;
}

/* What is destroyed step by step can be told at the end: a report on its way would only delay the next one.
 */
bool agent_recutting_hushes(const Agent *agent, const Node *node) {
  return agent_recutting_is_cutting(agent) && node_agrees(agent, node);
}

const char *agent_recutting_error(const Agent *agent) {
  return agent->recutting.lost_reason;
}

/* ---- what the plan takes away ---- */

bool agent_recutting_is_answered(const Agent *agent, const Node *node) {
  const char *status = key_values_find(&node->meta.annotations, MIG_ANNOTATION_STATUS_PLAN);
  return !agent->plan[0] || agent->plan_done || string_equal(status, agent->plan);
}

/* A slice that came after the controller looked may be missing in a plan that replaces an unanswered one: it
 * was not left out, it was not known. And where something failed, the GPU goes back to what it was. */
static bool must_stay(Agent *agent, const AgentTarget *target) {
  const GpuTransaction *transaction = agent_wanted_transaction(&agent->transactions, target->gpu_uuid);
  return map_find(&agent->fresh, target->uuid) || (transaction && !gpu_transaction_is_sound(transaction));
}

/* Before anybody said who holds what, nothing is taken away; but where there is something to judge, the plan
 * is not done either. */
static void compute_wanted(Agent *agent, const Node *node) {
  AgentRecutting *recutting = &agent->recutting;
  array_clear(&recutting->wanted);
  if (!agent_recutting_is_answered(agent, node) && !agent_wanted_is_paused(node) &&
      strcmp(recutting->lost_plan, agent->plan) != 0)
    agent_withdrawal_compute(node, agent->observation, &agent->used, &recutting->wanted);
  for (size_t i = recutting->wanted.count; i-- > 0;)
    if (must_stay(agent, &recutting->wanted.items[i]))
      array_remove(&recutting->wanted, i);
  recutting->unjudged = !agent->used_known && recutting->wanted.count;
  if (recutting->unjudged)
    array_clear(&recutting->wanted);
  if (!recutting->wanted.count || agent_recutting_find_active(recutting))
    recutting->wanted_since_ms = 0;
  else if (!recutting->wanted_since_ms)
    recutting->wanted_since_ms = agent->host->now_ms;
}

/* The plan is answered without what it wanted to take away, and the controller plans again from what there
 * is. A lost race is nothing to report, unless it is always lost. */
void agent_recutting_give_up(Agent *agent, bool raced, const char *reason) {
  AgentRecutting *recutting = &agent->recutting;
  snprintf(recutting->lost_plan, sizeof recutting->lost_plan, "%s", agent->plan);
  array_clear(&recutting->wanted);
  recutting->losses++;
  if (!raced || recutting->losses >= AGENT_RECUT_LOSSES_MAX)
    snprintf(recutting->lost_reason, sizeof recutting->lost_reason,
             "free slices could not be taken away: %.400s", reason);
  log_warn(AGENT_COMPONENT, "re-cut lost", "plan=%s in_a_row=%d reason=" LOG_QUOTED, agent->plan,
           recutting->losses, reason);
}

/* ---- beginning ---- */

/* The scheduler counts what the node says: before that agrees with the kubelet, it cannot promise slices. */
static bool agree_on_targets(const Agent *agent, const Node *node) {
  for (size_t i = 0; i < agent->resources.count; i++) {
    const AgentResource *resource = &agent->resources.items[i];
    if (agent_targets_count(&agent->recutting.wanted, resource->name) &&
        (!agent->known[i] || !agent_report_shows(node, resource)))
      return false;
  }
  return agent->resources.count > 0;
}

static const char *find_obstacle(Agent *agent, const Node *node) {
  const AgentRecutting *recutting = &agent->recutting;
  if (!kube_informer_is_synced(recutting->pods))
    return recutting->trouble[0] ? recutting->trouble : "the reservation pods of this node cannot be listed";
  if (!agree_on_targets(agent, node))
    return "the kubelet or the node's status does not show all slices";
  const char *crowded = agent_recutting_find_crowded(agent);
  if (crowded) {
    agent_recutting_hurry(agent, crowded);
    return "the scheduler has not seen yet what the last re-cut left";
  }
  return NULL;
}

static void begin(Agent *agent, const Node *node, const char *pod) {
  AgentRecutting *recutting = &agent->recutting;
  char text[256], name[AGENT_RECUT_NAME_SIZE] = "";
  AgentTargets targets = {0};
  agent_targets_append(&targets, &recutting->wanted);
  agent_targets_format(&targets, text, sizeof text);
  if (pod)
    snprintf(name, sizeof name, "%s", pod);
  else if (!recutting->naive)
    agent_reservation_name(AGENT_RESERVATION_PREFIX, random_next(&agent->host->random), name);
  AgentRecut *recut = agent_recut_new(name, agent->plan, &targets, agent->host->now_ms);
  recut->unsteered = agent_rereading_is_on(agent);
  *array_push(&recutting->recuts) = recut;
  agent_recutting_ask_anew(agent);
  agent_watching_prepare(agent);
  log_info(AGENT_COMPONENT, pod ? "re-cut taken up again" : "re-cut begins",
           "plan=%s pod=%s withdraw=" LOG_QUOTED, agent->plan, name, text);
  if (recutting->naive)
    recut->state = AGENT_RECUT_UNLISTING;
  else if (!pod)
    agent_recutting_create_pod(agent, node, recut);
}

/* Is it waited for? What it had to say it says once. */
static bool is_awaited_witness(const AgentRecutting *recutting, const char *name) {
  for (size_t i = 0; i < recutting->recuts.count; i++) {
    const AgentRecut *recut = recutting->recuts.items[i];
    if (recut->state == AGENT_RECUT_LINGERING && strcmp(recut->witness, name) == 0)
      return true;
  }
  return false;
}

static void let_witness_go(Agent *agent, const char *name) {
  AgentRecut *recut = agent_recut_new_orphan(name, agent->host->now_ms);
  recut->state = AGENT_RECUT_RELEASING;
  *array_push(&agent->recutting.recuts) = recut;
}

static void let_orphan_go(Agent *agent, const char *name) {
  AgentRecut *recut = agent_recut_new_orphan(name, agent->host->now_ms);
  agent_recutting_plan_offer(agent, recut);
  *array_push(&agent->recutting.recuts) = recut;
}

/* Pods of an earlier life. The one that was made for this very plan goes on, the others are let go. */
static void take_up(Agent *agent, const Node *node) {
  AgentRecutting *recutting = &agent->recutting;
  for (size_t i = 0; i < kube_informer_count(recutting->pods); i++) {
    const Pod *pod = kube_informer_at(recutting->pods, i);
    if (agent_recutting_find(recutting, pod->meta.name) || is_awaited_witness(recutting, pod->meta.name))
      continue;
    if (string_has_prefix(pod->meta.name, AGENT_WITNESS_PREFIX)) {
      let_witness_go(agent, pod->meta.name);
      continue;
    }
    const char *plan = key_values_find(&pod_common(pod)->annotations, AGENT_RESERVATION_PLAN);
    if (recutting->wanted.count && !agent_recutting_find_active(recutting) && !pod->meta.deletion_time &&
        string_equal(plan, agent->plan)) {
      begin(agent, node, pod->meta.name);
    } else {
      log_info(AGENT_COMPONENT, "letting a reservation go", "pod=%s plan=%s", pod->meta.name,
               string_or_empty(plan));
      let_orphan_go(agent, pod->meta.name);
    }
  }
}

static void ensure_begun(Agent *agent, const Node *node) {
  AgentRecutting *recutting = &agent->recutting;
  if (!recutting->wanted.count || agent_recutting_find_active(recutting) || recutting->posting)
    return;
  const char *obstacle = find_obstacle(agent, node);
  if (!obstacle)
    begin(agent, node, NULL);
  else if (agent->host->now_ms - recutting->wanted_since_ms >= AGENT_RECUT_READY_MS)
    agent_recutting_give_up(agent, false, obstacle);
  else
    timer_set(agent->host, &recutting->timer,
              recutting->wanted_since_ms + AGENT_RECUT_READY_MS - agent->host->now_ms);
}

/* ---- one step ---- */

static bool kubelet_agrees(const Agent *agent) {
  for (size_t i = 0; i < agent->resources.count; i++) {
    const char *resource = agent->resources.items[i].name;
    bool is_other = agent_targets_count(&agent->recutting.wanted, resource) == 0;
    if (!agent->known[i] && !(is_other && kubelet_plugins_has_yielded(agent->plugins, resource)))
      return false;
  }
  return true;
}

/* From `before` to `after`, where both are known and in this order. */
static unsigned between(uint64_t before_ms, uint64_t after_ms) {
  return after_ms > before_ms ? (unsigned)(after_ms - before_ms) : 0;
}

static void log_done(const Agent *agent, const AgentRecut *recut) {
  char text[256];
  uint64_t now_ms = agent->host->now_ms, created_ms = agent->recutting.first_created_ms;
  agent_targets_format(&recut->targets, text, sizeof text);
  log_info(AGENT_COMPONENT, "re-cut done",
           "plan=%s withdrawn=" LOG_QUOTED " count=%zu reserve_ms=%u learn_ms=%u unlist_ms=%u confirm_ms=%u "
           "destroy_ms=%u create_ms=%u announce_ms=%u report_ms=%u total_ms=%u",
           recut->plan, text, recut->targets.count, recut->took_ms[AGENT_RECUT_RESERVING],
           recut->took_ms[AGENT_RECUT_LEARNING], recut->took_ms[AGENT_RECUT_UNLISTING],
           recut->took_ms[AGENT_RECUT_CONFIRMING], recut->took_ms[AGENT_RECUT_CUTTING],
           between(now_ms - recut->took_ms[AGENT_RECUT_SHOWING], created_ms),
           between(created_ms, agent->known_ms), between(agent->known_ms, now_ms),
           between(recut->began_ms, now_ms));
}

/* A plan that came meanwhile has its own try. */
static void note_lost(Agent *agent, const AgentRecut *recut) {
  if (strcmp(recut->plan, agent->plan) == 0)
    agent_recutting_give_up(agent, recut->raced, recut->reason);
  else
    log_info(AGENT_COMPONENT, "re-cut of an older plan dropped", "plan=%s reason=" LOG_QUOTED, recut->plan,
             recut->reason);
}

static void note_transition(Agent *agent, AgentRecut *recut, AgentRecutState before) {
  AgentRecutting *recutting = &agent->recutting;
  bool was_active = before < AGENT_RECUT_SHOWING;
  if (was_active && recut->lost)
    note_lost(agent, recut);
  if (before <= AGENT_RECUT_LEARNING && recut->state > AGENT_RECUT_LEARNING)
    recut->is_quiet =
        agent->host->now_ms - agent_slices_quiet_since(agent, &recut->targets) >= AGENT_RECUT_LINGER_MS;
  if (before != recut->state && recut->state == AGENT_RECUT_CONFIRMING) {
    agent_recutting_ask_anew(agent);
    agent_kick(agent);
  }
  if (was_active && recut->state == AGENT_RECUT_SHOWING)
    agent_recutting_plan_offer(agent, recut);
  if (was_active && recut->state == AGENT_RECUT_SHOWING && recut->targets.count) {
    recutting->awaits_first = true;
    recutting->first_created_ms = agent->host->now_ms;
    agent_kick(agent);
  }
  if (before == AGENT_RECUT_SHOWING && recut->state != before && recut->targets.count) {
    recutting->losses = 0;
    log_done(agent, recut);
  }
  if (recut->is_witness && before <= AGENT_RECUT_LINGERING && recut->state > AGENT_RECUT_LINGERING)
    agent_kick(agent); /* somebody waits for that */
  if (recut->state != before)
    log_debug(AGENT_COMPONENT, "re-cut goes on", "pod=%s state=%s", recut->pod,
              agent_recut_state_name(recut->state));
}

static void act(Agent *agent, const Node *node, AgentRecut *recut, AgentRecutAction action,
                const AgentTarget *target) {
  if (action == AGENT_RECUT_ASK)
    agent_recutting_ask_kubelet(agent, recut);
  else if (action == AGENT_RECUT_DESTROY && !agent->driver_busy)
    agent_gpus_destroy(agent, target);
  else if (action == AGENT_RECUT_DELETE)
    agent_recutting_delete_pod(agent, recut);
  else if (action == AGENT_RECUT_OFFER)
    agent_recutting_give_offer(agent, recut);
  else if (action == AGENT_RECUT_WITNESS)
    agent_recutting_create_witness(agent, node, recut);
}

static bool shows_offer(const Node *node, const AgentRecut *recut) {
  return !node || agent_report_get_offer(node) >= recut->offer;
}

/* What a leaving agent still offers in its node's name is a promise, labelled or not. */
static bool is_taken_down(const Agent *agent) {
  return agent->leaving.state != AGENT_CLEARING || agent->leaving.is_clear || agent_rereading_is_on(agent);
}

static void step_recut(Agent *agent, const Node *node, AgentRecut *recut) {
  AgentRecutting *recutting = &agent->recutting;
  const AgentTarget *target = NULL;
  bool is_leaving = agent->leaving.state != AGENT_STAYING; /* the node offers nothing, whatever there is */
  AgentRecutView view = {.now_ms = agent->host->now_ms,
                         .wanted = &recutting->wanted,
                         .held = recutting->held_known ? &recutting->held : NULL,
                         .kubelet_agrees = kubelet_agrees(agent),
                         .node_agrees = node_agrees(agent, is_leaving ? NULL : node) &&
                                        shows_offer(node, recut) && is_taken_down(agent),
                         .has_node = node,
                         .growing = recutting->awaits_first,
                         .observation = agent->observation};
  view.pod = recut->pod[0] ? agent_reservation_judge(find_pod(recutting, recut->pod), &view.pod_says)
                           : AGENT_POD_BOUND;
  if (recut->witness[0])
    view.witness = agent_reservation_judge(find_pod(recutting, recut->witness), &(const char *){NULL});
  AgentRecutState before = recut->state;
  AgentRecutAction action = agent_recut_step(recut, &view, &target);
  note_transition(agent, recut, before);
  act(agent, node, recut, action, target);
  uint64_t wake_ms = agent_recut_wake_ms(recut), due_ms = recutting->timer.at_ms;
  if (wake_ms != HOST_NEVER && (!timer_is_set(&recutting->timer) || wake_ms < due_ms))
    timer_set(agent->host, &recutting->timer, wake_ms > view.now_ms ? wake_ms - view.now_ms : 0);
}

static void step_all(Agent *agent, const Node *node) {
  AgentRecutting *recutting = &agent->recutting;
  for (size_t i = recutting->recuts.count; i-- > 0;) {
    AgentRecut *recut = recutting->recuts.items[i];
    step_recut(agent, node, recut);
    if (recut->state == AGENT_RECUT_OVER) {
      agent_recut_free(recut);
      array_remove(&recutting->recuts, i);
      if (agent->leaving.state != AGENT_STAYING || recutting->wanted.count)
        agent_kick(agent); /* who leaves waits for the last one, and so may the next re-cut */
    }
  }
}

void agent_recutting_step(Agent *agent, const Node *node) {
  AgentRecutting *recutting = &agent->recutting;
  timer_cancel(agent->host, &recutting->timer);
  compute_wanted(agent, node);
  if (kube_informer_is_synced(recutting->pods) && !recutting->unjudged)
    take_up(agent, node);
  ensure_begun(agent, node);
  step_all(agent, node);
}

void agent_recutting_wind_up(Agent *agent, const Node *node) {
  AgentRecutting *recutting = &agent->recutting;
  timer_cancel(agent->host, &recutting->timer);
  array_clear(&recutting->wanted);
  recutting->unjudged = recutting->awaits_first = false; /* nothing is created any more */
  if (kube_informer_is_synced(recutting->pods))
    take_up(agent, NULL);
  step_all(agent, node);
}

static AgentRecut *find_witness(const AgentRecutting *recutting) {
  for (size_t i = 0; i < recutting->recuts.count; i++) {
    AgentRecut *recut = recutting->recuts.items[i];
    if (recut->is_witness && recut->state <= AGENT_RECUT_LINGERING)
      return recut;
  }
  return NULL;
}

/* The pod of one that is renewed is let go like any that nobody waits for. */
void agent_recutting_call_witness(Agent *agent) {
  AgentRecut *recut = find_witness(&agent->recutting);
  if (recut)
    agent_recut_renew_witness(recut, agent->host->now_ms);
  else
    *array_push(&agent->recutting.recuts) = recut = agent_recut_new_witness(agent->host->now_ms);
  agent_recutting_give_offer(agent, recut);
}

bool agent_recutting_awaits_witness(const Agent *agent) {
  return find_witness(&agent->recutting) != NULL;
}

void agent_recutting_forget_plan(Agent *agent) {
  agent->recutting.lost_reason[0] = '\0';
}

/* ---- life ---- */

static void on_timer(void *userdata) {
  agent_kick(userdata);
}

static void on_pod_change(void *userdata, const void *old, const void *new_) {
  agent_kick(userdata);
}

static void on_synced(void *userdata) {
  Agent *agent = userdata;
  agent->recutting.trouble[0] = '\0';
  agent_kick(agent);
}

static void on_trouble(void *userdata, const Error *err, uint64_t retry_ms) {
  Agent *agent = userdata;
  uint32_t held_back;
  snprintf(agent->recutting.trouble, sizeof agent->recutting.trouble, "%s", err->text);
  if (log_gate_pass(&agent->gate, err->text, agent->host->now_ms, &held_back))
    log_warn(AGENT_COMPONENT, "watching the reservation pods failed",
             "retry_ms=%llu held_back=%u err=" LOG_QUOTED, (unsigned long long)retry_ms, held_back,
             err->text);
}

void agent_recutting_init(Agent *agent, KubeTransport *transport, const AgentOptions *options) {
  AgentRecutting *recutting = &agent->recutting;
  char label[AGENT_LABEL_SIZE];
  agent_reservation_label(options->node_name, label);
  recutting->namespace_ = mem_strdup(options->reservation_namespace);
  recutting->scheduler = mem_strdup(options->scheduler_name);
  recutting->naive = options->naive_withdrawal;
  recutting->path = mem_format("/api/v1/namespaces/%s/pods", options->reservation_namespace);
  recutting->timer = (HostTimer){.fire = on_timer, .userdata = agent};
  recutting->ask_timer = (HostTimer){.fire = on_timer, .userdata = agent};
  recutting->type = kube_pod_type;
  recutting->type.path = recutting->path;
  CLEANUP(cleanup_free) char *selector = mem_format("labelSelector=facet.gpu%%2Freservation%%3D%s", label);
  recutting->pods = kube_informer_new(agent->host, transport,
                                      &(KubeInformerOptions){.type = &recutting->type,
                                                             .selector = selector,
                                                             .answer_ms = AGENT_ANSWER_MS,
                                                             .on_change = on_pod_change,
                                                             .on_synced = on_synced,
                                                             .on_trouble = on_trouble,
                                                             .userdata = agent});
}

void agent_recutting_start(Agent *agent) {
  kube_informer_start(agent->recutting.pods);
}

void agent_recutting_deinit(Agent *agent) {
  AgentRecutting *recutting = &agent->recutting;
  timer_cancel(agent->host, &recutting->timer);
  timer_cancel(agent->host, &recutting->ask_timer);
  kube_informer_free(recutting->pods);
  for (size_t i = 0; i < recutting->recuts.count; i++)
    agent_recut_free(recutting->recuts.items[i]);
  array_deinit(&recutting->recuts);
  array_deinit(&recutting->wanted);
  arena_deinit(&recutting->held_arena);
  free(recutting->namespace_);
  free(recutting->scheduler);
  free(recutting->path);
}
